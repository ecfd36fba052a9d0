"""Writes a page: the envelope around the bytes of the records."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.filters import Filters
    from simulator.queries import Query
    from simulator.switches import EmptyData

_OPENING, _CLOSING = frozenset({b"{", b"["}), frozenset({b"}", b"]"})
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


@dataclass(slots=True, kw_only=True)
class Answer:
    """A page that faults may still change before it is written.

    Attributes:
        query: The query.
        records: The records' bytes, in order.
        keys: The sort key of each record (epoch ms).
        has_next: The value of `hasNext`.
        next_filters: The continuation; None leaves it out.
        total: The value of `total`.
        overrides: JSON that replaces the values of members of the envelope.
        left_out: Members of the envelope to leave out.
        foreign: Returns a page of records that the filters do not ask for.
        empty: The `data` of an answer without records (the switch `empty_data`).
        limit: The value of `max`; None leaves it and `moreThanTotal` out.

    """

    query: Query
    records: list[bytes]
    keys: list[int]
    has_next: bool
    next_filters: Filters | None
    total: int
    foreign: Callable[[], list[bytes]]
    empty: EmptyData = "list"
    limit: int | None = None
    overrides: dict[str, bytes] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)

    def keep(self, count: int) -> None:
        """Keep only the first records."""
        del self.records[count:]
        del self.keys[count:]


def written(answer: Answer, *, data_first: bool, pretty: bool) -> bytes:
    """Write an answer as JSON; the order of the envelope's members varies."""
    data = b"[" + b",".join(answer.records) + b"]"
    if not answer.records and answer.empty == "null":
        data = b"null"
    envelope = {"total": _json(answer.total), "hasNext": _json(answer.has_next)}
    if answer.next_filters is not None:
        envelope["nextQueryFilters"] = _json(answer.next_filters)
    if answer.limit is not None:
        envelope |= {"max": _json(answer.limit), "moreThanTotal": b"false"}
    envelope = {"data": data, **envelope} if data_first else {**envelope, "data": data}
    if not answer.records and answer.empty == "missing":
        del envelope["data"]
    if answer.empty == "object" and not (answer.records or answer.has_next or answer.total):
        return b"{}"
    envelope |= answer.overrides
    members = [
        b'"%b":%b' % (n.encode(), v) for n, v in envelope.items() if n not in answer.left_out
    ]
    body = b"{" + b",".join(members) + b"}"
    return indented(body) if pretty else body


def indented(text: bytes) -> bytes:
    """Indent JSON, leaving every string and number unchanged."""
    return b"".join(_indented(text))


def _indented(text: bytes) -> Iterator[bytes]:
    depth = 0
    before = b""
    for token in _TOKENS.findall(text):
        closing, after_opening = token in _CLOSING, before in _OPENING
        depth -= closing
        if not after_opening if closing else after_opening or before == b",":
            yield b"\n" + b"    " * depth
        yield token + b" " if token == b":" else token
        depth += token in _OPENING
        before = token


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
