"""What the sweeps want: which is due over which time, what it asks for, and what it counts as.

A sweep looks at time again that the first pass has covered, for activities that arrived late. A
rescan does the same because an operator ordered it, and comes before the sweeps.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate, chain

import msgspec

from shared.core.clocks import earlier, later, waits
from shared.core.intervals import (
    Interval,
    Intervals,
    holds,
    intersect,
    merge,
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
from shared.core.passes import PARTIAL, sweep_age
from shared.core.slices.opening import open_slice
from shared.core.state.planning import (
    REACH_MARGIN_MS,
    covered,
    is_sweep,
    reached_from,
    swept,
    taken_by_work,
)
from shared.core.state.rooms import may_block, may_open

SWEEP_BYTES = 64 * 1024 * 1024
"""What the parts that a sweep must read for one slice may hold, compressed."""

SINCE_MARGIN_MS = 15 * MINUTE_MS
"""Clocks differ, and what is ingested shows a little later: a look overlaps the last by this."""

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
    has_room = may_open(ledger) and may_block(ledger, sweeps=True)
    if ready is not None or not has_room:
        return ready
    return _new_sweep(ledger, now, policy)


def _new_sweep(ledger: Ledger, now: int, policy: Policy) -> Slice | None:
    found = next(chain(rescans_due(ledger, now, policy), sweeps_due(ledger, now, policy)), None)
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
    edges = [at for it in ledger.doubt if it.is_poison for at in (it.start, it.end)]
    return (start, min([end, *(at for at in edges if start < at)]))


def is_looked_at_again(piece: Slice, ledger: Ledger, now: int, policy: Policy) -> bool:
    """Say whether the last sweep is older than a slice's pass, and will still reach its time."""
    if not policy.sweeps:
        return False
    _, age = policy.sweeps[-1]
    own = 0 if piece.pass_name == FIRST_PASS else sweep_age(piece.pass_name)
    if own is None or own >= age:  # A rescan is nobody's turn.
        return False
    looks = max(later(ledger.api_clock, now), piece.end + age + HOUR_MS)
    return looks + DAY_MS < piece.start + policy.reach - REACH_MARGIN_MS


def since(ledger: Ledger, piece: Slice, policy: Policy) -> int | None:
    """Return the earliest ingestion time that this sweep needs to ask for; None asks for all.

    Where an earlier sweep of some age has been over the whole slice, each of its looks began
    after `start` + that age, and saw what had been ingested by then. The youngest sweep and the
    oldest always ask for everything.
    """
    names = [name for name, _ in policy.sweeps]
    if piece.pass_name not in names:  # A rescan, which looks at everything.
        return None
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
    taken = taken_by_work(ledger)
    first = reached_from(later(ledger.api_clock, now), policy)
    now = earlier(ledger.api_clock, now)
    for name, age in reversed(policy.sweeps):
        horizon = max(first, (now - age) // HOUR_MS * HOUR_MS)
        is_last = name == policy.sweeps[-1][0]
        done = merge([*swept(ledger, age, partial=not is_last), *taken])
        gaps = without(intersect(covered(ledger, FIRST_PASS), (first, horizon)), done)
        yield from ((name, gap) for gap in gaps)
        taken = merge([*taken, *gaps])


def rescans_due(ledger: Ledger, now: int, policy: Policy) -> Iterator[tuple[str, Interval]]:
    """Yield what is to be scanned again and nobody is working on, the oldest order first.

    Only what the first pass has covered is scanned again, and only what is still in reach.
    """
    taken = taken_by_work(ledger)
    first = reached_from(later(ledger.api_clock, now), policy)
    for name, wanted in ledger.rescans.items():
        done = merge([*covered(ledger, name), *taken])
        for bounds in wanted:
            again = intersect(covered(ledger, FIRST_PASS), (max(first, bounds[0]), bounds[1]))
            yield from ((name, gap) for gap in without(again, done))


def unswept(ledger: Ledger, now: int, policy: Policy) -> Iterator[Interval]:
    """Yield what no sweep can look at any more, although the last one wanted to.

    The run's time alone decides. How far the API's clock was ahead was seen by an earlier run, and
    the local clock may have been corrected since; what is given up cannot be taken back.
    """
    if not policy.sweeps:
        return
    beyond = (0, max(0, reached_from(now, policy)))
    at_work = [it for it in ledger.open if it.pass_name == FIRST_PASS or it.end > beyond[1]]
    working = taken_by_work(change(ledger, open=tuple(at_work)))
    done = merge([*_swept_by_the_last(ledger, policy), *working])
    yield from without(intersect(covered(ledger, FIRST_PASS), beyond), done)


def _swept_by_the_last(ledger: Ledger, policy: Policy) -> Intervals:
    """Return what needs no look of the last sweep any more; only whole looks count as one."""
    return swept(ledger, policy.sweeps[-1][1], partial=False)


def _ages(ledger: Ledger) -> set[int]:
    return {age for name in ledger.coverage if (age := sweep_age(name)) is not None}


def cut_for_reading(piece: Slice, parts: Iterable[StoredPart]) -> Slice:
    """Return a sweep's slice cut so that the parts it must read hold at most 64 MB.

    It is cut at the bounds of parts, and reads at least one of them.
    """
    near = sorted((it.start, it.end, it.size) for it in parts if _meet(it, piece))
    edges = sorted({end for _, end, _ in near if piece.start < end < piece.end} | {piece.end})
    sizes = list(accumulate((size for _, _, size in near), initial=0))
    small = [it for it in edges if sizes[bisect_left(near, (it,))] <= SWEEP_BYTES]
    end = max(small, default=edges[0])
    start = piece.start
    return change(piece, end=end, cursor=start if piece.direction == "asc" else end)


def _meet(part: StoredPart, piece: Slice) -> bool:
    return part.start < piece.end and piece.start < part.end


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
