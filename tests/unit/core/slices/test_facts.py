"""What is known of the API, and when it is forgotten."""

import pytest

from shared.core.model import ApiFacts, Direction
from shared.core.slices.facts import BELIEVED_MS, UNKNOWN, believed, facing, sorting, stamped
from tests.fakes import DAY, NOW
from tests.unit.core.slices.building import END, START, opened

FACTS = ApiFacts(program="1", learned=NOW, sorts={"asc": "desc"})


@pytest.mark.parametrize(
    ("now", "program", "kept"),
    [
        (NOW, "1", True),
        (NOW + BELIEVED_MS - 1, "1", True),
        (NOW + BELIEVED_MS, "1", False),
        (NOW - 1, "1", False),
        (NOW, "2", False),
    ],
)
def test_facts_are_believed_for_a_day_by_the_program_that_learned_them(
    *, now: int, program: str, kept: bool
) -> None:
    """One from the future was learned by a clock that was fast."""
    assert believed(FACTS, now=now, program=program) == (FACTS if kept else UNKNOWN)


def test_a_day_begins_with_the_first_fact() -> None:
    """A later one does not put off trying the documented way again."""
    first = stamped(ApiFacts(sorts={"asc": "desc"}), now=NOW, program="1")

    assert stamped(first, now=NOW + DAY // 2, program="1").learned == NOW


def test_an_api_that_sorts_the_other_way_is_remembered_by_what_was_asked() -> None:
    """Each of the two directions may be answered in its own way."""
    facts = sorting(sorting(UNKNOWN, "asc", "desc"), "desc", "asc")

    assert facts.sorts == {"asc": "desc", "desc": "asc"}


def test_an_api_that_sorts_as_asked_again_is_not_remembered() -> None:
    """It has been fixed."""
    assert sorting(FACTS, "asc", "asc").sorts == {}


@pytest.mark.parametrize(
    ("sorts", "asked", "read"),
    [
        ({"asc": "desc", "desc": "asc"}, "desc", "asc"),
        ({"asc": "desc"}, "desc", "desc"),
        ({"desc": "asc"}, "asc", "asc"),
    ],
)
def test_a_slice_asks_for_the_direction_that_works(
    sorts: dict[Direction, Direction], asked: Direction, read: Direction
) -> None:
    """The wanted one if the API has one that leads to it, otherwise the one it always answers."""
    piece = facing(opened(), "asc", ApiFacts(sorts=sorts))

    assert (piece.asked_direction, piece.direction) == (asked, read)
    assert piece.cursor == (START if read == "asc" else END)


@pytest.mark.parametrize("sorts", [{}, {"asc": "desc"}])
def test_a_slice_that_has_begun_keeps_its_direction(sorts: dict[Direction, Direction]) -> None:
    """So does every slice while the API sorts as it is asked."""
    piece = opened(cursor=START + 5) if sorts else opened()

    assert facing(piece, "asc", ApiFacts(sorts=sorts)) == piece
