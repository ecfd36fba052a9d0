"""The storage service's error codes, and the effect of each on a scan."""

import uuid
from pathlib import Path
from unittest.mock import Mock

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import StorageErrorCode

from harness.azurite import Azurite
from shared.adapters.blob_ledger import BlobLedgerStore
from shared.adapters.blob_results import BlobResultStore
from shared.adapters.blob_storage import Containers
from shared.adapters.storage_errors import (
    ABSENT_CODES,
    BLOB_CODES,
    EXISTS_CODES,
    STORE_CODES,
    concerns_blob,
)
from shared.core.errors import PartUnreadable, StoreUnavailable
from tests.conftest import unused_storage
from tests.contracts.proxies import first_line, refusal_of, through
from tests.contracts.storage import PART, SCAN, commit, opened, stage

RUNBOOK = Path(__file__).parents[2] / "docs/runbook.md"

OF_REQUESTS_WE_NEVER_SEND = {
    "AccountAlreadyExists",
    "AppendPositionConditionNotMet",  # Only the run log is appended to; it handles this.
    "BlockListTooLong",
    "CannotVerifyCopySource",
    "ContainerAlreadyExists",
    "CopyAcrossAccountsNotSupported",
    "CopyIdMismatch",
    "EmptyMetadataKey",
    "IncrementalCopyBlobMismatch",
    "IncrementalCopyOfEarlierSnapshotNotAllowed",
    "IncrementalCopyOfEarlierVersionSnapshotNotAllowed",
    "IncrementalCopySourceMustBeSnapshot",
    "InfiniteLeaseDurationRequired",
    "InvalidBlockList",  # Blocks that expired: their slice starts over.
    "InvalidHttpVerb",
    "InvalidMd5",
    "InvalidMetadata",
    "InvalidOperation",
    "InvalidPageRange",
    "InvalidSourceBlobType",
    "InvalidSourceBlobUrl",
    "InvalidVersionForPageBlobOperation",
    "InvalidXmlDocument",
    "InvalidXmlNodeValue",
    "LeaseAlreadyBroken",
    "LeaseNotPresentWithLeaseOperation",
    "MaxBlobSizeConditionNotMet",
    "MetadataTooLarge",
    "MissingContentLengthHeader",
    "MissingRequiredHeader",
    "MissingRequiredQueryParameter",
    "MissingRequiredXmlNode",
    "MultipleConditionHeadersNotSupported",
    "NoPendingCopyOperation",
    "OutOfRangeInput",
    "OutOfRangeQueryParameterValue",
    "PreviousSnapshotCannotBeNewer",
    "PreviousSnapshotNotFound",
    "PreviousSnapshotOperationNotSupported",
    "RequestUrlFailedToParse",
    "ResourceAlreadyExists",
    "SequenceNumberConditionNotMet",
    "SequenceNumberIncrementTooLarge",
    "SnapshotCountExceeded",
    "SnapshotOperationRateExceeded",
    "SourceConditionNotMet",
    "UnsupportedHttpVerb",
    "UnsupportedQueryParameter",
    "UnsupportedXmlNode",
}

FIRST_OF_QUEUES = "InvalidMarker"
"""Codes from this one on belong to the other services."""


@pytest.fixture(scope="module")
def shared_settings(azurite: Azurite) -> dict[str, str]:
    """Return the settings of containers for tests that leave nothing where others look."""
    settings = unused_storage(azurite.connection_string, f"test-{uuid.uuid4().hex}")
    opened(settings)
    return settings


def status_of(code: str) -> str:
    """Return the status with which the service sends a code."""
    if code.startswith("KeyVault") or code == "UnauthorizedBlobOverwrite":
        return "403 Forbidden"
    if code.startswith("Lease") or code.endswith("ConditionNotMet"):
        return "412 Precondition Failed"
    return "416 Range Not Satisfiable" if code == "InvalidRange" else "409 Conflict"


def error_of(status: int, code: str | None) -> HttpResponseError:
    """Return an error as the SDK raises it."""
    error = HttpResponseError(response=Mock(status_code=status, reason="no", headers={}))
    error.error_code = code  # type: ignore[attr-defined]
    return error


def test_every_code_of_blob_storage_is_in_a_table() -> None:
    """A code may also belong to requests that this program never sends."""
    codes = [code.value for code in StorageErrorCode]
    documented = set(codes[: codes.index(FIRST_OF_QUEUES)])

    missing = documented - {*BLOB_CODES, *STORE_CODES, *ABSENT_CODES, *OF_REQUESTS_WE_NEVER_SEND}

    assert missing == set()
    assert not set(BLOB_CODES) & set(STORE_CODES)
    assert set(BLOB_CODES) >= EXISTS_CODES


@pytest.mark.parametrize("code", [*BLOB_CODES, *STORE_CODES])
def test_every_code_is_in_the_runbook_with_what_to_do(code: str) -> None:
    """The runbook uses the words of the message."""
    rows = [line for line in RUNBOOK.read_text("utf-8").splitlines() if f"`{code}`" in line]

    assert any(line.endswith(f"| {ALL_CODES[code]} |") for line in rows)


ALL_CODES = {**BLOB_CODES, **STORE_CODES}


@pytest.mark.parametrize("code", STORE_CODES)
@pytest.mark.parametrize("status", [400, 403, 404, 409, 412, 503])
def test_a_code_of_the_account_concerns_no_single_blob(code: str, status: int) -> None:
    """Its status does not matter."""
    assert not concerns_blob(error_of(status, code))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, False),
        (401, False),
        (403, False),
        (404, False),
        (409, True),
        (412, True),
        (500, False),
    ],
)
def test_an_unknown_code_is_judged_by_its_status(status: int, *, expected: bool) -> None:
    """A conflict concerns the requested blob; everything else ends the run."""
    assert concerns_blob(error_of(status, "SomethingNew")) is expected
    assert concerns_blob(error_of(status, None)) is expected


@pytest.mark.parametrize("code", [*BLOB_CODES, "SomethingNew"])
def test_a_refused_part_affects_only_that_part(shared_settings: dict[str, str], code: str) -> None:
    """This holds for reading it and for staging where another blob is in its place."""
    refused = refusal_of(status_of(code), code)
    with through(
        shared_settings, refuse=lambda asked: refused if b".jsonl.gz" in asked else None
    ) as it:
        containers = opened(it, make=False)
        store = BlobResultStore(containers.data, containers.manifests, SCAN)

        with pytest.raises(PartUnreadable, match=code):
            store.part(PART)
        with pytest.raises(PartUnreadable, match=code):
            stage(store, b"page")
        assert not store.has_staged(PART, [])


@pytest.mark.parametrize("code", [*BLOB_CODES, "SomethingNew"])
def test_a_ledger_that_is_refused_ends_the_run_with_the_real_cause(
    shared_settings: dict[str, str], code: str
) -> None:
    """No other run saved it, so the message does not mention one."""
    state = opened(shared_settings, make=False).state
    etag = BlobLedgerStore(state, code).save(b"one", etag=None)
    refused = refusal_of(status_of(code), code)
    with through(
        shared_settings, refuse=lambda it: refused if it.startswith(b"PUT") else None
    ) as it:
        store = BlobLedgerStore(opened(it, make=False).state, code)

        with pytest.raises(StoreUnavailable, match=f"could not save .*{code}"):
            store.save(b"two", etag=etag)


@pytest.mark.parametrize("code", [*BLOB_CODES, "SomethingNew"])
def test_a_manifest_that_is_refused_ends_the_run_with_the_real_cause(
    shared_settings: dict[str, str], code: str
) -> None:
    """It does not exist with other content, so the message does not say so."""
    refused = refusal_of(status_of(code), code)
    with through(
        shared_settings, refuse=lambda it: refused if it.startswith(b"PUT") else None
    ) as it:
        containers = opened(it, make=False)
        store = BlobResultStore(containers.data, containers.manifests, SCAN)

        with pytest.raises(StoreUnavailable, match=f"could not write .*{code}"):
            store.put_manifest(1, b"{}")


@pytest.mark.parametrize("code", ["BlobArchived", "BlobUsesCustomerSpecifiedEncryption"])
def test_a_chain_or_ledger_that_cannot_be_read_is_named(
    storage_settings: dict[str, str], code: str
) -> None:
    """It is neither absent nor another run's."""
    opened(storage_settings)
    refused = refusal_of("409 Conflict", code)
    with through(storage_settings, refuse=lambda _: refused) as it:
        containers = opened(it, make=False)
        results = BlobResultStore(containers.data, containers.manifests, SCAN)

        with pytest.raises(StoreUnavailable, match=code):
            BlobLedgerStore(containers.state, SCAN).load()
        with pytest.raises(StoreUnavailable, match=code):
            results.manifest(1)


@pytest.mark.parametrize("code", ["LeaseIdMissing", "BlobArchived"])
def test_a_commit_that_is_refused_ends_the_run_with_the_real_cause(
    storage_settings: dict[str, str], code: str
) -> None:
    """Its place in the chain is taken, so nothing else can precede it."""
    opened(storage_settings)

    def refuse(request: bytes) -> bytes | None:
        commits = "comp=blocklist" in first_line(request) and request.startswith(b"PUT")
        return refusal_of(status_of(code), code) if commits else None

    with through(storage_settings, refuse=refuse) as it:
        containers = opened(it, make=False)
        store = BlobResultStore(containers.data, containers.manifests, SCAN)
        blocks = stage(store, b"page")

        with pytest.raises(StoreUnavailable, match=f"could not commit .*{code}"):
            commit(store, blocks)


def test_a_container_that_is_being_deleted_is_not_taken_for_one_that_exists(
    storage_settings: dict[str, str],
) -> None:
    """The service answers both with a conflict."""
    refused = refusal_of("409 Conflict", "ContainerBeingDeleted")

    with (
        through(storage_settings, refuse=lambda _: refused) as it,
        pytest.raises(StoreUnavailable, match="ContainerBeingDeleted"),
    ):
        opened(it)


def test_an_archived_part_is_unreadable(containers: Containers) -> None:
    """The emulator archives a blob as the service does."""
    store = BlobResultStore(containers.data, containers.manifests, SCAN)
    commit(store, stage(store, b"page"))
    containers.data.get_blob_client(PART).set_standard_blob_tier("Archive")

    with pytest.raises(PartUnreadable, match=r"BlobArchived\. Move it back"):
        store.part(PART)
    assert [it.name for it in store.parts_of(1_795_410_000_000)] == [PART]
