"""Checks the infrastructure without Azure: the compiler lints, formats and predicts it.

`python -m harness.infra --write` (`make snapshots`) predicts the deployment of every combination in
infra/combinations again and writes it to infra/snapshots. A test compares them, so a change of the
infrastructure shows its effects like a what-if.

`python -m harness.infra --policies CHECKOV` scans infra/ with checkov: it must be able to parse
every file, and infra/checkov.yaml must list every check that fails, with a reason.
"""

import argparse
import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

from harness.bicep import BicepError, Json, diagnostics, predicted, template

ROOT = Path(__file__).parents[1]
INFRA = ROOT / "infra"
MAIN = INFRA / "main.bicep"
COLLECTOR = INFRA / "collector.bicep"
COMBINATIONS = INFRA / "combinations"
SNAPSHOTS = INFRA / "snapshots"
CHECKOV = INFRA / "checkov.yaml"

QUIETLY = ("--skip-download", "--compact", "--output", "json")
"""Options that keep checkov off the network and its report short."""

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-000000000002"

WHERE = {
    "subscriptionId": SUBSCRIPTION,
    "tenantId": TENANT,
    "location": "westeurope",
    "deploymentName": "activity-scan",
}
"""Where a prediction deploys to. Without any one of these, values stay expressions."""


USUAL = {
    "environmentName": "'contoso'",
    "location": "'westeurope'",
    "apiUrl": "'https://contoso.eu2.portal.cloudappsecurity.com'",
    "alertEmail": "'security@contoso.com'",
    # A prediction cannot ask the cloud for these.
    "storageSuffix": "'core.windows.net'",
    "vaultSuffix": "'.vault.azure.net'",
}
"""Values for required parameters that a combination does not set."""


def sources() -> list[Path]:
    """Return every Bicep file, parameter files included."""
    return sorted([*INFRA.rglob("*.bicep"), *INFRA.rglob("*.bicepparam")])


@cache
def predict(parameters: Path) -> Json:
    """Return the deployment that a parameter file asks for: resources and outputs, evaluated.

    Raises:
        BicepError: the template refuses the parameters, or it does not compile or is not evaluated.
    """
    return _predicted(parameters.name, completed(parameters.read_text("utf-8")), compiled(MAIN))


@cache
def predict_release(parameters: Path) -> Json:
    """Return the deployment of the released (compiled) template in an existing group.

    It gets the group and the names of the other prediction, so that both can be compared.

    Raises:
        BicepError: see `predict`.
    """
    whole = predict(parameters)
    (token,) = {
        it["name"].removeprefix("sthost")
        for it in whole["predictedResources"]
        if it["type"] == "Microsoft.Storage/storageAccounts" and it["name"].startswith("sthost")
    }
    text = re.sub(
        r"^param (resourceGroupName|createResourceGroup) = .*\n",
        "",
        parameters.read_text("utf-8"),
        flags=re.MULTILINE,
    )
    text = completed(text) + f"param nameToken = '{token}'\n"
    group = whole["outputs"]["AZURE_RESOURCE_GROUP"]
    return _predicted(parameters.name, text, compiled(COLLECTOR), group)


def predict_in_group(combination: str, group: str) -> Json:
    """Return the released template's deployment in a group, with generated names."""
    path = COMBINATIONS / f"{combination}.bicepparam"
    text = completed(path.read_text("utf-8"))
    return _predicted(path.name, text, compiled(COLLECTOR), group)


@cache
def compiled(source: Path) -> Path:
    """Return a compiled template as a file; the one for a resource group is in each release.

    A prediction of it takes a tenth of the time that one of its source takes.
    """
    folder = Path(tempfile.mkdtemp(prefix="activity-scan-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / f"{source.stem}.json"
    path.write_text(json.dumps(template(source)), "utf-8")
    return path


def completed(text: str) -> str:
    """Return parameters, with the usual values for required ones that are missing."""
    missing = [it for it in USUAL if not re.search(rf"^param {it} =", text, re.MULTILINE)]
    return text + "".join(f"param {name} = {USUAL[name]}\n" for name in missing)


def parameter_diagnostics(path: Path) -> list[str]:
    """Return what the compiler says about a combination, once it is complete.

    The template is compiled already: its source would be compiled again for each combination.
    """
    with _written(path.name, completed(path.read_text("utf-8")), compiled(MAIN)) as file:
        return diagnostics(file)


def predict_as_it_is(text: str) -> Json:
    """Return the prediction of parameters with nothing added."""
    return _predicted("given.bicepparam", text, compiled(MAIN))


@contextmanager
def _written(name: str, text: str, asked: Path) -> Iterator[Path]:
    """Provide a file of parameters for a template, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        used = os.path.relpath(asked, Path(folder).resolve())
        file.write_text(text.replace("'../main.bicep'", f"'{used}'"), "utf-8")
        yield file


def _predicted(name: str, text: str, asked: Path, group: str | None = None) -> Json:
    """Return the prediction of parameters for a template, in a group if it takes one."""
    with _written(name, text, asked) as file:
        return predicted(file, **WHERE, resourceGroup=group)


def snapshot(parameters: Path) -> str:
    """Return a prediction in its committed form: the same text for the same deployment."""
    found = predict(parameters)
    # The compiler's order of outputs changes from run to run.
    kept = {name: found[name] for name in ("predictedResources", "outputs")}
    return json.dumps(_readable(kept), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def snapshot_path(parameters: Path) -> Path:
    """Return where the prediction of a parameter file is committed."""
    return SNAPSHOTS / f"{parameters.stem}.json"


def combinations() -> list[Path]:
    """Return the parameter file of every supported combination of options."""
    return sorted(COMBINATIONS.glob("*.bicepparam"))


def _readable(value: Json) -> Json:
    """Return a value for a person: queries as lines, the workbook by its digest."""
    if isinstance(value, dict):
        return {
            key: _digest(it) if key == "serializedData" else _readable(it)
            for key, it in value.items()
        }
    if isinstance(value, list):
        return [_readable(it) for it in value]
    return value.splitlines() if isinstance(value, str) and "\n" in value else value


def _digest(text: str) -> str:
    return f"infra/workbook.json for this app, sha256 {sha256(text.encode()).hexdigest()[:16]}"


def write_snapshots() -> list[str]:
    """Write all predictions, remove those without a combination, and return what changed."""
    SNAPSHOTS.mkdir(exist_ok=True)
    wanted = {snapshot_path(it): snapshot(it) for it in combinations()}
    said = []
    for path in sorted({*wanted, *SNAPSHOTS.glob("*.json")}):
        before = path.read_text("utf-8") if path.exists() else None
        if path not in wanted:
            path.unlink()
            said.append(f"removed {path.name}")
        elif wanted[path] != before:
            path.write_text(wanted[path], "utf-8")
            said.append(f"{'wrote' if before is None else 'changed'} {path.name}")
    return said or ["nothing changed"]


def findings(checkov: Path) -> list[str]:
    """Return the findings of checkov, except for those that infra/checkov.yaml skips.

    Raises:
        BicepError: a template does not compile.
    """
    listed = re.findall(r"^  - (\w+) # .+$", CHECKOV.read_text("utf-8"), flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "main.json"
        compiled.write_text(json.dumps(template(MAIN)), "utf-8")
        reports = [_scan(checkov, "bicep", INFRA), _scan(checkov, "arm", compiled.parent)]
    failed = [it for report in reports for it in report["results"]["failed_checks"]]
    wrong = [
        f"{name} cannot be parsed" for it in reports for name in it["results"]["parsing_errors"]
    ]
    wrong += [
        f"{it['check_id']} {it['resource']}: {it['check_name']}"
        for it in failed
        if it["check_id"] not in listed
    ]
    needed = {it["check_id"] for it in failed}
    wrong += [f"{it} in {CHECKOV.name} is no longer needed" for it in listed if it not in needed]
    return wrong


def _scan(checkov: Path, framework: str, folder: Path) -> Json:
    ran = subprocess.run(
        [checkov, "--framework", framework, "--directory", folder, *QUIETLY],
        capture_output=True,
        check=False,
        text=True,
    )
    report = json.loads(ran.stdout)
    if not isinstance(report, dict) or "results" not in report:
        raise BicepError(f"checkov read nothing as {framework} in {folder}: {ran.stdout[:500]}")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Write predictions or scan; return 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="predict every combination again")
    parser.add_argument("--policies", type=Path, metavar="CHECKOV", help="scan with this checkov")
    chosen = parser.parse_args(arguments)
    try:
        said = write_snapshots() if chosen.write else []
        wrong = findings(chosen.policies) if chosen.policies else []
    except BicepError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.writelines(f"{line}\n" for line in [*said, *wrong])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
