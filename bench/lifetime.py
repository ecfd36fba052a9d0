"""Measures ledger, manifests and claims over years in which time is lost or in doubt every day.

    python -m bench.lifetime --days 1825 --holes 20

Nothing is requested or stored: the ledger's own functions process hourly slices, their sweeps, and
seconds that are lost or in doubt.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS, SECOND_MS, Doubt, Policy
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import committing
from shared.core.state import ledger as ledgers
from shared.core.state.lanes import choose
from shared.core.state.sweeps import sweeps_due, unswept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.core.intervals import Interval
    from shared.core.model import Ledger, Slice

BEGIN = 1_795_392_000_000
"""2026-11-23T00:00:00Z."""

SWEEPS = (("sweep-2h", 2 * HOUR_MS), ("sweep-24h", DAY_MS), ("sweep-8d", 8 * DAY_MS))


@dataclass(frozen=True)
class Size:
    """The sizes after one day.

    Attributes:
        day: number of the day, from 0 on.
        ledger: size of the ledger in bytes.
        manifest: size of the day's last manifest in bytes.
        claim: milliseconds of processor time for a claim and its plan.
    """

    day: int
    ledger: int
    manifest: int
    claim: float


def policy_of(reach: int) -> Policy:
    """Return the default settings with a given reach."""
    return Policy(
        scan="all",
        filters={},
        fingerprint="0",
        accept=None,
        axis="date",
        direction="asc",
        limit=5000,
        api="",
        budget=240_000,
        budget_most=240_000,
        budget_expected=240_000,
        lookback=HOUR_MS,
        settle=10 * 60_000,
        fresh=HOUR_MS,
        slice_length=300_000,
        sweeps=SWEEPS,
        sweep_by="full",
        reach=reach,
        concurrency=1,
        requests_per_minute=25,
        lag_alert=HOUR_MS,
        doubt_alert=300_000,
        throttled_alert=50,
        pause_alert=DAY_MS,
    )


def lived(days: int, holes: int, reach: int = 30 * DAY_MS) -> Iterator[Size]:
    """Process so many days, each with `holes` seconds lost and as many in doubt."""
    policy = policy_of(reach)
    ledger, manifest = ledgers.begin(policy, BEGIN + HOUR_MS), 0
    for day in range(days):
        now = BEGIN + (day + 1) * DAY_MS
        started = time.process_time()
        ledger = ledgers.claim(ledger, run="", now=now, policy=policy)
        choose(ledger, now, policy)
        list(unswept(ledger, now, policy))
        due = list(sweeps_due(ledger, now, policy))
        claim = (time.process_time() - started) * 1000
        for piece in _pieces(BEGIN + day * DAY_MS, holes, policy, now):
            ledger, manifest = _done(ledger, piece, policy)
        for name, (start, end) in due:
            if name == SWEEPS[-1][0]:
                swept = _asked(open_slice((start, end), pass_name=name, policy=policy), now)
                ledger, manifest = _done(ledger, swept, policy)
        ledger = ledgers.release(ledger)
        yield Size(day, len(ledgers.encode(ledger)), manifest, claim)


def _pieces(start: int, holes: int, policy: Policy, now: int) -> Iterator[Slice]:
    """Yield a day's slices: those of lost seconds, and between them those with doubt."""
    step = DAY_MS // max(1, holes)
    for at in range(start, start + DAY_MS, step):
        end = min(at + step, start + DAY_MS)
        middle = (at + end) // 2
        doubt = Doubt(start=middle, end=middle + SECOND_MS, reason="malformed for a day: HTML")
        whole = _first((at + SECOND_MS, end), policy, now)
        yield msgspec.structs.replace(whole, doubt=(doubt,))
        yield _first((at, at + SECOND_MS), policy, now + policy.reach)


def _first(bounds: Interval, policy: Policy, answered: int) -> Slice:
    return _asked(open_slice(bounds, pass_name=FIRST_PASS, policy=policy), answered)


def _asked(piece: Slice, at: int) -> Slice:
    return msgspec.structs.replace(piece, requests=1, first_request=at, last_answer=at)


def _done(ledger: Ledger, piece: Slice, policy: Policy) -> tuple[Ledger, int]:
    finished = Finished(slice=piece, start=piece.start, end=piece.end)
    about = committing.after_transition(ledger, piece, Transition(finished=finished), policy)
    size = len(about.committing.manifest) if about.committing else 0
    return committing.committed(about), size


def main() -> int:
    """Print the size at the end of each tenth of the time."""
    parser = argparse.ArgumentParser(prog="python -m bench.lifetime", description=__doc__)
    parser.add_argument("--days", type=int, default=1825, help="number of days (1825)")
    parser.add_argument(
        "--holes",
        type=int,
        default=20,
        help="seconds a day that are lost, and as many that are in doubt (20)",
    )
    options = parser.parse_args()
    for size in lived(options.days, options.holes):
        if (size.day + 1) % max(1, options.days // 10) == 0:
            sys.stdout.write(
                f"day {size.day + 1:5}: ledger {size.ledger:9,} bytes, "
                f"manifest {size.manifest:9,} bytes, claim and plan {size.claim:6.1f} ms\n"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
