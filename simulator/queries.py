"""Reads a request for activities, in each of the encodings that the API accepts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import parse_qsl

from simulator.filters import BadRequestError, Filters
from simulator.operators import is_true

if TYPE_CHECKING:
    from simulator.listening import Incoming

SortField: TypeAlias = Literal["date", "created"]
SortDirection: TypeAlias = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The parameters of one request as the caller gave them, or None without a value."""

    filters: Filters = field(default_factory=dict)
    is_scan: bool = False
    limit: int | None = None
    skip: int = 0
    sort_field: SortField = "date"
    sort_direction: SortDirection = "desc"
    given: frozenset[str] = frozenset()

    @property
    def descending(self) -> bool:
        """Whether the newest come first."""
        return self.sort_direction == "desc"


def parse_query(incoming: Incoming, *, with_body: bool = True) -> Query:
    """Read the parameters from the query string and the body, which takes precedence.

    Raises:
        BadRequestError: They make no sense.

    """
    parameters: dict[str, Any] = dict(parse_qsl(incoming.query, keep_blank_values=True))
    if with_body:
        parameters.update(_body_parameters(incoming))
    return Query(
        filters=_filters(parameters.get("filters")),
        is_scan=is_true(parameters.get("isScan", False)),
        limit=_optional_count(parameters, "limit"),
        skip=_optional_count(parameters, "skip") or 0,
        sort_field=_choice(parameters, "sortField", ("date", "created"), "date"),
        sort_direction=_choice(parameters, "sortDirection", ("asc", "desc"), "desc"),
        given=frozenset(parameters),
    )


def _body_parameters(incoming: Incoming) -> dict[str, Any]:
    kind = incoming.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not incoming.body.strip():
        return {}
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(incoming.body.decode("utf-8", "replace"), keep_blank_values=True))
    return _object(incoming.body, "The body")


def _filters(given: Any) -> Filters:  # noqa: ANN401 - free-form JSON
    if given in (None, ""):
        return {}
    if isinstance(given, str):
        return _object(given.encode(), "The parameter 'filters'")
    if not isinstance(given, dict):
        message = "The parameter 'filters' must be an object."
        raise BadRequestError(message)
    return given


def _object(text: bytes, what: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError as problem:
        message = f"JSON parse error - {what}: {problem}"
        raise BadRequestError(message) from problem
    if not isinstance(parsed, dict):
        message = f"{what} must be a JSON object."
        raise BadRequestError(message)
    return parsed


def _optional_count(parameters: dict[str, Any], name: str) -> int | None:
    given = parameters.get(name)
    if given in (None, ""):
        return None
    try:
        count = int(given)
    except (TypeError, ValueError):
        count = -1
    if count < 0:
        message = f"The parameter '{name}' must be a whole number that is not negative."
        raise BadRequestError(message)
    return count


def _choice(parameters: dict[str, Any], name: str, choices: tuple[Any, ...], default: Any) -> Any:  # noqa: ANN401
    given = parameters.get(name, default) or default
    if given not in choices:
        message = f"The parameter '{name}' must be one of: {', '.join(choices)}."
        raise BadRequestError(message)
    return given
