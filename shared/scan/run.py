"""One run that holds the claim: what it works with, and what it knows."""

from dataclasses import dataclass, field

from shared.core.intervals import Interval
from shared.core.model import Ledger, Policy
from shared.core.state import pacing
from shared.core.state.conditions import noted
from shared.core.state.layout import stamp
from shared.core.state.next_move import Health
from shared.core.state.report import Outcome, Tally
from shared.ports import Ports
from shared.scan.ledger_writer import LedgerWriter
from shared.scan.run_clock import RunClock


@dataclass(slots=True, kw_only=True)
class Run:
    """One run, from its claim to its release.

    Attributes:
        ports: what the scan needs from outside.
        policy: how the scan is done.
        tally: what the run has done so far.
        clock: the run's time.
        started: when the run began, on the clock that never jumps.
        writer: the claimed ledger.
        health: what the answers have shown so far.
    """

    ports: Ports
    policy: Policy
    tally: Tally
    clock: RunClock
    started: int
    writer: LedgerWriter
    health: Health = field(default_factory=Health)

    @property
    def ledger(self) -> Ledger:
        """The ledger with every change so far."""
        return self.writer.current

    def now(self) -> int:
        """Return the run's time, which the report line then counts from."""
        self.tally.now = self.clock.now()
        return self.tally.now

    def spent(self) -> int:
        """Return how much of the time budget is gone, in ms."""
        return self.ports.clock.elapsed() - self.started

    def reserve(self) -> int:
        """Return how much of the time budget is kept for the effects after an answer, in ms."""
        return pacing.reserve(self.policy.budget)

    def has_time(self) -> bool:
        """Say whether the time budget allows one more commit."""
        return self.spent() + self.reserve() <= self.policy.budget

    def note_end(self, outcome: Outcome) -> None:
        """Note in the ledger how the run ends, for its release to save.

        A run whose time cannot be trusted notes nothing.
        """
        if outcome != "clocks differ":
            met = self.tally.throttled > 0
            self.writer.change(
                noted(self.ledger, outcome, met_throttle=met, now=self.now(), policy=self.policy)
            )

    def warn(self, warning: str) -> None:
        """Put a warning into the report line."""
        self.tally.warnings.append(warning)

    def warn_once(self, warning: str) -> None:
        """Put a warning into the report line, unless it is there already."""
        if warning not in self.tally.warnings:
            self.warn(warning)

    def end_for_clocks(self, why: str) -> None:
        """Make the run end, because its time cannot be trusted; the next run claims again."""
        if self.health.ends != "clocks differ":
            self.health = self.health.after_clocks_differed()
            self.warn(f"{why}, so the run has ended: see docs/runbook.md#clocks-differ")


def shown(bounds: Interval) -> str:
    """Return an interval as warnings name it."""
    return f"{stamp(bounds[0])} to {stamp(bounds[1])}"
