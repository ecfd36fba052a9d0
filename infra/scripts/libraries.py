"""Installs the package's libraries for Azure: python infra/scripts/libraries.py FOLDER.

With --python-of PACKAGE.zip it prints for which Python the libraries in a package were made.

The libraries are for CPython 3.13 on Linux x86-64, whatever machine installs them. Every file is
checked against its digest in requirements.txt, and only wheels are used, so no code of a library
runs during the installation. The same requirements always give the same files. This needs uv or
Python 3.13, because pip evaluates conditions on the Python version for the Python that runs it.

Exit codes: 0, 1 with the reason, 2 for wrong arguments. Python 3.11 and its standard library
suffice to start it.
"""
# ruff: noqa: INP001 - a script that stands on its own

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

FOLDER = ".python_packages/lib/site-packages"
"""Where the Functions worker looks for the libraries in a package."""

VERSION = (3, 13)

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""Azure's image has glibc 2.36, so wheels for an older glibc run there."""

LEFT_OUT = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"}
"""Files about how a library was installed: they differ by machine, and nothing reads them."""

HOW = "install uv (https://docs.astral.sh/uv/) or Python 3.13"


class LibrariesError(Exception):
    """The libraries cannot be installed or read; the message explains why."""


def install(requirements: Path, folder: Path) -> str:
    """Install the requirements of a file into a folder, and return the installer's name.

    Raises:
        LibrariesError: there is neither uv nor Python 3.13, or the installation failed.
    """
    name, command = _installer()
    options = ["--require-hashes", "--only-binary", ":all:", "--target", str(folder)]
    ran = subprocess.run(  # noqa: S603 - as it is found on PATH
        [*command, *options, "--requirement", str(requirements)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if ran.returncode:
        raise LibrariesError(f"{name} did not install them: {ran.stderr.strip()}")
    _clean(folder)
    return name


def _installer() -> tuple[str, list[str]]:
    """Return the name of the installer and its command for Azure's Python and platform."""
    if uv := shutil.which("uv"):
        target = ("--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28")
        command = [uv, "pip", "install", "--quiet", "--no-config", *target]
        return "uv", [*command, "--python", sys.executable]
    if python := _python():
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--no-compile", "--python-version", "3.13", "--implementation", "cp"]
        command += [it for abi in ("cp313", "abi3", "none") for it in ("--abi", abi)]
        command += [it for platform in PLATFORMS for it in ("--platform", platform)]
        return f"pip of {python}", command
    raise LibrariesError(f"there is neither uv nor Python 3.13 here: {HOW}")


def _python() -> str | None:
    """Return a Python 3.13 that runs and has pip (the shim of a version manager may not)."""
    found = [sys.executable] if sys.version_info[:2] == VERSION else []
    found += [name for name in (os.environ.get("PYTHON", ""), "python3.13", "py") if name]
    for name in found:
        asked = f"import pip, sys; sys.exit(sys.version_info[:2] != {VERSION})"
        try:
            ran = subprocess.run([name, "-c", asked], capture_output=True, check=False)  # noqa: S603
        except OSError:
            continue
        if ran.returncode == 0:
            return name
    return None


def _clean(folder: Path) -> None:
    """Remove everything but the libraries: commands, compiled files, notes of the installer."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for path in sorted(folder.rglob("*")):
        if path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.name in LEFT_OUT and path.parent.suffix == ".dist-info":
            path.unlink()


def python_of(package: Path) -> str:
    """Return for which Python the libraries in a package were made, according to their wheels.

    Raises:
        LibrariesError: it is not a zip file.
    """
    tag = re.compile(rb"^Tag: cp(\d)(\d+)-cp\1\2", re.MULTILINE)
    try:
        with zipfile.ZipFile(package) as opened:
            notes = [it for it in opened.namelist() if it.endswith(".dist-info/WHEEL")]
            found = {it for note in notes for it in tag.findall(opened.read(note))}
    except (OSError, zipfile.BadZipFile) as error:
        raise LibrariesError(f"{package} is not a package: {error}") from error
    if not notes:
        return "no Python, since it contains no libraries"
    versions = sorted(f"{major.decode()}.{minor.decode()}" for major, minor in found)
    return f"Python {' and '.join(versions)}" if versions else "any Python"


def main(arguments: Sequence[str] | None = None) -> int:
    """Install the libraries of this repository, or inspect a package; return the exit code."""
    parser = argparse.ArgumentParser(description="Install the package's libraries for Azure.")
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="where to install")
    group.add_argument(
        "--python-of",
        type=Path,
        metavar="PACKAGE.zip",
        help="print for which Python the libraries in a package were made",
    )
    asked = parser.parse_args(arguments)
    try:
        if asked.python_of:
            said = python_of(asked.python_of)
        else:
            name = install(ROOT / "requirements.txt", asked.folder)
            said = f"Installed for CPython 3.13 on Linux x86-64, by {name}"
    except LibrariesError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"{said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
