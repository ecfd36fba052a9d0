"""Checks the API's address before it is deployed: python infra/scripts/check_api_url.py ADDRESS.

It accepts every form in which people copy the address (without a scheme, with a part of the API's
path, with a trailing slash) and rejects pages of a portal, with which the first run would fail. The
template and the program follow the same rules. It prints the address in the form to deploy.

Exit codes: 0, or 1 with the reason. Python 3.11 and its standard library suffice.
"""
# ruff: noqa: INP001 - a script that stands on its own

import re
import sys
from collections.abc import Sequence

HOSTS = (
    "portal.cloudappsecurity.com",
    "portal.cloudappsecurity.us",
    "portal.cloudappsecuritygov.com",
)
"""The hosts that all tenants of a cloud share. The host of one tenant is a subdomain of them."""

ADDRESS = re.compile(
    r"(?:https://)?(?P<host>[a-z0-9.-]+)(?P<shared>/cas)?(?:/api(?:/v1(?:/activities)?)?)?/?"
)

WHERE = (
    "Use the API URL, such as https://contoso.eu2.portal.cloudappsecurity.com. The Defender "
    "portal shows it under Settings, Cloud Apps, About."
)


class AddressError(ValueError):
    """This is not an address of the API; the message says what to use instead."""


def normalised(given: str) -> str:
    """Return an address in the form to deploy.

    Raises:
        AddressError: it is not an address of the API.
    """
    found = ADDRESS.fullmatch(given.strip().lower())
    host, shared = (found["host"], found["shared"] or "") if found else ("", "")
    of_a_tenant = any(len(host) > len(it) + 1 and host.endswith(f".{it}") for it in HOSTS)
    if not (of_a_tenant or (host in HOSTS and shared)):
        raise AddressError(f"'{given}' is not an address of the API. {WHERE}")
    return f"https://{host}{shared}"


def main(arguments: Sequence[str]) -> int:
    """Check one address, print it in the form to deploy, and return the exit code."""
    if len(arguments) != 1:
        sys.stderr.write(f"error: name one address. {WHERE}\n")
        return 1
    try:
        sys.stdout.write(f"{normalised(arguments[0])}\n")
    except AddressError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
