"""The ids of blocks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.api.block_ids import block_id, is_block_id, states_digest


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
    """So a suspended writer never replaces the block of the run that continued."""
    ids = [block_id(epoch, number, "ab" * 32) for epoch, number in (first, second)]

    assert (ids[0] == ids[1]) == (first == second)
    assert {len(it) for it in ids} == {32}


@pytest.mark.parametrize("epoch", [7, 123_456_789])
def test_a_block_id_states_the_digest_that_it_was_made_of(epoch: int) -> None:
    """Only its beginning, which is enough to notice other bytes; also in a wider id."""
    name = block_id(epoch, 3, "ab" * 32)

    assert states_digest(name, "ab" * 32)
    assert not states_digest(name, "ab" * 7 + "ac" + "ab" * 24)


@pytest.mark.parametrize("name", ["", "AAAA", "00000007-000003-zzzzzzzzzzzzzzzz", "x" * 32])
def test_ids_of_other_programs_are_not_block_ids(name: str) -> None:
    """Other tools write any text."""
    assert not is_block_id(name)
    assert is_block_id(block_id(7, 3, "ab" * 32))
