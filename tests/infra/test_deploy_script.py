"""Deployment with the Azure CLI alone, against a stand-in for it."""

import hashlib
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.infra.azure_cli import ROOT, SCRIPTS, SIGNED_IN, Azure
from tests.infra.test_role_scripts import GRANTED, IDENTITY, api, granted, identity, registration

PRINCIPAL = IDENTITY
CLIENT = "cccccccc-0000-0000-0000-000000000003"
API_URL = "https://contoso.eu2.portal.cloudappsecurity.com"

OUTPUTS = {
    "AZURE_RESOURCE_GROUP": "rg-contoso",
    "FUNCTION_APP_NAME": "func-contoso",
    "IDENTITY_PRINCIPAL_ID": PRINCIPAL,
    "KEY_VAULT_NAME": "",
    "KEY_VAULT_SECRET_NAME": "",
    "KEY_VAULT_SCAN_SECRETS": "",
    "ALERTS_REACH": "ops@contoso.example",
    "MDA_AUTH": "managed-identity",
    "MDA_CLIENT_ID": "",
    "MDA_TENANT_ID": "",
}
PLACE = ("--environment", "prod", "--location", "westeurope")
USUAL = (*PLACE, "--api-url", API_URL, "--alert-email", "ops@contoso.example")
RESOURCES = (*USUAL, "--infrastructure-only")
PACKAGE = ("--environment", "prod", "--package-only")

CREATE = "deployment sub create"
PUBLISH = "functionapp deployment source config-zip"
CHANGES = (CREATE, PUBLISH, "provider register")

FORBIDDEN = (
    "ERROR: An error occured during deployment. Status Code: 400, Details: "
    "InaccessibleStorageException: BlobUploadFailedException: Response status code does not "
    "indicate success: 403 (This request is not authorized to perform this operation.)"
)


def as_outputs(**values: str) -> dict[str, Any]:
    """Return the outputs of a deployment as Azure returns them."""
    return {name: {"type": "String", "value": value} for name, value in values.items()}


def azure(folder: Path, **given: Any) -> Azure:
    """Return a subscription where the deployment will succeed."""
    usual = {"outputs": as_outputs(**OUTPUTS), "servicePrincipals": [api(), identity(GRANTED)]}
    return Azure(folder, **(usual | given))


def existing(folder: Path, **given: Any) -> Azure:
    """Return a subscription where the environment is deployed, without a package."""
    outputs = given.pop("outputs", as_outputs(**OUTPUTS))
    there = {"activity-scan-prod": {"properties": {"outputs": outputs}}}
    return azure(folder, deployments=there, **given)


def changes(subscription: Azure) -> list[str]:
    """Return the commands that change something, in order."""
    calls = subscription.state()["calls"]
    return [begin for call in calls for begin in CHANGES if call.startswith(begin)]


def deployed(subscription: Azure, name: str = "activity-scan-prod") -> dict[str, list[str]]:
    """Return the options with which an environment was deployed."""
    options: dict[str, list[str]] = subscription.state()["deployments"][name]["options"]
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """The usual deployment: where, what it printed, and what it left in its folder."""

    subscription: Azure
    ran: subprocess.CompletedProcess[str]
    left_behind: set[Path]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Usual:
    """Provide the usual deployment, for tests that only look at it."""
    folder = tmp_path_factory.mktemp("usual")
    subscription = azure(folder)
    before = set(folder.iterdir())
    ran = subscription.run("deploy.sh", *USUAL)
    return Usual(subscription=subscription, ran=ran, left_behind=set(folder.iterdir()) - before)


def test_one_command_deploys_everything(usual: Usual) -> None:
    """It deploys infrastructure and package, then checks that the function is there."""
    assert (usual.ran.returncode, changes(usual.subscription)) == (0, [CREATE, PUBLISH])
    assert (
        "func-contoso has the function scan_activities and no unexpected one." in usual.ran.stdout
    )


def test_the_table_is_deployed_on_request(tmp_path: Path) -> None:
    """Both packages are published, each to its app, and both functions are checked."""
    outputs = as_outputs(**OUTPUTS, TABLE_APP_NAME="func-table")
    subscription = azure(
        tmp_path, outputs=outputs, functions=[["scan_activities"], ["write_table"]]
    )

    ran = subscription.run("deploy.sh", *USUAL, "--table")

    assert (ran.returncode, changes(subscription)) == (0, [CREATE, PUBLISH, PUBLISH]), ran.stderr
    assert "table=true" in deployed(subscription)["--parameters"]
    names = [call.partition("--name ")[2].split()[0] for call in subscription.calls(PUBLISH)]
    assert names == ["func-contoso", "func-table"]
    assert "func-table has the function write_table and no unexpected one." in ran.stdout


def test_a_package_of_a_table_that_is_not_deployed_is_refused(tmp_path: Path) -> None:
    """Without the app there is nowhere to publish it."""
    subscription = azure(tmp_path)
    subscription.run("deploy.sh", *RESOURCES)

    ran = subscription.run("deploy.sh", *PACKAGE, "--table")

    assert (ran.returncode, changes(subscription)) == (1, [CREATE])
    assert "has no app for the table" in ran.stderr


def test_the_parameters_are_given_by_name(tmp_path: Path) -> None:
    """The parameter file beside the template is azd's; its values are variable names."""
    subscription = azure(tmp_path)

    subscription.run(
        "deploy.sh", *RESOURCES, "--parameters", "schedule=0 */10 * * * *", "scanName=a"
    )

    assert deployed(subscription) == {
        "--only-show-errors": [],
        "--name": ["activity-scan-prod"],
        "--location": ["westeurope"],
        "--template-file": [str(ROOT / "infra/main.bicep")],
        "--parameters": [
            "environmentName=prod",
            "location=westeurope",
            f"apiUrl={API_URL}",
            "alertEmail=ops@contoso.example",
            "schedule=0 */10 * * * *",
            "scanName=a",
            f"deployerId={SIGNED_IN['me']}",
            "deployerType=User",
        ],
    }


def test_options_override_the_parameter_file(tmp_path: Path) -> None:
    """An option replaces the file's value and need not repeat the file."""
    file = tmp_path / "contoso.bicepparam"
    file.write_text(f"using '../main.bicep'\nparam apiUrl = '{API_URL}'\n")
    subscription = azure(tmp_path)

    ran = subscription.run(
        "deploy.sh", *PLACE, "--infrastructure-only", "--parameters", str(file), "scanName=a"
    )

    assert ran.returncode == 0
    assert deployed(subscription)["--parameters"][:5] == [
        str(file),
        "environmentName=prod",
        "location=westeurope",
        "alertEmail=",
        "scanName=a",
    ]


def test_the_script_warns_that_alerts_reach_nobody(tmp_path: Path) -> None:
    """An empty address is passed on, since the template requires a value."""
    subscription = azure(tmp_path)

    ran = subscription.run("deploy.sh", *PLACE, "--api-url", API_URL, "--infrastructure-only")

    assert "alertEmail=" in deployed(subscription)["--parameters"]
    assert "No --alert-email: alerts will fire but reach nobody." in ran.stderr


def test_the_package_is_what_the_ignore_file_leaves_in(usual: Usual) -> None:
    """It is published with its libraries to the app that the template created."""
    (published,) = usual.subscription.state()["publications"]

    assert (published["app"], published["group"]) == ("func-contoso", "rg-contoso")
    assert published["build_remote"] == "false"
    assert {name.partition("/")[0] for name in published["names"]} == {
        ".python_packages",
        "function_app.py",
        "host.json",
        "requirements.txt",
        "shared",
    }


def test_nothing_is_left_behind(usual: Usual) -> None:
    """The package and the CLI's messages were in a temporary folder."""
    assert usual.left_behind == set()


def test_outputs_are_read_whatever_their_case(tmp_path: Path) -> None:
    """Azure may return an output's name in another case than the template's."""
    changed = {f"{name[0].lower()}{name[1:]}": value for name, value in OUTPUTS.items()}
    subscription = azure(tmp_path, outputs=as_outputs(**changed))

    ran = subscription.run("deploy.sh", *RESOURCES)

    assert ran.returncode == 0
    assert "Deployed: func-contoso in rg-contoso." in ran.stdout


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({}, f"infra/scripts/grant-app-role.sh --principal-id {PRINCIPAL}"),
        (
            {"MDA_AUTH": "federated", "MDA_CLIENT_ID": CLIENT},
            f"infra/scripts/federate-app.sh --client-id {CLIENT} --principal-id {PRINCIPAL}",
        ),
        (
            {"MDA_AUTH": "client-secret", "MDA_CLIENT_ID": CLIENT},
            f"infra/scripts/grant-app-role.sh --client-id {CLIENT}",
        ),
        (
            {
                "MDA_AUTH": "api-token",
                "KEY_VAULT_NAME": "kv-contoso",
                "KEY_VAULT_SECRET_NAME": "mda-api-token",
            },
            "az keyvault secret set --vault-name kv-contoso --name mda-api-token --file FILE",
        ),
    ],
    ids=["managed-identity", "federated", "client-secret", "api-token"],
)
def test_the_next_step_is_printed_with_its_values(
    tmp_path: Path, outputs: dict[str, str], said: str
) -> None:
    """An administrator can copy what to run before the package is published."""
    subscription = azure(tmp_path, outputs=as_outputs(**(OUTPUTS | outputs)))

    ran = subscription.run("deploy.sh", *RESOURCES)

    assert ran.returncode == 0
    assert said in ran.stdout
    assert "--environment prod --package-only" in ran.stdout


def test_the_command_that_puts_a_new_secret_into_effect_is_printed(tmp_path: Path) -> None:
    """Without it, the platform reads a changed secret only within a day."""
    outputs = {"MDA_AUTH": "api-token", "KEY_VAULT_NAME": "kv", "KEY_VAULT_SECRET_NAME": "token"}
    subscription = azure(
        tmp_path, outputs=as_outputs(**(OUTPUTS | outputs)), secrets={"kv": ["token"]}
    )

    ran = subscription.run("deploy.sh", *RESOURCES)

    app = "/resourceGroups/rg-contoso/providers/Microsoft.Web/sites/func-contoso"
    assert ran.returncode == 0
    assert f"{app}/config/configreferences/appsettings/refresh?" in ran.stdout


def test_the_secrets_of_scans_are_named_and_do_not_stop_the_deployment(tmp_path: Path) -> None:
    """Without its secret, a scan fails alone."""
    outputs = {"KEY_VAULT_NAME": "kv", "KEY_VAULT_SCAN_SECRETS": "secret-a,secret-b"}
    subscription = azure(tmp_path, outputs=as_outputs(**(OUTPUTS | outputs)))

    ran = subscription.run("deploy.sh", *USUAL)

    assert (ran.returncode, changes(subscription)) == (0, [CREATE, PUBLISH])
    for name in ("secret-a", "secret-b"):
        assert f"az keyvault secret set --vault-name kv --name {name} --file FILE" in ran.stdout


NOT_GRANTED = [api(), identity()]
SECRETS = {
    "MDA_AUTH": "client-secret",
    "MDA_CLIENT_ID": CLIENT,
    "KEY_VAULT_NAME": "kv",
    "KEY_VAULT_SECRET_NAME": "secret",
}


def test_a_missing_role_is_granted_before_the_package_is_published(tmp_path: Path) -> None:
    """A token that the app got without it would be cached for a day."""
    subscription = azure(tmp_path, servicePrincipals=NOT_GRANTED)

    ran = subscription.run("deploy.sh", *USUAL)

    calls = subscription.state()["calls"]
    (grant,) = [
        at for at, call in enumerate(calls) if "--method post" in call and "appRole" in call
    ]
    (publish,) = [at for at, call in enumerate(calls) if call.startswith(PUBLISH)]
    assert (ran.returncode, granted(subscription)) == (0, [GRANTED])
    assert grant < publish


def test_a_role_that_the_deployer_may_not_grant_stops_before_the_package(tmp_path: Path) -> None:
    """It prints the administrator's command; after that, the same deployment command resumes."""
    subscription = azure(tmp_path, servicePrincipals=NOT_GRANTED, denied=["post .*"])

    ran = subscription.run("deploy.sh", *USUAL)

    assert (ran.returncode, changes(subscription)) == (1, [CREATE])
    assert f"infra/scripts/grant-app-role.sh --principal-id {PRINCIPAL}" in ran.stderr
    assert "--environment prod --package-only" in ran.stderr


def test_nothing_is_published_when_the_role_cannot_be_checked(tmp_path: Path) -> None:
    """A pipeline may not be allowed to read the directory."""
    subscription = azure(tmp_path, denied=["get .*"])

    ran = subscription.run("deploy.sh", *USUAL)

    assert (ran.returncode, changes(subscription)) == (1, [CREATE])
    assert "it is unknown whether the collector may read" in ran.stderr
    assert "add --granted or set MDA_ROLE_GRANTED=true" in ran.stderr


@pytest.mark.parametrize("how", ["option", "variable"])
def test_the_deployer_can_confirm_a_role_that_cannot_be_checked(tmp_path: Path, how: str) -> None:
    """Whoever passes it has made sure that the role is granted."""
    subscription = azure(tmp_path, denied=["get .*"])
    option, env = (["--granted"], {}) if how == "option" else ([], {"MDA_ROLE_GRANTED": "true"})

    ran = subscription.run("deploy.sh", *USUAL, *option, **env)

    assert (ran.returncode, changes(subscription)) == (0, [CREATE, PUBLISH])


def test_the_role_in_another_tenant_is_left_to_its_administrator(tmp_path: Path) -> None:
    """The script is not signed in to that tenant's directory."""
    other = {"MDA_AUTH": "federated", "MDA_CLIENT_ID": CLIENT, "MDA_TENANT_ID": CLIENT}
    subscription = azure(tmp_path, outputs=as_outputs(**(OUTPUTS | other)))

    ran = subscription.run("deploy.sh", *USUAL)

    assert (ran.returncode, changes(subscription)) == (1, [CREATE])
    assert f"belong to another tenant, {CLIENT}" in ran.stderr


def test_a_registration_is_trusted_and_granted_before_the_package(tmp_path: Path) -> None:
    """At first it has neither the credential nor the role."""
    outputs = {"MDA_AUTH": "federated", "MDA_CLIENT_ID": CLIENT}
    of_registration = {"appId": CLIENT, "id": CLIENT, "displayName": "scan"}
    subscription = azure(
        tmp_path,
        outputs=as_outputs(**(OUTPUTS | outputs)),
        servicePrincipals=[api(), identity(), of_registration],
        applications=[registration()],
    )

    ran = subscription.run("deploy.sh", *USUAL)

    assert (ran.returncode, changes(subscription)) == (0, [CREATE, PUBLISH])
    assert granted(subscription, CLIENT)


@pytest.mark.parametrize(
    ("secrets", "code", "said"),
    [
        ({"kv": ["secret"]}, 0, ""),
        ({}, 1, "az keyvault secret set --vault-name kv --name secret --file FILE"),
        (
            {"kv": "ERROR: (Forbidden) Caller is not authorized"},
            1,
            "it is unknown whether the collector may read",
        ),
    ],
    ids=["set", "missing", "forbidden"],
)
def test_a_secret_is_looked_for_before_the_package_is_published(
    tmp_path: Path, secrets: dict[str, Any], code: int, said: str
) -> None:
    """Its name is enough; nothing reads its value."""
    of_registration = {
        "appId": CLIENT,
        "id": CLIENT,
        "displayName": "scan",
        "appRoleAssignments": [{**GRANTED, "principalId": CLIENT}],
    }
    subscription = azure(
        tmp_path,
        outputs=as_outputs(**(OUTPUTS | SECRETS)),
        servicePrincipals=[api(), identity(), of_registration],
        secrets=secrets,
    )

    ran = subscription.run("deploy.sh", *USUAL)

    assert (ran.returncode, len(subscription.calls(PUBLISH))) == (code, 1 - code)
    assert said in ran.stderr


def test_a_region_is_the_same_however_it_is_written(tmp_path: Path) -> None:
    """The portal shows 'West Europe'."""
    subscription = azure(tmp_path)

    ran = subscription.run("deploy.sh", *RESOURCES[:2], "--location", "West Europe", *RESOURCES[4:])

    assert ran.returncode == 0
    assert "location=westeurope" in deployed(subscription)["--parameters"]


def test_a_region_without_flex_consumption_is_refused_before_anything_is_created(
    tmp_path: Path,
) -> None:
    """The error says where to find the regions that have it."""
    subscription = azure(tmp_path)

    ran = subscription.run("deploy.sh", *USUAL[:2], "--location", "antarctica", *USUAL[4:])

    assert (ran.returncode, changes(subscription)) == (1, [])
    assert "Flex Consumption is not offered in antarctica" in ran.stderr


@pytest.mark.parametrize(("redundancy", "code"), [("Standard_ZRS", 1), ("Standard_LRS", 0)])
def test_a_region_without_zones_needs_another_redundancy(
    tmp_path: Path, redundancy: str, code: int
) -> None:
    """The default replicates across zones; the error names the parameter to add."""
    subscription = azure(tmp_path)
    given = ["--parameters", f"storageRedundancy={redundancy}"]

    ran = subscription.run("deploy.sh", *USUAL[:2], "--location", "westus", *RESOURCES[4:], *given)

    assert (ran.returncode, len(subscription.calls(CREATE))) == (code, 1 - code)
    assert ("--parameters storageRedundancy=Standard_LRS" in ran.stderr) == bool(code)


def test_regions_are_listed_with_flex_consumption_and_zones(tmp_path: Path) -> None:
    """The list says which of the two each region has."""
    ran = azure(tmp_path).run("deploy.sh", "--regions")

    assert (ran.returncode, ran.stdout.splitlines()) == (
        0,
        ["northeurope zones", "westeurope zones", "westus no-zones"],
    )


@pytest.mark.parametrize(
    ("address", "deployed_as"),
    [
        ("contoso.eu2.portal.cloudappsecurity.com/api/v1/activities/", API_URL),
        ("https://CONTOSO.eu2.portal.cloudappsecurity.com/", API_URL),
        ("https://security.microsoft.com/cloudapps/activity-log", None),
        ("http://contoso.eu2.portal.cloudappsecurity.com", None),
    ],
)
def test_the_address_of_the_api_is_checked_before_any_call(
    tmp_path: Path, address: str, deployed_as: str | None
) -> None:
    """Every form in which people copy it is accepted; a page of the portal is refused."""
    subscription = azure(tmp_path)

    ran = subscription.run("deploy.sh", *PLACE, "--api-url", address, "--infrastructure-only")

    if deployed_as:
        assert f"apiUrl={deployed_as}" in deployed(subscription)["--parameters"]
    else:
        assert (ran.returncode, subscription.state()["calls"]) == (1, [])
        assert "is not an address of the API" in ran.stderr


def test_a_file_without_the_address_needs_the_option(tmp_path: Path) -> None:
    """Examples omit the address, so that nobody deploys another tenant's."""
    file = tmp_path / "options.bicepparam"
    file.write_text("using '../main.bicep'\nparam networkIsolation = false\n")
    subscription = azure(tmp_path)

    without = subscription.run("deploy.sh", *PLACE, "--parameters", str(file))
    ran = subscription.run("deploy.sh", *RESOURCES, "--parameters", str(file))

    assert (without.returncode, ran.returncode) == (1, 0)
    assert "--api-url is missing" in without.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"account": SIGNED_IN["account"] | {"user": {"name": "x", "type": "servicePrincipal"}}},
            "",
        ),
        ({"me": ""}, "Your object id is unknown"),
    ],
    ids=["a pipeline", "a guest"],
)
def test_only_a_person_who_deploys_is_granted_the_right_to_read(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    """A pipeline leaves the parameter empty."""
    subscription = azure(tmp_path, **given)

    ran = subscription.run("deploy.sh", *RESOURCES)

    assert ran.returncode == 0
    assert not [it for it in deployed(subscription)["--parameters"] if it.startswith("deployer")]
    assert said in ran.stderr


def test_an_old_azure_cli_is_refused(tmp_path: Path) -> None:
    """It stops before changing anything and prints the command to upgrade."""
    subscription = azure(tmp_path, version="2.9.1")

    ran = subscription.run("deploy.sh", *USUAL)

    assert (ran.returncode, changes(subscription)) == (1, [])
    assert "2.60.0 or later is needed: run 'az upgrade'" in ran.stderr


def test_a_package_of_a_release_is_published_as_it_is(tmp_path: Path) -> None:
    """The script builds nothing in that case."""
    package = tmp_path / "released.zip"
    with zipfile.ZipFile(package, "w") as made:
        made.writestr("host.json", "{}")
    subscription = existing(tmp_path)

    ran = subscription.run("deploy.sh", *PACKAGE, "--package", str(package))

    (published,) = subscription.state()["publications"]
    assert (published["names"], published["build_remote"]) == (["host.json"], "false")
    assert f"were installed by whoever made {package}" in ran.stdout


@pytest.mark.parametrize(("digest", "code"), [(None, 0), ("0" * 64, 1)])
def test_without_the_means_to_build_the_released_package_is_used(
    tmp_path: Path, digest: str | None, code: int
) -> None:
    """Its digest is verified, and the final check names it."""
    folder = tmp_path / "release"
    folder.mkdir()
    with zipfile.ZipFile(folder / "released-package.zip", "w") as made:
        made.writestr("host.json", "{}")
    package = (folder / "released-package.zip").read_bytes()
    found = digest or hashlib.sha256(package).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{found}  released-package.zip\n")
    subscription = existing(tmp_path)
    (tmp_path / "bin/uv").write_text("#!/bin/sh\nexit 1\n")

    ran = subscription.run("deploy.sh", *PACKAGE, RELEASE_URL=f"file://{folder}")

    assert (ran.returncode, len(subscription.calls(PUBLISH))) == (code, 1 - code)
    assert ("does not match its digest" in ran.stderr) == bool(code)
    assert (f"were installed by the release file://{folder}" in ran.stdout) == (not code)


def test_the_remote_build_stays_an_option(tmp_path: Path) -> None:
    """The package then has no libraries, and the check says who installs them."""
    subscription = existing(tmp_path)

    ran = subscription.run("deploy.sh", *PACKAGE, "--remote-build")

    (published,) = subscription.state()["publications"]
    assert published["build_remote"] == "true"
    assert not [name for name in published["names"] if name.startswith(".python_packages")]
    assert "were installed by Azure's remote build, with Python 3.13.\n" in ran.stdout


ORYX = "Command: oryx build /tmp/x -o /home/site/wwwroot --platform python --platform-version"


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ([f"{ORYX} 3.13.5 -p a=b"], "with Python 3.13.5.\n"),
        ([f"{ORYX} 3.11.8 -p a=b"], "with Python 3.11.8, but the app runs 3.13"),
        ([f"{ORYX} 3.11.8", f"{ORYX} 3.13.1"], "with Python 3.13.1.\n"),
        (
            ["Updating submodules."],
            "with an unknown Python, which the deployment's log does not name.\n",
        ),
        (None, "with an unknown Python: ERROR: Operation returned an invalid status"),
    ],
)
def test_the_check_names_the_python_of_the_remote_build(
    tmp_path: Path, log: list[str] | None, said: str
) -> None:
    """It built with another version than the app's."""
    subscription = azure(tmp_path, deployment_log=log)
    command = [sys.executable, str(SCRIPTS / "check_functions.py"), "--app-name", "func-scan"]

    ran = subscription.program([*command, "--resource-group", "rg-prod", "--built-there"])

    assert ran.returncode == 0
    assert f"were installed by Azure's remote build, {said}" in ran.stdout


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (["cp313-cp313-manylinux_2_17_x86_64", "py3-none-any"], "Python 3.13"),
        (["cp311-cp311-manylinux_2_17_x86_64", "cp39-abi3-manylinux_2_17_x86_64"], "Python 3.11"),
        (["py3-none-any"], "any Python"),
        ([], "no Python, since it contains no libraries"),
    ],
)
def test_the_check_names_the_python_of_a_given_package(
    tmp_path: Path, tags: list[str], said: str
) -> None:
    """It is read from the package's wheels."""
    package = tmp_path / "released.zip"
    with zipfile.ZipFile(package, "w") as made:
        made.writestr("host.json", "{}")
        for number, tag in enumerate(tags):
            made.writestr(f"lib/a{number}-1.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")

    command = [sys.executable, str(SCRIPTS / "libraries.py"), "--python-of", str(package)]

    ran = azure(tmp_path).program(command)

    assert (ran.returncode, ran.stdout) == (0, f"{said}\n")


def test_a_file_that_is_not_a_package_is_not_published(tmp_path: Path) -> None:
    """The error says what to pass instead."""
    package = tmp_path / "released.zip"
    package.write_text("not a zip")
    subscription = existing(tmp_path)

    ran = subscription.run("deploy.sh", *PACKAGE, "--package", str(package))

    assert (ran.returncode, subscription.state()["publications"]) == (1, [])
    assert "use the package of a release" in ran.stderr


def test_the_platform_is_told_to_reload_functions_that_it_lost_track_of(tmp_path: Path) -> None:
    """Until asked to, it lists only `WarmUp`, and the timer never fires."""
    subscription = existing(tmp_path, lost_track=2)

    ran = subscription.run("deploy.sh", *PACKAGE)

    syncs = [call for call in subscription.calls("rest") if "/host/default/sync" in call]
    assert (ran.returncode, len(syncs)) == (0, 2)
    assert "syncfunctiontriggers" not in str(subscription.state()["calls"])


def test_functions_that_stay_lost_are_reported_as_the_known_fault(tmp_path: Path) -> None:
    """The message names the platform's fault and its section of the runbook."""
    subscription = existing(tmp_path, lost_track=99)

    ran = subscription.run("deploy.sh", *PACKAGE, FUNCTION_TRIES="2")

    assert ran.returncode == 1
    assert "known fault of the platform (docs/runbook.md#only-warmup-is-listed)" in ran.stderr
    assert "Microsoft has to" in ran.stderr


def test_warmup_beside_the_function_is_not_a_fault(tmp_path: Path) -> None:
    """For some apps the platform lists its own function, too."""
    subscription = existing(tmp_path, functions=[["WarmUp", "scan_activities"]])

    assert subscription.run("deploy.sh", *PACKAGE).returncode == 0


def test_infrastructure_and_package_can_be_deployed_apart(tmp_path: Path) -> None:
    """Another pipeline may publish the code, or upgrade it in an existing environment."""
    subscription = azure(tmp_path)

    first = subscription.run("deploy.sh", *RESOURCES)
    created = changes(subscription)
    second = subscription.run("deploy.sh", *PACKAGE)

    assert (first.returncode, created) == (0, [CREATE])
    assert (second.returncode, changes(subscription)) == (0, [CREATE, PUBLISH])
    assert "Deployed:" not in second.stdout


def test_a_package_without_infrastructure_is_refused(tmp_path: Path) -> None:
    """The wrong subscription may be selected."""
    subscription = azure(tmp_path)

    ran = subscription.run("deploy.sh", *PACKAGE)

    assert (ran.returncode, changes(subscription)) == (1, [])
    assert "there is no deployment activity-scan-prod in this subscription" in ran.stderr
    assert "DeploymentNotFound" in ran.stderr


@pytest.mark.parametrize("how", ["by name", "in a file"])
def test_a_schedule_that_the_host_refuses_stops_before_any_call(tmp_path: Path, how: str) -> None:
    """Once deployed, the app would never run and never say so."""
    file = tmp_path / "contoso.bicepparam"
    file.write_text("using '../main.bicep'\nparam schedule = '0 0 24 * * *'\n")
    given = "schedule=0 0 24 * * *" if how == "by name" else str(file)
    subscription = azure(tmp_path)

    ran = subscription.run("deploy.sh", *USUAL, "--parameters", given)

    assert (ran.returncode, subscription.state()["calls"]) == (1, [])
    assert "24 is not between 0 and 23" in ran.stderr
    assert "nothing was deployed" in ran.stderr


def test_a_schedule_that_is_probably_a_mistake_causes_a_warning(tmp_path: Path) -> None:
    """It may be intended, so it is deployed; the time budget counts, too."""
    subscription = azure(tmp_path)

    ran = subscription.run("deploy.sh", *RESOURCES, "--parameters", "timeBudget=8m")

    assert (ran.returncode, changes(subscription)) == (0, [CREATE])
    assert "which may take 8 min (SCAN_TIME_BUDGET)" in ran.stderr


def test_a_computed_schedule_is_not_checked(tmp_path: Path) -> None:
    """Only the compiler knows its value."""
    file = tmp_path / "contoso.bicepparam"
    file.write_text("using '../main.bicep'\nparam schedule = readEnvironmentVariable('WHEN')\n")
    subscription = azure(tmp_path)

    ran = subscription.run("deploy.sh", *RESOURCES, "--parameters", str(file))

    assert ran.returncode == 0
    assert "The schedule was not checked" in ran.stderr


@pytest.mark.parametrize(
    ("extra", "registered"),
    [
        ([], ["Microsoft.Web"]),
        (["networkIsolation=true"], ["Microsoft.Web", "Microsoft.Network", "Microsoft.App"]),
        (["authMode=api-token"], ["Microsoft.Web", "Microsoft.KeyVault"]),
        (["notifications=true"], ["Microsoft.Web", "Microsoft.EventGrid"]),
    ],
    ids="-".join,
)
def test_providers_that_the_options_need_are_registered_and_waited_for(
    tmp_path: Path, extra: list[str], registered: list[str]
) -> None:
    """No other provider is, since that would change the subscription needlessly."""
    there = SIGNED_IN["providers"] | {"Microsoft.Web": "NotRegistered"}
    subscription = azure(tmp_path, providers=there)

    ran = subscription.run("deploy.sh", *RESOURCES, "--parameters", "scanName=a", *extra)

    calls = subscription.calls("provider register")
    assert ran.returncode == 0
    assert [call.split()[3] for call in calls] == registered
    assert len(subscription.calls("provider list")) == 3
    assert all(subscription.state()["providers"][name] == "Registered" for name in registered)


def test_every_provider_of_the_template_is_registered() -> None:
    """Two providers are exempt: every subscription has them."""
    script = (SCRIPTS / "deploy.sh").read_text("utf-8")
    files = [*(ROOT / "infra").glob("*.bicep"), *(ROOT / "infra/modules").glob("*.bicep")]
    text = "\n".join(file.read_text("utf-8") for file in files)
    used = set(re.findall(r"'(Microsoft\.\w+)/[\w/]+@", text))

    missing = {name for name in used if not re.search(rf"echo .*\b{re.escape(name)}\b", script)}

    assert missing == {"Microsoft.Authorization", "Microsoft.Resources"}


def test_a_refused_registration_says_whom_to_ask(tmp_path: Path) -> None:
    """It needs a right on the subscription that a deployer of one group may lack."""
    denied = ["register Microsoft.App"]
    subscription = azure(tmp_path, denied=denied)

    ran = subscription.run("deploy.sh", *USUAL, "--parameters", "networkIsolation=true")

    assert (ran.returncode, subscription.calls(CREATE)) == (1, [])
    assert "az provider register --namespace Microsoft.App" in ran.stderr
    assert "AuthorizationFailed" in ran.stderr


def test_a_registration_that_does_not_end_is_reported(tmp_path: Path) -> None:
    """Azure does not state how long it may take."""
    subscription = azure(tmp_path)

    ran = subscription.run(
        "deploy.sh", *USUAL, "--parameters", "notifications=true", AZURE_TRIES="1"
    )

    assert (ran.returncode, subscription.calls(CREATE)) == (1, [])
    assert "Microsoft.EventGrid" in ran.stderr
    assert "run this again later" in ran.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("AuthorizationFailed", "Role Based Access Control Administrator"),
        ("InvalidDeploymentLocation", "use that region as --location"),
        ("LocationNotAvailableForResourceType", "list-flexconsumption-locations"),
        (
            "RedundancyConfigurationNotAvailableInRegion: Standard_ZRS - not available in selected",
            "Add --parameters storageRedundancy=Standard_LRS",
        ),
        ("SomethingElse", "az deployment operation sub list --name activity-scan-prod"),
    ],
)
def test_a_failed_deployment_says_what_to_do(tmp_path: Path, error: str, said: str) -> None:
    """Azure's own error comes first; nothing is published."""
    subscription = azure(tmp_path, deployment_error=f'ERROR: {{"code": "{error}"}}')

    ran = subscription.run("deploy.sh", *USUAL)

    assert (ran.returncode, subscription.calls(PUBLISH)) == (1, [])
    assert f'ERROR: {{"code": "{error}"}}' in ran.stderr
    assert said in ran.stderr


@pytest.mark.parametrize(
    "error",
    [
        FORBIDDEN,
        "ERROR: There may be an ongoing deployment. Status Code: 409",
        "ERROR: Status Code: 503, Details: Site Unavailable",
    ],
)
def test_publishing_is_retried_while_grants_take_effect(tmp_path: Path, error: str) -> None:
    """The identity that writes the package was created a minute before."""
    subscription = existing(tmp_path, publish_errors=[error, error])

    ran = subscription.run("deploy.sh", *PACKAGE)

    assert (ran.returncode, len(subscription.calls(PUBLISH))) == (0, 3)
    assert len(subscription.state()["publications"]) == 1
    assert f"again in 0 s: {error}" in ran.stderr


def test_retries_end_if_the_refusal_stays(tmp_path: Path) -> None:
    """A policy that closes the storage account looks the same."""
    subscription = existing(tmp_path, publish_errors=[FORBIDDEN] * 9)

    ran = subscription.run("deploy.sh", *PACKAGE, AZURE_TRIES="3")

    assert (ran.returncode, len(subscription.calls(PUBLISH))) == (1, 3)
    assert "a policy may have closed the host's storage account" in ran.stderr
    assert "--environment prod --package-only" in ran.stderr


def test_a_permanent_error_is_not_retried(tmp_path: Path) -> None:
    """A retry would only hide it for ten minutes."""
    subscription = existing(tmp_path, publish_errors=["ERROR: the zip file is damaged"])

    ran = subscription.run("deploy.sh", *PACKAGE)

    assert (ran.returncode, len(subscription.calls(PUBLISH))) == (1, 1)
    assert "the zip file is damaged" in ran.stderr


def test_a_private_app_is_judged_by_its_functions(tmp_path: Path) -> None:
    """In a private network the CLI polls the app's health forever after publishing."""
    subscription = existing(tmp_path, publish_hangs=True)

    ran = subscription.run("deploy.sh", *PACKAGE, HEALTH_SECONDS="0")

    assert (ran.returncode, len(subscription.calls(PUBLISH))) == (0, 1)
    assert "its functions are checked instead" in ran.stderr
    assert not subscription.running()


@pytest.mark.parametrize(
    ("functions", "said"),
    [
        ([], "should have the function scan_activities, but has none"),
        (["tick"], "but has tick"),
        (["scan_activities", "tick"], "but has scan_activities, tick"),
        (["scan_worker"], "but has scan_worker"),
        ("ERROR: (AuthorizationFailed)", "cannot be listed: ERROR: (AuthorizationFailed)"),
    ],
    ids=["none", "another", "one too many", "no timer", "refused"],
)
def test_unexpected_functions_fail_the_deployment(
    tmp_path: Path, functions: list[str] | str, said: str
) -> None:
    """Azure reports success for a package whose code cannot be loaded."""
    subscription = azure(tmp_path, functions=[functions])

    ran = subscription.run("deploy.sh", *USUAL, FUNCTION_TRIES="2")

    assert (ran.returncode, len(subscription.calls("functionapp function list"))) == (1, 2)
    assert said in ran.stderr
    assert "Deployed:" not in ran.stdout


def test_an_app_with_workers_has_two_functions(tmp_path: Path) -> None:
    """The timer's function is needed in any case."""
    both = existing(tmp_path, functions=[["scan_activities", "scan_worker"]])

    assert both.run("deploy.sh", *PACKAGE).returncode == 0


def test_the_script_waits_for_the_functions(tmp_path: Path) -> None:
    """A new package takes a while to load, and the host may not answer at first."""
    seen: list[Any] = [[], "ERROR: (BadGateway)", [], ["scan_activities"]]
    subscription = existing(tmp_path, functions=seen)

    ran = subscription.run("deploy.sh", *PACKAGE)

    assert (ran.returncode, len(subscription.calls("functionapp function list"))) == (0, 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "--environment is missing"),
        ("--environment", "--environment needs a value"),
        ("--environment pröd", "may have letters, digits"),
        (f"--environment {'a' * 51}", "it may have 50 characters"),
        ("--environment prod --api-url x", "--location is missing"),
        ("--environment prod --location x", "--api-url is missing"),
        ("--environment prod --parameters", "--parameters needs a value"),
        ("--environment prod --parameters scan", "neither FILE.bicepparam nor NAME=VALUE"),
        ("--environment prod --parameters no.bicepparam", "there is no file no.bicepparam"),
        ("--package-only --infrastructure-only", "cannot be combined"),
        ("prod", "unknown argument 'prod'"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_asked(
    tmp_path: Path, arguments: str, said: str
) -> None:
    """The error says what is wrong, and Azure is never called."""
    subscription = azure(tmp_path)

    ran = subscription.run("deploy.sh", *arguments.split())

    assert (ran.returncode, subscription.state()["calls"]) == (1, [])
    assert said in ran.stderr


def test_a_signed_out_cli_is_reported(tmp_path: Path) -> None:
    """The error names the commands that sign in."""
    subscription = azure(tmp_path, account=None)

    ran = subscription.run("deploy.sh", *USUAL)

    assert (ran.returncode, changes(subscription)) == (1, [])
    assert "nobody is signed in: run 'az login'" in ran.stderr


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    """It stops before it asks or changes anything."""
    subscription = azure(tmp_path)
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    ran = subscription.run("deploy.sh", *USUAL, PYTHON=str(old))

    assert (ran.returncode, subscription.state()["calls"]) == (1, [])
    assert "this needs Python 3.11 or later" in ran.stderr


def test_help_needs_no_sign_in(tmp_path: Path) -> None:
    """It works on a machine where nobody is signed in."""
    subscription = azure(tmp_path, account=None)

    ran = subscription.run("deploy.sh", "--help")

    assert (ran.returncode, ran.stderr, subscription.state()["calls"]) == (0, "", [])
    assert "  deploy.sh --environment NAME" in ran.stdout
