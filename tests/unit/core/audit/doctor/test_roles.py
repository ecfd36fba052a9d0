"""What a token says about its holder's rights; the token goes no further."""

import base64
import json

import pytest

from shared.core.audit.doctor.roles import check_roles


def bearer(claims: object) -> str:
    """Return a header with a token that has these claims."""
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"Bearer eyJh.{payload}.c2ln"


@pytest.mark.parametrize(
    "claims",
    [
        {"roles": ["investigation.read"]},
        {"roles": ["Investigation.Manage", "discovery.read"]},
        {"scp": "Investigation.read"},
    ],
)
def test_a_token_that_may_read_activities_passes(claims: object) -> None:
    """As an application, or for a person."""
    assert check_roles(bearer(claims)).result == "passed"


def test_a_token_without_the_role_fails_and_says_what_to_grant() -> None:
    """Roles that are on no list are counted, not shown."""
    check = check_roles(bearer({"roles": ["discovery.read", "s3cret-role", "another"]}))

    assert check.result == "failed"
    assert "discovery.read, and 2 others" in check.reason
    assert "investigation.read" in check.reason
    assert "s3cret" not in check.reason


def test_a_token_without_any_role_fails() -> None:
    """This is how a token looks before the grant."""
    check = check_roles(bearer({"aud": "x"}))

    assert (check.result, "none that are known" in check.reason) == ("failed", True)


@pytest.mark.parametrize(
    "header",
    ["Bearer opaque", "Bearer a.!!!.c", "Bearer a.YQ.c", bearer({"roles": 7}), bearer([])],
)
def test_a_token_that_cannot_be_read_leaves_the_decision_to_the_api(header: str) -> None:
    """Nothing of it is shown."""
    check = check_roles(header)

    assert check.result == "could not tell"
    assert header.partition(" ")[2] not in check.reason


def test_a_legacy_token_has_no_roles() -> None:
    """It passes, and is not shown."""
    check = check_roles("Token 0123abcd")

    assert check.result == "passed"
    assert "0123abcd" not in check.reason


def test_the_roles_that_are_known_are_told_in_order() -> None:
    """Nothing is said of others where there are none."""
    check = check_roles(bearer({"roles": ["Investigation.read", "discovery.read"]}))

    assert check.reason == "roles in the token: discovery.read, investigation.read"


@pytest.mark.parametrize(
    ("header", "result", "why"),
    [
        ("Token abc", "passed", "signed in with a legacy token, which has no roles in it"),
        ("Bearer not a token", "could not tell", "the token is not one whose roles can be read"),
    ],
)
def test_a_token_without_readable_roles_leaves_it_to_the_api(
    header: str, result: str, why: str
) -> None:
    """A legacy token works without any."""
    check = check_roles(header)

    assert check.result == result
    assert why in check.reason
    assert check.reason.endswith("; the API decides")


def test_a_token_that_is_nested_too_deep_cannot_be_read() -> None:
    """Whoever made it, the examination goes on."""
    deep = base64.urlsafe_b64encode(b'{"a":' * 50_000).decode().rstrip("=")

    assert check_roles(f"Bearer eyJh.{deep}.c2ln").result == "could not tell"
