"""The deployed settings are those that the program reads, with values that it accepts."""

import re
from dataclasses import fields
from datetime import UTC, datetime

import pytest

from infra.scripts import check_schedule, ncrontab
from shared.settings import Settings, read_settings
from shared.settings.table import NAMES, is_secret_of_a_scan
from tests.infra.deployed import COMBINATIONS, app_settings, every_combination, predicted, the

pytestmark = pytest.mark.compiler

HOST = {
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AZURE_AUTHORITY_HOST",
    "AzureWebJobsDisableHomepage",
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
    "MALLOC_ARENA_MAX",
}
"""Settings that the platform and the Azure SDK read."""

IGNORED = {
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "TZ",
    "WEBSITE_RUN_FROM_PACKAGE",
    "WEBSITE_TIME_ZONE",
}
"""Settings that Flex Consumption refuses or ignores."""

REFERENCE = re.compile(
    r"@Microsoft\.KeyVault\(SecretUri=https://([\w-]+)(\.vault\.[\w.]+)/secrets/([\w-]+)\)"
)


def resolved(name: str) -> dict[str, str]:
    """Return settings as the program finds them: with the secret, and as in Azure."""
    settings = {
        key: "s3cret" if REFERENCE.fullmatch(value) else value
        for key, value in app_settings(name).items()
    }
    return {**settings, "IDENTITY_ENDPOINT": "http://localhost/msi"}


def read(name: str) -> Settings:
    """Return the settings of a combination, read by the program's own parser."""
    return read_settings(resolved(name))


@every_combination
def test_every_deployed_setting_is_read_by_program_or_platform(name: str) -> None:
    """A name that nothing reads would be a typing error."""
    by_address = {f"AzureWebJobsStorage__{it}ServiceUri" for it in ("blob", "queue", "table")}

    others = set(app_settings(name)) - {*NAMES, *HOST, *by_address}
    assert all(map(is_secret_of_a_scan, others))
    assert not set(app_settings(name)) & IGNORED


def test_every_setting_of_the_program_can_be_deployed() -> None:
    """Some combination sets each, except the connection string, which Azure does not use."""
    settable = {key for name in COMBINATIONS for key in app_settings(name)}

    assert set(NAMES) - settable == {"STORAGE_CONNECTION_STRING"}


@every_combination
def test_the_program_accepts_the_settings(name: str) -> None:
    """The parser that the program starts with accepts all of them."""
    assert read(name).scans


def test_defaults_are_those_of_the_program() -> None:
    """A deployment has the defaults that docs/settings.md states."""
    settings = app_settings("default")
    required = ("MDA_API_URL", "STORAGE_ACCOUNT_URL", "IDENTITY_CLIENT_ID", "SCAN_SCHEDULE")
    least = {name: settings[name] for name in required}

    expected = read_settings({**least, "IDENTITY_ENDPOINT": "http://localhost/msi"})

    assert read("default") == expected


def test_every_setting_reaches_the_program() -> None:
    """One combination changes every default; one field follows from others."""
    given, default = read("settings"), read("default")
    policy, usual = given.scans[0].policy, default.scans[0].policy

    same = {it.name for it in fields(policy) if getattr(policy, it.name) == getattr(usual, it.name)}

    assert same == {"api"}
    assert given.schedule == "30 */10 * * * *"
    assert (policy.scan, policy.filters) == ("exchange", {"service": {"eq": [20893]}})
    assert (policy.axis, policy.direction, policy.limit) == ("created", "desc", 500)
    assert (policy.concurrency, policy.requests_per_minute) == (5, 20)
    assert [name for name, _ in policy.sweeps] == ["sweep-6h", "sweep-3d"]
    assert (given.storage.data, given.storage.manifests, given.storage.state) == (
        "parts",
        "chain",
        "ledgers",
    )


def test_several_scans_reach_the_program() -> None:
    """Each has its own filters, and its folders expire under its own name."""
    scans = [it.policy for it in read("several-scans").scans]

    assert [scan.scan for scan in scans] == ["sign-ins", "exchange"]
    assert scans[1].filters == {"service": {"eq": [20893]}}


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("default", "managed-identity"),
        ("client-secret", "client-secret"),
        ("legacy-token", "api-token"),
        ("federated", "federated"),
    ],
)
def test_the_program_signs_in_as_the_parameters_say(name: str, mode: str) -> None:
    """It has what the mode needs; the platform resolves the secret."""
    assert read(name).scans[0].api.auth == mode


@pytest.mark.parametrize(
    ("name", "setting"),
    [("client-secret", "MDA_CLIENT_SECRET"), ("legacy-token", "MDA_API_TOKEN")],
)
def test_a_secret_is_a_reference_to_the_deployed_vault(name: str, setting: str) -> None:
    """The app reads it with the identity that is allowed to."""
    found = REFERENCE.fullmatch(app_settings(name)[setting])
    site = the(name, "Web/sites")
    outputs = predicted(name)["outputs"]

    assert found
    assert found[1] == the(name, "KeyVault/vaults")["name"] == outputs["KEY_VAULT_NAME"]
    assert found[2] == ".vault.azure.net"
    assert found[3] == outputs["KEY_VAULT_SECRET_NAME"]
    assert (
        site["properties"]["keyVaultReferenceIdentity"]
        in site["identity"]["userAssignedIdentities"]
    )


@pytest.mark.parametrize(
    ("setting", "secret"),
    [
        ("MDA_CLIENT_SECRET_FABRIKAM", "mda-client-secret-fabrikam"),
        ("MDA_API_TOKEN_TAILSPIN", "mda-api-token-tailspin"),
    ],
)
def test_the_secret_of_a_scan_is_a_reference_to_the_deployed_vault(
    setting: str, secret: str
) -> None:
    """Its name has hyphens, because a vault allows no underscores."""
    found = REFERENCE.fullmatch(app_settings("many-tenants")[setting])
    outputs = predicted("many-tenants")["outputs"]

    assert found
    assert (found[1], found[3]) == (outputs["KEY_VAULT_NAME"], secret)
    assert secret in outputs["KEY_VAULT_SCAN_SECRETS"].split(",")


@every_combination
def test_host_and_program_act_as_the_same_identity(name: str) -> None:
    """It is the deployed one; the variable of the Azure SDK is left alone."""
    settings = app_settings(name)
    identity = the(name, "ManagedIdentity/userAssignedIdentities")["id"]

    client = f"[reference('{identity}', '2024-11-30').clientId]"
    assert settings["IDENTITY_CLIENT_ID"] == client
    assert settings["AzureWebJobsStorage__clientId"] == client
    assert identity in settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]
    assert "AZURE_CLIENT_ID" not in settings


def test_the_host_finds_its_storage_by_name() -> None:
    """The host cannot always open it from addresses alone."""
    settings = app_settings("default")

    assert settings["AzureWebJobsStorage__accountName"].startswith("sthost")
    assert "AzureWebJobsStorage__blobServiceUri" not in settings


def test_outside_the_public_cloud_the_host_finds_its_storage_by_address() -> None:
    """The name alone resolves to nothing in those clouds."""
    settings = app_settings("government")

    assert "AzureWebJobsStorage__accountName" not in settings
    assert settings["AzureWebJobsStorage__blobServiceUri"].endswith(".blob.core.usgovcloudapi.net")


def test_outside_the_public_cloud_a_secret_is_read_in_that_cloud() -> None:
    """A vault's name alone would be looked up in the public cloud."""
    found = REFERENCE.fullmatch(app_settings("government")["MDA_CLIENT_SECRET"])

    assert found
    assert found[2] == ".vault.usgovcloudapi.net"


def test_outside_the_public_cloud_a_registration_signs_in_to_that_cloud() -> None:
    """The Azure SDK defaults to the public cloud, so nothing needs to be set there."""
    assert app_settings("government")["AZURE_AUTHORITY_HOST"] == "https://login.microsoftonline.us/"
    assert "AZURE_AUTHORITY_HOST" not in app_settings("client-secret")


@every_combination
def test_the_default_schedule_causes_no_warning(name: str) -> None:
    """A refused schedule would leave a function that silently never runs."""
    settings = app_settings(name)
    schedule = ncrontab.parse(settings["SCAN_SCHEDULE"])
    budget = check_schedule.duration(settings["SCAN_TIME_BUDGET"])

    warned = check_schedule.warnings(schedule, datetime(2026, 1, 1, tzinfo=UTC), budget)

    assert warned == []
