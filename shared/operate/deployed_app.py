"""`--from-app`: the settings of a deployed app, as whoever runs a command can use them.

The app signs in with an identity that only the app has. On another machine the caller's own sign-in
takes its place, for storage always and for the API where the app uses its identity.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from shared.access import AUTHORITY
from shared.core.errors import AppUnreadable, SettingsError
from shared.settings import UNRESOLVED, table
from shared.settings.parsers import scan_objects
from shared.settings.table import NAMES

OWN_IDENTITY = frozenset({"IDENTITY_CLIENT_ID", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"})
"""What names the identity of an app, or of the machine that a command runs on."""

SECRETS = frozenset(it.name for it in table.SECRETS.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class AppName:
    """Which app is meant.

    Attributes:
        subscription: id of its subscription; None for the caller's current one.
        group: its resource group.
        app: its name.
    """

    subscription: str | None
    group: str
    app: str


_APP = re.compile(
    r"(?:(?:/?subscriptions/)?(?P<subscription>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"/(?:resourceGroups/)?)?(?P<group>[\w.()-]{1,90})/(?:providers/Microsoft\.Web/sites/)?"
    r"(?P<app>[A-Za-z0-9-]{2,60})",
    re.ASCII | re.IGNORECASE,
)


def read_app_name(given: str) -> AppName:
    """Return which app `--from-app` names.

    Raises:
        SettingsError: it names none.
    """
    found = _APP.fullmatch(given.strip().rstrip("/"))
    if not found:
        hint = "write RESOURCE_GROUP/APP, SUBSCRIPTION_ID/RESOURCE_GROUP/APP or the app's id"
        raise SettingsError([f"--from-app is {given!r}: {hint}"])
    return AppName(subscription=found["subscription"], group=found["group"], app=found["app"])


class Vaults(Protocol):
    """Resolves references to key vaults."""

    def secret(self, reference: str) -> str:
        """Return the secret that a reference names.

        Raises:
            AppUnreadable: it cannot be read.
        """
        ...


def for_the_caller(
    app: Mapping[str, str], overridden: Mapping[str, str], vaults: Vaults, *, asks_api: bool
) -> dict[str, str]:
    """Return an app's settings as its caller can use them, references resolved.

    Args:
        app: the app's settings.
        overridden: settings that replace those of the app.
        vaults: resolves references.
        asks_api: whether the command sends requests to the API; one that does not needs none of
            the app's secrets, and no vault is asked.

    Raises:
        SettingsError: the caller cannot sign in as the app does, or may not read a secret.
    """
    kept = {name: value for name, value in app.items() if _is_ours(name)}
    kept.update(overridden)
    if asks_api:
        kept["MDA_AUTH"] = _caller_auth(kept.get("MDA_AUTH", ""), overridden)
    else:
        kept = {name: value for name, value in kept.items() if not _is_secret(name)}
        kept["MDA_AUTH"] = "default"
    if "SCANS" in kept:
        kept["SCANS"] = scans_of_the_caller(kept["SCANS"], overridden, asks_api=asks_api)
    return _resolved(kept, vaults)


def as_deployed(app: Mapping[str, str], overridden: Mapping[str, str]) -> dict[str, str]:
    """Return an app's settings as the app itself has them, to judge a list of scans by them.

    Its Key Vault references count as resolved: the caller need not be able to read them.
    """
    ours = {name: value for name, value in app.items() if _is_ours(name)}
    resolved = {
        name: "resolved" if value.strip().startswith(UNRESOLVED) else value
        for name, value in ours.items()
    }
    return {"IDENTITY_ENDPOINT": "of the app", **resolved, **overridden}


def _is_ours(name: str) -> bool:
    """Say whether the program reads a setting, or would refuse it as unknown."""
    known = name in NAMES or name.startswith(("MDA_", "SCAN_")) or name == AUTHORITY
    return known and name not in OWN_IDENTITY


def _is_secret(name: str) -> bool:
    return name in SECRETS or table.is_secret_of_a_scan(name)


FEDERATED = (
    "is federated: only the app's identity can vouch for its app registration. "
    "Set MDA_AUTH in an --env-file to a way in which you can sign in"
)


def _caller_auth(auth: str, overridden: Mapping[str, str]) -> str:
    if auth == "federated" and "MDA_AUTH" not in overridden:
        raise SettingsError([f"MDA_AUTH of the app {FEDERATED}"])
    return "default" if auth in {"", "managed-identity"} else auth


def scans_of_the_caller(given: str, overridden: Mapping[str, str], *, asks_api: bool) -> str:
    """Return a list of scans with ways to sign in that the caller can use.

    A file's `MDA_AUTH` is for all scans, and a file's `SCANS` stays as it is.

    Raises:
        SettingsError: the caller cannot sign in as a scan does.
    """
    try:
        scans = scan_objects(given)
    except (ValueError, RecursionError):  # Whoever reads the settings says what is wrong.
        return given
    if asks_api and "SCANS" in overridden:
        return given
    return json.dumps([_scan_of_the_caller(it, overridden, asks_api=asks_api) for it in scans])


def _scan_of_the_caller(
    scan: dict[str, Any], overridden: Mapping[str, str], *, asks_api: bool
) -> dict[str, Any]:
    if "auth" not in scan:
        return scan
    if not asks_api:
        return {**scan, "auth": "default"}
    if "MDA_AUTH" in overridden:
        return {key: value for key, value in scan.items() if key != "auth"}
    if scan["auth"] == "federated":
        raise SettingsError([f"auth of the scan {scan.get('name')!r} {FEDERATED}"])
    return {**scan, "auth": _caller_auth(str(scan["auth"]), overridden)}


def _resolved(settings: dict[str, str], vaults: Vaults) -> dict[str, str]:
    problems: list[str] = []
    for name, value in settings.items():
        if value.strip().startswith(UNRESOLVED):
            try:
                settings[name] = vaults.secret(value)
            except AppUnreadable as error:
                problems.append(
                    f"{name} is a Key Vault reference that you cannot resolve: {error}. Or set "
                    f"{name} in an --env-file"
                )
    if problems:
        raise SettingsError(problems)
    return settings


def beside_an_app(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without settings of the program: the app's take their place."""
    return {
        name: value
        for name, value in environ.items()
        if (not _is_ours(name) or name == AUTHORITY) and name not in OWN_IDENTITY
    }
