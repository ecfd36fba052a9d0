"""Rejects queries that the archive of older activities does not support."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.filters import BadRequestError, select

if TYPE_CHECKING:
    from simulator.queries import Query
    from simulator.switches import Switches


def require_archivable(query: Query, switches: Switches, now_ms: int) -> None:
    """Reject a query that only the endpoint for recent activities supports.

    Raises:
        BadRequestError: It is a scan, it is about `created`, or its window is too long.

    """
    if query.is_scan:
        message = "The parameter 'isScan' is not supported here."
        raise BadRequestError(message)
    if query.sort_field == "created" or "created" in query.filters:
        message = "Unknown filter 'created'."
        raise BadRequestError(message)
    longest = switches.archive_span_ms
    dates = select(query.filters, now_ms=now_ms, switches=switches).dates
    spanned = min(dates[-1][1], now_ms) - dates[0][0] if dates else 0
    if longest is not None and spanned > longest:
        message = f"The filter 'date' may span {longest} ms at most."
        raise BadRequestError(message)
