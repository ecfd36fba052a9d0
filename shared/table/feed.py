"""Reading a scan's feed: manifest after manifest, and their records, each checked before use."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from shared.core.api.packing import Unpackable, unpack_block
from shared.core.api.records import Malformed, Record, read_line
from shared.core.errors import FeedBroken
from shared.core.model import Block
from shared.core.state import manifest as manifests
from shared.core.state.manifest import Manifest, Part
from shared.table.ports import FeedStore

START_OVER = "see docs/table.md, starting over"


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed of one scan."""

    store: FeedStore
    scan: str

    def after(self, number: int) -> Iterator[Manifest]:
        """Yield every manifest after this one, each of which names the one before it.

        Raises:
            FeedBroken: one is missing although a later one exists, or is not what it should be.
            StoreUnavailable: storage cannot be reached or refuses.
        """
        known = self.store.manifest(number) if number else None
        before = None if known is None else manifests.digest(known)
        while (content := self._next(number)) is not None:
            number += 1
            yield self._read(number, content, before)
            before = manifests.digest(content)

    def known(self, number: int) -> Manifest | None:
        """Return a manifest that was read before, None if it no longer exists.

        Raises:
            FeedBroken: it is not what it should be.
            StoreUnavailable: storage cannot be reached or refuses.
        """
        content = self.store.manifest(number)
        return None if content is None else self._read(number, content, None)

    def batches(self, manifest: Manifest) -> Iterator[list[Record]]:
        """Yield a manifest's records, block by block.

        Raises:
            FeedBroken: the part is not what the manifest says.
            PartUnreadable: the part is gone, or cannot be read.
            StoreUnavailable: storage cannot be reached or refuses.
        """
        if manifest.part is None:
            return
        start = 0
        for place, block in enumerate(manifest.part.blocks[:-1]):
            content = self.store.block(manifest.part.name, start, block.size)
            yield _records(manifest.part, block, content, opens_part=place == 0)
            start += block.size

    def _next(self, number: int) -> bytes | None:
        """Return the manifest after this one, None at the end of the feed."""
        content = self.store.manifest(number + 1)
        if content is not None:
            return content
        later = self.store.first_from(number + 1)
        if later is None:
            return None
        # It may have been written between the two looks.
        content = self.store.manifest(number + 1)
        if content is not None:
            return content
        raise FeedBroken(
            f"the feed of scan {self.scan} has a gap: manifest {number + 1} does not exist, but "
            f"manifest {later} does. Restore it, or begin with what is left: {START_OVER}"
        )

    def _read(self, number: int, content: bytes, before: str | None) -> Manifest:
        """Return a manifest that continues the chain."""
        try:
            manifest = manifests.decode(content)
        except msgspec.DecodeError as error:
            raise FeedBroken(
                f"manifest {number} of scan {self.scan} cannot be read: {error}. If a newer "
                "program wrote it, update this one; otherwise restore it"
            ) from error
        if (manifest.scan, manifest.number) != (self.scan, number):
            raise FeedBroken(
                f"manifest {number} of scan {self.scan} says that it is manifest {manifest.number} "
                f"of scan {manifest.scan}: it was altered or copied. Restore it"
            )
        if before is not None and manifest.previous != before:
            raise FeedBroken(
                f"manifest {number} of scan {self.scan} does not follow the manifest before it: "
                "one of the two was replaced. `python -m shared verify` says more"
            )
        return manifest


def _records(part: Part, block: Block, content: bytes, *, opens_part: bool) -> list[Record]:
    """Return the records of a block whose bytes are as its manifest says."""
    if sha256(content).hexdigest() != block.sha256:
        raise FeedBroken(f"part {part.name} has other bytes than its manifest says: restore it")
    try:
        lines = unpack_block(content, opens_part=opens_part).split(b"\n")[:-1]
        return [read_line(line) for line in lines]
    except (Unpackable, Malformed) as error:
        raise FeedBroken(f"part {part.name} cannot be unpacked: {error}") from error
