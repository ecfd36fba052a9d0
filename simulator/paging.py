"""Makes a page: the records for a query, whether there are more, and the continuation.

This is the core of the API's known behaviour, and of its bugs that lose or repeat activities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simulator import chance
from simulator.filters import TIMES, lowest, moved, select, with_points
from simulator.moods import obeyed
from simulator.records import UNUSABLE, unplaced
from simulator.searching import Found, Search
from simulator.spans import LAST, complement, intersection

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.filters import Filters
    from simulator.queries import Query, SortDirection
    from simulator.switches import Switches
    from simulator.tenant import Tenant


class DeepSkipError(Exception):
    """`skip + limit` exceeds what the API allows outside of scans."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The answer to a query, before it is written.

    Attributes:
        rows: The tenant's rows, in order.
        keys: The sort key of each row (epoch ms).
        has_next: Whether there is more.
        next_filters: The continuation, or None on the last page and outside of scans.
        total: How many activities match, exactly.

    """

    rows: list[int]
    keys: list[int]
    has_next: bool
    next_filters: Filters | None
    total: int


def turn(tenant: Tenant, query: Query, switches: Switches, now_ms: int) -> Page:
    """Return the page that the API shows to a query at a time.

    Raises:
        BadRequestError: The filters make no sense.
        DeepSkipError: The offset is too large.

    """
    query = obeyed(query, switches)
    query = replace(query, sort_direction=_sorted_as(query, switches))
    found = find(tenant, query, switches, now_ms)
    if not query.is_scan:
        has_next = query.skip + len(found.rows) < found.total
        return _page(found, len(found.rows), has_next=has_next, next_filters=None)
    if _is_black_hole(tenant, query, switches, now_ms):
        return _page(found, 0, has_next=False, next_filters=None)
    size = scan_limit(query, switches)
    if len(found.rows) <= size:
        return _page(found, len(found.rows), has_next=False, next_filters=None)
    return _cut(tenant, query, switches, _first(found, size))


def shown(tenant: Tenant, page: Page, switches: Switches) -> list[bytes]:
    """Return the records of a page's rows, with the flaws that the switches demand."""
    return [_shown(tenant, row, switches) for row in page.rows]


def _shown(tenant: Tenant, row: int, switches: Switches) -> bytes:
    if _befalls(switches, "null", row, switches.null_share):
        return b"null"
    record = tenant.bytes_of(row)
    if _befalls(switches, "unplaced", row, switches.unplaced_share):
        kind = chance.below(UNUSABLE, switches.seed, "unusable", row)
        return unplaced(record, switches.unplaced_field, kind)
    return record


def _befalls(switches: Switches, flaw: str, row: int, share: float) -> bool:
    return share > 0 and chance.unit(switches.seed, flaw, row) < share


def _sorted_as(query: Query, switches: Switches) -> SortDirection:
    if not query.is_scan or switches.sorts == "as-asked":
        return query.sort_direction
    if switches.sorts == "reversed":
        return "asc" if query.descending else "desc"
    return switches.sorts


def scan_limit(query: Query, switches: Switches) -> int:
    """Return how many records a page of this scan may hold."""
    wished = switches.default_limit if query.limit is None else query.limit
    return min(max(wished, switches.minimum_limit), switches.page_cap)


def stated_limit(query: Query, switches: Switches) -> int | None:
    """Return the `max` that an answer states: the limit that was applied; or None."""
    if not switches.states_max:
        return None
    if query.is_scan:
        return scan_limit(obeyed(query, switches), switches)
    return min(_wished(query, switches), switches.non_scan_cap)


def find(tenant: Tenant, query: Query, switches: Switches, now_ms: int) -> Found:
    """Search the tenant for a page's rows; for a scan, find one row more."""
    return tenant.search(_search(query, switches, now_ms, _count(query, switches)))


def find_outside(tenant: Tenant, query: Query, switches: Switches, now_ms: int) -> Found:
    """Return a page of activities that the filters do not ask for, the newest first."""
    size = scan_limit(query, switches)
    unfiltered = _search(replace(query, filters={}, sort_direction="desc"), switches, now_ms, size)
    wanted = select(query.filters, now_ms=now_ms, switches=switches)
    if query.sort_field == "created":
        return tenant.search(replace(unfiltered, created=complement(wanted.created)))
    dates = intersection(unfiltered.dates, complement(wanted.dates))
    return tenant.search(replace(unfiltered, dates=dates))


def continuation(query: Query, key: int) -> Filters:
    """Return the caller's filters with the cursor at a sort key."""
    return moved(query.filters, query.sort_field, descending=query.descending, cursor=key)


def estimated(total: int, switches: Switches, call: int) -> int:
    """Return the `total` that an answer states; it differs from call to call unless it is exact."""
    if switches.total == "exact" or (total == 0 and switches.total != "phantom"):
        return total
    swing = 2.0 * chance.unit(switches.seed, "total", call) - 1.0
    noise = (
        round(total * switches.total_noise * swing)
        + chance.below(5, switches.seed, "few", call)
        - 2
    )
    return max(1 if total == 0 else 0, total + noise)


def _count(query: Query, switches: Switches) -> int:
    if query.is_scan:
        return scan_limit(query, switches) + 1
    wished = _wished(query, switches)
    if query.skip + wished > switches.deep_skip_limit:
        message = f"skip + limit must not exceed {switches.deep_skip_limit}."
        raise DeepSkipError(message)
    return min(wished, switches.non_scan_cap)


def _wished(query: Query, switches: Switches) -> int:
    return switches.non_scan_default_limit if query.limit is None else query.limit


def _search(query: Query, switches: Switches, now_ms: int, count: int) -> Search:
    selection = select(query.filters, now_ms=now_ms, switches=switches)
    dates = selection.dates
    if switches.reach_ms is not None:
        dates = intersection(dates, ((now_ms - switches.reach_ms, LAST),))
    return Search(
        dates=dates,
        created=selection.created,
        by_created=query.sort_field == "created",
        descending=query.descending,
        skip=0 if query.is_scan else query.skip,
        count=count,
        visible_at_ms=now_ms if switches.hide_until_created else None,
        jitter_ms=switches.visibility_jitter_ms,
        residual=selection.residual,
        residual_key=selection.residual_key,
        shows=_shows(query, switches),
    )


def _shows(query: Query, switches: Switches) -> Callable[[int], bool] | None:
    """Return which rows a query by `created` shows; None shows all."""
    if not switches.uncreated_share:
        return None
    if query.sort_field != "created" and "created" not in query.filters:
        return None
    share, seed = switches.uncreated_share, switches.seed
    return lambda row: chance.unit(seed, "uncreated", row) >= share


def _cut(tenant: Tenant, query: Query, switches: Switches, full: Found) -> Page:
    """Drop the last records of a full page; the next page will begin with them."""
    kept = len(full.keys)
    if switches.tail_drop == "millisecond":
        kept = full.keys.index(full.keys[-1])
    elif switches.tail_drop == "few":
        kept = max(0, kept - switches.tail_drop_few)
    boundary = kept if kept < len(full.keys) else -1
    if kept == 0 and switches.dense == "black-hole":
        return _page(full, 0, has_next=False, next_filters=None)
    if kept == 0 and switches.dense == "repeat":
        kept = len(full.keys)
    next_filters = _continuation(tenant, query, switches, full, boundary)
    if switches.echoes == "times":
        next_filters = {name: it for name, it in next_filters.items() if name in TIMES}
    if switches.numbers == "point":
        next_filters = with_points(next_filters)
    return _page(full, kept, has_next=True, next_filters=next_filters)


def _continuation(
    tenant: Tenant, query: Query, switches: Switches, full: Found, boundary: int
) -> Filters:
    if query.sort_field == "created" and switches.cursor_field == "date":
        cursor, _ = tenant.times_of(full.rows[boundary])
        return moved(query.filters, "date", descending=query.descending, cursor=cursor)
    return continuation(query, full.keys[boundary])


def _is_black_hole(tenant: Tenant, query: Query, switches: Switches, now_ms: int) -> bool:
    start = lowest(query.filters, "date")
    if start is None or query.descending:
        return False
    if query.sort_field == "created" and switches.black_hole_recovery == "created":
        return False
    drawn = chance.unit(switches.seed, "black-hole", start) < switches.black_hole_share
    if not drawn and start not in switches.black_holes:
        return False
    moment = Search(dates=((start, start),), visible_at_ms=now_ms)
    return tenant.search(moment).total > 0


def _first(found: Found, count: int) -> Found:
    return Found(found.rows[:count], found.keys[:count], found.total)


def _page(found: Found, kept: int, *, has_next: bool, next_filters: Filters | None) -> Page:
    shown = _first(found, kept)
    return Page(
        rows=shown.rows,
        keys=shown.keys,
        has_next=has_next,
        next_filters=next_filters,
        total=found.total,
    )
