"""A slow reading of a page by obvious rules, for comparison with the program's fast one.

It decodes every record with Python's `json` and looks at every value. It shares no code with the
program.
"""

import json
import math
import re
from base64 import b64encode
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

BEGINNING = b'{"data":['
"""How a body must begin that `records_of` can read."""

LONGEST = 20
"""Digits and sign of the longest numbers of 64 bits."""


class Expected(NamedTuple):
    """What a record must be read as.

    Attributes:
        id: `_id`, None where it is not text.
        timestamp: None where it is not a whole number of 64 bits.
        created: the same.
        irregular: whether it must be wrapped.
        line: the line to store. The line of an irregular record may have other white space.
    """

    id: str | None
    timestamp: int | None
    created: int | None
    irregular: bool
    line: bytes


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class Members(list[tuple[str, Any]]):
    """An object's members in order, repeated ones included."""


def records_of(body: bytes) -> list[Expected | None] | None:
    """Return the items of `data`, None for a null; None if they are not all objects or nulls."""
    text = body.decode("utf-8", "surrogateescape")
    try:
        json.loads(text, strict=False, parse_int=Number, parse_float=Number)
        items = list(_items(text, len(BEGINNING)))
    except ValueError:
        return None
    if not all(item.startswith("{") or item == "null" for item in items):
        return None
    return [None if item == "null" else _read(item) for item in items]


def _items(text: str, at: int) -> Iterator[str]:
    decoder = json.JSONDecoder(strict=False, parse_int=Number, parse_float=Number)
    at = _past_space(text, at)
    while text[at] != "]":
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = _past_space(text, end)
        if text[at] == ",":
            at = _past_space(text, at + 1)


def _past_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


def _read(item: str) -> Expected:
    members: Members = json.loads(
        item, strict=False, parse_int=Number, parse_float=Number, object_pairs_hook=Members
    )
    last = dict(members)
    irregular = not _is_regular(item, members)
    name = last.get("_id")
    known = name if isinstance(name, str) and not isinstance(name, Number) else None
    if known is not None and not _is_text(known):
        known = None
    timestamp, created = _position(last.get("timestamp")), _position(last.get("created"))
    raw = item.encode("utf-8", "surrogateescape")
    if not irregular:
        return Expected(known, timestamp, created, irregular, _on_one_line(raw))
    wrapper = {"_id": known, "timestamp": timestamp, "created": created}
    line = json.dumps({**wrapper, "irregular": b64encode(raw).decode()}, ensure_ascii=False)
    return Expected(known, timestamp, created, irregular, line.encode())


def _is_regular(item: str, members: Members) -> bool:
    names = [name for name, _ in members]
    try:
        json.loads(item)  # Raw control characters are refused.
    except ValueError:
        return False
    return (
        _is_text(item)
        and len(set(names)) == len(names)
        and "irregular" not in names
        and all(_is_harmless(value) for value in _values(members))
    )


def _values(value: object) -> Iterator[object]:
    """Yield all keys and values below a value."""
    if isinstance(value, Members):
        for name, below in value:
            yield name
            yield from _values(below)
    elif isinstance(value, list):
        for below in value:
            yield from _values(below)
    else:
        yield value


def _is_harmless(value: object) -> bool:
    if isinstance(value, Number):
        return _is_moderate(value)
    if isinstance(value, float):
        return False  # NaN and the infinities; every other number is a `Number`.
    return not isinstance(value, str) or _is_text(value)


def _is_moderate(number: Number) -> bool:
    """Say whether no reader refuses a number."""
    whole, _, exponent = re.fullmatch(r"(-?\d+)(\.\d+)?(?:[eE](.*))?", number).groups()  # type: ignore[union-attr]
    value = float(number)
    if math.isinf(value) or len(whole) > LONGEST or not -(2**63) <= int(whole) < 2**64:
        return False
    return value != 0 or not exponent or Decimal(exponent) < 100


def _position(value: object) -> int | None:
    if not isinstance(value, Number):
        return None
    try:
        exact = Decimal(value)
    except InvalidOperation:
        return None
    if not -(2**63) <= exact < 2**63 or exact != exact.to_integral_value():
        return None
    return int(exact)


def _is_text(text: str) -> bool:
    """Say whether a text has no half of a surrogate pair, escaped or out of bad bytes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _on_one_line(raw: bytes) -> bytes:
    if b"\n" not in raw and b"\r" not in raw:
        return raw
    return re.sub(rb'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', rb"\1", raw)
