"""Quirks of the API that combine a tenant, a clock and the switches."""

from __future__ import annotations

from functools import partial

import pytest
import requests

from simulator import Arrival, Fault, Lateness, Planned, Tenant
from tests.simulator.client import NOW, T0, identities, serving, times

SECONDS = [T0 + 1000 * second for second in range(10)]
DAY = 86_400_000
ARCHIVE = "/api/v1/archived_activities/"


def test_late_activities_appear_in_a_window_that_was_read_before() -> None:
    """They follow the distribution of lateness, and the truth says when each appeared."""
    lateness = Lateness(late_share=0.3)
    tenant = Tenant.generate(seed=3, count=60, per_second=1, until_ms=T0, lateness=lateness)
    seen: dict[int, int] = {}

    with serving(tenant) as client:
        for now in range(T0, T0 + 73 * 3_600_000, 3_600_000):
            client.api.clock = partial(int, now)
            seen[now] = len(client.page({"date": {"lte": T0}})["data"])

    came = [it.visible_from for it in tenant.arrivals()]
    assert seen == {now: sum(at <= now for at in came) for now in seen}
    assert len(set(seen.values())) > 5
    assert max(seen.values()) == 60


def test_a_late_activity_can_land_behind_the_cursor_of_a_scan() -> None:
    """The scan in progress misses it, but another scan finds it."""
    with serving(SECONDS, page_cap=4) as client:
        first = client.page()
        (late,) = client.api.tenant.add((T0 + 1, NOW))
        rest = client.pages(first["nextQueryFilters"])
        again = client.pages()

    assert late not in identities([first, *rest])
    assert late in identities(again)


def test_arrivals_follow_the_jitter_of_the_api() -> None:
    """At any instant, an answer shows what has arrived by then."""
    tenant = Tenant.of([(T0 + n, T0 + n) for n in range(50)])
    arrivals = tenant.arrivals(jitter_ms=80)

    with serving(tenant, visibility_jitter_ms=80, now_ms=T0 + 60) as client:
        shown = identities([client.page()])

    arrived = [it.identity for it in arrivals if it.visible_from <= T0 + 60]
    assert sorted(shown) == sorted(arrived)
    assert 0 < len(arrived) < 50


def test_an_activity_arrives_once_however_often_it_is_held() -> None:
    """Its first time counts."""
    plan = Planned(timestamp=T0, created=T0 + 1, id="twice")

    (arrival,) = Tenant.of([plan, plan]).arrivals()

    assert arrival == Arrival(arrival.identity, T0 + 1)


def test_a_record_can_be_there_twice_with_the_same_bytes() -> None:
    """The API serves both, and only their positions differ."""
    raw = b'{"_id":"same","timestamp":%d,"created":%d}' % (T0, T0 + 1)
    plan = Planned(timestamp=T0, created=T0 + 1, id="same", raw=raw)

    with serving(Tenant.of([plan, plan])) as client:
        data = client.page()["data"]

    assert len(data) == 2
    assert data[0] == data[1]


def test_an_event_can_be_emitted_again_with_a_later_created() -> None:
    """It has the same `_id` but another identity."""
    plans = [Planned(timestamp=T0, created=T0 + 1000 * n, id="again") for n in (1, 9)]

    with serving(Tenant.of(plans)) as client:
        found = identities([client.page()])

    assert [(it.id, it.created - T0) for it in sorted(found)] == [("again", 1000), ("again", 9000)]


def test_an_activity_can_be_dated_in_the_future() -> None:
    """Its source's clock is ahead; the API shows it once it is saved."""
    with serving(Tenant.of([(NOW + DAY, NOW - 1)])) as client:
        assert times(client.page()) == [NOW + DAY]


def test_a_body_can_claim_to_be_compressed() -> None:
    """The client cannot read it."""
    with (
        serving(SECONDS, faults=[Fault("not-gzip")]) as client,
        pytest.raises(requests.exceptions.ContentDecodingError),
    ):
        client.get()


def test_a_compressed_body_can_be_truncated() -> None:
    """It begins correctly, but a client that reads on finds the end missing."""
    with serving(SECONDS, gzip_response=True, faults=[Fault("truncate", value=0.5)]) as client:
        answer = client.get()

    assert answer.headers["Content-Encoding"] == "gzip"
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_counting_can_stop_at_a_cap() -> None:
    """The answer says that the number is capped."""
    with serving(SECONDS, count_cap=4) as client:
        answer = client.post({"filters": {}}, path="/api/v1/activities/count/").json()

    assert (answer["total"], answer["moreThanTotal"]) == (4, True)


def test_the_archive_shows_what_is_beyond_the_reach() -> None:
    """It does so in windows of seven days."""
    old = NOW - 60 * DAY
    body = {"filters": {"date": {"gte": old - DAY, "lte": old + DAY}}}

    with serving(Tenant.of([(old, old)])) as client:
        recent = client.post(body).json()
        archived = client.post(body, path=ARCHIVE).json()

    assert times(recent) == []
    assert times(archived) == [old]


@pytest.mark.parametrize(
    "body",
    [
        {"isScan": True, "filters": {"date": {"gte": NOW - DAY}}},
        {"filters": {"created": {"gte": NOW - DAY}}},
        {"sortField": "created", "filters": {"date": {"gte": NOW - DAY}}},
        {"filters": {"date": {"gte": NOW - 8 * DAY}}},
        {"filters": {}},
    ],
)
def test_the_archive_refuses_other_queries(body: object) -> None:
    """These are scans, `created`, and longer windows."""
    with serving(SECONDS) as client:
        answer = client.post(body, path=ARCHIVE)

    assert answer.status_code == 400
    assert "detail" in answer.json()


def test_the_archive_may_answer_longer_windows() -> None:
    """Whether the API itself limits them is unknown."""
    with serving(SECONDS, archive_span_ms=None) as client:
        assert client.post({"filters": {}}, path=ARCHIVE).status_code == 200


@pytest.mark.parametrize(
    ("sorts", "asked", "answered"),
    [
        ("asc", "desc", "asc"),
        ("asc", "asc", "asc"),
        ("desc", "asc", "desc"),
        ("reversed", "asc", "desc"),
        ("reversed", "desc", "asc"),
        ("as-asked", "desc", "desc"),
    ],
)
def test_a_scan_may_be_sorted_in_another_direction_than_asked(
    sorts: str, asked: str, answered: str
) -> None:
    """The continuation follows the direction of the page."""
    with serving(SECONDS, page_cap=4, sorts=sorts) as client:
        pages = client.pages(sortDirection=asked)

    found = [at for page in pages for at in times(page)]
    assert found == sorted(SECONDS, reverse=answered == "desc")


@pytest.mark.parametrize(
    ("empty", "data"), [("list", {"data": []}), ("null", {"data": None}), ("missing", {})]
)
def test_an_empty_answer_may_lack_its_data(empty: str, data: object) -> None:
    """Only empty answers do; others have their records."""
    with serving(SECONDS, empty_data=empty) as client:
        none = client.page({"date": {"gte": T0 + DAY}})
        some = client.page()

    assert none == {"hasNext": False, "total": 0, **dict(data)}  # type: ignore[call-overload]
    assert times(some) == SECONDS


def test_an_empty_answer_may_be_an_empty_object() -> None:
    """This also requires a count of zero."""
    with serving(SECONDS, empty_data="object") as client:
        none = client.page({"date": {"gte": T0 + DAY}})
        some = client.page()

    assert none == {}
    assert times(some) == SECONDS


def test_an_activity_may_always_be_shown_as_null() -> None:
    """It keeps its place among the others."""
    with serving(SECONDS, null_share=0.3, seed=1) as client:
        pages = [client.page()["data"] for _ in range(2)]

    assert pages[0] == pages[1]
    assert 0 < pages[0].count(None) < 10
    assert len(pages[0]) == 10


def test_a_record_may_have_no_usable_timestamp() -> None:
    """It is missing, null, text, a fraction or a boolean; its true time still finds it."""
    plan = [T0 + n for n in range(60)]
    with serving(plan, unplaced_share=1.0, page_cap=7) as client:
        pages = client.pages()

    records = [record for page in pages for record in page["data"]]
    kinds = {type(record.get("timestamp", "missing")).__name__ for record in records}
    assert len({record["_id"] for record in records}) == 60
    assert kinds == {"NoneType", "str", "float", "bool"}
    assert any("timestamp" not in record for record in records)


def test_a_cursor_may_have_a_decimal_point() -> None:
    """It equals the same whole number."""
    with serving(SECONDS, page_cap=4, numbers="point") as client:
        first = client.post({"isScan": True, "sortDirection": "asc", "filters": {}})
        pages = client.pages()

    assert b'"gte": %d.0' % (T0 + 3000) in first.content
    assert [at for page in pages for at in times(page)] == SECONDS
