"""The alert rules: what each reads, when it fires, whom it notifies, and what to do then."""

import re
from typing import Any

import pytest

from bench import cost
from shared.core.audit.attention import SECTIONS
from shared.core.audit.attention import SEVERITIES as DECIDED
from tests.infra.monitored import (
    COMPONENT,
    ROOT,
    SITE,
    STATE,
    WORKSPACE,
    fields_read,
    flaws,
    predict,
    report_names,
    template,
)
from tests.test_docs import anchors, rows

pytestmark = pytest.mark.compiler

LENGTHS = {
    "PT5M": 5,
    "PT10M": 10,
    "PT15M": 15,
    "PT30M": 30,
    "PT45M": 45,
    "PT1H": 60,
    "PT2H": 120,
    "PT3H": 180,
    "PT4H": 240,
    "PT5H": 300,
    "PT6H": 360,
    "P1D": 1440,
    "P2D": 2880,
}
"""The windows of a log rule, in minutes: the service knows these and the compiler knows none.

It knows PT1M, too, but not for a query whose table may be missing.
"""

PAGE = f"{STATE}/scan=NAME/status.html"

DESCRIPTION_MOST = 4_096
"""Characters of a log rule's description that the service accepts."""

UNSUCCESSFUL = {"failed", "busy", "superseded", "expired", "clocks differ"}
"""The outcomes of runs that did not do their work."""

ALERTED = {kind: severity for kind, severity in DECIDED.items() if kind != "failing"}
"""What a report says about people. That a scan fails again and again takes two reports."""

METRIC_WINDOWS = {"PT1H": 60, "PT6H": 360, "P1D": 1440}
"""The windows of a metric rule that are long enough for a timer."""

READS = {"no-run": {"outcome"}, "failing": {"outcome", "error", "help"}}
"""The rules that read whole reports, each with the fields that it depends on."""

SEVERITIES = {"attention-1": 1, "attention-2": 2, "attention-3": 3}
"""The rules that read what needs a person, each with its severity."""

OUTSIDE = {"cap", "poison"}
"""The log rules that read something else."""

every_rule = pytest.mark.parametrize("name", [*READS, *SEVERITIES, *OUTSIDE])
every_reader = pytest.mark.parametrize("name", [*READS, *SEVERITIES])
every_rule_about_runs = pytest.mark.parametrize("name", READS)
every_rule_about_people = pytest.mark.parametrize("name", SEVERITIES)


WHERE = {"appId": SITE, "stateUrl": STATE, "alertEmail": "soc@contoso.com", "fanOut": True}
"""The parameters that only this module has; with all rules."""


def alerts(**parameters: object) -> list[dict[str, Any]]:
    """Return every resource of the module."""
    return predict("alerts", **(WHERE | parameters))


def of_type(resources: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Return the resources of a type by the distinguishing part of their names."""
    return {
        it["name"].removeprefix("alert-").removesuffix("-contoso"): it
        for it in resources
        if it["type"] == f"Microsoft.Insights/{kind}"
    }


def log_rules(**parameters: object) -> dict[str, dict[str, Any]]:
    """Return the properties of every log rule by its name."""
    found = of_type(alerts(**parameters), "scheduledQueryRules")
    return {name: it["properties"] for name, it in found.items()}


def criterion(name: str, **parameters: object) -> dict[str, Any]:
    """Return the one criterion of a log rule."""
    (only,) = log_rules(**parameters)[name]["criteria"]["allOf"]
    found: dict[str, Any] = only
    return found


def dead_man_switch(**parameters: object) -> dict[str, Any]:
    """Return the one metric rule."""
    (only,) = of_type(alerts(**parameters), "metricAlerts").values()
    found: dict[str, Any] = only["properties"]
    return found


def columns(query: str) -> set[str]:
    """Return the columns that the last step of a query is known to return."""
    last = query.strip().splitlines()[-1]
    if last.startswith("| project "):
        named = re.split(r", (?![^(]*\))", last.removeprefix("| project "))
        return {it.partition(" = ")[0] for it in named}
    made = [line for line in query.splitlines() if line.startswith("| summarize ")][-1]
    return set(re.findall(r"(\w+) =", made)) | set(made.partition(" by ")[2].split(", "))


def test_the_rules_are_exactly_those_listed_here() -> None:
    """There is one for each severity, and a few for what no report can say about itself."""
    assert set(log_rules()) == set(READS) | set(SEVERITIES) | OUTSIDE


def test_without_a_queue_there_is_no_rule_about_it() -> None:
    """It would cost money, and never fire."""
    assert set(log_rules()) - set(log_rules(fanOut=False)) == {"poison"}


@every_rule_about_runs
def test_a_rule_reads_the_fields_that_it_is_about(name: str) -> None:
    """It reads other fields only to distinguish reports and scans."""
    query = criterion(name)["query"]

    assert fields_read(query) >= READS[name] | {"event", "scan"}


@every_rule_about_runs
def test_a_rule_reads_only_fields_that_a_report_has(name: str) -> None:
    """A misspelled field would always be null, and the rule would never fire."""
    assert fields_read(criterion(name)["query"]) <= report_names()


@every_reader
def test_a_rule_reads_the_reports_of_this_app_only(name: str) -> None:
    """A workspace may serve several apps, and an app logs more than reports."""
    steps = criterion(name)["query"].splitlines()

    assert steps[1] == '| where AppRoleName =~ "func-contoso"'
    assert steps[2] == """| where Message startswith '{"event":"scan"'"""


@every_reader
def test_a_rule_tolerates_a_table_that_does_not_exist_yet(name: str) -> None:
    """The service disables a rule whose query fails for a week."""
    first = criterion(name)["query"].splitlines()[0]

    assert re.fullmatch(r"union isfuzzy=true \(datatable\([\w:, ]+\)\[\]\), AppTraces", first)


@every_reader
def test_no_rule_reads_the_platform_s_own_log(name: str) -> None:
    """The platform logs errors when it moves an app; only the report line is ours."""
    query = criterion(name)["query"].lower()

    assert set(re.findall(r"\bapp[a-z]+s\b", query)) == {"apptraces"}
    assert "exception" not in query
    assert "severitylevel" not in query


@every_rule
def test_a_query_is_well_formed(name: str) -> None:
    """Brackets and quotes match, no step is empty, and no placeholder is left."""
    assert flaws(criterion(name)["query"]) == []


@every_rule
def test_a_rule_measures_and_splits_by_columns_of_its_query(name: str) -> None:
    """On evaluation, the service refuses a rule that names any other column."""
    rule = criterion(name)
    named = {it["name"] for it in rule["dimensions"]} | {rule.get("metricMeasureColumn")} - {None}

    assert not named or named <= columns(rule["query"])


@every_rule
def test_a_rule_counts_rows_or_measures_a_column(name: str) -> None:
    """Count takes no column, and every other aggregation needs one."""
    rule = criterion(name)
    counts = rule["timeAggregation"] == "Count"

    assert rule["timeAggregation"] in {"Count", "Average", "Minimum", "Maximum", "Total"}
    assert counts == (rule.get("metricMeasureColumn") is None)


@every_rule
def test_values_that_the_compiler_does_not_check_are_valid(name: str) -> None:
    """Operator, severity and windows are known, and failing periods do not exceed periods."""
    properties, rule = log_rules()[name], criterion(name)
    window = LENGTHS[properties["windowSize"]]

    assert rule["operator"] in {"GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual"}
    assert properties["severity"] in {1, 2, 3}
    assert LENGTHS[properties["evaluationFrequency"]] <= window
    assert rule["failingPeriods"] == {"numberOfEvaluationPeriods": 1, "minFailingPeriodsToAlert": 1}


@every_rule
def test_a_rule_can_precede_its_tables_and_resolves_by_itself(name: str) -> None:
    """It is scoped to the workspace, not validated, and resolves when its condition ends."""
    properties = log_rules()[name]

    assert properties["scopes"] == [WORKSPACE]
    assert properties["skipQueryValidation"] is True
    assert properties["autoMitigate"] is True
    assert properties["enabled"] is True


@every_rule
def test_a_description_leads_to_its_section_of_the_runbook(name: str) -> None:
    """The section exists, and programs that receive the alert get the same, too."""
    properties = log_rules()[name]
    given = properties["actions"]["customProperties"]
    (section,) = re.findall(r"What to do: (docs/runbook\.md#[\w-]+)$", properties["description"])

    assert section.partition("#")[2] in anchors(ROOT / "docs/runbook.md")
    assert given == {"component": COMPONENT, "help": section, "page": PAGE}


@every_rule
def test_a_description_names_the_page_about_a_scan(name: str) -> None:
    """It is beside the ledger, in the deployment's own account."""
    properties = log_rules()[name]

    assert f" How the scan is: {PAGE}. " in properties["description"]
    assert len(properties["description"]) < DESCRIPTION_MOST


@every_rule_about_people
def test_a_rule_about_people_is_as_severe_as_what_it_reads(name: str) -> None:
    """The severity of an alert is that of the rule, so there is a rule for each."""
    severity = SEVERITIES[name]

    assert log_rules()[name]["severity"] == severity
    assert f'toint(Entry["severity"]) == {severity}\n' in criterion(name)["query"]


@every_rule_about_people
def test_a_rule_about_people_splits_by_scan_kind_and_section(name: str) -> None:
    """Each alert is about one thing, and ends when that thing ends."""
    split = criterion(name)["dimensions"]

    assert [it["name"] for it in split] == ["Scan", "Api", "Kind", "Help"]
    assert {(it["operator"], *it["values"]) for it in split} == {("Include", "*")}


def test_the_rules_name_every_kind_and_no_other() -> None:
    """A description explains the kinds of its severity, as the program has them."""
    named = {
        name: set(re.findall(r"([a-z-]+) \(", log_rules()[name]["description"]))
        for name in SEVERITIES
    }

    assert named == {
        name: {kind for kind, it in ALERTED.items() if it == severity}
        for name, severity in SEVERITIES.items()
    }


@every_reader
def test_an_alert_names_its_scan(name: str) -> None:
    """The rule for no run at all is the exception: it concerns no scan in particular."""
    split = [it["name"] for it in criterion(name)["dimensions"]]

    assert split[:1] == ([] if name == "no-run" else ["Scan"])


def test_no_run_fires_on_a_count_of_zero() -> None:
    """Runs that failed, that met another's claim or that were taken over do not count."""
    rule = criterion("no-run")

    assert (rule["timeAggregation"], rule["operator"], rule["threshold"]) == (
        "Count",
        "LessThan",
        1,
    )
    (unsuccessful,) = re.findall(r"\| where Outcome !in \((.+)\)$", rule["query"].rstrip())
    assert {it.strip('"') for it in unsuccessful.split(", ")} == UNSUCCESSFUL


def test_every_number_of_minutes_that_is_allowed_is_a_window() -> None:
    """The parameter is a number, but the service accepts only certain durations."""
    compiled = template("alerts")
    durations = compiled["variables"]["durations"]

    assert set(durations) == {
        str(it) for it in compiled["parameters"]["noRunMinutes"]["allowedValues"]
    }
    assert {LENGTHS[text]: text for text in durations.values()} == {
        int(minutes): text for minutes, text in durations.items()
    }


@pytest.mark.parametrize("minutes", [15, 120, 2880])
def test_the_rules_about_runs_look_back_as_far_as_configured(minutes: int) -> None:
    """This holds for both; the dead man's switch covers as much, up to a day."""
    rules = log_rules(noRunMinutes=minutes)
    switch = dead_man_switch(noRunMinutes=minutes)

    windows = {LENGTHS[rules[name]["windowSize"]] for name in READS}
    assert windows == {minutes}
    assert METRIC_WINDOWS[switch["windowSize"]] >= min(minutes, 1440)
    assert LENGTHS[switch["evaluationFrequency"]] <= METRIC_WINDOWS[switch["windowSize"]]


@pytest.mark.parametrize(("minutes", "window"), [(15, "P1D"), (360, "P1D"), (2880, "P2D")])
def test_the_rules_about_people_look_back_beyond_the_last_run(minutes: int, window: str) -> None:
    """A run happens at least twice in the configured time, however long that is."""
    rules = log_rules(noRunMinutes=minutes)

    assert {rules[name]["windowSize"] for name in SEVERITIES} == {window}
    assert LENGTHS[window] >= minutes


def test_what_is_severe_is_noticed_within_a_quarter_of_an_hour() -> None:
    """This is the time between two queries; telemetry takes some minutes more."""
    rules = log_rules()
    severe = {name for name, rule in rules.items() if rule["severity"] == 1}

    assert severe == {"no-run", "failing", "attention-1"}
    assert {LENGTHS[rules[name]["evaluationFrequency"]] for name in severe} == {15}


def test_the_dead_man_s_switch_needs_no_telemetry() -> None:
    """The platform counts executions by itself; the metric appears with the first."""
    switch = dead_man_switch()
    (only,) = switch["criteria"]["allOf"]

    assert switch["scopes"] == [SITE]
    assert only["metricNamespace"] == "Microsoft.Web/sites"
    assert only["metricName"] == "OnDemandFunctionExecutionCount"
    assert (only["timeAggregation"], only["operator"], only["threshold"]) == (
        "Total",
        "LessThan",
        1,
    )
    assert only["skipMetricValidation"] is True
    assert switch["description"].endswith(
        f"How the scan is: {PAGE}. What to do: docs/runbook.md#no-successful-run"
    )


def test_all_rules_notify_the_same_group() -> None:
    """The group has one address, and every rule notifies it."""
    resources = alerts()
    (group,) = of_type(resources, "actionGroups").values()
    (receiver,) = group["properties"]["emailReceivers"]
    told = [rule["actions"]["actionGroups"] for rule in log_rules().values()]
    told.append([action["actionGroupId"] for action in dead_man_switch()["actions"]])

    assert receiver["emailAddress"] == "soc@contoso.com"
    assert len(group["properties"]["groupShortName"]) <= 12
    assert told == [[group["id"]]] * len(told)


def test_without_an_address_the_rules_exist_and_notify_nobody() -> None:
    """Their alerts still show in the portal."""
    resources = alerts(alertEmail="")

    assert of_type(resources, "actionGroups") == {}
    assert len(resources) == len(alerts()) - 1
    assert {str(rule["actions"]["actionGroups"]) for rule in log_rules(alertEmail="").values()} == {
        "[]"
    }
    assert dead_man_switch(alertEmail="")["actions"] == []


def test_the_rules_can_be_switched_off() -> None:
    """All rules are switched off, and later deployments keep them off."""
    assert {rule["enabled"] for rule in log_rules(enabled=False).values()} == {False}
    assert dead_man_switch(enabled=False)["enabled"] is False


def test_every_resource_is_tagged() -> None:
    """Tags are used to attribute costs and to clean up."""
    assert [it["name"] for it in alerts() if it["tags"] != {"team": "contoso"}] == []


def test_every_rule_is_documented_with_its_severity() -> None:
    """The page on monitoring lists every rule and every kind, and nothing else."""
    documented = rows("docs/monitoring.md")
    severities = {name: str(rule["severity"]) for name, rule in log_rules().items()}
    severities["no-execution"] = str(dead_man_switch()["severity"])
    severities |= {kind: str(severity) for kind, severity in ALERTED.items()}

    assert {name: row[1] for name, row in documented.items()} == severities


def test_every_kind_is_documented_with_its_section() -> None:
    """The table leads to the section that an alert names."""
    documented = rows("docs/monitoring.md")

    assert {kind: re.findall(r"#([\w-]+)\)$", documented[kind][4]) for kind in ALERTED} == {
        kind: [SECTIONS[kind]] for kind in ALERTED
    }


RULE_PRICES = {"PT5M": 1.50, "PT15M": 0.50, "PT30M": 0.50, "PT1H": 0.50}
"""US dollars a month of a log rule, by how often it queries; of the slower ones at most."""

METRIC_PRICE = 0.10


def test_the_cost_of_a_month_includes_every_rule() -> None:
    """A rule costs by how often it queries; README states the sum for a million a day.

    That is an app with one scan, which has no rule about the queue.
    """
    rules_of_one = log_rules(fanOut=False).values()
    prices = [RULE_PRICES[it["evaluationFrequency"]] for it in rules_of_one]
    rules = sum(prices) + len(of_type(alerts(), "metricAlerts")) * METRIC_PRICE
    together = sum(cost.dollars(cost.month(cost.kept()["1000000"])).values())

    assert cost.PRICES["alerts"] == pytest.approx(rules)
    assert f"[about ${together:.0f}]" in (ROOT / "README.md").read_text("utf-8")
