"""Which records would cost a strict reader its whole file.

Readers that were tried (tests/integration/test_strict_readers.py) refuse a file for one value that
JSON allows: pandas a number whose whole part is beyond 64 bits, pyarrow a number beyond doubles
(even a zero with a large exponent) or a field of its schema that comes twice. None of them skips
the record alone.

Three things are no such value, though a schema that is guessed fails on them, because the guess
fails on ordinary records of this API, too (docs/formats.md): nested keys that come twice, nested
keys that differ only in case, and nesting that is deep.

Each check proves the ordinary record by a search through its bytes; only what it cannot prove is
parsed. Parsing every record took more time than all else together (docs/adr/0009).
"""

import json
import math
import re
from collections.abc import Mapping, Sized

import msgspec

LONGEST = 20
"""Digits and sign of the longest 64-bit integers."""

_WORTH_A_LOOK = 19
"""A number that is shorter than the shortest integers beyond 64 bits is none of them."""

_SHAPE = bytes.maketrans(b"123456789+-.E,[]{} \t\r\n", b"0" * 12 + b"e" + b":" * 9)
"""What matters to where a number begins and ends: `:` before and after it, `0` within, `e`."""

_LONG = b":" + b"0" * LONGEST

_LARGE_EXPONENT_SHAPE = re.compile(rb"0e000+:")

_WHOLE_PART = re.compile(r"-?\d+")

_LARGE_EXPONENT = re.compile(r"[eE]\+?0*[1-9]\d\d")


class _Refused(Exception):
    """Raised out of the decoder at the first value that a reader refuses."""


def may_be_large(text: bytes) -> bool:
    """Say whether a text may hold a number that `has_large_number` refuses; never wrongly no."""
    shape = text.translate(_SHAPE)
    return _LONG in shape or _LARGE_EXPONENT_SHAPE.search(shape) is not None


def has_large_number(raw: bytes) -> bool:
    """Say whether a record, JSON in UTF-8, has a number that some strict reader refuses."""
    try:
        _numbers.decode(raw.decode("utf-8"))
    except _Refused:
        return True
    return False


def repeats_a_key(raw: bytes, members: Mapping[str, Sized]) -> bool:
    """Say whether a key comes twice in a record itself, not in what is nested in it.

    Args:
        raw: a JSON object in UTF-8.
        members: its members by key, each value as it is written.
    """
    # A repeated key is one member less, and then these bytes do not add up to the whole.
    return not _adds_up(raw, members) and _repeats(raw)


def _adds_up(raw: bytes, members: Mapping[str, Sized]) -> bool:
    quotes_colons_commas_braces = 4 * len(members) + 1
    written = sum(map(len, members)) + sum(map(len, members.values()))
    return quotes_colons_commas_braces + written == len(raw)


def _repeats(raw: bytes) -> bool:
    """Say it for a record with white space, or with keys that are not written as they read."""
    compact = bytes(msgspec.json.format(raw, indent=-1))
    if _adds_up(compact, _members.decode(compact)):
        return False
    names = _keys.decode(raw.decode("utf-8"))
    return len(set(names)) != len(names)


def _whole(text: str) -> None:
    if len(text) > LONGEST or not -(2**63) <= int(text) < 2**64:
        raise _Refused


def _real(text: str) -> None:
    value = float(text)
    if math.isinf(value) or (value == 0 and _LARGE_EXPONENT.search(text)):
        raise _Refused
    if len(text) >= _WORTH_A_LOOK:
        _whole(_WHOLE_PART.match(text)[0])  # type: ignore[index]  # every number has one


def _names(pairs: list[tuple[str, object]]) -> list[str]:
    return [name for name, _ in pairs]


_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_numbers = json.JSONDecoder(parse_int=_whole, parse_float=_real)
_keys = json.JSONDecoder(object_pairs_hook=_names, parse_int=str)
