"""What the scan sends to the API, and what comes back."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to the Activities API, ready to send.

    Attributes:
        body: the JSON body, UTF-8.
    """

    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, complete, whatever it says.

    Attributes:
        status: HTTP status.
        body: decoded from its content encoding.
        date: the `Date` header in epoch ms, None when absent or unreadable.
        retry_after: the `Retry-After` header as sent.
        content_type: the `Content-Type` header as sent.
        location: where a redirect points.
        headers: names of all headers, in lower case.
    """

    status: int
    body: bytes
    date: int | None = None
    retry_after: str | None = None
    content_type: str | None = None
    location: str | None = None
    headers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """No complete answer arrived.

    Attributes:
        kind: `timeout` (the total deadline), `connection` (refused, reset, cut),
            `too large` (over the byte cap), `sign-in` (no token for a passing reason) or
            `unsent` (nobody was asked).
        detail: human-readable; never holds a secret.
    """

    kind: Literal["timeout", "connection", "too large", "sign-in", "unsent"]
    detail: str
