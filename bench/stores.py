"""The scan's storage in memory. The simulated machine may kill a run before or after a write."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from shared.core.errors import BlocksLost, LedgerConflict, PartUnreadable, StoreConflict
from shared.core.model import Block, StoredPart
from shared.core.state.layout import hour_prefix
from shared.ports import SavedLedger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.machine import Machine


class Ledgers:
    """The `LedgerStore` in memory."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.content: bytes | None = None
        self.version = 0

    def load(self) -> SavedLedger:
        """Return the ledger."""
        etag = None if self.content is None else str(self.version)
        return SavedLedger(content=self.content, etag=etag, date=None)

    def save(self, content: bytes, *, etag: str | None) -> str:
        """Replace the ledger if it is the version that was read."""
        self.machine.before()
        if self.load().etag != etag:
            message = "saved by another run"
            raise LedgerConflict(message)
        self.content, self.version = content, self.version + 1
        self.machine.after()
        return str(self.version)

    def report_lines(self) -> Iterator[str]:
        """Yield nothing, since no lines are kept."""
        yield from ()

    def append_run(self, line: str, *, now: int) -> None:
        """Keep nothing, since nobody reads it here."""

    def put_in_quarantine(self, slot: int, content: bytes, *, metadata: Mapping[str, str]) -> None:
        """Keep nothing, since nobody reads it here."""

    def declared(self) -> list[tuple[int, int]]:
        """Return the intervals that the ledger declares lost or in doubt."""
        value: dict[str, Any] = json.loads(self.content or b"{}")
        found = [*value.get("lost", []), *value.get("doubt", [])]
        return [(item["start"], item["end"]) for item in found]


class Results:
    """The `ResultStore` in memory."""

    def __init__(self, machine: Machine, scan: str) -> None:
        self.machine = machine
        self.scan = scan
        self.parts: dict[str, bytes] = {}
        self.metadata: dict[str, Mapping[str, str]] = {}
        self.manifests: dict[int, bytes] = {}
        self._lists: dict[str, list[tuple[str, int]]] = {}
        self._hours: dict[str, list[StoredPart]] = {}
        self._staged: dict[str, dict[str, bytes]] = {}

    def is_empty(self) -> bool:
        """Return whether there is neither a part nor a manifest."""
        return not self.parts and not self.manifests

    def stage_block(self, part: str, block: Block, content: bytes) -> None:
        """Keep a block, invisible to readers."""
        self.machine.before()
        self._staged.setdefault(part, {})[block.id] = content
        self.machine.after()

    def has_staged(self, part: str, blocks: Sequence[Block]) -> bool:
        """Return whether all blocks are staged with their sizes."""
        staged = self._staged.get(part, {})
        return all(len(staged.get(block.id, b"")) == block.size for block in blocks)

    def commit_part(
        self, part: str, blocks: Sequence[Block], *, metadata: Mapping[str, str]
    ) -> None:
        """Make the part appear."""
        self.machine.before()
        self._commit(part, [(block.id, block.size) for block in blocks], metadata)
        self.machine.after()

    def _commit(
        self, part: str, blocks: list[tuple[str, int]], metadata: Mapping[str, str]
    ) -> None:
        if part in self.parts:
            if self._lists[part] != blocks:
                message = f"part {part} exists with other blocks"
                raise StoreConflict(message)
            return
        staged = self._staged.pop(part, {})
        if not {block_id for block_id, _ in blocks} <= set(staged):
            message = f"blocks of {part} are gone"
            raise BlocksLost(message)
        content = b"".join(staged[block_id] for block_id, _ in blocks)
        start, end = int(metadata["start"]), int(metadata["end"])
        self.parts[part], self._lists[part], self.metadata[part] = content, blocks, metadata
        stored = StoredPart(name=part, size=len(content), start=start, end=end)
        self._hours.setdefault(hour_prefix(self.scan, start), []).append(stored)

    def put_manifest(self, number: int, content: bytes) -> None:
        """Write a manifest once."""
        self.machine.before()
        if self.manifests.setdefault(number, content) != content:
            message = f"manifest {number} exists with other bytes"
            raise StoreConflict(message)
        self.machine.after()

    def parts_of(self, hour: int) -> tuple[StoredPart, ...]:
        """Return the parts of an hour."""
        return tuple(self._hours.get(hour_prefix(self.scan, hour), ()))

    def blocks_of(self, part: str) -> list[tuple[str, int]]:
        """Return the ids and sizes of a part's blocks."""
        return self._lists[part]

    def part(self, name: str) -> bytes:
        """Return a part's bytes."""
        if name not in self.parts:
            message = f"part {name} is gone"
            raise PartUnreadable(message)
        return self.parts[name]

    def manifest(self, number: int) -> bytes | None:
        """Return a manifest."""
        return self.manifests.get(number)

    def identifiers(self) -> Iterator[str]:
        """Yield the `_id` of every record that readers see."""
        for content in self.parts.values():
            for line in gzip.decompress(content).splitlines():
                yield json.loads(line)["_id"]
