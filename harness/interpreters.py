"""Finds the Python with which Azure runs the function, where the machine has it."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

AZURE = (3, 13)
"""The version that the infrastructure asks Azure for."""

HOW_TO_GET_IT = "install Python 3.13, for example with `uv python install 3.13`"


def azure_python(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return a Python of Azure's version that really runs, or None.

    The one that runs this, one on PATH, of pyenv, of uv, or beside this one, in this order.
    """
    return next((path for path in _candidates(environ) if version(path) == AZURE), None)


def version(python: Path) -> tuple[int, ...] | None:
    """Return the version that an interpreter has, as (3, 13); None when it does not run.

    A shim of pyenv is found on PATH, and fails when its version is not switched on.
    """
    said = _said([str(python), "-c", "import sys; print(*sys.version_info[:2])"])
    return tuple(map(int, said.split())) if said else None


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield where it may be; the files need not be what they are named for."""
    yield Path(sys.executable)
    search = environ.get("PATH", "")
    for folder in search.split(os.pathsep):
        if found := shutil.which("python3.13", path=folder):
            yield Path(found)
    for versions in _pyenv(environ):
        yield from _in(versions)
    uv = shutil.which("uv", path=search)
    if uv and (found := _said([uv, "python", "find", "--no-project", "3.13"])):
        yield Path(found)
    # HOME and PATH may be others than the user's: a clean environment has its own.
    yield from _in(Path(sys.base_prefix).parent)
    yield from _in(Path(pwd.getpwuid(os.getuid()).pw_dir) / ".pyenv" / "versions")


def _pyenv(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders in which pyenv keeps versions."""
    if root := environ.get("PYENV_ROOT"):
        yield Path(root) / "versions"
    if home := environ.get("HOME"):
        yield Path(home) / ".pyenv" / "versions"


def _in(versions: Path) -> list[Path]:
    """Return the interpreters in a folder of versions, the newest first."""
    return sorted(versions.glob("*3.13*/bin/python3.13"), reverse=True)


def _said(command: list[str]) -> str:
    """Return what a command prints; nothing when it fails."""
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return ran.stdout.strip()
