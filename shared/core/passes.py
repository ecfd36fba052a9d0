"""The names of passes, and what a name says about the looks that it stands for."""

import re

from shared.core.model import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, Slice

PARTIAL = "-since"
"""Ends the name under which looks are kept that asked only for what was ingested lately."""

UNITS = {"d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": SECOND_MS, "ms": 1}

_SWEEP = re.compile(rf"sweep-(\d+)(ms|[dhms])({PARTIAL})?")


def sweep_name(age: int) -> str:
    """Return the name of the sweep of this age, in the largest unit that divides it.

    Ages of up to two days are given in hours at most.
    """
    units = [unit for unit in UNITS if unit != "d" or age > 2 * DAY_MS]
    unit = next(it for it in units if age % UNITS[it] == 0)
    return f"sweep-{age // UNITS[unit]}{unit}"


def sweep_age(name: str) -> int | None:
    """Return the age of a sweep by its name; None when the pass is not a sweep.

    Coverage keeps the names of sweeps that are no longer configured.
    """
    found = _SWEEP.fullmatch(name)
    return int(found[1]) * UNITS[found[2]] if found else None


def rescan_name(epoch: int) -> str:
    """Return the name of the rescan that was ordered in this epoch."""
    return f"rescan-{epoch}"


def is_partial(name: str) -> bool:
    """Say whether a name stands for looks that asked only for what was ingested lately."""
    return name.endswith(PARTIAL)


def look_name(piece: Slice) -> str:
    """Return the name under which a slice's look and its part are kept.

    A look that asks only for what was ingested lately is not the whole look of its pass, which
    may still follow over the same time: both need names of their own.
    """
    return piece.pass_name if piece.since is None else piece.pass_name + PARTIAL
