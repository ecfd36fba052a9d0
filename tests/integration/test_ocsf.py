"""The view of docs/ocsf makes one OCSF event of each activity. `tests/readers` validates them."""

import base64
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import ocsf
from tests.fakes import NOW

PAGE = (ocsf.FOLDER.parent / "table.md").read_text("utf-8")


def event_of(folder: Path, record: bytes) -> dict[str, Any]:
    """Return the row of the view for one record."""
    (row,) = ocsf.events(ocsf.table_of(folder / "activities", [record]))
    return row


def test_each_activity_becomes_one_event(tmp_path: Path) -> None:
    """Its identifier is the activity's, and `unmapped` has the whole record."""
    sent = [*ocsf.simulated(), *ocsf.of_every_row()]

    rows = ocsf.events(ocsf.table_of(tmp_path, sent))

    found = [(row["event"]["metadata"]["uid"], row["event"]["unmapped"]) for row in rows]
    records = [json.loads(it) for it in sent]
    assert sorted(found, key=repr) == sorted(((it["_id"], it) for it in records), key=repr)


def test_every_row_of_the_mapping_decides_class_and_activity(tmp_path: Path) -> None:
    """If the activity has what the class requires."""
    rows = ocsf.events(ocsf.table_of(tmp_path, ocsf.of_every_row()))

    assert [row["reason"] for row in rows if row["reason"]] == []
    assert {
        row["id"]: (row["event"]["class_uid"], row["event"]["activity_id"]) for row in rows
    } == {row["value"]: (row["class_uid"], row["activity_id"]) for row in ocsf.mapping()}


def test_the_operation_decides_before_the_category(tmp_path: Path) -> None:
    """It is the more exact of the two."""
    record = ocsf.event_of("a", "FileDeleted", eventTypeName="EVENT_CATEGORY_LOGIN")

    assert event_of(tmp_path, record)["class_uid"] == 6006


def test_an_operation_that_is_not_mapped_is_api_activity(tmp_path: Path) -> None:
    """With the operation's name, and everything that the columns know."""
    row = event_of(tmp_path, ocsf.event_of("a", "Unheard-Of"))

    record = row["event"].pop("unmapped")
    assert record["mainInfo"] == {"rawOperationName": "Unheard-Of"}
    assert row["event"] == {
        "class_uid": 6003,
        "category_uid": 6,
        "activity_id": 99,
        "type_uid": 600399,
        "severity_id": 1,
        "status_id": 0,
        "time": NOW,
        "time_dt": "2026-11-23T12:00:00.000Z",
        "message": "said by the source",
        "cloud": {"provider": "Office 365"},
        "metadata": {
            "version": "1.8.0",
            "profiles": ["cloud", "datetime"],
            "uid": "a",
            "event_code": "EVENT_X",
            "logged_time": NOW + 1,
            "tenant_uid": "a tenant",
            "product": {"name": "Microsoft Defender for Cloud Apps", "vendor_name": "Microsoft"},
        },
        "actor": {"user": {"name": "ann@contoso.com"}},
        "src_endpoint": {"ip": "192.0.2.1", "location": {"country": "NO"}},
        "api": {"operation": "Unheard-Of"},
    }


@pytest.mark.parametrize(
    ("operation", "action", "status"),
    [
        (None, "LOGIN", 1),
        (None, "FAILED_LOGIN", 2),
        ("UserLoggedIn", "UNSPECIFIED", 1),
        ("UserLoginFailed", "UNSPECIFIED", 2),
    ],
)
def test_a_sign_in_says_whether_it_succeeded(
    tmp_path: Path, operation: str | None, action: str, status: int
) -> None:
    """By its category or its operation."""
    record = ocsf.event_of("a", operation, eventTypeName=f"EVENT_CATEGORY_{action}")

    assert event_of(tmp_path, record)["event"]["status_id"] == status


@pytest.mark.parametrize(
    ("operation", "changes", "reason"),
    [
        ("X", {"user": None}, "no user"),
        ("X", {"device": {"clientIP": "not an address"}}, "no source address"),
        ("X", {"timestamp": "soon"}, "no time"),
        (None, {"eventTypeValue": None}, "no operation"),
        ("FileDeleted", {"rawDataJson": {}}, "no file"),
        ("Set-Mailbox", {"rawDataJson": {}}, "no account"),
        ("MemberAdded", {"rawDataJson": {}}, "no group"),
        ("Send", {"rawDataJson": {"MailboxOwnerUPN": "bob"}}, "no sender"),
        (None, {"eventTypeName": "EVENT_CATEGORY_LOGIN", "appName": None}, "no service"),
    ],
)
def test_an_activity_that_lacks_what_its_class_requires_is_a_base_event(
    tmp_path: Path, operation: str | None, changes: dict[str, Any], reason: str
) -> None:
    """It says what it lacks, and still has the whole record."""
    record = ocsf.event_of("a", operation, **changes)

    row = event_of(tmp_path, record)

    assert (row["class_uid"], row["reason"]) == (0, reason)
    assert row["event"]["status_detail"] == reason
    assert row["event"]["unmapped"] == json.loads(record)


def test_an_irregular_record_is_a_base_event_with_its_bytes(tmp_path: Path) -> None:
    """In base64, as in the table."""
    row = event_of(tmp_path, ocsf.IRREGULAR)

    assert row["reason"] == "irregular record"
    assert base64.b64decode(row["event"]["unmapped"]["irregular"]) == ocsf.IRREGULAR


def test_the_example_counts_the_events(tmp_path: Path) -> None:
    """It runs as the page has it, beside the folder of the table."""
    section = PAGE[PAGE.index("## OCSF events") :]
    example = re.search(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert example is not None
    ocsf.table_of(tmp_path / "activities", ocsf.simulated())
    (tmp_path / "docs").symlink_to(ocsf.FOLDER.parent)

    ran = subprocess.run(
        [sys.executable, "-c", example[1]], cwd=tmp_path, capture_output=True, check=True
    )

    printed = re.findall(r"│ +(\d+) │ (.*?) +│ +(\d+) │", ran.stdout.decode())
    shown = Counter({(int(uid), why): int(number) for uid, why, number in printed})
    assert shown.total() == len(ocsf.simulated())
    assert len({uid for uid, _ in shown}) == 7
