"""`run`: what the timer starts, once or until nothing is due any more."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from shared.core.quoting import instant
from shared.operate.pausing import Display, counted, duration, pause
from shared.ports import Clock
from shared.scan.reporting import RunResult

BACKOFF_FIRST_MS = 2_000
"""The pause after a run that got no page and does not say how long to wait."""

BACKOFF_MOST_MS = 120_000
"""The longest such pause. Blocked slices are due hourly; other waits are far shorter."""

AT_REST = frozenset({"idle", "paused"})
"""Outcomes after which another run at once would find nothing to do."""

RunScans = Callable[[], list[RunResult]]
"""Does one run of every scan."""


def run_once(run_scans: RunScans, display: Display, show: Callable[[str], None]) -> list[RunResult]:
    """Do one run of every scan, and show how each ended.

    Args:
        run_scans: runs every scan once.
        display: shows the progress.
        show: is called with each report line.
    """
    display.progress("scanning")
    results = run_scans()
    for result in results:
        show(result.line)
        if result.error is None:
            display.say(summary(json.loads(result.line)))
    return results


def run_until_idle(
    run_scans: RunScans, clock: Clock, display: Display, show: Callable[[str], None]
) -> list[RunResult]:
    """Repeat runs until every scan is idle or paused, or one fails; return the last results."""
    quiet = 0
    while True:
        results = run_once(run_scans, display, show)
        if any(it.error for it in results) or all(it.outcome in AT_REST for it in results):
            return results
        reports = [json.loads(it.line) for it in results if it.outcome not in AT_REST]
        quiet = 0 if any(report["pages"] for report in reports) else quiet + 1
        pause(clock, display, next_pause(reports, clock.now(), quiet), _why(reports))


def next_pause(reports: Sequence[dict[str, Any]], now: int, quiet: int) -> int:
    """Return how long to wait before the next run, in ms: as long as the most eager scan.

    Args:
        reports: the report lines of the scans that are not idle.
        now: epoch ms.
        quiet: runs in a row without a page.
    """
    backoff = min(BACKOFF_FIRST_MS * 2 ** min(quiet, 10), BACKOFF_MOST_MS)
    return min(_wait(report, now, backoff) for report in reports)


def _wait(report: dict[str, Any], now: int, backoff: int) -> int:
    if report["outcome"] == "out-of-time":
        return 0
    until: int = report.get("waiting_until", 0)
    return until - now if until > now else backoff


def _why(reports: Sequence[dict[str, Any]]) -> str:
    outcomes = {report["outcome"] for report in reports}
    if any(report["throttled"] for report in reports):
        return "the API throttles this tenant (429)"
    if "faults" in outcomes:
        return "the API fails"
    return (
        "another run is at work"
        if outcomes <= {"busy", "superseded"}
        else "everything that is due waits"
    )


def summary(report: dict[str, Any]) -> str:
    """Return a report line as a human-readable summary."""
    said = (
        f"{report['scan']}: {_MEANING[report['outcome']]}; "
        f"{counted(report['records'], 'activity', 'activities')} in "
        f"{counted(report['parts'], 'part', 'parts')}, "
        f"{counted(report['requests'], 'request', 'requests')}, "
        f"{duration(round(report['duration_seconds'] * 1000))}"
    )
    if report.get("covered_until"):
        said += f"; complete until {instant(report['covered_until'])}"
    if report.get("lag_seconds"):
        said += f", {duration(round(report['lag_seconds'] * 1000))} behind"
    return "\n".join([said, *(f"  warning: {warning}" for warning in report["warnings"])])


_MEANING = {
    "idle": "idle, nothing is due",
    "waiting": "waiting, everything that is due must wait",
    "out-of-time": "stopped, the time budget is spent",
    "faults": "stopped, the API gave three faults in a row",
    "paused": "paused by an operator, no request is sent",
    "superseded": "ended early, another run or a command took over",
    "busy": "busy, another run holds the scan or its API host",
    "clocks differ": "stopped, two clocks differ",
    "expired": "not begun, a newer message asks for it",
}
