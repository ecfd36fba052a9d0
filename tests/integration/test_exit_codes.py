"""Exit codes and --json are the same for every command, and the page's table has all of them."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared.operate.command_line import app
from tests.test_docs import ROOT, commands

NEEDED = {
    "query": ["--output", "found.jsonl"],
    "announce": ["--queue", "q"],
    "rescan": ["--from", "2026-11-23", "--to", "2026-11-24"],
    "backfill": ["--to", "2026-11-23"],
    "quarantine show": ["7"],
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
