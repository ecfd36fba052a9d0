"""Settings: a mapping of texts becomes frozen values, or one error that names every problem.

`table` lists all settings, `parsers` has what turns a text into a value, and `reader` collects the
problems. Nothing here reads the environment: the caller hands it in.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from shared.access import ApiSettings, AuthMode, StorageSettings
from shared.core.model import Axis, Direction, Policy
from shared.settings import table
from shared.settings.addresses import account_url, api_url
from shared.settings.policies import fingerprint, policies
from shared.settings.reader import UNRESOLVED, Reader
from shared.settings.table import NAMES

__all__ = ["UNRESOLVED", "QuerySettings", "Settings", "fingerprint", "read_query", "read_settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is configured.

    Attributes:
        api: how to reach the API.
        storage: where results and state are.
        scans: one policy per scan; they divide the time and request budgets among them.
        schedule: the timer's NCRONTAB expression, None outside Azure.
        requests_per_minute: of all scans together.
        doctor: label of the examination that is wanted; None for none.
    """

    api: ApiSettings
    storage: StorageSettings
    scans: tuple[Policy, ...]
    schedule: str | None
    requests_per_minute: int
    doctor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySettings:
    """What one query needs; it does not need storage.

    Attributes:
        api: how to reach the API.
        filters: any filters, including filters on the sort field.
        axis: `sortField`.
        direction: `sortDirection`.
        limit: records per page, as configured.
        requests_per_minute: the most requests in any 60 seconds.
    """

    api: ApiSettings
    filters: dict[str, Any]
    axis: Axis
    direction: Direction
    limit: int
    requests_per_minute: int


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings in a mapping such as the environment.

    Raises:
        SettingsError: at least one setting is invalid; the error names all problems.
    """
    reader = _reader(environ)
    api = _api(reader)
    settings = Settings(
        api=api,
        storage=_storage(reader),
        scans=policies(reader, urlsplit(api.url).hostname or ""),
        schedule=reader.text(table.SCAN_SCHEDULE),
        requests_per_minute=reader.value(table.SCAN_REQUESTS_PER_MINUTE),
        doctor=reader.text(table.SCAN_DOCTOR),
    )
    reader.require_no_problems()
    return settings


def read_query(environ: Mapping[str, str]) -> QuerySettings:
    """Return what one query needs; settings of storage and of the run are ignored.

    Raises:
        SettingsError: at least one setting is invalid; the error names all problems.
    """
    reader = _reader(environ)
    query = QuerySettings(
        api=_api(reader),
        filters=reader.value(table.SCAN_FILTERS),
        axis=reader.value(table.SCAN_SORT_FIELD),
        direction=reader.value(table.SCAN_SORT_DIRECTION),
        limit=reader.value(table.SCAN_LIMIT),
        requests_per_minute=reader.value(table.SCAN_REQUESTS_PER_MINUTE),
    )
    reader.require_no_problems()
    return query


def _reader(environ: Mapping[str, str]) -> Reader:
    """Return a reader that has refused unknown names, since a typing error would go unnoticed."""
    reader = Reader(source=environ)
    for name in sorted(environ):
        if name.startswith(("MDA_", "SCAN_")) and name not in NAMES:
            reader.problem(name, "is not a setting: remove it or correct it (docs/settings.md)")
    return reader


def _api(reader: Reader) -> ApiSettings:
    in_azure = bool(reader.source.get("IDENTITY_ENDPOINT"))
    default: AuthMode = "managed-identity" if in_azure else "default"
    settings = ApiSettings(
        auth=reader.value(table.MDA_AUTH, default),
        url=api_url(reader),
        tenant_id=reader.text(table.MDA_TENANT_ID),
        client_id=reader.text(table.MDA_CLIENT_ID),
        client_secret=reader.secret(table.MDA_CLIENT_SECRET),
        api_token=reader.secret(table.MDA_API_TOKEN),
        identity_client_id=reader.text(table.IDENTITY_CLIENT_ID),
    )
    _check_auth(reader, settings)
    return settings


def _check_auth(reader: Reader, api: ApiSettings) -> None:
    """Refuse a way to sign in that lacks a setting."""
    why = f"MDA_AUTH={api.auth} signs in with it"
    if api.auth in {"client-secret", "federated"}:
        reader.require(table.MDA_TENANT_ID, api.tenant_id, why)
        reader.require(table.MDA_CLIENT_ID, api.client_id, why)
    if api.auth == "client-secret":
        reader.require(table.MDA_CLIENT_SECRET, api.client_secret, why)
    if api.auth == "api-token":
        reader.require(table.MDA_API_TOKEN, api.api_token, why)
    token = api.api_token.reveal() if api.auth == "api-token" and api.api_token else ""
    if not re.fullmatch(r"[!-~]*", token):
        reader.problem("MDA_API_TOKEN", "has characters that a token cannot have: copy it again")


def _storage(reader: Reader) -> StorageSettings:
    url = reader.text(table.STORAGE_ACCOUNT_URL)
    connection = reader.secret(table.STORAGE_CONNECTION_STRING)
    if connection is None:
        reader.require(table.STORAGE_ACCOUNT_URL, url, table.STORAGE_ACCOUNT_URL.hint)
    elif url is not None:
        reader.problem(
            "STORAGE_CONNECTION_STRING", "is set together with STORAGE_ACCOUNT_URL: keep only one"
        )
    data = reader.value(table.STORAGE_DATA_CONTAINER)
    manifests = reader.value(table.STORAGE_MANIFEST_CONTAINER)
    state = reader.value(table.STORAGE_STATE_CONTAINER)
    if len({data, manifests, state}) < len((data, manifests, state)):
        names = f"{data}, {manifests}, {state}"
        reader.problem(
            "STORAGE_*_CONTAINER", f"name the same container twice ({names}): give three names"
        )
    return StorageSettings(
        account_url=None if url is None else account_url(reader, url),
        connection_string=connection,
        data=data,
        manifests=manifests,
        state=state,
    )
