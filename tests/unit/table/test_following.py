"""Following the feed: each activity once, whatever happens in between."""

import json
from collections import Counter
from contextlib import suppress
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import PartUnreadable
from shared.table import following
from shared.table.feed import Feed
from shared.table.following import Appended, Follower, last_manifests, next_commit
from tests.fakes import HOUR, NOW, InMemoryResults, policy
from tests.tables import InMemoryFeed, InMemoryTable
from tests.world import World


def scanned() -> World:
    """Return a world whose feed has several parts."""
    world = World([NOW - 6 * HOUR + 60_000 * n for n in range(300)], page=20)
    world.run_until_idle(policy(lookback=7 * HOUR))
    return world


def caught_up(results: InMemoryResults, table: InMemoryTable) -> list[Appended]:
    """Let a table follow to the end; return its commits."""
    return list(Follower(Feed(InMemoryFeed(results), "all"), table).commits())


def assert_complete(table: InMemoryTable, world: World) -> None:
    """Assert that the table has each activity of the feed once."""
    assert Counter(it.record for it in table.rows) == Counter(
        json.dumps(it) for it in world.followed()
    )


def test_a_table_has_each_activity_of_the_feed_once() -> None:
    """With the manifest that brought it; a second look appends nothing."""
    world, table = scanned(), InMemoryTable()

    (commit,) = caught_up(world.results, table)

    assert_complete(table, world)
    assert commit == Appended(first=1, through=max(world.results.manifests), rows=300)
    assert {it.manifest for it in table.rows} <= set(world.results.manifests)
    assert caught_up(world.results, table) == []


def test_commits_are_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """They follow one another without a gap."""
    world, table = scanned(), InMemoryTable()
    monkeypatch.setattr(following, "BYTES_MOST", 10_000)

    commits = caught_up(world.results, table)

    assert len(commits) > 3
    assert all(before.through + 1 == then.first for before, then in pairwise(commits))
    assert_complete(table, world)


def test_a_manifest_larger_than_a_commit_is_one_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the table would never get past it."""
    world, table = scanned(), InMemoryTable()
    monkeypatch.setattr(following, "BYTES_MOST", 1)

    commits = caught_up(world.results, table)

    assert sum(it.rows > 0 for it in commits) == len(world.results.parts)
    assert_complete(table, world)


def test_a_commit_has_a_bounded_number_of_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many slices of a small tenant are empty."""
    world = scanned()
    monkeypatch.setattr(following, "MANIFESTS_MOST", 2)
    feed = Feed(InMemoryFeed(world.results), "all")

    assert [it.number for it in next_commit(feed.after(1))] == [2, 3]


def test_of_two_writers_at_once_the_slower_begins_again() -> None:
    """Its rows are refused as a whole."""
    world, table = scanned(), InMemoryTable()
    others: list[Appended] = []

    def other_writer() -> None:
        table.meanwhile = lambda: None
        others.extend(caught_up(world.results, table))

    table.meanwhile = other_writer
    mine = caught_up(world.results, table)

    assert (len(mine), len(others)) == (0, 1)
    assert_complete(table, world)


def test_a_part_that_is_gone_stops_the_table_before_it_appends_anything_of_it() -> None:
    """Once it is back, nothing is missing."""
    world, table = scanned(), InMemoryTable()
    name = max(world.results.parts)
    content = world.results.parts.pop(name)

    with pytest.raises(PartUnreadable, match=name):
        caught_up(world.results, table)
    assert table.rows == []

    world.results.parts[name] = content
    caught_up(world.results, table)
    assert_complete(table, world)


def test_a_look_that_finds_nothing_new_opens_the_table_once() -> None:
    """Opening it takes several requests, and most looks find nothing."""
    world, table = scanned(), InMemoryTable()
    caught_up(world.results, table)
    follower = Follower(Feed(InMemoryFeed(world.results), "all"), table)
    before = table.opened

    assert list(follower.commits()) == []
    assert follower.through == max(world.results.manifests)
    assert table.opened == before + 1


def test_the_manifest_that_says_what_is_final_is_the_last_in_the_table() -> None:
    """A scan of which nothing is in the table yet, or whose manifest is gone, says nothing."""
    world, table = scanned(), InMemoryTable()
    feed = Feed(InMemoryFeed(world.results), "all")
    caught_up, new = Follower(feed, table), Follower(feed, table)
    list(caught_up.commits())

    (last,) = last_manifests([caught_up, new])
    assert last.number == caught_up.through > 0

    del world.results.manifests[caught_up.through]
    assert last_manifests([caught_up]) == []


class Killed(BaseException):
    """The process ends here."""


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=6))
def test_killed_anywhere_and_started_again_each_activity_is_in_the_table_once(
    looks: list[tuple[int, bool]],
) -> None:
    """While the scan goes on, too: each look sees more of the feed."""
    world, table = scanned_once(), InMemoryTable()

    def killed() -> None:
        raise Killed

    for last, is_killed in [*sorted(looks), (len(world.results.manifests), False)]:
        seen = InMemoryResults()
        seen.parts = world.results.parts
        seen.manifests = {n: it for n, it in world.results.manifests.items() if n <= last}
        table.meanwhile = killed if is_killed else lambda: None
        with suppress(Killed):
            caught_up(seen, table)

    assert_complete(table, world)


@cache
def scanned_once() -> World:
    """Return a world that no test changes."""
    return scanned()
