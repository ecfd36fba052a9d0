"""Switches for what the API's documentation leaves open, each the one way and the other."""

from __future__ import annotations

import pytest
import requests

from simulator import Lateness, Switches, Tenant
from simulator.searching import Search
from tests.simulator.client import LIST, NOW, T0, identities, serving, times

SECONDS = [T0 + 1000 * second for second in range(10)]
EVENT = {"activity.id": {"neq": ["none"]}}


@pytest.mark.parametrize(("direction", "first"), [("desc", SECONDS[-1]), ("asc", SECONDS[0])])
def test_a_scan_without_an_order_has_the_default_direction(direction: str, first: int) -> None:
    """The documentation does not say which; it is `desc` in practice."""
    with serving(SECONDS, default_direction=direction) as client:
        page = client.post({"isScan": True}).json()

    assert times(page)[0] == first


def test_the_default_direction_leaves_a_stated_one_alone() -> None:
    """It counts only for queries that name none."""
    with serving(SECONDS, default_direction="asc") as client:
        assert client.times(sortDirection="desc")[0] == SECONDS[-1]


@pytest.mark.parametrize(("echoes", "names"), [("all", {"date", *EVENT}), ("times", {"date"})])
def test_a_continuation_repeats_the_caller_s_filters_or_only_times(
    echoes: str, names: set[str]
) -> None:
    """Following one that repeats only times shows activities that the filters exclude."""
    with serving(SECONDS, page_cap=4, echoes=echoes) as client:
        page = client.page({"date": {"gte": T0}, **EVENT})

    assert set(page["nextQueryFilters"]) == names


def test_an_answer_can_state_the_limit_that_was_applied() -> None:
    """The API's list of alerts does that."""
    with serving(SECONDS, page_cap=4, states_max=True) as client:
        page = client.page()
        outside = client.post({"limit": 70}).json()

    assert (page["max"], page["moreThanTotal"]) == (4, False)
    assert outside["max"] == 70


def test_an_answer_states_no_limit_unless_asked_to() -> None:
    """The documentation of activities does not show one."""
    with serving(SECONDS) as client:
        assert set(client.page()) == {"total", "hasNext", "data"}


def test_a_query_by_created_can_miss_activities() -> None:
    """A scan by `date` shows them all the same."""
    tenant = Tenant.of(range(T0, T0 + 200_000, 1000))

    with serving(tenant, uncreated_share=0.5) as client:
        by_date = identities(client.pages())
        by_created = identities(client.pages(sortField="created"))
        filtered = client.page({"created": {"gte": T0}})

    assert sorted(by_date) == tenant.truth()
    assert 40 < len(by_created) < 160
    assert len(filtered["data"]) == filtered["total"] == len(by_created)


def test_a_scan_can_ignore_a_filter_on_created() -> None:
    """It then answers as if there were none."""
    with serving(SECONDS, ignores=frozenset({"created-filter"})) as client:
        assert client.times({"created": {"gte": NOW}}) == SECONDS


def test_an_answer_can_take_longer_for_each_record() -> None:
    """The time is the fixed latency and a part for each record."""
    switches = Switches(latency_seconds=0.5, seconds_per_record=0.001)
    varying = Switches(latency_seconds=float)

    assert switches.seconds(3, 500) == 1.0
    assert varying.seconds(3, 500) == 3.0


def test_a_server_takes_its_time_for_each_record() -> None:
    """The client that gives up earlier receives nothing."""
    with serving(SECONDS, seconds_per_record=9.0) as client, pytest.raises(requests.Timeout):
        requests.post(
            f"{client.api.url}{LIST}",
            json={"isScan": True},
            headers=client.api.credentials.header,
            timeout=0.05,
        )


def test_lags_can_follow_shares_of_the_activities() -> None:
    """Half of these take at most a minute, and the rest up to an hour."""
    lateness = Lateness(shares=((0.0, 1_000), (0.5, 60_000), (1.0, 3_600_000)))
    tenant = Tenant.generate(seed=5, count=1_000, until_ms=T0, lateness=lateness)

    lags = [it.created - it.timestamp for it in tenant.truth()]

    assert min(lags) >= 1_000
    assert max(lags) <= 3_600_000
    assert 440 < sum(lag <= 60_000 for lag in lags) < 560


def test_the_last_share_holds_for_the_rest() -> None:
    """A table that ends before 1 is taken to its end."""
    lateness = Lateness(shares=((0.1, 5), (0.1, 7), (0.2, 7)))

    assert {lateness.lag_ms(0, number) for number in range(50)} >= {7}


@pytest.mark.parametrize("shares", [((0.5, 1), (0.2, 2)), ((0.5, -1),)])
def test_shares_that_make_no_sense_are_refused(shares: tuple[tuple[float, int], ...]) -> None:
    """No lag could follow them."""
    with pytest.raises(ValueError, match="shares"):
        Lateness(shares=shares)


def test_a_search_without_conditions_counts_what_it_shows() -> None:
    """The exact number leaves out the rows that are not shown."""
    tenant = Tenant.of([(T0 + n, T0 + n) for n in range(6)])

    found = tenant.search(Search(count=9, shows=lambda row: row % 2 == 0))

    assert (len(found.rows), found.total) == (3, 3)
