"""From records to the blocks of a part, and back."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from shared.core.api.block_ids import block_id, states_digest
from shared.core.api.packing import (
    Sum,
    Unpackable,
    pack,
    pack_trailer,
    sum_of,
    unpack,
    unpack_block,
)
from shared.core.api.records import Malformed, Record, read_line
from shared.core.model import Block, Span


def encode_block(records: Iterable[Record], *, epoch: int, number: int) -> tuple[Block, bytes]:
    """Return the block of these records and its bytes; number 0 opens its part.

    The same records give the same bytes.
    """
    kept = list(records)
    content, total = pack((record.raw for record in kept), opens_part=number == 0)
    digest = sha256(content).hexdigest()
    block = _block(block_id(epoch, number, digest), digest, len(content), total, kept)
    return block, content


def encode_trailer(blocks: Sequence[Block], *, epoch: int) -> tuple[Block, bytes]:
    """Return the last block of the part that begins with `blocks`, and its bytes."""
    content = trailer_of(blocks)
    digest = sha256(content).hexdigest()
    name = block_id(epoch, len(blocks), digest)
    return _block(name, digest, len(content), Sum(), ()), content


def trailer_of(blocks: Iterable[Block]) -> bytes:
    """Return the bytes that end a part after these blocks."""
    return pack_trailer(Sum(block.raw, block.crc32) for block in blocks)


def read_block(name: str, content: bytes, *, number: int) -> Block:
    """Return the block that was committed under this id with these bytes.

    Raises:
        Malformed: the id states other bytes, or the bytes are not a block.
    """
    digest = sha256(content).hexdigest()
    if not states_digest(name, digest):
        raise Malformed(f"block {number} ({name}) has other bytes than its id says")
    try:
        lines = unpack_block(content, opens_part=number == 0)
    except Unpackable as error:
        raise Malformed(f"block {number} ({name}): {error}") from error
    records = [read_line(line) for line in lines.split(b"\n")[:-1]]
    return _block(name, digest, len(content), sum_of(lines), records)


def _block(name: str, digest: str, size: int, total: Sum, records: Sequence[Record]) -> Block:
    return Block(
        id=name,
        size=size,
        records=len(records),
        sha256=digest,
        raw=total.length,
        crc32=total.crc32,
        timestamp=span(record.timestamp for record in records),
        created=span(record.created for record in records),
    )


def span(values: Iterable[int | None]) -> Span | None:
    """Return the smallest and the largest value, None when there is none."""
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None


def stored_records(part: bytes) -> Iterator[Record]:
    """Yield the records of a part, in order, unpacking about 1 MB at a time.

    Do not use them before the iterator has ended: the part's checksum comes last.

    Raises:
        Malformed: it is not a part: damaged, or written by something else.
    """
    rest = b""
    try:
        for content in unpack(part):
            *lines, rest = (rest + content).split(b"\n")
            for line in lines:
                yield read_line(line)
    except Unpackable as error:
        raise Malformed(str(error)) from error
    if rest:
        raise Malformed("it ends in the middle of a line")
