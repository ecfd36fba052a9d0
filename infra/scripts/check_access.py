"""Checks, before a package is published, that the app may read: check_access.py --help.

An app that runs before its identity has the role gets a token without it, and the platform keeps
that token for about a day. So the role must be granted first. This script asks Microsoft Graph and
the vault:

- If nothing is missing, the package may be published.
- If the role is missing and the signed-in user may grant it, the script grants it.
- If anything else is missing, the script stops and prints the commands for an administrator.
- If it cannot find out (a pipeline, nobody signed in, another tenant), it stops unless called with
  --granted.

Exit codes: 0 if the package may be published, 1 if not, 2 for wrong arguments. Python 3.11 and
its standard library suffice; a grant needs bash as well.
"""
# ruff: noqa: INP001 - a script that stands on its own

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.scripts.azure_cli import AzureError, az, az_json

API = "05a65629-4c1b-48c1-a78b-804c4abdd4af"
ROLE = "investigation.read"
HERE = Path(__file__).resolve().parent

NOT_FOUND = "ResourceNotFound|does not exist"


class Access(NamedTuple):
    """The credentials that a deployment signs in with.

    Attributes:
        auth: one of the modes of docs/authentication.md.
        principal: object id of the collector's identity.
        client: client id of the app registration.
        tenant: the tenant of the app registration; empty without one.
        vault: the vault that holds the secret.
        secret: name of the secret in the vault; empty if the mode needs none. Those of scans are
            not checked: without its secret, a scan fails alone.
    """

    auth: str
    principal: str
    client: str
    tenant: str
    vault: str
    secret: str

    def commands(self) -> list[str]:
        """Return the commands that an administrator has to run, in order."""
        grant = {
            "managed-identity": f"infra/scripts/grant-app-role.sh --principal-id {self.principal}",
            "federated": f"infra/scripts/federate-app.sh --client-id {self.client} "
            f"--principal-id {self.principal}",
            "client-secret": f"infra/scripts/grant-app-role.sh --client-id {self.client}",
        }
        secret = (
            f"az keyvault secret set --vault-name {self.vault} --name {self.secret} --file FILE"
        )
        return [
            *([grant[self.auth]] if self.auth in grant else []),
            *([secret] if self.secret else []),
        ]


class UnknownError(Exception):
    """It cannot be found out; the message explains why."""


@cache
def graph() -> str:
    """Return the address of Microsoft Graph in this cloud."""
    found = az("cloud", "show", "--query", "endpoints.microsoftGraphResourceId", "--output", "tsv")
    return f"{found.strip().rstrip('/')}/v1.0"


def listed(url: str) -> Iterator[dict[str, str]]:
    """Yield the objects of a list from all its pages."""
    while url:
        page = az_json("rest", "--method", "get", "--url", url)
        yield from page["value"]
        url = page.get("@odata.nextLink", "")


def service_principal(client: str) -> str | None:
    """Return the object id of an application's service principal in this tenant."""
    url = f"{graph()}/servicePrincipals?$filter=appId%20eq%20'{client}'&$select=id"
    return next((it["id"] for it in listed(url)), None)


def has_role(access: Access) -> bool:
    """Tell whether the identity or registration that signs in has the role on the API."""
    registered = access.auth in {"federated", "client-secret"}
    principal = service_principal(access.client) if registered else access.principal
    api = service_principal(API)
    if not principal or not api:
        return False
    url = f"{graph()}/servicePrincipals/{api}?$select=appRoles"
    roles: list[dict[str, Any]] = az_json("rest", "--method", "get", "--url", url)["appRoles"]
    wanted = {
        it["id"]
        for it in roles
        if it["value"] == ROLE and "Application" in it["allowedMemberTypes"]
    }
    held = listed(f"{graph()}/servicePrincipals/{principal}/appRoleAssignments")
    return any(it["resourceId"] == api and it["appRoleId"] in wanted for it in held)


def trusts_identity(access: Access) -> bool:
    """Tell whether the registration trusts the collector's identity."""
    url = f"{graph()}/applications?$filter=appId%20eq%20'{access.client}'&$select=id"
    application = next((it["id"] for it in listed(url)), None)
    if not application:
        return False
    found = listed(f"{graph()}/applications/{application}/federatedIdentityCredentials")
    return any(it["subject"] == access.principal for it in found)


def has_secret(access: Access) -> bool:
    """Tell whether the secret is in the vault, without reading its value."""
    try:
        az(
            *("keyvault", "secret", "show", "--vault-name", access.vault),
            *("--name", access.secret, "--query", "id", "--output", "tsv"),
        )
    except AzureError as error:
        if error.has("SecretNotFound"):
            return False
        raise
    return True


def missing(access: Access) -> list[str]:
    """Return descriptions of what is missing.

    Raises:
        UnknownError: it cannot be found out.
    """
    checks: list[tuple[Callable[[Access], bool], str]] = []
    if access.auth != "api-token":
        checks.append((has_role, f"the role {ROLE} of the API"))
    if access.auth == "federated":
        checks.append((trusts_identity, "the registration's trust in the collector's identity"))
    if access.secret:
        checks.append((has_secret, f"the secret {access.secret} in the vault {access.vault}"))
    try:
        here = az("account", "show", "--query", "tenantId", "--output", "tsv").strip()
        if access.tenant and access.tenant.lower() != here.lower():
            raise UnknownError(f"the activities belong to another tenant, {access.tenant}")
        return [what for check, what in checks if not _checked(check, access)]
    except AzureError as error:
        raise UnknownError(str(error).splitlines()[0]) from None


def _checked(check: Callable[[Access], bool], access: Access) -> bool:
    """Return the result of a check: false if the directory does not know the identity yet."""
    try:
        return check(access)
    except AzureError as error:
        if error.has(NOT_FOUND):
            return False
        raise


def grant(access: Access) -> bool:
    """Try to grant the role, and return whether it is granted."""
    command = [it for it in access.commands() if it.startswith("infra/")]
    if not command or not shutil.which("bash"):
        return False
    name, *arguments = command[0].split()
    ran = subprocess.run(  # noqa: S603 - a script of this folder
        ["bash", str(HERE / Path(name).name), *arguments],  # noqa: S607 - as it is on PATH
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return ran.returncode == 0


def stop(why: str, access: Access, *more: str) -> int:
    """Explain why nothing is published and what to run."""
    lines = [
        f"error: nothing was published: {why}",
        "Ask an administrator of the tenant (and of the vault) to run:",
        *(f"  {it}" for it in access.commands()),
        *more,
        "Then run the same command again; it continues from here.",
    ]
    sys.stderr.write("\n       ".join(lines) + "\n")
    return 1


def check(access: Access, *, granted: bool) -> int:
    """Check what is needed, grant what can be granted, and return the exit code."""
    if granted:
        sys.stdout.write(
            "Not checked whether the collector may read activities, as requested by --granted.\n"
        )
        return 0
    try:
        lacking = missing(access)
        if lacking and "secret" not in lacking[0] and grant(access):
            lacking = [it for it in missing(access) if "secret" in it]
    except UnknownError as error:
        return stop(
            f"it is unknown whether the collector may read activities ({error})",
            access,
            "Once that is done, add --granted or set MDA_ROLE_GRANTED=true.",
        )
    if lacking:
        return stop(f"the collector lacks {' and '.join(lacking)}", access)
    sys.stdout.write("The collector may read activities.\n")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one deployment and return the exit code."""
    parser = argparse.ArgumentParser(
        description="Check that the collector may read activities before a package is published."
    )
    parser.add_argument("--auth", default="managed-identity", metavar="MODE")
    for name in ("principal-id", "client-id", "tenant-id", "vault", "secret"):
        parser.add_argument(f"--{name}", default="", metavar="VALUE")
    parser.add_argument("--granted", action="store_true", help="skip the check")
    asked = parser.parse_args(arguments)
    access = Access(
        auth=asked.auth or "managed-identity",
        principal=asked.principal_id,
        client=asked.client_id,
        tenant=asked.tenant_id,
        vault=asked.vault,
        secret=asked.secret,
    )
    told = asked.granted or os.environ.get("MDA_ROLE_GRANTED", "").lower() == "true"
    return check(access, granted=told)


if __name__ == "__main__":
    sys.exit(main())
