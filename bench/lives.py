"""Runs of a scan on the real planner, pacing and ledger, without requests and without storage.

`Whole` asks the product everything. `Remembered` is the short-cut: scans of calm tenants are in the
same few situations again and again, at another hour. The product's answer for a situation is
computed once, for a ledger that is moved to a fixed hour, and used again wherever everything on
which it depends is equal. Pacing is computed for every request that it could delay.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from bench.traffic import BEGIN, PAGE, Traffic, pages
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    HOUR_MS,
    MINUTE_MS,
    PART_PAGES,
    SECOND_MS,
    Head,
    Ledger,
    Pacing,
    Policy,
    Slice,
    StoredPart,
)
from shared.core.slices.retreat import close
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import committing, pacing
from shared.core.state import ledger as ledgers
from shared.core.state.capacity import capacity
from shared.core.state.lanes import choose, edge_of, gone, passed
from shared.core.state.next_move import (
    Moment,
    Move,
    Start,
    Stop,
    Wait,
    in_time,
    next_move,
)
from shared.core.state.planning import due
from shared.core.state.sweeps import SWEEP_BYTES, credited, cut_for_reading, unswept

if TYPE_CHECKING:
    from shared.core.intervals import Interval
    from shared.core.state.report import Outcome
    from shared.sharing import SharedBudget

BEFORE_MS = 1_000
"""From the start of a run to its first decision; it has claimed the ledger by then."""

AFTER_MS = 1_000
"""From its last decision to its end: release, history, report and status."""

WORK_MS = 1_000
"""What a full page takes after its answer: reading, packing, staging and saving."""

RECORD_BYTES = 1_150
"""A stored activity (docs/deployment.md)."""

NEVER = 2**62
NOT_BUSY: frozenset[Interval] = frozenset()

change = msgspec.structs.replace


@dataclass(slots=True)
class Tally:
    """What the runs of a scan did.

    Attributes:
        runs: runs that held the claim.
        busy: runs that found another one's claim.
        with_requests: runs that sent a request.
        lost: runs that ended with their instance.
        requests: requests to the API.
        pages: pages of the first pass.
        parts: commits of the first pass.
        sweeps: commits of sweeps.
        records: activities of what the first pass has covered.
        starved: the longest time that due work waited for a request, in ms.
        delays: committed slices of the first pass, by their length and by how long after their end
            they were committed, both in seconds.
    """

    runs: int = 0
    busy: int = 0
    with_requests: int = 0
    lost: int = 0
    requests: int = 0
    pages: int = 0
    parts: int = 0
    sweeps: int = 0
    records: int = 0
    starved: int = 0
    delays: Counter[tuple[int, int]] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Flight:
    """A request that has not been answered.

    Attributes:
        lands: when its answer is stored, epoch ms.
        sent: when it was sent.
        slice: what it asks for, as its scan names it.
    """

    lands: int
    sent: int
    slice: Slice


class Scan:
    """A scan of a tenant.

    Attributes:
        policy: how the scan is done.
        traffic: its activities.
        latency: how long the API takes for an answer, in ms.
        tally: what its runs did.
        counts_from: delays and waits of due work are counted from then on, epoch ms.
        outcome: why the last run ended.
        free_at: when the claim of the last run ends: at its release, or when it expires.
        log: every request (when, start, end, pass), if a test wants it.
        unsaved_at: the end of the time of the last run, if that died.
    """

    def __init__(
        self, policy: Policy, traffic: Traffic, latency: int, *, counts_from: int = 0
    ) -> None:
        """Begin with a scan that has covered everything for as long as the API reaches."""
        self.policy, self.traffic, self.latency = policy, traffic, latency
        self.counts_from = counts_from
        self.tally = Tally()
        self.free_at = 0
        self.outcome: Outcome = "idle"
        self.log: list[tuple[int, int, int, str]] | None = None
        self.unsaved_at: int | None = None
        self._due_since = BEGIN

    def run(
        self,
        start: int,
        budget: SharedBudget | None = None,
        *,
        time: int | None = None,
        dies: int = NEVER,
    ) -> int:
        """Do one run; return when it ends.

        Args:
            start: epoch ms.
            budget: what the scans of the API host share, if it has several.
            time: the time budget, if it is not the policy's.
            dies: when the instance is lost.
        """
        if time is not None:
            self.policy = replace(self.policy, budget=time)
        if start < self.free_at:
            self.tally.busy += 1
            return start + BEFORE_MS
        now, sent = start + BEFORE_MS, self.tally.requests
        self.claim(now)
        self.tally.runs += 1
        end = self._work(start, now, budget, dies)
        self.tally.with_requests += self.tally.requests > sent
        if end is None:
            self.tally.lost += 1
            self.unsaved_at = now + self.policy.budget
            self.free_at = self.unsaved_at + ledgers.CLAIM_MARGIN_MS
            return dies
        self.free_at = end + AFTER_MS
        self.release()
        return self.free_at

    def _work(self, start: int, now: int, budget: SharedBudget | None, dies: int) -> int | None:
        """Send requests until the next move is to stop; return when, or None if it dies first."""
        flights: list[Flight] = []
        stops, is_first = False, True
        while True:
            move: Move = Stop("idle")
            if not stops:
                shared = budget.pause(now) if budget else 0
                move = self.next(now, now - start, flights, is_first=is_first, shared=shared)
            if isinstance(move, Start):
                flights.append(self._sent(move.slice, now, budget))
                is_first = False
                continue
            if isinstance(move, Stop) and not stops:
                stops, self.outcome = True, move.outcome
            if stops and not flights:
                self._note_idle(now)
                return now
            until = min((it.lands for it in flights), default=NEVER)
            if isinstance(move, Wait) and move.milliseconds is not None:
                until = min(until, now + move.milliseconds)
            if until >= dies:
                self.forget(flights)
                return None
            now = until
            for flight in [it for it in flights if it.lands <= now]:
                flights.remove(flight)
                if budget:
                    budget.give_back(now)
                self.land(flight, now)

    def _sent(self, piece: Slice, now: int, budget: SharedBudget | None) -> Flight:
        piece, records, bounds = self.send(piece, now)
        if budget:
            budget.take(now)
        tally = self.tally
        tally.requests += 1
        waited = now - self._due_since
        if waited > tally.starved and now >= self.counts_from:
            tally.starved = waited
        self._due_since = now
        if self.log is not None:
            self.log.append((now, *bounds, piece.pass_name))
        return Flight(now + self.latency + WORK_MS * records // PAGE, now, piece)

    def _note_idle(self, now: int) -> None:
        """Note that nothing is due until the next slice settles, if the run ended for that."""
        if self.outcome == "idle":
            grid = self.policy.slice_length
            self._due_since = now // grid * grid + grid

    def _committed(self, bounds: Interval, pass_name: str, now: int) -> None:
        """Count a commit."""
        tally = self.tally
        if pass_name != FIRST_PASS:
            tally.sweeps += 1
            return
        start, end = bounds
        tally.parts += 1
        tally.records += self.traffic.between(start, end)
        if end >= self.counts_from:
            tally.delays[(end - start) // SECOND_MS, (now - end) // SECOND_MS] += 1

    def claim(self, now: int) -> None:
        """Claim the ledger, and bring it up to date."""
        raise NotImplementedError

    def next(
        self, now: int, spent: int, flights: list[Flight], *, is_first: bool, shared: int
    ) -> Move:
        """Return the next move; the arguments are those of `Moment`."""
        raise NotImplementedError

    def send(self, piece: Slice, now: int) -> tuple[Slice, int, Interval]:
        """Note a request; return its slice, the activities on its page, and its bounds."""
        raise NotImplementedError

    def land(self, flight: Flight, now: int) -> None:
        """Take in a page, and commit what is finished."""
        raise NotImplementedError

    def forget(self, flights: list[Flight]) -> None:
        """Go back to what the ledger in storage says: these requests were never answered."""
        raise NotImplementedError

    def release(self) -> None:
        """Release the claim."""
        raise NotImplementedError

    def fitted(self, piece: Slice) -> Slice:
        """Return a new sweep's slice, cut to what fits the memory."""
        if self.traffic.between(piece.start, piece.end) * RECORD_BYTES <= SWEEP_BYTES:
            return piece
        grid = self.policy.slice_length
        parts = [
            StoredPart(
                name="",
                size=self.traffic.between(at, at + grid) * RECORD_BYTES,
                start=at,
                end=at + grid,
            )
            for at in range(piece.start // grid * grid, piece.end, grid)
        ]
        return cut_for_reading(piece, parts)


def page(records: int, number: int) -> int:
    """Return how many activities a page of a slice holds; its number begins at 1."""
    return max(0, min(PAGE, records - PAGE * (number - 1)))


def cursor_after(number: int, bounds: Interval, records: int) -> int:
    """Return where a slice with so many activities stands after so many pages."""
    start, end = bounds
    count = pages(records)
    return end if number >= count else start + (end - start) * number // count


def covered_so_far(policy: Policy) -> Ledger:
    """Return the ledger at `BEGIN` of a scan whose first pass and sweeps have left nothing out."""
    begun = ledgers.begin(policy, BEGIN - policy.reach)
    grid = policy.slice_length
    until = {FIRST_PASS: (BEGIN - policy.settle) // grid * grid}
    until |= {name: (BEGIN - age) // HOUR_MS * HOUR_MS for name, age in policy.sweeps}
    covered = {name: ((begun.origin, end),) for name, end in until.items()}
    return change(begun, coverage=covered, last_sweep=policy.sweeps[-1][1])


class Whole(Scan):
    """A scan that asks the product everything."""

    def __init__(
        self, policy: Policy, traffic: Traffic, latency: int, *, counts_from: int = 0
    ) -> None:
        """Begin with everything covered."""
        super().__init__(policy, traffic, latency, counts_from=counts_from)
        self.ledger = covered_so_far(policy)
        self._has_declared = False

    def claim(self, now: int) -> None:
        """Claim the ledger, and bring it up to date."""
        self.ledger = ledgers.claim(self.ledger, run="r", now=now, policy=self.policy)
        self._has_declared = False
        for bounds in list(unswept(self.ledger, now, self.policy)):
            self._commit(committing.given_up(self.ledger, bounds, self.policy, made=now))

    def next(
        self, now: int, spent: int, flights: list[Flight], *, is_first: bool, shared: int
    ) -> Move:
        """Return the next move."""
        busy = frozenset((it.slice.start, it.slice.end) for it in flights)
        for piece in passed(self.ledger, now, self.policy, busy=busy):
            closed = close(piece).built([])
            self._commit(committing.after_transition(self.ledger, piece, closed, self.policy))
        moment = Moment(now=now, spent=spent, busy=busy, is_first=is_first, shared_pause=shared)
        return next_move(self.ledger, self.policy, moment)

    def send(self, piece: Slice, now: int) -> tuple[Slice, int, Interval]:
        """Note a request."""
        if not piece.requests and piece.pass_name != FIRST_PASS:
            piece = self.fitted(piece)
        first = now if piece.first_request is None else piece.first_request
        asked = change(piece, requests=piece.requests + 1, first_request=first)
        paced = pacing.note_request(self.ledger.pacing, now)
        self.ledger = change(ledgers.replaced(self.ledger, asked, (asked,)), pacing=paced)
        bounds = (asked.start, asked.end)
        return asked, page(self.traffic.between(*bounds), asked.requests), bounds

    def land(self, flight: Flight, now: int) -> None:
        """Take in a page, and commit what is finished."""
        piece = change(flight.slice, last_answer=now)
        paced = pacing.note_step(self.ledger.pacing, now - flight.sent)
        self.ledger = change(self.ledger, pacing=paced)
        is_first = piece.pass_name == FIRST_PASS
        self.tally.pages += is_first
        bounds = (piece.start, piece.end)
        cursor = cursor_after(piece.requests, bounds, self.traffic.between(*bounds))
        moved = change(piece, cursor=cursor)
        if cursor < piece.end and not (is_first and piece.requests >= PART_PAGES):
            self.ledger = ledgers.replaced(self.ledger, piece, (moved,))
        else:
            rest = (piece.same_again((cursor, piece.end)),) if cursor < piece.end else ()
            done = Finished(slice=moved, start=piece.start, end=cursor)
            transition = Transition(finished=done, opened=rest)
            self._commit(
                committing.after_transition(self.ledger, piece, transition, self.policy, now=now)
            )
            self._committed((piece.start, cursor), piece.pass_name, now)
        self._declare_lost(now)

    def _declare_lost(self, now: int) -> None:
        if not self._has_declared:
            self._has_declared = True
            for bounds in gone(self.ledger, now, self.policy):
                self._commit(committing.declared_lost(self.ledger, bounds, self.policy, made=now))

    def forget(self, flights: list[Flight]) -> None:
        """The ledger was saved after the last answer: it knows of the requests before that.

        A request is noted in memory first. The next save, after any answer, includes it, which
        only makes the scan more careful; so it stays.
        """
        for flight in flights:
            asked = flight.slice
            before = change(asked, requests=asked.requests - 1)
            left = (before,) if before.requests else ()
            self.ledger = ledgers.replaced(self.ledger, asked, left)

    def release(self) -> None:
        """Release the claim."""
        self.ledger = ledgers.release(self.ledger)

    def _commit(self, ledger: Ledger) -> None:
        """Save a ledger, and finish its commit at once."""
        self.ledger = committing.committed(ledger) if ledger.committing else ledger


HOME = BEGIN
"""The hour to which the ledgers of remembered situations are moved."""

RARELY_MS = 10 * MINUTE_MS
"""No scan's runs are further apart, apart from outages."""

LANES = 10
"""The lane of a request repeats after so many."""


class NotCalmError(Exception):
    """A remembered scan met what is not proven equal: simulate it as a whole."""


class Memory:
    """The product's answers, by everything on which they depend.

    A ledger is moved by whole hours to `HOME`, and what planning does not read is taken out of it.
    All its rules compare times with multiples of the slice length, so an answer holds for the whole
    *cell*, the stretch of that length. What would read more is refused (`NotCalmError`): time near
    the end of the reach, and a scan that is overloaded.

    Attributes:
        policy: settings that the scans have in common.
        computed: how many answers the product has computed.
    """

    def __init__(self, policy: Policy) -> None:
        """Begin with nothing known."""
        self.policy = policy
        self.computed = 0
        self._ledgers: dict[bytes, Ledger] = {}
        self._claims: dict[tuple[int, int], Ledger] = {}
        self._choices: dict[tuple[int, int, int, frozenset[Interval]], Slice | None] = {}
        self._opened: dict[tuple[int, int, int, str], Ledger] = {}
        self._done: dict[tuple[int, int, int, int, tuple[str, ...]], Ledger] = {}
        self._moved: dict[tuple[int, int], Ledger] = {}

    def begin(self) -> Ledger:
        """Return the ledger of a scan at `BEGIN` that has left nothing out."""
        return self._known(covered_so_far(self.policy))

    def moved(self, ledger: Ledger, hours: int) -> Ledger:
        """Return a ledger as it is seen so many hours later."""
        key = (id(ledger), hours)
        if (found := self._moved.get(key)) is None:
            found = self._moved[key] = self._known(_earlier(ledger, hours * HOUR_MS))
        return found

    def claimed(self, ledger: Ledger, cell: int) -> Ledger:
        """Return a ledger as it is claimed in a cell, counted from `HOME`."""
        key = (id(ledger), cell)
        if (found := self._claims.get(key)) is None:
            now = self._time(cell)
            self._require_calm(ledger, now)
            claimed = ledgers.claim(ledger, run="r", now=now, policy=self.policy)
            found = self._claims[key] = self._known(claimed)
        return found

    def chosen(
        self, ledger: Ledger, cell: int, ordinal: int, busy: frozenset[Interval]
    ) -> Slice | None:
        """Return the slice to serve next."""
        key = (id(ledger), cell, ordinal % LANES, busy)
        try:
            return self._choices[key]
        except KeyError:
            now = self._time(cell)
            self._require_calm(ledger, now)
            asked = change(ledger, pacing=Pacing(requests=ordinal % LANES))
            found = self._choices[key] = choose(asked, now, self.policy, busy=busy)
            self.computed += 1
            return found

    def opened(self, ledger: Ledger, piece: Slice) -> Ledger:
        """Return a ledger with a slice open."""
        key = (id(ledger), piece.start, piece.end, piece.pass_name)
        if (found := self._opened.get(key)) is None:
            found = self._opened[key] = self._known(ledgers.opened(ledger, piece))
        return found

    def without(self, ledger: Ledger, piece: Slice) -> Ledger:
        """Return a ledger in which a slice is not open."""
        return self._known(ledgers.replaced(ledger, piece, ()))

    def done(self, ledger: Ledger, piece: Slice, cursor: int, asked: tuple[int, int]) -> Ledger:
        """Return a ledger once a slice is committed up to its cursor.

        Args:
            ledger: with the slice open.
            piece: the slice.
            cursor: where it stands.
            asked: when its first request was sent, and when its last was answered.
        """
        covers = credited(
            piece.pass_name,
            end=cursor,
            first_request=asked[0],
            doubtful=False,
            policy=self.policy,
        )
        key = (id(ledger), piece.start, piece.end, cursor, covers)
        if (found := self._done.get(key)) is None:
            found = self._done[key] = self._known(self._committed(ledger, piece, cursor, asked))
        return found

    def _committed(
        self, ledger: Ledger, piece: Slice, cursor: int, asked: tuple[int, int]
    ) -> Ledger:
        first, last = asked
        moved = change(piece, cursor=cursor, requests=1, first_request=first, last_answer=last)
        rest = (piece.same_again((cursor, piece.end)),) if cursor < piece.end else ()
        done = Finished(slice=moved, start=piece.start, end=cursor)
        transition = Transition(finished=done, opened=rest)
        begun = committing.after_transition(ledger, piece, transition, self.policy, now=last)
        return committing.committed(begun)

    def _time(self, cell: int) -> int:
        return HOME + cell * self.policy.slice_length

    def _require_calm(self, ledger: Ledger, now: int) -> None:
        """Check that neither the reach nor a measured need has a part in what follows."""
        policy = self.policy
        begin = edge_of(ledger, now, policy) + policy.reach // 10 + HOUR_MS
        starts = [start for start, _ in due(ledger, now, policy)]
        starts += [it.start for it in ledger.open if it.pass_name == FIRST_PASS]
        if ledger.overloaded or min(starts, default=now) < begin:
            message = "a remembered scan is overloaded, or has work near the end of the reach"
            raise NotCalmError(message)

    def _known(self, ledger: Ledger) -> Ledger:
        """Return the one ledger that is equal in everything that planning reads."""
        self.computed += 1
        bare = change(
            ledger,
            origin=ledger.settled_until,
            made=HOME,
            epoch=1,
            claimed_until=0,
            head=Head(),
            load={},
            parts_by_hour={},
            pacing=Pacing(),
        )
        return self._ledgers.setdefault(ledgers.encode(bare), bare)


def _earlier(ledger: Ledger, by: int) -> Ledger:
    """Return a ledger with all its times moved."""
    return change(
        ledger,
        settled_until=ledger.settled_until - by,
        coverage={
            name: tuple((start - by, end - by) for start, end in covered)
            for name, covered in ledger.coverage.items()
        },
        open=tuple(
            change(it, start=it.start - by, end=it.end - by, cursor=it.cursor - by)
            for it in ledger.open
        ),
    )


def is_calm(policy: Policy, traffic: Traffic, latency: int) -> bool:
    """Say whether a scan can never be overloaded, so that no decision depends on a measured need.

    Its busiest hour must need less than it can send even if its runs are twice as far apart as the
    ticks of the default schedule.
    """
    starts = tuple(range(0, 12 * RARELY_MS, RARELY_MS))
    used = Pacing(starts=starts, durations=(latency + WORK_MS,))
    slices = HOUR_MS // policy.slice_length
    needed = slices * pages(-(-traffic.busiest // slices))
    return needed * DAY_MS // HOUR_MS < capacity(used, policy)


@dataclass(slots=True)
class Progress:
    """How far an open slice is.

    Attributes:
        first: when its first request was sent, epoch ms.
        records: its activities.
        pages: pages asked for.
    """

    first: int
    records: int
    pages: int = 0


class Remembered(Scan):
    """A scan of a calm tenant, with answers from a memory."""

    def __init__(
        self,
        policy: Policy,
        traffic: Traffic,
        latency: int,
        *,
        memory: Memory,
        counts_from: int = 0,
    ) -> None:
        """Begin with everything covered."""
        super().__init__(policy, traffic, latency, counts_from=counts_from)
        self._memory, self._ledger = memory, memory.begin()
        self._base, self._shift = HOME, 0
        self._ordinal = 0
        self._recent: list[int] = []
        self._durations: deque[int] = deque(maxlen=pacing.STEPS_EXPECTED)
        self._progress: dict[Interval, Progress] = {}
        self._grid = policy.slice_length
        self._burst = pacing.burst(policy.requests_per_minute)

    def claim(self, now: int) -> None:
        """Claim the ledger. A run that died may have sent a request for each lane besides."""
        if self.unsaved_at is not None:
            self._recent += [self.unsaved_at] * self.policy.concurrency
            self.unsaved_at = None
        base = now - now % HOUR_MS
        if base != self._base:
            hours = (base - self._base) // HOUR_MS
            self._ledger = self._memory.moved(self._ledger, hours)
            self._base, self._shift = base, base - HOME
        self._ledger = self._memory.claimed(self._ledger, (now - base) // self._grid)

    def next(
        self, now: int, spent: int, flights: list[Flight], *, is_first: bool, shared: int
    ) -> Move:
        """Return the next move: the choice from memory, the time from the real pacing."""
        if len(flights) >= self.policy.concurrency:
            return Wait(None)
        busy = frozenset((it.slice.start, it.slice.end) for it in flights) if flights else NOT_BUSY
        cell = (now - self._base) // self._grid
        piece = self._memory.chosen(self._ledger, cell, self._ordinal, busy)
        if piece is None:
            return Wait(None) if flights else Stop("waiting" if self._ledger.open else "idle")
        if self._recent and self._recent[0] <= now - MINUTE_MS:
            self._recent = [at for at in self._recent if now - MINUTE_MS < at]
        # Within the first requests of a minute nothing waits, and the first of a run always fits.
        if not shared and len(self._recent) < self._burst:
            budget = self.policy.budget
            limit = budget - pacing.reserve(budget)
            if is_first or spent + max(self._durations, default=0) <= limit:
                return Start(piece, now)
        return self._in_time(piece, now, spent, is_first=is_first, shared=shared)

    def _in_time(self, piece: Slice, now: int, spent: int, *, is_first: bool, shared: int) -> Move:
        used = Pacing(sent_at=tuple(self._recent), durations=tuple(self._durations))
        moment = Moment(now=now, spent=spent, is_first=is_first, shared_pause=shared)
        return in_time(piece, change(self._ledger, pacing=used), self.policy, moment)

    def send(self, piece: Slice, now: int) -> tuple[Slice, int, Interval]:
        """Note a request."""
        shift = self._shift
        bounds = (piece.start + shift, piece.end + shift)
        progress = self._progress.get(bounds)
        if progress is None:
            if piece.pass_name != FIRST_PASS:
                cut = self.fitted(change(piece, start=bounds[0], end=bounds[1]))
                bounds = (cut.start, cut.end)
                piece = change(piece, end=cut.end - shift)
            records = self.traffic.between(*bounds)
            progress = self._progress[bounds] = Progress(now, records)
            self._ledger = self._memory.opened(self._ledger, piece)
        progress.pages += 1
        self._ordinal += 1
        self._recent.append(now)
        return piece, page(progress.records, progress.pages), bounds

    def land(self, flight: Flight, now: int) -> None:
        """Take in a page, and commit what is finished."""
        self._durations.append(now - flight.sent)
        piece, shift = flight.slice, self._shift
        bounds = (piece.start + shift, piece.end + shift)
        progress = self._progress[bounds]
        is_first = piece.pass_name == FIRST_PASS
        self.tally.pages += is_first
        cursor = cursor_after(progress.pages, bounds, progress.records)
        if cursor < bounds[1] and not (is_first and progress.pages >= PART_PAGES):
            return
        del self._progress[bounds]
        asked = (progress.first - shift, now - shift)
        self._ledger = self._memory.done(self._ledger, piece, cursor - shift, asked)
        self._committed((bounds[0], cursor), piece.pass_name, now)

    def forget(self, flights: list[Flight]) -> None:
        """Go back to what the ledger in storage says."""
        for flight in flights:
            piece = flight.slice
            bounds = (piece.start + self._shift, piece.end + self._shift)
            self._progress[bounds].pages -= 1
            if not self._progress[bounds].pages:
                del self._progress[bounds]
                self._ledger = self._memory.without(self._ledger, piece)

    def release(self) -> None:
        """Release the claim, which no remembered answer depends on."""
