"""Where a slice stands: the cursor, what remains, and what lies ahead of it.

Written once for both directions. The cursor `at` divides a slice into what is known and what
remains: with `asc` everything before `at` is known, with `desc` everything from `at` on.
"""

import msgspec

from shared.core.intervals import Interval
from shared.core.model import Dense, Direction, Policy, Slice, reverse

change = msgspec.structs.replace


def open_slice(bounds: Interval, *, pass_name: str, policy: Policy) -> Slice:
    """Return a slice over `bounds` on which nothing has been done yet."""
    return fresh_slice(bounds, pass_name=pass_name, direction=policy.direction, limit=policy.limit)


def fresh_slice(bounds: Interval, *, pass_name: str, direction: Direction, limit: int) -> Slice:
    """Return a slice with its cursor at the end where its direction begins."""
    start, end = bounds
    return Slice(
        start=start,
        end=end,
        pass_name=pass_name,
        direction=direction,
        limit=limit,
        cursor=start if direction == "asc" else end,
    )


def same_again(piece: Slice, bounds: Interval) -> Slice:
    """Return a fresh slice over `bounds` that keeps direction, limit and `since` of `piece`.

    What `piece` has staged is given up; what earlier parts hold is not.
    """
    fresh = fresh_slice(
        bounds, pass_name=piece.pass_name, direction=piece.direction, limit=piece.limit
    )
    return change(fresh, asked=piece.asked, since=piece.since, earlier=piece.earlier)


def carried_on(piece: Slice, bounds: Interval) -> Slice:
    """Return a fresh slice over what is left of `piece`, whose staged blocks become a part.

    Where the records without a position in that part belong nobody can say, so it knows them all.
    """
    fresh = same_again(piece, bounds)
    return change(fresh, earlier=(*piece.earlier, *piece.unplaced))


def redirected(piece: Slice, direction: Direction, asked: Direction) -> Slice:
    """Return a slice that has not begun, to be read in `direction` by asking for `asked`."""
    return change(
        piece,
        direction=direction,
        asked=None if asked == direction else asked,
        cursor=piece.start if direction == "asc" else piece.end,
    )


def has_begun(piece: Slice) -> bool:
    """Say whether the slice has taken in a page; every page moves the cursor or the mode."""
    begin = piece.start if piece.direction == "asc" else piece.end
    return piece.cursor != begin or piece.mode != "page"


def heading(piece: Slice) -> Direction:
    """Return the direction of the slice's next query."""
    return reverse(piece.direction) if piece.mode == "opposite" else piece.direction


def asked_direction(piece: Slice) -> Direction:
    """Return the direction that the slice's next query asks for.

    A dense millisecond is asked for in one way, whichever way its pages are read.
    """
    if piece.mode == "dense":
        return "asc"
    asked = piece.asked or piece.direction
    return reverse(asked) if piece.mode == "opposite" else asked


def remaining(piece: Slice) -> Interval:
    """Return the half-open interval that the next query is about; may be empty."""
    if piece.mode == "dense":
        at = dense_of(piece).millisecond
        return (at, at + 1)
    if piece.mode == "opposite":
        at = dense_of(piece).millisecond
        return (at + 1, piece.cursor) if piece.direction == "asc" else (piece.cursor, at)
    return yet_to_come(piece)


def dense_of(piece: Slice) -> Dense:
    """Return the millisecond that the slice is held up at.

    Raises:
        AssertionError: it is not held up; a mode without it is a mistake in this program.
    """
    if piece.dense is None:
        raise AssertionError(f"a slice in mode {piece.mode} has no dense millisecond")
    return piece.dense


def next_millisecond(piece: Slice) -> int:
    """Return the first millisecond that is not known yet, in the direction of the query."""
    return piece.cursor if heading(piece) == "asc" else piece.cursor - 1


def past(piece: Slice, millisecond: int) -> int:
    """Return the cursor of a slice to which this millisecond is known."""
    return millisecond + 1 if piece.direction == "asc" else millisecond


def is_ahead(piece: Slice, cursor: int) -> bool:
    """Say whether a cursor has moved on from where the slice stands."""
    return cursor > piece.cursor if heading(piece) == "asc" else cursor < piece.cursor


def leaves_something(piece: Slice, cursor: int) -> bool:
    """Say whether anything remains to be asked for from this cursor on."""
    start, end = remaining(piece)
    return cursor < end if heading(piece) == "asc" else cursor > start


def within(at: int, bounds: Interval) -> bool:
    """Say whether a millisecond lies in a half-open interval."""
    return bounds[0] <= at < bounds[1]


def may_divide(piece: Slice, cursor: int) -> bool:
    """Say whether no staged record stands at or after the cursor, so that it can divide."""
    if piece.furthest is None:
        return True
    return piece.furthest < cursor if piece.direction == "asc" else piece.furthest >= cursor


def known_until(piece: Slice, cursor: int) -> Interval:
    """Return what is known of the slice when its cursor stands there."""
    return (piece.start, cursor) if piece.direction == "asc" else (cursor, piece.end)


def yet_to_come(piece: Slice) -> Interval:
    """Return what remains of the slice by its cursor, whatever it is held up at."""
    return (piece.cursor, piece.end) if piece.direction == "asc" else (piece.start, piece.cursor)
