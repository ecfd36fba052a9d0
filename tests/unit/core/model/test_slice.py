"""What a slice says about itself, in both directions."""

from typing import Any

import msgspec
import pytest

from shared.core.intervals import Interval
from shared.core.model import POISONED, Block, Counts, Dense, Direction, Doubt, Mode, Seen, Slice

DIRECTIONS: tuple[Direction, ...] = ("asc", "desc")
START, END, CURSOR, X = 1000, 2000, 1300, 1200


def slice_of(direction: Direction = "asc", **changes: Any) -> Slice:
    """Return a fresh slice with changes."""
    fresh = Slice.fresh((START, END), pass_name="first", direction=direction, limit=500)
    return msgspec.structs.replace(fresh, **changes)


def held_up(direction: Direction, mode: Mode, cursor: int) -> Slice:
    """Return a slice that a millisecond holds up."""
    dense = Dense(millisecond=X, cursor=None, probing=True)
    return slice_of(direction, mode=mode, dense=dense, cursor=cursor)


def test_only_time_that_is_poisoned_is_poison() -> None:
    """The reason for the doubt says so."""
    assert Doubt(start=1, end=2, reason=POISONED).is_poison
    assert not Doubt(start=1, end=2, reason="x").is_poison


@pytest.mark.parametrize(("records", "ends"), [(0, True), (1, False)])
def test_the_block_without_records_ends_its_part(records: int, *, ends: bool) -> None:
    """A page without records to store makes no block."""
    block = Block(
        id="b", size=9, records=records, sha256="", raw=0, crc32=0, timestamp=None, created=None
    )

    assert block.is_trailer is ends


def test_counts_are_raised_by_name() -> None:
    """The others stay."""
    counts = Counts(records=1, late=2).plus(records=4, faults=1)

    assert counts == Counts(records=5, late=2, faults=1)


@pytest.mark.parametrize(("direction", "near", "far"), [("asc", START, END), ("desc", END, START)])
def test_a_fresh_slice_stands_where_its_direction_begins(
    direction: Direction, near: int, far: int
) -> None:
    """Everything remains."""
    piece = slice_of(direction)

    assert (piece.near_end, piece.far_end, piece.cursor) == (near, far, near)
    assert piece.remaining == piece.ahead == (START, END)
    assert not piece.has_begun


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_slice_has_begun_once_its_cursor_or_its_mode_has_changed(direction: Direction) -> None:
    """Every page does one of the two."""
    assert slice_of(direction, cursor=CURSOR).has_begun
    assert held_up(direction, "dense", slice_of(direction).cursor).has_begun


@pytest.mark.parametrize(
    ("direction", "known", "ahead"),
    [("asc", (START, CURSOR), (CURSOR, END)), ("desc", (CURSOR, END), (START, CURSOR))],
)
def test_the_cursor_divides_a_slice(direction: Direction, known: Interval, ahead: Interval) -> None:
    """What is known lies behind it."""
    piece = slice_of(direction, cursor=CURSOR)

    assert piece.known_up_to(piece.cursor) == known
    assert piece.ahead == piece.remaining == ahead


@pytest.mark.parametrize(
    ("direction", "mode", "cursor", "remaining", "first"),
    [
        ("asc", "dense", X, (X, X + 1), X),
        ("desc", "dense", X + 1, (X, X + 1), X),
        ("asc", "beyond", X + 1, (X + 1, END), X + 1),
        ("desc", "beyond", X, (START, X), X - 1),
        ("asc", "opposite", CURSOR, (X + 1, CURSOR), CURSOR - 1),
        ("desc", "opposite", 1100, (1100, X), 1100),
    ],
)
def test_a_mode_asks_for_less_than_what_lies_ahead(
    direction: Direction, mode: Mode, cursor: int, remaining: Interval, first: int
) -> None:
    """One millisecond, or what lies on one side of it."""
    piece = held_up(direction, mode, cursor)

    assert piece.remaining == remaining
    assert piece.next_millisecond == first


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_from_the_other_end_a_slice_is_read_backwards(direction: Direction) -> None:
    """It also asks for the other direction; a dense millisecond always asks for the same."""
    opposite = held_up(direction, "opposite", CURSOR)
    dense = held_up(direction, "dense", X)

    assert opposite.heading == opposite.asked_direction != direction
    assert (dense.heading, dense.asked_direction) == (direction, "asc")


def test_a_slice_may_ask_for_another_direction_than_it_is_read_in() -> None:
    """The API then answers in the direction of the slice."""
    piece = slice_of("desc").redirected("asc", "desc")

    assert (piece.direction, piece.asked_direction, piece.cursor) == ("asc", "desc", START)
    back = piece.redirected("desc", "desc")
    assert (back.asked, back.cursor) == (None, END)


@pytest.mark.parametrize(
    ("direction", "onward", "back"), [("asc", CURSOR + 1, CURSOR), ("desc", CURSOR - 1, CURSOR)]
)
def test_a_cursor_is_ahead_if_it_has_moved_on(direction: Direction, onward: int, back: int) -> None:
    """Standing still is not enough."""
    piece = slice_of(direction, cursor=CURSOR)

    assert piece.is_ahead(onward)
    assert not piece.is_ahead(back)


@pytest.mark.parametrize(("direction", "last"), [("asc", END), ("desc", START)])
def test_nothing_is_left_from_the_far_end_on(direction: Direction, last: int) -> None:
    """Before it, something is."""
    piece = slice_of(direction)

    assert piece.leaves_something(CURSOR)
    assert not piece.leaves_something(last)


@pytest.mark.parametrize(
    ("direction", "furthest", "may"),
    [
        ("asc", None, True),
        ("asc", CURSOR - 1, True),
        ("asc", CURSOR, False),
        ("desc", CURSOR, True),
        ("desc", CURSOR - 1, False),
    ],
)
def test_a_slice_may_be_divided_behind_its_farthest_staged_record(
    direction: Direction, furthest: int | None, *, may: bool
) -> None:
    """A part holds no record that belongs to the slice after it."""
    assert slice_of(direction, furthest=furthest).may_divide(CURSOR) is may


@pytest.mark.parametrize(("direction", "past"), [("asc", X + 1), ("desc", X)])
def test_a_slice_that_pages_again_asks_for_what_lies_past_its_millisecond(
    direction: Direction, past: int
) -> None:
    """From the other end nothing is known for sure, so it forgets how far it came."""
    assert held_up(direction, "opposite", CURSOR).paging().cursor == past
    assert held_up(direction, "beyond", CURSOR).paging() == slice_of(direction, cursor=CURSOR)


def test_without_a_dense_millisecond_nothing_holds_a_slice_up() -> None:
    """To ask is a mistake in this program."""
    with pytest.raises(AssertionError, match="mode page has no dense millisecond"):
        _ = slice_of().held_up_at


def test_everything_that_is_remembered_counts() -> None:
    """Identities take most of the ledger's room."""
    seen = Seen(at=START, other=None, identity="i", content="c")

    assert slice_of(seen=(seen,), unplaced=("a", "b"), earlier=("c",)).remembered == 4


def test_reading_a_slice_again_gives_up_what_it_has_staged() -> None:
    """How to ask, and what earlier parts hold, is kept."""
    piece = slice_of(
        cursor=CURSOR, asked="desc", since=7, unplaced=("new",), earlier=("old",), requests=9
    )

    again = piece.same_again((CURSOR, END))

    assert again == slice_of(start=CURSOR, cursor=CURSOR, asked="desc", since=7, earlier=("old",))


def test_what_carries_on_knows_the_records_without_a_position() -> None:
    """The API may show them again anywhere in the rest."""
    piece = slice_of(cursor=CURSOR, unplaced=("new",), earlier=("old",))

    assert piece.carried_on((CURSOR, END)).earlier == ("old", "new")


@pytest.mark.parametrize("since", [None, 7])
def test_a_slice_that_is_blocked_knows_since_when(since: int | None) -> None:
    """It is not blocked otherwise."""
    assert slice_of(blocked_since=since).blocked is (since is not None)


def test_doubt_is_added_to_what_is_in_doubt_already() -> None:
    """With its bounds and the reason."""
    old, new = Doubt(start=1, end=2, reason="x"), Doubt(start=START, end=CURSOR, reason="y")

    assert slice_of(doubt=(old,)).doubted((START, CURSOR), "y") == slice_of(doubt=(old, new))


@pytest.mark.parametrize("end", [START, START - 1])
def test_no_time_is_never_in_doubt(end: int) -> None:
    """A doubt with empty bounds would be a stretch that no look can settle."""
    assert slice_of().doubted((START, end), "y") == slice_of()
