"""Quiet hours: a scan whose requests succeed, but bring far less than before, or nothing at all.

With a wrong filter or a restricted token, the API returns nothing or little, and every run still
succeeds. So the last hours are compared with the same hours of the last four weeks. Where too
little comes for that, a silence is compared with the longest one before. `make bench-quiet`
measures how often this is wrong, and how soon it is right, for `docs/monitoring.md`.
"""

import math
from itertools import accumulate
from typing import Literal, NamedTuple

from shared.core.audit.history import KEPT_MS, History, Hour
from shared.core.model import FIRST_PASS, HOUR_MS

WEEKS = 4
"""How many weeks to compare with."""

WEEKS_LEAST = 3
"""How many of these weeks must be known; otherwise a new scan would be judged too early."""

WINDOWS = (1, 2, 3, 4, 6, 8, 12, 24, 72, 168)
"""How many hours are added up; each of these windows ends with the newest hour that is known."""


class Rule(NamedTuple):
    """What makes a window of hours quiet.

    Attributes:
        window: the least hours that are added up.
        usual: how many activities usually come in them, at least; fewer could be missing by chance.
        share: at most this share of them comes.
        steady: whether it must also be less than the tenant's spread explains.
    """

    window: int
    usual: int
    share: float
    steady: bool = False


RULES = (
    Rule(window=1, usual=500, share=1 / 20, steady=True),
    Rule(window=8, usual=30, share=0),
    Rule(window=12, usual=100, share=1 / 3),
)
"""Next to nothing comes; nothing comes for a working day; a third at most comes for half a day."""

PART_WINDOWS = range(3, 13)
"""The windows, in hours, that are also judged by the tenant's spread alone."""

PART_SHARE = 3 / 10
"""At most this share of what is usual comes in them."""

CHANCE = 5
"""More than this many times the square root of what is usual is missing: not by chance."""

SPREAD_POWER = 4
"""A share is unusual if it is at most the share of a low day to this power.

Where activities come in bursts, a tenth of all hours bring less than some share of what is usual,
and one in ten thousand less than its fourth power. So many looks are taken in months.
"""

LEFT_OUT = 10
"""One day in so many is left out of the spread, because it may be a holiday."""

COMPARABLE = 1 / 2
"""Days whose hours usually bring less than this share of what is usual now are not compared."""

DAY_OFF_SHARE = 2 / 5
"""It must also be less than this share of the quietest day, unless some day brought nothing."""

DAY_OFF_MOST = 5 / 2
"""More than this many times what a day of rest brings is not a day off."""

REST_DAYS = 4
"""A day of rest brings what this many days bring at most: half of the weekends of four weeks."""

SHIFTS = (-1, 0, 1)
"""Hours by which a week may be shifted: twice a year, clocks are put forward or back."""

WEEK_HOURS = 7 * 24
DAY_HOURS = 24
KEPT_HOURS = KEPT_MS // HOUR_MS + 1

SILENCE_LEAST = 12
"""Hours without anything that are worth a comparison with earlier silences."""

SILENCES = 2
"""A silence is unusual if it is longer than this many times the longest one before."""

Cause = Literal["less", "silence", "nothing"]


class Quiet(NamedTuple):
    """That a scan is quiet.

    Attributes:
        cause: what shows it: `less` came than in past weeks; a `silence` is far longer than any
            before; or `nothing` has come in all the time that is known.
        since: when it began, in epoch ms.
        hours: for how long.
    """

    cause: Cause
    since: int
    hours: int


def quiet_of(history: History) -> Quiet | None:
    """Return for how long a scan has been quiet, and what shows it; None if it is not."""
    end = _end(history)
    sums = _Sums(history, end)
    less, silence = _less(sums), _silence(sums)
    if less:
        return Quiet("less", end - less * HOUR_MS, less)
    if silence:
        cause: Cause = "silence" if sums.brought else "nothing"
        return Quiet(cause, end - silence * HOUR_MS, silence)
    return None


def is_known(hour: Hour) -> bool:
    """Say whether an hour is complete, and the API has not contradicted itself about it."""
    first = hour.passes.get(FIRST_PASS)
    return bool(first and first.covered == HOUR_MS and not hour.lost and not hour.doubt)


def _end(history: History) -> int:
    """Return the end of the newest hour that is known; 0 if there is none."""
    known = (at + HOUR_MS for at, it in history.hours.items() if is_known(it))
    return max(known, default=0)


class _Sums:
    """What each hour brought, the newest first, and running sums of it.

    Attributes:
        hours: records of each hour, back to the first that is known; None if one is not known.
        brought: whether any hour brought something.
    """

    def __init__(self, history: History, end: int) -> None:
        found = (history.hours.get(end - ago * HOUR_MS) for ago in range(1, KEPT_HOURS + 1))
        self.hours = [it.records if it and is_known(it) else None for it in found]
        self.brought = any(self.hours)
        while self.hours and self.hours[-1] is None:
            self.hours.pop()
        self._records = [0, *accumulate(it or 0 for it in self.hours)]
        self._unknown = [0, *accumulate(it is None for it in self.hours)]

    def over(self, window: int, ago: int = 0) -> int | None:
        """Return what a window brought that ended so many hours ago; None unless all is known."""
        first = ago + window
        if first > len(self.hours) or self._unknown[first] > self._unknown[ago]:
            return None
        return self._records[first] - self._records[ago]

    def usual(self, window: int, ago: int = 0) -> int | None:
        """Return what the same hours usually bring; None unless enough weeks are known.

        All weeks but one bring that much, because a holiday may be among them. Of a week's shifts,
        the least counts.
        """
        weeks = []
        for week in range(1, WEEKS + 1):
            then = ago + week * WEEK_HOURS
            sums = [self.over(window, then + shift) for shift in SHIFTS]
            known = [it for it in sums if it is not None]
            if len(known) == len(SHIFTS):
                weeks.append(min(known))
        return sorted(weeks)[1] if len(weeks) >= WEEKS_LEAST else None

    def days(self, window: int) -> list[int]:
        """Return what the same hours of each known day of these weeks brought, the least first.

        Some day is known where `usual` is.
        """
        days = range(DAY_HOURS, WEEKS * WEEK_HOURS + 1, DAY_HOURS)
        return sorted(it for day in days if (it := self.over(window, day)) is not None)

    def low_share(self, window: int, usual: int) -> float:
        """Return the share that these hours of a low day bring of what the other weeks bring.

        It is at most 1, and 0 where no day is comparable.
        """
        shares = []
        for day in range(1, 8):
            weeks = range(day * DAY_HOURS, WEEKS * WEEK_HOURS + 1, WEEK_HOURS)
            known = [it for ago in weeks if (it := self.over(window, ago)) is not None]
            for place, it in enumerate(known):
                others = sorted(known[:place] + known[place + 1 :])
                middle = others[(len(others) - 1) // 2] if others else 0
                if others and middle >= usual * COMPARABLE:
                    shares.append((it + 1) / (middle + 1))
        return min(1.0, sorted(shares)[(len(shares) - 1) // LEFT_OUT]) if shares else 0.0


class _Window(NamedTuple):
    """The newest hours of a scan, beside what is usual in them."""

    sums: _Sums
    hours: int
    seen: int
    usual: int

    def share(self) -> float | None:
        """Return the largest share of what is usual that is quiet; None if this window is not."""
        shares = [it.share for it in RULES if self._breaks(it)]
        if shares and self._is_day_off():
            shares = []
        if self._is_part():
            shares.append(PART_SHARE)
        return max(shares, default=None)

    def _breaks(self, rule: Rule) -> bool:
        return (
            self.hours >= rule.window
            and self.usual >= rule.usual
            and self.seen <= self.usual * rule.share
            and (not rule.steady or self._exceeds_spread())
        )

    def _is_part(self) -> bool:
        """Say whether far less came than a tenant's own spread, chance and days off explain."""
        return (
            self.hours in PART_WINDOWS
            and self.seen <= self.usual * PART_SHARE
            and self.usual - self.seen > CHANCE * math.sqrt(self.usual)
            and self._exceeds_spread()
            and not self._is_like_rest()
        )

    def _exceeds_spread(self) -> bool:
        low = self.sums.low_share(self.hours, self.usual)
        return self.seen + 1 <= (self.usual + 1) * low**SPREAD_POWER

    def _is_day_off(self) -> bool:
        """Say whether at least about as much came as on the quietest day, which was not empty."""
        quietest = self.sums.days(self.hours)[0]
        return bool(quietest) and self.seen >= quietest * DAY_OFF_SHARE

    def _is_like_rest(self) -> bool:
        """Say whether something came, and about as much as on a day of rest."""
        days = self.sums.days(self.hours)
        least, most = days[0] * DAY_OFF_SHARE, days[:REST_DAYS][-1] * DAY_OFF_MOST
        return max(1, least) <= self.seen <= most


def _less(sums: _Sums) -> int:
    """Return for how many hours less has come than in past weeks; 0 if it has not."""
    for window in WINDOWS:
        seen, usual = sums.over(window), sums.usual(window)
        if seen is None or usual is None:
            return 0
        share = _Window(sums, window, seen, usual).share()
        if share is not None:
            return max(window, _run_of_less(sums, share))
    return 0


def _run_of_less(sums: _Sums, share: float) -> int:
    """Return how many of the newest hours in a row each brought less than in past weeks.

    They end at the oldest known hour at the latest, because no week is known before it.
    """
    return next(
        ago
        for ago, records in enumerate(sums.hours)
        if records is None or (usual := sums.usual(1, ago)) is None or records > usual * share
    )


def _silence(sums: _Sums) -> int:
    """Return for how many hours nothing has come, if that is unusual; otherwise 0.

    What is not known may have been silent, too. If nothing has ever come, all that is known is one
    silence.
    """
    hours = sums.hours
    silence = next((ago for ago, it in enumerate(hours) if it != 0), len(hours))
    before = hours[silence:]
    if not sums.brought:
        return len(hours) if _known(hours) >= WEEK_HOURS else 0
    if silence < SILENCE_LEAST or _known(before) < WEEK_HOURS:
        return 0
    return silence if silence > SILENCES * _longest_silence(before) else 0


def _known(hours: list[int | None]) -> int:
    return sum(it is not None for it in hours)


def _longest_silence(hours: list[int | None]) -> int:
    """Return the largest number of hours in a row that are not known to have brought anything."""
    longest = run = 0
    for it in hours:
        run = 0 if it else run + 1
        longest = max(longest, run)
    return longest
