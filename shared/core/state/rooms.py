"""How many slices may be open or blocked at once, and which one gives way when there is no room."""

from shared.core.model import Ledger, Slice
from shared.core.slices.retreat import is_ripe, is_stuck
from shared.core.state.planning import is_sweep

OPEN_SLICES = 64
"""Slices that may be open and not blocked, and as many of the first pass that may be blocked."""

BLOCKED_SWEEPS = 16
"""Slices of sweeps that may be blocked; while there are as many, no sweep is opened."""


def ripest(ledger: Ledger, *, sweeps: bool) -> Slice | None:
    """Return the poisoned second that gives way where blocked slices have no room; None if none."""
    if may_block(ledger, sweeps=sweeps) or not is_crowded(ledger, sweeps=sweeps):
        return None
    ripe = [it for it in ledger.open if is_sweep(it) == sweeps and is_ripe(it, ledger.pages)]
    return max(ripe, key=lambda it: it.poisoned, default=None)


def may_open(ledger: Ledger, count: int = 1) -> bool:
    """Say whether there is room for so many more slices. Blocked ones never take that room."""
    unblocked = [it for it in ledger.open if it.blocked_since is None]
    return len(unblocked) + count <= OPEN_SLICES


def may_block(ledger: Ledger, *, sweeps: bool) -> bool:
    """Say whether one more slice of the first pass, or of the sweeps, may be blocked.

    Neither takes the room of the other.
    """
    blocked = [it for it in ledger.open if it.blocked and is_sweep(it) == sweeps]
    return len(blocked) < _most_blocked(sweeps=sweeps)


def is_crowded(ledger: Ledger, *, sweeps: bool) -> bool:
    """Say whether as many slices of the first pass, or of sweeps, are stuck as may be blocked."""
    most = _most_blocked(sweeps=sweeps)
    if len(ledger.open) < most:
        return False
    stuck = [it for it in ledger.open if is_stuck(it) and is_sweep(it) == sweeps]
    return len(stuck) >= most


def to_halve(ledger: Ledger) -> Slice | None:
    """Return the oldest slice that was blocked for want of room, once there is room for halves."""
    if not may_open(ledger, 2):
        return None
    return next((it for it in ledger.open if it.blocked and it.cramped), None)


def _most_blocked(*, sweeps: bool) -> int:
    return BLOCKED_SWEEPS if sweeps else OPEN_SLICES
