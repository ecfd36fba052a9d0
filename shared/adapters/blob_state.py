"""What the state container keeps for operators: versions of the ledger, and the quarantine."""

from datetime import datetime

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobProperties, ContainerClient

from shared.adapters.blob_storage import content_of
from shared.adapters.storage_errors import error_code, explained
from shared.core.state.layout import (
    ledger_name,
    quarantine_name,
    quarantine_prefix,
    quarantine_slot,
)
from shared.ports import KeptAnswer, LedgerVersion

UNVERSIONED_CODES = frozenset(
    {
        "BlobApiNotYetSupportedForHierarchicalNamespaceAccounts",
        "FeatureNotYetSupportedForHierarchicalNamespaceAccounts",
        "InvalidQueryParameterValue",
        "UnsupportedQueryParameter",
    }
)
"""Answers to a request for versions by an account that cannot keep any."""


class BlobStateArchive:
    """The `StateArchive` in the state container."""

    def __init__(self, container: ContainerClient, scan: str) -> None:
        """Use this container for what is kept of this scan."""
        self._container = container
        self._scan = scan
        self._ledger = container.get_blob_client(ledger_name(scan))

    def versions(self) -> list[LedgerVersion]:
        """List the versions of the ledger; see the port."""
        try:
            # The service lists the oldest version first.
            listed = list(
                self._container.list_blobs(
                    name_starts_with=ledger_name(self._scan), include=["versions"]
                )
            )
        except AzureError as error:
            if error_code(error) in UNVERSIONED_CODES:
                return []
            raise explained(error, "list the versions of", self._ledger.url) from error
        found = [_version(blob) for blob in listed if blob.name == ledger_name(self._scan)]
        return [it for it in reversed(found) if it.id]

    def version(self, version: str) -> bytes | None:
        """Read a version of the ledger; see the port."""
        return content_of(self._ledger, version=version)

    def kept_answers(self) -> list[KeptAnswer]:
        """List the quarantine; see the port."""
        prefix = quarantine_prefix(self._scan)
        try:
            listed = list(self._container.list_blobs(name_starts_with=prefix, include=["metadata"]))
        except AzureError as error:
            raise explained(error, "list the quarantine in", self._container.url) from error
        slots = [(quarantine_slot(self._scan, blob.name), blob) for blob in listed]
        found = [_kept(slot, blob) for slot, blob in slots if slot is not None]
        return sorted(found, key=lambda it: (-it.kept, it.slot))

    def kept_answer(self, slot: int) -> bytes | None:
        """Read an answer in the quarantine; see the port."""
        return content_of(self._container.get_blob_client(quarantine_name(self._scan, slot)))


def _version(blob: BlobProperties) -> LedgerVersion:
    return LedgerVersion(
        id=blob.version_id or "",
        saved=_instant(blob.last_modified),
        size=int(blob.size or 0),
        is_current=bool(blob.is_current_version),
    )


def _kept(slot: int, blob: BlobProperties) -> KeptAnswer:
    about = blob.metadata or {}
    return KeptAnswer(
        slot=slot,
        kept=_instant(blob.last_modified),
        size=int(blob.size or 0),
        run=about.get("run", ""),
        slice=about.get("slice", ""),
        fault=about.get("fault", ""),
    )


def _instant(moment: datetime | None) -> int:
    return round(moment.timestamp() * 1000) if moment else 0
