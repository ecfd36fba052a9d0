"""An activity as a row of the table (`docs/formats.md`, the table).

Columns are typed leniently: a field that is missing, or of another type than its column, is null
there and untouched in `record`. So no activity is ever too odd for the table.
"""

import base64
import json
from typing import Any

import msgspec

from shared.core.api.records import Record
from shared.core.model import DAY_MS

EARLIEST_MS = -62_135_596_800_000
"""The year 1 begins: readers of Parquet know no earlier day."""

LATEST_MS = 253_402_300_800_000
"""The year 9999 has ended."""


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One activity. The order of the attributes is that of the columns.

    Attributes:
        id: `_id`; null if it is missing or not text.
        time: event time, epoch ms; null if it is missing, or no day of the years 1 to 9999.
        created: ingestion time, likewise.
        app_id: `appId`; null if it is not an integer of 64 bits.
        app_name: `appName`.
        event_type: `eventTypeValue`, such as `EVENT_AAD_LOGIN_FAILED`.
        action: `eventTypeName`, such as `EVENT_CATEGORY_LOGIN`.
        user: `user.userName`, or else `failedUserData.userName`, which failed sign-ins have.
        ip: `device.clientIP`.
        country: `location.countryCode`, or else `device.countryCode`.
        severity: `severity`.
        irregular: whether `record` is in base64, because strict readers would refuse it.
        scan: name of the scan.
        look: the pass that stored it; the column is `pass`.
        manifest: number of the manifest that lists its part.
        date: days since 1970 of `time` in UTC, by which the table is partitioned; null with `time`.
        record: the bytes that the API sent, as text.
    """

    id: str | None
    time: int | None
    created: int | None
    app_id: int | None
    app_name: str | None
    event_type: str | None
    action: str | None
    user: str | None
    ip: str | None
    country: str | None
    severity: str | None
    irregular: bool
    scan: str
    look: str = msgspec.field(name="pass")
    manifest: int
    date: int | None
    record: str


def row_of(record: Record, *, scan: str, look: str, manifest: int) -> Row:
    """Return an activity as a row.

    Args:
        record: as `read_line` returns it.
        scan: name of the scan.
        look: the pass that stored it.
        manifest: number of the manifest that lists its part.
    """
    fields = _fields(record)
    time = _in_calendar(record.timestamp)
    return Row(
        id=record.id,
        time=time,
        created=_in_calendar(record.created),
        app_id=_integer(fields.get("appId")),
        app_name=_text(fields.get("appName")),
        event_type=_text(fields.get("eventTypeValue")),
        action=_text(fields.get("eventTypeName")),
        user=_first_text(fields, ("user", "userName"), ("failedUserData", "userName")),
        ip=_first_text(fields, ("device", "clientIP")),
        country=_first_text(fields, ("location", "countryCode"), ("device", "countryCode")),
        severity=_text(fields.get("severity")),
        irregular=record.original is not None,
        scan=scan,
        look=look,
        manifest=manifest,
        date=None if time is None else time // DAY_MS,
        record=_as_text(record),
    )


def _as_text(record: Record) -> str:
    if record.original is not None:
        return base64.b64encode(record.original).decode("ascii")
    return record.line.decode("utf-8")


def _fields(record: Record) -> dict[str, Any]:
    """Return the fields of an activity; of one that no strict reader takes, what can be read."""
    if record.original is None:
        return _fields_of.decode(record.line)
    try:
        found = json.loads(record.original.decode("utf-8", "surrogateescape"), strict=False)
    except (ValueError, RecursionError):  # Such as nesting that is too deep.
        return {}
    return found if isinstance(found, dict) else {}


def _first_text(fields: dict[str, Any], *paths: tuple[str, str]) -> str | None:
    found = (_text(_member(fields.get(outer), inner)) for outer, inner in paths)
    return next((it for it in found if it is not None), None)


def _member(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: object) -> str | None:
    """Return a value that is text which every reader takes; null for any other."""
    if not isinstance(value, str):
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def _integer(value: object) -> int | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _in_calendar(instant: int | None) -> int | None:
    return instant if instant is not None and EARLIEST_MS <= instant < LATEST_MS else None


_fields_of = msgspec.json.Decoder(dict[str, Any])
