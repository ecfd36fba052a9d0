"""The contract of `Table`, on the fake, in a folder and on Azurite."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient, generate_container_sas
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from harness.azurite import Azurite
from shared.adapters.delta_table import DeltaActivities, storage_options
from shared.core.errors import FeedBroken, StoreUnavailable, TableUnusable
from shared.table.columns import Row
from shared.table.ports import AppendRefused, Table
from tests.fakes import DAY, NOW
from tests.tables import InMemoryTable, query

TODAY = NOW // DAY

Place = tuple[Table, Callable[[], list[str]]]
"""A table, and what returns the ids in it, sorted."""


def row(name: str, day: int = TODAY) -> Row:
    """Return a row."""
    return Row(
        id=name,
        time=day * DAY + 1,
        created=None,
        app_id=2**62,
        app_name=None,
        event_type="EVENT_X",
        action=None,
        user="å@contoso.com",
        ip=None,
        country=None,
        severity=None,
        irregular=False,
        scan="all",
        look="first",
        manifest=1,
        date=day,
        record='{"n": 1}',
    )


def in_folder(folder: Path, scan: str = "all") -> DeltaActivities:
    """Return a table in a folder."""
    return DeltaActivities(str(folder), scan, dict)


def ids(table: DeltaTable) -> list[str]:
    """Return the ids in a table, sorted."""
    return [it["id"] for it in query(table, "SELECT id FROM activities ORDER BY id")]


def on_azurite(settings: dict[str, str]) -> Place:
    """Return a table in a container of its own."""
    service = BlobServiceClient.from_connection_string(settings["STORAGE_CONNECTION_STRING"])
    name = settings["STORAGE_DATA_CONTAINER"].replace("-data", "-table")
    container = service.create_container(name)
    uri = f"az://{name}/activities"
    return (
        DeltaActivities(uri, "all", lambda: storage_options(container)),
        lambda: ids(DeltaTable(uri, storage_options=storage_options(container))),
    )


def test_a_table_is_reached_with_a_shared_access_signature(
    azurite: Azurite, container_name: str
) -> None:
    """Its connection string has neither a key nor an identity."""
    service = BlobServiceClient.from_connection_string(azurite.connection_string)
    service.create_container(container_name)
    sas = generate_container_sas(
        account_name=str(service.account_name),
        container_name=container_name,
        account_key=service.credential.account_key,
        permission="rwdl",
        expiry=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=36_500),
    )
    signed = f"BlobEndpoint={service.primary_endpoint};SharedAccessSignature={sas}"
    container = ContainerClient.from_connection_string(signed, container_name)

    table = DeltaActivities(f"az://{container_name}/it", "all", lambda: storage_options(container))

    assert table.open().through == 0


@pytest.fixture(params=["fake", "folder", "azurite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Provide a table that does not exist yet."""
    if request.param == "fake":
        fake = InMemoryTable()
        return fake, lambda: sorted(it.id or "" for it in fake.rows)
    if request.param == "folder":
        return in_folder(tmp_path), lambda: ids(DeltaTable(str(tmp_path)))
    return on_azurite(request.getfixturevalue("storage_settings"))


def test_a_table_that_did_not_exist_has_nothing(place: Place) -> None:
    """It is created by the first look."""
    table, stored = place

    assert table.open().through == 0
    assert table.open().through == 0
    assert stored() == []


def test_rows_and_their_last_manifest_are_appended_together(place: Place) -> None:
    """One commit after the other."""
    table, stored = place

    table.open().append([[row("a"), row("b")], [row("c", TODAY - 40)]], first=1, through=7)
    assert (table.open().through, stored()) == (7, ["a", "b", "c"])

    table.open().append([[row("d")]], first=8, through=9)
    assert (table.open().through, stored()) == (9, ["a", "b", "c", "d"])


def test_manifests_without_rows_count_too(place: Place) -> None:
    """Otherwise they would be read again and again."""
    table, stored = place

    table.open().append([], first=1, through=3)
    table.open().append([[]], first=4, through=5)

    assert (table.open().through, stored()) == (5, [])


def test_an_append_to_a_table_that_has_changed_is_refused_as_a_whole(place: Place) -> None:
    """Whether the other writer took the same manifests or others."""
    table, stored = place
    first, second = table.open(), table.open()

    first.append([[row("a")]], first=1, through=2)

    for through in (1, 2, 3):
        with pytest.raises(AppendRefused):
            second.append([[row("b")]], first=1, through=through)
    assert (table.open().through, stored()) == (2, ["a"])


def test_what_the_rows_raise_is_raised_and_nothing_is_appended(place: Place) -> None:
    """A part may turn out to be gone in the middle of a commit."""
    table, stored = place

    def rows() -> Iterator[list[Row]]:
        yield [row("a")]
        raise FeedBroken("the part was altered")

    with pytest.raises(FeedBroken, match="the part was altered"):
        table.open().append(rows(), first=1, through=2)

    assert (table.open().through, stored()) == (0, [])


def test_every_value_is_in_its_column(tmp_path: Path) -> None:
    """With its type: text, whole numbers, instants in UTC, a day."""
    table = in_folder(tmp_path)
    table.open().append([[row("a")]], first=1, through=1)

    (found,) = query(DeltaTable(str(tmp_path)), "SELECT * FROM activities")

    assert found.pop("time").isoformat() == "2026-11-23T00:00:00.001000+00:00"
    assert found.pop("date").isoformat() == "2026-11-23"
    assert found == {
        "id": "a",
        "created": None,
        "app_id": 2**62,
        "app_name": None,
        "event_type": "EVENT_X",
        "action": None,
        "user": "å@contoso.com",
        "ip": None,
        "country": None,
        "severity": None,
        "irregular": False,
        "scan": "all",
        "pass": "first",
        "manifest": 1,
        "record": '{"n": 1}',
    }


def test_several_scans_share_a_table(tmp_path: Path) -> None:
    """Each has a place of its own in its feed."""
    one, two = in_folder(tmp_path, "one"), in_folder(tmp_path, "two")

    one.open().append([[row("a")]], first=1, through=5)
    two.open().append([[row("b")]], first=1, through=2)

    assert (one.open().through, two.open().through) == (5, 2)
    assert ids(DeltaTable(str(tmp_path))) == ["a", "b"]


def test_a_column_that_a_later_version_adds_is_null_in_older_rows(tmp_path: Path) -> None:
    """An older program goes on with such a table, too."""
    table = in_folder(tmp_path)
    table.open().append([[row("a")]], first=1, through=1)
    DeltaTable(str(tmp_path)).alter.add_columns(Field("later", PrimitiveType("string")))

    table.open().append([[row("b")]], first=2, through=2)

    found = query(DeltaTable(str(tmp_path)), "SELECT id, later FROM activities ORDER BY id")
    assert found == [{"id": "a", "later": None}, {"id": "b", "later": None}]


def test_a_table_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """Its column of the same name has another type."""
    schema = Schema([Field("id", PrimitiveType("integer")), Field("date", PrimitiveType("date"))])
    DeltaTable.create(tmp_path, schema=schema, partition_by=["date"])

    with pytest.raises(TableUnusable, match=r"another type: \['id'\]"):
        in_folder(tmp_path).open()


def test_storage_that_cannot_be_reached_is_said_with_its_address() -> None:
    """The library's own words follow."""
    options = {
        "azure_storage_account_name": "a",
        "azure_storage_account_key": "a2V5",
        "azure_storage_endpoint": "http://127.0.0.1:9",
        "allow_http": "true",
        "timeout": "1s",
        "max_retries": "0",
    }
    table = DeltaActivities("az://table/activities", "all", lambda: options)

    with pytest.raises(StoreUnavailable, match="cannot open the table at az://table/activities"):
        table.open()
