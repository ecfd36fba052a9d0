"""The machine: which questions are asked, how often, and when it ends."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.core.audit.doctor.measuring import measured
from shared.core.audit.doctor.probing import ATTEMPTS_MOST, REQUESTS_MOST, Probing
from shared.core.audit.doctor.words import Facts, Question
from shared.core.model import Answer, NoAnswer, Request
from tests.examined import Ask, examined, probed
from tests.fakes import DAY, HOUR, MINUTE, NOW, FakeClock, activity, page_of, policy, status
from tests.unit.core.audit.doctor.building import NOT_ACCEPTED, at, knowing, page, saw

UP = page(at(1, 2))

DOWN = page(at(2, 1))

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


def test_the_window_fits_the_reach() -> None:
    """A scan with a short reach is asked about time that the API still shows."""
    start, end = Probing(now=NOW, policy=policy(reach=DAY, sweeps=())).window

    assert NOW - DAY < start < end < NOW


@pytest.mark.parametrize(
    ("reach", "begins", "ends"),
    [(30 * DAY, 8 * DAY, HOUR), (DAY, 18 * HOUR, HOUR), (2 * HOUR, 90 * MINUTE, 45 * MINUTE)],
)
def test_the_window_is_eight_days_or_three_quarters_of_a_short_reach(
    reach: int, begins: int, ends: int
) -> None:
    """It ends an hour ago, or at half of its age, each time just after a whole second."""
    window = Probing(now=NOW + 345, policy=policy(reach=reach, sweeps=())).window

    assert window == (NOW - begins + 1, NOW - ends + 1)


def test_an_examination_is_over_after_twenty_requests() -> None:
    """Whatever is still open."""
    asked = [saw("large", UP)] * 20

    assert not knowing(*asked[1:]).is_over
    assert knowing(*asked).is_over


def test_the_last_attempt_at_a_question_counts() -> None:
    """It was made because the one before brought nothing."""
    probing = knowing(saw("large", LOST), saw("large", UP), saw("ascending", LOST))

    assert probing.last("large") == probing.page("large") == saw("large", UP)
    assert probing.page("ascending", "large") == saw("large", UP)
    assert list(probing.pages) == [saw("large", UP)]


@pytest.mark.parametrize(
    ("answers", "field", "direction"),
    [
        ({"ascending": NOT_ACCEPTED, "without sortField": UP}, True, False),
        ({"ascending": NOT_ACCEPTED, "without sortDirection": UP}, False, True),
        ({"ascending": NOT_ACCEPTED}, True, True),
        ({"ascending": UP}, False, False),
        ({"ascending": LOST}, False, False),
    ],
)
def test_an_api_refuses_what_it_does_not_accept_alone_either(
    answers: dict[Question, Answer | NoAnswer],
    field: bool,  # noqa: FBT001
    direction: bool,  # noqa: FBT001
) -> None:
    """A query with both was not accepted, and neither was one with only this of the two."""
    probing = knowing(*(saw(*it) for it in answers.items()))

    assert (probing.refuses_field, probing.refuses_direction) == (field, direction)


@pytest.mark.parametrize(
    ("answers", "upward"),
    [
        ({"ascending": UP}, (True, "asc")),
        ({"ascending": NOT_ACCEPTED, "without sortField": UP}, (True, "asc")),
        ({"ascending": DOWN, "descending": UP}, (True, "desc")),
        ({"ascending": NOT_ACCEPTED, "in the documented form": UP}, (True, None)),
        ({"ascending": DOWN, "in the documented form": DOWN}, (False, "asc")),
    ],
)
def test_the_way_upward_is_whatever_brings_an_ascending_page(
    answers: dict[Question, Answer], upward: tuple[bool, str | None]
) -> None:
    """An API may obey a direction the wrong way round, or refuse to be asked for one."""
    assert knowing(*(saw(*it) for it in answers.items())).upward == upward


@pytest.mark.parametrize(
    "accepted",
    ["ascending", "without sortField", "without sortDirection", "in the documented form"],
)
def test_questions_build_on_the_best_page_of_the_window(accepted: Question) -> None:
    """That is the ascending one, or what comes closest to it and was accepted."""
    others: tuple[Question, ...] = ("ascending", "without sortField", "without sortDirection")
    refused = [saw(it, NOT_ACCEPTED) for it in others if it != accepted]

    base = knowing(saw("descending", DOWN), *refused, saw(accepted, UP)).base

    assert base is not None
    assert base.asked.question == accepted
