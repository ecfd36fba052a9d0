"""What the tenant's activity needs in requests, and what the runs can send.

The need is counted from what was covered, the capacity from how the runs were started. Both are
requests a day, and both are measured, so that neither depends on the timer or on page sizes.
"""

from collections.abc import Mapping
from itertools import pairwise
from statistics import median_low

from shared.core.model import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    Ledger,
    Load,
    Pacing,
    Policy,
)
from shared.core.state.pacing import burst, gap, reserve

HOURS_KEPT = 7 * 24
"""The need is averaged over so many hours: weekdays differ from weekends, and nights from days."""

FULL_WEIGHT_MS = 6 * MINUTE_MS
"""An hour of which less is covered counts for less in the average."""

IDLE_SHARE = 4
"""Until the interval is known, one part in five of the time is taken to be between runs."""

INTERVALS_LEAST = 3
"""Fewer intervals between starts say little: one of them may be an outage."""

RELIEVED = 0.95
"""An overload ends when the need falls below this share of the capacity."""


def noted(load: Mapping[int, Load], *, start: int, end: int, requests: int) -> dict[int, Load]:
    """Return the load with what the first pass has covered within one hour, and at what cost."""
    hour = start // HOUR_MS * HOUR_MS
    before = load.get(hour, Load(requests=0, covered=0))
    grown = Load(requests=before.requests + requests, covered=before.covered + end - start)
    newest = sorted({**load, hour: grown}.items())[-HOURS_KEPT:]
    return dict(newest)


def first_per_day(load: Mapping[int, Load]) -> int | None:
    """Return how many requests a day the first pass needs; None while nothing is covered.

    Every hour counts alike, however much of it is covered: an overloaded scan covers less of its
    busy hours, and would otherwise take them for a small part of the day.
    """
    hours = [it for it in load.values() if it.covered]
    weights = [min(it.covered, FULL_WEIGHT_MS) for it in hours]
    rates = [it.requests * DAY_MS / it.covered for it in hours]
    if not hours:
        return None
    weighted = sum(weight * rate for weight, rate in zip(weights, rates, strict=True))
    return round(weighted / sum(weights))


def sweeps_per_day(first: int, policy: Policy) -> int:
    """Return how many requests a day the sweeps need: one more first pass for each full look.

    A look by `created` asks for a page or so of each hour.

    Args:
        first: how many requests a day the first pass needs.
        policy: which sweeps there are, and how they ask.
    """
    by_created = policy.sweep_by == "created" and policy.axis != "created"
    full = min(len(policy.sweeps), 2) if by_created else len(policy.sweeps)
    return first * full + DAY_MS // HOUR_MS * (len(policy.sweeps) - full)


def limit_per_day(policy: Policy) -> int:
    """Return how many requests a day the settings allow."""
    return policy.requests_per_minute * DAY_MS // MINUTE_MS


def capacity(pacing: Pacing, policy: Policy) -> int:
    """Return how many requests a day the runs can send.

    That is the limit times the share of time in which a run may work: its time budget by the
    interval between two starts. Slow answers may allow less, and a burst in a short run more.
    """
    run = policy.budget_expected
    interval = _interval(pacing) or run * (IDLE_SHARE + 1) // IDLE_SHARE
    step = median_low(pacing.durations) if pacing.durations else 0
    sent = min(_paced(run, step, policy), _answered(run, step, policy))
    return min(limit_per_day(policy), sent * DAY_MS // max(interval, run))


def _interval(pacing: Pacing) -> int | None:
    """Return the usual time between two starts: an outage or an extra run does not change it."""
    between = [later - earlier for earlier, later in pairwise(pacing.starts) if later > earlier]
    return median_low(between) if len(between) >= INTERVALS_LEAST else None


def _paced(run: int, step: int, policy: Policy) -> int:
    """Return how many requests the pacing lets out in one run."""
    per_minute = policy.requests_per_minute
    if run >= MINUTE_MS:
        return per_minute * run // MINUTE_MS
    return min(per_minute, burst(per_minute) + _working(run, step) // gap(per_minute))


def _answered(run: int, step: int, policy: Policy) -> int:
    """Return how many requests the lanes get answered in one run; its first always is sent."""
    return policy.concurrency * (1 + _working(run, step) // max(step, 1))


def _working(run: int, step: int) -> int:
    """Return until when a run may send, in ms from its start."""
    return max(0, run - reserve(run) - step)


def is_overloaded(ledger: Ledger, policy: Policy) -> bool:
    """Say whether the first pass needs more than the runs can send.

    A ledger that was overloaded stays so until the need is clearly below the capacity.
    """
    need = first_per_day(ledger.load)
    most = capacity(ledger.pacing, policy)
    return need is not None and need > most * (RELIEVED if ledger.overloaded else 1)
