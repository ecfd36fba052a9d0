"""The pictures of the last seven days: records beside earlier weeks, and delay."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from shared.core.audit.week import WeekHour
from shared.core.model import DAY_MS
from shared.drawing.words import utc

HEIGHT = 100
"""The pictures are so high, and one wide for each hour; the page stretches them."""

LAST_NAMED = 86
"""A day that begins further to the right (in percent) has no room for its name."""

STEPS = (1, 2, 5)
"""The top of an axis is one of these, times a power of ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """The two pictures of a week.

    Attributes:
        width: number of hours.
        days: for each midnight, how far to the right it is (percent) and what it is called.
        records: the line of this week.
        area: the surface below it.
        band: the surface between the least and the most of earlier weeks.
        usual: the line of their median.
        records_top: number of records at the top of the axis.
        delay: the line of the delay.
        delay_top: seconds at the top of the axis.
        longest: the longest delay in seconds; None if none is known.
    """

    width: int
    days: tuple[tuple[float, str], ...]
    records: str
    area: str
    band: str
    usual: str
    records_top: float
    delay: str
    delay_top: float
    longest: float | None


def curves_of(week: Sequence[WeekHour]) -> Curves:
    """Return the pictures of these hours."""
    records = [it.records for it in week]
    most = [it.usual.most if it.usual else None for it in week]
    least = [it.usual.least if it.usual else None for it in week]
    usual = [it.usual.median if it.usual else None for it in week]
    delays = [it.delay for it in week]
    top = round_up(max((it for it in (*records, *most) if it is not None), default=0))
    longest = max((it for it in delays if it is not None), default=None)
    delay_top = top_of_time(longest or 0)
    return Curves(
        width=len(week),
        days=tuple(_days(week)),
        records=_line(records, top),
        area=_between(records, [None if it is None else 0 for it in records], top),
        band=_between(most, least, top),
        usual=_line(usual, top),
        records_top=top,
        delay=_line(delays, delay_top),
        delay_top=delay_top,
        longest=longest,
    )


def round_up(value: float) -> float:
    """Return the round number at or above a value: 1, 2 or 5 times a power of ten."""
    size = 1.0
    while True:
        for step in STEPS:
            if value <= size * step:
                return size * step
        size *= 10


def top_of_time(seconds: float) -> float:
    """Return a length of time at or above this one that is said in one word."""
    minutes = (15, 30, 60, 120, 240, 480, 720, 1_440)
    return next(
        (it * 60.0 for it in minutes if seconds <= it * 60), round_up(seconds / 86_400) * 86_400
    )


def _days(week: Sequence[WeekHour]) -> Iterator[tuple[float, str]]:
    for place, (before, it) in enumerate(pairwise(week), start=1):
        if it.hour // DAY_MS != before.hour // DAY_MS:
            where = round(100 * place / len(week), 2)
            name = f"{utc(it.hour):%a} {utc(it.hour).day}"
            yield where, name if where < LAST_NAMED else ""


def _runs(values: Sequence[float | None]) -> Iterator[tuple[int, int]]:
    """Yield from where to where values are known."""
    places = enumerate(values)
    for known, found in groupby(places, key=lambda it: it[1] is not None):
        numbers = [number for number, _ in found]
        if known:
            yield numbers[0], numbers[-1] + 1


def _line(values: Sequence[float | None], top: float) -> str:
    """Return a line of steps, one for each hour, interrupted where a value is not known."""
    return "".join(
        f"M{start} {_y(values[start], top)}{_steps(values, range(start, end), top)}"
        for start, end in _runs(values)
    )


def _between(upper: Sequence[float | None], lower: Sequence[float | None], top: float) -> str:
    """Return the surface between two lines of steps."""
    return "".join(
        f"M{start} {_y(upper[start], top)}{_steps(upper, range(start, end), top)}"
        f"V{_y(lower[end - 1], top)}{_back(lower, start, end, top)}Z"
        for start, end in _runs(upper)
    )


def _steps(values: Sequence[float | None], places: range, top: float) -> str:
    return "".join(f"V{_y(values[it], top)}h1" for it in places)


def _back(values: Sequence[float | None], start: int, end: int, top: float) -> str:
    return "".join(f"V{_y(values[it], top)}h-1" for it in range(end - 1, start - 1, -1))


def _y(value: float | None, top: float) -> str:
    return f"{HEIGHT * (1 - (value or 0) / top):.1f}".removesuffix(".0")
