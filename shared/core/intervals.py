"""Sets of time as sorted, disjoint, half-open intervals of epoch milliseconds."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Interval = tuple[int, int]
"""`[start, end)` in epoch milliseconds, start < end."""

Intervals = tuple[Interval, ...]
"""Sorted by start; no two touch or overlap."""


def merge(intervals: Iterable[Interval]) -> Intervals:
    """Return the union: intervals that touch are joined, and empty ones are dropped."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        elif start < end:
            merged.append((start, end))
    return tuple(merged)


def added(intervals: Intervals, one: Interval) -> Intervals:
    """Return the union of merged intervals and one more, without visiting all of them."""
    start, end = one
    if start >= end:
        return intervals
    first = bisect_left(intervals, start, key=lambda it: it[1])
    last = bisect_right(intervals, end, lo=first, key=lambda it: it[0])
    if first < last:
        start, end = min(start, intervals[first][0]), max(end, intervals[last - 1][1])
    return (*intervals[:first], (start, end), *intervals[last:])


def subtract(wanted: Interval, taken: Intervals) -> Iterator[Interval]:
    """Yield what remains of `wanted` without `taken` (merged), in ascending order.

    Of `taken`, only what lies inside `wanted` is visited.
    """
    start, end = wanted
    for taken_start, taken_end in _between(taken, wanted):
        if start < taken_start:
            yield (start, taken_start)
        start = taken_end
    if start < end:
        yield (start, end)


def without(wanted: Intervals, taken: Intervals) -> Intervals:
    """Return what remains of `wanted` without `taken` (both merged), visiting each once."""
    left: list[Interval] = []
    place = 0
    for start, end in wanted:
        while place < len(taken) and taken[place][1] <= start:
            place += 1
        at, here = start, place
        while here < len(taken) and taken[here][0] < end:
            if at < taken[here][0]:
                left.append((at, taken[here][0]))
            at = taken[here][1]
            here += 1
        if at < end:
            left.append((at, end))
        place = max(place, here - 1)
    return tuple(left)


def intersect(wanted: Intervals, bounds: Interval) -> Intervals:
    """Return the part of `wanted` (merged) that lies inside `bounds`."""
    inside = _between(wanted, bounds)
    if not inside:
        return ()
    (start, end), (first, last) = bounds, (inside[0][0], inside[-1][1])
    if start <= first and last <= end:
        return inside
    if len(inside) == 1:
        return ((max(start, first), min(end, last)),)
    return (
        (max(start, first), inside[0][1]),
        *inside[1:-1],
        (inside[-1][0], min(end, last)),
    )


def holds(covered: Intervals, wanted: Interval) -> bool:
    """Say whether `covered` (merged) contains all of `wanted`."""
    return not any(True for _ in subtract(wanted, covered))


def total(intervals: Iterable[Interval]) -> int:
    """Return the sum of the lengths, in milliseconds."""
    return sum(end - start for start, end in intervals)


def within(at: int, bounds: Interval) -> bool:
    """Say whether a millisecond lies in a half-open interval."""
    return bounds[0] <= at < bounds[1]


def _between(intervals: Intervals, bounds: Interval) -> Intervals:
    """Return those of `intervals` (merged) that share a millisecond with `bounds`."""
    start, end = bounds
    if start >= end:
        return ()
    first = bisect_right(intervals, start, key=lambda it: it[1])
    after = bisect_left(intervals, end, lo=first, key=lambda it: it[0])
    return intervals[first:after]
