"""`SCAN_DOCTOR`: the deployed app examines itself once for each label, and its scans go on."""

from dataclasses import replace
from typing import Any

import pytest

from harness.at_once import workers
from shared.core.audit.doctor import reports
from shared.core.audit.doctor.reports import Examination
from shared.core.errors import SourceRefused, StoreUnavailable
from shared.core.model import Pause
from shared.core.state import ledger as ledgers
from shared.core.state.host_budget import SLOT_MS
from shared.core.state.report import Tally
from shared.drawing import draw
from shared.ports import ActivitySource, Ports, SignInUnavailable
from shared.scan.doctor import Doctor, examine_once, sign_in_check, storage_checks
from shared.scan.reporting import Job
from shared.sharing import SharedBudget
from simulator import Switches
from tests.examined import PAGE, tenant
from tests.fakes import (
    MINUTE,
    NOW,
    Crash,
    FakeClock,
    InMemoryDerived,
    InMemoryLedger,
    InMemoryResults,
    InMemoryTrials,
    policy,
    status,
)
from tests.simulated import SimulatedApi

NAME = "scan=all/doctor.json"


class Header:
    """The `Authorization` with a fixed header, or an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def header(self) -> str:
        """Return the header."""
        if self.error:
            raise self.error
        return "Token s3cret"

    def renew(self) -> bool:
        """Nothing to renew."""
        return False


class App:
    """An app with one scan, or several, on fakes."""

    def __init__(self, scans: int = 1, **changes: Any) -> None:
        self.clock = FakeClock(NOW)
        self.api = SimulatedApi(tenant(), self.clock, Switches(page_cap=PAGE))
        self.source: ActivitySource = self.api
        self.budget = SharedBudget(25) if scans > 1 else None
        self.ledger = InMemoryLedger()
        self.derived = InMemoryDerived()
        names = ["all", *(f"more-{number}" for number in range(1, scans))]
        values: dict[str, Any] = {"requests_per_minute": 25, **changes}
        self.policies = [policy(scan=name, **values) for name in names]

    def jobs(self) -> list[Job]:
        """Return the jobs of one invocation."""
        return [
            Job(
                policy=it,
                ports=Ports(
                    source=self.source,
                    ledgers=self.ledger,
                    results=InMemoryResults(),
                    clock=self.clock,
                    budget=self.budget,
                ),
                derived=self.derived,
                draw=draw,
                tally=Tally(scan=it.scan, run="r"),
                prepare=lambda: None,
                workers=workers,
            )
            for it in self.policies
        ]

    def examine(self, label: str = "first", **changes: Any) -> list[Job]:
        """Do what an invocation with this label does before its runs."""
        doctor = Doctor(
            label=label,
            authorization=Header(),
            storage=InMemoryTrials(),
            accepted=dict,
        )
        return examine_once(replace(doctor, **changes), self.jobs())

    def found(self) -> Examination:
        """Return what was left beside the ledger."""
        found = reports.decode(self.derived.blobs[NAME][0])
        assert found is not None
        return found


def test_it_leaves_what_it_found_with_its_label() -> None:
    """Checks, facts and settings, beside the ledger."""
    app = App()

    app.examine("first")

    found = app.found()
    assert (found.label, found.scan, found.requests) == ("first", "all", 17)
    assert found.facts.page_cap == PAGE
    assert {it.name for it in found.checks} >= {"sign-in", "create (state)", "clock of storage"}
    assert found.settings["SCAN_LIMIT"] == "500"


def test_a_label_is_done_once() -> None:
    """Another label is another examination."""
    app = App()
    app.examine("first")

    app.examine("first")
    assert len(app.api.asked) == 17

    app.clock.advance(5 * MINUTE)
    app.examine("second")
    assert len(app.api.asked) == 34
    assert app.found().label == "second"


def test_its_requests_count_in_the_scan_s_pacing() -> None:
    """The run that follows finds them in its ledger, whose claim is released."""
    app = App()

    app.examine()

    ledger = ledgers.decode(app.ledger.content or b"")
    assert ledger.pacing.requests == 17
    assert len(ledger.pacing.sent_at) == 17
    assert ledger.claimed_until == 0
    assert ledger.coverage == {"first": ()}


def test_it_keeps_to_the_scan_s_share_of_requests() -> None:
    """In no minute are there more than the setting allows."""
    app = App(requests_per_minute=5)
    sent: list[int] = []
    app.api.instead = lambda _number, _asked: sent.append(app.clock.now())

    app.examine()

    assert max(sum(at <= it < at + MINUTE for it in sent) for at in sent) <= 5


def test_its_requests_count_for_all_scans_of_the_app() -> None:
    """They share one budget."""
    app = App(scans=3)

    app.examine()

    assert app.budget is not None
    app.budget.settle(app.clock.elapsed())
    assert len(app.budget.taken(app.clock.elapsed())) == len(app.api.asked) == 17


def test_it_waits_where_the_scans_have_used_up_the_minute() -> None:
    """A shared budget is observed like the scan's own."""
    app = App(scans=2)
    assert app.budget is not None
    for _ in range(25):
        app.budget.take(app.clock.elapsed())

    app.examine()

    assert max(app.clock.slept) == SLOT_MS


def test_the_runs_have_the_time_that_it_leaves() -> None:
    """Together they stay within the time budget."""
    app = App()
    app.api.latency = 4_000

    (job,) = app.examine()

    spent = app.clock.elapsed()
    assert job.policy.budget == 240_000 - spent
    assert 60_000 < spent <= 120_000


def test_it_ends_in_time_however_slow_the_api_is() -> None:
    """What it had no time for could not be told."""
    app = App()
    app.api.latency = 30_000

    jobs = app.examine()

    (questions,) = (it for it in app.found().checks if it.name == "questions")
    assert questions.result == "could not tell"
    assert app.clock.elapsed() <= 130_000
    assert jobs[0].policy.budget >= 110_000


def test_every_run_keeps_five_seconds() -> None:
    """A short time budget leaves no time to ask anything."""
    app = App(budget=6_000)
    app.clock.advance(1)

    (job,) = app.examine()

    assert app.api.asked == []
    assert job.policy.budget >= 5_000


@pytest.mark.parametrize("error", [SourceRefused("no"), StoreUnavailable("no"), ValueError("no")])
def test_whatever_goes_wrong_the_runs_follow(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the ledger is free."""
    app = App()

    def fails(*_: object, **__: object) -> bool:
        raise error

    app.derived.publish = fails  # type: ignore[method-assign]  # storage fails at the end

    (job,) = app.examine()

    assert job.policy.scan == "all"
    assert "doctor first could not finish: no" in caplog.text
    assert ledgers.decode(app.ledger.content or b"").claimed_until == 0


def test_an_api_that_refuses_the_sign_in_is_a_finding() -> None:
    """It is not an error of the examination."""
    app = App()
    app.api.instead = lambda _number, _asked: SourceRefused("wrong secret")

    app.examine()

    (check,) = (it for it in app.found().checks if it.name == "API")
    assert (check.result, check.reason) == ("failed", "wrong secret")


def test_a_token_that_is_not_accepted_is_renewed_once() -> None:
    """It may have expired in the cache."""
    app = App()
    app.api.instead = lambda _number, _asked: status(401)

    app.examine()

    assert len(app.api.asked) == 2


def test_a_throttle_holds_for_the_scan_too() -> None:
    """The ledger has it, and the run that follows waits."""
    app = App()
    app.api.instead = lambda number, _: status(429, retry_after="90") if number == 2 else None

    app.examine()

    assert app.found().facts.retry_after == "seconds"
    assert max(app.clock.slept) >= 80_000


def test_it_waits_for_another_day_if_another_run_has_the_ledger() -> None:
    """Nothing is asked, and the label is not done."""
    app = App()
    app.ledger.content = ledgers.encode(
        ledgers.claim(ledgers.begin(app.policies[0], NOW), run="x", now=NOW, policy=app.policies[0])
    )

    app.examine()

    assert (app.api.asked, app.derived.blobs) == ([], {})


def test_it_leaves_a_paused_scan_alone() -> None:
    """Whoever paused it wants no requests."""
    app = App()
    ledger = ledgers.begin(app.policies[0], NOW)
    paused = Pause(since=NOW, until=None, by="ann", reason="")
    app.ledger.content = ledgers.encode(ledgers.change(ledger, pause=paused))

    app.examine()

    assert (app.api.asked, app.derived.blobs) == ([], {})
    assert ledgers.decode(app.ledger.content).claimed_until == 0


def test_a_run_that_dies_meanwhile_does_not_begin_again() -> None:
    """Otherwise an examination that kills the process would keep the scan from running."""
    app = App()
    app.api.instead = _dying

    with pytest.raises(Crash):
        app.examine()
    app.api.instead = lambda _number, _asked: None
    app.clock.advance(10 * MINUTE)
    app.examine()

    assert len(app.api.asked) == 1
    assert app.found().requests == 0
    assert "did not end" in app.found().checks[0].reason


def _dying(_number: int, _asked: dict[str, Any]) -> None:
    raise Crash


def test_of_two_invocations_one_examines() -> None:
    """The other finds that the label has been taken."""
    app = App()
    app.derived.save = lambda *_, **__: False  # type: ignore[method-assign]  # another was first

    app.examine()

    assert app.api.asked == []
    assert ledgers.decode(app.ledger.content or b"").claimed_until == 0


def test_signing_in_is_a_check() -> None:
    """A refusal fails; a passing reason tells nothing. The token is never shown."""
    results = {
        str(error): sign_in_check(Header(error))
        for error in (None, SourceRefused("refused"), SignInUnavailable("busy"))
    }

    assert {name: it.result for name, it in results.items()} == {
        "None": "passed",
        "refused": "failed",
        "busy": "could not tell",
    }
    assert "s3cret" not in str(results)


def test_what_the_scan_does_not_need_never_fails() -> None:
    """A container may refuse every deletion."""
    storage = InMemoryTrials({"create (state)": "no role", "delete (state)": "immutable"})

    found = {it.name: it for it in storage_checks(storage)}

    assert found["create (state)"].result == "failed"
    assert found["delete (state)"].result == "could not tell"
    assert "immutable" in found["delete (state)"].reason
