"""What the use case needs from outside. Each docstring is the contract.

Every adapter and every fake passes the same contract tests (`tests/contracts`). Adapters make no
decisions and do not wait for long: the storage and identity SDKs may retry for a few seconds, and
wait for at most half a minute if a server accepts a connection and stays silent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.core.model import Answer, Block, NoAnswer, PartBlob, Request, StoredPart
from shared.sharing import SharedBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedLedger:
    """The ledger as it is stored.

    Attributes:
        content: the bytes of the ledger; None when there is no ledger.
        etag: the ETag to save against; None when there is no ledger.
        date: the storage service's clock at the read, epoch ms; None when it did not say.
    """

    content: bytes | None
    etag: str | None
    date: int | None


class SignInUnavailable(Exception):
    """No token can be had at the moment, for a temporary reason."""


class Authorization(Protocol):
    """Makes the `Authorization` header for requests to the API. Thread-safe."""

    def header(self) -> str:
        """Return the header's value, signing in where needed.

        Raises:
            SourceRefused: signing in is refused.
            SignInUnavailable: signing in failed for a temporary reason.
        """
        ...

    def renew(self) -> bool:
        """Forget cached tokens; return False if the token is a fixed one."""
        ...


class ActivitySource(Protocol):
    """The Activities API. Thread-safe."""

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Send exactly one request and return what came back within `timeout` seconds in all.

        Redirects are not followed. Whatever the server does, the call returns soon after the
        timeout. A late, truncated or oversized answer is a `NoAnswer`, never half a body.

        Raises:
            SourceRefused: no token can be had, and trying again will not help.
        """
        ...

    def renew_token(self) -> bool:
        """Make the next request sign in again; return False if the token is a fixed one."""
        ...


class LedgerStore(Protocol):
    """One scan's ledger: a single blob, which only the reader of its last version can change."""

    def load(self) -> SavedLedger:
        """Return the ledger; a missing ledger is a value, not an error.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def save(self, content: bytes, *, etag: str | None) -> str:
        """Replace the version with this ETag (None: create, only if absent); return the new ETag.

        If a save is refused and the stored bytes are exactly those that were sent, it was this very
        save, answered late, and it succeeds. On return the bytes are durable.

        Raises:
            LedgerConflict: another version is stored.
            StoreUnavailable: storage cannot be reached or refuses; the save may have happened.
        """
        ...

    def put_in_quarantine(self, slot: int, content: bytes, *, metadata: Mapping[str, str]) -> None:
        """Keep an answer that made no sense, in place of what the slot held before.

        Args:
            slot: 0 to 99; the number of slots bounds what is kept.
            content: the answer's body, or its beginning.
            metadata: which request it answered; ASCII.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def append_run(self, line: str, *, now: int) -> None:
        """Append a report line to the day's run log; no run reads it back.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def report_lines(self) -> Iterator[str]:
        """Yield the stored report lines, the oldest first.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedScans:
    """The file that lists the scans of an app.

    Attributes:
        content: its bytes; None if they are those that the caller knows.
        etag: of this version.
        changed: when it was written, epoch ms.
    """

    content: bytes | None
    etag: str
    changed: int


class ScanListStore(Protocol):
    """The file that lists the scans of an app, and the version of it that is kept beside it."""

    def read(self, known: str | None) -> ListedScans | None:
        """Return the file, None when it or its container does not exist.

        Args:
            known: the ETag of the version that the caller has; None if it has none.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def kept(self) -> bytes | None:
        """Return the version that is kept, None when there is none.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def keep(self, content: bytes) -> None:
        """Keep this version in place of the one before.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses; it may have happened.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedBudget:
    """The request budget of an API host as it is stored.

    Attributes:
        content: its bytes; None if there is none yet.
        etag: the ETag to save against; None if there is none yet.
        modified: when it was saved, epoch ms by the storage service's clock; 0 if there is none.
        date: the storage service's clock at the read, epoch ms.
    """

    content: bytes | None
    etag: str | None
    modified: int
    date: int


class BudgetStore(Protocol):
    """The request budget of one API host: one blob, which only a reader of its version changes."""

    def load(self) -> SavedBudget:
        """Return the budget; its absence is a value.

        Raises:
            StoreUnavailable: storage cannot be reached, refuses, or does not say what time it is.
        """
        ...

    def save(self, content: bytes, *, etag: str | None) -> str | None:
        """Replace the version with this ETag (None: create, only if absent); return the new ETag.

        Return None if another version is stored. If exactly the bytes that were sent are stored, it
        was this very save, answered late, and it succeeds.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses; the save may have happened.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerVersion:
    """A version of the ledger that the storage service keeps.

    Attributes:
        id: the service's own id of it.
        saved: when it was saved, epoch ms.
        size: in bytes.
        is_current: whether it is the ledger as it is now.
    """

    id: str
    saved: int
    size: int
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """An answer that made no sense, as the quarantine keeps it.

    Attributes:
        slot: 0 to 99.
        kept: when it was kept, epoch ms.
        size: of what was kept of it, in bytes.
        run: id of the run that received it; empty where the metadata are lost.
        slice: bounds of the slice that it was for; empty where the metadata are lost.
        fault: what was wrong with it; empty where the metadata are lost.
    """

    slot: int
    kept: int
    size: int
    run: str
    slice: str
    fault: str


class StateArchive(Protocol):
    """What the state container keeps of one scan for people; no run reads it."""

    def versions(self) -> list[LedgerVersion]:
        """Return every version of the ledger, the newest first; none if the account keeps none.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def version(self, version: str) -> bytes | None:
        """Return the bytes of the version with this id, None when it is gone.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def kept_answers(self) -> list[KeptAnswer]:
        """Return what the quarantine holds, the newest first.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def kept_answer(self, slot: int) -> bytes | None:
        """Return the bytes in a slot of the quarantine, None when it is empty.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Something derived from the manifests, as it is stored.

    Attributes:
        content: its bytes, None when it is not there.
        etag: to save against, None when it is not there.
        manifest: number of the newest manifest that is in it; 0 when it does not say.
    """

    content: bytes | None
    etag: str | None
    manifest: int


class DerivedStore(Protocol):
    """What is derived from one scan's manifests and kept beside its ledger; never its state."""

    def read(self, name: str) -> Derived:
        """Return a derived blob; its absence is a value.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def save(self, name: str, content: bytes, *, etag: str | None, manifest: int) -> bool:
        """Replace the version with this ETag (None: create); False when another is stored.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses; the save may have happened.
        """
        ...

    def publish(self, name: str, content: bytes, *, manifest: int) -> bool:
        """Replace what is stored, unless that has a newer manifest; False when it stays.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses; it may have happened.
        """
        ...

    def newest_lines(self, most: int) -> list[str]:
        """Return the newest report lines of the run log, the oldest of them first.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...


class ResultStore(Protocol):
    """One scan's parts and manifests: written once, never changed. Thread-safe."""

    def is_empty(self) -> bool:
        """Say whether the scan has neither a part nor a manifest. Folders do not count."""
        ...

    def stage_block(self, part: str, block: Block, content: bytes) -> None:
        """Stage a block of a part, invisible to readers; staging it again changes nothing.

        Raises:
            PartUnreadable: a blob of this name is in the way, such as an archived one.
            StoreUnavailable: storage cannot be reached or refuses; the block may be staged.
        """
        ...

    def has_staged(self, part: str, blocks: Sequence[Block]) -> bool:
        """Say whether all these blocks are staged, uncommitted, with their sizes."""
        ...

    def commit_part(
        self, part: str, blocks: Sequence[Block], *, metadata: Mapping[str, str]
    ) -> None:
        """Make the part appear, whole: these blocks in this order.

        Create-only. If the part exists with exactly these blocks, it was this very commit.

        Raises:
            BlocksLost: the part does not exist and the service no longer has all the blocks.
            StoreConflict: the part exists with other blocks.
            StoreUnavailable: storage cannot be reached or refuses; it may have happened.
        """
        ...

    def put_manifest(self, number: int, content: bytes) -> None:
        """Write a manifest. Create-only. If it exists with these bytes, it was this very put.

        Raises:
            StoreConflict: it exists with other bytes.
            StoreUnavailable: storage cannot be reached or refuses; it may have happened.
        """
        ...

    def parts_of(self, hour: int) -> Sequence[StoredPart]:
        """Return the committed parts whose slice starts in the UTC hour of this instant.

        What they may hold follows from their names (`layout.stored_parts`); blobs with other
        names, and folders, are left out.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def blocks_of(self, part: str) -> Sequence[tuple[str, int]]:
        """Return id and size of each committed block of a part, in order.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def part(self, name: str) -> bytes:
        """Return a part's bytes, compressed as stored.

        Raises:
            PartUnreadable: there is none of this name, or the service refuses to read it for a
                reason of its own, such as its tier, a lease or an encryption key.
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def manifest(self, number: int) -> bytes | None:
        """Return a manifest's bytes, None when it does not exist."""
        ...


class ResultArchive(ResultStore, Protocol):
    """All of one scan's parts and manifests, for verifying and rebuilding, not for scanning."""

    def all_manifests(self) -> Iterator[int]:
        """Yield the number of every manifest that exists, ascending.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def all_parts(self) -> Iterator[PartBlob]:
        """Yield every blob under the scan's prefix in the data container, sorted by name.

        Folders, which some accounts list among the blobs, are left out.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Something that was tried with storage.

    Attributes:
        name: what was tried, and where.
        problem: what went wrong and what to do about it; None if nothing did.
        is_needed: whether the scan needs it.
    """

    name: str
    problem: str | None
    is_needed: bool = True


class StorageTrials(Protocol):
    """What the scan does with storage, tried on blobs that no run, reader or check sees."""

    def trials(self) -> Iterator[Trial]:
        """Try one thing after the other, and yield how it went; nothing is raised."""
        ...


class Clock(Protocol):
    """Time. The only source of it."""

    def now(self) -> int:
        """Return the local wall clock in epoch milliseconds; it may be wrong and may jump."""
        ...

    def elapsed(self) -> int:
        """Return milliseconds on a clock that never jumps; only differences mean anything."""
        ...

    def sleep(self, milliseconds: int) -> None:
        """Wait."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a scan works with. There is a `budget` only if several scans share one."""

    source: ActivitySource
    ledgers: LedgerStore
    results: ResultStore
    clock: Clock
    budget: SharedBudget | None = None
