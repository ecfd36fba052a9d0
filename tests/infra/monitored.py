"""Shared by the tests of alert rules and workbook: resolved modules, queries, report fields."""

import json
import os
import re
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from harness import bicep, infra
from shared.core.state.report import Tally, report_fields
from tests.fakes import HOUR, NOW, policy
from tests.world import World

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "infra" / "modules"

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-contoso/providers"
SITE = f"{GROUP}/Microsoft.Web/sites/func-contoso"
WORKSPACE = f"{GROUP}/Microsoft.OperationalInsights/workspaces/log-contoso"
STATE = "https://stcontoso.blob.core.windows.net/scan-state"
COMPONENT = f"{GROUP}/Microsoft.Insights/components/appi-contoso"

GIVEN = {
    "location": "westeurope",
    "tags": {"team": "contoso"},
    "resourceToken": "contoso",
    "appName": "func-contoso",
    "workspaceId": WORKSPACE,
    "componentId": COMPONENT,
}
"""The parameters of both modules."""

FIELD = re.compile(r"\breport(?:\.(\w+)|\[\"(\w+)\"\])")
"""Matches a field of the report line in a query."""

PAIRS = {")": "(", "]": "[", "}": "{"}


def template(module: str) -> dict[str, Any]:
    """Return a module as it is compiled, with nothing evaluated."""
    compiled: dict[str, Any] = bicep.template(MODULES / f"{module}.bicep")
    return compiled


def predict(module: str, **parameters: object) -> list[dict[str, Any]]:
    """Return the resources that a module would make, everything evaluated."""
    return _predict(module, json.dumps({**GIVEN, **parameters}))


@cache
def _predict(module: str, parameters: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "asked.bicepparam"
        values = [f"param {name} = {_literal(it)}" for name, it in json.loads(parameters).items()]
        # The compiler takes relative paths only.
        path = os.path.relpath(MODULES / f"{module}.bicep", Path(folder).resolve())
        asked.write_text("\n".join([f"using '{path}'", *values, ""]), "utf-8")
        snapshot = bicep.predicted(
            asked, **(infra.WHERE | {"tenantId": SUBSCRIPTION, "resourceGroup": "rg-contoso"})
        )
    resources: list[dict[str, Any]] = snapshot["predictedResources"]
    return resources


def _literal(value: object) -> str:
    """Return a value in the compiler's language."""
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"'{key}': {_literal(it)}" for key, it in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value)


def fields_read(query: str) -> set[str]:
    """Return the fields of the report line that a query reads."""
    return {dotted or quoted for dotted, quoted in FIELD.findall(query)}


@cache
def a_report() -> dict[str, Any]:
    """Return the report of a run that has read its ledger and left nothing to do."""
    world = World([NOW - HOUR])
    world.run_until_idle()
    return report_fields(world.tally, policy(), "idle", duration=1, attention=[])


@cache
def report_names() -> frozenset[str]:
    """Return the fields that report lines have: a whole run's and a failed one's."""
    failed = report_fields(Tally(scan="all", run="r"), None, "failed", duration=1, error=OSError())
    return frozenset(failed) | frozenset(a_report())


def flaws(query: str) -> list[str]:
    """Return what is wrong with the shape of a query; an empty list if nothing is."""
    code = re.sub(r"\"[^\"\n]*\"|'[^'\n]*'", "''", query)
    found = [f"a quote without its pair: {line}" for line in code.splitlines() if '"' in line]
    found += _unbalanced(code)
    steps = [line.strip() for line in code.strip().splitlines()]
    if not steps[0] or steps[0].startswith("|"):
        found.append("it begins with no table")
    found += [f"a step without an operator: {step}" for step in steps if step == "|"]
    found += [f"a placeholder was left: {name}" for name in re.findall(r"\b[A-Z]+_[A-Z]+\b", code)]
    return found


def _unbalanced(code: str) -> list[str]:
    opened: list[str] = []
    for character in code:
        if character in PAIRS.values():
            opened.append(character)
        elif character in PAIRS and (not opened or opened.pop() != PAIRS[character]):
            return [f"a {character} that closes nothing"]
    return [f"a {character} that is not closed" for character in opened]
