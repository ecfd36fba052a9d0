"""A report line fits, and still says what kinds of things happened."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.errors import SettingsError
from shared.core.state.fitting import LINE_MOST, fitted_line, summed_up
from shared.core.state.layout import stamp
from shared.core.state.report import Tally, encode, report_fields
from tests.fakes import HOUR, NOW, policy


def line_with(warnings: list[str], error: Exception | None = None, **tally: Any) -> str:
    """Return the line of a run with these warnings."""
    done = Tally(scan="all", run="r", warnings=warnings, **tally)
    return encode(report_fields(done, policy(), "failed", duration=1, error=error))


def lost(count: int) -> list[str]:
    """Return warnings of hours that were declared lost."""
    starts = [NOW + n * HOUR for n in range(count)]
    return [f"{stamp(it)} to {stamp(it + HOUR)} is declared lost: past the reach" for it in starts]


def test_a_few_different_warnings_are_told_as_they_are() -> None:
    """In order."""
    assert summed_up(["one", "two"]) == ["one", "two"]


def test_warnings_of_one_kind_are_one_sentence_with_count_and_bounds() -> None:
    """From the first to the last instant that they speak of."""
    (said,) = summed_up(lost(5_000))

    assert said.startswith("5,000 times between 20261123T120000000Z and 20270619T200000000Z: ")
    assert said.endswith(lost(1)[0])


def test_warnings_without_times_are_counted() -> None:
    """Numbers make no kind of their own."""
    assert summed_up(["3 blocks gone", "other", "5 blocks gone"]) == [
        "2 times: 3 blocks gone",
        "other",
    ]


def test_kinds_beyond_the_first_are_counted_together() -> None:
    """A thousand of them, in words that differ."""
    words = [f"{chr(97 + n // 26 % 26)}{chr(97 + n % 26)} trouble" for n in range(500)] * 2

    said = summed_up(words)

    assert said[0] == "2 times: aa trouble"
    assert said[-1] == "and 950 more warnings of 475 other kinds"


@pytest.mark.parametrize(
    "warnings",
    [
        ["x" * 1_000_000],
        ["ä" * 100_000] * 3,
        ["\U0001f600" * 100_000, "b"],
        ['\x00\x1f\\"' * 50_000],
        [f"{chr(0x4E00 + n)}" * 3_000 for n in range(1_000)],
        [chr(97 + n % 26) * (n + 1) * 50 for n in range(1_000)],
        ["half a pair \ud800"],
        ["half a pair \ud800" * 9_000],
        lost(10_000),
    ],
)
def test_a_line_fits_whatever_the_warnings(warnings: list[str]) -> None:
    """In characters and in bytes; it stays JSON on one line."""
    line = line_with(warnings)

    assert len(line.encode()) <= LINE_MOST
    assert "\n" not in line
    report = json.loads(line)
    assert report["scan"] == "all"
    assert report["warnings"]


def test_a_line_fits_whatever_the_error() -> None:
    """Its class, its beginning, its end and the page that helps are there."""
    error = SettingsError([f"SETTING_{n} is wrong" for n in range(20_000)])

    line = line_with(["w"], error=error, last_fault="\x01" * 100_000)

    report = json.loads(line)
    assert len(line.encode()) <= LINE_MOST
    assert (report["error"], report["help"]) == ("SettingsError", "docs/settings.md")
    assert report["message"].startswith("the settings are wrong")
    assert report["message"].endswith("is wrong")


texts = st.text(max_size=40).map(lambda it: it * 2_000)
values = st.recursive(
    st.none() | st.integers(-(2**63), 2**63) | texts,
    lambda inner: (
        st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=40)
@given(fields=st.dictionaries(st.text(max_size=12), values, max_size=10))
def test_any_fields_fit(fields: dict[str, Any]) -> None:
    """Whatever later versions add."""
    line = fitted_line(fields)

    assert len(line.encode()) <= LINE_MOST
    json.loads(line)
