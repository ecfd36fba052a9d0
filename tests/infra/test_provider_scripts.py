"""The scripts by which a provider may read its customers: one for each side."""

from pathlib import Path
from typing import Any

import pytest

from tests.infra.azure_cli import API, GRAPH, TENANT, Azure
from tests.infra.test_role_scripts import (
    ADMIT,
    CLIENT,
    CREDENTIAL,
    IDENTITY,
    PROVIDE,
    REGISTRATION_IDENTITY,
    ROLE_ID,
    api,
    azure,
    granted,
    registration,
    trusted,
    writes,
)

NEW = "cccccccc-0000-0000-0000-00000000000c"
OFFERED = ("--registration", "Contoso Watch", "--principal-id", IDENTITY)
SEVERAL = "AzureADMultipleOrgs"


def customer(folder: Path, **given: Any) -> Azure:
    """Return a customer's tenant, which knows the provider's application by its client id."""
    provider = {"appId": CLIENT, "id": REGISTRATION_IDENTITY, "displayName": "Contoso Watch"}
    return azure(folder, **({"servicePrincipals": [api()], "templates": [provider]} | given))


def test_a_provider_gets_a_registration_for_several_tenants(tmp_path: Path) -> None:
    """It asks for the one role, and trusts the identity of the app."""
    tenant = azure(tmp_path)

    ran = tenant.run(PROVIDE, *OFFERED)

    (made,) = tenant.state()["applications"]
    assert ran.returncode == 0, ran.stderr
    assert (made["displayName"], made["signInAudience"]) == ("Contoso Watch", SEVERAL)
    assert made["requiredResourceAccess"] == [
        {"resourceAppId": API, "resourceAccess": [{"id": ROLE_ID, "type": "Role"}]}
    ]
    assert trusted(tenant) == [CREDENTIAL]
    assert granted(tenant) == []


def test_the_provider_is_told_what_comes_next(tmp_path: Path) -> None:
    """What to deploy, and what each customer has to do."""
    ran = azure(tmp_path).run(PROVIDE, *OFFERED)

    assert f"authMode=federated mdaTenantId={TENANT} mdaClientId={NEW}" in ran.stdout
    assert f"admit-provider.sh --client-id {NEW}" in ran.stdout
    consent = "https://login.microsoftonline.com/CUSTOMER_TENANT/adminconsent"
    assert f"{consent}?client_id={NEW}" in ran.stdout


def test_a_second_run_of_the_provider_changes_nothing(tmp_path: Path) -> None:
    """The registration is found by its name or by its client id."""
    tenant = azure(tmp_path)
    tenant.run(PROVIDE, *OFFERED)
    before = writes(tenant)

    named = tenant.run(PROVIDE, *OFFERED)
    by_id = tenant.run(PROVIDE, "--client-id", NEW, "--principal-id", IDENTITY)

    assert [named.returncode, by_id.returncode] == [0, 0]
    assert writes(tenant) == before
    assert named.stdout.count("nothing was changed") == 2


def test_a_new_registration_is_waited_for(tmp_path: Path) -> None:
    """The directory does not show it at once."""
    tenant = azure(tmp_path, unknown_for={NEW: 2})

    ran = tenant.run(PROVIDE, *OFFERED, DIRECTORY_WAIT_SECONDS="0")

    assert (ran.returncode, trusted(tenant)) == (0, [CREDENTIAL])
    assert ran.stderr.count("does not know the registration yet") == 2


@pytest.mark.parametrize(
    ("authority", "audience"),
    [
        ("https://login.microsoftonline.com", "api://AzureADTokenExchange"),
        ("https://login.microsoftonline.us", "api://AzureADTokenExchangeUSGov"),
        ("https://login.chinacloudapi.cn", "api://AzureADTokenExchangeChina"),
    ],
)
def test_the_credential_fits_the_cloud(tmp_path: Path, authority: str, audience: str) -> None:
    """A provider has a registration in each cloud that it serves."""
    endpoints = {"microsoftGraphResourceId": f"{GRAPH}/", "activeDirectory": authority}
    tenant = azure(tmp_path, cloud={"endpoints": endpoints})

    ran = tenant.run(PROVIDE, *OFFERED)

    assert [it["audiences"] for it in trusted(tenant)] == [[audience]]
    assert f"{authority}/CUSTOMER_TENANT/adminconsent" in ran.stdout


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([{"signInAudience": "AzureADMyOrg"}], "is not for several tenants"),
        ([{"signInAudience": SEVERAL}] * 2, "has 2 app registrations named 'Contoso Watch'"),
    ],
    ids=["one tenant", "two of a name"],
)
def test_a_registration_that_is_not_meant_is_left_alone(
    tmp_path: Path, there: list[dict[str, str]], said: str
) -> None:
    """Other programs may use it."""
    found = [registration(displayName="Contoso Watch", **it) for it in there]
    tenant = azure(tmp_path, applications=found)

    ran = tenant.run(PROVIDE, *OFFERED)

    assert (ran.returncode, writes(tenant)) == (1, 0)
    assert said in ran.stderr


def test_a_registration_of_another_tenant_is_not_found(tmp_path: Path) -> None:
    """A client id is not enough to use it."""
    ran = azure(tmp_path).run(PROVIDE, "--client-id", CLIENT, "--principal-id", IDENTITY)

    assert ran.returncode == 1
    assert f"this tenant has no app registration with the client id {CLIENT}" in ran.stderr


def test_a_refused_registration_names_the_required_role(tmp_path: Path) -> None:
    """Whoever may not create one asks an administrator."""
    tenant = azure(tmp_path, denied=["post /applications"])

    ran = tenant.run(PROVIDE, *OFFERED)

    assert ran.returncode == 1
    assert "Cloud Application Administrator or Application Administrator" in ran.stderr


def test_a_customer_admits_the_provider_with_one_role(tmp_path: Path) -> None:
    """The provider needs the tenant's id and its API URL."""
    tenant = customer(tmp_path)

    ran = tenant.run(ADMIT, "--client-id", CLIENT)

    assert ran.returncode == 0, ran.stderr
    assert [it["appRoleId"] for it in granted(tenant, REGISTRATION_IDENTITY)] == [ROLE_ID]
    assert f"tenant id: {TENANT}" in ran.stdout
    assert "API URL:" in ran.stdout


def test_a_second_admission_changes_nothing(tmp_path: Path) -> None:
    """It may be repeated to be sure."""
    tenant = customer(tmp_path)
    tenant.run(ADMIT, "--client-id", CLIENT)
    before = writes(tenant)

    ran = tenant.run(ADMIT, "--client-id", CLIENT)

    assert (ran.returncode, writes(tenant)) == (0, before)
    assert "nothing was changed" in ran.stdout


def test_a_customer_ends_the_provider_s_access(tmp_path: Path) -> None:
    """With the service principal goes its role; the API's own stays."""
    tenant = customer(tmp_path)
    tenant.run(ADMIT, "--client-id", CLIENT)

    ended = tenant.run(ADMIT, "--client-id", CLIENT, "--remove")
    again = tenant.run(ADMIT, "--client-id", CLIENT, "--remove")

    assert [ended.returncode, again.returncode] == [0, 0]
    assert [it["appId"] for it in tenant.state()["servicePrincipals"]] == [API]
    assert f"Removed the provider's service principal {REGISTRATION_IDENTITY}" in ended.stdout
    assert "nothing was changed" in again.stdout


def test_a_refused_removal_names_the_required_role(tmp_path: Path) -> None:
    """Nothing is half removed."""
    tenant = customer(tmp_path, denied=["delete /servicePrincipals/.*"])
    tenant.run(ADMIT, "--client-id", CLIENT)

    ran = tenant.run(ADMIT, "--client-id", CLIENT, "--remove")

    assert ran.returncode == 1
    assert "let you delete the provider's service principal" in ran.stderr
    assert len(granted(tenant, REGISTRATION_IDENTITY)) == 1
