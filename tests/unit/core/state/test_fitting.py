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


def test_a_long_warning_keeps_its_beginning_and_its_end() -> None:
    """A quarter of what is kept is the end, where the reason is."""
    most = "a" * 447 + "z" * 153

    assert summed_up([most]) == [most]
    assert summed_up([f"a{most}"]) == ["a" * 447 + " … " + "z" * 150]


def test_kinds_beyond_the_first_are_counted_together() -> None:
    """A thousand of them, in words that differ."""
    words = [f"{chr(97 + n // 26 % 26)}{chr(97 + n % 26)} trouble" for n in range(500)] * 2

    said = summed_up(words)

    assert len(said) == 26
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
    assert report["message"].startswith("these settings or options are invalid")
    assert report["message"].endswith("is wrong")


def test_a_line_that_just_fits_is_not_shortened() -> None:
    """One character more is too much."""
    longest = "x" * (LINE_MOST - len('{"a":""}'))

    assert fitted_line({"a": longest}) == json.dumps({"a": longest}, separators=(",", ":"))
    assert len(fitted_line({"a": f"{longest}x"})) < 5_000


def test_a_line_is_shortened_no_more_than_it_must_be() -> None:
    """Texts to 4000 characters and lists to 200 items first; what is shorter stays whole."""
    fields = {"long": "x" * 40_000, "short": "y" * 4_000, "list": [*range(203)], "few": [1, 2]}

    shown = json.loads(fitted_line({**fields, "nested": {"deep": ("z" * 5_000, None)}}))

    assert len(shown["long"]) == len(shown["nested"]["deep"][0]) == 4_000
    assert (shown["short"], shown["few"]) == (fields["short"], fields["few"])
    assert shown["list"] == [*range(200), "and 3 more"]
    assert shown["nested"]["deep"][1] is None


def test_a_list_of_as_many_items_as_are_shown_is_whole() -> None:
    """Nothing says that there are none more."""
    fields = {
        "long": "x" * 40_000,
        "list": [*range(200)],
        "one more": [*range(201)],
        "many more": [*range(1_201)],
    }

    shown = json.loads(fitted_line(fields))

    assert shown["list"] == [*range(200)]
    assert shown["one more"] == [*range(200), "and 1 more"]
    assert shown["many more"] == [*range(200), "and 1,001 more"]


def test_half_a_pair_of_surrogates_is_escaped_wherever_it_is() -> None:
    """In names, texts and lists; other texts stay as they are."""
    line = fitted_line({"a\ud800": ["ä\udfff", {"b\ud801": None}], "n": (1, "ö")})

    assert json.loads(line) == {"a\\ud800": ["ä\\udfff", {"b\\ud801": None}], "n": [1, "ö"]}


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
