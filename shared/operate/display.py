"""What a command shows on standard error: live on a terminal, otherwise as plain lines."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from shared.adapters.system_clock import SystemClock
from shared.ports import Clock

PLAIN_EVERY_MS = 15_000
"""How often a log shows what a terminal shows every second."""


class PlainDisplay:
    """The `Display` for logs and pipes: one line after the other."""

    def __init__(self, console: Console, clock: Clock) -> None:
        """Write to this console, and count time by this clock."""
        self._console = console
        self._clock = clock
        self._written = clock.elapsed()

    def say(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, soft_wrap=True)
        self._written = self._clock.elapsed()

    def progress(self, text: str) -> None:
        """Write a line."""
        self.say(text)

    def tick(self, text: str) -> None:
        """Write a line if the last one is old: a line a second would bury the rest."""
        if self._clock.elapsed() - self._written >= PLAIN_EVERY_MS:
            self.say(text)


class LiveDisplay:
    """The `Display` for a terminal: the last line shows the current progress and the time spent."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        """Show progress as this task of this bar."""
        self._bar = bar
        self._task = task

    def say(self, text: str) -> None:
        """Write a line above the live one."""
        self._bar.console.print(text, soft_wrap=True)

    def progress(self, text: str) -> None:
        """Replace the live line."""
        self._bar.update(self._task, description=text)

    def tick(self, text: str) -> None:
        """Replace the live line."""
        self._bar.update(self._task, description=text)


def standard_error() -> Console:
    """Return the console of standard error; texts are shown as they are, brackets included."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False)


@contextmanager
def display(
    console: Console, *, live: bool, clock: Clock | None = None
) -> Iterator[PlainDisplay | LiveDisplay]:
    """Provide the display; `live` asks for the terminal's, where there is a terminal."""
    if not (live and console.is_terminal):
        yield PlainDisplay(console, clock or SystemClock())
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        yield LiveDisplay(bar, bar.add_task("starting"))
