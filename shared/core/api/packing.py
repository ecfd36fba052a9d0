"""The bytes of a part: one gzip member, made of blocks that do not depend on each other.

Every block except the last is a run of raw deflate that ends with a full flush, so no block refers
to the bytes of another. The first block begins with the gzip header. The last block, the trailer,
ends the deflate stream, and holds the checksum and the length of the whole content.

A part has only one gzip member because some readers silently stop after the first.
"""

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import islice
from typing import NamedTuple

import msgspec
from isal import isal_zlib

GZIP_LEVEL = 2
"""isal's level 2: the result is a fifth larger than zlib's level 6, and is made twelve times faster
(docs/adr/0006)."""

RAW_DEFLATE = -15
"""What zlib calls raw deflate: no header, no checksum."""

ONE_GZIP_MEMBER = 31
"""What zlib calls one gzip member: it checks checksum and length at the end."""

HEADER = bytes.fromhex("1f8b08000000000000ff")
"""Deflate, without a name, time of writing or system, so that equal records give equal bytes."""

END = bytes.fromhex("0300")
"""The final deflate block; it is empty."""

LINES_AT_ONCE = 512
"""How many lines are joined and compressed at once: 2 MB, rather than a second copy of a page."""

UNPACKED_FROM = 64 * 1024
"""How many bytes are unpacked at once: they give about 1 MB of lines, rather than a whole page."""


class Unpackable(Exception):
    """The bytes are not a part, or not all of one; the message says why."""


class Sum(NamedTuple):
    """What gzip records about some content.

    Attributes:
        length: in bytes.
        crc32: its CRC-32.
    """

    length: int = 0
    crc32: int = 0


def pack(lines: Iterable[bytes | msgspec.Raw], *, opens_part: bool) -> tuple[bytes, Sum]:
    """Return the bytes of a block with these lines, and the sum of its content.

    Args:
        lines: without their newlines.
        opens_part: whether it is the first block of its part.
    """
    packer = isal_zlib.compressobj(GZIP_LEVEL, wbits=RAW_DEFLATE)
    pieces, length, crc32 = [HEADER] if opens_part else [], 0, 0
    left = iter(lines)
    while batch := list(islice(left, LINES_AT_ONCE)):
        content = b"\n".join([*batch, b""])
        length += len(content)
        crc32 = isal_zlib.crc32(content, crc32)
        pieces.append(packer.compress(content))
    pieces.append(packer.flush(isal_zlib.Z_FULL_FLUSH))
    return b"".join(pieces), Sum(length, crc32)


def pack_trailer(sums: Iterable[Sum]) -> bytes:
    """Return the bytes of the last block of a part whose other blocks have these sums."""
    whole = reduce(_joined, sums, Sum())
    length = whole.length % 2**32  # As gzip prescribes.
    return END + whole.crc32.to_bytes(4, "little") + length.to_bytes(4, "little")


def _joined(first: Sum, then: Sum) -> Sum:
    crc32 = isal_zlib.crc32_combine(first.crc32, then.crc32, then.length)
    return Sum(first.length + then.length, crc32)


def unpack(part: bytes) -> Iterator[bytes]:
    """Yield the content of a part piece by piece, about 1 MB at a time.

    Do not use the content before the iterator has ended. The checksum comes last, and damaged
    deflate usually unpacks to other bytes without an error.

    Raises:
        Unpackable: it is damaged, or it is not exactly one gzip member.
    """
    member = isal_zlib.decompressobj(wbits=ONE_GZIP_MEMBER)
    yield from _through(member, part)
    if not member.eof:
        raise Unpackable("it has no end")
    if member.unused_data:
        raise Unpackable("bytes follow its end")


def unpack_block(block: bytes, *, opens_part: bool) -> bytes:
    """Return the content of one block that is not the trailer.

    Raw deflate has no checksum, so compare the block's digest before you call this.

    Raises:
        Unpackable: it is not a block, or it is the trailer.
    """
    if opens_part and not block.startswith(HEADER):
        raise Unpackable("it does not begin with the header of a part")
    run = isal_zlib.decompressobj(wbits=RAW_DEFLATE)
    content = b"".join(_through(run, block[len(HEADER) :] if opens_part else block))
    if run.eof:
        raise Unpackable("it ends its part")
    return content


def sum_of(content: bytes) -> Sum:
    """Return the sum of a block's content."""
    return Sum(len(content), isal_zlib.crc32(content))


def _through(inflater: "isal_zlib.Decompress", packed: bytes) -> Iterator[bytes]:
    for at in range(0, len(packed), UNPACKED_FROM):
        if inflater.eof:
            raise Unpackable("bytes follow its end")
        try:
            yield inflater.decompress(packed[at : at + UNPACKED_FROM])
        except isal_zlib.error as error:  # type: ignore[misc]  # the stub calls it an instance
            raise Unpackable(f"it cannot be unpacked ({error})") from error
