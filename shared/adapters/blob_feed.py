"""The feed as the table reads it: manifests, and parts block by block."""

from azure.core.exceptions import AzureError
from azure.storage.blob import ContainerClient

from shared.adapters.blob_storage import content_of
from shared.adapters.storage_errors import explained, explained_part, is_absent
from shared.core.errors import PartUnreadable
from shared.core.state.layout import manifest_name, manifest_number, manifest_prefix


class BlobFeedStore:
    """The `FeedStore` in a data and a manifest container."""

    def __init__(self, data: ContainerClient, manifests: ContainerClient, scan: str) -> None:
        """Use these containers for this scan."""
        self._data = data
        self._manifests = manifests
        self._scan = scan

    def manifest(self, number: int) -> bytes | None:
        """Read a manifest; see the port."""
        return content_of(self._manifests.get_blob_client(manifest_name(self._scan, number)))

    def first_from(self, number: int) -> int | None:
        """List the manifests from this name on; see the port."""
        names = self._manifests.list_blob_names(
            name_starts_with=manifest_prefix(self._scan),
            start_from=manifest_name(self._scan, number),
        )
        try:
            found = (manifest_number(self._scan, name) for name in names)
            return next((it for it in found if it is not None and it >= number), None)
        except AzureError as error:
            raise explained(error, "list", self._manifests.url) from error

    def block(self, part: str, start: int, size: int) -> bytes:
        """Read a range of a part; see the port."""
        blob = self._data.get_blob_client(part)
        try:
            content: bytes = blob.download_blob(offset=start, length=size).readall()
        except AzureError as error:
            if is_absent(error):
                raise PartUnreadable(f"part {part} is gone") from error
            raise explained_part(error, "read", blob.url) from error
        return content
