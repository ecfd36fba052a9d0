"""Parts and manifests as block blobs that are written once.

A part is staged block by block and appears with the commit of its block list. Both commits are
create-only (`If-None-Match: *`). If the blob already exists, it is read back and compared. This
also works where an immutability policy refuses every overwrite.
"""

from collections.abc import Iterator, Mapping, Sequence

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobProperties,
    ContainerClient,
    ContentSettings,
)

from shared.adapters.blob_storage import JSON, content_of
from shared.adapters.storage_errors import (
    EXISTS_CODES,
    concerns_blob,
    error_code,
    explained,
    explained_part,
    is_absent,
)
from shared.core.errors import BlocksLost, PartUnreadable, StoreConflict
from shared.core.model import Block, PartBlob, StoredPart
from shared.core.state.layout import (
    hour_prefix,
    is_folder,
    manifest_name,
    manifest_number,
    manifest_prefix,
    parts_prefix,
    stored_parts,
)

GZIP = ContentSettings(content_type="application/x-gzip")
"""The older name of the content type, because Elastic's input unpacks no other.

There is no Content-Encoding: with it, the storage SDK would unpack the part, and fail above 32 MB.
"""


class BlobResultStore:
    """The `ResultStore` in a data and a manifest container."""

    def __init__(self, data: ContainerClient, manifests: ContainerClient, scan: str) -> None:
        """Use these containers for this scan."""
        self._data = data
        self._manifests = manifests
        self._scan = scan

    def is_empty(self) -> bool:
        """Look for one blob under each prefix; see the port."""
        places = (
            (self._data, parts_prefix(self._scan)),
            (self._manifests, manifest_prefix(self._scan)),
        )
        return not any(True for place in places for _ in _files(*place))

    def stage_block(self, part: str, block: Block, content: bytes) -> None:
        """Stage a block; see the port."""
        blob = self._data.get_blob_client(part)
        try:
            blob.stage_block(block.id, content, length=len(content), validate_content=True)
        except AzureError as error:
            raise explained_part(error, "stage a block of", blob.url) from error

    def has_staged(self, part: str, blocks: Sequence[Block]) -> bool:
        """Compare ids and sizes with the uncommitted block list; see the port."""
        blob = self._data.get_blob_client(part)
        try:
            _, staged = _block_lists(blob)
        except AzureError as error:
            if concerns_blob(error):
                return False  # Staging the blocks again will show what is wrong with the part.
            raise explained(error, "list the blocks of", blob.url) from error
        return {(block.id, block.size) for block in blocks} <= set(staged)

    def commit_part(
        self, part: str, blocks: Sequence[Block], *, metadata: Mapping[str, str]
    ) -> None:
        """Commit the block list, or recognise it as committed; see the port."""
        blob = self._data.get_blob_client(part)
        try:
            blob.commit_block_list(
                [BlobBlock(block.id) for block in blocks],
                content_settings=GZIP,
                metadata=dict(metadata),
                match_condition=MatchConditions.IfMissing,
            )
        except HttpResponseError as error:
            _judge_commit(blob, blocks, error)
        except AzureError as error:
            raise explained(error, "commit", blob.url) from error

    def put_manifest(self, number: int, content: bytes) -> None:
        """Write a manifest, or recognise it as written; see the port."""
        name = manifest_name(self._scan, number)
        blob = self._manifests.get_blob_client(name)
        try:
            blob.upload_blob(
                content,
                overwrite=True,
                match_condition=MatchConditions.IfMissing,
                content_settings=JSON,
            )
        except HttpResponseError as error:
            stored = self.manifest(number) if concerns_blob(error) else None
            if stored is None:
                raise explained(error, "write", blob.url) from error
            if stored != content:
                raise StoreConflict(
                    f"manifest {name} already exists with other content: another program writes "
                    "under this scan's name. Nothing was changed"
                ) from error
        except AzureError as error:
            raise explained(error, "write", blob.url) from error

    def parts_of(self, hour: int) -> tuple[StoredPart, ...]:
        """List the parts of an hour; see the port."""
        found = _files(self._data, hour_prefix(self._scan, hour))
        return stored_parts(self._scan, ((blob.name, blob.size) for blob in found))

    def all_parts(self) -> Iterator[PartBlob]:
        """List everything under the scan's prefix; see the port."""
        for blob in _files(self._data, parts_prefix(self._scan)):
            yield PartBlob(name=blob.name, size=blob.size, metadata=dict(blob.metadata or {}))

    def all_manifests(self) -> Iterator[int]:
        """List the manifests by name; see the port."""
        try:
            for name in self._manifests.list_blob_names(
                name_starts_with=manifest_prefix(self._scan)
            ):
                number = manifest_number(self._scan, name)
                if number is not None:
                    yield number
        except AzureError as error:
            raise explained(error, "list", self._manifests.url) from error

    def blocks_of(self, part: str) -> list[tuple[str, int]]:
        """Ask for the committed block list; see the port."""
        blob = self._data.get_blob_client(part)
        try:
            return _block_lists(blob)[0]
        except AzureError as error:
            raise explained_part(error, "list the blocks of", blob.url) from error

    def part(self, name: str) -> bytes:
        """Read a part; see the port."""
        blob = self._data.get_blob_client(name)
        try:
            content: bytes = blob.download_blob().readall()
        except AzureError as error:
            if is_absent(error):
                raise PartUnreadable(f"part {name} is gone") from error
            raise explained_part(error, "read", blob.url) from error
        return content

    def manifest(self, number: int) -> bytes | None:
        """Read a manifest; see the port."""
        return content_of(self._manifests.get_blob_client(manifest_name(self._scan, number)))


def _judge_commit(blob: BlobClient, blocks: Sequence[Block], refusal: HttpResponseError) -> None:
    """Return if the part exists with these blocks; otherwise raise what is wrong."""
    committed = _committed(blob)
    if committed == [(block.id, block.size) for block in blocks]:
        return
    if (
        committed or error_code(refusal) in EXISTS_CODES
    ):  # A blob that was uploaded whole has no blocks.
        raise StoreConflict(
            f"part {blob.url.partition('?')[0]} already exists with other blocks: another program "
            "writes under this scan's name. Nothing was changed"
        ) from refusal
    if error_code(refusal) == "InvalidBlockList":
        raise BlocksLost(
            f"the service no longer has all staged blocks of {blob.url.partition('?')[0]}; "
            "it keeps them for a week"
        ) from refusal
    raise explained(refusal, "commit", blob.url) from refusal


def _committed(blob: BlobClient) -> list[tuple[str, int]]:
    try:
        return _block_lists(blob)[0]
    except AzureError as error:
        raise explained(error, "list the blocks of", blob.url) from error


def _block_lists(blob: BlobClient) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return committed and staged blocks as (id, size); both are empty if there is no such blob."""
    try:
        committed, staged = blob.get_block_list("all")
    except ResourceNotFoundError as error:
        if is_absent(error):
            return [], []
        raise
    return [_named(block) for block in committed], [_named(block) for block in staged]


def _named(block: BlobBlock) -> tuple[str, int]:
    return block.id, block.size


def _files(container: ContainerClient, prefix: str) -> Iterator[BlobProperties]:
    """Yield the blobs with this prefix, except folders, sorted by name."""
    try:
        for blob in container.list_blobs(name_starts_with=prefix, include=["metadata"]):
            if not is_folder(blob.name, blob.size, blob.metadata or {}):
                yield blob
    except AzureError as error:
        raise explained(error, "list", container.url) from error
