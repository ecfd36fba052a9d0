"""What is due: ledger + now + policy → intervals, and the cells that they are cut into.

Due is what is wanted and neither covered, declared lost nor open. A due interval is cut on a
grid (fresh time in short slices, older time in hours) that does not depend on when the plan is
made, so that a run after a crash plans the same slices.
"""

from collections.abc import Iterator

import msgspec

from shared.core.clocks import earlier
from shared.core.intervals import (
    Interval,
    Intervals,
    merge,
    subtract,
    without,
)
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    HOUR_MS,
    Ledger,
    Policy,
    Slice,
)
from shared.core.passes import is_partial, sweep_age

REACH_MARGIN_MS = 2 * HOUR_MS
"""A slice whose start is closer to the end of the API's reach than this proves nothing."""


REACH_WARNING_MS = 3 * DAY_MS
"""Time that the API will stop showing within this is served before everything else."""

change = msgspec.structs.replace


def swept(ledger: Ledger, age: int, *, partial: bool) -> Intervals:
    """Return what sweeps of at least this age have covered, whether or not they are configured.

    Args:
        ledger: the state.
        age: in milliseconds.
        partial: also what was only asked for as far as it was ingested lately.
    """
    names = [name for name in ledger.coverage if partial or not is_partial(name)]
    old = [name for name in names if (sweep_age(name) or 0) >= age]
    return merge(it for name in old for it in ledger.coverage[name])


def reached_from(now: int, policy: Policy) -> int:
    """Return the start of the oldest slice that can still prove something."""
    return now - policy.reach + REACH_MARGIN_MS


def is_sweep(piece: Slice) -> bool:
    """Say whether a slice looks at time that the first pass has covered."""
    return piece.pass_name != FIRST_PASS


def due(ledger: Ledger, now: int, policy: Policy) -> Iterator[Interval]:
    """Yield the intervals that the first pass still wants and nobody is working on, ascending."""
    yield from subtract(wanted(ledger, now, policy), _taken(ledger))


def wanted(ledger: Ledger, now: int, policy: Policy) -> Interval:
    """Return the whole grid cells that have settled; may be empty (start = end).

    They begin where the scan does, or where what can no longer change ends. Time settles by the
    earlier of run time and the API's time.
    """
    now = earlier(ledger.api_clock, now)
    begin, horizon = ledger.settled_until, now - policy.settle
    length = HOUR_MS if _is_old(horizon // HOUR_MS * HOUR_MS, now, policy) else policy.slice_length
    return (begin, max(begin, horizon // length * length))


def uncovered(ledger: Ledger, now: int, policy: Policy) -> Iterator[Interval]:
    """Yield what the first pass wants and has not finished, open or not, ascending."""
    yield from subtract(wanted(ledger, now, policy), accounted_for(ledger))


def accounted_for(ledger: Ledger) -> Intervals:
    """Return what the first pass will not look at again: covered, or declared lost."""
    return merge([*covered(ledger, FIRST_PASS), *_lost(ledger)])


def final(ledger: Ledger, policy: Policy) -> Intervals:
    """Return what no pass will look at again: the last sweep has been over it, or it is lost.

    Time that an operator ordered to scan again is not final until that is done.
    """
    return _final(ledger, last_age(policy))


def _final(ledger: Ledger, age: int) -> Intervals:
    looked = swept(ledger, age, partial=False) if age else covered(ledger, FIRST_PASS)
    waiting = merge([*_working(ledger), *to_rescan(ledger)])
    return without(merge([*looked, *_lost(ledger)]), waiting)


def to_rescan(ledger: Ledger) -> Intervals:
    """Return the time that is to be scanned again and has not been yet."""
    return merge(
        gap
        for name, bounds in ledger.rescans.items()
        for gap in without(bounds, covered(ledger, name))
    )


def last_age(policy: Policy) -> int:
    """Return the age of the last sweep, 0 without sweeps."""
    return policy.sweeps[-1][1] if policy.sweeps else 0


def settles_until(ledger: Ledger, now: int, policy: Policy) -> int:
    """Return until when nothing will be added any more, as a claim finds it; it only grows.

    That is the hour at the edge of the API's reach, or the one before it in which something
    still waits: to be scanned, to be committed, or to be given up.

    A new last sweep cannot look at what has passed the reach: what was final by the settings of
    the claim before is settled with the rest of its hour, rather than given up.
    """
    now_last = last_age(policy)
    last = now_last if ledger.last_sweep is None else min(ledger.last_sweep, now_last)
    changed = ledger.last_sweep not in {None, now_last}
    edge = (reached_from(now, policy) + changed * (HOUR_MS - 1)) // HOUR_MS * HOUR_MS
    waiting = subtract((ledger.settled_until, edge), _final(ledger, last))
    until = next((start for start, _ in waiting), edge) // HOUR_MS * HOUR_MS
    return max(ledger.settled_until, until)


def covered(ledger: Ledger, pass_name: str) -> Intervals:
    """Return the coverage of a pass; empty when it has none yet."""
    return ledger.coverage.get(pass_name, ())


def out_of_reach(start: int, answered: int, policy: Policy) -> bool:
    """Say whether a slice that was last answered then could not see all of its time any more."""
    return start < answered - policy.reach + REACH_MARGIN_MS


def soon_out_of_reach_until(now: int, policy: Policy) -> int:
    """Return the end of the time that passes the API's reach within three days."""
    return reached_from(now, policy) + REACH_WARNING_MS


def _taken(ledger: Ledger) -> Intervals:
    return merge([*covered(ledger, FIRST_PASS), *_working(ledger), *_lost(ledger)])


def taken_by_work(ledger: Ledger) -> Intervals:
    """Return what is open or committing, whatever its pass, and what is declared lost."""
    return merge([*_working(ledger), *_lost(ledger)])


def _working(ledger: Ledger) -> list[Interval]:
    working = [(piece.start, piece.end) for piece in ledger.open]
    if ledger.committing and ledger.committing.bounds:
        working.append(ledger.committing.bounds)
    return working


def _lost(ledger: Ledger) -> list[Interval]:
    return [(loss.start, loss.end) for loss in ledger.lost]


def cells(gap: Interval, now: int, policy: Policy) -> Iterator[Interval]:
    """Cut a gap on the grid; its first and last piece may be parts of a cell."""
    start, end = gap
    while start < end:
        hour = start // HOUR_MS * HOUR_MS
        length = HOUR_MS if _is_old(hour, now, policy) else policy.slice_length
        cell_end = min(end, start // length * length + length)
        yield (start, cell_end)
        start = cell_end


def last_hour(gap: Interval) -> Interval:
    """Return what of a gap lies in its last hour."""
    start, end = gap
    return (max(start, (end - 1) // HOUR_MS * HOUR_MS), end)


def _is_old(hour: int, now: int, policy: Policy) -> bool:
    """Say whether an hour is wholly older than fresh, and so is one cell."""
    return hour + HOUR_MS <= now - policy.fresh
