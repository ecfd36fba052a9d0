"""What a ledger's values say about themselves."""

import msgspec
import pytest

from tests.unit.core.state.building import (
    END,
    START,
    about_to_commit,
    commit_of,
    new_ledger,
    piece_of,
)


def test_the_commit_of_a_slice_proves_an_interval() -> None:
    """It may be a part of the slice."""
    ledger = about_to_commit(new_ledger(), piece_of(), (START, END - 5))

    assert commit_of(ledger).bounds == (START, END - 5)


def test_the_commit_of_a_decision_proves_no_interval() -> None:
    """It changes what is to be scanned, and covers nothing."""
    commit = commit_of(about_to_commit(new_ledger(), piece_of()))

    assert msgspec.structs.replace(commit, slice=None, start=None, end=None).bounds is None


@pytest.mark.parametrize(("start", "end"), [(START, None), (None, END)])
def test_half_an_interval_proves_nothing(start: int | None, end: int | None) -> None:
    """A ledger may say anything; only both bounds together are time."""
    commit = commit_of(about_to_commit(new_ledger(), piece_of()))

    assert msgspec.structs.replace(commit, start=start, end=end).bounds is None
