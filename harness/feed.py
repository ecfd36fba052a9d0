"""A reader of the feed, written from `docs/formats.md` alone.

The demo and the tests use it to read what the function wrote. It shares no code with the scan, so
that the two can disagree.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient


class FeedError(Exception):
    """The feed contradicts itself; the message explains where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One manifest and its records.

    Attributes:
        manifest: the parsed manifest.
        lines: the bytes of the records, in order; empty if the slice had none.
    """

    manifest: dict[str, Any]
    lines: tuple[bytes, ...]


class Feed:
    """The manifests and parts of one scan in a storage account."""

    def __init__(self, connection_string: str, scan: str = "all") -> None:
        """Open the containers with their default names."""
        service = BlobServiceClient.from_connection_string(connection_string)
        self.data = service.get_container_client("activities")
        self.manifests = service.get_container_client("manifests")
        self.state = service.get_container_client("scan-state")
        self.scan = scan

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Yield every entry after a number: ask for the next one until there is none.

        Raises:
            FeedError: a manifest does not follow from the previous one, or a part differs from its
                manifest.
        """
        number = after + 1
        previous = self._digest_of(after) if after else None
        while (content := _blob(self.manifests, self._name(number))) is not None:
            manifest = json.loads(content)
            if (manifest["number"], manifest["previous"]) != (number, previous):
                raise FeedError(f"manifest {number} does not follow from the previous one")
            yield Entry(manifest=manifest, lines=tuple(self._lines(manifest["part"])))
            previous = hashlib.sha256(content).hexdigest()
            number += 1

    def ledger(self) -> dict[str, Any]:
        """Return the scan's parsed ledger."""
        content = _blob(self.state, f"scan={self.scan}/ledger.json")
        if content is None:
            raise FeedError(f"scan {self.scan!r} has no ledger")
        ledger: dict[str, Any] = json.loads(content)
        return ledger

    def _name(self, number: int) -> str:
        return f"scan={self.scan}/{number:011}.json"

    def _digest_of(self, number: int) -> str:
        content = _blob(self.manifests, self._name(number))
        if content is None:
            raise FeedError(f"there is no manifest {number} to continue from")
        return hashlib.sha256(content).hexdigest()

    def _lines(self, part: dict[str, Any] | None) -> list[bytes]:
        if part is None:
            return []
        content = _blob(self.data, part["name"])
        if content is None:
            raise FeedError(f"part {part['name']} is missing")
        at = 0
        for block in part["blocks"]:
            piece = content[at : at + block["size"]]
            if hashlib.sha256(piece).hexdigest() != block["sha256"]:
                raise FeedError(f"block {block['id']} of part {part['name']} has other bytes")
            at += block["size"]
        lines = gzip.decompress(content).splitlines()
        if (at, len(lines)) != (len(content), part["records"]):
            raise FeedError(f"part {part['name']} holds more or less than its manifest says")
        return lines


def _blob(container: ContainerClient, name: str) -> bytes | None:
    try:
        content: bytes = container.download_blob(name).readall()
    except ResourceNotFoundError:
        return None
    return content
