"""The settings of each of several scans, and what identifies a scope."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.errors import SettingsError
from shared.settings import fingerprint, read_settings
from tests.fakes import DAY, MINUTE
from tests.unit.settings.given import GOOD, problems, scans_of


def test_a_scan_s_own_share_of_requests_is_not_divided() -> None:
    """It belongs to that scan alone; the others share the rest of the budget."""
    scans: list[dict[str, Any]] = [{"name": "a", "requests_per_minute": 20}, {"name": "b"}]

    first, second = (it.policy for it in scans_of(scans))

    assert (first.requests_per_minute, second.requests_per_minute) == (20, 12)


def test_the_problems_of_each_scan_name_its_place() -> None:
    """Problems common to all scans are reported, too."""
    scans: list[dict[str, Any]] = [{"name": "a", "slice": "7m"}, {"name": "B"}]

    with pytest.raises(SettingsError) as refused:
        read_settings({**GOOD, "SCANS": json.dumps(scans), "SCAN_TIME_BUDGET": "1s"})

    assert [it.partition(" is ")[0] for it in refused.value.problems] == [
        "SCAN_TIME_BUDGET",
        "SCANS[0] (a): SCAN_SLICE",
        "SCANS[1]: SCAN_NAME",
    ]


def test_several_scans_share_what_they_do_not_set() -> None:
    """Budgets of time and requests are divided among them."""
    only = {"service": {"eq": [1]}}
    scans: list[dict[str, Any]] = [{"name": "a", "limit": 700}, {"name": "b", "filters": only}]
    shared = {"SCAN_LOOKBACK": "2d", "SCAN_TIME_BUDGET": "4m"}

    first, second = (it.policy for it in scans_of(scans, **shared))

    assert (first.scan, first.limit, first.lookback) == ("a", 700, 2 * DAY)
    assert (second.scan, second.limit, second.filters) == ("b", 5000, only)
    assert (first.budget, first.requests_per_minute) == (2 * MINUTE, 12)


def test_more_scans_than_the_time_budget_carries_are_refused() -> None:
    """Each scan needs five seconds of a run."""
    scans = json.dumps([{"name": f"s{n}"} for n in range(9)])

    said = problems({**GOOD, "SCANS": scans, "SCAN_TIME_BUDGET": "30s"})

    assert "SCANS" in said
    assert "5 s" in said


filters = st.dictionaries(
    st.text(max_size=5),
    st.dictionaries(st.text(max_size=3), st.integers() | st.lists(st.integers()), max_size=3),
    max_size=4,
)


@given(value=filters)
def test_the_fingerprint_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    """The same filters in another notation are not a changed scope."""
    turned = {name: dict(reversed(it.items())) for name, it in reversed(value.items())}

    assert fingerprint(value, "date") == fingerprint(turned, "date")
    assert fingerprint(value, "date") != fingerprint(value, "created")
