"""Parts in the form that a scan stores, made without a scan."""

import zlib
from collections.abc import Iterable

from shared.core.api.blocks import encode_block, encode_trailer
from shared.core.api.records import Record
from shared.core.model import Block

ONE_GZIP_MEMBER = 31


def blocks_of(*pages: Iterable[Record], epoch: int = 1) -> list[tuple[Block, bytes]]:
    """Return the blocks of a part with these pages, ending with the trailer."""
    made = [encode_block(page, epoch=epoch, number=number) for number, page in enumerate(pages)]
    return [*made, encode_trailer([block for block, _ in made], epoch=epoch)]


def part_of(*pages: Iterable[Record]) -> bytes:
    """Return the bytes of a part with these pages."""
    return b"".join(content for _, content in blocks_of(*pages))


def lines_of(part: bytes) -> list[bytes]:
    """Return the lines of a part, read like a reader that stops after one gzip member."""
    member = zlib.decompressobj(wbits=ONE_GZIP_MEMBER)
    content = member.decompress(part)
    assert member.eof
    assert member.unused_data == b""
    return content.splitlines()
