"""Stores with real history: scans of a simulated tenant over a month of virtual time.

A healthy scan is run once; what goes wrong begins on a copy of its store.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import msgspec

from harness.at_once import workers
from shared.core.audit.status import Status
from shared.core.model import Ledger, Policy
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state.decisions import Order
from shared.core.state.report import Tally
from shared.operate.status import read_status
from shared.ports import Ports
from shared.scan.reporting import Job, run_and_report
from simulator import Switches, Tenant
from tests.fakes import DAY, HOUR, MINUTE, NOW, InMemoryDerived, Reply, page_of, policy, status
from tests.simulated import SimulatedApi
from tests.world import World

Instead = Callable[[int, dict[str, Any]], Reply | None]

BEGIN = NOW - 7 * DAY
"""The scan starts here, and reads three weeks; from then on it runs twice an hour."""

LOOKBACK = 22 * DAY

HALF = 30 * MINUTE

HOW = policy(
    lookback=LOOKBACK,
    slice_length=HOUR,
    sweeps=(("sweep-72h", 3 * DAY),),
    requests_per_minute=25,
)


FINE = replace(HOW, slice_length=5 * MINUTE, fresh=HOUR)
"""The same in slices of five minutes, as by default."""


def rhythm(at: int) -> int:
    """Return the number of activities in an hour: offices that are quiet at night and weekends."""
    hour, day = at // HOUR % 24, (at // DAY + 4) % 7
    works = 7 <= hour < 18 and 0 < day < 6
    chance = random.Random(at)
    return round((34 - abs(hour - 12) * 3 if works else 4) * chance.uniform(0.7, 1.3))


@cache
def tenant() -> Tenant:
    """Return the tenant: in some hours, an activity is saved five hours late."""
    made = list[int | tuple[int, int]]()
    for hour in range(BEGIN - LOOKBACK, NOW + 8 * DAY, HOUR):
        count = rhythm(hour)
        made += [hour + (number + 1) * HOUR // (count + 1) for number in range(count)]
        if hour // HOUR % 11 == 0:
            made.append((hour + MINUTE, hour + 5 * HOUR))
    return Tenant.of(made, seed=1, record_size=400)


@dataclass(slots=True)
class Store:
    """A scan with its storage and its clock.

    Attributes:
        world: ledger, results and clock.
        derived: history and status.
        how: the scan's policy.
    """

    world: World
    derived: InMemoryDerived
    how: Policy

    def run(self, how: Policy | None = None) -> str:
        """Do one run, with everything that follows it, and return its outcome."""
        world = self.world
        world.runs += 1
        ports = Ports(
            source=world.source, ledgers=world.ledgers, results=world.results, clock=world.clock
        )
        job = Job(
            policy=how or self.how,
            ports=ports,
            derived=self.derived,
            draw=lambda _: b"",
            tally=Tally(scan=self.how.scan, run=f"run-{world.runs}"),
            prepare=lambda: None,
            workers=workers,
        )
        world.ledgers.history.clear()
        result = run_and_report(job)
        self.derived.lines = world.ledgers.runs
        return result.outcome

    def runs(self, count: int, every: int = HOUR, how: Policy | None = None) -> None:
        """Do runs at equal intervals."""
        for _ in range(count):
            self.world.clock.advance(every)
            self.run(how)

    def answers(self, instead: Instead) -> None:
        """Let the API answer otherwise from now on."""
        api = self.world.source
        assert isinstance(api, SimulatedApi)
        api.instead = instead

    def slow(self, latency: int) -> None:
        """Let every answer take so many milliseconds from now on."""
        api = self.world.source
        assert isinstance(api, SimulatedApi)
        api.latency = latency

    def pulls(self, lever: Callable[[Ledger, Order], Ledger]) -> None:
        """Pull a lever, as the command does."""
        stored = self.world.ledgers.load()
        order = Order(at=self.world.clock.now(), by="kim", reason="The tenant is being moved.")
        after = levers.taken(lever(ledgers.decode(stored.content or b""), order))
        self.world.ledgers.save(ledgers.encode(after), etag=stored.etag)

    def status(self, scan: str = "") -> Status:
        """Return how the scan is, under another name if one is given."""
        world, now = self.world, self.world.clock.now()
        found = read_status(world.ledgers, self.derived, self.how, now=now)
        return msgspec.structs.replace(found, scan=scan) if scan else found


def store_of(activities: Tenant, now: int, how: Policy) -> Store:
    """Return an empty store whose API shows a tenant."""
    world = World([], now=now)
    world.source = SimulatedApi(activities, world.clock, Switches())
    return Store(world, InMemoryDerived(), how)


@cache
def month() -> Store:
    """Run the healthy scan for a week, after it has read three weeks; it is not to be changed."""
    made = store_of(tenant(), BEGIN, HOW)
    while made.run() != "idle":
        made.world.clock.advance(MINUTE)
    while made.world.clock.now() < NOW:
        made.slow(300 + made.world.runs * 397 % 900)
        made.world.clock.wall = (made.world.clock.now() // HALF + 1) * HALF
        made.run()
    return made


def copied(how: Policy = HOW) -> Store:
    """Return a copy of the healthy scan, for something to go wrong."""
    whole = month()
    made = store_of(tenant(), whole.world.clock.now(), how)
    made.world.runs = whole.world.runs
    made.world.ledgers.content = whole.world.ledgers.content
    made.world.ledgers.version = whole.world.ledgers.version
    made.world.ledgers.runs = list(whole.world.ledgers.runs)
    for name in ("parts", "lists", "metadata", "manifests"):
        setattr(made.world.results, name, dict(getattr(whole.world.results, name)))
    made.derived.blobs = dict(whole.derived.blobs)
    made.derived.lines = made.world.ledgers.runs
    return made


def failing(_number: int, _asked: dict[str, Any]) -> Reply:
    """Answer as a service that is down."""
    return status(503)


def bounds_of(asked: dict[str, Any]) -> tuple[int, int]:
    """Return the first and the last millisecond that a query asks for."""
    date = asked["filters"]["date"]
    return date["gte"], date["lte"]


def healthy() -> Store:
    """Nothing has gone wrong."""
    return copied()


def backlog() -> Store:
    """The API was down for most of a day, and answers again, but slowly."""
    made = copied()
    made.answers(failing)
    made.runs(18)
    made.answers(lambda _number, _asked: None)
    made.slow(60_000)
    made.runs(3, 5 * MINUTE)
    return made


def outage() -> Store:
    """The API has not answered for an hour and a half."""
    made = copied(FINE)
    made.answers(failing)
    made.runs(18, 5 * MINUTE)
    return made


def poison() -> Store:
    """One second cannot be read, whoever asks."""
    made = copied(FINE)
    second = made.world.clock.now() // HOUR * HOUR + 10 * MINUTE

    def poisoned(_number: int, asked: dict[str, Any]) -> Reply | None:
        first, last = bounds_of(asked)
        hostile = "<script>document.title = 'poisoned'</script>"
        return status(500, hostile) if first < second + 1_000 and second <= last else None

    made.answers(poisoned)
    made.runs(110, 5 * MINUTE)
    return made


def doubt_and_loss() -> Store:
    """The API contradicted itself about an hour, and the scan stood still for days."""
    made = copied(replace(HOW, reach=5 * DAY))
    hour = made.world.clock.now() // HOUR * HOUR

    def contradicting(_number: int, asked: dict[str, Any]) -> Reply | None:
        first, last = bounds_of(asked)
        told = {"data": [], "hasNext": False, "total": 7}
        return page_of(told) if first < hour + HOUR and hour <= last else None

    made.answers(contradicting)
    made.runs(3)
    made.world.clock.advance(6 * DAY)
    made.runs(6, HALF)
    return made


def paused() -> Store:
    """An operator has paused it for a day."""
    made = copied()
    until = made.world.clock.now() // HOUR * HOUR + DAY
    made.pulls(lambda ledger, order: levers.paused(ledger, order, until=until))
    made.runs(3, 5 * MINUTE)
    return made


def brand_new() -> Store:
    """Its first run ended in the middle of the weeks before."""
    made = store_of(tenant(), NOW, replace(HOW, budget=30_000))
    made.slow(2_000)
    made.run()
    return made


def never_run() -> Store:
    """Only its settings exist."""
    return store_of(tenant(), NOW, HOW)


def empty_tenant() -> Store:
    """Nothing ever happened in the tenant."""
    made = store_of(Tenant(), NOW, replace(HOW, lookback=2 * DAY))
    made.run()
    made.runs(6)
    return made
