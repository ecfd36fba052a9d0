"""How many cases the long proofs try: a sample of them, or all with PROOFS=all (`make proofs`).

A proof that a crash at any side effect changes nothing takes time that grows with the square of the
effects. Each run of the tests tries a sample. The seed of the run chooses it, so that runs together
meet every effect, and a run with the same seed tries the same ones.
"""

import os
import random

ALL = os.environ.get("PROOFS") == "all"
"""Whether every case is tried."""


def sampled(count: int, *, every: int, first: int = 1) -> range:
    """Return the numbers of the effects to try, of `first` to `count`.

    Args:
        count: how many effects there are.
        every: the distance between those of the sample, which begins at random.
        first: the first that there is anything to try at.
    """
    if ALL:
        return range(first, count + 1)
    # pytest-randomly seeds the generator before each test, from the seed of the run and its name.
    return range(first + random.randrange(every), count + 1, every)


def examples(sample: int, everything: int) -> int:
    """Return how many random examples to try."""
    return everything if ALL else sample
