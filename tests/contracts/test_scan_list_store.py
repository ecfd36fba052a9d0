"""The contract of `ScanListStore`, on the fake and on Azurite."""

from dataclasses import dataclass

import pytest
from azure.storage.blob import ContainerClient

from shared.adapters.blob_scan_list import BlobScanList
from shared.ports import ScanListStore
from tests.fakes import InMemoryScanList


@dataclass(frozen=True, slots=True)
class Place:
    """A store, and what an operator does to its file."""

    store: ScanListStore
    container: ContainerClient | None

    def put(self, content: bytes) -> None:
        """Write the file."""
        if self.container is None:
            assert isinstance(self.store, InMemoryScanList)
            self.store.put(content)
        else:
            self.container.upload_blob("scans.json", content, overwrite=True)


@pytest.fixture(params=["fake", "azurite"])
def place(request: pytest.FixtureRequest) -> Place:
    """Provide a store without a file."""
    if request.param == "fake":
        return Place(InMemoryScanList(), None)
    state = request.getfixturevalue("containers").state
    return Place(BlobScanList(state), state)


def test_the_absence_of_the_file_is_a_value(place: Place) -> None:
    """Most apps have none."""
    assert place.store.read(None) is None
    assert place.store.read('"0x1"') is None
    assert place.store.kept() is None


def test_a_file_is_read_with_its_version(place: Place) -> None:
    """Every write makes another version."""
    place.put(b"one")
    first = place.store.read(None)
    place.put(b"two")
    second = place.store.read(first.etag if first else None)

    assert first
    assert second
    assert (first.content, second.content) == (b"one", b"two")
    assert first.etag != second.etag
    assert second.changed > 0


def test_a_known_version_is_not_read_again(place: Place) -> None:
    """The answer only says that it is still the one."""
    place.put(b"one")
    first = place.store.read(None)
    assert first

    again = place.store.read(first.etag)

    assert again
    assert (again.content, again.etag) == (None, first.etag)


def test_an_empty_file_is_a_file(place: Place) -> None:
    """It is wrong, and not absent."""
    place.put(b"")

    found = place.store.read(None)

    assert found
    assert found.content == b""


def test_the_version_that_is_kept_is_replaced(place: Place) -> None:
    """It is another blob than the file."""
    place.put(b"three")
    place.store.keep(b"one")
    place.store.keep(b"two")

    found = place.store.read(None)
    assert found
    assert (place.store.kept(), found.content) == (b"two", b"three")


def test_a_missing_container_has_no_file(storage_settings: dict[str, str]) -> None:
    """Scans may have state containers of their own, and the app's need not exist."""
    missing = ContainerClient.from_connection_string(
        storage_settings["STORAGE_CONNECTION_STRING"], "there-is-no-such-container"
    )

    assert BlobScanList(missing).read(None) is None
    assert BlobScanList(missing).kept() is None
