"""How far a run or a query has come: its rate, what is left, and when it may end."""

from collections.abc import Callable

from shared.core.intervals import total
from shared.core.model import HOUR_MS, MINUTE_MS, Ledger, Policy
from shared.core.state.planning import uncovered
from shared.core.state.report import Tally
from shared.core.state.sweeps import rescans_due, sweeps_due
from shared.operate.pausing import Display, counted, duration
from shared.ports import Clock, LedgerStore

ESTIMATED_FROM_MS = 5_000
"""Before that, the pace says little about the rest."""


class Gauge:
    """Measures a pace from when it was made."""

    def __init__(self, clock: Clock) -> None:
        """Begin to measure."""
        self._clock = clock
        self._began = clock.elapsed()

    def rate(self, done: int) -> str:
        """Return how many a minute were done; empty while that says little."""
        spent = self._clock.elapsed() - self._began
        if spent < ESTIMATED_FROM_MS or not done:
            return ""
        return f", {round(done * MINUTE_MS / spent):,} a minute"

    def left(self, done: float, rest: float) -> str:
        """Return about how long the rest takes at the pace so far; empty while that says little."""
        spent = self._clock.elapsed() - self._began
        if spent < ESTIMATED_FROM_MS or done <= 0 or rest <= 0:
            return ""
        return f", about {duration(round(spent * rest / done))} left"


def time_left(ledger: Ledger, policy: Policy, now: int) -> int:
    """Return how much time all passes still have to scan, in ms."""
    first = total(tuple(uncovered(ledger, now, policy)))
    later = [*rescans_due(ledger, now, policy), *sweeps_due(ledger, now, policy)]
    return first + sum(end - start for _, (start, end) in later)


class RunGauge:
    """Shows how the runs of a command come along; it is asked after every save of a ledger."""

    def __init__(self, display: Display, clock: Clock) -> None:
        """Begin before the first run."""
        self._display = display
        self._clock = clock
        self._before: dict[str, tuple[int, Gauge]] = {}
        self._runs: dict[str, Gauge] = {}

    def show(self, tally: Tally, policy: Policy) -> None:
        """Show how far a run is.

        Args:
            tally: what the run has done so far.
            policy: how the scan is done.
        """
        if tally.ledger is None:
            return
        left = time_left(tally.ledger, policy, tally.now)
        most, gauge = self._before.setdefault(policy.scan, (left, Gauge(self._clock)))
        run = self._runs.setdefault(tally.run, Gauge(self._clock))
        records = tally.counts.records
        said = f"{policy.scan}: {counted(tally.requests, 'request', 'requests')}, "
        said += f"{counted(records, 'activity', 'activities')}{run.rate(records)}"
        if left:
            said += f"; {left / HOUR_MS:,.1f} h still to scan{gauge.left(most - left, left)}"
        self._display.tick(said)

    def watched(self, store: LedgerStore, tally: Tally, policy: Policy) -> LedgerStore:
        """Return the store so that every save of the ledger is shown."""
        return _Watched(store, lambda: self.show(tally, policy))


class _Watched:
    """A `LedgerStore` that tells of each save; everything else is the store's own."""

    def __init__(self, store: LedgerStore, saved: Callable[[], None]) -> None:
        self.load = store.load
        self.put_in_quarantine = store.put_in_quarantine
        self.append_run = store.append_run
        self.report_lines = store.report_lines
        self._save = store.save
        self._saved = saved

    def save(self, content: bytes, *, etag: str | None) -> str:
        """Save the ledger, and tell of it."""
        stored = self._save(content, etag=etag)
        self._saved()
        return stored
