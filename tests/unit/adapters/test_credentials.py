"""What is sent to sign in for the API, and what a token that is not accepted leads to."""

from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from shared.access import Secret
from shared.adapters.credentials import EntraToken, FixedToken, exchange_audience
from shared.adapters.patience import IdentityRefused, IdentityUnavailable, SignInError
from shared.core.errors import SourceRefused
from shared.ports import SignInUnavailable


class Cached:
    """A credential that keeps its token, as those of azure-identity do."""

    def __init__(self, answer: str | SignInError) -> None:
        self._answer = answer

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        """Return the token, or raise the error."""
        if isinstance(self._answer, SignInError):
            raise self._answer
        return AccessToken(self._answer, 4_070_908_800)


def signed_in(*answers: str | SignInError) -> EntraToken:
    """Return a sign-in each of whose credentials has the next of these answers."""
    credentials: Iterator[Cached] = map(Cached, answers)
    return EntraToken(lambda: next(credentials), "managed-identity")


def test_a_legacy_token_is_sent_as_it_is_and_cannot_be_renewed() -> None:
    """Somebody has to create another one."""
    token = FixedToken(Secret("s3cret"))

    assert (token.header(), token.renew()) == ("Token s3cret", False)


@pytest.mark.parametrize(
    ("authority", "audience"),
    [
        (None, "api://AzureADTokenExchange"),
        ("https://login.microsoftonline.com/", "api://AzureADTokenExchange"),
        ("https://login.microsoftonline.us/", "api://AzureADTokenExchangeUSGov"),
        ("login.microsoftonline.us", "api://AzureADTokenExchangeUSGov"),
        ("https://login.chinacloudapi.cn", "api://AzureADTokenExchangeChina"),
        ("https://login.partner.microsoftonline.cn/", "api://AzureADTokenExchangeChina"),
    ],
)
def test_each_cloud_has_its_own_audience_for_vouching(authority: str | None, audience: str) -> None:
    """The setting may be a host or an address, as the Azure SDK accepts it."""
    assert exchange_audience(authority) == audience


def test_a_token_is_only_asked_for_anew_once_it_is_renewed() -> None:
    """The old credential would answer with the token that the API did not accept."""
    token = signed_in("old", "new")
    before = [token.header(), token.header()]

    assert token.renew()

    assert (before, token.header()) == (["Bearer old"] * 2, "Bearer new")


def test_a_refused_sign_in_fails_the_scan_with_what_to_check() -> None:
    """It names the setting that chose the way to sign in."""
    token = signed_in(IdentityRefused("AADSTS700016: no such application.\nTrace ID: 7"))

    with pytest.raises(SourceRefused) as refused:
        token.header()

    assert str(refused.value).startswith(
        "signing in for the Activities API failed (MDA_AUTH=managed-identity): "
        "AADSTS700016: no such application. Check the identity"
    )


def test_a_sign_in_that_is_unavailable_only_delays_the_scan() -> None:
    """The next run tries again."""
    with pytest.raises(SignInUnavailable, match=r"^no route$"):
        signed_in(IdentityUnavailable("no route")).header()
