"""Conditions: what is wrong with a scan, and since when; every run notes them as it ends.

A report shows one moment, and most of what it shows needs a person only if it lasts. So the ledger
keeps since when each condition holds, how the last runs ended, and how much time was in doubt, hour
by hour. A run that dies notes nothing, and the next one notes what it finds.

A time in the ledger that lies ahead was written by a clock that was fast. It becomes the present,
so that nothing waits for it. After a pause between runs, what a scan catches up with by itself
counts from the first run on.
"""

from collections.abc import Mapping
from itertools import pairwise
from statistics import median_low
from typing import Any

import msgspec

from shared.core.clocks import waits
from shared.core.model import (
    DAY_MS,
    HOUR_MS,
    SECOND_MS,
    Condition,
    Ended,
    Ledger,
    Policy,
    Slice,
)
from shared.core.state.report import Outcome, doubt_in, state_fields

RUNS_KEPT = 24
"""Ends of runs that are kept: two hours at the usual schedule."""

RUNS_LEAST = 3
"""Fewer runs than this say little about throttling."""

HOURS_KEPT = 25
"""Hours whose doubt is kept: the oldest of so many began a day ago or earlier."""

SWEEPS_BEHIND_MS = 6 * HOUR_MS
"""A sweep that has been due for longer is behind: an hour or two is usual after an outage."""

HALF_MS = HOUR_MS // 2

LASTED_MS = 6 * HOUR_MS
"""New doubt counts after this time: the first sweep clears most of it."""

STRANGE_INTERVAL = 3
"""Runs are interrupted if none ended for this many times the usual interval, or for an hour."""

UNTRIED = frozenset({"failed", "busy", "clocks differ", "paused", "superseded"})
"""Outcomes of runs that say nothing about throttling."""

CAUGHT_UP: frozenset[Condition] = frozenset({"lag", "sweeps-behind"})
"""What the first runs after an interruption find, and what the scan catches up with by itself."""

SILENCED: frozenset[Condition] = frozenset({"lag", "sweeps-behind"})
"""What a pause causes, so nobody needs to be told."""

change = msgspec.structs.replace


def noted(
    ledger: Ledger, outcome: Outcome, *, met_throttle: bool, now: int, policy: Policy
) -> Ledger:
    """Return the ledger with the end of a run, and with what is wrong as the run ends.

    Args:
        ledger: as the run leaves it.
        outcome: why the run ends.
        met_throttle: whether the API throttled the run.
        now: epoch milliseconds.
        policy: how the scan is done.
    """
    state = state_fields(ledger, now, policy)
    ended = Ended(
        at=now,
        outcome=outcome,
        throttled=met_throttle or waits(ledger.pacing.not_before, now),
        backlog=round(state["backlog_seconds"] * SECOND_MS),
    )
    before = tuple(it for it in ledger.runs if it.at <= now)
    after = change(
        ledger,
        runs=(*before, ended)[-RUNS_KEPT:],
        lost_at=None if ledger.lost_at is None else min(ledger.lost_at, now),
        doubt_by_hour=_doubt_by_hour(ledger, now),
        open=tuple(_blocked_by(it, now) for it in ledger.open),
    )
    known = ledger.conditions
    if _is_interrupted(before, now):
        known = {name: since for name, since in known.items() if name not in CAUGHT_UP}
    found = {name: min(known.get(name, now), now) for name in holding(after, state, now, policy)}
    return change(after, conditions=found)


def holding(
    ledger: Ledger, state: Mapping[str, Any], now: int, policy: Policy
) -> tuple[Condition, ...]:
    """Return the conditions that hold now, whether or not they have lasted.

    Args:
        ledger: the state of the scan.
        state: the figures of a report line about it.
        now: epoch milliseconds.
        policy: how the scan is done.
    """
    runs = judged(ledger.runs, now)
    need, most = state["requests_per_day_first"], state["requests_per_day_capacity"]
    holds: dict[Condition, bool] = {
        "soon-lost": state["soon_lost_seconds"] > 0,
        "lag": state["lag_seconds"] * SECOND_MS > policy.lag_alert,
        "over-budget": need is not None and most < need,
        "sweeps-behind": state["sweeps_behind_seconds"] * SECOND_MS > SWEEPS_BEHIND_MS,
        "throttled": 100 * sum(it.throttled for it in runs) > policy.throttled_alert * len(runs),
    }
    silenced = SILENCED if is_paused(ledger, now) else frozenset()
    return tuple(name for name, does in holds.items() if does and name not in silenced)


def is_paused(ledger: Ledger, now: int) -> bool:
    """Say whether a pause holds."""
    pause = ledger.pause
    return pause is not None and (pause.until is None or now < pause.until)


def judged(runs: tuple[Ended, ...], now: int) -> tuple[Ended, ...]:
    """Return the runs that say how much a scan is throttled.

    These are the runs of the last hour, but at least the last three; none if there are fewer.
    """
    tried = [it for it in runs if it.outcome not in UNTRIED]
    recent = sum(it.at > now - HOUR_MS for it in tried)
    count = max(recent, RUNS_LEAST)
    return tuple(tried[-count:]) if len(tried) >= RUNS_LEAST else ()


def last_noted(ledger: Ledger) -> int:
    """Return when a run last noted what is wrong, or when the ledger was made."""
    return ledger.runs[-1].at if ledger.runs else ledger.made


def _is_interrupted(before: tuple[Ended, ...], now: int) -> bool:
    """Say whether no run has ended for longer than usual."""
    between = [later.at - earlier.at for earlier, later in pairwise(before)]
    usual = median_low(between) if between else 0
    return not before or now - before[-1].at > max(HOUR_MS, STRANGE_INTERVAL * usual)


def _blocked_by(piece: Slice, now: int) -> Slice:
    since = piece.blocked_since
    return piece if since is None else change(piece, blocked_since=min(since, now))


def _doubt_by_hour(ledger: Ledger, now: int) -> dict[int, int]:
    hour, doubt = now // HOUR_MS * HOUR_MS, doubt_in(ledger)
    before = [(at, least) for at, least in ledger.doubt_by_hour.items() if at < hour]
    least = min(doubt, ledger.doubt_by_hour.get(hour, doubt))
    return dict([*before, (hour, least)][-HOURS_KEPT:])


def new_doubt(ledger: Ledger, now: int) -> int:
    """Return how much of the time in doubt is new within a day and has lasted for six hours, in ms.

    Doubt that a rebuilt ledger brings with it counts as new once.
    """
    standing = min(doubt_in(ledger), _least_doubt(ledger, now - LASTED_MS, now))
    return max(0, standing - _doubt_before(ledger, now))


def doubtful_since(ledger: Ledger, now: int, policy: Policy) -> int:
    """Return since when there has been more new doubt than allowed: the start of an hour."""
    allowed, since = _doubt_before(ledger, now) + policy.doubt_alert, now
    for hour, doubt in reversed(ledger.doubt_by_hour.items()):
        if doubt <= allowed:
            break
        since = hour
    return since


def _doubt_before(ledger: Ledger, now: int) -> int:
    return _least_doubt(ledger, now - DAY_MS, now - LASTED_MS)


def _least_doubt(ledger: Ledger, start: int, end: int) -> int:
    """Return the least doubt between two instants; before the first run there was none."""
    hours = ledger.doubt_by_hour
    at_start = next((doubt for hour, doubt in reversed(hours.items()) if hour <= start), 0)
    return min([at_start, *(doubt for hour, doubt in hours.items() if start < hour <= end)])


def shrinks(ledger: Ledger, backlog: int, now: int) -> bool:
    """Say whether a backlog will be gone within a day, at the pace of the last half hour.

    Each half of the last hour counts with its smallest backlog, because a backlog grows with every
    slice that falls due. If no run ended in the first half, the one before it counts, or the
    oldest that is known.
    """
    old = [it for it in ledger.runs if it.at <= now - HALF_MS]
    then = [it for it in old if it.at > now - HOUR_MS] or old[-1:] or ledger.runs[:1]
    if not then:
        return False
    left = min([backlog, *(it.backlog for it in ledger.runs if it.at > now - HALF_MS)])
    shrunk = min(it.backlog for it in then) - left
    return shrunk * DAY_MS >= left * max(1, now - then[-1].at)
