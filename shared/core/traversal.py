"""The traversal of one slice, sans I/O: slice → query, slice + page → what to store and do next.

Written once for both directions. The cursor `at` divides a slice into what is known and what
remains: with `asc` everything before `at` is known, with `desc` everything from `at` on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import msgspec

from shared.core.answers import Fault
from shared.core.intervals import Interval
from shared.core.model import (
    HOUR_MS,
    LIMIT_MIN,
    SECOND_MS,
    Axis,
    Block,
    Counts,
    Direction,
    Policy,
    Query,
    Seen,
    Slice,
)
from shared.core.records import Page, Record

PART_PAGES = 16
"""A part closes early at this many pages: 20 to 55 MB compressed, which readers like."""

PART_BYTES = 64 * 1024 * 1024
"""A part closes early at this compressed size, however few its pages."""

FAULTS_PER_ESCALATION = 3
"""After so many faults in a row a slice asks for less: half the limit, half the interval."""

BACKOFF_FIRST_MS = 5_000
"""The first back-off is drawn from up to this long, and doubles with every fault."""

BLOCKED_RETRY_MS = HOUR_MS
"""How often a blocked slice is tried again, and the longest that anything ever waits."""

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A slice of which one interval is proven, and may be committed.

    Attributes:
        slice: with all its blocks.
        start: first proven millisecond.
        end: first millisecond after the proven ones.
    """

    slice: Slice
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one answer did to a slice.

    Attributes:
        records: to stage as the slice's next block before anything else, possibly none.
        goes_on: the slice as it continues, None when it does not.
        finished: what may be committed, if anything.
        opened: slices that take over what is not proven.
        fault: the fault that led here, for the log.
    """

    records: tuple[Record, ...] = ()
    goes_on: Slice | None = None
    finished: Finished | None = None
    opened: tuple[Slice, ...] = ()
    fault: Fault | None = None

    def with_block(self, block: Block) -> "Turn":
        """Return the turn with its records staged as `block`."""
        if self.finished:
            piece = _staged(self.finished.slice, block)
            return replace(self, finished=replace(self.finished, slice=piece))
        if self.goes_on:
            return replace(self, goes_on=_staged(self.goes_on, block))
        raise ValueError("a turn with records keeps or finishes its slice")


def _staged(piece: Slice, block: Block) -> Slice:
    return change(piece, blocks=(*piece.blocks, block))


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
        at=start if direction == "asc" else end,
    )


def same_again(piece: Slice, bounds: Interval) -> Slice:
    """Return a fresh slice over `bounds` that keeps the direction and limit of `piece`."""
    return fresh_slice(
        bounds, pass_name=piece.pass_name, direction=piece.direction, limit=piece.limit
    )


def next_query(piece: Slice, policy: Policy) -> Query:
    """Return the slice's next request.

    The continuation is sent back verbatim; without one, the user's filters and what remains of
    the slice as inclusive bounds (`gte`, `lte`).
    """
    start, end = remaining(piece)
    afresh = {**policy.filters, policy.axis: {"gte": start, "lte": end - 1}}
    verbatim = None if piece.continuation is None else msgspec.Raw(piece.continuation.encode())
    asked = {
        "filters": afresh if verbatim is None else verbatim,
        "isScan": True,
        "limit": piece.limit,
        "sortField": policy.axis,
        "sortDirection": piece.direction,
    }
    return Query(body=msgspec.json.encode(asked))


def remaining(piece: Slice) -> Interval:
    """Return the half-open interval that is not known yet."""
    return (piece.at, piece.end) if piece.direction == "asc" else (piece.start, piece.at)


def absorb(piece: Slice, page: Page, policy: Policy) -> Turn | Fault:
    """Take a page into the slice.

    Returns a fault where the page contradicts the query or itself; the slice is then unchanged.
    """
    placed = list(_placed(page.records, piece, policy.axis))
    inside = [(at, record) for at, record in placed if _within(at, remaining(piece))]
    if placed and not inside:
        return Fault(kind="malformed", detail="every record is outside the queried interval")
    cursor = _cursor(page, piece, policy.axis)
    if isinstance(cursor, Fault):
        return cursor
    if cursor is None and not page.records and page.total:
        detail = f"no records and no next page, but a total of {page.total}"
        return Fault(kind="malformed", detail=detail)
    kept, counts = _unrepeated(inside, piece)
    outside, drifted = len(placed) - len(inside), _drifted(page, piece, policy)
    counts = counts.plus(outside=outside, drifted=int(drifted))
    healthy = change(piece, counts=counts, faults=0, fault=None, not_before=0, blocked=False)
    if cursor is None or not _within(cursor, _cursor_range(piece)):
        return _finish(healthy, kept)
    moved = change(healthy, at=cursor, continuation=page.continuation)
    return _advance(healthy, moved, kept, policy.axis)


def _placed(records: Iterable[Record], piece: Slice, axis: Axis) -> Iterator[tuple[int, Record]]:
    """Yield each record with its position; one that has none stands beside the one before it."""
    at = piece.at if piece.direction == "asc" else piece.at - 1
    for record in records:
        own = record.on(axis)
        at = at if own is None else own
        yield at, record


def _within(at: int, bounds: Interval) -> bool:
    return bounds[0] <= at < bounds[1]


def _cursor(page: Page, piece: Slice, axis: Axis) -> int | Fault | None:
    """Return where the continuation stands, None when there is no more."""
    if not page.has_next or page.continuation is None:
        return None
    bound = "gte" if piece.direction == "asc" else "lte"
    filters = msgspec.json.decode(page.continuation)
    on_axis = filters.get(axis)
    value = on_axis.get(bound) if isinstance(on_axis, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        detail = f"nextQueryFilters has no {axis}.{bound} to go on from"
        return Fault(kind="malformed", detail=detail)
    cursor = value if piece.direction == "asc" else value + 1
    if not _ahead(piece, cursor):
        detail = f"hasNext, but the cursor does not move on: {piece.at} to {cursor}"
        return Fault(kind="malformed", detail=detail)
    return cursor


def _ahead(piece: Slice, cursor: int) -> bool:
    return cursor > piece.at if piece.direction == "asc" else cursor < piece.at


def _cursor_range(piece: Slice) -> Interval:
    """Return where a cursor still leaves something to ask for."""
    if piece.direction == "asc":
        return (piece.start, piece.end)
    return (piece.start + 1, piece.end + 1)


def _drifted(page: Page, piece: Slice, policy: Policy) -> bool:
    """Say whether the continuation asks for something else than we did, cursor apart."""
    if not page.has_next or page.continuation is None:
        return False
    filters = msgspec.json.decode(page.continuation)
    other = {"lte": piece.end - 1} if piece.direction == "asc" else {"gte": piece.start}
    on_axis = filters.pop(policy.axis, {})
    moved = "gte" if piece.direction == "asc" else "lte"
    still = {name: value for name, value in on_axis.items() if name != moved}
    return bool(filters != policy.filters or still != other)


def _unrepeated(
    inside: list[tuple[int, Record]], piece: Slice
) -> tuple[list[tuple[int, Record]], Counts]:
    """Drop what this slice has stored already, whatever page showed it."""
    before = {seen.identity: seen.content for seen in piece.seen}
    here: dict[str, Record] = {}
    kept: list[tuple[int, Record]] = []
    changed = 0
    for at, record in inside:
        identity = record.identity
        if identity in before:
            changed += before[identity] != record.content
        elif identity in here:
            changed += here[identity].line != record.line
        else:
            here[identity] = record
            kept.append((at, record))
    repeated = len(inside) - len(kept) - changed
    return kept, piece.counts.plus(repeated=repeated, changed=changed)


def _finish(piece: Slice, kept: list[tuple[int, Record]]) -> Turn:
    records = tuple(record for _, record in kept)
    done = change(_counted(piece, records), seen=(), continuation=None)
    return Turn(records=records, finished=Finished(slice=done, start=piece.start, end=piece.end))


def _advance(piece: Slice, moved: Slice, kept: list[tuple[int, Record]], axis: Axis) -> Turn:
    if _is_full(piece) and _may_close(piece, moved.at):
        return _close_early(piece, kept, moved.at)
    records = tuple(record for _, record in kept)
    seen = [seen for seen in piece.seen if _within(seen.at, remaining(moved))]
    seen += [_as_seen(at, record, axis) for at, record in kept if _within(at, remaining(moved))]
    moved = change(_counted(moved, records), seen=tuple(seen), furthest=_furthest(piece, kept))
    return Turn(records=records, goes_on=moved)


def _is_full(piece: Slice) -> bool:
    size = sum(block.size for block in piece.blocks)
    return len(piece.blocks) + 1 >= PART_PAGES or size >= PART_BYTES


def _may_close(piece: Slice, cursor: int) -> bool:
    """Say whether no staged record stands at or after the cursor, so that it can divide."""
    if piece.furthest is None:
        return True
    return piece.furthest < cursor if piece.direction == "asc" else piece.furthest >= cursor


def _close_early(piece: Slice, kept: list[tuple[int, Record]], cursor: int) -> Turn:
    """Finish what is proven up to the cursor; a new slice asks for the rest afresh."""
    rest = remaining(change(piece, at=cursor))
    proven = (piece.start, cursor) if piece.direction == "asc" else (cursor, piece.end)
    records = tuple(record for at, record in kept if _within(at, proven))
    done = change(_counted(piece, records), seen=(), continuation=None, at=cursor)
    return Turn(
        records=records,
        finished=Finished(slice=done, start=proven[0], end=proven[1]),
        opened=(same_again(piece, rest),),
    )


def _counted(piece: Slice, records: tuple[Record, ...]) -> Slice:
    irregular = sum(record.original is not None for record in records)
    return change(piece, counts=piece.counts.plus(records=len(records), irregular=irregular))


def _as_seen(at: int, record: Record, axis: Axis) -> Seen:
    other = record.on("created" if axis == "date" else "date")
    return Seen(at=at, other=other, identity=record.identity, content=record.content)


def _furthest(piece: Slice, kept: list[tuple[int, Record]]) -> int | None:
    """Return the position of the staged record that stands farthest along the direction."""
    places = [at for at, _ in kept]
    if piece.furthest is not None:
        places.append(piece.furthest)
    if not places:
        return None
    return max(places) if piece.direction == "asc" else min(places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Whether the ledger has room for one more slice of each kind.

    Attributes:
        open: not blocked.
        blocked: blocked.
    """

    open: bool
    blocked: bool


def retreat(piece: Slice, fault: Fault, *, now: int, jitter: float, room: Room) -> Turn:
    """Answer a fault: back off, after three in a row ask for less, at the end block.

    Args:
        piece: the slice that met the fault.
        fault: what came instead of a page.
        now: epoch milliseconds.
        jitter: a random number in [0, 1) for the back-off.
        room: for more slices.
    """
    faults = piece.faults + 1
    wait = min(BACKOFF_FIRST_MS * 2 ** min(faults - 1, 16), BLOCKED_RETRY_MS)
    struck = change(
        piece,
        faults=faults,
        fault=fault.detail,
        not_before=now + int(wait * jitter),
        counts=piece.counts.plus(faults=1),
        continuation=None if fault.kind == "malformed" else piece.continuation,
    )
    if piece.blocked:
        return Turn(goes_on=_blocked(struck, now, room), fault=fault)
    if faults % FAULTS_PER_ESCALATION:
        return Turn(goes_on=struck, fault=fault)
    if fault.kind == "transient" and piece.limit > LIMIT_MIN:
        lighter = change(struck, limit=max(LIMIT_MIN, piece.limit // 2))
        return Turn(goes_on=lighter, fault=fault)
    return _bisect(struck, fault, now=now, room=room)


def _bisect(piece: Slice, fault: Fault, *, now: int, room: Room) -> Turn:
    """Cut what remains in two, so that only the poisoned half suffers."""
    divisible = _may_close(piece, piece.at)
    start, end = remaining(piece) if divisible else (piece.start, piece.end)
    middle = (start + end) // 2 // SECOND_MS * SECOND_MS
    if not room.open or end - start <= SECOND_MS or not start < middle < end:
        return Turn(goes_on=_blocked(piece, now, room), fault=fault)
    halves = ((start, middle), (middle, end))
    opened = tuple(
        change(same_again(piece, half), fault=fault.detail, not_before=piece.not_before)
        for half in halves
    )
    if not divisible or (start, end) == (piece.start, piece.end):
        return Turn(opened=opened, fault=fault)
    proven = (piece.start, start) if piece.direction == "asc" else (end, piece.end)
    done = change(piece, seen=(), continuation=None)
    finished = Finished(slice=done, start=proven[0], end=proven[1])
    return Turn(finished=finished, opened=opened, fault=fault)


def _blocked(piece: Slice, now: int, room: Room) -> Slice:
    blocked = piece.blocked or room.blocked
    return change(piece, blocked=blocked, not_before=now + BLOCKED_RETRY_MS)
