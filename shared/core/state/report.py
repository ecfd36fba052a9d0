"""The canonical report: one JSON line per run, for logs, alerts and people at 3 a.m.

Every run ends with exactly one, whatever happened. Its fields are documented in
`docs/formats.md`; alert rules read them, so a field is only ever added.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.core.clocks import waits
from shared.core.errors import ScanError
from shared.core.intervals import Interval, Intervals, intersect, total
from shared.core.model import HOUR_MS, SECOND_MS, Counts, Doubt, Ledger, Loss, Policy, Slice
from shared.core.slices.transitions import Draft, Transition
from shared.core.state.capacity import capacity, first_per_day, limit_per_day, sweeps_per_day
from shared.core.state.decisions import unreported
from shared.core.state.fitting import fitted_line, summed_up
from shared.core.state.planning import (
    accounted_for,
    final,
    is_sweep,
    soon_out_of_reach_until,
    uncovered,
)
from shared.core.state.sweeps import rescans_due, sweeps_due

Outcome = Literal[
    "idle",
    "waiting",
    "out-of-time",
    "faults",
    "clocks differ",
    "paused",
    "busy",
    "superseded",
    "expired",
    "failed",
]
"""Why the run ended.

- `idle`: nothing was due any more.
- `waiting`: all that is due waits: a throttle, a back-off, a blocked slice.
- `out-of-time`: the next step would not fit the time budget; the next run goes on.
- `faults`: three faults in a row on different slices: the API is not well.
- `clocks differ`: the local clock stepped, or the API's is more than a day away; the next run
  claims again.
- `paused`: an operator has paused the scan; no request was sent.
- `busy`: another run holds the claim, or another invocation that on the API host; nothing was done.
- `superseded`: another run, or an operator's command, took the scan over. What this run had saved
  counts, and the next run continues from there.
- `expired`: a worker got the message that asks for this run so late that newer messages stand for
  it; nothing was done.
- `failed`: an error ended it; see `error`.
"""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one run has done so far, kept while it works, so that a failed run reports it, too.

    Attributes:
        scan: the scan's name.
        run: random id of the run.
        ledger: the ledger as it is stored; None before it was read.
        now: the run's clock when it last looked, epoch ms.
        skew: local clock minus the storage's, in ms; None if that is too small to report.
        api_ahead: the API's clock minus the run's, in ms; None if that is too small to report.
        warnings: sentences for the report line.
        manifests: bytes of the manifests that the run has put, by number: a few hundred at most,
            since every commit takes a request or a share of the time budget.
        requests: requests sent.
        pages: answers that were pages.
        bytes: bytes staged, compressed.
        commits: slices finished.
        parts: blobs that became visible.
        throttled: 429 answers.
        faults: other answers that were not pages.
        counts: what this run's pages added to the counts of their slices.
        last_fault: human-readable description of the latest fault.
        quiet: for how many hours the scan has been quiet; None when that is not known.
        released: the ETag of the ledger as this run released it; None while it has not.
        ended: the local clock when the run ended, epoch ms; 0 when that is not known.
    """

    scan: str
    run: str
    ledger: Ledger | None = None
    now: int = 0
    skew: int | None = None
    api_ahead: int | None = None
    warnings: list[str] = field(default_factory=list)
    manifests: dict[int, bytes] = field(default_factory=dict)
    requests: int = 0
    pages: int = 0
    bytes: int = 0
    commits: int = 0
    parts: int = 0
    throttled: int = 0
    faults: int = 0
    counts: Counts = field(default_factory=Counts)
    last_fault: str | None = None
    quiet: int | None = None
    released: str | None = None
    ended: int = 0

    def note_transition(self, transition: Draft | Transition, before: Slice) -> None:
        """Count what a transition did to the slice that was `before`."""
        if transition.fault:
            self.faults += 1
            self.last_fault = transition.fault.detail
            return
        self.pages += 1
        after = transition.finished.slice if transition.finished else transition.goes_on
        if after is None:
            return
        grown = {it: getattr(after.counts, it) - getattr(before.counts, it) for it in COUNTED}
        self.counts = self.counts.plus(**grown)


COUNTED = tuple(name for name in Counts.__struct_fields__ if name != "faults")
"""What a slice counts and a run sums up. A run counts faults by itself, with those of no slice."""


DECISION_FIELDS = ("number", "kind", "at", "by", "reason", "what")
"""What a report states of each decision."""


def report_fields(  # noqa: PLR0913 - the facts of a run, by name
    tally: Tally,
    policy: Policy | None,
    outcome: Outcome,
    *,
    duration: int,
    error: BaseException | None = None,
    past_due: bool = False,
    attention: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the report: what the run did, the state it left, and what asks for a person.

    Args:
        tally: what the run did.
        policy: how it was to be done, None when the settings were wrong.
        outcome: why it ended.
        duration: wall time in ms.
        error: what ended it, when it failed.
        past_due: whether the platform started it late.
        attention: what needs a person, each with at least `text` and `help`; None if that is not
            known, because the run did not read the ledger.
    """
    state = state_fields(tally.ledger, tally.now, policy) if tally.ledger and policy else {}
    urgent = [f"{it['text']}: see {it['help']}" for it in attention or ()]
    return {
        "event": "scan",
        "scan": tally.scan,
        "api": policy.api if policy else None,
        "outcome": outcome,
        "run": tally.run,
        **({} if attention is None else {"attention": attention}),
        "ended": tally.ended or None,
        **(_failure(error) if error else {}),
        "duration_seconds": _seconds(duration),
        "past_due": past_due,
        **_work(tally),
        "decisions": _decisions(tally.ledger),
        **state,
        "warnings": [*summed_up(tally.warnings), *urgent],
    }


def encode(fields: dict[str, Any]) -> str:
    """Return the report as one line of JSON, which always fits where it is logged."""
    return fitted_line(fields)


def _work(tally: Tally) -> dict[str, Any]:
    return {
        "requests": tally.requests,
        "pages": tally.pages,
        "records": tally.counts.records,
        "bytes": tally.bytes,
        "commits": tally.commits,
        "parts": tally.parts,
        "throttled": tally.throttled,
        "faults": tally.faults,
        "last_fault": tally.last_fault,
        **{name: getattr(tally.counts, name) for name in COUNTED},
        "clock_skew_seconds": None if tally.skew is None else _seconds(tally.skew),
        "api_clock_skew_seconds": None if tally.api_ahead is None else _seconds(tally.api_ahead),
        "quiet_hours": tally.quiet,
    }


def _decisions(ledger: Ledger | None) -> list[dict[str, Any]]:
    """Return the decisions that no report has stated yet, as in the ledger."""
    found = unreported(ledger) if ledger else ()
    return [{name: getattr(it, name) for name in DECISION_FIELDS} for it in found]


def state_fields(ledger: Ledger, now: int, policy: Policy) -> dict[str, Any]:
    """Return the fields of a report about the state of a scan."""
    missing = tuple(uncovered(ledger, now, policy))
    reaching = intersect(missing, (0, soon_out_of_reach_until(now, policy)))
    sweeps = list(sweeps_due(ledger, now, policy))
    return {
        "epoch": ledger.epoch,
        "paused_since": ledger.pause.since if ledger.pause else 0,
        "paused_until": (ledger.pause.until or 0) if ledger.pause else 0,
        "lag_seconds": _seconds(now - policy.settle - missing[0][0]) if missing else 0,
        "backlog_seconds": _seconds(total(missing)),
        "covered_until": _reached(accounted_for(ledger), ledger.settled_until),
        "final_until": _reached(final(ledger, policy), ledger.settled_until),
        "sweeps_due_seconds": _seconds(total(gap for _, gap in sweeps)),
        "sweeps_behind_seconds": _seconds(_sweeps_behind(sweeps, now, policy)),
        "rescans_due_seconds": _seconds(total(gap for _, gap in rescans_due(ledger, now, policy))),
        "open_slices": sum(not piece.blocked for piece in ledger.open),
        "blocked_slices": sum(piece.blocked for piece in ledger.open),
        "blocked_sweeps": sum(piece.blocked and is_sweep(piece) for piece in ledger.open),
        "waiting_until": ledger.pacing.not_before if waits(ledger.pacing.not_before, now) else 0,
        "lost_seconds": _seconds(ledger.totals.lost + _length(ledger.lost)),
        "doubt_seconds": _seconds(doubt_in(ledger)),
        "soon_lost_seconds": _seconds(total(reaching)),
        **_requests(ledger, policy),
        "manifest": ledger.head.number,
        "manifest_sha256": ledger.head.sha256,
    }


def doubt_in(ledger: Ledger) -> int:
    """Return how much time is in doubt, in ms."""
    return ledger.totals.doubt + _length(ledger.doubt)


def _reached(stretches: Intervals, begin: int) -> int:
    """Return the end of the first stretch that goes on without a gap from where time begins."""
    begun = stretches and stretches[0][0] <= begin
    return stretches[0][1] if begun else begin


def _length(told: tuple[Doubt, ...] | tuple[Loss, ...]) -> int:
    return total((it.start, it.end) for it in told)


def _requests(ledger: Ledger, policy: Policy) -> dict[str, Any]:
    first = first_per_day(ledger.load)
    return {
        "requests_per_day_first": first,
        "requests_per_day_sweeps": None if first is None else sweeps_per_day(first, policy),
        "requests_per_day_needed": None if first is None else first + sweeps_per_day(first, policy),
        "requests_per_day_capacity": capacity(ledger.pacing, policy),
        "requests_per_day_budget": limit_per_day(policy),
    }


def _sweeps_behind(due: Sequence[tuple[str, Interval]], now: int, policy: Policy) -> int:
    """Return how long ago the oldest of the sweeps that are due became due, in ms."""
    ages = dict(policy.sweeps)
    since = [start // HOUR_MS * HOUR_MS + HOUR_MS + ages[name] for name, (start, _) in due]
    return max(0, now - min(since, default=now))


def _failure(error: BaseException) -> dict[str, Any]:
    section = error.help if isinstance(error, ScanError) else "docs/runbook.md#unexpected"
    return {"error": type(error).__name__, "message": str(error), "help": section}


def _seconds(milliseconds: int) -> float:
    return milliseconds / SECOND_MS
