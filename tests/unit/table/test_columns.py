"""An activity as a row."""

import base64
import json
from typing import Any

import pytest

from shared.core.api.records import read_line
from shared.table.columns import Row, row_of
from tests.fakes import DAY, NOW

ACTIVITY: dict[str, Any] = {
    "_id": "a",
    "timestamp": NOW,
    "created": NOW + 1,
    "appId": 15600,
    "appName": "OneDrive",
    "eventTypeValue": "EVENT_DOWNLOAD",
    "eventTypeName": "EVENT_CATEGORY_DOWNLOAD_FILE",
    "severity": "INFO",
    "user": {"userName": "ann@contoso.com"},
    "device": {"clientIP": "198.51.100.7", "countryCode": "NO"},
    "location": {"countryCode": "SE"},
}


def row(line: bytes) -> Row:
    """Return the row of a line of a part."""
    return row_of(read_line(line), scan="all", look="first", manifest=7)


def row_with(**changes: object) -> Row:
    """Return the row of an activity with some fields changed."""
    return row(json.dumps({**ACTIVITY, **changes}).encode())


def test_a_row_has_the_fields_that_people_ask_for_and_the_record() -> None:
    """The record is the line itself, to the byte."""
    line = json.dumps(ACTIVITY, indent=None).encode()

    assert row(line) == Row(
        id="a",
        time=NOW,
        created=NOW + 1,
        app_id=15600,
        app_name="OneDrive",
        event_type="EVENT_DOWNLOAD",
        action="EVENT_CATEGORY_DOWNLOAD_FILE",
        user="ann@contoso.com",
        ip="198.51.100.7",
        country="SE",
        severity="INFO",
        irregular=False,
        scan="all",
        look="first",
        manifest=7,
        date=NOW // DAY,
        record=line.decode(),
    )


@pytest.mark.parametrize("odd", [None, 1, 1.5, True, [], {}, ["x"], {"userName": 3}, "\ud800"])
def test_a_field_of_another_type_is_null_and_stays_in_the_record(odd: object) -> None:
    """So a change of the API costs a column, never an activity."""
    names = ("appName", "eventTypeValue", "eventTypeName", "severity", "user", "device", "location")
    raw = json.dumps({**ACTIVITY, **dict.fromkeys(names, odd)}).encode()
    found = row(raw) if odd != "\ud800" else row(wrapped(raw))

    texts = (found.app_name, found.event_type, found.action, found.severity)
    nested = (found.user, found.ip, found.country)
    assert (*texts, *nested) == (None,) * 7
    assert (found.id, found.time) == ("a", NOW)
    kept = base64.b64decode(found.record) if found.irregular else found.record.encode()
    assert kept == raw


def wrapped(raw: bytes) -> bytes:
    """Return the line in which a part holds an irregular record."""
    fields = {"_id": "a", "timestamp": NOW, "created": NOW + 1}
    return json.dumps({**fields, "irregular": base64.b64encode(raw).decode()}).encode()


@pytest.mark.parametrize("odd", ["11161", 2**63, -(2**63) - 1, 1.0, True, None])
def test_the_number_of_an_app_is_an_integer_of_64_bits_or_null(odd: object) -> None:
    """Text and fractions are no integers, even if they look like one."""
    assert row_with(appId=odd).app_id is None
    assert row_with(appId=-(2**63)).app_id == -(2**63)


@pytest.mark.parametrize(
    ("instant", "known"),
    [
        (-62_135_596_800_000, True),
        (-62_135_596_800_001, False),
        (253_402_300_799_999, True),
        (253_402_300_800_000, False),
        ("2026", False),
    ],
)
def test_a_time_outside_the_calendar_is_null(instant: object, known: bool) -> None:  # noqa: FBT001
    """Readers know the years 1 to 9999; the record says what the API sent."""
    found = row_with(timestamp=instant, created=instant)

    assert (found.time == instant, found.created == instant) == (known, known)
    assert (found.date is not None) == known


def test_the_day_is_that_of_the_event_in_utc() -> None:
    """Even before 1970, and whatever the hour."""
    assert row_with(timestamp=-1).date == -1
    assert row_with(timestamp=DAY - 1).date == 0


def test_a_failed_sign_in_has_the_name_that_was_typed() -> None:
    """The API has it elsewhere."""
    assert row_with(user=None, failedUserData={"userName": "bob"}).user == "bob"
    assert row_with(failedUserData={"userName": "bob"}).user == "ann@contoso.com"


def test_without_a_place_the_country_is_that_of_the_device() -> None:
    """Some activities have no location."""
    assert row_with(location=None).country == "NO"


def test_an_irregular_record_is_in_base64_and_has_the_columns_that_can_be_read() -> None:
    """Here it has a number that no strict reader takes."""
    raw = json.dumps(ACTIVITY).encode().replace(b"15600", b"NaN")

    found = row(wrapped(raw))

    assert found.irregular
    assert base64.b64decode(found.record) == raw
    assert (found.id, found.app_id, found.user) == ("a", None, "ann@contoso.com")


@pytest.mark.parametrize("raw", [b"{", b"[" * 100_000, b"[1]", b"\xff"])
def test_an_irregular_record_that_nobody_can_read_is_a_row_all_the_same(raw: bytes) -> None:
    """What the scan could read is in its wrapper."""
    found = row(wrapped(raw))

    assert (found.id, found.time, found.user) == ("a", NOW, None)
    assert base64.b64decode(found.record) == raw
