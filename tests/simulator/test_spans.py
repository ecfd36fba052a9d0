"""Sets of milliseconds."""

from __future__ import annotations

import pytest

from simulator.spans import ALWAYS, FIRST, LAST, Spans, complement, holds, intersection, union


def test_a_union_is_sorted_disjoint_and_without_empty_spans() -> None:
    """Adjacent spans are merged."""
    assert union([(7, 9), (1, 3), (4, 5), (8, 8), (6, 5)]) == ((1, 5), (7, 9))


@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        (((1, 5),), ((3, 9),), ((3, 5),)),
        (((1, 2), (8, 9)), ((2, 8),), ((2, 2), (8, 8))),
        (((1, 2),), ((3, 4),), ()),
        (((1, 2),), ALWAYS, ((1, 2),)),
    ],
)
def test_an_intersection_holds_what_both_hold(left: Spans, right: Spans, both: Spans) -> None:
    """Both ends are inclusive."""
    assert intersection(left, right) == both


def test_a_complement_holds_what_no_span_holds() -> None:
    """The complement of everything is empty."""
    assert complement(((1, 2), (5, 5))) == ((FIRST, 0), (3, 4), (6, LAST))
    assert complement(ALWAYS) == ()
    assert complement(()) == ALWAYS


@pytest.mark.parametrize(
    ("value", "inside"), [(0, False), (1, True), (2, True), (3, False), (5, True)]
)
def test_a_span_holds_both_of_its_ends(value: int, inside: bool) -> None:  # noqa: FBT001 - a table of truth
    """A millisecond at either end is in the span."""
    assert holds(((1, 2), (5, 5)), value) is inside
