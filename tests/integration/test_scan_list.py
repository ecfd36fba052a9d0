"""Scans listed in `scans.json`, on Azurite: by the timer, and by commands."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient
from typer.testing import CliRunner

from shared.bootstrap import run_scans
from shared.core.errors import SettingsError, StoreUnavailable
from shared.operate.command_line import app
from simulator import Simulator
from tests.integration.test_many_tenants import Customer, Environ, customers, settings
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, stored
from tests.integration.test_scan_over_http import settings as of_one_scan

__all__ = ["customers"]


@pytest.fixture
def state(storage_settings: Environ) -> ContainerClient:
    """Provide the app's state container, as a deployment makes it."""
    service = BlobServiceClient.from_connection_string(
        storage_settings["STORAGE_CONNECTION_STRING"]
    )
    container = service.get_container_client(storage_settings["STORAGE_STATE_CONTAINER"])
    container.create_container()
    return container


def put(state: ContainerClient, elements: object) -> None:
    """Write the list, as an operator does."""
    state.upload_blob("scans.json", json.dumps(elements), overwrite=True)


def without_list(customers: list[Customer], storage: Environ, **more: str) -> Environ:
    """Return the settings of a provider's app that does not list the scans."""
    return settings(customers, storage, SCANS="", **more)


def test_the_scans_of_the_file_are_run(
    customers: list[Customer], storage_settings: Environ, state: ContainerClient
) -> None:
    """Each in its own containers."""
    put(state, [it.element() for it in customers])

    run_until_idle(without_list(customers, storage_settings))

    for mine in customers:
        assert sorted(stored(mine.places(storage_settings), mine.name)) == mine.tenant.truth()


def test_a_wrong_file_is_reported_by_the_first_scan_alone(
    customers: list[Customer], storage_settings: Environ, state: ContainerClient
) -> None:
    """All scans of the last valid file run, and one alert is enough."""
    put(state, [it.element() for it in customers])
    environ = without_list(customers, storage_settings)
    run_scans(environ)
    put(state, [it.element() | {"limit": 1} for it in customers])

    lines = [json.loads(it.line) for it in run_scans(environ)]

    assert [it["outcome"] for it in lines] == ["idle", "idle"]
    (entry,) = [it for it in lines[0]["attention"] if it["kind"] == "scan-list"]
    assert "scans.json[0] (contoso): SCAN_LIMIT" in entry["text"]
    assert not [it for it in lines[1]["attention"] if it["kind"] == "scan-list"]


def test_a_file_beside_scans_stops_the_runs(
    customers: list[Customer], storage_settings: Environ, state: ContainerClient
) -> None:
    """The error says what to remove."""
    put(state, [customers[0].element()])

    (result,) = run_scans(settings(customers, storage_settings))

    assert isinstance(result.error, SettingsError)
    assert "Remove SCANS" in str(result.error)


def test_an_unreadable_list_fails_the_scan_of_the_settings(
    storage_settings: Environ,
) -> None:
    """The line names the scan, as ever, and what is wrong with storage."""
    broken = {**storage_settings, "STORAGE_STATE_CONTAINER": "x" * 3}
    connection = broken["STORAGE_CONNECTION_STRING"].split(";")
    broken["STORAGE_CONNECTION_STRING"] = ";".join(
        "AccountKey=c2VjcmV0" if it.startswith("AccountKey=") else it for it in connection
    )
    with Simulator(history(1), switches=OPEN) as api:
        (result,) = run_scans(of_one_scan(api, broken))

    assert isinstance(result.error, StoreUnavailable)
    assert "scans.json" in str(result.error)
    assert (result.scan, api.requests) == ("all", [])


def invoke(environ: Environ, *command: str) -> tuple[int, str, str]:
    """Run a command, and return its exit code and what it wrote."""
    result = CliRunner().invoke(app, command, env=environ)
    return result.exit_code, result.stdout, result.stderr


def test_commands_find_the_scans_of_the_file(
    customers: list[Customer], storage_settings: Environ, state: ContainerClient
) -> None:
    """They need no other list."""
    put(state, [it.element() for it in customers])
    environ = without_list(customers, storage_settings)
    run_until_idle(environ)

    code, found, _ = invoke(environ, "verify", "--json")
    asked, records, _ = invoke(environ, "query", "--scan", "fabrikam")

    assert (code, asked) == (0, 0)
    assert [json.loads(line)["scan"] for line in found.splitlines()] == ["contoso", "fabrikam"]
    assert len(records.splitlines()) == 200


def test_commands_warn_of_a_wrong_file(
    customers: list[Customer], storage_settings: Environ, state: ContainerClient
) -> None:
    """They work on the scans of the last valid one, and `status` shows what the alert says.

    It is in the overview and in the details of the first scan, and not in those of the other.
    """
    put(state, [it.element() for it in customers])
    environ = without_list(customers, storage_settings)
    invoke(environ, "run")
    put(state, [])

    code, found, said = invoke(environ, "status")

    assert code == 0
    assert "warning: the newest list of scans is not in use" in said
    assert "- scans.json lists no scan" in said
    assert found.count("docs/runbook.md#scan-list") == 2
    assert found.index("fabrikam: ") > found.rindex("docs/runbook.md#scan-list")


def test_a_list_in_an_env_file_takes_the_place_of_the_file(
    customers: list[Customer],
    storage_settings: Environ,
    state: ContainerClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """So what a removed scan has stored can still be verified."""
    put(state, [it.element() for it in customers])
    environ = without_list(customers, storage_settings)
    run_until_idle(environ)
    put(state, [customers[1].element()])
    invoke(environ, "run")
    removed = tmp_path_factory.mktemp("removed") / "removed.env"
    element = customers[0].element()
    removed.write_text(f"SCANS={json.dumps([element])}\n")

    code, _, said = invoke(environ, "verify", "--scan", "contoso")
    sound, found, _ = invoke(environ, "verify", "--env-file", str(removed), "--json")

    assert (code, "'contoso' is not configured; there is: fabrikam" in said) == (2, True)
    assert sound == 0
    assert json.loads(found)["scan"] == "contoso"
    assert json.loads(found)["records"] == 300


@pytest.fixture
def proposed(tmp_path: Path) -> Callable[..., list[str]]:
    """Provide what writes a list and returns the command that checks it."""

    def write(elements: object, *options: str) -> list[str]:
        (tmp_path / "proposed.json").write_text(json.dumps(elements))
        return ["scans", "check", str(tmp_path / "proposed.json"), *options]

    return write


def test_a_check_compares_a_list_with_the_one_in_use(
    customers: list[Customer],
    storage_settings: Environ,
    state: ContainerClient,
    proposed: Callable[..., list[str]],
) -> None:
    """Standard output has what is to be deployed, and standard error what changes."""
    contoso, fabrikam = customers
    put(state, [contoso.element()])
    environ = without_list(customers, storage_settings)
    run_scans(environ)
    changed = contoso.element() | {"limit": 600}

    code, parameter, said = invoke(environ, *proposed([changed, fabrikam.element()]))

    assert code == 0
    assert said.splitlines()[:2] == ["+ fabrikam: new", "~ contoso: limit: the app's -> 600"]
    assert all(name in said.splitlines()[2] for name in fabrikam.containers.values())
    assert [it["name"] for it in json.loads(parameter)] == ["contoso", "fabrikam"]


def test_a_check_refuses_to_move_a_scan_that_has_data(
    customers: list[Customer],
    storage_settings: Environ,
    state: ContainerClient,
    proposed: Callable[..., list[str]],
) -> None:
    """A scan that has none may move, even from containers that do not exist."""
    contoso, fabrikam = customers
    put(state, [contoso.element()])
    environ = without_list(customers, storage_settings)
    run_scans(environ)
    put(state, [contoso.element(), fabrikam.element()])
    moved = [it.element() | {"data_container": f"{it.name}-moved"} for it in customers]

    code, found, _ = invoke(environ, *proposed(moved, "--json"))

    assert code == 1
    (refused,) = json.loads(found)["refused"]
    assert refused.startswith("contoso: its data are in the container")


def test_a_check_names_everything_that_is_wrong_with_a_list(
    customers: list[Customer],
    storage_settings: Environ,
    proposed: Callable[..., list[str]],
) -> None:
    """The list in use plays no part in it."""
    wrong = [it.element() | {"limit": 1, "token": "x"} for it in customers]

    code, found, said = invoke(settings(customers, storage_settings), *proposed(wrong))

    assert (code, found) == (2, "")
    assert said.count("scans.json[") == 4


def test_a_check_helps_to_replace_scans_and_a_wrong_list(
    customers: list[Customer],
    storage_settings: Environ,
    state: ContainerClient,
    proposed: Callable[..., list[str]],
) -> None:
    """Both are what somebody checks a list for."""
    command = proposed([it.element() for it in customers])

    code, _, said = invoke(settings(customers, storage_settings), *command)
    put(state, [])
    again, _, new = invoke(without_list(customers, storage_settings), *command)

    assert (code, again) == (0, 0)
    assert "SCANS is set: remove it" in said
    assert "+ contoso: new" not in said
    assert "+ contoso: new" in new
