"""Reads the `filters` of a request: AND between filters, OR within a list of values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from simulator.fields import FIELDS
from simulator.operators import OPERATORS, as_list, plain
from simulator.spans import ALWAYS, FIRST, LAST, Spans, intersection, union
from simulator.switches import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.switches import Switches

Filters: TypeAlias = dict[str, Any]

TIMES = frozenset({"date", "created"})

_DATE_OPERATORS = frozenset({"lte", "gte", "range", "lte_ndays", "gte_ndays"})
_CREATED_OPERATORS = frozenset({"lte", "gte", "range", "gt", "lt", "eq"})


class BadRequestError(Exception):
    """A request that the API answers with 400; the message is its `detail`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What filters select.

    Attributes:
        dates: Allowed event times.
        created: Allowed times of saving.
        residual: Decides on a record's content; None when only times are filtered.
        residual_key: Names the residual: equal keys decide equally.

    """

    dates: Spans = ALWAYS
    created: Spans = ALWAYS
    residual: Callable[[dict[str, Any]], bool] | None = None
    residual_key: str = ""


def select(filters: Filters, *, now_ms: int, switches: Switches) -> Selection:
    """Compile filters; relative operators count back from `now_ms` in each request.

    Raises:
        BadRequestError: A filter makes no sense, or is unknown and the switches say to reject it.

    """
    times = {"date": ALWAYS, "created": ALWAYS}
    inside: Filters = {}
    for name, operators in filters.items():
        if not isinstance(operators, dict):
            message = f"Filter '{name}' must be an object of operators."
            raise BadRequestError(message)
        if name in times:
            times[name] = _spans(name, operators, now_ms, switches)
        else:
            known = _known(name, operators, switches)
            inside.update({name: known} if known else {})
    nothing = switches.unknown_filter == "match-nothing" and _has_unknown(filters)
    return Selection(
        dates=() if nothing else times["date"],
        created=times["created"],
        residual=_residual(inside) if inside else None,
        residual_key=json.dumps(inside, sort_keys=True) if inside else "",
    )


def lowest(filters: Filters, name: str) -> int | None:
    """Return the `gte` that a filter on a time has, or None."""
    operators = filters.get(name)
    if not isinstance(operators, dict) or "gte" not in operators:
        return None
    return _epoch_ms(operators["gte"])


def moved(filters: Filters, name: str, *, descending: bool, cursor: int) -> Filters:
    """Return the caller's filters with the cursor in `gte` (or `lte`) and no other change."""
    operators = filters.get(name)
    before = operators if isinstance(operators, dict) else {}
    return {**filters, name: {**before, "lte" if descending else "gte": cursor}}


def _spans(name: str, operators: Mapping[str, Any], now_ms: int, switches: Switches) -> Spans:
    allowed = _DATE_OPERATORS if name == "date" else _CREATED_OPERATORS
    spans = ALWAYS
    for operator, operand in operators.items():
        if operator in allowed:
            narrowed = intersection(spans, _span(operator, operand, now_ms))
            spans = ALWAYS if narrowed == ALWAYS else narrowed
        else:
            _unknown(f"{name}.{operator}", switches)
    return spans


def _span(operator: str, operand: Any, now_ms: int) -> Spans:  # noqa: ANN401 - free-form JSON
    if operator == "range":
        return union(_range(item) for item in as_list(operand))
    if operator == "eq":
        return union((value, value) for value in map(_epoch_ms, as_list(operand)))
    if operator.endswith("_ndays"):
        operand = now_ms - round(_number(operand) * DAY_MS)
    value = _epoch_ms(operand)
    bounds = {
        "gte": (value, LAST),
        "gt": (value + 1, LAST),
        "gte_ndays": (value, LAST),
        "lte": (FIRST, value),
        "lt": (FIRST, value - 1),
        "lte_ndays": (FIRST, value),
    }
    return (bounds[operator],)


def _range(item: Any) -> tuple[int, int]:  # noqa: ANN401 - free-form JSON
    if not isinstance(item, dict) or not item.keys() & {"start", "end"}:
        message = "A range must be an object with 'start' and 'end', or a list of such."
        raise BadRequestError(message)
    start, end = item.get("start"), item.get("end")
    return (
        FIRST if start is None else _epoch_ms(start),
        LAST if end is None else _epoch_ms(end),
    )


def with_points(filters: Filters) -> Filters:
    """Return filters whose bounds in time are written with a decimal point."""
    return {name: _with_points(on) if name in TIMES else on for name, on in filters.items()}


def _with_points(on_field: Any) -> Any:  # noqa: ANN401 - free-form JSON
    if not isinstance(on_field, dict):
        return on_field
    return {key: float(value) if type(value) is int else value for key, value in on_field.items()}


def _epoch_ms(value: Any) -> int:  # noqa: ANN401 - free-form JSON
    return int(_number(value))


def _number(value: Any) -> float:  # noqa: ANN401 - free-form JSON
    """Parse a number; integers of any size stay exact."""
    value = plain(value[0] if isinstance(value, list) and len(value) == 1 else value)
    try:
        return (
            value
            if isinstance(value, int)
            else int(value)
            if isinstance(value, str)
            else float(value)
        )
    except (TypeError, ValueError, OverflowError):
        message = f"A number is required, not {json.dumps(value)}."
        raise BadRequestError(message) from None


def _known(name: str, operators: Filters, switches: Switches) -> Filters:
    """Return the operators that the API honours on this filter."""
    if name not in FIELDS:
        _unknown(name, switches)
        return {}
    if name == "activity.eventActionType" and switches.event_action_type == "ignored":
        return {}
    known = {key: value for key, value in operators.items() if key in FIELDS[name].operators}
    for operator in operators.keys() - known.keys():
        _unknown(f"{name}.{operator}", switches)
    return known


def _has_unknown(filters: Filters) -> bool:
    allowed = {"date": _DATE_OPERATORS, "created": _CREATED_OPERATORS}
    known = {**allowed, **{name: field.operators for name, field in FIELDS.items()}}
    return any(
        not operators.keys() <= known.get(name, set()) for name, operators in filters.items()
    )


def _unknown(name: str, switches: Switches) -> None:
    if switches.unknown_filter == "reject":
        message = f"Unknown filter '{name}'."
        raise BadRequestError(message)


def _residual(inside: Filters) -> Callable[[dict[str, Any]], bool]:
    tests = [
        (FIELDS[name].values, OPERATORS[operator], operand)
        for name, operators in inside.items()
        for operator, operand in operators.items()
    ]

    def passes(record: dict[str, Any]) -> bool:
        return all(operator(values(record), operand) for values, operator, operand in tests)

    return passes
