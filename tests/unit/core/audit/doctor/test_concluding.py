"""The result of an examination: its checks of the API and of clocks, findings and settings."""

from typing import Any

import pytest

from shared.core.audit.doctor.concluding import CLOCKS, check_local_clock, concluded
from shared.core.audit.doctor.looking import turned_away
from shared.core.audit.doctor.probing import Probing, noted
from shared.core.audit.doctor.questions import next_question
from shared.core.audit.doctor.reports import Check, Examination
from shared.core.model import Answer, Request
from tests.examined import Ask, examined, probed
from tests.fakes import DAY, HOUR, MINUTE, NOW, FakeClock, activity, page_of, policy, status

SETTINGS = Check(name="settings", result="passed", reason="")


def result_of(probing: Probing) -> Examination:
    """Return the result of what was asked and seen."""
    return concluded(probing, [SETTINGS], label="x", program="1.2.3", accepted=dict)


def asked_of(ask: Ask, **changes: Any) -> Examination:
    """Return the result of examining what answers so."""
    return result_of(probed(ask, FakeClock(NOW), policy(**changes)))


def check(found: Examination, name: str) -> Check:
    """Return the check of this name."""
    (named,) = (it for it in found.checks if it.name == name)
    return named


def test_an_api_that_works_passes() -> None:
    """The result holds everything that was measured."""
    found = result_of(examined())

    assert [it.result for it in found.checks[:3]] == ["passed"] * 3
    assert check(found, "questions").result == "passed"
    assert (found.label, found.program, found.requests, found.made) == ("x", "1.2.3", 17, NOW)
    assert found.settings == {
        "SCAN_LIMIT": "500",
        "SCAN_SWEEP_BY": "created",
    }
    assert found.is_sound


def test_only_settings_that_are_accepted_are_recommended() -> None:
    """Whoever calls knows the reader of settings."""
    found = concluded(
        examined(), [], label="", program="1.2.3", accepted=lambda it: {"ONE": it["SCAN_LIMIT"]}
    )

    assert found.settings == {"ONE": "500"}


def test_an_api_that_refuses_access_fails() -> None:
    """It says what to do."""
    found = asked_of(lambda _: status(403, '{"detail": "no role"}'))

    assert check(found, "API").result == "failed"
    assert "investigation.read" in check(found, "API").reason
    assert check(found, "questions").result == "could not tell"
    assert check(found, "questions").reason.endswith("requests were sent; access was refused")
    assert not found.is_sound


def test_a_sign_in_that_is_refused_fails() -> None:
    """Nothing was sent."""
    probing = Probing(now=NOW, policy=policy())
    asked = next_question(probing)
    assert asked is not None

    found = result_of(noted(probing, turned_away(asked, "wrong secret")))

    assert (check(found, "API").result, check(found, "API").reason) == ("failed", "wrong secret")


def test_an_api_that_does_not_answer_could_not_be_told() -> None:
    """It says what came instead."""
    found = asked_of(lambda _: status(503, "busy"))

    assert check(found, "API").result == "could not tell"
    assert "busy" in check(found, "API").reason
    query = check(found, "query of the scan")
    assert (query.result, query.reason) == ("could not tell", "the API did not answer it")
    assert "7 questions got no answer" in check(found, "questions").reason


def test_an_api_that_gives_no_page_is_quoted_with_its_last_words() -> None:
    """An answer without any says nothing."""
    replies = iter([status(503, "first"), status(503, "second"), status(400, "")])
    found = asked_of(lambda _: next(replies, status(429)))

    assert "second" in check(found, "API").reason


def test_an_examination_that_was_broken_off_says_so() -> None:
    """The next question had no time."""
    probing = examined()

    found = result_of(Probing(now=NOW, policy=policy(), seen=probing.seen[:9]))

    assert check(found, "questions").reason == (
        "9 of at most 20 requests were sent; not every question was asked"
    )


def test_an_examination_that_was_not_begun_could_not_be_told() -> None:
    """There was no time for it."""
    found = result_of(Probing(now=NOW, policy=policy()))

    assert check(found, "API").reason == "it gave no page: nothing was asked"
    assert check(found, "clock of the API").result == "could not tell"
    assert check(found, "questions").result == "could not tell"


def answering(accepts: str) -> Ask:
    """Return an API that accepts only queries with this text in them."""
    records = [activity(NOW - DAY + at) for at in range(3)]
    page = page_of({"data": records, "hasNext": False, "total": 3})
    return lambda request: status(400) if accepts.encode() in request.body else page


FEWER = "the API does not accept all of its options; the scan then asks with fewer"
FILTERED = "the API accepts a query without SCAN_FILTERS, but not with them: check them"
SERVICE = {"service": {"eq": [1]}}


@pytest.mark.parametrize(
    ("refused", "filters", "result", "reason"),
    [
        ("service", SERVICE, "failed", FILTERED),
        ("5000", SERVICE, "could not tell", FEWER),
        ("5000", {}, "could not tell", FEWER),
        ("", SERVICE, "could not tell", FEWER),
    ],
)
def test_a_query_of_the_scan_that_is_not_accepted_is_told(
    refused: str, filters: dict[str, Any], result: str, reason: str
) -> None:
    """Its filters are to blame if everything else is accepted."""
    found = check(asked_of(answering(refused), filters=filters), "query of the scan")

    assert (found.result, found.reason) == (result, reason)


def test_without_filters_they_are_not_to_blame() -> None:
    """Even if the same query is accepted the next time."""
    replies = iter([status(400)])
    page = page_of({"data": [], "hasNext": False, "total": 0})

    found = check(asked_of(lambda _: next(replies, page)), "query of the scan")

    assert (found.result, found.reason) == ("could not tell", FEWER)


@pytest.mark.parametrize(
    ("ahead", "result", "told"),
    [
        (0, "passed", "it agrees with the local clock"),
        (2_000, "passed", "it agrees with the local clock"),
        (5 * MINUTE, "passed", f"it is 300 s ahead of the local clock: {CLOCKS}"),
        (-5 * MINUTE, "passed", f"it is 299 s behind the local clock: {CLOCKS}"),
        (3 * DAY, "failed", f"it is 259200 s ahead of the local clock: {CLOCKS}"),
    ],
)
def test_the_clock_of_the_api_is_told(ahead: int, result: str, told: str) -> None:
    """Minutes only delay the newest activities; a day stops the scan."""

    def ask(_: Request) -> Answer:
        return page_of({"data": [], "hasNext": False, "total": 0}, NOW + ahead)

    found = check(asked_of(ask), "clock of the API")

    assert (found.result, found.reason) == (result, told)


@pytest.mark.parametrize(
    ("skew", "known", "result", "told"),
    [
        (0, True, "passed", "it agrees with the local clock"),
        (2_000, True, "passed", "it agrees with the local clock"),
        (2 * HOUR, True, "failed", f"it is 7200 s behind the local clock: {CLOCKS}"),
        (-2 * HOUR, True, "failed", f"it is 7200 s ahead of the local clock: {CLOCKS}"),
        (0, False, "could not tell", "storage did not state its time"),
    ],
)
def test_the_local_clock_is_compared_with_storage(
    skew: int,
    known: bool,  # noqa: FBT001 - a parameter of the test
    result: str,
    told: str,
) -> None:
    """It decides what has settled."""
    found = check_local_clock(skew, is_known=known)

    assert (found.name, found.result, found.reason) == ("clock of storage", result, told)
