"""A model of many processes that send requests to one API host, under the real claim and budget.

Processes start at any time, overlap, stall, and die at any step. Storage is slow, loses answers,
and lets writes land late; somebody damages what it holds. Its servers' clocks agree only almost,
and those of the processes run at different speeds. The API counts a request at any time between its
sending and its answer. Whatever happens, no minute has more arrivals than the limit.
"""

import heapq
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from shared.core.errors import StoreConflict, StoreUnavailable
from shared.core.model import Answer, NoAnswer, Policy, Request
from shared.core.state.host_budget import CLAIM_MOST_MS
from shared.core.state.ledger import CLAIM_MARGIN_MS
from shared.core.state.pacing import reserve
from shared.ports import SavedBudget
from shared.scan.host_claim import (
    ATTEMPTS,
    Held,
    HostClaim,
    SharedHost,
    SourceWithinClaim,
    claim_host,
    release_host,
)
from shared.sharing import allotted
from tests.fakes import MINUTE, NOW, InMemoryBudget, page_of, policy
from tests.sampling import examples

TICK = 5 * MINUTE
QUERY = Request(body=b"{}")

SLOW_MS = 20_000
"""No operation of storage takes longer."""


class Killed(BaseException):
    """The process ends here, and nothing of it runs any more."""


@dataclass
class World:
    """True time, the storage service, the API, and whose turn it is.

    Attributes:
        rng: chance.
        limit: requests that a minute may have.
        policies: of the scans; each has work without end.
        now: the true time, epoch ms.
        arrivals: when the API counted each request.
        sent: how many requests each scan has sent.
        held: true times at which a process found the host claimed, with what was stored then.
        calm: whether nothing goes wrong any more.
    """

    rng: random.Random
    limit: int
    policies: dict[str, Policy]
    now: int = NOW
    arrivals: list[int] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    held: list[tuple[int, int]] = field(default_factory=list)
    saves: list[int] = field(default_factory=list)
    calm: bool = False

    def __post_init__(self) -> None:
        self.stored = InMemoryBudget(lambda: self.now)
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._numbers = count()

    def at(self, instant: int, action: Callable[[], object]) -> None:
        """Let something happen at a time, in no particular order with what happens then, too."""
        heapq.heappush(self._due, (instant, self.rng.getrandbits(30) << 20 | self._next, action))

    @property
    def _next(self) -> int:
        return next(self._numbers)

    def run(self) -> None:
        """Let time pass until nothing is left to happen."""
        while self._due:
            self.now, _, action = heapq.heappop(self._due)
            action()

    def chance(self, one_in: int) -> bool:
        """Say whether something goes wrong."""
        return not self.calm and self.rng.randrange(one_in) == 0

    def latency(self) -> int:
        """Return how long one way to storage takes, in ms."""
        slow = SLOW_MS // 2 if self.chance(20) else 40
        return self.rng.choice([0, self.rng.randrange(slow)])


class Process:
    """One invocation: its clock, its view of storage and of the API, and its scans."""

    def __init__(self, world: World, owner: str) -> None:
        self.world = world
        self.owner = owner
        self._started = world.now
        self._offset = world.rng.randrange(10**9)
        self._rate = 1 + world.rng.uniform(-2e-4, 2e-4)
        self._dies_at = world.now + world.rng.randrange(TICK) if world.chance(3) else 10**15
        self._turn, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self.resume()

    # Only one thread runs at a time: the process whose turn it is, or the world's.

    def resume(self) -> None:
        """Let the process run to its next wait; called by the world."""
        self._turn.release()
        self._done.acquire()

    def _live(self) -> None:
        self._turn.acquire()
        with suppress(Killed):
            self._invoke()
        self._done.release()

    def wait(self, milliseconds: int) -> None:
        """Let so much true time pass, and maybe die meanwhile."""
        self.world.at(self.world.now + milliseconds, self.resume)
        self._done.release()
        self._turn.acquire()
        if self.world.now >= self._dies_at:
            raise Killed

    # The clock.

    def now(self) -> int:
        """Return what no decision may depend on."""
        return self._offset

    def elapsed(self) -> int:
        """Return this process's own time, which runs a little too fast or too slow."""
        return self._offset + int((self.world.now - self._started) * self._rate)

    def sleep(self, milliseconds: int) -> None:
        """Sleep, or stall."""
        stall = self.world.rng.randrange(CLAIM_MOST_MS) if self.world.chance(300) else 0
        self.wait(milliseconds + 1 + stall)

    # Storage.

    def load(self) -> SavedBudget:
        """Read the budget, from a server whose clock is almost right."""
        world = self.world
        self.wait(world.latency())
        if world.chance(30):
            raise StoreUnavailable("no answer")
        found = world.stored.load()
        date = (world.now + world.rng.randrange(-400, 400)) // 1000 * 1000
        self.wait(world.latency())
        return SavedBudget(
            content=found.content, etag=found.etag, modified=found.modified, date=date
        )

    def save(self, content: bytes, *, etag: str | None) -> str | None:
        """Replace the budget; an answer may get lost, and a write may land late."""
        world = self.world
        self.saves += 1
        self.wait(world.latency())
        if world.chance(20):
            late = world.rng.choice([0, world.rng.randrange(TICK)])
            world.at(world.now + late, lambda: self._land(content, etag))
            raise StoreUnavailable("no answer")
        saved = world.stored.save(content, etag=etag)
        self.wait(world.latency())
        return world.stored.save(content, etag=etag) if world.chance(20) else saved

    def _land(self, content: bytes, etag: str | None) -> None:
        self.world.stored.save(content, etag=etag)

    # The API.

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Note when a request arrives; its answer, or its deadline, comes later."""
        del request
        world = self.world
        takes = world.rng.choice([0, 700, 3_000, 3_000, 10**6 if world.chance(5) else 0])
        ends = world.now + int(min(takes, timeout * 1000))
        world.arrivals.append(world.rng.choice([world.now, ends, (world.now + ends) // 2]))
        self.answered = ends
        return page_of({})

    def renew_token(self) -> bool:
        """Nothing to renew."""
        return False

    # The scans.

    saves = 0
    answered = 0

    def _invoke(self) -> None:
        world = self.world
        names = list(world.policies)
        whole = world.policies[names[0]].budget_most
        host = SharedHost(name="api:443", per_minute=world.limit, store=self)
        with suppress(StoreUnavailable):
            claim = claim_host(
                host, self, owner=self.owner, length=whole + CLAIM_MARGIN_MS, scans=names
            )
            if isinstance(claim, Held):
                world.held.append((world.now, self._claimed_until()))
                return
            self._run_all(claim)
        world.saves.append(self.saves)

    def _claimed_until(self) -> int:
        """Return when the claim that is stored ends; 0 if it is released or damaged."""
        with suppress(ValueError):
            until: int = self.world.stored.value().get("claimed_until", 0)
            return until
        return 0

    def _run_all(self, claim: HostClaim) -> None:
        started, short = self.elapsed(), list[str]()
        policies = [self.world.policies[it] for it in claim.scans]
        for place, name in enumerate(claim.scans):
            now = self.elapsed()
            self.sleep(claim.budget.pause_before(policies, place, now, now - started))
            time = allotted(policies, place, self.elapsed() - started)
            if self._run(name, claim, time):
                short.append(name)
            claim.budget.settle(self.elapsed())
        with suppress(StoreConflict):
            release_host(claim, self, short_of_time=short)

    def _run(self, name: str, claim: HostClaim, time: int) -> bool:
        """Send what fits; return whether it was short of time."""
        budget, began, first = claim.budget, self.elapsed(), True
        pending: list[int] = []
        while True:
            for ended in [it for it in pending if it <= self.world.now]:
                pending.remove(ended)
                budget.give_back(self.elapsed())
            pause, spent = budget.pause(self.elapsed()), self.elapsed() - began
            fits = spent + pause + reserve(time) <= time or (first and pause == 0)
            if not fits and not pending:
                return pause + reserve(time) <= time
            if fits and pause == 0 and len(pending) < 2:
                first = False
                pending.append(self._send(name, claim, time - spent))
            else:
                until = [it - self.world.now for it in pending]
                self.sleep(min([*until, *([pause] if fits and pause else [])]))

    def _send(self, name: str, claim: HostClaim, left: int) -> int:
        """Send a request, some time after its slot is taken; return when it will have ended."""
        world = self.world
        claim.budget.take(self.elapsed())
        self.sleep(world.rng.randrange(30_000) if world.chance(10) else 0)
        self.answered = world.now
        source = SourceWithinClaim(self, claim.budget, self)
        if isinstance(source.ask(QUERY, timeout=max(left, 1_000) / 1000), Answer):
            world.sent[name] = world.sent.get(name, 0) + 1
        return self.answered


def worlds(number: int) -> Iterator[tuple[int, World]]:
    """Yield seeds with their worlds after an hour in which everything went wrong that can."""
    for seed in [random.randrange(10**9) for _ in range(number)]:
        rng = random.Random(seed)
        whole = rng.choice([15_000, 60_000, 240_000, 540_000])
        scans = rng.choice([2, 3, 3, 6])
        each = policy(budget=whole // scans, budget_most=whole)
        world = World(rng, rng.choice([1, 2, 5, 25]), {f"s{n}": each for n in range(scans)})
        _disturb(world, NOW + 12 * TICK)
        world.run()
        yield seed, world


def _disturb(world: World, until: int) -> None:
    """Start a process at every tick, and others whenever they like."""
    owners = count()

    def start() -> None:
        Process(world, f"owner-{next(owners)}")

    for tick in range(world.now, until, TICK):
        world.at(tick, start)
        for _ in range(world.rng.randrange(4)):
            world.at(tick + world.rng.choice([0, 1, world.rng.randrange(TICK)]), start)
    if world.chance(4):
        damaged = world.now + world.rng.randrange(until - world.now)
        world.at(damaged, partial(world.stored.put, b"damaged"))


WORLDS = examples(50, 3_000)


def test_no_minute_has_more_arrivals_than_the_limit() -> None:
    """Whichever processes sent them, and whatever became of these."""
    for seed, world in worlds(WORLDS):
        arrived = sorted(world.arrivals)

        for first, beyond in zip(arrived, arrived[world.limit :], strict=False):
            assert beyond - first >= MINUTE, (seed, first - NOW, beyond - NOW, world.limit)


def test_a_claim_takes_two_saves() -> None:
    """One more for each time that another process was faster."""
    for seed, world in worlds(WORLDS // 3):
        assert max(world.saves) <= 2 + ATTEMPTS - 1, seed


def test_nobody_waits_for_a_dead_owner_longer_than_its_claim() -> None:
    """A claim that is found to hold ends within its length."""
    for seed, world in worlds(WORLDS // 3):
        longest = world.policies["s0"].budget_most + CLAIM_MARGIN_MS

        late = [now - until for now, until in world.held if until]
        assert max(late, default=0) <= 3_000 + SLOW_MS, seed
        assert all(until <= now + longest + 1_000 for now, until in world.held), seed


def test_no_scan_starves() -> None:
    """Once nothing goes wrong any more, each gets requests within a few ticks."""
    for seed, world in worlds(WORLDS // 3):
        world.calm, world.sent = True, {}
        begin = world.now + CLAIM_MOST_MS + MINUTE
        for tick in range(3 * len(world.policies)):
            world.at(begin + tick * 2 * TICK, partial(Process, world, f"calm-{tick}"))

        world.run()

        assert set(world.sent) == set(world.policies), seed
