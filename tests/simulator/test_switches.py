"""Switches have valid defaults, and nothing invalid is accepted silently."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import Switches


@pytest.mark.parametrize(
    "wrong",
    [
        {"tail_drop": "some"},
        {"retry_after": "soon"},
        {"page_cap": 0},
        {"minimum_limit": 0},
        {"refuses": frozenset({"x"})},
    ],
    ids=repr,
)
def test_a_choice_that_does_not_exist_is_refused(wrong: dict[str, Any]) -> None:
    """A misspelt switch must not behave like the default."""
    with pytest.raises(ValueError, match="Switch"):
        Switches(**wrong)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("page_cap", "500", 500),
        ("latency_seconds", "0.2", 0.2),
        ("latency_seconds", "2", 2.0),
        ("gzip_response", "true", True),
        ("throttle_per_minute", "none", None),
        ("retry_after", "none", None),
        ("reach_ms", "1000", 1000),
        ("tail_drop", "few", "few"),
        ("black_holes", "5,7", frozenset({5, 7})),
        ("refuses", "limit,desc", frozenset({"limit", "desc"})),
        ("ignores", "", frozenset()),
    ],
)
def test_a_switch_can_be_set_by_text(name: str, text: str, value: object) -> None:
    """The command line uses this; the text is converted to the switch's type."""
    switches = Switches().with_texts({name: text})

    assert getattr(switches, name) == value
    assert type(getattr(switches, name)) is type(value)
