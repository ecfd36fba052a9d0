"""A scan's whole life at random, against a plain model: the truth is a list of activities."""

import json
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal, get_args

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.core.errors import LeverRefused, SourceRefused
from shared.core.intervals import Intervals, holds, intersect, merge
from shared.core.model import POISONED, Answer, Ledger, NoAnswer, Policy
from shared.core.passes import is_partial, sweep_age
from shared.core.slices.traversal import CROWDED, NULLS
from shared.core.state import levers
from shared.core.state.decisions import Order
from simulator import Identity, Switches, Tenant
from simulator.switches import Dense, EmptyData, Sorts, TailDrop
from tests.excuses import SECOND, Troubles, told
from tests.fakes import DAY, HOUR, MINUTE, NOW, Crash, Effects, Reply, page_of, policy, status
from tests.pulling import assert_proven, pull
from tests.sampling import examples
from tests.simulated import SimulatedApi
from tests.world import World

SWEEPS = (("sweep-2h", 2 * HOUR), ("sweep-6h", 6 * HOUR))
LAST_AGE = 6 * HOUR
"""The age of the last sweep at the end of a life."""

ORIGIN = NOW - 2 * HOUR
BUDGET = 60_000
STEP_MOST = 30_000
"""No answer of this API takes longer, so no run outlives its budget by more."""

FAULTS: dict[str, Reply] = {
    "500": status(500),
    "401": status(401),
    "throttle": status(429, retry_after="20"),
    "throttle of 0 s": status(429, retry_after="0"),
    "not accepted": status(400, '{"detail":"no"}'),
    "not UTF-8": Answer(status=503, body=b'{"detail":"\xe8"}'),
    "nested deeply": Answer(status=200, body=b"[" * 5_000),
    "timeout": NoAnswer(kind="timeout", detail="30 s"),
    "cut": Answer(status=200, body=b'{"data":[{"_id":"a"'),
    "null record": page_of({"data": [None], "hasNext": False}),
    "no continuation": page_of({"data": [], "hasNext": True}),
    "contradiction": page_of({"data": [], "hasNext": False, "total": 7}),
}

POLICIES: dict[str, Policy] = {
    "one lane": policy(lookback=2 * HOUR, sweeps=SWEEPS, budget=BUDGET),
    "three lanes, desc": policy(
        lookback=2 * HOUR, sweeps=SWEEPS, budget=BUDGET, concurrency=3, direction="desc"
    ),
    "long slices": policy(lookback=2 * HOUR, sweeps=SWEEPS, budget=BUDGET, slice_length=HOUR),
    "by created": policy(lookback=2 * HOUR, sweeps=SWEEPS, budget=BUDGET, sweep_by="created"),
    "other sweeps, by created": policy(
        lookback=2 * HOUR,
        sweeps=(("sweep-2h", 2 * HOUR), ("sweep-4h", 4 * HOUR), ("sweep-12h", 12 * HOUR)),
        budget=BUDGET,
        sweep_by="created",
    ),
    "no sweeps": policy(lookback=2 * HOUR, sweeps=(), budget=BUDGET, slice_length=15 * MINUTE),
    "hardly a budget": policy(
        lookback=2 * HOUR, sweeps=SWEEPS, budget=5_000, requests_per_minute=10
    ),
    "overload": policy(
        lookback=2 * HOUR, sweeps=SWEEPS, budget=BUDGET, requests_per_minute=1, concurrency=3
    ),
    "overload, in slices of an hour": policy(
        lookback=2 * HOUR,
        sweeps=SWEEPS,
        budget=5_000,
        requests_per_minute=1,
        slice_length=HOUR,
    ),
    "short slices": policy(
        lookback=2 * HOUR, sweeps=SWEEPS, budget=BUDGET, slice_length=MINUTE, fresh=6 * HOUR
    ),
}

POISON: list[Reply] = [
    Answer(status=200, body=b"<html>"),
    status(500),
    FAULTS["cut"],
    Answer(status=200, body=b"{}"),
]
"""The API's answer to a query that touches a poisoned second."""

OUTAGES: dict[str, Reply | None] = {
    "none": None,
    "HTML": Answer(status=200, body=b"<html>"),
    "502": status(502),
    "empty objects": Answer(status=200, body=b"{}"),
}

Past = Literal["none", "poison", "hours of poison", "overload"]

REACH = 18 * HOUR
"""The reach of an API that a life can outlast; the last sweep may be due after 12 hours."""

AHEAD_MOST = 20 * MINUTE
"""The API's clock is never further ahead."""

WELL_AGAIN = 40
"""Runs, five minutes apart, in which a scan catches up once all is well, whatever has happened.

What is blocked is tried again after an hour at most.
"""

Lever = Literal["pause", "resume", "rescan", "backfill", "accept-filters", "retry"]
LEVERS: tuple[Lever, ...] = get_args(Lever)

EFFECTS_MOST = 20_000
"""Requests and writes of one run, many times what any needs: one with more would never end."""


class Life(RuleBasedStateMachine):
    """Runs, faults, kills, overlaps, late arrivals, poison, overload, clocks and settings."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World([])
        self.tenant = Tenant(seed=1, record_size=900)
        self.api = SimulatedApi(self.tenant, self.world.clock, Switches())
        self.world.source = self.api
        self.api.time = lambda: self.time() + (self.offset or 0)
        self.api.date = lambda: None if self.offset is None else self.time() + self.offset
        self.api.instead = self.reply
        self.offset: int | None = None
        self.world.ledgers.date = self.time
        self.how = POLICIES["one lane"]
        self.crowds = 0
        self.covered: dict[str, Intervals] = {}
        self.troubles = Troubles(reach=30 * DAY)
        self.poison: dict[int, Reply] = {}
        self.stretch = (0, 0)
        self.stretch_reply = POISON[0]
        self.faults: Callable[[int], Reply | None] = lambda _: None
        self.judged = 0
        self.followed = 0
        self.refusals = False
        self.filters = POLICIES["one lane"].fingerprint
        self.well_since = 0

    @initialize(
        tail_drop=st.sampled_from(["millisecond", "few", "none"]),
        dense=st.sampled_from(["repeat", "empty", "black-hole"]),
        page=st.sampled_from([3, 8]),
        sorts=st.sampled_from(["as-asked", "as-asked", "desc", "reversed"]),
        nulls=st.sampled_from([0, 0, 0.1]),
        unplaced=st.sampled_from([0, 0.1, 1]),
        reach=st.sampled_from([30 * DAY, REACH]),
        poisoned=st.sampled_from([0, 0, 1, 5, 90]),
        offset=st.sampled_from([0, None, -3 * MINUTE, 3 * MINUTE, -20 * MINUTE, 20 * MINUTE]),
        empty=st.sampled_from(["list", "null", "missing"]),
        past=st.sampled_from(["none", "poison", "poison", "hours of poison", "overload"]),
        name=st.sampled_from(["one lane", "three lanes, desc", "by created"]),
        kind=st.integers(0, len(POISON) - 1),
    )
    def the_api_is_one_of_several(  # noqa: PLR0913 - what is not known of the API
        self,
        *,
        tail_drop: TailDrop,
        dense: Dense,
        page: int,
        sorts: Sorts,
        nulls: float,
        unplaced: float,
        reach: int,
        poisoned: int,
        offset: int | None,
        empty: EmptyData,
        past: Past,
        name: str,
        kind: int,
    ) -> None:
        """Choose among the behaviours that the API may have; small pages make many parts."""
        if past == "poison":  # Without a sweep that can look again, it is retried instead.
            reach = 30 * DAY
        self.troubles.reach, self.offset = reach, offset
        for number in range(poisoned):
            self._poison(ORIGIN + number * 197 * SECOND, number)
        self.troubles.reasons |= {NULLS} if nulls else set()
        self.api.switches = Switches(
            page_cap=page,
            minimum_limit=1,
            tail_drop=tail_drop,
            tail_drop_few=1,
            dense=dense,
            sorts=sorts,
            null_share=nulls,
            unplaced_share=unplaced,
            reach_ms=reach,
            empty_data=empty,
        )
        if past != "none":
            self._lives(past, name, kind)

    def time(self) -> int:
        """Return the true time, which storage keeps, and the API except for some minutes."""
        return NOW + self.world.clock.elapsed()

    @rule(count=st.integers(1, 30), seed=st.integers(0, 99), late=st.sampled_from([0, 1, 5]))
    def activities_happen(self, count: int, seed: int, late: int) -> None:
        """They happen in the last half hour and are saved minutes or hours late."""
        rng, now = random.Random(seed), self.time()
        for _ in range(count):
            at = now - rng.randrange(30 * MINUTE)
            lag = late * HOUR + rng.randrange(3 * MINUTE, 9 * MINUTE)
            self.tenant.add((at, max(at + lag, now + 1)))

    @rule(seed=st.integers(0, 9))
    def a_millisecond_gets_crowded(self, seed: int) -> None:
        """More activities than a page holds happen at once."""
        at = self.time() - seed
        self.crowds += 1
        self.tenant.add(*[(at, at + 200_000 + 11 * self.crowds + n) for n in range(11)])

    @rule(minutes=st.sampled_from([1, 5, 5, 30, 90]))
    def time_passes(self, minutes: int) -> None:
        """Nothing else happens."""
        self.world.clock.advance(minutes * MINUTE)

    @rule(step=st.sampled_from([-HOUR, -10 * MINUTE, HOUR]))
    def the_clock_steps(self, step: int) -> None:
        """Only the local clock does: the API and its truth stay as they are."""
        self.world.clock.wall += step

    @rule(offset=st.sampled_from([None, 0, -7 * MINUTE, 7 * MINUTE]))
    def the_api_s_clock_is_set(self, offset: int | None) -> None:
        """It is some minutes off, or the API states no time."""
        self.offset = offset

    @rule(name=st.sampled_from(sorted(POLICIES)))
    def the_settings_change(self, name: str) -> None:
        """They change to other valid ones; without sweeps, what passes the reach is final."""
        if name != "no sweeps" or self.troubles.reach > REACH:
            self.how = POLICIES[name]

    @rule(ago=st.integers(-20, 200), kind=st.integers(0, len(POISON) - 1))
    def a_second_is_poisoned(self, ago: int, kind: int) -> None:
        """It is in the past or the future, and the API answers no query that touches it."""
        self._poison((self.time() - ago * MINUTE - kind * 7_000) // SECOND * SECOND, kind)

    def _poison(self, at: int, kind: int) -> None:
        self.poison[at] = POISON[kind % len(POISON)]
        self.troubles.poisoned.add(at)

    @rule()
    def the_poison_heals(self) -> None:
        """All poisoned time recovers."""
        self.poison.clear()
        self.stretch = (0, 0)

    @rule(latency=st.sampled_from([0, 700, 9_000]))
    def the_api_gets_slow_or_fast(self, latency: int) -> None:
        """Every answer takes that long."""
        self.api.latency = latency

    @rule()
    def a_run(self) -> None:
        """One run without disturbance."""
        self._run()

    @rule(kind=st.sampled_from(sorted(FAULTS)), every=st.integers(1, 5))
    def a_run_among_faults(self, kind: str, every: int) -> None:
        """Requests fail at regular intervals."""
        self.troubles.reasons |= {NULLS} if kind == "null record" else set()
        self.refusals |= kind == "not accepted"
        self.faults = lambda number: None if number % every else FAULTS[kind]
        self._run()
        self.faults = lambda _: None

    @rule(
        kind=st.sampled_from(["none", "none", *sorted(OUTAGES)]),
        runs=st.sampled_from([2, 6, 12, 30]),
        minutes=st.sampled_from([5, 30, 60]),
        lever=st.sampled_from(["retry", "rescan", "rescan", "backfill", "accept-filters"]),
        hours=st.integers(1, 6),
    )
    def the_timer_starts_runs(
        self, kind: str, runs: int, minutes: int, lever: Lever, hours: int
    ) -> None:
        """They start at its interval while activities happen or the API is out of order.

        In the middle of it, an operator pulls a lever.
        """
        self.faults = lambda _: OUTAGES[kind]
        self._runs(runs // 2, minutes, count=8)
        self._pull(lever, hours)
        self._runs(runs - runs // 2, minutes, count=8)
        self.faults = lambda _: None

    def _runs(self, runs: int, minutes: int, *, count: int) -> None:
        for number in range(runs):
            self.activities_happen(count=count, seed=number, late=0)
            self._run()
            self.world.clock.advance(minutes * MINUTE)

    def _lives(self, past: Past, name: str, kind: int) -> None:
        """Make something long happen that chance alone would hardly ever produce."""
        self.how = POLICIES[name]
        self._runs(6, minutes=30, count=8)
        if past == "poison":
            # The first pass or a sweep meets it; a day of hourly faults ends in doubt.
            self.a_second_is_poisoned(ago=(5, 60, 160)[kind % 3], kind=kind)
            self._runs(56, minutes=60, count=3)
        elif past == "hours of poison":
            # They need more slices than there is room for.
            self.stretch = (self.time(), self.time() + 9 * HOUR)
            self.stretch_reply = POISON[kind]
            self.troubles.stretches.append(self.stretch)
            self._runs(40, minutes=15, count=3)
        elif past == "overload":
            self.how = POLICIES["overload, in slices of an hour" if kind % 2 else "overload"]
            self._runs(24, minutes=60, count=8)

    @rule(at=st.integers(1, 25), step=st.sampled_from([-HOUR, -2 * MINUTE, 30_000, HOUR, 2 * DAY]))
    def a_run_in_which_the_clock_steps(self, at: int, step: int) -> None:
        """It steps at one of the effects; the API's clock and the elapsed time continue."""

        def meanwhile() -> None:
            self.world.clock.wall += step

        self._run(Effects(at=at, how="after", meanwhile=meanwhile))

    @rule(at=st.integers(1, 25), how=st.sampled_from(["before", "after"]))
    def a_run_that_is_killed(self, at: int, how: str) -> None:
        """It dies at one of its effects."""
        self._run(Effects(at=at, how=how))

    @rule(at=st.integers(1, 25), minutes=st.sampled_from([1, 10]))
    def a_run_that_is_overtaken(self, at: int, minutes: int) -> None:
        """It sleeps at one of its effects while another one runs."""

        def meanwhile() -> None:
            self.world.clock.advance(minutes * MINUTE)
            self._run()

        self._run(Effects(at=at, how="after", meanwhile=meanwhile))

    @rule(
        kind=st.sampled_from(LEVERS),
        hours=st.integers(1, 6),
        at=st.integers(0, 25),
        how=st.sampled_from(["before", "after"]),
    )
    def a_lever_is_pulled(self, kind: Lever, hours: int, at: int, how: str) -> None:
        """An operator pulls it between two runs, or takes over at one of a run's effects."""
        if not at:
            self._pull(kind, hours)
            return
        self._run(Effects(at=at, how=how, meanwhile=lambda: self._pull(kind, hours)))

    def _pull(self, kind: Lever, hours: int) -> None:
        """Pull a lever; what makes no sense at the moment is refused."""
        filters = f"filters {hours % 2}" if kind == "accept-filters" else self.filters
        how = replace(self.how, reach=self.troubles.reach, fingerprint=filters)
        now = self.time() // MINUTE * MINUTE

        def lever(ledger: Ledger, order: Order) -> Ledger:
            if kind == "pause":
                return levers.paused(ledger, order, until=order.at + hours * 10 * MINUTE)
            if kind == "resume":
                return levers.resumed(ledger, order)
            if kind == "rescan":
                bounds = (now - hours * HOUR, now - hours * 30 * MINUTE)
                return levers.rescanned(ledger, order, how, bounds=bounds)
            if kind == "backfill":
                return levers.backfilled(ledger, order, how, to=ORIGIN - hours * HOUR)
            if kind == "accept-filters":
                return levers.filters_accepted(ledger, order, how)
            return levers.retried(ledger, order)

        with suppress(LeverRefused):
            pull(self.world, lever, how)
            self.filters = filters

    @rule()
    def staged_blocks_expire(self) -> None:
        """The service drops what was not committed for a week."""
        self.world.results.staged.clear()

    def _run(self, effects: Effects | None = None) -> None:
        world, elapsed = self.world, self.world.clock.elapsed()
        chosen = effects or Effects()
        chosen.most = EFFECTS_MOST
        self.api.effects = world.ledgers.effects = world.results.effects = chosen
        with suppress(Crash, SourceRefused):
            world.run(self._policy())
        self.api.effects = world.ledgers.effects = world.results.effects = Effects()
        if effects is None:
            assert world.clock.elapsed() - elapsed <= self.how.budget + STEP_MOST
        self._judge()

    def _policy(self) -> Policy:
        return replace(self.how, reach=self.troubles.reach, fingerprint=self.filters)

    def reply(self, number: int, asked: dict[str, Any]) -> Reply | None:
        """Return the answer that replaces the API's own answer to a query."""
        bounds = asked["filters"]["date"]
        touched = (
            reply
            for at, reply in self.poison.items()
            if bounds["gte"] < at + SECOND and at <= bounds["lte"]
        )
        since, until = self.stretch
        stretched = bounds["gte"] < until and since <= bounds["lte"]
        reply = self.stretch_reply if stretched else next(touched, None)
        return self.faults(number) or reply

    def _judge(self) -> None:
        """Lost or doubted time must have a trouble that explains it."""
        # A run trusts the API's clock for an hour, even if it was corrected meanwhile.
        manifests, later = self.world.results.manifests, self.time() + AHEAD_MOST
        for number in range(self.judged + 1, len(manifests) + 1):
            assert self.troubles.unexplained(json.loads(manifests[number]), later) == []
        self.judged = len(manifests)

    @invariant()
    def readers_see_only_the_truth_and_each_identity_once(self) -> None:
        """This holds at any time; `followed` checks the chain."""
        if len(self.world.results.manifests) == self.followed:
            return
        self.followed = len(self.world.results.manifests)
        found = self._found()
        assert len(found) == len(set(found))
        assert set(found) <= set(self.tenant.truth())

    @invariant()
    def the_ledger_claims_what_the_last_manifest_says(self) -> None:
        """Once the commit is done, it claims not a millisecond more."""
        ledger = self.world.ledgers.value()
        if ledger and ledger["head"]["number"] and not ledger["committing"]:
            last = json.loads(self.world.results.manifests[ledger["head"]["number"]])
            settled = ledger["settled_until"]
            assert _from(settled, ledger["coverage"]) == _from(settled, last["complete"])

    @invariant()
    def coverage_never_shrinks(self) -> None:
        """No pass loses a millisecond, except for what is final; a rescan ends and is forgotten."""
        ledger = self.world.ledgers.value()
        coverage = _from(ledger.get("settled_until", 0), ledger.get("coverage", {}))
        for name, before in _from(ledger.get("settled_until", 0), self.covered).items():
            is_over = name.startswith("rescan-") and name not in ledger["rescans"]
            assert is_over or all(holds(coverage[name], it) for it in before)
        self.covered = coverage

    def teardown(self) -> None:
        """Without disturbances the scan catches up; after the last sweep, the feed is the truth."""
        self.api.latency = 0
        self.how = POLICIES["three lanes, desc"]
        self.the_poison_heals()
        self._pull("resume", 0)
        self.offset = 0
        self.world.clock.wall = last = self.time()
        self.well_since = len(self.world.results.manifests)
        self._catches_up(last)
        while self.time() < last + 14 * HOUR:
            self._run()
            self.world.clock.advance(30 * MINUTE)
        value = self.world.ledgers.value()
        lost, doubt = told(self.world.results.manifests)
        excused = [*lost, *((it["start"], it["end"]) for it in doubt)]
        swept = merge(
            (start, end)
            for name, looked in value["coverage"].items()
            if (sweep_age(name) or 0) >= LAST_AGE and not is_partial(name)
            for start, end in looked
        )
        due = [it for it in self.tenant.truth() if _counts(it, value["origin"], last, excused)]
        assert holds(merge([*swept, *lost]), (value["settled_until"], last))
        assert set(due) <= set(self._found())
        assert_proven(self.world, self._policy())
        assert (value["rescans"], value["outstanding"]) == ({}, [])
        assert all(self._stays(it) for it in doubt), doubt

    def _catches_up(self, until: int) -> None:
        """A bounded number of runs covers what is in reach, and nothing is held up."""
        for _ in range(WELL_AGAIN):
            self._run()
            value = self.world.ledgers.value()
            held_up = any(it["faults"] for it in value["open"])
            reached = max(value["settled_until"], self.time() - self.troubles.reach + 5 * HOUR)
            wanted = (reached, until - self.how.settle - self.how.slice_length)
            covered = merge((start, end) for start, end in value["coverage"]["first"])
            if not held_up and holds(covered, wanted):
                return
            self.world.clock.advance(5 * MINUTE)
        behind = [
            (it["start"], it["end"], it["pass"], it["faults"], it["fault"], it["not_before"])
            for it in value["open"]
        ]
        raise AssertionError(f"not caught up: {wanted}, {covered}, {behind}")

    def _stays(self, doubt: dict[str, Any]) -> bool:
        """Report whether a doubt may stay for good after sweeps of a healthy API.

        A crowded instant with nothing before it, hidden by a black hole, stays in doubt: no query
        tells where in its slice it is. What is always shown as null stays in doubt, too. What has
        passed the reach cannot be looked at again, nor can what the last sweep has met before.
        """
        switches = self.api.switches
        if switches.dense == "black-hole" or switches.null_share or self.troubles.reach == REACH:
            return True
        swept_last = (sweep_age(doubt["pass"]) or 0) >= LAST_AGE
        return swept_last and (doubt["number"] <= self.well_since or self._follows(doubt))

    def _follows(self, doubt: dict[str, Any]) -> bool:
        """Report whether a doubt declared by a healthy scan follows from earlier troubles.

        For a day after a refusal a crowded instant is asked for as one page, and where there is no
        room for what was poisoned, it is not asked for again.
        """
        return doubt["reason"] == POISONED or (self.refusals and doubt["reason"] == CROWDED)

    def _found(self) -> list[Identity]:
        known = {it.id: it for it in self.tenant.truth()}
        return [known[it["_id"]] for it in self.world.followed()]


def _from(begin: int, coverage: dict[str, Any]) -> dict[str, Intervals]:
    """Return coverage from an instant on, without the passes that have none."""
    clipped = {
        name: intersect(merge((start, end) for start, end in looked), (begin, NOW + 99 * DAY))
        for name, looked in coverage.items()
    }
    return {name: it for name, it in clipped.items() if it}


def _counts(it: Identity, origin: int, last: int, excused: list[tuple[int, int]]) -> bool:
    """Report whether an activity must have been collected by the end."""
    inside = any(start <= it.timestamp < end for start, end in excused)
    return origin <= it.timestamp < last and it.created < last and not inside


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=examples(3, 200), stateful_step_count=20)
