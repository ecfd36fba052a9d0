"""The blobs that are derived from a scan's manifests, and the end of its run log."""

from azure.core.exceptions import AzureError
from azure.storage.blob import BlobClient, BlobProperties, ContainerClient, ContentSettings

from shared.adapters.blob_storage import unchanged_since
from shared.adapters.storage_errors import EXISTS_CODES, error_code, explained, is_absent
from shared.core.state.layout import runs_prefix
from shared.ports import Derived

TYPES = {"json": "application/json", "html": "text/html; charset=utf-8"}
"""Content types, by the ending of the name."""

MANIFEST = "manifest"
"""The metadata that states the newest manifest on which a blob is based."""

TAIL_BYTES = 512 * 1024
"""How many bytes at the end of a run log are read; a report line has about two thousand."""


class BlobDerivedStore:
    """The `DerivedStore` in the state container."""

    def __init__(self, container: ContainerClient, scan: str) -> None:
        """Use this container for the derived blobs of this scan."""
        self._container = container
        self._scan = scan

    def read(self, name: str) -> Derived:
        """Read a derived blob; see the port."""
        blob = self._container.get_blob_client(name)
        try:
            reading = blob.download_blob()
            content: bytes = reading.readall()
        except AzureError as error:
            if is_absent(error):
                return Derived(content=None, etag=None, manifest=0)
            raise explained(error, "read", blob.url) from error
        return _derived(content, reading.properties)

    def save(self, name: str, content: bytes, *, etag: str | None, manifest: int) -> bool:
        """Replace or create a derived blob; see the port."""
        blob = self._container.get_blob_client(name)
        try:
            blob.upload_blob(
                content,
                overwrite=True,
                metadata={MANIFEST: str(manifest)},
                content_settings=ContentSettings(content_type=TYPES[name.rpartition(".")[2]]),
                **unchanged_since(etag),
            )
        except AzureError as error:
            if error_code(error) in EXISTS_CODES:
                return False
            raise explained(error, "save", blob.url) from error
        return True

    def publish(self, name: str, content: bytes, *, manifest: int) -> bool:
        """Replace the blob unless it is newer; see the port."""
        stored = self._stored(self._container.get_blob_client(name))
        if stored.manifest > manifest:
            return False
        return self.save(name, content, etag=stored.etag, manifest=manifest)

    def _stored(self, blob: BlobClient) -> Derived:
        try:
            return _derived(None, blob.get_blob_properties())
        except AzureError as error:
            if is_absent(error):
                return Derived(content=None, etag=None, manifest=0)
            raise explained(error, "read", blob.url) from error

    def newest_lines(self, most: int) -> list[str]:
        """Read the end of the newest run logs; see the port."""
        try:
            blobs = list(self._container.list_blobs(name_starts_with=runs_prefix(self._scan)))
            lines: list[str] = []
            for blob in reversed(blobs):
                if len(lines) >= most:
                    break
                lines = [*self._tail(blob), *lines]
        except AzureError as error:
            raise explained(error, "read the run log in", self._container.url) from error
        return lines[-most:]

    def _tail(self, blob: BlobProperties) -> list[str]:
        size = int(blob.size or 0)
        if not size:
            return []
        begin = max(0, size - TAIL_BYTES)
        content: bytes = self._container.download_blob(blob.name, offset=begin).readall()
        lines = content.decode(errors="replace").split("\n")
        return [line for line in (lines[1:] if begin else lines) if line]


def _derived(content: bytes | None, properties: BlobProperties) -> Derived:
    said = (properties.metadata or {}).get(MANIFEST, "")
    manifest = int(said) if said.isdecimal() else 0
    return Derived(content=content, etag=properties.etag, manifest=manifest)
