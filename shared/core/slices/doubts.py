"""Stretches in doubt: joined if they touch, and limited in number."""

from collections.abc import Iterable
from itertools import pairwise

from shared.core.intervals import Interval, merge
from shared.core.model import Doubt


def joined(doubts: Iterable[Doubt]) -> tuple[Doubt, ...]:
    """Join the stretches that touch and have the same reason; return them sorted by start."""
    return _sorted(
        Doubt(start=start, end=end, reason=reason)
        for reason, stretches in _by_reason(doubts).items()
        for start, end in merge(stretches)
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
        (after[0] - before[1], before[1], after[0], reason)
        for reason, stretches in _by_reason(kept).items()
        for before, after in pairwise(stretches)
    )
    bridges = [Doubt(start=start, end=end, reason=why) for _, start, end, why in gaps[:excess]]
    return joined([*kept, *bridges])


def _by_reason(doubts: Iterable[Doubt]) -> dict[str, list[Interval]]:
    found: dict[str, list[Interval]] = {}
    for it in doubts:
        found.setdefault(it.reason, []).append((it.start, it.end))
    return found


def _sorted(doubts: Iterable[Doubt]) -> tuple[Doubt, ...]:
    return tuple(sorted(doubts, key=lambda it: (it.start, it.end, it.reason)))
