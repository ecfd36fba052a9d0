"""The ledger as one block blob, guarded by its ETag; and the run log beside it."""

from collections.abc import Mapping
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline import PipelineResponse
from azure.storage.blob import BlobClient, ContainerClient, ContentSettings

from shared.adapters.storage_errors import concerns_blob, explained, is_absent
from shared.core.answers import read_http_date
from shared.core.errors import LedgerConflict
from shared.core.layout import ledger_name, quarantine_name, runs_name
from shared.ports import SavedLedger

JSON = ContentSettings(content_type="application/json")
NDJSON = ContentSettings(content_type="application/x-ndjson")


class BlobLedgerStore:
    """The `LedgerStore` in the state container."""

    def __init__(self, container: ContainerClient, scan: str) -> None:
        """Use this container for the ledger of this scan."""
        self._container = container
        self._scan = scan
        self._blob = container.get_blob_client(ledger_name(scan))

    def load(self) -> SavedLedger:
        """Read the ledger; see the port."""
        dates: list[int | None] = []
        try:
            reading = self._blob.download_blob(raw_response_hook=lambda it: dates.append(_date(it)))
            content: bytes = reading.readall()
        except AzureError as error:
            if is_absent(error):
                return SavedLedger(content=None, etag=None, date=dates[-1] if dates else None)
            raise explained(error, "read", self._blob.url) from error
        return SavedLedger(content=content, etag=reading.properties.etag, date=dates[0])

    def save(self, content: bytes, *, etag: str | None) -> str:
        """Replace or create the ledger; see the port."""
        condition: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if etag is not None:
            condition = {"match_condition": MatchConditions.IfNotModified, "etag": etag}
        try:
            saved = self._blob.upload_blob(
                content, overwrite=True, content_settings=JSON, **condition
            )
        except AzureError as error:
            if not concerns_blob(error):
                raise explained(error, "save", self._blob.url) from error
            return self._own_save(content, etag, error)
        return str(saved["etag"])

    def _own_save(self, content: bytes, etag: str | None, refusal: AzureError) -> str:
        """Return the stored ETag when what is stored is what was sent: an answer came late.

        Where the version that was to be replaced is still there, no run came first: the blob
        itself refuses to be written.
        """
        stored = self.load()
        if stored.content == content and stored.etag is not None:
            return stored.etag
        if stored.etag == etag:
            raise explained(refusal, "save", self._blob.url) from refusal
        raise LedgerConflict(
            f"the ledger of scan {self._scan!r} was saved by another run, which goes on; this one "
            "ends. Nothing is lost; if it happens often, two apps share the scan's name"
        ) from refusal

    def keep_answer(self, slot: int, content: bytes, *, metadata: Mapping[str, str]) -> None:
        """Keep a strange answer; see the port."""
        blob = self._container.get_blob_client(quarantine_name(self._scan, slot))
        try:
            blob.upload_blob(content, overwrite=True, metadata=dict(metadata))
        except AzureError as error:
            raise explained(error, "write", blob.url) from error

    def append_run(self, line: str, *, now: int) -> None:
        """Append to the day's run log; see the port."""
        blob = self._container.get_blob_client(runs_name(self._scan, now))
        try:
            _append(blob, line.encode() + b"\n")
        except AzureError as error:
            raise explained(error, "append to", blob.url) from error


def _date(response: PipelineResponse[Any, Any]) -> int | None:
    return read_http_date(response.http_response.headers.get("Date"))


def _append(blob: BlobClient, content: bytes) -> None:
    try:
        blob.append_block(content)
    except ResourceNotFoundError:
        _create_once(blob)
        blob.append_block(content)


def _create_once(blob: BlobClient) -> None:
    try:
        blob.create_append_blob(NDJSON, match_condition=MatchConditions.IfMissing)
    except ResourceExistsError:
        return  # Another run created it in between.
