"""From a draft with records to the transition with their blocks."""

import pytest

from shared.core.api.blocks import stored_records
from shared.core.model import Direction
from shared.core.slices.transitions import Draft, Finished
from tests.fakes import activity
from tests.unit.core.slices.building import END, START, opened, page, staged

RECORDS = page({"data": [activity(START), activity(START + 1)], "hasNext": False}).records
SORTS: tuple[Direction, Direction] = ("asc", "desc")


def done(count: int = 0) -> Finished:
    """Return a finished slice with so many staged blocks."""
    return Finished(slice=opened(blocks=staged(count)), start=START, end=END)


def test_a_slice_that_goes_on_gets_the_block_of_its_records() -> None:
    """Numbered after those it has; the part is not ended."""
    draft = Draft(records=RECORDS, goes_on=opened(blocks=staged(2)))

    ((block, _),) = draft.blocks(epoch=3)
    after = draft.built([block])

    assert block.id.startswith("00000003-000002-")
    assert after.goes_on
    assert after.goes_on.blocks == (*staged(2), block)


def test_a_finished_part_gets_its_trailer() -> None:
    """All blocks together are the part's one gzip member."""
    draft = Draft(records=RECORDS, finished=done())

    blocks = list(draft.blocks(epoch=1))
    after = draft.built([block for block, _ in blocks])

    assert [block.is_trailer for block, _ in blocks] == [False, True]
    stored = stored_records(b"".join(content for _, content in blocks))
    assert [it.identity for it in stored] == [it.identity for it in RECORDS]
    assert after.finished
    assert after.finished.slice.blocks == tuple(block for block, _ in blocks)


def test_a_part_whose_last_page_is_empty_gets_only_its_trailer() -> None:
    """Its records were staged before."""
    blocks = list(Draft(finished=done(2)).blocks(epoch=1))

    assert [block.is_trailer for block, _ in blocks] == [True]


@pytest.mark.parametrize("draft", [Draft(finished=done()), Draft(goes_on=opened()), Draft()])
def test_nothing_is_staged_without_records(draft: Draft) -> None:
    """A finished slice without any has no part."""
    assert not draft.ends_part
    assert list(draft.blocks(epoch=1)) == []


def test_a_transition_keeps_what_the_draft_says_beside_its_slice() -> None:
    """The slices that take over, and how the API sorts."""
    after = Draft(opened=(opened(),), sorts=SORTS).built([])

    assert (after.goes_on, after.finished) == (None, None)
    assert (after.opened, after.sorts) == ((opened(),), SORTS)


def test_records_without_a_slice_are_a_mistake_in_this_program() -> None:
    """They would be lost."""
    with pytest.raises(AssertionError, match="keeps or finishes its slice"):
        list(Draft(records=RECORDS).blocks(epoch=1))
