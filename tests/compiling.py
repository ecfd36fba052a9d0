"""Compiles a new working copy once, and not once in each test process."""

import os
import sys
from collections.abc import Iterable
from compileall import compile_file
from contextlib import suppress
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]

TESTS = "test_*.py"
"""Modules that pytest compiles itself, and keeps under names of its own."""


def compile_together(given: Iterable[Path]) -> None:
    """Compile the program, then import the tests in some folders.

    Python and pytest keep what they have compiled. So each test process begins at another place
    and finds the rest compiled by the others, whereas collecting would let all of them compile the
    same module at the same time.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None or sys.dont_write_bytecode:
        return
    share = int(worker.removeprefix("gw")) / int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    for file in turned(sources(), share):
        compile_file(file, quiet=2)
    for file in turned((test for folder in given for test in folder.rglob(TESTS)), share):
        with suppress(Exception):  # Collecting imports it again, and reports what is wrong.
            import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))


def sources() -> list[Path]:
    """Return the modules that Python compiles when they are imported."""
    folders = ("shared", "simulator", "bench", "infra", "tests")
    found = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    # The emulator is in a folder below, with thousands of files.
    found += (ROOT / "harness").glob("*.py")
    return [it for it in found if not it.match(TESTS)]


def turned(files: Iterable[Path], share: float) -> list[Path]:
    """Return the files in order, from the one that has this share of them before it."""
    ordered = sorted(files)
    start = int(len(ordered) * share)
    return ordered[start:] + ordered[:start]
