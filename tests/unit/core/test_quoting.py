"""Text from outside is made fit to keep: one short, printable line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.quoting import QUOTED_MOST, ascii_quoted, instant, listed, quoted


def test_white_space_is_one_blank() -> None:
    """A line break would forge a line of the log."""
    assert quoted(" a\r\n\tb  c ") == "a b c"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[2J", r"a\x1b[2J"), ("a\ud800", r"a\ud800"), ("ä…", "ä…"), (b"a\xff", "a\ufffd")],
)
def test_what_cannot_be_printed_is_escaped(text: str | bytes, shown: str) -> None:
    """Letters of every alphabet can; bytes are read as UTF-8."""
    assert quoted(text) == shown


def test_a_long_text_is_cut() -> None:
    """To what fits in any log."""
    assert quoted("x" * 999) == "x" * QUOTED_MOST
    assert quoted("xyz", 2) == "xy"


@pytest.mark.parametrize(("blanks", "shown"), [(39, "x"), (40, "")])
def test_little_is_read_of_a_text_that_is_mostly_blank(blanks: int, shown: str) -> None:
    """Twenty characters for each one that is quoted: an answer may have millions."""
    assert quoted(" " * blanks + "x", 2) == shown


@given(st.text() | st.binary(), st.integers(1, 50))
def test_a_quotation_is_one_short_printable_line(text: str | bytes, most: int) -> None:
    """Whatever came."""
    shown = quoted(text, most)

    assert len(shown) <= most
    assert shown.isprintable()


@given(st.text())
def test_a_quotation_for_metadata_is_ascii(text: str) -> None:
    """A header of HTTP holds nothing else."""
    assert ascii_quoted(text).isascii()
    assert len(ascii_quoted(text, 9)) <= 9


def test_letters_that_are_not_ascii_are_escaped_in_metadata() -> None:
    """They can still be read."""
    assert ascii_quoted("für 日") == r"f\xfcr \u65e5"


def test_a_quotation_for_metadata_is_one_line_of_up_to_500_characters() -> None:
    """A line break would forge a header."""
    assert ascii_quoted(" a\r\nb ") == "a b"
    assert ascii_quoted("x" * 501) == "x" * 500


def test_an_instant_is_shown_in_utc_to_the_second() -> None:
    """What is below a second is of no use to a person."""
    assert instant(1_795_435_200_999) == "2026-11-23 12:00:00 UTC"


def test_of_many_names_the_first_are_listed() -> None:
    """A message about 300 scans stays readable."""
    names = [f"tenant-{number}" for number in range(300)]

    assert listed(names[:2]) == "tenant-0, tenant-1"
    assert listed(names[:10]).endswith(", tenant-9")
    assert listed(names) == listed(names[:10]) + " and 290 more"
