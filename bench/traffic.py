"""How many activities a simulated tenant has at any time: more by day, fewer at the weekend."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise

from shared.core.model import DAY_MS, HOUR_MS

BEGIN = 1_795_392_000_000
"""2026-11-23T00:00:00Z, a Monday."""

WEEK_MS = 7 * DAY_MS
PAGE = 5_000
"""Activities on a full page."""

DAYS = (1.0, 1.0, 1.0, 1.0, 1.0, 0.35, 0.3)
"""The activity of each day, Monday first, as a share of a working day's."""

HOURS = (*(0.35,) * 7, 0.8, *(2.0,) * 9, 1.2, *(0.5,) * 6)
"""The activity of each hour of a day, before it is scaled to an average of 1."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """The activities of one scan.

    Attributes:
        until_hour: the number of activities from the start of a week to that of each of its hours,
            and to its end.
    """

    until_hour: tuple[int, ...]

    @classmethod
    def of(cls, per_day: int, *, offset: int = 0) -> Traffic:
        """Return the traffic of a tenant with so many activities on an average day.

        Args:
            per_day: activities.
            offset: the hour, by UTC, at which the tenant's day begins.
        """
        shape = [day * hour for day in DAYS for hour in HOURS]
        shape = [*shape[-offset:], *shape[:-offset]] if offset else shape
        scale = 7 * per_day / sum(shape)
        return cls((0, *accumulate(round(it * scale) for it in shape)))

    def until(self, at: int) -> int:
        """Return the number of activities since `BEGIN`; negative before it."""
        weeks, rest = divmod(at - BEGIN, WEEK_MS)
        hour, within = divmod(rest, HOUR_MS)
        known = self.until_hour
        here = known[hour]
        return weeks * known[-1] + here + (known[hour + 1] - here) * within // HOUR_MS

    def between(self, start: int, end: int) -> int:
        """Return the number of activities of a stretch of time."""
        return self.until(end) - self.until(start)

    @property
    def busiest(self) -> int:
        """The number of activities of the busiest hour."""
        known = self.until_hour
        return max(after - before for before, after in pairwise(known))


def pages(records: int) -> int:
    """Return how many pages so many activities fill; one that is empty says that there are none."""
    return max(1, -(-records // PAGE))
