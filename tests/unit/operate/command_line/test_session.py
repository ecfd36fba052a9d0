"""How a command ends: what it says about an error, and its exit code."""

import json
import os
import sys
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console

from shared.core.errors import LeverRefused, SettingsError
from shared.operate.command_line.session import code_of, explain, failures


def console() -> Console:
    """Return a console whose text can be read again."""
    return Console(file=StringIO(), markup=False, highlight=False)


def text_of(place: Console) -> str:
    """Return what was written to a console."""
    assert isinstance(place.file, StringIO)
    return place.file.getvalue()


@pytest.mark.parametrize(
    ("error", "code", "help_page"),
    [
        (SettingsError(["SCAN_LIMIT is 9"]), 2, "docs/settings.md"),
        (LeverRefused("not now"), 1, "docs/command-line.md#levers"),
        (FileNotFoundError("no such file"), 1, "docs/runbook.md#unexpected"),
    ],
)
def test_an_error_ends_a_command(
    error: Exception, code: int, help_page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person reads what to do, and a program the same as JSON."""
    place = console()

    with pytest.raises(typer.Exit) as ended, failures(place, as_json=True):
        raise error

    assert ended.value.exit_code == code_of(error) == code
    assert text_of(place) == f"failed: {type(error).__name__}: {error}\nSee {help_page}\n"
    assert json.loads(capsys.readouterr().out) == {
        "error": type(error).__name__,
        "message": str(error),
        "help": help_page,
    }


def test_a_mistake_in_the_program_is_not_hidden() -> None:
    """Only errors with a remedy end a command in words."""
    place = console()

    with pytest.raises(ZeroDivisionError), failures(place):
        raise ZeroDivisionError

    assert text_of(place) == ""


def test_a_scan_that_failed_by_a_mistake_is_explained_with_its_trace() -> None:
    """Whoever repairs the program needs it."""
    place = console()

    explain(place, ZeroDivisionError("by zero"), "nightly")

    assert "ZeroDivisionError: by zero\n\nfailed nightly: ZeroDivisionError" in text_of(place)
    assert "See docs/runbook.md#unexpected" in text_of(place)


def test_what_was_written_before_a_failure_is_named(tmp_path: Path) -> None:
    """It is worth keeping, and must not be taken for the whole."""
    place, target = console(), tmp_path / "found.jsonl"
    (tmp_path / "found.jsonl.partial").touch()

    with pytest.raises(typer.Exit), failures(place, str(target)):
        raise OSError("disk full")

    assert f"{target}.partial, which is incomplete" in text_of(place)


def test_invalid_settings_leave_an_earlier_partial_file_unmentioned(tmp_path: Path) -> None:
    """This command has not written it."""
    place, target = console(), tmp_path / "found.jsonl"
    (tmp_path / "found.jsonl.partial").touch()

    with pytest.raises(typer.Exit), failures(place, str(target)):
        raise SettingsError(["SCAN_LIMIT is 9"])

    assert "partial" not in text_of(place)


def test_a_reader_that_has_gone_ends_a_command_without_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is still in the buffer goes nowhere, so that Python has nothing to complain about."""
    place = console()
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        monkeypatch.setattr(sys, "stdout", gone)
        gone.write("a record")

        with pytest.raises(typer.Exit) as ended, failures(place):
            gone.flush()

    assert (ended.value.exit_code, text_of(place)) == (1, "")
