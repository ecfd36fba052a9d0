"""The last seven days, hour by hour, beside the same hours of the weeks before."""

from statistics import median

import msgspec

from shared.core.audit.history import History
from shared.core.audit.quiet import WEEKS, is_known
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS, SECOND_MS

HOURS_SHOWN = 7 * 24


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """What came in the same hour of up to four earlier weeks.

    Attributes:
        least: number of records in the week with the fewest.
        median: the median of the weeks.
        most: number of records in the week with the most.
    """

    least: int
    median: float
    most: int


class WeekHour(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the last seven days.

    Attributes:
        hour: epoch ms of its start.
        records: number of records stored; null until the hour is complete.
        usual: the same hour of earlier weeks; null if none of them is complete and without doubt.
        delay: seconds from the end of the hour until it was complete; null until it is.
    """

    hour: int
    records: int | None
    usual: Usual | None
    delay: float | None


def week_of(history: History, now: int) -> tuple[WeekHour, ...]:
    """Return the hours of the last seven days, the oldest first; the last one holds `now`."""
    last = now // HOUR_MS * HOUR_MS
    return tuple(
        _week_hour(history, at)
        for at in range(last - (HOURS_SHOWN - 1) * HOUR_MS, last + HOUR_MS, HOUR_MS)
    )


def _week_hour(history: History, at: int) -> WeekHour:
    hour = history.hours.get(at)
    first = hour.passes.get(FIRST_PASS) if hour else None
    if hour is None or first is None or first.covered < HOUR_MS:
        return WeekHour(hour=at, records=None, usual=_usual(history, at), delay=None)
    delay = (first.at - at - HOUR_MS) / SECOND_MS
    return WeekHour(hour=at, records=hour.records, usual=_usual(history, at), delay=delay)


def _usual(history: History, at: int) -> Usual | None:
    weeks = [
        hour.records
        for week in range(1, WEEKS + 1)
        if (hour := history.hours.get(at - week * 7 * DAY_MS)) and is_known(hour)
    ]
    return Usual(least=min(weeks), median=median(weeks), most=max(weeks)) if weeks else None
