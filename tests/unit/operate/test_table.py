"""What the command `table` says about what it does."""

import pytest

from shared.operate.table import Followed, follow_shown
from shared.table import following
from shared.table.feed import Feed
from tests.displays import Said
from tests.fakes import HOUR, NOW
from tests.tables import InMemoryFeed, InMemoryTable
from tests.world import World


def test_each_commit_is_shown_and_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line is the result."""
    world = World([NOW - 3 * HOUR + 60_000 * n for n in range(150)], page=20)
    world.run_until_idle()
    monkeypatch.setattr(following, "BYTES_MOST", 1)
    feed, table, shown = Feed(InMemoryFeed(world.results), "all"), InMemoryTable(), Said()

    done = follow_shown(feed, table, shown)

    assert done.commits == len(shown.lines) == len(table.commits) > 1
    assert (done.rows, done.through) == (len(table.rows), table.commits[-1])
    assert shown.lines[-1] == str(done)


def test_a_table_that_has_everything_says_how_far_it_goes() -> None:
    """Nothing is appended."""
    world, table = World([NOW - 3 * HOUR]), InMemoryTable()
    world.run_until_idle()
    feed = Feed(InMemoryFeed(world.results), "all")
    first = follow_shown(feed, table, Said())

    again = follow_shown(feed, table, Said())

    assert again == Followed(scan="all", through=first.through)
    assert str(again) == f"all: 0 rows appended in 0 commits, up to manifest {first.through}"
