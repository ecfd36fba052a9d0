"""`--from-app` with the real azure-identity, against Resource Manager and a vault on loopback."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from azure.storage.blob import ContainerClient
from typer.testing import CliRunner, Result

from shared.adapters.app_settings import AppSettings, Cloud, cli_account, secret_address
from shared.core.errors import AppUnreadable
from shared.operate import building
from shared.operate.command_line import app
from simulator import Simulator, Tenant
from tests.deployed_azure import (
    CLI_TOKEN,
    SITE,
    SUBSCRIPTION,
    Azure,
    resource_manager,
    signed_in_cli,
)
from tests.integration.test_scan_over_http import OPEN, settings


class Signed:
    """A credential that has a token."""

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """Return one that names its scope."""
        return AccessToken(f"for {scopes[0]}", 4_070_908_800)


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Azure, Cloud]]:
    """Provide the stand-in as the public cloud, trusted by this process."""
    with resource_manager(tmp_path) as (stand_in, cloud, authority):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", authority)
        monkeypatch.setattr(building, "CLOUDS", (cloud,))
        yield stand_in, cloud


@pytest.fixture
def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sign somebody in to the Azure CLI, and in no other way."""
    place = signed_in_cli(tmp_path)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    for name in ("AZURE_SUBSCRIPTION_ID", "AZURE_AUTHORITY_HOST", "IDENTITY_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def invoke(*arguments: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, arguments)


def deployed(api: Simulator, storage: dict[str, str], **more: str) -> dict[str, str]:
    """Return the settings of an app that is deployed with these."""
    return {
        **settings(api, storage, SCAN_LOOKBACK="1h"),
        "IDENTITY_CLIENT_ID": "99999999-0000-0000-0000-000000000009",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "x",
        **more,
    }


@pytest.mark.usefixtures("caller")
def test_a_command_reads_the_settings_of_an_app(
    azure: tuple[Azure, Cloud], storage_settings: dict[str, str]
) -> None:
    """With the Azure CLI's sign-in and subscription; no settings file is needed."""
    stand_in, _ = azure
    with Simulator(Tenant(), switches=OPEN) as api:
        stand_in.settings = deployed(api, storage_settings, SCAN_NAME="prod")
        ran = invoke("run", "--from-app", "rg-scan/func")
        shown = invoke("status", "--json", "--from-app", f"{SUBSCRIPTION}/rg-scan/func")

    assert ran.exit_code == 0, ran.stderr
    assert json.loads(ran.stdout)["scan"] == "prod"
    assert json.loads(shown.stdout)["head"]["number"] > 0
    listing = ("POST", f"{SITE}/config/appsettings/list", f"Bearer {CLI_TOKEN}")
    assert stand_in.asked == [listing, listing]


@pytest.mark.usefixtures("caller")
def test_a_reference_is_resolved_with_the_caller_s_rights(
    azure: tuple[Azure, Cloud], storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The legacy token comes from the vault; nothing shows it."""
    stand_in, cloud = azure
    port = cloud.management.rpartition(":")[2]
    reference = (
        f"@Microsoft.KeyVault(SecretUri=https://vault.localhost:{port}/secrets/mda-api-token)"
    )
    with Simulator(Tenant(), switches=OPEN) as api:
        own = deployed(api, storage_settings)
        stand_in.secrets = {"/secrets/mda-api-token": own["MDA_API_TOKEN"]}
        stand_in.settings = {**own, "MDA_API_TOKEN": reference}
        monkeypatch.setattr("socket.getaddrinfo", _only_loopback)

        ran = invoke("query", "--from-app", "rg-scan/func")

    assert ran.exit_code == 0, ran.stderr
    assert [path for _, path, _ in stand_in.asked][1:] == ["/secrets/mda-api-token"]
    assert own["MDA_API_TOKEN"] not in ran.output


def _only_loopback(_host: str, port: int, *_: object, **__: object) -> list[object]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(port)))]


@pytest.mark.usefixtures("caller")
def test_a_list_of_an_app_is_read_as_its_caller_can_use_it(
    azure: tuple[Azure, Cloud], storage_settings: dict[str, str], tmp_path: Path
) -> None:
    """Only the app can vouch for a registration, and its secrets need not be the caller's to read.

    A list is judged as the app will read it, and nothing is asked of a vault.
    """
    stand_in, _ = azure
    stand_in.settings = deployed_by_provider(storage_settings)
    elements = [
        {"name": "a", "auth": "federated", "tenant_id": "a.example", "client_id": "c"},
        {"name": "b", "auth": "api-token", "api_token_setting": "MDA_API_TOKEN_B"},
    ]
    state = ContainerClient.from_connection_string(
        storage_settings["STORAGE_CONNECTION_STRING"], storage_settings["STORAGE_STATE_CONTAINER"]
    )
    state.create_container()
    state.upload_blob("scans.json", json.dumps(elements))
    (tmp_path / "new.json").write_text(json.dumps([*elements, {**elements[1], "name": "c"}]))

    shown = invoke("status", "--json", "--from-app", "rg-scan/func")
    checked = invoke("scans", "check", str(tmp_path / "new.json"), "--from-app", "rg-scan/func")
    (tmp_path / "own.env").write_text("MDA_API_TOKEN_B=mine\n")
    own = ("--from-app", "rg-scan/func", "--env-file", str(tmp_path / "own.env"))
    refused = invoke("query", "--scan", "a", *own)

    assert [json.loads(it)["scan"] for it in shown.stdout.splitlines()] == ["a", "b"]
    assert (checked.exit_code, checked.stderr.splitlines()[0]) == (0, "+ c: new"), checked.stderr
    assert refused.exit_code == 2
    assert "auth of the scan 'a' is federated" in refused.stderr
    assert {path for _, path, _ in stand_in.asked} == {f"{SITE}/config/appsettings/list"}


def deployed_by_provider(storage: dict[str, str]) -> dict[str, str]:
    """Return the settings of an app whose scans are in a file, one of them with a secret."""
    return {
        **storage,
        "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
        "MDA_API_TOKEN_B": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/b)",
    }


@pytest.mark.usefixtures("caller")
def test_a_secret_that_is_not_there_is_named(
    azure: tuple[Azure, Cloud], storage_settings: dict[str, str]
) -> None:
    """It is a wrong setting: exit code 2, and no request to the API."""
    stand_in, _ = azure
    with Simulator(Tenant(), switches=OPEN) as api:
        reference = "@Microsoft.KeyVault(SecretUri=https://evil.example/secrets/mda-api-token)"
        stand_in.settings = {**deployed(api, storage_settings), "MDA_API_TOKEN": reference}

        ran = invoke("query", "--from-app", "rg-scan/func")

        assert api.requests == []
    assert ran.exit_code == 2
    assert "MDA_API_TOKEN is a Key Vault reference that you cannot resolve" in ran.stderr
    assert "evil.example is not a vault" in ran.stderr
    assert len(stand_in.asked) == 1


@pytest.mark.usefixtures("caller")
def test_the_cloud_in_which_the_app_signs_in_is_the_caller_s_too(
    azure: tuple[Azure, Cloud], storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library that signs an app registration in reads it from the environment only."""
    stand_in, _ = azure
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "")
    monkeypatch.delenv("AZURE_AUTHORITY_HOST")
    with Simulator(Tenant(), switches=OPEN) as api:
        cloud = "https://login.microsoftonline.us/"
        stand_in.settings = deployed(api, storage_settings, AZURE_AUTHORITY_HOST=cloud)

        ran = invoke("query", "--from-app", "rg-scan/func")

    assert ran.exit_code == 0, ran.stderr
    assert os.environ["AZURE_AUTHORITY_HOST"] == cloud


@pytest.mark.usefixtures("caller")
@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (401, "InvalidAuthenticationTokenTenant", "az login --tenant"),
        (403, "AuthorizationFailed", "Website Contributor"),
        (404, "ResourceNotFound", "check the names"),
        (500, "InternalServerError", "try again later"),
    ],
)
def test_a_refusal_says_what_to_do(
    azure: tuple[Azure, Cloud], status: int, code: str, hint: str
) -> None:
    """It names the app, the service's own code, and the page."""
    stand_in, _ = azure
    stand_in.refused = (status, code)

    ran = invoke("status", "--from-app", "rg-scan/func")

    assert ran.exit_code == 1
    for text in ("app func in resource group rg-scan", code, hint, "command-line.md#from-app"):
        assert text in ran.stderr
    assert CLI_TOKEN not in ran.output


def test_without_a_sign_in_the_command_says_what_to_do(
    azure: tuple[Azure, Cloud], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First for the subscription, and if that is named, for the token."""
    del azure
    place = signed_in_cli(tmp_path, signed_in=False)
    monkeypatch.setenv("PATH", str(place))
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)

    unnamed = invoke("status", "--from-app", "rg-scan/func")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    named = invoke("status", "--from-app", "rg-scan/func")

    assert (unnamed.exit_code, named.exit_code) == (1, 1)
    assert "no subscription is named" in unnamed.stderr
    assert "nobody is signed in" in named.stderr
    assert "az login" in named.stderr


def test_the_cli_says_in_which_cloud_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-in for the government's cloud asks the government's endpoints."""
    place = signed_in_cli(tmp_path, cloud="AzureUSGovernment")
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    asked: list[Cloud] = []

    class Asked(AppSettings):
        def read(self, subscription: str, group: str, app: str) -> dict[str, str]:
            del group, app
            asked.append(self._cloud)
            return {"subscription": subscription}

    monkeypatch.setattr(building, "AppSettings", Asked)
    by_cli = building.app_settings(None, "rg", "func", {})[1]
    authority = {"AZURE_AUTHORITY_HOST": "https://login.chinacloudapi.cn/"}
    building.app_settings(SUBSCRIPTION, "rg", "func", authority)

    assert by_cli == {"subscription": SUBSCRIPTION}
    assert [it.vaults for it in asked] == ["vault.usgovcloudapi.net", "vault.azure.cn"]


def test_without_the_cli_there_is_no_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of programs is empty."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert cli_account() is None


def test_an_unreachable_service_is_named() -> None:
    """Such as behind a proxy that the program does not know."""
    nowhere = Cloud(name="x", authority="", management="https://127.0.0.1:1", vaults="v")

    with pytest.raises(AppUnreadable, match=r"127\.0\.0\.1 cannot be reached"):
        AppSettings(nowhere, Signed()).read(SUBSCRIPTION, "rg", "func")


@pytest.mark.parametrize(
    ("reference", "address"),
    [
        (
            "SecretUri=https://kv.vault.azure.net/secrets/mda-api-token/",
            "https://kv.vault.azure.net/secrets/mda-api-token",
        ),
        (
            "SecretUri=https://kv.vault.azure.net/secrets/mda-api-token/0123abc",
            "https://kv.vault.azure.net/secrets/mda-api-token/0123abc",
        ),
        (
            "VaultName=kv;SecretName=mda-api-token",
            "https://kv.vault.azure.net/secrets/mda-api-token",
        ),
        (
            "VaultName=kv; SecretName=mda-api-token; SecretVersion=0123abc",
            "https://kv.vault.azure.net/secrets/mda-api-token/0123abc",
        ),
    ],
)
def test_a_reference_has_two_forms(reference: str, address: str) -> None:
    """With and without a version."""
    assert secret_address(f"@Microsoft.KeyVault({reference})", "vault.azure.net") == address


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "SecretUri=http://kv.vault.azure.net/secrets/x",
        "SecretUri=https://kv.vault.azure.net@evil.example/secrets/x",
        "SecretUri=https://kv.vault.azure.net/keys/x",
        "SecretUri=https://kv.vault.azure.net/secrets/x?y=1",
        "VaultName=evil.example/;SecretName=x",
        "VaultName=kv",
    ],
)
def test_another_text_is_no_reference(reference: str) -> None:
    """Nothing is asked then."""
    with pytest.raises(AppUnreadable, match="not a Key Vault reference"):
        secret_address(f"@Microsoft.KeyVault({reference})", "vault.azure.net")
