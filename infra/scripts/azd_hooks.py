"""Hooks that `azd` runs around its own steps (azure.yaml): python -m infra.scripts.azd_hooks STEP.

- `preprovision` rejects a schedule, an API address or a region that cannot work.
- `postprovision` waits until the role assignments of a new identity work, before anything is
  published.
- `prepackage` installs the package's libraries for the Python that Azure runs.
- `prepackage_table` does the same for the table's app, and copies `shared` into its folder.
- `predeploy` checks that the collector may read activities, and grants the role if it can.
- `postdeploy` checks that the app has its function.

azd passes the outputs of infra/main.bicep as environment variables. Without an Azure CLI that
somebody is signed in to, the checks that need it are skipped with a message. Python 3.11 and its
standard library suffice; both kinds of `prepackage` need uv or Python 3.13.
"""
# ruff: noqa: INP001 - run from the repository's root, as azd does

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from infra.scripts import (
    check_access,
    check_api_url,
    check_functions,
    check_schedule,
    libraries,
    package,
)
from infra.scripts.azure_cli import AzureError, az, signed_in

INFRA = Path(__file__).resolve().parents[1]

GRANT_SECONDS = float(os.environ.get("GRANT_WAIT_SECONDS", "90"))
"""How long a role assignment of a new identity usually takes to work everywhere."""


def parameter(name: str) -> str:
    """Return the value with which azd will deploy a parameter: from its file, or the default.

    The file may refer to variables as ${NAME} or ${NAME=default}.
    """
    file = json.loads((INFRA / "main.parameters.json").read_text("utf-8"))
    given = file["parameters"].get(name, {}).get("value")
    if given is not None:
        return re.sub(
            r"\$\{(\w+)(?:=([^}]*))?\}",
            lambda found: os.environ.get(found[1]) or found[2] or "",
            str(given),
        )
    template = (INFRA / "main.bicep").read_text("utf-8")
    default = re.search(rf"^param {name} string = '(.*)'$", template, re.MULTILINE)
    return default[1] if default else ""


def preprovision() -> int:
    """Check what can be checked before anything is created."""
    if parameter("networkIsolation").lower() == "true":
        sys.stdout.write(
            "A private network needs the resource provider Microsoft.App, which no template "
            "registers. If it is not registered yet, run: az provider register --namespace "
            "Microsoft.App --wait\n"
        )
    code = check_schedule.main([parameter("schedule"), "--time-budget", parameter("timeBudget")])
    return code or _check_address() or _check_region()


def _check_address() -> int:
    """Check the API's address, unless azd has not asked for it yet (in a new environment)."""
    address = parameter("apiUrl")
    if not address or parameter("allowAnyHost").lower() == "true":
        return 0
    return check_api_url.main([address])


def _check_region() -> int:
    """Check that the region has Flex Consumption, if the Azure CLI can list the regions."""
    region = parameter("location").lower().replace(" ", "")
    try:
        offered = az(
            *("functionapp", "list-flexconsumption-locations"),
            *("--query", "[].name", "--output", "tsv"),
        ).lower()
    except AzureError:
        return 0
    regions = {line.replace(" ", "") for line in offered.splitlines()}
    if not region or not regions or region in regions:
        return 0
    sys.stderr.write(
        f"error: Flex Consumption is not offered in {region}. Choose one of: "
        f"{', '.join(sorted(regions))} (azd env set AZURE_LOCATION REGION)\n"
    )
    return 1


def postprovision() -> int:
    """Wait for the role assignments of a new app; an app with its function has them already."""
    app, group, subscription = _app()
    try:
        if check_functions.listed(app, group, subscription):
            return 0
    except AzureError:
        pass  # The app may be new, so wait.
    sys.stdout.write(
        f"Waiting {GRANT_SECONDS:.0f} s: grants to a new identity take a while to work. If the "
        "next step is still refused with 403, run 'azd deploy' again.\n"
    )
    time.sleep(GRANT_SECONDS)
    return 0


def prepackage() -> int:
    """Install the libraries into the folder that azd packs, since nothing is built remotely."""
    folder = INFRA.parent / libraries.FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    return libraries.main([str(folder)])


def prepackage_table() -> int:
    """Assemble the folder of the table's app, which azd packs as it is."""
    try:
        folder = package.assemble(INFRA.parent, "table")
        target = folder / libraries.FOLDER
        shutil.rmtree(target, ignore_errors=True)
        libraries.install(folder / "requirements.txt", target)
    except (package.PackageError, libraries.LibrariesError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def predeploy() -> int:
    """Check that the collector may read activities, before its first run asks for a token."""
    _app()
    values = {
        "--auth": "MDA_AUTH",
        "--principal-id": "IDENTITY_PRINCIPAL_ID",
        "--client-id": "MDA_CLIENT_ID",
        "--tenant-id": "MDA_TENANT_ID",
        "--vault": "KEY_VAULT_NAME",
        "--secret": "KEY_VAULT_SECRET_NAME",
    }
    given = [(option, os.environ.get(name, "")) for option, name in values.items()]
    return check_access.main([it for pair in given for it in pair])


def postdeploy() -> int:
    """Check that the app has its function."""
    app, group, subscription = _app()
    code = 0
    if signed_in():
        apps = {app: check_functions.COLLECTOR, os.environ.get("TABLE_APP_NAME", ""): "write_table"}
        for name, function in apps.items():
            given = ("--resource-group", group, "--subscription", subscription)
            built = ("--built-with", "here, for Python 3.13", "--function", function)
            if name:
                code = code or check_functions.main(["--app-name", name, *given, *built])
    else:
        sys.stdout.write(
            f"Not checked whether {app} has its function: nobody is signed in to an Azure CLI (az) "
            "here. Check in the portal that the overview of the app lists scan_activities.\n"
        )
    sys.stdout.write(f"Alerts reach {os.environ.get('ALERTS_REACH', 'nobody')}.\n")
    return code


def _app() -> tuple[str, str, str]:
    """Return name, resource group and subscription of the app, as azd passes them."""
    names = ("FUNCTION_APP_NAME", "AZURE_RESOURCE_GROUP", "AZURE_SUBSCRIPTION_ID")
    app, group, subscription = (os.environ.get(name, "") for name in names)
    if not (app and group and subscription):
        sys.exit(f"error: {', '.join(names)} must be set; azd sets them when it runs a hook")
    return app, group, subscription


STEPS: dict[str, Callable[[], int]] = {
    "preprovision": preprovision,
    "postprovision": postprovision,
    "prepackage": prepackage,
    "prepackage_table": prepackage_table,
    "predeploy": predeploy,
    "postdeploy": postdeploy,
}


def main(arguments: Sequence[str]) -> int:
    """Run one step and return its exit code."""
    if len(arguments) != 1 or arguments[0] not in STEPS:
        sys.stderr.write(f"error: name one step: {', '.join(STEPS)}\n")
        return 2
    return STEPS[arguments[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
