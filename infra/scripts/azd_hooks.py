"""What `azd` runs around its own steps, as azure.yaml says: python -m infra.scripts.azd_hooks STEP.

- `preprovision` refuses a schedule that the host refuses: the app's function would never start.
- `postprovision` waits until the grants of a new identity have arrived, before code is published.
- `postdeploy` checks that the function is there, and says what an administrator does next.

The outputs of infra/main.bicep are in the environment that azd hands over. Without the Azure CLI
the look for the function is left out, and said to be. Python 3.11 and its standard library suffice.
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

from infra.scripts import check_functions, check_schedule

INFRA = Path(__file__).resolve().parents[1]

GRANT_SECONDS = float(os.environ.get("GRANT_WAIT_SECONDS", "90"))
"""What a grant to a new identity usually takes to be known everywhere."""


def parameter(name: str) -> str:
    """Return a parameter as azd will deploy it: as its file says, or else the template's default.

    The file may name variables, as ${NAME} or ${NAME=default}.
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
    """Check the schedule; warnings are shown and accepted. Say what a private network needs."""
    if parameter("networkIsolation").lower() == "true":
        sys.stdout.write(
            "A private network needs the resource provider Microsoft.App, which no template "
            "registers. If it is not: az provider register --namespace Microsoft.App --wait\n"
        )
    return check_schedule.main([parameter("schedule"), "--time-budget", parameter("timeBudget")])


def postprovision() -> int:
    """Wait for the grants of an app that is new: one that has its function has them, too."""
    app, group, subscription = _app()
    try:
        if check_functions.listed(app, group, subscription):
            return 0
    except check_functions.ListingError:
        pass  # Nobody knows whether it is new, so it is waited for.
    sys.stdout.write(
        f"Waiting {GRANT_SECONDS:.0f} s: grants to a new identity take a while to arrive. If the "
        "next step is refused with 403 all the same, run 'azd deploy' again.\n"
    )
    time.sleep(GRANT_SECONDS)
    return 0


def postdeploy() -> int:
    """Check that the function is there, and say what is left to do."""
    app, group, subscription = _app()
    code = 0
    if shutil.which("az"):
        code = check_functions.main(
            ["--app-name", app, "--resource-group", group, "--subscription", subscription]
        )
    else:
        sys.stdout.write(
            f"Not checked whether {app} has its function: there is no Azure CLI (az) here. Look at "
            "the app in the portal: its overview lists scan_activities.\n"
        )
    sys.stdout.write(
        "An administrator of the tenant lets the app read activities, once: "
        "infra/scripts/grant-app-role.sh --principal-id "
        f"{os.environ.get('IDENTITY_PRINCIPAL_ID', 'ID')} (other ways of signing in: "
        "docs/authentication.md)\n"
        f"Alerts reach {os.environ.get('ALERTS_REACH', 'nobody')}.\n"
    )
    return code


def _app() -> tuple[str, str, str]:
    """Return name, resource group and subscription of the app, as azd hands them over."""
    names = ("FUNCTION_APP_NAME", "AZURE_RESOURCE_GROUP", "AZURE_SUBSCRIPTION_ID")
    app, group, subscription = (os.environ.get(name, "") for name in names)
    if not (app and group and subscription):
        sys.exit(f"error: {', '.join(names)} must be set; azd sets them when it runs this")
    return app, group, subscription


STEPS: dict[str, Callable[[], int]] = {
    "preprovision": preprovision,
    "postprovision": postprovision,
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
