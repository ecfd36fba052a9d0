"""What of a page is stored: records inside the query, once, and only what no part holds yet."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from shared.core.cursor import heading, remaining, within, yet_to_come
from shared.core.gaps import Marks, marks_of
from shared.core.intervals import Interval
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
from shared.core.records import Page, Record

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
        at: its position on the axis.
        record: the record.
        known: whether a part holds its identity.
        changed: whether a part holds its identity with other bytes.
    """

    at: int
    record: Record
    known: bool
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """A page's records, sorted out.

    Attributes:
        shown: inside the query and new to the slice, in the API's order.
        places: positions of all that were inside the query, repeated ones included.
        repeated: dropped, because the slice has seen the identity with the same bytes.
        changed: dropped, because the slice has seen the identity with other bytes.
        outside: dropped, because the query did not ask for them.
        nulls: items that are null.
        marks: where the nulls stand among the records; empty when there are none.
    """

    shown: tuple[Shown, ...]
    places: frozenset[int]
    repeated: int
    changed: int
    outside: int
    nulls: int = 0
    marks: Marks = ()

    def inside(self, bounds: Interval) -> "Sifted":
        """Return the same without the shown records outside of `bounds`."""
        return replace(self, shown=tuple(it for it in self.shown if within(it.at, bounds)))

    def records(self) -> tuple[Record, ...]:
        """Return what is to be stored."""
        return tuple(it.record for it in self.shown if not it.known)


def sift(page: Page, piece: Slice, axis: Axis, index: Index) -> Sifted:
    """Sort out a page's records against the query, the slice and what parts hold."""
    placed = list(_placed(page.records, piece, axis))
    start, end = remaining(piece)
    inside = [(at, record) for at, record in placed if start <= at < end]
    before = {seen.identity: seen.content for seen in piece.seen}
    shown: dict[str, Shown] = {}
    changed = 0
    for at, record in inside:
        identity = record.identity
        if identity in before:
            changed += before[identity] != record.content
        elif identity in shown:
            changed += shown[identity].record.line != record.line
        else:
            shown[identity] = _shown(at, record, index.get(identity))
    return Sifted(
        shown=tuple(shown.values()),
        places=frozenset(at for at, _ in inside),
        repeated=len(inside) - len(shown) - changed,
        changed=changed,
        outside=len(placed) - len(inside),
        nulls=len(page.nulls),
        marks=_marks(page, piece, axis) if page.nulls else (),
    )


def _marks(page: Page, piece: Slice, axis: Axis) -> Marks:
    start, end = remaining(piece)
    places = (record.on(axis) for record in page.records)
    known = (at if at is not None and start <= at < end else None for at in places)
    return marks_of(known, page.nulls)


def _placed(records: Iterable[Record], piece: Slice, axis: Axis) -> Iterator[tuple[int, Record]]:
    """Yield each record with its position; one that has none stands beside the one before it."""
    start, end = remaining(piece)
    at = start if heading(piece) == "asc" else end - 1
    for record in records:
        own = record.on(axis)
        at = at if own is None else own
        yield at, record


def _shown(at: int, record: Record, stored: Stored | None) -> Shown:
    changed = stored is not None and stored.content != record.content
    return Shown(at=at, record=record, known=stored is not None, changed=changed)


def counted(piece: Slice, sifted: Sifted, *, drifted: bool = False) -> Slice:
    """Return the slice with what a page brought added to its counts."""
    records = sifted.records()
    late = records if piece.pass_name != FIRST_PASS else ()
    counts = piece.counts.plus(
        records=len(records),
        repeated=sifted.repeated,
        changed=sifted.changed + sum(it.changed for it in sifted.shown),
        outside=sifted.outside,
        nulls=sifted.nulls,
        irregular=sum(record.original is not None for record in records),
        drifted=int(drifted),
        known=sum(it.known for it in sifted.shown),
        late=len(late),
    )
    return change(piece, counts=counts, lateness=_lateness(piece.lateness, late))


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
    ahead = [it for it in sifted.shown if _may_repeat(piece, it.at, it.record.on(other))]
    return (*before, *(_as_seen(it, other) for it in ahead))


def _may_repeat(piece: Slice, at: int, other: int | None) -> bool:
    """Say whether a record is one that remains to be asked for."""
    dense = piece.dense
    if piece.mode != "dense" or dense is None:
        return within(at, remaining(piece))
    if at != dense.at:
        return within(at, yet_to_come(piece))
    return dense.cursor is None or other is None or other >= dense.cursor


def _as_seen(shown: Shown, other: Axis) -> Seen:
    record = shown.record
    return Seen(
        at=shown.at,
        other=record.on(other),
        identity=record.identity,
        content=record.content,
    )


def vanished(piece: Slice, bounds: Interval, index: Index) -> int:
    """Return how many records parts hold inside `bounds` that the API did not show."""
    held = sum(stored.at is not None and within(stored.at, bounds) for stored in index.values())
    return max(0, held - piece.counts.known)


def furthest(piece: Slice, sifted: Sifted) -> int | None:
    """Return the position of the staged record that stands farthest along the direction."""
    places = [it.at for it in sifted.shown if not it.known]
    if piece.furthest is not None:
        places.append(piece.furthest)
    if not places:
        return None
    return max(places) if piece.direction == "asc" else min(places)
