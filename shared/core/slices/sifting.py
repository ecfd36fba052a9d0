"""What is stored of a page: records inside the query, once, and only if no part holds them yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from shared.core.api.pages import Page
from shared.core.api.records import IdentifiedBy, Record
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
        checksum: CRC-32 of its line. Two lines with the same one cost a count of *changed*, and no
            record: what is stored is decided by identity alone.
    """

    at: int | None
    checksum: int


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
"""The classes of late records, by the longest time between event and ingestion."""

LATER = "more"
"""The class of records that are even later."""


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
    """Everything that sifting knows about a page.

    Attributes:
        page: the page itself.
        axis: the axis on which its records have positions.
        index: what parts hold.
        shown: the records inside the query that are new to the slice, in the API's order.
        places: the positions of all records inside the query, including repeated ones.
        unplaced: number of records without a position, including repeated ones.
        repeated: number of records dropped because the slice has seen them with the same bytes.
        changed: number of records dropped because the slice has seen them with other bytes.
        outside: number of records dropped because the query did not ask for them.
        marks: where the nulls stand among the records; empty if there are none.
    """

    page: Page
    axis: Axis
    index: Index
    shown: tuple[Shown, ...]
    places: frozenset[int]
    unplaced: int
    repeated: int
    changed: int
    outside: int
    marks: Marks

    @property
    def records(self) -> tuple[Record, ...]:
        """The records to store."""
        return tuple(it.record for it in self.shown if not it.known)

    @property
    def shows_something(self) -> bool:
        """Whether there is anything on the page that the query asked for."""
        return bool(self.places or self.unplaced or self.page.nulls)

    def inside(self, bounds: Interval) -> "Sifted":
        """Return the same page without the shown records outside of `bounds`.

        A record without a position stays: the page shows it now, and perhaps never again.
        """
        kept = (it for it in self.shown if it.at is None or within(it.at, bounds))
        return replace(self, shown=tuple(kept))

    def counted_in(self, piece: Slice, *, drifted: bool = False) -> Slice:
        """Return the slice with what the page brought added to its counts.

        Args:
            piece: the slice.
            drifted: whether the page's continuation asks for something else than we did.
        """
        records = self.records
        unplaced = [it for it in self.shown if it.at is None]
        late = records if piece.pass_name != FIRST_PASS else ()
        counts = piece.counts.plus(
            records=len(records),
            repeated=self.repeated,
            changed=self.changed + sum(it.changed for it in self.shown),
            outside=self.outside,
            nulls=len(self.page.nulls),
            unplaced=len(unplaced),
            irregular=sum(record.original is not None for record in records),
            drifted=int(drifted),
            known=sum(it.known for it in self.shown),
            late=len(late),
        )
        staged = tuple(it.record.identity for it in unplaced if not it.known)
        return change(
            piece,
            counts=counts,
            lateness=_lateness(piece.lateness, late),
            unplaced=(*piece.unplaced, *staged),
        )

    def taken_into(self, piece: Slice, *, drifted: bool = False) -> Slice:
        """Return a slice that continues after this page, with all that it must remember of it.

        Args:
            piece: the slice, already where it continues.
            drifted: whether the page's continuation asks for something else than we did.
        """
        seen = tuple(it for it in piece.seen if _may_repeat(piece, it.at, it.other))
        # Nearly the whole page lies behind the cursor; only the rest is worth its digests.
        moved = change(piece, seen=(*seen, *self._seen_ahead_of(piece)), furthest=self.far(piece))
        return self.counted_in(moved, drifted=drifted)

    def far(self, piece: Slice) -> int | None:
        """Return the position of the staged record that is farthest along the slice's direction.

        Records without a position do not count: the slice that takes over knows all of them.
        """
        places = [it.at for it in self.shown if not it.known and it.at is not None]
        if piece.furthest is not None:
            places.append(piece.furthest)
        if not places:
            return None
        return max(places) if piece.direction == "asc" else min(places)

    def vanished(self, piece: Slice, bounds: Interval) -> int:
        """Return how many records the parts hold inside `bounds` that the API did not show.

        Those without a position are left out, because nobody knows which of them lie inside.
        """
        held = sum(it.at is not None and within(it.at, bounds) for it in self.index.values())
        known_unplaced = piece.counts.unplaced - len(piece.unplaced)
        return max(0, held - (piece.counts.known - known_unplaced))

    def _seen_ahead_of(self, piece: Slice) -> Iterator[Seen]:
        other = other_field(self.axis)
        for at, record, *_ in self.shown:
            if at is not None and _may_repeat(piece, at, record.on(other)):
                yield Seen(
                    at=at,
                    other=record.on(other),
                    identity=record.identity,
                    content=record.content,
                )


def sift(page: Page, piece: Slice, axis: Axis, index: Index) -> Sifted:
    """Sort a page's records by the query, by the slice, and by what parts hold."""
    places = [record.on(axis) for record in page.records]
    asked_for = _asked_for(places, piece.remaining)
    paired = zip(places, page.records, asked_for, strict=True)
    inside = [(at, record) for at, record, asked in paired if asked]
    remembered = _Remembered(piece)
    shown: dict[IdentifiedBy, Shown] = {}
    changed = 0
    for at, record in inside:
        name = record.identified_by
        if name in shown:
            changed += shown[name].record.line != record.line
        elif remembered.has(at, record):
            changed += remembered.with_other_bytes(record)
        else:
            shown[name] = _shown(at, record, index.get(record.identity) if index else None)
    return Sifted(
        page=page,
        axis=axis,
        index=index,
        shown=tuple(shown.values()),
        places=frozenset(at for at, _ in inside if at is not None),
        unplaced=sum(at is None for at, _ in inside),
        repeated=len(inside) - len(shown) - changed,
        changed=changed,
        outside=len(places) - len(inside),
        marks=_marks(places, page.nulls, piece.remaining) if page.nulls else (),
    )


class _Remembered:
    """What a slice remembers of its earlier pages.

    It remembers digests, which cost more than everything else here. So they are computed only of
    records that stand where it remembers one.
    """

    def __init__(self, piece: Slice) -> None:
        self._seen = {seen.identity: seen.content for seen in piece.seen}
        self._places: set[int | None] = {seen.at for seen in piece.seen}
        self._unplaced = {*piece.unplaced, *piece.earlier}

    def has(self, at: int | None, record: Record) -> bool:
        """Say whether the slice has seen this record at this position."""
        if at is None:
            return bool(self._unplaced) and record.identity in self._unplaced
        return at in self._places and record.identity in self._seen

    def with_other_bytes(self, record: Record) -> bool:
        """Say whether it has seen it with other bytes, as far as it knows."""
        identity = record.identity
        return identity in self._seen and self._seen[identity] != record.content


def _asked_for(places: Sequence[int | None], bounds: Interval) -> Iterator[bool]:
    """Say for each record whether the query asked for it.

    A record without a position lies between its neighbours. It was not asked for if neither of them
    was.
    """
    if None not in places:
        return (within(at, bounds) for at in places if at is not None)
    return _asked_for_nearby(places, bounds)


def _asked_for_nearby(places: Sequence[int | None], bounds: Interval) -> Iterator[bool]:
    after = iter(reversed([*_nearest(reversed(places))]))
    for at, left, right in zip(places, _nearest(places), after, strict=True):
        near = [it for it in (at, left, right) if it is not None]
        yield within(at, bounds) if at is not None else _any_within(near, bounds)


def _nearest(places: Iterable[int | None]) -> Iterator[int | None]:
    """Yield for each place the latest position up to and including it."""
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
    changed = stored is not None and stored.checksum != record.checksum
    return Shown(at=at, record=record, known=stored is not None, changed=changed)


def _lateness(before: dict[str, int], late: Iterable[Record]) -> dict[str, int]:
    grown = dict(before)
    for record in late:
        if record.created is not None and record.timestamp is not None:
            name = _class_of(record.created - record.timestamp)
            grown[name] = grown.get(name, 0) + 1
    return grown


def _class_of(lateness: int) -> str:
    return next((name for name, most in LATENESS if lateness <= most), LATER)


def _may_repeat(piece: Slice, at: int, other: int | None) -> bool:
    """Say whether a later page of the slice may show a record there."""
    dense = piece.dense
    if piece.mode != "dense" or dense is None:
        return within(at, piece.remaining)
    if at != dense.millisecond:
        return within(at, piece.ahead)
    if dense.cursor is None or other is None:
        return True
    return other >= dense.cursor if dense.direction == "asc" else other <= dense.cursor
