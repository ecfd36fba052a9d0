"""Slices and pages for the tests of core/slices."""

import json
from typing import Any

import msgspec

from shared.core.api.answers import read_answer
from shared.core.api.pages import Page
from shared.core.model import Block, Policy, Slice
from shared.core.slices.facts import UNKNOWN
from shared.core.slices.opening import open_slice
from shared.core.slices.requests import next_request
from shared.core.slices.retreat import Outlook
from tests.fakes import HOUR, MINUTE, NOW, page_of, policy

START = NOW - 2 * HOUR
END = START + 5 * MINUTE

ROOM = Outlook(pages=0, again=False, crowded=False, may_open=True, may_block=True)
"""How a scan stands that has room for everything and has received no page yet."""


def page(answer: dict[str, Any]) -> Page:
    """Read an answer as the scan would."""
    read = read_answer(page_of(answer), now=NOW)
    assert isinstance(read, Page)
    return read


def opened(**changes: Any) -> Slice:
    """Return an open slice with changes."""
    piece = open_slice((START, END), pass_name="first", policy=policy())
    return msgspec.structs.replace(piece, **changes)


def more(at: int, *records: dict[str, Any]) -> dict[str, Any]:
    """Return a page that goes on at a cursor."""
    filters = {"date": {"gte": at, "lte": END - 1}}
    return {"data": list(records), "hasNext": True, "nextQueryFilters": filters}


def staged(count: int, size: int = 10) -> tuple[Block, ...]:
    """Return blocks that were staged before."""
    return tuple(
        Block(
            id=str(n),
            size=size,
            records=1,
            sha256="",
            raw=9,
            crc32=0,
            timestamp=None,
            created=None,
        )
        for n in range(count)
    )


def body_of(piece: Slice, how: Policy) -> dict[str, Any]:
    """Return a slice's next request."""
    body: dict[str, Any] = json.loads(next_request(piece, how, UNKNOWN).body)
    return body
