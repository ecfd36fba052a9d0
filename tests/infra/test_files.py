"""The files of the infrastructure: clean, in the one format, and predicted."""

import json
import re
from pathlib import Path

import pytest

from harness import bicep, infra

pytestmark = pytest.mark.compiler

MAIN = infra.MAIN
MODULES = sorted((infra.INFRA / "modules").glob("*.bicep"))

SILENCED = {"app.bicep": ["BCP187", "BCP187"], "package.bicep": ["BCP187"]}
"""The diagnostics that are silenced on a line, by file; the line above says why."""


def named(path: Path) -> str:
    """Return a file's name in infra/."""
    return path.relative_to(infra.INFRA).as_posix()


every_file = pytest.mark.parametrize("path", infra.sources(), ids=named)
every_template = pytest.mark.parametrize("path", [MAIN, infra.COLLECTOR, *MODULES], ids=named)
every_combination = pytest.mark.parametrize("path", infra.combinations(), ids=named)


@every_file
def test_the_compiler_has_nothing_to_say(path: Path) -> None:
    """No error, no warning, no remark: one that stays hides the next."""
    parameters = path.suffix == ".bicepparam"

    assert (infra.parameter_diagnostics if parameters else bicep.diagnostics)(path) == []


@every_file
def test_a_file_is_in_the_one_format(path: Path) -> None:
    """That of the formatter."""
    assert path.read_text("utf-8") == bicep.formatted(path)


def test_a_rule_of_a_newer_compiler_stops_nobody() -> None:
    """Every rule is a warning, which the test above refuses and the build of a deployer passes."""
    rules = json.loads((infra.INFRA / "bicepconfig.json").read_text("utf-8"))
    levels = [it["level"] for it in rules["analyzers"]["core"]["rules"].values()]

    assert set(levels) == {"warning"}


@every_template
def test_what_is_silenced_has_its_reason(path: Path) -> None:
    """The known ones only, each under a comment."""
    lines = path.read_text("utf-8").splitlines()
    silenced = [(at, line) for at, line in enumerate(lines) if "#disable" in line]

    assert [line.split()[-1] for _, line in silenced] == SILENCED.get(path.name, [])
    assert all(lines[at - 1].lstrip().startswith("//") for at, _ in silenced)


@every_template
def test_every_parameter_and_output_is_described(path: Path) -> None:
    """Portal, azd and editors show them. The linter refuses unused ones."""
    compiled = bicep.template(path)
    declared = {**compiled.get("parameters", {}), **compiled.get("outputs", {})}

    assert [
        name for name, it in declared.items() if not it.get("metadata", {}).get("description")
    ] == []


@every_combination
def test_a_deployment_is_what_was_predicted(path: Path) -> None:
    """A change of the infrastructure shows in infra/snapshots; `make snapshots` writes them."""
    committed = infra.snapshot_path(path).read_text("utf-8")

    assert infra.snapshot(path) == committed


@every_combination
def test_a_combination_says_what_it_is_for(path: Path) -> None:
    """In its first line."""
    assert path.read_text("utf-8").startswith("// ")


@every_combination
def test_a_combination_is_no_deployment(path: Path) -> None:
    """Copied as it is, it deploys no other tenant's address and writes to no stranger."""
    text = path.read_text("utf-8")

    assert "apiUrl" not in text
    assert not re.search(r"alertEmail = '.+'", text)
    assert infra.completed(text) != text


def test_every_prediction_has_its_combination() -> None:
    """None is left over."""
    expected = {infra.snapshot_path(path).name for path in infra.combinations()}

    assert {path.name for path in infra.SNAPSHOTS.iterdir()} == expected


def test_every_parameter_is_tried_with_another_value_than_its_default() -> None:
    """Somewhere among the combinations."""
    declared = bicep.template(MAIN)["parameters"]
    given = "\n".join(path.read_text("utf-8") for path in infra.combinations())

    tried = set(re.findall(r"^param (\w+) =", given, flags=re.MULTILINE))

    # The address ranges: their defaults are what a network of its own takes.
    ranges = {"networkAddressPrefix", "appSubnetPrefix", "endpointSubnetPrefix"}
    assert set(declared) - tried == ranges | {"vaultRecoveryDays", "apiUrl"}


def test_both_templates_take_the_same_parameters() -> None:
    """With the same types, limits, defaults and descriptions; what is about the group aside."""
    outer, inner = (bicep.template(it)["parameters"] for it in (MAIN, infra.COLLECTOR))
    assert set(outer) - set(inner) == {"createResourceGroup", "resourceGroupName"}
    assert set(inner) - set(outer) == {"nameToken"}
    # A group has a region already, which is the default in it.
    assert inner["location"].pop("defaultValue") == "[resourceGroup().location]"

    assert {name: outer[name] for name in outer if name in inner} == {
        name: inner[name] for name in inner if name in outer
    }


def test_the_outer_template_hands_every_parameter_on() -> None:
    """Each under its own name, but for the region, which is written in one way from here on."""
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


def test_what_has_no_default_is_asked_for() -> None:
    """By azd, which asks for a parameter whose variable is not set, and keeps the answer."""
    declared = bicep.template(MAIN)["parameters"]
    asked = json.loads((infra.INFRA / "main.parameters.json").read_text("utf-8"))["parameters"]

    known = {"deployerId": "${AZURE_PRINCIPAL_ID}", "deployerType": "${AZURE_PRINCIPAL_TYPE=User}"}
    needed = {name for name, it in declared.items() if "defaultValue" not in it}
    assert set(asked) == needed | set(known)
    assert {name: asked[name]["value"] for name in known} == known
    assert all(re.fullmatch(r"\$\{[A-Z_]+\}", asked[name]["value"]) for name in needed)


def test_there_is_no_second_parameter_file() -> None:
    """A main.bicepparam would win over the JSON, and azd could then ask for nothing."""
    assert not MAIN.with_suffix(".bicepparam").exists()


def test_a_prediction_is_the_same_every_time() -> None:
    """Names and ids come from what they are about: a second deployment changes nothing."""
    path = infra.COMBINATIONS / "everything.bicepparam"
    once = infra.snapshot(path)
    infra.predict.cache_clear()

    assert infra.snapshot(path) == once
