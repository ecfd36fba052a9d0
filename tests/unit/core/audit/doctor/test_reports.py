"""The result of an examination, as it is stored."""

import pytest

from shared.core.audit.doctor.reports import Check, CheckResult, Examination, decode, encode
from shared.core.audit.doctor.words import Facts, Lag
from tests.fakes import NOW


def examination(*results: CheckResult) -> Examination:
    """Return an examination with checks that went so."""
    return Examination(
        program="1.2.3",
        label="first",
        scan="all",
        made=NOW,
        requests=17,
        checks=tuple(Check(name="clocks", result=it, reason="") for it in results),
        findings=(),
        settings={"SCAN_LIMIT": "500"},
        facts=Facts(lateness=(Lag(share=0.5, seconds=7),)),
    )


def test_an_examination_is_read_as_it_was_written() -> None:
    """`doctor.json` keeps everything."""
    found = examination("passed")

    assert decode(encode(found)) == found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b'{"program": "\xff"}',
        b'{"facts": ' + b"[" * 100_000,
        encode(examination()).replace(b'"version":1', b'"version":2'),
    ],
)
def test_what_is_no_examination_of_this_version_is_none(content: bytes) -> None:
    """It is made again; nothing is taken from it."""
    assert decode(content) is None


def test_an_examination_is_sound_unless_a_check_failed() -> None:
    """A check that could not tell has not failed."""
    assert examination("passed", "could not tell").is_sound
    assert not examination("passed", "failed").is_sound
