"""Checks that a deployed app has its function: python infra/scripts/check_functions.py --help.

Azure reports success for a package whose libraries were not built or whose code cannot be loaded,
and then has an app in which nothing ever runs. So every deployment ends with this look. It asks the
Azure CLI, and again while the app is being loaded. Python 3.11 and its standard library suffice.

Exit codes: 0 when the app has exactly the function, 1 when not, 2 for wrong arguments.
"""
# ruff: noqa: INP001 - a script that stands on its own

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence

EXPECTED = ["scan_activities"]

TRIES = int(os.environ.get("FUNCTION_TRIES", "20"))
WAIT_SECONDS = float(os.environ.get("AZURE_WAIT_SECONDS", "15"))
"""How long a new package may take until its functions are seen."""

WHAT_TO_DO = """
The package was accepted, so either its libraries were not built or its code does not load there.
Look in this order:
1. The app's deployments (portal, Deployment Center, Logs): did the remote build succeed?
2. Application Insights, Logs:
   traces | where message has_any ("ModuleNotFoundError", "ImportError", "functions found")
3. The host's storage: the app's identity needs Storage Blob Data Owner on it.
Then publish again: deploy.sh --environment NAME --package-only, or azd deploy."""


class ListingError(Exception):
    """The functions cannot be listed; the message is the Azure CLI's."""


def listed(app: str, group: str, subscription: str | None) -> list[str]:
    """Return the names of an app's functions.

    Raises:
        ListingError: the Azure CLI is missing, nobody is signed in, or the app does not answer.
    """
    program = shutil.which("az")
    if not program:
        raise ListingError("the Azure CLI (az) is missing: https://aka.ms/install-azure-cli")
    chosen = ["--subscription", subscription] if subscription else []
    ran = subprocess.run(  # noqa: S603 - the Azure CLI, as it is found on PATH
        [
            *(program, "functionapp", "function", "list", "--name", app),
            *("--resource-group", group, *chosen, "--query", "[].name", "--output", "tsv"),
            "--only-show-errors",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise ListingError(ran.stderr.strip() or f"az ended with {ran.returncode}")
    return sorted(line.rpartition("/")[2] for line in ran.stdout.splitlines())


def look(app: str, group: str, subscription: str | None) -> str | None:
    """Look until the app has its function; return None, or what is wrong when time is over."""
    wrong = ""
    for count in range(1, TRIES + 1):
        try:
            names = listed(app, group, subscription)
        except ListingError as error:
            wrong = f"the functions of {app} in {group} cannot be listed: {error}"
        else:
            if names == EXPECTED:
                return None
            wrong = f"{app} should have the function scan_activities, and has "
            wrong += f"{', '.join(names) or 'none'}{WHAT_TO_DO}"
        if count < TRIES:
            sys.stderr.write(f"Waiting ({count} of {TRIES}): {wrong.splitlines()[0]}\n")
            time.sleep(WAIT_SECONDS)
    return wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one app and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Check that a function app has exactly the function scan_activities."
    )
    parser.add_argument("--app-name", required=True, metavar="NAME")
    parser.add_argument("--resource-group", required=True, metavar="GROUP")
    parser.add_argument("--subscription", metavar="ID", help="another than the chosen one")
    asked = parser.parse_args(arguments)
    wrong = look(asked.app_name, asked.resource_group, asked.subscription)
    if wrong:
        sys.stderr.write(f"error: {wrong}\n")
        return 1
    sys.stdout.write(f"{asked.app_name} has the function scan_activities, and no other.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
