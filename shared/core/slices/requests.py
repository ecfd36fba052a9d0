"""What a slice asks for next, and what the API's continuation says about it.

The continuation is sent back verbatim. Without one, a request has the user's filters and what
remains of the slice, as inclusive bounds (`gte`, `lte`).
"""

from typing import Any

import msgspec

from shared.core.api.pages import Page
from shared.core.api.positions import position
from shared.core.api.request_body import scan_request
from shared.core.model import ApiFacts, Axis, Direction, Policy, Request, Slice, other_field
from shared.core.slices.asking import parameters

_members_of = msgspec.json.Decoder(dict[str, msgspec.Raw])


def next_request(piece: Slice, policy: Policy, facts: ApiFacts) -> Request:
    """Return the slice's next request."""
    filters = _filters(piece, policy)
    return scan_request(filters, piece.continuation, parameters(piece, policy, facts))


def _filters(piece: Slice, policy: Policy) -> dict[str, Any]:
    """Return the filters of a new query, which begins where the slice stands."""
    start, end = piece.remaining
    other = other_field(policy.axis)
    filters = {**policy.filters, policy.axis: {"gte": start, "lte": end - 1}}
    if piece.since is not None:
        filters[other] = _bounded(filters.get(other), "gte", piece.since)
    if piece.mode == "dense" and piece.dense and piece.dense.cursor is not None:
        operator = _onward(piece.dense.direction)
        filters[other] = _bounded(filters.get(other), operator, piece.dense.cursor)
    return filters


def _bounded(given: object, operator: str, bound: int) -> dict[str, Any]:
    """Return a filter on a field with one more bound; if it has such a bound, the tighter wins."""
    own = dict(given) if isinstance(given, dict) else {}
    stated = own.get(operator)
    if isinstance(stated, int | float):
        bound = max(int(stated), bound) if operator == "gte" else min(int(stated), bound)
    return {**own, operator: bound}


def _onward(direction: Direction) -> str:
    """Return the operator whose bound moves on from page to page."""
    return "gte" if direction == "asc" else "lte"


def stated_bound(page: Page, field: Axis, direction: Direction) -> int | None:
    """Return the bound from which the continuation goes on, None if it states none."""
    if not page.has_next or page.continuation is None:
        return None
    try:
        on_field = _members_of.decode(_members_of.decode(page.continuation)[field])
    except (KeyError, msgspec.ValidationError):
        return None
    return position(on_field.get(_onward(direction)))


def stated_cursor(piece: Slice, page: Page, axis: Axis) -> int | None:
    """Return where the continuation would move the slice's cursor, None if it does not say."""
    bound = stated_bound(page, axis, piece.heading)
    if bound is None:
        return None
    return bound if piece.heading == "asc" else bound + 1  # Bounds are inclusive.


def has_drifted(page: Page, piece: Slice, policy: Policy) -> bool:
    """Say whether the continuation asks for something else than we did, apart from its cursor."""
    if not page.has_next or page.continuation is None:
        return False
    moved = _onward(piece.heading)
    asked, answered = _filters(piece, policy), msgspec.json.decode(page.continuation)
    return _without(asked, policy.axis, moved) != _without(answered, policy.axis, moved)


def _without(filters: dict[str, Any], field: Axis, bound: str) -> dict[str, Any]:
    on_field = filters.get(field)
    kept = {k: v for k, v in on_field.items() if k != bound} if isinstance(on_field, dict) else {}
    return {**filters, field: kept}
