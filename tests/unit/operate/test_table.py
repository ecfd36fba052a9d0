"""What the command `table` says about what it does."""

import pytest

from shared.core.errors import TableUnavailable
from shared.core.model import DAY_MS
from shared.operate.table import (
    UPKEEP_MS,
    Followed,
    described,
    follow_shown,
    keep_shown,
)
from shared.table import following
from shared.table.feed import Feed
from shared.table.following import Follower
from shared.table.keeping import Kept
from tests.contracts.test_table import row
from tests.displays import Said
from tests.fakes import HOUR, NOW, FakeClock
from tests.tables import InMemoryFeed, InMemoryTable
from tests.unit.table.test_upkeep import SETTLED
from tests.world import World

TODAY = NOW // DAY_MS


def following_in(world: World, table: InMemoryTable) -> Follower:
    """Return what lets a table follow the feed of a world."""
    return Follower(Feed(InMemoryFeed(world.results), "all"), table)


def test_each_commit_is_shown_and_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line is the result."""
    world = World([NOW - 3 * HOUR + 60_000 * n for n in range(150)], page=20)
    world.run_until_idle()
    monkeypatch.setattr(following, "BYTES_MOST", 1)
    table, shown = InMemoryTable(), Said()

    done = follow_shown(following_in(world, table), shown)

    assert done.commits == len(shown.lines) == len(table.commits) > 1
    assert (done.rows, done.through) == (len(table.rows), table.commits[-1])
    assert shown.lines[-1] == str(done)


def test_a_table_that_has_everything_says_how_far_it_goes() -> None:
    """Nothing is appended."""
    world, table = World([NOW - 3 * HOUR]), InMemoryTable()
    world.run_until_idle()
    first = follow_shown(following_in(world, table), Said())

    again = follow_shown(following_in(world, table), Said())

    assert again == Followed(scan="all", through=first.through)
    assert str(again) == f"all: 0 rows appended in 0 commits, up to manifest {first.through}"


def scattered(*days: int) -> InMemoryTable:
    """Return a table with two files of each of these days."""
    table = InMemoryTable()
    for number in (1, 2):
        table.commit(number, [row(f"{day}-{number}", day) for day in days])
    return table


def test_each_step_of_upkeep_is_shown() -> None:
    """The last line is the result."""
    shown = Said()

    kept = keep_shown(scattered(TODAY - 2, TODAY - 1), [SETTLED], shown, FakeClock(NOW))

    assert kept == Kept(days=2, merged=4)
    assert shown.lines[0] == "upkeep: 2 files of 1 day merged"
    assert shown.lines[-1] == described(kept) == "upkeep: 4 files of 2 days merged"


def test_no_step_of_upkeep_begins_after_its_time() -> None:
    """New activities wait meanwhile."""
    table, clock = scattered(TODAY - 2, TODAY - 1), FakeClock(NOW)
    table.meanwhile = lambda: clock.advance(UPKEEP_MS)

    kept = keep_shown(table, [SETTLED], Said(), clock)

    assert kept == Kept(days=1, merged=2, left=True)


def test_the_result_of_upkeep_names_what_has_changed() -> None:
    """And whether something is left."""
    kept = Kept(deleted=1, days=1, merged=288, removed=1_000, left=True)

    assert described(kept) == (
        "upkeep: 1 row deleted, 288 files of 1 day merged, 1,000 old files removed, "
        "the rest is left for the next call"
    )
    assert described(Kept()) == "upkeep: nothing to change"


def test_upkeep_that_fails_is_an_error_and_the_rows_stay() -> None:
    """They were appended before."""
    table = scattered(TODAY - 1)

    def fails() -> None:
        raise TableUnavailable("no right to delete")

    table.meanwhile = fails

    with pytest.raises(TableUnavailable, match="no right to delete"):
        keep_shown(table, [SETTLED], Said(), FakeClock(NOW))
    assert len(table.rows) == 2
