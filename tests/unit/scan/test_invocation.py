"""One invocation: the scans of each API host run under one claim, in turn, each with its report."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest

from harness.at_once import workers
from shared.core.model import Policy
from shared.core.state.host_budget import CLAIM_MOST_MS, HostBudget, encode
from shared.core.state.report import Tally
from shared.ports import Ports, SavedBudget
from shared.scan.host_claim import SharedHost
from shared.scan.invocation import Before, run_all
from shared.scan.reporting import Job
from tests.fakes import (
    HOUR,
    MINUTE,
    NOW,
    Crash,
    Effects,
    FakeApi,
    FakeClock,
    InMemoryBudget,
    InMemoryDerived,
    InMemoryLedger,
    InMemoryResults,
    policy,
)


class App:
    """Scans of several API hosts; hosts whose name is not empty have several scans.

    Attributes:
        begun: the scans that have begun, in order.
        sent: the host and the time of each request.
        stores: the budgets, by host.
        ledgers: by scan.
    """

    def __init__(self, hosts: dict[str, str], **changes: Any) -> None:
        self.clock = FakeClock(NOW)
        self.stores = {it: InMemoryBudget(self.clock.now) for it in hosts.values() if it}
        self.per_minute = 5
        self.begun: list[str] = []
        self.sent: list[tuple[str, int]] = []
        self.lines: list[dict[str, Any]] = []
        self.ledgers = {name: InMemoryLedger() for name in hosts}
        self.results = {name: InMemoryResults() for name in hosts}
        self.latency = 1_000
        self.timeouts: list[float] = []
        self.during: Callable[[], None] = lambda: None
        self.before: Before = list
        most = max(list(hosts.values()).count(it) for it in hosts.values())
        budget = changes.get("budget", 20_000)
        values = {"budget": budget, "budget_most": most * budget, "lookback": 24 * HOUR}
        self.policies = {
            name: (host, policy(scan=name, **{**values, **changes})) for name, host in hosts.items()
        }

    def invoke(self, only: str = "", run: str = "run") -> dict[str, str]:
        """Run the scans, and return their outcomes."""
        jobs = [
            self._job(host, how, run)
            for name, (host, how) in self.policies.items()
            if not only or name in only
        ]
        results = run_all(jobs, self.clock, before=self.before)
        self.lines = [json.loads(it.line) for it in results]
        assert [it.scan for it in results] == [it.policy.scan for it in jobs]
        return {it.scan: it.outcome for it in results}

    def _job(self, host: str, how: Policy, run: str) -> Job:
        api = FakeApi([], clock=self.clock)
        api.timeouts = self.timeouts
        api.latency = self.latency
        api.always = lambda _: self._note(host)
        ports = Ports(
            source=api,
            ledgers=self.ledgers[how.scan],
            results=self.results[how.scan],
            clock=self.clock,
        )
        return Job(
            policy=how,
            ports=ports,
            derived=InMemoryDerived(),
            draw=lambda _: b"",
            tally=Tally(scan=how.scan, run=f"{run}-{how.scan}"),
            prepare=partial(self.begun.append, how.scan),
            workers=workers,
            host=self._shared(host),
        )

    def _note(self, host: str) -> None:
        self.sent.append((host, self.clock.now()))
        self.during()

    def _shared(self, host: str) -> SharedHost | None:
        if not host:
            return None
        return SharedHost(name=host, per_minute=self.per_minute, store=self.stores[host])


def most(sent: list[int]) -> int:
    """Return the most requests of any minute."""
    return max(sum(at <= it < at + MINUTE for it in sent) for at in sent)


def test_scans_of_one_host_follow_each_other_and_take_turns_among_themselves() -> None:
    """A scan of another host keeps its place."""
    app = App({"a": "x", "alone": "", "b": "x", "c": "x"}, lookback=HOUR, budget=60_000)
    app.per_minute = 25

    seen = []
    for _ in range(4):
        app.invoke()
        seen.append("".join(app.begun))
        app.begun.clear()

    assert seen == ["abcalone", "bcaalone", "cabalone", "abcalone"]


def test_what_comes_before_the_first_scan_counts_for_the_claim_of_its_host() -> None:
    """It has the host's budget, takes from its time, and concerns no other host."""
    app = App({"a": "x", "b": "x", "c": "y", "d": "y"}, lookback=HOUR)
    seen: list[tuple[str, bool]] = []

    def before(jobs: list[Job]) -> list[Job]:
        seen.extend((job.policy.scan, job.ports.budget is not None) for job in jobs)
        app.clock.advance(30_000)
        return jobs

    app.before = before
    app.latency = 1_500
    app.invoke()

    assert seen == [("a", True), ("b", True)]
    times = {host: [at for it, at in app.sent if it == host] for host in app.stores}
    assert max(times["x"]) <= NOW + 30_000 + 2 * 20_000
    assert json.loads(app.stores["x"].saves[0])["claimed_until"] == NOW + 40_000 + 30_000


def test_a_run_that_fails_leaves_the_others_to_run() -> None:
    """Each scan begins, although the one before it could not."""
    app = App({"a": "x", "b": "x"})
    app.ledgers["a"].content = b"damaged"

    assert app.invoke() == {"a": "failed", "b": "out-of-time"}


def test_a_host_of_one_scan_needs_no_budget() -> None:
    """Its ledger counts the requests."""
    app = App({"a": "", "b": ""})

    app.invoke()

    assert app.stores == {}
    assert app.begun == ["a", "b"]


def test_scans_of_different_hosts_do_not_use_each_other_s_requests() -> None:
    """Each host has its limit in every minute, however many its scans would send."""
    app = App({"a": "contoso", "b": "contoso", "c": "fabrikam", "d": "fabrikam"}, budget=90_000)

    app.invoke()

    times = {host: [at for it, at in app.sent if it == host] for host in app.stores}
    assert {most(mine) for mine in times.values()} == {5}
    assert min(times["fabrikam"]) - max(times["contoso"]) < MINUTE


def test_an_invocation_saves_the_budget_twice() -> None:
    """When it claims the host, and when it releases it, however many requests are sent."""
    app = App({"a": "x", "b": "x"}, budget=60_000)

    app.invoke()

    first, second = (json.loads(it) for it in app.stores["x"].saves)
    assert first["owner"] == "run-a"
    assert first["claimed_until"] == NOW + 120_000 + 30_000
    assert (second["claimed_until"], len(second["slots"])) == (0, 5)
    assert len(app.sent) > 5


def test_a_claimed_host_makes_its_scans_busy() -> None:
    """Nothing is sent, nothing fails, and the line says whose the claim is."""
    app = App({"a": "x", "b": "x"})
    app.stores["x"].put(claimed_until(NOW + MINUTE))

    assert app.invoke() == {"a": "busy", "b": "busy"}

    assert (app.sent, app.begun, len(app.stores["x"].saves)) == ([], [], 1)
    for line in app.lines:
        (said,) = line["warnings"]
        assert "run other" in said
        assert "2026-11-23 12:01:00 UTC: see docs/runbook.md#busy" in said


def claimed_until(instant: int, **changes: Any) -> bytes:
    """Return the budget of a host that another invocation has claimed."""
    budget = HostBudget(
        version=1,
        host="x",
        owner="other",
        claimed_until=instant,
        first="",
        short_of_time=(),
        slots=(),
    )
    return encode(msgspec.structs.replace(budget, **changes))


def test_of_two_invocations_at_once_one_is_busy() -> None:
    """The second begins while the first is at work."""
    app = App({"a": "x", "b": "x"})
    found: list[dict[str, str]] = []

    def overlap() -> None:
        app.during = lambda: None
        found.append(app.invoke(run="other"))

    app.during = overlap
    first = app.invoke()

    assert found == [{"a": "busy", "b": "busy"}]
    assert set(first.values()) == {"out-of-time"}


def test_two_invocations_that_claim_at_the_same_moment_do_not_both_hold_the_host() -> None:
    """The one whose save is refused looks again."""
    app = App({"a": "x", "b": "x"})
    store = app.stores["x"]
    load = store.load

    def overtaken() -> SavedBudget:
        found = load()
        store.load = load  # type: ignore[method-assign]
        store.put(claimed_until(NOW + MINUTE))
        return found

    store.load = overtaken  # type: ignore[method-assign]  # another one saves in between

    assert app.invoke() == {"a": "busy", "b": "busy"}
    assert app.sent == []


def test_a_host_that_others_claim_again_and_again_is_busy() -> None:
    """Whoever is refused three times leaves it to them."""
    app = App({"a": "x", "b": "x"})
    app.stores["x"].save = lambda *_, **__: None  # type: ignore[method-assign]  # always too late

    assert app.invoke() == {"a": "busy", "b": "busy"}
    assert "several invocations claim x" in app.lines[0]["warnings"][0]


def test_a_claim_whose_answer_was_lost_is_this_invocation_s_own() -> None:
    """The bytes that are stored are those that were sent."""
    app = App({"a": "x", "b": "x"})
    store = app.stores["x"]
    save = store.save

    def answered_late(content: bytes, *, etag: str | None) -> str | None:
        save(content, etag=etag)
        return save(content, etag=etag)

    store.save = answered_late  # type: ignore[method-assign]

    assert set(app.invoke().values()) == {"out-of-time"}
    assert store.value()["claimed_until"] == 0


def test_storage_that_fails_fails_the_scans_of_the_host() -> None:
    """Nothing is sent, because nobody can know what others send."""
    app = App({"a": "x", "b": "x", "alone": ""}, lookback=HOUR)
    app.stores["x"].failing = True

    outcomes = app.invoke()

    assert outcomes == {"a": "failed", "b": "failed", "alone": "idle"}
    assert [it["error"] for it in app.lines[:2]] == ["StoreUnavailable"] * 2
    assert {host for host, _ in app.sent} == {""}


@pytest.mark.parametrize("per_minute", [1, 5])
def test_a_dead_owner_s_requests_count_until_a_minute_after_its_claim(per_minute: int) -> None:
    """It may have sent them at the last moment, and the claim says no more."""
    app = App({"a": "x", "b": "x"}, budget=120_000)
    app.per_minute = per_minute
    ends = NOW + 10_000
    app.stores["x"].put(claimed_until(ends))
    app.clock.advance(10_000)

    app.invoke()

    assert app.sent[0][1] - app.latency >= ends + MINUTE
    assert app.sent[0][1] - app.latency <= ends + MINUTE + 2_000


def test_a_killed_invocation_blocks_its_host_no_longer_than_its_claim() -> None:
    """The next one after that takes over, and scans go on."""
    app = App({"a": "x", "b": "x"}, budget=60_000)
    app.stores["x"].effects = Effects(at=2)
    with pytest.raises(Crash):
        app.invoke()
    sent, killed = len(app.sent), app.clock.now()

    assert set(app.invoke().values()) == {"busy"}
    app.clock.advance(NOW + 2 * 60_000 + 30_000 - app.clock.now() + 1_000)
    outcomes = app.invoke()

    assert killed > NOW
    assert set(outcomes.values()) <= {"out-of-time", "waiting"}
    assert len(app.sent) > sent
    assert most([at for _, at in app.sent]) <= 5


def test_a_damaged_budget_is_replaced_once_no_claim_can_hold() -> None:
    """Until then its scans are busy; the line says why."""
    app = App({"a": "x", "b": "x"}, budget=120_000)
    app.stores["x"].put(b"{}")

    assert set(app.invoke().values()) == {"busy"}
    assert "cannot be read" in app.lines[0]["warnings"][0]
    app.clock.advance(CLAIM_MOST_MS + 1_000)
    outcomes = app.invoke()

    assert "busy" not in outcomes.values()
    assert "cannot be read" in app.lines[0]["warnings"][0]
    assert app.sent[0][1] >= NOW + CLAIM_MOST_MS + MINUTE
    assert app.stores["x"].value()["claimed_until"] == 0


def test_nothing_is_sent_or_awaited_after_the_claim() -> None:
    """A request that begins just before its end gets no more time."""
    app = App({"a": "x", "b": "x"}, budget=60_000)
    ends = NOW + 120_000 + 30_000

    def suspended() -> None:
        app.during = lambda: None
        app.clock.advance(ends - 4_000 - app.clock.now())

    app.during = suspended

    app.invoke()

    first, *others = app.timeouts
    assert first > 50
    assert others
    assert max(others) <= 4
    assert max(at for _, at in app.sent) <= ends


def test_a_scan_that_was_short_of_time_runs_last_with_what_the_others_leave() -> None:
    """The others first take the little that they need."""
    app = App({"busy": "x", "a": "x", "b": "x"}, lookback=HOUR)
    host, how = app.policies["busy"]
    app.policies["busy"] = (host, replace(how, lookback=20 * 24 * HOUR))
    app.per_minute = 25
    for _ in range(3):
        app.invoke()
        app.clock.advance(5 * MINUTE)
    app.begun.clear()
    sent = len(app.sent)

    app.invoke()

    assert app.begun[-1] == "busy"
    assert app.stores["x"].value()["short_of_time"] == ["busy"]
    assert len(app.sent) - sent >= 20


@pytest.mark.parametrize(
    ("busy", "capacities"),
    [("a", {"a": 95, "b": 100, "c": 100}), ("abc", {"a": 33, "b": 33, "c": 33})],
)
def test_a_scan_that_ran_out_of_time_can_send_what_the_others_leave(
    busy: str, capacities: dict[str, int]
) -> None:
    """As per cent of what the host can serve; the others could send all of that."""
    app = App({"a": "x", "b": "x", "c": "x"}, budget=80_000, requests_per_minute=5, lookback=HOUR)
    for name in busy:
        host, how = app.policies[name]
        app.policies[name] = (host, replace(how, lookback=29 * 24 * HOUR))

    for _ in range(5):
        begun = app.clock.now()
        app.invoke()
        app.clock.advance(5 * MINUTE - (app.clock.now() - begun))

    whole = 5 * 4 * 288
    found = {it["scan"]: 100 * it["requests_per_day_capacity"] / whole for it in app.lines}
    assert found == pytest.approx(capacities, abs=6)


def test_an_interrupted_invocation_releases_its_claim() -> None:
    """A person who stops `run` does not keep the app from running."""
    app = App({"a": "x", "b": "x"})

    def interrupt() -> None:
        raise KeyboardInterrupt

    app.during = interrupt

    with pytest.raises(KeyboardInterrupt):
        app.invoke()

    left = app.stores["x"].value()
    assert (left["claimed_until"], len(left["slots"])) == (0, 1)


def test_a_claim_that_cannot_be_released_is_worth_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The runs are done, and the claim ends by itself."""
    app = App({"a": "x", "b": "x"}, lookback=HOUR)

    def fail() -> None:
        app.stores["x"].failing = True

    app.during = fail

    assert set(app.invoke().values()) <= {"idle", "out-of-time"}
    assert "the claim on x could not be released: no answer" in caplog.text


def test_a_claim_that_another_invocation_has_taken_over_is_left_to_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """This one was suspended until its claim had ended."""
    app = App({"a": "x", "b": "x"}, lookback=HOUR)

    def take_over() -> None:
        app.during = lambda: None
        app.stores["x"].put(claimed_until(NOW + HOUR))

    app.during = take_over

    app.invoke()

    assert app.stores["x"].value()["owner"] == "other"
    assert "another invocation has claimed the host since" in caplog.text
