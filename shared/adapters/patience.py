"""A credential that tries again for a few seconds while the identity endpoint fails.

azure-identity reports an outage, an empty body and a refusal with the same class. What tells them
apart is the answer itself, so this looks at every answer that the credential gets.
"""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline import PipelineResponse

from shared.ports import Clock

PATIENCE_MS = 6_000
"""For how long signing in is tried; a longer wait is kept in the ledger instead."""

WAIT_FIRST_MS = 500
"""The wait before the second attempt; it doubles before each further one."""

REMEMBERED_MS = 5_000
"""For how long a failure is the answer to every caller, so that their retries do not add up."""

PASSING_STATUSES = frozenset({404, 408, 410, 425, 429})
"""Statuses below 500 that endpoints are known to send while they start or are busy."""

PASSING_ERRORS = frozenset({"temporarily_unavailable", "server_error", "timeout"})
"""OAuth errors that are not refusals, whatever their status."""


class SignInError(AzureError):
    """Signing in failed; `remedy` says what a person can do about it."""

    remedy = ""


class IdentityUnavailable(SignInError, ServiceRequestError):
    """No token is available at present, for a temporary reason."""

    remedy = "The next run tries again"


class IdentityRefused(SignInError, ClientAuthenticationError):
    """Signing in is refused."""

    remedy = "Check IDENTITY_CLIENT_ID, and that the app has this identity"


Hook = Callable[[PipelineResponse[Any, Any]], None]
"""What azure-core calls with every answer."""

Make = Callable[[Hook], TokenCredential]
"""Creates a credential that shows its answers to the hook."""


class _Shown(Protocol):
    """An answer of azure-core."""

    status_code: int

    def text(self) -> str:
        """Return the body."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The last answer that a credential got.

    Attributes:
        status: HTTP status.
        refuses: whether it says in words that signing in is refused.
    """

    status: int
    refuses: bool


class PatientCredential:
    """A `TokenCredential` around another; thread-safe."""

    def __init__(self, make: Make, clock: Clock) -> None:
        """Make the credential; nothing is requested yet.

        Args:
            make: makes it.
            clock: to wait between attempts.
        """
        self._make = make
        self._credential = make(self._note)
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: Seen | None = None
        self._failed: tuple[int, SignInError] | None = None

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token.

        Raises:
            IdentityRefused: signing in is refused.
            IdentityUnavailable: it failed for a passing reason, for all of the patience.
        """
        with self._lock:
            now = self._clock.elapsed()
            if self._failed and now - self._failed[0] < REMEMBERED_MS:
                raise self._failed[1]
            try:
                token = self._patiently(scopes, options)
            except SignInError as error:
                self._failed = (self._clock.elapsed(), error)
                raise
            self._failed = None
            return token

    def _patiently(self, scopes: tuple[str, ...], options: dict[str, Any]) -> AccessToken:
        ends = self._clock.elapsed() + PATIENCE_MS
        wait = WAIT_FIRST_MS
        self._seen = None
        while True:
            try:
                return self._credential.get_token(*scopes, **options)
            except Exception as error:
                judged = self._judged(error)
                self._credential = self._make(self._note)  # The old one remembers its failure.
                late = self._clock.elapsed() + wait > ends
                if late or isinstance(judged, IdentityRefused):
                    raise judged from error
            self._clock.sleep(wait)
            wait *= 2

    def _note(self, response: PipelineResponse[Any, Any]) -> None:
        answer: _Shown = response.http_response
        self._seen = Seen(status=answer.status_code, refuses=_refuses(answer))

    def _judged(self, error: Exception) -> SignInError:
        chain = list(_chain(error))
        for known in chain:
            if isinstance(known, SignInError):
                return known
        said = first_line(error)
        if self._seen and self._seen.refuses:
            return IdentityRefused(said)
        if self._seen:
            return IdentityUnavailable(
                f"the identity endpoint answered HTTP {self._seen.status} without a token"
            )
        lost = any(isinstance(it, ServiceRequestError | ServiceResponseError) for it in chain)
        if isinstance(error, ClientAuthenticationError) and not lost:
            return IdentityRefused(said)
        return IdentityUnavailable(said)


def _refuses(answer: _Shown) -> bool:
    """Say whether an answer is clearly a refusal: a 4xx that gives its reason in JSON."""
    status = answer.status_code
    if not 400 <= status < 500 or status in PASSING_STATUSES:  # noqa: PLR2004 - the class of 4xx
        return False
    try:
        said = json.loads(answer.text())
    except (ValueError, RecursionError):
        return False
    if not isinstance(said, dict) or said.get("error") in PASSING_ERRORS:
        return False
    return any(said.get(name) for name in ("error", "error_description", "message"))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what caused it."""
    while error is not None:
        yield error
        error = error.__cause__


def first_line(error: Exception) -> str:
    """Return what failed, without the troubleshooting paragraphs that follow."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line[:300].rstrip(". ")
