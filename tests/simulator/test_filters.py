"""Every documented filter with each of its operators."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from simulator import Planned, Tenant
from simulator.fields import FIELDS
from tests.simulator.client import NOW, T0, Client, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400_000
MOMENTS = [T0 + n for n in range(5)]

RECORD: dict[str, Any] = {
    "_id": "wanted",
    "appId": 15600,
    "user": {"userName": "ada@ferrowood.example", "userTags": ["t1", "t2"]},
    "resolvedActor": {"instanceId": "3"},
    "eventTypeName": "EVENT_CATEGORY_LOGIN",
    "eventTypeValue": "EVENT_LOGIN",
    "eventRouting": {"adminEvent": True},
    "mainInfo": {"rawOperationName": "FileViewed", "eventObjects": [{"id": "o1"}, {"id": "o2"}]},
    "entityData": {"0": {"id": {"id": "ada", "saas": 1, "inst": 0}}, "1": None},
    "device": {"clientIP": "192.0.2.7", "userAgent": "Mozilla/5.0"},
    "userAgent": {"deviceType": None, "tags": ["native"]},
    "location": {
        "countryCode": "DE",
        "category": 3,
        "organizationSearchable": "Rheinnetz",
        "ipTags": ["x"],
    },
    "source": 2,
    "impersonated": True,
    "takenAction": "block",
    "rawDataJson": {"ListItemUniqueId": "file-1", "ObjectId": "https://f.example/a.docx"},
    "text": "Übersicht",
}
OTHER: dict[str, Any] = {"_id": "other", "appId": 1, "source": 0, "device": {"clientIP": "::1"}}


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Serve one record with all fields, and one with few."""
    plans = [
        Planned(
            timestamp=T0 + at, created=T0 + at, id=record["_id"], raw=json.dumps(record).encode()
        )
        for at, record in enumerate((RECORD, OTHER))
    ]
    with serving(Tenant.of(plans), unknown_filter="reject") as client:
        yield client


def found(client: Client, filters: dict[str, Any]) -> list[str]:
    """Return the identifiers of what the filters find."""
    return [record["_id"] for record in client.page(filters)["data"]]


@pytest.mark.parametrize(
    ("name", "operator", "operand"),
    [
        ("service", "eq", [15600, 11161]),
        ("service", "eq", 15600),
        ("service", "eq", "15600"),
        ("service", "eq", "i:15600"),
        ("service", "neq", [1]),
        ("instance", "eq", [3]),
        ("user.username", "eq", ["ada@ferrowood.example"]),
        ("user.username", "startswith", ["nobody", "ADA"]),
        ("user.username", "isset", True),
        ("user.username", "isnotset", False),
        ("user.domain", "eq", ["ferrowood.example"]),
        ("user.tags", "eq", ["t2"]),
        ("entity", "eq", [{"id": "ada", "inst": 0}]),
        ("actionType", "contains", ["viewed"]),
        ("activity.actionType", "eq", ["FileViewed"]),
        ("activity.eventType", "eq", ["EVENT_CATEGORY_LOGIN"]),
        ("activity.eventActionType", "eq", ["EVENT_CATEGORY_LOGIN"]),
        ("activity.id", "eq", ["wanted"]),
        ("activity.impersonated", "eq", True),
        ("activity.impersonated", "eq", ["true"]),
        ("activity.type", "eq", [True]),
        ("activity.takenAction", "eq", ["block"]),
        ("activity.takenAction", "neq", [None]),
        ("activityObject", "eq", ["o2"]),
        ("userAgent.userAgent", "contains", "mozilla"),
        ("userAgent.tags", "eq", ["native"]),
        ("location.country", "eq", ["DE"]),
        ("location.country", "isset", True),
        ("location.organizations", "contains", ["netz"]),
        ("ip.address", "startswith", ["192."]),
        ("ip.address", "doesnotstartwith", ["::"]),
        ("ip.address", "neq", ["::1"]),
        ("ip.category", "eq", [3]),
        ("ip.tags", "eq", ["x"]),
        ("fileId", "eq", ["file-1"]),
        ("office365url", "endswith", [".docx"]),
        ("source", "eq", [2]),
        ("text", "text", "übersicht"),
    ],
    ids=repr,
)
def test_a_filter_finds_the_activity_that_it_describes(
    client: Client, name: str, operator: str, operand: object
) -> None:
    """It does not find the other one."""
    assert found(client, {name: {operator: operand}}) == ["wanted"]


@pytest.mark.parametrize(
    ("name", "operator", "operand"),
    [
        ("user.username", "isnotset", True),
        ("user.domain", "neq", ["ferrowood.example"]),
        ("location.country", "neq", ["DE"]),
        ("userAgent.userAgent", "ncontains", ["mozilla"]),
        ("activity.type", "eq", [False]),
        ("activity.takenAction", "eq", [None]),
    ],
)
def test_a_negative_filter_finds_what_lacks_the_field(
    client: Client, name: str, operator: str, operand: object
) -> None:
    """An activity without a user is not by a certain user."""
    assert found(client, {name: {operator: operand}}) == ["other"]


def test_filters_combine_with_and_and_the_values_of_a_list_with_or(client: Client) -> None:
    """Each filter narrows the result, and each value widens it."""
    both = {"source": {"eq": [0, 2]}}

    assert found(client, both) == ["wanted", "other"]
    assert found(client, {**both, "service": {"eq": [1]}}) == ["other"]


def test_a_missing_value_can_be_asked_for(client: Client) -> None:
    """`null` is a documented value of the device type."""
    assert found(client, {"device.type": {"eq": [None]}}) == ["wanted", "other"]


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_documented_filter_is_answered(client: Client, name: str) -> None:
    """This covers each operator documented for it."""
    for operator in FIELDS[name].operators:
        answer = client.post({"isScan": True, "filters": {name: {operator: ["x"]}}})

        assert answer.status_code == 200, (operator, answer.text)


def test_generated_records_answer_the_common_filters() -> None:
    """Each of these filters finds a part of a generated tenant."""
    tenant = Tenant.generate(seed=2, count=300, until_ms=T0)
    filters = {
        "service": {"eq": [20893]},
        "user.username": {"startswith": ["user1"]},
        "user.domain": {"eq": ["guests.ferrowood.example"]},
        "activity.eventType": {"eq": ["EVENT_CATEGORY_LOGIN"]},
        "activity.type": {"eq": [True]},
        "activity.impersonated": {"eq": [True]},
        "device.type": {"eq": ["MOBILE"]},
        "location.country": {"eq": ["DE", "JP"]},
        "ip.address": {"startswith": ["203.0.113."]},
        "text": {"text": "佐藤"},
    }

    with serving(tenant, minimum_limit=1, page_cap=500) as client:
        counts = {name: len(found(client, {name: value})) for name, value in filters.items()}

    assert all(0 < count < 300 for count in counts.values()), counts


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ({"gte": T0 + 2}, MOMENTS[2:]),
        ({"lte": T0 + 2}, MOMENTS[:3]),
        ({"gte": T0 + 1, "lte": T0 + 3}, MOMENTS[1:4]),
        ({"gte": str(T0 + 4)}, MOMENTS[4:]),
        ({"gte": f"i:{T0 + 4}"}, MOMENTS[4:]),
        ({"gte": [T0 + 4]}, MOMENTS[4:]),
        ({"range": {"start": T0 + 1, "end": T0 + 2}}, MOMENTS[1:3]),
        ({"range": [{"start": T0 + 1, "end": T0 + 1}]}, MOMENTS[1:2]),
        ({"range": [{"start": T0, "end": T0}, {"start": T0 + 4}]}, [T0, T0 + 4]),
        ({"range": {"start": T0, "end": T0 + 4}, "gte": T0 + 3}, MOMENTS[3:]),
        ({"gte": T0 + 3, "lte": T0 + 1}, []),
        ({"gte_ndays": 1}, MOMENTS),
        ({"lte_ndays": 1}, []),
        ({"gt": T0 + 3}, MOMENTS),
    ],
)
def test_date_filters_are_inclusive(operators: dict[str, Any], expected: list[int]) -> None:
    """Ranges are, too; `gt` and `lt` are not documented for dates and are ignored."""
    with serving(MOMENTS) as client:
        assert client.times({"date": operators}) == expected


@pytest.mark.parametrize(
    ("operators", "expected"),
    [
        ({"gte": T0 + 2}, MOMENTS[2:]),
        ({"gt": T0 + 2}, MOMENTS[3:]),
        ({"lt": T0 + 2}, MOMENTS[:2]),
        ({"gt": T0, "lt": T0 + 2}, [T0 + 1]),
        ({"eq": [T0, T0 + 4]}, [T0, T0 + 4]),
        ({"eq": T0}, [T0]),
        ({"range": [{"start": T0 + 3, "end": T0 + 9}]}, MOMENTS[3:]),
    ],
)
def test_created_filters_can_also_exclude_their_bound(
    operators: dict[str, Any], expected: list[int]
) -> None:
    """`gt`, `lt` and `eq` are documented for `created`."""
    with serving(Tenant.of([(moment, moment) for moment in MOMENTS])) as client:
        assert client.times({"created": operators}) == expected


def test_date_and_created_narrow_together() -> None:
    """The sort field does not matter."""
    tenant = Tenant.of([(T0 + n, T0 + 10 * n) for n in range(5)])
    filters = {"date": {"gte": T0 + 1}, "created": {"lt": T0 + 30}}

    with serving(tenant) as client:
        by_date = client.page(filters)
        by_created = client.page(filters, sortField="created")

    assert by_date["data"] == by_created["data"]
    assert [record["timestamp"] for record in by_date["data"]] == [T0 + 1, T0 + 2]
    assert by_date["total"] == by_created["total"] == 2


def test_rolling_filters_move_with_the_clock() -> None:
    """The server computes them again for each request."""
    with serving([NOW - DAY, NOW]) as client:
        before = client.times({"date": {"gte_ndays": 1}})
        client.api.clock = lambda: NOW + 1
        after = client.times({"date": {"gte_ndays": 1}})

    assert before == [NOW - DAY]
    assert after == []


def test_unknown_filters_are_ignored() -> None:
    """What the API does is unknown; this is the default."""
    with serving(MOMENTS) as client:
        assert client.times({"invented": {"eq": [1]}, "service": {"gt": 5}}) == MOMENTS


@pytest.mark.parametrize("filters", [{"invented": {"eq": [1]}}, {"service": {"gt": 5}}])
def test_unknown_filters_can_be_rejected(filters: dict[str, Any]) -> None:
    """The answer names the filter."""
    with serving(MOMENTS, unknown_filter="reject") as client:
        answer = client.post({"filters": filters})

    assert answer.status_code == 400
    assert "Unknown filter" in answer.json()["detail"]


def test_the_documented_name_of_the_event_type_can_be_without_effect() -> None:
    """Existing clients still use the older name."""
    filters = {"activity.eventActionType": {"eq": ["EVENT_CATEGORY_NONE"]}}

    with serving(MOMENTS, event_action_type="ignored") as client:
        assert client.times(filters) == MOMENTS


@pytest.mark.parametrize(
    "filters",
    [
        {"date": 5},
        {"date": {"gte": "yesterday"}},
        {"date": {"gte": None}},
        {"date": {"range": [5]}},
        {"service": [1]},
    ],
)
def test_filters_that_make_no_sense_are_refused(filters: dict[str, Any]) -> None:
    """The error has a detail that says why."""
    with serving(MOMENTS) as client:
        answer = client.post({"filters": filters})

    assert answer.status_code == 400
    assert answer.json()["detail"]
