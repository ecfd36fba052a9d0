"""Trying what the scan does with storage, on blobs of doctor's own.

Their names lie outside every scan's prefix, so no run, reader or check ever sees them. Parts and
manifests are written once, and a container may refuse every deletion. So there only a block is
staged: nobody sees it, and the service drops it after a week.
"""

from collections.abc import Callable, Iterator
from functools import partial

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobBlock, BlobClient, ContainerClient

from shared.adapters.blob_storage import Containers, unchanged_since
from shared.adapters.storage_errors import EXISTS_CODES, error_code, explained, is_absent
from shared.ports import Trial

STATE = "doctor/trial.json"
PART = "doctor/trial.jsonl.gz"
"""Blobs of doctor's own, the same each time, so that at most one of each can be left behind."""

BLOCK_ID = "00000000-000000-doctor0000000000"
"""As long as a block id of the scan: within a blob all must have one length."""

CONTENT = b'{"trial": 1}\n'
CHANGED = b'{"trial": 2}\n'


class BlobTrials:
    """The `StorageTrials` on the three containers."""

    def __init__(self, containers: Containers) -> None:
        """Use these containers; nothing is requested yet."""
        self._containers = containers

    def trials(self) -> Iterator[Trial]:
        """Try everything that the scan does; see the port."""
        yield from _state(self._containers.state)
        for what, container in (
            ("parts", self._containers.data),
            ("manifests", self._containers.manifests),
        ):
            yield _tried(f"stage a block ({what})", partial(_stage, container), container)
            yield _tried(f"list ({what})", partial(_list, container), container)
            yield _tried(f"read ({what})", partial(_read_absent, container), container)


def _state(container: ContainerClient) -> Iterator[Trial]:
    """Try what the scan does with its ledger, then remove what was written."""
    blob, part = container.get_blob_client(STATE), container.get_blob_client(PART)
    steps: tuple[tuple[str, Callable[[], str | None]], ...] = (
        ("create (state)", lambda: _create(blob)),
        ("refuse a second creation (state)", lambda: _refused(blob, None)),
        ("replace the version that was read (state)", lambda: _replace(blob)),
        ("refuse to replace another version (state)", lambda: _refused(blob, '"0x0"')),
        ("read (state)", lambda: _read(blob)),
        ("list (state)", lambda: _list(container)),
        ("stage and commit (state)", lambda: _commit(part)),
    )
    for name, attempt in steps:
        yield _tried(name, attempt, container)
    yield _tried("delete (state)", lambda: _delete(blob, part), container, is_needed=False)


def _tried(
    name: str,
    attempt: Callable[[], str | None],
    container: ContainerClient,
    *,
    is_needed: bool = True,
) -> Trial:
    """Return how an attempt went: with what went wrong, or None."""
    try:
        problem = attempt()
    except AzureError as error:
        action = name.rpartition(" (")[0]
        problem = str(explained(error, action, container.url))
    return Trial(name=name, problem=problem, is_needed=is_needed)


def _create(blob: BlobClient) -> None:
    """Create the blob; one that an earlier examination could not delete is replaced."""
    try:
        blob.upload_blob(CONTENT, overwrite=True, **unchanged_since(None))
    except AzureError as error:
        if error_code(error) not in EXISTS_CODES:
            raise
        etag = blob.get_blob_properties().etag
        blob.upload_blob(CONTENT, overwrite=True, **unchanged_since(etag))


def _refused(blob: BlobClient, etag: str | None) -> str | None:
    try:
        blob.upload_blob(CHANGED, overwrite=True, **unchanged_since(etag))
    except AzureError as error:
        if error_code(error) not in EXISTS_CODES:
            raise
        return None
    return "storage saved although the condition did not hold: runs could overwrite each other"


def _replace(blob: BlobClient) -> None:
    etag = blob.get_blob_properties().etag
    blob.upload_blob(CHANGED, overwrite=True, **unchanged_since(etag))


def _read(blob: BlobClient) -> str | None:
    found: bytes = blob.download_blob().readall()
    return None if found == CHANGED else "what was read is not what was saved"


def _list(container: ContainerClient) -> None:
    next(iter(container.list_blob_names(name_starts_with="doctor/")), None)


def _commit(blob: BlobClient) -> str | None:
    blob.stage_block(BLOCK_ID, CONTENT, length=len(CONTENT), validate_content=True)
    blob.commit_block_list([BlobBlock(BLOCK_ID)])
    committed, _ = blob.get_block_list("all")
    return None if [it.id for it in committed] == [BLOCK_ID] else "the blocks are not listed"


def _stage(container: ContainerClient) -> None:
    """Stage a block that is never committed."""
    blob = container.get_blob_client(PART)
    blob.stage_block(BLOCK_ID, CONTENT, length=len(CONTENT), validate_content=True)


def _read_absent(container: ContainerClient) -> None:
    """Ask for a blob that does not exist: whoever may not read is refused before that is known."""
    try:
        container.get_blob_client(STATE).get_blob_properties()
    except AzureError as error:
        if not is_absent(error):
            raise


def _delete(*blobs: BlobClient) -> None:
    for blob in blobs:
        blob.delete_blob()
