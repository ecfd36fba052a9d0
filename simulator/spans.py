"""Sets of milliseconds: sorted, disjoint spans, both ends inclusive as in the API's `range`."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Spans: TypeAlias = tuple[tuple[int, int], ...]

FIRST = -(1 << 62)
LAST = 1 << 62
ALWAYS: Spans = ((FIRST, LAST),)
NEVER: Spans = ()


def union(spans: Iterable[tuple[int, int]]) -> Spans:
    """Return the spans sorted, the empty ones dropped and the touching ones merged."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(span for span in spans if span[0] <= span[1]):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def intersection(left: Spans, right: Spans) -> Spans:
    """Return the milliseconds that are in both."""
    return union((max(a, c), min(b, d)) for a, b in left for c, d in right)


def complement(spans: Spans) -> Spans:
    """Return the milliseconds that are in none of the spans."""
    bounds = [FIRST - 1]
    for low, high in spans:
        bounds += [low, high]
    bounds.append(LAST + 1)
    return union((high + 1, low - 1) for high, low in zip(bounds[::2], bounds[1::2], strict=True))


def holds(spans: Spans, value: int) -> bool:
    """Return whether a millisecond is in the spans."""
    if spans is ALWAYS:
        return True
    at = bisect_right(spans, (value, LAST + 1)) - 1
    return at >= 0 and value <= spans[at][1]
