"""Following one query through `nextQueryFilters` to its end, without input or output.

The query is the one in the API's documentation. If an answer contradicts itself, the sample program
there silently loses activities; here, each such answer raises `QueryFailed`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from shared.core.api.pages import Page
from shared.core.api.positions import position as position_of
from shared.core.api.records import Record
from shared.core.api.request_body import scan_request
from shared.core.errors import QueryFailed
from shared.core.model import Axis, Direction, Request

_members_of = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for: the parameters of the API's documentation; `isScan` is always true.

    Attributes:
        filters: any filters, those on the sort field included.
        axis: `sortField`.
        direction: `sortDirection`.
        limit: records per page to ask for; the API may send fewer.
    """

    filters: dict[str, Any]
    axis: Axis
    direction: Direction
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a query has been followed.

    Attributes:
        query: what is asked for.
        continuation: the last page's `nextQueryFilters`, verbatim; None before the first page.
        at: the cursor on the sort field, epoch ms; None while it is unknown.
        seen: digests of the lines written so far that the next page may show again.
        unplaced: digests of lines without a usable time, which any later page may show again.
    """

    query: Query
    continuation: str | None = None
    at: int | None = None
    seen: frozenset[str] = frozenset()
    unplaced: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What one page brought.

    Attributes:
        records: to write, in the API's order, none of them written before.
        repeated: how many records were left out, because an earlier page had shown them.
        goes_on: where to ask next, None at the end.
    """

    records: tuple[Record, ...]
    repeated: int
    goes_on: Position | None


def begin(query: Query) -> Position:
    """Return the position before the first page."""
    return Position(query=query, at=_bound(query.filters, query))


def next_request(position: Position) -> Request:
    """Return the next request: the filters as given, then each continuation verbatim."""
    query = position.query
    order = {"limit": query.limit, "sortField": query.axis, "sortDirection": query.direction}
    return scan_request(query.filters, position.continuation, order)


def take(position: Position, page: Page) -> Taken:
    """Take in a page.

    Raises:
        QueryFailed: whether the query continued from this page or ended, it would lose activities.
    """
    if not page.has_next:
        _require_an_end(page)
        return _taken(position, page.records, None)
    query = position.query
    at = _cursor(page, query)
    if position.at is not None and not _ahead(position.at, at, query):
        raise QueryFailed(
            f"the API says that there is more, but its cursor {_name(query)} went from "
            f"{position.at} to {at} instead of moving on: most likely more activities lie on that "
            "millisecond than a page holds. Ask with a larger --limit, with the other "
            "--sort-field, or in two queries around that millisecond"
        )
    ahead = [record for record in page.records if _may_repeat(record, at, query)]
    # Only records at or past the cursor can come again, so only those are remembered.
    seen = frozenset(record.content for record in ahead)
    odd = frozenset(it.content for it in page.records if it.on(query.axis) is None)
    unplaced = position.unplaced | odd
    onward = replace(position, continuation=page.continuation, at=at, seen=seen, unplaced=unplaced)
    return _taken(position, page.records, onward)


def _taken(position: Position, records: Iterable[Record], onward: Position | None) -> Taken:
    # Only the same bytes are a repetition; a record that has changed meanwhile is written again.
    shown = [(record.content, record) for record in records]
    before = position.seen | position.unplaced
    fresh = {content: record for content, record in shown if content not in before}
    written = tuple(fresh.values())
    return Taken(records=written, repeated=len(shown) - len(written), goes_on=onward)


def _require_an_end(page: Page) -> None:
    if not page.records and page.total:
        raise QueryFailed(
            f"the API shows no activity and no next page, yet counts {page.total}: a known fault "
            "of its scan mode at certain boundaries. Ask with the other --sort-direction, or with "
            "bounds that are a few milliseconds wider"
        )


def _cursor(page: Page, query: Query) -> int:
    at = _stated(page, query)
    if at is None:
        raise QueryFailed(
            f"the API's nextQueryFilters holds no {_name(query)}, so it does not continue where "
            "the page ended. Ask with --sort-field date"
        )
    return at


def _stated(page: Page, query: Query) -> int | None:
    """Return the bound at which the continuation begins, in whatever notation it is written."""
    try:
        filters = _members_of.decode(page.continuation or "{}")
        return position_of(_members_of.decode(filters[query.axis]).get(_operator(query)))
    except (KeyError, msgspec.ValidationError):
        return None


def _bound(filters: dict[str, Any], query: Query) -> int | None:
    """Return the bound of the filters at which the query begins; None if there is none."""
    on_axis = filters.get(query.axis)
    value = on_axis.get(_operator(query)) if isinstance(on_axis, dict) else None
    return value if type(value) is int else None


def _operator(query: Query) -> str:
    return "gte" if query.direction == "asc" else "lte"


def _name(query: Query) -> str:
    return f"{query.axis}.{_operator(query)}"


def _ahead(before: int, at: int, query: Query) -> bool:
    return at > before if query.direction == "asc" else at < before


def _may_repeat(record: Record, at: int, query: Query) -> bool:
    own = record.on(query.axis)
    return own is not None and (own == at or _ahead(at, own, query))
