"""The life of a slice: what one page does to it.

A slice reads its interval from one end to the other. Its cursor divides the interval into what is
known and what remains. As long as each page shows the next records and moves the cursor on, the
slice stays in the mode `page`. There are two ways in which the API contradicts itself about a
millisecond X, the first one that remains:

1. It says that there is more, but its cursor does not move past X: more activities lie on X than a
   page holds.
2. It counts activities and shows none. Either the count is wrong, since `total` is an estimate,
   or X hides everything that lies after it, which is a known bug of the API.

Asking the same question again does not help, so the slice asks another one. Its mode says which:

- `page` asks for what remains: the continuation, or a new query from the cursor.
- `dense` asks for X alone and pages it on the other time field.
- `beyond` asks for what lies after X, once X itself has shown nothing.
- `opposite` asks for the same from the other end, because `beyond` showed nothing either.

The slice always ends. Every transition moves the cursor, or the cursor of the dense millisecond,
goes one step along page, dense, beyond, opposite, or opens shorter slices; and the way back to
`page` leads past X.
An answer that does none of these is a fault, and `retreat` bounds how many of those a slice meets.

Everything that the questions show is stored. What all of them leave contradictory is in doubt.

The table has all transitions: what an answer in a mode can make of the slice.

    answer    page                dense                beyond                opposite
    more      page cut done       dense cut done       page cut done         opposite done
    end       done                page beyond cut done done                  done
    hidden    dense               page beyond cut done opposite              done
    crowd     dense               page beyond cut done dense                 -
    empty     dense               -                    -                     -
    lone      again               -                    -                     -
    reversed  page again done     -                    -                     page cut done
    bare      again cut           -                    -                     -
    senseless fault               fault                fault                 fault
    refused   -                   page beyond cut done opposite              done
    fault     page again cut done dense again cut done beyond again cut done opposite again cut done

The answers (`Kind`):

- more: it says that there is more, and its cursor moved on; in `dense`, the other field's cursor.
- end: nothing remains to be asked for.
- hidden: it says that there is no more, shows nothing, and counts activities.
- crowd: its cursor stands still, and it shows only the millisecond there; in `dense`, it says that
  there is more and not where.
- empty: its cursor stands still, and it shows nothing.
- lone: its cursor stands still, and it shows only one other millisecond, at the slice's beginning.
- reversed: it is sorted in the other direction than was asked for.
- bare: its cursor moved on, but it has no `data`: records may have been lost with it.
- senseless: it contradicts the query in any other way. In a mode where the table has `-`, the
  answer is read as senseless, or cannot come.
- refused: the API accepts the query in no form (`unprobed`).
- fault: it is not a page (`retreat`).

What becomes of the slice: it continues in the mode that is named; or it is *done*; or it is *cut*,
which finishes what is known and opens new slices for the rest; or new slices read it *again*; or
the answer is a *fault*, which `retreat` answers. A slice is cut or done early, whatever it would
become otherwise, where its part is full or it would have to remember too much.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from shared.core.api.answers import Fault
from shared.core.api.pages import Page
from shared.core.intervals import Interval
from shared.core.model import (
    PART_PAGES,
    Axis,
    Dense,
    Doubt,
    Policy,
    Slice,
    other_field,
    reverse,
)
from shared.core.slices.doubts import few
from shared.core.slices.gaps import gaps
from shared.core.slices.requests import has_drifted, stated_bound, stated_cursor
from shared.core.slices.sifting import NOTHING, Index, Sifted, sift
from shared.core.slices.transitions import Draft, Finished

PART_BYTES = 64 * 1024 * 1024
"""A part closes early at this compressed size, however few its pages."""

PART_BLOCKS = 1_000
"""A part that cannot be divided has at most this many blocks, so that the ledger stays small."""

DOUBTS_KEPT = 64
"""How many intervals of one slice are in doubt at most; beyond that, neighbours are joined."""

REMEMBERED_MOST = 5_000
"""How many identities a slice remembers at most: 180 to 450 KB of the ledger."""

NULLS = "the API showed null where activities should be"
EMPTY = "the API counted activities and showed none"
TOO_MANY = "too many activities have no position to be told apart by"
CROWDED = "more activities share both time fields than a page holds"
UNDIVIDED = f"its part reached {PART_BLOCKS} blocks where it could not be divided"
REFUSED = "the API refuses the query that would show all activities of this millisecond"

SHORT_FACTOR = 2
SHORT_MARGIN = 20
"""`total` is an estimate, so a slice counts as short only if `total` exceeds twice what it showed,
plus this."""

Kind = Literal["more", "end", "hidden", "crowd", "empty", "lone", "reversed", "bare", "senseless"]
"""What a page means to the slice that asked for it; see the table."""

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a page means to its slice.

    Attributes:
        kind: the kind of answer.
        cursor: where the cursor moves, if it does.
        onward: where the dense millisecond is read on, if it is.
        facing: the slice as the page reads it, if the page is sorted the other way.
        detail: what is wrong with a senseless page.
    """

    kind: Kind
    cursor: int | None = None
    onward: Dense | None = None
    facing: Slice | None = None
    detail: str = ""

    @property
    def moved_to(self) -> int:
        """Where the cursor moves.

        Raises:
            AssertionError: pages of this kind move no cursor; to ask is a mistake in this program.
        """
        if self.cursor is None:
            raise AssertionError(f"a page of the kind {self.kind} moves no cursor")
        return self.cursor


def absorb(piece: Slice, page: Page, policy: Policy, index: Index = NOTHING) -> Draft | Fault:
    """Take a page into the slice.

    Returns a fault if the page contradicts the query or itself, and asking again is the best that
    can be done; the slice is then unchanged.
    """
    sifted = sift(page, piece, policy.axis, index)
    reading = read(piece, sifted)
    if reading.kind == "senseless":
        return Fault(kind="malformed", detail=reading.detail)
    calm = _calm(piece)
    if reading.facing is not None:
        facing = _calm(reading.facing)
        draft = _taken(facing, sifted, read(facing, sifted), policy)
        return replace(draft, sorts=(piece.asked_direction, facing.heading))
    return _taken(calm, sifted, reading, policy)


def _calm(piece: Slice) -> Slice:
    """Return the slice without the faults that it has met."""
    return change(
        piece, faults=0, fault=None, not_before=0, blocked_since=None, cramped=False, poisoned=0
    )


def unprobed(piece: Slice, policy: Policy) -> Draft:
    """Continue without a query about a contradiction that the API refuses in every form."""
    calm = change(piece, faults=0, fault=None, not_before=0, blocked_since=None)
    nothing = Page(records=(), has_next=False, continuation=None, total=None)
    sifted = sift(nothing, calm, policy.axis, NOTHING)
    if calm.mode == "dense":
        return _go_past(calm, sifted, REFUSED)
    return _probe(calm, sifted)


def read(piece: Slice, sifted: Sifted) -> Reading:
    """Return what a page means to its slice."""
    page = sifted.page
    if sifted.outside and not sifted.places:
        return Reading(kind="senseless", detail="every record is outside the queried interval")
    if piece.mode == "dense":
        return _read_dense(piece, sifted)
    if not page.has_next:
        return Reading(kind="hidden" if page.hides_activities else "end")
    cursor = stated_cursor(piece, page, sifted.axis)
    if cursor is None or not piece.is_ahead(cursor):
        return _read_reversed(piece, sifted) or _read_standstill(piece, sifted, cursor)
    if page.bare:
        return _read_bare(piece, cursor)
    return Reading(kind="more" if piece.leaves_something(cursor) else "end", cursor=cursor)


def _read_bare(piece: Slice, cursor: int) -> Reading:
    asks_again = piece.leaves_something(cursor) and piece.may_divide(piece.cursor)
    if piece.mode == "page" and asks_again:
        return Reading(kind="bare", cursor=cursor)
    detail = "the answer has no data, though its cursor moves on"
    return Reading(kind="senseless", detail=detail)


def _read_reversed(piece: Slice, sifted: Sifted) -> Reading | None:
    """Read a page that is sorted the other way; None if it is not, or if too much is known."""
    facing = _facing_the_other_way(piece)
    if facing is None:
        return None
    bound = stated_bound(sifted.page, sifted.axis, facing.heading)
    cursor = stated_cursor(facing, sifted.page, sifted.axis)
    if cursor is None or not facing.is_ahead(cursor):
        return None
    if not all(at == bound or not _is_beyond(facing, at, cursor) for at in sifted.places):
        return None
    if read(facing, sifted).kind == "senseless":
        return None
    return Reading(kind="reversed", facing=facing)


def _facing_the_other_way(piece: Slice) -> Slice | None:
    """Return the slice as it is read from the other end; None if that is not possible."""
    if piece.mode == "opposite" and piece.cursor == piece.far_end:
        return piece.paging()
    if piece.has_begun:
        return None
    return piece.redirected(reverse(piece.direction), piece.asked_direction)


def _is_beyond(piece: Slice, at: int, cursor: int) -> bool:
    return at >= cursor if piece.heading == "asc" else at < cursor


def _read_standstill(piece: Slice, sifted: Sifted, cursor: int | None) -> Reading:
    """Read a page whose cursor did not move on.

    If the page shows nothing but one millisecond, that millisecond is dense. An empty page says as
    little as a wrong count. Anything else is an API that sorts or continues wrongly, which shorter
    slices will reveal.
    """
    if cursor is None:
        detail = f"nextQueryFilters has no bound on {sifted.axis} to go on from"
        return Reading(kind="senseless", detail=detail)
    here = {piece.next_millisecond}
    one = sifted.places == here or (sifted.unplaced > 0 and not sifted.places)
    if one and piece.mode != "opposite":
        return Reading(kind="crowd")
    if not sifted.places and piece.mode == "page":
        return Reading(kind="empty")
    if len(sifted.places) == 1 and not piece.has_begun:
        return Reading(kind="lone")
    axis = sifted.axis
    detail = f"hasNext, but the cursor on {axis} does not move on: {piece.cursor} to {cursor}"
    return Reading(kind="senseless", detail=detail)


def _taken(piece: Slice, sifted: Sifted, reading: Reading, policy: Policy) -> Draft:
    """Return what a page that makes sense does to its slice."""
    if piece.mode == "dense":
        return _take_dense(_with_gaps(piece, sifted), sifted, reading)
    return _TAKE[reading.kind](piece, sifted, reading, policy)


def _more(piece: Slice, sifted: Sifted, reading: Reading, policy: Policy) -> Draft:
    cursor, page = reading.moved_to, sifted.page
    drifted = has_drifted(page, piece, policy)
    piece = _with_gaps(piece, sifted, cursor)
    mode_ends = {"mode": "page", "dense": None} if piece.mode == "beyond" else {}
    moved = change(piece, cursor=cursor, continuation=page.continuation, **mode_ends)
    return _advance(piece, moved, sifted, drifted=drifted)


def _end(piece: Slice, sifted: Sifted, _: Reading, policy: Policy) -> Draft:
    drifted = has_drifted(sifted.page, piece, policy)
    if not sifted.page.has_next:
        piece = _shortened(piece, sifted.page)
    return _finish(_with_gaps(piece, sifted), sifted, drifted=drifted)


def _hidden(piece: Slice, sifted: Sifted, _: Reading, __: Policy) -> Draft:
    return _probe(piece, sifted)


def _crowd(piece: Slice, _: Sifted, __: Reading, ___: Policy) -> Draft:
    return _held_up(piece, probing=False)


def _empty(piece: Slice, _: Sifted, __: Reading, ___: Policy) -> Draft:
    return _held_up(piece, probing=True)


def _lone(piece: Slice, sifted: Sifted, _: Reading, __: Policy) -> Draft:
    """Ask for the one millisecond that a page shows, and for what lies on either side of it.

    Nobody knows how the API sorts, so neither side is known: only that millisecond is sure to be
    dense.
    """
    (at,) = sifted.places
    cuts = ((piece.start, at), (at, at + 1), (at + 1, piece.end))
    return Draft(opened=tuple(piece.same_again(it) for it in cuts if it[0] < it[1]))


def _bare(piece: Slice, sifted: Sifted, reading: Reading, _: Policy) -> Draft:
    """Ask again for what a page without `data` passes over, without what lies beyond its cursor.

    The page may have lost its records on the way: a damaged name is enough. What lies beyond its
    cursor is due again. A slice that has begun is first finished up to its cursor.
    """
    if not piece.has_begun:
        return Draft(opened=(piece.same_again(piece.known_up_to(reading.moved_to)),))
    finished = _finish(piece, sifted, bounds=piece.known_up_to(piece.cursor))
    return replace(finished, opened=(piece.carried_on(piece.ahead),))


_TAKE: dict[Kind, Callable[[Slice, Sifted, Reading, Policy], Draft]] = {
    "more": _more,
    "end": _end,
    "hidden": _hidden,
    "crowd": _crowd,
    "empty": _empty,
    "lone": _lone,
    "bare": _bare,
}


def _with_gaps(piece: Slice, sifted: Sifted, cursor: int | None = None) -> Slice:
    """Return the slice with the time in doubt in which the page's nulls may lie."""
    found = gaps(sifted.marks, piece, cursor)
    if not found:
        return piece
    doubts = [Doubt(start=start, end=end, reason=NULLS) for start, end in found]
    return change(piece, doubt=few([*piece.doubt, *doubts], DOUBTS_KEPT))


def _shortened(piece: Slice, page: Page) -> Slice:
    """Return the slice with an end counted that comes long before what `total` stated."""
    counts = piece.counts
    shown = counts.records + counts.repeated + counts.changed + counts.known + len(page.records)
    if (page.total or 0) <= SHORT_FACTOR * shown + SHORT_MARGIN:
        return piece
    return change(piece, counts=counts.plus(short=1))


def _held_up(piece: Slice, *, probing: bool) -> Draft:
    """Ask for one millisecond alone, which will show again what this page showed of it."""
    dense = Dense(millisecond=piece.next_millisecond, cursor=None, probing=probing)
    return Draft(goes_on=change(piece, mode="dense", dense=dense, continuation=None))


def _probe(piece: Slice, sifted: Sifted) -> Draft:
    """Answer an empty page that counts activities with the next of at most three probes."""
    if piece.mode == "page":
        return _held_up(piece, probing=True)
    if piece.mode == "beyond":
        opposite = change(piece, mode="opposite", cursor=piece.far_end, continuation=None)
        return Draft(goes_on=opposite)
    return _finish(piece.doubted(piece.remaining, EMPTY), sifted)


def _advance(piece: Slice, moved: Slice, sifted: Sifted, *, drifted: bool = False) -> Draft:
    """Let a slice continue where it moved, unless its part or its memory is full."""
    onward = sifted.taken_into(moved, drifted=drifted)
    if onward.remembered > REMEMBERED_MOST:
        return _overflow(moved, sifted, drifted=drifted)
    if _is_full(piece) and piece.may_divide(moved.cursor) and moved.mode == "page":
        return _close_early(piece, sifted, moved.cursor, drifted=drifted)
    if len(piece.blocks) + 2 >= PART_BLOCKS:  # This page's block, and the trailer.
        return _break_off(piece, moved, sifted, drifted=drifted)
    return Draft(records=sifted.records, goes_on=onward)


def _is_full(piece: Slice) -> bool:
    size = sum(block.size for block in piece.blocks)
    return len(piece.blocks) + 1 >= PART_PAGES or size >= PART_BYTES


def _overflow(moved: Slice, sifted: Sifted, *, drifted: bool) -> Draft:
    """Finish a slice that would have to remember too much; what remains of it is in doubt."""
    rest = moved.ahead if moved.mode == "dense" else moved.remaining
    doubted = moved.doubted(rest, TOO_MANY)
    return _finish(doubted, replace(sifted, index=NOTHING), drifted=drifted)


def _close_early(piece: Slice, sifted: Sifted, cursor: int, *, drifted: bool) -> Draft:
    """Finish what is proven up to the cursor; a new slice starts a new query for the rest."""
    proven, rest = piece.known_up_to(cursor), change(piece, cursor=cursor).ahead
    finished = _finish(piece, sifted.inside(proven), bounds=proven, drifted=drifted)
    return replace(finished, opened=(sifted.counted_in(piece).carried_on(rest),))


def _break_off(piece: Slice, moved: Slice, sifted: Sifted, *, drifted: bool) -> Draft:
    """Finish a part that has as many blocks as it may have and cannot be divided.

    What remains up to the farthest staged record is in doubt. A new slice asks for what lies
    beyond it, where nothing is staged.
    """
    unknown, rest = _divided_at(moved, sifted.far(piece))
    proven = (piece.start, rest[0]) if piece.direction == "asc" else (rest[1], piece.end)
    doubted = piece.doubted(unknown, UNDIVIDED)
    finished = _finish(doubted, sifted, bounds=proven, drifted=drifted)
    onward = sifted.counted_in(piece).carried_on(rest)
    return replace(finished, opened=(onward,) if rest[0] < rest[1] else ())


def _divided_at(piece: Slice, far: int | None) -> tuple[Interval, Interval]:
    """Return what remains up to the staged record at `far`, and what lies beyond that record."""
    if piece.mode == "opposite":  # It comes from beyond, and knows everything that it has passed.
        return piece.remaining, (piece.far_end, piece.far_end)
    start, end = piece.ahead
    if piece.direction == "asc":
        edge = start if far is None else max(start, far + 1)
        return (start, edge), (edge, end)
    edge = end if far is None else min(end, far)
    return (edge, end), (start, edge)


def _finish(
    piece: Slice, sifted: Sifted, *, bounds: Interval | None = None, drifted: bool = False
) -> Draft:
    start, end = bounds or (piece.start, piece.end)
    done = sifted.counted_in(piece, drifted=drifted)
    if sifted.index and piece.since is None:
        gone = sifted.vanished(done, (start, end))
        done = change(done, counts=done.counts.plus(vanished=gone))
    done = change(done, seen=(), continuation=None, mode="page", dense=None)
    return Draft(records=sifted.records, finished=Finished(slice=done, start=start, end=end))


def _read_dense(piece: Slice, sifted: Sifted) -> Reading:
    """Read a page of a dense millisecond."""
    page, dense, other = sifted.page, piece.held_up_at, other_field(sifted.axis)
    if not dense.plain:
        onward = _stated(page, dense, other) or _last_in_order(page, dense, other)
        if onward is not None:
            return Reading(kind="more", onward=onward)
    if page.has_next:
        return Reading(kind="crowd")
    return Reading(kind="hidden" if page.hides_activities else "end")


_DENSE_DOUBT: dict[Kind, str] = {"crowd": CROWDED, "hidden": EMPTY}
"""Why the last page of a dense millisecond does not show all of it."""


def _take_dense(piece: Slice, sifted: Sifted, reading: Reading) -> Draft:
    """Page one millisecond on the other time field, and then go on after it."""
    if reading.onward is None:
        return _go_past(piece, sifted, _DENSE_DOUBT.get(reading.kind))
    stated = _stated(sifted.page, piece.held_up_at, other_field(sifted.axis))
    verbatim = sifted.page.continuation if stated else None
    moved = change(piece, dense=reading.onward, continuation=verbatim)
    return _advance(piece, moved, sifted)


def _ways(dense: Dense) -> tuple[Dense, ...]:
    """Return the directions in which a dense millisecond may be read on; on its first page both."""
    if dense.cursor is not None:
        return (dense,)
    return (dense, change(dense, direction=reverse(dense.direction)))


def _stated(page: Page, dense: Dense, other: Axis) -> Dense | None:
    """Return where the continuation goes on within the millisecond, None if it does not.

    The cursor of a page without `data` may be past records that were lost with it.
    """
    if page.bare:
        return None
    for facing in _ways(dense):
        cursor = stated_bound(page, other, facing.direction)
        if cursor is not None and _is_further(cursor, facing, _own(page, other)):
            return change(facing, cursor=cursor)
    return None


def _last_in_order(page: Page, dense: Dense, other: Axis) -> Dense | None:
    """Return where the page ends, from which to go on if the continuation does not.

    This is only possible for a page that is sorted: everything before its last record is then
    known. A first page with only one position does not show in which direction it is sorted.
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
    """Say whether a cursor is past the previous one, or at the end of a first page."""
    upwards = dense.direction == "asc"
    if dense.cursor is not None:
        return cursor > dense.cursor if upwards else cursor < dense.cursor
    return all(at <= cursor if upwards else at >= cursor for at in own)


def _go_past(piece: Slice, sifted: Sifted, reason: str | None) -> Draft:
    """Go on after the dense millisecond, which is in doubt if there is a reason."""
    dense, at = piece.held_up_at, piece.held_up_at.millisecond
    if reason:
        piece = piece.doubted((at, at + 1), reason)
    after = change(piece, mode="beyond", cursor=piece.past(at), continuation=None)
    if not dense.probing or dense.cursor is not None or sifted.shows_something:
        # It held activities, so the count was not wrong; the next millisecond may be dense, too.
        after = change(after, mode="page", dense=None)
    if not after.leaves_something(after.cursor):
        return _finish(after, sifted)
    return _advance(piece, after, sifted)
