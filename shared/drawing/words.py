"""How the page writes times, lengths of time and numbers."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from shared.core.audit.attention import shown
from shared.core.model import MINUTE_MS, SECOND_MS

SEVERITIES = {1: "act today", 2: "next working day", 3: "when there is time"}
"""How soon somebody has to act, by severity."""


def utc(instant: int) -> datetime:
    """Return epoch milliseconds as a time that can be formatted."""
    return datetime.fromtimestamp(instant // SECOND_MS, UTC)


def moment(instant: int) -> str:
    """Return epoch milliseconds as `Mon 23 Nov, 12:05`."""
    return f"{weekday(instant)}, {clock(instant)}"


def weekday(instant: int) -> str:
    """Return the day of epoch milliseconds as `Mon 23 Nov`."""
    return f"{utc(instant):%a} {day(instant)}"


def day(instant: int) -> str:
    """Return the day of epoch milliseconds as `23 Nov`."""
    return f"{utc(instant).day} {utc(instant):%b}"


def clock(instant: int) -> str:
    """Return the time of the day of epoch milliseconds as `12:05`."""
    return f"{utc(instant):%H:%M}"


def full(instant: int) -> str:
    """Return epoch milliseconds as `23 November 2026, 12:05 UTC`."""
    return f"{utc(instant).day} {utc(instant):%B %Y}, {clock(instant)} UTC"


def machine(instant: int) -> str:
    """Return epoch milliseconds as ISO 8601, as the attribute `datetime` has it."""
    return f"{utc(instant):%Y-%m-%dT%H:%M:%SZ}"


def stretch(start: int, end: int) -> str:
    """Return an interval as `Mon 23 Nov, 12:00 to 12:05`; a short one with its seconds."""
    if end - start < MINUTE_MS:
        return f"{weekday(start)}, {utc(start):%H:%M:%S} to {utc(end):%H:%M:%S}"
    same = utc(start).date() == utc(end).date()
    return f"{moment(start)} to {clock(end) if same else moment(end)}"


def count(number: float) -> str:
    """Return a number as `12,345`."""
    return f"{number:,.0f}"


def brief(number: float) -> str:
    """Return a number in few characters, for an axis: `950`, `12k`, `3.4M`."""
    for mark, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= size:
            digits = 0 if number >= 10 * size or number % size == 0 else 1
            return f"{number / size:.{digits}f}{mark}"
    return f"{number:.0f}"


def last_runs(number: int) -> str:
    """Return `The last 50 runs`, or `The last run` if there is one."""
    return "The last run" if number == 1 else f"The last {number} runs"


def severity(number: int) -> str:
    """Return how soon somebody has to act."""
    return SEVERITIES.get(number, "")


FILTERS: dict[str, Callable[..., Any]] = {
    it.__name__: it
    for it in (moment, weekday, day, clock, full, machine, count, brief, last_runs, severity, shown)
} | {"stretch": lambda it: stretch(it.start, it.end)}
