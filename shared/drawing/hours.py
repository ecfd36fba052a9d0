"""The picture of 30 days: a row for each day, the newest at the top, and a mark for each hour."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from shared.core.audit.strip import Cell, State
from shared.core.model import DAY_MS, HOUR_MS
from shared.drawing.words import clock, count, weekday

LEFT = 62
"""Where the hours begin, in units of the picture: the days are written before them."""

PITCH = 12
TOP = 16

LEVELS = 4
"""Shades of volume beside the one for an hour without records."""

STATES: tuple[State, ...] = (
    "final",
    "complete",
    "in progress",
    "waiting",
    "blocked",
    "in doubt",
    "lost",
    "outside",
)
"""In the order of the legend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One hour of the picture.

    Attributes:
        x: of its left edge.
        state: decides its shape.
        level: its shade, 0 to 4.
        late: whether late activities came for it.
        title: what a pointer shows.
    """

    x: int
    state: State
    level: int
    late: bool
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One row of the picture, and of the table behind it.

    Attributes:
        y: of its upper edge.
        name: the day.
        marks: its hours.
        records: number of records of the day.
        late: number of late records.
        states: number of hours in each state, in words.
    """

    y: int
    name: str
    marks: tuple[Mark, ...]
    records: int
    late: int
    states: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """The picture.

    Attributes:
        days: the newest first.
        columns: x and name of the hours that are named.
        width: in units of the picture.
        height: in units of the picture.
        shades: what each shade of volume means.
        states: the states that occur, in the order of the legend.
        says: the picture in one sentence.
    """

    days: tuple[Day, ...]
    columns: tuple[tuple[int, str], ...]
    width: int
    height: int
    shades: tuple[str, ...]
    states: tuple[State, ...]
    says: str


def hours_of(cells: Sequence[Cell]) -> Hours | None:
    """Return the picture of these hours; None if there are none."""
    if not cells:
        return None
    bounds = _bounds(cells)
    by_day = [list(it) for _, it in groupby(cells, key=lambda it: it.hour // DAY_MS)]
    days = tuple(_day(number, of_day, bounds) for number, of_day in enumerate(reversed(by_day)))
    found = {it.state for it in cells}
    return Hours(
        days=days,
        columns=tuple((LEFT + PITCH * it, f"{it:02}") for it in range(0, 24, 3)),
        width=LEFT + 24 * PITCH,
        height=TOP + PITCH * len(days),
        shades=_shades(bounds),
        states=tuple(it for it in STATES if it in found),
        says=_says(cells),
    )


def _day(number: int, cells: Sequence[Cell], bounds: tuple[int, ...]) -> Day:
    first = cells[0].hour
    return Day(
        y=TOP + PITCH * number,
        name=weekday(first),
        marks=tuple(_mark(it, bounds) for it in cells),
        records=sum(it.records for it in cells),
        late=sum(it.late for it in cells),
        states=_told(cells),
    )


def _mark(cell: Cell, bounds: tuple[int, ...]) -> Mark:
    said = f"{clock(cell.hour)} {cell.state}"
    if cell.records:
        said += f", {count(cell.records)} records"
    if cell.late:
        said += f", {count(cell.late)} late"
    return Mark(
        x=LEFT + cell.hour // HOUR_MS % 24 * PITCH,
        state=cell.state,
        level=sum(cell.records >= it for it in bounds),
        late=cell.late > 0,
        title=said,
    )


def _bounds(cells: Sequence[Cell]) -> tuple[int, ...]:
    """Return from how many records on each shade is used: quarters of the hours that have any."""
    seen = sorted(it.records for it in cells if it.records)
    if not seen:
        return (1,) * LEVELS
    quarters = [seen[len(seen) * level // LEVELS] for level in range(1, LEVELS)]
    return (1, *quarters)


def _shades(bounds: tuple[int, ...]) -> tuple[str, ...]:
    """Return what each shade means; shades that no number of records has are left empty."""
    ends = [*bounds[1:], 0]
    named = [
        "" if end and start >= end else f"{count(start)}+" if not end else _range(start, end - 1)
        for start, end in zip(bounds, ends, strict=True)
    ]
    return ("0", *named)


def _range(start: int, end: int) -> str:
    return count(start) if start == end else f"{count(start)}–{count(end)}"  # noqa: RUF001 - a range


def _told(cells: Sequence[Cell]) -> str:
    found = Counter(it.state for it in cells)
    return ", ".join(f"{found[it]} {it}" for it in STATES if found[it])


def _says(cells: Sequence[Cell]) -> str:
    inside = [it for it in cells if it.state != "outside"]
    total, late = sum(it.records for it in cells), sum(it.late for it in cells)
    said = f"{count(len(inside))} hours: {_told(inside)}. {count(total)} records"
    return f"{said}, {count(late)} of them late." if late else f"{said}."
