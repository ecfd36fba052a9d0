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


def test_a_scan_may_have_a_limit_of_its_own() -> None:
    """It does not raise the limit that it has together with others."""
    scans: list[dict[str, Any]] = [
        {"name": "a", "requests_per_minute": 20},
        {"name": "b", "requests_per_minute": 30},
        {"name": "c"},
        {"name": "alone", "api_url": FABRIKAM, "requests_per_minute": 30},
    ]

    limits = {it.policy.scan: it.policy.requests_per_minute for it in scans_of(scans)}

    assert limits == {"a": 20, "b": 25, "c": 25, "alone": 30}


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
    """Each has its share of the time, and more if the others leave some."""
    only = {"service": {"eq": [1]}}
    scans: list[dict[str, Any]] = [{"name": "a", "limit": 700}, {"name": "b", "filters": only}]
    shared = {"SCAN_LOOKBACK": "2d", "SCAN_TIME_BUDGET": "4m"}

    first, second = (it.policy for it in scans_of(scans, **shared))

    assert (first.scan, first.limit, first.lookback) == ("a", 700, 2 * DAY)
    assert (second.scan, second.limit, second.filters) == ("b", 5000, only)
    assert (first.budget, first.budget_most) == (2 * MINUTE, 4 * MINUTE)


FABRIKAM = "https://fabrikam.us3.portal.cloudappsecurity.com"


def test_workers_give_the_scans_of_each_api_host_the_whole_time() -> None:
    """Only those of one host run one after the other; the others are in another worker."""
    scans: list[dict[str, Any]] = [{"name": "a"}, {"name": "b"}, {"name": "c", "api_url": FABRIKAM}]
    shared = {"SCAN_TIME_BUDGET": "4m"}

    in_the_timer, by_workers = (
        [(it.policy.budget, it.policy.budget_most) for it in scans_of(scans, **how)]
        for how in (shared, {**shared, "SCAN_FAN_OUT": "true"})
    )

    third = 4 * MINUTE // 3
    assert in_the_timer == [(third, 2 * third), (third, 2 * third), (third, third)]
    assert by_workers == [(2 * MINUTE, 4 * MINUTE)] * 2 + [(4 * MINUTE, 4 * MINUTE)]


def test_workers_have_room_for_many_tenants_and_not_for_as_many_scans_of_one() -> None:
    """Each scan needs five seconds of the run of its host."""
    hosts = [f"https://t{n}.us3.portal.cloudappsecurity.com" for n in range(300)]
    tenants = [{"name": f"t{n}", "api_url": url} for n, url in enumerate(hosts)]
    of_one = [{"name": f"s{n}", "api_url": FABRIKAM} for n in range(9)]
    shared = {**GOOD, "SCAN_FAN_OUT": "true", "SCAN_TIME_BUDGET": "30s"}

    accepted = read_settings({**shared, "SCANS": json.dumps(tenants)})
    said = problems({**shared, "SCANS": json.dumps([*tenants, *of_one])})

    assert len(accepted.scans) == 300
    assert "SCANS has 9 scans of one API host for 30 s of time: each needs 5 s" in said


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
