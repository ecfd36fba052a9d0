"""Attention: what needs a person, how soon, and which section helps."""

from typing import Any

import pytest

from shared.core.audit.attention import SECTIONS, SEVERITIES, attention_to, shown

HOUR = 3_600

CASES = [
    ({"soon_lost_seconds": 2 * HOUR}, "soon-lost", 1, "2 h leave the API's reach unread soon"),
    ({"lost_seconds": 300}, "lost", 1, "5 min are declared lost"),
    ({"lag_seconds": 2 * HOUR}, "lag", 2, "the oldest time that is due has waited for 2 h"),
    ({"blocked_slices": 3}, "blocked", 2, "3 slices are blocked and only retried every hour"),
    (
        {"requests_per_day_first": 11, "requests_per_day_capacity": 10},
        "over-budget",
        2,
        "the first pass needs 11 requests a day, and the runs can send 10",
    ),
    ({"doubt_seconds": 90}, "doubt", 3, "90 s are in doubt"),
]


@pytest.mark.parametrize(("state", "kind", "severity", "text"), CASES, ids=str)
def test_what_is_wrong_with_the_state_of_a_scan_needs_a_person(
    state: dict[str, Any], kind: str, severity: int, text: str
) -> None:
    """The text says how much it is."""
    (found,) = attention_to(state, 0)

    assert (found.kind, found.severity, found.text) == (kind, severity, text)


FINE = [
    {},
    {"lag_seconds": HOUR},
    {"requests_per_day_first": 10, "requests_per_day_capacity": 10},
    {"requests_per_day_first": None, "requests_per_day_capacity": 10},
    {"requests_per_day_first": 10, "requests_per_day_capacity": None},
    {"blocked_slices": 0, "lost_seconds": 0, "soon_lost_seconds": 0, "doubt_seconds": 0},
]


@pytest.mark.parametrize("state", FINE, ids=str)
def test_a_scan_with_which_nothing_is_wrong_needs_nobody(state: dict[str, Any]) -> None:
    """A limit that is just reached is not passed."""
    assert attention_to(state, 0) == ()


def test_the_most_severe_comes_first() -> None:
    """A failed run and a loss need somebody today."""
    state = {"lost_seconds": 1, "doubt_seconds": 1, "blocked_slices": 1}

    found = attention_to(state, 5, failure="no disk")

    assert [it.kind for it in found] == ["failing", "lost", "blocked", "quiet", "doubt"]
    assert found[0].text == "the last run failed: no disk"
    assert found[3].text == "far less than usual has come for 5 h"


def test_every_kind_has_a_severity_and_a_section_of_the_runbook() -> None:
    """Both tables list the same kinds."""
    assert list(SECTIONS) == list(SEVERITIES)
    assert set(SEVERITIES.values()) == {1, 2, 3}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(119, "119 s"), (120, "2 min"), (7_199, "120 min"), (7_200, "2 h"), (172_800, "2 days")],
)
def test_a_length_of_time_is_shown_in_the_largest_unit_that_fits(seconds: int, said: str) -> None:
    """A unit fits from twice its length."""
    assert shown(seconds) == said
