"""Stretches in doubt: joined where they touch, and kept few."""

from collections.abc import Iterable
from itertools import pairwise

from shared.core.intervals import merge
from shared.core.model import Doubt


def joined(doubts: Iterable[Doubt]) -> tuple[Doubt, ...]:
    """Join what touches and has one reason; sorted by start."""
    given = list(doubts)
    return _sorted(
        Doubt(start=start, end=end, reason=reason)
        for reason in dict.fromkeys(it.reason for it in given)
        for start, end in merge((it.start, it.end) for it in given if it.reason == reason)
    )


def few(doubts: Iterable[Doubt], most: int) -> tuple[Doubt, ...]:
    """Return at most so many stretches that hold all of these: near ones become one.

    Where there are more, the smallest gaps between stretches of one reason are in doubt, too. It
    takes more than `most` reasons to make it return more.
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
