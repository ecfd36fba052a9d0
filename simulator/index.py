"""The sorted columns of a tenant, with which a page is found without reading all activities."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.spans import Spans

# Inserting one by one moves memory each time; beyond this many, sorting again is cheaper.
_INSERTS_MAX = 500


class Column:
    """Row numbers sorted by a 64-bit key; rows with the same key keep their order."""

    def __init__(self) -> None:
        self.keys = array("q")
        self.rows = array("q")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def extend(self, keys: Sequence[int], first_row: int) -> None:
        """Add rows numbered from `first_row` on."""
        if len(keys) > _INSERTS_MAX:
            self._sort_in(keys, first_row)
            return
        for row, key in enumerate(keys, start=first_row):
            at = bisect_right(self.keys, key)
            self.keys.insert(at, key)
            self.rows.insert(at, row)

    def slices(self, spans: Spans) -> list[tuple[int, int]]:
        """Return the half-open positions of the rows whose keys lie in the spans, ascending."""
        found = [
            (bisect_left(self.keys, low), bisect_right(self.keys, high)) for low, high in spans
        ]
        return [(start, stop) for start, stop in found if start < stop]

    def walk(self, spans: Spans, *, descending: bool) -> Iterator[int]:
        """Yield the rows whose keys lie in the spans, in the order of their keys."""
        slices = self.slices(spans)
        for start, stop in reversed(slices) if descending else slices:
            positions = range(stop - 1, start - 1, -1) if descending else range(start, stop)
            for position in positions:
                yield self.rows[position]

    def count(self, spans: Spans) -> int:
        """Return how many rows have their keys in the spans."""
        return sum(stop - start for start, stop in self.slices(spans))

    def _sort_in(self, keys: Sequence[int], first_row: int) -> None:
        pairs = sorted(
            [
                *zip(self.keys, self.rows, strict=True),
                *zip(keys, range(first_row, first_row + len(keys)), strict=True),
            ]
        )
        self.keys = array("q", (key for key, _ in pairs))
        self.rows = array("q", (row for _, row in pairs))


class Index:
    """The times of every activity of a tenant, by row and in both orders."""

    def __init__(self) -> None:
        self.timestamps = array("q")
        self.created = array("q")
        self.by_date = Column()
        self.by_created = Column()

    def __len__(self) -> int:
        """Return the number of activities."""
        return len(self.timestamps)

    def extend(self, timestamps: Sequence[int], created: Sequence[int]) -> None:
        """Add activities after the existing rows."""
        first_row = len(self)
        self.timestamps.extend(timestamps)
        self.created.extend(created)
        self.by_date.extend(timestamps, first_row)
        self.by_created.extend(created, first_row)
