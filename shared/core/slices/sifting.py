"""What of a page is stored: records inside the query, once, and only what no part holds yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from shared.core.api.pages import Page
from shared.core.api.records import Record
from shared.core.intervals import Interval, within
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    HOUR_MS,
    MINUTE_MS,
    Axis,
    Seen,
    Slice,
    other_field,
)
from shared.core.slices.gaps import Marks, marks_of

change = msgspec.structs.replace


class Stored(NamedTuple):
    """A record that a part holds.

    Attributes:
        at: its position on the axis, None when it has none.
        content: digest of its line.
    """

    at: int | None
    content: str


Index = Mapping[str, Stored]
"""What parts hold of a slice, by identity; empty for a first pass."""

NOTHING: Index = {}

LATENESS = (
    ("10m", 10 * MINUTE_MS),
    ("1h", HOUR_MS),
    ("2h", 2 * HOUR_MS),
    ("24h", DAY_MS),
    ("72h", 3 * DAY_MS),
    ("8d", 8 * DAY_MS),
)
"""The classes in which late records are counted: up to so long between event and ingestion."""

LATER = "more"
"""The class of records that are later still."""


class Shown(NamedTuple):
    """A record that a page shows for the first time in its slice.

    Attributes:
        at: its position on the axis, None when it has none.
        record: the record.
        known: whether a part holds its identity.
        changed: whether a part holds its identity with other bytes.
    """

    at: int | None
    record: Record
    known: bool
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """A page's records, sorted out.

    Attributes:
        shown: inside the query and new to the slice, in the API's order.
        places: positions of all that were inside the query, repeated ones included.
        unplaced: how many records have no position, repeated ones included.
        repeated: dropped, because the slice has seen the identity with the same bytes.
        changed: dropped, because the slice has seen the identity with other bytes.
        outside: dropped, because the query did not ask for them.
        nulls: items that are null.
        marks: where the nulls stand among the records; empty when there are none.
    """

    shown: tuple[Shown, ...]
    places: frozenset[int]
    unplaced: int
    repeated: int
    changed: int
    outside: int
    nulls: int = 0
    marks: Marks = ()

    def inside(self, bounds: Interval) -> "Sifted":
        """Return the same without the shown records outside of `bounds`.

        One that has no position stays: the page shows it now, and perhaps never again.
        """
        kept = (it for it in self.shown if it.at is None or within(it.at, bounds))
        return replace(self, shown=tuple(kept))

    def records(self) -> tuple[Record, ...]:
        """Return what is to be stored."""
        return tuple(it.record for it in self.shown if not it.known)


def sift(page: Page, piece: Slice, axis: Axis, index: Index) -> Sifted:
    """Sort out a page's records against the query, the slice and what parts hold."""
    places = [record.on(axis) for record in page.records]
    asked_for = _asked_for(places, piece.remaining)
    inside = [it for it in zip(places, page.records, strict=True) if next(asked_for)]
    before = {seen.identity: seen.content for seen in piece.seen}
    unplaced = {*piece.unplaced, *piece.earlier}
    shown: dict[str, Shown] = {}
    changed = 0
    for at, record in inside:
        identity = record.identity
        if identity in before:
            changed += before[identity] != record.content
        elif identity in shown:
            changed += shown[identity].record.line != record.line
        elif at is not None or identity not in unplaced:
            shown[identity] = _shown(at, record, index.get(identity))
    return Sifted(
        shown=tuple(shown.values()),
        places=frozenset(at for at, _ in inside if at is not None),
        unplaced=sum(at is None for at, _ in inside),
        repeated=len(inside) - len(shown) - changed,
        changed=changed,
        outside=len(places) - len(inside),
        nulls=len(page.nulls),
        marks=_marks(places, page.nulls, piece.remaining) if page.nulls else (),
    )


def _asked_for(places: Sequence[int | None], bounds: Interval) -> Iterator[bool]:
    """Yield of each record whether the query asked for it.

    One without a position stands between its neighbours: it was not asked for if none of them was.
    """
    after = iter(reversed([*_nearest(reversed(places))]))
    for at, left, right in zip(places, _nearest(places), after, strict=True):
        near = [it for it in (at, left, right) if it is not None]
        yield within(at, bounds) if at is not None else _any_within(near, bounds)


def _nearest(places: Iterable[int | None]) -> Iterator[int | None]:
    """Yield for each place the last position so far, its own included."""
    last = None
    for at in places:
        last = last if at is None else at
        yield last


def _any_within(near: Sequence[int], bounds: Interval) -> bool:
    return not near or any(within(at, bounds) for at in near)


def _marks(places: Iterable[int | None], nulls: Iterable[int], bounds: Interval) -> Marks:
    known = (at if at is not None and within(at, bounds) else None for at in places)
    return marks_of(known, nulls)


def _shown(at: int | None, record: Record, stored: Stored | None) -> Shown:
    changed = stored is not None and stored.content != record.content
    return Shown(at=at, record=record, known=stored is not None, changed=changed)


def counted(piece: Slice, sifted: Sifted, *, drifted: bool = False) -> Slice:
    """Return the slice with what a page brought added to its counts."""
    records = sifted.records()
    unplaced = [it for it in sifted.shown if it.at is None]
    late = records if piece.pass_name != FIRST_PASS else ()
    counts = piece.counts.plus(
        records=len(records),
        repeated=sifted.repeated,
        changed=sifted.changed + sum(it.changed for it in sifted.shown),
        outside=sifted.outside,
        nulls=sifted.nulls,
        unplaced=len(unplaced),
        irregular=sum(record.original is not None for record in records),
        drifted=int(drifted),
        known=sum(it.known for it in sifted.shown),
        late=len(late),
    )
    staged = tuple(it.record.identity for it in unplaced if not it.known)
    return change(
        piece,
        counts=counts,
        lateness=_lateness(piece.lateness, late),
        unplaced=(*piece.unplaced, *staged),
    )


def _lateness(before: dict[str, int], late: Iterable[Record]) -> dict[str, int]:
    grown = dict(before)
    for record in late:
        if record.created is not None and record.timestamp is not None:
            name = _class_of(record.created - record.timestamp)
            grown[name] = grown.get(name, 0) + 1
    return grown


def _class_of(lateness: int) -> str:
    return next((name for name, most in LATENESS if lateness <= most), LATER)


def still_seen(piece: Slice, sifted: Sifted, axis: Axis) -> tuple[Seen, ...]:
    """Return the records that the next page of `piece` may show again."""
    other = other_field(axis)
    before = [it for it in piece.seen if _may_repeat(piece, it.at, it.other)]
    # Nearly all of a page lies behind the cursor; only the rest is worth its digests.
    return (*before, *_seen_ahead(piece, sifted, other))


def _seen_ahead(piece: Slice, sifted: Sifted, other: Axis) -> Iterator[Seen]:
    for at, record, *_ in sifted.shown:
        if at is not None and _may_repeat(piece, at, record.on(other)):
            yield Seen(
                at=at,
                other=record.on(other),
                identity=record.identity,
                content=record.content,
            )


def _may_repeat(piece: Slice, at: int, other: int | None) -> bool:
    """Say whether a record is one that remains to be asked for."""
    dense = piece.dense
    if piece.mode != "dense" or dense is None:
        return within(at, piece.remaining)
    if at != dense.millisecond:
        return within(at, piece.ahead)
    if dense.cursor is None or other is None:
        return True
    return other >= dense.cursor if dense.direction == "asc" else other <= dense.cursor


def vanished(piece: Slice, bounds: Interval, index: Index) -> int:
    """Return how many records parts hold inside `bounds` that the API did not show.

    Those without a position are left out: which of them lie inside is not known.
    """
    held = sum(stored.at is not None and within(stored.at, bounds) for stored in index.values())
    known_unplaced = piece.counts.unplaced - len(piece.unplaced)
    return max(0, held - (piece.counts.known - known_unplaced))


def furthest(piece: Slice, sifted: Sifted) -> int | None:
    """Return the position of the staged record that stands farthest along the direction.

    Those without a position do not count: whoever carries on knows all of them.
    """
    places = [it.at for it in sifted.shown if not it.known and it.at is not None]
    if piece.furthest is not None:
        places.append(piece.furthest)
    if not places:
        return None
    return max(places) if piece.direction == "asc" else min(places)
