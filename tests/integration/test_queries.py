"""The questions of docs/queries have the answers that are known of crafted activities.

The crafted activities are of people at contoso.com, among simulated ones of other people. They have
the form of simulated records, and become rows as the activities of a scan do.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable
from msgspec import Raw

from shared.adapters.delta_table import DeltaActivities
from shared.core.api.records import read_line, read_record
from shared.table.columns import Row, row_of
from simulator import Tenant
from tests.tables import query

FOLDER = Path(__file__).parents[2] / "docs" / "queries"
QUESTIONS = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.sql"))}
ON_BOTH, ON_DUCKDB = "DataFusion, DuckDB", "DuckDB (DataFusion has no functions for JSON)"

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
SUNDAY = date(2026, 11, 22)
BACKGROUND = Tenant.generate(
    seed=23, count=500, until_ms=1_795_564_800_000, per_second=0.0005
)  # From ten days before 2026-11-25 on, so that it reaches beyond the week at both ends.

PLAN = "https://contoso.example/sites/board/Documents/Plan.docx"

Answer = list[dict[str, Any]]
Ask = Callable[[str], Answer]
"""Returns the rows that an engine finds for the question of this name."""


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return a moment of the week; day 0 is Monday."""
    return MONDAY + timedelta(days=day, hours=hour, minutes=minute, seconds=second)


def crafted(when: datetime, user: str, operation: str = "FilePreviewed", **changes: Any) -> Row:
    """Return an activity of somebody at contoso.com.

    Args:
        when: when it happened; it is saved three minutes later.
        user: the name before the @.
        operation: the name that the source gives it.
        changes: fields of the record, and `look`, the pass that found it.
    """
    look = changes.pop("look", "first")
    moment = round(when.timestamp() * 1_000)
    record = json.loads(BACKGROUND.bytes_of(0))
    record |= {
        "_id": f"{user}-{moment}",
        "timestamp": moment,
        "created": moment + 180_000,
        "user": {"userName": f"{user}@contoso.com"},
        "eventTypeName": "EVENT_CATEGORY_UNSPECIFIED",
        "eventRouting": {"adminEvent": False},
        "device": {"clientIP": "192.0.2.1"},
        "location": {"countryCode": "NO"},
        "mainInfo": {"rawOperationName": operation},
        "rawDataJson": {"Operation": operation},
        **changes,
    }
    return row_of(read_line(json.dumps(record).encode()), scan="all", look=look, manifest=2)


def simulated() -> Iterable[Row]:
    """Return the other activities, one of which is irregular and one of which has no time."""
    sent = [BACKGROUND.bytes_of(n) for n in range(len(BACKGROUND))]
    sent[3] = b'{"more":1e999,' + sent[3][1:]
    sent[4] = json.dumps({**json.loads(sent[4]), "timestamp": None}).encode()
    for it in sent:
        yield row_of(read_record(Raw(it), indented=False), scan="all", look="first", manifest=1)


def in_country(country: str) -> dict[str, Any]:
    """Return the fields of an activity in a country."""
    return {"location": {"countryCode": country}, "device": {"clientIP": f"ip-of-{country}"}}


def downloads() -> Iterable[Row]:
    """Return 40 downloads of ann's in two spellings of her name, and fewer of bob's."""
    for n in range(30):
        yield crafted(at(0, 9, n), "ann", "FileDownloaded", **in_country("NO"))
    for n in range(10):
        synced = "FileSyncDownloadedFull"
        yield crafted(at(0, 10, n), "Ann", synced, device={"clientIP": "192.0.2.2"})
    for n in range(35):
        changes = {"eventTypeName": "EVENT_CATEGORY_DOWNLOAD_FILE"}
        yield crafted(at(1, 9, n), "bob", "Download", **changes)
    for n in range(50):
        yield crafted(at(0, 11, 0, n), "ann", "FilePreviewed")
        yield crafted(at(-1, 9, 0, n), "bob", "FileDownloaded")  # The week before.


def travels() -> Iterable[Row]:
    """Return one journey that is too fast, and four that are not one."""
    failed = {"eventTypeName": "EVENT_CATEGORY_FAILED_LOGIN"}
    yield crafted(at(2, 8), "eve", **in_country("NO"))
    yield crafted(at(2, 9), "eve", location=None, device={})
    yield crafted(at(2, 10), "EVE", **in_country("BR"))
    yield crafted(at(2, 13), "eve", **in_country("NO"))
    yield crafted(at(3, 8), "fay", **in_country("NO"))
    yield crafted(at(3, 9), "fay", **in_country("BR"), **failed)
    yield crafted(at(3, 9), "gil", **in_country("SE"))
    yield crafted(at(3, 9), "gil", **in_country("SE"), instantiation=1)


def deletions() -> Iterable[Row]:
    """Return 25 deletions of hal's across a full hour, and as many of ida's over hours."""
    operations = ("FileDeleted", "FileRecycled", "FolderDeleted")
    for n in range(24):
        yield crafted(at(4, 15, 50 + n // 2, n % 2), "hal", operations[n % 3])
        yield crafted(at(4, n), "ida", "FileDeleted")
    yield crafted(at(4, 16, 5), "hal", "Remove", eventTypeName="EVENT_CATEGORY_DELETE_FOLDER")
    yield crafted(at(4, 18), "hal", "FileDeleted")
    yield crafted(at(4, 16, 6), "hal", "FileDeletedFirstStageRecycleBin")


def files() -> Iterable[Row]:
    """Return what happened to one file, and to another of a similar name."""
    yield crafted(at(1, 12), "jo", "FileUploaded", rawDataJson={"ObjectId": PLAN})
    yield crafted(at(2, 12), "kim", "FileDownloaded", rawDataJson={"ObjectId": PLAN})
    yield crafted(at(2, 13), "kim", "FileDownloaded", rawDataJson={"ObjectId": PLAN + ".bak"})
    yield crafted(at(5, 12), "jo", "FileDeleted", rawDataJson={"ObjectId": PLAN})


def one_day() -> Iterable[Row]:
    """Return ann's Wednesday, and what others and other days have beside it."""
    yield crafted(at(2, 23, 59, 59), "ANN")
    yield crafted(at(2, 0), "ann", eventTypeName="EVENT_CATEGORY_LOGIN")
    yield crafted(at(2, 1), "annie")
    yield crafted(at(1, 23, 59, 59), "ann")
    yield crafted(at(3, 0), "ann")


def others() -> Iterable[Row]:
    """Return administrative activities, sign-ins, new apps and late activities."""
    admin = {"eventRouting": {"adminEvent": True}}
    yield crafted(at(0, 22), "lea", "Set-Mailbox", **admin)
    yield crafted(at(1, 5, 59), "lea", "Set-Mailbox", **admin)
    yield crafted(at(1, 6), "lea", "Set-Mailbox", **admin)
    yield crafted(at(1, 3), "lea", "FilePreviewed")
    signed_in = {"eventTypeName": "EVENT_CATEGORY_LOGIN"}
    failed = {"eventTypeName": "EVENT_CATEGORY_FAILED_LOGIN"}
    yield crafted(at(6, 12), "moe", **in_country("XX"), **signed_in)
    yield crafted(at(6, 13), "Moe", **in_country("XX"), **signed_in)
    yield crafted(at(6, 14), "ned", **in_country("XX"), **failed)
    yield crafted(at(2, 15), "moe", appId=900, appName="Brand New")
    yield crafted(at(2, 16), "ned", appId=900, appName="Brand New")
    yield crafted(at(-1, 16), "ned", appId=901, appName="Known Before")
    yield crafted(at(1, 16), "ned", appId=901, appName="Known Before")
    for hours, look in ((5, "sweep-24h"), (30, "sweep-7d"), (2, "rescan-4")):
        saved = round(at(3, 20 + hours).timestamp() * 1_000)
        app: dict[str, Any] = {"appId": 2, "appName": "Slow"}
        yield crafted(at(3, 20, 0, hours), "ned", created=saved, look=look, **app)


def rows() -> list[Row]:
    """Return every row of the table."""
    made = (simulated(), downloads(), travels(), deletions(), files(), one_day(), others())
    return [row for some in made for row in some]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> DeltaTable:
    """Provide a table with all the rows."""
    folder = str(tmp_path_factory.mktemp("asked") / "activities")
    DeltaActivities(folder, "all", dict).open().append([rows()], first=1, through=2)
    return DeltaTable(folder)


def in_duckdb(table: DeltaTable, sql: str) -> Answer:
    """Return what DuckDB finds in the files of a table, in a time zone that is not UTC."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'America/New_York'")
    files = connection.read_parquet(table.file_uris(), hive_partitioning=True)
    files.create_view("activities")
    found = connection.sql(sql).to_arrow_table().to_pylist()
    return [{name: _in_utc(it) for name, it in row.items()} for row in found]


def _in_utc(value: object) -> object:
    return value.replace(tzinfo=value.tzinfo or UTC) if isinstance(value, datetime) else value


@pytest.fixture(params=[query, in_duckdb], ids=["DataFusion", "DuckDB"])
def ask(request: pytest.FixtureRequest, table: DeltaTable) -> Ask:
    """Provide each engine."""
    return lambda name: request.param(table, QUESTIONS[name])


def of_contoso(answer: Answer) -> Answer:
    """Return the rows about the crafted users."""
    return [row for row in answer if (row["user"] or "").lower().endswith("@contoso.com")]


def within_week(rows: Sequence[Row]) -> list[tuple[Row, dict[str, Any]]]:
    """Return the rows of the week that have a time, each with its record."""
    first, last = ((it - date(1970, 1, 1)).days for it in (MONDAY.date(), SUNDAY))
    found = [it for it in rows if it.date is not None and first <= it.date <= last]
    return [(it, {} if it.irregular else json.loads(it.record)) for it in found]


def header_of(text: str) -> list[str]:
    """Return the lines of the comment with which a file begins, without their dashes."""
    lines = text.partition("\n\n")[0].splitlines()
    assert all(line.startswith("--") for line in lines)
    return [line.removeprefix("--").strip() for line in lines]


def test_the_page_lists_every_question() -> None:
    """With the words of the file."""
    page = (FOLDER.parent / "table.md").read_text("utf-8")
    listed = re.findall(r"^\| ([^|]+\?) \| \[[^\]]+\]\(queries/([\w-]+)\.sql\)", page, re.MULTILINE)

    assert {name: question for question, name in listed} == {
        name: header_of(text)[0] for name, text in QUESTIONS.items()
    }


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_file_says_what_it_answers_and_what_it_cannot_know(name: str) -> None:
    """And on which engines it runs, and what to change."""
    question, empty, engines, *rest = header_of(QUESTIONS[name])

    assert question.endswith("?")
    assert empty == ""
    assert engines == f"Runs on: {ON_DUCKDB if name == 'file-history' else ON_BOTH}"
    assert [it.split(":")[0] for it in rest if it.startswith(("Change:", "Cannot know:"))] == [
        "Change",
        "Cannot know",
    ]


def test_who_downloaded_most(ask: Ask) -> None:
    """One name in two spellings counts as one; other operations and other weeks do not count."""
    answer = ask("downloads")

    assert answer[:2] == [
        {
            "user": "ann@contoso.com",
            "downloads": 40,
            "addresses": 2,
            "first": at(0, 9),
            "last": at(0, 10, 9),
        },
        {
            "user": "bob@contoso.com",
            "downloads": 35,
            "addresses": 1,
            "first": at(1, 9),
            "last": at(1, 9, 34),
        },
    ]
    counted = Counter(
        row.user
        for row, record in within_week(rows())
        if record.get("mainInfo", {}).get("rawOperationName") == "FileDownloaded"
    )
    shown = {row["user"]: row["downloads"] for row in answer if "ferrowood" in row["user"]}
    assert shown
    assert shown == {user: counted[user] for user in shown}


def test_who_travelled_too_fast(ask: Ask) -> None:
    """An activity without a country may lie between; a failed sign-in does not count."""
    assert of_contoso(ask("impossible-travel")) == [
        {
            "user": "eve@contoso.com",
            "time_before": at(2, 8),
            "country_before": "NO",
            "ip_before": "ip-of-NO",
            "time": at(2, 10),
            "country": "BR",
            "ip": "ip-of-BR",
            "app_name": crafted(at(0, 0), "eve").app_name,
        }
    ]


def test_which_apps_are_new(ask: Ask) -> None:
    """An app that was used in the week before is not, nor are those of the simulated activities."""
    assert [row for row in ask("new-apps") if row["app_id"] >= 900] == [
        {
            "app_id": 900,
            "app_name": "Brand New",
            "first_seen": at(2, 15),
            "activities": 2,
            "users": 2,
        }
    ]


def test_who_administers_at_night(ask: Ask) -> None:
    """The night ends at six, whatever the time zone of the engine."""
    answer = of_contoso(ask("admin-by-night"))

    assert [(row["user"], row["time"]) for row in answer] == [
        ("lea@contoso.com", at(0, 22)),
        ("lea@contoso.com", at(1, 5, 59)),
    ]


def test_who_deleted_many_files_within_an_hour(ask: Ask) -> None:
    """The hour slides, so a burst across a full hour counts whole."""
    assert of_contoso(ask("mass-delete")) == [
        {
            "user": "hal@contoso.com",
            "most_within_hour": 25,
            "deleted": 26,
            "first": at(4, 15, 50),
            "last": at(4, 18),
        }
    ]


def test_what_a_user_did_on_a_day(ask: Ask) -> None:
    """In order of time; the day before and the user of a similar name are not in it."""
    answer = ask("user-day")

    assert [(row["time"], row["action"], row["country"]) for row in answer] == [
        (at(2, 0), "EVENT_CATEGORY_LOGIN", "NO"),
        (at(2, 23, 59, 59), "EVENT_CATEGORY_UNSPECIFIED", "NO"),
    ]


def test_what_happened_to_a_file(table: DeltaTable) -> None:
    """Irregular records, which are in base64, do not stop the search."""
    answer = in_duckdb(table, QUESTIONS["file-history"])

    assert [(row["time"], row["operation"], row["user"]) for row in answer] == [
        (at(1, 12), "FileUploaded", "jo@contoso.com"),
        (at(2, 12), "FileDownloaded", "kim@contoso.com"),
        (at(5, 12), "FileDeleted", "jo@contoso.com"),
    ]


def test_from_where_users_signed_in(ask: Ask) -> None:
    """Successful and failed ones apart; the sums are those of the records."""
    answer = ask("sign-ins-by-country")

    assert [row for row in answer if row["country"] == "XX"] == [
        {"country": "XX", "succeeded": 2, "failed": 1, "users": 2}
    ]
    actions = Counter(row.action for row, _ in within_week(rows()))
    assert sum(row["succeeded"] for row in answer) == actions["EVENT_CATEGORY_LOGIN"]
    assert sum(row["failed"] for row in answer) == actions["EVENT_CATEGORY_FAILED_LOGIN"]


def test_how_many_activities_an_hour_had(ask: Ask) -> None:
    """Hours are those of UTC; every activity of the week counts in its own."""
    answer = ask("volume-by-hour")

    hours = Counter((row.time or 0) // 3_600_000 * 3_600 for row, _ in within_week(rows()))
    assert {row["hour"].timestamp(): row["activities"] for row in answer} == hours
    (busy,) = [row for row in answer if row["hour"] == at(1, 9)]
    assert busy["activities"] >= 35
    assert busy["users"] >= 1


def test_which_activities_were_late(ask: Ask) -> None:
    """All passes but the first find late ones."""
    assert ask("late") == [{"app_name": "Slow", "late": 3, "most_hours": 30.0}]
