"""Durations and sweeps in every accepted notation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import DAY, HOUR, MINUTE
from tests.unit.settings.given import policy_of

UNITS = {"s": 1000, "m": MINUTE, "h": HOUR, "d": DAY}


def test_sweeps_are_named_by_their_age_whatever_its_form() -> None:
    """Another notation of the setting does not change the name of a pass."""
    same = policy_of(SCAN_SWEEPS="PT2H, 1440m,P8D")

    assert same.sweeps == policy_of(SCAN_SWEEPS="2h,24h,8d").sweeps
    assert [name for name, _ in same.sweeps] == ["sweep-2h", "sweep-24h", "sweep-8d"]
    assert policy_of(SCAN_SWEEPS="none").sweeps == ()


@given(number=st.integers(1, 28), unit=st.sampled_from(["m", "h", "d"]))
def test_both_forms_of_a_duration_mean_the_same(number: int, unit: str) -> None:
    """`5m` equals `PT5M`."""
    iso = f"P{number}D" if unit == "d" else f"PT{number}{unit.upper()}"
    reach = {"SCAN_REACH": "30d"}

    short = policy_of(SCAN_LOOKBACK=f"{number}{unit}", **reach).lookback

    assert short == policy_of(SCAN_LOOKBACK=iso, **reach).lookback == number * UNITS[unit]


@pytest.mark.parametrize("text", ["0", "0s", "0m", "000d"])
def test_where_none_is_allowed_a_duration_may_be_zero(text: str) -> None:
    """Then any doubt is reported."""
    assert policy_of(SCAN_DOUBT_ALERT=text).doubt_alert == 0
    assert policy_of(SCAN_DOUBT_ALERT="90s").doubt_alert == 90_000


@given(length=st.integers(1, 2 * DAY))
def test_a_duration_is_kept_to_the_millisecond(length: int) -> None:
    """In the shortest unit, and in ISO 8601 to the second."""
    seconds = length // 1000 + 1
    hours, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60

    assert policy_of(SCAN_LOOKBACK=f"{length}ms").lookback == length
    assert policy_of(SCAN_LOOKBACK=f"PT{hours}H{minutes}M{rest}S").lookback == seconds * 1000
