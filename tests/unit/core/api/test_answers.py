"""What an answer means: a page, a throttle, a fault of the slice, or a refusal."""

import pytest

from shared.core.api.answers import (
    Fault,
    Throttle,
    read_answer,
    read_http_date,
    refused_in_every_form,
    unaccepted,
)
from shared.core.api.pages import Page
from shared.core.errors import SourceRefused, TokenRefused
from shared.core.model import Answer, NoAnswer
from tests.fakes import HOUR, NOW, page_of, status


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (status(429, retry_after="7"), 7_000),
        (status(429, retry_after=" 0 "), 60_000),
        (status(429, retry_after="0", body='{"detail":"Expected available in 7 seconds."}'), 7_000),
        (status(429, retry_after="-5"), 60_000),
        (status(429, retry_after="1.5"), 1_500),
        (status(429, retry_after="0.2"), 1_000),
        (status(429, retry_after="0.0001"), 60_000),
        (status(429, retry_after="3, 20"), 20_000),
        (status(429, retry_after="0, 0"), 60_000),
        (status(429, retry_after="\u0663"), 60_000),
        (status(429, retry_after="1e3"), 60_000),
        (status(429, retry_after="inf"), 60_000),
        (status(429, retry_after="Mon, 23 Nov 2026 12:00:30"), 30_000),
        (status(429, retry_after="Mon, 23 Nov 2086 12:00:30 GMT"), HOUR),
        (status(429, "Expected available in 0 seconds."), 60_000),
        (status(429, "Expected available in -3 seconds."), 60_000),
        (status(429, retry_after="Mon, 23 Nov 2026 12:00:30 GMT"), 30_000),
        (status(429, retry_after="Mon, 23 Nov 2026 11:00:00 GMT"), 60_000),
        (status(429, retry_after="Mon, 23 Nov 2026 12:00:30 GMT", date=NOW + 20_000), 10_000),
        (
            status(429, '{"detail":"Request was throttled. Expected available in 23 seconds."}'),
            23_000,
        ),
        (status(429, "Expected available in 1.5 second."), 1_500),
        (status(429, '{"error":{"message":"slow down"}}'), 60_000),
        (status(429, retry_after="soon"), 60_000),
        (status(429), 60_000),
        (status(429, retry_after="999999"), HOUR),
        (status(429, retry_after="9" * 5_000), 60_000),
        (status(429, "available in " + "9" * 400 + " seconds"), 60_000),
        (status(429, "1" * 100_000), 60_000),
    ],
)
def test_a_throttle_says_how_long_to_wait(answer: Answer, wait: int) -> None:
    """The header in seconds or as a date, the body, or a minute; never more than an hour."""
    assert read_answer(answer, now=NOW) == Throttle(wait=wait)


@pytest.mark.parametrize("code", [408, 425, 500, 502, 503, 504, 599])
def test_server_errors_are_faults_that_pass(code: int) -> None:
    """HTML of the error page is shortened for the log."""
    meaning = read_answer(status(code, "<html><b>Oops</b>\n" + "x" * 9_000), now=NOW)

    assert isinstance(meaning, Fault)
    assert meaning.kind == "transient"
    assert meaning.detail.startswith(f"HTTP {code}: Oops x")
    assert len(meaning.detail) < 230


@pytest.mark.parametrize("kind", ["timeout", "connection", "too large", "sign-in"])
def test_no_answer_is_a_fault_that_passes(kind: str) -> None:
    """It says what kept the answer away."""
    meaning = read_answer(NoAnswer(kind=kind, detail="because"), now=NOW)  # type: ignore[arg-type]

    assert meaning == Fault(kind="transient", detail=f"{kind}: because")


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (status(400, '{"detail":"bad filter"}'), "bad filter. Check SCAN_FILTERS"),
        (status(403, '{"error":{"message":"no"}}'), "investigation.read"),
        (status(404, "<html>"), "Check MDA_API_URL"),
        (status(301, location="https://x/"), "It redirects to https://x/"),
        (status(302), "redirects to nowhere"),
        (status(418), "Check MDA_API_URL and SCAN_FILTERS"),
        (status(204), "Check MDA_API_URL and SCAN_FILTERS"),
    ],
)
def test_a_refusal_says_what_to_do(answer: Answer, remedy: str) -> None:
    """Trying again cannot help, so the run fails."""
    with pytest.raises(SourceRefused, match=f"HTTP {answer.status}") as refused:
        read_answer(answer, now=NOW)

    assert remedy in str(refused.value)


def test_a_401_is_told_apart() -> None:
    """The token may only have expired."""
    with pytest.raises(TokenRefused, match="The token is not accepted"):
        read_answer(status(401, '{"detail":"Invalid token"}'), now=NOW)


def test_a_page_is_a_page() -> None:
    """Whatever its content type says."""
    meaning = read_answer(page_of({"data": [], "hasNext": False, "total": 0}), now=NOW)

    assert isinstance(meaning, Page)


def test_an_answer_that_is_no_page_is_malformed() -> None:
    """Though its status says that all is well."""
    meaning = read_answer(Answer(status=200, body=b"<html>Sign in</html>"), now=NOW)

    assert isinstance(meaning, Fault)
    assert meaning.kind == "malformed"
    assert "Sign in" in meaning.detail


@pytest.mark.parametrize("text", [None, "", "soon", "Mon, 99 Nov 2026", "0"])
def test_what_is_no_date_is_none(text: str | None) -> None:
    """A proxy may send anything."""
    assert read_http_date(text) is None


def test_an_interim_answer_without_a_final_one_is_a_fault_that_passes() -> None:
    """The connection ended after it."""
    assert read_answer(status(103), now=NOW) == Fault(
        kind="transient", detail="HTTP 103, and no final answer after it"
    )


def test_a_query_refused_in_every_form_is_refused_with_all_of_them() -> None:
    """The error has the API's own words, what to check, and what was tried."""
    said = unaccepted(status(400, '{"detail":"no such filter"}'))

    error = refused_in_every_form(said, ("limit 5000: no", "limit 500: no"))

    assert isinstance(error, SourceRefused)
    assert str(error) == (
        "the Activities API answered HTTP 400: no such filter. Check SCAN_FILTERS: the API does "
        "not accept this query. It was asked with limit 5000: no; with limit 500: no."
    )


def test_an_error_body_that_nests_too_deep_is_quoted_as_text() -> None:
    """Nothing is assumed of the form of an error."""
    meaning = read_answer(status(500, '{"detail":' + "[" * 100_000), now=NOW)

    assert isinstance(meaning, Fault)
    assert meaning.detail.startswith('HTTP 500: {"detail":[[[')


def test_an_empty_error_body_is_reported_as_empty() -> None:
    """The status alone must do."""
    meaning = read_answer(status(503), now=NOW)

    assert meaning == Fault(kind="transient", detail="HTTP 503: (empty body)")
