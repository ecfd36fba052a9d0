"""Every way to sign in with the real azure-identity, from settings to stored activities."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
from azure.identity import ClientAssertionCredential, ClientSecretCredential
from azure.storage.blob import BlobServiceClient

from harness.azurite import Azurite
from shared.bootstrap import run_scans
from shared.core.errors import SourceRefused
from shared.scan.reporting import RunResult
from simulator import IdentityEndpoint, Simulator, Switches, Tenant, TlsFiles, TokenAuthority
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, stored

TENANT = "3b0c9c0e-58e9-4c4e-9d7a-0c2f6d6f1a11"
CLIENT = "8d3c3c54-1f6a-4a43-8f0c-6f2d4b8e7a22"

Environ = dict[str, str]


@pytest.fixture(autouse=True)
def nobody_is_signed_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the credentials that this machine may offer to the default chain."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))


@pytest.fixture
def tenant() -> Tenant:
    """Provide a tenant with three pages of activities."""
    return history(1200)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TlsFiles:
    """Provide a certificate for the loopback address, trusted by this process."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    return TlsFiles(str(tmp_path / "server.pem"), str(tmp_path / "server.pem"))


def in_azure(identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch) -> Environ:
    """Set, and return, what the platform sets for an app with an identity."""
    for name, value in identity.environment.items():
        monkeypatch.setenv(name, value)
    return dict(identity.environment)


def settings(api: Simulator, storage: Environ, **more: str) -> Environ:
    """Return the settings of a scan without any setting for signing in."""
    return {
        "MDA_API_URL": api.url,
        "MDA_ALLOW_ANY_HOST": "true",
        "SCAN_LOOKBACK": "3h",
        "SCAN_SLICE": "15m",
        "SCAN_TIME_BUDGET": "60s",
        "SCAN_REQUESTS_PER_MINUTE": "1000",
        **storage,
        **more,
    }


def failure(environ: Environ) -> tuple[RunResult, dict[str, Any]]:
    """Run once, and return the failed run with its report."""
    (result,) = run_scans(environ)
    assert result.error is not None
    return result, json.loads(result.line)


def pointed_at(authority: TokenAuthority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the real credentials use the simulated authority instead of Microsoft's.

    No setting does that: who signs in elsewhere has a cloud that azure-identity knows.
    """
    elsewhere: dict[str, Any] = {"authority": authority.url, "disable_instance_discovery": True}
    for credential in (ClientSecretCredential, ClientAssertionCredential):
        name = f"shared.adapters.credentials.{credential.__name__}"
        monkeypatch.setattr(name, partial(credential, **elsewhere))


def kinds(api: Simulator) -> set[str | None]:
    """Return the kinds of authorization that the API received."""
    return {request.authorization_kind for request in api.requests}


def test_in_azure_the_managed_identity_is_the_default(
    storage_settings: Environ, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs no setting and no secret: the platform's endpoint vouches for the app."""
    with Simulator(tenant, switches=OPEN) as api, IdentityEndpoint() as identity:
        environ = settings(api, storage_settings, **in_azure(identity, monkeypatch))

        run_until_idle(environ)

        assert kinds(api) == {"bearer"}
    assert sorted(stored(storage_settings)) == tenant.truth()
    assert {asked.client_id for asked in identity.requests} == {""}


def test_a_user_assigned_identity_is_chosen_by_its_client_id(
    storage_settings: Environ, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IDENTITY_CLIENT_ID names it."""
    with Simulator(tenant, switches=OPEN) as api, IdentityEndpoint(client_ids=[CLIENT]) as identity:
        platform = in_azure(identity, monkeypatch)

        run_until_idle(settings(api, storage_settings, IDENTITY_CLIENT_ID=CLIENT, **platform))

    assert sorted(stored(storage_settings)) == tenant.truth()
    assert {asked.client_id for asked in identity.requests} == {CLIENT}


def test_the_default_chain_finds_an_identity(
    storage_settings: Environ, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MDA_AUTH=default uses the order of azure-identity."""
    with Simulator(tenant, switches=OPEN) as api, IdentityEndpoint() as identity:
        platform = in_azure(identity, monkeypatch)

        run_until_idle(settings(api, storage_settings, MDA_AUTH="default", **platform))

    assert sorted(stored(storage_settings)) == tenant.truth()


def test_a_client_secret_signs_an_app_registration_in(
    storage_settings: Environ, tenant: Tenant, tls: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It uses the client credentials grant of its tenant."""
    with (
        Simulator(tenant, switches=OPEN) as api,
        TokenAuthority(tls, clients={CLIENT: "s3cret"}) as authority,
    ):
        pointed_at(authority, monkeypatch)
        own = {"MDA_TENANT_ID": TENANT, "MDA_CLIENT_ID": CLIENT, "MDA_CLIENT_SECRET": "s3cret"}

        run_until_idle(settings(api, storage_settings, MDA_AUTH="client-secret", **own))

    assert sorted(stored(storage_settings)) == tenant.truth()
    assert {asked.path for asked in authority.requests} == {f"/{TENANT}/oauth2/v2.0/token"}


def test_a_managed_identity_vouches_for_an_app_registration(
    storage_settings: Environ, tenant: Tenant, tls: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MDA_AUTH=federated signs in another tenant's registration without any secret."""
    with (
        Simulator(tenant, switches=OPEN) as api,
        IdentityEndpoint() as identity,
        TokenAuthority(tls, federated=[CLIENT]) as authority,
    ):
        pointed_at(authority, monkeypatch)
        own = {"MDA_TENANT_ID": TENANT, "MDA_CLIENT_ID": CLIENT, "MDA_AUTH": "federated"}
        platform = in_azure(identity, monkeypatch)

        run_until_idle(settings(api, storage_settings, **own, **platform))

    assert sorted(stored(storage_settings)) == tenant.truth()


def test_an_identity_vouches_for_the_audience_of_its_cloud(
    storage_settings: Environ, tenant: Tenant, tls: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The US government's authority refuses a token for the audience of the public cloud."""
    audience = "api://AzureADTokenExchangeUSGov"
    with (
        Simulator(tenant, switches=OPEN) as api,
        IdentityEndpoint() as identity,
        TokenAuthority(tls, federated=[CLIENT], exchange_audience=audience) as authority,
    ):
        pointed_at(authority, monkeypatch)
        own = {"MDA_TENANT_ID": TENANT, "MDA_CLIENT_ID": CLIENT, "MDA_AUTH": "federated"}
        cloud = {"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/"}
        platform = in_azure(identity, monkeypatch)

        run_until_idle(settings(api, storage_settings, **own, **cloud, **platform))

    assert sorted(stored(storage_settings)) == tenant.truth()


def test_a_legacy_token_is_sent_as_it_is(storage_settings: Environ, tenant: Tenant) -> None:
    """It has the scheme `Token`, for tenants that still have one."""
    with Simulator(tenant, switches=OPEN) as api:
        token = api.credentials.header["Authorization"].removeprefix("Token ")

        run_until_idle(settings(api, storage_settings, MDA_AUTH="api-token", MDA_API_TOKEN=token))

        assert kinds(api) == {"token"}
    assert sorted(stored(storage_settings)) == tenant.truth()


@pytest.mark.long
def test_a_token_that_expires_in_mid_scan_is_renewed(
    storage_settings: Environ, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens last two seconds and answers take one: the run renews them and continues."""
    slow = Switches(page_cap=500, throttle_per_minute=None, latency_seconds=1.0)
    with (
        Simulator(tenant, switches=slow) as api,
        IdentityEndpoint(lifetime_seconds=2) as identity,
    ):
        platform = in_azure(identity, monkeypatch)
        how = {"SCAN_CONCURRENCY": "1", "SCAN_TIME_BUDGET": "14s"}

        (result,) = run_scans(settings(api, storage_settings, **how, **platform))

        assert result.error is None
        assert {request.status for request in api.requests} <= {200, 401}
        assert len([it for it in api.requests if it.status == 200]) >= 4
    assert len(identity.requests) >= 2


def test_the_error_of_an_identity_without_the_role_names_it(
    storage_settings: Environ, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 403 fails the run with the name of the application role; nothing advances."""
    with Simulator(tenant, switches=OPEN) as api, IdentityEndpoint(roles=()) as identity:
        environ = settings(api, storage_settings, **in_azure(identity, monkeypatch))

        result, report = failure(environ)

    assert isinstance(result.error, SourceRefused)
    assert "investigation.read" in report["message"]
    assert report["help"] == "docs/runbook.md#source-refused"
    assert stored(storage_settings) == []


def test_a_refused_sign_in_names_the_settings_to_check(
    storage_settings: Environ, tenant: Tenant, tls: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong client secret is permanent, so the run fails and says so."""
    with (
        Simulator(tenant, switches=OPEN) as api,
        TokenAuthority(tls, clients={CLIENT: "another"}) as authority,
    ):
        pointed_at(authority, monkeypatch)
        own = {"MDA_TENANT_ID": TENANT, "MDA_CLIENT_ID": CLIENT, "MDA_CLIENT_SECRET": "s3cret"}

        result, report = failure(settings(api, storage_settings, MDA_AUTH="client-secret", **own))

        assert api.requests == []
    assert isinstance(result.error, SourceRefused)
    assert "MDA_CLIENT_ID" in report["message"]
    assert "s3cret" not in report["message"]


def test_a_revoked_token_fails_the_run(storage_settings: Environ, tenant: Tenant) -> None:
    """A legacy token cannot be renewed: 401 is final, and the report says what to do."""
    with Simulator(tenant, switches=OPEN) as api:
        environ = settings(api, storage_settings, MDA_AUTH="api-token", MDA_API_TOKEN="0" * 32)

        _, report = failure(environ)

        assert [request.status for request in api.requests][:1] == [401]
    assert report["error"] == "TokenRefused"
    assert "MDA_API_TOKEN" in report["message"]


def test_storage_is_reached_with_the_identity(
    azurite_https: Azurite,
    container_name: str,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It uses account URL and OAuth; the containers exist, as the deployment creates them."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite_https.ca_file))
    names = [f"{container_name}-{kind}" for kind in ("data", "manifests", "state")]
    service = BlobServiceClient.from_connection_string(azurite_https.connection_string)
    for name in names:
        service.create_container(name)
    storage = {
        "STORAGE_ACCOUNT_URL": azurite_https.blob_url,
        "STORAGE_DATA_CONTAINER": names[0],
        "STORAGE_MANIFEST_CONTAINER": names[1],
        "STORAGE_STATE_CONTAINER": names[2],
    }
    with Simulator(tenant, switches=OPEN) as api, IdentityEndpoint() as identity:
        run_until_idle(settings(api, storage, **in_azure(identity, monkeypatch)))

    readable = {"STORAGE_CONNECTION_STRING": azurite_https.connection_string, **storage}
    assert sorted(stored(readable)) == tenant.truth()
    assert {"https://storage.azure.com"} <= {asked.resource for asked in identity.requests}
