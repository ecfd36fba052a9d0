"""Where `status` shows what it found: on standard output, in a file, again and again."""

import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from shared.core.audit.status import Status, encode
from shared.core.errors import StoreError
from shared.drawing import page_of
from shared.operate.output import partial
from shared.operate.status import lines_of
from shared.ports import Clock

Read = Callable[[], Sequence[Status]]
Show = Callable[[str], object]

SECOND_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The status page in a file.

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

    def write(self, statuses: Sequence[Status]) -> None:
        """Replace the file at once, so that nobody sees half a page.

        Raises:
            OSError: it cannot be written.
        """
        incomplete = partial(str(self.path))
        incomplete.write_bytes(page_of(statuses, refresh=self.refresh))
        incomplete.replace(self.path)


def own_file() -> Path:
    """Return a file in a new folder that only this user can read."""
    return Path(tempfile.mkdtemp(prefix="activity-scan-")) / "status.html"


def open_in_browser(page: Page, console: Console) -> None:
    """Open the page, or explain that no browser could be started."""
    if not webbrowser.open(page.address):
        console.print(f"no browser could be started: open {page.address}", soft_wrap=True)


def text_of(statuses: Sequence[Status], *, as_json: bool) -> str:
    """Return what standard output gets: lines of text, or one JSON object a line."""
    if as_json:
        return "".join(encode(it).decode() for it in statuses)
    return "".join(f"{line}\n" for it in statuses for line in lines_of(it))


def repeat(show: Callable[[], None], clock: Clock, every: int) -> None:
    """Show again after so many seconds, and again, until the user interrupts it."""
    try:
        while True:
            clock.sleep(every * SECOND_MS)
            show()
    except KeyboardInterrupt:
        return


def patient(read: Read, console: Console) -> Read:
    """Return a reader that answers with the last statuses, and says so, where storage fails.

    Its first reading must succeed.
    """
    last: list[Status] = []

    def again() -> Sequence[Status]:
        try:
            found = read()
        except StoreError as error:
            if not last:
                raise
            console.print(f"not read again: {error}", style="red", soft_wrap=True)
        else:
            last[:] = found
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
