"""How a slice is opened."""

import pytest

from shared.core.model import Direction
from shared.core.slices.opening import open_slice
from tests.fakes import policy
from tests.unit.core.slices.building import END, START


@pytest.mark.parametrize(("direction", "cursor"), [("asc", START), ("desc", END)])
def test_a_slice_is_opened_as_the_policy_wants_it_read(direction: Direction, cursor: int) -> None:
    """In its direction, with its page limit, and with nothing known."""
    how = policy(direction=direction, limit=700)

    piece = open_slice((START, END), pass_name="sweep-2h", policy=how)

    assert (piece.start, piece.end, piece.pass_name) == (START, END, "sweep-2h")
    assert (piece.direction, piece.limit, piece.cursor) == (direction, 700, cursor)
    assert not piece.has_begun
