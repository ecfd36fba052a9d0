"""Recreating a lost ledger from the manifests alone.

Coverage, losses, doubt and counts of parts follow from the manifests. Open slices are lost with the
ledger, so their time is due again. If no manifest lists a part, a commit was interrupted, and the
new ledger finishes that commit.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from shared.core.api.blocks import encode_trailer, read_block, span, stored_records
from shared.core.api.records import Malformed
from shared.core.errors import NotRebuildable
from shared.core.intervals import Interval
from shared.core.model import (
    HOUR_MS,
    Axis,
    Block,
    Counts,
    Doubt,
    Ledger,
    PartBlob,
    Policy,
    Slice,
)
from shared.core.passes import PARTIAL, is_partial
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import committing
from shared.core.state import ledger as ledgers
from shared.core.state.layout import read_part_name
from shared.core.state.manifest import Manifest
from shared.core.state.proof import nothing_proven, with_proof

EPOCHS_SKIPPED = 1_000
"""How far the epoch moves on: the lost ledger may have been claimed since its last manifest."""

ADOPTED = "adopted: the ledger was lost while this part was being committed"

change = msgspec.structs.replace


class Rebuilding:
    """Takes in the manifests in order, and builds the ledger that they prove."""

    def __init__(self, policy: Policy, now: int) -> None:
        """Begin with the ledger of a scan that has done nothing."""
        self.policy = policy
        self.ledger = ledgers.begin(policy, now)
        self.epoch = 0

    def take(self, manifest: Manifest, content: bytes) -> None:
        """Take in the next manifest, already checked against the one before."""
        before = self.ledger
        self.epoch = max(self.epoch, manifest.epoch)
        if not before.head.number:
            before = with_proof(before, nothing_proven(manifest.origin))
        self.ledger = change(
            committing.extended(before, manifest, content),
            axis=manifest.axis,
            fingerprint=manifest.fingerprint,
            origin=manifest.origin,
            epoch=self.epoch + EPOCHS_SKIPPED,
        )

    def begin_at(self, origin: int) -> None:
        """Let the scan begin there, because no manifest states its origin."""
        self.ledger = change(with_proof(self.ledger, nothing_proven(origin)), origin=origin)

    def adopt(self, blob: PartBlob, blocks: Sequence[tuple[str, int]], content: bytes) -> None:
        """Let the next run finish the commit of a part that no manifest lists.

        Raises:
            NotRebuildable: the blob is not the part of such a commit.
        """
        piece = _slice_of(blob, blocks, content, self.policy)
        start, end = _proven(blob, piece, self.policy)
        doubted = change(piece, doubt=(Doubt(start=start, end=end, reason=ADOPTED),))
        finished = Finished(slice=doubted, start=start, end=end)
        self.ledger = committing.after_transition(
            self.ledger, doubted, Transition(finished=finished), self.policy
        )


def likely_origin(ledger: Ledger, parts: Iterable[PartBlob], report_lines: Iterable[str]) -> int:
    """Return where a scan begins that has lost its ledger before its first manifest.

    The first run may have been long ago, and the lookback may have become shorter since. The true
    origin is no later than the start of the part that was being committed, minus the lookback, and
    no later than `covered_until` in the first report line. If the scan begins too early, it scans
    more time than necessary; if it began too late, it would lose some.

    Args:
        ledger: the ledger of a scan that begins now.
        parts: the parts that exist.
        report_lines: report lines, oldest first.
    """
    named = [read_part_name(ledger.scan, part.name) for part in parts]
    scanned = [said.start - ledger.lookback for said in named if said]
    reported = next((it for line in report_lines if (it := _covered_until(line))), ledger.origin)
    return min([ledger.origin, reported, *scanned]) // HOUR_MS * HOUR_MS


class _Reported(msgspec.Struct):
    covered_until: int = 0


def _covered_until(line: str) -> int:
    """Return `covered_until` of a report line; 0 if it has none."""
    try:
        return msgspec.json.decode(line, type=_Reported).covered_until
    except msgspec.MsgspecError:
        return 0


def _slice_of(
    blob: PartBlob, blocks: Sequence[tuple[str, int]], content: bytes, policy: Policy
) -> Slice:
    """Return the finished slice of a part, from its name and its bytes."""
    said = read_part_name(policy.scan, blob.name)
    if said is None:
        raise NotRebuildable(
            f"blob {blob.name} does not have the name of a part of this scan: move it elsewhere"
        )
    made = _blocks(blob.name, blocks, content)
    ingested = span(edge for block in made if block.created for edge in block.created)
    return Slice(
        start=said.start,
        end=said.end,
        pass_name=said.look.removesuffix(PARTIAL),
        since=(ingested[0] if ingested else 0) if is_partial(said.look) else None,
        direction=policy.direction,
        limit=policy.limit,
        cursor=said.start,
        blocks=made,
        counts=Counts(
            records=sum(block.records for block in made),
            unplaced=_unplaced(content, policy.axis),
        ),
    )


def _unplaced(content: bytes, axis: Axis) -> int:
    """Return how many records of a sound part have no position on the axis."""
    return sum(record.on(axis) is None for record in stored_records(content))


def _proven(blob: PartBlob, piece: Slice, policy: Policy) -> Interval:
    """Return the interval that the part of an interrupted commit proves, within its slice.

    Its metadata state the interval. If a copy has lost them, it is the stretch between its first
    and its last record, which is proven in either direction; the rest of the slice is scanned
    again. Metadata that leave out a record are wrong, since the record would be stored twice.
    """
    spans = (it.created if policy.axis == "created" else it.timestamp for it in piece.blocks)
    inside = [at for it in spans if it for at in it if piece.start <= at < piece.end]
    said = _stated(blob, piece)
    if said is None and not inside:
        return piece.start, piece.end
    edges = [*inside, *([said[0], said[1] - 1] if said else [])]
    return min(edges), max(edges) + 1


def _stated(blob: PartBlob, piece: Slice) -> Interval | None:
    """Return the bounds in a part's metadata; None if they cannot be those of the slice."""
    try:
        start, end = int(blob.metadata["start"]), int(blob.metadata["end"])
    except (KeyError, ValueError):
        return None
    return (start, end) if piece.start <= start < end <= piece.end else None


def _blocks(name: str, blocks: Sequence[tuple[str, int]], content: bytes) -> tuple[Block, ...]:
    """Return the blocks of a part, each checked against its id and all against the trailer."""
    try:
        made = tuple(_read_blocks(blocks, content))
    except Malformed as error:
        raise NotRebuildable(f"part {name} is damaged: {error}") from error
    if sum(size for _, size in blocks) != len(content):
        raise NotRebuildable(f"part {name} has other blocks than its bytes")
    return made


def _read_blocks(blocks: Sequence[tuple[str, int]], content: bytes) -> Iterator[Block]:
    if not blocks:
        raise Malformed("it has no blocks")
    *pages, (last, size) = blocks
    made, at = [], 0
    for number, (block_id, length) in enumerate(pages):
        made.append(read_block(block_id, content[at : at + length], number=number))
        at += length
    trailer, expected = encode_trailer(made, epoch=0)
    if content[at : at + size] != expected:
        raise Malformed("its trailer does not fit its other blocks")
    yield from (*made, change(trailer, id=last))
