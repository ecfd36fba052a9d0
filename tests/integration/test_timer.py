"""What the timer raises for the platform, and what it logs, in this process."""

import json
import logging
import os

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared import bootstrap
from shared.adapters.activities_api import HttpActivitySource
from shared.bootstrap import accepted, run_on_timer, run_scans
from shared.core.errors import SettingsError, TokenRefused
from simulator import Simulator
from tests.integration.test_scan_over_http import OPEN, history, settings, stored
from tests.unit.settings.given import GOOD

TWO = '[{"name": "one"}, {"name": "two"}]'


def deploy(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    """Let the process have these settings, as the platform does."""
    for name in os.environ:
        if name.startswith(("MDA_", "SCAN", "STORAGE_")):
            monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def test_runs_that_work_raise_nothing(
    storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every scan has stored what it found."""
    tenant = history(40)
    with Simulator(tenant, switches=OPEN) as api:
        deploy(monkeypatch, settings(api, storage_settings, SCANS=TWO))

        run_on_timer()

    for scan in ("one", "two"):
        assert sorted(stored(storage_settings, scan)) == tenant.truth()


def test_the_timer_of_several_scans_writes_their_overview(
    storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It and the pages of the scans lead to each other."""
    with Simulator(history(4), switches=OPEN) as api:
        deploy(monkeypatch, settings(api, storage_settings, SCANS=TWO))
        run_on_timer()

    state = state_of(storage_settings)
    told = json.loads(state.download_blob("overview.json").readall())
    page = state.download_blob("overview.html").readall()
    assert {it["scan"]: it["verdict"] for it in told["scans"]} == {
        "one": "The scan is up to date.",
        "two": "The scan is up to date.",
    }
    assert b'href="scan=one/status.html"' in page
    assert b'href="../overview.html"' in state.download_blob("scan=one/status.html").readall()


def test_the_timer_of_one_scan_writes_no_overview(
    storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its page says everything."""
    with Simulator(history(4), switches=OPEN) as api:
        deploy(monkeypatch, settings(api, storage_settings))
        run_on_timer()

    names = [it.name for it in state_of(storage_settings).list_blobs()]
    assert [it for it in names if it.startswith("overview")] == []


def test_an_overview_that_cannot_be_written_fails_no_run(
    storage_settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The runs have reported by then; the log has a warning."""

    def broken(*_: object) -> bytes:
        raise OSError("no room")

    monkeypatch.setattr(bootstrap, "draw_overview", broken)
    with (
        Simulator(history(4), switches=OPEN) as api,
        caplog.at_level(logging.WARNING, "activity_scan"),
    ):
        deploy(monkeypatch, settings(api, storage_settings, SCANS=TWO))
        run_on_timer()

    assert "the overview could not be written: no room" in caplog.text


def state_of(storage: dict[str, str]) -> ContainerClient:
    """Return the state container of an app."""
    service = BlobServiceClient.from_connection_string(storage["STORAGE_CONNECTION_STRING"])
    return service.get_container_client(storage["STORAGE_STATE_CONTAINER"])


def test_one_failed_scan_raises_its_own_error(
    storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The platform shows its type and its words."""
    with Simulator(history(1), switches=OPEN) as api:
        deploy(monkeypatch, settings(api, storage_settings, MDA_API_TOKEN="0" * 32))

        with pytest.raises(TokenRefused, match="renew MDA_API_TOKEN"):
            run_on_timer()


def test_several_failed_scans_raise_all_their_errors(
    storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None hides another."""
    with Simulator(history(1), switches=OPEN) as api:
        refused = settings(api, storage_settings, SCANS=TWO, MDA_API_TOKEN="0" * 32)
        deploy(monkeypatch, refused)

        with pytest.raises(ExceptionGroup, match="several scans failed") as raised:
            run_on_timer()

    assert [type(it) for it in raised.value.exceptions] == [TokenRefused, TokenRefused]


def test_invalid_settings_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """No scan could be built, so this is the only error."""
    deploy(monkeypatch, {"SCAN_LIMIT": "9"})

    with pytest.raises(SettingsError, match="SCAN_LIMIT"):
        run_on_timer()


def test_a_connection_that_cannot_be_closed_fails_no_run(
    storage_settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Everything is stored and reported by then; the log says what happened."""
    close = HttpActivitySource.close

    def fail(source: HttpActivitySource) -> None:
        close(source)
        raise OSError("it is gone")

    monkeypatch.setattr(HttpActivitySource, "close", fail)
    with (
        Simulator(history(1), switches=OPEN) as api,
        caplog.at_level(logging.WARNING, "activity_scan"),
    ):
        (result,) = run_scans(settings(api, storage_settings))

    assert (result.outcome, result.error) == ("idle", None)
    assert "the connection to the API could not be closed: it is gone" in caplog.text


def test_only_settings_that_fit_the_present_ones_are_accepted() -> None:
    """Each is tried beside those that were accepted before it."""
    proposed = {"SCAN_LIMIT": "500", "SCAN_SORT_FIELD": "nonsense", "SCAN_SWEEP_BY": "created"}

    assert accepted(GOOD, proposed) == {"SCAN_LIMIT": "500", "SCAN_SWEEP_BY": "created"}
