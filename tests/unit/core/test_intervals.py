"""Sets of time, against sets of integers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.intervals import (
    Interval,
    Intervals,
    added,
    holds,
    intersect,
    merge,
    subtract,
    total,
    within,
    without,
)

interval = st.tuples(st.integers(0, 60), st.integers(0, 60))
short = st.tuples(st.integers(0, 60), st.integers(-1, 6)).map(lambda it: (it[0], it[0] + it[1]))
several = st.lists(short, max_size=12) | st.lists(interval, max_size=4)


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
    """In ascending order, none empty."""
    left = list(subtract(wanted, merge(taken)))

    assert points(*left) == points(wanted) - points(*taken)
    assert left == list(merge(left))


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


@pytest.mark.parametrize(
    ("bounds", "inside"),
    [
        ((1, 13), ((1, 2), (4, 6), (8, 10), (12, 13))),
        ((3, 11), ((4, 6), (8, 10))),
        ((0, 14), ((0, 2), (4, 6), (8, 10), (12, 14))),
        ((0, 15), ((0, 2), (4, 6), (8, 10), (12, 14))),
        ((5, 13), ((5, 6), (8, 10), (12, 13))),
        ((3, 9), ((4, 6), (8, 9))),
        ((9, 15), ((9, 10), (12, 14))),
        ((5, 9), ((5, 6), (8, 9))),
        ((2, 4), ()),
        ((5, 5), ()),
        ((6, 4), ()),
    ],
)
def test_only_what_crosses_the_bounds_is_cut(bounds: Interval, inside: Intervals) -> None:
    """All that lies between is kept as it is."""
    assert intersect(((0, 2), (4, 6), (8, 10), (12, 14)), bounds) == inside


@given(covered=several, wanted=interval)
def test_coverage_holds_what_lies_wholly_inside(covered: list[Interval], wanted: Interval) -> None:
    """An empty interval is always held."""
    assert holds(merge(covered), wanted) == (points(wanted) <= points(*covered))


@given(several)
def test_the_total_counts_points(intervals: list[Interval]) -> None:
    """Of merged intervals."""
    assert total(merge(intervals)) == len(points(*intervals))


@given(st.integers(0, 60), interval)
def test_a_millisecond_lies_within_an_interval_if_it_is_one_of_its_points(
    at: int, bounds: Interval
) -> None:
    """Its end is not."""
    assert within(at, bounds) == (at in points(bounds))


def test_an_interval_begins_with_its_start_and_stops_before_its_end() -> None:
    """So every millisecond belongs to one of two that touch."""
    assert [at for at in range(9) if within(at, (3, 6))] == [3, 4, 5]


def test_an_interval_without_length_adds_nothing() -> None:
    """Neither an empty one nor one that ends before it begins."""
    known: Intervals = ((0, 5), (9, 12))

    assert added(known, (7, 7)) == added(known, (8, 6)) == known
