"""The command line against the simulator and the storage emulator."""

import json
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shared.adapters.system_clock import SystemClock
from shared.operate.command_line import app
from simulator import FOREVER, Fault, Simulator, Switches, Tenant
from tests.contracts.storage import opened
from tests.fakes import MINUTE
from tests.integration.test_scan_over_http import history, settings, stored
from tests.parts import lines_of

ROOT = Path(__file__).parents[2]

OPEN = Switches(page_cap=100, minimum_limit=1, throttle_per_minute=None)
"""An API with small pages, so that a few activities need many."""


def invoke(environ: dict[str, str], *arguments: str) -> Result:
    """Run a command in this process; standard output and error are kept apart."""
    return CliRunner().invoke(app, arguments, env=dict(environ))


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    """Provide a tenant with nine pages of activities."""
    return history(840)


@pytest.fixture
def api(tenant: Tenant) -> Iterator[Simulator]:
    """Provide the simulated API."""
    with Simulator(tenant, switches=OPEN) as running:
        yield running


def truth(tenant: Tenant) -> list[bytes]:
    """Return the bytes of all records, sorted."""
    return sorted(tenant.record(identity) for identity in tenant.truth())


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["date", "created"])
def test_a_query_writes_everything(
    api: Simulator, tenant: Tenant, tmp_path: Path, field: str, direction: str
) -> None:
    """It writes all pages, byte for byte, in either order."""
    target = tmp_path / "found.jsonl"
    options = ("--sort-field", field, "--sort-direction", direction, "--output", str(target))

    result = invoke(settings(api, {}), "query", *options)

    assert result.exit_code == 0, result.stderr
    assert sorted(target.read_bytes().splitlines()) == truth(tenant)
    assert "done: 840 activities on 9 pages" in result.stderr
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["found.jsonl.gz", "FOUND.JSONL.GZ"])
def test_a_file_may_be_compressed(
    api: Simulator, tenant: Tenant, tmp_path: Path, name: str
) -> None:
    """The name's suffix decides, in upper or lower case."""
    target = tmp_path / name

    invoke(settings(api, {}), "query", "--output", str(target))

    assert sorted(lines_of(target.read_bytes())) == truth(tenant)


def test_settings_ask_the_same_as_options(api: Simulator) -> None:
    """Each parameter has both; an option overrides its setting."""
    by_settings = {
        "SCAN_FILTERS": '{"date": {"gte_ndays": 1}, "service": {"eq": [20893]}}',
        "SCAN_SORT_FIELD": "created",
        "SCAN_SORT_DIRECTION": "desc",
        "SCAN_LIMIT": "700",
    }

    invoke(settings(api, by_settings), "query", "--limit", "800")

    asked = api.requests[0]
    assert asked.filters == {"date": {"gte_ndays": 1}, "service": {"eq": [20893]}}
    assert (asked.sort_field, asked.sort_direction, asked.limit) == ("created", "desc", 800)
    assert asked.is_scan


def test_filters_can_come_from_a_file(api: Simulator, tenant: Tenant, tmp_path: Path) -> None:
    """Nobody has to type long ones twice."""
    (tmp_path / "filters.json").write_text('{"service": {"eq": [20893]}}')

    result = invoke(settings(api, {}), "query", "--filters", f"@{tmp_path}/filters.json")

    found = [json.loads(line)["appId"] for line in result.stdout_bytes.splitlines()]
    wanted = [1 for record in truth(tenant) if json.loads(record)["appId"] == 20893]
    assert found == [20893] * len(wanted)


def test_standard_output_is_clean(api: Simulator, tenant: Tenant) -> None:
    """It has only records and can be piped; standard error has progress. No storage needed."""
    environ = settings(api, {})
    command = [sys.executable, "-m", "shared", "query"]

    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, check=True)

    assert sorted(ran.stdout.splitlines()) == truth(tenant)
    assert "9 pages" in ran.stderr.decode()


def test_an_empty_tenant_is_not_a_failure(tmp_path: Path) -> None:
    """The file exists and is empty."""
    target = tmp_path / "found.jsonl"
    with Simulator(Tenant(), switches=OPEN) as api:
        result = invoke(settings(api, {}), "query", "--output", str(target))

    assert result.exit_code == 0
    assert target.read_bytes() == b""
    assert "0 activities on 1 page" in result.stderr


def test_a_throttled_query_waits_and_continues(tenant: Tenant, tmp_path: Path) -> None:
    """A 429 does not end the query."""
    target = tmp_path / "found.jsonl"
    faults = [Fault("status", 3, 4, value=429, seconds=1)]
    with Simulator(tenant, switches=OPEN, faults=faults) as api:
        result = invoke(settings(api, {}), "query", "--output", str(target))

    assert result.exit_code == 0, result.stderr
    assert sorted(target.read_bytes().splitlines()) == truth(tenant)
    assert len(api.requests) == 11


def test_a_page_that_lost_its_data_is_asked_for_again(tenant: Tenant, tmp_path: Path) -> None:
    """Its cursor has moved on, so continuing from it would omit activities."""
    target = tmp_path / "found.jsonl"
    with Simulator(tenant, switches=OPEN, faults=[Fault("no-data", 3)]) as api:
        result = invoke(settings(api, {}), "query", "--output", str(target))

    assert result.exit_code == 0, result.stderr
    assert sorted(target.read_bytes().splitlines()) == truth(tenant)


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Fault("stuck-cursor", 3, FOREVER), "instead of moving on"),
        (Fault("status", 3, value=400), "HTTP 400"),
        (Fault("status", 3, value=403), "investigation.read"),
        (Fault("status", 3, value=404), "Check MDA_API_URL"),
    ],
)
def test_an_answer_that_would_lose_activities_leaves_no_file(
    tenant: Tenant, tmp_path: Path, fault: Fault, why: str
) -> None:
    """It is a clear error with exit code 1; what was written stays as a partial file only."""
    target = tmp_path / "found.jsonl"
    with Simulator(tenant, switches=OPEN, faults=[fault]) as api:
        result = invoke(settings(api, {}), "query", "--output", str(target))

    assert result.exit_code == 1
    assert why in result.stderr
    assert "See docs/runbook.md#" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["found.jsonl.partial"]
    assert "found.jsonl.partial" in result.stderr


def test_more_activities_on_a_millisecond_than_a_page_holds_end_the_query(tmp_path: Path) -> None:
    """The documented sample would request the same page forever."""
    at = SystemClock().now() - 60 * MINUTE
    with Simulator(Tenant.of([at] * 250), switches=OPEN) as api:
        result = invoke(settings(api, {}), "query", "--output", str(tmp_path / "found"))

    assert result.exit_code == 1
    assert "millisecond" in result.stderr
    assert len(api.requests) == 2


def test_invalid_settings_end_a_query_before_any_request(api: Simulator) -> None:
    """The exit code is 2, every problem is listed, and nothing is sent."""
    environ = settings(api, {"MDA_AUTH": "client-secret"})

    result = invoke(environ, "query", "--limit", "1", "--filters", "{", "--sort-field", "x")

    assert result.exit_code == 2
    assert api.requests == []
    for name in ("MDA_TENANT_ID", "MDA_CLIENT_ID", "MDA_CLIENT_SECRET", "--limit", "--filters"):
        assert name in result.stderr


def test_a_folder_is_refused_as_output_before_any_request(api: Simulator, tmp_path: Path) -> None:
    """Otherwise the error would follow an hour of pages."""
    result = invoke(settings(api, {}), "query", "--output", str(tmp_path))

    assert (result.exit_code, api.requests) == (1, [])
    assert "is a folder" in result.stderr


def test_a_reader_that_goes_away_ends_the_query_quietly(api: Simulator) -> None:
    """`head` is such a reader."""
    command = f"{sys.executable} -m shared query | head -n 1"

    ran = subprocess.run(
        ["/bin/sh", "-c", command], cwd=ROOT, env=settings(api, {}), capture_output=True, check=True
    )

    assert len(ran.stdout.splitlines()) == 1
    assert b"Traceback" not in ran.stderr
    assert b"BrokenPipe" not in ran.stderr


def test_a_run_repeats_until_idle(
    api: Simulator, tenant: Tenant, storage_settings: dict[str, str], tmp_path: Path
) -> None:
    """The scan is complete, its settings from a file, and standard output has each report."""
    environ = settings(api, storage_settings, SCAN_TIME_BUDGET="5s")
    lines = "".join(f"{name}={value}\n" for name, value in environ.items())
    (tmp_path / "settings").write_text(lines)

    result = invoke({}, "run", "--until-idle", "--env-file", f"{tmp_path}/settings")

    assert result.exit_code == 0, result.stderr
    assert tenant.truth() == sorted(stored(storage_settings))
    reports = [json.loads(line) for line in result.stdout.splitlines()]
    assert reports[-1]["outcome"] == "idle"
    assert "all: idle, nothing is due" in result.stderr


def test_without_until_idle_there_is_one_run(
    api: Simulator, storage_settings: dict[str, str]
) -> None:
    """It writes one report line and exits with 0."""
    result = invoke(settings(api, storage_settings, SCAN_LOOKBACK="1h"), "run")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1


def test_a_status_tells_how_the_scan_is(api: Simulator, storage_settings: dict[str, str]) -> None:
    """From what the runs have stored: ledger, history and run log."""
    environ = settings(api, storage_settings, SCAN_LOOKBACK="1h")
    invoke(environ, "run")

    found = json.loads(invoke(environ, "status", "--json").stdout)

    assert found["verdict"] == "The scan is up to date."
    assert found["history_through"] == found["head"]["number"] > 0
    assert len(found["runs"]) == 1


def test_a_status_page_is_written_and_its_address_is_said(
    api: Simulator, storage_settings: dict[str, str], tmp_path: Path
) -> None:
    """Standard output stays empty unless JSON is asked for as well."""
    environ = settings(api, storage_settings, SCAN_LOOKBACK="1h")
    invoke(environ, "run")
    page = tmp_path / "status.html"

    result = invoke(environ, "status", "--html", str(page))

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{page.as_uri()}\n"
    assert b">The scan is up to date.</h1>" in page.read_bytes()


def test_a_plan_tells_what_the_next_run_would_do(
    api: Simulator, storage_settings: dict[str, str]
) -> None:
    """It shows as many requests as were asked for, and sends none of them."""
    opened(storage_settings)

    result = invoke(settings(api, storage_settings), "plan", "--most", "1")

    first, *told = result.stdout.splitlines()
    assert (result.exit_code, api.requests) == (0, []), result.stderr
    assert first.startswith("all: the next run would send ")
    assert [line.split()[0] for line in told if line.strip()[0].isdigit()] == ["1."]


def test_a_watched_status_is_shown_until_it_is_interrupted(
    api: Simulator, storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control-C is how it ends, so it ends well."""
    environ = settings(api, storage_settings, SCAN_LOOKBACK="1h")
    waited = list[int]()

    def sleep(_: SystemClock, milliseconds: int) -> None:
        waited.append(milliseconds)
        if len(waited) == 3:
            raise KeyboardInterrupt

    invoke(environ, "run")
    monkeypatch.setattr(SystemClock, "sleep", sleep)

    result = invoke(environ, "status", "--watch", "7")

    assert (result.exit_code, waited) == (0, [7_000] * 3)
    assert result.stdout.count("all: The scan is up to date.") == 3


def test_a_status_page_is_opened_in_a_browser(
    api: Simulator, storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a file it is in a temporary folder."""
    opened = list[str]()

    def opens(address: str) -> bool:
        opened.append(address)
        return True

    monkeypatch.setattr(webbrowser, "open", opens)
    environ = settings(api, storage_settings, SCAN_LOOKBACK="1h")
    invoke(environ, "run")

    result = invoke(environ, "status", "--open")

    assert result.stderr.splitlines() == opened
    page = Path(opened[0].removeprefix("file://"))
    assert b">The scan is up to date.</h1>" in page.read_bytes()
    shutil.rmtree(page.parent)


def test_invalid_settings_end_a_run(api: Simulator, storage_settings: dict[str, str]) -> None:
    """Exit code 2, all problems and their help page; the report line is there, too."""
    environ = settings(api, storage_settings, SCAN_LIMIT="9", SCAN_SLICE="7m", SCAN_LIMITS="1")

    result = invoke(environ, "run", "--until-idle")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"] == "SettingsError"
    for text in ("SCAN_LIMIT ", "SCAN_SLICE", "SCAN_LIMITS", "See docs/settings.md"):
        assert text in result.stderr


def test_a_failed_run_says_what_to_do(api: Simulator, storage_settings: dict[str, str]) -> None:
    """It shows exit code 1, the error, the remedy and the page, but never the token."""
    environ = settings(api, storage_settings, MDA_API_TOKEN="ab" * 32)

    result = invoke(environ, "run", "--until-idle")

    assert result.exit_code == 1
    for text in ("TokenRefused", "renew MDA_API_TOKEN", "See docs/runbook.md#source-refused"):
        assert text in result.stderr
    assert "ab" * 32 not in result.output


def test_without_its_packages_the_command_line_says_what_to_install(tmp_path: Path) -> None:
    """It writes one line instead of a traceback."""
    (tmp_path / "typer.py").write_text('raise ModuleNotFoundError("no", name="typer")')
    environ = {"PYTHONPATH": str(tmp_path)}

    command = [sys.executable, "-m", "shared", "run"]
    ran = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 1
    assert ran.stderr == "typer is not installed: pip install -r requirements-cli.txt\n"


def test_help_names_the_commands() -> None:
    """It also says where to read more."""
    result = invoke({}, "--help")

    assert result.exit_code == 0
    assert "query" in result.output
    assert "docs/command-line.md" in result.output
