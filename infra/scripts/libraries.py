"""Installs the package's libraries for Azure: python infra/scripts/libraries.py FOLDER.

With --python-of PACKAGE.zip it says instead for which Python those in a package were made.

They are for CPython 3.13 on Linux x86-64, whatever runs this. Every file is checked against its
digest in requirements.txt, and only wheels are taken, so nothing of a library runs while it is
installed. The same requirements make the same files. It needs uv or Python 3.13: requirements that
depend on the version of Python are read for the one that installs.

Exit codes: 0, or 1 with the reason. Python 3.11 and its standard library suffice to start it.
"""
# ruff: noqa: INP001 - a script that stands on its own

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
"""Where the Functions worker finds libraries that a package brings."""

VERSION = (3, 13)

PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
"""Azure's image has glibc 2.36; wheels for an older one run there."""

LEFT_OUT = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"}
"""What says how a library came here: it differs from machine to machine, and nothing reads it."""

HOW = "install uv (https://docs.astral.sh/uv/) or Python 3.13"


class LibrariesError(Exception):
    """The libraries are not installed; the message says why."""


def install(requirements: Path, folder: Path) -> str:
    """Install what a file requires into a folder, and return what did it.

    Raises:
        LibrariesError: there is neither uv nor Python 3.13, or it failed.
    """
    options = ["--require-hashes", "--only-binary", ":all:", "--target", str(folder)]
    if uv := shutil.which("uv"):
        name = "uv"
        command = [uv, "pip", "install", "--quiet", "--no-config", *options]
        command += ["--python-version", "3.13", "--python-platform", "x86_64-manylinux_2_28"]
        command += ["--python", sys.executable]
    elif python := _python():
        name = f"pip of {python}"
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        command += ["--no-compile", *options, "--python-version", "3.13", "--implementation", "cp"]
        command += [it for abi in ("cp313", "abi3", "none") for it in ("--abi", abi)]
        command += [it for platform in PLATFORMS for it in ("--platform", platform)]
    else:
        raise LibrariesError(f"there is neither uv nor Python 3.13 here: {HOW}")
    ran = subprocess.run(  # noqa: S603 - as it is found on PATH
        [*command, "--requirement", str(requirements)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if ran.returncode:
        raise LibrariesError(f"{name} did not install them: {ran.stderr.strip()}")
    _clean(folder)
    return name


def _python() -> str | None:
    """Return a Python 3.13 that runs and has pip; a shim of a version manager may not."""
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
    """Remove what is not the library itself: commands, compiled files, notes of the installer."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for path in sorted(folder.rglob("*")):
        if path.name == "__pycache__":
            shutil.rmtree(path)
        elif path.name in LEFT_OUT and path.parent.suffix == ".dist-info":
            path.unlink()


def python_of(package: Path) -> str:
    """Return for which Python the libraries in a package were made, as their wheels say.

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
        return "no Python: it brings no libraries"
    versions = sorted(f"{major.decode()}.{minor.decode()}" for major, minor in found)
    return f"Python {' and '.join(versions)}" if versions else "any Python"


def main(arguments: Sequence[str]) -> int:
    """Install the libraries of this repository into a folder, and return the exit code."""
    if arguments[:1] == ["--python-of"] and len(arguments) == 2:  # noqa: PLR2004 - and its value
        try:
            sys.stdout.write(f"{python_of(Path(arguments[1]))}\n")
        except LibrariesError as error:
            sys.stderr.write(f"error: {error}\n")
            return 1
        return 0
    if len(arguments) != 1:
        sys.stderr.write("error: name one folder\n")
        return 1
    try:
        name = install(ROOT / "requirements.txt", Path(arguments[0]))
    except LibrariesError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write(f"Installed for CPython 3.13 on Linux x86-64, by {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
