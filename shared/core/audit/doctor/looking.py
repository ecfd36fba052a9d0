"""What one answer showed: what may be kept of it, and what only the next questions need."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from shared.core.api.answers import (
    HTTP_BAD,
    HTTP_OK,
    Fault,
    Throttle,
    read_answer,
    read_http_date,
)
from shared.core.api.pages import Page
from shared.core.api.positions import position
from shared.core.api.records import Record
from shared.core.audit.doctor.words import (
    BOUNDS,
    FIELDS,
    HEADERS,
    MEMBERS,
    Bound,
    EmptyData,
    Exchange,
    Field,
    Filter,
    Header,
    Member,
    Notation,
    Order,
    Question,
    Result,
    RetryAfter,
    Type,
)
from shared.core.clocks import apart
from shared.core.errors import SourceRefused, TokenRefused
from shared.core.model import Answer, Axis, Direction, NoAnswer, Request
from shared.core.quoting import quoted

LOOKED_AT = 40
"""Records of a page whose fields are looked at; a source has the same fields again and again."""

SAID_MOST = 1_000
"""Characters of a refused sign-in that are told: what to do comes at its end."""

Place = tuple[int | None, int | None]
"""A record's `timestamp` and `created`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question as it is sent.

    Attributes:
        question: which one.
        request: the body that is sent.
        limit: in it.
        sort_field: in it.
        sort_direction: in it.
        filters: the names of its filters.
        bounds: on the field by which it is cut, inclusive; None for a continuation.
    """

    question: Question
    request: Request
    limit: int | None = None
    sort_field: Axis | None = None
    sort_direction: Direction | None = None
    filters: tuple[Filter, ...] = ()
    bounds: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One question with what its answer showed. Only `exchange` is ever kept.

    Attributes:
        asked: the question.
        exchange: what may be kept.
        places: of the records, in the API's order.
        identities: of the records, as digests.
        kinds: `eventTypeName` of the records; None where it is not a text.
        continuation: `nextQueryFilters` verbatim, None without one.
        ahead: how far the API's clock is ahead, in ms; None when it did not say.
        wait: how long a throttle asks to wait, in ms.
        said: what went wrong, in words that are fit to show; a refusal ends with what to do.
        renewable: whether a new token may help.
        types: of the documented fields of the first records.
        undocumented: how many other fields these have, at most on one record.
    """

    asked: Asked
    exchange: Exchange
    places: tuple[Place, ...] = ()
    identities: frozenset[str] = frozenset()
    kinds: tuple[str | None, ...] = ()
    continuation: str | None = None
    ahead: int | None = None
    wait: int = 0
    said: str = ""
    renewable: bool = False
    types: Mapping[Field, frozenset[Type]] = field(default_factory=dict)
    undocumented: int = 0

    @property
    def is_page(self) -> bool:
        """Whether the API answered the question, with records or without."""
        return self.exchange.result in {"page", "empty"}

    def on(self, axis: Axis) -> list[int]:
        """Return the positions of the records on an axis, in the API's order."""
        at = {"date": 0, "created": 1}[axis]
        return [place[at] for place in self.places if place[at] is not None]  # type: ignore[misc]  # None is left out


def look(asked: Asked, answer: Answer | NoAnswer, *, milliseconds: int, now: int) -> Seen:
    """Return what an answer showed.

    Args:
        asked: what it answers.
        answer: what came back.
        milliseconds: how long it took.
        now: when it arrived, epoch ms.
    """
    seen = _look(asked, answer, milliseconds, now)
    if isinstance(answer, NoAnswer) or answer.date is None:
        return seen
    return _changed(seen, ahead=apart(answer.date, sent=now - milliseconds, answered=now))


def turned_away(asked: Asked, said: str) -> Seen:
    """Return what a question showed that could not be sent, because signing in is refused."""
    return Seen(asked=asked, exchange=_exchange(asked, "refused", 0), said=quoted(said, SAID_MOST))


def _look(asked: Asked, answer: Answer | NoAnswer, milliseconds: int, now: int) -> Seen:
    if isinstance(answer, NoAnswer):
        exchange = _exchange(asked, "no answer", milliseconds)
        return Seen(asked=asked, exchange=exchange, said=quoted(f"{answer.kind}: {answer.detail}"))
    if answer.status == HTTP_BAD:
        return _unread(asked, answer, "not accepted", milliseconds, "")
    try:
        meaning = read_answer(answer, now=now)
    except SourceRefused as error:
        seen = _unread(asked, answer, "refused", milliseconds, str(error))
        return _changed(seen, renewable=isinstance(error, TokenRefused))
    if isinstance(meaning, Throttle):
        return _changed(_unread(asked, answer, "throttled", milliseconds, ""), wait=meaning.wait)
    if isinstance(meaning, Fault):
        return _odd(asked, answer, meaning, milliseconds)
    return _page(asked, answer, meaning, milliseconds)


def _odd(asked: Asked, answer: Answer, fault: Fault, milliseconds: int) -> Seen:
    """Return an answer that is not a page; an object without members is an empty one."""
    members = _members(answer.body) if answer.status == HTTP_OK else None
    if members is not None and not members:
        seen = _unread(asked, answer, "empty", milliseconds, "")
        exchange = msgspec.structs.replace(seen.exchange, data="object")
        return _changed(seen, exchange=exchange)
    return _unread(asked, answer, "fault", milliseconds, fault.detail)


def _changed(seen: Seen, **changes: Any) -> Seen:
    own = {name: getattr(seen, name) for name in Seen.__slots__}
    return Seen(**{**own, **changes})


def _unread(asked: Asked, answer: Answer, result: Result, milliseconds: int, said: str) -> Seen:
    exchange = msgspec.structs.replace(
        _exchange(asked, result, milliseconds),
        **_transport(answer),
        retry_after=_form_of(answer.retry_after) if result == "throttled" else None,
    )
    return Seen(asked=asked, exchange=exchange, said=said)


def _exchange(asked: Asked, result: Result, milliseconds: int) -> Exchange:
    return Exchange(
        question=asked.question,
        limit=asked.limit,
        sort_field=asked.sort_field,
        sort_direction=asked.sort_direction,
        filters=asked.filters,
        result=result,
        milliseconds=milliseconds,
    )


def _transport(answer: Answer) -> dict[str, Any]:
    known: list[Header] = [name for name in HEADERS if name in answer.headers]
    return {
        "status": answer.status,
        "bytes": len(answer.body),
        "headers": tuple(known),
        "other_headers": len(answer.headers) - len(known),
    }


def _form_of(header: str | None) -> RetryAfter:
    if header is None:
        return "absent"
    text = header.strip()
    if text.isascii() and text.isdigit():
        return "seconds" if text.strip("0") else "zero"
    return "other" if read_http_date(text) is None else "date"


def _page(asked: Asked, answer: Answer, page: Page, milliseconds: int) -> Seen:
    members = _members(answer.body) or {}
    known: list[Member] = [name for name in MEMBERS if name in members]
    places = tuple((record.timestamp, record.created) for record in page.records)
    exchange = msgspec.structs.replace(
        _exchange(asked, "page" if page.records else "empty", milliseconds),
        **_transport(answer),
        **_continued(page.continuation),
        members=tuple(known),
        other_members=len(members) - len(known),
        data=_data(page, members),
        records=len(page.records),
        nulls=len(page.nulls),
        unplaced=sum(None in place for place in places),
        has_next=page.has_next,
        total=page.total,
        max=position(members.get("max")),
        by_date=_order([at for at, _ in places if at is not None]),
        by_created=_order([at for _, at in places if at is not None]),
    )
    types, undocumented = _fields(page.records[:LOOKED_AT])
    return Seen(
        asked=asked,
        exchange=exchange,
        places=places,
        identities=frozenset(record.identity for record in page.records),
        kinds=tuple(map(_kind, page.records)),
        continuation=page.continuation,
        types=types,
        undocumented=undocumented,
    )


def _members(body: bytes) -> dict[str, msgspec.Raw] | None:
    """Return the members of an answer; None where it is not an object of strict JSON."""
    try:
        return _members_of.decode(body)
    except (ValueError, RecursionError):
        return None


def _data(page: Page, members: Mapping[str, msgspec.Raw]) -> EmptyData:
    if not page.bare:
        return "list"
    return "null" if "data" in members else "missing"


def _order(positions: Sequence[int]) -> Order | None:
    if len(set(positions)) <= 1:
        return None
    ordered = sorted(positions)
    if ordered == positions:
        return "ascending"
    return "descending" if ordered[::-1] == positions else "mixed"


def _continued(continuation: str | None) -> dict[str, Any]:
    """Return what of a continuation may be kept; `read_page` has found it to be an object."""
    stated = _bounds(continuation or "{}")
    known: list[Bound] = [name for name in BOUNDS if name in stated]
    notations = [_notation(bytes(stated[name])) for name in known]
    said = [it for it in notations if it is not None]
    return {
        "continuation": tuple(known),
        "other_bounds": len(stated) - len(known),
        "notation": next((it for it in said if it != "digits"), said[0] if said else None),
    }


def _bounds(continuation: str) -> dict[str, msgspec.Raw]:
    """Return each bound of a continuation by filter and operator, such as `date.gte`."""
    stated: dict[str, msgspec.Raw] = {}
    for name, operators in _members_of.decode(continuation).items():
        try:
            inner = _members_of.decode(operators)
        except msgspec.DecodeError:
            inner = {"": operators}
        stated |= {f"{name}.{operator}": value for operator, value in inner.items()}
    return stated


def _notation(written: bytes) -> Notation | None:
    if written.startswith(b'"'):
        return "text"
    if position(written) is None:
        return None
    return "digits" if written.removeprefix(b"-").isdigit() else "point"


def bound_in(continuation: str | None, bound: Bound) -> int | None:
    """Return a bound of a continuation as epoch ms, None where it states none."""
    return position(_bounds(continuation or "{}").get(bound))


class _Kind(msgspec.Struct):
    """The one field of a record that a filter is tried with."""

    eventTypeName: Any = None  # noqa: N815 - the API's name


_kind_of = msgspec.json.Decoder(_Kind).decode
_members_of = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _kind(record: Record) -> str | None:
    """Return a record's `eventTypeName`; an irregular record has none on the outside."""
    kind = _kind_of(record.raw).eventTypeName
    return kind if isinstance(kind, str) else None


def _fields(records: Iterable[Record]) -> tuple[dict[Field, frozenset[Type]], int]:
    """Return the types of the documented fields, and the most other fields of one record."""
    types: dict[Field, frozenset[Type]] = {}
    undocumented = 0
    for record in records:
        members = _members_of.decode(record.raw) if record.original is None else {}
        for name in FIELDS:
            if name in members:
                types[name] = types.get(name, frozenset()) | {_type(bytes(members[name]))}
        undocumented = max(undocumented, len(members.keys() - FIELDS))
    return types, undocumented


_TYPES: dict[bytes, Type] = {
    b'"': "text",
    b"{": "object",
    b"[": "list",
    b"t": "boolean",
    b"f": "boolean",
    b"n": "null",
}


def _type(written: bytes) -> Type:
    whole: Type = "whole number" if written.removeprefix(b"-").isdigit() else "number"
    return _TYPES.get(written[:1], whole)
