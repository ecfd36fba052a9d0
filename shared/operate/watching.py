"""Where `status` shows what it found: on standard output, in a file, again and again."""

import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from shared.core.audit.overview import overview_of
from shared.core.audit.status import encode
from shared.core.errors import SettingsError, StoreError
from shared.core.state.layout import status_name
from shared.drawing import draw, draw_overview, page_of
from shared.operate.output import partial
from shared.operate.status import FEW, Reading, text_of
from shared.ports import Clock

Read = Callable[[], Reading]
Show = Callable[[str], object]

SECOND_MS = 1_000

INDEX = "index.html"
"""The overview in a folder."""


class Target(Protocol):
    """Where pages are written."""

    @property
    def address(self) -> str:
        """What a browser calls the page that comes first."""
        ...

    def write(self, reading: Reading) -> None:
        """Write what is known about the scans.

        Raises:
            OSError: it cannot be written.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The status page in a file: of one scan, or of a few with an overview.

    Attributes:
        path: where it is.
        refresh: after how many seconds a browser loads it again; None for never.
    """

    path: Path
    refresh: int | None

    @property
    def address(self) -> str:
        """What a browser calls the file."""
        return self.path.resolve().as_uri()

    def write(self, reading: Reading) -> None:
        """Replace the file."""
        made = page_of(reading.statuses(), reading.overview(), refresh=self.refresh)
        _replace(self.path, made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """An overview in a folder, and a page of each scan below it, as in the state container.

    Attributes:
        path: the folder, which is made if it does not exist.
        refresh: after how many seconds a browser loads the overview again; None for never.
    """

    path: Path
    refresh: int | None

    @property
    def address(self) -> str:
        """What a browser calls the overview."""
        return (self.path / INDEX).resolve().as_uri()

    def write(self, reading: Reading) -> None:
        """Replace the pages, and then the overview."""
        glances = (it.glance() for it in reading.found)
        links = {it.scan: status_name(it.scan, "html") for it in reading.statuses()}
        for status in reading.statuses():
            path = self.path / links[status.scan]
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, draw(status, overview=f"../{INDEX}"))
        self.path.mkdir(parents=True, exist_ok=True)
        overview = overview_of(glances, reading.now)
        _replace(self.path / INDEX, draw_overview(overview, links, refresh=self.refresh))


def _replace(path: Path, content: bytes) -> None:
    """Replace a file at once, so that nobody sees half a page."""
    incomplete = partial(str(path))
    incomplete.write_bytes(content)
    incomplete.replace(path)


def target_of(html: str | None, scans: int, *, opens: bool, refresh: int | None) -> Target | None:
    """Return where pages are to be written; None for nowhere.

    Args:
        html: a file or a folder; None if neither is named.
        scans: how many there are.
        opens: whether the page is going to be opened, wherever it is.
        refresh: after how many seconds a browser loads it again; None for never.

    Raises:
        SettingsError: there are too many scans for one page.
    """
    if html is None:
        if not opens:
            return None
        path = own_folder()
        return _in_folder(path, refresh) if scans > FEW else _in_file(path / "status.html", refresh)
    if html.endswith(("/", os.sep)) or Path(html).is_dir():
        return _in_folder(Path(html), refresh)
    if scans > FEW:
        problem = (
            f"--html {html!r} is a file, and one page holds at most {FEW} scans, not {scans}: name "
            f"a folder (--html {html}/), or one scan with --scan"
        )
        raise SettingsError([problem])
    return _in_file(Path(html), refresh)


def _in_folder(path: Path, refresh: int | None) -> Target:
    return Folder(path=path, refresh=refresh)


def _in_file(path: Path, refresh: int | None) -> Target:
    return Page(path=path, refresh=refresh)


def own_folder() -> Path:
    """Return a new folder that only this user can read."""
    return Path(tempfile.mkdtemp(prefix="activity-scan-"))


def open_in_browser(page: Target, console: Console) -> None:
    """Open the page, or explain that no browser could be started."""
    if not webbrowser.open(page.address):
        console.print(f"no browser could be started: open {page.address}", soft_wrap=True)


def written(reading: Reading, *, as_json: bool) -> str:
    """Return what standard output gets: lines of text, or one JSON object a line."""
    if not as_json:
        return "".join(f"{line}\n" for line in text_of(reading))
    told = [encode(it).decode() for it in reading.statuses()]
    for scan, error in reading.errors().items():
        name, message = type(error).__name__, str(error)
        failed = {"scan": scan, "error": name, "message": message, "help": error.help}
        told.append(msgspec.json.encode(failed).decode() + "\n")
    return "".join(told)


def repeat(show: Callable[[], object], clock: Clock, every: int) -> None:
    """Show again after so many seconds, and again, until the user interrupts it."""
    try:
        while True:
            clock.sleep(every * SECOND_MS)
            show()
    except KeyboardInterrupt:
        return


def patient(read: Read, console: Console) -> Read:
    """Return a reader that answers with what it read last, and says so, where storage fails.

    Its first reading must succeed.
    """
    last: Reading | None = None

    def again() -> Reading:
        nonlocal last
        try:
            last = read()
        except StoreError as error:
            if last is None:
                raise
            console.print(f"not read again: {error}", style="red", soft_wrap=True)
        return last

    return again


@contextmanager
def standard_output(*, redraw: bool) -> Iterator[Show]:
    """Provide what writes text: after what is there, or in the same place of a terminal."""
    terminal = Console(file=sys.stdout)
    if not (redraw and terminal.is_terminal):
        yield _write
        return
    with Live(console=terminal, screen=True, auto_refresh=False) as live:
        yield lambda text: live.update(Text(text), refresh=True)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
