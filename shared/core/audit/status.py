"""Status: how a scan is, as one value made of its ledger, its history and its last report lines.

It says in words how the scan is and what needs a person, and has the figures behind them. Whoever
shows it only lays it out.
"""

from collections import Counter
from collections.abc import Iterable
from statistics import median
from typing import Any, Literal

import msgspec

from shared import __version__
from shared.core.audit.attention import Attention, attention_to, shown
from shared.core.audit.history import History
from shared.core.audit.quiet import quiet_hours
from shared.core.intervals import Interval, Intervals, holds, intersect, merge
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    HOUR_MS,
    SECOND_MS,
    Head,
    Ledger,
    Policy,
)
from shared.core.state.planning import accounted_for, final
from shared.core.state.report import Tally, report_fields

DAYS_SHOWN = 30
RUNS_SHOWN = 50
State = Literal[
    "outside", "waiting", "in progress", "complete", "final", "blocked", "in doubt", "lost"
]
"""What an hour is; the last three go before the others."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of the last 30 days.

    Attributes:
        hour: epoch ms of its start.
        state: what it is.
        records: number of records stored.
        late: how many of them a sweep stored.
    """

    hour: int
    state: State
    records: int
    late: int


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One of the last runs, as its report line tells it.

    Attributes:
        run: its random id.
        outcome: why it ended.
        seconds: how long it took.
        requests: sent.
        records: stored.
        throttled: answers with status 429.
        message: what went wrong, if it failed.
    """

    run: str = ""
    outcome: str = ""
    seconds: float = msgspec.field(name="duration_seconds", default=0.0)
    requests: int = 0
    records: int = 0
    throttled: int = 0
    message: str | None = None


class OpenSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A slice that is open.

    Attributes:
        start: its first millisecond.
        end: the first millisecond after it.
        look: its pass.
        blocked: whether it is only retried every hour.
        fault: its latest fault.
    """

    start: int
    end: int
    look: str = msgspec.field(name="pass")
    blocked: bool
    fault: str | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a scan is.

    Attributes:
        scan: its name.
        now: when this was made.
        program: version of the program.
        verdict: how it is, in words.
        attention: what needs a person, the most severe first.
        state: the figures of a report line about the state of the scan.
        quiet_hours: for how many hours it has been quiet.
        backlog_gone: when the backlog will be gone by the capacity that was measured; null if
            there is none, or if it grows.
        delays: median delay, in seconds, from the end of an hour until it was complete, over the
            last 7 days; null if none is known.
        cells: the hours of the last 30 days.
        lateness: number of late records by how late they were, over all hours of the history.
        late_by_pass: number of late records by the sweep that stored them.
        runs: the last runs, the oldest first.
        slices: the open slices.
        head: the last manifest of the chain.
        history_through: number of the last manifest in the history.
    """

    scan: str
    now: int
    program: str
    verdict: str
    attention: tuple[Attention, ...]
    state: dict[str, Any]
    quiet_hours: int
    backlog_gone: int | None
    delays: float | None
    cells: tuple[Cell, ...]
    lateness: dict[str, int]
    late_by_pass: dict[str, int]
    runs: tuple[Ran, ...]
    slices: tuple[OpenSlice, ...]
    head: Head
    history_through: int


def status_of(
    ledger: Ledger | None, history: History, lines: list[str], policy: Policy, *, now: int
) -> Status:
    """Return how a scan is.

    Args:
        ledger: its state; None if it has never run.
        history: what its feed tells.
        lines: its last report lines, the oldest first.
        policy: how it is to be done.
        now: epoch ms.
    """
    runs = tuple(_runs(lines))
    state = _state(ledger, policy, now) if ledger else {}
    quiet = quiet_hours(history)
    attention = attention_to(state, quiet, failure=_failure(runs))
    return Status(
        scan=policy.scan,
        now=now,
        program=__version__,
        verdict=_verdict(ledger, history, state, attention, runs),
        attention=attention,
        state=state,
        quiet_hours=quiet,
        backlog_gone=_backlog_gone(state, now),
        delays=_delay(history, now),
        cells=_cells(ledger, history, policy, now) if ledger else (),
        lateness=_summed(it.lateness for it in history.hours.values()),
        late_by_pass=_summed(it.late_by_pass for it in history.hours.values()),
        runs=runs,
        slices=_slices(ledger) if ledger else (),
        head=ledger.head if ledger else Head(),
        history_through=history.through,
    )


def _runs(lines: list[str]) -> list[Ran]:
    runs = []
    for line in lines[-RUNS_SHOWN:]:
        try:
            runs.append(msgspec.json.decode(line, type=Ran))
        except msgspec.MsgspecError:  # A line that was cut short tells nothing.
            continue
    return runs


def _state(ledger: Ledger, policy: Policy, now: int) -> dict[str, Any]:
    """Return what a report line would say of the state now."""
    tally = Tally(scan=ledger.scan, run="", ledger=ledger, now=now)
    fields = report_fields(tally, policy, "idle", duration=0)
    names = list(fields)
    return {name: fields[name] for name in names[names.index("epoch") : names.index("warnings")]}


def _failure(runs: tuple[Ran, ...]) -> str | None:
    """Return what went wrong with the last run; None if it did not fail."""
    if not runs or runs[-1].outcome != "failed":
        return None
    return runs[-1].message or "see its report line"


def _verdict(
    ledger: Ledger | None,
    history: History,
    state: dict[str, Any],
    attention: tuple[Attention, ...],
    runs: tuple[Ran, ...],
) -> str:
    """Return one sentence: the first that applies."""
    kinds = {it.kind for it in attention}
    late = shown(state.get("lag_seconds", 0))
    course = "falls further behind" if "over-budget" in kinds else "catches up"
    sentences = (
        ("failing" in kinds, "The last run failed."),
        (ledger is None, "The scan has not run yet."),
        ("soon-lost" in kinds, "Activities will be lost soon."),
        ("lost" in kinds, "Activities were lost."),
        (
            bool(runs) and runs[-1].outcome == "faults",
            "The API does not answer, and the scan tries again.",
        ),
        (ledger is not None and not ledger.head.number, "The scan has just begun."),
        ("blocked" in kinds, "Some time cannot be read; everything else is collected."),
        ("lag" in kinds, f"The scan is behind by {late}, and {course}."),
        ("quiet" in kinds, "The scan runs, but far less than usual comes."),
        ("doubt" in kinds, "The scan is up to date; some time is in doubt."),
        (
            not any(it.records for it in history.hours.values()),
            "The scan is up to date, and has found no activity.",
        ),
    )
    return next((said for applies, said in sentences if applies), "The scan is up to date.")


def _backlog_gone(state: dict[str, Any], now: int) -> int | None:
    """Return when the runs will have made up the backlog, beside what is new every day."""
    backlog: float = state.get("backlog_seconds", 0)
    first: int | None = state.get("requests_per_day_first")
    capacity: int | None = state.get("requests_per_day_capacity")
    if not backlog or not first or not capacity or capacity <= first:
        return None
    return now + round(backlog * SECOND_MS * first / (capacity - first))


def _delay(history: History, now: int) -> float | None:
    delays = [
        (first.at - at - HOUR_MS) / SECOND_MS
        for at, hour in history.hours.items()
        if at >= now - 7 * DAY_MS
        and (first := hour.passes.get(FIRST_PASS))
        and first.covered == HOUR_MS
    ]
    return median(delays) if delays else None


def _cells(ledger: Ledger, history: History, policy: Policy, now: int) -> tuple[Cell, ...]:
    last = now // HOUR_MS * HOUR_MS
    hours = Hours(ledger, history, policy, now)
    return tuple(
        Cell(
            hour=at,
            state=hours.state(at),
            records=told.records if (told := history.hours.get(at)) else 0,
            late=told.late if told else 0,
        )
        for at in range(last - DAYS_SHOWN * DAY_MS + HOUR_MS, last + HOUR_MS, HOUR_MS)
    )


class Hours:
    """What each hour is, by ledger and history."""

    def __init__(self, ledger: Ledger, history: History, policy: Policy, now: int) -> None:
        """Merge each kind of time once."""
        self._history = history
        self._from, self._until = ledger.origin, now - policy.settle
        self._known = accounted_for(ledger)
        self._final = final(ledger, policy)
        self._settled = ledger.settled_until
        self._open = merge((it.start, it.end) for it in ledger.open)
        self._blocked = merge((it.start, it.end) for it in ledger.open if it.blocked)
        self._lost = merge((it.start, it.end) for it in ledger.lost)
        self._doubt = merge((it.start, it.end) for it in ledger.doubt)

    def state(self, at: int) -> State:
        """Return what the hour is that begins there."""
        hour = (at, at + HOUR_MS)
        told = self._history.hours.get(at)
        if hour[1] <= self._from or at >= self._until:
            return "outside"
        if intersect(self._blocked, hour):
            return "blocked"
        if intersect(self._lost, hour) or (told and told.lost):
            return "lost"
        if intersect(self._doubt, hour) or (told and told.doubt and hour[1] <= self._settled):
            return "in doubt"
        return self._progress(hour)

    def _progress(self, hour: Interval) -> State:
        if hour[1] <= self._settled or _held(self._final, hour, self._settled):
            return "final"
        if _held(self._known, hour, self._settled):
            return "complete"
        begun = intersect(self._open, hour) or intersect(self._known, hour)
        return "in progress" if begun else "waiting"


def _held(stretches: Intervals, hour: Interval, settled: int) -> bool:
    return holds(stretches, (max(hour[0], settled), hour[1]))


def _slices(ledger: Ledger) -> tuple[OpenSlice, ...]:
    return tuple(
        OpenSlice(start=it.start, end=it.end, look=it.pass_name, blocked=it.blocked, fault=it.fault)
        for it in ledger.open
    )


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for it in counts:
        found.update(it)
    return dict(found)
