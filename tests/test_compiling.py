"""Which modules a test process compiles, and where it begins."""

from pathlib import Path

import pytest

from tests.compiling import ROOT, TESTS, sources, turned

FILES = [Path(it) for it in "abcdefghi"]


@pytest.mark.parametrize(("share", "first"), [(0, "a"), (1 / 3, "d"), (2 / 3, "g")])
def test_each_process_begins_elsewhere_and_compiles_everything(share: float, first: str) -> None:
    """If another process ends early, nothing is missing."""
    found = turned(reversed(FILES), share)

    assert found[0] == Path(first)
    assert sorted(found) == FILES


def test_python_compiles_the_program_and_what_its_tests_share() -> None:
    """The tests themselves are compiled by pytest."""
    found = sources()

    assert {ROOT / "shared/__init__.py", ROOT / "harness/azurite.py", ROOT / "tests/fakes.py"} < {
        *found
    }
    assert not [it for it in found if it.match(TESTS)]
