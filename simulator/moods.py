"""The documented parts of a scan's query that the API of some tenants refuses or ignores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from simulator.filters import BadRequestError

if TYPE_CHECKING:
    from simulator.queries import Query
    from simulator.switches import Switches

_LIMIT_MAX = 500


def obeyed(query: Query, switches: Switches) -> Query:
    """Return a scan's query without the parts that the API ignores.

    Raises:
        BadRequestError: The API does not accept the query at all.

    """
    if not query.is_scan:
        return query
    for name in sorted(switches.refuses):
        if _holds(query, name):
            message = f"The scan does not accept {name}."
            raise BadRequestError(message)
    if "sortField" in switches.ignores:
        query = replace(query, sort_field="date")
    if "limit" in switches.ignores:
        query = replace(query, limit=switches.page_cap)
    if "created-filter" in switches.ignores:
        kept = {name: it for name, it in query.filters.items() if name != "created"}
        query = replace(query, filters=kept)
    if switches.default_direction == "asc" and "sortDirection" not in query.given:
        query = replace(query, sort_direction="asc")
    return query


def _holds(query: Query, name: str) -> bool:
    return {
        "limit": (query.limit or 0) > _LIMIT_MAX,
        "sortField": "sortField" in query.given,
        "sortDirection": "sortDirection" in query.given,
        "created-sort": query.sort_field == "created",
        "created-filter": "created" in query.filters,
        "desc": query.sort_direction == "desc",
    }[name]
