"""`verify` and `ledger rebuild` against what a scan wrote to Azurite."""

import json
import re
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.core.audit.findings import Kind
from simulator import Simulator, Tenant
from tests.integration.test_command_line import invoke
from tests.integration.test_scan_over_http import (
    OPEN,
    history,
    run_until_idle,
    settings,
    stored,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tenant() -> Tenant:
    """Provide a tenant with a few pages of activities."""
    return history(2300)


@pytest.fixture
def environ(storage_settings: dict[str, str], tenant: Tenant) -> dict[str, str]:
    """Provide the settings of a scan that has stored everything."""
    with Simulator(tenant, switches=OPEN) as api:
        scanned = settings(api, storage_settings)
        run_until_idle(scanned)
    return scanned


def container(environ: dict[str, str], kind: str) -> ContainerClient:
    """Return one of the scan's containers."""
    service = BlobServiceClient.from_connection_string(environ["STORAGE_CONNECTION_STRING"])
    return service.get_container_client(environ[f"STORAGE_{kind}_CONTAINER"])


def test_a_sound_store_is_called_sound(environ: dict[str, str]) -> None:
    """The exit code is 0, and the output says how much was read."""
    result = invoke(environ, "verify", "--json")

    assert result.exit_code == 0, result.stderr
    assert "2,300 records" in result.stderr
    assert "sound" in result.stderr
    found = json.loads(result.stdout)
    assert (found["scan"], found["records"], found["findings"]) == ("all", 2300, [])


def test_damage_is_reported(environ: dict[str, str]) -> None:
    """The exit code is 1; standard error and the JSON have the findings."""
    data = container(environ, "DATA")
    first, second, *_ = data.list_blob_names()
    data.delete_blob(first)
    content = data.download_blob(second).readall()
    data.upload_blob(second, content[:-1], overwrite=True)

    result = invoke(environ, "verify", "--json")

    assert result.exit_code == 1
    assert f"part-missing: {first}" in result.stderr
    assert f"part-altered: {second}" in result.stderr
    kinds = [it["kind"] for it in json.loads(result.stdout)["findings"]]
    assert sorted(kinds) == ["part-altered", "part-missing"]


def test_an_invalid_time_is_refused(environ: dict[str, str]) -> None:
    """So is a scan that is not configured."""
    times = invoke(environ, "verify", "--from", "yesterday")
    scans = invoke(environ, "verify", "--scan", "nobody")

    assert (times.exit_code, scans.exit_code) == (2, 2)
    assert "--from is 'yesterday'" in times.stderr
    assert "'nobody' is not configured" in scans.stderr


def test_a_lost_ledger_is_rebuilt_on_demand(environ: dict[str, str], tenant: Tenant) -> None:
    """The command shows it first, then writes it; the scan resumes without loss or duplicate."""
    state = container(environ, "STATE")
    lost = json.loads(state.download_blob("scan=all/ledger.json").readall())
    state.delete_blob("scan=all/ledger.json")

    shown = invoke(environ, "ledger", "rebuild")
    written = invoke(environ, "ledger", "rebuild", "--write")

    assert (shown.exit_code, written.exit_code) == (0, 0), written.stderr
    assert "nothing was written" in shown.stderr
    rebuilt = json.loads(state.download_blob("scan=all/ledger.json").readall())
    for name in ("coverage", "head", "origin", "parts_by_hour"):
        assert rebuilt[name] == lost[name]
    with Simulator(tenant, switches=OPEN) as api:
        run_until_idle({**environ, "MDA_API_URL": api.url, "MDA_API_TOKEN": _token(api)})
    assert sorted(stored(environ)) == tenant.truth()


def test_an_existing_ledger_is_not_overwritten(environ: dict[str, str]) -> None:
    """The exit code is 1, with the reason."""
    result = invoke(environ, "ledger", "rebuild", "--write")

    assert result.exit_code == 1
    assert "never replaced" in result.stderr


def test_one_of_several_scans_has_to_be_named(environ: dict[str, str]) -> None:
    """A rebuild is for one scan at a time."""
    several = {**environ, "SCANS": '[{"name": "all"}, {"name": "other"}]'}

    result = invoke(several, "ledger", "rebuild")

    assert result.exit_code == 2
    assert "--scan is needed" in result.stderr


def test_every_kind_of_finding_is_documented() -> None:
    """The page says what it means and what to do."""
    page = (ROOT / "docs/verify.md").read_text("utf-8")

    documented = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)

    assert sorted(documented) == sorted(Kind.__args__)  # type: ignore[attr-defined]


def _token(api: Simulator) -> str:
    return api.credentials.header["Authorization"].removeprefix("Token ")
