"""The ids of blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.api.block_ids import block_id


@pytest.mark.parametrize(("epoch", "number"), [(1, 0), (99_999_999, 999_999)])
def test_block_ids_have_one_width(epoch: int, number: int) -> None:
    """As the service demands of one blob's blocks."""
    assert len(block_id(epoch, number, "f" * 64)) == 32


@given(
    first=st.tuples(st.integers(1, 10**8 - 1), st.integers(0, 999_999)),
    second=st.tuples(st.integers(1, 10**8 - 1), st.integers(0, 999_999)),
)
def test_no_two_epochs_or_numbers_share_a_block_id(
    first: tuple[int, int], second: tuple[int, int]
) -> None:
    """A suspended writer never replaces the block of the run that went on."""
    ids = [block_id(epoch, number, "ab" * 32) for epoch, number in (first, second)]

    assert (ids[0] == ids[1]) == (first == second)
    assert {len(it) for it in ids} == {32}
