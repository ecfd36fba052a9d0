"""What a run does next: start a step, wait, or stop.

The whole decision is made here, without effects. The use case only carries it out.
"""

from dataclasses import dataclass, replace
from typing import Literal

from shared.core.intervals import Interval
from shared.core.model import Ledger, Policy, Slice
from shared.core.slices import asking
from shared.core.state import pacing
from shared.core.state.lanes import choose
from shared.core.state.report import Outcome

PATIENCE_MS = 5_000
"""The longest throttle that a run waits for. Waiting is billed."""

FAULTS_TO_STOP = 3
"""After so many faults in a row on different slices, a run leaves the API in peace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the answers of one run say about the API and the clocks.

    Attributes:
        faulted: starts of the slices that had a fault since the last page arrived.
        ends: the outcome with which the run must end; None while it may continue.
    """

    faulted: frozenset[int] = frozenset()
    ends: Literal["faults", "clocks differ"] | None = None

    def after_page(self) -> "Health":
        """Return the health after a page: the API answers."""
        return replace(self, faulted=frozenset())

    def after_fault(self, start: int) -> "Health":
        """Return the health after a fault of the slice that starts at `start`."""
        faulted = self.faulted | {start}
        ends = "faults" if len(faulted) >= FAULTS_TO_STOP else self.ends
        return replace(self, faulted=faulted, ends=ends)

    def after_clocks_differed(self) -> "Health":
        """Return the health once the run's time can no longer be trusted."""
        return replace(self, ends="clocks differ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a decision depends on besides the ledger and the policy.

    Attributes:
        now: epoch milliseconds.
        spent: how much of the time budget is gone, in ms.
        busy: bounds of the slices whose steps are pending.
        is_first: whether the run has not started a step yet.
        shared_pause: how long the budget that several scans share makes the next request wait,
            in ms.
        health: what the answers of this run have shown so far.
    """

    now: int
    spent: int
    busy: frozenset[Interval] = frozenset()
    is_first: bool = False
    shared_pause: int = 0
    health: Health = Health()


@dataclass(frozen=True, slots=True)
class Start:
    """Start a step of this slice.

    Attributes:
        slice: an open slice or a new one.
        now: when this was decided, in epoch milliseconds.
    """

    slice: Slice
    now: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until a pending step ends.

    Attributes:
        milliseconds: wait no longer than this; None where only the end of a step changes anything.
    """

    milliseconds: int | None


@dataclass(frozen=True, slots=True)
class Stop:
    """Start nothing more. Steps that are still pending are taken in before the run ends.

    Attributes:
        outcome: why.
    """

    outcome: Outcome


Move = Start | Wait | Stop


def next_move(ledger: Ledger, policy: Policy, moment: Moment) -> Move:
    """Return what the run does next."""
    if moment.health.ends:
        return Stop(moment.health.ends)
    if not has_free_lane(ledger, policy, pending=len(moment.busy)):
        return Wait(None)
    piece = asking.on_trial(ledger, moment.now) or _next_slice(ledger, policy, moment)
    if piece:
        return in_time(piece, ledger, policy, moment)
    if moment.busy:
        return Wait(None)
    return Stop("waiting" if ledger.open else "idle")


def has_free_lane(ledger: Ledger, policy: Policy, *, pending: int) -> bool:
    """Say whether one more step may be pending; after a throttle or a refusal, only one may.

    Further requests would only be throttled or refused, too.
    """
    alone = ledger.pacing.throttles or ledger.api_facts.trial
    return pending < (1 if alone else policy.concurrency)


def _next_slice(ledger: Ledger, policy: Policy, moment: Moment) -> Slice | None:
    """Return the slice to serve next.

    When one more fault would end the run, it is a slice without faults so far. If that one fails as
    well, the API is at fault; otherwise only some time is poisoned, and the run continues.
    """
    if len(moment.health.faulted) == FAULTS_TO_STOP - 1:
        suspects = frozenset((it.start, it.end) for it in ledger.open if it.fault)
        piece = choose(ledger, moment.now, policy, busy=moment.busy | suspects)
        if piece is not None:
            return piece
    return choose(ledger, moment.now, policy, busy=moment.busy)


def in_time(piece: Slice, ledger: Ledger, policy: Policy, moment: Moment) -> Move:
    """Return the start of a slice's step, the wait before it, or a stop if it does not fit.

    A run waits as long as its own pacing requires, because it has work, and a few seconds for a
    throttle. The ledger remembers a longer throttle for the next run.
    """
    now = moment.now
    if pacing.throttled_until(ledger.pacing, now) - now > PATIENCE_MS:
        return Stop("waiting")
    own = pacing.next_allowed(ledger.pacing, now, policy.requests_per_minute) - now
    pause = max(own, moment.shared_pause)
    reserve = pacing.reserve(policy.budget)
    if not _fits(pause, ledger, policy, moment):
        # If even a whole run would be too short, starting another one at once would be in vain.
        return Stop("waiting" if pause + reserve > policy.budget else "out-of-time")
    return Wait(pause) if pause > 0 else Start(piece, now)


def _fits(pause: int, ledger: Ledger, policy: Policy, moment: Moment) -> bool:
    """Say whether one more step fits the time budget; the first one that need not wait does."""
    if moment.is_first and pause == 0:
        return True
    expected = 0 if moment.is_first else pacing.expected_step(ledger.pacing)
    return moment.spent + pause + expected + pacing.reserve(policy.budget) <= policy.budget
