"""The strip of time: what each hour of the last 30 days is, by ledger and history."""

from typing import Literal

import msgspec

from shared.core.audit.history import History
from shared.core.intervals import Interval, Intervals, holds, intersect, merge
from shared.core.model import DAY_MS, HOUR_MS, Ledger, Policy
from shared.core.state.planning import accounted_for, final

DAYS_SHOWN = 30

State = Literal[
    "outside", "waiting", "in progress", "complete", "final", "blocked", "in doubt", "lost"
]
"""What an hour is; the last three go before the others."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the last 30 days.

    Attributes:
        hour: epoch ms of its start.
        state: `outside` the scan, `waiting`, `in progress`, `complete` (the first pass has read
            it), `final` (no pass will look at it again), `blocked`, `in doubt` or `lost`.
        records: number of records stored.
        late: how many of them a sweep stored.
    """

    hour: int
    state: State
    records: int
    late: int


def strip_of(ledger: Ledger, history: History, policy: Policy, now: int) -> tuple[Cell, ...]:
    """Return the hours of the last 30 days, the oldest first; the last one holds `now`."""
    last = now // HOUR_MS * HOUR_MS
    hours = Hours(ledger, history, policy, now)
    return tuple(
        Cell(
            hour=at,
            state=hours.state(at),
            records=told.records if (told := history.hours.get(at)) else 0,
            late=told.late if told else 0,
        )
        for at in range(last - DAYS_SHOWN * DAY_MS + HOUR_MS, last + HOUR_MS, HOUR_MS)
    )


class Hours:
    """What each hour is, by ledger and history."""

    def __init__(self, ledger: Ledger, history: History, policy: Policy, now: int) -> None:
        """Merge each kind of time once.

        A manifest may declare more than its hour lost or in doubt; history keeps that with the
        hour in which it begins.
        """
        self._from, self._until = ledger.origin, now - policy.settle
        self._known = accounted_for(ledger)
        self._final = final(ledger, policy)
        self._settled = ledger.settled_until
        self._open = merge((it.start, it.end) for it in ledger.open)
        self._blocked = merge((it.start, it.end) for it in ledger.open if it.blocked)
        told = history.hours.values()
        lost = [(it.start, it.end) for it in ledger.lost]
        self._lost = merge([*lost, *(piece for it in told for piece in it.lost)])
        self._doubt = merge((it.start, it.end) for it in ledger.doubt)
        self._doubt_told = merge(piece for it in told for piece in it.doubt)

    def state(self, at: int) -> State:
        """Return what the hour is that begins there."""
        hour = (at, at + HOUR_MS)
        if hour[1] <= self._from or at >= self._until:
            return "outside"
        if intersect(self._blocked, hour):
            return "blocked"
        if intersect(self._lost, hour):
            return "lost"
        return "in doubt" if self._is_in_doubt(hour) else self._progress(hour)

    def _is_in_doubt(self, hour: Interval) -> bool:
        """Say whether the ledger doubts an hour, or what it settled was in doubt by the history."""
        told = self._doubt_told if hour[1] <= self._settled else self._doubt
        return bool(intersect(told, hour))

    def _progress(self, hour: Interval) -> State:
        if hour[1] <= self._settled or _held(self._final, hour, self._settled):
            return "final"
        if _held(self._known, hour, self._settled):
            return "complete"
        begun = intersect(self._open, hour) or intersect(self._known, hour)
        return "in progress" if begun else "waiting"


def _held(stretches: Intervals, hour: Interval, settled: int) -> bool:
    return holds(stretches, (max(hour[0], settled), hour[1]))
