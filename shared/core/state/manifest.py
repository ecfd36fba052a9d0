"""Manifests: the immutable record of one commit, each carrying the hash of the one before.

They are the proof (a chain over every block) and the readers' feed (`docs/formats.md`).
"""

from hashlib import sha256

import msgspec

from shared.core.api.blocks import span
from shared.core.intervals import Interval, Intervals
from shared.core.model import Axis, Block, Counts, Decision, Doubt, Head, Loss, Slice, Span
from shared.core.state import layout

VERSION = 1


class Requests(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The requests that scanned the slice.

    Attributes:
        count: number of requests; 0 if the manifest adopts a part that no run remembers.
        first: when the first was sent, by the run's time or by the `Date` of the first page,
            whichever is earlier; null if there is none.
        last: when the last answer arrived, by the run's time or by its `Date`, whichever is later;
            null if there is none.
    """

    count: int
    first: int | None
    last: int | None


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The committed blob of a slice's records.

    Attributes:
        name: name of the blob in the data container.
        size: number of bytes: the sum over its blocks.
        records: number of lines: the sum over its blocks.
        timestamp: smallest and largest event time; null if no record has one.
        created: smallest and largest ingestion time; null if no record has one.
        blocks: its blocks in order; the last is the trailer.
    """

    name: str
    size: int
    records: int
    timestamp: Span | None
    created: Span | None
    blocks: tuple[Block, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one commit proved, or which decision it states.

    Attributes:
        version: version of this format.
        number: place in the chain, from 1 without a gap.
        previous: SHA-256 of the previous manifest's bytes, in hex; null in number 1.
        scan: the scan's name.
        pass_name: why the slice was scanned; null for a decision.
        axis: the sort field by which time was cut.
        fingerprint: fingerprint of the filters and the sort field.
        origin: where the scan begins.
        epoch: epoch of the claim that committed the slice.
        made: the run's time when the commit was fixed, whether or not anything was asked for it.
        decision: the decision about the scan that this manifest states, which proves no time and
            has no part; null for a slice.
        start: first proven millisecond on the axis; null for a decision.
        end: first millisecond after the proven ones; null for a decision.
        requests: number of requests, with the times of the first and the last.
        part: the part; null if there were no records to store.
        counts: what happened to the records.
        lateness: number of late records by how late they were (keys as in the ledger).
        since: earliest ingestion time that a partial sweep asked for; null if it asked for
            everything.
        doubt: the intervals in doubt, within the bounds.
        lost: set if the interval is declared lost; it is then not covered.
        covers: the passes whose coverage grows by the interval; empty if it is declared lost.
        settled_until: nothing is added before this time any more.
        complete: for each pass, all coverage after this commit, from `settled_until` on.
        final: the time that no pass will look at again, from `settled_until` on, by the settings of
            the run that committed.
    """

    version: int
    number: int
    previous: str | None
    scan: str
    pass_name: str | None = msgspec.field(name="pass")
    axis: Axis
    fingerprint: str
    origin: int
    epoch: int
    made: int
    decision: Decision | None
    start: int | None
    end: int | None
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

    @property
    def bounds(self) -> Interval:
        """The proven interval; ask only for that of a slice."""
        if self.start is None or self.end is None:
            raise AssertionError("a decision proves no time")
        return self.start, self.end


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
    try:
        version = _versions.decode(content).version
        if version != VERSION:
            raise msgspec.ValidationError(
                f"it has format version {version}, and this program knows version {VERSION}: "
                "use a newer program"
            )
        manifest = _decoder.decode(content)
    except (UnicodeDecodeError, RecursionError) as error:  # No JSON, or nested too deep.
        raise msgspec.DecodeError(str(error)) from error
    absent = {it is None for it in (manifest.start, manifest.end, manifest.pass_name)}
    if absent != {manifest.decision is not None}:
        raise msgspec.ValidationError("it must state either a decision or the look at a slice")
    return manifest


def digest(content: bytes) -> str:
    """Return the hash by which the next manifest and the ledger name these bytes."""
    return sha256(content).hexdigest()


def following(head: Head, content: bytes) -> Head:
    """Return the chain's head once these bytes are the next manifest."""
    return Head(number=head.number + 1, sha256=digest(content))


class _Version(msgspec.Struct):
    """The field that a manifest of every version has, whatever else it holds."""

    version: int


_versions = msgspec.json.Decoder(_Version)
_decoder = msgspec.json.Decoder(Manifest)


def _joined(spans: list[Span | None]) -> Span | None:
    return span(edge for found in spans if found for edge in found)
