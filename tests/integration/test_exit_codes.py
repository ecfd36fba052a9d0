"""Exit codes and --json are the same for every command, and the page's table has all of them."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from typer.testing import CliRunner, Result

from harness.azurite import azurite
from shared.operate.command_line import app
from simulator import Simulator
from tests.integration.test_command_line import invoke
from tests.integration.test_scan_over_http import OPEN, history, settings
from tests.test_docs import ROOT, commands

NEEDED = {
    "query": ["--output", "found.jsonl"],
    "announce": ["--queue", "q"],
    "rescan": ["--from", "2026-11-23", "--until", "2026-11-24"],
    "backfill": ["--from", "2026-11-23"],
    "quarantine show": ["7"],
    "scans check": ["host.json"],
}
"""What a command cannot do without."""


def table() -> list[str]:
    """Return the commands in the table of the page, in order."""
    page = (ROOT / "docs/command-line.md").read_text("utf-8")
    rows = page.partition("<!-- commands -->")[2].partition("<!-- end of commands -->")[0]
    return re.findall(r"^\| `([a-z -]+)` \|", rows, re.MULTILINE)


def test_the_table_has_every_command() -> None:
    """Each once."""
    assert sorted(table()) == sorted(commands())


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_takes_the_options_of_all(command: str) -> None:
    """Settings come from a file or an app, and results can be read by programs."""
    told = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}).output

    for option in ("--json", "--env-file", "--from-app"):
        assert option in told


OF_ALL_SCANS = {"verify", "status", "plan", "table"}
"""Commands that take all scans unless one is named."""

OF_NO_SCAN = {"run", "scans check"}
"""Commands that have no use for the name of a scan."""

OF_THE_FIRST_SCAN = {"query", "doctor"}
"""Commands that ask the API of the settings, or of the first scan, unless one is named."""

OF_ONE_SCAN = sorted(set(commands()) - OF_ALL_SCANS - OF_NO_SCAN - OF_THE_FIRST_SCAN)


@pytest.mark.parametrize("command", sorted(set(commands()) - OF_NO_SCAN))
def test_a_command_on_a_scan_lets_it_be_named(command: str) -> None:
    """And refuses a name that is not configured, before anything is requested."""
    ran = on_two_scans(command, "--scan", "northwind")

    assert ran.exit_code == 2, ran.output
    assert "'northwind' is not configured; there is: contoso, fabrikam" in told_by(ran)


@pytest.mark.parametrize("command", OF_ONE_SCAN)
def test_a_command_on_one_scan_does_not_guess_which(command: str) -> None:
    """It says that several are configured, and how they are called."""
    ran = on_two_scans(command)

    assert ran.exit_code == 2, ran.output
    assert "--scan is needed: several scans are configured (contoso, fabrikam)" in told_by(ran)


def on_two_scans(command: str, *options: str) -> Result:
    """Call a command in an app with two scans."""
    given = [*command.split(), *NEEDED.get(command, []), "--json", *options]
    file = json.dumps({"Values": TWO_SCANS})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "local.settings.json"
        path.write_text(file)
        return CliRunner().invoke(app, [*given, "--env-file", str(path)], env={})


def told_by(ran: Result) -> str:
    """Return the message of the error on standard output."""
    message: str = json.loads(ran.stdout.splitlines()[-1])["message"]
    return message


TWO_SCANS = {
    "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
    "MDA_AUTH": "api-token",
    "MDA_API_TOKEN": "0" * 64,
    "STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net",
    "SCANS": '[{"name": "contoso"}, {"name": "fabrikam"}]',
}


@pytest.mark.parametrize("command", list(commands()))
def test_invalid_settings_are_exit_code_2_and_an_object(command: str, tmp_path: Path) -> None:
    """Standard output has nothing but JSON, and the last object is the error."""
    (tmp_path / "my.env").write_text("MDA_API_URL=nonsense\nSCAN_LIMITS=1\n")
    given = [*command.split(), *NEEDED.get(command, []), "--json", "--env-file"]

    ran = CliRunner().invoke(app, [*given, str(tmp_path / "my.env")], env={})

    assert ran.exit_code == 2
    *_, last = [json.loads(line) for line in ran.stdout.splitlines()]
    assert last["error"] == "SettingsError"
    assert "SCAN_LIMITS" in last["message"]
    assert last["help"] == "docs/settings.md"
    assert "See docs/settings.md" in ran.stderr


@pytest.mark.parametrize(
    "command", [["query"], ["announce", "--output", "-"]], ids=lambda it: str(it[0])
)
def test_standard_output_holds_either_records_or_the_result(command: list[str]) -> None:
    """Both would be mixed up."""
    ran = CliRunner().invoke(app, [*command, "--json"], env={})

    assert ran.exit_code == 2
    assert "--output FILE" in json.loads(ran.stdout)["message"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Provide what the commands write about a scan that has run once."""
    folder = tmp_path_factory.mktemp("told")
    with azurite() as storage, Simulator(history(600), switches=OPEN) as api:
        given = {"STORAGE_CONNECTION_STRING": storage.connection_string}
        environ = settings(api, given, SCAN_LOOKBACK="2h")
        wanted = [
            ["run"],
            ["query", "--output", str(folder / "found.jsonl")],
            ["status"],
            ["plan"],
            ["verify"],
            ["announce", "--output", str(folder / "messages.jsonl")],
            ["table", "--to", str(folder / "table")],
            ["ledger", "show"],
            ["ledger", "history"],
            ["ledger", "rebuild"],
            ["quarantine", "list"],
            ["pause", "--yes"],
            ["resume", "--yes"],
            ["scans", "check", str(folder / "scans.json")],
        ]
        (folder / "scans.json").write_text('[{"name": "all"}]')
        return {
            " ".join(it[:2] if it[0] in {"ledger", "quarantine", "scans"} else it[:1]): invoke(
                environ, *it, "--json"
            )
            for it in wanted
        }


FIELDS = {
    "run": {"event", "scan", "outcome"},
    "query": {"output", "pages", "records"},
    "status": {"scan", "verdict", "attention"},
    "plan": {"plan", "backlog_gone"},
    "verify": {"scan", "manifests", "findings"},
    "announce": {"after", "messages", "ended"},
    "table": {"scan", "through", "commits", "rows"},
    "ledger show": {"version", "scan", "coverage"},
    "ledger rebuild": {"written", "adopted", "ledger"},
    "pause": {"scan", "kind", "by"},
    "resume": {"scan", "kind", "by"},
    "scans check": {"added", "refused", "containers"},
}


@pytest.mark.parametrize("command", FIELDS)
def test_a_command_that_is_done_writes_one_object(told: dict[str, Result], command: str) -> None:
    """Nothing else is on standard output."""
    ran = told[command]

    assert ran.exit_code == 0, ran.stderr
    (line,) = ran.stdout.splitlines()
    assert FIELDS[command] <= set(json.loads(line))


@pytest.mark.parametrize("command", ["ledger history", "quarantine list"])
def test_a_command_that_finds_nothing_writes_nothing(told: dict[str, Result], command: str) -> None:
    """An object stands for a thing that was found."""
    assert (told[command].exit_code, told[command].stdout) == (0, "")
