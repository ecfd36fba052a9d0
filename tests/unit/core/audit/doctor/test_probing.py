"""The machine: which questions are asked, how often, and when it ends."""

import json
from collections.abc import Iterator
from typing import Any

from shared.core.audit.doctor.measuring import measured, rounded
from shared.core.audit.doctor.probing import ATTEMPTS_MOST, REQUESTS_MOST, Probing
from shared.core.audit.doctor.questions import next_question
from shared.core.audit.doctor.words import Facts
from shared.core.model import Answer, NoAnswer, Request
from tests.examined import Ask, examined, probed
from tests.fakes import DAY, HOUR, NOW, FakeClock, activity, page_of, policy, status

LOST = NoAnswer(kind="timeout", detail="60 s")


def asked_of(ask: Ask, **changes: Any) -> Probing:
    """Return an examination of what answers so."""
    return probed(ask, FakeClock(NOW), policy(**changes))


def body_of(request: Request) -> dict[str, Any]:
    """Return what a request says."""
    body: dict[str, Any] = json.loads(request.body)
    return body


def test_an_ordinary_examination_asks_each_question_once() -> None:
    """It takes seventeen of the twenty requests."""
    questions = [it.asked.question for it in examined().seen]

    assert len(questions) == len(set(questions)) == 17


def test_it_begins_as_the_scan_asks() -> None:
    """With the scan's own filters, order and limit: whether that works matters most."""
    filters = {"service": {"eq": [11161]}}

    first = next_question(
        Probing(
            now=NOW, policy=policy(filters=filters, axis="created", direction="desc", limit=700)
        )
    )

    assert first is not None
    body = body_of(first.request)
    assert body["filters"].keys() == {"service", "created"}
    assert (body["sortField"], body["sortDirection"], body["limit"]) == ("created", "desc", 700)
    assert first.filters == ("created", "of the scan")


def test_no_other_question_has_the_scan_s_filters() -> None:
    """They are about the API and not about the scan."""
    sent: list[dict[str, Any]] = []

    def ask(request: Request) -> Answer:
        sent.append(body_of(request))
        return page_of({"data": [activity(NOW - DAY)], "hasNext": False, "total": 1})

    asked_of(ask, filters={"service": {"eq": [11161]}})

    assert ["service" in it["filters"] for it in sent] == [True, *[False] * (len(sent) - 1)]


def test_an_api_that_never_answers_is_asked_no_more_than_twenty_times() -> None:
    """Each question is tried twice."""
    probing = asked_of(lambda _: LOST)

    assert len(probing.seen) <= REQUESTS_MOST
    assert {
        sum(it.asked.question == seen.asked.question for it in probing.seen)
        for seen in probing.seen
    } == {ATTEMPTS_MOST}
    assert measured(probing) == Facts()


def test_a_question_that_got_no_answer_is_asked_again() -> None:
    """A throttle, an outage and a lost answer all pass."""
    replies: Iterator[Answer | NoAnswer] = iter([LOST, status(429), status(503)])
    probing = asked_of(lambda _: next(replies, page_of({"data": [], "hasNext": False, "total": 0})))

    questions = [it.asked.question for it in probing.seen[:4]]
    assert questions == ["as the scan asks"] * 2 + ["in the documented form"] * 2


def test_a_refusal_ends_it() -> None:
    """Every further request would be refused, too."""
    probing = asked_of(lambda _: status(403, '{"detail": "Insufficient role based permissions"}'))

    assert len(probing.seen) == 1
    assert probing.refusal is not None
    assert "investigation.read" in probing.refusal.said


def test_a_token_that_is_not_accepted_is_renewed_once() -> None:
    """It may only have expired."""
    probing = asked_of(lambda _: status(401))

    assert len(probing.seen) == 2
    assert probing.refusal is not None


def test_a_question_that_is_not_accepted_is_not_repeated() -> None:
    """The API answers the same to the same query."""
    probing = asked_of(lambda _: status(400, "{}"))

    questions = [it.asked.question for it in probing.seen]
    assert len(questions) == len(set(questions))
    assert measured(probing).refused == ()
    assert measured(probing).unknown_filter is None


def test_an_api_without_activities_leaves_most_open() -> None:
    """What an empty answer looks like is told all the same."""
    facts = measured(asked_of(lambda _: page_of({"data": [], "hasNext": False, "total": 0})))

    assert (facts.empty_data, facts.empty_total) == ("list", "zero")
    assert (facts.direction, facts.reach_hours, facts.max, facts.nulls) == (None, None, None, None)
    assert (facts.lateness, facts.per_hour, facts.total) == ((), None, None)


def test_an_api_that_shows_activities_of_the_future_says_nothing_about_empty_answers() -> None:
    """It ignores the filter on `date`."""
    records = [activity(NOW - HOUR), activity(NOW - HOUR + 9)]
    facts = measured(asked_of(lambda _: page_of({"data": records, "hasNext": False})))

    assert (facts.empty_data, facts.total) == (None, "absent")


def test_records_in_no_order_are_unsorted() -> None:
    """The API obeys neither direction."""
    records = [activity(NOW - HOUR + at) for at in (2, 1, 3)]

    facts = measured(asked_of(lambda _: page_of({"data": records, "hasNext": False, "total": 3})))

    assert facts.direction == "unsorted"
    assert facts.black_hole is None


def test_an_answer_to_one_question_only_tells_what_it_can() -> None:
    """The others were lost."""
    replies = iter([LOST, LOST, LOST, LOST])
    records = [activity(NOW - 8 * DAY + at * HOUR) for at in range(1, 9)]
    page = page_of({"data": records, "hasNext": False, "total": 8})

    def ask(request: Request) -> Answer | NoAnswer:
        large = body_of(request)["limit"] == 5000
        return LOST if large else next(replies, page)

    facts = measured(asked_of(ask, limit=500))

    assert (facts.page_cap, facts.small_page, facts.large_page) == (None, 8, None)


def test_the_window_fits_the_reach() -> None:
    """A scan with a short reach is asked about time that the API still shows."""
    start, end = Probing(now=NOW, policy=policy(reach=DAY, sweeps=())).window

    assert NOW - DAY < start < end < NOW


def test_a_page_in_descending_order_goes_back_by_created() -> None:
    """A scan by `created` may come newest first; its next page must be older."""
    facts = measured(examined(sorts="desc"))

    assert (facts.created_scan, facts.created_cursor) == ("goes on", "created")


def test_round_limits_are_told_from_others() -> None:
    """The last few records of a page are missing."""
    assert [rounded(it) for it in (499, 5000, 4_700, 380, 30_000)] == [500, 5000, 5000, 380, 30_000]


def test_an_empty_page_after_a_descending_one_is_no_black_hole() -> None:
    """A black hole is about queries that begin at an activity, in ascending order."""
    records = [activity(NOW - DAY - at * HOUR) for at in range(5)]
    following = {"date": {"lte": NOW - 2 * DAY}}
    more = page_of({"data": records, "hasNext": True, "nextQueryFilters": following})
    end = page_of({"data": [], "hasNext": False, "total": 9})

    probing = asked_of(lambda it: end if "gte" not in str(body_of(it)) else more)

    continued = probing.page("continued")
    assert continued is not None
    assert continued.exchange.result == "empty"
    assert measured(probing).black_hole is None


def test_a_window_that_goes_on_is_not_compared() -> None:
    """What its next pages hold is not known."""
    records = [activity(NOW - 8 * DAY + at * HOUR) for at in range(1, 9)]
    following = {"date": {"gte": NOW - 7 * DAY, "lte": NOW}}
    page = page_of({"data": records, "hasNext": True, "nextQueryFilters": following})

    facts = measured(asked_of(lambda _: page))

    assert (facts.created_agrees, facts.total) == (None, "absent")


def test_an_empty_window_has_no_boundary_to_try() -> None:
    """Even if another query shows that the API sorts."""
    records = [activity(NOW - DAY + at) for at in (1, 2)]
    full = page_of({"data": records, "hasNext": False})
    empty = page_of({"data": [], "hasNext": False})

    probing = asked_of(lambda it: full if body_of(it).get("sortDirection") == "desc" else empty)

    assert probing.upward == (True, "desc")
    assert probing.last("boundary") is None
    assert measured(probing).black_hole is None
