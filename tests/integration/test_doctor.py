"""`doctor` against the simulator over HTTP and the storage emulator; and in the app itself."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from typer.testing import Result

from shared.adapters.system_clock import SystemClock
from shared.bootstrap import run_scans
from simulator import Lateness, Simulator, Switches, Tenant
from simulator.likeness import read
from tests.fakes import HOUR
from tests.integration.test_command_line import invoke
from tests.integration.test_scan_over_http import settings

ODD = Switches(
    page_cap=20,
    throttle_per_minute=None,
    gzip_response=True,
    states_max=True,
    numbers="point",
    black_hole_share=1.0,
    black_hole_recovery="none",
    unknown_filter="reject",
    empty_data="missing",
    total="exact",
    skew_ms=9_000,
)
"""An API that differs from the usual one only in its answers."""


def tenant(lateness: Lateness | None = None, seed: int = 7) -> Tenant:
    """Return a tenant with an activity in an hour, for longer than the API reaches."""
    return Tenant.generate(
        seed=seed,
        count=820,
        per_second=1 / 3600,
        until_ms=SystemClock().now() - HOUR,
        lateness=lateness or Lateness(usual_ms=(60_000, 8 * HOUR)),
        record_size=1,
    )


def facts_of(result: Result) -> dict[str, Any]:
    """Return the facts that do not depend on when each activity happened."""
    facts: dict[str, Any] = json.loads(result.stdout)["facts"]
    varying = "small_page_ms large_page_ms reach_hours lateness lateness_of per_hour"
    return {name: value for name, value in facts.items() if name not in varying.split()}


def test_doctor_measures_an_api_and_the_simulator_that_its_transcript_starts(
    storage_settings: dict[str, str], tmp_path: Path
) -> None:
    """All checks pass, and the second API cannot be told from the first."""
    file = tmp_path / "transcript.json"
    with Simulator(tenant(), switches=ODD) as api:
        first = invoke(
            settings(api, storage_settings), "doctor", "--json", "--transcript", str(file)
        )
        asked = len(api.requests)

    like = read(file)
    switches = Switches(throttle_per_minute=None, **like.switches)
    with Simulator(tenant(like.lateness, seed=3), switches=switches) as api:
        second = invoke(settings(api, storage_settings), "doctor", "--json")

    assert (first.exit_code, second.exit_code) == (0, 0)
    facts = facts_of(first)
    assert facts == facts_of(second)
    assert (facts["compressed"], facts["max"], facts["notation"]) == ("yes", "stated", "point")
    assert (facts["black_hole"], facts["hole_shown_by"]) == ("seen", ["next", "descending"])
    assert asked == json.loads(first.stdout)["requests"] <= 20
    checks = {it["result"] for it in json.loads(first.stdout)["checks"]}
    assert checks == {"passed"}


@pytest.mark.parametrize("form", ["seconds", "date", "zero", None])
def test_doctor_tells_the_form_of_a_throttle(
    storage_settings: dict[str, str], form: str | None
) -> None:
    """It meets one only if other programs use up the tenant's requests; the scan then waits."""
    switches = Switches(throttle_per_minute=0).with_texts({"retry_after": form or "none"})
    with Simulator(tenant(), switches=switches) as api:
        result = invoke(
            settings(api, storage_settings, SCAN_DOCTOR="x", SCAN_TIME_BUDGET="50s"), "run"
        )

    assert '"outcome":"waiting"' in result.stdout
    found = kept(storage_settings)
    assert found["facts"]["retry_after"] == (form or "absent")
    assert found["requests"] == 1


def kept(storage: dict[str, str]) -> dict[str, Any]:
    """Return what the app has left in the state container."""
    service = BlobServiceClient.from_connection_string(storage["STORAGE_CONNECTION_STRING"])
    state = service.get_container_client(storage["STORAGE_STATE_CONTAINER"])
    found: dict[str, Any] = json.loads(state.download_blob("scan=all/doctor.json").readall())
    return found


def test_the_app_examines_itself_once_and_scans_as_ever(
    storage_settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so, the run is done, and what is stored is sound."""
    caplog.set_level(logging.INFO)
    with Simulator(tenant(), switches=Switches(page_cap=20, throttle_per_minute=None)) as api:
        environ = settings(api, storage_settings, SCAN_DOCTOR="first-look")
        (first,) = run_scans(environ)
        after_first = len(api.requests)
        (second,) = run_scans(environ)
        verified = invoke(environ, "verify")

    assert (first.error, second.error) == (None, None)
    assert (kept(storage_settings)["label"], kept(storage_settings)["requests"]) == (
        "first-look",
        17,
    )
    assert caplog.text.count("doctor first-look sent 17 requests; failed checks: none") == 1
    assert json.loads(first.line)["requests"] == after_first - 17 > 0
    assert verified.exit_code == 0, verified.stderr


def test_a_doctor_that_is_refused_says_what_to_do(storage_settings: dict[str, str]) -> None:
    """The exit code says that a check failed; standard output has all of them."""
    with Simulator(tenant(), switches=Switches(throttle_per_minute=None)) as api:
        environ = {**settings(api, storage_settings), "MDA_API_TOKEN": "0" * 64}
        result = invoke(environ, "doctor")

    assert result.exit_code == 1
    assert "FAILED  API: the Activities API answered HTTP 401" in result.stdout
    assert "ok  stage a block (parts): it works" in result.stdout
    assert "0" * 64 not in result.stdout + result.stderr


def test_a_doctor_with_invalid_settings_asks_nothing(storage_settings: dict[str, str]) -> None:
    """All of them are listed."""
    with Simulator(tenant()) as api:
        environ = settings(api, storage_settings, SCAN_LIMIT="7", SCAN_NAME="No")
        result = invoke(environ, "doctor")
        unknown = invoke(settings(api, storage_settings), "doctor", "--scan", "other")

    assert (result.exit_code, unknown.exit_code) == (2, 2)
    assert "SCAN_LIMIT" in result.stderr
    assert "SCAN_NAME" in result.stderr
    assert "--scan 'other' is not configured" in unknown.stderr
    assert api.requests == []
