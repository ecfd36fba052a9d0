"""From a body to a page: no page is lost over a strange record, and no other answer is a page."""

import pytest

from shared.core.api.pages import Page, read_page
from shared.core.api.records import Malformed
from tests.bodies import body


def test_a_byte_order_mark_costs_nothing() -> None:
    """Some proxies add one."""
    assert [it.line for it in read_page(b"\xef\xbb\xbf" + body(b'{"_id":"a"}')).records] == [
        b'{"_id":"a"}'
    ]


MALFORMED = {
    "HTML": b"<html></html>",
    "nothing": b"",
    "cut": b'{"data":[{"_id":"a"}',
    "a list": b"[]",
    "text": b'"data"',
    "null data, no end": b'{"data":null,"hasNext":true,"nextQueryFilters":{"date":{"gte":5}}}',
    "null data, no total": b'{"data":null,"hasNext":false}',
    "null data, no total, odd text": b'{"data":null,"hasNext":false,"a":"\xff"}',
    "a damaged name of data": b'{"d\xffta":[{}],"hasNext":false}',
    "odd text beside no records": b'{"data":[],"hasNext":false,"a":"\xff"}',
    "nothing but an object": b"{}",
    "an error in place of a page": b'{"detail":"Request was throttled."}',
    "no data, an odd total": b'{"hasNext":false,"total":"0"}',
    "no data, a fraction for a total": b'{"hasNext":false,"total":0.5}',
    "data that is not a list": b'{"data":{},"hasNext":false}',
    "a number for a record": body(b"7"),
    "true for a record": body(b"true"),
    "an odd list for a record": body(b"[NaN]"),
    "a list for a record": body(b'{"_id":"a","n":NaN}', b"[1]"),
    "no hasNext": b'{"data":[]}',
    "hasNext that is no boolean": b'{"data":[],"hasNext":"yes"}',
    "no continuation": b'{"data":[],"hasNext":true}',
    "a null continuation": b'{"data":[],"hasNext":true,"nextQueryFilters":null}',
    "a continuation that is not an object": b'{"data":[],"hasNext":true,"nextQueryFilters":[]}',
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


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("odd", [b"", b',{"n":NaN}'])
def test_every_record_of_an_indented_page_is_on_one_line(newline: bytes, odd: bytes) -> None:
    """Whatever breaks the lines; a record without a break keeps its blanks."""
    broken = newline.join([b"{", b' "_id": "a"', b"}"])
    page = read_page(body(broken + b"," + newline + b'{"_id": "b" }' + odd))

    assert [it.line for it in page.records[:2]] == [b'{"_id":"a"}', b'{"_id": "b" }']


def test_an_object_as_long_as_null_is_a_record() -> None:
    """An empty one with two blanks."""
    page = read_page(body(b"{  }", b"null"))

    assert ([it.line for it in page.records], page.nulls) == ([b"{  }"], (1,))


@pytest.mark.parametrize(
    ("written", "bare"), [(b'"data":[],', False), (b'"data":null,"total":0,', True), (b"", True)]
)
def test_a_page_without_a_list_is_bare(written: bytes, *, bare: bool) -> None:
    """It may have lost its records."""
    assert read_page(b'{%b"hasNext":false}' % written).bare is bare


@pytest.mark.parametrize("continuation", [b"[]", b'{"a":NaN}', b'{"a":1e999}', rb'{"a":"\ud800"}'])
def test_a_last_page_with_a_broken_continuation_is_malformed(continuation: bytes) -> None:
    """Nothing asks for it, but what damaged it may have damaged the records."""
    with pytest.raises(Malformed, match="nextQueryFilters"):
        read_page(b'{"data":[],"hasNext":false,"nextQueryFilters":%b}' % continuation)


def test_the_continuation_is_kept_verbatim() -> None:
    """Key order, spaces and unknown keys included."""
    given_filters = b'{ "z":1, "date":{"gte":5.0 , "lte": 6}}'

    page = read_page(body(more=b'"nextQueryFilters":%b,"hasNext":true' % given_filters))

    assert page.continuation == given_filters.decode()


@pytest.mark.parametrize(
    ("written", "hides"),
    [
        (b'"data":[],"total":1', True),
        (b'"total":3', True),
        (b'"data":[],"total":0', False),
        (b'"data":[],"total":-1', False),
        (b'"data":[]', False),
        (b'"data":[{}],"total":3', False),
        (b'"data":[null],"total":3', False),
    ],
)
def test_an_empty_page_that_counts_activities_hides_them(
    written: bytes,
    hides: bool,  # noqa: FBT001
) -> None:
    """A count below zero means nothing."""
    page = read_page(b'{"hasNext":false,%b}' % written)

    assert isinstance(page, Page)
    assert page.hides_activities == hides
