"""How many cases the long proofs try: a sample of them, or all with PROOFS=all (`make proofs`).

A proof that a crash at any side effect changes nothing takes time that grows with the square of the
effects. Each change is tested with a sample, which the parameters of a test divide among them.
"""

import os

ALL = os.environ.get("PROOFS") == "all"
"""Whether every case is tried."""


def sampled(count: int, *, every: int, first: int = 1) -> range:
    """Return the numbers of the effects to try, of 1 to `count`.

    Args:
        count: how many effects there are.
        every: the distance between those of the sample.
        first: the first of the sample, so that several tests together meet every effect.
    """
    return range(1, count + 1) if ALL else range(first, count + 1, every)


def examples(sample: int, everything: int) -> int:
    """Return how many random examples to try."""
    return everything if ALL else sample
