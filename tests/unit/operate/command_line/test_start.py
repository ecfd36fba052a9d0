"""`python -m shared`: the command line, or what to install for it."""

import builtins
import sys
from types import ModuleType
from typing import Any

import pytest

from shared.__main__ import main


def without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Let the command line not find a package."""
    imports = builtins.__import__

    def find(name: str, *rest: Any) -> ModuleType:
        if name == "shared.operate.command_line":
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return imports(name, *rest)

    monkeypatch.setattr(builtins, "__import__", find)


def test_it_is_called_as_it_was_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The help shows what to type."""
    monkeypatch.setattr(sys, "argv", ["shared", "plan", "--help"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 0
    assert "Usage: python -m shared plan" in capsys.readouterr().out


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_a_missing_package_of_the_command_line_is_named(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """A deployment does not have these, so neither has whoever copied its requirements."""
    without(monkeypatch, package)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == (f"{package} is not installed: pip install -r requirements-cli.txt")


def test_any_other_missing_package_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy of these two would not help."""
    without(monkeypatch, "msgspec")

    with pytest.raises(ModuleNotFoundError, match="msgspec"):
        main()
