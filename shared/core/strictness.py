"""Which records would cost a strict reader its whole file.

Readers that were tried (tests/integration/test_strict_readers.py) refuse a file for one value that
JSON allows: pandas a number whose whole part is beyond 64 bits, pyarrow a key that comes twice in
an object or a number beyond doubles (even a zero with a large exponent), DuckDB nesting of more
than 128. None of them skips the record alone.

Nested keys that differ only in case are no such value, though DuckDB's schema detection refuses
them: they are ordinary in this API's records, and `maximum_depth = 1` reads them (docs/formats.md).
"""

import json
import math
import re
from typing import Any

DEEPEST = 100
"""DuckDB's limit is 128; what wraps a record must fit, too."""

LONGEST = 20
"""Digits and sign of the longest 64-bit integers."""

_WORTH_A_LOOK = 19
"""A number that is shorter than the shortest integers beyond 64 bits is none of them."""

_WHOLE_PART = re.compile(r"-?\d+")

_LARGE_EXPONENT = re.compile(r"[eE]\+?0*[1-9]\d\d")

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class _Refused(Exception):
    """Raised out of the decoder at the first value that a reader refuses."""


def refused(raw: bytes) -> bool:
    """Say whether some strict reader refuses a record that is JSON in UTF-8."""
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _depth(raw) > DEEPEST:
        return True
    try:
        _decoder.decode(raw.decode("utf-8"))
    except _Refused:
        return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Refused


def _whole(text: str) -> None:
    if len(text) > LONGEST or not -(2**63) <= int(text) < 2**64:
        raise _Refused


def _real(text: str) -> None:
    value = float(text)
    if math.isinf(value) or (value == 0 and _LARGE_EXPONENT.search(text)):
        raise _Refused
    if len(text) >= _WORTH_A_LOOK:
        _whole(_WHOLE_PART.match(text)[0])  # type: ignore[index]  # every number has one


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_float=_real)


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for token in _TOKENS.findall(raw):
        depth += (token in b"[{") - (token in b"]}")
        deepest = max(deepest, depth)
    return deepest
