"""Runs the Azure CLI for the scripts in this folder. Needs only the standard library."""
# ruff: noqa: INP001 - scripts import it from their own folder

import json
import re
import shutil
import subprocess
from typing import Any

INSTALL = "the Azure CLI (az) is missing: https://aka.ms/install-azure-cli"


class AzureError(Exception):
    """The Azure CLI is missing or failed; the message is its own."""

    def has(self, pattern: str) -> bool:
        """Tell whether the message matches a pattern, ignoring case."""
        return bool(re.search(pattern, str(self), re.IGNORECASE))


def az(*arguments: str) -> str:
    """Return what a command prints.

    Raises:
        AzureError: it failed.
    """
    program = shutil.which("az")
    if not program:
        raise AzureError(INSTALL)
    ran = subprocess.run(  # noqa: S603 - the Azure CLI, as it is found on PATH
        [program, *arguments, "--only-show-errors"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if ran.returncode:
        raise AzureError(ran.stderr.strip() or f"az ended with {ran.returncode}")
    return ran.stdout


def az_json(*arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
    """Return what a command prints, read as JSON; None when it prints nothing.

    Raises:
        AzureError: it failed.
    """
    return json.loads(az(*arguments, "--output", "json") or "null")


def signed_in() -> bool:
    """Tell whether there is an Azure CLI that somebody is signed in to."""
    try:
        az("account", "show", "--output", "none")
    except AzureError:
        return False
    return True
