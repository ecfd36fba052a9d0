"""A part is one gzip member, whatever it is made of, and damage to it is noticed."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.api.packing import (
    HEADER,
    UNPACKED_FROM,
    Sum,
    Unpackable,
    pack,
    pack_trailer,
    sum_of,
    unpack,
    unpack_block,
)
from tests.parts import ONE_GZIP_MEMBER

line = st.binary(min_size=1, max_size=200).filter(lambda it: b"\n" not in it)
pages = st.lists(st.lists(line, min_size=1, max_size=20), min_size=1, max_size=6)


def packed(*contents: list[bytes]) -> list[bytes]:
    """Return the blocks of a part with these pages of lines, the trailer last."""
    made = [pack(lines, opens_part=number == 0) for number, lines in enumerate(contents)]
    return [*(block for block, _ in made), pack_trailer(total for _, total in made)]


def joined(*contents: list[bytes]) -> bytes:
    """Return what a reader of these pages sees."""
    return b"".join(it + b"\n" for lines in contents for it in lines)


@given(contents=pages)
def test_a_part_is_one_gzip_member(contents: list[list[bytes]]) -> None:
    """A reader that stops after the first member has read it whole."""
    part = b"".join(packed(*contents))

    member = zlib.decompressobj(wbits=ONE_GZIP_MEMBER)

    assert member.decompress(part) == joined(*contents)
    assert (member.eof, member.unused_data) == (True, b"")
    assert gzip.decompress(part) == joined(*contents)
    assert b"".join(unpack(part)) == joined(*contents)


@given(contents=pages)
def test_every_block_can_be_unpacked_alone(contents: list[list[bytes]]) -> None:
    """No block refers to the bytes of another."""
    *blocks, _ = packed(*contents)

    for number, (block, lines) in enumerate(zip(blocks, contents, strict=True)):
        assert unpack_block(block, opens_part=number == 0) == joined(lines)


def test_the_same_lines_give_the_same_bytes() -> None:
    """The header states neither a time nor a name."""
    first, _ = pack([b"a", b"b"], opens_part=True)

    assert first == pack([b"a", b"b"], opens_part=True)[0]
    assert first.startswith(HEADER)
    assert gzip.decompress(first + pack_trailer([sum_of(b"a\nb\n")])) == b"a\nb\n"


def test_a_sum_is_that_of_the_content() -> None:
    """Length and CRC-32, counted while it is packed."""
    lines = [b"x" * n for n in range(2_000)]

    _, total = pack(lines, opens_part=False)

    assert total == sum_of(joined(lines)) == (len(joined(lines)), zlib.crc32(joined(lines)))


def test_a_length_beyond_32_bits_wraps_as_gzip_prescribes() -> None:
    """Readers compare it modulo 2 to the 32."""
    trailer = pack_trailer([Sum(2**32 - 1, 5), Sum(4, 7)])

    assert trailer[-4:] == (3).to_bytes(4, "little")


def test_a_trailer_of_nothing_ends_an_empty_file() -> None:
    """It is then a whole gzip file with no content."""
    assert gzip.decompress(HEADER + pack_trailer([])) == b""


def test_a_part_with_a_bit_flipped_is_refused_or_has_the_same_content() -> None:
    """Some bits, such as the padding before a flush, mean nothing."""
    chance = Random(1)
    content = [[chance.randbytes(40).hex().encode() for _ in range(40)] for _ in range(3)]
    part = b"".join(packed(*content))
    refused = 0
    for at in range(len(HEADER), len(part)):
        flipped = bytearray(part)
        flipped[at] ^= 1 << chance.randrange(8)

        try:
            assert b"".join(unpack(bytes(flipped))) == joined(*content)
        except Unpackable:
            refused += 1

    assert refused > 0.99 * (len(part) - len(HEADER))


def test_a_bit_flipped_in_one_block_mostly_goes_unnoticed_without_its_digest() -> None:
    """So whoever unpacks a block alone compares its digest first."""
    chance = Random(1)
    lines = [b"%d %s" % (n, b"a" * chance.randrange(200)) for n in range(300)]
    block, _ = pack(lines, opens_part=False)

    assert sum(_unpacks(block, at) for at in range(100, 300)) > 100


def _unpacks(block: bytes, at: int) -> bool:
    flipped = bytearray(block)
    flipped[at] ^= 1
    try:
        unpack_block(bytes(flipped), opens_part=False)
    except Unpackable:
        return False
    return True


BLOCKS = packed([b"one", b"two"], [b"three"])
WRONG = {
    "cut in a block": BLOCKS[0],
    "without its trailer": BLOCKS[0] + BLOCKS[1],
    "cut in the trailer": b"".join(BLOCKS)[:-1],
    "a block missing": BLOCKS[0] + BLOCKS[2],
    "blocks in another order": BLOCKS[0][:10] + BLOCKS[1] + BLOCKS[0][10:] + BLOCKS[2],
    "without its header": b"".join(BLOCKS)[len(HEADER) :],
    "bytes after its end": b"".join(BLOCKS) + b"\0",
    "a second part after it": b"".join(BLOCKS) * 2,
    "nothing": b"",
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_not_exactly_one_part_is_refused(kind: str) -> None:
    """Never half of it, and never more than it."""
    with pytest.raises(Unpackable):
        list(unpack(WRONG[kind]))


@pytest.mark.parametrize("size", [1, 70_000])
def test_bytes_after_the_end_are_refused_wherever_they_begin(size: int) -> None:
    """In the piece that holds the end, or in a later one."""
    chance = Random(2)
    (block, total) = pack([chance.randbytes(64 * 1024)], opens_part=True)
    part = block + pack_trailer([total])

    with pytest.raises(Unpackable, match="bytes follow its end"):
        list(unpack(part + b"\0" * size))


def test_what_follows_the_end_is_not_read() -> None:
    """A blob that is not ours may have gigabytes there, and would take minutes."""
    block, total = pack([b"x"], opens_part=True)
    foreign = block + pack_trailer([total]) + bytes(4_000_000)

    with most_memory(1_000_000), pytest.raises(Unpackable, match="bytes follow its end"):
        list(unpack(foreign))


def test_lines_are_packed_without_a_second_copy_of_them() -> None:
    """A page may have 5000 records, and several are packed at once."""
    lines = [b"x" * 1_000] * 5_000

    with most_memory(2_000_000):
        pack(lines, opens_part=False)


@contextmanager
def most_memory(limit: int) -> Iterator[None]:
    """Check that no more bytes are allocated meanwhile."""
    tracemalloc.start()
    try:
        yield
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < limit


def test_a_block_is_unpacked_across_the_pieces_it_is_read_in() -> None:
    """A page of records that hardly compress has several."""
    noise = Random(4)
    lines = [noise.randbytes(1_000).hex().encode() for _ in range(300)]
    block, _ = pack(lines, opens_part=False)

    assert len(block) > 2 * UNPACKED_FROM
    assert unpack_block(block, opens_part=False) == joined(lines)


@pytest.mark.parametrize("opens_part", [True, False])
def test_a_block_of_the_other_kind_is_refused(opens_part: bool) -> None:  # noqa: FBT001
    """The header is in the first block and in no other."""
    block, _ = pack([b"x" * 50], opens_part=not opens_part)

    with pytest.raises(Unpackable):
        unpack_block(block, opens_part=opens_part)


def test_a_trailer_is_not_a_block_of_lines() -> None:
    """It ends its part."""
    with pytest.raises(Unpackable, match="ends its part"):
        unpack_block(BLOCKS[-1], opens_part=False)
