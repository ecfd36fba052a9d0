"""The contract of `DerivedStore`, on the fake and on Azurite."""

import pytest

from shared.adapters.blob_derived import BlobDerivedStore
from shared.adapters.blob_ledger import BlobLedgerStore
from shared.ports import DerivedStore
from tests.contracts.storage import SCAN
from tests.fakes import DAY, NOW, InMemoryDerived

NAME = "scan=all/history.json"


@pytest.fixture(params=["fake", "azurite"])
def derived(request: pytest.FixtureRequest) -> DerivedStore:
    """Provide a store in which nothing is."""
    if request.param == "fake":
        return InMemoryDerived()
    return BlobDerivedStore(request.getfixturevalue("containers").state, SCAN)


def test_what_was_never_derived_is_a_value(derived: DerivedStore) -> None:
    """No history is an answer, not an error."""
    assert derived.read(NAME).etag is None
    assert derived.read(NAME).content is None


def test_what_was_saved_is_read_with_its_manifest(derived: DerivedStore) -> None:
    """The number says how new it is."""
    assert derived.save(NAME, b"{}", etag=None, manifest=7)

    kept = derived.read(NAME)

    assert (kept.content, kept.manifest) == (b"{}", 7)


def test_a_save_on_top_of_another_version_is_dropped(derived: DerivedStore) -> None:
    """Of two runs that save at once, one drops its work."""
    derived.save(NAME, b"one", etag=None, manifest=1)
    etag = derived.read(NAME).etag
    assert derived.save(NAME, b"two", etag=etag, manifest=2)

    assert not derived.save(NAME, b"three", etag=etag, manifest=3)
    assert not derived.save(NAME, b"four", etag=None, manifest=4)
    assert derived.read(NAME).content == b"two"


def test_a_page_never_goes_back_to_an_older_manifest(derived: DerivedStore) -> None:
    """A run that was suspended wakes up with an old one."""
    page = "scan=all/status.html"
    assert derived.publish(page, b"five", manifest=5)
    assert derived.publish(page, b"five again", manifest=5)

    assert not derived.publish(page, b"four", manifest=4)
    assert derived.read(page).content == b"five again"


def test_the_newest_report_lines_come_from_as_many_days_as_needed(derived: DerivedStore) -> None:
    """The oldest of them first."""
    lines = [f'{{"n": {number}}}' for number in range(9)]
    if isinstance(derived, InMemoryDerived):
        derived.lines = lines
    else:
        store = BlobLedgerStore(derived._container, SCAN)  # type: ignore[attr-defined]  # noqa: SLF001
        for number, line in enumerate(lines):
            store.append_run(line, now=NOW + number // 3 * DAY)

    assert derived.newest_lines(5) == lines[-5:]
    assert derived.newest_lines(50) == lines
