"""Clocks that are wrong, step or differ: what the scan covers, and when it stops."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.core.model import Answer
from shared.core.state.report import report_fields
from tests.fakes import DAY, HOUR, MINUTE, NOW, Reply, policy, status
from tests.world import World

START = NOW - 3 * HOUR
SETTLE = 10 * MINUTE
HOW = policy(sweeps=())


class Clocks:
    """A world whose storage and API keep the true time while the local clock may be wrong.

    Attributes:
        world: the scan's.
        storage: added to the true time by the storage service; None when it states no `Date`.
        api: the same for the API.
    """

    def __init__(self, *, wrong: int = 0, storage: int | None = 0, api: int | None = 0) -> None:
        self.world = World(range(START - DAY, NOW + DAY, 150_000), page=500)
        self.storage = storage
        self.api = api
        self.world.clock.wall += wrong
        self.world.ledgers.date = lambda: self._seen(self.storage)
        self.world.api.date = lambda: self._seen(self.api)
        self.world.api.latency = 500
        self._happened = self.world.api.truth
        self.world.api.always = self._only_the_past

    def time(self) -> int:
        """Return the true time."""
        return NOW + self.world.clock.elapsed()

    def set_right(self) -> None:
        """Set the local clock."""
        self.world.clock.wall = self.time()

    def live(self, hours: float, **changes: Any) -> Iterator[str]:
        """Run every five minutes; yield the outcomes."""
        for _ in range(int(hours * 12)):
            yield self.world.run(policy(**{"sweeps": (), **changes}))
            self.world.clock.advance(5 * MINUTE - self.world.clock.elapsed() % (5 * MINUTE))

    def steps(self, by: int, *, at: int = 1) -> None:
        """Make the local clock step while the API answers that request of the next run."""
        number = len(self.world.api.asked) + at

        def step(_asked: dict[str, Any]) -> Reply | None:
            if len(self.world.api.asked) == number:
                self.world.clock.wall += by
            return self._only_the_past(_asked)

        self.world.api.always = step

    def assert_honest(self) -> None:
        """Assert that covered time has settled and is stored, and nothing is lost or in doubt."""
        value = self.world.ledgers.value()
        assert (value["lost"], value["doubt"]) == ([], [])
        stored = {record["timestamp"] for record in self.world.followed()}
        for start, end in value["coverage"]["first"]:
            assert end <= self.time() - SETTLE
            assert {at for at in self._happened if start <= at < end} <= stored

    def lag(self) -> int:
        """Return how old the end of the newest coverage is."""
        covered = self.world.ledgers.value()["coverage"]["first"]
        return self.time() - covered[-1][1] if covered else DAY

    def _seen(self, offset: int | None) -> int | None:
        return None if offset is None else self.time() + offset

    def _only_the_past(self, _asked: dict[str, Any]) -> Reply | None:
        now = self.time()
        self.world.api.truth = [at for at in self._happened if at + 200_000 <= now]
        return None


@pytest.mark.parametrize("step", [HOUR, 9 * DAY, -HOUR, 2 * MINUTE])
@pytest.mark.parametrize("lanes", [1, 3])
def test_a_clock_that_steps_in_a_run_does_not_complete_the_future(step: int, lanes: int) -> None:
    """The run keeps its own time and ends; the next one claims with the new time."""
    clocks = Clocks()
    clocks.steps(step)

    outcome = clocks.world.run(policy(sweeps=(), concurrency=lanes))

    assert outcome == "clocks differ"
    assert len(clocks.world.api.asked) <= lanes
    assert "stepped" in clocks.world.tally.warnings[0]
    clocks.assert_honest()
    clocks.set_right()
    assert set(clocks.live(1)) <= {"idle", "waiting"}
    clocks.assert_honest()
    assert clocks.lag() < 20 * MINUTE


def test_a_step_of_seconds_changes_nothing() -> None:
    """Every day, clocks are corrected by that much."""
    clocks = Clocks()
    clocks.steps(50_000)

    assert clocks.world.run(HOW) == "idle"

    clocks.assert_honest()


def test_a_clock_that_steps_does_not_credit_a_sweep() -> None:
    """A look that seems to begin days later would otherwise count as every sweep."""
    clocks = Clocks()
    clocks.steps(9 * DAY)
    how = policy(sweeps=(("sweep-24h", DAY), ("sweep-8d", 8 * DAY)))

    clocks.world.run(how)

    assert set(clocks.world.ledgers.value()["coverage"]) == {"first"}


@pytest.mark.parametrize("storage", [0, None])
@pytest.mark.parametrize("wrong", [31 * DAY, 9 * DAY, -9 * DAY])
def test_a_clock_that_is_days_wrong_loses_nothing(wrong: int, storage: int | None) -> None:
    """This includes the very first run: the origin follows the clock that proves right."""
    clocks = Clocks(wrong=wrong, storage=storage)

    list(clocks.live(1))

    clocks.assert_honest()
    clocks.set_right()
    list(clocks.live(2 if wrong > 0 else 5))
    value = clocks.world.ledgers.value()
    stored = {record["timestamp"] for record in clocks.world.followed()}
    reached = max(value["origin"], clocks.time() - 30 * DAY)
    assert {at for at in clocks.world.api.truth if reached <= at < clocks.time() - HOUR} <= stored
    assert value["origin"] <= START + HOUR


@pytest.mark.parametrize("behind", [2 * DAY, -2 * DAY, 30 * DAY, -40 * DAY])
def test_a_date_more_than_a_day_away_ends_the_run_and_touches_no_slice(behind: int) -> None:
    """By one of the two clocks everything has settled or is past the API's reach."""
    clocks = Clocks()
    clocks.world.api.latency = 30_000
    clocks.world.run(policy(sweeps=(), budget=61_000))
    clocks.world.clock.advance(5 * MINUTE)
    before = clocks.world.ledgers.value()
    asked = len(clocks.world.api.asked)
    clocks.api = -behind

    outcomes = {clocks.world.run(policy(sweeps=(), concurrency=3)) for _ in range(4)}

    value = clocks.world.ledgers.value()
    assert outcomes == {"clocks differ"}
    assert len(clocks.world.api.asked) - asked <= 12
    assert [value[name] for name in ("open", "coverage", "lost", "doubt", "api_clock")] == [
        before[name] for name in ("open", "coverage", "lost", "doubt", "api_clock")
    ]
    fields = report_fields(clocks.world.tally, HOW, "clocks differ", duration=1)
    assert fields["api_clock_skew_seconds"] == pytest.approx(-behind / 1000, abs=31)
    assert any("more than a day" in it for it in fields["warnings"])
    clocks.api = 0
    list(clocks.live(1))
    clocks.assert_honest()
    assert clocks.lag() < 20 * MINUTE


@pytest.mark.parametrize("answer", [status(503), status(429), status(401), status(400)])
def test_the_date_of_any_answer_counts(answer: Answer) -> None:
    """A wrong clock causes other faults, too, such as refused tokens."""
    clocks = Clocks()
    dated = Answer(status=answer.status, body=b"", date=NOW - 3 * DAY)
    clocks.world.api.always = lambda _: dated

    assert clocks.world.run(HOW) == "clocks differ"

    assert clocks.world.ledgers.value()["open"] == []


@pytest.mark.parametrize("behind", [MINUTE, 3 * MINUTE, 10 * MINUTE, HOUR, 12 * HOUR])
def test_time_settles_by_the_api_s_clock_when_that_is_behind(behind: int) -> None:
    """The newest activities are scanned that much later, and no request is wasted on them."""
    clocks = Clocks(api=-behind)

    list(clocks.live(3))
    asked = len(clocks.world.api.asked)
    list(clocks.live(6))

    clocks.assert_honest()
    for content in clocks.world.results.manifests.values():
        manifest = json.loads(content)
        assert manifest["end"] <= manifest["requests"]["last"] - behind - SETTLE
    assert behind < clocks.lag() - SETTLE <= behind + (70 if behind >= HOUR else 10) * MINUTE
    assert len(clocks.world.api.asked) - asked <= 6 * 12


@pytest.mark.parametrize("ahead", [MINUTE, HOUR, 12 * HOUR])
def test_an_api_clock_that_is_ahead_changes_nothing(ahead: int) -> None:
    """Time settles by the earlier clock."""
    clocks = Clocks(api=ahead)

    list(clocks.live(3))

    clocks.assert_honest()
    assert clocks.lag() <= SETTLE + 10 * MINUTE


def test_the_reach_ends_by_the_later_clock() -> None:
    """The API stops showing activities by its own clock."""
    clocks = Clocks(api=12 * HOUR)

    list(clocks.live(0.1, lookback=30 * DAY - 8 * HOUR, budget=540_000))

    edge = clocks.time() + 12 * HOUR - 30 * DAY + 2 * HOUR
    manifests = [json.loads(it) for it in clocks.world.results.manifests.values()]
    lost = max(it["end"] for it in manifests if it["lost"])
    assert 0 <= edge - lost <= 20 * MINUTE


def test_an_offset_left_by_a_wrong_clock_holds_nothing_up() -> None:
    """Only an answer corrects it, so a request is sent regardless."""
    clocks = Clocks(wrong=10 * HOUR, storage=None)
    list(clocks.live(0.2))
    clocks.set_right()

    list(clocks.live(0.5))

    clocks.assert_honest()
    assert clocks.lag() <= SETTLE + 10 * MINUTE


def test_neither_storage_nor_api_needs_to_state_a_date() -> None:
    """The local clock at the claim is then the run's time."""
    clocks = Clocks(storage=None, api=None)

    list(clocks.live(1))

    clocks.assert_honest()
    assert clocks.lag() <= SETTLE + 10 * MINUTE
    assert clocks.world.ledgers.value()["api_clock"] is None


def test_every_answer_counts_as_the_slice_s_last() -> None:
    """Even an answer that is not a page shows how long the API still reached the slice."""
    clocks = Clocks()
    clocks.world.api.always = lambda _: Answer(status=503, body=b"", date=clocks.time() + MINUTE)

    clocks.world.run(HOW)

    assert {it["last_answer"] for it in clocks.world.ledgers.value()["open"]} == {
        NOW + MINUTE + 500 * number for number in (1, 2, 3)
    }
