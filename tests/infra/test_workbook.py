"""The workbook: valid as a document, and every query reads what a report line has."""

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
"""Types of items (text, query, parameters), each with what it must hold."""

SHOWN = {
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
"""What a person looks for in it."""


def contents(kind: int) -> list[dict[str, Any]]:
    """Return the contents of the items of a type."""
    return [item["content"] for item in BOOK["items"] if item["type"] == kind]


def parameters() -> dict[str, dict[str, Any]]:
    """Return the workbook's parameters by name."""
    (only,) = contents(9)
    return {it["name"]: it for it in only["parameters"]}


def queried() -> dict[str, dict[str, Any]]:
    """Return everything that asks the workspace, by title; the list of scans is one of them."""
    asking = {content["title"]: content for content in contents(3)}
    return asking | {name: it for name, it in parameters().items() if "query" in it}


every_query = pytest.mark.parametrize("title", list(queried()))


def test_it_is_a_workbook() -> None:
    """Of the one version there is; every item is of a known type, and named once."""
    names = [item["name"] for item in BOOK["items"]]

    assert BOOK["version"] == "Notebook/1.0"
    assert BOOK["$schema"].endswith("/schema/workbook.json")
    assert [item for item in BOOK["items"] if not item["content"].get(KINDS[item["type"]])] == []
    assert len(names) == len(set(names))


def test_it_shows_what_a_person_looks_for() -> None:
    """Lag, activities, late ones, requests of the budget, growth, outcomes, state."""
    read = {field for it in contents(3) for field in fields_read(it["query"])}

    assert read >= SHOWN


@every_query
def test_a_query_of_the_workbook_reads_only_fields_that_a_report_has(title: str) -> None:
    """A field that is spelled wrong would be an empty chart."""
    read = fields_read(queried()[title]["query"])

    assert {"event", "scan"} <= read <= report_names()


@every_query
def test_a_query_of_the_workbook_reads_the_reports_of_one_app(title: str) -> None:
    """And stands a workspace whose tables do not exist yet."""
    steps = queried()[title]["query"].splitlines()

    assert re.fullmatch(r"union isfuzzy=true \(datatable\([\w:, ]+\)\[\]\), AppTraces", steps[0])
    assert steps[1] == '| where AppRoleName =~ "{App}"'
    assert '| where tostring(report.event) == "scan"' in steps


@every_query
def test_a_query_of_the_workbook_has_the_shape_of_one(title: str) -> None:
    """Brackets and quotes have their pairs, and no step is empty."""
    assert flaws(queried()[title]["query"]) == []


@every_query
def test_a_query_names_only_parameters_that_there_are(title: str) -> None:
    """What is in braces is replaced, or stays as it is and breaks the query."""
    named = set(re.findall(r"\{(\w+)(?::\w+)?\}", json.dumps(queried()[title])))

    assert named <= set(parameters())


@every_query
def test_a_query_asks_the_chosen_workspace_about_the_chosen_time(title: str) -> None:
    """Both are parameters, so that the workbook serves wherever it is opened."""
    query = queried()[title]

    assert query["crossComponentResources"] == ["{Workspace}"]
    assert query["resourceType"] == "microsoft.operationalinsights/workspaces"
    assert query["timeContextFromParameter"] == "TimeRange"


@pytest.mark.parametrize("content", contents(3), ids=lambda it: str(it["title"]))
def test_a_chart_follows_the_choice_of_scans(content: dict[str, Any]) -> None:
    """All of them, or those that are chosen."""
    assert '| where "*" in ({Scan}) or Scan in ({Scan})' in content["query"].splitlines()
    assert parameters()["Scan"]["typeSettings"]["selectAllValue"] == "*"


def test_the_file_holds_no_resource() -> None:
    """Ids are put in where it is deployed."""
    assert "/subscriptions/" not in SOURCE
    assert parameters()["Workspace"]["value"] == "WORKSPACE_ID"
    assert parameters()["App"]["value"] == "APP_NAME"
    assert BOOK["fallbackResourceIds"] == ["WORKSPACE_ID"]


@pytest.mark.compiler
def test_it_is_deployed_with_its_workspace_and_its_app() -> None:
    """Still a document after what it lacked was put in, and found beside the telemetry."""
    (workbook,) = predict("workbook")
    deployed = json.loads(workbook["properties"]["serializedData"])
    given = {it["name"]: it.get("value") for it in deployed["items"][1]["content"]["parameters"]}

    assert workbook["properties"]["sourceId"] == COMPONENT
    assert deployed["fallbackResourceIds"] == [WORKSPACE]
    assert (given["Workspace"], given["App"]) == (WORKSPACE, "func-contoso")
    assert len(deployed["items"]) == len(BOOK["items"])


@pytest.mark.compiler
def test_it_keeps_its_name_from_deployment_to_deployment() -> None:
    """A GUID, as the service wants it; another app's workbook has another."""
    (once,) = predict("workbook")
    (again,) = predict("workbook", appName="func-renamed")
    (other,) = predict("workbook", resourceToken="other")

    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", once["name"])
    assert once["name"] == again["name"] != other["name"]


@pytest.mark.compiler
def test_its_title_is_what_the_portal_lists() -> None:
    """The tag that replaces a GUID in lists says the same as the title."""
    (workbook,) = predict("workbook")

    assert workbook["tags"]["hidden-title"] == workbook["properties"]["displayName"]
    assert workbook["tags"]["team"] == "contoso"


@pytest.mark.parametrize("query", fences(ROOT / "docs/monitoring.md", "kusto"))
def test_documented_queries_read_only_fields_that_a_report_has(query: str) -> None:
    """Those that a person copies."""
    assert fields_read(query) <= report_names()
    assert flaws(query) == []
