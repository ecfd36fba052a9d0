"""The pace: what the last runs did, how a backlog shrinks, and how much of the budget is used."""

from typing import Any

import msgspec

from shared.core.model import DAY_MS, SECOND_MS

RUNS_SHOWN = 50

HALTED = ("clocks differ", "failed", "faults", "paused")
"""Runs that end like this read nothing, or too little to say when the backlog will be gone."""

RUNS_LEAST = 3
"""A pace is measured from at least so many runs: the backlog of two may differ by chance."""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One of the last runs, by its report line.

    Attributes:
        run: its random id.
        outcome: why it ended.
        ended: when it ended; null if the line does not say it.
        duration_seconds: how long it took.
        requests: number of requests sent.
        records: number of records stored.
        throttled: number of answers with status 429.
        faults: number of other answers that were not a page.
        backlog_seconds: how much time was due and not covered when it ended; null if the run had
            not read the ledger.
        message: what went wrong; null if nothing did.
    """

    run: str = ""
    outcome: str = ""
    ended: int | None = None
    duration_seconds: float = 0.0
    requests: int = 0
    records: int = 0
    throttled: int = 0
    faults: int = 0
    backlog_seconds: float | None = None
    message: str | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """The request budget; everything in requests a day.

    Attributes:
        first: what the first pass needs; null if nothing is covered yet.
        sweeps: what the sweeps need; null if nothing is covered yet.
        sent: what the last runs sent; null if there are too few of them.
        capacity: what the runs can send.
        limit: what the settings allow.
    """

    first: int | None
    sweeps: int | None
    sent: int | None
    capacity: int
    limit: int


def ran(lines: list[str]) -> tuple[Ran, ...]:
    """Return the last 50 runs, the oldest first; a line that was cut short is left out."""
    runs = []
    for line in lines[-RUNS_SHOWN:]:
        try:
            runs.append(msgspec.json.decode(line, type=Ran))
        except msgspec.MsgspecError:
            continue
    return tuple(runs)


def budget_of(state: dict[str, Any], runs: tuple[Ran, ...]) -> Budget | None:
    """Return how much of the request budget is used; None before the first run."""
    if not state:
        return None
    return Budget(
        first=state["requests_per_day_first"],
        sweeps=state["requests_per_day_sweeps"],
        sent=_sent_per_day(runs),
        capacity=state["requests_per_day_capacity"],
        limit=state["requests_per_day_budget"],
    )


def _sent_per_day(runs: tuple[Ran, ...]) -> int | None:
    timed = [(it.ended, it.requests) for it in runs if it.ended is not None]
    took = timed[-1][0] - timed[0][0] if len(timed) >= RUNS_LEAST else 0
    if took <= 0:
        return None
    return round(sum(requests for _, requests in timed[1:]) * DAY_MS / took)


def backlog_gone(state: dict[str, Any], runs: tuple[Ran, ...], now: int) -> int | None:
    """Return when the backlog will be gone, in epoch ms; None if there is none, or if it grows.

    That follows from how much it shrank over the last runs. Where they do not say that, it follows
    from what the runs can send beside the needs of new time. While the scan is halted, nobody can
    say when it will be gone.
    """
    backlog: float | None = state.get("backlog_seconds")
    if not backlog or (runs and runs[-1].outcome in HALTED):
        return None
    pace = _measured(runs) or _possible(state)
    return now + round(backlog * SECOND_MS / pace) if pace else None


def _measured(runs: tuple[Ran, ...]) -> float | None:
    """Return by how many ms the backlog shrinks in one ms; None if it does not."""
    told = [
        (it.ended, it.backlog_seconds)
        for it in runs
        if it.ended is not None and it.backlog_seconds is not None
    ]
    top = max(range(len(told)), key=lambda at: (told[at][1], at), default=0)
    since = told[top:]
    if len(since) < RUNS_LEAST or since[-1][0] <= since[0][0]:
        return None
    shrunk = (since[0][1] - since[-1][1]) * SECOND_MS
    return shrunk / (since[-1][0] - since[0][0])


def _possible(state: dict[str, Any]) -> float | None:
    first, capacity = state["requests_per_day_first"], state["requests_per_day_capacity"]
    return max(0, capacity - first) / first if first else None
