"""The request budget: when the next request may go out, and whether a step still fits."""

import msgspec

from shared.core.model import HOUR_MS, MINUTE_MS, Pacing

BURST = 5
"""Requests that may follow each other at once: an ordinary tick needs no more."""

STEPS_KEPT = 21
"""Steps whose duration is remembered: half of them took no longer than a usual one."""

STEPS_EXPECTED = 5
"""The slowest of the last few steps is what the next one is expected to take."""

STARTS_KEPT = 13
"""Starts of runs that are remembered: the usual interval is measured from them."""

RESERVE_MS = 5_000
"""Kept of the time budget for staging, saving and committing after the last answer."""


def next_allowed(pacing: Pacing, now: int, per_minute: int) -> int:
    """Return the earliest instant for the next request; `now` when it may go at once.

    Never more than `per_minute` are sent in any 60 seconds. The API counts arrivals: beside those
    sent in the same 60 seconds, the requests that were on their way when these began may arrive in
    them, so at most one more for each lane. A few requests may follow each other at once; while 60
    seconds hold so many, each waits for one gap after the last. So a scan that resumes does not
    make up for its rest, and a busy one sends evenly.
    """
    return max(now, _paced(pacing, now, per_minute), throttled_until(pacing, now))


def _paced(pacing: Pacing, now: int, per_minute: int) -> int:
    sent = recent(pacing, now)
    if len(sent) < burst(per_minute):
        return now
    spaced = sent[-1] + gap(per_minute)
    if len(sent) < per_minute:
        return spaced
    return max(spaced, sent[len(sent) - per_minute] + MINUTE_MS)


def throttled_until(pacing: Pacing, now: int) -> int:
    """Return the end of the throttle that holds; `now` when none does.

    None holds for more than an hour: a fast clock wrote one that is further ahead.
    """
    return pacing.not_before if now < pacing.not_before <= now + HOUR_MS else now


def burst(per_minute: int) -> int:
    """Return how many requests may follow each other at once: at most a fifth of the budget."""
    return max(1, min(BURST, per_minute // 5))


def gap(per_minute: int) -> int:
    """Return the time between two requests of a busy scan, in ms."""
    return -(-MINUTE_MS // per_minute)


def recent(pacing: Pacing, now: int) -> tuple[int, ...]:
    """Return the send times of the last 60 s; those in the future are a clock's mistake."""
    return tuple(sorted(at for at in pacing.sent_at if now - MINUTE_MS < at <= now))


def note_request(pacing: Pacing, now: int) -> Pacing:
    """Return the pacing with a request sent at `now`."""
    return msgspec.structs.replace(
        pacing, sent_at=(*recent(pacing, now), now), requests=pacing.requests + 1
    )


def note_unsaved(pacing: Pacing, now: int, count: int, *, at: int) -> Pacing:
    """Return the pacing with so many requests that may have been sent as late as `at`."""
    sent = sorted((*recent(pacing, now), *[at] * count))
    return msgspec.structs.replace(pacing, sent_at=tuple(sent))


def note_step(pacing: Pacing, duration: int) -> Pacing:
    """Return the pacing with a finished step of `duration` ms."""
    return msgspec.structs.replace(pacing, durations=(*pacing.durations, duration)[-STEPS_KEPT:])


def note_throttle(pacing: Pacing, now: int, wait: int, *, known: bool = False) -> Pacing:
    """Return the pacing with the whole scan waiting for `wait` ms, longer after each throttle.

    A throttle that comes after the last one was waited out shows that its wait was too short: the
    wait doubles with every further one, up to an hour, until a page comes.

    Args:
        pacing: before it.
        now: epoch milliseconds.
        wait: what the answer asks for, in ms.
        known: the request was on its way when the last throttle was noted; it is the same one.
    """
    throttles = max(1, pacing.throttles + (not known))
    doublings = min(throttles - 1, HOUR_MS.bit_length())  # So many make an hour of any wait.
    longer = max(wait, min(wait << doublings, HOUR_MS))
    until = max(throttled_until(pacing, now), now + longer)
    return msgspec.structs.replace(pacing, not_before=until, throttles=throttles)


def note_page(pacing: Pacing) -> Pacing:
    """Return the pacing after a page: the API serves this tenant again."""
    return msgspec.structs.replace(pacing, throttles=0) if pacing.throttles else pacing


def expected_step(pacing: Pacing) -> int:
    """Return how long the next step may take, in ms: as long as the slowest of the last."""
    return max(pacing.durations[-STEPS_EXPECTED:], default=0)


def note_start(pacing: Pacing, now: int) -> Pacing:
    """Return the pacing with a run that started at `now`."""
    return msgspec.structs.replace(pacing, starts=(*pacing.starts, now)[-STARTS_KEPT:])


def reserve(budget: int) -> int:
    """Return what a run keeps of its time budget for the effects after its last answer, in ms."""
    return min(RESERVE_MS, budget // 10)
