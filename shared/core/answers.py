"""What an answer of the API means: a page, a throttle, a fault of the slice, or a refusal.

Sources: the API documentation for throttling and pages; the bodies of real error answers for
the rest, which is why nothing is assumed of their form.
"""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Literal

import msgspec

from shared.core.errors import SourceRefused, TokenRefused
from shared.core.model import HOUR_MS, Answer, NoAnswer
from shared.core.records import Malformed, Page, read_page

THROTTLE_WAIT_MS = 60_000
"""Where a throttle does not say how long: the API's window is one minute."""

HTTP_OK = 200
HTTP_BAD = 400
HTTP_REDIRECTS = range(300, 400)
HTTP_UNAUTHORIZED = 401
HTTP_TOO_MANY = 429
TRANSIENT_STATUSES = frozenset({408, 425, *range(500, 600)})

FaultKind = Literal["transient", "malformed", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """The tenant's request budget is used up.

    Attributes:
        wait: milliseconds to wait, at most an hour.
    """

    wait: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An answer that is no page, though another try may bring one.

    Attributes:
        kind: `transient` (server, network, deadline), `malformed` (a page that makes no sense) or
            `unreadable` (no answer at all: a part that a sweep needs cannot be read).
        detail: what came, for people.
    """

    kind: FaultKind
    detail: str


def read_answer(answer: Answer | NoAnswer, *, now: int) -> Page | Throttle | Fault:
    """Judge one answer.

    Raises:
        SourceRefused: access or address is wrong (3xx, 400, 401, 403, 404, other 4xx);
            the message says what to do.
    """
    if isinstance(answer, NoAnswer):
        return Fault(kind="transient", detail=f"{answer.kind}: {answer.detail}")
    if answer.status == HTTP_TOO_MANY:
        return Throttle(wait=min(_throttle_wait(answer, now), HOUR_MS))
    if answer.status in TRANSIENT_STATUSES:
        return Fault(kind="transient", detail=f"HTTP {answer.status}: {_says(answer.body)}")
    if answer.status == HTTP_UNAUTHORIZED:
        raise TokenRefused(_refusal(answer))
    if answer.status != HTTP_OK:
        raise SourceRefused(_refusal(answer))
    try:
        return read_page(answer.body)
    except Malformed as verdict:
        return Fault(kind="malformed", detail=str(verdict))


def _throttle_wait(answer: Answer, now: int) -> int:
    stated = (answer.retry_after or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", stated):
        return int(stated) * 1000
    until = read_http_date(stated)
    if until is not None:
        return max(until - (answer.date or now), 1000)
    seconds = re.search(rb"\b(\d{1,6}(?:\.\d{1,6})?) {0,3}second", answer.body[:4000])
    return int(float(seconds[1]) * 1000) if seconds else THROTTLE_WAIT_MS


def read_http_date(text: str | None) -> int | None:
    """Return an HTTP date as epoch milliseconds, None when it is absent or none."""
    try:
        return int(parsedate_to_datetime(text or "").timestamp() * 1000)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _refusal(answer: Answer) -> str:
    said = f"the Activities API answered HTTP {answer.status}: {_says(answer.body)}. "
    return said + _REMEDIES.get(answer.status, _other_remedy(answer))


_REMEDIES = {
    400: "Check SCAN_FILTERS: the API does not accept this query.",
    401: "The token is not accepted: check MDA_AUTH, MDA_TENANT_ID and MDA_CLIENT_ID, or renew "
    "MDA_API_TOKEN; a legacy token dies with the user who made it.",
    403: "The identity is known but may not read activities: grant it the application role "
    "investigation.read of Microsoft Cloud App Security "
    "(05a65629-4c1b-48c1-a78b-804c4abdd4af); a new grant can take hours to reach a managed "
    "identity's cached token.",
    404: "Check MDA_API_URL: it is shown in the Defender portal under Settings, Cloud Apps, "
    "About, as API URL.",
}


def _other_remedy(answer: Answer) -> str:
    if answer.status in HTTP_REDIRECTS:
        return (
            f"It redirects to {answer.location or 'nowhere'}, and a redirect drops the query: "
            "set MDA_API_URL to the address shown in the Defender portal under Settings, "
            "Cloud Apps, About."
        )
    return "Check MDA_API_URL and SCAN_FILTERS."


class _ErrorMessage(msgspec.Struct, frozen=True):
    message: str = ""


class _ErrorBody(msgspec.Struct, frozen=True):
    detail: str = ""
    error: _ErrorMessage = _ErrorMessage()


def _says(body: bytes) -> str:
    """Return what an error body says, short: JSON `detail`, JSON `error.message`, or its text."""
    try:
        parsed = msgspec.json.decode(body, type=_ErrorBody)
        message = parsed.detail or parsed.error.message
    except msgspec.DecodeError:
        message = ""
    text = message or re.sub(r"<[^>]*>", " ", body[:4000].decode("utf-8", "replace"))
    return " ".join(text.split())[:200] or "(empty body)"
