"""Answers that made no sense, shown to a person."""

from base64 import b64decode

from shared.operate.quarantine import as_json, lines_of, printable
from shared.ports import KeptAnswer
from tests.fakes import NOW

KEPT = KeptAnswer(
    slot=7, kept=NOW, size=1234, run="r", slice="20261123T05-20261123T06", fault="HTML\x1b[2J"
)


def test_the_bytes_of_an_answer_are_safe_on_a_terminal() -> None:
    """It moves no cursor, rings no bell and clears nothing; lines stay lines."""
    shown = printable(b"<html>\n\x1b[2J\x07\rgone\xff\xe2\x80\xae</html>\xc3\xa9")

    assert shown == "<html>\n\\x1b[2J\\x07\\rgone\\xff\\u202e</html>é"


def test_an_answer_is_listed_with_its_time_slice_and_reason() -> None:
    """Hostile text in the reason is escaped, too."""
    (line,) = lines_of([KEPT])

    assert line.startswith("07  2026-11-23 12:00:00 UTC  1,234 bytes  20261123T05-20261123T06")
    assert line.endswith("HTML\\x1b[2J")


def test_an_answer_without_metadata_is_listed() -> None:
    """So is nothing at all."""
    bare = KeptAnswer(slot=0, kept=NOW, size=0, run="", slice="", fault="")

    assert next(lines_of([bare])).endswith("no slice  no reason is kept")
    assert list(lines_of([])) == ["the quarantine is empty"]


def test_json_has_the_bytes_as_they_came() -> None:
    """They may be in no encoding that JSON knows."""
    assert b64decode(as_json(KEPT, b"\xff\x00")["base64"]) == b"\xff\x00"
    assert "base64" not in as_json(KEPT)
