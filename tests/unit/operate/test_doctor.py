"""`doctor` on a command line: its pace beside a scan, and what it shows."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.core.audit.doctor.reports import Examination
from shared.core.errors import SourceRefused, StoreUnavailable
from shared.core.model import Pacing
from shared.core.state import ledger as ledgers
from shared.operate.doctor import BesideScan, examine, lines_of
from shared.ports import SavedLedger
from shared.scan.doctor import Patient
from shared.scan.run_clock import RunClock
from simulator import Lateness, Switches
from tests.displays import Said
from tests.examined import PAGE, tenant
from tests.fakes import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    FakeClock,
    InMemoryLedger,
    InMemoryTrials,
    policy,
    status,
)
from tests.simulated import SimulatedApi

PAGE_OF_DOCTOR = Path(__file__).parents[3] / "docs/doctor.md"


class Bearer:
    """The `Authorization` of an application with the right role."""

    def header(self) -> str:
        """Return a header whose token has roles."""
        claims = base64.urlsafe_b64encode(json.dumps({"roles": ["investigation.read"]}).encode())
        return f"Bearer e30.{claims.decode()}.c2ln"

    def renew(self) -> bool:
        """Nothing to renew."""
        return False


class Bedside:
    """A patient on fakes, with everything around it."""

    def __init__(self, *, storage: InMemoryTrials | None = None, **switches: Any) -> None:
        self.clock = FakeClock(NOW)
        self.shown = Said()
        self.ledger = InMemoryLedger(date=self.clock.now)
        self.ledger.content = b""
        chosen = {"page_cap": PAGE, **switches}
        self.api = SimulatedApi(self.tenant(), self.clock, Switches(**chosen))
        self.patient = Patient(
            policy=policy(concurrency=3, requests_per_minute=25),
            source=self.api,
            authorization=Bearer(),
            storage=storage or InMemoryTrials(),
            ledgers=(self.ledger,),
            per_minute=25,
            clock=self.clock,
        )

    def tenant(self) -> Any:  # noqa: ANN401 - a tenant of the simulator
        """Return the usual tenant."""
        return tenant()

    def with_ledger(self, **changes: Any) -> "Bedside":
        """Store a ledger with these fields."""
        ledger = ledgers.begin(self.patient.policy, NOW - DAY)
        self.ledger.content = ledgers.encode(ledgers.change(ledger, **changes))
        return self

    def examine(self) -> Examination:
        """Examine it to the end."""
        return examine(self.patient, self.shown, dict)[0]

    def pace(self) -> BesideScan:
        """Return a pace that has sent nothing."""
        return BesideScan(self.patient, RunClock(self.clock, None), self.shown)

    def times(self, requests: int) -> list[int]:
        """Return when each of so many requests may be sent, in ms from now."""
        pace, sent = self.pace(), []
        for _ in range(requests):
            assert pace.is_ready()
            sent.append(self.clock.elapsed())
        return sent


def test_beside_a_live_scan_it_uses_what_the_scan_leaves() -> None:
    """The tenant has 30 requests a minute, and the scans use up to 25 of them."""
    bedside = Bedside().with_ledger(pacing=Pacing(starts=(NOW - 4 * MINUTE,)))

    sent = bedside.times(11)

    assert sent[10] - sent[0] >= 2 * MINUTE
    assert any("5 requests a minute are left beside the scan" in it for it in bedside.shown.lines)


def test_a_scan_that_uses_all_requests_leaves_one_a_minute() -> None:
    """The examination takes longer, and ends."""
    bedside = Bedside().with_ledger(pacing=Pacing(sent_at=(NOW - MINUTE,)))
    bedside.patient = replace(bedside.patient, per_minute=30)

    assert bedside.times(3) == [0, MINUTE, 2 * MINUTE]


@pytest.mark.parametrize(
    "changes", [{}, {"pacing": Pacing(starts=(NOW - 2 * HOUR,))}, {"claimed_until": NOW - DAY}]
)
def test_without_a_live_scan_it_has_all_of_its_requests(changes: dict[str, Any]) -> None:
    """Nobody else of this program asks."""
    assert Bedside().with_ledger(**changes).times(11)[10] < MINUTE


def test_a_claim_makes_a_scan_live() -> None:
    """Its run sends requests now."""
    bedside = Bedside().with_ledger(claimed_until=NOW + MINUTE)

    assert bedside.times(6)[5] >= MINUTE


def test_it_waits_for_a_throttle_that_the_scan_has_met() -> None:
    """The ledger says how long."""
    bedside = Bedside().with_ledger(pacing=Pacing(not_before=NOW + 3 * MINUTE))

    assert bedside.times(1) == [3 * MINUTE]


def test_it_ends_for_a_throttle_that_lasts_too_long() -> None:
    """What it could not ask is said."""
    bedside = Bedside().with_ledger(pacing=Pacing(not_before=NOW + 30 * MINUTE))

    found = bedside.examine()

    assert found.requests == 0
    assert bedside.clock.elapsed() == 0


def test_its_own_throttle_is_waited_for() -> None:
    """The question is then asked again."""
    bedside = Bedside()
    bedside.api.instead = lambda number, _: status(429, retry_after="70") if number == 3 else None

    found = bedside.examine()

    assert found.facts.retry_after == "seconds"
    assert found.requests == 18
    assert bedside.clock.elapsed() >= 70_000


def test_a_ledger_that_cannot_be_read_does_not_end_it() -> None:
    """The checks of storage say what is wrong; the clock of storage could not be told."""
    bedside = Bedside()

    def fails() -> SavedLedger:
        raise StoreUnavailable("no network")

    bedside.ledger.load = fails  # type: ignore[method-assign]  # storage does not answer

    found = bedside.examine()

    (check,) = (it for it in found.checks if it.name == "clock of storage")
    assert check.result == "could not tell"
    assert found.requests == 17


def test_it_never_writes_the_ledger() -> None:
    """A live run's saves would be refused."""
    bedside = Bedside().with_ledger()
    before = bedside.ledger.content

    bedside.examine()

    assert bedside.ledger.content == before
    assert bedside.ledger.history == []


def test_it_shows_which_question_it_asks() -> None:
    """A person who waits sees how far it is."""
    bedside = Bedside()

    bedside.examine()

    assert "asking the API (1 of at most 20): as the scan asks" in bedside.shown.lines
    assert "asking the API (17 of at most 20): event type" in bedside.shown.lines


def test_what_failed_comes_first() -> None:
    """Then each check with its reason, and each fact that differs with what it means."""
    bedside = Bedside(storage=InMemoryTrials({"create (state)": "give it the role"}))
    bedside.api.instead = lambda _number, _asked: SourceRefused("wrong secret")

    text = "\n".join(lines_of(bedside.examine()))

    assert text.startswith("all: 2 checks failed, 0 facts differ")
    assert "FAILED  create (state): give it the role" in text
    assert "FAILED  API: wrong secret" in text
    assert "The present settings suit what was measured." in text


class Example(Bedside):
    """The examination that the documentation shows."""

    def tenant(self) -> Any:  # noqa: ANN401 - a tenant of the simulator
        """Return a tenant that fills a page of 500, some of whose activities come late."""
        late = Lateness(late_share=0.04, late_ms=(HOUR, 6 * HOUR))
        return tenant(late, per_hour=12, days=34)


def example() -> str:
    """Return what `doctor` shows for it."""
    bedside = Example(
        page_cap=500,
        latency_seconds=1.2,
        seconds_per_record=0.011,
        black_hole_share=1.0,
        unknown_filter="reject",
    )
    return "\n".join(lines_of(bedside.examine())) + "\n"


def test_the_example_in_the_documentation_is_what_doctor_shows() -> None:
    """It is the output of this very test."""
    page = PAGE_OF_DOCTOR.read_text("utf-8")

    shown = page.partition("$ python -m shared doctor --env-file my.env\n")[2].partition("```")[0]

    assert shown == example()
