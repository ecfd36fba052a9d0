"""Settings: a mapping of texts becomes frozen values, or one error that names every problem.

`table` lists all settings, `parsers` has what turns a text into a value, and `reader` collects the
problems. Nothing here reads the environment: the caller hands it in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.access import ApiSettings, StorageSettings
from shared.core.model import Axis, Direction, Policy
from shared.core.quoting import listed
from shared.settings import table
from shared.settings.connections import api_of, apis, check_containers, storage_of, storages
from shared.settings.elements import LISTED, Element, elements
from shared.settings.policies import fingerprint, policies
from shared.settings.reader import UNRESOLVED, Reader
from shared.settings.table import NAMES, is_secret_of_a_scan

__all__ = [
    "LIST",
    "UNRESOLVED",
    "QuerySettings",
    "ScanSettings",
    "Settings",
    "fans_out",
    "fingerprint",
    "read_query",
    "read_settings",
    "read_storage",
    "sets_scans",
]

LIST = LISTED.name
"""Under this name, the settings hold the content of the file that replaces SCANS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """Everything that is configured for one scan.

    Attributes:
        policy: how the scan is done.
        api: how it reaches the API; the same object for scans that reach it in the same way.
        storage: where its results and its state are.
    """

    policy: Policy
    api: ApiSettings
    storage: StorageSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that is configured.

    Attributes:
        storage: the account, and the containers of scans without their own.
        scans: at least one. Those of one API host divide its requests among them. All divide the
            time; if the timer hands them to workers, only those of one API host do.
        schedule: the timer's NCRONTAB expression, None outside Azure.
        requests_per_minute: of all scans of one API host together.
        identity_client_id: of the user-assigned identity that signs in to storage; None for the
            system-assigned one.
        doctor: label of the examination that is wanted; None for none.
    """

    storage: StorageSettings
    scans: tuple[ScanSettings, ...]
    schedule: str | None
    requests_per_minute: int
    identity_client_id: str | None
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
    scans, storage = _scans(reader)
    settings = Settings(
        storage=storage,
        scans=scans,
        schedule=reader.text(table.SCAN_SCHEDULE),
        requests_per_minute=reader.value(table.SCAN_REQUESTS_PER_MINUTE),
        identity_client_id=reader.text(table.IDENTITY_CLIENT_ID),
        doctor=reader.text(table.SCAN_DOCTOR),
    )
    _require_secrets(reader, [it.api for it in scans])
    reader.require_no_problems()
    return settings


def read_storage(environ: Mapping[str, str]) -> StorageSettings:
    """Return the storage account, and the containers of scans without their own.

    Raises:
        SettingsError: a setting of storage is invalid; the error names all problems.
    """
    reader = Reader(source=environ)
    found = storage_of(reader)
    reader.require_no_problems()
    return found


def fans_out(environ: Mapping[str, str]) -> bool:
    """Say whether the timer hands several scans to workers; a wrong value is reported by runs."""
    return Reader(source=environ).value(table.SCAN_FAN_OUT)


def sets_scans(environ: Mapping[str, str]) -> bool:
    """Say whether SCANS lists scans, or is wrong."""
    reader = Reader(source=environ)
    return bool(reader.value(table.SCANS) or reader.problems)


def _require_secrets(reader: Reader, apis: Sequence[ApiSettings]) -> None:
    """Note unresolved secrets if they are one problem among others, or leave no scan to run.

    Otherwise each is a problem of its scan alone, whose sign-in is then refused.
    """
    if reader.problems or all(it.unresolved for it in apis):
        reader.problems += [problem for it in apis for problem in it.unresolved]


def _scans(reader: Reader) -> tuple[tuple[ScanSettings, ...], StorageSettings]:
    """Return the settings of each scan, and the storage that they share."""
    found = elements(reader)
    reached, storage = apis(reader, found), storage_of(reader)
    stored = storages(storage, found)
    chosen = policies(reader, found, reached)
    check_containers(reader, [it.scan for it in chosen], stored)
    scans = tuple(
        ScanSettings(policy=policy, api=api, storage=own)
        for policy, api, own in zip(chosen, reached, stored, strict=True)
    )
    return scans, storage


def read_query(environ: Mapping[str, str], scan: str | None = None) -> QuerySettings:
    """Return what one query needs; settings of storage and of the run are ignored.

    Args:
        environ: the settings.
        scan: the scan whose API is asked; None for the app's.

    Raises:
        SettingsError: at least one setting is invalid, or there is no such scan; the error names
            all problems.
    """
    reader = _reader(environ)
    query = QuerySettings(
        api=api_of(Element(reader=reader) if scan is None else _named(reader, scan)),
        filters=reader.value(table.SCAN_FILTERS),
        axis=reader.value(table.SCAN_SORT_FIELD),
        direction=reader.value(table.SCAN_SORT_DIRECTION),
        limit=reader.value(table.SCAN_LIMIT),
        requests_per_minute=reader.value(table.SCAN_REQUESTS_PER_MINUTE),
    )
    _require_secrets(reader, [query.api])
    reader.require_no_problems()
    return query


def _named(reader: Reader, scan: str) -> Element:
    known = elements(reader)
    found = [it for it in known if it.reader.value(table.SCAN_NAME) == scan]
    if not found:
        names = listed([it.reader.value(table.SCAN_NAME) for it in known])
        reader.problem("--scan", f"{scan!r} is not configured; there is: {names}")
    return (found or known)[0]


def _reader(environ: Mapping[str, str]) -> Reader:
    """Return a reader that has refused unknown names, since a typing error would go unnoticed."""
    reader = Reader(source=environ)
    for name in sorted(environ):
        is_known = name in NAMES or is_secret_of_a_scan(name)
        if name.startswith(("MDA_", "SCAN_")) and not is_known:
            reader.problem(name, "is not a setting: remove it or correct it (docs/settings.md)")
    return reader
