"""Every kind of fault, and when it applies."""

from __future__ import annotations

import socket
from itertools import islice
from typing import Any

import pytest
import requests

from simulator import FOREVER, Fault, Identity
from simulator.faults import KINDS
from tests.simulator.client import T0, Client, identities, serving, times

SECONDS = [T0 + 1000 * second for second in range(10)]


def faulty(kind: str, **options: Any) -> dict[str, Any]:
    """Return options for `serving` with one fault on the first request."""
    return {"faults": [Fault(kind, **options)]}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "Bad Request"),
        (401, "Invalid token"),
        (403, "Insufficient role based permissions"),
        (404, "var __ADALLOM_CONSTS"),
        (408, "<h1>408 Request Timeout</h1>"),
        (429, "Expected available in 23 seconds."),
        (500, "Internal error If the problem persists, contact support"),
        (502, "<h1>502 Bad Gateway</h1>"),
        (503, "<h1>503 Service Unavailable</h1>"),
        (504, "<h1>504 Gateway Timeout</h1>"),
    ],
)
def test_a_status_comes_with_its_body(status: int, text: str) -> None:
    """The application sends JSON, portal and gateway HTML; the next request succeeds."""
    with serving(SECONDS, **faulty("status", value=status)) as client:
        answer = client.get()
        again = client.get()

        (first, second) = client.api.requests

    assert answer.status_code == status
    assert text in answer.text
    assert again.status_code == 200
    assert (first.status, second.status) == (status, 200)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_leads_to_a_sign_in(status: int) -> None:
    """It has a location and no body."""
    with serving(SECONDS, **faulty("status", value=status)) as client:
        answer = client.get(allow_redirects=False)

    assert answer.status_code == status
    assert answer.headers["Location"].startswith("/login/")


def test_a_scripted_throttle_says_how_long_to_wait() -> None:
    """`seconds` sets the header and the text."""
    with serving(SECONDS, **faulty("status", value=429, seconds=7)) as client:
        answer = client.get()

    assert answer.headers["Retry-After"] == "7"


def test_a_reset_is_seen_as_one() -> None:
    """It happens before any byte of the answer."""
    with serving(SECONDS, **faulty("reset")) as client:
        with pytest.raises(requests.ConnectionError, match="reset"):
            client.get()

        assert client.get().status_code == 200


def test_silence_lasts_until_the_client_gives_up() -> None:
    """The simulator records the request all the same."""
    with serving(SECONDS, **faulty("silence")) as client:
        with pytest.raises(requests.ReadTimeout):
            requests.get(client.api.url + "/api/v1/activities/", timeout=0.1)

        assert len(client.api.requests) == 1


def test_an_answer_can_be_late() -> None:
    """The value is in seconds; a client that waits less gets nothing."""
    faults = [Fault("delay", 1, value=30), Fault("delay", 2, value=0.05)]

    with serving(SECONDS, faults=faults) as client:
        with pytest.raises(requests.ReadTimeout):
            requests.get(client.api.url + "/api/v1/activities/", timeout=0.1)

        assert client.get().status_code == 200


def test_a_body_can_drip() -> None:
    """No single read takes long, but the whole takes too long."""
    with serving(SECONDS, **faulty("drip", value=20)) as client:
        answer = client.get(stream=True)
        pieces = list(islice(answer.iter_content(1), 3))
        answer.close()

    assert len(b"".join(pieces)) == 3


def test_a_connection_can_be_cut_in_the_middle_of_a_body() -> None:
    """The length shows the client that bytes are missing."""
    with (
        serving(SECONDS, **faulty("cut")) as client,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        client.get()


def test_a_body_can_be_truncated_without_the_connection_noticing() -> None:
    """Its length is correct, but its JSON is not."""
    with serving(SECONDS, **faulty("truncate")) as client:
        answer = client.get()

    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_a_body_can_hold_a_byte_that_is_not_utf_8() -> None:
    """The value gives its place as a share of the body."""
    with serving(SECONDS, **faulty("bad-byte")) as client:
        answer = client.get()

    assert answer.status_code == 200
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode()
    assert len(answer.content.decode("utf-8", "ignore").encode()) == len(answer.content) - 1


def test_a_body_can_be_nested_deeply() -> None:
    """The value gives the depth."""
    with serving(SECONDS, **faulty("deep")) as client:
        assert client.get().content == b'{"detail":' + b"[" * 5000


def test_an_answer_can_come_after_early_hints() -> None:
    """On the wire, these are complete answers."""
    with serving(SECONDS, **faulty("hints")) as client:
        host, port = client.api.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(b"GET /api/v1/activities/ HTTP/1.0\r\n\r\n")
            received = connection.makefile("rb").readline()

    assert received == b"HTTP/1.1 103 Early Hints\r\n"


def test_a_body_can_be_endless() -> None:
    """It continues for as long as it is read."""
    with serving([T0], **faulty("endless")) as client:
        answer = client.get(stream=True)
        read = sum(len(piece) for piece in islice(answer.iter_content(1 << 16), 40))
        answer.close()

    assert read > 20 * len(client.api.tenant.record(client.api.tenant.truth()[0]))


def test_success_can_be_an_empty_object() -> None:
    """It has neither data nor hasNext."""
    with serving(SECONDS, **faulty("empty-object")) as client:
        answer = client.get()

    assert (answer.status_code, answer.json()) == (200, {})


def test_success_can_be_a_sign_in_page() -> None:
    """It is HTML with status 200."""
    with serving(SECONDS, **faulty("html")) as client:
        answer = client.get()

    assert answer.status_code == 200
    assert "<title>Sign in</title>" in answer.text


def test_data_can_be_null() -> None:
    """It is null instead of a list."""
    with serving(SECONDS, **faulty("data-null")) as client:
        assert client.page()["data"] is None


@pytest.mark.parametrize(
    ("kind", "member"), [("no-data", "data"), ("no-has-next", "hasNext"), ("no-total", "total")]
)
def test_a_member_can_be_missing(kind: str, member: str) -> None:
    """The other members are there."""
    with serving(SECONDS, **faulty(kind)) as client:
        page = client.page()

    assert page.keys() == {"data", "hasNext", "total"} - {member}


def test_a_record_can_be_null() -> None:
    """It is in the middle of the others."""
    with serving(SECONDS, **faulty("null-item")) as client:
        data = client.page()["data"]

    assert len(data) == 11
    assert data[5] is None


def test_more_can_be_announced_without_a_continuation() -> None:
    """A client cannot continue from there."""
    with serving(SECONDS, **faulty("no-continuation")) as client:
        page = client.page()

    assert page["hasNext"] is True
    assert "nextQueryFilters" not in page


def test_the_continuation_can_be_null() -> None:
    """The member exists but leads nowhere."""
    with serving(SECONDS, page_cap=4, **faulty("null-continuation")) as client:
        page = client.page()

    assert page["hasNext"] is True
    assert page["nextQueryFilters"] is None


def test_the_end_can_be_announced_too_early() -> None:
    """Only the total shows that there is more."""
    with serving(SECONDS, page_cap=4, **faulty("early-end")) as client:
        page = client.page()

    assert (page["hasNext"], page["total"], len(page["data"])) == (False, 10, 3)


def test_the_cursor_can_stand_still() -> None:
    """The continuation equals the request's filters."""
    filters = {"date": {"gte": T0, "lte": T0 + 9_000}}

    with serving(SECONDS, page_cap=4, **faulty("stuck-cursor")) as client:
        page = client.page(filters)

    assert page["hasNext"] is True
    assert page["nextQueryFilters"] == filters


def test_the_continuation_can_have_a_filter_that_nobody_asked_for() -> None:
    """Its cursor is correct."""
    with serving(SECONDS, page_cap=4, **faulty("foreign-filters")) as client:
        continuation = client.page()["nextQueryFilters"]

    assert continuation == {"date": {"gte": SECONDS[3]}, "service": {"eq": [11161]}}


@pytest.mark.parametrize("field", ["date", "created"])
def test_filters_can_be_ignored(field: str) -> None:
    """Every record is outside the window."""
    filters = {field: {"gte": SECONDS[3], "lte": SECONDS[5]}}
    window = range(SECONDS[3], SECONDS[5] + 1)

    with serving(SECONDS, **faulty("unfiltered")) as client:
        page = client.page(filters, sortField=field)

    name = "timestamp" if field == "date" else "created"
    assert page["data"]
    assert not any(record[name] in window for record in page["data"])


def all_pages(client: Client) -> list[Identity]:
    """Return what a scan finds, beginning a second before the first activity."""
    return sorted(identities(client.pages({"date": {"gte": T0 - 1_000}})))


@pytest.mark.parametrize("kind", ["empty-page", "short-page"])
def test_thin_pages_lose_nothing(kind: str) -> None:
    """They hold few records or none, the continuation advances, and the scan gets the truth."""
    fault = Fault(kind, first=1, last=40, probability=0.6)

    with serving(SECONDS, page_cap=4, faults=[fault]) as client:
        assert all_pages(client) == client.api.tenant.truth()


def test_an_empty_page_moves_the_cursor() -> None:
    """It moves to the first activity and no further."""
    with serving(SECONDS, **faulty("empty-page")) as client:
        page = client.page({"date": {"gte": T0 - 1_000}})

    assert page["data"] == []
    assert page["hasNext"] is True
    assert page["nextQueryFilters"] == {"date": {"gte": T0}}


def test_a_short_page_keeps_milliseconds_whole() -> None:
    """It holds at least as many records as the value says."""
    moments = sorted(SECONDS * 2)

    with serving(moments, **faulty("short-page", value=3)) as client:
        page = client.page()

    assert times(page) == moments[:4]
    assert page["nextQueryFilters"] == {"date": {"gte": SECONDS[2]}}


def test_a_record_can_come_twice() -> None:
    """The page repeats the same bytes."""
    with serving(SECONDS, **faulty("repeated-record")) as client:
        found = times(client.page())

    assert found == [*SECONDS, SECONDS[0]]


def test_records_can_come_in_the_wrong_order() -> None:
    """They are descending although the request asked for ascending."""
    with serving(SECONDS, **faulty("unsorted")) as client:
        assert client.times() == SECONDS[::-1]


def test_a_fault_lasts_from_one_request_to_another() -> None:
    """Requests are numbered from 1, authenticated or not."""
    fault = Fault("status", first=2, last=3, value=503)

    with serving(SECONDS, faults=[fault]) as client:
        unauthenticated = client.get(headers={}).status_code
        statuses = [client.get().status_code for _ in range(3)]

    assert unauthenticated == 401
    assert statuses == [503, 503, 200]


def test_a_fault_can_be_random() -> None:
    """The seed decides, so a run can be repeated."""
    faults = [
        Fault("status", last=FOREVER, value=500, probability=0.5, seed=seed) for seed in (1, 2)
    ]

    due = [[fault.befalls(number, None) for number in range(1, 101)] for fault in faults]

    assert all(30 < sum(row) < 70 for row in due)
    assert due[0] != due[1]


def test_a_fault_can_apply_to_certain_queries_only() -> None:
    """Queries that begin at one time are an example: a poisoned interval."""
    poisoned = {"date": {"gte": T0}}
    fault = Fault("status", last=FOREVER, value=500, when=lambda query: query.filters == poisoned)

    with serving(SECONDS, faults=[fault]) as client:
        statuses = [
            client.post({"filters": filters}).status_code
            for filters in ({}, poisoned, poisoned, {})
        ]

    assert statuses == [200, 500, 500, 200]


def test_several_faults_can_apply_to_one_request() -> None:
    """They apply in the order of the script."""
    faults = [Fault("status", value=500), Fault("delay", value=0.05), Fault("cut", value=0.9)]

    with (
        serving(SECONDS, faults=faults) as client,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        client.get()


def test_faults_can_be_replaced_while_serving() -> None:
    """The script belongs to the test."""
    with serving(SECONDS) as client:
        client.api.faults = (Fault("status", last=FOREVER, value=503),)
        broken = client.get().status_code
        client.api.faults = ()

        assert (broken, client.get().status_code) == (503, 200)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("reset:3", Fault("reset", 3)),
        ("reset:3-5", Fault("reset", 3, 5)),
        ("reset:3-", Fault("reset", 3, FOREVER)),
        ("reset", Fault("reset", 1, FOREVER)),
        ("status=503:2", Fault("status", 2, value=503)),
        (
            "status=429:2-4:seconds=5:probability=0.5:seed=3",
            Fault("status", 2, 4, value=429, seconds=5, probability=0.5, seed=3),
        ),
    ],
)
def test_a_fault_can_be_written_as_text(text: str, fault: Fault) -> None:
    """The command line uses this form."""
    assert Fault.parse(text) == fault


@pytest.mark.parametrize(
    "text", ["", "invented:1", "status:1", "reset:0", "reset:5-3", "reset:1:x=2"]
)
def test_an_invalid_fault_is_refused(text: str) -> None:
    """The error shows the expected form."""
    with pytest.raises(ValueError, match="is not KIND"):
        Fault.parse(text)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_an_effect(kind: str) -> None:
    """The list of kinds equals what is implemented."""
    assert kind == "status" or kind in implemented()


def implemented() -> set[str]:
    """Return the kinds that some stage of an answer knows."""
    from simulator import faults  # noqa: PLC0415 - only this test looks inside

    return {*faults._ALTERATIONS, *faults._REPLACEMENTS, *faults._TRANSPORTS}  # noqa: SLF001
