"""The infrastructure without Azure: compiled, linted, formatted and predicted by the compiler.

`python -m harness.infra --write` (`make snapshots`) predicts the deployment of every combination
in infra/combinations anew and writes it beside the others in infra/snapshots. A test compares them,
so a change of the infrastructure shows its effect as a what-if would.

`python -m harness.infra --policies CHECKOV` scans infra/ with checkov: every file must be parsed,
and every check that fails must be one of infra/checkov.yaml, with its reason.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
INFRA = ROOT / "infra"
COMBINATIONS = INFRA / "combinations"
SNAPSHOTS = INFRA / "snapshots"
CHECKOV = INFRA / "checkov.yaml"

QUIETLY = ("--skip-download", "--compact", "--output", "json")
"""What keeps checkov off the network and its report short."""

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-000000000002"

HOW_TO_GET_IT = (
    "there is no 'bicep' on PATH: install it with 'az bicep install' (and add ~/.azure/bin to "
    "PATH) or from https://github.com/Azure/bicep/releases, version 0.49 or later"
)

Json = Any
"""A JSON value, whatever it is."""


class BicepError(Exception):
    """The compiler is missing, or refused a file; the message is its own."""


def bicep(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the compiler and return what it said, whatever its exit code.

    Raises:
        BicepError: it is not on PATH.
    """
    compiler = shutil.which("bicep")
    if not compiler:
        raise BicepError(HOW_TO_GET_IT)
    # It wants libraries for languages otherwise, which a small machine lacks.
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    return subprocess.run(
        [compiler, *arguments], env=environment, capture_output=True, check=False, text=True
    )


def sources() -> list[Path]:
    """Return every Bicep file, parameter files included."""
    return sorted([*INFRA.rglob("*.bicep"), *INFRA.rglob("*.bicepparam")])


def diagnostics(path: Path) -> list[str]:
    """Return what compiler and linter say about a file; nothing when it is clean."""
    ran = bicep("lint", path, "--diagnostics-format", "sarif")
    results = json.loads(ran.stdout or ran.stderr)["runs"][0]["results"]
    return [
        f"{it['ruleId']} ({it.get('level', 'warning')}): {it['message']['text']}" for it in results
    ]


def formatted(path: Path) -> str:
    """Return a file in the one format."""
    return _required(bicep("format", "--stdout", path)).stdout


@cache
def template(path: Path) -> Json:
    """Return a file as it is compiled, with nothing evaluated."""
    return json.loads(_required(bicep("build", "--stdout", path)).stdout)


@cache
def predict(parameters: Path) -> Json:
    """Return the deployment that a parameter file asks for: resources and outputs, evaluated.

    Raises:
        BicepError: the template refuses the parameters, or does not compile.
    """
    # The compiler writes beside the file, and an old prediction stays where it fails.
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / parameters.name
        text = parameters.read_text("utf-8")
        main = os.path.relpath(INFRA / "main.bicep", Path(folder).resolve())
        asked.write_text(text.replace("'../main.bicep'", f"'{main}'"), "utf-8")
        ran = bicep(
            "snapshot",
            asked,
            *("--subscription-id", SUBSCRIPTION, "--tenant-id", TENANT),
            *("--location", "westeurope", "--deployment-name", "activity-scan"),
        )
        _required(ran)
        return json.loads(asked.with_suffix(".snapshot.json").read_text("utf-8"))


def snapshot(parameters: Path) -> str:
    """Return a prediction in its committed form: the same text for the same deployment."""
    predicted = predict(parameters)
    # The compiler's order of outputs changes from run to run.
    kept = {name: predicted[name] for name in ("predictedResources", "outputs")}
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


def _required(ran: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    if ran.returncode:
        raise BicepError(ran.stderr.strip() or ran.stdout.strip())
    return ran


def write_snapshots() -> list[str]:
    """Write every prediction anew, remove those without a combination, and say what changed."""
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
    """Return what is wrong by checkov, other than what infra/checkov.yaml passes over.

    Raises:
        BicepError: a template does not compile.
    """
    listed = re.findall(r"^  - (\w+) # .+$", CHECKOV.read_text("utf-8"), flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "main.json"
        compiled.write_text(json.dumps(template(INFRA / "main.bicep")), "utf-8")
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
    wrong += [f"{it} in {CHECKOV.name} is not needed" for it in listed if it not in needed]
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
    """Do one of both, and return the exit code: 1 when something is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="predict every combination anew")
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
