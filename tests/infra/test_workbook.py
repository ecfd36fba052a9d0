"""The workbook is a valid document, and its queries read only fields that reports have."""

import json
import re
from typing import Any

import pytest

from tests.infra.monitored import (
    COMPONENT,
    ROOT,
    WORKSPACE,
    fields_read,
    flaws,
    predict,
    report_names,
)
from tests.test_docs import fences

SOURCE = (ROOT / "infra" / "workbook.json").read_text("utf-8")
BOOK: dict[str, Any] = json.loads(SOURCE)

KINDS = {1: "json", 3: "query", 9: "parameters"}
"""Types of items (text, query, parameters), each with the members that it must have."""

SHOWN = {
    "api",
    "attention",
    "quiet_hours",
    "paused_since",
    "lag_seconds",
    "records",
    "late",
    "requests",
    "requests_per_day_budget",
    "requests_per_day_capacity",
    "requests_per_day_first",
    "requests_per_day_needed",
    "bytes",
    "outcome",
    "lost_seconds",
    "soon_lost_seconds",
    "doubt_seconds",
    "blocked_slices",
    "covered_until",
    "final_until",
}
"""The subjects that a person looks for in it."""


def contents(kind: int) -> list[dict[str, Any]]:
    """Return the contents of the items of a type."""
    return [item["content"] for item in BOOK["items"] if item["type"] == kind]


def parameters() -> dict[str, dict[str, Any]]:
    """Return the workbook's parameters by name."""
    (only,) = contents(9)
    return {it["name"]: it for it in only["parameters"]}


def queried() -> dict[str, dict[str, Any]]:
    """Return everything that queries the workspace, by title; the list of scans is one."""
    asking = {content["title"]: content for content in contents(3)}
    return asking | {name: it for name, it in parameters().items() if "query" in it}


every_query = pytest.mark.parametrize("title", list(queried()))


def test_the_file_is_a_workbook() -> None:
    """It has the only version there is; every item has a known type and a unique name."""
    names = [item["name"] for item in BOOK["items"]]

    assert BOOK["version"] == "Notebook/1.0"
    assert BOOK["$schema"].endswith("/schema/workbook.json")
    assert [item for item in BOOK["items"] if not item["content"].get(KINDS[item["type"]])] == []
    assert len(names) == len(set(names))


def test_the_workbook_shows_the_state_of_a_scan() -> None:
    """It shows what needs a person, lag, activities, requests, growth, outcomes and more."""
    read = {field for it in contents(3) for field in fields_read(it["query"])}

    assert read >= SHOWN


@every_query
def test_a_query_of_the_workbook_reads_only_fields_that_a_report_has(title: str) -> None:
    """A misspelled field would give an empty chart."""
    read = fields_read(queried()[title]["query"])

    assert "event" in read
    assert read & {"scan", "api"}
    assert read <= report_names()


@every_query
def test_a_query_of_the_workbook_reads_the_reports_of_one_app(title: str) -> None:
    """It also tolerates a workspace whose tables do not exist yet."""
    steps = queried()[title]["query"].splitlines()

    assert re.fullmatch(r"union isfuzzy=true \(datatable\([\w:, ]+\)\[\]\), AppTraces", steps[0])
    assert steps[1] == '| where AppRoleName =~ "{App}"'
    assert '| where tostring(report.event) == "scan"' in steps


@every_query
def test_a_query_of_the_workbook_is_well_formed(title: str) -> None:
    """Brackets and quotes match, and no step is empty."""
    assert flaws(queried()[title]["query"]) == []


@every_query
def test_a_query_names_only_parameters_that_exist(title: str) -> None:
    """The workbook leaves an unknown name in braces as it is, which breaks the query."""
    named = set(re.findall(r"\{(\w+)(?::\w+)?\}", json.dumps(queried()[title])))

    assert named <= set(parameters())


@every_query
def test_a_query_asks_the_chosen_workspace_about_the_chosen_time(title: str) -> None:
    """Both are parameters, so the workbook works wherever it is opened."""
    query = queried()[title]

    assert query["crossComponentResources"] == ["{Workspace}"]
    assert query["resourceType"] == "microsoft.operationalinsights/workspaces"
    assert query["timeContextFromParameter"] == "TimeRange"


@pytest.mark.parametrize("content", contents(3), ids=lambda it: str(it["title"]))
def test_a_chart_follows_the_choice_of_scans(content: dict[str, Any]) -> None:
    """It shows all scans, or those that were chosen by name or by the host of their API."""
    steps = content["query"].splitlines()

    for name in ("Scan", "Api"):
        assert f'| where "*" in ({{{name}}}) or {name} in ({{{name}}})' in steps
        assert parameters()[name]["typeSettings"]["selectAllValue"] == "*"


def test_the_scans_come_worst_first_with_their_tenants() -> None:
    """Failed runs, then the most severe, then the longest lag."""
    query = next(it["query"] for it in contents(3) if it["title"].startswith("Every scan"))

    steps = query.splitlines()
    assert "| order by Worst asc, Lag desc, Scan asc" in steps
    assert steps[-1].startswith("| project Scan, Api, ")


def test_the_file_holds_no_resource() -> None:
    """The deployment inserts the ids."""
    assert "/subscriptions/" not in SOURCE
    assert parameters()["Workspace"]["value"] == "WORKSPACE_ID"
    assert parameters()["App"]["value"] == "APP_NAME"
    assert BOOK["fallbackResourceIds"] == ["WORKSPACE_ID"]


@pytest.mark.compiler
def test_the_workbook_is_deployed_with_its_workspace_and_its_app() -> None:
    """It is still a valid document with the ids, and listed beside the telemetry."""
    (workbook,) = predict("workbook")
    deployed = json.loads(workbook["properties"]["serializedData"])
    given = {it["name"]: it.get("value") for it in deployed["items"][1]["content"]["parameters"]}

    assert workbook["properties"]["sourceId"] == COMPONENT
    assert deployed["fallbackResourceIds"] == [WORKSPACE]
    assert (given["Workspace"], given["App"]) == (WORKSPACE, "func-contoso")
    assert len(deployed["items"]) == len(BOOK["items"])


@pytest.mark.compiler
def test_the_workbook_keeps_its_name_in_every_deployment() -> None:
    """It is a GUID, as the service requires; another app's workbook has another."""
    (once,) = predict("workbook")
    (again,) = predict("workbook", appName="func-renamed")
    (other,) = predict("workbook", resourceToken="other")

    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", once["name"])
    assert once["name"] == again["name"] != other["name"]


@pytest.mark.compiler
def test_the_portal_lists_the_title_of_the_workbook() -> None:
    """Lists show a tag in place of the GUID, and it equals the title."""
    (workbook,) = predict("workbook")

    assert workbook["tags"]["hidden-title"] == workbook["properties"]["displayName"]
    assert workbook["tags"]["team"] == "contoso"


@pytest.mark.parametrize("query", fences(ROOT / "docs/monitoring.md", "kusto"))
def test_documented_queries_read_only_fields_that_a_report_has(query: str) -> None:
    """People copy these queries."""
    assert fields_read(query) <= report_names()
    assert flaws(query) == []
