"""The levers: what an operator may change, and what is refused with the reason.

Each lever takes the ledger as it is stored and returns the ledger to save instead of it. It is one
conditional save, so it either happens whole or not at all. What must also be stated in the chain
of manifests becomes an outstanding decision, and the next run commits it.
"""

import msgspec

from shared.core.clocks import waits
from shared.core.errors import LeverRefused
from shared.core.model import Ledger, Pause
from shared.core.quoting import instant
from shared.core.state.decisions import THE_SCAN, Order, decided

change = msgspec.structs.replace


def taken(ledger: Ledger) -> Ledger:
    """Return the ledger taken from a run that may be at work: its next save will be refused.

    The epoch grows, as with every claim, and the claim is free.
    """
    return change(ledger, epoch=ledger.epoch + 1, claimed_until=0)


def paused(ledger: Ledger, order: Order, *, until: int | None) -> Ledger:
    """Return the ledger paused, until a time or until somebody resumes the scan.

    Raises:
        LeverRefused: the pause would already be over, or the scan is paused in the same way.
    """
    if until is not None and until <= order.at:
        raise LeverRefused(f"--until {instant(until)} is in the past: name a time to come")
    if ledger.pause and ledger.pause.until == until:
        raise LeverRefused(f"the scan is paused already, {_how(ledger.pause)}")
    since = ledger.pause.since if ledger.pause else order.at
    pause = Pause(since=since, until=until, by=order.by, reason=order.reason)
    what = f"no run sends a request until {instant(until)}" if until else "no run sends a request"
    return change(decided(ledger, "pause", order, what), pause=pause)


def resumed(ledger: Ledger, order: Order) -> Ledger:
    """Return the ledger without its pause.

    Raises:
        LeverRefused: the scan is not paused.
    """
    if ledger.pause is None:
        raise LeverRefused("the scan is not paused")
    what = f"the pause since {instant(ledger.pause.since)} ends"
    return change(decided(ledger, "resume", order, what), pause=None)


def resumed_in_time(ledger: Ledger, now: int) -> Ledger:
    """Return the ledger without a pause whose time is over; otherwise as it is."""
    if ledger.pause is None or ledger.pause.until is None or now < ledger.pause.until:
        return ledger
    return resumed(ledger, Order(at=now, by=THE_SCAN, reason="the pause was to end by then"))


def retried(ledger: Ledger, order: Order) -> Ledger:
    """Return the ledger in which no slice waits: blocked ones are due at once, too.

    A throttle stays. The API said how long it lasts, and asking earlier makes it longer.

    Raises:
        LeverRefused: no slice waits.
    """
    waiting = [it for it in ledger.open if waits(it.not_before, order.at)]
    if not waiting:
        raise LeverRefused(f"no slice waits{_throttle(ledger, order.at)}")
    pieces = tuple(change(it, not_before=0) for it in ledger.open)
    blocked = sum(it.blocked for it in waiting)
    what = f"{len(waiting)} waiting slices are due at once, {blocked} of them blocked"
    return change(decided(ledger, "retry", order, what), open=pieces)


def _throttle(ledger: Ledger, now: int) -> str:
    until = ledger.pacing.not_before
    if not waits(until, now):
        return ""
    return f"; the whole scan waits until {instant(until)}, because the API throttles it"


def _how(pause: Pause) -> str:
    until = f"until {instant(pause.until)}" if pause.until else "until somebody resumes it"
    why = f": {pause.reason}" if pause.reason else ""
    return f"since {instant(pause.since)} and {until}, by {pause.by}{why}"
