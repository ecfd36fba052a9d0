"""The settings of the table's app: its own, and those by which it finds the feeds.

It reads the collector's settings of storage and scans, with the same values, and ignores the
others, such as how to reach the API.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.access import StorageSettings
from shared.settings import parsers, table
from shared.settings.connections import check_containers, storage_of, storages
from shared.settings.elements import elements
from shared.settings.reader import Reader
from shared.settings.table import CONTAINER, DURATION, Setting

CONTAINER_OF_TABLE = Setting(
    name="TABLE_CONTAINER",
    default="table",
    parse=parsers.container_name,
    hint=CONTAINER,
    reason="The container for the table, whose folder is `activities`",
)
SCHEDULE = Setting(
    name="TABLE_SCHEDULE",
    parse=str,
    reason="Only the platform uses it, so the program has no default",
)
TIME_BUDGET = Setting(
    name="TABLE_TIME_BUDGET",
    default="8m",
    parse=parsers.time_budget,
    hint=DURATION,
    reason="The platform kills a run after thirty minutes",
)
BEHIND_ALERT = Setting(
    name="TABLE_BEHIND_ALERT",
    default="1h",
    parse=parsers.duration,
    hint=DURATION,
    reason="A single run that fails needs no action",
)
DELETE_AFTER_DAYS = Setting(
    name="TABLE_DELETE_AFTER_DAYS",
    default="0",
    parse=parsers.integer(0, 36_500),
    hint="0 lets all days stay",
    reason="Days older than this leave the table; by default all stay",
)

SETTINGS: tuple[Setting[Any], ...] = (
    CONTAINER_OF_TABLE,
    SCHEDULE,
    TIME_BUDGET,
    BEHIND_ALERT,
    DELETE_AFTER_DAYS,
)
"""Every setting that only the table's app reads."""

SHARED: tuple[Setting[Any], ...] = (
    table.IDENTITY_CLIENT_ID,
    table.STORAGE_ACCOUNT_URL,
    table.STORAGE_CONNECTION_STRING,
    table.STORAGE_DATA_CONTAINER,
    table.STORAGE_MANIFEST_CONTAINER,
    table.STORAGE_STATE_CONTAINER,
    table.SCAN_NAME,
    table.SCANS,
)
"""The collector's settings that it reads, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """What the table's app needs.

    Attributes:
        storage: the account.
        scans: name and containers of each scan; at least one.
        container: of the table.
        identity_client_id: of the user-assigned identity that signs in to storage; None for the
            system-assigned one.
        time_budget: no commit begins after so many ms of a run.
        behind_alert: how far the table may be behind the feed before that needs a person, in ms.
        delete_after: days that are older than this many leave the table; None keeps them.
    """

    storage: StorageSettings
    scans: tuple[tuple[str, StorageSettings], ...]
    container: str
    identity_client_id: str | None
    time_budget: int
    behind_alert: int
    delete_after: int | None


def read_table_settings(environ: Mapping[str, str]) -> TableSettings:
    """Return the settings in a mapping such as the environment.

    Raises:
        SettingsError: at least one setting is invalid; the error names all problems.
    """
    reader = Reader(source=environ)
    _refuse_unknown(reader)
    found = elements(reader)
    storage = storage_of(reader)
    names = [it.reader.value(table.SCAN_NAME) for it in found]
    stored = storages(storage, found)
    check_containers(reader, names, stored)
    if len(set(names)) < len(names):
        reader.problem("SCANS", f"names a scan twice ({', '.join(names)}): each needs its own name")
    settings = TableSettings(
        storage=storage,
        scans=tuple(zip(names, stored, strict=True)),
        container=reader.value(CONTAINER_OF_TABLE),
        identity_client_id=reader.text(table.IDENTITY_CLIENT_ID),
        time_budget=reader.value(TIME_BUDGET),
        behind_alert=reader.value(BEHIND_ALERT),
        delete_after=reader.value(DELETE_AFTER_DAYS) or None,
    )
    _require_own_container(reader, settings)
    reader.require_no_problems()
    return settings


def _refuse_unknown(reader: Reader) -> None:
    """Refuse unknown names, since a typing error would go unnoticed."""
    known = {it.name for it in SETTINGS}
    for name in sorted(it for it in reader.source if it.startswith("TABLE_")):
        if name not in known:
            reader.problem(name, "is not a setting: remove it or correct it (docs/settings.md)")


def _require_own_container(reader: Reader, settings: TableSettings) -> None:
    """Refuse a container that holds something else: rules that protect or expire that apply."""
    used = {name for _, it in settings.scans for name in (it.data, it.manifests, it.state)}
    if settings.container in used:
        hint = "give the table a container of its own"
        reader.problem(
            CONTAINER_OF_TABLE.name, f"is {settings.container!r}, which holds a scan: {hint}"
        )
