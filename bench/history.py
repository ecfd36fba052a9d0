"""A history of activities of any length, and its pages as bytes, for measurements of speed.

A few thousand realistic records of the simulator are made once and then used repeatedly, each time
with another `_id`, `timestamp` and `created`. So pages cost the server next to nothing, and five
million activities need no more memory than ten thousand.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator import Tenant

if TYPE_CHECKING:
    from collections.abc import Iterator

LAG_MS = 200_000
"""How long after its event an activity is saved."""

_HOLES = re.compile(
    rb'"_id":"(?P<id>[^"\\]{9,})"|"timestamp":(?P<timestamp>\d{13})|"created":(?P<created>\d{13})'
)

_ID_DIGITS = 9

_ORDER = ("id", "timestamp", "created")

_UNTIL = 1_795_392_000_000
"""2026-11-23T00:00:00Z: the end of the history of the forms, which no page shows."""


@dataclass(frozen=True, slots=True)
class Form:
    """A record with three placeholders for the operator `%`.

    Attributes:
        text: the record, with `%b` for the end of its `_id` and `%d` for each time.
        order: order of the placeholders: 0 is the `_id`, 1 the `timestamp`, 2 the `created`.
    """

    text: bytes
    order: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Activities at even distances.

    Attributes:
        begin: time of the first activity (epoch ms).
        length: ms from the first activity to the end; at least `count`, so that no two activities
            share a millisecond.
        count: number of activities.
        forms: forms of their records.
    """

    begin: int
    length: int
    count: int
    forms: tuple[Form, ...]

    def at(self, number: int) -> int:
        """Return when an activity happened (epoch ms)."""
        return self.begin + number * self.length // self.count

    def first_since(self, moment: int) -> int:
        """Return the number of the first activity at or after a moment, or `count`."""
        ahead = max(0, moment - self.begin) * self.count
        return min(self.count, -(-ahead // self.length))

    def records(self, first: int, after: int) -> Iterator[bytes]:
        """Yield the records from number `first` to before number `after`."""
        for number in range(first, after):
            form = self.forms[number % len(self.forms)]
            moment = self.at(number)
            values = (b"%09d" % number, moment, moment + LAG_MS)
            a, b, c = form.order
            yield form.text % (values[a], values[b], values[c])

    def page(self, since: int, until: int, limit: int, bounds: dict[str, object]) -> bytes:
        """Return an answer of the API, in ascending order.

        Args:
            since: start of the query.
            until: end of the query, exclusive.
            limit: maximum number of records on a page.
            bounds: the filters of the query without those on the date.
        """
        first, end = self.first_since(since), self.first_since(until)
        after = min(first + limit, end)
        data = b",".join(self.records(first, after))
        envelope: dict[str, object] = {"total": end - first, "hasNext": after < end}
        if after < end:
            dates = {"gte": self.at(after), "lte": until - 1}
            envelope["nextQueryFilters"] = {**bounds, "date": dates}
        return b'{"data":[' + data + b"]," + json.dumps(envelope).encode()[1:]


def forms(count: int, seed: int) -> tuple[Form, ...]:
    """Return the forms of realistic records, 3 to 6 KB each."""
    tenant = Tenant.generate(seed=seed, count=count, until_ms=_UNTIL)
    return tuple(form for form in map(_form, map(tenant.bytes_of, range(count))) if form)


def _form(record: bytes) -> Form | None:
    """Put the placeholders into a record; return None if it does not have each field once."""
    found = list(_HOLES.finditer(record))
    names = [str(hole.lastgroup) for hole in found]
    if sorted(names) != sorted(_ORDER):
        return None
    text, at = b"", 0
    for hole, name in zip(found, names, strict=True):
        start, end = hole.span(name)
        start = end - _ID_DIGITS if name == "id" else start
        text += record[at:start].replace(b"%", b"%%") + (b"%b" if name == "id" else b"%d")
        at = end
    text += record[at:].replace(b"%", b"%%")
    first, second, third = map(_ORDER.index, names)
    return Form(text, (first, second, third))
