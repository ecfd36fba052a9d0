"""The slow scanner reads what the fast decoder reads, and what it refuses."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.api import envelopes, lenient
from shared.core.api.records import Malformed
from tests.bodies import IRREGULAR, KEPT, body

ITEMS = [*KEPT.values(), b"null", b"7", b'"text"', b"[1, 2]", b"{}"]
SPACE = st.sampled_from([b"", b" ", b"\r\n\t"])


@given(items=st.lists(st.sampled_from(ITEMS), max_size=4), space=SPACE, total=st.integers(-1, 9))
def test_both_decoders_agree_on_what_the_fast_one_accepts(
    items: list[bytes], space: bytes, total: int
) -> None:
    """Whatever white space is between the tokens."""
    members = [
        b'"data"' + space + b":" + space + b"[" + (space + b"," + space).join(items) + b"]",
        b'"hasNext":true',
        b'"nextQueryFilters":{"date": {"gte":5.0}}',
        b'"total":' + str(total).encode(),
    ]
    content = space + b"{" + space + (b"," + space).join(members) + space + b"}" + space

    fast, slow = envelopes.decode(content), lenient.decode(content)

    assert msgspec.structs.asdict(slow) == msgspec.structs.asdict(fast)


@pytest.mark.parametrize("record", IRREGULAR.values(), ids=IRREGULAR)
def test_an_irregular_record_keeps_its_bytes_between_its_neighbours(record: bytes) -> None:
    """Also where they are not UTF-8."""
    envelope = lenient.decode(body(b'{"n":1}', record, b'{"n":2}'))

    assert [bytes(it) for it in envelope.items] == [b'{"n":1}', record, b'{"n":2}']


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>", "not JSON"),
        (b'{"data":[', "not JSON"),
        (b'{"data":' + b"[" * 100_000, "not JSON"),
        (b"[NaN]", "not a JSON object"),
        (b'{"data":"text"}', "not a list"),
        (b'{"data":[],"d\xffta":1}', "not UTF-8 around"),
        (b'{"hasNext":false,"n":"\xff"}', "not UTF-8 around"),
    ],
)
def test_what_is_not_the_envelope_of_a_page_is_malformed(content: bytes, why: str) -> None:
    """The message says why."""
    with pytest.raises(Malformed, match=why):
        lenient.decode(content)


def test_the_beginning_of_what_is_not_json_is_shown_in_ascii() -> None:
    """It goes into the ledger and the log; bytes that are not UTF-8 can be recognised."""
    with pytest.raises(Malformed) as refused:
        lenient.decode("<ä>".encode() + b"\xff" + b"x" * 90)

    assert str(refused.value).endswith("; it begins '<\\xe4>\\udcff" + "x" * 76 + "'")


@pytest.mark.parametrize("total", [-(2**63), 2**64 - 1])
def test_the_longest_64_bit_numbers_count_as_in_the_fast_decoder(total: int) -> None:
    """They have twenty characters."""
    body = b'{"total":%d}' % total

    assert lenient.decode(body).count == envelopes.decode(body).count == total


def test_missing_members_are_as_in_the_fast_decoder() -> None:
    """Null data is not missing data, and a number of thousands of digits counts nothing."""
    bare = lenient.decode(b'{"n":NaN}')
    null = lenient.decode(b'{"data":null,"hasNext":"yes","total":%b}' % (b"9" * 5_000))

    assert bare.data is msgspec.UNSET
    assert bytes(bare.nextQueryFilters) == b"null"
    assert (null.data, null.hasNext, null.total) == (None, None, None)
