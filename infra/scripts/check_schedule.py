"""Checks the timer's schedule before it is deployed: python infra/scripts/check_schedule.py "...".

The Functions host reads schedules with the library NCrontab, which accepts more than one expects
and refuses some of what other crons accept. A schedule that it refuses leaves an app whose function
never starts, and nothing else says so. `parse` accepts what the host accepts and reads it as the
host does; `occurrences` says when the timer fires, in UTC; `warnings` names what nobody means.

Exit codes: 0 for a schedule that the host accepts, 1 for one that it refuses (with --strict also
for one with a warning), 2 for wrong arguments. Python 3.11 and its standard library suffice.
"""
# ruff: noqa: INP001 - a script that stands on its own

import argparse
import calendar
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, product, takewhile

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

CALENDAR_CYCLE = 400
"""Years after which the calendar repeats itself, weekdays and leap days included."""

SURVEYED = timedelta(days=3653)
"""How far the gaps between days are measured: ten years have every usual one."""

INT_MAX = 2**31 - 1
"""The host reads numbers into 32 bits; a larger one makes it fail."""

SUGGESTED = "0 */5 * * * *"
"""What suits the default settings, and what most wrong schedules were meant to be."""


class ScheduleError(ValueError):
    """The host refuses this schedule; the message says which field and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One of the six positions of a schedule.

    Attributes:
        name: what it counts, in the plural.
        least: its smallest value.
        most: its largest value.
        words: names for its values from `least` on; any prefix in any case will do.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One of the values, ranges or steps that a field lists with commas.

    Attributes:
        text: as it was written.
        first: the smallest value.
        last: the largest value that a step may reach.
        step: the distance of two values as written, None when none was.
        words: the names that it used instead of numbers.
        backwards: whether its range was written from large to small.
    """

    text: str
    first: int
    last: int
    step: int | None
    words: tuple[str, ...]
    backwards: bool

    def values(self) -> range:
        """Return what it stands for; a step below one counts as one."""
        return range(self.first, self.last + 1, max(self.step or 1, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
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
        """Tell whether a field (0 for seconds) leaves nothing out."""
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
        return "fields are separated by spaces; it has tabs or line ends"
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
    """Split at the first separator; at the very beginning the host sees none."""
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
    """Say what is written instead of a value that other crons know."""
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
    raise ScheduleError(f"{text!r} is no number from {field.least} to {field.most}{named}")


def _number(text: str, what: str) -> int:
    """Read a number as the host does: with a sign, and white space that is no space."""
    if not re.fullmatch(r"[\t-\r]*[+-]?[0-9]+[\t-\r]*", text) or abs(int(text)) > INT_MAX:
        raise ScheduleError(f"{what} is {text!r}, which is no number")
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
    """Yield the matching days from one on, found by month and day and not by counting."""
    days, months, weekdays = schedule.values[3:]
    last_year = min(start.year + CALENDAR_CYCLE, 9999)
    for year, month in product(range(start.year, last_year + 1), months):
        length = calendar.monthrange(year, month)[1]
        found = (date(year, month, day) for day in days if day <= length)
        yield from (day for day in found if day >= start and day.isoweekday() % 7 in weekdays)


def _times(schedule: Schedule, start: tuple[int, int, int]) -> Iterator[tuple[int, int, int]]:
    """Yield the times of one day from `start` on; a field that is too early is passed at once."""
    seconds, minutes, hours = schedule.values[:3]
    for hour in (hour for hour in hours if hour >= start[0]):
        for minute in (it for it in minutes if (hour, it) >= start[:2]):
            for second in (it for it in seconds if (hour, minute, it) >= start):
                yield hour, minute, second


def gaps(schedule: Schedule, after: datetime) -> tuple[timedelta, timedelta] | None:
    """Return the shortest and the longest time between two firings.

    The days of the ten years that follow are looked at, so a leap day comes twice. None when they
    have fewer than two such days.
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


def warnings(schedule: Schedule, after: datetime, budget: timedelta | None = None) -> list[str]:
    """Return what the host accepts and surely nobody means, one sentence each."""
    if next(occurrences(schedule, after), None) is None:
        return ["it never fires: no day of the calendar has this date"]
    found = [text for place in range(6) for text in _field_warnings(schedule, place)]
    found += [text for text in (_hourly(schedule), _both_days(schedule)) if text]
    between = gaps(schedule, after)
    if between:
        found += _gap_warnings(schedule, *between, budget)
    else:
        found.append("it fires on fewer than two days in ten years")
    return found


def _field_warnings(schedule: Schedule, place: int) -> Iterator[str]:
    field = FIELDS[place]
    for element in schedule.elements[place]:
        named = f"{field.name} {element.text!r}"
        if element.step is not None and element.step < 1:
            yield f"{named}: a step of {element.step} counts as 1"
        if element.backwards:
            yield f"{named} is read as {element.first}-{element.last}: ranges do not wrap around"
        for word in element.words:
            if meant := _other_meanings(field, word):
                yield f"{named}: {word!r} is read as {meant[0]}, and could be {meant[1]}"
        if text := _step_warning(field, element):
            yield f"{named}: {text}"


def _step_warning(field: Field, element: Element) -> str | None:
    if not element.step or element.step <= 1 or element.last == element.first:
        return None
    if len(element.values()) == 1:
        return f"a step of {element.step} leaves only {element.first}"
    count = field.most - field.least + 1
    whole_clock = element.text.startswith("*") and field.least == 0 and not field.words
    if whole_clock and count % element.step:
        return f"{element.step} does not divide {count}, so the last gap is shorter than the others"
    return None


def _other_meanings(field: Field, word: str) -> list[str]:
    meant = [name for name in field.words if name.lower().startswith(word.lower())]
    return meant if len(meant) > 1 else []


def _hourly(schedule: Schedule) -> str | None:
    """Notice a plain number of minutes, which is a minute of the hour and no distance."""
    minutes = schedule.values[1]
    if minutes == (0,) or len(minutes) > 1 or not schedule.everything(2):
        return None
    if "/" in schedule.elements[1][0].text:
        return None
    every = minutes[0]
    return (
        f"it fires once an hour, at minute {every}; every {every} minutes would be '0 */{every} "
        "* * * *'"
    )


def _both_days(schedule: Schedule) -> str | None:
    if schedule.everything(3) or schedule.everything(5):
        return None
    return "days and weekdays are both limited, and both must match; other crons take either"


def _gap_warnings(
    schedule: Schedule, shortest: timedelta, longest: timedelta, budget: timedelta | None
) -> Iterator[str]:
    if shortest < MINUTE:
        yield (
            f"it fires more often than once a minute (every {spoken(shortest)}): the host then "
            "keeps no record of missed runs; " + _meant_minutes(schedule)
        )
    if budget and shortest < budget:
        yield (
            f"it fires {spoken(shortest)} after the run before, which may take {spoken(budget)} "
            "(SCAN_TIME_BUDGET): a run that takes that long is followed by the next at once"
        )
    if longest > HOUR:
        yield (
            f"up to {spoken(longest)} pass between two runs: activities come that late, and the "
            "alerts on lag and on missing runs fire" + _dropped_field(schedule)
        )


def _meant_minutes(schedule: Schedule) -> str:
    first = schedule.tokens[0]
    meant = (
        f"0 {first} * * * *" if first != "*" and len(schedule.tokens) == len(FIELDS) else SUGGESTED
    )
    return f"the first of six fields counts seconds, and minutes would be {meant!r}"


def _dropped_field(schedule: Schedule) -> str:
    """Hint at `0 */5 * * *`, whose author thinks of seconds and wrote no field for them."""
    without_seconds = len(schedule.tokens) < len(FIELDS)
    if without_seconds and schedule.tokens[0] == "0" and "/" in schedule.tokens[1]:
        meant = " ".join((*schedule.tokens, "*"))
        return f"; five fields begin with minutes, so perhaps a field is missing: {meant!r}"
    return ""


def spoken(length: timedelta) -> str:
    """Return a duration as a person says it, in its two largest units."""
    seconds = int(length.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def duration(text: str) -> timedelta:
    """Read a duration as the settings write it: 90s, 4m, 1h or PT4M."""
    short = re.fullmatch(r"(\d+)(ms|s|m|h|d)", text.lower())
    long = re.fullmatch(r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", text.upper())
    if short:
        unit = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[short[2]]
        return timedelta(seconds=int(short[1]) * unit)
    if long:
        hours, minutes, seconds = (int(part or 0) for part in long.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    msg = f"{text!r} is no duration; write it as 90s, 4m or PT4M"
    raise argparse.ArgumentTypeError(msg)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        msg = f"{text!r} is no time such as 2026-11-23T15:07:31Z"
        raise argparse.ArgumentTypeError(msg) from None


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Check a timer's schedule (NCRONTAB) as the Functions host reads it."
    )
    parser.add_argument("schedule", help=f"the value of SCAN_SCHEDULE, such as {SUGGESTED!r}")
    parser.add_argument(
        "--time-budget",
        type=duration,
        default="4m",
        metavar="DURATION",
        help="the value of SCAN_TIME_BUDGET, such as 90s or 4m (the default)",
    )
    parser.add_argument(
        "--next", type=int, default=4, metavar="N", help="how many occurrences to show (4)"
    )
    parser.add_argument(
        "--after", type=_instant, metavar="TIME", help="show those after this time, not after now"
    )
    parser.add_argument("--strict", action="store_true", help="end with 1 on a warning, too")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one schedule, print what it means, and return the exit code."""
    asked = _arguments(arguments)
    try:
        schedule = parse(asked.schedule)
    except ScheduleError as error:
        sys.stderr.write(f"error: the host refuses the schedule {asked.schedule!r}: {error}\n")
        return 1
    after = asked.after or datetime.now(UTC)  # noqa: TID251 - no part of the function
    sys.stdout.write(f"The host accepts {asked.schedule!r}. Next, in UTC:\n")
    for at in islice(occurrences(schedule, after), max(asked.next, 0)):
        sys.stdout.write(f"  {at:%Y-%m-%dT%H:%M:%SZ %a}\n")
    found = warnings(schedule, after, asked.time_budget)
    for text in found:
        sys.stderr.write(f"warning: the schedule {asked.schedule!r}: {text}\n")
    return 1 if found and asked.strict else 0


if __name__ == "__main__":
    sys.exit(main())
