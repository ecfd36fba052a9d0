"""What parts hold of a slice: the index against which a sweep finds what is new.

It is always read from the data, so it cannot disagree with it.
"""

from collections.abc import Sequence

from shared.core.api.blocks import stored_records
from shared.core.api.records import Malformed
from shared.core.errors import PartUnreadable
from shared.core.intervals import within
from shared.core.model import FIRST_PASS, HOUR_MS, Axis, Ledger, Slice, StoredPart
from shared.core.slices.sifting import NOTHING, Index, Stored
from shared.core.state.sweeps import cut_for_reading
from shared.ports import ResultStore


def fitted(results: ResultStore, piece: Slice) -> Slice:
    """Return a new sweep's slice, cut so that its index is small enough to hold.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    return cut_for_reading(piece, results.parts_of(piece.start))


class Indexes:
    """The index of the sweep's open slice: read at its first step of a run, then kept.

    Only one slice of a sweep is served at a time, so one index is kept, and one thread uses it.
    """

    def __init__(self, results: ResultStore, axis: Axis) -> None:
        """Begin without an index."""
        self._results = results
        self._axis = axis
        self._of: tuple[str, int, int] | None = None
        self._index: Index = NOTHING

    def of(self, piece: Slice, ledger: Ledger) -> Index:
        """Return what parts hold of a slice; nothing for a first pass.

        Raises:
            PartUnreadable: see `read_index`.
            StoreUnavailable: storage cannot be reached or refuses.
        """
        if piece.pass_name == FIRST_PASS:
            return NOTHING
        asked = (piece.pass_name, piece.start, piece.end)
        if self._of != asked:
            self._of, self._index = None, NOTHING  # Two would not fit the planned memory.
            self._index = read_index(self._results, piece, ledger, self._axis)
            self._of = asked
        return self._index


def read_index(results: ResultStore, piece: Slice, ledger: Ledger, axis: Axis) -> Index:
    """Return what the parts of the slice's hour hold inside its bounds, by identity.

    Records without a position are in it wherever they may belong to the slice.

    Raises:
        PartUnreadable: a part is damaged, or fewer are there than were committed: their
            records would look late and be written again.
        StoreUnavailable: storage cannot be reached or refuses.
    """
    parts = results.parts_of(piece.start)
    committed = ledger.parts_by_hour.get(piece.start // HOUR_MS * HOUR_MS, 0)
    if len(parts) < committed:
        raise PartUnreadable(
            f"{committed - len(parts)} of {committed} parts of the hour are gone: their records "
            "would look late and be written again. Put them back (soft delete keeps them), or "
            "keep parts for longer than the oldest sweep"
        )
    index: dict[str, Stored] = {}
    unplaced = piece.start // HOUR_MS * HOUR_MS in ledger.unplaced
    for part in _near(parts, piece, 1 if unplaced else 0):
        _read_into(index, results, part, piece, axis)
    return index


def _near(parts: Sequence[StoredPart], piece: Slice, beside: int) -> list[StoredPart]:
    """Return the parts that overlap a slice, or lie `beside` it by at most so many ms less one.

    A record without a position may be in the part before the one that it belongs to: the API
    showed it on the page that was the last of that part.
    """
    start, end = piece.start - beside, piece.end + beside
    return [part for part in parts if part.start < end and start < part.end]


def _read_into(
    index: dict[str, Stored], results: ResultStore, part: StoredPart, piece: Slice, axis: Axis
) -> None:
    try:
        for record in stored_records(results.part(part.name)):
            at = record.on(axis)
            if at is None or within(at, (piece.start, piece.end)):
                index[record.identity] = Stored(at, record.checksum)
    except Malformed as error:
        raise PartUnreadable(f"part {part.name} is damaged: {error}") from error
