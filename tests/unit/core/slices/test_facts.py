"""What is known of the API, and when it is forgotten."""

import pytest

from shared.core.model import ApiFacts
from shared.core.slices.facts import BELIEVED_MS, UNKNOWN, believed, stamped
from tests.fakes import DAY, NOW

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
