"""The events of docs/ocsf, made of simulated activities of every kind and of odd ones."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
from deltalake import DeltaTable
from msgspec import Raw

from shared.adapters.delta_table import DeltaActivities
from shared.core.api.records import read_record
from shared.table.columns import row_of
from simulator import Tenant
from tests.fakes import NOW

FOLDER = Path(__file__).parents[1] / "docs" / "ocsf"
SIMULATED = Tenant.generate(seed=17, count=400, until_ms=NOW)

IRREGULAR = b'{"_id":"irregular","timestamp":%d,"more":1e999}' % NOW


def event_of(name: str, operation: str | None, **changes: Any) -> bytes:
    """Return the record of an activity that lacks nothing; `name` is its `_id`.

    Args:
        name: its `_id`.
        operation: the name that the source gives it.
        changes: fields of the record.
    """
    record = {
        "_id": name,
        "timestamp": NOW,
        "created": NOW + 1,
        "aadTenantId": "a tenant",
        "appName": "Office 365",
        "eventTypeValue": "EVENT_X",
        "eventTypeName": "EVENT_CATEGORY_UNSPECIFIED",
        "description": "said by the source",
        "severity": "INFO",
        "user": {"userName": "ann@contoso.com"},
        "device": {"clientIP": "192.0.2.1"},
        "location": {"countryCode": "NO"},
        "mainInfo": {"rawOperationName": operation},
        "rawDataJson": {
            "ObjectId": "https://contoso.example/sites/a/Plan.docx",
            "MailboxOwnerUPN": "bob@contoso.com",
            "TeamName": "Board",
        },
        **changes,
    }
    return json.dumps(record, ensure_ascii=False).encode()


def mapping() -> list[dict[str, Any]]:
    """Return the rows of the mapping."""
    with duckdb.connect() as database:
        found = database.read_csv(str(FOLDER / "mapping.csv")).to_arrow_table()
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def of_every_row() -> Iterable[bytes]:
    """Yield an activity for each row of the mapping, whose `_id` is the value that is mapped."""
    for row in mapping():
        value = row["value"]
        if row["field"] == "operation":
            yield event_of(value, value)
        else:
            yield event_of(value, None, eventTypeName=value)


def odd() -> Iterable[bytes]:
    """Yield activities whose fields are missing, of another type, or empty."""
    fields = list(json.loads(event_of("odd", "FileDeleted")))
    values = (None, 7, "", "/", ["a list"], {"an": "object"})
    for operation in ("FileDeleted", "Send", "MemberAdded", "Set-Mailbox", "UserLoggedIn", "X"):
        for value in values:
            for name in fields:
                yield event_of("odd", operation, **{name: value})
            for name in ("ObjectId", "SourceFileName", "MailboxOwnerUPN", "TeamName"):
                yield event_of("odd", operation, rawDataJson={name: value})
    for address in ("", "999.1.1.1", "1.2.3.4:80", "a::b::c", ":::", "::", "1:2", "x", "::ffff:1"):
        yield event_of("odd", "X", device={"clientIP": address})
    for year in (-62_135_596_800_000, 253_402_300_799_999):
        yield event_of("odd", "X", timestamp=year, created=year)
    yield IRREGULAR


def table_of(folder: Path, sent: Iterable[bytes]) -> DeltaTable:
    """Write a table of these records."""
    records = (read_record(Raw(it), indented=False) for it in sent)
    rows = [row_of(it, scan="all", look="first", manifest=1) for it in records]
    DeltaActivities(str(folder), "all", dict).open().append([rows], first=1, through=1)
    return DeltaTable(str(folder))


def events(table: DeltaTable) -> list[dict[str, Any]]:
    """Return the rows of the view, their events decoded."""
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'America/New_York'")
        files = database.read_parquet(table.file_uris(), hive_partitioning=True)
        files.create_view("activities")
        database.read_csv(str(FOLDER / "mapping.csv")).create("ocsf_mapping")
        database.execute((FOLDER / "view.sql").read_text("utf-8"))
        found = database.sql("SELECT id, class_uid, reason, event FROM ocsf").fetchall()
    names = ("id", "class_uid", "reason", "event")
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return [{**row, "event": json.loads(row["event"])} for row in rows]


def simulated() -> list[bytes]:
    """Return the simulated activities, of every kind that the simulator has."""
    return [SIMULATED.bytes_of(n) for n in range(len(SIMULATED))]
