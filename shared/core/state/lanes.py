"""Which due slice the next request serves: ledger + now + policy → a slice.

Requests are dealt out by their number, whatever the number of slices in work: every fifth is the
*oldest's*, every tenth is for *fresh* time, the others are *free*. A lane with nothing to do gives
its request on. When the first pass needs more than the runs can send, free requests are for fresh
time, too: otherwise all of them would go to time that passes the API's reach while it is paged.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from shared.core.clocks import later, waits
from shared.core.intervals import Interval, Intervals, intersect
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS, PART_PAGES, Ledger, Policy, Slice
from shared.core.slices.opening import open_slice
from shared.core.state.capacity import capacity, first_per_day
from shared.core.state.planning import (
    REACH_WARNING_MS,
    cells,
    due,
    last_hour,
    reached_from,
    uncovered,
)
from shared.core.state.rooms import may_open
from shared.core.state.sweeps import next_sweep

Lane = Literal["oldest", "fresh", "free"]

OLDEST_EVERY = 5
"""Every fifth request serves the oldest time, so that what is new never starves it."""

FRESH_EVERY = 10
"""Every tenth request serves fresh time, so that a backlog never starves it."""

OLDEST_SHARE = 0.2
FREE_SHARE = 0.7

YOUNG_MS = 2 * HOUR_MS
"""A slice stays the fresh lane's for so long after its time stopped being fresh."""

FOLLOWED_MS = HOUR_MS // 2
"""An overloaded scan continues from its newest coverage if that is no further behind."""

NEAR_SHARE = 10
"""Time within a tenth of the reach of its end (three days at most) is served before fresh time."""

MADE_UP_SHARE = 1.35
"""An outage is made up while the need is at most this share of the capacity.

Up to 1.25 it is worth it. What is measured may be some per cent more, and just above that share
little is lost by trying.
"""

OUTAGE_MS = 6 * HOUR_MS
"""A stretch without coverage that is so long was left by an outage or a first run."""


Reason = Literal["fresh lane", "oldest lane", "near the reach", "fresh", "older", "later look"]
"""Why a slice is served next: the lane whose request it is, or what made it the most urgent.

- `fresh lane`, `oldest lane`: the request is that lane's.
- `near the reach`: a free request, for time that the API will soon stop showing.
- `fresh`: a free request, for fresh time, the newest first.
- `older`: a free request, for older time, the oldest first.
- `later look`: nothing of the first pass is due, so a rescan or a sweep is served.
"""

_RANKED: tuple[Reason, ...] = ("near the reach", "fresh", "older")


@dataclass(frozen=True, slots=True)
class Choice:
    """The slice to serve next, an open one or a new one, and why it is this one."""

    slice: Slice
    reason: Reason


def choose(
    ledger: Ledger, now: int, policy: Policy, *, busy: frozenset[Interval] = frozenset()
) -> Slice | None:
    """Return the slice to serve next, an open one or a new one; None when nothing is due."""
    chosen = choice(ledger, now, policy, busy=busy)
    return chosen.slice if chosen else None


def choice(
    ledger: Ledger, now: int, policy: Policy, *, busy: frozenset[Interval] = frozenset()
) -> Choice | None:
    """Return the slice to serve next, and why it is this one; None when nothing is due.

    Sweeps come last, and one at a time.

    Args:
        ledger: the state.
        now: epoch milliseconds.
        policy: how the scan is to be done.
        busy: bounds of slices that are being served.
    """
    view = _View(ledger=ledger, now=now, policy=policy, busy=busy)
    lane = lane_of(ledger.pacing.requests, overloaded=view.overloaded)
    if lane == "fresh" and (piece := view.fresh()):
        return Choice(piece, "fresh lane")
    if lane == "oldest" and (piece := view.oldest()):
        return Choice(piece, "oldest lane")
    if found := view.free():
        return found
    later_look = next_sweep(ledger, now, policy, busy=busy)
    return Choice(later_look, "later look") if later_look else None


def lane_of(ordinal: int, *, overloaded: bool) -> Lane:
    """Return whose a request is, by its number."""
    if ordinal % OLDEST_EVERY == OLDEST_EVERY - 1:
        return "oldest"
    return "fresh" if overloaded or ordinal % FRESH_EVERY == 0 else "free"


def makes_up_an_outage(ledger: Ledger, now: int, policy: Policy) -> bool:
    """Say whether an outage is to be made up before fresh time gets all free requests."""
    need, most = first_per_day(ledger.load), capacity(ledger.pacing, policy)
    if need is not None and need > most * MADE_UP_SHARE:
        return False
    edge = edge_of(ledger, now, policy)
    return any(end - max(start, edge) >= OUTAGE_MS for start, end in uncovered(ledger, now, policy))


def edge_of(ledger: Ledger, now: int, policy: Policy) -> int:
    """Return the start of the oldest time that a slice can still prove."""
    return reached_from(later(ledger.api_clock, now), policy)


def passed(
    ledger: Ledger, now: int, policy: Policy, *, busy: frozenset[Interval] = frozenset()
) -> list[Slice]:
    """Return the open slices of the first pass that no further answer can prove."""
    edge = edge_of(ledger, now, policy)
    ours = [it for it in ledger.open if it.pass_name == FIRST_PASS and it.start < edge]
    return [piece for piece in ours if (piece.start, piece.end) not in busy]


def gone(ledger: Ledger, now: int, policy: Policy) -> tuple[Interval, ...]:
    """Return the time that was never covered and that no slice can prove any more.

    It ends on the grid, so that runs which follow each other closely declare it once.
    """
    grid = policy.slice_length
    edge = edge_of(ledger, now, policy) // grid * grid
    return intersect(tuple(due(ledger, now, policy)), (0, max(0, edge)))


def gives_way(ledger: Ledger, now: int, policy: Policy) -> Slice | None:
    """Return the slice that is given back because every one has faults and none more has room.

    Otherwise a long stretch of time for which the API never answers would keep all other time from
    being asked for. The time of the slice is due again: of whole cells the least is lost, and they
    leave room to isolate what is poisoned in the others.
    """
    unblocked = [it for it in ledger.open if not it.blocked]
    if may_open(ledger) or any(it.fault is None for it in unblocked):
        return None
    begin = edge_of(ledger, now, policy) + guard(ledger, policy, OLDEST_SHARE)
    able = [
        piece
        for piece in unblocked
        if piece.pass_name == FIRST_PASS
        and piece.start >= begin
        and not (piece.earlier or piece.unplaced)
        and (piece.start, piece.end) != ledger.api_facts.trial
    ]
    return max(able, key=lambda it: (it.end - it.start, -it.faults, it.start), default=None)


def guard(ledger: Ledger, policy: Policy, share: float) -> int:
    """Return how long a lane takes, in ms, to fetch one part with its share of the requests.

    Never more than a tenth of the reach: a scan that sends next to nothing still begins something.
    """
    takes = PART_PAGES * DAY_MS / max(1, capacity(ledger.pacing, policy) * share)
    return min(int(takes), policy.reach // NEAR_SHARE)


@dataclass(frozen=True, kw_only=True)
class _View:
    """What a choice is made from."""

    ledger: Ledger
    now: int
    policy: Policy
    busy: frozenset[Interval]

    @cached_property
    def overloaded(self) -> bool:
        return self.ledger.overloaded and not makes_up_an_outage(self.ledger, self.now, self.policy)

    @cached_property
    def edge(self) -> int:
        return edge_of(self.ledger, self.now, self.policy)

    @cached_property
    def begun(self) -> list[Slice]:
        return [
            piece
            for piece in self.ledger.open
            if piece.pass_name == FIRST_PASS
            and not waits(piece.not_before, self.now)
            and (piece.start, piece.end) not in self.busy
        ]

    @cached_property
    def gaps(self) -> Intervals:
        return tuple(due(self.ledger, self.now, self.policy)) if may_open(self.ledger) else ()

    def fresh(self) -> Slice | None:
        """Return the newest young slice: a begun one before a new one."""
        begun = [piece for piece in self.begun if self._is_young(piece)]
        if begun:
            return max(begun, key=lambda piece: piece.start)
        new = self._following_cell() or self._newest_cell()
        return new if new and self._is_young(new) else None

    def oldest(self) -> Slice | None:
        """Return the oldest slice: a begun one before a new one, unless it is young."""
        begun = [piece for piece in self.begun if not self._is_young(piece)]
        return min(begun, key=lambda it: it.start) if begun else self._oldest_cell(OLDEST_SHARE)

    def free(self) -> Choice | None:
        """Return the most urgent slice; of equally urgent ones, a begun one before a new one."""
        share = OLDEST_SHARE if self.overloaded else FREE_SHARE
        new = [it for it in (self._oldest_cell(share), self._newest_cell()) if it]
        ranked = [(self._urgency(piece, begun=True), piece) for piece in self.begun]
        ranked += [(self._urgency(piece, begun=False), piece) for piece in new]
        if not ranked:
            return None
        urgency, piece = min(ranked, key=lambda it: it[0])
        return Choice(piece, _RANKED[urgency[0]])

    def _urgency(self, piece: Slice, *, begun: bool) -> tuple[int, bool, int]:
        """Order: near the reach, fresh time newest first, older time oldest first."""
        near = min(REACH_WARNING_MS, self.policy.reach // NEAR_SHARE)
        if piece.start < self.edge + near:
            return (0, not begun, piece.start)
        if piece.end > self.now - self.policy.fresh:
            return (1, not begun, -piece.start)
        return (2, not begun, piece.start)

    def _is_young(self, piece: Slice) -> bool:
        return piece.end > self.now - max(self.policy.fresh, self.policy.settle) - YOUNG_MS

    def _newest_cell(self) -> Slice | None:
        for gap in self._within_reach(OLDEST_SHARE)[-1:]:
            *_, newest = cells(last_hour(gap), self.now, self.policy)
            return open_slice(newest, pass_name=FIRST_PASS, policy=self.policy)
        return None

    def _following_cell(self) -> Slice | None:
        """Return the cell after the newest begun or covered time, while it is recent.

        In an overload some time is left out; this leaves it out in long stretches, so that the
        ledger and the manifests have few holes to list.
        """
        recent = self.now - self.policy.settle - FOLLOWED_MS
        if not self.overloaded or not self.gaps or self.gaps[-1][0] < recent:
            return None
        following = next(cells(self.gaps[-1], self.now, self.policy))
        return open_slice(following, pass_name=FIRST_PASS, policy=self.policy)

    def _oldest_cell(self, share: float) -> Slice | None:
        for gap in self._within_reach(share)[:1]:
            oldest = next(cells(gap, self.now, self.policy))
            return open_slice(oldest, pass_name=FIRST_PASS, policy=self.policy)
        return None

    def _within_reach(self, share: float) -> Intervals:
        """Return what is due and leaves the time to fetch one part of it."""
        grid = self.policy.slice_length
        begin = -(-(self.edge + guard(self.ledger, self.policy, share)) // grid) * grid
        return intersect(self.gaps, (begin, self.now))
