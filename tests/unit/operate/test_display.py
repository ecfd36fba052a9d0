"""What a terminal shows, and what a log gets instead."""

from io import StringIO

from rich.console import Console

from shared.operate.display import display
from shared.operate.pausing import pause
from tests.fakes import FakeClock


def shown(*, terminal: bool, live: bool) -> str:
    """Return the output of a wait of 70 seconds and of a permanent line."""
    written = StringIO()
    console = Console(file=written, force_terminal=terminal, width=80, markup=False)
    clock = FakeClock()
    with display(console, live=live, clock=clock) as place:
        pause(clock, place, 70_000, "throttled [429]")
        place.say("done " + "x" * 100)
    return written.getvalue()


def test_a_log_gets_whole_lines() -> None:
    """A wait is a line every 15 s, not one a second; there is no wrapping and no control code."""
    lines = shown(terminal=False, live=True).splitlines()

    assert lines == [
        "throttled [429]: waiting for 1 min 10 s",
        "throttled [429]: 55 s left",
        "throttled [429]: 40 s left",
        "throttled [429]: 25 s left",
        "throttled [429]: 10 s left",
        f"done {'x' * 100}",
    ]


def test_a_terminal_keeps_one_line_up_to_date() -> None:
    """The live line disappears at the end; permanent lines stay."""
    text = shown(terminal=True, live=True)

    assert "throttled [429]: 1 s left" in text
    assert "\x1b[2K" in text
    assert text.rstrip().endswith("\x1b[2K")


def test_a_terminal_that_shows_the_records_gets_lines() -> None:
    """A live line would be mixed with the records."""
    assert "\x1b[2K" not in shown(terminal=True, live=False)
