"""Manifests: the immutable record of one finished slice, each carrying the hash of the last.

They are the proof (a chain over every block) and the readers' feed (`docs/formats.md`).
"""

from hashlib import sha256

import msgspec

from shared.core.api.blocks import span
from shared.core.intervals import Intervals
from shared.core.model import Axis, Block, Counts, Doubt, Head, Loss, Slice, Span
from shared.core.state import layout

VERSION = 1


class Requests(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The requests that scanned the slice.

    Attributes:
        count: how many; 0 when a manifest adopts a part that no run remembers.
        first: when the first was sent, by the run's time or by the `Date` of the first page,
            whichever is earlier; null when there is none.
        last: when the last answer arrived, by the run's time or by its `Date`, whichever is later;
            null when there is none.
    """

    count: int
    first: int | None
    last: int | None


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The committed blob of a slice's records.

    Attributes:
        name: within the data container.
        size: bytes, the sum of its blocks.
        records: lines, the sum of its blocks.
        timestamp: smallest and largest event time, null when no record has one.
        created: smallest and largest ingestion time, null when no record has one.
        blocks: in order; the last is the trailer.
    """

    name: str
    size: int
    records: int
    timestamp: Span | None
    created: Span | None
    blocks: tuple[Block, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one commit proved.

    Attributes:
        version: of this format.
        number: place in the chain, from 1 without a gap.
        previous: SHA-256 (hex) of the bytes of the manifest before; null in number 1.
        scan: the scan's name.
        pass_name: why the slice was scanned.
        axis: the sort field by which it was cut.
        fingerprint: of the filters and sort field.
        origin: where the scan begins.
        epoch: of the claim that committed it.
        start: first proven millisecond on the axis.
        end: first millisecond after the proven ones.
        requests: that it took.
        part: null when the slice held no records.
        counts: what happened to its records.
        lateness: how many late records it found, by how late they are (as in the ledger).
        since: when the sweep asked only for what was ingested from then on; null for all.
        doubt: what the API contradicted itself about, inside the bounds.
        lost: set when the interval is declared lost; coverage then does not hold it.
        covers: the passes whose coverage grows by the interval; empty when it is declared lost.
        settled_until: nothing is added to earlier time any more.
        complete: per pass, all coverage after this commit, from `settled_until` on.
        final: what no pass will look at again, from `settled_until` on, by the settings of the run
            that committed.
    """

    version: int
    number: int
    previous: str | None
    scan: str
    pass_name: str = msgspec.field(name="pass")
    axis: Axis
    fingerprint: str
    origin: int
    epoch: int
    start: int
    end: int
    requests: Requests
    part: Part | None
    counts: Counts
    lateness: dict[str, int]
    since: int | None
    doubt: tuple[Doubt, ...]
    lost: Loss | None
    covers: tuple[str, ...]
    settled_until: int
    complete: dict[str, Intervals]
    final: Intervals


def part_of(scan: str, piece: Slice) -> Part | None:
    """Return the part that the slice's blocks make, None when there are none."""
    if not piece.blocks:
        return None
    blocks = piece.blocks
    return Part(
        name=layout.part_name(scan, piece),
        size=sum(block.size for block in blocks),
        records=sum(block.records for block in blocks),
        timestamp=_joined([block.timestamp for block in blocks]),
        created=_joined([block.created for block in blocks]),
        blocks=blocks,
    )


def encode(manifest: Manifest) -> bytes:
    """Return the manifest's bytes; equal manifests give equal bytes."""
    return msgspec.json.encode(manifest) + b"\n"


def decode(content: bytes) -> Manifest:
    """Return the manifest in these bytes.

    Raises:
        msgspec.DecodeError: they are none, or hold what this version does not know.
    """
    manifest = _decoder.decode(content)
    if manifest.version != VERSION:
        raise msgspec.ValidationError(
            f"it has format version {manifest.version}, and this program knows version {VERSION}"
        )
    return manifest


def digest(content: bytes) -> str:
    """Return the hash by which the next manifest and the ledger name these bytes."""
    return sha256(content).hexdigest()


def following(head: Head, content: bytes) -> Head:
    """Return the chain's head once these bytes are the next manifest."""
    return Head(number=head.number + 1, sha256=digest(content))


_decoder = msgspec.json.Decoder(Manifest)


def _joined(spans: list[Span | None]) -> Span | None:
    return span(edge for found in spans if found for edge in found)
