"""From the text of one setting to its value. A ValueError says what is wrong with the text."""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from shared.core.model import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from shared.core.passes import UNITS, sweep_name

Choice = TypeVar("Choice", bound=str)

LONGEST_MS = 3650 * DAY_MS
"""No activity is older. A longer duration is a typing error and would overflow dates."""

BUDGET_LEAST_MS = 5 * SECOND_MS
"""With less, a run would do little more than claim and release its ledger."""

BUDGET_MOST_MS = 9 * MINUTE_MS

FILTER_LEVELS = 64
"""How deep filters may be nested. Python versions differ in how deep they can read and write."""

_SHORT_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)", re.ASCII)
_ISO_DURATION = re.compile(
    r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII
)
_ISO_UNITS = (7 * DAY_MS, DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS)


def boolean(text: str) -> bool:
    """Return True or False."""
    if text.lower() not in {"true", "false"}:
        raise ValueError("it is neither true nor false")
    return text.lower() == "true"


def one_of(choices: Sequence[Choice]) -> Callable[[str], Choice]:
    """Return a parser that accepts these words only."""

    def parse(text: str) -> Choice:
        for choice in choices:
            if choice == text:
                return choice
        raise ValueError(f"it must be {' or '.join(choices)}")

    return parse


def integer(least: int, most: int) -> Callable[[str], int]:
    """Return a parser that accepts whole numbers in this range."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"it must be a whole number from {least} to {most}")
        return int(text)

    return parse


def scan_name(text: str) -> str:
    """Return the name of a scan."""
    if not re.fullmatch(r"[a-z0-9-]{1,40}", text):
        raise ValueError("it is not a scan name")
    return text


def container_name(text: str) -> str:
    """Return the name of a storage container."""
    if not re.fullmatch(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", text):
        raise ValueError("it is not a container name")
    return text


def duration(text: str) -> int:
    """Return a positive duration in milliseconds."""
    if short := _SHORT_DURATION.fullmatch(text.lower()):
        length = int(short[1]) * UNITS[short[2]]
    elif (iso := _ISO_DURATION.fullmatch(text.upper())) and any(iso.groups()):
        length = sum(int(n or 0) * unit for n, unit in zip(iso.groups(), _ISO_UNITS, strict=True))
    else:
        raise ValueError("it is not a duration")
    if not 0 < length <= LONGEST_MS:
        raise ValueError("it must be longer than zero and at most 3650 days")
    return length


def allowance(text: str) -> int:
    """Return a duration in milliseconds, which may be zero."""
    return 0 if re.fullmatch(r"0+(ms|s|m|h|d)?", text.lower()) else duration(text)


def time_budget(text: str) -> int:
    """Return the time budget of a run, in milliseconds."""
    length = duration(text)
    if not BUDGET_LEAST_MS <= length <= BUDGET_MOST_MS:
        raise ValueError("it must be between 5 s and 9 min: the platform kills a run after 10 min")
    return length


def slice_length(text: str) -> int:
    """Return the length of a fresh slice, in milliseconds."""
    length = duration(text)
    if HOUR_MS % length or length < SECOND_MS:
        raise ValueError("it must be at least a second and divide an hour")
    return length


def sweeps(text: str) -> tuple[tuple[str, int], ...]:
    """Return the sweeps in ascending order of age, each with the name of its pass."""
    if text.lower() == "none":
        return ()
    ages = sorted({duration(age.strip()) for age in text.split(",")})
    return tuple((sweep_name(age), age) for age in ages)


def filters(text: str) -> dict[str, Any]:
    """Return the API's filters: a JSON object that is sent as it was written."""
    value = json.loads(
        text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique_keys
    )
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - a parser's only error
    for name in ("date", "created"):
        if not isinstance(value.get(name, {}), dict):
            raise ValueError(f"{name} takes operators such as gte")  # noqa: TRY004 - the same
    _require_shallow(value, FILTER_LEVELS)
    json.dumps(value, ensure_ascii=False).encode()  # Fails on a lone surrogate, which nobody sends.
    return value


def scan_objects(text: str) -> list[dict[str, Any]]:
    """Return what SCANS says about each scan."""
    value = json.loads(text, object_pairs_hook=_unique_keys)
    if not isinstance(value, list) or not all(isinstance(element, dict) for element in value):
        raise ValueError("it is not a JSON array of objects")
    return value


def _require_shallow(value: object, levels: int) -> None:
    if not levels:
        raise ValueError("it is nested too deeply")
    inner = value.values() if isinstance(value, dict) else value
    for it in inner if isinstance(inner, Iterable) and not isinstance(inner, str) else ():
        _require_shallow(it, levels - 1)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"one object has the key {repeated!r} twice")
    return value


def _finite(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"{text} is too large")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
