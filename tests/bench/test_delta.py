"""What is measured of the table is what its page says."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from bench import delta
from shared.table import following


def test_the_table_and_the_parts_give_the_same_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Otherwise their times could not be compared; nor does merging change it."""
    monkeypatch.setattr(delta, "FORMS", 30)
    monkeypatch.setattr(following, "MANIFESTS_MOST", following.MANIFESTS_MOST)
    feed, table = tmp_path / "feed", tmp_path / "table"
    last = delta.made_feed(feed, 24 * 360, 1)
    delta.follow(feed, table, last, 1)
    parts = sorted(map(str, feed.glob("parts/*")))

    appended = DeltaTable(table).file_uris()
    wanted = sorted(map(str, delta.ask_parts(parts)))
    assert len(appended) == len(parts) == last == 12
    assert len(wanted) > 5
    assert sorted(map(str, delta.ask_table(appended))) == wanted

    delta.compact(table)
    (merged,) = DeltaTable(table).file_uris()
    assert sorted(map(str, delta.ask_table([merged]))) == wanted
    assert '"rows": 360' in capsys.readouterr().out


def test_the_time_of_a_long_question_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says so, and the question is asked about the stretch alone."""
    seen: list[int] = []
    monkeypatch.setattr(delta, "ASKED_SECONDS", 0)
    monkeypatch.setattr(delta, "seconds", lambda ask, _: ask() or 90)
    monkeypatch.setattr(delta, "size", len)

    found = delta.asked("parts", lambda files: seen.append(len(files)), ["a", "b"], 12)

    assert seen == [2]
    assert (found.files, str(found.day), str(found.month)) == (4, "about 3 min", "about 90 min")


def test_the_page_has_a_row_for_each_tenant_and_way_to_store() -> None:
    """Of the rates that the program measures."""
    text = delta.DOCUMENT.read_text("utf-8")
    table = text.partition(delta.OPENING)[2].partition(delta.CLOSING)[0]

    for rate in delta.STRETCHES:
        rows = [
            line.split(" | ")[1] for line in table.splitlines() if line.startswith(f"| {rate:,}")
        ]
        assert rows[:3] == ["table, as appended", "table, merged", "parts"]
        assert len(rows) == 5  # Speed and memory, and the cost.
