"""Sets of time, against sets of integers."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.core.intervals import (
    Interval,
    added,
    holds,
    intersect,
    merge,
    subtract,
    total,
    without,
)

interval = st.tuples(st.integers(0, 60), st.integers(0, 60))
several = st.lists(interval, max_size=8)


def points(*intervals: Interval) -> set[int]:
    """Return the integers in half-open intervals."""
    return {at for start, end in intervals for at in range(start, end)}


@given(several)
def test_merging_keeps_every_point(intervals: list[Interval]) -> None:
    """And leaves none that touch or overlap, sorted, none empty."""
    merged = merge(intervals)

    assert points(*merged) == points(*intervals)
    assert all(a[1] < b[0] for a, b in pairwise(merged))
    assert all(start < end for start, end in merged)


@given(wanted=interval, taken=several)
def test_subtracting_leaves_what_is_wanted_and_not_taken(
    wanted: Interval, taken: list[Interval]
) -> None:
    """In ascending order."""
    left = list(subtract(wanted, merge(taken)))

    assert points(*left) == points(wanted) - points(*taken)
    assert left == sorted(left)


@given(several, interval)
def test_adding_one_is_merging_it(intervals: list[Interval], one: Interval) -> None:
    """Also where it touches others, or is empty."""
    assert added(merge(intervals), one) == merge([*intervals, one])


@given(wanted=several, taken=several)
def test_what_is_left_of_several_is_what_subtracting_leaves_of_each(
    wanted: list[Interval], taken: list[Interval]
) -> None:
    """In ascending order, and merged."""
    left = without(merge(wanted), merge(taken))

    assert points(*left) == points(*wanted) - points(*taken)
    assert left == merge(left)


@given(wanted=several, bounds=interval)
def test_intersecting_keeps_what_lies_inside(wanted: list[Interval], bounds: Interval) -> None:
    """And stays merged."""
    inside = intersect(merge(wanted), bounds)

    assert points(*inside) == points(*wanted) & points(bounds)
    assert inside == merge(inside)


@given(covered=several, wanted=interval)
def test_coverage_holds_what_lies_wholly_inside(covered: list[Interval], wanted: Interval) -> None:
    """An empty interval is always held."""
    assert holds(merge(covered), wanted) == (points(wanted) <= points(*covered))


@given(several)
def test_the_total_counts_points(intervals: list[Interval]) -> None:
    """Of merged intervals."""
    assert total(merge(intervals)) == len(points(*intervals))
