"""How long `run --until-idle` waits between runs, and what it says."""

import json
from typing import Any, get_args

import pytest

from shared.core.state.report import Outcome, Tally, encode, report_fields
from shared.operate.pausing import duration
from shared.operate.running import next_pause, run_until_idle, summary
from shared.scan.reporting import RunResult
from tests.displays import Said
from tests.fakes import NOW, FakeClock


def report(outcome: Outcome, **more: Any) -> dict[str, Any]:
    """Return a report line, parsed, with some fields replaced."""
    line = encode(report_fields(Tally(scan="all", run="r"), None, outcome, duration=20_000))
    return {**json.loads(line), **more}


def result(outcome: Outcome, **more: Any) -> RunResult:
    """Return how a run ended."""
    line = json.dumps(report(outcome, **more))
    return RunResult(scan="all", outcome=outcome, line=line, error=None)


@pytest.mark.parametrize(
    ("reports", "quiet", "pause"),
    [
        ([report("out-of-time")], 0, 0),
        ([report("waiting", waiting_until=NOW + 48_000)], 0, 48_000),
        ([report("waiting", waiting_until=0)], 0, 2_000),
        ([report("waiting", waiting_until=0)], 3, 16_000),
        ([report("faults")], 99, 120_000),
        ([report("busy")], 1, 4_000),
        ([report("waiting", waiting_until=NOW + 48_000), report("out-of-time")], 0, 0),
    ],
)
def test_the_most_eager_scan_decides_the_pause(
    reports: list[dict[str, Any]], quiet: int, pause: int
) -> None:
    """It is none after a spent budget, ends with a throttle, or else backs off."""
    assert next_pause(reports, NOW, quiet) == pause


def test_runs_repeat_until_idle() -> None:
    """Every report is shown, and every wait is observed."""
    clock, shown = FakeClock(), list[str]()
    script = [result("out-of-time"), result("waiting", waiting_until=NOW + 9_000), result("idle")]
    remaining = iter(script)

    results = run_until_idle(lambda: [next(remaining)], clock, Said(), shown.append)

    assert results == script[-1:]
    assert shown == [it.line for it in script]
    assert sum(clock.slept) == 9_000


def test_a_failure_ends_the_repetition() -> None:
    """A problem that needs a person is not retried forever."""
    failed = RunResult(scan="all", outcome="failed", line="{}", error=ValueError("no"))

    results = run_until_idle(lambda: [failed], FakeClock(), Said(), lambda _: None)

    assert results == [failed]


def test_warnings_are_shown() -> None:
    """They are part of what is said about a run."""
    said = Said()
    ended = result("idle", warnings=["SCAN_LOOKBACK has changed"], covered_until=NOW)

    run_until_idle(lambda: [ended], FakeClock(), said, lambda _: None)

    assert "complete until 2026-11-23 12:00:00 UTC" in said.lines[-1]
    assert "warning: SCAN_LOOKBACK has changed" in said.lines[-1]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(1, "1 s"), (48_000, "48 s"), (65_000, "1 min 5 s"), (7.5e6, "2 h 5 min")],
)
def test_durations_are_rounded_up(milliseconds: float, text: str) -> None:
    """A wait is never over before the announced time."""
    assert duration(int(milliseconds)) == text


@pytest.mark.parametrize("outcome", [it for it in get_args(Outcome) if it != "failed"])
def test_every_outcome_of_a_run_has_its_words(outcome: Outcome) -> None:
    """A failed run shows its error instead."""
    assert summary(report(outcome)).startswith("all: ")
