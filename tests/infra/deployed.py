"""The deployments that the tests examine: the predicted resources of every combination."""

import json
import re
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness import bicep, infra

COMBINATIONS = [path.stem for path in infra.combinations()]

every_combination = pytest.mark.parametrize("name", COMBINATIONS)

GROUP = f"/subscriptions/{infra.SUBSCRIPTION}/resourceGroups/"

Resource = dict[str, Any]


@cache
def predicted(name: str) -> dict[str, Any]:
    """Return the prediction of a combination."""
    found: dict[str, Any] = infra.predict(infra.COMBINATIONS / f"{name}.bicepparam")
    return found


OF_THE_TABLE = re.compile(
    r"(id|plan|func)-activity-table-|(^|/)(contoso-table|sttable\w+)(/|$|_)|^alert-table-|"
    r"^pep-table-|/containers/(table|warehouse)/providers/|default/(table|warehouse)$"
)
"""Names and scopes of what exists only for the table's app."""


def everything(name: str, kind: str = "") -> list[Resource]:
    """Return the resources of a combination, all or those of a type without `Microsoft.`."""
    found: list[Resource] = predicted(name)["predictedResources"]
    return [it for it in found if not kind or it["type"] == f"Microsoft.{kind}"]


def is_of_table(resource: Resource) -> bool:
    """Say whether a resource exists only for the table's app."""
    principal = str(resource.get("properties", {}).get("principalId", ""))
    places = (resource["name"], resource["id"], principal)
    return any(OF_THE_TABLE.search(it) for it in places)


def resources(name: str, kind: str = "") -> list[Resource]:
    """Return what `everything` returns, without what exists only for the table's app."""
    return [it for it in everything(name, kind) if not is_of_table(it)]


def of_table(name: str, kind: str = "") -> list[Resource]:
    """Return what exists only for the table's app."""
    return [it for it in everything(name, kind) if is_of_table(it)]


def the(name: str, kind: str, where: Callable[[Resource], bool] = lambda _: True) -> Resource:
    """Return the only resource of a type, or the only one that meets a condition."""
    (only,) = [it for it in resources(name, kind) if where(it)]
    return only


def account(name: str, which: str) -> Resource:
    """Return the storage account of the `host` or of the `data`."""
    return the(
        name,
        "Storage/storageAccounts",
        lambda it: it["name"].startswith("sthost") == (which == "host"),
    )


def app_settings(name: str) -> dict[str, str]:
    """Return the settings of the app of a combination."""
    listed = the(name, "Web/sites")["properties"]["siteConfig"]["appSettings"]
    return {it["name"]: it["value"] for it in listed}


def types(name: str) -> dict[str, int]:
    """Return how many resources of each type a combination has."""
    found = [it["type"].removeprefix("Microsoft.") for it in resources(name)]
    return {kind: found.count(kind) for kind in sorted(found)}


def refused(**parameters: str) -> str:
    """Return the template's error for parameters that contradict each other.

    The parameters are values in the compiler's language, on top of the default combination's.
    """
    text = (infra.COMBINATIONS / "default.bicepparam").read_text("utf-8")
    for name in parameters:
        text = re.sub(rf"^param {name} = .*\n", "", text, flags=re.MULTILINE)
    lines = [text, *(f"param {name} = {value}" for name, value in parameters.items())]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "refused.bicepparam"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        with pytest.raises(bicep.BicepError) as raised:
            infra.predict(path)
    return str(raised.value)


def accepted(**parameters: str) -> dict[str, Any]:
    """Return the prediction of parameters on top of the default combination's."""
    text = (infra.COMBINATIONS / "default.bicepparam").read_text("utf-8")
    for name in parameters:
        text = re.sub(rf"^param {name} = .*\n", "", text, flags=re.MULTILINE)
    lines = [text, *(f"param {name} = {value}" for name, value in parameters.items())]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "accepted.bicepparam"
        path.write_text("\n".join(lines) + "\n", "utf-8")
        found: dict[str, Any] = infra.predict(path)
    return found


def as_azd_predicts(**answers: str) -> dict[str, Any]:
    """Return the prediction that azd makes before it deploys: its file, and the answers given.

    It does not know the domains of the cloud.
    """
    asked = json.loads((infra.INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]
    lines = [f"param {name} = '{answers[name]}'" for name in asked if name in answers]
    text = "\n".join(["using '../main.bicep'", *lines, ""])
    found: dict[str, Any] = infra.predict_as_it_is(text)
    return found


def text_of(name: str) -> str:
    """Return a whole prediction as text, to search it."""
    return json.dumps(predicted(name))
