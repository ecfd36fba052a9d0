"""The accepted forms of a request: encodings, paths and methods."""

from __future__ import annotations

import json

import pytest
import requests

from simulator import Tenant
from tests.simulator.client import LIST, T0, serving, times

MOMENTS = [T0 + n for n in range(200)]
FILTERS = {"date": {"gte": T0 + 150}}


@pytest.mark.parametrize("true", [True, "true", "True"], ids=repr)
@pytest.mark.parametrize("filters", [FILTERS, json.dumps(FILTERS)])
def test_a_body_can_be_json(filters: object, true: object) -> None:
    """Filters may be an object or JSON text, and booleans have three notations."""
    with serving(MOMENTS) as client:
        answer = client.post({"filters": filters, "isScan": true, "limit": "500"}).json()

        (received,) = client.api.requests

    assert len(answer["data"]) == 50
    assert received.is_scan is True
    assert received.limit == 500


def test_a_body_can_be_a_form() -> None:
    """It is `application/x-www-form-urlencoded` with filters as JSON text."""
    form = {"filters": json.dumps(FILTERS), "isScan": "True", "sortDirection": "asc"}

    with serving(MOMENTS) as client:
        answer = requests.post(
            f"{client.api.url}{LIST}", data=form, headers=client.api.credentials.header, timeout=9
        )

        (received,) = client.api.requests

    assert times(answer.json()) == MOMENTS[150:]
    assert received.is_scan is True


def test_parameters_can_be_in_the_query() -> None:
    """The request is a GET without a body."""
    query = {"filters": json.dumps(FILTERS), "isScan": "true", "sortDirection": "asc"}

    with serving(MOMENTS) as client:
        answer = client.get(params=query)

    assert times(answer.json()) == MOMENTS[150:]


def test_a_get_can_have_a_json_body() -> None:
    """It is unusual, but clients do it."""
    with serving(MOMENTS) as client:
        answer = client.get(json={"filters": FILTERS, "isScan": True, "sortDirection": "asc"})

    assert times(answer.json()) == MOMENTS[150:]


@pytest.mark.parametrize("filters", [None, "", {}])
def test_a_request_without_filters_finds_all_activities(filters: object) -> None:
    """Filters may also be null."""
    with serving(MOMENTS) as client:
        answer = client.post({"filters": filters, "isScan": True}).json()

    assert len(answer["data"]) == 200


@pytest.mark.parametrize(
    "body",
    [
        {"filters": "{"},
        {"filters": [1]},
        {"limit": "many"},
        {"limit": -1},
        {"sortField": "name"},
        {"sortDirection": "up"},
        [1],
    ],
)
def test_parameters_that_make_no_sense_are_refused(body: object) -> None:
    """The answer is a 400 with a detail."""
    with serving(MOMENTS) as client:
        answer = client.post(body)

    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_the_generic_gateway_has_the_same_api() -> None:
    """It is behind the prefix `/cas`."""
    with serving(MOMENTS) as client:
        answer = client.post({"isScan": True}, path=f"/cas{LIST}")

    assert len(answer.json()["data"]) == 200


def test_a_path_without_its_slash_redirects_and_loses_the_body() -> None:
    """A client that follows gets the newest 100 with a success status."""
    with serving(MOMENTS) as client:
        redirect = client.post({"isScan": True}, path=LIST[:-1], allow_redirects=False)
        followed = client.post({"filters": FILTERS, "isScan": True}, path=LIST[:-1])

        methods = [received.method for received in client.api.requests]

    assert redirect.status_code == 301
    assert redirect.headers["Location"] == LIST
    assert followed.status_code == 200
    assert times(followed.json()) == MOMENTS[:99:-1]
    assert methods == ["POST", "POST", "GET"]


def test_a_redirect_keeps_the_query() -> None:
    """A GET therefore survives it."""
    query = {"filters": json.dumps(FILTERS), "isScan": "true", "sortDirection": "asc"}

    with serving(MOMENTS) as client:
        answer = client.get(LIST[:-1], params=query)

    assert times(answer.json()) == MOMENTS[150:]


def test_a_path_without_its_slash_can_ignore_the_body() -> None:
    """Instead of redirecting it returns the newest 100, as if there were no body."""
    with serving(MOMENTS, trailing_slash="ignore-body") as client:
        answer = client.post(
            {"filters": FILTERS, "isScan": True}, path=LIST[:-1], allow_redirects=False
        )

    assert answer.status_code == 200
    assert times(answer.json()) == MOMENTS[:99:-1]


def test_one_record_can_be_fetched() -> None:
    """It is returned without an envelope, byte for byte."""
    tenant = Tenant.generate(seed=1, count=20, until_ms=T0)
    identity = tenant.truth()[7]

    with serving(tenant) as client:
        answer = client.get(f"{LIST}{identity.id}/")

    assert answer.content == tenant.record(identity)


def test_a_record_that_is_not_there_or_not_yet_is_not_found() -> None:
    """The answer is JSON, unlike that for an unknown path."""
    tenant = Tenant.of([(T0, T0 + 10**9)])
    (identity,) = tenant.truth()

    with serving(tenant) as client:
        unknown = client.get(f"{LIST}nothing/")
        future = client.get(f"{LIST}{identity.id}/")

    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Not found."})
    assert future.status_code == 404


def test_activities_can_be_counted() -> None:
    """The portal uses this form to get the number alone."""
    with serving(MOMENTS) as client:
        answer = client.post({"filters": FILTERS}, path=f"{LIST}count/").json()

    assert answer["total"] == 50
    assert answer["moreThanTotal"] is False


@pytest.mark.parametrize("path", ["/", "/api/v1/alerts/", "/api/v2/activities/", "/apiv1"])
def test_an_unknown_path_is_an_html_page(path: str) -> None:
    """Every client gets it with status 404."""
    with serving(MOMENTS) as client:
        answer = client.get(path, headers={})

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "var __ADALLOM_CONSTS" in answer.text
    assert "404 Page not found" in answer.text


def test_other_methods_are_not_allowed() -> None:
    """Only GET and POST list activities."""
    with serving(MOMENTS) as client:
        answer = requests.delete(
            f"{client.api.url}{LIST}", headers=client.api.credentials.header, timeout=9
        )

    assert answer.status_code == 405
    assert answer.json() == {"detail": 'Method "DELETE" not allowed.'}
