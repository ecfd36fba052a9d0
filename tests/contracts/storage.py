"""The stores that the contract suites run on, each with a way to act behind its back.

A suite talks to the store through its port. What it must do behind the store's back (plant a
foreign blob, see what readers see) is a method here: on Azurite through the storage SDK, on a
fake through its attributes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol
from zlib import crc32

from azure.core.credentials import TokenCredential
from azure.storage.blob import ContainerClient

from shared.access import Secret, StorageSettings
from shared.adapters.blob_ledger import BlobLedgerStore
from shared.adapters.blob_results import BlobResultStore
from shared.adapters.blob_storage import Containers, make_missing, open_containers
from shared.core.api.block_ids import block_id
from shared.core.model import Block
from shared.core.state.layout import ledger_name, manifest_name
from shared.ports import LedgerStore, ResultArchive, ResultStore
from tests.fakes import NOW, InMemoryLedger, InMemoryResults

SCAN = "all"
PART = "scan=all/date=2026-11-23/hour=05/20261123T050500000Z-20261123T051000000Z.first.jsonl.gz"


class LedgerPlace(Protocol):
    """A ledger store and the storage behind it."""

    @property
    def store(self) -> LedgerStore:
        """The store under test."""
        ...

    def another(self) -> LedgerStore:
        """Return the same ledger as another process opens it."""
        ...

    def remove(self) -> None:
        """Delete the ledger behind the store's back."""
        ...

    def runs(self) -> list[str]:
        """Return all report lines, the oldest day first."""
        ...

    def kept(self) -> dict[int, tuple[bytes, dict[str, str]]]:
        """Return the kept answers with their metadata, by slot."""
        ...


class ResultPlace(Protocol):
    """A result store and the storage behind it."""

    @property
    def store(self) -> ResultArchive:
        """The store under test."""
        ...

    def of_another_scan(self) -> ResultStore:
        """Return the store of another scan in the same storage."""
        ...

    def parts(self) -> dict[str, bytes]:
        """Return the parts that a reader's listing shows, with their bytes."""
        ...

    def metadata(self, part: str) -> dict[str, str]:
        """Return a part's metadata."""
        ...

    def plant_manifest(self, number: int, content: bytes) -> None:
        """Write a manifest behind the store's back."""
        ...

    def plant_part(self, part: str, content: bytes, metadata: dict[str, str] | None = None) -> None:
        """Upload a part in one piece, without blocks, behind the store's back."""
        ...

    def delete_parts(self) -> None:
        """Delete all parts, and leave the folders that they were in."""
        ...


@dataclass(frozen=True, slots=True)
class FakeLedger:
    """The fake, accessed through its attributes."""

    store: InMemoryLedger

    def another(self) -> LedgerStore:
        """Return the fake itself, as it holds nothing per process."""
        return self.store

    def remove(self) -> None:
        """Forget the content."""
        self.store.content = None

    def runs(self) -> list[str]:
        """Return what it kept."""
        return self.store.runs

    def kept(self) -> dict[int, tuple[bytes, dict[str, str]]]:
        """Return what it kept."""
        return self.store.quarantine


@dataclass(frozen=True, slots=True)
class AzuriteLedger:
    """The adapter, accessed through its container."""

    store: BlobLedgerStore
    state: ContainerClient

    def another(self) -> LedgerStore:
        """Return a second adapter on the same blob."""
        return BlobLedgerStore(self.state, SCAN)

    def remove(self) -> None:
        """Delete the blob."""
        self.state.delete_blob(ledger_name(SCAN))

    def runs(self) -> list[str]:
        """Return the lines of all run logs, by name."""
        logs = contents(self.state, f"scan={SCAN}/runs/")
        return [line for name in sorted(logs) for line in logs[name].decode().split("\n") if line]

    def kept(self) -> dict[int, tuple[bytes, dict[str, str]]]:
        """Return the blobs of the quarantine."""
        found = {}
        for name, content in contents(self.state, f"scan={SCAN}/quarantine/").items():
            properties = self.state.get_blob_client(name).get_blob_properties()
            found[int(name.rpartition("/")[2])] = (content, dict(properties.metadata or {}))
        return found


@dataclass(frozen=True, slots=True)
class FakeResults:
    """The fake, accessed through its attributes."""

    store: InMemoryResults

    def of_another_scan(self) -> ResultStore:
        """Return a separate fake: one fake holds one scan."""
        return InMemoryResults()

    def parts(self) -> dict[str, bytes]:
        """Return what the fake shows to readers."""
        return self.store.parts

    def metadata(self, part: str) -> dict[str, str]:
        """Return what the commit set."""
        return self.store.metadata[part]

    def plant_manifest(self, number: int, content: bytes) -> None:
        """Set it."""
        self.store.manifests[number] = content

    def plant_part(self, part: str, content: bytes, metadata: dict[str, str] | None = None) -> None:
        """Set it, with a block list that no commit asks for."""
        self.store.parts[part] = content
        self.store.lists[part] = []
        self.store.metadata[part] = metadata or {}

    def delete_parts(self) -> None:
        """Forget the parts."""
        self.store.listing()
        self.store.parts.clear()


@dataclass(frozen=True, slots=True)
class AzuriteResults:
    """The adapter, accessed through its containers."""

    store: BlobResultStore
    data: ContainerClient
    manifests: ContainerClient

    def of_another_scan(self) -> ResultStore:
        """Return an adapter in the same containers, whose name begins with this scan's."""
        return BlobResultStore(self.data, self.manifests, f"{SCAN}-2")

    def parts(self) -> dict[str, bytes]:
        """List and download."""
        return contents(self.data)

    def metadata(self, part: str) -> dict[str, str]:
        """Read the blob's properties."""
        return dict(self.data.get_blob_client(part).get_blob_properties().metadata or {})

    def plant_manifest(self, number: int, content: bytes) -> None:
        """Upload it."""
        self.manifests.upload_blob(manifest_name(SCAN, number), content)

    def plant_part(self, part: str, content: bytes, metadata: dict[str, str] | None = None) -> None:
        """Upload it."""
        self.data.upload_blob(part, content, metadata=metadata)

    def delete_parts(self) -> None:
        """Delete the blobs, once they have been listed."""
        list(self.store.all_parts())
        for name in list(self.data.list_blob_names()):
            self.data.delete_blob(name)


def contents(container: ContainerClient, prefix: str = "") -> dict[str, bytes]:
    """Return all blobs that a listing shows, with their bytes."""
    names = list(container.list_blob_names(name_starts_with=prefix))
    return {name: container.download_blob(name).readall() for name in names}


def fake_ledger() -> FakeLedger:
    """Return an empty fake whose storage states the time."""
    return FakeLedger(InMemoryLedger(date=lambda: NOW))


def opened(environ: dict[str, str], *, make: bool = True) -> Containers:
    """Return the containers of these settings, created unless they are to be missing."""
    storage = StorageSettings(
        account_url=None,
        connection_string=Secret(environ["STORAGE_CONNECTION_STRING"]),
        data=environ["STORAGE_DATA_CONTAINER"],
        manifests=environ["STORAGE_MANIFEST_CONTAINER"],
        state=environ["STORAGE_STATE_CONTAINER"],
    )
    containers = open_containers(storage, _no_credential)
    if make:
        make_missing(containers)
    return containers


def _no_credential() -> TokenCredential:
    raise AssertionError("a connection string needs no credential")


def block(content: bytes, *, number: int = 1, epoch: int = 1) -> Block:
    """Return the block that holds this content."""
    digest = sha256(content).hexdigest()
    return Block(
        id=block_id(epoch, number, digest),
        size=len(content),
        records=1,
        sha256=digest,
        raw=len(content),
        crc32=crc32(content),
        timestamp=None,
        created=None,
    )


def stage(store: ResultStore, *pages: bytes, part: str = PART, epoch: int = 1) -> list[Block]:
    """Stage pages as a part's blocks and return the block list."""
    blocks = [block(page, number=at, epoch=epoch) for at, page in enumerate(pages, start=1)]
    for staged, page in zip(blocks, pages, strict=True):
        store.stage_block(part, staged, page)
    return blocks


BOUNDS = {"start": "1795410300000", "end": "1795410600000"}
"""The bounds of `PART` as its metadata states them."""


def commit(store: ResultStore, blocks: Sequence[Block], part: str = PART) -> None:
    """Commit blocks with some metadata."""
    store.commit_part(part, blocks, metadata={"records": str(len(blocks)), **BOUNDS})
