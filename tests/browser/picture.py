"""Takes the picture of the status page that README.md shows: `make picture`.

The page is that of a simulated tenant whose API was down for most of a day.
"""

import logging
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize

from shared.core.audit.status import Status
from shared.drawing import draw
from shared.scan.reporting import logger
from tests.browser import stores
from tests.browser.chromium import started

PICTURE = Path(__file__).parents[2] / "docs" / "status.png"
SIZE: ViewportSize = {"width": 1100, "height": 900}


def take(browser: Browser, status: Status, path: Path) -> None:
    """Write a picture (PNG) of the upper part of a status page in light colours."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "status.html"
        page.write_bytes(draw(status))
        context = browser.new_context(color_scheme="light", viewport=SIZE)
        shown = context.new_page()
        shown.goto(page.as_uri())
        shown.screenshot(path=path)
        context.close()


def main() -> None:
    """Take the picture."""
    logger.setLevel(logging.ERROR)
    with started() as browser:
        take(browser, stores.backlog().status(), PICTURE)
    sys.stdout.write(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes\n")


if __name__ == "__main__":
    main()
