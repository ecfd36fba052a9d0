"""The stores that the contract suites run on: each fake, and each adapter on Azurite."""

from collections.abc import Iterator

import pytest

from shared.adapters.blob_ledger import BlobLedgerStore
from shared.adapters.blob_results import BlobResultStore
from shared.adapters.blob_storage import Containers, make_container
from tests.contracts.proxies import ListingFolders, through
from tests.contracts.storage import (
    SCAN,
    AzuriteLedger,
    AzuriteResults,
    FakeResults,
    LedgerPlace,
    ResultPlace,
    fake_ledger,
    opened,
)
from tests.fakes import InMemoryResults


@pytest.fixture
def containers(storage_settings: dict[str, str]) -> Containers:
    """Provide empty containers on Azurite."""
    return opened(storage_settings)


@pytest.fixture(params=["fake", "azurite"])
def ledger(request: pytest.FixtureRequest) -> LedgerPlace:
    """Provide a ledger store without a ledger."""
    if request.param == "fake":
        return fake_ledger()
    state = opened(request.getfixturevalue("storage_settings"), make=False).state
    make_container(state)
    return AzuriteLedger(BlobLedgerStore(state, SCAN), state)


@pytest.fixture(params=["fake", "fake that lists folders", "azurite", "azurite that lists folders"])
def results(request: pytest.FixtureRequest) -> Iterator[ResultPlace]:
    """Provide a result store without parts and manifests."""
    if request.param.startswith("fake"):
        yield FakeResults(InMemoryResults(lists_folders="folders" in request.param))
        return
    made = opened(request.getfixturevalue("storage_settings"), make=False)
    make_container(made.data)
    make_container(made.manifests)
    if "folders" not in request.param:
        yield AzuriteResults(_store(made), made.data, made.manifests)
        return
    with through(request.getfixturevalue("storage_settings"), change=ListingFolders()) as there:
        behind = opened(there, make=False)
        yield AzuriteResults(_store(behind), made.data, made.manifests)


def _store(containers: Containers) -> BlobResultStore:
    return BlobResultStore(containers.data, containers.manifests, SCAN)
