"""Checks the timer's schedule before it is deployed: python infra/scripts/check_schedule.py "...".

If the Functions host refuses a schedule, the app's function never starts, and nothing else reports
it. This script prints when an accepted schedule fires, in UTC, and warns of schedules that the host
accepts but hardly anybody means.

Exit codes: 0 for a schedule that the host accepts, 1 for one that it refuses (with --strict also
for one with a warning), 2 for wrong arguments. Python 3.11 and its standard library suffice.
"""
# ruff: noqa: INP001 - a script that stands on its own

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.scripts.ncrontab import (
    FIELDS,
    SUGGESTED,
    Element,
    Field,
    Schedule,
    ScheduleError,
    gaps,
    occurrences,
    parse,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def warnings(schedule: Schedule, after: datetime, budget: timedelta | None = None) -> list[str]:
    """Return a sentence for each thing that the host accepts but hardly anybody means."""
    if next(occurrences(schedule, after), None) is None:
        return ["it never fires, since this date does not exist"]
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
                yield f"{named}: {word!r} is read as {meant[0]}, but could also mean {meant[1]}"
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
    """Warn of a plain number of minutes: it means a minute of the hour, not an interval."""
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
            f"it fires {spoken(shortest)} after the previous run, which may take {spoken(budget)} "
            "(SCAN_TIME_BUDGET): after such a run the next one starts at once"
        )
    if longest > HOUR:
        yield (
            f"up to {spoken(longest)} pass between two runs: activities arrive that late, and the "
            "alerts about lag and missing runs fire" + _dropped_field(schedule)
        )


def _meant_minutes(schedule: Schedule) -> str:
    first = schedule.tokens[0]
    meant = (
        f"0 {first} * * * *" if first != "*" and len(schedule.tokens) == len(FIELDS) else SUGGESTED
    )
    return f"the first of six fields counts seconds, and minutes would be {meant!r}"


def _dropped_field(schedule: Schedule) -> str:
    """Hint at a missing field in a schedule such as `0 */5 * * *`, meant as `0 */5 * * * *`."""
    without_seconds = len(schedule.tokens) < len(FIELDS)
    if without_seconds and schedule.tokens[0] == "0" and "/" in schedule.tokens[1]:
        meant = " ".join((*schedule.tokens, "*"))
        return f"; five fields begin with minutes, so perhaps a field is missing: {meant!r}"
    return ""


def spoken(length: timedelta) -> str:
    """Return a duration in its two largest units, such as 2 d 15 h."""
    seconds = int(length.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def duration(text: str) -> timedelta:
    """Read a duration in the form of the settings: 90s, 4m, 1h or PT4M."""
    short = re.fullmatch(r"(\d+)(ms|s|m|h|d)", text.lower())
    long = re.fullmatch(r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", text.upper())
    if short:
        unit = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[short[2]]
        return timedelta(seconds=int(short[1]) * unit)
    if long:
        hours, minutes, seconds = (int(part or 0) for part in long.groups())
        return timedelta(hours=hours, minutes=minutes, seconds=seconds)
    msg = f"{text!r} is not a duration such as 90s, 4m or PT4M"
    raise argparse.ArgumentTypeError(msg)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        msg = f"{text!r} is not a time such as 2026-11-23T15:07:31Z"
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
        "--after",
        type=_instant,
        metavar="TIME",
        help="show occurrences after this time (default: now)",
    )
    parser.add_argument("--strict", action="store_true", help="also exit with 1 on a warning")
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
