"""Waiting while a display counts down, on a clock that tests can replace."""

from typing import Protocol

from shared.ports import Clock

SHOWN_MS = 2_000
"""Shorter waits are not shown."""


class Display(Protocol):
    """Where a command reports what it does."""

    def say(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def progress(self, text: str) -> None:
        """Show what has been done so far: in place on a terminal, else as a line."""
        ...

    def tick(self, text: str) -> None:
        """Show what changes every second: in place on a terminal, else as a line now and then."""
        ...


def pause(clock: Clock, display: Display, milliseconds: int, why: str) -> None:
    """Wait, and count down the seconds on the display."""
    ends = clock.elapsed() + milliseconds
    if milliseconds >= SHOWN_MS:
        display.progress(f"{why}: waiting for {duration(milliseconds)}")
    while (left := ends - clock.elapsed()) > 0:
        if milliseconds >= SHOWN_MS:
            display.tick(f"{why}: {duration(left)} left")
        clock.sleep(min(left, 1000))


def duration(milliseconds: int) -> str:
    """Return a human-readable duration, such as `48 s` or `2 h 5 min`."""
    seconds = -(-milliseconds // 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun, such as `1 page` or `2,000 pages`."""
    return f"{number:,} {one if number == 1 else many}"
