"""The delay between an activity and the time at which it is saved."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator import chance

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """The distribution of `created - timestamp`, in milliseconds.

    Attributes:
        usual_ms: The smallest and the largest lag of an ordinary activity (uniform).
            The default is from public samples of the API.
        late_share: The share of activities, 0 to 1, that come from the long tail instead.
        late_ms: The smallest and the largest lag in the long tail (uniform in the logarithm).
            The default is from the documentation of connectors: 1 to 72 hours.
        shares: Instead of all of these, pairs of a share (0 to 1, ascending) and a lag: so large a
            share of the activities has at most this lag. Between two pairs it is linear.

    """

    usual_ms: tuple[int, int] = (170_000, 340_000)
    late_share: float = 0.0
    late_ms: tuple[int, int] = (_HOUR_MS, 72 * _HOUR_MS)
    shares: tuple[tuple[float, int], ...] = ()

    def __post_init__(self) -> None:
        """Refuse bounds that no lag can satisfy."""
        if list(self.shares) != sorted(self.shares) or any(lag < 0 for _, lag in self.shares):
            message = f"Lateness shares are {self.shares}; give ascending shares and lags."
            raise ValueError(message)
        for low, high in (self.usual_ms, self.late_ms):
            if not 0 <= low <= high:
                message = f"Lateness bounds are ({low}, {high}); give 0 <= smallest <= largest."
                raise ValueError(message)

    def lag_ms(self, seed: int, number: int) -> int:
        """Draw the lag of activity `number`."""
        if self.shares:
            return _within(self.shares, chance.unit(seed, "share", number))
        if chance.unit(seed, "is-late", number) < self.late_share:
            return self._late(chance.unit(seed, "late-lag", number))
        low, high = self.usual_ms
        return low + chance.below(high - low + 1, seed, "lag", number)

    def _late(self, position: float) -> int:
        low, high = self.late_ms
        spread = math.log((high + 1) / (low + 1))
        return min(high, max(low, round((low + 1) * math.exp(position * spread)) - 1))


def _within(shares: tuple[tuple[float, int], ...], drawn: float) -> int:
    """Return the lag at a share, linear between the two pairs around it."""
    before, lag_before = 0.0, shares[0][1]
    for share, lag in shares:
        if drawn <= share:
            part = (drawn - before) / (share - before) if share > before else 1.0
            return round(lag_before + part * (lag - lag_before))
        before, lag_before = share, lag
    return lag_before
