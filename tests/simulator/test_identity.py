"""The simulated identity platform, used through the real identity library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
import trustme
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import (
    ClientAssertionCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    ManagedIdentityCredential,
)

from simulator import IdentityEndpoint, Simulator, Tenant, TlsFiles, TokenAuthority
from simulator.tokens import AUDIENCE, EXCHANGE_AUDIENCE, read
from tests.simulator.client import T0, Client

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

SCOPE = f"{AUDIENCE}/.default"
TENANT = "3b0c9c0e-58e9-4c4e-9d7a-0c2f6d6f1a11"
CLIENT = "8d3c3c54-1f6a-4a43-8f0c-6f2d4b8e7a22"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    """Make a self-signed certificate for the loopback address."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return TlsFiles(str(folder / "server.pem"), str(folder / "server.pem"))


@pytest.fixture(autouse=True)
def trusted(tls: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the certificate, as an operator would with an authority of their own."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", tls.certificate.replace("server.pem", "ca.pem"))


def status_with(credential: TokenCredential) -> int:
    """Return the status of the API's answer to a client with such a token."""
    with Simulator(Tenant.of([T0])) as api:
        token = credential.get_token(SCOPE).token
        return Client(api).get(headers={"Authorization": f"Bearer {token}"}).status_code


def given(identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that the platform would set."""
    for name, value in identity.environment.items():
        monkeypatch.setenv(name, value)


def test_a_managed_identity_gets_a_token_that_the_api_accepts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The library asks for the resource without `/.default`."""
    with IdentityEndpoint() as identity:
        given(identity, monkeypatch)

        assert status_with(ManagedIdentityCredential()) == 200

    assert [asked.resource for asked in identity.requests] == [AUDIENCE]


def test_a_user_assigned_identity_is_named_by_its_client_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The endpoint sees which identity is meant."""
    with IdentityEndpoint(client_ids=[CLIENT]) as identity:
        given(identity, monkeypatch)

        assert status_with(ManagedIdentityCredential(client_id=CLIENT)) == 200

    assert [asked.client_id for asked in identity.requests] == [CLIENT]


def test_an_identity_that_does_not_exist_gets_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library reports it."""
    with IdentityEndpoint(client_ids=["another"]) as identity:
        given(identity, monkeypatch)

        with pytest.raises((ClientAuthenticationError, CredentialUnavailableError)):
            ManagedIdentityCredential(client_id=CLIENT).get_token(SCOPE)

    assert {asked.status for asked in identity.requests} == {400}


def test_an_identity_without_the_role_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets a token, but the API refuses it."""
    with IdentityEndpoint(roles=()) as identity:
        given(identity, monkeypatch)

        assert status_with(ManagedIdentityCredential()) == 403


def test_the_lifetime_of_tokens_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in seconds, and both answer and token state it."""
    with IdentityEndpoint(lifetime_seconds=120, clock=lambda: T0) as identity:
        given(identity, monkeypatch)
        answer = requests.get(
            identity.url,
            params={"api-version": "2019-08-01", "resource": AUDIENCE},
            headers={"X-IDENTITY-HEADER": identity.header},
            timeout=9,
        ).json()

    claims = read(answer["access_token"]) or {}
    assert answer["expires_on"] == str(T0 // 1000 + 120)
    assert claims["exp"] - claims["nbf"] == 120


@pytest.mark.parametrize(
    ("header", "params", "status"),
    [
        ("wrong", {"api-version": "2019-08-01", "resource": "x"}, 401),
        ("right", {"api-version": "2017-09-01", "resource": "x"}, 400),
        ("right", {"api-version": "2019-08-01"}, 400),
    ],
)
def test_the_endpoint_validates_its_requests(
    header: str, params: dict[str, str], status: int
) -> None:
    """It checks the secret header, the version and the resource."""
    with IdentityEndpoint(header="right") as identity:
        headers = {"X-IDENTITY-HEADER": header}
        answer = requests.get(identity.url, params=params, headers=headers, timeout=9)

    assert answer.status_code == status
    assert answer.json()["statusCode"] == status


def secret_credential(authority: TokenAuthority, secret: str) -> ClientSecretCredential:
    """Return the real credential, pointed at the simulated authority."""
    return ClientSecretCredential(
        TENANT, CLIENT, secret, authority=authority.url, disable_instance_discovery=True
    )


def test_a_client_secret_gets_a_token_that_the_api_accepts(tls: TlsFiles) -> None:
    """It uses https, discovery and the client credentials grant."""
    with TokenAuthority(tls, clients={CLIENT: "s3cret"}) as authority:
        assert status_with(secret_credential(authority, "s3cret")) == 200

    (asked,) = authority.requests
    assert asked.path == f"/{TENANT}/oauth2/v2.0/token"
    assert (asked.resource, asked.client_id, asked.status) == (SCOPE, CLIENT, 200)


@pytest.mark.parametrize("clients", [{CLIENT: "another"}, {}])
def test_a_wrong_secret_or_an_unknown_client_gets_no_token(
    tls: TlsFiles, clients: dict[str, str]
) -> None:
    """The library reports what the authority says."""
    with (
        TokenAuthority(tls, clients=clients) as authority,
        pytest.raises(ClientAuthenticationError, match="AADSTS7"),
    ):
        secret_credential(authority, "s3cret").get_token(SCOPE)


def test_a_managed_identity_can_vouch_for_an_application(
    tls: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token for the exchange is the client's assertion: no secret anywhere."""
    with IdentityEndpoint() as identity, TokenAuthority(tls, federated=[CLIENT]) as authority:
        given(identity, monkeypatch)
        own = ManagedIdentityCredential()
        credential = ClientAssertionCredential(
            TENANT,
            CLIENT,
            lambda: own.get_token(f"{EXCHANGE_AUDIENCE}/.default").token,
            authority=authority.url,
            disable_instance_discovery=True,
        )

        assert status_with(credential) == 200

    assert [asked.resource for asked in identity.requests] == [EXCHANGE_AUDIENCE]


@pytest.mark.parametrize("assertion", ["nonsense", "a.b.c"])
def test_an_assertion_that_nobody_issued_gets_no_token(tls: TlsFiles, assertion: str) -> None:
    """Neither does a client without a federated credential."""
    with TokenAuthority(tls, federated=[CLIENT]) as authority:
        credential = ClientAssertionCredential(
            TENANT,
            CLIENT,
            lambda: assertion,
            authority=authority.url,
            disable_instance_discovery=True,
        )
        with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):
            credential.get_token(SCOPE)


def test_the_log_of_requests_does_not_print_tokens(tls: TlsFiles) -> None:
    """Printing even simulated ones would be a bad habit."""
    with TokenAuthority(tls, clients={CLIENT: "s3cret"}) as authority:
        token = secret_credential(authority, "s3cret").get_token(SCOPE).token

    assert authority.requests[0].token == token
    assert token not in repr(authority.requests)


def test_an_unknown_path_of_the_authority_is_not_found(tls: TlsFiles) -> None:
    """The answer is JSON."""
    with TokenAuthority(tls) as authority:
        answer = requests.get(f"{authority.url}/{TENANT}/elsewhere", timeout=9)

    assert answer.status_code == 404
