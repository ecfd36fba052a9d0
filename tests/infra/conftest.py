"""Tests of the infrastructure need the Bicep compiler, which not every machine has."""

import os
import shutil

import pytest

from harness.bicep import HOW_TO_GET_IT

left_out: list[pytest.Item] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs the compiler where it is missing; in CI those tests fail instead."""
    if shutil.which("bicep") or os.environ.get("CI"):
        return
    left_out[:] = [item for item in items if item.get_closest_marker("compiler")]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report that these tests were skipped, and how to enable them."""
    if left_out:
        count = len(left_out)
        terminalreporter.write_line(f"left out {count} tests of infra/: {HOW_TO_GET_IT}")
