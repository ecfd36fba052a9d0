"""Status: how a scan is, as one value made of its ledger, its history and its last report lines.

It says in words how the scan is and what needs a person, and has the figures behind them. Whoever
shows it only lays it out.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import msgspec

from shared import __version__
from shared.core.audit.attention import (
    Attention,
    Kind,
    WrongList,
    apparent,
    attention_to,
    failing,
    shown,
)
from shared.core.audit.history import History
from shared.core.audit.pace import Budget, Ran, backlog_gone, budget_of, ran
from shared.core.audit.quiet import quiet_of
from shared.core.audit.strip import Cell, strip_of
from shared.core.audit.week import WeekHour, week_of
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS, SECOND_MS, Head, Ledger, Policy
from shared.core.passes import sweep_age
from shared.core.quoting import instant
from shared.core.slices.sifting import LATENESS, LATER
from shared.core.state.conditions import is_paused
from shared.core.state.report import state_fields

VERSION = 1

SILENT_MS = HOUR_MS
"""A scan of which no run has begun for longer than this does not run any more."""

Tone = Literal["good", "notice", "warning", "bad"]
"""How a verdict is meant: `bad` and `warning` need somebody, `notice` is only unusual."""


class OpenSlice(msgspec.Struct, frozen=True, kw_only=True):
    """An open slice.

    Attributes:
        start: its first millisecond.
        end: the first millisecond after it.
        look: its pass.
        blocked: whether it is only retried every hour.
        not_before: when it is tried again; 0 if it does not wait.
        records: number of records staged so far.
        fault: human-readable description of its latest fault; null if it had none.
    """

    start: int
    end: int
    look: str = msgspec.field(name="pass")
    blocked: bool
    not_before: int
    records: int
    fault: str | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a scan is.

    Attributes:
        version: version of this format.
        scan: the scan's name.
        now: when this was made.
        program: version of the program that made it.
        tone: how the verdict is meant: `good`, `notice`, `warning` or `bad`.
        verdict: how the scan is, in one sentence.
        attention: what needs a person, the most severe first.
        state: the figures of a report line about the state of the scan; empty before the first run.
        quiet_hours: for how many hours less than usual, or nothing, has come; 0 if it is not quiet.
        backlog_gone: when the backlog will be gone by the pace of the last runs; null if there is
            none, or if it does not shrink, as in a pause or while the API does not answer.
        delay: age of the newest time that the first pass has read, in seconds; null if it has read
            none.
        delay_usual: median time from the end of an hour until it was complete, in seconds, over the
            last 7 days; null if no hour was complete.
        budget: how much of the request budget is used; null before the first run.
        cells: the hours of the last 30 days, the oldest first; empty before the first run.
        week: the hours of the last 7 days beside those of earlier weeks, the oldest first.
        lateness: number of late records by how late they were, over all hours of the history (keys
            as in the ledger).
        late_by_pass: number of late records by the sweep that stored them.
        runs: the last 50 runs, the oldest first.
        slices: the open slices.
        head: the last manifest of the chain.
        history_through: number of the last manifest in the history.
    """

    version: int = VERSION
    scan: str
    now: int
    program: str
    tone: Tone
    verdict: str
    attention: tuple[Attention, ...]
    state: dict[str, Any]
    quiet_hours: int
    backlog_gone: int | None
    delay: float | None
    delay_usual: float | None
    budget: Budget | None
    cells: tuple[Cell, ...]
    week: tuple[WeekHour, ...]
    lateness: dict[str, int]
    late_by_pass: dict[str, int]
    runs: tuple[Ran, ...]
    slices: tuple[OpenSlice, ...]
    head: Head
    history_through: int


def status_of(  # noqa: PLR0913 - what a status is made of, by name
    ledger: Ledger | None,
    history: History,
    lines: list[str],
    policy: Policy,
    *,
    now: int,
    wrong_list: WrongList | None = None,
) -> Status:
    """Return how a scan is.

    Args:
        ledger: its state; None if there is none, or if it could not be read.
        history: the summary of its feed.
        lines: its last report lines, the oldest first.
        policy: its settings.
        now: epoch ms.
        wrong_list: what is wrong with the list of scans, if this scan reports it.
    """
    runs, week, quiet = ran(lines), week_of(history, now), quiet_of(history)
    state = state_fields(ledger, now, policy) if ledger else {}
    found = attention_to(ledger, policy, now, quiet=quiet, wrong_list=wrong_list) if ledger else ()
    attention = _with_failure(found, runs)
    paused = ledger is not None and is_paused(ledger, now)
    gone = None if paused else backlog_gone(state, runs, now)
    facts = _Facts(ledger, history, state, attention, runs, now=now, gone=gone)
    tone, verdict = _verdict(facts)
    delays = [it.delay for it in week if it.delay is not None]
    return Status(
        scan=policy.scan,
        now=now,
        program=__version__,
        tone=tone,
        verdict=verdict,
        attention=attention,
        state=state,
        quiet_hours=quiet.hours if quiet else 0,
        backlog_gone=gone,
        delay=_delay(ledger, now),
        delay_usual=median(delays) if delays else None,
        budget=budget_of(state, runs),
        cells=strip_of(ledger, history, policy, now) if ledger else (),
        week=week,
        lateness=_lateness(history),
        late_by_pass=_late_by_pass(history),
        runs=runs,
        slices=_slices(ledger) if ledger else (),
        head=ledger.head if ledger else Head(),
        history_through=history.through,
    )


def encode(status: Status) -> bytes:
    """Return the status as it is stored and written: one line of JSON."""
    return msgspec.json.encode(status) + b"\n"


def _with_failure(found: tuple[Attention, ...], runs: tuple[Ran, ...]) -> tuple[Attention, ...]:
    """Return what needs a person, a failed run first."""
    if not runs or runs[-1].outcome != "failed":
        return found
    return (failing(runs[-1].message or "see its report line"), *found)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the verdict follows from."""

    ledger: Ledger | None
    history: History
    state: dict[str, Any]
    attention: tuple[Attention, ...]
    runs: tuple[Ran, ...]
    now: int
    gone: int | None

    def has(self, kind: Kind) -> bool:
        """Say whether this needs a person, or is so at this moment."""
        return kind in apparent(self.state) or any(it.kind == kind for it in self.attention)

    def outcome(self) -> str:
        """Return why the last run ended; empty if none is known."""
        return self.runs[-1].outcome if self.runs else ""

    def silent(self) -> int:
        """Return for how many ms no run has begun; 0 if that is not known.

        It is negative if the clock of the last run was fast.
        """
        starts = self.ledger.pacing.starts if self.ledger else ()
        return self.now - starts[-1] if starts else 0

    def pause(self) -> str:
        """Return until when the scan is paused, by whom and why; empty if it is not."""
        pause = self.ledger.pause if self.ledger and is_paused(self.ledger, self.now) else None
        if pause is None:
            return ""
        until = f"until {instant(pause.until)}" if pause.until else "until somebody resumes it"
        why = f": {pause.reason.rstrip('.')}" if pause.reason else ""
        return f"The scan is paused {until}, by {pause.by}{why}."

    def is_urgent(self) -> bool:
        """Say whether somebody has to act today."""
        return any(it.severity == 1 for it in self.attention)

    def is_new(self) -> bool:
        """Say whether the scan has not yet read the time before its first run, on its first day."""
        if self.ledger is None:
            return False
        reached = self.state["covered_until"] >= self.ledger.made - HOUR_MS
        return not reached and self.now - self.ledger.made < DAY_MS

    def found(self) -> bool:
        """Say whether the feed has any record."""
        return any(it.records for it in self.history.hours.values())

    def behind(self) -> str:
        """Return how long the oldest due time has waited."""
        return shown(self.state.get("lag_seconds", 0))

    def course(self) -> str:
        """Say whether the backlog shrinks."""
        if self.has("over-budget"):
            return "falling further behind"
        return "catching up" if self.gone else "not catching up yet"


def _verdict(it: _Facts) -> tuple[Tone, str]:
    """Return one sentence and how it is meant: the first that applies."""
    sentences: tuple[tuple[bool, Tone, str], ...] = (
        (it.has("failing"), "bad", "The last run failed."),
        (it.ledger is None, "notice", "The scan has not run yet."),
        (
            it.silent() > SILENT_MS,
            "bad",
            f"The scan has not run for {shown(it.silent() / SECOND_MS)}.",
        ),
        (bool(it.pause()), "bad" if it.is_urgent() else "notice", it.pause()),
        (it.has("soon-lost"), "bad", "Activities will be lost soon."),
        (it.has("lost"), "bad", "Activities were lost."),
        (it.outcome() == "faults", "warning", "The API does not answer; the scan keeps trying."),
        (it.is_new(), "notice", "The scan has just begun and is collecting earlier activities."),
        (it.has("blocked"), "warning", "Some time cannot be read; everything else is collected."),
        (it.has("lag"), "warning", f"The scan is {it.behind()} behind and {it.course()}."),
        (
            it.has("quiet") and not it.found(),
            "warning",
            "The scan is running, but nothing arrives.",
        ),
        (it.has("quiet"), "warning", "The scan is running, but far less than usual arrives."),
        (it.has("doubt"), "notice", "The scan is up to date; some time is in doubt."),
        (not it.found(), "good", "The scan is up to date and has found no activity."),
    )
    applying = ((tone, said) for applies, tone, said in sentences if applies)
    return next(applying, ("good", "The scan is up to date."))


def _delay(ledger: Ledger | None, now: int) -> float | None:
    """Return the age of the newest time that the first pass has read, in seconds."""
    stretches = ledger.coverage.get(FIRST_PASS) if ledger else None
    return max(0, now - stretches[-1][1]) / SECOND_MS if stretches else None


def _slices(ledger: Ledger) -> tuple[OpenSlice, ...]:
    return tuple(
        OpenSlice(
            start=it.start,
            end=it.end,
            look=it.pass_name,
            blocked=it.blocked,
            not_before=it.not_before,
            records=it.counts.records,
            fault=it.fault,
        )
        for it in ledger.open
    )


def _lateness(history: History) -> dict[str, int]:
    """Return the late records by how late they were, the least late first."""
    found = _summed(it.lateness for it in history.hours.values())
    return {name: found[name] for name in (*dict(LATENESS), LATER) if name in found}


def _late_by_pass(history: History) -> dict[str, int]:
    """Return the late records by the sweep that stored them, the earliest sweep first."""
    found = _summed(it.late_by_pass for it in history.hours.values())
    return {name: found[name] for name in sorted(found, key=lambda it: (sweep_age(it) or 0, it))}


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for it in counts:
        found.update(it)
    return found
