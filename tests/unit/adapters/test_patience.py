"""Signing in: what is a refusal, what passes, and how long it is tried."""

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from shared.adapters.patience import (
    PATIENCE_MS,
    Hook,
    IdentityRefused,
    IdentityUnavailable,
    PatientCredential,
    SignInError,
)
from tests.fakes import NOW, FakeClock


@dataclass(frozen=True)
class Answer:
    """An answer of the identity endpoint, as the library shows it."""

    status_code: int
    body: str

    def text(self) -> str:
        """Return the body."""
        return self.body


class Endpoint:
    """An identity endpoint that gives these answers, and then a token.

    Attributes:
        asked: how often it was asked.
    """

    def __init__(self, *answers: Answer | Exception) -> None:
        self._answers = list(answers)
        self._hook: Hook | None = None
        self.asked = 0

    def made(self, hook: Hook) -> "Endpoint":
        """Return a credential that asks it, and shows the answers to the hook."""
        self._hook = hook
        return self

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Return a token, or raise what the library raises for an answer without one."""
        self.asked += 1
        if not self._answers:
            return AccessToken("s3cret", 4_070_908_800)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert self._hook is not None
        self._hook(SimpleNamespace(http_response=answer))  # type: ignore[arg-type]  # all that is read of it
        raise ClientAuthenticationError("no token in it\n\nTo mitigate this issue: read on.")


def failure(endpoint: Endpoint, clock: FakeClock) -> SignInError:
    """Return the error of an attempt to sign in."""
    with pytest.raises(SignInError) as failed:
        PatientCredential(endpoint.made, clock).get_token("scope")
    return failed.value


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": "invalid_request"}),
        (401, {"error_description": "AADSTS7000215"}),
        (403, {"message": "no identity"}),
    ],
)
def test_an_answer_that_says_why_not_is_a_refusal(status: int, body: dict[str, str]) -> None:
    """It is not tried again: the next answer would be the same."""
    clock, endpoint = FakeClock(NOW), Endpoint(Answer(status, json.dumps(body)))

    error = failure(endpoint, clock)

    assert isinstance(error, IdentityRefused)
    assert (str(error), endpoint.asked, clock.now()) == ("no token in it", 1, NOW)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, ""),
        (400, "<html>"),
        (400, "[" * 100_000),
        (400, '["no"]'),
        (400, "{}"),
        (400, '{"error": "temporarily_unavailable"}'),
        (404, '{"error": "not_found"}'),
        (429, '{"error": "throttled"}'),
        (500, '{"error": "invalid_request"}'),
        (200, "{}"),
    ],
)
def test_any_other_answer_without_a_token_may_pass(status: int, body: str) -> None:
    """It is tried again for some seconds; the last answer is told."""
    clock, endpoint = FakeClock(NOW), Endpoint(*[Answer(status, body)] * 99)

    error = failure(endpoint, clock)

    assert isinstance(error, IdentityUnavailable)
    assert str(error) == f"the identity endpoint answered HTTP {status} without a token"
    assert endpoint.asked == 4
    assert clock.now() - NOW <= PATIENCE_MS


def test_a_failure_that_passes_is_not_noticed() -> None:
    """Neither an endpoint that starts, nor one that cannot be reached yet."""
    endpoint = Endpoint(Answer(404, ""), ServiceRequestError("no route"))

    token = PatientCredential(endpoint.made, FakeClock(NOW)).get_token("scope")

    assert (token.token, endpoint.asked) == ("s3cret", 3)


def test_without_an_answer_the_library_s_refusal_counts() -> None:
    """It found nothing to sign in with, so it asked nobody."""
    error = failure(Endpoint(ClientAuthenticationError("nobody is signed in")), FakeClock(NOW))

    assert isinstance(error, IdentityRefused)


def test_a_lost_answer_is_no_refusal_even_if_the_library_says_so() -> None:
    """It wraps whatever went wrong in one class."""
    lost = ClientAuthenticationError("failed")
    lost.__cause__ = ServiceRequestError("no route")

    error = failure(Endpoint(*[lost] * 99), FakeClock(NOW))

    assert isinstance(error, IdentityUnavailable)


def test_what_an_inner_sign_in_says_is_kept() -> None:
    """A federated sign-in asks the app's identity first, and knows best why that failed."""
    inner = IdentityRefused("the app has no identity")
    outer = ClientAuthenticationError("no assertion")
    outer.__cause__ = inner

    assert failure(Endpoint(outer), FakeClock(NOW)) is inner


def test_a_failure_is_remembered_for_a_while() -> None:
    """Every lane would otherwise wait for it in turn."""
    clock, endpoint = FakeClock(NOW), Endpoint(Answer(400, '{"error": "invalid_request"}'))
    credential = PatientCredential(endpoint.made, clock)
    with pytest.raises(IdentityRefused):
        credential.get_token("scope")
    clock.advance(4_999)
    with pytest.raises(IdentityRefused):
        credential.get_token("scope")
    assert endpoint.asked == 1

    clock.advance(1)

    assert credential.get_token("scope").token == "s3cret"
