"""Timer schedules (NCRONTAB) as the Functions host reads them. Needs only the standard library.

The Functions host reads schedules with the library NCrontab, which accepts some schedules that one
would not expect and refuses some that other crons accept. `parse` accepts exactly what the host
accepts; `occurrences` and `gaps` compute when the timer fires, in UTC.
"""
# ruff: noqa: INP001 - scripts import it from their own folder

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, product, takewhile
from typing import NamedTuple

CALENDAR_CYCLE = 400
"""Years after which the calendar repeats, weekdays and leap days included."""

SURVEYED = timedelta(days=3653)
"""How far ahead gaps between days are measured. Ten years show all common gaps."""

INT_MAX = 2**31 - 1
"""The host reads numbers as 32-bit integers and fails on larger ones."""

SUGGESTED = "0 */5 * * * *"
"""A schedule that suits the default settings and that most wrong schedules were meant to be."""


class ScheduleError(ValueError):
    """The host refuses this schedule; the message names the field and the reason."""


class Field(NamedTuple):
    """One of the six positions of a schedule.

    Attributes:
        name: what it counts, in the plural.
        least: its smallest value.
        most: its largest value.
        words: names for its values from `least` on; the host accepts any prefix in any case.
    """

    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()


FIELDS = (
    Field(name="seconds", least=0, most=59),
    Field(name="minutes", least=0, most=59),
    Field(name="hours", least=0, most=23),
    Field(name="days", least=1, most=31),
    Field(name="months", least=1, most=12, words=tuple(calendar.month_name[1:])),
    Field(
        name="weekdays",
        least=0,
        most=6,
        words=("Sunday", *calendar.day_name[:6]),
    ),
)


class Element(NamedTuple):
    """One of the values, ranges or steps that a field lists with commas.

    Attributes:
        text: as it was written.
        first: the smallest value.
        last: the largest value that a step may reach.
        step: the distance of two values as written; None without one.
        words: the names that were written instead of numbers.
        backwards: whether its range was written from large to small.
    """

    text: str
    first: int
    last: int
    step: int | None
    words: tuple[str, ...]
    backwards: bool

    def values(self) -> range:
        """Return the values that it stands for; a step below one counts as one."""
        return range(self.first, self.last + 1, max(self.step or 1, 1))


class Schedule(NamedTuple):
    """A schedule that the host accepts.

    Attributes:
        tokens: the fields as written: five, or six with seconds.
        elements: what each of the six fields lists.
        values: the values of each of the six fields, ascending.
    """

    tokens: tuple[str, ...]
    elements: tuple[tuple[Element, ...], ...]
    values: tuple[tuple[int, ...], ...]

    def everything(self, field: int) -> bool:
        """Tell whether a field (0 for seconds) has all its values."""
        return len(self.values[field]) == FIELDS[field].most - FIELDS[field].least + 1


def parse(expression: str) -> Schedule:
    """Return a schedule as the host reads it.

    Raises:
        ScheduleError: the host refuses it.
    """
    tokens = tuple(token for token in expression.split(" ") if token)
    if len(tokens) not in {len(FIELDS), len(FIELDS) - 1}:
        raise ScheduleError(_wrong_count(expression, len(tokens)))
    missing = len(FIELDS) - len(tokens)
    elements = tuple(
        _parse_field(field, token, f"{field.name} (field {place} of {len(tokens)})")
        for place, (field, token) in enumerate(zip(FIELDS[missing:], tokens, strict=True), start=1)
    )
    if missing:
        elements = (_parse_field(FIELDS[0], "0", "seconds"), *elements)
    values = tuple(
        tuple(sorted({value for element in field for value in element.values()}))
        for field in elements
    )
    return Schedule(tokens=tokens, elements=elements, values=values)


def _wrong_count(expression: str, count: int) -> str:
    if expression.strip().startswith("@"):
        return f"macros such as @hourly are unknown to the host; write the fields: {SUGGESTED!r}"
    if re.fullmatch(r"[\d.]*\d+:\d+(:\d+)?", expression.strip()):
        return (
            "an interval works only in an App Service plan, not in Flex Consumption; "
            f"write the fields: {SUGGESTED!r}"
        )
    if re.search(r"\s", expression.replace(" ", "")):
        return "fields must be separated by spaces, but it has tabs or line breaks"
    return (
        f"it has {count} field{'' if count == 1 else 's'}; six are needed (seconds minutes hours "
        f"days months weekdays), or five without seconds, such as {SUGGESTED!r}"
    )


def _parse_field(field: Field, token: str, place: str) -> tuple[Element, ...]:
    try:
        return tuple(_parse_element(field, text) for text in token.split(","))
    except ScheduleError as error:
        msg = f"{place} is {token!r}: {error}"
        raise ScheduleError(msg) from None


def _parse_element(field: Field, text: str) -> Element:
    """Read `*`, a value or a range, each with or without a step."""
    body, tail = _apart(text, "/")
    step = None if tail is None else _number(tail, "the step")
    if body == "*":
        return _element(field, text, (field.least, field.most), step, ())
    low, high = _apart(body, "-")
    first = _value(field, low)
    if high is not None:
        bounds = (first, _value(field, high))
    else:
        bounds = (first, first if step is None else field.most)
    words = tuple(word for word in (low, high) if word and not word[0].isdigit())
    return _element(field, text, bounds, step, words)


def _apart(text: str, separator: str) -> tuple[str, str | None]:
    """Split at the first separator; the host ignores one at the very beginning."""
    place = text.find(separator, 1)
    return (text, None) if place < 0 else (text[:place], text[place + 1 :])


def _element(
    field: Field, text: str, bounds: tuple[int, int], step: int | None, words: tuple[str, ...]
) -> Element:
    first, last = sorted(bounds)
    if first < field.least or last > field.most:
        wrong = first if first < field.least else last
        raise ScheduleError(
            f"{wrong} is not between {field.least} and {field.most}{_hint(field, wrong)}"
        )
    return Element(
        text=text, first=first, last=last, step=step, words=words, backwards=bounds[0] > bounds[1]
    )


def _hint(field: Field, wrong: int) -> str:
    """Return the right spelling of a value that only other crons accept."""
    return {("weekdays", 7): "; Sunday is 0", ("hours", 24): "; midnight is 0"}.get(
        (field.name, wrong), ""
    )


def _value(field: Field, text: str) -> int:
    if not text:
        raise ScheduleError("a value is missing")
    if text[0] in "0123456789":
        return _number(text, "a value")
    for value, word in enumerate(field.words, start=field.least):
        if text.isascii() and word.lower().startswith(text.lower()):
            return value
    if text[0] in "?LW#" or "#" in text:
        raise ScheduleError(f"the host does not know {text!r}; only numbers, names and * - , /")
    named = f", or a name such as {field.words[0][:3]}" if field.words else ""
    raise ScheduleError(f"{text!r} is not a number from {field.least} to {field.most}{named}")


def _number(text: str, what: str) -> int:
    """Read a number as the host does: it allows a sign, and white space other than spaces."""
    if not re.fullmatch(r"[\t-\r]*[+-]?[0-9]+[\t-\r]*", text) or abs(int(text)) > INT_MAX:
        raise ScheduleError(f"{what} is {text!r}, which is not a number")
    return int(text)


def occurrences(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Yield when the timer fires after an instant (UTC), in order, for one cycle of the calendar.

    Days and weekdays must both match; other crons take either.
    """
    for day in _days(schedule, after.date()):
        earliest = (0, 0, 0)
        if day == after.date():
            earliest = (after.hour, after.minute, after.second + 1)
        for hour, minute, second in _times(schedule, earliest):
            yield datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=UTC)


def _days(schedule: Schedule, start: date) -> Iterator[date]:
    """Yield the matching days from a day on, without testing the days between them."""
    days, months, weekdays = schedule.values[3:]
    last_year = min(start.year + CALENDAR_CYCLE, 9999)
    for year, month in product(range(start.year, last_year + 1), months):
        length = calendar.monthrange(year, month)[1]
        found = (date(year, month, day) for day in days if day <= length)
        yield from (day for day in found if day >= start and day.isoweekday() % 7 in weekdays)


def _times(schedule: Schedule, start: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
    """Yield the times of one day from `start` on, skipping hours and minutes that are too early."""
    seconds, minutes, hours = schedule.values[:3]
    for hour in (hour for hour in hours if hour >= start[0]):
        for minute in (it for it in minutes if (hour, it) >= start[:2]):
            for second in (it for it in seconds if (hour, minute, it) >= start):
                yield hour, minute, second


def gaps(schedule: Schedule, after: datetime) -> tuple[timedelta, timedelta] | None:
    """Return the shortest and the longest time between two firings.

    This looks at the following ten years, which have at least two leap days. Returns None if the
    timer fires on fewer than two days of them.
    """
    until = after.date() + SURVEYED
    days = list(takewhile(lambda day: day < until, _days(schedule, after.date())))
    if len(days) <= 1:
        return None
    times = [timedelta(hours=h, minutes=m, seconds=s) for h, m, s in _times(schedule, (0, 0, 0))]
    overnight = times[0] - times[-1]
    found = {later - earlier + overnight for earlier, later in pairwise(days)}
    found |= {later - earlier for earlier, later in pairwise(times)}
    return min(found), max(found)
