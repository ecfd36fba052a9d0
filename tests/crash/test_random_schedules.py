"""Any schedule of faults, kills, suspensions and clock steps that ends leaves the whole truth."""

import json
import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.errors import TokenRefused
from shared.core.intervals import Intervals, merge, subtract
from shared.core.model import Answer, NoAnswer, Policy
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, FakeApi, Reply, page_of, policy, status
from tests.sampling import examples
from tests.world import World

ORIGIN = NOW - 3 * HOUR

REPLIES: list[Reply] = [
    status(500),
    status(401),
    status(429),
    status(429, retry_after="7"),
    status(429, retry_after="0"),
    status(503, retry_after="120"),
    Answer(status=500, body=b'{"detail":"\xe8"}'),
    Answer(status=200, body=b"[" * 5_000),
    OverflowError("nobody expected it"),
    NoAnswer(kind="timeout", detail="120 s"),
    NoAnswer(kind="connection", detail="reset"),
    Answer(status=200, body=b'{"data":[{"_id":"a"'),
    page_of({"hasNext": False, "total": 7}),
    page_of({"data": None, "hasNext": False}),
    page_of({"data": [None], "hasNext": False}),
    page_of({"data": [], "hasNext": True}),
    page_of({"data": [], "hasNext": False, "total": 7}),
]


class OddApi(FakeApi):
    """The fake API with some records in odd forms, always the same ones.

    Attributes:
        nulls: how many of a hundred activities are shown as null.
        unplaced: how many of a hundred have no usable timestamp.
    """

    nulls = 0
    unplaced = 0

    def _select(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = super()._select(body)
        return {**answer, "data": [self._shown(record) for record in answer["data"]]}

    def _shown(self, record: dict[str, Any]) -> dict[str, Any] | None:
        drawn = crc32(record["_id"].encode()) % 100
        if drawn < self.nulls:
            return None
        is_odd = drawn >= 100 - self.unplaced
        return {**record, "timestamp": str(record["timestamp"])} if is_odd else record


class Schedule:
    """One random history of a scan.

    Attributes:
        world: the scan.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        page = rng.choice([5, 9, 40])
        self.world = World([])
        api = OddApi(_truth(rng, page), clock=self.world.clock, page=page)
        api.nulls, api.unplaced = rng.choice([0, 0, 10]), rng.choice([0, 30, 100])
        api.renewable = True
        self.poison = ORIGIN + rng.randrange(3 * HOUR)
        self.offset = rng.choice([None, 0, 0, -3 * MINUTE, 3 * MINUTE, -20 * MINUTE])
        self.steps = 0.01
        api.date = self.date
        self.world.source = self.world.api = api

    def policy(self) -> Policy:
        """Return one of the policies between which an operator may switch from run to run."""
        direction: Literal["asc", "desc"] = self.rng.choice(["asc", "desc"])
        return policy(
            direction=direction,
            concurrency=self.rng.choice([1, 1, 3, 6]),
            slice_length=self.rng.choice([1, 5, 10, 30]) * MINUTE,
            budget=self.rng.choice([10_000, 60_000, 240_000]),
            requests_per_minute=self.rng.choice([5, 25, 1000]),
        )

    def date(self) -> int | None:
        """Return what the API's clock shows; it may be minutes off."""
        return None if self.offset is None else self.world.clock.now() + self.offset

    def answer(self, asked: dict[str, Any], share: float, *, poisoned: bool) -> Reply | None:
        """Return a fault occasionally and for poisoned seconds; the clock may step meanwhile."""
        if self.rng.random() < self.steps:
            self.world.clock.wall += self.rng.choice([-HOUR, HOUR, 2 * MINUTE, -30_000])
        bounds = asked["filters"]["date"]
        if poisoned and bounds["gte"] <= self.poison <= bounds["lte"]:
            return Answer(status=200, body=b"<html>")
        return self.rng.choice(REPLIES) if self.rng.random() < share else None

    def disturbed_run(self) -> None:
        """Run once among faults; the process may die or be overtaken at any side effect."""
        rng, world = self.rng, self.world
        share = rng.choice([0, 0, 0.2, 0.6])
        world.api.latency = rng.choice([0, 0, 500, 4_000, 30_000])
        poisoned = rng.random() < 0.3
        world.api.always = lambda asked: self.answer(asked, share, poisoned=poisoned)
        meanwhile = self.overtake if rng.random() < 0.5 else None
        how = rng.choice(["before", "after"])
        world.share(Effects(at=rng.randrange(0, 30), how=how, meanwhile=meanwhile))
        with suppress(Crash, TokenRefused):
            world.run(self.policy())

    def overtake(self) -> None:
        """Run once more, in the middle of a run."""
        self.world.clock.advance(self.rng.choice([1_000, 300_000]))
        with suppress(TokenRefused):
            self.world.run(self.policy())

    def pass_time(self) -> None:
        """Let time pass; occasionally the clock steps or the service drops staged blocks."""
        self.world.clock.advance(self.rng.choice([0, 1_000, 300_000, 300_000, HOUR]))
        if self.rng.random() < 0.1:
            self.world.clock.wall += self.rng.choice([-HOUR, HOUR, -10 * MINUTE])
        if self.rng.random() < 0.05:
            self.world.results.staged.clear()

    def end(self) -> None:
        """Remove every disturbance and run until nothing is due."""
        world = self.world
        world.share(Effects())
        world.api.always = lambda _: None
        world.api.latency = 0
        self.offset = 0
        world.clock.wall = max(world.clock.wall, NOW) + 2 * HOUR
        world.run_until_idle(policy(concurrency=self.rng.choice([1, 3])), most=200)


def _truth(rng: random.Random, page: int) -> list[int]:
    """Return random instants, each millisecond with fewer than a page holds."""
    grain = rng.choice([1, 7, 1000])
    count = rng.choice([0, 1, 50, 300])
    drawn = [ORIGIN + rng.randrange(4 * HOUR) // grain * grain for _ in range(count)]
    crowded = Counter(drawn)
    return [at for at in drawn if crowded[at] < page - 1]


@settings(max_examples=examples(25, 1_000))
@given(seed=st.integers(0, 2**32))
def test_any_schedule_that_ends_leaves_the_whole_truth(seed: int) -> None:
    """Nothing is lost except in doubt, nothing is stored twice, and the chain is whole."""
    schedule = Schedule(random.Random(seed))
    for _ in range(schedule.rng.randrange(1, 25)):
        schedule.disturbed_run()
        schedule.pass_time()

    schedule.end()

    value = schedule.world.ledgers.value()
    ((start, end),) = value["coverage"]["first"]
    assert start == value["origin"]
    found = sorted(it["_id"] for it in schedule.world.followed())
    expected = {it["_id"]: it["timestamp"] for it in schedule.world.expected(start, end)}
    missing = [at for name, at in expected.items() if name not in found]
    assert len(found) == len(expected) - len(missing)
    assert {*found} <= {*expected}
    assert all(any(it["start"] <= at < it["end"] for it in value["doubt"]) for at in missing)


class Overloaded(Schedule):
    """A history of a scan with too few requests, whose API reaches six hours back."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.offset, self.steps = None, 0.0  # Its oracle reads the local clock.
        self.world = World(range(ORIGIN, NOW + 12 * HOUR, 60_000), page=5)
        self.world.api.renewable = True

    def policy(self) -> Policy:
        """Return a policy with a reach of hours and a few requests a minute."""
        few = self.rng.choice([1, 2, 4])
        return replace(super().policy(), reach=6 * HOUR, sweeps=(), requests_per_minute=few)

    def pass_time(self) -> None:
        """Let minutes pass, or an outage of hours."""
        self.world.clock.advance(self.rng.choice([0, 300_000, 300_000, HOUR, 3 * HOUR]))

    def end(self) -> None:
        """Remove every disturbance and run until nothing is due."""
        world = self.world
        world.share(Effects())
        world.api.always = lambda _: None
        world.api.latency = 0
        world.clock.advance(HOUR)
        world.run_until_idle(policy(reach=6 * HOUR, sweeps=()), most=200)

    def told(self) -> tuple[Intervals, Intervals]:
        """Return what the manifests declare lost, and what they put in doubt."""
        manifests = [json.loads(it) for it in self.world.results.manifests.values()]
        lost = merge((it["start"], it["end"]) for it in manifests if it["lost"])
        return lost, merge((it["start"], it["end"]) for m in manifests for it in m["doubt"])


@settings(max_examples=examples(10, 400))
@given(seed=st.integers(0, 2**32))
def test_any_schedule_of_an_overloaded_scan_loses_only_what_it_declares(seed: int) -> None:
    """Lost time had passed the reach, and all that has passed it is covered or lost."""
    schedule = Overloaded(random.Random(seed))
    for _ in range(schedule.rng.randrange(1, 25)):
        schedule.disturbed_run()
        lost, _ = schedule.told()
        assert all(end <= schedule.world.clock.now() - 4 * HOUR for _, end in lost)
        schedule.pass_time()

    schedule.end()

    value, (lost, doubt) = schedule.world.ledgers.value(), schedule.told()
    covered = [(start, end) for start, end in value["coverage"]["first"]]
    begin, end = value["settled_until"], covered[-1][1]
    undecided = list(subtract((begin, end), merge([*covered, *lost])))
    passed = schedule.world.clock.now() - 4 * HOUR - 10 * MINUTE
    assert all(start >= passed for start, _ in undecided)
    excused = [*lost, *doubt, *undecided]
    schedule.world.assert_complete(value["origin"], end, excused=excused)
