"""The contract of `TableUpkeep`, on the fake, in a folder and on Azurite."""

import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from deltalake import DeltaTable

from shared.adapters import delta_table
from shared.adapters.delta_table import DeltaActivities
from shared.core.errors import TableUnavailable
from shared.table.ports import AppendRefused, UpkeepRefused
from shared.table.upkeep import Stated
from tests.contracts.test_table import TODAY, ids, in_folder, on_azurite, row
from tests.fakes import NOW
from tests.tables import InMemoryTable

UNDATED = msgspec.structs.replace(row("undated"), time=None, date=None)

WEEK_S = 7 * 86_400

Place = tuple[DeltaActivities | InMemoryTable, Callable[[], list[str]]]
"""A table, and what returns the ids in it, sorted."""


@pytest.fixture(params=["fake", "folder", "azurite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Provide a table with three commits of two days and of rows without a date."""
    made: Any
    if request.param == "fake":
        fake = InMemoryTable()
        made = fake, lambda: sorted(it.id or "" for it in fake.rows)
    elif request.param == "folder":
        made = in_folder(tmp_path), lambda: ids(DeltaTable(str(tmp_path)))
    else:
        made = on_azurite(request.getfixturevalue("storage_settings"))
    table, stored = made
    append_all(table)
    return table, stored


def append_all(table: DeltaActivities | InMemoryTable) -> None:
    """Append three commits."""
    for number in (1, 2, 3):
        rows = [row(f"new-{number}"), row(f"old-{number}", TODAY - 9), UNDATED]
        table.open().append([rows], first=number, through=number)


def days(stated: Stated) -> Counter[int | None]:
    """Return the number of files of each day, counted from today."""
    return Counter(None if it.day is None else it.day - TODAY for it in stated.files)


ROWS = ["new-1", "new-2", "new-3", "old-1", "old-2", "old-3", "undated", "undated", "undated"]


def test_a_table_states_its_files(place: Place) -> None:
    """Each commit made one for each day; nothing was merged or removed."""
    table, _ = place

    stated = table.stated()

    assert days(stated) == {0: 3, -9: 3, None: 3}
    assert all(it.size > 0 for it in stated.files)
    assert (stated.compacted, stated.vacuumed) == (None, None)


def test_a_table_states_when_upkeep_was_complete(place: Place) -> None:
    """Each kind by itself."""
    table, _ = place

    table.state_compacted(NOW)
    table.state_vacuumed(NOW + 1)

    stated = table.stated()
    assert (stated.compacted, stated.vacuumed) == (NOW, NOW + 1)


def test_the_files_of_one_day_are_merged_and_rows_and_place_stay(place: Place) -> None:
    """The next append continues where the one before ended."""
    table, stored = place

    assert table.compact(TODAY - 9) == 3

    assert days(table.stated()) == {0: 3, -9: 1, None: 3}
    assert (table.open().through, stored()) == (3, ROWS)
    table.open().append([[row("zz")]], first=4, through=4)
    assert (table.open().through, stored()) == (4, [*ROWS, "zz"])


def test_rows_without_a_date_are_merged_too(place: Place) -> None:
    """They have a partition of their own."""
    table, stored = place

    assert table.compact(None) == 3

    assert days(table.stated()) == {0: 3, -9: 3, None: 1}
    assert stored() == ROWS


def test_a_day_with_one_file_has_nothing_to_merge(place: Place) -> None:
    """The same day again changes nothing; after a late row it does."""
    table, stored = place
    table.compact(TODAY)

    assert table.compact(TODAY) == 0

    table.open().append([[row("zz")]], first=4, through=4)
    assert table.compact(TODAY) == 2
    assert stored() == [*ROWS, "zz"]


def test_an_append_that_began_before_a_compaction_is_refused(place: Place) -> None:
    """The writer opens the table again, as after any other commit."""
    table, stored = place
    handle = table.open()
    table.compact(TODAY)

    with pytest.raises(AppendRefused):
        handle.append([[row("zz")]], first=4, through=4)

    assert stored() == ROWS


def test_days_leave_the_table_and_rows_without_a_date_stay(place: Place) -> None:
    """The first day that is kept stays, too."""
    table, stored = place

    assert table.delete_before(TODAY - 9) == 0
    assert table.delete_before(TODAY - 8) == 3

    assert stored() == [it for it in ROWS if not it.startswith("old")]
    assert table.open().through == 3


def test_young_files_stay_in_storage(place: Place) -> None:
    """Queries that began earlier may still read them."""
    table, stored = place
    table.compact(TODAY)
    table.delete_before(TODAY - 8)

    assert table.vacuum() == 0

    assert len(stored()) == 6


def raced(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> None:
    """Let something happen after the next compaction has claimed the table."""
    claim = delta_table._set  # noqa: SLF001 - there is no other way between its two commits

    def claimed(table: DeltaTable, name: str, value: str) -> None:
        monkeypatch.setattr(delta_table, "_set", claim)
        claim(table, name, value)
        meanwhile()

    monkeypatch.setattr(delta_table, "_set", claimed)


def test_of_two_compactions_of_a_day_at_once_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The library alone would let both succeed, and have each row twice."""
    table = in_folder(tmp_path)
    append_all(table)
    raced(monkeypatch, lambda: table.compact(TODAY))

    with pytest.raises(UpkeepRefused):
        table.compact(TODAY)

    assert ids(DeltaTable(str(tmp_path))) == ROWS
    assert days(table.stated())[0] == 1


def test_rows_that_are_appended_during_a_compaction_are_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Their file is merged the next time."""
    table = in_folder(tmp_path)
    append_all(table)
    raced(monkeypatch, lambda: table.open().append([[row("zz")]], first=4, through=4))

    assert table.compact(TODAY) == 3

    assert ids(DeltaTable(str(tmp_path))) == [*ROWS, "zz"]
    assert table.open().through == 4
    assert days(table.stated())[0] == 2


def test_a_compaction_does_not_bring_back_days_that_left_meanwhile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is refused."""
    table = in_folder(tmp_path)
    append_all(table)
    raced(monkeypatch, lambda: table.delete_before(TODAY - 8))

    with pytest.raises(UpkeepRefused):
        table.compact(TODAY - 9)

    assert ids(DeltaTable(str(tmp_path))) == [it for it in ROWS if not it.startswith("old")]


def left_behind(folder: Path, days_ago: float) -> Path:
    """Return a file that a killed writer left so long ago: no commit names it."""
    (file,) = sorted(folder.glob("date=2026-11-23/*.parquet"))[:1]
    left = file.with_name(f"left-{days_ago}.parquet")
    left.write_bytes(file.read_bytes())
    then = left.stat().st_mtime - days_ago * 86_400
    os.utime(left, (then, then))
    return left


def test_what_killed_writers_left_is_removed_after_a_week(tmp_path: Path) -> None:
    """Younger files may belong to a commit that is under way."""
    table = in_folder(tmp_path)
    append_all(table)
    young, old = left_behind(tmp_path, 6.9), left_behind(tmp_path, 7.1)

    assert table.vacuum() == 1

    assert (young.exists(), old.exists()) == (True, False)
    assert ids(DeltaTable(str(tmp_path))) == ROWS


def test_the_files_of_merged_and_deleted_days_go_once_they_are_old(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The retention is shortened instead of waiting for a week."""
    table = in_folder(tmp_path)
    append_all(table)
    table.compact(TODAY)
    table.delete_before(TODAY - 8)
    DeltaTable(str(tmp_path)).alter.set_table_properties(
        {"delta.deletedFileRetentionDuration": "interval 0 days"}
    )
    monkeypatch.setattr(delta_table, "RETENTION_MS", 0)

    assert table.vacuum() == 6

    assert list(tmp_path.glob("date=2026-11-14/*")) == []
    assert len(list(tmp_path.glob("date=2026-11-23/*"))) == 1
    assert ids(DeltaTable(str(tmp_path))) == [it for it in ROWS if not it.startswith("old")]


def test_a_property_that_is_no_time_counts_as_none(tmp_path: Path) -> None:
    """Somebody may have set it by hand."""
    table = in_folder(tmp_path)
    append_all(table)
    DeltaTable(str(tmp_path)).alter.set_table_properties(
        {delta_table.VACUUMED: "yesterday"}, raise_if_not_exists=False
    )

    assert table.stated().vacuumed is None


def test_a_file_that_is_gone_is_said_with_the_day_and_that_no_row_is_lost_by_it(
    tmp_path: Path,
) -> None:
    """Upkeep comes after the appends."""
    table = in_folder(tmp_path)
    append_all(table)
    next(tmp_path.glob("date=2026-11-23/*.parquet")).unlink()

    said = re.escape(
        f"cannot merge files of day 2026-11-23 of the table at {tmp_path}, which has all rows"
    )
    with pytest.raises(TableUnavailable, match=said):
        table.compact(TODAY)


def test_the_log_gets_a_checkpoint_every_20_commits(tmp_path: Path) -> None:
    """So opening the table never reads more entries than that."""
    table = in_folder(tmp_path)
    for number in range(1, 42):
        table.open().append([], first=number, through=number)

    log = tmp_path / "_delta_log"
    assert len(list(log.glob("*.checkpoint.parquet"))) == 2
    assert table.open().through == 41


def test_entries_of_the_log_are_removed_after_a_week(tmp_path: Path) -> None:
    """A checkpoint has what they say, the place in the feed as well."""
    table = in_folder(tmp_path)
    log = tmp_path / "_delta_log"
    for number in range(1, 26):
        table.open().append([[row(f"{number:02}")]], first=number, through=number)
    for entry in log.iterdir():
        os.utime(entry, (entry.stat().st_mtime - WEEK_S - 60,) * 2)

    for number in range(26, 42):
        table.open().append([[row(f"{number:02}")]], first=number, through=number)

    assert not (log / f"{3:020}.json").exists()
    assert (log / f"{40:020}.json").exists()
    assert table.open().through == 41
    assert ids(DeltaTable(str(tmp_path))) == [f"{it:02}" for it in range(1, 42)]
