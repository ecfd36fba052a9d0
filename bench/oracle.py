"""How soon anybody could notice that less of a simulated tenant's activities arrive.

The oracle is a detector that no program can have. It knows what is expected in each hour, days off
included, how uneven hours and days are, and which share is left. It compares how likely a change is
with how likely none is (CUSUM). No detector with as many false alarms notices much sooner.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY_HOURS = 24

LEVELS = tuple(1.1**step for step in range(-40, 21))
"""How busy a day may be beside what is expected: from a fortieth to seven times as much."""

IMPOSSIBLE = -1e6
"""Stands for the logarithm of 0: differences of it must stay numbers."""

HALVINGS = 40


class Tenant(NamedTuple):
    """What is true of a tenant.

    Attributes:
        rates: how many activities are expected in each hour, from the beginning of a day.
        bursts: how uneven its hours are, as in `Rhythm`; not 0.
        days: how uneven its days are.
    """

    rates: Sequence[float]
    bursts: float
    days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Oracle:
    """A detector of the change to a share of what is expected.

    Attributes:
        tenant: what it knows.
        share: what is left after the change.
        counts: what came in each hour before the change.
        evidence: how much likelier a change was than none after each of them, as a logarithm.
        threshold: the evidence above which it raises an alarm.
    """

    tenant: Tenant
    share: float
    counts: Sequence[int]
    evidence: Sequence[float]
    threshold: float

    @classmethod
    def tuned(cls, tenant: Tenant, share: float, counts: Sequence[int], most: int) -> Oracle:
        """Return the detector that raises at most so many alarms over these counts."""
        evidence = _evidence(tenant, share, counts)
        return cls(
            tenant=tenant,
            share=share,
            counts=counts,
            evidence=evidence,
            threshold=_threshold(evidence, most),
        )

    def notices(self, begin: int, left: Sequence[int]) -> int | None:
        """Return how many hours after the first one it raises an alarm; None if it does not.

        The last hours are left out if they do not fill a day.

        Args:
            begin: the first hour that is changed.
            left: what comes in each hour from then on.
        """
        day = begin // DAY_HOURS
        first = day * DAY_HOURS
        counts = [*self.counts[first:begin], *left]
        before = max(0.0, self.evidence[first - 1]) if day else 0.0
        evidence = _evidence(self.tenant, self.share, counts, day, before)[begin - first :]
        return next((ago for ago, it in enumerate(evidence) if it > self.threshold), None)


def _evidence(
    tenant: Tenant, share: float, counts: Sequence[int], day: int = 0, before: float = 0
) -> list[float]:
    """Return the evidence after each hour of whole days.

    Args:
        tenant: what is true.
        share: what is left after the change.
        counts: what came in each hour.
        day: the number of the first of these days.
        before: the evidence of a change before them.
    """
    found = list[float]()
    for first in range(0, len(counts) - DAY_HOURS + 1, DAY_HOURS):
        rates = tenant.rates[day * DAY_HOURS + first :][:DAY_HOURS]
        usual = _likelihoods(tenant, rates, counts[first:], 1)
        less = _likelihoods(tenant, rates, counts[first:], share)
        found += _within_day(usual, less, before)
        before = max(0.0, found[-1])
    return found


def _likelihoods(
    tenant: Tenant, rates: Sequence[float], counts: Sequence[int], share: float
) -> list[list[float]]:
    """Return the likelihood of each beginning of a day, for each level of how busy it may be."""
    levels = _levels(tenant.days)
    found = [[weight if share == 1 else 0.0 for _, weight in levels]]
    for rate, count in zip(rates, counts, strict=False):
        hour = [_likelihood(count, rate * level * share, tenant.bursts) for level, _ in levels]
        found.append([sum(it) for it in zip(found[-1], hour, strict=True)])
    return found


def _within_day(
    usual: Sequence[Sequence[float]], less: Sequence[Sequence[float]], before: float
) -> list[float]:
    """Return the evidence after each hour of a day, of a change at any hour of it or before it."""
    found = []
    for end in range(1, len(usual)):
        changes = [
            _sum([u + e - b for u, e, b in zip(usual[at], less[end], less[at], strict=True)])
            for at in range(end)
        ]
        found.append(max(changes[0] + before, *changes) - _sum(usual[end]))
    return found


def _levels(days: float) -> list[tuple[float, float]]:
    """Return how busy a day may be, and the logarithm of how likely that is."""
    if not days:
        return [(1.0, 0.0)]
    weights = [math.log(it) / days - it / days for it in LEVELS]
    total = _sum(weights)
    return [(level, it - total) for level, it in zip(LEVELS, weights, strict=True)]


def _likelihood(count: int, rate: float, bursts: float) -> float:
    """Return the logarithm of how likely a count is: it is negative binomial."""
    if not rate:
        return IMPOSSIBLE if count else 0.0
    shape = 1 / bursts
    return (
        math.lgamma(count + shape)
        - math.lgamma(shape)
        - math.lgamma(count + 1)
        + shape * math.log(shape / (shape + rate))
        + count * math.log(rate / (shape + rate))
    )


def _sum(logarithms: Sequence[float]) -> float:
    """Return the logarithm of the sum of numbers with these logarithms."""
    most = max(logarithms)
    if len(logarithms) == 1:
        return most
    return most + math.log(sum(math.exp(it - most) for it in logarithms))


def _threshold(evidence: Sequence[float], most: int) -> float:
    """Return the least evidence to ask for such that it is exceeded at most so many times."""
    low, high = 0.0, max(0.0, *evidence)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _alarms(evidence, middle) > most:
            low = middle
        else:
            high = middle
    return high


def _alarms(evidence: Sequence[float], threshold: float) -> int:
    return sum(it <= threshold < after for it, after in pairwise([-math.inf, *evidence]))
