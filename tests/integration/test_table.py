"""The command `table`, its page, and the table as people query it."""

import json
import re
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from deltalake import DeltaTable

from harness.azurite import Azurite
from shared.adapters.delta_table import SCHEMA, VACUUMED
from shared.adapters.system_clock import SystemClock
from simulator import IdentityEndpoint, Simulator
from tests.conftest import unused_storage
from tests.contracts.test_table import in_folder, row
from tests.integration.test_authentication import in_azure
from tests.integration.test_command_line import invoke
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, settings, stored
from tests.tables import query

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def environ(azurite: Azurite) -> dict[str, str]:
    """Provide the settings of a scan that is up to date; no test changes it."""
    storage = unused_storage(azurite.connection_string, f"test-{uuid.uuid4().hex}")
    with Simulator(history(1500), switches=OPEN) as api:
        given = settings(api, storage)
        run_until_idle(given)
    return given


def test_the_command_follows_the_feed_to_its_end(environ: dict[str, str], tmp_path: Path) -> None:
    """It says what it appended; a second call finds nothing new."""
    folder = str(tmp_path / "table")

    first, again = (invoke(environ, "table", "--to", folder) for _ in range(2))

    kept = query(DeltaTable(folder), "SELECT id FROM activities")
    assert Counter(it["id"] for it in kept) == Counter(it[0] for it in stored(environ))
    assert f"all: {len(kept):,} rows appended in 1 commit, up to manifest" in first.stderr
    assert "all: 0 rows appended in 0 commits" in again.stderr


def test_the_command_does_the_upkeep_that_is_due(environ: dict[str, str], tmp_path: Path) -> None:
    """Small files of a final day become one, and the table states that a vacuum was complete."""
    folder = tmp_path / "table"
    for number in (1, 2):
        in_folder(folder, "other").open().append(
            [[row(f"old-{number}", 1)]], first=number, through=number
        )

    without = invoke(environ, "table", "--to", str(folder), "--no-upkeep")
    assert without.exit_code == 0, without.stderr
    assert "upkeep" not in without.stderr
    assert VACUUMED not in DeltaTable(folder).metadata().configuration

    ran = invoke(environ, "table", "--to", str(folder))
    assert "upkeep: 2 files of 1 day merged" in ran.stderr
    assert len(list(folder.glob("date=1970-01-02/*.parquet"))) == 3
    assert VACUUMED in DeltaTable(folder).metadata().configuration

    again = invoke(environ, "table", "--to", str(folder))
    assert "upkeep" not in again.stderr


def test_a_watched_table_gets_its_upkeep_each_time(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days become final while the command runs; Control-C ends it, and it ends well."""
    folder, waited = tmp_path / "table", list[int]()

    def sleep(_: SystemClock, milliseconds: int) -> None:
        waited.append(milliseconds)
        if len(waited) == 3:
            raise KeyboardInterrupt
        number, other = len(waited), in_folder(folder, "other")
        other.open().append([[row(f"old-{number}", 1)]], first=number, through=number)
        # As if a day had passed since the last compaction.
        other.state_compacted(0)

    monkeypatch.setattr(SystemClock, "sleep", sleep)

    ran = invoke(environ, "table", "--to", str(folder), "--watch", "7")

    assert (ran.exit_code, waited) == (0, [7_000] * 3)
    assert "upkeep: 2 files of 1 day merged" in ran.stderr
    assert len(list(folder.glob("date=1970-01-02/*.parquet"))) == 3


def test_old_days_leave_the_table_only_if_the_command_is_told_to(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """The result says how many rows left."""
    folder = tmp_path / "table"
    in_folder(folder, "other").open().append([[row("old", 1)]], first=1, through=1)

    invoke(environ, "table", "--to", str(folder))
    assert query(DeltaTable(folder), "SELECT id FROM activities WHERE id = 'old'")

    ran = invoke(environ, "table", "--to", str(folder), "--delete-after", "400", "--json")
    assert "upkeep: 1 row deleted" in ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["deleted"] == 1
    assert not query(DeltaTable(folder), "SELECT id FROM activities WHERE id = 'old'")


def test_days_cannot_leave_the_table_without_upkeep(environ: dict[str, str]) -> None:
    """One of the two options is a mistake."""
    ran = invoke(environ, "table", "--no-upkeep", "--delete-after", "30")

    assert ran.exit_code == 2
    assert "--delete-after needs upkeep" in ran.stderr


def test_without_a_container_the_command_says_what_is_missing(environ: dict[str, str]) -> None:
    """The template does not make it."""
    ran = invoke(environ, "table", "--to", "az://no-such-container/activities")

    assert ran.exit_code == 1
    assert "cannot open the table at az://no-such-container/activities" in ran.stderr
    assert "ContainerNotFound" in ran.stderr
    assert "docs/table.md#the-table-does-not-go-on" in ran.stderr


def test_in_the_account_of_the_scan_the_table_needs_nothing_but_a_container(
    environ: dict[str, str],
) -> None:
    """The sign-in is the scan's."""
    service = BlobServiceClient.from_connection_string(environ["STORAGE_CONNECTION_STRING"])
    name = environ["STORAGE_DATA_CONTAINER"].replace("-data", "-table")
    container = service.create_container(name)

    ran = invoke(environ, "table", "--to", f"az://{name}/activities")

    assert ran.exit_code == 0, ran.stderr
    folders = {it.split("/")[1] for it in container.list_blob_names()}
    assert "_delta_log" in folders
    assert any(it.startswith("date=") for it in folders)


def test_an_identity_writes_the_table_with_its_token(
    azurite_https: Azurite, container_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each commit asks for the token again, since it lasts for an hour."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite_https.ca_file))
    monkeypatch.setenv("SSL_CERT_FILE", str(azurite_https.ca_file))
    storage = unused_storage(azurite_https.connection_string, container_name)
    service = BlobServiceClient.from_connection_string(storage.pop("STORAGE_CONNECTION_STRING"))
    for name in (*storage.values(), f"{container_name}-table"):
        service.create_container(name)
    account = {"STORAGE_ACCOUNT_URL": azurite_https.blob_url, **storage}
    with Simulator(history(500), switches=OPEN) as api, IdentityEndpoint() as identity:
        environ = settings(api, account, **in_azure(identity, monkeypatch))
        run_until_idle(environ)

        ran = invoke(environ, "table", "--to", f"az://{container_name}-table/activities")

    assert ran.exit_code == 0, ran.stderr
    assert " rows appended in 1 commit" in ran.stderr


def test_the_program_of_the_page_prints_what_each_user_did(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """As it stands there."""
    invoke(environ, "table", "--to", str(tmp_path / "activities"))
    page = (ROOT / "docs/table.md").read_text("utf-8")
    program, *_ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "event_type" in ran.stdout
    assert "EVENT_" in ran.stdout


def test_the_page_of_formats_lists_the_columns() -> None:
    """In their order, with the types that Delta gives them."""
    page = (ROOT / "docs/formats.md").read_text("utf-8")
    listed = page.partition("<!-- columns -->")[2].partition("<!-- end of columns -->")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z]+) \|", listed, re.MULTILINE)

    kinds = {
        "string": "Utf8",
        "long": "Int64",
        "boolean": "Boolean",
        "date": "Date32",
        "timestamp": "Timestamp",
    }
    found = list(zip(SCHEMA.names, map(str, SCHEMA.types), strict=True))
    assert [name for name, _ in rows] == [name for name, _ in found]
    assert all(kinds[kind] in said for (_, kind), (_, said) in zip(rows, found, strict=True))
