"""Which records would make a strict reader refuse the whole file.

Some readers refuse a file because of one value that JSON allows, and none of them skips just that
record (tests/integration/test_strict_readers.py): pandas refuses a number whose whole part exceeds
64 bits; pyarrow refuses a number that exceeds a double, even a zero with a large exponent, and a
field of its schema that occurs twice.

Three things are deliberately ignored: nested keys that occur twice, nested keys that differ only in
case, and deep nesting. They break only inferred schemas, which ordinary records of this API break
anyway (docs/formats.md).

Each check first searches the bytes, which proves that an ordinary record is harmless. Only records
that it cannot clear are parsed. Parsing every record took more time than everything else together
(docs/adr/0009). StringZilla searches with the processor's vector instructions, in half the time of
the standard library (docs/adr/0021).
"""

import json
import math
import re
from collections.abc import Mapping

import msgspec
import stringzilla

LONGEST = 20
"""Digits and sign of the longest 64-bit integers."""

_WORTH_A_LOOK = 19
"""No number shorter than this exceeds 64 bits."""

_SHAPE = bytes.maketrans(b"123456789+-.E,[]{} \t\r\n", b"0" * 12 + b"e" + b":" * 9)
"""Maps each byte to its part in a number: `0` within, `e`, and `:` before and after a number."""

_LONG = b":" + b"0" * LONGEST

_EXPONENT = b"0e000"
"""The last digit before an exponent, and three of the exponent's: no shorter one is too large."""

_END_OF_NUMBER = re.compile(rb"0*:")

_WHOLE_PART = re.compile(r"-?\d+")

_LARGE_EXPONENT = re.compile(r"[eE]\+?0*[1-9]\d\d")


class _Refused(Exception):
    """Raised out of the decoder at the first value that a reader refuses."""


def may_be_large(text: bytes) -> bool:
    """Say whether a text may hold a number that `has_large_number` finds; False is always right."""
    shape = stringzilla.translate(text, _SHAPE)
    return stringzilla.find(shape, _LONG) >= 0 or _has_large_exponent(shape)


def _has_large_exponent(shape: bytes) -> bool:
    at = stringzilla.find(shape, _EXPONENT)
    while at >= 0:  # Mostly identifiers, in which another character follows.
        after = at + len(_EXPONENT)
        if _END_OF_NUMBER.match(shape, after):
            return True
        at = stringzilla.find(shape, _EXPONENT, after - 1)
    return False


def has_large_number(raw: bytes) -> bool:
    """Say whether a record (JSON in UTF-8) has a number that some strict reader refuses."""
    try:
        _numbers.decode(raw.decode("utf-8"))
    except _Refused:
        return True
    return False


def repeats_a_key(raw: bytes, members: Mapping[str, msgspec.Raw]) -> bool:
    """Say whether a key occurs twice at the top level of a record.

    Args:
        raw: a JSON object in UTF-8.
        members: its members by key, each value as it is written.
    """
    # Only one member of a repeated key is left, so writing them gives something else.
    return _written(members) != raw and _repeats(raw)


def _repeats(raw: bytes) -> bool:
    """Say the same of a record with white space, or with escapes in its keys."""
    compact = bytes(msgspec.json.format(raw, indent=-1))
    if _written(_members.decode(compact)) == compact:
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
_written = msgspec.json.Encoder().encode
_numbers = json.JSONDecoder(parse_int=_whole, parse_float=_real)
_keys = json.JSONDecoder(object_pairs_hook=_names, parse_int=str)
