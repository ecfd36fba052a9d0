"""Nothing that a failing run emits contains a secret (P8)."""

import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from azure.storage.blob import BlobServiceClient

from shared.bootstrap import run_scans
from shared.settings import read_settings
from simulator import FOREVER, Fault, IdentityEndpoint, Simulator, TlsFiles, TokenAuthority
from tests.integration.test_authentication import CLIENT, TENANT, pointed_at
from tests.integration.test_scan_over_http import OPEN, history, settings

SECRET = "s3cret-marker-that-is-nowhere-else"
KEY = "c2VjcmV0LW1hcmtlci1rZXk="


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Collect every logger's output, the SDKs' included, at the most verbose level."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "azure"):
        yield


def emitted(environ: dict[str, str], caplog: pytest.LogCaptureFixture) -> str:
    """Run once, and return everything that anybody could read of it."""
    (result,) = run_scans(environ)
    assert result.error is not None
    texts = [result.line, "".join(traceback.format_exception(result.error))]
    texts += [repr(result), repr(result.error.__dict__)]
    for record in caplog.records:
        texts += [record.getMessage(), repr(record.__dict__), record.exc_text or ""]
    return "\n".join(texts)


def blobs(storage: dict[str, str]) -> str:
    """Return the content of every blob that the run wrote."""
    service = BlobServiceClient.from_connection_string(storage["STORAGE_CONNECTION_STRING"])
    found = []
    for kind in ("DATA", "MANIFEST", "STATE"):
        container = service.get_container_client(storage[f"STORAGE_{kind}_CONTAINER"])
        if container.exists():
            found += [
                container.download_blob(name).readall() for name in container.list_blob_names()
            ]
    return "\n".join(content.decode("utf-8", "replace") for content in found)


FAULTS = {
    "unauthorized": Fault("status", 1, FOREVER, 401),
    "forbidden": Fault("status", 1, FOREVER, 403),
    "redirect": Fault("status", 1, FOREVER, 301),
    "not found": Fault("status", 1, FOREVER, 404),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_legacy_token_leaks_nowhere(
    fault: str, storage_settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the API refuses, neither log nor blob nor exception holds the token."""
    with Simulator(history(10), switches=OPEN, faults=[FAULTS[fault]]) as api:
        said = emitted(settings(api, storage_settings, MDA_API_TOKEN=SECRET), caplog)

    assert "SourceRefused" in said or "TokenRefused" in said
    assert SECRET not in said
    assert SECRET not in blobs(storage_settings)


def test_the_client_secret_leaks_nowhere(
    storage_settings: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A refused sign-in names the settings, not the secret."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued = authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
    issued.write_to_path(str(tmp_path / "server.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    tls = TlsFiles(str(tmp_path / "server.pem"), str(tmp_path / "server.pem"))
    with (
        Simulator(history(10), switches=OPEN) as api,
        TokenAuthority(tls, clients={CLIENT: "another"}) as entra,
    ):
        pointed_at(entra, monkeypatch)
        own = {"MDA_TENANT_ID": TENANT, "MDA_CLIENT_ID": CLIENT, "MDA_CLIENT_SECRET": SECRET}
        environ = settings(api, storage_settings, **{**own, "MDA_AUTH": "client-secret"})

        said = emitted(environ, caplog)

    assert "AADSTS7000215" in said
    assert SECRET not in said
    assert SECRET not in blobs(storage_settings)


def test_bearer_tokens_leak_nowhere(
    storage_settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """This covers the token and the secret of the platform's own header."""
    with Simulator(history(10), switches=OPEN) as api, IdentityEndpoint(roles=()) as identity:
        for name, value in identity.environment.items():
            monkeypatch.setenv(name, value)
        environ = settings(api, storage_settings, MDA_AUTH="", **identity.environment)

        said = emitted(environ, caplog)

        tokens = [asked.token for asked in identity.requests if asked.token]
    assert tokens
    assert not [token for token in [*tokens, identity.header] if token in said]
    assert not [token for token in tokens if token in blobs(storage_settings)]


def test_the_storage_key_leaks_nowhere(
    storage_settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Storage refuses a connection string with a wrong key, and the error omits it."""
    parts = dict(
        it.split("=", 1) for it in storage_settings["STORAGE_CONNECTION_STRING"].split(";") if it
    )
    wrong = ";".join(f"{name}={value}" for name, value in {**parts, "AccountKey": KEY}.items())
    with Simulator(history(10), switches=OPEN) as api:
        environ = settings(api, {**storage_settings, "STORAGE_CONNECTION_STRING": wrong})

        said = emitted(environ, caplog)

    assert "StoreUnavailable" in said
    assert KEY not in said


@pytest.mark.parametrize(
    "name", ["MDA_API_TOKEN", "MDA_CLIENT_SECRET", "STORAGE_CONNECTION_STRING"]
)
def test_settings_do_not_show_secrets(name: str, storage_settings: dict[str, str]) -> None:
    """They may be printed, formatted or compared in a failing assertion."""
    environ = {
        "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
        "MDA_AUTH": "client-secret",
        "MDA_TENANT_ID": TENANT,
        "MDA_CLIENT_ID": CLIENT,
        "MDA_CLIENT_SECRET": "other",
        **storage_settings,
        name: SECRET,
    }

    read = read_settings(environ)

    assert SECRET not in repr(read)
    (scan,) = read.scans
    assert SECRET not in f"{read} {scan.api} {read.storage} {scan.api.client_secret}"


def test_invalid_settings_do_not_show_the_secrets_beside_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The error quotes what is invalid, and no secret."""
    environ = {"MDA_AUTH": "api-token", "MDA_API_TOKEN": SECRET + "é", "SCAN_LIMIT": "x"}

    said = emitted(environ, caplog)

    assert "MDA_API_TOKEN" in said
    assert SECRET not in said
    assert json.loads(caplog.records[-1].getMessage())["error"] == "SettingsError"
