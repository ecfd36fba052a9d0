"""Records: every byte is kept, and an irregular record is wrapped."""

import base64
import json
from hashlib import blake2b
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.api.pages import read_page
from shared.core.api.records import Malformed, Record, read_line, read_record
from tests.bodies import IRREGULAR, KEPT, TIMES, body


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


@pytest.mark.parametrize("kind", KEPT)
def test_what_another_encoder_would_change_is_kept(kind: str) -> None:
    """Nothing is re-encoded."""
    assert lines(body(KEPT[kind])) == [KEPT[kind]]


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
def test_an_indented_page_is_stored_on_lines(newline: bytes) -> None:
    """White space between tokens goes; strings and numbers keep their bytes."""
    record = newline.join(
        [b"{", b'  "_id": "a b\\n",', b'"n": 1.10, "list": [', b"1e5", b"]", b"}"]
    )

    assert lines(body(record)) == [b'{"_id":"a b\\n","n":1.10,"list":[1e5]}']


def test_a_record_without_a_line_break_is_kept_on_an_indented_page() -> None:
    """Only what would spoil the lines of a part is changed."""
    indented, plain = b'{\n"_id": "a"}', b'{ "_id" : "b" }'

    assert lines(body(indented, plain)) == [b'{"_id":"a"}', plain]


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


@pytest.mark.parametrize(
    "time", [b'"1"', b"[1]", b"true", b"null", b"1.5", b'{"a":1}', b'"2026-11-23"']
)
def test_a_wrapper_states_only_times_that_are_positions(time: bytes) -> None:
    """As a record that is not wrapped does; a number in quotes is a text."""
    record = b'{"_id":"a","timestamp":%b,"created":2.0,"n":NaN}' % time

    (odd,) = read_page(body(record)).records

    stored = json.loads(odd.line)
    assert (odd.timestamp, odd.created) == (stored["timestamp"], stored["created"]) == (None, 2)


def test_an_identity_is_a_digest_that_never_changes() -> None:
    """The ledger and the parts outlive the program that wrote them."""
    whole, other, odd = b'{"_id":"a",%b}' % TIMES, b'{"_id":"a"}', b'{"_id":"a","n":NaN}'

    records = read_page(body(whole, other, odd)).records

    named = [b"a\x1f1\x1f2", other, odd]
    assert [it.identity for it in records] == [
        blake2b(it, digest_size=16).hexdigest() for it in named
    ]
    assert [it.content for it in records] == [
        blake2b(it.line, digest_size=16).hexdigest() for it in records
    ]


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


@pytest.mark.parametrize("name", [b"7", b"true", b"null", b'["a"]', b'{"a":1}'])
def test_an_id_that_is_not_a_string_is_no_id(name: bytes) -> None:
    """On a page, in a wrapper and in a part alike."""
    record = b'{"_id":%b,%b}' % (name, TIMES)
    odd = b'{"_id":%b,%b,"n":NaN}' % (name, TIMES)

    shown = [*read_page(body(record, odd)).records, read_line(record)]

    assert [it.id for it in shown] == [None, None, None]
    assert json.loads(shown[1].line)["_id"] is None


def test_a_digest_is_made_of_what_identifies_a_record() -> None:
    """Of its id and both times, or of the bytes that the API sent, even if they are wrapped."""
    named, unnamed, wrapped = read_page(
        body(b'{"_id":"a",%b}' % TIMES, b'{"n":1}', b'{"n":1e999}')
    ).records

    assert named.identified_by == ("a", 1, 2)
    assert unnamed.identified_by == b'{"n":1}'
    assert wrapped.identified_by == b'{"n":1e999}'
    assert named.identity == blake2b(b"a\x1f1\x1f2", digest_size=16).hexdigest()
    assert wrapped.identity == blake2b(b'{"n":1e999}', digest_size=16).hexdigest()


def test_a_checksum_is_made_of_the_line_as_stored() -> None:
    """Also where the line wraps what the API sent."""
    plain, wrapped = read_page(body(b'{"n":1}', b'{"n":1e999}')).records

    assert plain.checksum == crc32(b'{"n":1}')
    assert wrapped.checksum == crc32(wrapped.line)


def test_an_id_that_is_not_text_is_no_part_of_the_identity() -> None:
    """A lone surrogate cannot be written, so the record is identified by its bytes."""
    (record,) = read_page(body(rb'{"_id":"\ud800","timestamp":1,"created":2}')).records

    assert (record.id, record.timestamp, record.created) == (None, 1, 2)
    assert json.loads(record.line)["_id"] is None


DEEP = b"[" * 100_000 + b"]" * 100_000
UNREADABLE = {
    "too deep": b'{"_id":"a","d":%b}' % DEEP,
    "too deep and odd": b'{"_id":"a","n":NaN,"d":%b}' % DEEP,
    "not JSON": b'{"_id":"a",',
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_record_that_no_decoder_can_read_is_wrapped(kind: str) -> None:
    """Nothing of it can be read, and nothing of it is lost."""
    record = read_record(msgspec.Raw(UNREADABLE[kind]), indented=False)

    assert (record.id, record.timestamp, record.created) == (None, None, None)
    assert record.original == UNREADABLE[kind]


@pytest.mark.parametrize("item", [b"7", b"[1]", b"[NaN]", b'"{}"', b"true"])
def test_an_item_that_is_not_an_object_is_not_a_record(item: bytes) -> None:
    """Whether or not it is strict JSON; the message shows its beginning."""
    with pytest.raises(Malformed, match="where a record is expected") as refused:
        read_record(msgspec.Raw(item), indented=False)

    assert item.decode() in str(refused.value)


def wrapper(irregular: bytes) -> bytes:
    """Return the line of a part that wraps something."""
    return b'{"_id":null,"timestamp":null,"created":null,"irregular":%b}' % irregular


@pytest.mark.parametrize(
    "line",
    [
        wrapper(b"7"),
        wrapper(b"true"),
        wrapper(b'"not base64!"'),
        wrapper(b'"e3 0="'),
        wrapper(b'"e30"'),
        b'{"_id":"a","d":%b}' % DEEP,
        b'{"_id":',
        b"[]",
    ],
    ids=range(8),
)
def test_a_line_that_this_program_never_writes_is_malformed(line: bytes) -> None:
    """Its part is damaged, or not ours."""
    with pytest.raises(Malformed, match="not a record"):
        read_line(line)


def test_a_line_is_read_back_as_the_record_it_holds() -> None:
    """With what identifies it; a line with a field more than a wrapper has is a record."""
    line = b'{"_id":"a","timestamp":1,"created":2.0,"irregular":"e30=","n":1}'

    assert read_line(line) == Record(raw=line, id="a", timestamp=1, created=2)


def test_a_wrapper_is_read_back_as_what_it_wraps() -> None:
    """Its line is kept, too."""
    record = read_line(wrapper(b'"e30="'))

    assert (record.original, record.line) == (b"{}", wrapper(b'"e30="'))
    assert read_line(b"{}").original is None


def test_a_record_has_a_position_on_either_axis() -> None:
    """Event time on `date`, ingestion time on `created`."""
    record = Record(raw=b"{}", id=None, timestamp=3, created=9)

    assert (record.on("date"), record.on("created")) == (3, 9)
