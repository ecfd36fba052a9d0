"""What one answer does to a slice: first as a draft, then as the transition that the ledger takes.

A draft is what the rules decide: it still holds the records to store. Whoever stages them builds
the transition, once, with the blocks that they have become. So the ledger never takes a slice
whose blocks are incomplete, or a finished part without its trailer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from shared.core.api.answers import Fault
from shared.core.api.blocks import encode_block, encode_trailer
from shared.core.api.records import Record
from shared.core.model import Block, Direction, Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A slice of which one interval is proven, and may be committed.

    Attributes:
        slice: the slice with all its blocks.
        start: first proven millisecond.
        end: first millisecond after the proven ones.
    """

    slice: Slice
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """What one answer did to a slice.

    Attributes:
        goes_on: the slice as it continues, None if it does not.
        finished: what may be committed, if anything.
        opened: slices that take over what is not proven.
        fault: the fault that led here, for the log.
        sorts: the direction that was asked for and the one in which the API answered, if this is
            not the direction for which the slice was opened.
    """

    goes_on: Slice | None = None
    finished: Finished | None = None
    opened: tuple[Slice, ...] = ()
    fault: Fault | None = None
    sorts: tuple[Direction, Direction] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A transition whose records have not been staged yet; see `Transition` for the other fields.

    Attributes:
        records: the records to store, possibly none; only if the slice goes on or is finished.
    """

    records: tuple[Record, ...] = ()
    goes_on: Slice | None = None
    finished: Finished | None = None
    opened: tuple[Slice, ...] = ()
    fault: Fault | None = None
    sorts: tuple[Direction, Direction] | None = None

    @property
    def ends_part(self) -> bool:
        """Whether a part is finished, which then needs its trailer."""
        return self.finished is not None and bool(self.records or self.finished.slice.blocks)

    @property
    def successor(self) -> Slice:
        """The slice that the records belong to, as it goes on or as it is finished."""
        piece = self.finished.slice if self.finished else self.goes_on
        if piece is None:
            raise AssertionError("a draft with records keeps or finishes its slice")
        return piece

    def blocks(self, epoch: int) -> Iterator[tuple[Block, bytes]]:
        """Yield the blocks to stage, each with its bytes: the records, then the trailer."""
        if not self.records and not self.ends_part:
            return
        before = list(self.successor.blocks)
        if self.records:
            block, content = encode_block(self.records, epoch=epoch, number=len(before))
            before.append(block)
            yield block, content
        if self.ends_part:
            yield encode_trailer(before, epoch=epoch)

    def built(self, staged: Sequence[Block]) -> Transition:
        """Return the transition, once these blocks are staged."""
        finished = self.finished
        return Transition(
            goes_on=self.goes_on and _with_blocks(self.goes_on, staged),
            finished=finished and replace(finished, slice=_with_blocks(finished.slice, staged)),
            opened=self.opened,
            fault=self.fault,
            sorts=self.sorts,
        )


def _with_blocks(piece: Slice, staged: Sequence[Block]) -> Slice:
    return msgspec.structs.replace(piece, blocks=(*piece.blocks, *staged))
