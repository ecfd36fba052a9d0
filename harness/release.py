"""Builds the files of a release: python -m harness.release FOLDER (`make release`).

- `activity-scan.json`: the compiled template of one resource group.
- `released-package.zip`: the function with its libraries. It is built twice, and the bytes must be
  the same.
- `released-table-package.zip`: the table's app, built in the same way.
- `sbom.json` and `sbom-table.json`: the bills of materials of the libraries in the two packages.
- `SHA256SUMS`: the digests of all these.

It needs the Bicep compiler, and uv or Python 3.13. Without cyclonedx-py it leaves out the bills of
materials and says so.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from harness import bicep, infra
from infra.scripts import libraries, package

TEMPLATE = "activity-scan.json"
PACKAGES = {"collector": "released-package.zip", "table": "released-table-package.zip"}
"""The name of each app's package. The platform requires the first, where it fetches a package."""

MATERIALS = {"collector": "sbom.json", "table": "sbom-table.json"}
DIGESTS = "SHA256SUMS"


class ReleaseError(Exception):
    """Something that a release needs is missing or wrong; the message explains what."""


def write_template(folder: Path) -> None:
    """Write the compiled template."""
    compiled = bicep.template(infra.COLLECTOR)
    text = json.dumps(compiled, indent=2, ensure_ascii=False)
    (folder / TEMPLATE).write_text(f"{text}\n", "utf-8")


def write_package(folder: Path, app: str) -> None:
    """Write the package of an app, built twice.

    Raises:
        ReleaseError: the two differ, so nobody could verify that these sources were built.
    """
    name = PACKAGES[app]
    package.build(infra.ROOT, folder / name, app=app)
    with tempfile.TemporaryDirectory() as second:
        package.build(infra.ROOT, Path(second) / name, app=app)
        if (Path(second) / name).read_bytes() != (folder / name).read_bytes():
            raise ReleaseError(f"{name} was built twice, but the bytes differ")


def write_materials(folder: Path, app: str) -> bool:
    """Write the bill of materials of an app's package; return whether that was possible.

    Raises:
        ReleaseError: the program that makes it fails.
    """
    program = shutil.which("cyclonedx-py")
    if not program:
        return False
    with tempfile.TemporaryDirectory() as place:
        with zipfile.ZipFile(folder / PACKAGES[app]) as packed:
            packed.extractall(place)
        # The program reads an environment, so this makes one with the package's libraries.
        made = Path(place) / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", made], check=True)
        (home,) = made.glob("lib/python*/site-packages")
        shutil.copytree(Path(place) / libraries.FOLDER, home, dirs_exist_ok=True)
        options = ["--output-reproducible", "--of", "JSON", "-o", str(folder / MATERIALS[app])]
        ran = subprocess.run(
            [program, "environment", *options, str(made / "bin/python")],
            capture_output=True,
            text=True,
            check=False,
        )
    if ran.returncode:
        raise ReleaseError(f"cyclonedx-py failed: {ran.stderr.strip()}")
    return True


def write_digests(folder: Path) -> None:
    """Write the digests of the files, as `sha256sum --check` reads them."""
    made = (TEMPLATE, *PACKAGES.values(), *MATERIALS.values())
    names = [name for name in made if (folder / name).exists()]
    lines = [f"{sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / DIGESTS).write_text("".join(lines), "utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build a release into a folder, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        write_template(folder)
        for app in PACKAGES:
            write_package(folder, app)
        if not all(write_materials(folder, app) for app in PACKAGES):
            sys.stdout.write("left out the bills of materials: cyclonedx-py is not on PATH\n")
    except (
        bicep.BicepError,
        libraries.LibrariesError,
        package.PackageError,
        ReleaseError,
    ) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    write_digests(folder)
    sys.stdout.write((folder / DIGESTS).read_text("utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
