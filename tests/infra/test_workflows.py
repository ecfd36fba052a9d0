"""The workflows of the repository: their permissions, what they run, and what they name."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.azure_cli import ROOT

FOLDER = ROOT / ".github/workflows"
FILES = sorted(FOLDER.glob("*.yml"))
COMPILER = "0.49.2"
"""The version of the Bicep compiler that made the predictions."""

named = pytest.mark.parametrize("file", FILES, ids=lambda it: it.stem)


def workflow(file: Path) -> dict[str, Any]:
    """Return a workflow; YAML reads its key `on` as true."""
    read: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return read


def jobs(file: Path) -> list[dict[str, Any]]:
    """Return the jobs of a workflow."""
    return list(workflow(file)["jobs"].values())


def steps(file: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs of a workflow."""
    return [step for job in jobs(file) for step in job["steps"]]


def deploy_step() -> dict[str, Any]:
    """Return the step that deploys."""
    (step,) = [it for it in steps(FOLDER / "deploy.yml") if "deploy.sh" in it.get("run", "")]
    return step


def deploy_arguments(folder: Path, **env: str) -> list[str]:
    """Run the step that deploys with a script that only records how it was called."""
    script = folder / "infra/scripts/deploy.sh"
    script.parent.mkdir(parents=True)
    script.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    script.chmod(0o755)
    empty = dict.fromkeys(deploy_step()["env"], "")
    ran = subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", deploy_step()["run"]],
        cwd=folder,
        env={"PATH": os.environ["PATH"]} | empty | env,
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.splitlines()


@named
def test_a_workflow_may_only_read(file: Path) -> None:
    """A job that signs in, attests or publishes a release may do that in addition."""
    assert workflow(file)["permissions"] == {"contents": "read"}
    for job in jobs(file):
        needed = {"contents": "read"}
        for step in job["steps"]:
            if step.get("uses", "").startswith("azure/login@"):
                needed |= {"id-token": "write"}
            if step.get("uses", "").startswith("actions/attest@"):
                needed |= {"id-token": "write", "attestations": "write"}
            if "gh release create" in step.get("run", ""):
                needed |= {"contents": "write"}
        assert job.get("permissions", {"contents": "read"}) == needed


@named
def test_no_secret_is_kept_for_a_workflow(file: Path) -> None:
    """It signs in with OIDC, so nothing has to be renewed and nothing can be stolen."""
    text = file.read_text("utf-8")

    assert not re.search(r"\bsecrets\.|creds:|client-secret|publish-profile|password", text)


@named
def test_a_checkout_keeps_no_credential(file: Path) -> None:
    """Code of a pull request that a step runs cannot use it."""
    checkouts = [
        step for step in steps(file) if step.get("uses", "").startswith("actions/checkout")
    ]

    assert [step["with"] for step in checkouts] == [{"persist-credentials": False}] * len(checkouts)


@named
def test_text_from_outside_is_not_part_of_a_script(file: Path) -> None:
    """A variable or input is passed through the environment: it is data, never a command."""
    assert [step["run"] for step in steps(file) if "${{" in step.get("run", "")] == []


@named
def test_actions_have_a_known_origin_and_are_pinned(file: Path) -> None:
    """They are GitHub's or Microsoft's, each pinned to a commit: a tag can be moved."""
    used = re.findall(r"uses: (.*)", file.read_text("utf-8"))

    pinned = r"(actions|azure)/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    assert all(re.fullmatch(pinned, name) for name in used), used


def test_pins_are_kept_current() -> None:
    """This covers actions and requirements; a pin that nobody renews keeps its bugs."""
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text("utf-8"))["updates"]

    assert {it["package-ecosystem"] for it in updates} == {"github-actions", "pip"}


def test_a_release_is_attested_unless_the_repository_is_private() -> None:
    """Private repositories need another plan for attestations; the log says so."""
    conditions = [step["if"] for step in steps(FOLDER / "release.yml") if "if" in step]

    private = "github.event.repository.private"
    assert conditions == [f"${{{{ !{private} }}}}", f"${{{{ {private} }}}}"]


def test_an_action_has_one_version_in_all_workflows() -> None:
    """Two versions could behave differently."""
    used = {step["uses"] for file in FILES for step in steps(file) if "uses" in step}

    assert len({name.partition("@")[0] for name in used}) == len(used)


@named
def test_programs_of_this_repository_exist(file: Path) -> None:
    """They are executable, too."""
    text = "\n".join(step.get("run", "") for step in steps(file))
    scripts = re.findall(r"\binfra/[\w/.-]+\.(?:sh|py)\b", text)
    targets = re.findall(r"^make (\w+)", text, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text("utf-8")

    assert scripts or targets
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@named
def test_the_compiler_has_the_version_of_the_predictions(file: Path) -> None:
    """Another version may word the prediction of the same deployment differently."""
    text = file.read_text("utf-8")

    assert re.findall(r"az bicep install --version v([\d.]+)", text) == [COMPILER]


@named
def test_a_job_has_a_timeout(file: Path) -> None:
    """One that hangs is stopped."""
    assert all(0 < job["timeout-minutes"] <= 60 for job in jobs(file))


def test_deployments_wait_for_each_other() -> None:
    """Those to the same environment do; none is cancelled midway."""
    concurrency = workflow(FOLDER / "deploy.yml")["concurrency"]

    assert concurrency["cancel-in-progress"] is False
    assert "inputs.environment" in concurrency["group"]


def test_a_deployment_is_to_a_protected_environment() -> None:
    """The environment's rules say who may deploy, and the OIDC subject names it."""
    (job,) = jobs(FOLDER / "deploy.yml")

    assert job["environment"] == "${{ inputs.environment || 'production' }}"


def test_deployments_are_started_by_hand_or_by_a_release() -> None:
    """A pull request never starts one."""
    started = yaml.load((FOLDER / "deploy.yml").read_text("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - our own file; this loader makes text only

    assert set(started["on"]) == {"workflow_dispatch", "push"}
    assert started["on"]["push"] == {"tags": ["v*"]}


def test_the_deployment_is_given_the_variables_of_the_environment(tmp_path: Path) -> None:
    """They may contain any characters."""
    arguments = deploy_arguments(
        tmp_path,
        WHAT="all",
        AZURE_ENV_NAME="prod",
        AZURE_LOCATION="westeurope",
        MDA_API_URL="https://contoso.example/$(id)",
        PARAMETERS_FILE="infra/my prod.bicepparam",
    )

    assert arguments == [
        *("--environment", "prod", "--location", "westeurope"),
        *("--api-url", "https://contoso.example/$(id)", "--alert-email", ""),
        *("--parameters", "infra/my prod.bicepparam"),
    ]


def test_an_upgrade_of_the_code_needs_no_more_than_a_name(tmp_path: Path) -> None:
    """The infrastructure stays as it is."""
    arguments = deploy_arguments(tmp_path, WHAT="package-only", AZURE_ENV_NAME="prod")

    assert arguments == ["--environment", "prod", "--package-only"]


def test_the_package_is_loaded_with_the_python_of_azure() -> None:
    """Every job that runs the tests has 3.13 beside its own version."""
    (setup,) = [
        step["with"]["python-version"]
        for step in steps(FOLDER / "ci.yml")
        if step.get("uses", "").startswith("actions/setup-python")
    ]

    assert setup.split("\n")[:2] == ["3.13", "${{ matrix.python }}"]
