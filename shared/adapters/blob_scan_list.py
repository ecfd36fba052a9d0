"""The file that lists the scans of an app, in its state container."""

from datetime import datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import ContainerClient

from shared.adapters.blob_storage import JSON
from shared.adapters.storage_errors import error_code, explained, is_absent
from shared.core.state.layout import SCAN_LIST, SCAN_LIST_KEPT
from shared.ports import ListedScans

HTTP_NOT_MODIFIED = 304


class BlobScanList:
    """The `ScanListStore` in the state container."""

    def __init__(self, container: ContainerClient) -> None:
        """Use the app's state container."""
        self._file = container.get_blob_client(SCAN_LIST)
        self._kept = container.get_blob_client(SCAN_LIST_KEPT)

    def read(self, known: str | None) -> ListedScans | None:
        """Read the file if it is another version; see the port."""
        condition: dict[str, Any] = {}
        if known is not None:
            condition = {"match_condition": MatchConditions.IfModified, "etag": known}
        try:
            reading = self._file.download_blob(**condition)
            content: bytes = reading.readall()
        except AzureError as error:
            if known is not None and _is_unchanged(error):
                return ListedScans(content=None, etag=known, changed=0)
            if _is_absent(error):
                return None
            raise explained(error, "read", self._file.url) from error
        changed = reading.properties.last_modified
        return ListedScans(content=content, etag=reading.properties.etag, changed=_ms(changed))

    def kept(self) -> bytes | None:
        """Read the version that is kept; see the port."""
        try:
            content: bytes = self._kept.download_blob().readall()
        except AzureError as error:
            if _is_absent(error):
                return None
            raise explained(error, "read", self._kept.url) from error
        return content

    def keep(self, content: bytes) -> None:
        """Keep a version; see the port."""
        try:
            self._kept.upload_blob(content, overwrite=True, content_settings=JSON)
        except AzureError as error:
            raise explained(error, "write", self._kept.url) from error


def _is_absent(error: AzureError) -> bool:
    """Say whether the blob does not exist. Nor need its container, if every scan has its own."""
    return is_absent(error) or error_code(error) == "ContainerNotFound"


def _is_unchanged(error: AzureError) -> bool:
    return isinstance(error, HttpResponseError) and error.status_code == HTTP_NOT_MODIFIED


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
