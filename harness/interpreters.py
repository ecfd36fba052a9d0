"""Finds a Python of the version with which Azure runs the function, if the machine has one."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

AZURE = (3, 13)
"""The version that the template configures for the app."""

HOW_TO_GET_IT = "install Python 3.13, for example with `uv python install 3.13`"


def azure_python(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return a Python of Azure's version that really runs, or None.

    Looks at the running Python, on PATH, at those of pyenv and uv, and next to the running one.
    """
    return next((path for path in _candidates(environ) if version(path) == AZURE), None)


def version(python: Path) -> tuple[int, ...] | None:
    """Return the version of an interpreter, such as (3, 13), or None if it does not run.

    A shim of pyenv on PATH fails unless its version is activated.
    """
    said = _said([str(python), "-c", "import sys; print(*sys.version_info[:2])"])
    return tuple(map(int, said.split())) if said else None


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield possible interpreters; their names need not tell their version."""
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
    # HOME and PATH may differ from the user's in a clean environment.
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
    """Return the output of a command, or nothing if it fails."""
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return ran.stdout.strip()
