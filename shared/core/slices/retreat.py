"""What a slice does after a fault: it backs off, then asks for less, and in the end is blocked.

A second that stays poisoned is finished in doubt, so that it does not hold up anything else. An
outage is not poison: faults count only while other slices receive pages.
"""

from dataclasses import dataclass, replace

import msgspec

from shared.core.api.answers import Fault
from shared.core.intervals import Interval
from shared.core.model import FIRST_PASS, HOUR_MS, LIMIT_MIN, POISONED, SECOND_MS, Doubt, Slice
from shared.core.slices.transitions import Draft, Finished

FAULTS_PER_ESCALATION = 3
"""After this many faults in a row a slice asks for less: half the limit, or half the interval."""

BACKOFF_FIRST_MS = 5_000
"""The longest first back-off. It doubles with every fault, and the wait is drawn below it."""

BLOCKED_RETRY_MS = HOUR_MS
"""How often a blocked slice is tried again. Nothing ever waits longer."""

POISONED_FAULTS = 24
"""A blocked second is retried hourly. After this many faults, a day, it is finished in doubt."""

RIPE_FAULTS = 6
"""With this many faults, a few hours after it was blocked, a second may make room for others."""

POISON_KINDS = frozenset({"malformed", "transient"})
"""Only an answer of the API, or the lack of one, can show that time is poisoned."""

DROPS_CONTINUATION = frozenset({"malformed", "unexpected"})
"""After such a fault a slice starts a fresh query, because its continuation may be the cause."""

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the answer to a fault depends on beyond the slice.

    Attributes:
        pages: how many pages the scan has received.
        again: whether a later sweep will look at the slice's time again.
        crowded: whether as many slices are stuck as may be blocked.
        may_open: whether the ledger has room for one more slice that is not blocked.
        may_block: whether it has room for one more blocked slice.
    """

    pages: int
    again: bool
    crowded: bool
    may_open: bool
    may_block: bool


def retreat(piece: Slice, fault: Fault, outlook: Outlook, *, now: int, jitter: float) -> Draft:
    """Answer a fault: back off; after three in a row ask for less; in the end, block the slice.

    Args:
        piece: the slice that met the fault.
        fault: what came instead of a page.
        outlook: how the scan stands.
        now: epoch milliseconds.
        jitter: a random number in [0, 1) for the back-off.
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
        return Draft(goes_on=_blocked(struck, now, outlook), fault=fault)
    if not piece.blocked:
        if faults % FAULTS_PER_ESCALATION:
            return Draft(goes_on=struck, fault=fault)
        if fault.kind == "transient" and piece.limit > LIMIT_MIN:
            lighter = change(struck, limit=max(LIMIT_MIN, piece.limit // 2))
            return Draft(goes_on=lighter, fault=fault)
    if _halves(struck) is not None:
        return _bisect(struck, fault, outlook, now=now)
    if struck.poisoned > piece.poisoned and _is_hopeless(struck, outlook):
        return Draft(finished=doubted(struck), fault=fault)
    return Draft(goes_on=_blocked(struck, now, outlook), fault=fault)


def shows_poison(piece: Slice, fault: Fault, pages: int) -> bool:
    """Say whether another slice has received a page since the last fault of this one.

    The halves of a slice inherit the fault that cut it in two.
    """
    answered = piece.fault is not None and pages > piece.pages_at_fault
    return answered and fault.kind in POISON_KINDS


def _is_hopeless(piece: Slice, outlook: Outlook) -> bool:
    """Say whether to give up a poisoned second, because its retries or the room are exhausted.

    If no later sweep will look at it, only a lack of room is a reason; otherwise the second is
    retried until it leaves the API's reach. In an outage the room fills with slices that could
    still be halved, which is not a reason.
    """
    exhausted = piece.pass_name != FIRST_PASS or piece.poisoned >= POISONED_FAULTS
    if not piece.blocked and not outlook.may_block:
        return outlook.again or outlook.crowded or exhausted
    return exhausted and outlook.again


def is_stuck(piece: Slice) -> bool:
    """Say whether a slice waits for the API to recover, rather than for room."""
    if piece.blocked:
        return not piece.cramped
    return piece.faults >= FAULTS_PER_ESCALATION and _halves(piece) is None


def doubted(piece: Slice) -> Finished:
    """Return the slice finished as it is. What the API has not shown of it is in doubt."""
    plain = piece.paging()
    start, end = plain.ahead
    doubt = Doubt(start=start, end=end, reason=POISONED)
    done = change(plain, seen=(), continuation=None, doubt=(*piece.doubt, doubt))
    return Finished(slice=done, start=piece.start, end=piece.end)


def is_ripe(piece: Slice, pages: int) -> bool:
    """Say whether a blocked second may be finished in doubt to make room for others.

    Args:
        piece: the slice.
        pages: how many pages the scan has received.
    """
    proven = piece.poisoned >= RIPE_FAULTS and pages > piece.pages_at_fault
    return piece.blocked and proven and _halves(piece) is None


def halved(piece: Slice, now: int) -> Draft:
    """Cut a slice in two that was blocked only for want of room."""
    halves = _halves(piece)
    if halves is None:
        return Draft(goes_on=change(piece, cramped=False))
    return _cut(change(piece, not_before=now), halves)


def close(held_up: Slice) -> Draft:
    """Finish what is known of a slice without asking for the rest.

    If records beyond the cursor are staged, nothing can be finished, and they are dropped.
    """
    piece = held_up.paging()
    start, end = piece.known_up_to(piece.cursor)
    if start >= end or not piece.may_divide(piece.cursor):
        return Draft()
    done = change(piece, seen=(), continuation=None)
    return Draft(finished=Finished(slice=done, start=start, end=end))


def _bisect(held_up: Slice, fault: Fault, outlook: Outlook, *, now: int) -> Draft:
    """Cut what remains in two, so that only the poisoned half suffers."""
    halves = _halves(held_up)
    if held_up.blocked and not held_up.cramped:
        return Draft(goes_on=_blocked(held_up, now, outlook), fault=fault)
    if halves is None or not outlook.may_open:
        cramped = _blocked(held_up, now, outlook)
        return Draft(goes_on=change(cramped, cramped=cramped.blocked), fault=fault)
    return replace(_cut(held_up, halves), fault=fault)


def _halves(held_up: Slice) -> tuple[Interval, Interval] | None:
    """Return the halves of a slice, cut at a whole second; None if it is too short."""
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


def _blocked(piece: Slice, now: int, outlook: Outlook) -> Slice:
    since = now if outlook.may_block and not piece.blocked else piece.blocked_since
    return change(piece, blocked_since=since, not_before=now + BLOCKED_RETRY_MS)
