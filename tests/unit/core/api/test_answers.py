"""What an answer means: a page, a throttle, a fault of the slice, or a refusal."""

import time

import pytest

from shared.core.api.answers import (
    SAID_FROM,
    TEXT_FROM,
    Fault,
    Throttle,
    read_answer,
    read_http_date,
    refused_in_every_form,
    tells_of_refusal,
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
        (status(429, retry_after="0.001"), 1_000),
        (status(429, retry_after="1.0009"), 1_000),
        (status(429, retry_after="0" * 200 + ",7"), 60_000),
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
        (status(429, " " * (TEXT_FROM - 8) + "7 second"), 7_000),
        (status(429, " " * (TEXT_FROM - 7) + "7 second"), 60_000),
    ],
)
def test_a_throttle_says_how_long_to_wait(answer: Answer, wait: int) -> None:
    """The header in seconds or as a date, the body, or a minute; never more than an hour."""
    throttle = read_answer(answer, now=NOW)

    assert throttle == Throttle(wait=wait)
    assert type(throttle.wait) is int


@pytest.mark.parametrize("code", [408, 425, 500, 502, 503, 504, 599])
def test_server_errors_are_faults_that_pass(code: int) -> None:
    """HTML of the error page is shortened for the log."""
    meaning = read_answer(status(code, "<html><b>Oops</b>\n" + "x" * 9_000), now=NOW)

    assert isinstance(meaning, Fault)
    assert meaning.kind == "transient"
    assert meaning.detail.startswith(f"HTTP {code}: Oops x")
    assert len(meaning.detail) < 230


def test_a_fault_waits_as_long_as_the_answer_asks() -> None:
    """A server that restarts may say when it is back."""
    assert read_answer(status(503, retry_after="7"), now=NOW) == Fault(
        kind="transient", detail="HTTP 503: (empty body)", wait=7_000
    )


@pytest.mark.parametrize("kind", ["timeout", "connection", "too large", "sign-in"])
def test_no_answer_is_a_fault_that_passes(kind: str) -> None:
    """It says what kept the answer away."""
    meaning = read_answer(NoAnswer(kind=kind, detail="because"), now=NOW)  # type: ignore[arg-type]

    assert meaning == Fault(kind="transient", detail=f"{kind}: because")


def test_what_kept_an_answer_away_is_quoted_on_one_line() -> None:
    """Libraries describe errors on several."""
    meaning = read_answer(NoAnswer(kind="connection", detail="reset\n by peer"), now=NOW)

    assert meaning == Fault(kind="transient", detail="connection: reset by peer")


@pytest.mark.parametrize(
    ("fault", "refusal"),
    [("HTTP 400: no such filter", True), ("HTTP 500: HTTP 400:", False), (None, False)],
)
def test_a_fault_tells_of_a_refusal_if_the_api_said_400(
    fault: str | None, *, refusal: bool
) -> None:
    """A server error may quote anything."""
    assert tells_of_refusal(fault) is refusal


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (status(400, '{"detail":"bad filter"}'), "bad filter. Check SCAN_FILTERS"),
        (status(403, '{"error":{"message":"no"}}'), "investigation.read"),
        (status(404, "<html>"), "Check MDA_API_URL"),
        (status(301, location="https://x/"), "It redirects to https://x/"),
        (status(301, location="https://x/\r\nforged: y"), "redirects to https://x/ forged: y, and"),
        (status(302), "It redirects to nowhere, and"),
    ],
)
def test_a_refusal_says_what_to_do(answer: Answer, remedy: str) -> None:
    """Trying again cannot help, so the run fails."""
    with pytest.raises(SourceRefused, match=f"HTTP {answer.status}") as refused:
        read_answer(answer, now=NOW)

    assert remedy in str(refused.value)


@pytest.mark.parametrize("code", [204, 418])
def test_a_status_that_says_nothing_points_at_address_and_filters(code: int) -> None:
    """They are all that a caller can have wrong."""
    with pytest.raises(SourceRefused) as refused:
        read_answer(status(code), now=NOW)

    assert str(refused.value) == (
        f"the Activities API answered HTTP {code}: (empty body). "
        "Check MDA_API_URL and SCAN_FILTERS."
    )


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


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Mon, 23 Nov 2026 12:00:30 GMT", NOW + 30_000),
        ("Mon, 23 Nov 2026 13:00:30 +0100", NOW + 30_000),
        ("Mon, 23 Nov 2026 12:00:30 -0000", NOW + 30_000),
        ("Mon, 23 Nov 2026 12:00:30", NOW + 30_000),
        ("Mon, 23 Nov 2026 12:00:30 GMT" + " " * 171 + "x", NOW + 30_000),
    ],
)
def test_a_date_means_the_same_wherever_the_program_runs(
    text: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A date without a zone is in UTC; the zone of the machine says nothing about it."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()

    read = read_http_date(text)

    monkeypatch.undo()
    time.tzset()
    assert read == at


NOT_DATES = [
    None,
    "",
    "soon",
    "Mon, 99 Nov 2026",
    "0",
    "Mon, 23 Nov 99999999999999999999 12:00:30 GMT",
    "Fri, 31 Dec 9999 23:59:59 -0100",
    " " * 200 + "Mon, 23 Nov 2026 12:00:30 GMT",
]


@pytest.mark.parametrize("text", NOT_DATES)
def test_what_is_no_date_is_none(text: str | None) -> None:
    """A proxy may send anything; only the beginning of a header is read."""
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


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"detail":"slow down"}', "slow down"),
        (b'\xef\xbb\xbf{"detail":"slow down"}', "slow down"),
        (b'{"error":{"message":"slow down"}}', "slow down"),
        (b'{"detail":"","error":{"message":"slow\\n down"}}', "slow down"),
        (b"slow \xff", "slow \ufffd"),
        (b"<p>slow</p>" + b" " * (TEXT_FROM - 12) + b"down", "slow d"),
    ],
    ids=["detail", "after a byte order mark", "message", "no detail", "not UTF-8", "long"],
)
def test_an_error_says_what_its_body_says(body: bytes, said: str) -> None:
    """As JSON in either of the API's forms, or as text of which only the beginning is read."""
    meaning = read_answer(Answer(status=500, body=body), now=NOW)

    assert meaning == Fault(kind="transient", detail=f"HTTP 500: {said}")


@pytest.mark.parametrize(
    "body",
    [
        '{"detail":' + "[" * 100_000,
        '{"other":' + "[" * 100_000,
        '{"other":"' + "x" * SAID_FROM + '","detail":"slow down"}',
    ],
    ids=["deep", "deep elsewhere", "long"],
)
def test_an_error_body_that_nests_too_deep_or_is_too_long_is_quoted_as_text(body: str) -> None:
    """Nothing is assumed of the form of an error."""
    meaning = read_answer(status(500, body), now=NOW)

    assert isinstance(meaning, Fault)
    assert meaning.detail.startswith(f"HTTP 500: {body[:50]}")


def test_an_empty_error_body_is_reported_as_empty() -> None:
    """The status alone must do."""
    meaning = read_answer(status(503), now=NOW)

    assert meaning == Fault(kind="transient", detail="HTTP 503: (empty body)")
