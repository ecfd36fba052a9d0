"""What azd reads, and the steps that it runs against a stand-in for the Azure CLI."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.scripts.ncrontab import parse
from tests.infra.azure_cli import ROOT, SCRIPTS, Azure
from tests.infra.test_role_scripts import GRANTED, api, identity

PROJECT: dict[str, Any] = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))
STEPS = {
    **PROJECT["hooks"],
    **PROJECT["services"]["collector"]["hooks"],
    "prepackage_table": PROJECT["services"]["table"]["hooks"]["prepackage"],
}
SYSTEMS = {"posix": ("sh", "python3"), "windows": ("pwsh", "python")}
HOOKS = SCRIPTS / "azd_hooks.py"
STEP = [sys.executable, "-m", "infra.scripts.azd_hooks"]

GIVEN = {
    "PYTHONPATH": str(ROOT),
    "FUNCTION_APP_NAME": "func-contoso",
    "AZURE_RESOURCE_GROUP": "rg-contoso",
    "AZURE_SUBSCRIPTION_ID": "22222222-3333-4444-5555-666666666666",
    "IDENTITY_PRINCIPAL_ID": "bbbbbbbb-0000-0000-0000-000000000002",
    "GRANT_WAIT_SECONDS": "0",
    "FUNCTION_TRIES": "2",
}
"""The environment that azd sets after provisioning, and where it runs a step."""


def step(azure: Azure, name: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one step as azd runs it."""
    return azure.program([*STEP, name], **(GIVEN | env))


def with_parameters(folder: Path, **values: object) -> Azure:
    """Return a machine with a copy of the project whose parameter file has these values."""
    scripts = folder / "infra/scripts"
    scripts.mkdir(parents=True)
    for script in SCRIPTS.glob("*.py"):
        (scripts / script.name).write_text(script.read_text("utf-8"))
    file = {name: {"value": value} for name, value in {"timeBudget": "4m", **values}.items()}
    (folder / "infra/main.bicep").write_text((ROOT / "infra/main.bicep").read_text("utf-8"))
    (folder / "infra/main.parameters.json").write_text(json.dumps({"parameters": file}))
    return Azure(folder)


def test_each_service_is_found_by_its_tag() -> None:
    """The tag azd-service-name of its app is the service's name."""
    files = [*(ROOT / "infra").glob("*.bicep"), *(ROOT / "infra/modules").glob("*.bicep")]
    text = "\n".join(file.read_text("utf-8") for file in files)

    assert "'azd-service-name': serviceName" in text
    assert set(re.findall(r"serviceName: '(\w+)'", text)) == set(PROJECT["services"])


def test_the_service_is_this_folder_as_a_python_function() -> None:
    """host.json is in the project's folder, where azd and the host look for it."""
    service = PROJECT["services"]["collector"]

    assert service == {
        "project": ".",
        "language": "python",
        "host": "function",
        "remoteBuild": False,
        "hooks": service["hooks"],
    }
    assert (ROOT / service["project"] / "host.json").is_file()


def test_the_table_is_a_service_only_where_it_is_deployed() -> None:
    """The same variable switches the template's option on."""
    service = PROJECT["services"]["table"]
    file = json.loads((ROOT / "infra/main.parameters.json").read_text("utf-8"))

    assert service == {
        "project": "table",
        "language": "python",
        "host": "function",
        "condition": "${TABLE=false}",
        "remoteBuild": False,
        "hooks": service["hooks"],
    }
    assert file["parameters"]["table"] == {"value": service["condition"]}
    assert (ROOT / service["project"] / "host.json").is_file()


def test_the_folder_of_the_table_is_assembled_with_its_libraries(tmp_path: Path) -> None:
    """Azd packs it as it is, and builds nothing remotely."""
    azure = with_parameters(tmp_path)
    shutil.copytree(ROOT / "table", tmp_path / "table")
    shutil.copytree(ROOT / "shared", tmp_path / "shared")

    ran = azure.program([*STEP, "prepackage_table"])

    assert (ran.returncode, ran.stderr) == (0, "")
    assert (tmp_path / "table/shared/table/running.py").is_file()
    assert not (tmp_path / "table/shared/scan").exists()
    assert (tmp_path / "table/.python_packages/lib/site-packages/isal/__init__.py").is_file()


def test_a_folder_of_the_table_that_is_no_app_is_not_packed(tmp_path: Path) -> None:
    """The reason is the packaging script's."""
    azure = with_parameters(tmp_path)

    ran = azure.program([*STEP, "prepackage_table"])

    assert ran.returncode == 1
    assert "error: there is no .funcignore in" in ran.stderr


def test_after_the_deployment_the_table_s_function_is_checked_too(tmp_path: Path) -> None:
    """If the environment has such an app."""
    azure = Azure(tmp_path, functions=[["scan_activities"], ["write_table"]])

    ran = step(azure, "postdeploy", TABLE_APP_NAME="func-table")

    assert ran.returncode == 0
    assert "func-table has the function write_table and no unexpected one." in ran.stdout


def test_the_infrastructure_is_where_azure_yaml_says() -> None:
    """The template and the parameter file that azd fills in are both there."""
    infra = PROJECT["infra"]

    assert infra["provider"] == "bicep"
    assert (ROOT / infra["path"] / f"{infra['module']}.bicep").is_file()
    assert (ROOT / infra["path"] / f"{infra['module']}.parameters.json").is_file()


def test_azd_asks_for_what_the_template_asks_for() -> None:
    """Its file names a variable for each parameter without a default, and no other."""
    text = (ROOT / "infra/main.bicep").read_text("utf-8")
    file = json.loads((ROOT / "infra/main.parameters.json").read_text("utf-8"))

    assert set(re.findall(r"^param (\w+) \w+$", text, re.MULTILINE)) <= set(file["parameters"])


def test_azd_accepts_the_name_of_the_project() -> None:
    """It has lower-case letters, digits and hyphens only."""
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", PROJECT["name"])


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("name", STEPS)
def test_a_hook_runs_its_step_on_every_system(name: str, system: str) -> None:
    """One program serves all systems, under the name that Python has on each."""
    shell, python = SYSTEMS[system]

    run = STEPS[name][system]

    # A hook of a service runs in the service's folder.
    place = "cd .. && " if name == "prepackage_table" else ""
    assert run == {"shell": shell, "run": f"{place}{python} -m infra.scripts.azd_hooks {name}"}


def test_every_step_has_its_hook() -> None:
    """There is no other hook, and no step that nothing runs."""
    text = HOOKS.read_text("utf-8")

    assert set(STEPS) == set(re.findall(r'^    "(\w+)": \w+,$', text, re.MULTILINE))


def test_before_provisioning_the_schedule_is_checked(tmp_path: Path) -> None:
    """Without one in the parameter file, azd deploys the template's default, which is checked."""
    azure = Azure(tmp_path)

    ran = step(azure, "preprovision")

    assert ran.returncode == 0
    assert "The host accepts '0 */5 * * * *'" in ran.stdout


@pytest.mark.parametrize(
    ("written", "variable", "code", "said"),
    [
        ("0 0 24 * * *", "", 1, "24 is not between 0 and 23"),
        ("${SCAN_SCHEDULE}", "0 */10 * * * *", 0, "accepts '0 */10 * * * *'"),
        ("${SCAN_SCHEDULE=0 */15 * * * *}", "", 0, "accepts '0 */15 * * * *'"),
        ("${SCAN_SCHEDULE}", "@hourly", 1, "macros such as @hourly"),
    ],
)
def test_a_schedule_in_azds_file_is_read_as_azd_reads_it(
    tmp_path: Path, written: str, variable: str, code: int, said: str
) -> None:
    """Variables come from azd's environment, or have a default."""
    azure = with_parameters(tmp_path, schedule=written)

    ran = azure.program([*STEP, "preprovision"], SCAN_SCHEDULE=variable)

    assert ran.returncode == code
    assert said in ran.stdout + ran.stderr


def test_before_provisioning_a_private_network_the_registration_is_printed(tmp_path: Path) -> None:
    """Without it, Azure refuses the network's subnet late in the deployment."""
    azure = with_parameters(tmp_path, networkIsolation=True, schedule="0 */5 * * * *")

    ran = azure.program([*STEP, "preprovision"])

    assert ran.returncode == 0
    assert "az provider register --namespace Microsoft.App" in ran.stdout


def test_the_templates_default_schedule_is_found() -> None:
    """Both ways of deploying read it from the template's text."""
    text = (ROOT / "infra/main.bicep").read_text("utf-8")

    (default,) = re.findall(r"^param schedule string = '(.*)'$", text, re.MULTILINE)

    assert parse(default).values


def test_a_new_app_is_given_time_for_its_grants(tmp_path: Path) -> None:
    """Publishing at once gets a 403, as the identity's grants are not known yet."""
    azure = Azure(tmp_path, functions=[[]])

    ran = step(azure, "postprovision")

    assert ran.returncode == 0
    assert "Waiting 0 s: grants to a new identity take a while" in ran.stdout


def test_an_app_that_works_is_not_waited_for(tmp_path: Path) -> None:
    """Its grants are already in effect."""
    azure = Azure(tmp_path)

    ran = step(azure, "postprovision")

    assert (ran.returncode, ran.stdout) == (0, "")


def test_after_deploying_the_function_is_looked_for(tmp_path: Path) -> None:
    """The check uses azd's subscription, which may differ from the Azure CLI's."""
    azure = Azure(tmp_path)

    ran = step(azure, "postdeploy")

    (call,) = azure.calls("functionapp function list")
    assert ran.returncode == 0
    assert f"--subscription {GIVEN['AZURE_SUBSCRIPTION_ID']}" in call
    assert "func-contoso has the function scan_activities and no unexpected one." in ran.stdout


def test_before_deploying_the_role_is_looked_for(tmp_path: Path) -> None:
    """Publishing comes next, and the app's first token would lack the role for a day."""
    azure = Azure(tmp_path, servicePrincipals=[api(), identity()], denied=["post .*"])

    ran = step(azure, "predeploy")

    assert ran.returncode == 1
    assert f"grant-app-role.sh --principal-id {GIVEN['IDENTITY_PRINCIPAL_ID']}" in ran.stderr


def test_before_deploying_an_existing_role_is_enough(tmp_path: Path) -> None:
    """This is the case in every deployment after the first."""
    azure = Azure(tmp_path, servicePrincipals=[api(), identity(GRANTED)])

    assert step(azure, "predeploy").returncode == 0


@pytest.mark.parametrize(("told", "code"), [("", 1), ("true", 0)])
def test_without_anybody_signed_in_azd_publishes_when_it_is_told_to(
    tmp_path: Path, told: str, code: int
) -> None:
    """An administrator has seen to it: `azd env set MDA_ROLE_GRANTED true`."""
    azure = Azure(tmp_path, account=None)

    assert step(azure, "predeploy", MDA_ROLE_GRANTED=told).returncode == code


def test_the_end_states_whom_alerts_reach(tmp_path: Path) -> None:
    """If no address was given, it says that they reach nobody."""
    azure = Azure(tmp_path)

    ran = step(azure, "postdeploy", ALERTS_REACH="ops@contoso.example")

    assert "Alerts reach ops@contoso.example." in ran.stdout


def test_a_signed_out_azure_cli_does_not_fail_azd(tmp_path: Path) -> None:
    """The sign-in of azd is separate, so the check is skipped at once."""
    azure = Azure(tmp_path, account=None)

    ran = step(azure, "postdeploy")

    assert (ran.returncode, azure.calls("functionapp function list")) == (0, [])
    assert "Not checked whether func-contoso has its function" in ran.stdout


@pytest.mark.parametrize(("region", "code"), [("West Europe", 0), ("antarctica", 1), ("", 0)])
def test_before_provisioning_the_region_is_checked(tmp_path: Path, region: str, code: int) -> None:
    """It is checked if the Azure CLI can list the regions with Flex Consumption."""
    ran = step(Azure(tmp_path), "preprovision", AZURE_LOCATION=region)

    assert ran.returncode == code


@pytest.mark.parametrize(
    ("address", "code"), [("contoso.eu2.portal.cloudappsecurity.com/api", 0), ("contoso", 1)]
)
def test_before_provisioning_the_address_of_the_api_is_checked(
    tmp_path: Path, address: str, code: int
) -> None:
    """The check agrees with the template's and the program's."""
    ran = step(Azure(tmp_path), "preprovision", MDA_API_URL=address)

    assert ran.returncode == code


def test_the_package_includes_its_libraries(tmp_path: Path) -> None:
    """They are in the folder that azd packs, since azd builds nothing remotely."""
    azure = with_parameters(tmp_path, schedule="0 */5 * * * *")

    ran = azure.program([*STEP, "prepackage"])

    assert ran.returncode == 0
    assert (tmp_path / ".python_packages/lib/site-packages/isal/__init__.py").is_file()


def test_an_app_without_its_function_fails_azd(tmp_path: Path) -> None:
    """Otherwise `azd up` would succeed while nothing runs."""
    azure = Azure(tmp_path, functions=[[]])

    ran = step(azure, "postdeploy")

    assert ran.returncode == 1
    assert "should have the function scan_activities, but has none" in ran.stderr


def test_without_the_azure_cli_the_check_is_skipped_with_a_message(tmp_path: Path) -> None:
    """Signing in works with azd alone, so some machines do not have the CLI."""
    azure = Azure(tmp_path)

    ran = step(azure, "postdeploy", PATH=str(tmp_path))

    assert ran.returncode == 0
    assert "Not checked whether func-contoso has its function" in ran.stdout


@pytest.mark.parametrize("name", ["postprovision", "predeploy", "postdeploy"])
def test_a_step_without_azds_environment_says_what_is_missing(tmp_path: Path, name: str) -> None:
    """Someone may run the step by hand."""
    azure = Azure(tmp_path)

    ran = step(azure, name, FUNCTION_APP_NAME="")

    assert ran.returncode == 1
    assert "FUNCTION_APP_NAME, AZURE_RESOURCE_GROUP" in ran.stderr


def test_an_unknown_step_is_refused(tmp_path: Path) -> None:
    """The error lists the steps that exist."""
    azure = Azure(tmp_path)

    ran = step(azure, "predown")

    assert ran.returncode == 2
    assert "preprovision, postprovision, prepackage, prepackage_table, predeploy" in ran.stderr
