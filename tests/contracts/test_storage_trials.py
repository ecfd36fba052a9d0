"""The contract of `StorageTrials` on Azurite: it reports what works, and leaves nothing behind."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)

from harness.azurite import Azurite
from shared.adapters.blob_storage import Containers
from shared.adapters.blob_trials import BlobTrials
from shared.ports import StorageTrials
from tests.contracts.proxies import through
from tests.contracts.storage import opened
from tests.fakes import TRIALS, InMemoryTrials


def problems(containers: Containers) -> dict[str, str]:
    """Return what went wrong, by name."""
    return {it.name: it.problem for it in BlobTrials(containers).trials() if it.problem}


def limited(
    azurite: Azurite, settings: dict[str, str], permission: AccountSasPermissions
) -> Containers:
    """Return the same containers for an identity that may do only this."""
    service = BlobServiceClient.from_connection_string(azurite.connection_string)
    key = dict(part.split("=", 1) for part in azurite.connection_string.split(";") if part)
    sas = generate_account_sas(
        str(service.account_name),
        key["AccountKey"],
        ResourceTypes(service=True, container=True, object=True),
        permission,
        expiry=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=36_500),
    )
    connection = f"BlobEndpoint={service.primary_endpoint};SharedAccessSignature={sas}"
    return opened({**settings, "STORAGE_CONNECTION_STRING": connection}, make=False)


@pytest.fixture(params=["fake", "azurite"])
def storage(request: pytest.FixtureRequest) -> StorageTrials:
    """Provide storage in which everything works."""
    if request.param == "fake":
        return InMemoryTrials()
    return BlobTrials(request.getfixturevalue("containers"))


def test_everything_works_where_the_identity_may_do_it(storage: StorageTrials) -> None:
    """The trials are those of everything that the scan does."""
    found = list(storage.trials())

    assert tuple(it.name for it in found) == TRIALS
    assert [it.name for it in found if it.problem] == []
    assert [it.name for it in found if not it.is_needed] == ["delete (state)"]


def test_nothing_is_left_to_see(containers: Containers) -> None:
    """Blobs are deleted, and a staged block is not a blob."""
    list(BlobTrials(containers).trials())

    for container in (containers.state, containers.data, containers.manifests):
        assert list(container.list_blob_names()) == []


def test_containers_that_do_not_exist_are_told(storage_settings: dict[str, str]) -> None:
    """Each trial says which container, and what to do."""
    found = problems(opened(storage_settings, make=False))

    assert set(found) == set(TRIALS)
    assert all("STORAGE_*_CONTAINER" in it for it in found.values())


def test_an_identity_that_may_only_read_fails_where_it_writes(
    containers: Containers, azurite: Azurite, storage_settings: dict[str, str]
) -> None:
    """The reason names the role that is missing."""
    del containers
    reading = AccountSasPermissions(read=True, list=True)

    found = problems(limited(azurite, storage_settings, reading))

    assert {"create (state)", "stage a block (parts)", "stage a block (manifests)"} <= set(found)
    assert "Storage Blob Data Contributor" in found["stage a block (parts)"]
    assert not {"list (parts)", "read (manifests)"} & set(found)


def test_an_identity_that_may_not_delete_leaves_a_blob_that_the_next_trial_replaces(
    containers: Containers, azurite: Azurite, storage_settings: dict[str, str]
) -> None:
    """It lies outside every scan's prefix, and there is never more than one of each."""
    writing = AccountSasPermissions(read=True, list=True, write=True, create=True, add=True)
    identity = limited(azurite, storage_settings, writing)

    first, second = problems(identity), problems(identity)

    assert set(first) == set(second) == {"delete (state)"}
    assert list(containers.state.list_blob_names()) == [
        "doctor/trial.json",
        "doctor/trial.jsonl.gz",
    ]
    assert list(containers.data.list_blob_names()) == []


def test_a_store_that_ignores_conditions_fails(
    containers: Containers, storage_settings: dict[str, str]
) -> None:
    """Two runs could then overwrite each other's ledger."""
    del containers
    saved = b'HTTP/1.1 201 Created\r\nContent-Length: 0\r\nETag: "0x1"\r\n\r\n'

    def obliging(request: bytes) -> bytes | None:
        return saved if b'"0x0"' in request.partition(b"\r\n\r\n")[0] else None

    with through(storage_settings, refuse=obliging) as there:
        found = problems(opened(there, make=False))

    assert set(found) == {"refuse to replace another version (state)"}
    assert "overwrite each other" in found["refuse to replace another version (state)"]
