"""The contract of `StateArchive`, on the fake and on Azurite.

Azurite keeps no versions (it ignores that a listing asks for them) and restores nothing that was
deleted. What an account with versioning does is played by a proxy before it, `KeepingVersions`,
after the documentation of the REST interface. Azurite alone is an account that keeps none.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from shared.adapters.blob_ledger import BlobLedgerStore
from shared.adapters.blob_state import BlobStateArchive
from shared.core.errors import StoreUnavailable
from shared.core.state.layout import ledger_name
from shared.ports import LedgerStore, StateArchive
from tests.contracts.proxies import KeepingVersions, refusal_of, through
from tests.contracts.storage import SCAN, opened
from tests.fakes import InMemoryLedger, InMemoryState

ABOUT = {"run": "r1", "slice": "20261123T050000000Z-20261123T060000000Z", "fault": "HTML"}


@dataclass(frozen=True, slots=True)
class Place:
    """The archive, and the store that writes what it shows."""

    archive: StateArchive
    store: LedgerStore


@pytest.fixture(params=["fake", "azurite"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Provide a state container without anything, of an account that keeps versions."""
    if request.param == "fake":
        ledger = InMemoryLedger()
        yield Place(InMemoryState(ledger), ledger)
        return
    environ = request.getfixturevalue("storage_settings")
    opened(environ)
    versions = KeepingVersions(ledger_name(SCAN))
    with through(environ, refuse=versions.refuse, change=versions.change) as there:
        state = opened(there, make=False).state
        yield Place(BlobStateArchive(state, SCAN), BlobLedgerStore(state, SCAN))


@pytest.fixture(params=["fake", "azurite", "azurite that refuses"])
def unversioned(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Provide an account that keeps no versions."""
    if request.param == "fake":
        ledger = InMemoryLedger()
        yield Place(InMemoryState(ledger, keeps_versions=False), ledger)
        return
    environ = request.getfixturevalue("storage_settings")
    state = opened(environ).state
    if request.param == "azurite":
        yield Place(BlobStateArchive(state, SCAN), BlobLedgerStore(state, SCAN))
        return

    def refuse(asked: bytes) -> bytes | None:
        code = "FeatureNotYetSupportedForHierarchicalNamespaceAccounts"
        return refusal_of("409 Conflict", code) if b"include=versions" in asked else None

    with through(environ, refuse=refuse) as there:
        behind = opened(there, make=False).state
        yield Place(BlobStateArchive(behind, SCAN), BlobLedgerStore(behind, SCAN))


def test_every_save_leaves_a_version(place: Place) -> None:
    """The newest comes first and is the current one."""
    etag = place.store.save(b"one", etag=None)
    place.store.save(b"three", etag=etag)

    newest, oldest = place.archive.versions()

    assert (newest.is_current, oldest.is_current) == (True, False)
    assert (newest.size, oldest.size) == (5, 3)
    assert newest.saved >= oldest.saved > 0
    assert place.archive.version(newest.id) == b"three"
    assert place.archive.version(oldest.id) == b"one"


def test_without_a_ledger_there_are_no_versions(place: Place) -> None:
    """Nothing is an answer, not an error."""
    assert place.archive.versions() == []


def test_a_version_that_has_expired_is_a_value(place: Place) -> None:
    """A rule of the account deletes old versions while somebody looks."""
    place.store.save(b"one", etag=None)

    assert place.archive.version("2020-01-01T00:00:00.0000000Z") is None


def test_an_account_may_keep_no_versions(unversioned: Place) -> None:
    """An account with a hierarchical namespace keeps none, and neither does the emulator."""
    unversioned.store.save(b"one", etag=None)

    assert unversioned.archive.versions() == []


def test_kept_answers_are_listed_with_what_was_wrong(place: Place) -> None:
    """The slot says where to find the bytes."""
    place.store.put_in_quarantine(7, b"<html>", metadata=ABOUT)

    (kept,) = place.archive.kept_answers()

    assert (kept.slot, kept.size, kept.fault) == (7, 6, "HTML")
    assert (kept.run, kept.slice) == (ABOUT["run"], ABOUT["slice"])
    assert kept.kept > 0
    assert place.archive.kept_answer(7) == b"<html>"


def test_an_answer_without_metadata_is_listed_all_the_same(place: Place) -> None:
    """A copied container may have lost them."""
    place.store.put_in_quarantine(0, b"", metadata={})

    (kept,) = place.archive.kept_answers()

    assert (kept.slot, kept.size, kept.run, kept.slice, kept.fault) == (0, 0, "", "", "")


def test_an_empty_slot_is_a_value(place: Place) -> None:
    """So is an empty quarantine."""
    assert place.archive.kept_answers() == []
    assert place.archive.kept_answer(3) is None


def test_a_refusal_of_storage_says_what_to_do(storage_settings: dict[str, str]) -> None:
    """For each of the four requests."""
    opened(storage_settings)

    def refuse(_: bytes) -> bytes:
        return refusal_of("403 Forbidden", "AuthorizationPermissionMismatch")

    with through(storage_settings, refuse=refuse) as there:
        archive = BlobStateArchive(opened(there, make=False).state, SCAN)
        for ask in (
            archive.versions,
            archive.kept_answers,
            lambda: archive.version("v"),
            lambda: archive.kept_answer(1),
        ):
            with pytest.raises(StoreUnavailable, match="Storage Blob Data Contributor"):
                ask()
