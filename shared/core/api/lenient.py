"""The scanner for answers that the fast decoder refuses.

One record with a lone surrogate, NaN or a raw control character makes the fast decoder refuse the
whole page. This scanner is about twelve times slower and accepts them. It works on the body decoded
with `surrogateescape`, so every slice of the text gives back exactly its bytes.
"""

import json
from collections.abc import Iterator

import msgspec

from shared.core.api.envelopes import Envelope
from shared.core.api.records import Malformed

DIGITS_MOST = 20
"""Digits and sign of the longest 64-bit integers; Python refuses numbers of thousands of digits."""

Offsets = tuple[int, int]
"""Where a value begins and ends in the text."""


def decode(body: bytes) -> Envelope:
    """Slice a body into its envelope.

    Raises:
        Malformed: it is not JSON even so, or its outer object is not a page's.
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        return _envelope(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the answer is not JSON ({error}); it begins {text[:80]!a}") from error


def _envelope(text: str) -> Envelope:
    outer = _decoder.decode(text)
    if not isinstance(outer, dict):
        raise Malformed("the answer is not a JSON object")
    data, has_next = outer.get("data"), outer.get("hasNext")
    if data is not None and not isinstance(data, list):
        raise Malformed("the answer's data is not a list")
    members = dict(_members(text))
    _require_utf8_around(text, members.get("data"))
    return Envelope(
        data=_items(text, members["data"]) if "data" in members else msgspec.UNSET,
        hasNext=has_next if isinstance(has_next, bool) else None,
        nextQueryFilters=msgspec.Raw(_bytes(text, members.get("nextQueryFilters"))),
        total=outer.get("total"),
    )


def _require_utf8_around(text: str, data: Offsets | None) -> None:
    """Refuse bytes outside the records that are not UTF-8: they may have damaged a bound."""
    around = text if data is None else text[: data[0]] + text[data[1] :]
    try:
        around.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("the answer is not UTF-8 around its records") from error


def _whole(text: str) -> int | None:
    return int(text) if len(text) <= DIGITS_MOST else None


_decoder = json.JSONDecoder(strict=False, parse_int=_whole)


def _members(text: str) -> Iterator[tuple[str, Offsets]]:
    """Yield each key of the outer object with the offsets of its value."""
    at = _skip_space(text, _skip_space(text, 0) + 1)
    while text[at] != "}":
        key, end = _decoder.raw_decode(text, at)
        at = _skip_space(text, _skip_space(text, end) + 1)
        _, end = _decoder.raw_decode(text, at)
        yield key, (at, end)
        at = _after_comma(text, end)


def _items(text: str, data: Offsets) -> list[msgspec.Raw] | None:
    if text.startswith("null", data[0]):
        return None
    return [msgspec.Raw(raw) for raw in _elements(text, data)]


def _elements(text: str, of_list: Offsets) -> Iterator[bytes]:
    """Yield the bytes of each element of the list at these offsets."""
    at = _skip_space(text, of_list[0] + 1)
    while text[at] != "]":
        _, end = _decoder.raw_decode(text, at)
        yield _bytes(text, (at, end))
        at = _after_comma(text, end)


def _bytes(text: str, of_value: Offsets | None) -> bytes:
    if of_value is None:
        return b"null"
    return text[slice(*of_value)].encode("utf-8", "surrogateescape")


def _after_comma(text: str, at: int) -> int:
    at = _skip_space(text, at)
    return _skip_space(text, at + 1) if text[at] == "," else at


def _skip_space(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at
