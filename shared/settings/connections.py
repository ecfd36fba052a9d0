"""How each scan reaches the API and storage: as the app does, or as its element of SCANS says."""

import re
from collections.abc import Sequence
from dataclasses import replace

from shared.access import AUTHORITY, ApiSettings, AuthMode, StorageSettings
from shared.settings import table
from shared.settings.addresses import account_url, api_url
from shared.settings.elements import Element, list_of
from shared.settings.reader import Reader

API = (
    table.MDA_API_URL,
    table.MDA_AUTH,
    table.MDA_TENANT_ID,
    table.MDA_CLIENT_ID,
    table.MDA_CLIENT_SECRET,
    table.MDA_API_TOKEN,
)
"""A scan that sets none of them reaches the API as the app does."""

CONTAINERS = (
    table.STORAGE_DATA_CONTAINER,
    table.STORAGE_MANIFEST_CONTAINER,
    table.STORAGE_STATE_CONTAINER,
)


def apis(reader: Reader, elements: Sequence[Element]) -> list[ApiSettings]:
    """Return how each scan reaches the API.

    Scans that reach it as the app does have the same object, and so one connection and one token.
    The app's settings are read only if there is such a scan.
    """
    found: list[ApiSettings] = []
    shared: ApiSettings | None = None
    for element in elements:
        if element.sets(*API):
            found.append(api_of(element))
        else:
            shared = shared or api_of(Element(reader=reader))
            found.append(shared)
    return found


def api_of(element: Element) -> ApiSettings:
    """Return how one scan reaches the API.

    A secret that is not resolved is not refused here, because other scans do not need it.
    """
    reader = element.reader
    unresolved = [reader.unresolved(it) for it in (element.client_secret, element.api_token)]
    in_azure = bool(reader.source.get("IDENTITY_ENDPOINT"))
    default: AuthMode = "managed-identity" if in_azure else "default"
    settings = ApiSettings(
        auth=reader.value(table.MDA_AUTH, default),
        url=api_url(reader),
        tenant_id=reader.text(table.MDA_TENANT_ID),
        client_id=reader.text(table.MDA_CLIENT_ID),
        client_secret=None if unresolved[0] else reader.secret(element.client_secret),
        api_token=None if unresolved[1] else reader.secret(element.api_token),
        identity_client_id=reader.text(table.IDENTITY_CLIENT_ID),
        authority=reader.source.get(AUTHORITY) or None,
        unresolved=tuple(filter(None, unresolved)),
    )
    _check_auth(element, settings)
    return settings


def _check_auth(element: Element, api: ApiSettings) -> None:
    """Refuse a way to sign in that lacks a setting, or has one that nobody could use."""
    reader, why = element.reader, f"MDA_AUTH={api.auth} signs in with it"
    if api.auth in {"client-secret", "federated"}:
        reader.require(table.MDA_TENANT_ID, api.tenant_id, why)
        reader.require(table.MDA_CLIENT_ID, api.client_id, why)
        _check_tenant(reader, api.tenant_id or "")
    if api.auth == "client-secret":
        reader.require(element.client_secret, api.client_secret, why)
    if api.auth == "api-token":
        reader.require(element.api_token, api.api_token, why)
    token = api.api_token.reveal() if api.auth == "api-token" and api.api_token else ""
    if not re.fullmatch(r"[!-~]*", token):
        name = element.api_token.name
        reader.problem(name, "has characters that a token cannot have: copy it again")


def _check_tenant(reader: Reader, tenant: str) -> None:
    """Refuse what the identity library would refuse for all scans, since it names none of them."""
    if not re.fullmatch(r"[A-Za-z0-9.-]*", tenant):
        hint = "give the tenant's id or one of its domains"
        reader.problem(table.MDA_TENANT_ID.name, f"is {tenant!r}, which is not a tenant: {hint}")


def storage_of(reader: Reader) -> StorageSettings:
    """Return the storage account, and the app's containers."""
    url = reader.text(table.STORAGE_ACCOUNT_URL)
    connection = reader.secret(table.STORAGE_CONNECTION_STRING)
    if connection is None:
        reader.require(table.STORAGE_ACCOUNT_URL, url, table.STORAGE_ACCOUNT_URL.hint)
    elif url is not None:
        reader.problem(
            "STORAGE_CONNECTION_STRING", "is set together with STORAGE_ACCOUNT_URL: keep only one"
        )
    data, manifests, state = _containers(reader)
    return StorageSettings(
        account_url=None if url is None else account_url(reader, url),
        connection_string=connection,
        data=data,
        manifests=manifests,
        state=state,
    )


def storages(app: StorageSettings, elements: Sequence[Element]) -> list[StorageSettings]:
    """Return where each scan stores: in containers of its own, or in the app's."""
    return [_storage_of(it, app) for it in elements]


def _storage_of(element: Element, app: StorageSettings) -> StorageSettings:
    if not element.sets(*CONTAINERS):
        return app
    data, manifests, state = _containers(element.reader)
    return replace(app, data=data, manifests=manifests, state=state)


def _containers(reader: Reader) -> tuple[str, str, str]:
    """Return the containers of parts, of manifests and of the state; refuse a name given twice."""
    data, manifests, state = (reader.value(it) for it in CONTAINERS)
    if len({data, manifests, state}) < len(CONTAINERS):
        names = f"{data}, {manifests}, {state}"
        reader.problem(
            "STORAGE_*_CONTAINER", f"name the same container twice ({names}): give three names"
        )
    return data, manifests, state


def check_containers(
    reader: Reader, scans: Sequence[str], stored: Sequence[StorageSettings]
) -> None:
    """Refuse a container that holds one thing for one scan and another thing for another scan.

    Those who may read one of them, and the rules that protect it, would be wrong for the other.
    Scans may share a container for the same thing: their names, which differ, keep their blobs
    apart.
    """
    known: dict[str, tuple[str, str]] = {}
    for scan, it in zip(scans, stored, strict=True):
        for name, kind in ((it.data, "parts"), (it.manifests, "manifests"), (it.state, "state")):
            first_kind, first_scan = known.setdefault(name, (kind, scan))
            if first_kind != kind and first_scan != scan:
                reader.problem(
                    list_of(reader).name,
                    f"has the container {name} for the {first_kind} of {first_scan} and the {kind} "
                    f"of {scan}: give each its own",
                )
