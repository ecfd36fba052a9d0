"""Other clocks beside the run's: those of the API and of storage, as a `Date` shows them."""

from dataclasses import dataclass

from shared.core.model import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, ApiClock

DATE_STEP_MS = 999
"""A `Date` has whole seconds, so the API's clock may have shown this much more."""

APART_MOST_MS = DAY_MS
"""If the clocks differ by more, nothing that depends on the time can be trusted."""

APART_REPORTED_MS = MINUTE_MS
"""Clocks that differ by more are reported, and end a run in which they begin to."""

SERVICE_STEP_MS = 2 * SECOND_MS
"""How much more the storage service's clock may have shown than a `Date` says.

Less than a second is the rest of the second. The other one is for its servers, whose clocks agree
only almost, and for the instances, whose clocks do not run equally fast for ten minutes.
"""

KNOWN_FOR_MS = HOUR_MS
"""After this time without an answer the API's clock counts as unknown.

Otherwise an offset that a wrong local clock left behind could keep the scan from sending the very
request that would correct it.
"""


def apart(date: int, *, sent: int, answered: int) -> int:
    """Return how far the API's clock is ahead of the run's, in ms; negative when it is behind.

    The API wrote its `Date` at some time between the request and the answer, so a slow answer says
    nothing about its clock: the result is 0 unless the `Date` lies outside that time.
    """
    return max(0, date - answered) or min(0, date + DATE_STEP_MS - sent)


def too_far_apart(offset: int) -> bool:
    """Say whether clocks that differ by `offset` (ms, either way) make every time untrustworthy."""
    return abs(offset) > APART_MOST_MS


def noticeably_apart(offset: int) -> bool:
    """Say whether clocks differ by so much (ms, either way) that a person should know."""
    return abs(offset) > APART_REPORTED_MS


def earlier(known: ApiClock | None, now: int) -> int:
    """Return the earlier of run time and the API's time."""
    return now + min(0, _offset(known, now))


def later(known: ApiClock | None, now: int) -> int:
    """Return the later of run time and the API's time."""
    return now + max(0, _offset(known, now))


def _offset(known: ApiClock | None, now: int) -> int:
    """Return the API's offset; 0 when it is unknown, or was noted by a clock that was ahead."""
    if known is None or not known.at - MINUTE_MS <= now < known.at + KNOWN_FOR_MS:
        return 0
    return known.offset


def waits(not_before: int, now: int) -> bool:
    """Say whether `not_before` still holds; nothing waits for more than an hour.

    One that is further ahead was written by a clock that was fast.
    """
    return now < not_before <= now + HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTime:
    """The storage service's clock, as the `Date` of one answer showed it.

    A `Date` has whole seconds, and the service wrote it at some time between the request and the
    answer. So there is an earliest and a latest time that it may be there.

    Attributes:
        date: the `Date`, epoch ms.
        sent: when the request was sent, on the clock that never jumps.
        answered: when its answer arrived, on the same clock.
    """

    date: int
    sent: int
    answered: int

    def earliest(self, elapsed: int) -> int:
        """Return the earliest time that it may be at `elapsed`, in epoch ms."""
        return self.date + elapsed - self.answered

    def latest(self, elapsed: int) -> int:
        """Return the latest time that it may be at `elapsed`, in epoch ms."""
        return self.date + SERVICE_STEP_MS + elapsed - self.sent

    def reached(self, instant: int) -> int:
        """Return from when on the service's clock has surely reached an instant."""
        return instant - self.date + self.answered

    def reached_at_the_earliest(self, instant: int) -> int:
        """Return from when on the service's clock may have reached an instant."""
        return instant - self.date - SERVICE_STEP_MS + self.sent
