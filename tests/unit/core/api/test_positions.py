"""Positions: whole numbers of milliseconds, in every notation."""

import pytest

from shared.core.api.blocks import stored_records
from shared.core.api.pages import read_page
from shared.core.api.positions import position
from tests.bodies import body
from tests.parts import part_of


@pytest.mark.parametrize("written", [b"1.7e12", b"1700000000000.0", b"1700000000000", b"17E+11"])
def test_a_whole_number_is_a_position_however_it_is_written(written: bytes) -> None:
    """On a page and in a part; the line keeps the notation."""
    given = b'{"_id":"a","timestamp":%b,"created":%b}' % (written, written)
    (shown,) = read_page(body(given)).records
    (stored,) = stored_records(part_of([shown]))

    assert shown.line == given
    assert shown.timestamp == shown.created == stored.timestamp == stored.created == 17 * 10**11
    assert shown.identity == stored.identity


@pytest.mark.parametrize(
    ("written", "at"),
    [
        (b"-9223372036854775808", -(2**63)),
        (b"-9223372036854775809", None),
        (b"9223372036854775807", 2**63 - 1),
        (b"9223372036854775807.0", 2**63 - 1),
        (b"9223372036854775808.0", None),
        (b"1e18", 10**18),
        (b"1e19", None),
        (b"1e308", None),
        (b"1e309", None),
        (b"0e400", 0),
        (b"0e99999999999999999999", None),
        (b"1e-400", None),
    ],
)
def test_a_position_has_64_bits(written: bytes, at: int | None) -> None:
    """Exactly, however the number is written."""
    assert position(written) == at


def test_what_is_missing_has_no_position() -> None:
    """Just as null has none."""
    assert position(None) is position(b"null") is None


ODD = [b"true", b'"1"', b"1.5", b"1700000000000.00001", b"null", b"9223372036854775808", b"{}"]


@pytest.mark.parametrize("written", ODD)
def test_strange_times_are_not_positions(written: bytes) -> None:
    """Only whole 64-bit numbers place a record, also when it is read back."""
    (shown,) = read_page(body(b'{"timestamp":%b,"created":5.0}' % written)).records
    (stored,) = stored_records(part_of([shown]))

    assert (shown.timestamp, shown.created) == (stored.timestamp, stored.created) == (None, 5)
    assert shown.identity == stored.identity
