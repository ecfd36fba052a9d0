"""The contract of `LedgerStore`, on the fake and on Azurite."""

import pytest

from shared.core.errors import LedgerConflict
from tests.contracts.storage import LedgerPlace
from tests.fakes import DAY, NOW


def test_an_absent_ledger_is_a_value(ledger: LedgerPlace) -> None:
    """A missing ledger is an answer, not an error."""
    saved = ledger.store.load()

    assert (saved.content, saved.etag) == (None, None)


def test_a_load_without_a_ledger_returns_the_time_of_storage(ledger: LedgerPlace) -> None:
    """The first run compares the clocks, too."""
    saved = ledger.store.load()

    assert saved.date is not None


def test_a_load_returns_the_time_of_storage_in_milliseconds(ledger: LedgerPlace) -> None:
    """The date is epoch milliseconds; a date in seconds would be in 1970."""
    ledger.store.save(b"one", etag=None)

    date = ledger.store.load().date

    assert date is not None
    assert date >= 1_000 * DAY


def test_a_created_ledger_is_loaded_as_it_was_saved(ledger: LedgerPlace) -> None:
    """Bytes and ETag come back unchanged."""
    etag = ledger.store.save(b'{"version": 1, "name": "\xc3\xa4\xe2\x80\xa8"}\r\n', etag=None)

    saved = ledger.another().load()

    assert saved.content == b'{"version": 1, "name": "\xc3\xa4\xe2\x80\xa8"}\r\n'
    assert saved.etag == etag


def test_a_ledger_is_created_only_where_there_is_none(ledger: LedgerPlace) -> None:
    """Of two first runs at once, the second one's creation is refused."""
    etag = ledger.store.save(b"one", etag=None)

    with pytest.raises(LedgerConflict):
        ledger.another().save(b"two", etag=None)

    saved = ledger.store.load()
    assert (saved.content, saved.etag) == (b"one", etag)


def test_a_save_against_the_stored_version_replaces_it(ledger: LedgerPlace) -> None:
    """A run may replace the version that it read."""
    first = ledger.store.save(b"one", etag=None)

    second = ledger.store.save(b"two", etag=first)

    saved = ledger.store.load()
    assert (saved.content, saved.etag) == (b"two", second)
    assert first != second


def test_saves_follow_one_another_without_a_load(ledger: LedgerPlace) -> None:
    """The ETag that a save returns is valid for the next one."""
    etag = ledger.store.save(b"one", etag=None)

    for content in (b"two", b"three", b"four"):
        etag = ledger.store.save(content, etag=etag)

    assert ledger.store.load().content == b"four"


def test_a_save_against_an_older_version_is_a_conflict(ledger: LedgerPlace) -> None:
    """The run that lost the race writes nothing."""
    first = ledger.store.save(b"one", etag=None)
    second = ledger.another().save(b"two", etag=first)

    with pytest.raises(LedgerConflict):
        ledger.store.save(b"three", etag=first)

    saved = ledger.store.load()
    assert (saved.content, saved.etag) == (b"two", second)


def test_a_save_against_a_ledger_that_is_gone_is_a_conflict(ledger: LedgerPlace) -> None:
    """A run that still holds the ETag does not recreate a deleted ledger."""
    etag = ledger.store.save(b"one", etag=None)
    ledger.remove()

    with pytest.raises(LedgerConflict):
        ledger.store.save(b"two", etag=etag)

    assert ledger.store.load().content is None


def test_a_save_whose_answer_was_lost_succeeds_when_repeated(ledger: LedgerPlace) -> None:
    """A refused save whose bytes are stored already must have been this one."""
    first = ledger.store.save(b"one", etag=None)
    second = ledger.store.save(b"two", etag=first)

    repeated = ledger.store.save(b"two", etag=first)

    assert repeated == second
    assert ledger.store.load().etag == second


def test_a_creation_whose_answer_was_lost_succeeds_when_repeated(ledger: LedgerPlace) -> None:
    """Even the very first save can lose its answer."""
    first = ledger.store.save(b"one", etag=None)

    repeated = ledger.store.save(b"one", etag=None)

    assert repeated == first


def test_the_etag_of_a_repeated_save_is_valid_for_the_next(ledger: LedgerPlace) -> None:
    """A run whose answer was lost continues as if it had arrived."""
    first = ledger.store.save(b"one", etag=None)
    ledger.store.save(b"two", etag=first)

    ledger.store.save(b"three", etag=ledger.store.save(b"two", etag=first))

    assert ledger.store.load().content == b"three"


def test_bytes_that_were_stored_earlier_are_not_a_repeated_save(ledger: LedgerPlace) -> None:
    """Only the stored version counts: a late save must not restore what was replaced."""
    first = ledger.store.save(b"one", etag=None)
    ledger.store.save(b"two", etag=first)

    with pytest.raises(LedgerConflict):
        ledger.store.save(b"one", etag=None)

    assert ledger.store.load().content == b"two"


def test_a_conflict_says_that_nothing_is_lost(ledger: LedgerPlace) -> None:
    """Whoever reads the message need not act."""
    ledger.store.save(b"one", etag=None)

    with pytest.raises(LedgerConflict, match="another run"):
        ledger.store.save(b"two", etag=None)


def test_a_large_ledger_is_stored_whole(ledger: LedgerPlace) -> None:
    """A ledger with many open slices is read back to its last byte."""
    content = bytes(range(256)) * 20_000

    ledger.store.save(content, etag=None)

    assert ledger.another().load().content == content


def test_report_lines_are_appended_in_order(ledger: LedgerPlace) -> None:
    """The run log has one line per run, the oldest first."""
    for line in ('{"run": "a"}', '{"run": "b"}', '{"run": "ü"}'):
        ledger.store.append_run(line, now=NOW)

    assert ledger.runs() == ['{"run": "a"}', '{"run": "b"}', '{"run": "ü"}']


def test_report_lines_of_two_days_are_all_kept(ledger: LedgerPlace) -> None:
    """A new day removes nothing of the day before."""
    ledger.store.append_run("yesterday", now=NOW - DAY)

    ledger.store.append_run("today", now=NOW)

    assert ledger.runs() == ["yesterday", "today"]


def test_two_processes_append_to_one_run_log(ledger: LedgerPlace) -> None:
    """A process continues a run log that another one created."""
    ledger.store.append_run("one", now=NOW)

    ledger.another().append_run("two", now=NOW)

    assert ledger.runs() == ["one", "two"]


def test_report_lines_are_read_back_the_oldest_first(ledger: LedgerPlace) -> None:
    """They cover all days; a line ends with a line feed and nothing else."""
    for line, day in (("c", 0), ("b \u2028 ü", 1), ("a", 2)):
        ledger.store.append_run(line, now=NOW - day * DAY)

    found = list(ledger.store.report_lines())

    assert sorted(found) == ["a", "b \u2028 ü", "c"]
    assert found == ledger.runs()


def test_a_scan_that_has_not_run_has_no_report_lines(ledger: LedgerPlace) -> None:
    """The answer is empty and not an error."""
    assert list(ledger.store.report_lines()) == []


def test_a_report_line_is_not_a_ledger(ledger: LedgerPlace) -> None:
    """A run that failed before its first save leaves a line but no ledger."""
    ledger.store.append_run("failed", now=NOW)

    assert ledger.store.load().content is None


def test_a_strange_answer_is_kept_in_its_slot(ledger: LedgerPlace) -> None:
    """It is stored with its metadata and is not taken for the ledger."""
    ledger.store.put_in_quarantine(7, b"<html>", metadata={"slice": "05:00"})

    assert ledger.kept() == {7: (b"<html>", {"slice": "05:00"})}
    assert ledger.store.load().content is None


def test_a_slot_keeps_the_newest_answer(ledger: LedgerPlace) -> None:
    """This bounds the size of the quarantine."""
    ledger.store.put_in_quarantine(7, b"one", metadata={"run": "1"})

    ledger.store.put_in_quarantine(7, b"two", metadata={"run": "2"})

    assert ledger.kept() == {7: (b"two", {"run": "2"})}
