"""The traversal of one slice, sans I/O: slice → query, slice + page → what to store and do next.

A slice follows the API's continuation until the API contradicts itself at some millisecond X.
Then it is held up there, and its mode says how it goes on:

- `page`: it follows the continuation, or asks afresh from its cursor.
- `dense`: it pages X alone, on the other time field: more activities lie on X than a page
  holds, or the API showed an empty page while it counted activities ("probing").
- `beyond`: after probing it asks from the millisecond after X on.
- `opposite`: that contradicted itself, too; it comes from the other end towards X.

What every probe shows is stored. What all of them leave contradictory is in doubt.
"""

from dataclasses import replace
from typing import Any

import msgspec

from shared.core.api.answers import Fault
from shared.core.api.pages import Page
from shared.core.api.positions import position
from shared.core.api.requests import scan_request
from shared.core.intervals import Interval
from shared.core.model import (
    ApiFacts,
    Axis,
    Dense,
    Doubt,
    Policy,
    Request,
    Slice,
    other_field,
    reverse,
)
from shared.core.slices.asking import parameters
from shared.core.slices.doubts import few
from shared.core.slices.facts import UNKNOWN
from shared.core.slices.gaps import gaps
from shared.core.slices.sifting import (
    NOTHING,
    Index,
    Sifted,
    counted,
    furthest,
    sift,
    still_seen,
    vanished,
)
from shared.core.slices.transitions import Finished, Transition

PART_PAGES = 16
"""A part closes early at this many pages: 20 to 55 MB compressed, which readers like."""

PART_BYTES = 64 * 1024 * 1024
"""A part closes early at this compressed size, however few its pages."""

PART_BLOCKS = 1_000
"""A part that may not divide has no more blocks than this, so that the ledger stays small."""

DOUBTS_KEPT = 64
"""Stretches in doubt of one slice; where there are more, those that are near become one."""

NULLS = "the API showed null where activities should be"
EMPTY = "the API counted activities and showed none"
REMEMBERED_MOST = 5_000
"""Identities that a slice remembers: 180 to 450 KB of the ledger."""

TOO_MANY = "too many activities have no position to be told apart by"
CROWDED = "more activities share both time fields than a page holds"
UNDIVIDED = f"its part reached {PART_BLOCKS} blocks where it could not be divided"
REFUSED = "the API refuses the query that would show all activities of this millisecond"

SHORT_FACTOR = 2
SHORT_MARGIN = 20
"""`total` is an estimate: a slice ended short where it stated more than twice as many, and 20."""

_members_of = msgspec.json.Decoder(dict[str, msgspec.Raw])

change = msgspec.structs.replace


def next_request(piece: Slice, policy: Policy, facts: ApiFacts = UNKNOWN) -> Request:
    """Return the slice's next request.

    The continuation is sent back verbatim; without one, the user's filters and what remains of
    the slice as inclusive bounds (`gte`, `lte`).
    """
    filters = _filters(piece, policy)
    return scan_request(filters, piece.continuation, parameters(piece, policy, facts))


def _filters(piece: Slice, policy: Policy) -> dict[str, Any]:
    """Return the filters of a query that begins where the slice stands."""
    start, end = piece.remaining
    other = other_field(policy.axis)
    filters = {**policy.filters, policy.axis: {"gte": start, "lte": end - 1}}
    if piece.since is not None:
        filters[other] = _bounded(filters.get(other), "gte", piece.since)
    if piece.mode == "dense" and piece.dense and piece.dense.cursor is not None:
        towards = "gte" if piece.dense.direction == "asc" else "lte"
        filters[other] = _bounded(filters.get(other), towards, piece.dense.cursor)
    return filters


def _bounded(given: object, operator: str, bound: int) -> dict[str, Any]:
    """Return a filter on a field with a bound added; of two on one side the narrower holds."""
    own = dict(given) if isinstance(given, dict) else {}
    stated = own.get(operator)
    if isinstance(stated, int | float):
        bound = max(int(stated), bound) if operator == "gte" else min(int(stated), bound)
    return {**own, operator: bound}


def absorb(piece: Slice, page: Page, policy: Policy, index: Index = NOTHING) -> Transition | Fault:
    """Take a page into the slice.

    Returns a fault where the page contradicts the query or itself and nothing better is known
    than to ask again; the slice is then unchanged.
    """
    sifted = sift(page, piece, policy.axis, index)
    if sifted.outside and not sifted.places:
        return Fault(kind="malformed", detail="every record is outside the queried interval")
    calm = change(
        piece, faults=0, fault=None, not_before=0, blocked=False, cramped=False, poisoned=0
    )
    if piece.mode == "dense":
        return _absorb_dense(calm, page, sifted, policy, index)
    if page.has_next:
        return _follow(calm, page, sifted, policy, index)
    if _counts_what_it_hides(page):
        return _probe(calm, policy, index)
    return _finish(_with_gaps(_shortened(calm, page), sifted), sifted, index)


def _counts_what_it_hides(page: Page) -> bool:
    """Say whether a page counts activities and shows none; a count below zero means nothing."""
    return not page.records and not page.nulls and (page.total or 0) > 0


def _shows_something(sifted: Sifted) -> bool:
    return bool(sifted.places or sifted.unplaced or sifted.nulls)


def _with_gaps(piece: Slice, sifted: Sifted, cursor: int | None = None) -> Slice:
    """Return the slice with what the page's nulls leave open in doubt."""
    found = gaps(sifted.marks, piece, cursor)
    if not found:
        return piece
    doubts = [Doubt(start=start, end=end, reason=NULLS) for start, end in found]
    return change(piece, doubt=few([*piece.doubt, *doubts], DOUBTS_KEPT))


def _shortened(piece: Slice, page: Page) -> Slice:
    """Count an end that comes long before what `total` stated."""
    counts = piece.counts
    shown = counts.records + counts.repeated + counts.changed + counts.known + len(page.records)
    if (page.total or 0) <= SHORT_FACTOR * shown + SHORT_MARGIN:
        return piece
    return change(piece, counts=counts.plus(short=1))


def unprobed(piece: Slice, policy: Policy) -> Transition:
    """Go on without a query about a contradiction that the API refuses in every form."""
    calm = change(piece, faults=0, fault=None, not_before=0, blocked=False)
    if piece.mode == "dense":
        return _go_past(calm, _nothing(calm, policy), policy.axis, NOTHING, REFUSED)
    return _probe(calm, policy, NOTHING)


def _follow(
    piece: Slice, page: Page, sifted: Sifted, policy: Policy, index: Index
) -> Transition | Fault:
    """Take in a page that says that there is more."""
    bound = _cursor(page, policy.axis, "gte" if piece.heading == "asc" else "lte")
    cursor = None if bound is None else _from_bound(piece, bound)
    if cursor is None or not piece.is_ahead(cursor):
        transition = _turned_round(piece, page, sifted, policy, index)
        return transition or _stands_still(piece, sifted, policy.axis, cursor)
    if page.bare:
        return _asked_without(piece, sifted, cursor, index)
    drifted = _drifted(page, piece, policy)
    if not piece.leaves_something(cursor):
        return _finish(_with_gaps(piece, sifted), sifted, index, drifted=drifted)
    piece = _with_gaps(piece, sifted, cursor)
    moved = change(_on_its_way(piece), cursor=cursor, continuation=page.continuation)
    return _advance(piece, moved, sifted, policy.axis, index, drifted=drifted)


def _asked_without(piece: Slice, sifted: Sifted, cursor: int, index: Index) -> Transition | Fault:
    """Ask for what a page without `data` passes over, without what lies beyond its cursor.

    The page may have lost its records on the way: a damaged name is enough for that. What lies
    beyond is due again. A slice that has begun first ends where it stands.
    """
    if (
        piece.mode != "page"
        or not piece.leaves_something(cursor)
        or not piece.may_divide(piece.cursor)
    ):
        return Fault(kind="malformed", detail="the answer has no data, though its cursor moves on")
    if not piece.has_begun:
        return Transition(opened=(piece.same_again(piece.known_up_to(cursor)),))
    finished = _finish(piece, sifted, index, bounds=piece.known_up_to(piece.cursor))
    return replace(finished, opened=(piece.carried_on(piece.ahead),))


def _turned_round(
    piece: Slice, page: Page, sifted: Sifted, policy: Policy, index: Index
) -> Transition | None:
    """Take in a page that is sorted in the other direction than it was asked for.

    None where it is not, or where too much is known of the slice to read it from its other end.
    """
    facing = _facing_the_other_way(piece)
    if facing is None:
        return None
    stated = _cursor(page, policy.axis, "gte" if facing.heading == "asc" else "lte")
    cursor = None if stated is None else _from_bound(facing, stated)
    if cursor is None or not facing.is_ahead(cursor):
        return None
    if not all(at == stated or not _is_beyond(facing, at, cursor) for at in sifted.places):
        return None
    transition = _follow(facing, page, sifted, policy, index)
    if isinstance(transition, Fault):
        return None
    return replace(transition, sorts=(piece.asked_direction, facing.heading))


def _facing_the_other_way(piece: Slice) -> Slice | None:
    """Return the slice as it is read from the other end; None where that is not possible."""
    if piece.mode == "opposite" and piece.cursor == piece.far_end:
        return change(
            piece, mode="page", dense=None, cursor=piece.past(piece.held_up_at.millisecond)
        )
    if piece.has_begun:
        return None
    return piece.redirected(reverse(piece.direction), piece.asked_direction)


def _from_bound(piece: Slice, bound: int) -> int:
    """Return the cursor that a continuation's bound stands for: it is inclusive."""
    return bound if piece.heading == "asc" else bound + 1


def _is_beyond(piece: Slice, at: int, cursor: int) -> bool:
    return at >= cursor if piece.heading == "asc" else at < cursor


def _on_its_way(piece: Slice) -> Slice:
    """Return the slice as a page showed that it is past what held it up."""
    return change(piece, mode="page", dense=None) if piece.mode == "beyond" else piece


def _cursor(page: Page, field: Axis, bound: str) -> int | None:
    """Return the bound from which the continuation goes on, None where it states none."""
    if not page.has_next or page.continuation is None:
        return None
    try:
        on_field = _members_of.decode(_members_of.decode(page.continuation)[field])
    except (KeyError, msgspec.ValidationError):
        return None
    return position(on_field.get(bound))


def _drifted(page: Page, piece: Slice, policy: Policy) -> bool:
    """Say whether the continuation asks for something else than we did, cursor apart."""
    if not page.has_next or page.continuation is None:
        return False
    moved = "gte" if piece.heading == "asc" else "lte"
    asked, answered = _filters(piece, policy), msgspec.json.decode(page.continuation)
    return _without(asked, policy.axis, moved) != _without(answered, policy.axis, moved)


def _without(filters: dict[str, Any], field: Axis, bound: str) -> dict[str, Any]:
    on_field = filters.get(field)
    kept = {k: v for k, v in on_field.items() if k != bound} if isinstance(on_field, dict) else {}
    return {**filters, field: kept}


def _advance(  # noqa: PLR0913 - the facts of one page, by name
    piece: Slice, moved: Slice, sifted: Sifted, axis: Axis, index: Index, *, drifted: bool
) -> Transition:
    seen = still_seen(moved, sifted, axis)
    onward = change(moved, seen=seen, furthest=furthest(piece, sifted))
    onward = counted(onward, sifted, drifted=drifted)
    if onward.remembered > REMEMBERED_MOST:
        return _overflow(moved, sifted, drifted=drifted)
    if _is_full(piece) and piece.may_divide(moved.cursor) and moved.mode == "page":
        return _close_early(piece, sifted, moved.cursor, index, drifted=drifted)
    if len(piece.blocks) + 2 >= PART_BLOCKS:  # This page's block, and the trailer.
        return _break_off(piece, moved, sifted, index, drifted=drifted)
    return Transition(records=sifted.records(), goes_on=onward)


def _overflow(moved: Slice, sifted: Sifted, *, drifted: bool) -> Transition:
    """Finish a slice that would have to remember too much; what remains of it is in doubt."""
    rest = moved.ahead if moved.mode == "dense" else moved.remaining
    return _finish(moved.doubted(rest, TOO_MANY), sifted, NOTHING, drifted=drifted)


def _is_full(piece: Slice) -> bool:
    size = sum(block.size for block in piece.blocks)
    return len(piece.blocks) + 1 >= PART_PAGES or size >= PART_BYTES


def _close_early(
    piece: Slice, sifted: Sifted, cursor: int, index: Index, *, drifted: bool
) -> Transition:
    """Finish what is proven up to the cursor; a new slice asks for the rest afresh."""
    proven = piece.known_up_to(cursor)
    rest = change(piece, cursor=cursor).ahead
    finished = _finish(piece, sifted.inside(proven), index, bounds=proven, drifted=drifted)
    onward = counted(piece, sifted).carried_on(rest)
    return Transition(records=finished.records, finished=finished.finished, opened=(onward,))


def _break_off(
    piece: Slice, moved: Slice, sifted: Sifted, index: Index, *, drifted: bool
) -> Transition:
    """Finish a part that has as many blocks as it may have and cannot be divided.

    What remains up to the farthest staged record is in doubt; a new slice asks for what lies
    beyond it, where nothing is staged.
    """
    unknown, rest = _divided_at(moved, furthest(piece, sifted))
    proven = (piece.start, rest[0]) if piece.direction == "asc" else (rest[1], piece.end)
    doubted = piece.doubted(unknown, UNDIVIDED)
    finished = _finish(doubted, sifted, index, bounds=proven, drifted=drifted)
    onward = counted(piece, sifted).carried_on(rest)
    opened = (onward,) if rest[0] < rest[1] else ()
    return Transition(records=finished.records, finished=finished.finished, opened=opened)


def _divided_at(piece: Slice, far: int | None) -> tuple[Interval, Interval]:
    """Return what remains up to the staged record at `far`, and what lies beyond that record."""
    if piece.mode == "opposite":  # It comes from beyond, and knows all that it has passed.
        far_end = piece.end if piece.direction == "asc" else piece.start
        return piece.remaining, (far_end, far_end)
    start, end = piece.ahead
    if piece.direction == "asc":
        edge = start if far is None else max(start, far + 1)
        return (start, edge), (edge, end)
    edge = end if far is None else min(end, far)
    return (edge, end), (start, edge)


def _finish(
    piece: Slice,
    sifted: Sifted,
    index: Index,
    *,
    bounds: Interval | None = None,
    drifted: bool = False,
) -> Transition:
    start, end = bounds or (piece.start, piece.end)
    done = counted(piece, sifted, drifted=drifted)
    if index and piece.since is None:
        counts = done.counts.plus(vanished=vanished(done, (start, end), index))
        done = change(done, counts=counts)
    done = change(done, seen=(), continuation=None, mode="page", dense=None)
    return Transition(records=sifted.records(), finished=Finished(slice=done, start=start, end=end))


def _stands_still(
    piece: Slice, sifted: Sifted, axis: Axis, cursor: int | None
) -> Transition | Fault:
    """Answer a cursor that did not move on.

    Where the page shows nothing but one millisecond, that millisecond is dense. An empty page
    says as little as a wrong count; anything else is an API that sorts or goes on wrongly, and
    shorter slices will tell.
    """
    if cursor is None:
        detail = f"nextQueryFilters has no bound on {axis} to go on from"
        return Fault(kind="malformed", detail=detail)
    at = piece.next_millisecond
    one = sifted.places == {at} or (sifted.unplaced > 0 and not sifted.places)
    if one and piece.mode != "opposite":
        return _held_up(piece, at, probing=False)
    if not sifted.places and piece.mode == "page":
        return _held_up(piece, at, probing=True)
    if len(sifted.places) == 1 and not piece.has_begun:
        (shown,) = sifted.places
        return _asked_alone(piece, shown)
    detail = f"hasNext, but the cursor on {axis} does not move on: {piece.cursor} to {cursor}"
    return Fault(kind="malformed", detail=detail)


def _asked_alone(piece: Slice, at: int) -> Transition:
    """Ask for the one millisecond that a page shows, and for what lies on either side of it.

    How the API sorts is not known, so neither side is: only that millisecond is sure to be dense.
    """
    cuts = ((piece.start, at), (at, at + 1), (at + 1, piece.end))
    return Transition(
        opened=tuple(piece.same_again((start, end)) for start, end in cuts if start < end)
    )


def _held_up(piece: Slice, at: int, *, probing: bool) -> Transition:
    """Ask for one millisecond alone; what this page showed of it will come again."""
    dense = Dense(millisecond=at, cursor=None, probing=probing)
    return Transition(goes_on=change(piece, mode="dense", dense=dense, continuation=None))


def _probe(piece: Slice, policy: Policy, index: Index) -> Transition:
    """Answer an empty page that counts activities: the next of at most three probes."""
    if piece.mode == "page":
        return _held_up(piece, piece.next_millisecond, probing=True)
    if piece.mode == "beyond":
        return Transition(
            goes_on=change(piece, mode="opposite", cursor=piece.far_end, continuation=None)
        )
    return _finish(piece.doubted(piece.remaining, EMPTY), _nothing(piece, policy), index)


def _nothing(piece: Slice, policy: Policy) -> Sifted:
    empty = Page(records=(), has_next=False, continuation=None, total=None)
    return sift(empty, piece, policy.axis, NOTHING)


def _absorb_dense(
    piece: Slice, page: Page, sifted: Sifted, policy: Policy, index: Index
) -> Transition:
    """Page one millisecond on the other time field; then go on after it."""
    piece = _with_gaps(piece, sifted)
    dense, other = piece.held_up_at, other_field(policy.axis)
    if dense.plain:
        return _go_past(piece, sifted, policy.axis, index, _contradiction(page))
    onward = _stated(page, dense, other) or _last_in_order(page, dense, other)
    if onward is not None:
        verbatim = page.continuation if _stated(page, dense, other) else None
        moved = change(piece, dense=onward, continuation=verbatim)
        return _advance(piece, moved, sifted, policy.axis, index, drifted=False)
    return _go_past(piece, sifted, policy.axis, index, _contradiction(page))


def _contradiction(page: Page) -> str | None:
    """Return why the last page of a dense millisecond does not show all of it, if so."""
    if page.has_next:
        return CROWDED
    return EMPTY if _counts_what_it_hides(page) else None


def _ways(dense: Dense) -> tuple[Dense, ...]:
    """Return the ways in which a dense millisecond may be read on; on its first page both."""
    if dense.cursor is not None:
        return (dense,)
    return (dense, change(dense, direction=reverse(dense.direction)))


def _stated(page: Page, dense: Dense, other: Axis) -> Dense | None:
    """Return where the continuation goes on within the millisecond, None where it does not.

    Where a page has no data, its cursor may be past records that were lost with it.
    """
    if page.bare:
        return None
    for facing in _ways(dense):
        cursor = _cursor(page, other, "gte" if facing.direction == "asc" else "lte")
        if cursor is not None and _is_further(cursor, facing, _own(page, other)):
            return change(facing, cursor=cursor)
    return None


def _last_in_order(page: Page, dense: Dense, other: Axis) -> Dense | None:
    """Return where the page ends, from which to go on where the continuation does not.

    It is only used of a page that is sorted: what is before its last record is then known. A first
    page with one position alone does not tell in which direction.
    """
    own = _own(page, other)
    if not page.has_next or not own or (dense.cursor is None and own[0] == own[-1]):
        return None
    for facing in _ways(dense):
        ordered = sorted(own, reverse=facing.direction == "desc")
        if own == ordered and _is_further(own[-1], facing, own):
            return change(facing, cursor=own[-1])
    return None


def _own(page: Page, other: Axis) -> list[int]:
    return [at for at in (record.on(other) for record in page.records) if at is not None]


def _is_further(cursor: int, dense: Dense, own: list[int]) -> bool:
    """Say whether a cursor is past the one before; without one, whether it is at the page's end."""
    upwards = dense.direction == "asc"
    if dense.cursor is not None:
        return cursor > dense.cursor if upwards else cursor < dense.cursor
    return all(at <= cursor if upwards else at >= cursor for at in own)


def _go_past(
    piece: Slice, sifted: Sifted, axis: Axis, index: Index, reason: str | None
) -> Transition:
    dense = piece.held_up_at
    if reason:
        piece = piece.doubted((dense.millisecond, dense.millisecond + 1), reason)
    after = change(piece, mode="beyond", cursor=piece.past(dense.millisecond), continuation=None)
    if not dense.probing or dense.cursor is not None or _shows_something(sifted):
        # Activities were there, so this was no wrong count; the next millisecond may be dense, too.
        after = change(after, mode="page", dense=None)
    if not after.leaves_something(after.cursor):
        return _finish(after, sifted, index)
    return _advance(piece, after, sifted, axis, index, drifted=False)
