"""Builds the package to deploy: python infra/scripts/package.py TARGET.zip.

The package is this repository without the files that `.funcignore` names. With --app table it is
that of the table's app: the files of the folder `table`, and `shared` beside them, without what
`table/.funcignore` names. Both files follow the rules of `.gitignore`: the last matching line
decides, and nothing below an ignored folder can be included again. With --libraries the package
also contains what the app's requirements.txt lists, installed for Azure. The same files always give
the same bytes. Python 3.11 and its standard library suffice.

Exit codes: 0, or 1 with the reason if the package would not be an app.
"""
# ruff: noqa: INP001 - a script that stands on its own

import argparse
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from infra.scripts import libraries

ROOT = Path(__file__).resolve().parents[2]

APPS = {"collector": "", "table": "table"}
"""The folder of each app, below that of the repository."""

SHARED = "shared"
"""What an app in a folder of its own has from the repository."""

NEEDED = ("function_app.py", "host.json", "requirements.txt")
"""A package without these at its root can be deployed, but the app has no function."""

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the package: the earliest that a zip can express."""

PLAIN_FILE = 0o100644 << 16
"""The attributes in a zip of a file that everybody may read."""


class PackageError(Exception):
    """The package would not be an app; the message explains why and what to do."""


class Rule(NamedTuple):
    """One line of an ignore file.

    Attributes:
        pattern: matches whole paths, with `/` between their parts.
        folders_only: whether the line ends with `/`.
        ignores: false for a line that begins with `!` and includes paths again.
    """

    pattern: re.Pattern[str]
    folders_only: bool
    ignores: bool


def read_rules(text: str) -> list[Rule]:
    """Return the rules of an ignore file, without comments and empty lines."""
    rules = []
    for line in text.splitlines():
        glob = re.sub(r"(?<!\\) +$", "", line)
        if not glob or glob.startswith("#"):
            continue
        ignores = not glob.startswith("!")
        glob = glob if ignores else glob[1:]
        body = glob.rstrip("/") if glob.endswith("/") else glob
        if body:
            anywhere = "" if "/" in body else "(?:.*/)?"
            pattern = re.compile(anywhere + _expression(body.removeprefix("/")), re.DOTALL)
            rules.append(Rule(pattern=pattern, folders_only=body != glob, ignores=ignores))
    return rules


TOKENS = re.compile(
    r"(?P<folders>(?:^|(?<=/))\*\*/)|(?P<below>(?:^|(?<=/))\*\*$)|(?P<some>\*+)|(?P<one>\?)"
    r"|\[(?P<negated>[!^])?(?P<set>\]?(?:\\.|[^\]\\])*)\]|\\(?P<escaped>.)|(?P<plain>.)",
    re.DOTALL,
)
"""The parts of a pattern, in the order in which they are tried."""


def _expression(glob: str) -> str:
    """Return the regular expression of a pattern."""
    return "".join(_part(found) for found in TOKENS.finditer(glob))


def _part(found: re.Match[str]) -> str:
    kind = found.lastgroup
    if kind == "set":
        inner = re.sub(r"([\[&~|])", r"\\\1", found["set"])
        return f"(?!/)[{'^' if found['negated'] else ''}{inner}]"
    fixed = {"folders": "(?:.*/)?", "below": ".+", "some": "[^/]*", "one": "[^/]"}
    return fixed.get(kind or "") or re.escape(found[kind or "plain"])


def ignored(rules: Sequence[Rule], path: PurePosixPath, *, folder: bool) -> bool:
    """Tell whether the last matching rule ignores a path; its parents are not considered."""
    for rule in reversed(rules):
        if (folder or not rule.folders_only) and rule.pattern.fullmatch(str(path)):
            return rule.ignores
    return False


def package_files(root: Path, app: str = "collector") -> dict[PurePosixPath, Path]:
    """Return the files of an app's package by their names in it, in the order of these names.

    Raises:
        PackageError: there is no .funcignore, or it ignores a file that every app needs.
    """
    folder = root / APPS[app]
    try:
        rules = read_rules((folder / ".funcignore").read_text("utf-8"))
    except FileNotFoundError:
        raise PackageError(
            f"there is no .funcignore in {folder}, so the package would contain everything"
        ) from None
    found = {name: folder / name for name in _walk(folder, PurePosixPath(), rules)}
    if folder != root:
        # A copy in the folder may be older.
        found = {name: path for name, path in found.items() if name.parts[0] != SHARED}
        found |= {name: root / name for name in _walk(root, PurePosixPath(SHARED), rules)}
    missing = [name for name in NEEDED if PurePosixPath(name) not in found]
    if missing:
        raise PackageError(
            f"{', '.join(missing)} would not be part of the package of {folder}: add it, or "
            "correct .funcignore"
        )
    return dict(sorted(found.items()))


def _walk(root: Path, folder: PurePosixPath, rules: Sequence[Rule]) -> Iterator[PurePosixPath]:
    """Yield the files below a folder, without following links to folders."""
    for path in (root / folder).iterdir():
        relative = folder / path.name
        if ignored(rules, relative, folder=path.is_dir()):
            continue
        if path.is_file():
            yield relative
        elif path.is_dir() and not path.is_symlink():
            yield from _walk(root, relative, rules)


def assemble(root: Path, app: str) -> Path:
    """Copy what an app in a folder of its own has from the repository into it; return the folder.

    Raises:
        PackageError: see `package_files`.
    """
    folder = root / APPS[app]
    files = package_files(root, app)
    shutil.rmtree(folder / SHARED, ignore_errors=True)
    for name, path in files.items():
        if name.parts[0] == SHARED:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
    return folder


def pack(
    root: Path, target: Path, brought: Path | None = None, *, app: str = "collector"
) -> list[PurePosixPath]:
    """Write the package of an app with the libraries in a folder, and return its files.

    Raises:
        PackageError: see `package_files`.
    """
    files = package_files(root, app)
    if brought:
        left = PurePosixPath(libraries.FOLDER)
        files = {name: path for name, path in files.items() if left not in name.parents}
    for path in sorted(brought.rglob("*")) if brought else []:
        if path.is_file() and brought:
            files[PurePosixPath(libraries.FOLDER) / path.relative_to(brought)] = path
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, path in files.items():
            entry = zipfile.ZipInfo(str(name), EARLIEST)
            entry.create_system = 3
            entry.external_attr = PLAIN_FILE
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, path.read_bytes())
    return list(files)


def build(root: Path, target: Path, *, app: str = "collector") -> list[PurePosixPath]:
    """Write the package of an app with its libraries, and return its files.

    Raises:
        PackageError: see `package_files`.
        LibrariesError: the libraries cannot be installed here.
    """
    with tempfile.TemporaryDirectory() as folder:
        brought = Path(folder) / "site-packages"
        libraries.install(root / APPS[app] / "requirements.txt", brought)
        return pack(root, target, brought, app=app)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Build the package to deploy, a zip file without what .funcignore names."
    )
    parser.add_argument("target", type=Path, metavar="TARGET.zip", help="the file to write")
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="the repository (default: this one)"
    )
    parser.add_argument(
        "--app", choices=APPS, default="collector", help="the app (default: %(default)s)"
    )
    parser.add_argument(
        "--libraries", action="store_true", help="include the libraries, for Python 3.13"
    )
    parser.add_argument("--list", action="store_true", help="also list the files")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the package, print its size, and return the exit code."""
    asked = _arguments(arguments)
    try:
        make = build if asked.libraries else pack
        files = make(asked.root, asked.target, app=asked.app)
    except (PackageError, libraries.LibrariesError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if asked.list:
        sys.stdout.writelines(f"{path}\n" for path in files)
    size = asked.target.stat().st_size / 1024
    sys.stdout.write(f"{asked.target}: {len(files)} files, {size:,.0f} KiB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
