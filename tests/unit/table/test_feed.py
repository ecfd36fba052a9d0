"""Reading the feed: nothing is used before it was checked."""

import json

import pytest

from shared.core.errors import FeedBroken, PartUnreadable
from shared.table.feed import Feed
from tests.fakes import HOUR, NOW, policy
from tests.tables import InMemoryFeed
from tests.world import World


def scanned() -> World:
    """Return a world whose feed has several parts of several pages."""
    world = World([NOW - 6 * HOUR + 60_000 * n for n in range(300)], page=20)
    world.run_until_idle(policy(lookback=7 * HOUR))
    return world


def feed_of(world: World) -> Feed:
    """Return the feed of a world."""
    return Feed(InMemoryFeed(world.results), "all")


def read(feed: Feed, after: int = 0) -> list[bytes]:
    """Return every record after a manifest, as stored."""
    return [
        record.line
        for manifest in feed.after(after)
        for batch in feed.batches(manifest)
        for record in batch
    ]


def test_every_record_is_read_once_and_block_by_block() -> None:
    """A part is never in memory as a whole."""
    world = scanned()
    feed = feed_of(world)

    lines = read(feed)

    assert [json.loads(it) for it in lines] == world.followed()
    assert len(lines) == 300
    assert isinstance(feed.store, InMemoryFeed)
    assert feed.store.blocks_read > len(world.results.parts)


def test_reading_goes_on_after_any_manifest() -> None:
    """The rest is what the whole feed has after it."""
    feed = feed_of(scanned())
    whole, last = read(feed), max(it.number for it in feed.after(0))

    for number in range(last + 1):
        rest = read(feed, number)
        assert rest == whole[len(whole) - len(rest) :]
    assert read(feed, last) == []


def test_a_gap_is_an_error_that_names_it() -> None:
    """Rows before the gap are not taken back, and nothing after it is read."""
    world = scanned()
    del world.results.manifests[3]

    with pytest.raises(FeedBroken, match=r"manifest 3 does not exist, but manifest 4 does"):
        read(feed_of(world))


def test_a_manifest_that_appears_between_two_looks_is_no_gap() -> None:
    """The scan may commit several while the reader looks for the next one."""
    world = scanned()
    feed = feed_of(world)
    store = InMemoryFeed(world.results)
    hidden = world.results.manifests.pop(1)

    class Late(InMemoryFeed):
        def first_from(self, number: int) -> int | None:
            self.results.manifests[1] = hidden
            return super().first_from(number)

    late = Feed(Late(store.results), feed.scan)
    assert len(read(late)) == 300


def test_a_manifest_that_was_replaced_is_an_error() -> None:
    """The next one carries the hash of what it followed."""
    world = scanned()
    value = json.loads(world.results.manifests[2])
    world.results.manifests[2] = json.dumps({**value, "made": value["made"] + 1}).encode()

    with pytest.raises(FeedBroken, match=r"manifest 3 .* does not follow the manifest before it"):
        read(feed_of(world))
    with pytest.raises(FeedBroken, match=r"manifest 3 .* does not follow the manifest before it"):
        read(feed_of(world), after=2)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"number": 9}, "says that it is manifest 9 of scan all"),
        ({"scan": "other"}, "says that it is manifest 1 of scan other"),
        ({"version": 2}, "format version 2"),
        ({"news": 1}, "cannot be read"),
    ],
)
def test_a_manifest_that_is_not_what_it_should_be_is_an_error(
    changes: dict[str, object], said: str
) -> None:
    """It names the manifest and what to do."""
    world = scanned()
    value = json.loads(world.results.manifests[1])
    world.results.manifests[1] = json.dumps({**value, **changes}).encode()

    with pytest.raises(FeedBroken, match=said):
        read(feed_of(world))


@pytest.mark.parametrize("place", [12, 200, -30])
def test_an_altered_part_is_an_error_before_any_of_its_block_is_used(place: int) -> None:
    """Raw deflate would often unpack to other bytes without one."""
    world = scanned()
    name = min(world.results.parts)
    content = bytearray(world.results.parts[name])
    content[place] ^= 1
    world.results.parts[name] = bytes(content)

    with pytest.raises(FeedBroken, match=f"{name} has other bytes than its manifest says"):
        read(feed_of(world))


def test_a_part_that_is_gone_is_an_error() -> None:
    """It is named."""
    world = scanned()
    name = min(world.results.parts)
    del world.results.parts[name]

    with pytest.raises(PartUnreadable, match=name):
        read(feed_of(world))
