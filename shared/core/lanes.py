"""Which due slice the next request serves: ledger + now + policy → a slice."""

from collections.abc import Iterator

from shared.core.cursor import open_slice
from shared.core.intervals import Interval
from shared.core.model import FIRST_PASS, Ledger, Policy, Slice
from shared.core.planning import (
    cells,
    due,
    last_hour,
    next_sweep,
    room_in,
    soon_out_of_reach,
    waits,
)


def choose(
    ledger: Ledger, now: int, policy: Policy, *, busy: frozenset[Interval], oldest: bool
) -> Slice | None:
    """Return the slice to serve next, an open one or a new one; None when nothing is due.

    Sweeps come last, and one at a time.

    Args:
        ledger: the state.
        now: epoch milliseconds.
        policy: how the scan is to be done.
        busy: bounds of slices that are being served.
        oldest: serve the oldest slice, so that what is new never starves it.
    """
    ready = [piece for piece in ledger.open if not waits(piece.not_before, now)]
    candidates = [it for it in ready if it.pass_name == FIRST_PASS and not _is_in(it, busy)]
    if room_in(ledger).open:
        candidates += new_slices(ledger, now, policy)

    def rank(piece: Slice) -> tuple[int, ...]:
        return (piece.start,) if oldest else _urgency(piece, now, policy)

    if candidates:
        return min(candidates, key=rank)
    return next_sweep(ledger, now, policy, busy=busy)


def _is_in(piece: Slice, busy: frozenset[Interval]) -> bool:
    return (piece.start, piece.end) in busy


def new_slices(ledger: Ledger, now: int, policy: Policy) -> Iterator[Slice]:
    """Yield the slices that could be opened next: the oldest due cell and the newest one.

    Whatever the order of service, the next new slice is always one of these two.
    """
    gaps = list(due(ledger, now, policy))
    if not gaps:
        return
    oldest = next(cells(gaps[0], now, policy))
    yield open_slice(oldest, pass_name=FIRST_PASS, policy=policy)
    *_, newest = cells(last_hour(gaps[-1]), now, policy)
    if newest != oldest:
        yield open_slice(newest, pass_name=FIRST_PASS, policy=policy)


def _urgency(piece: Slice, now: int, policy: Policy) -> tuple[int, ...]:
    """Order: what the API will soon not show, fresh time newest first, older time oldest first."""
    if soon_out_of_reach(piece.start, now, policy):
        return (0, piece.start)
    if piece.end > now - policy.fresh:
        return (1, -piece.start)
    return (2, piece.start)
