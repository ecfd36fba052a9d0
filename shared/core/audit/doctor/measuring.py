"""What was seen → facts. Each function measures one of them, and returns None if it cannot tell."""

from collections.abc import Iterable
from typing import Any, Literal

from shared.core.audit.doctor.looking import Seen, bound_in
from shared.core.audit.doctor.probing import Probing
from shared.core.audit.doctor.questions import BOUNDARIES, common_kind, hole, median_created
from shared.core.audit.doctor.words import Bound, Facts, Lag, Notation, Order, Question, Refusable
from shared.core.model import HOUR_MS, LIMIT_MAX, LIMIT_MIN, SECOND_MS, Axis, Direction

ROUND = (20, 25, 50, 100, 200, 250, 500, 1000, 2000, 2500, 3000, 4000, LIMIT_MAX, 10_000)
"""Limits that an API may have. Of a page that is not the last, the last few records are missing."""

ROUND_SHARE = 0.9
"""A page that holds less of a round limit was made by another one."""

SHARES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
"""Shares of the activities whose lateness is stated."""

ROWS_LEAST = 2
"""Records that are needed to see an order."""


def measured(probing: Probing) -> Facts:
    """Return what the answers so far tell."""
    return Facts(
        default_direction=_default_direction(probing),
        direction=_direction(probing),
        refused=_refused(probing),
        **_limit(probing),
        **_times(probing),
        cursor=_cursor(probing.base),
        notation=_notation(probing),
        echoes=_echoes(probing),
        boundary=_boundary(probing),
        black_hole=_black_hole(probing),
        hole_shown_by=_hole_shown_by(probing),
        created_filter=_created_filter(probing),
        created_sort=_created_sort(probing),
        created_agrees=_created_agrees(probing),
        created_scan=_created_scan(probing),
        created_cursor=_created_cursor(probing),
        **_empty(probing),
        total=_total(probing),
        max=_max(probing),
        unknown_filter=_unknown_filter(probing),
        event_action_type=_event_action_type(probing),
        **_reach(probing),
        **_lateness(probing),
        nulls=_seen(probing, any(it.exchange.nulls for it in probing.pages)),
        unplaced=_seen(probing, any(it.exchange.unplaced for it in probing.pages)),
        compressed=_compressed(probing),
        retry_after=next((it.exchange.retry_after for it in _throttles(probing)), None),
        per_hour=_per_hour(probing),
    )


def _default_direction(probing: Probing) -> Direction | None:
    page = probing.page("in the documented form")
    orders: dict[str | None, Direction] = {"ascending": "asc", "descending": "desc"}
    return orders.get(page.exchange.by_date) if page else None


def _direction(probing: Probing) -> Any:  # noqa: ANN401 - one of the words of `Facts`
    up, down = probing.page("ascending", "without sortField"), probing.page("descending")
    orders = [it.exchange.by_date if it else None for it in (up, down)]
    if "mixed" in orders:
        return "unsorted"
    return _DIRECTIONS.get(tuple(orders))


_DIRECTIONS: dict[tuple[Order | None, ...], str] = {
    ("ascending", "descending"): "obeyed",
    ("ascending", "ascending"): "always asc",
    ("descending", "descending"): "always desc",
    ("descending", "ascending"): "reversed",
}
"""What the orders of a page in either direction mean."""


def _refused(probing: Probing) -> tuple[Refusable, ...]:
    ordered = probing.page("ascending") is not None
    plain = probing.base is not None
    found: dict[Refusable, bool] = {
        "limit": plain and probing.is_unaccepted("large"),
        "sortField": plain and probing.refuses_field,
        "sortDirection": plain and probing.refuses_direction,
        "desc": ordered and probing.is_unaccepted("descending"),
        "created-sort": plain and probing.is_unaccepted("narrow by created"),
        "created-filter": plain and probing.is_unaccepted("filtered by created"),
    }
    return tuple(name for name, is_refused in found.items() if is_refused)


def _limit(probing: Probing) -> dict[str, Any]:
    """Return what becomes of a limit of 5000, and the page cap."""
    base, large = probing.base, probing.page("large")
    if base is None:
        return {}
    if probing.is_unaccepted("large"):
        return {"limit": "refused", **_cap(base)}
    if base.exchange.records > LIMIT_MIN:
        return {"limit": "ignored", **_cap(base)}
    if large is None:
        return {}
    cap = _cap(large)
    if cap["page_cap_is"] != "exact":
        return {"limit": "obeyed" if cap["page_cap"] > LIMIT_MIN else None, **cap}
    return {"limit": "capped" if cap["page_cap"] < LIMIT_MAX else "obeyed", **cap}


def _cap(page: Seen) -> dict[str, Any]:
    """Return the page cap that one page shows: stated, or by its size if there is more."""
    shown = page.exchange
    if shown.max is not None and shown.max > 0:
        return {"page_cap": shown.max, "page_cap_is": "exact"}
    places = shown.records + shown.nulls
    if not shown.has_next:
        return {"page_cap": places, "page_cap_is": "at least"}
    return {"page_cap": rounded(places), "page_cap_is": "exact"}


def rounded(records: int) -> int:
    """Return the round limit that a page of so many records was most likely made by."""
    above = next((it for it in ROUND if it >= records), records)
    return above if records >= above * ROUND_SHARE else records


def _times(probing: Probing) -> dict[str, Any]:
    base, large = probing.base, probing.page("large")
    found: dict[str, Any] = {}
    if base is not None:
        found |= {
            "small_page_ms": base.exchange.milliseconds,
            "small_page": base.exchange.records,
        }
    if large is not None:
        found |= {
            "large_page_ms": large.exchange.milliseconds,
            "large_page": large.exchange.records,
        }
    return found


def _cursor(page: Seen | None) -> Bound | None:
    """Return the bound that the continuation of a page has moved."""
    if page is None or not page.exchange.has_next or page.asked.bounds is None:
        return None
    asked = {
        f"{page.exchange.filters[0]}.{operator}": value
        for operator, value in zip(("gte", "lte"), page.asked.bounds, strict=True)
    }
    moved = (
        name
        for name in page.exchange.continuation
        if (bound := bound_in(page.continuation, name)) is not None and bound != asked.get(name)
    )
    return next(moved, None)


def _notation(probing: Probing) -> Notation | None:
    return next((it.exchange.notation for it in probing.pages if it.exchange.notation), None)


def _echoes(probing: Probing) -> Literal["all", "times"] | None:
    page = probing.page("event type")
    if page is None or not page.exchange.has_next:
        return None
    return "all" if "activity.eventActionType.eq" in page.exchange.continuation else "times"


def _boundary(probing: Probing) -> Literal["clean", "repeated"] | None:
    page = probing.base
    moved = _cursor(page)
    if page is None or moved not in {"date.gte", "date.lte"}:
        return None
    cursor = bound_in(page.continuation, moved) or 0
    times = page.on("date")
    repeats = any(at >= cursor if moved == "date.gte" else at <= cursor for at in times)
    return "repeated" if repeats else "clean"


def _black_hole(probing: Probing) -> Literal["seen", "not seen"] | None:
    if hole(probing) is not None:
        return "seen"
    if not probing.upward[0]:
        return None
    tried = (probing.page(it) for it in BOUNDARIES)
    return "not seen" if any(it.exchange.records for it in tried if it) else None


def _hole_shown_by(probing: Probing) -> tuple[Literal["created", "next", "descending"], ...]:
    at = hole(probing)
    questions: dict[Literal["created", "next", "descending"], Question] = {
        "created": "hole by created",
        "next": "after the hole",
        "descending": "hole descending",
    }
    shown = {name: probing.page(question) for name, question in questions.items()}
    return tuple(
        name
        for name, page in shown.items()
        if page and page.places and (name != "descending" or at in page.on("date"))
    )


def _created_filter(probing: Probing) -> Literal["honoured", "ignored", "refused"] | None:
    if "created-filter" in _refused(probing):
        return "refused"
    page, since = probing.page("filtered by created"), median_created(probing)
    created = page.on("created") if page else []
    if not created or since is None:
        return None
    return "honoured" if min(created) >= since else "ignored"


def _created_sort(probing: Probing) -> Literal["obeyed", "ignored", "refused"] | None:
    if "created-sort" in _refused(probing):
        return "refused"
    page = probing.page("narrow by created")
    if page is None or page.exchange.by_created is None:
        return None
    if page.exchange.by_created == "mixed":
        return "ignored"
    return None if page.exchange.by_date == page.exchange.by_created else "obeyed"


def _created_agrees(probing: Probing) -> Literal["agrees", "misses activities"] | None:
    by_date, by_created = probing.page("narrow"), probing.page("narrow by created")
    if by_date is None or by_created is None or not by_date.places:
        return None
    if by_date.exchange.has_next or by_created.exchange.has_next:
        return None
    missing = by_date.identities - by_created.identities
    return "misses activities" if missing else "agrees"


def _created_scan(probing: Probing) -> Literal["goes on", "goes back"] | None:
    first, second = probing.page("by created"), probing.page("by created, continued")
    before = first.on("created") if first else []
    after = second.on("created") if second else []
    if first is None or not before or not after or _created_cursor(probing) != "created":
        return None
    if first.exchange.by_created == "descending":
        return "goes on" if max(after) <= min(before) else "goes back"
    return "goes on" if min(after) >= max(before) else "goes back"


def _created_cursor(probing: Probing) -> Axis | None:
    moved = _cursor(probing.page("by created"))
    axes: dict[str, Axis] = {"created": "created", "date": "date"}
    return axes[moved.partition(".")[0]] if moved else None


def _empty(probing: Probing) -> dict[str, Any]:
    page = probing.page("empty")
    if page is None or page.exchange.records:
        return {}
    total = page.exchange.total
    said = "absent" if total is None else "above zero" if total > 0 else "zero"
    return {"empty_data": page.exchange.data, "empty_total": said}


def _total(probing: Probing) -> Literal["exact", "estimate", "absent"] | None:
    """Compare `total` with what a last page holds, and with itself for the same filters."""
    filled = [it for it in probing.pages if it.places]
    if not filled:
        return None
    if all(it.exchange.total is None for it in filled):
        return "absent"
    whole = [it for it in filled if it.exchange.has_next is False and it.asked.bounds is not None]
    off = any(it.exchange.total != it.exchange.records + it.exchange.nulls for it in whole)
    same: tuple[Question, ...] = ("in the documented form", "ascending", "descending", "large")
    totals = {it.exchange.total for name in same if (it := probing.page(name))}
    if off or len(totals) > 1:
        return "estimate"
    return "exact" if whole else None


def _max(probing: Probing) -> Literal["stated", "absent"] | None:
    filled = [it for it in probing.pages if it.places]
    if not filled:
        return None
    return "stated" if any(it.exchange.max is not None for it in filled) else "absent"


def _unknown_filter(probing: Probing) -> Literal["ignored", "refused", "matches nothing"] | None:
    if probing.is_unaccepted("unknown filter"):
        return "refused"
    page = probing.page("unknown filter")
    if page is None:
        return None
    return "ignored" if page.places else "matches nothing"


def _event_action_type(probing: Probing) -> Literal["works", "ignored"] | None:
    page, kind = probing.page("event type"), common_kind(probing)
    if page is None or not page.places:
        return None
    return "works" if set(page.kinds) == {kind} else "ignored"


def _reach(probing: Probing) -> dict[str, Any]:
    filled = (probing.page("at the reach"), probing.page("oldest of all"))
    page = next((it for it in filled if it and it.on("date")), None)
    if page is None:
        return {}
    oldest = min(page.on("date"))
    is_edge = page.exchange.by_date == "ascending" or page.exchange.has_next is False
    hours = -((oldest - probing.now) // HOUR_MS)
    return {"reach_hours": hours, "reach": "edge" if is_edge else "at least"}


def _lateness(probing: Probing) -> dict[str, Any]:
    """Return how late the activities of the largest page of the window were saved."""
    page = _largest(probing)
    lags = sorted(
        max(0, created - timestamp)
        for timestamp, created in (page.places if page else ())
        if timestamp is not None and created is not None
    )
    if len(lags) < ROWS_LEAST:
        return {}
    last = len(lags) - 1
    shares = tuple(
        Lag(share=share, seconds=-(-lags[round(last * share)] // SECOND_MS)) for share in SHARES
    )
    return {"lateness": shares, "lateness_of": len(lags)}


def _largest(probing: Probing) -> Seen | None:
    pages = [it for it in (probing.page("large"), probing.base) if it]
    return max(pages, key=lambda it: len(it.places), default=None)


def _seen(probing: Probing, happened: bool) -> Literal["seen", "not seen"] | None:  # noqa: FBT001 - private: a question and its answer
    if happened:
        return "seen"
    return "not seen" if any(it.places for it in probing.pages) else None


def _compressed(probing: Probing) -> Literal["yes", "no"] | None:
    pages = [it for it in probing.pages if it.exchange.headers]
    if not pages:
        return None
    return "yes" if any("content-encoding" in it.exchange.headers for it in pages) else "no"


def _throttles(probing: Probing) -> Iterable[Seen]:
    return (it for it in probing.seen if it.exchange.result == "throttled")


def _per_hour(probing: Probing) -> float | None:
    page = _largest(probing)
    times = page.on("date") if page else []
    span = max(times, default=0) - min(times, default=0)
    return round(len(times) * HOUR_MS / span, 2) if span else None
