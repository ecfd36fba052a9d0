"""What is kept of an answer."""

import json
from typing import Any

import pytest

from shared.core.audit.doctor.looking import (
    LOOKED_AT,
    Asked,
    Seen,
    bound_in,
    look,
    turned_away,
)
from shared.core.model import Answer, NoAnswer, Request
from tests.fakes import NOW, activity, page_of, status

ASKED = Asked(question="ascending", request=Request(body=b"{}"), limit=500)


def seen(answer: Answer | NoAnswer) -> Seen:
    """Return what an answer to a question showed."""
    return look(ASKED, answer, milliseconds=70, now=NOW)


def of(body: object, **parts: Any) -> Seen:
    """Return what an answer with this JSON showed."""
    return seen(Answer(status=200, body=json.dumps(body).encode(), **parts))


def page(*times: int, **members: object) -> dict[str, object]:
    """Return a page of activities at these times."""
    return {"data": [activity(at) for at in times], "hasNext": False, "total": 3, **members}


def test_a_page_is_counted() -> None:
    """Its size, time and members are kept."""
    found = of(page(NOW, NOW + 1, max=500, more=1), headers=frozenset({"date", "x-own"})).exchange

    assert (found.result, found.records, found.total, found.max) == ("page", 2, 3, 500)
    assert (found.members, found.other_members) == (("data", "hasNext", "total", "max"), 1)
    assert (found.headers, found.other_headers) == (("date",), 1)
    assert (found.milliseconds, found.status, found.data) == (70, 200, "list")


LOST = NoAnswer(kind="timeout", detail="60 s")


@pytest.mark.parametrize("answer", [page_of(page(NOW)), status(503), LOST])
def test_what_was_asked_is_kept_beside_what_came(answer: Answer | NoAnswer) -> None:
    """A transcript would be of no use without it."""
    asked = Asked(
        question="by created",
        request=Request(body=b"{}"),
        limit=500,
        sort_field="created",
        sort_direction="asc",
        filters=("created",),
    )

    kept = look(asked, answer, milliseconds=70, now=NOW).exchange

    assert (kept.question, kept.limit, kept.filters) == ("by created", 500, ("created",))
    assert (kept.sort_field, kept.sort_direction) == ("created", "asc")


@pytest.mark.parametrize(
    ("times", "order"),
    [
        ((1, 2, 2), "ascending"),
        ((3, 2), "descending"),
        ((1, 3, 2), "mixed"),
        ((1, 1), None),
        ((), None),
    ],
)
def test_the_order_of_a_page_is_kept(times: tuple[int, ...], order: str | None) -> None:
    """One needs two different times to see it."""
    found = of(page(*(NOW + at for at in times))).exchange

    assert (found.by_date, found.by_created) == (order, order)


def test_nulls_and_records_without_a_time_are_counted() -> None:
    """They have no position."""
    body = {"data": [None, {"_id": "a", "timestamp": NOW}, activity(NOW)], "hasNext": False}

    found = of(body)

    assert (found.exchange.nulls, found.exchange.unplaced) == (1, 1)
    assert (found.on("date"), found.on("created")) == ([NOW, NOW], [NOW + 200_000])


@pytest.mark.parametrize(
    ("body", "data"),
    [
        ({"data": [], "hasNext": False, "total": 0}, "list"),
        ({"data": None, "hasNext": False, "total": 0}, "null"),
        ({"hasNext": False, "total": 0}, "missing"),
        ({}, "object"),
    ],
)
def test_the_form_of_an_empty_answer_is_kept(body: object, data: str) -> None:
    """Each of them is an answer."""
    found = of(body)

    assert (found.exchange.result, found.exchange.data, found.is_page) == ("empty", data, True)


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b'{"data": 7}', b"<html>", b"\xff", b'{"a":' * 100_000]
)
def test_what_is_no_page_is_a_fault(body: bytes) -> None:
    """It says why, to whoever asked; that is not kept."""
    found = seen(Answer(status=200, body=body))

    assert (found.exchange.result, bool(found.said)) == ("fault", True)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (status(400, '{"detail": "no"}'), "not accepted"),
        (status(403, '{"detail": "no"}'), "refused"),
        (status(404, "<html>"), "refused"),
        (status(503), "fault"),
        (status(429), "throttled"),
        (NoAnswer(kind="timeout", detail="60 s"), "no answer"),
    ],
)
def test_what_came_instead_of_a_page_is_told_apart(answer: Answer | NoAnswer, result: str) -> None:
    """A 400 is about the query, a refusal about whoever asks."""
    assert seen(answer).exchange.result == result


def test_what_an_answer_said_is_quoted_on_one_line() -> None:
    """Only of a refusal, a fault, or where none came: the rest says nothing of use."""
    lost = seen(NoAnswer(kind="timeout", detail="no answer\nwithin 60 s"))

    assert lost.said == "timeout: no answer within 60 s"
    assert "do this" in seen(status(403, '{"detail": "do\\nthis"}')).said
    for silent in (status(400, "no"), status(429), Answer(status=200, body=b"{}")):
        assert seen(silent).said == ""


def test_a_refusal_is_told_to_its_end() -> None:
    """That says what to do, however much the API had to say."""
    long = "no" * 500
    refused = turned_away(ASKED, f"signing in failed: {long[:300]}.\n Check the identity")

    assert refused.said.endswith("no. Check the identity")
    assert (refused.exchange.result, refused.exchange.milliseconds) == ("refused", 0)
    assert seen(status(403, long)).said.endswith("a managed identity's cached token.")


def test_an_answer_that_is_no_page_is_counted_like_one() -> None:
    """With its status, its size and its headers; only a throttle has a time to wait."""
    answer = Answer(
        status=503, body=b"busy", headers=frozenset({"retry-after", "x"}), retry_after="5"
    )

    found = seen(answer).exchange

    assert (found.status, found.bytes, found.other_headers) == (503, 4, 1)
    assert (found.retry_after, found.milliseconds) == (None, 70)


def test_an_object_without_members_is_empty_only_as_a_success() -> None:
    """With another status it is a fault like any."""
    assert seen(status(500, "{}")).exchange.result == "fault"


@pytest.mark.parametrize(("date", "ahead"), [(-1_069, 0), (-1_070, -1), (0, 0), (9, 9)])
def test_the_api_s_clock_agrees_if_its_date_lies_between_request_and_answer(
    date: int, ahead: int
) -> None:
    """In its whole second."""
    answer = Answer(status=200, body=b"{}", date=NOW + date)

    assert seen(answer).ahead == ahead


def test_only_a_token_that_is_not_accepted_may_be_renewed() -> None:
    """A new token has the same rights."""
    assert seen(status(401)).renewable
    assert not seen(status(403)).renewable


@pytest.mark.parametrize(
    ("header", "form"),
    [
        (None, "absent"),
        ("23", "seconds"),
        (" 23 ", "seconds"),
        ("00", "zero"),
        ("0", "zero"),
        ("Mon, 23 Nov 2026 12:01:00 GMT", "date"),
        ("soon", "other"),
        ("²", "other"),
    ],
)
def test_the_form_of_a_throttle_is_kept(header: str | None, form: str) -> None:
    """Its value is only used to wait."""
    found = seen(status(429, retry_after=header))

    assert found.exchange.retry_after == form
    assert found.wait >= 1_000


@pytest.mark.parametrize(
    ("written", "notation"),
    [
        ("1700000000000", "digits"),
        ("-5", "digits"),
        ("1700000000000.0", "point"),
        ("1.7e12", "point"),
        ('"1700000000000"', "text"),
        ("null", None),
    ],
)
def test_the_notation_of_a_continuation_is_kept(written: str, notation: str | None) -> None:
    """The numbers themselves are not."""
    body = f'{{"data": [], "hasNext": true, "nextQueryFilters": {{"date": {{"gte": {written}}}}}}}'

    assert seen(Answer(status=200, body=body.encode())).exchange.notation == notation


@pytest.mark.parametrize(
    ("bounds", "notation"),
    [
        ({"gte": 1.5e12, "lte": 7}, "point"),
        ({"gte": 7, "lte": 1.5e12}, "point"),
        ({"gte": None, "lte": 7}, "digits"),
    ],
)
def test_the_notation_of_a_cursor_decides_over_that_of_a_bound(
    bounds: dict[str, Any], notation: str
) -> None:
    """The API repeats the caller's own digits, and may state a bound without a number."""
    found = of(page(NOW, hasNext=True, nextQueryFilters={"date": bounds}))

    assert found.exchange.notation == notation


def test_bounds_of_a_continuation_are_kept_by_name() -> None:
    """Others are counted: an operator, a filter, and one that has no operators."""
    following = {"date": {"gte": 1, "range": [], "x": 1}, "own": {"eq": [1]}, "flat": 3}

    found = of(page(NOW, hasNext=True, nextQueryFilters=following))

    assert found.exchange.continuation == ("date.gte", "date.range")
    assert found.exchange.other_bounds == 3
    assert bound_in(found.continuation, "date.gte") == 1
    assert bound_in(found.continuation, "date.lte") is None
    assert bound_in(None, "date.gte") is None


def test_an_irregular_record_is_counted_like_any() -> None:
    """It has no documented fields on the outside."""
    body = b'{"data": [{"_id": "\\ud800", "timestamp": 5, "created": 6}], "hasNext": false}'

    found = seen(Answer(status=200, body=body))

    assert (found.exchange.records, found.places, found.types) == (1, ((5, 6),), {})


def test_event_types_are_taken_from_records_that_have_one() -> None:
    """A type that is not a text is ignored."""
    records = [{**activity(NOW), "eventTypeName": it} for it in ("a", 7)]

    assert of({"data": records, "hasNext": False}).kinds == ("a", None)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a", "text"),
        (7, "whole number"),
        (-7, "whole number"),
        (1.5, "number"),
        (-1.5, "number"),
        (True, "boolean"),
        (False, "boolean"),
        (None, "null"),
        ([], "list"),
        ({}, "object"),
    ],
)
def test_the_type_of_a_documented_field_is_kept(value: object, kind: str) -> None:
    """Its value is not."""
    found = of({"data": [{**activity(NOW), "severity": value}], "hasNext": False})

    assert found.types["severity"] == {kind}


DOCUMENTED = {"_id": "a", "timestamp": NOW, "created": NOW}


def test_fields_that_are_not_documented_are_counted() -> None:
    """At most so many are on one record."""
    odd = {**DOCUMENTED, "one": 1, "two": 2}

    assert of({"data": [DOCUMENTED], "hasNext": False}).undocumented == 0
    assert of({"data": [odd, DOCUMENTED, odd], "hasNext": False}).undocumented == 2


def test_only_the_first_records_show_which_fields_there_are() -> None:
    """A large page has the same ones again and again."""
    records = [DOCUMENTED] * LOOKED_AT + [{**DOCUMENTED, "device": 1, "own": 1}]

    found = of({"data": records, "hasNext": False})

    assert ("device" in found.types, found.undocumented) == (False, 0)
