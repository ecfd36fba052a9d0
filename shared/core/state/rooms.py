"""How many slices may be open or blocked at once, and which one gives way when there is no room."""

from shared.core.model import (
    Ledger,
    Slice,
)
from shared.core.slices.retreat import Outlook, Room, is_ripe, is_stuck
from shared.core.state.planning import is_sweep

OPEN_SLICES = 64
"""Slices that may be open and not blocked, and as many of the first pass that may be blocked."""

BLOCKED_SWEEPS = 16
"""Slices of sweeps that may be blocked; while there are as many, no sweep is opened."""


def ripest(ledger: Ledger, *, sweeps: bool) -> Slice | None:
    """Return the poisoned second that gives way where blocked slices have no room; None if none."""
    if room_in(ledger, sweeps=sweeps).blocked or not is_crowded(ledger, sweeps=sweeps):
        return None
    outlook = Outlook(pages=ledger.pages)
    ripe = [it for it in ledger.open if is_sweep(it) == sweeps and is_ripe(it, outlook)]
    return max(ripe, key=lambda it: it.poisoned, default=None)


def room_in(ledger: Ledger, *, sweeps: bool = False) -> Room:
    """Return which slices the ledger has room for.

    What is blocked never takes the room of what is not, nor a sweep's the room of the first pass.
    """
    unblocked = sum(not piece.blocked for piece in ledger.open)
    blocked = sum(piece.blocked for piece in ledger.open if is_sweep(piece) == sweeps)
    most = BLOCKED_SWEEPS if sweeps else OPEN_SLICES
    return Room(open=unblocked < OPEN_SLICES, blocked=blocked < most)


def is_crowded(ledger: Ledger, *, sweeps: bool) -> bool:
    """Say whether as many slices of the first pass, or of sweeps, are stuck as may be blocked."""
    stuck = sum(is_stuck(piece) for piece in ledger.open if is_sweep(piece) == sweeps)
    return stuck >= (BLOCKED_SWEEPS if sweeps else OPEN_SLICES)


def to_halve(ledger: Ledger) -> Slice | None:
    """Return the oldest slice that was blocked for want of room, once there is room for halves."""
    unblocked = sum(not piece.blocked for piece in ledger.open)
    if unblocked + 2 > OPEN_SLICES:
        return None
    return next((it for it in ledger.open if it.blocked and it.cramped), None)
