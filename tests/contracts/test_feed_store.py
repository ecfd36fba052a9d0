"""The contract of `FeedStore`, on the fake and on Azurite."""

import pytest

from shared.adapters.blob_feed import BlobFeedStore
from shared.adapters.blob_results import BlobResultStore
from shared.adapters.blob_storage import Containers
from shared.core.errors import PartUnreadable
from shared.ports import ResultStore
from shared.table.ports import FeedStore
from tests.contracts.storage import PART, SCAN
from tests.fakes import InMemoryResults
from tests.parts import blocks_of
from tests.tables import InMemoryFeed

Place = tuple[FeedStore, ResultStore]
"""A feed as a reader sees it, and the store that a scan writes."""


@pytest.fixture(params=["fake", "azurite"])
def place(request: pytest.FixtureRequest) -> Place:
    """Provide an empty feed."""
    if request.param == "fake":
        results = InMemoryResults()
        return InMemoryFeed(results), results
    containers: Containers = request.getfixturevalue("containers")
    return (
        BlobFeedStore(containers.data, containers.manifests, SCAN),
        BlobResultStore(containers.data, containers.manifests, SCAN),
    )


def test_a_manifest_that_does_not_exist_is_a_value(place: Place) -> None:
    """It is the end of the feed."""
    feed, results = place
    results.put_manifest(1, b"{}")

    assert (feed.manifest(1), feed.manifest(2)) == (b"{}", None)


def test_the_first_manifest_from_a_number_on_is_found_across_a_gap(place: Place) -> None:
    """However large it is; nothing is behind the last one."""
    feed, results = place
    assert feed.first_from(1) is None
    for number in (3, 4, 70_000_000_001):
        results.put_manifest(number, b"{}")

    assert [feed.first_from(it) for it in (1, 3, 4, 5)] == [3, 3, 4, 70_000_000_001]
    assert feed.first_from(70_000_000_002) is None


def test_a_part_is_read_block_by_block(place: Place) -> None:
    """By where a block begins, and how long it is."""
    feed, results = place
    made = blocks_of([], [])
    for block, content in made:
        results.stage_block(PART, block, content)
    results.commit_part(PART, [block for block, _ in made], metadata={})

    start = 0
    for block, content in made:
        assert feed.block(PART, start, block.size) == content
        start += block.size


def test_a_part_that_is_gone_is_named(place: Place) -> None:
    """A rule of the account may have deleted it."""
    feed, _ = place

    with pytest.raises(PartUnreadable, match=f"part {PART} is gone"):
        feed.block(PART, 0, 10)


def test_a_part_that_ends_too_early_gives_what_there_is_of_the_block(place: Place) -> None:
    """Its digest tells."""
    feed, results = place
    made = blocks_of([])
    for block, content in made:
        results.stage_block(PART, block, content)
    results.commit_part(PART, [block for block, _ in made], metadata={})
    whole = b"".join(content for _, content in made)

    assert feed.block(PART, 5, 1_000) == whole[5:]
    assert feed.block(PART, len(whole), 10) == b""
