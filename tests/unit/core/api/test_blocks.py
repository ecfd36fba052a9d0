"""From records to blocks, and back from blocks and parts to records."""

import gzip
import zlib
from hashlib import sha256
from random import Random

import pytest

from shared.core.api.block_ids import block_id
from shared.core.api.blocks import (
    encode_block,
    encode_trailer,
    read_block,
    stored_records,
    trailer_of,
)
from shared.core.api.packing import UNPACKED_FROM, unpack_block
from shared.core.api.pages import read_page
from shared.core.api.records import Malformed
from tests.bodies import IRREGULAR, KEPT, TIMES, body
from tests.parts import part_of


def test_a_block_is_made_of_lines_and_counted() -> None:
    """The same records give the same bytes; its facts are those of its lines."""
    records = read_page(body(b'{"_id":"a","timestamp":3,"created":9}', b'{"timestamp":1}')).records
    lines = b"".join(record.line + b"\n" for record in records)

    block, content = encode_block(records, epoch=7, number=3)

    assert encode_block(iter(records), epoch=7, number=3) == (block, content)
    assert unpack_block(content, opens_part=False) == lines
    assert (block.records, block.size) == (2, len(content))
    assert (block.raw, block.crc32) == (len(lines), zlib.crc32(lines))
    assert (block.timestamp, block.created) == ((1, 3), (9, 9))
    assert block.id == f"00000007-000003-{block.sha256[:16]}"


def test_a_trailer_is_a_block_without_records() -> None:
    """It follows from the blocks before it."""
    block, _ = encode_block(read_page(body(b'{"n":1}')).records, epoch=7, number=0)

    trailer, content = encode_trailer([block], epoch=7)

    assert trailer.is_trailer
    assert not block.is_trailer
    assert content == trailer_of([block])
    assert (trailer.records, trailer.raw, trailer.crc32) == (0, 0, 0)
    assert (trailer.timestamp, trailer.created) == (None, None)
    assert (trailer.size, trailer.sha256) == (len(content), sha256(content).hexdigest())
    assert trailer.id == f"00000007-000001-{trailer.sha256[:16]}"


def test_a_part_is_read_back_as_it_was_stored() -> None:
    """Identities and contents of irregular records included."""
    page = read_page(body(*KEPT.values(), *IRREGULAR.values(), b'{"n":1}'))
    pages = [page.records[at : at + 5] for at in range(0, len(page.records), 5)]

    back = list(stored_records(part_of(*pages)))

    assert [it.identity for it in back] == [it.identity for it in page.records]
    assert [it.content for it in back] == [it.content for it in page.records]


def test_a_stored_record_that_only_looks_like_a_wrapper_is_a_record() -> None:
    """Parts of other programs may hold one; a wrapper has exactly four fields."""
    lines = [b'{"_id":"a",%b,"irregular":%b,"n":1}' % (TIMES, it) for it in (b"true", b'"eA=="')]

    back = list(stored_records(gzip.compress(b"\n".join(lines) + b"\n")))

    assert [(it.raw, it.id, it.original) for it in back] == [(line, "a", None) for line in lines]


def test_a_part_is_read_back_across_the_pieces_it_is_unpacked_in() -> None:
    """Lines and blocks begin and end anywhere in them."""
    noise = Random(1)
    records = [
        b'{"_id":"%d","n":"%s"}' % (number, noise.randbytes(noise.randrange(9000)).hex().encode())
        for number in range(60)
    ]
    part = part_of(*(read_page(body(*records[at : at + 7])).records for at in range(0, 60, 7)))

    assert len(part) > 4 * UNPACKED_FROM
    assert [it.raw for it in stored_records(part)] == records


KEPT_PART = part_of(read_page(body(*KEPT.values())).records)


DAMAGE = {
    "cut": KEPT_PART[:-3],
    "without its trailer": KEPT_PART[:-10],
    "flipped": KEPT_PART[:40] + bytes(byte ^ 0xFF for byte in KEPT_PART[40:]),
    "text": b'{"_id":"a"}\n',
    "appended": KEPT_PART + b"x",
    "a second member": KEPT_PART + gzip.compress(b'{"_id":"a"}\n'),
    "a line that is not JSON": gzip.compress(b"{}\nNaN\n"),
    "half a line": gzip.compress(b'{"_id":"a"}\n{"_id":"b"}'),
    "nothing": b"",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_part_is_malformed(damage: str) -> None:
    """Whatever happened to it."""
    with pytest.raises(Malformed):
        list(stored_records(DAMAGE[damage]))


def test_a_block_is_read_alone_as_it_was_staged() -> None:
    """From its id and its bytes."""
    records = read_page(body(*KEPT.values())).records
    for number in (0, 1):
        block, content = encode_block(records, epoch=3, number=number)

        assert read_block(block.id, content, number=number) == block


def test_a_block_with_any_bit_flipped_is_malformed() -> None:
    """Most such bytes would unpack to other records without an error."""
    block, content = encode_block(read_page(body(*KEPT.values())).records, epoch=3, number=1)
    chance = Random(3)
    for _ in range(200):
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)

        with pytest.raises(Malformed, match="other bytes than its id says"):
            read_block(block.id, bytes(flipped), number=1)


def test_bytes_that_are_not_a_block_are_malformed() -> None:
    """Even under an id that was made of them."""
    content = b"\xff\xff not deflate"
    name = block_id(1, 0, sha256(content).hexdigest())

    with pytest.raises(Malformed, match="block 0"):
        read_block(name, content, number=0)
