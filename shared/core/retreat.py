"""What a slice does about a fault: back off, then ask for less, at the end be blocked."""

from dataclasses import dataclass

import msgspec

from shared.core.answers import Fault
from shared.core.cursor import carried_on, known_until, may_divide, past, remaining, same_again
from shared.core.model import HOUR_MS, LIMIT_MIN, SECOND_MS, Slice
from shared.core.turns import Finished, Turn

FAULTS_PER_ESCALATION = 3
"""After so many faults in a row a slice asks for less: half the limit, half the interval."""

BACKOFF_FIRST_MS = 5_000
"""The first back-off is drawn from up to this long, and doubles with every fault."""

BLOCKED_RETRY_MS = HOUR_MS
"""How often a blocked slice is tried again, and the longest that anything ever waits."""

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
        not_before=now + max(int(wait * jitter), fault.wait),
        counts=piece.counts.plus(faults=1),
        continuation=None if fault.kind in DROPS_CONTINUATION else piece.continuation,
    )
    if piece.blocked or fault.kind == "unreadable":
        return Turn(goes_on=_blocked(struck, now, room), fault=fault)
    if faults % FAULTS_PER_ESCALATION:
        return Turn(goes_on=struck, fault=fault)
    if fault.kind == "transient" and piece.limit > LIMIT_MIN:
        lighter = change(struck, limit=max(LIMIT_MIN, piece.limit // 2))
        return Turn(goes_on=lighter, fault=fault)
    return _bisect(struck, fault, now=now, room=room)


def close(held_up: Slice) -> Turn:
    """Finish what is known of a slice without asking for the rest.

    Where records beyond the cursor are staged, nothing can be finished, and they are dropped.
    """
    piece = _paging(held_up)
    start, end = known_until(piece, piece.at)
    if start >= end or not may_divide(piece, piece.at):
        return Turn()
    done = change(piece, seen=(), continuation=None)
    return Turn(finished=Finished(slice=done, start=start, end=end))


def _bisect(held_up: Slice, fault: Fault, *, now: int, room: Room) -> Turn:
    """Cut what remains in two, so that only the poisoned half suffers."""
    piece = _paging(held_up)
    divisible = may_divide(piece, piece.at)
    start, end = remaining(piece) if divisible else (piece.start, piece.end)
    middle = (start + end) // 2 // SECOND_MS * SECOND_MS
    if not room.open or end - start <= SECOND_MS or not start < middle < end:
        return Turn(goes_on=_blocked(held_up, now, room), fault=fault)
    halves = ((start, middle), (middle, end))
    whole = not divisible or (start, end) == (piece.start, piece.end)
    opened = tuple(
        change(
            same_again(piece, half) if whole else carried_on(piece, half),
            fault=fault.detail,
            not_before=piece.not_before,
        )
        for half in halves
    )
    if whole:
        return Turn(opened=opened, fault=fault)
    proven = known_until(piece, piece.at)
    done = change(piece, seen=(), continuation=None)
    return Turn(
        finished=Finished(slice=done, start=proven[0], end=proven[1]), opened=opened, fault=fault
    )


def _paging(piece: Slice) -> Slice:
    """Return the slice without what it is held up at; what the probes found is asked for again."""
    if piece.mode == "opposite" and piece.dense:
        piece = change(piece, at=past(piece, piece.dense.at))
    return change(piece, mode="page", dense=None)


def _blocked(piece: Slice, now: int, room: Room) -> Slice:
    blocked = piece.blocked or room.blocked
    return change(piece, blocked=blocked, not_before=now + BLOCKED_RETRY_MS)
