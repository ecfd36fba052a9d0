"""Scan mode: limits, the dropped tail, the continuation, and their bugs."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import Planned, Tenant
from tests.simulator.client import LIST, NOW, T0, identities, serving, times

SECONDS = [T0 + 1000 * second for second in range(10)]
PAIRS = [moment for moment in SECONDS for _ in range(2)]


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["date", "created"])
def test_a_scan_shows_every_activity_once(field: str, direction: str) -> None:
    """Following the continuation to its end gives the truth, in either order."""
    tenant = Tenant.generate(seed=4, count=2_000, per_second=3, until_ms=T0)

    with serving(tenant, page_cap=170) as client:
        pages = client.pages(sortField=field, sortDirection=direction)

    assert sorted(identities(pages)) == tenant.truth()
    assert len(pages) > 10


def test_records_are_served_byte_for_byte_as_the_tenant_has_them() -> None:
    """`Tenant.record` returns the bytes on the wire."""
    tenant = Tenant.generate(seed=4, count=30, until_ms=T0)

    with serving(tenant) as client:
        body = client.post({"isScan": True}).content

    assert all(tenant.record(identity) in body for identity in tenant.truth())


def test_a_page_that_is_not_the_last_one_loses_its_last_millisecond() -> None:
    """The cursor is that millisecond, so the next page begins with it."""
    with serving(PAIRS, page_cap=5) as client:
        page = client.page()

    assert times(page) == PAIRS[:4]
    assert page["hasNext"] is True
    assert page["nextQueryFilters"] == {"date": {"gte": SECONDS[2]}}


def test_even_a_page_that_ends_between_milliseconds_loses_one() -> None:
    """The server cannot know that the next record has another millisecond."""
    with serving(SECONDS, page_cap=4) as client:
        page = client.page()

    assert times(page) == SECONDS[:3]
    assert page["nextQueryFilters"] == {"date": {"gte": SECONDS[3]}}


def test_a_descending_scan_moves_the_upper_bound() -> None:
    """Descending is the default direction."""
    with serving(SECONDS, page_cap=4) as client:
        page = client.post({"isScan": True}).json()

    assert times(page) == SECONDS[:-4:-1]
    assert page["nextQueryFilters"] == {"date": {"lte": SECONDS[-4]}}


def test_the_last_page_has_no_continuation_and_loses_nothing() -> None:
    """`nextQueryFilters` is absent, not null."""
    with serving(SECONDS, page_cap=10) as client:
        page = client.page()

    assert times(page) == SECONDS
    assert page["hasNext"] is False
    assert "nextQueryFilters" not in page


def test_a_tenant_without_matches_has_an_empty_last_page() -> None:
    """The estimated total is then 0, too."""
    with serving([], total="estimate") as client:
        page = client.page()

    assert page == {"total": 0, "hasNext": False, "data": []}


@pytest.mark.parametrize(
    ("filters", "continuation"),
    [
        ({"date": {"gte": 5}}, {"date": {"gte": SECONDS[3]}}),
        ({"date": {"gte": 5, "lte": NOW}}, {"date": {"gte": SECONDS[3], "lte": NOW}}),
        (
            {"date": {"range": [{"start": 5, "end": NOW}]}},
            {"date": {"range": [{"start": 5, "end": NOW}], "gte": SECONDS[3]}},
        ),
        (
            {"date": {"range": {"start": 5, "end": NOW}}},
            {"date": {"range": {"start": 5, "end": NOW}, "gte": SECONDS[3]}},
        ),
        (
            {"source": {"eq": [1, 2]}, "created": {"gt": 7}},
            {"source": {"eq": [1, 2]}, "created": {"gt": 7}, "date": {"gte": SECONDS[3]}},
        ),
        (
            {"date": {"gte_ndays": 20_000}},
            {"date": {"gte_ndays": 20_000, "gte": SECONDS[3]}},
        ),
        ({"invented": {"eq": 1}}, {"invented": {"eq": 1}, "date": {"gte": SECONDS[3]}}),
    ],
)
def test_the_continuation_is_the_callers_filters_with_the_cursor(
    filters: dict[str, Any], continuation: dict[str, Any]
) -> None:
    """Only the moving bound is replaced; ranges stay in place, other filters are echoed."""
    with serving(SECONDS, page_cap=4, reach_ms=None) as client:
        page = client.page(filters)

    assert page["nextQueryFilters"] == continuation


def test_a_scan_by_created_moves_created() -> None:
    """The cursor is in the sort field."""
    activities = Tenant.of([(T0 - n, T0 + n) for n in range(6)])

    with serving(activities, page_cap=3) as client:
        page = client.page(sortField="created")

    assert [record["created"] for record in page["data"]] == [T0, T0 + 1]
    assert page["nextQueryFilters"] == {"created": {"gte": T0 + 2}}


def test_a_scan_by_created_can_have_its_cursor_in_date() -> None:
    """What the API does is unknown; here the cursor is the boundary record's event time."""
    activities = Tenant.of([(T0 - n, T0 + n) for n in range(6)])

    with serving(activities, page_cap=3, cursor_field="date") as client:
        page = client.page(sortField="created")

    assert page["nextQueryFilters"] == {"date": {"gte": T0 - 2}}


@pytest.mark.parametrize(
    ("limit", "shown"), [(None, 499), (10, 499), (500, 499), (501, 500), (5000, 699), (99999, 699)]
)
def test_the_limit_of_a_scan_is_clamped(limit: int | None, shown: int) -> None:
    """It is 500 if it is missing or lower, and at most the page cap."""
    with serving(range(T0, T0 + 1_000), page_cap=700) as client:
        page = client.page(limit=limit)

    assert len(page["data"]) == shown


def test_the_page_cap_is_five_thousand() -> None:
    """This is the default of the switch."""
    with serving(range(T0, T0 + 5_100)) as client:
        page = client.page(limit=9_999)

    assert len(page["data"]) == 4_999


def test_dropping_a_few_records_repeats_siblings_but_loses_none() -> None:
    """The next page repeats kept siblings in the cursor's millisecond."""
    with serving(PAIRS, page_cap=6, tail_drop="few", tail_drop_few=3) as client:
        pages = client.pages()

    assert times(pages[0]) == PAIRS[:3]
    assert pages[0]["nextQueryFilters"] == {"date": {"gte": SECONDS[1]}}
    assert times(pages[1])[0] == SECONDS[1]
    assert set(times(pages[-1]) + [moment for page in pages for moment in times(page)]) == set(
        PAIRS
    )


def test_dropping_nothing_repeats_the_boundary() -> None:
    """The cursor is inclusive, and the page already showed its records."""
    with serving(SECONDS, page_cap=4, tail_drop="none") as client:
        pages = client.pages()

    assert times(pages[0]) == SECONDS[:4]
    assert times(pages[1])[0] == SECONDS[3]


def test_a_dense_millisecond_gives_the_same_page_and_cursor_again() -> None:
    """It has more activities than a page holds, so the cursor stays."""
    with serving([T0] * 9 + [T0 + 1], page_cap=4) as client:
        page = client.page({"date": {"gte": T0}})

    assert times(page) == [T0] * 4
    assert page["hasNext"] is True
    assert page["nextQueryFilters"] == {"date": {"gte": T0}}


def test_a_dense_millisecond_can_give_no_records_and_the_same_cursor() -> None:
    """The server drops the whole last millisecond, so nothing is left."""
    with serving([T0] * 9, page_cap=4, dense="empty") as client:
        page = client.page({"date": {"gte": T0}})

    assert page["data"] == []
    assert page["hasNext"] is True
    assert page["nextQueryFilters"] == {"date": {"gte": T0}}


def test_a_dense_millisecond_can_be_a_black_hole() -> None:
    """The answer has a total, but no records and no continuation."""
    with serving([T0] * 9, page_cap=4, dense="black-hole") as client:
        page = client.page({"date": {"gte": T0}})

    assert page == {"total": 9, "hasNext": False, "data": []}


def test_a_dense_millisecond_can_be_paged_by_created() -> None:
    """Its activities were saved at different times."""
    activities = Tenant.of([(T0, T0 + n) for n in range(9)])

    with serving(activities, page_cap=4) as client:
        pages = client.pages({"date": {"gte": T0, "lte": T0}}, sortField="created")

    assert sorted(identities(pages)) == activities.truth()


def test_a_black_hole_hides_what_lies_at_and_after_the_cursor() -> None:
    """`gte` on the millisecond itself finds nothing; one millisecond later finds the rest."""
    with serving(SECONDS, black_holes=frozenset({SECONDS[3]})) as client:
        at = client.page({"date": {"gte": SECONDS[3]}})
        after = client.page({"date": {"gte": SECONDS[3] + 1}})

    assert at == {"total": 7, "hasNext": False, "data": []}
    assert times(after) == SECONDS[4:]


def test_a_black_hole_shows_its_activities_from_the_other_side_and_by_created() -> None:
    """A descending scan finds them, as does one sorted by `created`."""
    with serving(SECONDS, black_holes=frozenset({SECONDS[3]})) as client:
        below = client.page({"date": {"lte": SECONDS[3]}}, sortDirection="desc")
        moment = {"date": {"gte": SECONDS[3], "lte": SECONDS[3]}}
        by_created = client.page(moment, sortField="created")

    assert times(below)[0] == SECONDS[3]
    assert times(by_created) == [SECONDS[3]]


def test_a_black_hole_can_be_beyond_recovery() -> None:
    """Whether sorting by `created` helps is unknown."""
    holes = frozenset({T0})

    with serving([T0], black_holes=holes, black_hole_recovery="none") as client:
        page = client.page({"date": {"gte": T0, "lte": T0}}, sortField="created")

    assert page == {"total": 1, "hasNext": False, "data": []}


def test_a_share_of_populated_milliseconds_are_black_holes() -> None:
    """The seed decides which ones, so a millisecond always or never is one."""
    with serving(SECONDS, black_hole_share=0.5) as client:
        first = [client.page({"date": {"gte": moment}})["data"] == [] for moment in SECONDS]
        again = [client.page({"date": {"gte": moment}})["data"] == [] for moment in SECONDS]
        empty = client.page({"date": {"gte": SECONDS[0] - 1}})["data"]

    assert first == again
    assert 0 < sum(first) < len(SECONDS)
    assert empty


def test_the_total_is_an_estimate_that_changes() -> None:
    """Repeating a request returns another number."""
    with serving(range(T0, T0 + 1_000), total="estimate", total_noise=0.1) as client:
        totals = {client.page()["total"] for _ in range(5)}

    assert len(totals) > 1
    assert all(890 <= total <= 1_110 for total in totals)


def test_the_total_can_be_above_zero_without_matches() -> None:
    """An estimate does not prove that there is anything."""
    with serving([], total="phantom") as client:
        page = client.page()

    assert page["total"] > 0


def test_activities_appear_once_they_are_created() -> None:
    """A late one appears in a window that was read before."""
    tenant = Tenant.of([(T0, NOW), (T0, NOW + 1)])

    with serving(tenant) as client:
        before = client.page()
        client.api.clock = lambda: NOW + 1
        after = client.page()

    assert (before["total"], len(before["data"])) == (1, 1)
    assert (after["total"], len(after["data"])) == (2, 2)


def test_activities_can_be_shown_before_they_are_created() -> None:
    """Tests that need no clock use this."""
    with serving(Tenant.of([(T0, NOW + 1)]), hide_until_created=False) as client:
        page = client.page()

    assert len(page["data"]) == 1


def test_activities_can_appear_out_of_their_order() -> None:
    """Each becomes visible after its own delay, up to the jitter."""
    tenant = Tenant.of([(T0 + n, T0 + n) for n in range(100)])

    with serving(tenant, visibility_jitter_ms=50, now_ms=T0 + 99) as client:
        some = client.page()
        client.api.clock = lambda: T0 + 99 + 50
        everything = client.page()

    assert 50 <= len(some["data"]) < 100
    assert some["total"] == len(some["data"])
    assert sorted(times(some)) != list(range(T0, T0 + len(some["data"])))
    assert len(everything["data"]) == 100


def test_added_activities_are_served() -> None:
    """The tenant may grow while it is served."""
    with serving([T0]) as client:
        client.api.tenant.add((T0 - 5, T0))

        assert client.times() == [T0 - 5, T0]


def test_activities_beyond_the_reach_are_silently_missing() -> None:
    """The API looks back 30 days by event time and does not mention older activities."""
    day = 86_400_000

    with serving([NOW - 30 * day - 1, NOW - 30 * day]) as client:
        page = client.page({"date": {"gte": 0}})

    assert times(page) == [NOW - 30 * day]
    assert page["total"] == 1


def test_records_without_a_timestamp_are_sorted_by_their_true_time() -> None:
    """The server knows it even if the record omits it."""
    plan = Planned(timestamp=T0 + 1, created=T0 + 2, omit=("timestamp",))

    with serving(Tenant.of([(T0, T0), plan, (T0 + 2, T0 + 2)])) as client:
        page = client.page()

    assert ["timestamp" in record for record in page["data"]] == [True, False, True]


def test_outside_of_scans_pages_are_small_and_have_no_continuation() -> None:
    """They hold at most 100 records, newest first, with an offset."""
    with serving(range(T0, T0 + 250)) as client:
        page = client.post({"limit": 1_000, "skip": 200}).json()
        first = client.post({}).json()

    assert times(page) == list(range(T0 + 49, T0 - 1, -1))
    assert page["hasNext"] is False
    assert len(first["data"]) == 100
    assert first["hasNext"] is True
    assert "nextQueryFilters" not in first


def test_outside_of_scans_the_cap_can_be_250() -> None:
    """Both caps have been observed."""
    with serving(range(T0, T0 + 300), non_scan_cap=250) as client:
        page = client.post({"limit": 1_000}).json()

    assert len(page["data"]) == 250


@pytest.mark.parametrize("status", [400, 500])
def test_a_deep_offset_is_refused(status: int) -> None:
    """`skip + limit` may not exceed 5000."""
    with serving([T0], deep_skip_status=status) as client:
        fits = client.post({"skip": 4_900, "limit": 100})
        refused = client.post({"skip": 4_901, "limit": 100})

    assert fits.status_code == 200
    assert refused.status_code == status


def test_every_request_is_kept_with_its_parameters() -> None:
    """It is recorded before the answer is sent, so a test never reads too early."""
    with serving(SECONDS, page_cap=4) as client:
        client.page({"date": {"gte": 5}}, limit=600, sortField="created")

        (received,) = client.api.requests

    assert received.number == 1
    assert received.at_ms == NOW
    assert (received.method, received.path) == ("POST", LIST)
    assert received.filters == {"date": {"gte": 5}}
    assert (received.limit, received.is_scan) == (600, True)
    assert (received.sort_field, received.sort_direction) == ("created", "asc")
    assert received.authorization_kind == "token"
    assert (received.status, received.records) == (200, 3)


@pytest.mark.parametrize(
    ("refused", "asked"),
    [
        ("limit", {"limit": 501}),
        ("sortField", {"sortField": "date"}),
        ("sortDirection", {"sortDirection": "asc"}),
        ("created-sort", {"sortField": "created"}),
        ("created-filter", {"filters": {"created": {"gte": 1}}}),
        ("desc", {"sortDirection": "desc"}),
    ],
)
def test_a_scan_can_refuse_what_is_documented(refused: str, asked: dict[str, Any]) -> None:
    """A 400 names the parameter; scans without it and plain queries still work."""
    with serving(SECONDS, refuses=frozenset({refused})) as client:
        answer = client.post({"isScan": True, **asked})

        assert (answer.status_code, refused in answer.json()["detail"]) == (400, True)
        plain = {"isScan": True, "sortDirection": "asc"} if refused == "desc" else {"isScan": True}
        assert client.post(plain).status_code == 200
        assert client.post(asked).status_code == 200


def test_a_scan_can_ignore_its_limit() -> None:
    """A page then holds as many records as the API chooses."""
    with serving([T0 + n for n in range(700)], ignores=frozenset({"limit"})) as client:
        assert len(client.page(limit=500)["data"]) == 700


def test_a_scan_can_ignore_its_sort_field() -> None:
    """The order is then that of the event times."""
    planned = [(T0, T0 + 9_000), (T0 + 1, T0 + 8_000)]
    with serving(Tenant.of(planned), ignores=frozenset({"sortField"})) as client:
        assert client.times(sortField="created") == [T0, T0 + 1]
