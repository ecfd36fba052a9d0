"""Checks that a deployed app has its function: python infra/scripts/check_functions.py --help.

Azure reports success even for a package whose libraries were not built or whose code cannot be
loaded, and nothing ever runs in such an app. The platform sometimes also loses track of an app's
functions: it lists only `WarmUp` or nothing, and the timer never fires. So every deployment ends
with this check. The app may still be starting, so the check is repeated; before each repetition it
asks the platform to read the functions again. Python 3.11 and its standard library suffice.

Exit codes: 0 if the app has this function and no unexpected one, 1 if not, 2 for wrong arguments.
"""
# ruff: noqa: INP001 - a script that stands on its own

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.scripts.azure_cli import AzureError, az

COLLECTOR = "scan_activities"
"""The function of the collector's app."""

SECOND = {COLLECTOR: ["scan_worker"]}
"""What an app may have beside its function: the collector has a worker with `fanOut`."""

PLATFORM = "warmup"
"""A function of the platform, which it lists together with those of some apps."""

TRIES = int(os.environ.get("FUNCTION_TRIES", "20"))
WAIT_SECONDS = float(os.environ.get("AZURE_WAIT_SECONDS", "15"))
"""How often, and with which pauses, to check whether a new package's functions are listed."""

WHAT_TO_DO = """
The package was accepted, so either its code does not load in Azure or the platform has lost track
of the functions. Check in this order:
1. Application Insights, Logs:
   traces | where message has_any ("ModuleNotFoundError", "ImportError", "functions found")
2. The host's storage account: the app's identity needs Storage Blob Data Owner on it.
3. The app's deployments (portal, Deployment Center, Logs): a build in Azure must use Python 3.13.
Then publish again: deploy.sh --environment NAME --package-only, or azd deploy."""

LOST_TRACK = """
This is a known fault of the platform (docs/runbook.md#only-warmup-is-listed): it does not read the
app's triggers after a deployment, so the timer never fires. This script has asked it to read them
again, which usually helps. Publish again. If the list stays like this, Microsoft has to repair the
app: open a support request, or deploy another environment."""


def listed(app: str, group: str, subscription: str | None) -> list[str]:
    """Return the names of an app's functions without those of the platform.

    Raises:
        AzureError: the Azure CLI is missing, nobody is signed in, or the app does not answer.
    """
    return [it for it in all_listed(app, group, subscription) if it.lower() != PLATFORM]


def all_listed(app: str, group: str, subscription: str | None) -> list[str]:
    """Return the names of an app's functions.

    Raises:
        AzureError: see `listed`.
    """
    chosen = ["--subscription", subscription] if subscription else []
    found = az(
        *("functionapp", "function", "list", "--name", app, "--resource-group", group, *chosen),
        *("--query", "[].name", "--output", "tsv"),
    )
    return sorted(line.rpartition("/")[2] for line in found.splitlines())


def read_again(app: str, group: str, subscription: str | None) -> None:
    """Ask the platform to read the app's functions again, as the portal's Refresh does.

    The older action, syncfunctiontriggers, does not help here. A refusal is not an error, since the
    app may still be starting.
    """
    chosen = ["--subscription", subscription] if subscription else []
    try:
        where = az(
            *("functionapp", "show", "--name", app, "--resource-group", group, *chosen),
            *("--query", "id", "--output", "tsv"),
        ).strip()
        az(
            *("rest", "--method", "post", "--output", "none"),
            *("--url", f"{where}/host/default/sync?api-version=2024-04-01"),
        )
    except AzureError as error:
        sys.stderr.write(f"The functions were not read again: {str(error).splitlines()[0]}\n")


BUILD = re.compile(r"--platform python --platform-version (\d+\.\d+(?:\.\d+)?)")
"""How a deployment's log names the Python that the remote build used."""

APP_PYTHON = "3.13"
"""The version of Python that the template configures for the app."""


def built_there(app: str, group: str, subscription: str | None) -> str:
    """Describe the Python with which Azure's remote build installed the libraries."""
    chosen = ["--subscription", subscription] if subscription else []
    try:
        log = az(
            *("functionapp", "log", "deployment", "show", "--name", app),
            *("--resource-group", group, *chosen, "--query", "[].message", "--output", "tsv"),
        )
    except AzureError as error:
        return f"with an unknown Python: {str(error).splitlines()[0]}"
    versions = BUILD.findall(log)
    if not versions:
        return "with an unknown Python, which the deployment's log does not name"
    if versions[-1].startswith(f"{APP_PYTHON}.") or versions[-1] == APP_PYTHON:
        return f"with Python {versions[-1]}"
    return (
        f"with Python {versions[-1]}, but the app runs {APP_PYTHON}, which may fail to load them. "
        "Publish again without --remote-build"
    )


def look(app: str, group: str, subscription: str | None, function: str) -> str | None:
    """Wait until the app has its function; return None, or what is wrong after the last try."""
    wrong = ""
    for count in range(1, TRIES + 1):
        try:
            names = all_listed(app, group, subscription)
        except AzureError as error:
            wrong = f"the functions of {app} in {group} cannot be listed: {error}"
        else:
            own = [it for it in names if it.lower() != PLATFORM]
            if own in ([function], [function, *SECOND.get(function, [])]):
                return None
            wrong = f"{app} should have the function {function}, but has "
            wrong += f"{', '.join(names) or 'none'}{WHAT_TO_DO if own else LOST_TRACK + WHAT_TO_DO}"
            if count < TRIES:
                read_again(app, group, subscription)
        if count < TRIES:
            sys.stderr.write(f"Waiting ({count} of {TRIES}): {wrong.splitlines()[0]}\n")
            time.sleep(WAIT_SECONDS)
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one app and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Check that a function app has its function and no unexpected one."
    )
    parser.add_argument("--app-name", required=True, metavar="NAME")
    parser.add_argument("--resource-group", required=True, metavar="GROUP")
    parser.add_argument("--subscription", metavar="ID", help="subscription, if not the current one")
    parser.add_argument(
        "--function", default=COLLECTOR, metavar="NAME", help="the function (default: %(default)s)"
    )
    parser.add_argument(
        "--built-with", metavar="PYTHON", help="what installed the libraries, to print it"
    )
    parser.add_argument(
        "--built-there", action="store_true", help="Azure's remote build installed the libraries"
    )
    asked = parser.parse_args(arguments)
    where = (asked.app_name, asked.resource_group, asked.subscription)
    wrong = look(*where, asked.function)
    built = asked.built_with
    if asked.built_there:
        built = f"by Azure's remote build, {built_there(*where)}"
    if built:
        sys.stdout.write(f"The package's libraries were installed {built}.\n")
    if wrong:
        sys.stderr.write(f"error: {wrong}\n")
        return 1
    sys.stdout.write(f"{asked.app_name} has the function {asked.function} and no unexpected one.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
