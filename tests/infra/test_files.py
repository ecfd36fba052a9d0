"""The infrastructure's files compile cleanly, are formatted, and have predictions."""

import json
import re
from pathlib import Path

import pytest

from harness import bicep, infra

pytestmark = pytest.mark.compiler

MAIN = infra.MAIN
MODULES = sorted((infra.INFRA / "modules").glob("*.bicep"))

SILENCED = {"app.bicep": ["BCP187", "BCP187"], "package.bicep": ["BCP187"]}
"""The diagnostics that a line suppresses, by file; the line above gives the reason."""


def named(path: Path) -> str:
    """Return a file's name in infra/."""
    return path.relative_to(infra.INFRA).as_posix()


every_file = pytest.mark.parametrize("path", infra.sources(), ids=named)
every_template = pytest.mark.parametrize("path", [MAIN, infra.COLLECTOR, *MODULES], ids=named)
every_combination = pytest.mark.parametrize("path", infra.combinations(), ids=named)


@every_file
def test_the_compiler_reports_nothing(path: Path) -> None:
    """Any error, warning or remark that stays would hide the next."""
    parameters = path.suffix == ".bicepparam"

    assert (infra.parameter_diagnostics if parameters else bicep.diagnostics)(path) == []


@every_file
def test_a_file_is_formatted(path: Path) -> None:
    """The formatter would change nothing."""
    assert path.read_text("utf-8") == bicep.formatted(path)


def test_a_new_rule_of_the_compiler_does_not_stop_a_deployment() -> None:
    """Every rule is a warning: the test above fails on it, a deployer's build does not."""
    rules = json.loads((infra.INFRA / "bicepconfig.json").read_text("utf-8"))
    levels = [it["level"] for it in rules["analyzers"]["core"]["rules"].values()]

    assert set(levels) == {"warning"}


@every_template
def test_a_suppressed_warning_has_its_reason(path: Path) -> None:
    """Only the known ones are suppressed, each below a comment."""
    lines = path.read_text("utf-8").splitlines()
    silenced = [(at, line) for at, line in enumerate(lines) if "#disable" in line]

    assert [line.split()[-1] for _, line in silenced] == SILENCED.get(path.name, [])
    assert all(lines[at - 1].lstrip().startswith("//") for at, _ in silenced)


@every_template
def test_every_parameter_and_output_is_described(path: Path) -> None:
    """Portal, azd and editors show it. The linter refuses unused ones."""
    compiled = bicep.template(path)
    declared = {**compiled.get("parameters", {}), **compiled.get("outputs", {})}

    assert [
        name for name, it in declared.items() if not it.get("metadata", {}).get("description")
    ] == []


@every_combination
def test_a_deployment_is_what_was_predicted(path: Path) -> None:
    """A changed prediction shows in infra/snapshots, which `make snapshots` rewrites."""
    committed = infra.snapshot_path(path).read_text("utf-8")

    assert infra.snapshot(path) == committed


@every_combination
def test_a_combination_says_what_it_is_for(path: Path) -> None:
    """Its first line is a comment."""
    assert path.read_text("utf-8").startswith("// ")


@every_combination
def test_a_combination_is_safe_to_copy(path: Path) -> None:
    """Deployed as it is, it uses nobody else's address and sends no mail to strangers."""
    text = path.read_text("utf-8")

    assert "apiUrl" not in text
    assert not re.search(r"alertEmail = '.+'", text)
    assert infra.completed(text) != text


def test_every_prediction_has_its_combination() -> None:
    """None is left over from a removed combination."""
    expected = {infra.snapshot_path(path).name for path in infra.combinations()}

    assert {path.name for path in infra.SNAPSHOTS.iterdir()} == expected


def test_every_parameter_is_tried_with_another_value_than_its_default() -> None:
    """At least one combination sets it."""
    declared = bicep.template(MAIN)["parameters"]
    given = "\n".join(path.read_text("utf-8") for path in infra.combinations())

    tried = set(re.findall(r"^param (\w+) =", given, flags=re.MULTILINE))

    # The address ranges keep their defaults, which the deployed network uses.
    ranges = {"networkAddressPrefix", "appSubnetPrefix", "endpointSubnetPrefix"}
    assert set(declared) - tried == ranges | {"vaultRecoveryDays", "apiUrl"}


def test_both_templates_take_the_same_parameters() -> None:
    """Types, limits, defaults and descriptions are equal; the group's own are exempt."""
    outer, inner = (bicep.template(it)["parameters"] for it in (MAIN, infra.COLLECTOR))
    assert set(outer) - set(inner) == {"createResourceGroup", "resourceGroupName"}
    assert set(inner) - set(outer) == {"nameToken"}
    # A group already has a region, which is the default.
    assert inner["location"].pop("defaultValue") == "[resourceGroup().location]"

    assert {name: outer[name] for name in outer if name in inner} == {
        name: inner[name] for name in inner if name in outer
    }


def test_the_outer_template_passes_every_parameter_on() -> None:
    """Each keeps its name; only the region is normalised from here on."""
    (call,) = [
        it for it in bicep.template(MAIN)["resources"] if it["type"].endswith("/deployments")
    ]
    given = {name: it["value"] for name, it in call["properties"]["parameters"].items()}

    assert given.pop("location") == "[variables('region')]"
    assert given.pop("nameToken") == "[variables('token')]"
    assert given == {name: f"[parameters('{name}')]" for name in given}
    assert set(given) | {"location", "nameToken"} == set(
        bicep.template(infra.COLLECTOR)["parameters"]
    )


def test_both_templates_have_the_same_outputs() -> None:
    """Scripts, azd and Terraform read them by name."""
    outer, inner = (bicep.template(it)["outputs"] for it in (MAIN, infra.COLLECTOR))

    assert {name: it["metadata"] for name, it in outer.items()} == {
        name: it["metadata"] for name, it in inner.items()
    }


def test_azd_asks_for_what_has_no_default() -> None:
    """It asks for a parameter whose variable is not set; who deploys and the table have one."""
    declared = bicep.template(MAIN)["parameters"]
    asked = json.loads((infra.INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]

    known = {
        "deployerId": "${AZURE_PRINCIPAL_ID}",
        "deployerType": "${AZURE_PRINCIPAL_TYPE=User}",
        "table": "${TABLE=false}",
    }
    needed = {name for name, it in declared.items() if "defaultValue" not in it}
    assert set(asked) == needed | set(known)
    assert {name: asked[name]["value"] for name in known} == known
    assert all(re.fullmatch(r"\$\{[A-Z_]+\}", asked[name]["value"]) for name in needed)


def test_there_is_no_second_parameter_file() -> None:
    """A main.bicepparam would override the JSON, and azd could then ask for nothing."""
    assert not MAIN.with_suffix(".bicepparam").exists()


def test_a_prediction_is_the_same_every_time() -> None:
    """Names and ids are derived from their resources, so redeploying changes nothing."""
    path = infra.COMBINATIONS / "everything.bicepparam"
    once = infra.snapshot(path)
    infra.predict.cache_clear()

    assert infra.snapshot(path) == once
