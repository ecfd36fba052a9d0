"""A scan's whole life at random, against a plain model: the truth is a list of activities."""

import json
import random
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.core.errors import LedgerConflict, SourceRefused, StoreConflict
from shared.core.intervals import holds, merge
from shared.core.model import Answer, NoAnswer, Policy
from shared.core.passes import is_partial, sweep_age
from shared.operate.verify import Verifier
from simulator import Identity, Switches, Tenant
from simulator.switches import Dense, Sorts, TailDrop
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, Reply, page_of, policy, status
from tests.simulated import SimulatedApi
from tests.unit.test_rebuild import Silent
from tests.world import World

SWEEPS = (("sweep-2h", 2 * HOUR), ("sweep-6h", 6 * HOUR))
ORIGIN = NOW - 2 * HOUR
BUDGET = 60_000
STEP_MOST = 30_000
"""No answer of this API takes longer, so no iteration outlives its budget by more."""

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
}


class Life(RuleBasedStateMachine):
    """Runs, faults, kills, overlaps, late arrivals, clock steps and changes of settings."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World([])
        self.tenant = Tenant(seed=1, record_size=900)
        self.api = SimulatedApi(self.tenant, self.world.clock, Switches())
        self.world.source = self.api
        self.api.time = self.time
        self.world.ledgers.date = self.time
        self.how = POLICIES["one lane"]
        self.crowds = 0
        self.covered: dict[str, list[tuple[int, int]]] = {}

    @initialize(
        tail_drop=st.sampled_from(["millisecond", "few", "none"]),
        dense=st.sampled_from(["repeat", "empty", "black-hole"]),
        page=st.sampled_from([3, 8]),
        sorts=st.sampled_from(["as-asked", "as-asked", "desc", "reversed"]),
        nulls=st.sampled_from([0, 0, 0.1]),
        unplaced=st.sampled_from([0, 0.1, 1]),
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
    ) -> None:
        """What is not known of it may be either way; small pages make many, and so many parts."""
        self.api.switches = Switches(
            page_cap=page,
            minimum_limit=1,
            tail_drop=tail_drop,
            tail_drop_few=1,
            dense=dense,
            sorts=sorts,
            null_share=nulls,
            unplaced_share=unplaced,
        )

    def time(self) -> int:
        """Return the time of the API and of storage, which never jumps."""
        return NOW + self.world.clock.elapsed()

    @rule(count=st.integers(1, 30), seed=st.integers(0, 99), late=st.sampled_from([0, 1, 5]))
    def activities_happen(self, count: int, seed: int, late: int) -> None:
        """In the last half hour; they are saved some minutes or some hours late."""
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
        """And nothing else happens."""
        self.world.clock.advance(minutes * MINUTE)

    @rule(step=st.sampled_from([-HOUR, -10 * MINUTE, HOUR]))
    def the_clock_steps(self, step: int) -> None:
        """Only the local one: the API and its truth stay where they are."""
        self.world.clock.wall += step

    @rule(name=st.sampled_from(sorted(POLICIES)))
    def the_settings_change(self, name: str) -> None:
        """To others that are allowed."""
        self.how = POLICIES[name]

    @rule(latency=st.sampled_from([0, 700, 9_000]))
    def the_api_gets_slow_or_fast(self, latency: int) -> None:
        """Every answer takes that long."""
        self.api.latency = latency

    @rule()
    def a_run(self) -> None:
        """An iteration as it should be."""
        self._run()

    @rule(kind=st.sampled_from(sorted(FAULTS)), every=st.integers(1, 5))
    def a_run_among_faults(self, kind: str, every: int) -> None:
        """Every so many requests something goes wrong."""
        self.api.instead = lambda number, _: None if number % every else FAULTS[kind]
        self._run()
        self.api.instead = lambda _number, _asked: None

    @rule(at=st.integers(1, 25), how=st.sampled_from(["before", "after"]))
    def a_run_that_is_killed(self, at: int, how: str) -> None:
        """At one of its effects."""
        self._run(Effects(at=at, how=how))

    @rule(at=st.integers(1, 25), minutes=st.sampled_from([1, 10]))
    def a_run_that_is_overtaken(self, at: int, minutes: int) -> None:
        """It sleeps at one of its effects while another one runs."""

        def meanwhile() -> None:
            self.world.clock.advance(minutes * MINUTE)
            self._run()

        self._run(Effects(at=at, how="after", meanwhile=meanwhile))

    @rule()
    def staged_blocks_expire(self) -> None:
        """The service drops what was not committed for a week."""
        self.world.results.staged.clear()

    def _run(self, effects: Effects | None = None) -> None:
        world, elapsed = self.world, self.world.clock.elapsed()
        chosen = effects or Effects()
        self.api.effects = world.ledgers.effects = world.results.effects = chosen
        with suppress(Crash, LedgerConflict, StoreConflict, SourceRefused):
            world.run(self.how)
        self.api.effects = world.ledgers.effects = world.results.effects = Effects()
        if effects is None:
            assert world.clock.elapsed() - elapsed <= self.how.budget + STEP_MOST

    @invariant()
    def readers_see_only_the_truth_and_each_identity_once(self) -> None:
        """At any time, whatever has just happened; `followed` checks the chain."""
        found = self._found()
        assert len(found) == len(set(found))
        assert set(found) <= set(self.tenant.truth())

    @invariant()
    def the_ledger_claims_what_the_last_manifest_says(self) -> None:
        """Not a millisecond more, once its commit is through."""
        ledger = self.world.ledgers.value()
        if ledger and ledger["head"]["number"] and not ledger["committing"]:
            last = json.loads(self.world.results.manifests[ledger["head"]["number"]])
            assert ledger["coverage"] == last["complete"]

    @invariant()
    def coverage_never_shrinks(self) -> None:
        """Not by a millisecond, in no pass."""
        coverage = self.world.ledgers.value().get("coverage", {})
        for name, before in self.covered.items():
            now = merge((start, end) for start, end in coverage[name])
            assert all(holds(now, (start, end)) for start, end in before)
        self.covered = coverage

    def teardown(self) -> None:
        """All is well again; after the last sweep, the feed is the truth."""
        self.api.latency = 0
        self.how = POLICIES["three lanes, desc"]
        self.world.clock.wall = self.time()
        last = self.time()
        while self.time() < last + 14 * HOUR:
            self._run()
            self.world.clock.advance(30 * MINUTE)
        value = self.world.ledgers.value()
        excused = [(it["start"], it["end"]) for it in (*value["lost"], *value["doubt"])]
        swept = merge(
            (start, end)
            for name, looked in value["coverage"].items()
            if (sweep_age(name) or 0) >= 6 * HOUR and not is_partial(name)
            for start, end in looked
        )
        due = [it for it in self.tenant.truth() if _counts(it, value["origin"], last, excused)]
        assert holds(swept, (value["origin"], last))
        assert set(due) <= set(self._found())
        checked = Verifier(self.world.results, self.world.ledgers, "all", Silent()).check()
        assert checked.is_sound, checked.findings
        # A crowded instant with nothing before it, hidden by a black hole, stays in doubt: no
        # query tells where in its slice it is.
        # What is always shown as null stays in doubt, too.
        switches = self.api.switches
        assert excused == [] or switches.dense == "black-hole" or switches.null_share

    def _found(self) -> list[Identity]:
        known = {it.id: it for it in self.tenant.truth()}
        return [known[it["_id"]] for it in self.world.followed()]


def _counts(it: Identity, origin: int, last: int, excused: list[tuple[int, int]]) -> bool:
    """Say whether an activity must have been collected by the end."""
    inside = any(start <= it.timestamp < end for start, end in excused)
    return origin <= it.timestamp < last and it.created < last and not inside


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=25)
