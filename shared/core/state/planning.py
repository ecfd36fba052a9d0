"""What is due: ledger + now + policy → intervals, and the cells that they are cut into.

Due is what is wanted and neither covered, declared lost nor open. A due interval is cut on a
grid (fresh time in short slices, older time in hours) that does not depend on when the plan is
made, so that a run after a crash plans the same slices.
"""

from collections.abc import Iterable, Iterator

import msgspec

from shared.core.clocks import earlier, later, waits
from shared.core.intervals import (
    Interval,
    Intervals,
    holds,
    intersect,
    merge,
    subtract,
    without,
)
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    HOUR_MS,
    MINUTE_MS,
    Ledger,
    Policy,
    Slice,
    StoredPart,
)
from shared.core.passes import PARTIAL, is_partial, sweep_age
from shared.core.slices.opening import open_slice
from shared.core.slices.retreat import POISONED, Outlook, Room, is_ripe, is_stuck

OPEN_SLICES = 64
"""Slices that may be open and not blocked, and as many of the first pass that may be blocked."""

BLOCKED_SWEEPS = 16
"""Slices of sweeps that may be blocked; while there are as many, no sweep is opened."""

REACH_MARGIN_MS = 2 * HOUR_MS
"""A slice whose start is closer to the end of the API's reach than this proves nothing."""

SWEEP_BYTES = 64 * 1024 * 1024
"""What the parts that a sweep must read for one slice may hold, compressed."""

SINCE_MARGIN_MS = 15 * MINUTE_MS
"""Clocks differ, and what is ingested shows a little later: a look overlaps the last by this."""

REACH_WARNING_MS = 3 * DAY_MS
"""Time that the API will stop showing within this goes before everything else."""

change = msgspec.structs.replace


def next_sweep(
    ledger: Ledger, now: int, policy: Policy, *, busy: frozenset[Interval]
) -> Slice | None:
    """Return the sweep's slice to serve; None when no sweep is due.

    One is in work at a time, halves of a cut one included, since the index of each takes memory and
    time to read. Blocked ones have their hourly turn before a new one is opened.
    """
    sweeps = [it for it in ledger.open if is_sweep(it)]
    if any((it.start, it.end) in busy for it in sweeps):
        return None
    in_work = next((it for it in sweeps if not it.blocked), None)
    if in_work is not None:
        return None if waits(in_work.not_before, now) else in_work
    ready = next((it for it in sweeps if not waits(it.not_before, now)), None)
    room = room_in(ledger, sweeps=True)
    if ready is not None or not (room.open and room.blocked):
        return ready
    return _new_sweep(ledger, now, policy)


def _new_sweep(ledger: Ledger, now: int, policy: Policy) -> Slice | None:
    found = next(sweeps_due(ledger, now, policy), None)
    if found is None:
        return None
    name, (start, end) = found
    hour_end = start // HOUR_MS * HOUR_MS + HOUR_MS
    bounds = _beside_poison(ledger, (start, min(end, hour_end)))
    piece = open_slice(bounds, pass_name=name, policy=policy)
    return change(piece, since=since(ledger, piece, policy))


def _beside_poison(ledger: Ledger, bounds: Interval) -> Interval:
    """Cut a sweep's bounds at poison that an earlier pass found, so that it is not sought again."""
    start, end = bounds
    edges = [at for it in ledger.doubt if it.reason == POISONED for at in (it.start, it.end)]
    return (start, min((at for at in edges if start < at < end), default=end))


def is_looked_at_again(piece: Slice, ledger: Ledger, now: int, policy: Policy) -> bool:
    """Say whether the last sweep is older than a slice's pass, and will still reach its time."""
    if not policy.sweeps:
        return False
    name, age = policy.sweeps[-1]
    if piece.pass_name == name or (sweep_age(piece.pass_name) or 0) >= age:
        return False
    looks = max(later(ledger.api_clock, now), piece.end + age + HOUR_MS)
    return looks + DAY_MS < piece.start + policy.reach - REACH_MARGIN_MS


def ripest(ledger: Ledger, *, sweeps: bool) -> Slice | None:
    """Return the poisoned second that gives way where blocked slices have no room; None if none."""
    if room_in(ledger, sweeps=sweeps).blocked or not is_crowded(ledger, sweeps=sweeps):
        return None
    outlook = Outlook(pages=ledger.pages)
    ripe = [it for it in ledger.open if is_sweep(it) == sweeps and is_ripe(it, outlook)]
    return max(ripe, key=lambda it: it.poisoned, default=None)


def since(ledger: Ledger, piece: Slice, policy: Policy) -> int | None:
    """Return the earliest ingestion time that this sweep needs to ask for; None asks for all.

    Where an earlier sweep of some age has been over the whole slice, each of its looks began
    after `start` + that age, and saw what had been ingested by then. The youngest sweep and the
    oldest always ask for everything.
    """
    names = [name for name, _ in policy.sweeps]
    place = names.index(piece.pass_name)
    if policy.sweep_by != "created" or policy.axis == "created" or place in {0, len(names) - 1}:
        return None
    bounds = (piece.start, piece.end)
    if any(it.start < piece.end and piece.start < it.end for it in ledger.doubt):
        return None
    earlier = {age for age in _ages(ledger) if age < policy.sweeps[place][1]}
    for age in sorted(earlier, reverse=True):
        if holds(swept(ledger, age, partial=True), bounds):
            return piece.start + age - SINCE_MARGIN_MS
    return None


def sweeps_due(ledger: Ledger, now: int, policy: Policy) -> Iterator[tuple[str, Interval]]:
    """Yield what the sweeps want and nobody is working on: the oldest sweep first.

    A sweep waits until whole hours have its age. Where several are due over one interval, only
    the oldest is: it counts as the others, too.
    """
    taken = _taken_by_work(ledger)
    first = reached_from(later(ledger.api_clock, now), policy)
    now = earlier(ledger.api_clock, now)
    for name, age in reversed(policy.sweeps):
        horizon = max(first, (now - age) // HOUR_MS * HOUR_MS)
        is_last = name == policy.sweeps[-1][0]
        done = merge([*swept(ledger, age, partial=not is_last), *taken])
        gaps = without(intersect(covered(ledger, FIRST_PASS), (first, horizon)), done)
        yield from ((name, gap) for gap in gaps)
        taken = merge([*taken, *gaps])


def unswept(ledger: Ledger, now: int, policy: Policy) -> Iterator[Interval]:
    """Yield what no sweep can look at any more, although the last one wanted to."""
    if not policy.sweeps:
        return
    beyond = (0, max(0, reached_from(later(ledger.api_clock, now), policy)))
    at_work = [it for it in ledger.open if it.pass_name == FIRST_PASS or it.end > beyond[1]]
    working = _taken_by_work(change(ledger, open=tuple(at_work)))
    done = merge([*_swept_by_the_last(ledger, policy), *working])
    yield from without(intersect(covered(ledger, FIRST_PASS), beyond), done)


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


def _swept_by_the_last(ledger: Ledger, policy: Policy) -> Intervals:
    """Return what needs no look of the last sweep any more; only whole looks count as one."""
    return swept(ledger, policy.sweeps[-1][1], partial=False)


def _ages(ledger: Ledger) -> set[int]:
    return {age for name in ledger.coverage if (age := sweep_age(name)) is not None}


def reached_from(now: int, policy: Policy) -> int:
    """Return the start of the oldest slice that can still prove something."""
    return now - policy.reach + REACH_MARGIN_MS


def cut_for_reading(piece: Slice, parts: Iterable[StoredPart]) -> Slice:
    """Return a sweep's slice cut so that the parts it must read hold at most 64 MB.

    It is cut at the bounds of parts, and reads at least one of them.
    """
    near = [it for it in parts if it.start < piece.end and piece.start < it.end]
    edges = sorted({it.end for it in near if piece.start < it.end < piece.end} | {piece.end})
    small = [
        edge for edge in edges if sum(it.size for it in near if it.start < edge) <= SWEEP_BYTES
    ]
    end = max(small, default=edges[0])
    start = piece.start
    return change(piece, end=end, cursor=start if piece.direction == "asc" else end)


def is_sweep(piece: Slice) -> bool:
    """Say whether a slice looks at time that the first pass has covered."""
    return piece.pass_name != FIRST_PASS


def room_in(ledger: Ledger, *, sweeps: bool = False) -> Room:
    """Return which slices the ledger has room for.

    What is blocked never takes the room of what is not, nor a sweep's the room of the first pass.
    """
    unblocked = sum(not piece.blocked for piece in ledger.open)
    blocked = sum(piece.blocked for piece in ledger.open if is_sweep(piece) == sweeps)
    most = BLOCKED_SWEEPS if sweeps else OPEN_SLICES
    return Room(open=unblocked < OPEN_SLICES, blocked=blocked < most)


def is_crowded(ledger: Ledger, *, sweeps: bool) -> bool:
    """Say whether as many slices of the first pass, or of sweeps, are stuck as may be blocked."""
    stuck = sum(is_stuck(piece) for piece in ledger.open if is_sweep(piece) == sweeps)
    return stuck >= (BLOCKED_SWEEPS if sweeps else OPEN_SLICES)


def to_halve(ledger: Ledger) -> Slice | None:
    """Return the oldest slice that was blocked for want of room, once there is room for halves."""
    unblocked = sum(not piece.blocked for piece in ledger.open)
    if unblocked + 2 > OPEN_SLICES:
        return None
    return next((it for it in ledger.open if it.blocked and it.cramped), None)


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
    lost = [(loss.start, loss.end) for loss in ledger.lost]
    return merge([*covered(ledger, FIRST_PASS), *lost])


def final(ledger: Ledger, policy: Policy) -> Intervals:
    """Return what no pass will look at again: the last sweep has been over it, or it is lost."""
    return _final(ledger, last_age(policy))


def _final(ledger: Ledger, age: int) -> Intervals:
    looked = swept(ledger, age, partial=False) if age else covered(ledger, FIRST_PASS)
    lost = [(loss.start, loss.end) for loss in ledger.lost]
    return without(merge([*looked, *lost]), _at_work(ledger))


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


def soon_out_of_reach(start: int, now: int, policy: Policy) -> bool:
    """Say whether time from `start` on will pass the API's reach within three days."""
    return start < now - policy.reach + REACH_MARGIN_MS + REACH_WARNING_MS


def credited(  # noqa: PLR0913 - the facts of a look, by name
    pass_name: str,
    *,
    end: int,
    first_request: int,
    doubtful: bool,
    since: int | None = None,
    policy: Policy,
) -> tuple[str, ...]:
    """Return the passes that a look over time until `end` counts as.

    A look that began when the time was already as old as a sweep wants it is that sweep, too;
    one that ended in doubt is only what it set out to be, and what is younger than that. One
    that asked only for what was ingested lately has a name of its own: it counts when coverage
    is read, where partial looks will do.
    """
    if since is not None:
        return (pass_name + PARTIAL,)
    own = sweep_age(pass_name) or 0
    most = own if doubtful else max(own, first_request - end)
    sweeps = [name for name, age in policy.sweeps if age <= most]
    return tuple(dict.fromkeys((pass_name, *sweeps)))


def _taken(ledger: Ledger) -> Intervals:
    return merge([*accounted_for(ledger), *_taken_by_work(ledger)])


def _taken_by_work(ledger: Ledger) -> Intervals:
    """Return what is open or committing, whatever its pass, and what is declared lost."""
    return merge([*_at_work(ledger), *((loss.start, loss.end) for loss in ledger.lost)])


def _at_work(ledger: Ledger) -> Intervals:
    """Return what is open or committing, whatever its pass."""
    committing = ledger.committing
    return merge(
        [
            *((piece.start, piece.end) for piece in ledger.open),
            *([(committing.start, committing.end)] if committing else []),
        ]
    )


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
