"""What a slice does about a fault: back off, then ask for less, at the end be blocked.

A second that stays poisoned is finished in doubt, so that it holds nothing up. An outage is not
poison: faults only count while other slices receive pages.
"""

from dataclasses import dataclass, replace

import msgspec

from shared.core.api.answers import Fault
from shared.core.intervals import Interval
from shared.core.model import FIRST_PASS, HOUR_MS, LIMIT_MIN, SECOND_MS, Doubt, Slice
from shared.core.slices.transitions import Draft, Finished

FAULTS_PER_ESCALATION = 3
"""After so many faults in a row a slice asks for less: half the limit, half the interval."""

BACKOFF_FIRST_MS = 5_000
"""The first back-off is drawn from up to this long, and doubles with every fault."""

BLOCKED_RETRY_MS = HOUR_MS
"""How often a blocked slice is tried again, and the longest that anything ever waits."""

POISONED_FAULTS = 24
"""A blocked second is retried hourly; after a day of faults it is finished in doubt."""

RIPE_FAULTS = 6
"""A blocked second with as many may make room for others, a few hours after it was blocked."""

POISON_KINDS = frozenset({"malformed", "transient"})
"""Only what the API itself answers, or fails to, can show that time is poisoned."""

POISONED = "the API answered for other time and never for this"

DROPS_CONTINUATION = frozenset({"malformed", "unexpected"})
"""After such a fault a slice asks afresh: its continuation may be what led to it."""

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Whether the ledger has room for one more slice of each kind.

    Attributes:
        open: not blocked.
        blocked: blocked.
    """

    open: bool
    blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a slice cannot know by itself.

    Attributes:
        pages: how many pages the scan has received.
        again: whether a later sweep will look at its time again.
        crowded: whether as many slices are stuck as may be blocked.
    """

    pages: int = 0
    again: bool = False
    crowded: bool = False


def retreat(  # noqa: PLR0913 - the facts of a fault, by name
    piece: Slice,
    fault: Fault,
    *,
    now: int,
    jitter: float,
    room: Room,
    outlook: Outlook = Outlook(),
) -> Draft:
    """Answer a fault: back off, after three in a row ask for less, at the end block.

    Args:
        piece: the slice that met the fault.
        fault: what came instead of a page.
        now: epoch milliseconds.
        jitter: a random number in [0, 1) for the back-off.
        room: for more slices.
        outlook: decides whether a second that stays poisoned is finished in doubt.
    """
    faults = piece.faults + 1
    wait = min(BACKOFF_FIRST_MS * 2 ** min(faults - 1, 16), BLOCKED_RETRY_MS)
    struck = change(
        piece,
        faults=faults,
        fault=fault.detail,
        not_before=now + max(int(wait * jitter), fault.wait),
        counts=piece.counts.plus(faults=1),
        continuation=None if fault.kind in DROPS_CONTINUATION else piece.continuation,
        pages_at_fault=outlook.pages,
        poisoned=piece.poisoned + shows_poison(piece, fault, outlook.pages),
    )
    if fault.kind == "unreadable":
        return Draft(goes_on=_blocked(struck, now, room), fault=fault)
    if not piece.blocked:
        if faults % FAULTS_PER_ESCALATION:
            return Draft(goes_on=struck, fault=fault)
        if fault.kind == "transient" and piece.limit > LIMIT_MIN:
            lighter = change(struck, limit=max(LIMIT_MIN, piece.limit // 2))
            return Draft(goes_on=lighter, fault=fault)
    if _halves(struck) is not None:
        return _bisect(struck, fault, now=now, room=room)
    if struck.poisoned > piece.poisoned and _is_hopeless(struck, room, outlook):
        return Draft(finished=doubted(struck), fault=fault)
    return Draft(goes_on=_blocked(struck, now, room), fault=fault)


def shows_poison(piece: Slice, fault: Fault, pages: int) -> bool:
    """Say whether another slice has received a page since the last fault of this one.

    Halves carry on from the fault that cut their slice in two.
    """
    answered = piece.fault is not None and pages > piece.pages_at_fault
    return answered and fault.kind in POISON_KINDS


def _is_hopeless(piece: Slice, room: Room, outlook: Outlook) -> bool:
    """Say whether to go on without a poisoned second, because it or the room is exhausted.

    Where no later sweep will look, only the lack of room is a reason; otherwise such a second is
    retried until the end of the API's reach. In an outage the room fills with slices that could be
    halved, so that is not a reason.
    """
    exhausted = piece.pass_name != FIRST_PASS or piece.poisoned >= POISONED_FAULTS
    if not piece.blocked and not room.blocked:
        return outlook.again or outlook.crowded or exhausted
    return exhausted and outlook.again


def is_stuck(piece: Slice) -> bool:
    """Say whether a slice waits for the API to heal, and not for room."""
    if piece.blocked:
        return not piece.cramped
    return piece.faults >= FAULTS_PER_ESCALATION and _halves(piece) is None


def doubted(piece: Slice) -> Finished:
    """Return a slice finished as it is, with what it has not shown in doubt."""
    plain = piece.paging()
    start, end = plain.ahead
    doubt = Doubt(start=start, end=end, reason=POISONED)
    done = change(plain, seen=(), continuation=None, doubt=(*piece.doubt, doubt))
    return Finished(slice=done, start=piece.start, end=piece.end)


def is_ripe(piece: Slice, outlook: Outlook) -> bool:
    """Say whether a blocked second may be finished in doubt to make room for others."""
    proven = piece.poisoned >= RIPE_FAULTS and outlook.pages > piece.pages_at_fault
    return piece.blocked and proven and _halves(piece) is None


def halved(piece: Slice, now: int) -> Draft:
    """Return a slice that was blocked for want of room, cut in two at last."""
    halves = _halves(piece)
    if halves is None:
        return Draft(goes_on=change(piece, cramped=False))
    return _cut(change(piece, not_before=now), halves)


def close(held_up: Slice) -> Draft:
    """Finish what is known of a slice without asking for the rest.

    Where records beyond the cursor are staged, nothing can be finished, and they are dropped.
    """
    piece = held_up.paging()
    start, end = piece.known_up_to(piece.cursor)
    if start >= end or not piece.may_divide(piece.cursor):
        return Draft()
    done = change(piece, seen=(), continuation=None)
    return Draft(finished=Finished(slice=done, start=start, end=end))


def _bisect(held_up: Slice, fault: Fault, *, now: int, room: Room) -> Draft:
    """Cut what remains in two, so that only the poisoned half suffers."""
    halves = _halves(held_up)
    if held_up.blocked and not held_up.cramped:
        return Draft(goes_on=_blocked(held_up, now, room), fault=fault)
    if halves is None or not room.open:
        cramped = _blocked(held_up, now, room)
        return Draft(goes_on=change(cramped, cramped=cramped.blocked), fault=fault)
    return replace(_cut(held_up, halves), fault=fault)


def _halves(held_up: Slice) -> tuple[Interval, Interval] | None:
    """Return what a slice can be cut into, at a whole second; None when it is too short."""
    piece = held_up.paging()
    start, end = piece.remaining if piece.may_divide(piece.cursor) else (piece.start, piece.end)
    middle = (start + end) // 2 // SECOND_MS * SECOND_MS
    if end - start <= SECOND_MS or not start < middle < end:
        return None
    return (start, middle), (middle, end)


def _cut(held_up: Slice, halves: tuple[Interval, Interval]) -> Draft:
    piece = held_up.paging()
    whole = (halves[0][0], halves[1][1]) == (piece.start, piece.end)
    opened = tuple(
        change(
            piece.same_again(half) if whole else piece.carried_on(half),
            fault=piece.fault,
            not_before=piece.not_before,
            pages_at_fault=piece.pages_at_fault,
        )
        for half in halves
    )
    if whole:
        return Draft(opened=opened)
    proven = piece.known_up_to(piece.cursor)
    done = change(piece, seen=(), continuation=None)
    return Draft(finished=Finished(slice=done, start=proven[0], end=proven[1]), opened=opened)


def _blocked(piece: Slice, now: int, room: Room) -> Slice:
    blocked = piece.blocked or room.blocked
    return change(piece, blocked=blocked, not_before=now + BLOCKED_RETRY_MS)
