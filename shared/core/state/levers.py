"""The levers: what an operator may change, and what is refused with the reason.

Each lever takes the ledger as it is stored and returns the ledger to save instead of it. It is one
conditional save, so it either happens whole or not at all. What must also be stated in the chain
of manifests becomes an outstanding decision, and the next run commits it.
"""

import msgspec

from shared.core.clocks import waits
from shared.core.errors import LeverRefused
from shared.core.intervals import Interval, Intervals, intersect, merge, total, without
from shared.core.model import DAY_MS, HOUR_MS, Decision, DecisionKind, Ledger, Pause, Policy
from shared.core.passes import rescan_name
from shared.core.quoting import instant
from shared.core.state.decisions import THE_SCAN, Order, decided
from shared.core.state.lanes import OLDEST_SHARE, edge_of, guard
from shared.core.state.planning import covered
from shared.core.state.proof import FOREVER

RESCANS_MOST = 8
"""Rescans at the same time; each is an entry of the coverage in every manifest."""

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
    what = f"due at once: {len(waiting)} of {len(pieces)} open slices, {blocked} of them blocked"
    return change(decided(ledger, "retry", order, what), open=pieces)


def filters_accepted(ledger: Ledger, order: Order, policy: Policy) -> Ledger:
    """Return the ledger with the order that the coverage counts for the filters of the settings.

    Raises:
        LeverRefused: the filters have not changed, the change is accepted already, or the axis has
            changed, too.
    """
    if ledger.axis != policy.axis:
        raise LeverRefused(
            f"SCAN_SORT_FIELD is {policy.axis}, and the scan cuts time by {ledger.axis}: coverage "
            "on one cannot be carried to the other. Give the scan a new SCAN_NAME"
        )
    if ledger.fingerprint == policy.fingerprint:
        raise LeverRefused(
            f"the filters of the settings are those of the scan (fingerprint {policy.fingerprint}):"
            " there is nothing to accept"
        )
    if is_accepted(ledger, policy.fingerprint):
        raise LeverRefused("these filters are accepted already, and the next run starts with them")
    what = f"the filters change from fingerprint {ledger.fingerprint} to {policy.fingerprint}"
    return decided(ledger, "accept-filters", order, what, fingerprint=policy.fingerprint)


def is_accepted(ledger: Ledger, fingerprint: str) -> bool:
    """Say whether an outstanding decision accepts the filters with this fingerprint."""
    return any(it.fingerprint == fingerprint for it in ledger.outstanding)


def backfilled(ledger: Ledger, order: Order, policy: Policy, *, to: int) -> Ledger:
    """Return the ledger with the order that the scan begins at an earlier hour.

    Raises:
        LeverRefused: the time is not before the origin, the API no longer shows it, or the time at
            the origin is settled.
    """
    origin, to = ledger.origin, to // HOUR_MS * HOUR_MS
    if ordered := _ordered(ledger, "backfill"):
        begin, _ = ordered[0]
        raise LeverRefused(f"a backfill to {instant(begin)} is about to begin: wait for it")
    if to >= origin:
        raise LeverRefused(
            f"the scan begins at {instant(origin)} already, which is not after {instant(to)}"
        )
    _require_reach(ledger, order, policy, to)
    if why := _settled(ledger):
        raise LeverRefused(why)
    hours = (origin - to) // HOUR_MS
    what = f"the scan begins at {instant(to)}, {hours} h before {instant(origin)}"
    return decided(ledger, "backfill", order, what, bounds=(to, origin))


def rescanned(ledger: Ledger, order: Order, policy: Policy, *, bounds: Interval) -> Ledger:
    """Return the ledger with the order to scan time again, for what is missing.

    The pass is named after the epoch that `taken` is going to give the ledger.

    Raises:
        LeverRefused: the time is empty, in the future, before the scan's, or out of reach; or it
            is being scanned again already; or too much is.
    """
    start, end = bounds
    if start >= end:
        raise LeverRefused(f"{_shown(bounds)} is empty: --from must be before --until")
    if end > order.at:
        raise LeverRefused(
            f"--until {instant(end)} is in the future: it cannot be scanned again yet"
        )
    if start < ledger.origin:
        raise LeverRefused(
            f"the scan begins at {instant(ledger.origin)}, after --from {instant(start)}: earlier "
            "time takes a backfill"
        )
    _require_reach(ledger, order, policy, start)
    if start < ledger.settled_until:
        raise LeverRefused(
            f"time before {instant(ledger.settled_until)} is settled: nothing is added to it, as "
            "readers were promised"
        )
    _require_new_rescan(ledger, bounds)
    name = rescan_name(ledger.epoch + 1)
    what = f"{_shown(bounds)} is scanned again as {name}, for what is missing"
    return decided(ledger, "rescan", order, what, pass_name=name, bounds=bounds)


def _require_new_rescan(ledger: Ledger, bounds: Interval) -> None:
    underway = [*ledger.rescans.values(), *((it,) for it in _ordered(ledger, "rescan"))]
    if (bounds,) in underway:
        raise LeverRefused(f"{_shown(bounds)} is being scanned again already")
    if len(underway) >= RESCANS_MOST:
        raise LeverRefused(f"{len(underway)} rescans are under way: wait until one is done")


def _ordered(ledger: Ledger, kind: DecisionKind) -> list[Interval]:
    """Return the bounds of the outstanding orders of a kind that has bounds."""
    return [it.bounds for it in ledger.outstanding if it.kind == kind and it.bounds]


def _require_reach(ledger: Ledger, order: Order, policy: Policy, start: int) -> None:
    """Check that there is time to fetch a part at `start` before the API no longer shows it."""
    edge = edge_of(ledger, order.at, policy) + guard(ledger, policy, OLDEST_SHARE)
    earliest = -(-edge // HOUR_MS) * HOUR_MS
    if start < earliest:
        raise LeverRefused(
            f"{instant(start)} is beyond the API's reach of {policy.reach // DAY_MS} days, or "
            f"leaves it before it can be scanned: the earliest time is {instant(earliest)}"
        )


def _settled(ledger: Ledger) -> str:
    """Say that the time at the origin can no longer be added to; nothing if it can."""
    if ledger.settled_until == ledger.origin:
        return ""
    return (
        f"the time from the origin until {instant(ledger.settled_until)} is settled: nothing is "
        "added before it, as readers were promised"
    )


def outdated(ledger: Ledger, decision: Decision, policy: Policy) -> str:
    """Return why an outstanding decision no longer makes sense; nothing if it does."""
    if decision.kind == "backfill" and decision.bounds:
        if decision.bounds[1] != ledger.origin:
            return f"the scan begins at {instant(ledger.origin)} by now"
        return _settled(ledger)
    if decision.kind == "accept-filters" and decision.fingerprint != policy.fingerprint:
        return f"the filters have changed again, to fingerprint {policy.fingerprint}"
    return ""


def dropped(ledger: Ledger, decision: Decision) -> Ledger:
    """Return the ledger without an outstanding decision."""
    rest = tuple(it for it in ledger.outstanding if it.number != decision.number)
    return change(ledger, outstanding=rest)


def rescans_ended(ledger: Ledger, now: int, policy: Policy) -> Ledger:
    """Return the ledger with the decision that each rescan ends which has nothing left to scan.

    Slices that have left the API's reach are given back: a look at them would prove nothing.
    """
    edge = edge_of(ledger, now, policy)
    ending = {it.pass_name for it in ledger.outstanding if it.kind == "rescan-done"}
    for name, wanted in ledger.rescans.items():
        ledger = _without_passed(ledger, name, edge)
        if name not in ending and not _left(ledger, name, wanted, edge):
            ledger = _rescan_ended(ledger, name, wanted, now)
    return ledger


def _without_passed(ledger: Ledger, name: str, edge: int) -> Ledger:
    kept = tuple(it for it in ledger.open if it.pass_name != name or it.start >= edge)
    return ledger if len(kept) == len(ledger.open) else change(ledger, open=kept)


def _left(ledger: Ledger, name: str, wanted: Intervals, edge: int) -> Intervals:
    """Return what a rescan still has to scan and can."""
    lost = [(it.start, it.end) for it in ledger.lost]
    done = merge([*covered(ledger, name), *lost])
    return without(intersect(wanted, (edge, FOREVER)), done)


def _rescan_ended(ledger: Ledger, name: str, wanted: Intervals, now: int) -> Ledger:
    missed = total(without(wanted, covered(ledger, name)))
    what = f"{name} is done"
    if missed:
        what += f"; {missed / HOUR_MS:.1f} h had left the API's reach before that"
    return decided(ledger, "rescan-done", Order(at=now, by=THE_SCAN), what, pass_name=name)


def _shown(bounds: Interval) -> str:
    return f"{instant(bounds[0])} to {instant(bounds[1])}"


def _throttle(ledger: Ledger, now: int) -> str:
    until = ledger.pacing.not_before
    if not waits(until, now):
        return ""
    return f"; the whole scan waits until {instant(until)}, because the API throttles it"


def _how(pause: Pause) -> str:
    until = f"until {instant(pause.until)}" if pause.until else "until somebody resumes it"
    why = f": {pause.reason}" if pause.reason else ""
    return f"since {instant(pause.since)} and {until}, by {pause.by}{why}"
