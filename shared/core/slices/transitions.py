"""What one answer did to a slice."""

from dataclasses import dataclass, replace

import msgspec

from shared.core.api.answers import Fault
from shared.core.api.records import Record
from shared.core.model import Block, Direction, Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A slice of which one interval is proven, and may be committed.

    Attributes:
        slice: with all its blocks.
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
        records: to stage as the slice's next block before anything else, possibly none.
        goes_on: the slice as it continues, None when it does not.
        finished: what may be committed, if anything.
        opened: slices that take over what is not proven.
        fault: the fault that led here, for the log.
        sorts: the direction that was asked for and the one in which the API answered, where they
            differ from what the slice was opened for.
    """

    records: tuple[Record, ...] = ()
    goes_on: Slice | None = None
    finished: Finished | None = None
    opened: tuple[Slice, ...] = ()
    fault: Fault | None = None
    sorts: tuple[Direction, Direction] | None = None

    @property
    def lacks_trailer(self) -> bool:
        """Whether it finished a slice whose part has blocks and no end yet."""
        blocks = self.finished.slice.blocks if self.finished else ()
        return bool(blocks) and not blocks[-1].is_trailer

    def with_block(self, block: Block) -> "Transition":
        """Return the transition with the staged `block` at the end of its slice's blocks."""
        if self.finished:
            piece = _staged(self.finished.slice, block)
            return replace(self, finished=replace(self.finished, slice=piece))
        if self.goes_on:
            return replace(self, goes_on=_staged(self.goes_on, block))
        raise ValueError("a transition with a block keeps or finishes its slice")


def _staged(piece: Slice, block: Block) -> Slice:
    return msgspec.structs.replace(piece, blocks=(*piece.blocks, block))
