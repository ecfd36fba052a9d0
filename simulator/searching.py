"""Finds the rows of a page, at a cost that depends on the page and not on the tenant.

Only filters on the content of records cost more, and only the first time they see a record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator import chance
from simulator.spans import ALWAYS, FIRST, LAST, Spans, holds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from simulator.index import Column, Index

_UNKNOWN, _YES, _NO = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a query asks of the index.

    Attributes:
        dates: Allowed event times.
        created: Allowed times of saving.
        by_created: Sort by `created` instead of by event time.
        descending: Newest first.
        skip: How many rows to pass over.
        count: How many rows to return at most.
        visible_at_ms: Activities saved later are not shown; None shows all.
        jitter_ms: An activity becomes visible up to this long after it was saved, each by its own
            delay.
        residual: Decides on a record's content; None lets all through.
        residual_key: Names the residual, so that its verdicts can be remembered.
        shows: Decides whether a row is shown at all; None shows all.

    """

    dates: Spans = ALWAYS
    created: Spans = ALWAYS
    by_created: bool = False
    descending: bool = False
    skip: int = 0
    count: int = 0
    visible_at_ms: int | None = None
    jitter_ms: int = 0
    residual: Callable[[dict[str, Any]], bool] | None = None
    residual_key: str = field(default="")
    shows: Callable[[int], bool] | None = None


class Found(NamedTuple):
    """The rows of a page, their sort keys, and the exact number of all matches."""

    rows: list[int]
    keys: list[int]
    total: int


def search(
    index: Index,
    wanted: Search,
    verdicts: bytearray | None,
    content: Callable[[int], dict[str, Any]],
) -> Found:
    """Find the rows of a page; `verdicts` has a byte per row, `content` parses a row's record."""
    column = index.by_created if wanted.by_created else index.by_date
    keys = index.created if wanted.by_created else index.timestamps
    passes = _conditions(index, wanted, verdicts, content)
    matches = _matching(_ordered(index, wanted, column), passes)
    rows = list(islice(matches, wanted.skip, wanted.skip + wanted.count))
    return Found(rows, [keys[row] for row in rows], _total(index, wanted, passes))


def _matching(rows: Iterable[int], passes: Iterable[Callable[[int], bool]]) -> Iterator[int]:
    """Yield the rows that pass every test."""
    matches = iter(rows)
    for test in passes:
        matches = filter(test, matches)
    return matches


def _ordered(index: Index, wanted: Search, column: Column) -> Iterator[int]:
    """Yield candidates in order: along the sort column, or or sorted from a narrower one."""
    own, other = (
        (wanted.created, wanted.dates) if wanted.by_created else (wanted.dates, wanted.created)
    )
    other_column = index.by_date if wanted.by_created else index.by_created
    if column.count(own) <= 2 * other_column.count(other):
        return column.walk(own, descending=wanted.descending)
    keys = index.created if wanted.by_created else index.timestamps
    rows = other_column.walk(other, descending=False)
    ordered = sorted((keys[row], row) for row in rows)
    return (row for _, row in (reversed(ordered) if wanted.descending else ordered))


def _conditions(
    index: Index,
    wanted: Search,
    verdicts: bytearray | None,
    content: Callable[[int], dict[str, Any]],
) -> list[Callable[[int], bool]]:
    passes: list[Callable[[int], bool]] = []
    if wanted.dates != ALWAYS:
        passes.append(_within(wanted.dates, index.timestamps))
    if wanted.created != ALWAYS:
        passes.append(_within(wanted.created, index.created))
    if wanted.visible_at_ms is not None and not wanted.jitter_ms:
        passes.append(_within(((FIRST, wanted.visible_at_ms),), index.created))
    elif wanted.visible_at_ms is not None:
        passes.append(lambda row: is_visible(index.created[row], row, wanted))
    if wanted.shows is not None:
        passes.append(wanted.shows)
    if wanted.residual is not None and verdicts is not None:
        passes.append(_remembered(wanted.residual, verdicts, content))
    return passes


def _within(spans: Spans, keys: Sequence[int]) -> Callable[[int], bool]:
    """Return the test that a row's key lies in the spans, of which there is usually one."""
    if len(spans) != 1:
        return lambda row: holds(spans, keys[row])
    ((low, high),) = spans
    return lambda row: low <= keys[row] <= high


def is_visible(created: int, row: int, wanted: Search) -> bool:
    """Return whether an activity that was saved at `created` is already shown."""
    if wanted.visible_at_ms is None or created + wanted.jitter_ms <= wanted.visible_at_ms:
        return True
    # Only in between does the delay matter, which takes longer to draw.
    return (
        created <= wanted.visible_at_ms
        and visible_from(created, row, wanted.jitter_ms) <= wanted.visible_at_ms
    )


def visible_from(created: int, row: int, jitter_ms: int) -> int:
    """Return when an activity that was saved at `created` is first shown (epoch ms)."""
    return created + (chance.below(jitter_ms, 0, "visible", row) if jitter_ms else 0)


def _remembered(
    residual: Callable[[dict[str, Any]], bool],
    verdicts: bytearray,
    content: Callable[[int], dict[str, Any]],
) -> Callable[[int], bool]:
    def passes(row: int) -> bool:
        if verdicts[row] == _UNKNOWN:
            verdicts[row] = _YES if residual(content(row)) else _NO
        return verdicts[row] == _YES

    return passes


def _total(index: Index, wanted: Search, passes: list[Callable[[int], bool]]) -> int:
    if wanted.residual is None and wanted.created == ALWAYS and wanted.shows is None:
        return index.by_date.count(wanted.dates) - _hidden(index, wanted)
    narrow_dates = index.by_date.count(wanted.dates) <= index.by_created.count(wanted.created)
    column, spans = (
        (index.by_date, wanted.dates) if narrow_dates else (index.by_created, wanted.created)
    )
    rows: Iterable[int] = column.walk(spans, descending=False)
    return sum(1 for _ in _matching(rows, passes))


def _hidden(index: Index, wanted: Search) -> int:
    if wanted.visible_at_ms is None:
        return 0
    unsure = ((wanted.visible_at_ms - wanted.jitter_ms + 1, LAST),)
    narrow_dates = index.by_date.count(wanted.dates) <= index.by_created.count(unsure)
    column, spans = (index.by_date, wanted.dates) if narrow_dates else (index.by_created, unsure)
    return sum(
        holds(wanted.dates, index.timestamps[row])
        and not is_visible(index.created[row], row, wanted)
        for row in column.walk(spans, descending=False)
    )
