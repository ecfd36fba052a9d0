"""The settings of a deployed app become settings for whoever runs a command."""

import json

import pytest

from shared.core.errors import AppUnreadable, SettingsError
from shared.operate.deployed_app import (
    AppName,
    beside_an_app,
    for_the_caller,
    read_app_name,
)
from shared.settings import read_settings

SUBSCRIPTION = "22222222-3333-4444-5555-666666666666"
REFERENCE = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/mda-api-token)"

APP = {
    "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
    "MDA_AUTH": "managed-identity",
    "STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net",
    "IDENTITY_CLIENT_ID": "the-app's",
    "SCAN_NAME": "all",
    "AzureWebJobsStorage__accountName": "host",
}


class NoVault:
    """No vault may be asked."""

    def secret(self, reference: str) -> str:
        """Fail."""
        raise AssertionError(f"asked for {reference}")


class Vault:
    """A vault with one secret, or one that refuses."""

    def __init__(self, value: str | None) -> None:
        self.value = value

    def secret(self, reference: str) -> str:
        """Return the secret."""
        if self.value is None:
            raise AppUnreadable(f"{reference[30:40]} is refused")
        return self.value


@pytest.mark.parametrize(
    ("given", "subscription"),
    [
        ("rg-scan/func", None),
        (f"{SUBSCRIPTION}/rg-scan/func", SUBSCRIPTION),
        (
            f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-scan/providers/Microsoft.Web/sites/func",
            SUBSCRIPTION,
        ),
    ],
)
def test_an_app_is_named_in_three_ways(given: str, subscription: str | None) -> None:
    """The last is the resource id that the portal shows."""
    assert read_app_name(given) == AppName(subscription=subscription, group="rg-scan", app="func")


@pytest.mark.parametrize("given", ["func", "", "a/b/c", "rg/func/../x", "rg/fu nc", "rg/func?x=1"])
def test_anything_else_is_refused(given: str) -> None:
    """The name becomes part of an address."""
    with pytest.raises(SettingsError, match="RESOURCE_GROUP/APP"):
        read_app_name(given)


def test_the_identity_of_the_app_is_the_app_s_alone() -> None:
    """The caller signs in instead, to storage and to the API."""
    used = for_the_caller(APP, {}, NoVault(), asks_api=True)

    assert used["MDA_AUTH"] == "default"
    assert set(used) == {"MDA_API_URL", "MDA_AUTH", "STORAGE_ACCOUNT_URL", "SCAN_NAME"}


def test_a_secret_is_resolved_for_a_command_that_asks_the_api() -> None:
    """It signs in as the app does."""
    app = {**APP, "MDA_AUTH": "api-token", "MDA_API_TOKEN": REFERENCE}

    used = for_the_caller(app, {}, Vault("s3cret"), asks_api=True)

    assert (used["MDA_AUTH"], used["MDA_API_TOKEN"]) == ("api-token", "s3cret")


def test_a_command_that_only_reads_storage_needs_no_secret() -> None:
    """No vault is asked, and nothing is missing."""
    app = {**APP, "MDA_AUTH": "api-token", "MDA_API_TOKEN": REFERENCE}

    used = for_the_caller(app, {}, NoVault(), asks_api=False)

    assert used["MDA_AUTH"] == "default"
    assert "MDA_API_TOKEN" not in used


def test_a_secret_that_cannot_be_resolved_is_named() -> None:
    """The message also says what else would help."""
    app = {**APP, "MDA_AUTH": "api-token", "MDA_API_TOKEN": REFERENCE}

    with pytest.raises(SettingsError, match=r"MDA_API_TOKEN .* refused.* --env-file"):
        for_the_caller(app, {}, Vault(None), asks_api=True)


def test_a_file_overrides_the_app() -> None:
    """What it sets is not resolved."""
    app = {**APP, "MDA_AUTH": "federated", "MDA_API_TOKEN": REFERENCE}
    file = {"MDA_AUTH": "api-token", "MDA_API_TOKEN": "mine"}

    used = for_the_caller(app, file, NoVault(), asks_api=True)

    assert (used["MDA_AUTH"], used["MDA_API_TOKEN"]) == ("api-token", "mine")


def test_nobody_else_can_vouch_for_the_registration_of_an_app() -> None:
    """A federated app signs in with its identity only."""
    with pytest.raises(SettingsError, match="federated"):
        for_the_caller({**APP, "MDA_AUTH": "federated"}, {}, NoVault(), asks_api=True)


def test_an_unknown_setting_of_the_app_is_kept_and_so_refused_later() -> None:
    """A typing error in the app is worth the same message here as there."""
    assert for_the_caller({**APP, "SCAN_LIMITS": "1"}, {}, NoVault(), asks_api=False)["SCAN_LIMITS"]


def test_settings_of_the_environment_give_way_to_the_app_s() -> None:
    """The environment's identity, too; what the Azure SDK reads stays."""
    environ = {
        "SCAN_LIMIT": "500",
        "MDA_API_TOKEN": "x",
        "IDENTITY_ENDPOINT": "http://x",
        "AZURE_AUTHORITY_HOST": "login.microsoftonline.us",
        "PATH": "/bin",
    }

    assert beside_an_app(environ) == {
        "AZURE_AUTHORITY_HOST": "login.microsoftonline.us",
        "PATH": "/bin",
    }


def scans_for_the_caller(
    *scans: dict[str, str], file: dict[str, str] | None = None, asks_api: bool = True
) -> list[dict[str, str]]:
    """Return the elements of SCANS as the caller of an app with these can use them."""
    app = {**APP, "SCANS": json.dumps(scans)}
    used = for_the_caller(app, file or {}, NoVault(), asks_api=asks_api)
    found: list[dict[str, str]] = json.loads(used["SCANS"])
    return found


def test_the_caller_signs_in_where_a_scan_has_the_identity_of_the_app() -> None:
    """Other ways of its own stay, and so does the rest."""
    scans = [{"name": "a", "auth": "managed-identity"}, {"name": "b", "auth": "api-token"}]

    assert scans_for_the_caller(*scans, {"name": "c"}) == [
        {"name": "a", "auth": "default"},
        {"name": "b", "auth": "api-token"},
        {"name": "c"},
    ]


def test_nobody_else_can_vouch_for_the_registration_of_one_scan() -> None:
    """The error names the scan, and what helps."""
    with pytest.raises(SettingsError, match=r"auth of the scan 'a' is federated.*--env-file"):
        scans_for_the_caller({"name": "a", "auth": "federated"})


def test_a_file_says_how_to_sign_in_for_every_scan() -> None:
    """Their own ways give way to it."""
    file = {"MDA_AUTH": "default"}

    assert scans_for_the_caller({"name": "a", "auth": "federated"}, file=file) == [{"name": "a"}]


def test_a_file_s_scans_stay_as_they_are() -> None:
    """Whoever wrote them knows how to sign in."""
    own = [{"name": "a", "auth": "client-secret"}]

    assert scans_for_the_caller(file={"SCANS": json.dumps(own)}) == own


def test_a_command_that_only_reads_storage_needs_no_secret_of_any_scan() -> None:
    """No vault is asked."""
    scans = [{"name": "a", "auth": "api-token", "api_token_setting": "MDA_API_TOKEN_A"}]
    app = {**APP, "SCANS": json.dumps(scans), "MDA_API_TOKEN_A": REFERENCE}

    used = for_the_caller(app, {}, NoVault(), asks_api=False)

    assert read_settings(used).scans[0].api.auth == "default"
    assert "MDA_API_TOKEN_A" not in used


def test_scans_that_are_not_json_are_refused_later() -> None:
    """Reading the settings says what is wrong with them."""
    app = {**APP, "SCANS": "["}

    assert for_the_caller(app, {}, NoVault(), asks_api=True)["SCANS"] == "["
