"""Stretches in doubt: joined if they touch, and limited in number."""

from collections.abc import Iterable
from itertools import pairwise

from shared.core.intervals import merge
from shared.core.model import Doubt


def joined(doubts: Iterable[Doubt]) -> tuple[Doubt, ...]:
    """Join the stretches that touch and have the same reason; return them sorted by start."""
    given = list(doubts)
    return _sorted(
        Doubt(start=start, end=end, reason=reason)
        for reason in dict.fromkeys(it.reason for it in given)
        for start, end in merge((it.start, it.end) for it in given if it.reason == reason)
    )


def few(doubts: Iterable[Doubt], most: int) -> tuple[Doubt, ...]:
    """Return at most this many stretches that contain all of these.

    If there are more, the smallest gaps between stretches with the same reason are put in doubt,
    too. Only more than `most` different reasons can make the result longer.
    """
    kept = joined(doubts)
    excess = len(kept) - most
    if excess <= 0:
        return kept
    gaps = sorted(
        (after.start - before.end, before.end, after.start, before.reason)
        for reason in dict.fromkeys(it.reason for it in kept)
        for before, after in pairwise(it for it in kept if it.reason == reason)
    )
    bridges = [Doubt(start=start, end=end, reason=why) for _, start, end, why in gaps[:excess]]
    return joined([*kept, *bridges])


def _sorted(doubts: Iterable[Doubt]) -> tuple[Doubt, ...]:
    return tuple(sorted(doubts, key=lambda it: (it.start, it.end, it.reason)))
