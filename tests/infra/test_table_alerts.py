"""The alert rules of the table's app: run on report lines as they would be collected."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.core.errors import FeedBroken
from shared.table.report import Progress, Tally, line_of, report_fields
from tests.fakes import HOUR, NOW
from tests.infra.monitored import (
    COMPONENT,
    ROOT,
    SITE,
    WORKSPACE,
    fields_read,
    flaws,
    predict,
)
from tests.infra.test_alert_queries import answers_in
from tests.infra.test_alerts import DESCRIPTION_MOST, LENGTHS, METRIC_WINDOWS, columns, of_type
from tests.test_docs import anchors, rows

pytestmark = pytest.mark.compiler

GROUP = f"{WORKSPACE.partition('/providers/')[0]}/providers/Microsoft.Insights/actionGroups/ag"

LOG_RULES = ["table-failing", "table-attention"]

every_rule = pytest.mark.parametrize("name", LOG_RULES)


def alerts(**parameters: object) -> list[dict[str, Any]]:
    """Return every resource of the module."""
    given = {"appId": SITE, "actionGroupIds": [GROUP], **parameters}
    return predict("table-alerts", **given)


def log_rules(**parameters: object) -> dict[str, dict[str, Any]]:
    """Return the properties of every log rule by its name."""
    found = of_type(alerts(**parameters), "scheduledQueryRules")
    return {name: it["properties"] for name, it in found.items()}


def criterion(name: str) -> dict[str, Any]:
    """Return the one criterion of a log rule."""
    (only,) = log_rules()[name]["criteria"]["allOf"]
    found: dict[str, Any] = only
    return found


def metric_rule(**parameters: object) -> dict[str, Any]:
    """Return the one metric rule."""
    (only,) = of_type(alerts(**parameters), "metricAlerts").values()
    found: dict[str, Any] = only["properties"]
    return found


@dataclass(frozen=True, slots=True)
class Line:
    """A report line that the workspace has: its text, its age in minutes, and who wrote it."""

    age: float
    text: str
    app: str = "func-contoso"


def done(**progress: Any) -> str:
    """Return the line of a run of one scan; without more, it left nothing to do."""
    given: dict[str, Any] = {"scan": "all", "at_end": True, **progress}
    tally = Tally(run="r", progress=[Progress(**given)])
    fields = report_fields(tally, now=NOW, duration=1, past_due=False, behind_alert=HOUR)
    return line_of(fields)


def failed() -> str:
    """Return the line of a run that met a broken feed."""
    return done(at_end=False, error=FeedBroken("gap"))


def behind() -> str:
    """Return the line of a run whose table is two hours behind."""
    return done(at_end=False, waiting_since=NOW - 2 * HOUR)


def fires(name: str, lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """Return the values of the dimensions that a rule's alerts would name, one per alert."""
    rule, window = criterion(name), log_rules()[name]["windowSize"]
    now = datetime.fromtimestamp(NOW / 1000, UTC).replace(tzinfo=None)
    seen = [
        (now - timedelta(minutes=it.age), it.app, it.text)
        for it in [*lines, Line(1, '{"event":"scan"}'), Line(1, "python exited")]
        if it.age < LENGTHS[window]
    ]
    found = answers_in(seen, rule["query"])
    assert (rule["operator"], rule["threshold"]) == ("GreaterThan", 0)
    return sorted({tuple(row[it["name"]] for it in rule["dimensions"]) for row in found})


@every_rule
def test_no_rule_fires_while_all_is_well(name: str) -> None:
    """A single run that fails is none of them."""
    lines = [Line(16, failed()), *(Line(age, done()) for age in (1, 31, 46))]

    assert fires(name, lines) == []


def test_failing_fires_when_no_run_succeeds() -> None:
    """It names the error and the section about it."""
    lines = [Line(age, failed()) for age in (1, 16, 31, 46)] + [Line(61, done())]

    assert fires("table-failing", lines) == [
        ("FeedBroken", "docs/table.md#the-table-does-not-go-on")
    ]


def test_failing_fires_when_there_is_no_report_of_this_app() -> None:
    """The platform may have killed every run, or started none; another app does not count."""
    lines = [Line(1, done(), "func-fabrikam"), Line(61, done())]

    assert fires("table-failing", lines) == [("no report", "docs/table.md#no-report")]


def test_attention_fires_when_the_newest_report_asks_for_a_person() -> None:
    """What an older one said no longer holds."""
    assert fires("table-attention", [Line(1, behind()), Line(16, done())]) == [
        ("behind", "docs/table.md#behind-the-feed")
    ]
    assert fires("table-attention", [Line(1, done()), Line(16, behind())]) == []


@every_rule
def test_a_rule_reads_only_fields_that_a_report_has(name: str) -> None:
    """A misspelled field would always be null."""
    tally = Tally(run="r", error=OSError())
    known = report_fields(tally, now=NOW, duration=1, past_due=False, behind_alert=1)

    assert fields_read(criterion(name)["query"]) <= set(known)
    assert flaws(criterion(name)["query"]) == []


@every_rule
def test_a_rule_is_what_the_service_accepts(name: str) -> None:
    """With dimensions that its query returns, and a description that is not too long."""
    rule = log_rules()[name]

    assert {it["name"] for it in criterion(name)["dimensions"]} <= columns(criterion(name)["query"])
    assert LENGTHS[rule["evaluationFrequency"]] <= LENGTHS[rule["windowSize"]]
    assert len(rule["description"]) < DESCRIPTION_MOST
    assert (rule["severity"], rule["scopes"]) == (2, [WORKSPACE])
    assert (rule["skipQueryValidation"], rule["autoMitigate"]) == (True, True)


@every_rule
def test_a_rule_notifies_and_helps(name: str) -> None:
    """Its section exists, and the component is where to look first."""
    actions = log_rules()[name]["actions"]
    page, _, anchor = actions["customProperties"]["help"].partition("#")

    assert actions["actionGroups"] == [GROUP]
    assert actions["customProperties"]["component"] == COMPONENT
    assert anchor in anchors(ROOT / page)
    assert log_rules(actionGroupIds=[])[name]["actions"]["actionGroups"] == []


@pytest.mark.parametrize("minutes", [15, 60, 120, 360, 1440, 2880])
def test_the_windows_follow_the_time_without_a_run(minutes: int) -> None:
    """The metric rule, which knows fewer windows, waits at least an hour."""
    windows = log_rules(noRunMinutes=minutes)
    metric = METRIC_WINDOWS[metric_rule(noRunMinutes=minutes)["windowSize"]]

    assert LENGTHS[windows["table-failing"]["windowSize"]] == minutes
    assert LENGTHS[windows["table-attention"]["windowSize"]] >= max(1440, minutes)
    assert metric >= min(minutes, 1440)


def test_the_dead_man_s_switch_counts_executions() -> None:
    """It needs neither the app's telemetry nor the workspace."""
    rule = metric_rule()
    (counted,) = rule["criteria"]["allOf"]

    assert rule["scopes"] == [SITE]
    assert counted["metricName"] == "OnDemandFunctionExecutionCount"
    assert (counted["operator"], counted["threshold"]) == ("LessThan", 1)
    assert [it["actionGroupId"] for it in rule["actions"]] == [GROUP]
    page, _, anchor = rule["actions"][0]["webHookProperties"]["help"].partition("#")
    assert anchor in anchors(ROOT / page)


def test_every_rule_is_documented() -> None:
    """With its severity and how often it asks."""
    listed = rows("docs/table.md")

    for name in [*LOG_RULES, "table-no-execution"]:
        assert listed[name][1] == "2"


def test_switched_off_rules_are_there_but_not_evaluated() -> None:
    """As the collector's."""
    found = alerts(enabled=False)

    assert {it["properties"]["enabled"] for it in found} == {False}
    assert len(found) == 3
