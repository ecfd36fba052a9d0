"""The operators of filters on the content of records; `filters` has those on times.

Each gets the values of a field in a record (none, one or several) and the operand of the request.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Values: TypeAlias = list[Any]


def as_list(operand: Any) -> list[Any]:  # noqa: ANN401 - operands are free-form JSON
    """Return an operand as a list; the API accepts a scalar where it documents a list."""
    return operand if isinstance(operand, list) else [operand]


def plain(value: Any) -> Any:  # noqa: ANN401 - values are free-form JSON
    """Return a value without the type prefix (`i:`, `s:`, `t:`) that portal addresses carry."""
    if isinstance(value, str) and value[:2] in {"i:", "s:", "t:"}:
        return value[2:]
    return value


def is_true(value: Any) -> bool:  # noqa: ANN401 - values are free-form JSON
    """Read a boolean as the API does: true, "true", "True" or 1."""
    return str(value).lower() in {"true", "1"}


def _token(value: Any) -> str:  # noqa: ANN401 - values are free-form JSON
    """Write a value so that 15600 equals "15600" and true equals "true"."""
    value = plain(value)
    if isinstance(value, str):
        return value.lower() if value.lower() in {"true", "false", "null"} else value
    if isinstance(value, dict):
        return json.dumps({key: _token(value[key]) for key in sorted(value)})
    return json.dumps(value)


def _texts(values: Values) -> list[str]:
    return [str(value).lower() for value in values if value is not None]


def _prefixes(operand: Any) -> tuple[str, ...]:  # noqa: ANN401 - operands are free-form JSON
    return tuple(str(plain(item)).lower() for item in as_list(operand))


def _eq(values: Values, operand: Any) -> bool:  # noqa: ANN401
    wanted = {_token(item) for item in as_list(operand)}
    return not wanted.isdisjoint(_token(value) for value in values or [None])


def _deq(values: Values, operand: Any) -> bool:  # noqa: ANN401
    unwanted = {_token(item) for item in as_list(operand)}
    return any(_token(value) not in unwanted for value in values)


def _contains(values: Values, operand: Any) -> bool:  # noqa: ANN401
    return any(part in text for text in _texts(values) for part in _prefixes(operand))


def _startswith(values: Values, operand: Any) -> bool:  # noqa: ANN401
    return any(text.startswith(_prefixes(operand)) for text in _texts(values))


def _endswith(values: Values, operand: Any) -> bool:  # noqa: ANN401
    return any(text.endswith(_prefixes(operand)) for text in _texts(values))


def _isset(values: Values, operand: Any) -> bool:  # noqa: ANN401
    present = any(value not in (None, "") for value in values)
    return present is is_true(operand)


def _descendant(values: Values, operand: Any) -> bool:  # noqa: ANN401
    branches = tuple(f"{prefix.rstrip('/')}/" for prefix in _prefixes(operand))
    return any(text.startswith(branches) for text in _texts(values))


def _not(operator: Callable[[Values, Any], bool]) -> Callable[[Values, Any], bool]:
    return lambda values, operand: not operator(values, operand)


OPERATORS: dict[str, Callable[[Values, Any], bool]] = {
    "eq": _eq,
    "neq": _not(_eq),
    "deq": _deq,
    "contains": _contains,
    "ncontains": _not(_contains),
    "startswith": _startswith,
    "startswithsingle": _startswith,
    "doesnotstartwith": _not(_startswith),
    "endswith": _endswith,
    "isset": _isset,
    "isnotset": _not(_isset),
    "text": _contains,
    "descendantof": _descendant,
    "ndescendantof": _not(_descendant),
}
