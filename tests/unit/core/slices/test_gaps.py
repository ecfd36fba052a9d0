"""Where the activities may be that a page shows only as null."""

import pytest

from shared.core.intervals import Intervals
from shared.core.model import Dense
from shared.core.slices.gaps import Marks, gaps, marks_of
from tests.unit.core.slices.building import END, START, opened


def at(*offsets: int | None) -> Marks:
    """Return marks at these milliseconds of the slice."""
    return tuple(None if it is None else START + it for it in offsets)


def stretches(*bounds: tuple[int, int]) -> Intervals:
    """Return intervals between these milliseconds of the slice."""
    return tuple((START + start, START + end) for start, end in bounds)


LENGTH = END - START


def test_a_page_without_nulls_hides_nothing() -> None:
    """Whatever its order."""
    assert gaps(at(3, 1, 2), opened(), None) == ()


@pytest.mark.parametrize(
    ("marks", "cursor", "hidden"),
    [
        (at(1, None, 5, 9), None, [(1, 6)]),
        (at(None, 5, 9), None, [(0, 6)]),
        (at(1, 5, None), None, [(5, LENGTH)]),
        (at(1, 5, None), 7, [(5, 7)]),
        (at(1, None, None, 5, 9), None, [(1, 6)]),
        (at(1, None, 5, 9, None, 11), None, [(1, 6), (9, 12)]),
        (at(None, None), 7, [(0, 7)]),
        (at(3, None), 9, [(3, 9)]),
    ],
)
def test_a_null_lies_between_its_neighbours(
    marks: Marks, cursor: int | None, hidden: list[tuple[int, int]]
) -> None:
    """Both are included; at the edges they are the start of the query and the page's cursor."""
    moved = None if cursor is None else START + cursor

    assert gaps(marks, opened(), moved) == stretches(*hidden)


@pytest.mark.parametrize(
    ("marks", "cursor", "hidden"),
    [
        (at(9, None, 5, 1), None, [(5, 10)]),
        (at(None, 9, 5), None, [(9, LENGTH)]),
        (at(9, 5, None), 3, [(3, 6)]),
        (at(9, 5, None), None, [(0, 6)]),
    ],
)
def test_a_page_that_counts_down_is_read_from_its_other_end(
    marks: Marks, cursor: int | None, hidden: list[tuple[int, int]]
) -> None:
    """Everything from its cursor on is known."""
    piece = opened(direction="desc", cursor=END)
    moved = None if cursor is None else START + cursor

    assert gaps(marks, piece, moved) == stretches(*hidden)


def test_what_lies_from_the_cursor_on_does_not_count_yet() -> None:
    """The next page shows it again."""
    assert gaps(at(1, None, 9), opened(), START + 5) == stretches((1, 5))


@pytest.mark.parametrize("marks", [at(5, None, 1), at(5, None), at(5, None, 5)])
def test_a_null_may_be_anywhere_on_a_page_whose_order_is_unknown(marks: Marks) -> None:
    """It is not sorted, or it shows one position only, and no cursor."""
    assert gaps(marks, opened(), None) == stretches((0, LENGTH))


def test_a_null_of_a_dense_millisecond_lies_in_it() -> None:
    """It is paged on the other time field, so neighbours on the axis say nothing."""
    dense = Dense(millisecond=START + 7, cursor=None, probing=False)
    piece = opened(mode="dense", dense=dense, cursor=START + 7)

    assert gaps(at(7, None, 7), piece, None) == stretches((7, 8))


def test_nulls_stand_among_the_records_where_the_page_has_them() -> None:
    """Records that do not count here are passed over."""
    assert marks_of([1, None, 3], nulls=[0, 2, 3]) == (None, 1, None, 3, None)
