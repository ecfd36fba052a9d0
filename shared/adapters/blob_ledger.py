"""The ledger as one block blob, guarded by its ETag; and the run log beside it."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import BlobClient, ContainerClient, ContentSettings

from shared.adapters.blob_storage import read_with_date, replace_version
from shared.adapters.storage_errors import error_code, explained
from shared.core.errors import LedgerConflict, StoreUnavailable
from shared.core.state.layout import ledger_name, quarantine_name, runs_name, runs_prefix
from shared.ports import SavedLedger

NDJSON = ContentSettings(content_type="application/x-ndjson")

VOLUMES = 20
"""How many run logs a day may have. Each takes 50,000 lines, which is a line every 1.7 s."""

APPENDS = 10
"""How often to try to append a line while other runs append to the same blob."""


class BlobLedgerStore:
    """The `LedgerStore` in the state container."""

    def __init__(self, container: ContainerClient, scan: str) -> None:
        """Use this container for the ledger of this scan."""
        self._container = container
        self._scan = scan
        self._blob = container.get_blob_client(ledger_name(scan))

    def load(self) -> SavedLedger:
        """Read the ledger; see the port."""
        found = read_with_date(self._blob)
        return SavedLedger(content=found.content, etag=found.etag, date=found.date)

    def save(self, content: bytes, *, etag: str | None) -> str:
        """Replace or create the ledger; see the port."""
        saved = replace_version(self._blob, content, etag=etag)
        if saved is None:
            raise LedgerConflict(
                f"the ledger of scan {self._scan!r} was saved by another run, which continues; "
                "this run ends. Nothing is lost. If this happens often, two apps share the scan's "
                "name"
            )
        return saved

    def put_in_quarantine(self, slot: int, content: bytes, *, metadata: Mapping[str, str]) -> None:
        """Keep an answer in quarantine; see the port."""
        blob = self._container.get_blob_client(quarantine_name(self._scan, slot))
        try:
            blob.upload_blob(content, overwrite=True, metadata=dict(metadata))
        except AzureError as error:
            raise explained(error, "write", blob.url) from error

    def append_run(self, line: str, *, now: int) -> None:
        """Append to the day's run log; see the port."""
        content = line.encode("utf-8", "backslashreplace") + b"\n"
        for volume in range(1, VOLUMES + 1):
            blob = self._container.get_blob_client(runs_name(self._scan, now, volume))
            try:
                if _append(blob, content):
                    return
            except AzureError as error:
                raise explained(error, "append to", blob.url) from error
        raise StoreUnavailable(f"all {VOLUMES} run logs of the day are full: {blob.url}")

    def report_lines(self) -> Iterator[str]:
        """Read the run logs one after the other; see the port."""
        try:
            for name in self._container.list_blob_names(name_starts_with=runs_prefix(self._scan)):
                content: bytes = self._container.download_blob(name).readall()
                yield from filter(None, content.decode(errors="replace").split("\n"))
        except AzureError as error:
            raise explained(error, "read the run log in", self._container.url) from error


def _append(blob: BlobClient, content: bytes) -> bool:
    """Append a line once; return False if the blob takes no more lines.

    The line is appended at the end that was just read, or not at all. So if an answer is lost and
    the SDK sends the line again, the service refuses the second attempt, and the line is found at
    that place.
    """
    for _ in range(APPENDS):
        end = _end_of(blob)
        try:
            blob.append_block(content, appendpos_condition=end)
        except AzureError as error:
            if _stands_at(blob, end, content):
                return True
            if error_code(error) == "BlockCountExceedsLimit":
                return False
            if error_code(error) != "AppendPositionConditionNotMet":
                raise
        else:
            return True
    raise StoreUnavailable(
        f"others keep appending to {blob.url.partition('?')[0]} at the same time"
    )


def _end_of(blob: BlobClient) -> int:
    """Return the length of the run log; create it if it does not exist."""
    try:
        return int(blob.get_blob_properties().size)
    except ResourceNotFoundError:
        with suppress(ResourceExistsError):  # Another run created it in between.
            blob.create_append_blob(NDJSON, match_condition=MatchConditions.IfMissing)
            return 0
        return int(blob.get_blob_properties().size)


def _stands_at(blob: BlobClient, place: int, content: bytes) -> bool:
    """Say whether storage shows these bytes at this place."""
    try:
        found: bytes = blob.download_blob(offset=place, length=len(content)).readall()
    except AzureError:
        return False
    return found == content
