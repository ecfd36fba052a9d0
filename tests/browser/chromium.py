"""The machine's own Chromium, driven without a window."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

HOW_TO_GET_IT = "there is no 'chromium' on PATH (on Debian: apt-get install chromium)"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FLAGS = (
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def found() -> str | None:
    """Return the path of the machine's browser; None if it has none."""
    return next((path for it in NAMES if (path := shutil.which(it))), None)


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser.

    Raises:
        FileNotFoundError: the machine has none.
    """
    path = found()
    if path is None:
        raise FileNotFoundError(HOW_TO_GET_IT)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
