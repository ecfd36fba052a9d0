"""What is known so far → the next request, or none.

Each question has a function that returns what to ask, or None where it has no answer to build on,
where the answer is known, or where the API refuses what it would need.
"""

from collections.abc import Callable
from typing import Any

from shared.core.api.request_body import scan_request
from shared.core.audit.doctor.looking import Asked, Seen, bound_in
from shared.core.audit.doctor.probing import Probing
from shared.core.audit.doctor.words import QUESTIONS, Filter, Question
from shared.core.model import (
    DAY_MS,
    HOUR_MS,
    LIMIT_MAX,
    LIMIT_MIN,
    SECOND_MS,
    Axis,
    Direction,
)

NARROW = 200
"""Activities in the narrow window: fewer than fit on the smallest page."""

AHEAD_MS = 30 * DAY_MS
"""An empty answer is asked for so far ahead that not even wrong clocks have an activity there."""

LONG_AGO_MS = 400 * DAY_MS
"""Longer than any activity is kept (180 days)."""

NO_SUCH_FILTER = "activity.noSuchFilter"

Bounds = tuple[int, int]


def next_question(probing: Probing) -> Asked | None:
    """Return what to ask next, None at the end."""
    if probing.is_over:
        return None
    for question in QUESTIONS:
        if probing.may_ask(question):
            asked = _MAKERS[question](probing, question)
            if asked is not None:
                return asked
    return None


def _asked(  # noqa: PLR0913 - private: the parts of a query
    probing: Probing,
    question: Question,
    bounds: Bounds,
    *,
    field: Axis = "date",
    direction: Direction | None = "asc",
    limit: int = LIMIT_MIN,
    cut_by: Axis = "date",
    more: dict[str, Any] | None = None,
    named: Filter | None = None,
) -> Asked:
    """Return a query in the window of `bounds`, without what the API refuses."""
    filters = {**(more or {}), cut_by: {"gte": bounds[0], "lte": bounds[1]}}
    names: tuple[Filter, ...] = (cut_by,) if named is None else (cut_by, named)
    order: dict[str, Any] = {"limit": limit}
    has_field = not probing.refuses_field
    has_direction = direction is not None and not probing.refuses_direction
    order |= {"sortField": field} if has_field else {}
    order |= {"sortDirection": direction} if has_direction else {}
    return Asked(
        question=question,
        request=scan_request(filters, None, order),
        limit=limit,
        sort_field=field if has_field else None,
        sort_direction=direction if has_direction else None,
        filters=names,
        bounds=bounds,
    )


def _as_the_scan_asks(probing: Probing, question: Question) -> Asked:
    """Ask for the newest hour that has settled, exactly as the scan does."""
    policy, end = probing.policy, probing.window[1]
    start = end - HOUR_MS
    filters = {**policy.filters, policy.axis: {"gte": start, "lte": end}}
    order: dict[str, int | str] = {"limit": policy.limit}
    order |= {"sortField": policy.axis, "sortDirection": policy.direction}
    own: tuple[Filter, ...] = ("of the scan",) if policy.filters else ()
    return Asked(
        question=question,
        request=scan_request(filters, None, order),
        limit=policy.limit,
        sort_field=policy.axis,
        sort_direction=policy.direction,
        filters=(policy.axis, *own),
        bounds=(start, end),
    )


def _documented(probing: Probing, question: Question) -> Asked:
    """Ask as the API's documentation shows, without an order."""
    bounds = probing.window
    filters = {"date": {"gte": bounds[0], "lte": bounds[1]}}
    return Asked(
        question=question,
        request=scan_request(filters, None, {"limit": LIMIT_MIN}),
        limit=LIMIT_MIN,
        filters=("date",),
        bounds=bounds,
    )


def _ascending(probing: Probing, question: Question) -> Asked:
    bounds = probing.window
    has_field, has_direction = question != "without sortField", question != "without sortDirection"
    order: dict[str, int | str] = {"limit": LIMIT_MIN}
    order |= {"sortField": "date"} if has_field else {}
    order |= {"sortDirection": "asc"} if has_direction else {}
    return Asked(
        question=question,
        request=scan_request({"date": {"gte": bounds[0], "lte": bounds[1]}}, None, order),
        limit=LIMIT_MIN,
        sort_field="date" if has_field else None,
        sort_direction="asc" if has_direction else None,
        filters=("date",),
        bounds=bounds,
    )


def _with_less(probing: Probing, question: Question) -> Asked | None:
    return _ascending(probing, question) if probing.is_unaccepted("ascending") else None


def _descending(probing: Probing, question: Question) -> Asked | None:
    if probing.refuses_direction:
        return None
    return _asked(probing, question, probing.window, direction="desc")


def _large(probing: Probing, question: Question) -> Asked:
    return _asked(probing, question, probing.window, limit=LIMIT_MAX)


def _continued(of: Question | None) -> Callable[[Probing, Question], Asked | None]:
    """Return the maker for a page's own continuation, sent back verbatim."""

    def make(probing: Probing, question: Question) -> Asked | None:
        page = probing.base if of is None else probing.page(of)
        if page is None or not page.exchange.has_next:
            return None
        before = page.asked
        order: dict[str, Any] = {
            "limit": before.limit,
            "sortField": before.sort_field,
            "sortDirection": before.sort_direction,
        }
        stated = {name: value for name, value in order.items() if value is not None}
        return Asked(
            question=question,
            request=scan_request({}, page.continuation, stated),
            limit=before.limit,
            sort_field=before.sort_field,
            sort_direction=before.sort_direction,
            filters=before.filters,
        )

    return make


def _boundary(share: float) -> Callable[[Probing, Question], Asked | None]:
    """Return the maker for a query that begins where an activity is, so far down the page."""

    def make(probing: Probing, question: Question) -> Asked | None:
        is_possible, direction = probing.upward
        if not is_possible or hole(probing) is not None:
            return None
        populated = _whole_seconds(probing.base)
        if not populated:
            return None
        start = populated[int(len(populated) * share)]
        return _asked(probing, question, (start, probing.window[1]), direction=direction)

    return make


def _whole_seconds(page: Seen | None) -> list[int]:
    """Return the times of a page's activities; only whole seconds, if there are any."""
    times = sorted(set(page.on("date"))) if page is not None else []
    return [at for at in times if at % SECOND_MS == 0] or times


BOUNDARIES: tuple[Question, ...] = ("continued", "boundary", "another boundary")
"""Questions that begin at a millisecond where an activity is."""


def hole(probing: Probing) -> int | None:
    """Return the populated millisecond at which a query began that showed nothing, or None."""
    for question in BOUNDARIES:
        seen = probing.page(question)
        if seen is not None and not seen.exchange.records and not seen.exchange.has_next:
            before = probing.base
            cursor = bound_in(before.continuation, "date.gte") if before else None
            start = cursor if seen.asked.bounds is None else seen.asked.bounds[0]
            if start is not None:
                return start
    return None


def _at_hole(probing: Probing, question: Question) -> Asked | None:
    found = hole(probing)
    if found is None:
        return None
    direction = probing.upward[1]
    if question == "hole by created":
        return _asked(probing, question, (found, found), field="created", direction=direction)
    end = _behind(probing, found)
    if question == "after the hole":
        return _asked(probing, question, (found + 1, end), direction=direction)
    return _asked(probing, question, (found, end), direction="desc")


def _behind(probing: Probing, start: int) -> int:
    """Return a time with few activities between it and the start, as far as the page tells."""
    page = probing.base
    times = page.on("date") if page else []
    count = len(times)
    few = (max(times) - min(times)) * min(NARROW, count) // (2 * count) if times else 0
    return min(start + max(few, SECOND_MS), probing.window[1])


def narrow_bounds(probing: Probing) -> Bounds | None:
    """Return a window that holds fewer activities than a page, None where none were seen."""
    page = probing.base
    if page is None:
        return None
    times = sorted(page.on("date"))
    if not times:
        return None
    count = min(NARROW, len(times))
    if page.exchange.by_date == "descending":
        return times[-count] - 1, probing.window[1]
    return probing.window[0], times[count - 1]


def _narrow(probing: Probing, question: Question) -> Asked | None:
    bounds = narrow_bounds(probing)
    return None if bounds is None else _asked(probing, question, bounds)


def _answered_narrow(probing: Probing) -> Bounds | None:
    """Return the narrow window, None if the API did not answer the query about it."""
    page = probing.page("narrow")
    return None if page is None else page.asked.bounds


def _narrow_by_created(probing: Probing, question: Question) -> Asked | None:
    bounds = _answered_narrow(probing)
    if bounds is None or probing.refuses_field:
        return None
    return _asked(probing, question, bounds, field="created")


def median_created(probing: Probing) -> int | None:
    """Return the time before which half of the base page's activities were saved."""
    created = sorted(probing.base.on("created")) if probing.base else []
    return created[len(created) // 2] if len(set(created)) > 1 else None


def _filtered_by_created(probing: Probing, question: Question) -> Asked | None:
    since = median_created(probing)
    if since is None:
        return None
    more = {"created": {"gte": since}}
    return _asked(probing, question, probing.window, more=more, named="created")


def _by_created(probing: Probing, question: Question) -> Asked | None:
    if probing.refuses_field or probing.base is None:
        return None
    return _asked(probing, question, probing.window, field="created", cut_by="created")


def _empty(probing: Probing, question: Question) -> Asked:
    at = probing.now + AHEAD_MS
    return _asked(probing, question, (at, at + 1))


def _at_the_reach(probing: Probing, question: Question) -> Asked:
    edge = probing.now - probing.policy.reach + 12 * HOUR_MS
    bounds = (probing.now - LONG_AGO_MS, edge)
    return _asked(probing, question, bounds, direction=probing.upward[1])


def _oldest_of_all(probing: Probing, question: Question) -> Asked | None:
    before = probing.page("at the reach")
    if before is None or before.exchange.records:
        return None
    bounds = (probing.now - LONG_AGO_MS, probing.window[1])
    return _asked(probing, question, bounds, direction=probing.upward[1])


def _unknown_filter(probing: Probing, question: Question) -> Asked | None:
    bounds = _answered_narrow(probing)
    if bounds is None:
        return None
    more = {NO_SUCH_FILTER: {"eq": ["none"]}}
    return _asked(probing, question, bounds, more=more, named="unknown")


def _event_type(probing: Probing, question: Question) -> Asked | None:
    kind = common_kind(probing)
    if kind is None:
        return None
    more = {"activity.eventActionType": {"eq": [kind]}}
    return _asked(probing, question, probing.window, more=more, named="activity.eventActionType")


def common_kind(probing: Probing) -> str | None:
    """Return the most frequent `eventTypeName` of the base page, None unless there are others."""
    kinds = [it for it in (probing.base.kinds if probing.base else ()) if it is not None]
    found = sorted(set(kinds), key=lambda it: (-kinds.count(it), it))
    return found[0] if len(found) > 1 else None


_MAKERS: dict[Question, Callable[[Probing, Question], Asked | None]] = {
    "as the scan asks": _as_the_scan_asks,
    "in the documented form": _documented,
    "ascending": _ascending,
    "without sortField": _with_less,
    "without sortDirection": _with_less,
    "descending": _descending,
    "large": _large,
    "continued": _continued(None),
    "boundary": _boundary(1 / 3),
    "another boundary": _boundary(2 / 3),
    "hole by created": _at_hole,
    "after the hole": _at_hole,
    "hole descending": _at_hole,
    "narrow": _narrow,
    "narrow by created": _narrow_by_created,
    "filtered by created": _filtered_by_created,
    "by created": _by_created,
    "by created, continued": _continued("by created"),
    "empty": _empty,
    "at the reach": _at_the_reach,
    "oldest of all": _oldest_of_all,
    "unknown filter": _unknown_filter,
    "event type": _event_type,
}
