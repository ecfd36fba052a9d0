"""One run of the table's app: scans take turns, time is bounded, and one line reports it."""

import json
import logging
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from shared.core.errors import FeedBroken, StoreUnavailable
from shared.core.model import DAY_MS
from shared.table import following
from shared.table.feed import Feed
from shared.table.following import Follower
from shared.table.report import Tally
from shared.table.running import Job, report, run
from shared.table.upkeep import COMPACT_EVERY_MS
from tests.contracts.test_table import row
from tests.fakes import HOUR, NOW, FakeClock, policy
from tests.tables import InMemoryFeed, InMemoryHandle, InMemoryTable
from tests.world import World

MINUTE = 60_000


def scanned(count: int = 200) -> World:
    """Return a world whose feed has several parts."""
    world = World([NOW - 6 * HOUR + MINUTE * n for n in range(count)], page=20)
    world.run_until_idle(policy(lookback=7 * HOUR))
    return world


def follower(world: World, table: InMemoryTable) -> Follower:
    """Return what lets a table follow the feed of a world."""
    return Follower(Feed(InMemoryFeed(world.results), "all"), table)


def job(*followers: Follower, clock: FakeClock | None = None, **given: Any) -> Job:
    """Return a run with these followers; the upkeep is of the first one's table."""
    table = followers[0].table
    assert isinstance(table, InMemoryTable)
    usual: dict[str, Any] = {"budget": 8 * MINUTE, "upkeep": table}
    return Job(followers=followers, clock=clock or FakeClock(NOW), **(usual | given))


def ran(given: Job) -> Tally:
    """Do a run, and return what it came to."""
    tally = Tally(run="r")
    run(given, tally)
    return tally


def reported(tally: Tally, now: int = NOW, alert: int = HOUR) -> dict[str, Any]:
    """Return the report line of a run, decoded."""
    line = report(tally, FakeClock(now), started=0, past_due=False, behind_alert=alert)
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_run_appends_everything_and_says_so() -> None:
    """The next one finds nothing to do."""
    world, table = scanned(), InMemoryTable()

    tally = ran(job(follower(world, table)))

    assert Counter(it.record for it in table.rows) == Counter(map(json.dumps, world.followed()))
    line = reported(tally)
    assert (line["event"], line["outcome"], line["run"]) == ("table", "idle", "r")
    assert (line["rows"], line["commits"], line["behind_seconds"]) == (200, 1, 0)
    last = max(world.results.manifests)
    assert line["scans"] == [{"scan": "all", "manifest": last, "rows": 200, "behind_seconds": 0}]

    again = reported(ran(job(follower(world, table))))
    assert (again["outcome"], again["rows"], again["commits"]) == ("idle", 0, 0)


def test_scans_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backlog of one does not keep the others waiting."""
    monkeypatch.setattr(following, "BYTES_MOST", 1)
    large, small, commits = InMemoryTable(), InMemoryTable(), list[str]()
    large.meanwhile = lambda: commits.append("large")
    small.meanwhile = lambda: commits.append("small")

    ran(job(follower(scanned(), large), follower(scanned(40), small)))

    assert commits[:4] == ["large", "small"] * 2
    assert commits[-1] == "large"


def test_no_commit_begins_after_the_time_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report says how old the oldest activities are that still wait; the next run goes on."""
    monkeypatch.setattr(following, "BYTES_MOST", 1)
    world, table, clock = scanned(), InMemoryTable(), FakeClock(NOW)
    table.meanwhile = lambda: clock.advance(3 * MINUTE)

    tally = ran(job(follower(world, table), clock=clock))

    assert len(table.commits) == 3
    (progress,) = tally.progress
    oldest = json.loads(world.results.manifests[progress.manifest + 1])["made"]
    line = reported(tally, oldest + 30 * MINUTE)
    assert (line["outcome"], line["behind_seconds"]) == ("out-of-time", 1_800)
    assert line["attention"] == []

    table.meanwhile = lambda: None
    assert reported(ran(job(follower(world, table))))["outcome"] == "idle"
    assert len(table.rows) == 200


def test_a_run_that_ends_in_time_with_the_feed_is_idle() -> None:
    """The last commit may take the rest of the time; upkeep waits for the next run."""
    world, table, clock = scanned(), InMemoryTable(), FakeClock(NOW)
    table.meanwhile = lambda: clock.advance(9 * MINUTE)

    line = reported(ran(job(follower(world, table), clock=clock)))

    assert (line["rows"], line["behind_seconds"]) == (200, 0)


def test_a_table_that_is_behind_needs_a_person() -> None:
    """Once it is further behind than the limit; the line says since when, and what to do."""
    world, table = scanned(), InMemoryTable()
    tally = ran(job(follower(world, table), budget=0))
    made = json.loads(world.results.manifests[1])["made"]

    assert reported(tally, made + HOUR)["attention"] == []
    line = reported(tally, made + HOUR + 1)

    assert line["attention"] == [
        {
            "kind": "behind",
            "severity": 2,
            "since": made,
            "text": "the table is 60 minutes behind the feed of scan all: manifest 1 is not in it",
            "help": "docs/table.md#behind-the-feed",
        }
    ]
    assert line["warnings"] == [line["attention"][0]["text"]]


def test_several_scans_that_are_behind_are_one_entry() -> None:
    """It names the one that is furthest behind."""
    scans = [follower(scanned(), InMemoryTable()) for _ in range(3)]

    (entry,) = reported(ran(job(*scans, budget=0)), NOW + HOUR + MINUTE)["attention"]

    assert "of scan all, and 2 more scans:" in entry["text"]


def test_a_scan_whose_feed_is_broken_does_not_stop_the_others() -> None:
    """The run fails; its report says which scan, why, and how far that one is behind."""
    broken, whole, table = scanned(), scanned(), InMemoryTable()
    del broken.results.manifests[2]

    tally = ran(job(follower(broken, InMemoryTable()), follower(whole, table)))

    assert len(table.rows) == 200
    line = reported(tally, NOW + HOUR)
    assert (line["outcome"], line["error"]) == ("failed", "FeedBroken")
    assert line["help"] == "docs/table.md#the-table-does-not-go-on"
    assert "manifest 2 does not exist" in line["message"] == line["scans"][0]["message"]
    assert line["scans"][0]["behind_seconds"] >= 3_600
    assert "message" not in line["scans"][1]


def test_behind_a_gap_it_is_unknown_since_when_the_table_waits() -> None:
    """What is missing says nothing."""
    world, table = scanned(), InMemoryTable()
    del world.results.manifests[1]

    line = reported(ran(job(follower(world, table))))

    assert (line["outcome"], line["error"]) == ("failed", "FeedBroken")
    assert line["behind_seconds"] is None


class Unreachable(InMemoryTable):
    """A table whose storage cannot be reached."""

    def open(self) -> InMemoryHandle:
        """Fail."""
        raise StoreUnavailable("no route to host")


def test_a_table_that_cannot_be_opened_fails_the_run() -> None:
    """The feed is not asked, since the storage is the same."""
    line = reported(ran(job(follower(scanned(), Unreachable()))))

    assert (line["outcome"], line["error"]) == ("failed", "StoreUnavailable")
    assert (line["behind_seconds"], line["scans"][0]["manifest"]) == (None, 0)


def test_a_feed_that_breaks_during_the_last_look_fails_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The look says since when the table waits."""

    def breaks(*_: object) -> None:
        raise FeedBroken("altered")

    monkeypatch.setattr(Feed, "after", breaks)

    line = reported(ran(job(follower(scanned(), InMemoryTable()), budget=0)))

    assert (line["outcome"], line["error"]) == ("failed", "FeedBroken")


def test_of_two_writers_at_once_the_slower_takes_another_turn() -> None:
    """It finds that nothing is left."""
    world, table = scanned(), InMemoryTable()

    def other_writer() -> None:
        table.meanwhile = lambda: None
        list(follower(world, table).commits())

    table.meanwhile = other_writer
    line = reported(ran(job(follower(world, table))))

    assert (line["outcome"], line["rows"], len(table.rows)) == ("idle", 0, 200)


def scattered(world: World, clock: FakeClock) -> InMemoryTable:
    """Return a table that has all of a feed, and two files of a final day."""
    table = InMemoryTable()
    for number in (1, 2):
        table.commit(number, [row(f"old-{number}", NOW // DAY_MS - 400)])
    table.commit(max(world.results.manifests), [])
    assert clock.now() == NOW
    return table


def test_upkeep_follows_once_every_scan_is_at_the_end() -> None:
    """The report counts what it did."""
    world, clock = scanned(), FakeClock(NOW)
    table = scattered(world, clock)

    line = reported(ran(job(follower(world, table), clock=clock)))

    assert (line["merged_days"], line["merged_files"], line["upkeep_left"]) == (1, 2, False)
    assert (table.compacted, line["outcome"]) == (NOW, "idle")


def test_upkeep_begins_no_step_after_the_time_budget() -> None:
    """The next run does the rest."""
    world, clock = scanned(), FakeClock(NOW)
    table = scattered(world, clock)
    table.meanwhile = lambda: clock.advance(9 * MINUTE)

    line = reported(ran(job(follower(world, table), clock=clock)))

    assert (line["merged_days"], line["upkeep_left"]) == (1, True)
    assert line["outcome"] == "out-of-time"


def test_days_leave_the_table_if_the_run_is_told_to() -> None:
    """Activities without a date stay."""
    world, clock = scanned(), FakeClock(NOW)
    table = scattered(world, clock)
    table.compacted = NOW - COMPACT_EVERY_MS + 1

    line = reported(ran(job(follower(world, table), clock=clock, delete_after=30)))

    assert line["deleted_rows"] == 2


def test_upkeep_that_fails_fails_the_run_after_the_rows_were_appended() -> None:
    """The report has both."""
    world, clock = scanned(), FakeClock(NOW)
    table = scattered(world, clock)

    def fails() -> None:
        raise StoreUnavailable("no right to delete")

    table.meanwhile = fails

    line = reported(ran(job(follower(world, table), clock=clock)))

    assert (line["outcome"], line["message"]) == ("failed", "no right to delete")
    assert line["behind_seconds"] == 0


def raises(error: Exception) -> Callable[[], None]:
    """Return what raises this error."""

    def fails() -> None:
        raise error

    return fails


@pytest.mark.parametrize(
    ("meanwhile", "budget", "level", "traced"),
    [
        (lambda: None, MINUTE, logging.INFO, False),
        (lambda: None, 0, logging.WARNING, False),
        (raises(StoreUnavailable("x")), MINUTE, logging.ERROR, False),
        (raises(ZeroDivisionError("x")), MINUTE, logging.ERROR, True),
    ],
)
def test_the_level_of_the_line_says_how_the_run_ended(
    meanwhile: Callable[[], None],
    budget: int,
    level: int,
    traced: bool,  # noqa: FBT001 - a parameter of the cases
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error that nobody expected brings its traceback."""
    caplog.set_level(logging.INFO)
    table = InMemoryTable()
    table.meanwhile = meanwhile

    line = reported(ran(job(follower(scanned(), table), budget=budget)), NOW + 2 * HOUR)

    (record,) = [it for it in caplog.records if it.name == "activity_scan"]
    assert (json.loads(record.message), record.levelno) == (line, level)
    assert (record.exc_info is not None) == traced
    assert not traced or line["help"] == "docs/runbook.md#unexpected"
