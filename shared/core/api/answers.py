"""What an answer of the API means: a page, a throttle, a fault of the slice, or a refusal.

The API's documentation describes pages and throttling. Everything else is taken from the bodies of
real error answers, so nothing is assumed about their form.
"""

import re
from calendar import timegm
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from shared.core.api.pages import Page, read_page
from shared.core.api.records import Malformed
from shared.core.errors import SourceRefused, TokenRefused
from shared.core.model import HOUR_MS, Answer, NoAnswer
from shared.core.quoting import quoted

THROTTLE_WAIT_MS = 60_000
"""How long to wait if a throttle does not say: the API's window is one minute."""

THROTTLE_LEAST_MS = 1_000
"""The shortest wait that an answer can ask for; anything below a millisecond is ignored."""

HEADER_MOST = 200
"""How many characters of a header are read; a date has 29."""

HTTP_INFORMATIONAL = range(100, 200)
HTTP_OK = 200
HTTP_BAD = 400
HTTP_REDIRECTS = range(300, 400)
HTTP_UNAUTHORIZED = 401
HTTP_TOO_MANY = 429
TRANSIENT_STATUSES = frozenset({408, 425, *range(500, 600)})

SAID_FROM = 64 * 1024
"""How many bytes of an error body are read; no explanation of an error is longer."""

TEXT_FROM = 4_000
"""How many bytes, or characters, of an error body are read that is prose rather than JSON."""

FaultKind = Literal["transient", "malformed", "unexpected", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """The tenant's request budget is used up.

    Attributes:
        wait: milliseconds to wait, at most an hour.
    """

    wait: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An answer that is not a page, although the next attempt may bring one.

    Attributes:
        kind: `transient` (server, network, deadline), `malformed` (a page that makes no sense),
            `unexpected` (an error in this program, which the answer may have caused) or
            `unreadable` (nothing was asked: a part that a sweep needs cannot be read).
        detail: human-readable description of what came.
        wait: how long the answer asks to wait, in ms, at most an hour; 0 if it does not ask.
    """

    kind: FaultKind
    detail: str
    wait: int = 0


def unanswered(nothing: NoAnswer) -> Fault:
    """Return the fault for a request that was never answered."""
    return Fault(kind="transient", detail=quoted(f"{nothing.kind}: {nothing.detail}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unaccepted:
    """The API does not accept a query that we wrote (400); it may accept another form of it.

    Attributes:
        said: the status and the API's own words.
    """

    said: str


def unaccepted(answer: Answer) -> Unaccepted:
    """Return what the API said about a query that it does not accept."""
    return Unaccepted(said=f"HTTP {answer.status}: {_says(answer.body)}")


def tells_of_refusal(fault: str | None) -> bool:
    """Say whether the description of a fault is what the API said about a query (400)."""
    return fault is not None and fault.startswith(f"HTTP {HTTP_BAD}:")


def refused_in_every_form(said: Unaccepted, attempts: tuple[str, ...]) -> SourceRefused:
    """Return the error for a query that the API accepts in no form."""
    tried = "; ".join(f"with {attempt}" for attempt in attempts)
    return SourceRefused(
        f"the Activities API answered {said.said}. {_REMEDIES[HTTP_BAD]} It was asked {tried}."
    )


def read_answer(answer: Answer | NoAnswer, *, now: int) -> Page | Throttle | Fault:
    """Decide what one answer means.

    Raises:
        TokenRefused: the API does not accept the token (401).
        SourceRefused: access or address is wrong (any other status: 3xx, 400, 403, 404, …);
            the message says what to do.
    """
    if isinstance(answer, NoAnswer):
        return unanswered(answer)
    if answer.status == HTTP_TOO_MANY:
        return Throttle(wait=_throttle_wait(answer, now))
    if answer.status in TRANSIENT_STATUSES:
        detail = f"HTTP {answer.status}: {_says(answer.body)}"
        return Fault(kind="transient", detail=detail, wait=_stated_wait(answer, now))
    if answer.status in HTTP_INFORMATIONAL:
        detail = f"HTTP {answer.status}, and no final answer after it"
        return Fault(kind="transient", detail=detail)
    if answer.status == HTTP_UNAUTHORIZED:
        raise TokenRefused(_refusal(answer))
    if answer.status != HTTP_OK:
        raise SourceRefused(_refusal(answer))
    try:
        return read_page(answer.body)
    except Malformed as error:
        return Fault(kind="malformed", detail=str(error))


def _throttle_wait(answer: Answer, now: int) -> int:
    """Return how long to wait, from the header, else from the body, else a minute."""
    said = _SECONDS.search(answer.body[:TEXT_FROM])
    in_body = _milliseconds(said[1].decode()) if said else 0
    return _stated_wait(answer, now) or in_body or THROTTLE_WAIT_MS


def _stated_wait(answer: Answer, now: int) -> int:
    """Return the wait that `Retry-After` asks for, in ms; 0 if the header is of no use.

    Zero, negative numbers and past dates are of no use, because asking at once is what led to the
    refusal. The longest of several values counts.
    """
    if answer.retry_after is None:
        return 0
    stated = answer.retry_after[:HEADER_MOST]
    until = read_http_date(stated)
    if until is not None:
        return _bounded(until - (answer.date or now))
    return max(_milliseconds(value.strip()) for value in stated.split(","))


def _milliseconds(seconds: str) -> int:
    return _bounded(float(seconds) * 1000) if _NUMBER.fullmatch(seconds) else 0


def _bounded(wait: float) -> int:
    return 0 if wait < 1 else min(max(int(wait), THROTTLE_LEAST_MS), HOUR_MS)


_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)
_SECONDS = re.compile(rb"(?<![-.\d])(\d{1,6}(?:\.\d{1,6})?) {0,3}second")


def read_http_date(text: str | None) -> int | None:
    """Return an HTTP date as epoch milliseconds, None if it is absent or not a date.

    A date without a zone is in UTC.
    """
    if text is None:
        return None
    try:
        stated = parsedate_to_datetime(text[:HEADER_MOST])
        return timegm(stated.utctimetuple()) * 1000
    except (ValueError, OverflowError):  # Overflow: its year is beyond every calendar.
        return None


def _refusal(answer: Answer) -> str:
    said = f"the Activities API answered HTTP {answer.status}: {_says(answer.body)}. "
    return said + _REMEDIES.get(answer.status, _other_remedy(answer))


_REMEDIES = {
    400: "Check SCAN_FILTERS: the API does not accept this query.",
    401: "The token is not accepted: check MDA_AUTH, MDA_TENANT_ID and MDA_CLIENT_ID, or renew "
    "MDA_API_TOKEN; a legacy token stops working when its creator's account is removed.",
    403: "The identity is known but may not read activities: grant it the application role "
    "investigation.read of Microsoft Cloud App Security "
    "(05a65629-4c1b-48c1-a78b-804c4abdd4af); a new grant can take hours to reach a managed "
    "identity's cached token.",
    404: "Check MDA_API_URL: it is shown in the Defender portal under Settings, Cloud Apps, "
    "About, as API URL.",
}


def _other_remedy(answer: Answer) -> str:
    if answer.status in HTTP_REDIRECTS:
        target = quoted(answer.location or "") or "nowhere"
        return (
            f"It redirects to {target}, and a redirect drops the query: set MDA_API_URL to the "
            "address shown in the Defender portal under Settings, Cloud Apps, About."
        )
    return "Check MDA_API_URL and SCAN_FILTERS."


class _ErrorMessage(msgspec.Struct, frozen=True):
    message: str = ""


class _ErrorBody(msgspec.Struct, frozen=True):
    detail: str = ""
    error: _ErrorMessage = _ErrorMessage()


def _says(body: bytes) -> str:
    """Return an error body's message: JSON `detail`, JSON `error.message`, or its text, cut."""
    text = body[:SAID_FROM].decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        parsed = msgspec.json.decode(text, type=_ErrorBody)
        message = parsed.detail or parsed.error.message
    except (ValueError, RecursionError):  # Nested too deep, cut off, or not JSON.
        message = ""
    return quoted(message or _MARKUP.sub(" ", text[:TEXT_FROM])) or "(empty body)"


_MARKUP = re.compile(r"<[^>]*>")
