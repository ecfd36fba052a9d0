"""A run's own time: the clocks at its claim, continued by a clock that never jumps."""

from shared.core.clocks import noticeably_apart
from shared.ports import Clock


class RunClock:
    """Tells the run's time. Thread-safe.

    Attributes:
        skew: local clock minus the storage service's, in ms; 0 if its time is unknown.
    """

    def __init__(self, clock: Clock, date: int | None) -> None:
        """Begin at the earlier of the local clock and the storage service's, just read."""
        self._clock = clock
        self._began = clock.elapsed()
        self._local = clock.now()
        self.skew = 0 if date is None else self._local - date
        self._start = self._local - max(0, self.skew)

    def now(self) -> int:
        """Return the run's time in epoch ms; it never jumps, whatever the local clock does."""
        return self._start + self._clock.elapsed() - self._began

    def has_drifted(self) -> bool:
        """Say whether the local clock has left the run's time: a step, or a suspended machine."""
        drift = (self._clock.now() - self._local) - (self._clock.elapsed() - self._began)
        return noticeably_apart(drift)
