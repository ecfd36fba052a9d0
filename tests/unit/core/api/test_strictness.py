"""The cheap looks never pass over what the slow ones would find."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.api.strictness import has_large_number, may_be_large, repeats_a_key

SPACE = st.sampled_from([b"", b" ", b"\n  ", b"\t"])
DIGITS = st.text("0123456789", min_size=1, max_size=24).map(lambda it: it.lstrip("0") or "0")
EXPONENTS = st.builds(
    "{}{}{}".format,
    st.sampled_from("eE"),
    st.sampled_from(["", "+", "-"]),
    st.text("0123456789", min_size=1, max_size=5),
)
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    DIGITS,
    st.just("") | DIGITS.map(".{}".format),
    st.just("") | EXPONENTS,
).map(str.encode)
KEYS = st.sampled_from([b'"a"', rb'"\u0061"', b'"b"', '"å"'.encode(), rb'"a\/b"'])


@given(number=NUMBERS, before=SPACE, after=SPACE, nested=st.booleans(), more=st.booleans())
def test_no_large_number_is_passed_over(
    number: bytes,
    before: bytes,
    after: bytes,
    nested: bool,  # noqa: FBT001
    more: bool,  # noqa: FBT001
) -> None:
    """Wherever it stands, and whatever white space is around it."""
    spaced = before + number + after
    value = b"[1," + spaced + b"]" if nested else spaced
    record = b'{"t":"x","n":' + value + (b',"o":2}' if more else b"}")

    assert may_be_large(record) or not has_large_number(record)


@pytest.mark.parametrize(
    ("number", "large"),
    [
        (b"18446744073709551615", False),
        (b"18446744073709551616", True),
        (b"-9223372036854775808", False),
        (b"-9223372036854775809", True),
        (b"18446744073709551615.5", False),
        (b"18446744073709551616.0", True),
        (b"-9223372036854775808.5", False),
        (b"-9223372036854775809.5", True),
        (b"9" * 5_000, True),
        (b"9" * 5_000 + b".5", True),
        (b"1e308", False),
        (b"1e309", True),
        (b"-1E+309", True),
        (b"1e-309", False),
        (b"1e-999", False),
        (b"0e99", False),
        (b"0e100", True),
        (b"0.0E+0100", True),
        (b"0e-100", False),
        (b"0.00000000000000000000000000000000000001", False),
    ],
    ids=lambda it: it[-24:].decode() if isinstance(it, bytes) else str(it),
)
def test_a_number_is_large_if_a_strict_reader_refuses_it(
    number: bytes,
    large: bool,  # noqa: FBT001
) -> None:
    """A whole part beyond 64 bits, a value beyond every double, a zero that is written as one."""
    for written in (b'{"n":%b}', b'{"a":[-1,{"n":[%b ]}],"b":2}'):
        record = written % number

        assert has_large_number(record) == large
        assert may_be_large(record) >= large


def test_an_ordinary_record_is_not_looked_at_twice() -> None:
    """Digits in texts, times and identifiers are no large numbers."""
    record = json.dumps(
        {
            "_id": "97e000123_20893_0e000b7c-0000-1111-2222-333344445555",
            "timestamp": 1_795_392_000_000,
            "n": -9_223_372_036_854_775,
            "hash": "12345678901234567890123456789012",
            "where": [52.30905, -4.76389, 1.5e10],
        },
        separators=(",", ":"),
    )

    assert not may_be_large(record.encode())


@given(names=st.lists(KEYS, max_size=4), space=SPACE)
def test_a_repeated_key_is_found_however_it_is_written(names: list[bytes], space: bytes) -> None:
    """White space and escapes change nothing."""
    members = [space + name + b":" + space + b'{"k":1,"k":2}' for name in names]
    record = b"{" + b",".join(members) + b"}"
    read = [json.loads(name) for name in names]

    found = repeats_a_key(record, msgspec.json.decode(record, type=dict[str, msgspec.Raw]))

    assert found == (len(set(read)) < len(read))


@pytest.mark.parametrize("value", [b"1", b'"xyz"', b'{"n":1}'])
@pytest.mark.parametrize("others", range(20))
def test_a_repeated_key_is_found_among_any_number_of_others(others: int, value: bytes) -> None:
    """However long the record is because of them."""
    distinct = [b'"%d":%d' % (number, number) for number in range(others)]
    once, twice = (b"{%b}" % b",".join([*distinct, *[b'"k":%b' % value] * n]) for n in (1, 2))

    for record, repeats in ((once, False), (twice, True)):
        members = msgspec.json.decode(record, type=dict[str, msgspec.Raw])
        assert repeats_a_key(record, members) is repeats
