"""The report of a run of the table's app: one JSON line, for logs, alerts and people.

Its fields are documented in `docs/formats.md`; alert rules read them, so a field is only ever
added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.core.errors import ScanError
from shared.core.model import MINUTE_MS, SECOND_MS
from shared.core.state.fitting import fitted_line
from shared.table.keeping import Kept

Outcome = Literal["idle", "out-of-time", "failed"]
"""Why the run ended.

- `idle`: the table has the whole feed of every scan, and no upkeep is left.
- `out-of-time`: the time budget is used up; the next run goes on.
- `failed`: an error ended it, or kept the rows of a scan from the table.
"""

BEHIND = "docs/table.md#behind-the-feed"


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far the table goes in the feed of one scan.

    Attributes:
        scan: the scan's name.
        manifest: number of the last manifest in the table; 0 if none is, or the table could not be
            opened.
        commits: number of commits of this run.
        rows: number of rows that they appended.
        at_end: whether the table has the whole feed.
        waiting_since: when the oldest manifest that is not in the table was made, epoch ms; None if
            none is known.
        error: what kept the table from going on; None if nothing did.
    """

    scan: str
    manifest: int = 0
    commits: int = 0
    rows: int = 0
    at_end: bool = False
    waiting_since: int | None = None
    error: Exception | None = None

    def behind(self, now: int) -> int | None:
        """Return how far the table is behind the feed, in ms; None if that is not known."""
        if self.at_end:
            return 0
        return None if self.waiting_since is None else max(0, now - self.waiting_since)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one run has done so far, kept while it works, so that a failed run reports it, too.

    Attributes:
        run: random id of the run.
        progress: of each scan.
        kept: what upkeep has done.
        error: what ended the run or its upkeep; None if nothing did.
    """

    run: str
    progress: list[Progress] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    error: Exception | None = None

    @property
    def errors(self) -> list[Exception]:
        """Everything that went wrong."""
        found = [self.error, *(it.error for it in self.progress)]
        return [it for it in found if it is not None]

    @property
    def outcome(self) -> Outcome:
        """Why the run ended."""
        if self.errors:
            return "failed"
        done = all(it.at_end for it in self.progress) and not self.kept.left
        return "idle" if done else "out-of-time"


def report_fields(
    tally: Tally, *, now: int, duration: int, past_due: bool, behind_alert: int
) -> dict[str, Any]:
    """Return the fields of the report line.

    Args:
        tally: what the run has done.
        now: when it ended, epoch ms.
        duration: how long it took, in ms.
        past_due: whether the platform started it late.
        behind_alert: how far the table may be behind before that needs a person, in ms.
    """
    errors, needs = tally.errors, _attention(tally.progress, now, behind_alert)
    known = [it.behind(now) for it in tally.progress]
    behind = [it for it in known if it is not None]
    return {
        "event": "table",
        "outcome": tally.outcome,
        "run": tally.run,
        "attention": needs,
        "ended": now,
        **(_failure(errors[0]) if errors else {}),
        "duration_seconds": duration / SECOND_MS,
        "past_due": past_due,
        "commits": sum(it.commits for it in tally.progress),
        "rows": sum(it.rows for it in tally.progress),
        "behind_seconds": max(behind) / SECOND_MS if behind else None,
        "scans": [_scan(it, now) for it in tally.progress],
        "deleted_rows": tally.kept.deleted,
        "merged_days": tally.kept.days,
        "merged_files": tally.kept.merged,
        "removed_files": tally.kept.removed,
        "upkeep_left": tally.kept.left,
        "warnings": [it["text"] for it in needs],
    }


def line_of(fields: dict[str, Any]) -> str:
    """Return the report as one line of JSON, which always fits where it is logged."""
    return fitted_line(fields)


def _scan(progress: Progress, now: int) -> dict[str, Any]:
    behind = progress.behind(now)
    return {
        "scan": progress.scan,
        "manifest": progress.manifest,
        "rows": progress.rows,
        "behind_seconds": None if behind is None else behind / SECOND_MS,
        **({"message": str(progress.error)} if progress.error else {}),
    }


def _attention(progress: Sequence[Progress], now: int, limit: int) -> list[dict[str, Any]]:
    """Return what needs a person, in the form that the collector's report has."""
    late = [it for it in progress if (it.behind(now) or 0) > limit]
    if not late:
        return []
    worst = max(late, key=lambda it: it.behind(now) or 0)
    minutes = (worst.behind(now) or 0) // MINUTE_MS
    others = f", and {len(late) - 1:,} more scans" if len(late) > 1 else ""
    text = (
        f"the table is {minutes:,} minutes behind the feed of scan {worst.scan}{others}: manifest "
        f"{worst.manifest + 1} is not in it"
    )
    since = worst.waiting_since
    return [{"kind": "behind", "severity": 2, "since": since, "text": text, "help": BEHIND}]


def _failure(error: Exception) -> dict[str, Any]:
    section = error.help if isinstance(error, ScanError) else "docs/runbook.md#unexpected"
    return {"error": type(error).__name__, "message": str(error), "help": section}
