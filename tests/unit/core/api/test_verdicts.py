"""The fast reading of a page agrees with a slow one by obvious rules, whatever is in the page.

`PROOFS=all` tries 200,000 damaged pages, the tests a sample of them.
"""

import json
import random
import re

import pytest

from shared.core.api.pages import read_page
from shared.core.api.records import Malformed
from simulator import Tenant
from tests.bodies import IRREGULAR, KEPT, body
from tests.reference import records_of
from tests.sampling import examples

PAGES = examples(2_000, 200_000)
SEEDS = 8

_TENANT = Tenant.generate(seed=5, count=24, until_ms=1_795_392_000_000)

RECORDS = [*KEPT.values(), *IRREGULAR.values(), *map(_TENANT.bytes_of, range(24))]

PIECES = [
    *(bytes([number]) for number in b'{}[]",:\\ \n\r\t\0\x7f0123456789eE+-.tfn\xc3\xa9\xff\xed'),
    *b"null true NaN -Infinity \\u0065 \\ud800 \\ud83d\\ude00 _id irregular timestamp".split(),
    *b"1e400 0e400 -0.0E+0400 1e-400 0e99 1E+999 18446744073709551615 18446744073709551616".split(),
    *b"-9223372036854775808 -9223372036854775809 18446744073709551616.5 1.0 00000 e000".split(),
    *(b',"k":1', b'"k":1,', b',"k":', b"},{", b",null", b'"irregular":1,', "å😀".encode()),
]
"""What is put into pages: parts of numbers, of escapes, and of the structure."""


NUMBER = re.compile(rb"-?\d[-+.eE\d]*")

NUMBERS = [
    *b"0 -0 1.0 7.5 1e2 1e400 -1e400 0e400 0.0E+0400 -0e99 1e-400 1e0000000000000000005".split(),
    *b"9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809".split(),
    *b"18446744073709551615 18446744073709551616 18446744073709551615.5 1e19 0e30".split(),
    *b"18446744073709551616e-5 -9223372036854775809.0 123456789012345678901E2 1e308 1e309".split(),
    *(b"1" * 309, b"1" * 310 + b"e-9", b"0." + b"0" * 400 + b"1", b"9" * 5_000),
]


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a record with another number, or in which some bytes were changed, or as it is."""
    if chance.random() < 0.5:
        at, end = chance.choice([it.span() for it in NUMBER.finditer(content)])
        content = content[:at] + chance.choice(NUMBERS) + content[end:]
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        at = chance.randrange(len(content))
        end = at + chance.choice((0, 0, 0, 1, 1, 2, 9))
        put = chance.choice((chance.choice(PIECES), chance.choice(PIECES), content[at:end] * 2))
        content = content[:at] + put + content[end:]
    return content


def assert_read_as_expected(content: bytes) -> None:
    """Assert that both readings agree on every record."""
    expected = records_of(content)
    try:
        page = read_page(content)
    except Malformed:
        assert expected is None, content
        return
    assert expected is not None, content
    read = [(it.id, it.timestamp, it.created, it.original is not None) for it in page.records]
    wanted = [it for it in expected if it is not None]
    assert read == [it[:4] for it in wanted], content
    for record, want in zip(page.records, wanted, strict=True):
        if want.irregular:
            assert json.loads(record.line) == json.loads(want.line), content
        else:
            assert record.line == want.line, content


@pytest.mark.parametrize("seed", range(SEEDS))
def test_damaged_pages_are_read_as_by_the_reference(seed: int) -> None:
    """Which records are irregular, their lines and what identifies them."""
    chance = random.Random(seed)
    for _ in range(PAGES // SEEDS):
        records = [damaged(it, chance) for it in chance.choices(RECORDS, k=chance.randint(1, 4))]

        assert_read_as_expected(body(*records))


def test_a_page_of_ordinary_records_is_read_as_by_the_reference() -> None:
    """Those of the simulator, which are like the API's."""
    assert_read_as_expected(body(*map(_TENANT.bytes_of, range(24))))
