"""When the alert rules fire: their queries, run on report lines as they would be collected.

There is no Kusto here. A translator runs the queries as SQL on DuckDB and refuses what it does not
know. That proves what a query means, and not that a workspace accepts it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import duckdb_kql
import pytest

from shared.core.state.report import encode
from tests.infra.monitored import a_report
from tests.infra.test_alerts import LENGTHS, READS, criterion, log_rules

pytestmark = pytest.mark.compiler

REFUSED = {"outcome": "failed", "error": "SourceRefused"}
UNAVAILABLE = {"outcome": "failed", "error": "StoreUnavailable"}
WRONG = {"scan": "", "outcome": "failed", "error": "SettingsError"}
BUSY = {"outcome": "busy"}
APART = {"outcome": "clocks differ"}


@dataclass(frozen=True, slots=True)
class Line:
    """A report line that the workspace has.

    Attributes:
        age: minutes since it was written.
        fields: as far as they differ from those of a run that left nothing to do; a field that
            is None here is null in the line, and "absent" leaves it out.
        app: who wrote it.
    """

    age: float
    fields: dict[str, Any]
    app: str = "func-contoso"


def every(minutes: int, since: int, until: int = 0, /, **fields: Any) -> list[Line]:
    """Return the lines of runs at a steady pace, from `since` minutes ago to `until`."""
    return [Line(age + 1, dict(fields)) for age in range(until, since, minutes)]


def message(fields: dict[str, Any]) -> str:
    """Return a report line, as a run writes it."""
    whole = a_report() | fields
    return encode({name: value for name, value in whole.items() if value != "absent"})


def fires(name: str, lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """Return the values of the dimensions that a rule's alerts would name, one per alert."""
    rule, window = criterion(name), log_rules()[name]["windowSize"]
    with duckdb_kql.connect() as workspace:
        workspace.execute(
            "CREATE TABLE AppTraces (TimeGenerated TIMESTAMP, AppRoleName VARCHAR, Message VARCHAR)"
        )
        _collect(workspace, [line for line in lines if line.age < LENGTHS[window]])
        answer = duckdb_kql.kql(workspace, rule["query"])
        columns = [str(it[0]) for it in answer.description]
        rows = [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]
    if rule["timeAggregation"] == "Count":
        return [()] if len(rows) < rule["threshold"] else []
    split = [it["name"] for it in rule["dimensions"]]
    return sorted(
        tuple(row[it] for it in split)
        for row in rows
        if row[rule["metricMeasureColumn"]] > rule["threshold"]
    )


def _collect(workspace: duckdb.DuckDBPyConnection, lines: Sequence[Line]) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)  # noqa: TID251 - queries ask what the time is
    rows = [(now - timedelta(minutes=it.age), it.app, message(it.fields)) for it in lines]
    noise = (now, "func-contoso", "WorkerProcessExitException: python exited with code 143 (0x8F)")
    for row in [*rows, noise, (now, "func-contoso", '{"event":"other"}')]:
        workspace.execute("INSERT INTO AppTraces VALUES (?, ?, ?)", row)


@pytest.mark.parametrize("name", READS)
def test_no_rule_fires_while_all_is_well(name: str) -> None:
    """Neither noise from the platform nor an old loss or an old doubt triggers a rule."""
    lines = every(5, 1500, lost_seconds=9000.0, doubt_seconds=9000.0, lag_seconds=30.0)

    assert fires(name, lines) == []


def test_no_run_fires_when_no_run_of_this_app_succeeds() -> None:
    """Lines of another app do not count, nor do failed, busy, clockless or old ones."""
    nothing = [
        *every(5, 30, **UNAVAILABLE),
        *every(5, 30, **BUSY),
        *every(5, 30, **APART),
        *every(5, 600, 30),
        Line(3, {}, app="func-other"),
    ]

    assert fires("no-run", []) == [()]
    assert fires("no-run", nothing) == [()]
    assert fires("no-run", [*nothing, Line(29, {})]) == []


@pytest.mark.parametrize("outcome", ["idle", "waiting", "out-of-time", "faults"])
def test_a_run_that_did_not_fail_keeps_no_run_silent(outcome: str) -> None:
    """Other rules cover the other outcomes."""
    assert fires("no-run", [Line(3, {"outcome": outcome})]) == []


def test_failing_names_the_scan_and_the_newest_error() -> None:
    """Only the scan that fails is named; the other one works."""
    lines = [
        *every(5, 30, scan="exchange", **UNAVAILABLE),
        *every(5, 30, scan="all"),
        Line(0.5, {"scan": "exchange", "outcome": "failed", "error": "LedgerMissing"}),
    ]

    assert fires("failing", lines) == [("exchange", "LedgerMissing")]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (WRONG, ("(all)", "SettingsError")),
        (BUSY, ("all", "busy")),
        (APART, ("all", "clocks differ")),
    ],
)
def test_failing_covers_invalid_settings_and_a_claim_that_stays(
    fields: dict[str, Any], named: tuple[str, str]
) -> None:
    """The line for invalid settings has no scan and no state; a busy run's has no error."""
    assert fires("failing", every(5, 30, epoch="absent", **fields)) == [named]


def test_one_failed_run_does_not_fire_failing() -> None:
    """The next run resumes the work."""
    assert fires("failing", [Line(1, UNAVAILABLE)]) == []
    assert fires("failing", [Line(1, UNAVAILABLE), Line(6, UNAVAILABLE), Line(11, {})]) == []


def test_a_refused_scan_fires_its_own_rule_only() -> None:
    """Two mails about one cause would be one too many."""
    lines = every(5, 30, **REFUSED)

    assert fires("refused", lines) == [("all",)]
    assert fires("failing", lines) == []


def test_refused_ends_when_the_newest_run_is_not_refused() -> None:
    """The cause is fixed, whatever came before; and a single refusal does not fire yet."""
    assert fires("refused", [*every(5, 30, 5, **REFUSED), Line(1, {})]) == []
    assert fires("refused", [Line(1, REFUSED), Line(6, {})]) == []


def behind(*backlogs: float) -> list[Line]:
    """Return an hour of lines with a lag of two hours, their backlogs oldest first."""
    return [
        Line(55 - 10 * place, {"lag_seconds": 7200.0, "backlog_seconds": backlog})
        for place, backlog in enumerate(backlogs)
    ]


@pytest.mark.parametrize(
    ("backlogs", "alerts"),
    [
        pytest.param([7200.0] * 6, [("all",)], id="stands still"),
        pytest.param([7200.0, 7300.0, 7400.0, 7500.0, 7600.0, 7700.0], [("all",)], id="grows"),
        pytest.param([7500.0, 7200.0, 7500.0, 7200.0, 7500.0, 7200.0], [("all",)], id="breathes"),
        pytest.param([604800.0 - 3000 * it for it in range(6)], [("all",)], id="melts slowly"),
        pytest.param([604800.0 - 36000 * it for it in range(6)], [], id="melts within a day"),
    ],
)
def test_lag_ignores_a_backlog_that_shrinks(
    backlogs: list[float], alerts: list[tuple[str, ...]]
) -> None:
    """A first run begins a week back and needs no attention while it makes progress."""
    assert fires("lag", behind(*backlogs)) == alerts


def test_one_run_alone_does_not_fire_lag() -> None:
    """It fires if no run of an hour was any better; half an hour of silence changes nothing."""
    late = every(10, 60, lag_seconds=7200.0, backlog_seconds=7200.0)

    assert fires("lag", [*late, Line(33, {"lag_seconds": 60.0})]) == []
    assert fires("lag", [line for line in late if line.age > 35]) == [("all",)]
    assert fires("lag", [line for line in late if line.age < 25]) == [("all",)]


@pytest.mark.parametrize(
    "name", ["lag", "soon-lost", "lost", "doubt", "blocked", "over-budget", "sweeps-behind"]
)
def test_a_run_that_did_not_reach_the_ledger_changes_no_alert_about_state(name: str) -> None:
    """Its report line lacks the fields of state."""
    state = ["lag_seconds", "backlog_seconds", "soon_lost_seconds", "lost_seconds"]
    state += ["doubt_seconds", "blocked_slices", "requests_per_day_first"]
    state += ["requests_per_day_capacity", "sweeps_behind_seconds"]
    blind = dict.fromkeys(state, "absent")

    assert fires(name, every(5, 300, **UNAVAILABLE, **blind)) == []


def test_soon_lost_fires_when_it_lasts_an_hour() -> None:
    """What is about to be lost is often scanned soon."""
    lines = every(5, 60, soon_lost_seconds=36.0)

    assert fires("soon-lost", lines) == [("all",)]
    assert fires("soon-lost", [*lines, Line(59, {})]) == []


def test_lost_reports_a_loss_for_a_day() -> None:
    """It reports what was lost since yesterday, and nothing older."""
    before = every(30, 1440, 300, lost_seconds=100.0)

    assert fires("lost", [*before, Line(10, {"lost_seconds": 160.0})]) == [("all",)]
    assert fires("lost", [*before, Line(10, {"lost_seconds": 100.0})]) == []


def test_lost_reports_what_was_lost_during_a_silence() -> None:
    """The first line after weeks already includes the loss, with no line to compare it to."""
    assert fires("lost", every(5, 60, lost_seconds=86400.0)) == [("all",)]
    assert fires("lost", every(5, 60, lost_seconds=0.0)) == []


def test_doubt_is_reported_once_the_first_sweep_has_left_it() -> None:
    """The doubt is less than a day old, has stood for six hours, and exceeds the limit."""
    calm = every(30, 1440, 420)
    stands = every(30, 420, doubt_seconds=3600.0)

    assert fires("doubt", [*calm, *stands]) == [("all",)]
    assert fires("doubt", [*calm, *stands, Line(200, {"doubt_seconds": 0.0})]) == []
    assert fires("doubt", [*calm, *every(30, 420, doubt_seconds=60.0)]) == []
    assert fires("doubt", every(30, 1440, doubt_seconds=3600.0)) == []


def test_blocked_fires_after_an_hour() -> None:
    """Every line of the hour reports a block, and the alert names each scan."""
    lines = every(5, 60, blocked_slices=2)

    assert fires("blocked", lines) == [("all",)]
    assert fires("blocked", [*lines, Line(50, {"blocked_slices": 0})]) == []
    assert fires("blocked", [*lines, *every(5, 60, scan="b", blocked_slices=1)]) == [
        ("all",),
        ("b",),
    ]


def test_over_budget_fires_when_the_need_lasts() -> None:
    """A need that is not known yet does not count."""
    more = {"requests_per_day_first": 30000, "requests_per_day_capacity": 28800}

    assert fires("over-budget", every(30, 360, **more)) == [("all",)]
    assert fires("over-budget", [*every(30, 360, **more), Line(99, {})]) == []
    assert fires("over-budget", every(30, 360, requests_per_day_first=None)) == []


def test_sweeps_behind_fires_when_it_lasts_for_six_hours() -> None:
    """A single run without a late sweep resolves it."""
    late = every(30, 360, sweeps_behind_seconds=7.0 * 3600)

    assert fires("sweeps-behind", late) == [("all",)]
    assert fires("sweeps-behind", [*late, Line(99, {"sweeps_behind_seconds": 0.0})]) == []
    assert fires("sweeps-behind", every(30, 360, sweeps_behind_seconds=6.0 * 3600)) == []


@pytest.mark.parametrize("fields", [{"throttled": 1}, {"waiting_until": 1_795_435_200_000}])
def test_throttled_fires_on_a_share_of_runs(fields: dict[str, Any]) -> None:
    """Runs that met a throttle count, as do those still waiting for one to end."""
    free = every(5, 60, 40)

    assert fires("throttled", [*free, *every(5, 40, **fields)]) == [("all",)]
    assert fires("throttled", [*free, *free, *every(5, 20, **fields)]) == []
