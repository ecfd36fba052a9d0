"""Credentials and the throttle."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from simulator import Credentials, Simulator, Switches, Tenant
from simulator.tokens import AUDIENCE, ROLE, issue
from tests.simulator.client import NOW, T0, Client, serving

SECONDS = NOW // 1000


def bearer(**changes: object) -> dict[str, str]:
    """Return the header of a valid token, with some claims changed."""
    claims = {"aud": AUDIENCE, "nbf": SECONDS, "exp": SECONDS + 60, "roles": [ROLE], **changes}
    return {"Authorization": f"Bearer {issue(claims)}"}


def test_a_legacy_token_is_accepted() -> None:
    """Its form is `Authorization: Token <64 hex>`."""
    with serving([T0]) as client:
        assert client.get().status_code == 200

        assert len(client.api.credentials.token) == 64


def test_given_tokens_replace_the_generated_one() -> None:
    """Only the given ones are valid."""
    credentials = Credentials(["a" * 64, "b" * 64])

    with Simulator(Tenant(), credentials=credentials) as api:
        second = Client(api).get(headers={"Authorization": f"Token {'b' * 64}"})
        made_up = Client(api).get(headers=Credentials().header)

    assert second.status_code == 200
    assert made_up.status_code == 401


def test_a_request_without_a_credential_is_refused() -> None:
    """The answer is JSON with status 401."""
    with serving([T0]) as client:
        answer = client.get(headers={})

        (received,) = client.api.requests

    assert answer.status_code == 401
    assert answer.json() == {"detail": "Authentication credentials were not provided."}
    assert received.authorization_kind == "none"


def test_a_wrong_token_is_refused() -> None:
    """The answer has the words that clients have seen."""
    with serving([T0]) as client:
        answer = client.get(headers={"Authorization": "Token nonsense"})

    assert answer.status_code == 401
    assert answer.json() == {"detail": "Invalid token"}


def test_the_scheme_of_a_legacy_token_is_case_sensitive() -> None:
    """`token` is not a scheme."""
    with serving([T0]) as client:
        headers = {"Authorization": f"token {client.api.credentials.token}"}

        assert client.get(headers=headers).status_code == 401


def test_a_token_can_be_revoked_while_serving() -> None:
    """It is invalid from then on."""
    with serving([T0]) as client:
        before = client.get().status_code
        headers = client.api.credentials.header
        client.api.credentials.revoke(client.api.credentials.token)

        assert (before, client.get(headers=headers).status_code) == (200, 401)


def test_a_tokens_owner_can_lose_the_right_to_use_it() -> None:
    """The answer is a 403 with its own words."""
    with serving([T0]) as client:
        client.api.credentials.disown(client.api.credentials.token)

        answer = client.get()

    assert answer.status_code == 403
    assert "owner of this token is not permitted" in answer.json()["detail"]


@pytest.mark.parametrize(
    "claims", [{}, {"roles": ["investigation.manage"]}, {"roles": [], "scp": "Investigation.read"}]
)
def test_a_bearer_token_with_the_role_is_accepted(claims: dict[str, object]) -> None:
    """An application's role, the larger role, or a user's scope will do."""
    with serving([T0]) as client:
        answer = client.get(headers=bearer(**claims))

        (received,) = client.api.requests

    assert answer.status_code == 200
    assert received.authorization_kind == "bearer"


@pytest.mark.parametrize(
    "claims", [{"aud": "https://elsewhere.example"}, {"exp": SECONDS}, {"nbf": SECONDS + 1}]
)
def test_a_bearer_token_for_another_audience_or_time_is_invalid(claims: dict[str, object]) -> None:
    """The simulator's clock decides."""
    with serving([T0]) as client:
        answer = client.get(headers=bearer(**claims))

    assert answer.status_code == 401
    assert answer.json() == {"detail": "Invalid token"}


def test_a_bearer_token_expires_in_mid_scan() -> None:
    """A token that was valid a moment ago is refused once it has expired."""
    headers = bearer()

    with serving([T0]) as client:
        before = client.get(headers=headers)
        client.api.clock = lambda: NOW + 60_000
        after = client.get(headers=headers)

    assert (before.status_code, after.status_code) == (200, 401)


@pytest.mark.parametrize("text", ["x", "a.b.c", "..", "é.è.ê"])
def test_a_bearer_token_that_nobody_issued_is_invalid(text: str) -> None:
    """Its form does not matter."""
    with serving([T0]) as client:
        answer = client.get(headers={"Authorization": f"Bearer {text}".encode()})

    assert answer.status_code == 401


def test_a_bearer_token_without_the_role_is_forbidden() -> None:
    """The answer has a correlation id, like the real one."""
    with serving([T0]) as client:
        answer = client.get(headers=bearer(roles=["discovery.read"]))

    assert answer.status_code == 403
    assert answer.json()["detail"] == "Insufficient role based permissions"
    assert len(answer.json()["correlation_id"]) == 36


def test_authentication_can_be_switched_off() -> None:
    """Tests about something else use this."""
    with Simulator(Tenant(), credentials=Credentials(anonymous=True)) as api:
        assert Client(api).get(headers={}).status_code == 200


def test_the_throttle_lets_thirty_requests_pass_in_a_minute() -> None:
    """The minute slides by the simulator's clock and is not a minute of the clock."""
    with serving([T0], throttle_per_minute=30) as client:
        statuses = [client.get().status_code for _ in range(31)]
        client.api.clock = lambda: NOW + 59_999
        early = client.get().status_code
        client.api.clock = lambda: NOW + 60_000
        late = client.get().status_code

    assert statuses == [200] * 30 + [429]
    assert (early, late) == (429, 200)


def test_refused_requests_do_not_count_for_the_throttle() -> None:
    """They lack a credential, or the throttle itself refused them."""
    with serving([T0], throttle_per_minute=1) as client:
        client.get(headers={})
        statuses = [client.get().status_code for _ in range(3)]
        client.api.clock = lambda: NOW + 60_000

        assert statuses == [200, 429, 429]
        assert client.get().status_code == 200


def test_a_clock_that_is_set_back_does_not_throttle_for_ever() -> None:
    """Requests that seem to lie far in the future do not count."""
    with serving([T0], throttle_per_minute=1) as client:
        client.get()
        client.api.clock = lambda: NOW - 3_600_000

        assert client.get().status_code == 200


def test_a_throttled_answer_says_when_to_retry() -> None:
    """Header and text say it in whole seconds."""
    with serving([T0], throttle_per_minute=1) as client:
        client.get()
        client.api.clock = lambda: NOW + 36_100
        answer = client.get()

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "24"
    detail = "Request was throttled. Expected available in 24 seconds."
    assert answer.json() == {"detail": detail}


def test_a_throttled_answer_can_have_a_date_and_another_body() -> None:
    """The date follows the server's own clock."""
    form: dict[str, Any] = {"retry_after": "date", "throttle_body": "error-message"}

    with serving([T0], throttle_per_minute=1, skew_ms=90_000, **form) as client:
        client.get()
        answer = client.get()

    again = parsedate_to_datetime(answer.headers["Retry-After"]).timestamp() * 1000
    assert again == NOW + 90_000 + 60_000
    assert answer.json()["error"]["message"].split()[-2] == "60"


def test_a_throttled_answer_can_lack_the_header() -> None:
    """Nobody knows whether the API always sends it."""
    with serving([T0], throttle_per_minute=1, retry_after=None) as client:
        client.get()

        assert "Retry-After" not in client.get().headers


def test_a_throttle_can_say_0_seconds() -> None:
    """The value means nothing, since the request was refused."""
    with serving([T0], throttle_per_minute=1, retry_after="zero") as client:
        client.get()

        assert client.get().headers["Retry-After"] == "0"


def test_the_throttle_is_on_by_default() -> None:
    """It allows 30 requests a minute."""
    assert Switches().throttle_per_minute == 30
