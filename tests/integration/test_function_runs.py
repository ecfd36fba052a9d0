"""The function in the worker's real library, against the simulated API and Azurite."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.azurite import Azurite, azurite
from harness.feed import Feed
from harness.functions_host import Invocation, invoke
from simulator import Identity, IdentityEndpoint, Simulator
from tests.integration.test_scan_over_http import OPEN, history

ROOT = Path(__file__).parents[2]


@pytest.fixture
def storage_by_default() -> Iterator[Azurite]:
    """Provide a separate emulator: the containers have their default names."""
    with azurite() as running:
        yield running


def app_settings(api: Simulator, storage: dict[str, str], **more: str) -> dict[str, str]:
    """Return exactly what Azure would pass to the app as environment."""
    return {
        "MDA_API_URL": api.url,
        "MDA_ALLOW_ANY_HOST": "true",
        "MDA_AUTH": "api-token",
        "MDA_API_TOKEN": api.credentials.header["Authorization"].removeprefix("Token "),
        **storage,
        "SCAN_SCHEDULE": "0 */5 * * * *",
        "SCAN_LOOKBACK": "3h",
        "SCAN_SLICE": "15m",
        "SCAN_TIME_BUDGET": "60s",
        "SCAN_REQUESTS_PER_MINUTE": "1000",
        **more,
    }


def run(settings: dict[str, str]) -> Invocation:
    """Run the timer once."""
    return invoke(ROOT, settings, "scan_activities")


def reports(invocation: Invocation) -> list[dict[str, Any]]:
    """Return the report lines that the host would receive."""
    lines = [log.message for log in invocation.logs if log.category == "activity_scan"]
    return [json.loads(line) for line in lines]


def test_the_timer_stores_what_the_api_holds(storage_by_default: Azurite) -> None:
    """The app signs in by its managed identity, as deployed; each run logs one report."""
    tenant = history(2600)
    storage = {"STORAGE_CONNECTION_STRING": storage_by_default.connection_string}
    with Simulator(tenant, switches=OPEN) as api, IdentityEndpoint() as identity:
        settings = app_settings(api, storage, MDA_AUTH="", MDA_API_TOKEN="", **identity.environment)

        invocations = [run(settings) for _ in range(2)]

    assert [it.success for it in invocations] == [True, True]
    outcomes = [[report["outcome"] for report in reports(it)] for it in invocations]
    assert outcomes == [["idle"], ["idle"]]
    lines = [
        line
        for entry in Feed(storage_by_default.connection_string).entries()
        for line in entry.lines
    ]
    records = map(json.loads, lines)
    found = sorted(Identity(it["_id"], it["timestamp"], it["created"]) for it in records)
    assert found == tenant.truth()


def test_a_run_that_fails_is_marked_failed_and_reports_once(
    storage_settings: dict[str, str],
) -> None:
    """The host sees the exception; the log has one line that says what to do."""
    with Simulator(history(10), switches=OPEN) as api:
        ended = run(app_settings(api, storage_settings, MDA_API_TOKEN="0" * 32))

    assert not ended.success
    assert "TokenRefused" in (ended.exception or "")
    (report,) = reports(ended)
    assert (report["outcome"], report["error"]) == ("failed", "TokenRefused")
    assert report["help"] == "docs/runbook.md#source-refused"


def test_invalid_settings_fail_the_run_and_report_once(storage_settings: dict[str, str]) -> None:
    """All are reported together, before any request."""
    with Simulator(history(10), switches=OPEN) as api:
        ended = run(app_settings(api, storage_settings, SCAN_LIMIT="9", SCAN_SLICE="7m"))

        assert api.requests == []
    assert not ended.success
    (report,) = reports(ended)
    assert report["error"] == "SettingsError"
    assert "SCAN_LIMIT" in report["message"]
    assert "SCAN_SLICE" in report["message"]


def test_the_report_is_a_trace_of_its_own_category(storage_settings: dict[str, str]) -> None:
    """Alert rules select it by category; its level distinguishes failures."""
    with Simulator(history(10), switches=OPEN) as api:
        well = run(app_settings(api, storage_settings))
        ill = run(app_settings(api, storage_settings, SCAN_NAME="other", MDA_API_TOKEN="0" * 32))

    levels = [log.level for it in (well, ill) for log in it.logs if log.category == "activity_scan"]
    assert levels == ["INFO", "ERROR"]


def test_one_scan_that_fails_does_not_stop_the_others(storage_settings: dict[str, str]) -> None:
    """Each scan has its own run and report; the invocation as a whole fails."""
    scans = '[{"name": "good"}, {"name": "bad", "filters": {"service": {"eq": [1]}}}]'
    changed = scans.replace("[1]", "[2]")
    with Simulator(history(700), switches=OPEN) as api:
        run(app_settings(api, storage_settings, SCANS=scans))

        ended = run(app_settings(api, storage_settings, SCANS=changed))

    assert not ended.success
    outcomes = {report["scan"]: report["outcome"] for report in reports(ended)}
    assert outcomes == {"good": "idle", "bad": "failed"}
