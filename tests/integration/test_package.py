"""The deployed package in a clean folder, with its own libraries and Azure's Python."""

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.azurite import Azurite, azurite
from harness.feed import Feed
from harness.interpreters import AZURE, HOW_TO_GET_IT, azure_python, version
from infra.scripts.package import pack
from simulator import IdentityEndpoint, Simulator
from tests.integration.test_scan_over_http import OPEN, history
from tests.once import made_once

ROOT = Path(__file__).parents[2]
LIBRARIES = Path(".python_packages/lib/site-packages")
SCHEDULE = {"SCAN_SCHEDULE": "0 */5 * * * *"}

LARGEST_CODE = 320 * 1024
"""Bytes of the program in what is uploaded; 82 KiB when this was set."""

LARGEST_ZIP = 16 * 1024 * 1024
"""Bytes of what is uploaded, with its libraries; 7.6 MiB when this was set."""

LARGEST_LIBRARIES = 48 * 1024 * 1024
"""Bytes of the libraries, unpacked; 26 MiB when this was set.

A cold start reads them, so a library that doubles this is worth a second thought.
"""

AID = r"^(azure-functions-runtime|azurefunctions-extensions-base)==([\d.]+)"
"""Libraries that the platform provides, so that ours need not include them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The package as it lies in Azure after the build there.

    Attributes:
        python: the interpreter.
        app: the folder with host.json.
        platform: the folder with the platform's own libraries.
        archive: the zip that was uploaded.
    """

    python: Path
    app: Path
    platform: Path
    archive: Path

    def drive(self, env: dict[str, str], *options: str) -> list[dict[str, Any]]:
        """Drive it as the host does, without any other module, and return its output.

        The interpreter's own site-packages are left out (-S).
        """
        places = (self.app / LIBRARIES, self.platform)
        ran = subprocess.run(
            [self.python, "-S", "-m", "harness.functions_host", "--app", self.app, *options],
            cwd=ROOT,
            env=env | {"PYTHONPATH": os.pathsep.join(map(str, places))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.stdout, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]


def only(kind: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the only line of a kind."""
    (found,) = [line for line in lines if line["kind"] == kind]
    return found


@pytest.fixture(scope="module")
def python(request: pytest.FixtureRequest) -> Path:
    """Return Azure's Python; outside CI this one replaces a missing one, with a warning."""
    found = azure_python()
    if found:
        return found
    wanted = ".".join(map(str, AZURE))
    if os.environ.get("CI"):
        pytest.fail(f"the package is to be tested with Python {wanted}: {HOW_TO_GET_IT}")
    own = ".".join(map(str, sys.version_info[:2]))
    capture = request.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else nullcontext():
        sys.stdout.write(
            f"\nThe package is tested with Python {own}; Azure runs {wanted} ({HOW_TO_GET_IT}).\n"
        )
    return Path(sys.executable)


def installed(cache: Path, python: Path, contents: str, *arguments: str) -> Path:
    """Return a folder with packages for an interpreter, cached after the first installation."""
    said = f"{contents} {version(python)} {sys.platform}"

    def install(folder: Path) -> None:
        command = [str(pip_of(cache, python)), "-m", "pip", "install", "--quiet", "--no-compile"]
        options = ["--disable-pip-version-check", "--only-binary", ":all:"]
        subprocess.run([*command, *options, "--target", str(folder), *arguments], check=True)

    return made_once(cache / hashlib.sha256(said.encode()).hexdigest()[:16], install)


def pip_of(cache: Path, python: Path) -> Path:
    """Return an interpreter with its own pip, as another Python's may be too old to run there."""

    def make(folder: Path) -> None:
        subprocess.run([python, "-m", "venv", folder], check=True)

    said = f"{python} {version(python)}"
    name = f"pip-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
    return made_once(cache / name, make) / "bin/python"


@pytest.fixture(scope="module")
def deployed(
    python: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Deployed:
    """Return the package in a clean folder, with only the libraries that it includes."""
    folder = tmp_path_factory.mktemp("deployed")
    archive, app = folder / "released-package.zip", folder / "app"
    cache: Path = request.config.cache.mkdir("package")
    wanted = ROOT / "requirements.txt"
    libraries = installed(cache, python, wanted.read_text("utf-8"), "--requirement", str(wanted))
    pack(ROOT, archive, libraries)
    with zipfile.ZipFile(archive) as package:
        package.extractall(app)
    named = re.findall(AID, (ROOT / "requirements-dev.txt").read_text("utf-8"), re.MULTILINE)
    aid = [f"{name}=={version}" for name, version in named]
    # The worker's library asks for 3.13; an older Python runs it too, as a test aid.
    platform = installed(cache, python, f"{aid}", "--no-deps", "--ignore-requires-python", *aid)
    return Deployed(python=python, app=app, platform=platform, archive=archive)


@pytest.fixture
def storage() -> Iterator[Azurite]:
    """Provide a separate emulator: the containers have their default names."""
    with azurite() as running:
        yield running


def test_the_package_has_exactly_its_function(deployed: Deployed) -> None:
    """The platform reports success without any function, so the set of names is asserted."""
    index = only("index", deployed.drive(SCHEDULE))

    assert (index["exception"], index["success"]) == (None, True)
    assert [function["name"] for function in index["functions"]] == ["scan_activities"]


def test_the_package_has_a_worker_where_there_is_a_queue(deployed: Deployed) -> None:
    """It needs no library for that: the host sends and receives."""
    index = only("index", deployed.drive({**SCHEDULE, "SCAN_FAN_OUT": "true"}))

    assert (index["exception"], index["success"]) == (None, True)
    names = {function["name"] for function in index["functions"]}
    assert names == {"scan_activities", "scan_worker"}


def test_the_package_scans(deployed: Deployed, storage: Azurite) -> None:
    """It signs in by a managed identity and stores what the API holds: no library is missing."""
    tenant = history(600)
    with Simulator(tenant, switches=OPEN) as api, IdentityEndpoint() as identity:
        settings = {
            **SCHEDULE,
            "MDA_API_URL": api.url,
            "MDA_ALLOW_ANY_HOST": "true",
            "MDA_AUTH": "managed-identity",
            "STORAGE_CONNECTION_STRING": storage.connection_string,
            "SCAN_LOOKBACK": "3h",
            "SCAN_SLICE": "15m",
            "SCAN_REQUESTS_PER_MINUTE": "1000",
            **identity.environment,
        }
        ended = only("result", deployed.drive(settings, "--invoke", "scan_activities"))

    assert (ended["exception"], ended["success"]) == (None, True)
    lines = [line for entry in Feed(storage.connection_string).entries() for line in entry.lines]
    assert len(lines) == len(tenant.truth())


def test_without_its_libraries_the_package_does_not_load(deployed: Deployed) -> None:
    """This machine's libraries do not replace them, so the tests above are meaningful."""
    ran = subprocess.run(
        [deployed.python, "-S", "-c", "import function_app"],
        cwd=deployed.app,
        env={"PYTHONPATH": str(deployed.platform)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1
    assert "ModuleNotFoundError: No module named 'azure" in ran.stderr


def test_the_package_includes_nothing_of_the_platform(deployed: Deployed) -> None:
    """Azure has its own worker and would load a second one in its place."""
    names = {path.name.partition("-")[0] for path in (deployed.app / LIBRARIES).iterdir()}

    assert not names & {"azure_functions_runtime", "azure_functions_worker", "azurefunctions"}


def test_the_package_is_small(deployed: Deployed) -> None:
    """The limits cover the upload and what a cold start reads."""
    files = [path for path in (deployed.app / LIBRARIES).rglob("*") if path.is_file()]

    with zipfile.ZipFile(deployed.archive) as package:
        code = [
            it.compress_size
            for it in package.infolist()
            if not it.filename.startswith(LIBRARIES.as_posix())
        ]
    assert sum(code) < LARGEST_CODE
    assert deployed.archive.stat().st_size < LARGEST_ZIP
    assert sum(path.stat().st_size for path in files) < LARGEST_LIBRARIES


def made(program: Path, text: str) -> Path:
    """Write a program."""
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return program


SHIM = "echo 'python3.13: command not found' >&2; exit 127"
REAL = "echo 3 13"


def test_a_python_that_does_not_run_is_skipped(tmp_path: Path) -> None:
    """PATH has pyenv's shims even for versions that are not active."""
    made(tmp_path / "shims/python3.13", SHIM)
    real = made(tmp_path / ".pyenv/versions/3.13.0/bin/python3.13", REAL)

    found = azure_python({"PATH": str(tmp_path / "shims"), "HOME": str(tmp_path)})

    assert found in {Path(sys.executable), real}
    assert version(tmp_path / "shims/python3.13") is None


def test_the_python_of_azure_is_found(tmp_path: Path) -> None:
    """It may be on PATH, in pyenv's folder, or in uv."""
    on_path = made(tmp_path / "bin/python3.13", REAL)
    in_pyenv = made(tmp_path / "pyenv/versions/3.13.2/bin/python3.13", REAL)
    in_uv = made(tmp_path / "store/python", REAL)
    made(tmp_path / "uv/uv", f"echo {in_uv}")
    nothing = {"PATH": "", "HOME": str(tmp_path)}

    found = [
        azure_python(nothing | {"PATH": str(tmp_path / "bin")}),
        azure_python(nothing | {"PYENV_ROOT": str(tmp_path / "pyenv")}),
        azure_python(nothing | {"PATH": str(tmp_path / "uv")}),
    ]

    own = Path(sys.executable)
    wanted = [own] * 3 if version(own) == AZURE else [on_path, in_pyenv, in_uv]
    assert found == wanted


def test_the_version_is_the_one_that_azure_is_asked_for() -> None:
    """Infrastructure and tests state the same version."""
    files = [*(ROOT / "infra").glob("*.bicep"), *(ROOT / "infra/modules").glob("*.bicep")]
    text = "\n".join(file.read_text("utf-8") for file in files)

    (asked,) = re.findall(r"name: 'python'\s+version: '([\d.]+)'", text)

    assert asked == ".".join(map(str, AZURE))
