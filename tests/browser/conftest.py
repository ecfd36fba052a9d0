"""Tests in a real browser need Chromium, which not every machine has."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import HOW_TO_GET_IT, found, started

left_out: list[pytest.Item] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs the browser where it is missing; in CI those tests fail instead."""
    if found() or os.environ.get("CI"):
        return
    left_out[:] = [item for item in items if item.get_closest_marker("browser")]
    items[:] = [item for item in items if item not in set(left_out)]
    config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report that these tests were skipped, and how to enable them."""
    if left_out:
        terminalreporter.write_line(f"left out {len(left_out)} browser tests: {HOW_TO_GET_IT}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Provide the machine's browser without a window, started once."""
    with started() as running:
        yield running
