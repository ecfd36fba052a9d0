"""The contracts about imports hold for every module, whatever is added: each one is tried."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"

OUTSIDE = ("shared.adapters", "shared.bootstrap", "shared.operate")
"""What may do input and output: it talks to something outside, or to a person."""

BUILDS = "shared.table_app"
"""It may, too, but its settings may not."""


def modules() -> dict[str, Path]:
    """Return every module of the product, and where it is."""
    found = {}
    for path in sorted((ROOT / "shared").rglob("*.py")):
        *folders, name = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(folders if name == "__init__" else [*folders, name])] = path
    return found


def broken(folder: Path, contract: str, planted: str) -> str:
    """Return what a contract reports of a copy with an import in every module of the product."""
    for package in ("shared", "simulator", "harness", "bench"):
        ignored = shutil.ignore_patterns("node_modules", "__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for path in modules().values():
        with (folder / path.relative_to(ROOT)).open("a", encoding="utf-8") as file:
            file.write(f"\nimport {planted}\n")
    command = [sys.executable, "-c", LINT, "--no-cache", "--contract", contract]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout


def is_in(module: str, packages: tuple[str, ...]) -> bool:
    """Say whether a module is one of the packages, or inside one."""
    return any(module == it or module.startswith(f"{it}.") for it in packages)


@pytest.mark.parametrize("planted", ["os", "socket", "requests"])
def test_an_import_that_does_input_or_output_breaks_a_contract(
    tmp_path: Path, planted: str
) -> None:
    """In every module except adapters, bootstrap and command line."""
    reported = broken(tmp_path, "pure", planted)

    inside = [it for it in modules() if not is_in(it, OUTSIDE) and it != BUILDS]
    assert {"shared.scan.absorbing", f"{BUILDS}.settings"} <= set(inside)
    assert [it for it in inside if f" {it} -> {planted} " not in reported] == []


def test_an_import_that_draws_on_a_terminal_breaks_a_contract(tmp_path: Path) -> None:
    """In every module except the command line."""
    reported = broken(tmp_path, "terminal", "rich")

    inside = [it for it in modules() if not is_in(it, ("shared.operate",))]
    assert [it for it in inside if f" {it} -> rich " not in reported] == []


def test_an_import_that_logs_breaks_a_contract(tmp_path: Path) -> None:
    """In every module of the core."""
    reported = broken(tmp_path, "silent", "logging")

    inside = [it for it in modules() if is_in(it, ("shared.core",))]
    assert [it for it in inside if f" {it} -> logging " not in reported] == []
