"""The scripts that an administrator runs once, against a directory kept in a file."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.credentials import exchange_audience
from tests.infra.azure_cli import API, GRAPH, SCRIPTS, TENANT, Azure, State

ROLE = "investigation.read"
ROLE_ID = "83c3ae5f-0000-4000-8000-00000000c0de"
ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
NO_ROLE = "29a9690d-0000-4000-8000-00000000c0de"

API_OBJECT = "aaaaaaaa-0000-0000-0000-000000000001"
IDENTITY = "bbbbbbbb-0000-0000-0000-000000000002"
CLIENT = "cccccccc-0000-0000-0000-000000000003"
REGISTRATION = "dddddddd-0000-0000-0000-000000000004"
REGISTRATION_IDENTITY = "eeeeeeee-0000-0000-0000-000000000005"

GRANTED = {"principalId": IDENTITY, "resourceId": API_OBJECT, "appRoleId": ROLE_ID}


def api(**given: Any) -> dict[str, Any]:
    """Return the service principal of the API, with roles for users and applications."""
    roles = [
        {"id": NO_ROLE, "value": ROLE, "allowedMemberTypes": ["User"]},
        {"id": ROLE_ID, "value": ROLE, "allowedMemberTypes": ["Application"]},
        {"id": NO_ROLE, "value": "discovery.read", "allowedMemberTypes": ["Application"]},
    ]
    return {"appId": API, "id": API_OBJECT, "displayName": "MCAS", "appRoles": roles} | given


def identity(*granted: dict[str, str]) -> dict[str, Any]:
    """Return a managed identity with what it was granted."""
    return {
        "appId": "ffffffff-0000-0000-0000-000000000006",
        "id": IDENTITY,
        "displayName": "id-scan",
        "appRoleAssignments": list(granted),
    }


def registration(**given: Any) -> dict[str, Any]:
    """Return an app registration."""
    return {"appId": CLIENT, "id": REGISTRATION, "federatedIdentityCredentials": []} | given


def azure(folder: Path, **given: Any) -> Azure:
    """Return a tenant with the API and one identity, an administrator signed in."""
    return Azure(folder, **({"servicePrincipals": [api(), identity()]} | given))


def granted(tenant: Azure, principal: str = IDENTITY) -> list[dict[str, str]]:
    """Return the grants of an identity, without their ids."""
    (found,) = [it for it in tenant.state()["servicePrincipals"] if it["id"] == principal]
    return [
        {key: value for key, value in grant.items() if key != "id"}
        for grant in found.get("appRoleAssignments", [])
    ]


def writes(tenant: Azure) -> int:
    """Return how often the scripts wrote something."""
    return len(tenant.calls("rest --only-show-errors --method post"))


def trusted(tenant: Azure) -> list[dict[str, Any]]:
    """Return the credentials of the one app registration, without their ids."""
    (found,) = tenant.state()["applications"]
    return [
        {key: value for key, value in credential.items() if key != "id"}
        for credential in found["federatedIdentityCredentials"]
    ]


def test_the_role_is_granted(tmp_path: Path) -> None:
    """It is the role for applications, not the one of the same name for users."""
    tenant = azure(tmp_path)

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert (ran.returncode, granted(tenant)) == (0, [GRANTED])
    assert f"Granted id-scan ({IDENTITY}) the role {ROLE}" in ran.stdout
    assert "up to 24 hours" in ran.stdout


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """It says so and succeeds, so a pipeline may run it each time."""
    tenant = azure(tmp_path)
    tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)
    before = writes(tenant)

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert (ran.returncode, writes(tenant), granted(tenant)) == (0, before, [GRANTED])
    assert "nothing was changed" in ran.stdout


def test_the_tenant_is_printed_before_any_change(tmp_path: Path) -> None:
    """An administrator of several tenants notices the wrong one."""
    tenant = azure(tmp_path)

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert ran.stderr.splitlines()[0] == f"Tenant {TENANT}, signed in as admin@contoso.example"


def test_other_grants_are_left_alone(tmp_path: Path) -> None:
    """So are those of the same role id for another API."""
    other = [{**GRANTED, "resourceId": IDENTITY}, {**GRANTED, "appRoleId": NO_ROLE}]
    tenant = azure(tmp_path, servicePrincipals=[api(), identity(*other)])

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert (ran.returncode, granted(tenant)) == (0, [*other, GRANTED])


@pytest.mark.parametrize("place", [0, 1, 2, 4])
def test_a_grant_is_found_on_every_page(tmp_path: Path, place: int) -> None:
    """Graph lists the grants of an identity in pages."""
    grants = [{**GRANTED, "resourceId": f"other-{number}"} for number in range(4)]
    grants.insert(place, GRANTED)
    tenant = azure(tmp_path, servicePrincipals=[api(), identity(*grants)], page=2)

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert (ran.returncode, writes(tenant)) == (0, 0)
    assert "nothing was changed" in ran.stdout


def test_the_identity_of_a_function_app_is_looked_up(tmp_path: Path) -> None:
    """A deployer knows the app's name, not the object id of its identity."""
    app = {"principalId": None, "userAssignedIdentities": {"/x/id": {"principalId": IDENTITY}}}
    tenant = azure(tmp_path, apps={"func-scan": app})

    ran = tenant.run("grant-app-role.sh", "--app-name", "func-scan", "--resource-group", "rg")

    assert (ran.returncode, granted(tenant)) == (0, [GRANTED])


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ({"principalId": None, "userAssignedIdentities": None}, "has no identity"),
        (
            {"principalId": IDENTITY, "userAssignedIdentities": {"a": {"principalId": CLIENT}}},
            "has several identities",
        ),
        (None, "cannot be read: ERROR: (ResourceNotFound)"),
    ],
    ids=["none", "two", "no app"],
)
def test_an_app_without_exactly_one_identity_is_refused(
    tmp_path: Path, app: State | None, said: str
) -> None:
    """A grant to the wrong one of two would go unnoticed."""
    tenant = azure(tmp_path, apps={"func-scan": app} if app else {})

    ran = tenant.run("grant-app-role.sh", "--app-name", "func-scan", "--resource-group", "rg")

    assert (ran.returncode, writes(tenant)) == (1, 0)
    assert said in ran.stderr


def test_a_missing_service_principal_of_the_api_is_created(tmp_path: Path) -> None:
    """A tenant that never used the API does not have it."""
    tenant = azure(tmp_path, servicePrincipals=[identity()], templates=[api()])

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert (ran.returncode, granted(tenant)) == (0, [GRANTED])
    assert f"Created the service principal {API_OBJECT}" in ran.stderr


def test_a_new_service_principal_of_the_api_is_waited_for(tmp_path: Path) -> None:
    """A replica of the directory may not have it yet."""
    tenant = azure(
        tmp_path,
        servicePrincipals=[identity()],
        templates=[api()],
        unknown_for={API_OBJECT: 2},
    )

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert (ran.returncode, granted(tenant)) == (0, [GRANTED])


def test_a_registration_without_a_service_principal_gets_one(tmp_path: Path) -> None:
    """A registration's roles are granted to its service principal."""
    made = {"appId": CLIENT, "id": REGISTRATION_IDENTITY, "displayName": "scan"}
    tenant = azure(tmp_path, templates=[made])

    ran = tenant.run("grant-app-role.sh", "--client-id", CLIENT)

    assert ran.returncode == 0
    assert granted(tenant, REGISTRATION_IDENTITY) == [
        {**GRANTED, "principalId": REGISTRATION_IDENTITY}
    ]


def test_a_new_identity_is_waited_for(tmp_path: Path) -> None:
    """The directory knows a new identity only after some seconds."""
    tenant = azure(tmp_path, unknown_for={IDENTITY: 3})

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert (ran.returncode, granted(tenant)) == (0, [GRANTED])
    assert ran.stderr.count(f"the directory does not know the identity {IDENTITY} yet") == 3


def test_the_script_gives_up_on_an_identity_that_never_appears(tmp_path: Path) -> None:
    """A client id given as an object id looks like this, so the error says so."""
    tenant = azure(tmp_path)

    ran = tenant.run("grant-app-role.sh", "--principal-id", CLIENT, DIRECTORY_TRIES="3")

    assert (ran.returncode, writes(tenant)) == (1, 0)
    assert f"this tenant has no identity with the object id {CLIENT}" in ran.stderr
    assert "not the client id" in ran.stderr


@pytest.mark.parametrize(
    ("denied", "said"),
    [
        ("post /servicePrincipals/.*/appRoleAssignments", f"let you grant the role {ROLE}"),
        ("get /servicePrincipals/.*/appRoleAssignments", "let you read the roles of id-scan"),
        ("get /servicePrincipals/b.*", f"let you read the identity {IDENTITY}"),
        ("get /servicePrincipals", "let you look up the service principal of Microsoft Cloud App"),
    ],
)
def test_a_refusal_names_the_required_role(tmp_path: Path, denied: str, said: str) -> None:
    """An administrator may have to activate a role first, or ask somebody who has it."""
    tenant = azure(tmp_path, denied=[denied])

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert (ran.returncode, granted(tenant)) == (1, [])
    assert said in ran.stderr
    assert "This needs one of the Entra roles" in ran.stderr
    assert "Graph said: ERROR: Forbidden" in ran.stderr


def test_a_refused_grant_names_the_roles_that_can_grant(tmp_path: Path) -> None:
    """The refusal of the grant itself names them."""
    tenant = azure(tmp_path, denied=["post .*"])

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert "Privileged Role Administrator, Cloud Application Administrator" in ran.stderr


def test_an_api_without_the_role_is_explained(tmp_path: Path) -> None:
    """A tenant without a licence has the service principal but not the role."""
    roles = [{"id": NO_ROLE, "value": ROLE, "allowedMemberTypes": ["User"]}]
    tenant = azure(tmp_path, servicePrincipals=[api(appRoles=roles), identity()])

    ran = tenant.run("grant-app-role.sh", "--principal-id", IDENTITY)

    assert (ran.returncode, writes(tenant)) == (1, 0)
    assert f"has no application role '{ROLE}' in this tenant" in ran.stderr
    assert "has to be licensed" in ran.stderr


GRANT, FEDERATE = "grant-app-role.sh", "federate-app.sh"
PROVIDE, ADMIT = "provider-app.sh", "admit-provider.sh"


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        (GRANT, "", "name one identity"),
        (GRANT, "--principal-id", "--principal-id needs a value"),
        (GRANT, "--principal-id scan", "--principal-id is 'scan', which is not an id"),
        (GRANT, f"--client-id {CLIENT}x", "which is not an id"),
        (GRANT, f"--client-id {CLIENT} --principal-id {IDENTITY}", "name one identity"),
        (GRANT, "--app-name func-scan", "needs --resource-group"),
        (GRANT, "--tenant contoso", "unknown argument '--tenant'"),
        (FEDERATE, f"--principal-id {IDENTITY}", "--client-id is missing"),
        (FEDERATE, f"--client-id {CLIENT}", "name the identity"),
        (FEDERATE, f"--client-id {CLIENT} --app-name func-scan", "name the identity"),
        (FEDERATE, f"--client-id {CLIENT} --principal-id x", "--principal-id is 'x'"),
        (
            FEDERATE,
            f"--client-id {CLIENT} --principal-id {IDENTITY} --app-name func-scan",
            "name one identity",
        ),
        (FEDERATE, "--no-grants", "unknown argument '--no-grants'"),
        (PROVIDE, f"--principal-id {IDENTITY}", "--registration is missing"),
        (PROVIDE, f"--registration a'b --principal-id {IDENTITY}", "may have letters"),
        (PROVIDE, f"--registration a --client-id {CLIENT} --principal-id {IDENTITY}", "once"),
        (PROVIDE, "--registration a", "name the identity"),
        (PROVIDE, "--registration a --app-name func", "name the identity"),
        (PROVIDE, f"--registration a --app-name f --principal-id {IDENTITY}", "name one identity"),
        (PROVIDE, "--client-id x", "which is not an id"),
        (ADMIT, "", "--client-id is missing"),
        (ADMIT, "--client-id x", "which is not an id"),
        (ADMIT, "--undo", "unknown argument '--undo'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_asked(
    tmp_path: Path, script: str, arguments: str, said: str
) -> None:
    """The error says what is wrong, and Azure is never called."""
    tenant = azure(tmp_path)

    ran = tenant.run(script, *arguments.split())

    assert (ran.returncode, tenant.state()["calls"]) == (1, [])
    assert said in ran.stderr


@pytest.mark.parametrize("script", [GRANT, FEDERATE, PROVIDE, ADMIT])
def test_help_needs_no_sign_in(tmp_path: Path, script: str) -> None:
    """It works on a machine where nobody is signed in."""
    tenant = azure(tmp_path, account=None)

    ran = tenant.run(script, "--help")

    assert (ran.returncode, ran.stderr, tenant.state()["calls"]) == (0, "", [])
    assert f"  {script} --client-id ID" in ran.stdout


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (GRANT, f"--principal-id {IDENTITY}"),
        (FEDERATE, f"--client-id {CLIENT} --principal-id {IDENTITY}"),
    ],
)
def test_a_signed_out_cli_is_reported(tmp_path: Path, script: str, arguments: str) -> None:
    """The error names the command that signs in."""
    tenant = azure(tmp_path, account=None)

    ran = tenant.run(script, *arguments.split())

    assert ran.returncode == 1
    assert "nobody is signed in: run 'az login'" in ran.stderr


def test_a_missing_azure_cli_is_reported(tmp_path: Path) -> None:
    """The error says where to get it."""
    tenant = azure(tmp_path)
    programs = tmp_path / "few"
    programs.mkdir()
    for name in ("bash", "dirname", "mktemp", "rm"):
        (programs / name).symlink_to(str(shutil.which(name)))

    ran = tenant.run(GRANT, "--principal-id", IDENTITY, PATH=str(programs))

    assert ran.returncode == 1
    assert "the Azure CLI (az) is missing" in ran.stderr


def federated(folder: Path, **given: Any) -> Azure:
    """Return a tenant with an app registration beside the API and the identity."""
    own = {"appId": CLIENT, "id": REGISTRATION_IDENTITY, "displayName": "scan"}
    there = {"servicePrincipals": [api(), identity(), own], "applications": [registration()]}
    return azure(folder, **(there | given))


CREDENTIAL = {
    "name": f"activity-scan-{IDENTITY}",
    "issuer": ISSUER,
    "subject": IDENTITY,
    "audiences": ["api://AzureADTokenExchange"],
}
FEDERATION = ("--client-id", CLIENT, "--principal-id", IDENTITY)


def test_a_registration_trusts_the_identity_and_is_granted_the_role(tmp_path: Path) -> None:
    """The subject is the identity's object id, the issuer the tenant's."""
    tenant = federated(tmp_path)

    ran = tenant.run(FEDERATE, *FEDERATION)

    assert (ran.returncode, trusted(tenant)) == (0, [CREDENTIAL])
    assert [it["appRoleId"] for it in granted(tenant, REGISTRATION_IDENTITY)] == [ROLE_ID]
    assert granted(tenant) == []
    assert f"now trusts the identity {IDENTITY} (issuer {ISSUER})" in ran.stdout


@pytest.mark.parametrize(
    "authority",
    [
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.us",
        "https://login.chinacloudapi.cn",
    ],
)
def test_a_registration_expects_the_audience_that_the_program_asks_for(
    tmp_path: Path, authority: str
) -> None:
    """It differs from cloud to cloud."""
    endpoints = {"microsoftGraphResourceId": f"{GRAPH}/", "activeDirectory": authority}
    tenant = federated(tmp_path, cloud={"endpoints": endpoints})

    tenant.run(FEDERATE, *FEDERATION)

    (credential,) = trusted(tenant)
    assert credential["issuer"] == f"{authority}/{TENANT}/v2.0"
    assert credential["audiences"] == [exchange_audience(authority)]


def test_a_second_federation_changes_nothing(tmp_path: Path) -> None:
    """A registration may have twenty credentials, so none is added twice."""
    tenant = federated(tmp_path, page=1)
    tenant.run(FEDERATE, *FEDERATION)
    before = writes(tenant)

    ran = tenant.run(FEDERATE, *FEDERATION)

    assert (ran.returncode, writes(tenant), trusted(tenant)) == (0, before, [CREDENTIAL])
    assert ran.stdout.count("nothing was changed") == 2


@pytest.mark.parametrize(
    "other",
    [{"subject": CLIENT}, {"issuer": "https://example.com"}, {"audiences": ["api://other"]}],
    ids=lambda it: next(iter(it)),
)
def test_a_credential_that_differs_does_not_count(tmp_path: Path, other: dict[str, Any]) -> None:
    """Entra compares all three values, so one that differs in any is useless."""
    there = CREDENTIAL | {"name": "other"} | other
    tenant = federated(tmp_path, applications=[registration(federatedIdentityCredentials=[there])])

    ran = tenant.run(FEDERATE, *FEDERATION)

    assert (ran.returncode, trusted(tenant)) == (0, [there, CREDENTIAL])


def test_the_grant_can_be_left_to_another_tenant(tmp_path: Path) -> None:
    """To read another tenant's activities, its own administrator grants the role there."""
    tenant = federated(tmp_path)

    ran = tenant.run(FEDERATE, *FEDERATION, "--no-grant")

    assert (ran.returncode, trusted(tenant)) == (0, [CREDENTIAL])
    assert granted(tenant, REGISTRATION_IDENTITY) == []


def test_a_registration_of_another_tenant_is_refused(tmp_path: Path) -> None:
    """Entra accepts a managed identity of the registration's own tenant only."""
    tenant = federated(tmp_path, applications=[])

    ran = tenant.run(FEDERATE, *FEDERATION)

    assert (ran.returncode, writes(tenant)) == (1, 0)
    assert f"this tenant has no app registration with the client id {CLIENT}" in ran.stderr
    assert "must both belong to the tenant above" in ran.stderr


def test_an_identity_of_another_tenant_is_not_trusted(tmp_path: Path) -> None:
    """A credential for it could be added but would never work."""
    tenant = federated(tmp_path, servicePrincipals=[api()])

    ran = tenant.run(FEDERATE, *FEDERATION, DIRECTORY_TRIES="2")

    assert (ran.returncode, trusted(tenant)) == (1, [])
    assert f"this tenant has no identity with the object id {IDENTITY}" in ran.stderr


def test_a_refused_credential_names_the_required_role(tmp_path: Path) -> None:
    """Owners of the registration may add one, too."""
    tenant = federated(tmp_path, denied=["post /applications/.*"])

    ran = tenant.run(FEDERATE, *FEDERATION)

    assert (ran.returncode, trusted(tenant)) == (1, [])
    assert "let you add the credential to the app registration" in ran.stderr
    assert "ownership of the registration" in ran.stderr


def quoted() -> list[str]:
    """Return what the page about signing in quotes of the scripts' output."""
    page = (SCRIPTS.parents[1] / "docs/authentication.md").read_text("utf-8")
    return re.findall(r"^```text\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def test_the_page_shows_what_a_grant_prints(tmp_path: Path) -> None:
    """It matches word for word, with these ids."""
    tenant = azure(tmp_path)

    ran = tenant.run(GRANT, "--principal-id", IDENTITY)

    assert quoted()[0] == ran.stderr + ran.stdout


def test_the_page_shows_what_a_federation_prints(tmp_path: Path) -> None:
    """It matches word for word, with these ids; errors and results are two streams."""
    tenant = federated(tmp_path)

    ran = tenant.run(FEDERATE, *FEDERATION)

    assert sorted(quoted()[1].splitlines()) == sorted((ran.stderr + ran.stdout).splitlines())


SHELLCHECK = Path(sys.executable).parent / "shellcheck"
SHELL_SCRIPTS = sorted(SCRIPTS.glob("*.sh"))
named = pytest.mark.parametrize("script", SHELL_SCRIPTS, ids=lambda it: it.name)


@named
def test_shellcheck_reports_nothing(script: Path) -> None:
    """What ShellCheck finds is fixed, or silenced beside its reason."""
    ran = subprocess.run(
        [SHELLCHECK, "--external-sources", script],
        capture_output=True,
        text=True,
        cwd=SCRIPTS.parents[1],
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (0, "")


@named
def test_a_script_can_be_run_as_it_is(script: Path) -> None:
    """Scripts to run are executable and stop at the first failure; sourced ones are neither."""
    text = script.read_text("utf-8")
    is_run = text.startswith("#!/usr/bin/env bash\n")

    assert is_run == bool(script.stat().st_mode & 0o111)
    assert is_run == ("\nset -euo pipefail\n" in text)
