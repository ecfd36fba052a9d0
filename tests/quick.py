"""Which tests are quick: `make quick` runs them, and measurements choose them.

A test is quick if it is in one of the folders of `FOLDERS` and `slow.txt` does not list it. That
list is measured: `make quick-list` runs those folders and rewrites it.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FOLDERS = ("tests/unit/", "tests/simulator/", "tests/test_house.py")
"""Tests of product and simulator that start no process and need no emulator."""

LIST = Path(__file__).with_name("slow.txt")

SLOW_SECONDS = 0.15
"""The processor time from which a test function, with all its parameters, is slow."""

MEASURED = "processor seconds"


def function_of(nodeid: str) -> str:
    """Return a test without its parameters."""
    return nodeid.partition("[")[0]


class Quick:
    """Marks quick tests, and measures how long tests take when the list is to be rewritten."""

    def __init__(self, *, writes: bool) -> None:
        self._writes = writes
        self._taken: defaultdict[str, float] = defaultdict(float)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the quick tests."""
        slow = set(LIST.read_text("utf-8").splitlines())
        for item in items:
            if item.nodeid.startswith(FOLDERS) and function_of(item.nodeid) not in slow:
                item.add_marker("quick")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Measure processor time, which does not depend on how busy the machine is."""
        began = time.process_time()
        yield
        item.user_properties.append((MEASURED, time.process_time() - began))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Sum the time of a function, in whichever process it ran."""
        if report.when == "call":
            taken = dict(report.user_properties).get(MEASURED, 0.0)
            self._taken[function_of(report.nodeid)] += float(str(taken))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the list, in the process that has every report."""
        if self._writes and not hasattr(session.config, "workerinput"):
            slow = sorted(
                name
                for name, taken in self._taken.items()
                if name.startswith(FOLDERS) and taken > SLOW_SECONDS
            )
            LIST.write_text("".join(f"{name}\n" for name in slow), "utf-8")
