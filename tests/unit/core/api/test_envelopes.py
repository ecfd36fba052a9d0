"""The outer object of an answer: which of them are pages, and what they count."""

import pytest

from shared.core.api.envelopes import decode


@pytest.mark.parametrize(
    ("body", "is_page"),
    [
        (b'{"data":[]}', True),
        (b'{"data":[],"hasNext":true}', True),
        (b'{"hasNext":false}', True),
        (b'{"hasNext":false,"total":3}', True),
        (b'{"data":null,"hasNext":false,"total":3}', True),
        (b'{"data":null,"hasNext":false}', False),
        (b'{"hasNext":false,"total":"3"}', False),
        (b'{"total":3}', False),
        (b"{}", False),
    ],
)
def test_an_answer_without_data_must_say_whether_there_is_more(
    body: bytes,
    is_page: bool,  # noqa: FBT001
) -> None:
    """A null for data needs a count, too."""
    assert decode(body).is_page == is_page


@pytest.mark.parametrize("total", [b"true", b'"7"', b"[7]", b"7.5", b"null"])
def test_a_total_that_is_not_a_whole_number_counts_nothing(total: bytes) -> None:
    """A boolean is a number only to Python."""
    assert decode(b'{"total":%b}' % total).count is None


@pytest.mark.parametrize("total", [b"7", b"7.0", b"0.7e1"])
def test_a_whole_total_is_counted_in_any_notation(total: bytes) -> None:
    """As a whole number, so that no report shows a fraction."""
    count = decode(b'{"total":%b}' % total).count

    assert (count, type(count)) == (7, int)


@pytest.mark.parametrize(
    ("body", "items", "bare"),
    [
        (b'{"data":[1, {}]}', [b"1", b"{}"], False),
        (b'{"data":[]}', [], False),
        (b'{"data":null}', [], True),
        (b"{}", [], True),
    ],
)
def test_the_items_of_data_are_kept_as_bytes(body: bytes, items: list[bytes], bare: bool) -> None:  # noqa: FBT001
    """Missing or null data has none."""
    envelope = decode(body)

    assert [bytes(it) for it in envelope.items] == items
    assert envelope.is_bare == bare
