"""The stores that the contract suites run on: each fake, and each adapter on Azurite."""

import pytest

from shared.adapters.blob_ledger import BlobLedgerStore
from shared.adapters.blob_results import BlobResultStore
from shared.adapters.blob_storage import Containers
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
    state = request.getfixturevalue("containers").state
    return AzuriteLedger(BlobLedgerStore(state, SCAN), state)


@pytest.fixture(params=["fake", "azurite"])
def results(request: pytest.FixtureRequest) -> ResultPlace:
    """Provide a result store without parts and manifests."""
    if request.param == "fake":
        return FakeResults(InMemoryResults())
    made: Containers = request.getfixturevalue("containers")
    store = BlobResultStore(made.data, made.manifests, SCAN)
    return AzuriteResults(store, made.data, made.manifests)
