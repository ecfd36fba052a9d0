"""What to scan next: ledger + now + policy → the due slice that matters most.

Due is what is wanted and neither covered, declared lost nor open. A due interval is cut on a
grid (fresh time in short slices, older time in hours) that does not depend on when the plan is
made, so that a run after a crash plans the same slices.
"""

from collections.abc import Iterator

from shared.core.intervals import Interval, Intervals, merge, subtract
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS, Ledger, Policy, Slice
from shared.core.traversal import Room, open_slice

OPEN_SLICES = 64
"""Slices that may be open and not blocked, and as many blocked ones: the ledger stays small."""

REACH_MARGIN_MS = 2 * HOUR_MS
"""A slice whose start is closer to the end of the API's reach than this proves nothing."""

REACH_WARNING_MS = 3 * DAY_MS
"""Time that the API will stop showing within this goes before everything else."""


def choose(
    ledger: Ledger, now: int, policy: Policy, *, busy: frozenset[Interval], oldest: bool
) -> Slice | None:
    """Return the slice to serve next, an open one or a new one; None when nothing is due.

    Args:
        ledger: the state.
        now: epoch milliseconds.
        policy: how the scan is to be done.
        busy: bounds of slices that are being served.
        oldest: serve the oldest slice, so that what is new never starves it.
    """
    candidates = [
        piece
        for piece in ledger.open
        if not waits(piece.not_before, now) and (piece.start, piece.end) not in busy
    ]
    if room_in(ledger).open:
        candidates += new_slices(ledger, now, policy)

    def rank(piece: Slice) -> tuple[int, ...]:
        return (piece.start,) if oldest else _urgency(piece, now, policy)

    return min(candidates, key=rank, default=None)


def waits(not_before: int, now: int) -> bool:
    """Say whether `not_before` still holds; nothing waits for more than an hour.

    One that is further ahead was written by a clock that was fast.
    """
    return now < not_before <= now + HOUR_MS


def room_in(ledger: Ledger) -> Room:
    """Return which slices the ledger has room for."""
    blocked = sum(piece.blocked for piece in ledger.open)
    return Room(open=len(ledger.open) - blocked < OPEN_SLICES, blocked=blocked < OPEN_SLICES)


def new_slices(ledger: Ledger, now: int, policy: Policy) -> Iterator[Slice]:
    """Yield the slices that could be opened next: the oldest due cell and the newest one.

    Whatever the order of service, the next new slice is always one of these two.
    """
    gaps = list(due(ledger, now, policy))
    if not gaps:
        return
    oldest = next(_cells(gaps[0], now, policy))
    yield open_slice(oldest, pass_name=FIRST_PASS, policy=policy)
    *_, newest = _cells(_last_hour(gaps[-1]), now, policy)
    if newest != oldest:
        yield open_slice(newest, pass_name=FIRST_PASS, policy=policy)


def due(ledger: Ledger, now: int, policy: Policy) -> Iterator[Interval]:
    """Yield the intervals that the first pass still wants and nobody is working on, ascending."""
    yield from subtract(wanted(ledger, now, policy), _taken(ledger))


def wanted(ledger: Ledger, now: int, policy: Policy) -> Interval:
    """Return the whole grid cells of `[origin, now - settle)`; may be empty (start = end)."""
    horizon = now - policy.settle
    length = HOUR_MS if _is_old(horizon // HOUR_MS * HOUR_MS, now, policy) else policy.slice_length
    return (ledger.origin, max(ledger.origin, horizon // length * length))


def uncovered(ledger: Ledger, now: int, policy: Policy) -> Iterator[Interval]:
    """Yield what the first pass wants and has not finished, open or not, ascending."""
    yield from subtract(wanted(ledger, now, policy), settled(ledger))


def settled(ledger: Ledger) -> Intervals:
    """Return what the first pass will not look at again: covered, or declared lost."""
    lost = [(loss.start, loss.end) for loss in ledger.lost]
    return merge([*covered(ledger, FIRST_PASS), *lost])


def covered(ledger: Ledger, pass_name: str) -> Intervals:
    """Return the coverage of a pass; empty when it has none yet."""
    return ledger.coverage.get(pass_name, ())


def out_of_reach(start: int, answered: int, policy: Policy) -> bool:
    """Say whether a slice that was last answered then could not see all of its time any more."""
    return start < answered - policy.reach + REACH_MARGIN_MS


def soon_out_of_reach(start: int, now: int, policy: Policy) -> bool:
    """Say whether time from `start` on will pass the API's reach within three days."""
    return start < now - policy.reach + REACH_MARGIN_MS + REACH_WARNING_MS


def credited(*, end: int, first_request: int, doubtful: bool, policy: Policy) -> tuple[str, ...]:
    """Return the passes that a first pass over time until `end` counts as.

    A look that began when the time was already as old as a sweep wants it is that sweep, too.
    """
    age = first_request - end
    sweeps = [name for name, wants in policy.sweeps if age >= wants and not doubtful]
    return (FIRST_PASS, *sweeps)


def _taken(ledger: Ledger) -> Intervals:
    committing = ledger.committing
    return merge(
        [
            *settled(ledger),
            *((piece.start, piece.end) for piece in ledger.open),
            *([(committing.start, committing.end)] if committing else []),
        ]
    )


def _cells(gap: Interval, now: int, policy: Policy) -> Iterator[Interval]:
    """Cut a gap on the grid; its first and last piece may be parts of a cell."""
    start, end = gap
    while start < end:
        hour = start // HOUR_MS * HOUR_MS
        length = HOUR_MS if _is_old(hour, now, policy) else policy.slice_length
        cell_end = min(end, start // length * length + length)
        yield (start, cell_end)
        start = cell_end


def _last_hour(gap: Interval) -> Interval:
    start, end = gap
    return (max(start, (end - 1) // HOUR_MS * HOUR_MS), end)


def _is_old(hour: int, now: int, policy: Policy) -> bool:
    """Say whether an hour is wholly older than fresh, and so is one cell."""
    return hour + HOUR_MS <= now - policy.fresh


def _urgency(piece: Slice, now: int, policy: Policy) -> tuple[int, ...]:
    """Order: what the API will soon not show, fresh time newest first, older time oldest first."""
    if soon_out_of_reach(piece.start, now, policy):
        return (0, piece.start)
    if piece.end > now - policy.fresh:
        return (1, -piece.start)
    return (2, piece.start)
