"""Where the activities may be that a page shows only as null."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from shared.core.intervals import Interval, Intervals, intersect, merge
from shared.core.model import Slice

Marks = tuple[int | None, ...]
"""The positions of a page's records in the page's order, with None for a null."""


def gaps(marks: Marks, piece: Slice, cursor: int | None) -> Intervals:
    """Return the stretches in which the activities behind a page's nulls may be.

    A null stands somewhere between its neighbours, both included. At the page's edges, the start of
    the query and the page's own cursor are the neighbours. The API will show everything from that
    cursor on again, so it does not count yet.

    Args:
        marks: of the page.
        piece: the slice as the page was asked for.
        cursor: where the page says that the next one begins; None if it is the last.
    """
    if None not in marks:
        return ()
    start, end = piece.remaining
    upwards = piece.heading == "asc"
    first = start if upwards or cursor is None else cursor
    last = cursor if upwards and cursor is not None else end
    known = (first, last)
    shown = marks if upwards else marks[::-1]
    if piece.mode == "dense" or not _ascends(shown, told=cursor is not None):
        return merge([known])
    return intersect(merge(_between_neighbours(shown, known)), known)


def _ascends(marks: Marks, *, told: bool) -> bool:
    """Say whether a page is known to ascend, from its cursor or from records at two positions.

    A page with records at one position may be sorted either way, whatever was asked for.
    """
    own = [at for at in marks if at is not None]
    ordered = all(before <= after for before, after in pairwise(own))
    return ordered and (told or len(set(own)) > 1)


def _between_neighbours(marks: Marks, known: Interval) -> Iterator[Interval]:
    """Yield the stretch around each null; the marks ascend."""
    before, open_since = known[0], None
    for at in marks:
        if at is None:
            open_since = before
            continue
        if open_since is not None:
            yield (open_since, at + 1)
        before, open_since = at, None
    if open_since is not None:
        yield (open_since, known[1])


def marks_of(places: Iterable[int | None], nulls: Iterable[int]) -> Marks:
    """Return a page's marks.

    Args:
        places: positions of its records in order; None for a record that does not count here.
        nulls: for each null, how many records come before it.
    """
    marks: list[tuple[float, int | None]] = [
        (number + 0.5, at) for number, at in enumerate(places) if at is not None
    ]
    marks += [(float(number), None) for number in nulls]
    return tuple(at for _, at in sorted(marks, key=lambda mark: mark[0]))
