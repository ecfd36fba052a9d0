"""From a body to records and blocks: every byte kept, and no page lost over a strange record."""

import base64
import gzip
import json
import zlib
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.api.block_ids import block_id
from shared.core.api.packing import UNPACKED_FROM, unpack_block
from shared.core.api.records import (
    Malformed,
    encode_block,
    encode_trailer,
    read_block,
    read_page,
    stored_records,
    trailer_of,
)
from tests.parts import part_of

TIMES = b'"timestamp":1,"created":2'


def body(*records: bytes, more: bytes = b'"hasNext":false') -> bytes:
    """Return a page with these records, written as they are."""
    return b'{"data":[' + b",".join(records) + b"]," + more + b"}"


def lines(content: bytes) -> list[bytes]:
    """Return the lines that a page's records are stored as."""
    return [record.line for record in read_page(content).records]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(records=st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=5))
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_record_keeps_its_bytes(records: list[dict[str, object]], ascii_only: bool) -> None:  # noqa: FBT001
    """Whatever it holds, escaped or not."""
    written = [json.dumps(it, ensure_ascii=ascii_only).encode("utf-8", "replace") for it in records]

    assert lines(body(*written)) == written


KEPT = {
    "a large integer": b'{"_id":"a",%b,"n":18446744073709551615}' % TIMES,
    "a number of many digits": b'{"_id":"a",%b,"n":1.0000000000000000000000000000000001}' % TIMES,
    "keys that differ in case": b'{"_id":"a",%b,"Key":1,"key":2}' % TIMES,
    "a real of many whole digits": b'{"_id":"a",%b,"n":18446744073709551615.5}' % TIMES,
    "a large real": b'{"_id":"a",%b,"n":1.5e300}' % TIMES,
    "escapes": rb'{"_id":"a",%b,"t":"\u00e4\/\ud83d\ude00\t"}' % TIMES,
    "odd white space": b'{ "_id" :\t"a" , %b }' % TIMES,
    "nested keys that come twice": b'{"_id":"a",%b,"d":{"k":1,"k":2}}' % TIMES,
    "deep nesting": b'{"_id":"a",%b,"n":' % TIMES + b"[" * 200 + b"]" * 200 + b"}",
    "a tiny real": b'{"_id":"a",%b,"n":[1e-400,-1.5E-999]}' % TIMES,
    "the largest negative integer": b'{"_id":"a",%b,"n":-9223372036854775808}' % TIMES,
    "what looks large in a string": b'{"_id":"a",%b,"t":"x:1e999,[340282366920938463463,"}' % TIMES,
    "keys not written as they read": '{"_id":"a",%s,"\\u00e4":1,"å":2,"a\\/b":3}'.encode().replace(
        b"%s", TIMES
    ),
}


@pytest.mark.parametrize("kind", KEPT)
def test_what_another_encoder_would_change_is_kept(kind: str) -> None:
    """Nothing is re-encoded."""
    assert lines(body(KEPT[kind])) == [KEPT[kind]]


def test_an_indented_page_is_stored_on_lines() -> None:
    """White space between tokens goes; strings and numbers keep their bytes."""
    record = b'{\n  "_id": "a b\\n",\r\n  "n": 1.10,\n  "list": [\n 1e5\n]\n}'

    assert lines(body(record)) == [b'{"_id":"a b\\n","n":1.10,"list":[1e5]}']


IRREGULAR = {
    "a huge integer": b'{"_id":"a",%b,"n":340282366920938463463374607431768211456}' % TIMES,
    "repeated keys": b'{"_id":"a",%b,"k":1,"k":2}' % TIMES,
    "a number beyond every double": b'{"_id":"a",%b,"n":1e400}' % TIMES,
    "a real beyond 64 bits": b'{"_id":"a",%b,"n":18446744073709551616.5}' % TIMES,
    "a negative real beyond 64 bits": b'{"_id":"a",%b,"n":-9223372036854775809.5}' % TIMES,
    "a zero with a large exponent": b'{"_id":"a",%b,"n":0.0e400}' % TIMES,
    "a huge integer in a list": b'{"_id":"a",%b,"n":{"m":[1, 340282366920938463463]}}' % TIMES,
    "a large exponent deep inside": b'{"_id":"a",%b,"n":[{"m":-1.5E+0400}]}' % TIMES,
    "a repeated key among spaces": b'{"_id": "a", %b, "k": 1, "k": 2}' % TIMES,
    "a repeated key in two spellings": rb'{"_id":"a",%b,"k":1,"\u006b":2}' % TIMES,
    "a lone surrogate": rb'{"_id":"a",%b,"t":"\ud800"}' % TIMES,
    "invalid UTF-8": b'{"_id":"a",%b,"t":"\xff"}' % TIMES,
    "NaN": b'{"_id":"a",%b,"n":NaN}' % TIMES,
    "Infinity": b'{"_id":"a",%b,"n":-Infinity}' % TIMES,
    "a raw control character": b'{"_id":"a",%b,"t":"\x01"}' % TIMES,
    "a time beyond every range": b'{"_id":"a",%b,"n":1,"timestamp":1e999}' % b'"created":2',
    "a raw newline in a string": b'{"_id":"a",%b,"t":"x\ny"}' % TIMES,
    "a field named as a wrapper's": b'{"_id":"a",%b,"irregular":true}' % TIMES,
    "such a field with text": b'{"_id":"a",%b,"irregular":"eHl6","n":1}' % TIMES,
    "such a field with null": b'{"_id":"a",%b,"n":1,"irregular":null}' % TIMES,
    "such a field in another spelling": rb'{"_id":"a",%b,"irregul\u0061r":{}}' % TIMES,
}


@pytest.mark.parametrize("kind", IRREGULAR)
def test_an_irregular_record_is_wrapped_with_all_its_bytes(kind: str) -> None:
    """Its identity stays readable, and its neighbours are untouched."""
    plain = b'{"_id":"b",%b}' % TIMES
    page = read_page(body(plain, IRREGULAR[kind], plain))

    first, wrapped, last = page.records
    assert first.line == last.line == plain
    stored = json.loads(wrapped.line)
    assert (stored["_id"], stored["created"]) == ("a", 2)
    assert stored["timestamp"] == (None if "1e999" in IRREGULAR[kind].decode("latin-1") else 1)
    assert base64.b64decode(stored["irregular"]) == wrapped.original == IRREGULAR[kind]


@pytest.mark.parametrize(
    "record",
    [
        b'{"_id":1e999,"timestamp":1,"created":2}',
        b'{"_id":"a","timestamp":' + b"9" * 5_000 + b',"created":2}',
        b'{"_id":"a","timestamp":1,"created":2,"n":NaN,"deep":' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"_id":"a","timestamp":1,"created":2,"n":NaN,"long":' + b"9" * 5_000 + b"}",
        b'{"_id":"a","timestamp":0e99999999999999999999,"created":2}',
        b'{"_id":"a","timestamp":1e-99999999999999999999,"created":2}',
    ],
)
def test_no_value_of_one_record_costs_its_page(record: bytes) -> None:
    """Where nothing of it can be read it is wrapped and identified by its bytes."""
    plain = b'{"_id":"b",%b}' % TIMES

    first, odd, last = read_page(body(plain, record, plain)).records

    assert first.line == last.line == plain
    assert json.loads(odd.line)
    assert odd.original in {None, record}


def test_a_byte_order_mark_costs_nothing() -> None:
    """Some proxies add one."""
    assert lines(b"\xef\xbb\xbf" + body(b'{"_id":"a"}')) == [b'{"_id":"a"}']


MALFORMED = {
    "HTML": b"<html></html>",
    "nothing": b"",
    "cut": b'{"data":[{"_id":"a"}',
    "a list": b"[]",
    "text": b'"data"',
    "null data, no end": b'{"data":null,"hasNext":true,"nextQueryFilters":{"date":{"gte":5}}}',
    "null data, no total": b'{"data":null,"hasNext":false}',
    "null data, no total, odd text": b'{"data":null,"hasNext":false,"a":"\xff"}',
    "nothing but an object": b"{}",
    "an error in place of a page": b'{"detail":"Request was throttled."}',
    "no data, an odd total": b'{"hasNext":false,"total":"0"}',
    "no data, a fraction for a total": b'{"hasNext":false,"total":0.5}',
    "data that is no list": b'{"data":{},"hasNext":false}',
    "a number for a record": body(b"7"),
    "a list for a record": body(b'{"_id":"a","n":NaN}', b"[1]"),
    "no hasNext": b'{"data":[]}',
    "hasNext that is no boolean": b'{"data":[],"hasNext":"yes"}',
    "no continuation": b'{"data":[],"hasNext":true}',
    "a null continuation": b'{"data":[],"hasNext":true,"nextQueryFilters":null}',
    "a continuation that is no object": b'{"data":[],"hasNext":true,"nextQueryFilters":[]}',
    "a continuation with NaN": b'{"data":[],"hasNext":true,"nextQueryFilters":{"a":NaN}}',
    "a continuation beyond every range": (
        b'{"data":[],"hasNext":true,"nextQueryFilters":{"date":{"gte":1e999}}}'
    ),
    "a continuation with a lone surrogate": (
        rb'{"data":[],"hasNext":true,"nextQueryFilters":{"a":"\ud800"}}'
    ),
    "too deep": b'{"data":' + b"[" * 100_000,
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_is_no_page_is_malformed(kind: str) -> None:
    """It is never taken for an empty one."""
    with pytest.raises(Malformed):
        read_page(MALFORMED[kind])


@pytest.mark.parametrize("odd", [b"", b',"n":NaN'])
@pytest.mark.parametrize(
    ("written", "total"),
    [
        (b'"hasNext":false', None),
        (b'"hasNext":false,"total":null', None),
        (b'"hasNext":false,"total":0', 0),
        (b'"hasNext":false,"total":7', 7),
        (b'"hasNext":false,"total":0.0', 0),
        (b'"data":null,"hasNext":false,"total":0', 0),
        (b'"data":null,"hasNext":false,"total":7', 7),
        (b'"data":[],"hasNext":false', None),
    ],
)
def test_an_answer_without_data_is_a_page_that_shows_nothing(
    written: bytes, total: int | None, odd: bytes
) -> None:
    """It must say whether there is more; its total is judged as every empty page's is."""
    page = read_page(b"{%b%b}" % (written, odd))

    assert (page.records, page.nulls, page.has_next) == ((), (), False)
    assert page.total == total


@pytest.mark.parametrize("written", [b'"total":7,', b"", b'"data":null,"total":7,', b'"data":[],'])
def test_an_answer_without_data_may_say_that_there_is_more(written: bytes) -> None:
    """It must say how to go on, as every page must."""
    onward = b'{"date":{"gte":5}}'
    page = read_page(b'{%b"hasNext":true,"nextQueryFilters":%b}' % (written, onward))

    assert (page.records, page.has_next, page.continuation) == ((), True, onward.decode())
    with pytest.raises(Malformed):
        read_page(b'{%b"hasNext":true}' % written)


def test_a_null_among_the_records_costs_its_page_nothing() -> None:
    """Where each stands is kept; also on a page that the fast decoder refuses."""
    plain = b'{"_id":"a"}'
    page = read_page(body(b"null", plain, b" null", b"null", plain, b"null"))
    odd = read_page(body(b"null", plain, b"null", b'{"n":NaN}', b"null"))

    assert [it.line for it in page.records] == [plain, plain]
    assert page.nulls == (0, 1, 1, 2)
    assert odd.nulls == (0, 1, 2)


@pytest.mark.parametrize(
    ("total", "read"),
    [(b"7", 7), (b"0", 0), (b"7.0", 7), (b"null", None), (b'"7"', None), (b"7.5", None)],
)
def test_total_is_a_number_or_unknown(total: bytes, read: int | None) -> None:
    """Nothing depends on it but suspicion."""
    assert read_page(b'{"data":[],"hasNext":false,"total":%b}' % total).total == read


def test_the_continuation_is_kept_verbatim() -> None:
    """Key order, spaces and unknown keys included."""
    given_filters = b'{ "z":1, "date":{"gte":5.0 , "lte": 6}}'

    page = read_page(body(more=b'"nextQueryFilters":%b,"hasNext":true' % given_filters))

    assert page.continuation == given_filters.decode()


def test_records_that_share_an_id_are_told_apart_by_their_times() -> None:
    """The API repeats ids; identity is `_id`, `timestamp` and `created`."""
    other = b'{"_id":"a","timestamp":1,"created":3}'
    first, same, second = read_page(
        body(b'{"_id":"a",%b}' % TIMES, b'{"x":1,"_id":"a",%b}' % TIMES, other)
    ).records

    assert first.identity == same.identity
    assert first.identity != second.identity


@pytest.mark.parametrize("lacks", ["_id", "timestamp", "created"])
def test_a_record_that_lacks_a_field_is_identified_by_its_bytes(lacks: str) -> None:
    """Two such records are the same only when all of them is."""
    whole = {"_id": "a", "timestamp": 1, "created": 2, "n": 1}
    one = {name: value for name, value in whole.items() if name != lacks}
    written = [json.dumps(it).encode() for it in (one, one, {**one, "n": 2})]

    first, same, other = read_page(body(*written)).records

    assert first.identity == same.identity
    assert first.identity != other.identity


@pytest.mark.parametrize("written", [b"1.7e12", b"1700000000000.0", b"1700000000000", b"17E+11"])
def test_a_whole_number_is_a_position_however_it_is_written(written: bytes) -> None:
    """On a page and in a part; the line keeps the notation."""
    given = b'{"_id":"a","timestamp":%b,"created":%b}' % (written, written)
    (shown,) = read_page(body(given)).records
    (stored,) = stored_records(part_of([shown]))

    assert shown.line == given
    assert shown.timestamp == shown.created == stored.timestamp == stored.created == 17 * 10**11
    assert shown.identity == stored.identity


ODD = [b"true", b'"1"', b"1.5", b"1700000000000.00001", b"null", b"9223372036854775808", b"{}"]


@pytest.mark.parametrize("written", ODD)
def test_strange_times_are_not_positions(written: bytes) -> None:
    """Only whole 64-bit numbers place a record, also when it is read back."""
    (shown,) = read_page(body(b'{"timestamp":%b,"created":5.0}' % written)).records
    (stored,) = stored_records(part_of([shown]))

    assert (shown.timestamp, shown.created) == (stored.timestamp, stored.created) == (None, 5)
    assert shown.identity == stored.identity


def test_a_block_is_made_of_lines_and_counted() -> None:
    """The same records give the same bytes; its facts are those of its lines."""
    records = read_page(body(b'{"_id":"a","timestamp":3,"created":9}', b'{"timestamp":1}')).records
    lines = b"".join(record.line + b"\n" for record in records)

    block, content = encode_block(records, epoch=7, number=3)

    assert encode_block(records, epoch=7, number=3) == (block, content)
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
