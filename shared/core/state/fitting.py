"""Making a report fit into one line of the log, whatever it has to say."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

LINE_MOST = 32_768
"""Application Insights cuts a message after so many characters, and a cut line is not JSON."""

KINDS_MOST = 25
"""Kinds of warnings that a report spells out."""

WARNING_MOST = 600
"""Characters of one warning."""

CUTS = ((4_000, 200), (1_000, 50), (200, 30), (40, 10))
"""Characters of a text and items of a list, tried one after the other until the line fits."""

_STAMP = re.compile(r"\d{8}T\d{9}Z")
_VARYING = re.compile(r"\d{8}T\d{9}Z|\d+")


def summed_up(warnings: Iterable[str]) -> list[str]:
    """Return one sentence for each kind of warning, with how often it came and its bounds.

    Warnings are of one kind when they differ in numbers and times only.
    """
    kinds: dict[str, list[str]] = {}
    for warning in warnings:
        kinds.setdefault(_VARYING.sub("#", warning), []).append(warning)
    alike = list(kinds.values())
    told, untold = [_sentence(it) for it in alike[:KINDS_MOST]], alike[KINDS_MOST:]
    if not untold:
        return told
    total = sum(map(len, untold))
    return [*told, f"and {total:,} more warnings of {len(untold):,} other kinds"]


def _sentence(alike: list[str]) -> str:
    first = clipped(alike[0], WARNING_MOST)
    if len(alike) == 1:
        return first
    stamps = sorted(stamp for warning in alike for stamp in _STAMP.findall(warning))
    bounds = f" between {stamps[0]} and {stamps[-1]}" if stamps else ""
    return f"{len(alike):,} times{bounds}: {first}"


def clipped(text: str, most: int) -> str:
    """Return a text with at most so many characters, its beginning and its end."""
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end - 3]} … {text[-end:]}"


def fitted_line(fields: dict[str, Any]) -> str:
    """Return the fields as one line of JSON that nothing on its way cuts."""
    line = _encoded(fields)
    for characters, items in CUTS:
        if len(line) > LINE_MOST:
            line = _encoded(_cut(fields, characters, items))
    return line.decode()


def _cut(value: object, characters: int, items: int) -> object:
    if isinstance(value, str):
        return clipped(value, characters)
    if isinstance(value, dict):
        return {key: _cut(it, characters, items) for key, it in value.items()}
    if isinstance(value, list | tuple):
        kept = [_cut(it, characters, items) for it in value[:items]]
        more = len(value) - items
        return [*kept, f"and {more:,} more"] if more > 0 else kept
    return value


def _encoded(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # Half of a surrogate pair, from somebody's text.
        return msgspec.json.encode(_without_surrogates(value))


def _without_surrogates(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(it) for key, it in value.items()}
    return [_without_surrogates(it) for it in value] if isinstance(value, list | tuple) else value
