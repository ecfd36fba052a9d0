"""Quiet hours: a scan whose requests succeed, but bring far less than in every week before.

With a wrong filter or a restricted token, the API returns nothing, and every run still succeeds. So
the last hours are compared with the same hours of the last four weeks. `make bench-quiet` measures
how often the rule is wrong, for `docs/monitoring.md`.
"""

from itertools import count

from shared.core.audit.history import History, Hour
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS

WEEKS = 4
"""How many weeks to compare with."""

WEEKS_LEAST = 3
"""How many of these weeks must be known; otherwise a new scan would be judged too early."""

EXPECTED = 100
"""How many activities each week must have brought; fewer could be missing by chance."""

SHARE = 1 / 20
"""A scan is quiet if it brings less than this share of the smallest week."""

DAY_OFF_SHARE = 1 / 2
"""It must also bring less than this share of the quietest day, unless some day brought nothing."""

WINDOWS = (1, 2, 3, 4, 6, 8, 12, 24, 72, 168)
"""How many hours are added up: the shortest window in which enough is expected decides."""

SHIFTS = (-1, 0, 1)
"""Hours by which a week may be shifted: twice a year, clocks are put forward or back."""


def quiet_hours(history: History) -> int:
    """Return for how many hours a scan has been quiet; 0 if it is not."""
    end = _end(history)
    for window in WINDOWS:
        weeks = _weeks(history, end, window)
        if len(weeks) >= WEEKS_LEAST and min(weeks) >= EXPECTED:
            return _length(history, end, window) if _is_quiet(history, end, window, weeks) else 0
    return 0


def quiet_since(history: History) -> int | None:
    """Return since when a scan has been quiet, in epoch ms; None if it is not."""
    hours = quiet_hours(history)
    return _end(history) - hours * HOUR_MS if hours else None


def _end(history: History) -> int:
    """Return the end of the newest hour that is known; 0 if there is none."""
    known = (at + HOUR_MS for at, it in history.hours.items() if is_known(it))
    return max(known, default=0)


def _is_quiet(history: History, end: int, window: int, weeks: list[int]) -> bool:
    seen = _sum(history, end, window)
    if seen is None or seen >= min(weeks) * SHARE:
        return False
    days = [
        found
        for day in range(1, 7 * WEEKS + 1)
        if (found := _sum(history, end - day * DAY_MS, window)) is not None
    ]
    quietest = min(days)
    return not quietest or seen < quietest * DAY_OFF_SHARE


def _weeks(history: History, end: int, window: int) -> list[int]:
    """Return what the same hours of each week before brought; of its shifts, the least."""
    weeks = []
    for week in range(1, WEEKS + 1):
        then = end - week * 7 * DAY_MS
        sums = [_sum(history, then + shift * HOUR_MS, window) for shift in SHIFTS]
        known = [it for it in sums if it is not None]
        if len(known) == len(SHIFTS):
            weeks.append(min(known))
    return weeks


def _sum(history: History, end: int, window: int) -> int | None:
    """Return how many activities the hours before `end` brought; None unless all are known."""
    found = 0
    for at in range(end - window * HOUR_MS, end, HOUR_MS):
        hour = history.hours.get(at)
        if hour is None or not is_known(hour):
            return None
        found += hour.records
    return found


def _length(history: History, end: int, window: int) -> int:
    """Return for how many hours it has been quiet, back to the last hour that was not."""
    last = next(at for at in count(end - HOUR_MS, -HOUR_MS) if not _is_quiet_hour(history, at))
    return max((end - last) // HOUR_MS - 1, window)


def _is_quiet_hour(history: History, at: int) -> bool:
    """Say whether an hour is known, and brought far less than in each week before."""
    hour = history.hours.get(at)
    if hour is None or not is_known(hour):
        return False
    weeks = [
        then.records
        for week in range(1, WEEKS + 1)
        if (then := history.hours.get(at - week * 7 * DAY_MS))
    ]
    return hour.records <= min(weeks, default=0) * SHARE


def is_known(hour: Hour) -> bool:
    """Say whether an hour is complete, and the API has not contradicted itself about it."""
    first = hour.passes.get(FIRST_PASS)
    return bool(first and first.covered == HOUR_MS and not hour.lost and not hour.doubt)
