"""The deployed package: which files it has, how the ignore file is read, and equal bytes."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from infra.scripts import libraries
from infra.scripts.package import assemble, build, ignored, main, pack, package_files, read_rules

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "infra/scripts/package.py"
APP = ["function_app.py", "host.json", "requirements.txt"]


def repository(folder: Path, ignore: str, *paths: str) -> Path:
    """Make a folder with an app, an ignore file and more files."""
    for path in [*APP, *paths]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"this is {path}")
    (folder / ".funcignore").write_text(ignore)
    return folder


def packed(folder: Path) -> list[str]:
    """Return which files of a repository would be deployed, without the app's own."""
    return [str(path) for path in package_files(folder) if str(path) not in APP]


def test_the_package_is_the_function_and_nothing_else() -> None:
    """It has the names at its root, and no command line, tests, documents or caches below."""
    files = package_files(ROOT)

    assert {path.parts[0] for path in files} == {*APP, "shared"}
    others = [path for path in files if path.parts[0] == "shared" and path.suffix != ".py"]
    assert {str(path.parent) for path in others} == {"shared/drawing/templates"}
    assert {path.name for path in others} >= {"page.html", "style.css"}
    assert not any(str(path).startswith(("shared/operate", "shared/__main__")) for path in files)


@pytest.mark.parametrize(
    ("ignore", "kept"),
    [
        ("a.md", ["b/c.md", "b/d/c.md", "c.md"]),
        ("*.md", []),
        ("/*.md", ["b/a.md", "b/c.md", "b/d/c.md"]),
        ("b/*.md", ["a.md", "b/d/c.md", "c.md"]),
        ("b/**/c.md", ["a.md", "b/a.md", "c.md"]),
        ("**/c.md", ["a.md", "b/a.md"]),
        ("b/**", ["a.md", "c.md"]),
        ("b/", ["a.md", "c.md"]),
        ("c.md/", ["a.md", "b/a.md", "b/c.md", "b/d/c.md", "c.md"]),
        ("d", ["a.md", "b/a.md", "b/c.md", "c.md"]),
        ("[!a].md", ["a.md", "b/a.md"]),
        ("?.md\n!c.md", ["b/c.md", "b/d/c.md", "c.md"]),
        ("b\n!b/c.md", ["a.md", "c.md"]),
        ("# a.md\n\n\\#a.md", ["a.md", "b/a.md", "b/c.md", "b/d/c.md", "c.md"]),
        ("a.md  ", ["b/c.md", "b/d/c.md", "c.md"]),
    ],
)
def test_lines_are_read_as_in_an_ignore_file(tmp_path: Path, ignore: str, kept: list[str]) -> None:
    """It covers anchors, stars, folders, sets, and lines that include a file again."""
    paths = ["a.md", "b/a.md", "b/c.md", "b/d/c.md", "c.md"]
    folder = repository(tmp_path, f"{ignore}\n.funcignore\n", *paths)

    assert packed(folder) == kept


names = st.text("ab.", min_size=1, max_size=3).filter(lambda it: it.strip("."))
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
globs = st.lists(
    st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "a*", "*.b", "b?"]),
    min_size=1,
    max_size=3,
)
lines = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "/"]),
    globs.map("/".join),
    st.sampled_from(["", "/"]),
)


@given(st.lists(lines, min_size=1, max_size=4), paths)
def test_a_file_is_left_out_as_git_leaves_it_out(ignore: list[str], path: str) -> None:
    """A library for ignore files agrees on any lines without ! and **."""
    rules = read_rules("\n".join(ignore))
    heads = [PurePosixPath(path), *PurePosixPath(path).parents][:-1]

    left_out = any(ignored(rules, head, folder=str(head) != path) for head in reversed(heads))

    assert left_out == GitIgnoreSpec.from_lines(ignore).match_file(path)


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    """Times, permissions and the order of a folder have no effect."""
    folder = repository(tmp_path / "app", "", "shared/a.py", "shared/b.py")
    pack(folder, tmp_path / "first.zip")
    for number, path in enumerate(sorted(folder.rglob("*.py"))):
        os.utime(path, (1, 1_000_000_000 + number))
        path.chmod(0o755)

    pack(folder, tmp_path / "second.zip")

    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_the_zip_holds_the_files_as_they_are(tmp_path: Path) -> None:
    """They are at the root, where the host looks for host.json, and readable by everybody."""
    folder = repository(tmp_path / "app", ".funcignore", "shared/a.py")

    pack(folder, tmp_path / "package.zip")

    with zipfile.ZipFile(tmp_path / "package.zip") as package:
        assert package.namelist() == [*APP, "shared/a.py"]
        assert package.read("shared/a.py") == b"this is shared/a.py"
        assert {entry.external_attr >> 16 for entry in package.infolist()} == {0o100644}


def sources(folder: Path) -> Path:
    """Copy what packages are made of into a folder."""
    for name in (*APP, ".funcignore"):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    left = shutil.ignore_patterns("__pycache__", ".python_packages")
    for name in ("shared", "table"):
        shutil.copytree(ROOT / name, folder / name, ignore=left)
    return folder


def test_the_table_leaves_the_bytes_of_the_collector_s_package_alone(tmp_path: Path) -> None:
    """With the table's app, the package of the collector is what it would be without."""
    folder = sources(tmp_path / "app")
    pack(folder, tmp_path / "with.zip")
    for name in ("table", "shared/table", "shared/table_app"):
        shutil.rmtree(folder / name)
    for name in ("blob_feed", "delta_table"):
        (folder / f"shared/adapters/{name}.py").unlink()

    pack(folder, tmp_path / "without.zip")

    assert (tmp_path / "with.zip").read_bytes() == (tmp_path / "without.zip").read_bytes()


def test_the_table_s_package_is_its_folder_and_what_it_imports() -> None:
    """Nothing of the collector, and no tests, documents or caches."""
    files = {str(name): path for name, path in package_files(ROOT, "table").items()}

    assert {name.partition("/")[0] for name in files} == {*APP, "shared"}
    assert files["function_app.py"] == ROOT / "table/function_app.py"
    assert {name for name in files if name.startswith(("shared/scan/", "shared/operate/"))} == set()
    adapters = {name.rpartition("/")[2] for name in files if name.startswith("shared/adapters/")}
    assert adapters == {
        "__init__.py",
        "blob_feed.py",
        "blob_scan_list.py",
        "blob_storage.py",
        "credentials.py",
        "delta_table.py",
        "patience.py",
        "storage_errors.py",
        "system_clock.py",
    }


def test_the_folder_that_azd_packs_is_the_table_s_package(tmp_path: Path) -> None:
    """What was copied earlier is replaced, and its ignore file lets the same files through."""
    folder = sources(tmp_path / "app")
    (folder / "table/shared/scan").mkdir(parents=True)
    (folder / "table/shared/old.py").write_text("")
    pack(folder, tmp_path / "package.zip", app="table")

    assembled = assemble(folder, "table")
    pack(assembled, tmp_path / "assembled.zip")

    assert assembled == folder / "table"
    assert (tmp_path / "assembled.zip").read_bytes() == (tmp_path / "package.zip").read_bytes()


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    """It may lead to the whole machine."""
    folder = repository(tmp_path / "app", ".funcignore")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret.txt").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "elsewhere")

    assert packed(folder) == []


@pytest.mark.parametrize("name", APP)
def test_a_package_without_an_app_is_refused(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Azure would accept it, report success, and have no function."""
    folder = repository(tmp_path / "app", f"/{name}")

    code = main([str(tmp_path / "package.zip"), "--root", str(folder)])

    assert (code, (tmp_path / "package.zip").exists()) == (1, False)
    assert f"error: {name} would not be part of the package" in capsys.readouterr().err


def test_a_missing_ignore_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without it everything would be deployed, local settings with their secrets included."""
    folder = repository(tmp_path / "app", "")
    (folder / ".funcignore").unlink()

    code = main([str(tmp_path / "package.zip"), "--root", str(folder)])

    assert (code, (tmp_path / "package.zip").exists()) == (1, False)
    assert "there is no .funcignore" in capsys.readouterr().err


def test_the_program_says_how_large_the_package_is(tmp_path: Path) -> None:
    """On request it also lists the contents."""
    ran = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "package.zip", "--list"],
        capture_output=True,
        text=True,
        check=False,
    )

    *files, last = ran.stdout.splitlines()
    assert (ran.returncode, ran.stderr) == (0, "")
    assert files[:3] == APP
    assert last.startswith(f"{tmp_path / 'package.zip'}: {len(files)} files, ")


def installer(folder: Path, name: str = "uv", *, code: int = 0) -> Path:
    """Make a program that records how it was called and installs one library, as uv and pip do."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(
        f"""#!{sys.executable}
import pathlib, sys
pathlib.Path({str(folder / "called")!r}).write_text(" ".join(sys.argv[1:]))
target = pathlib.Path(sys.argv[sys.argv.index("--target") + 1])
made = ["isal/a.py", "isal/__pycache__/a.pyc", "bin/isal", "isal-1.dist-info/METADATA"]
for file in [*made, "isal-1.dist-info/RECORD", "isal-1.dist-info/INSTALLER"]:
    (target / file).parent.mkdir(parents=True, exist_ok=True)
    (target / file).write_text(file)
print("no such wheel", file=sys.stderr)
sys.exit({code})
"""
    )
    program.chmod(0o755)
    return program


def test_a_package_includes_its_libraries_but_no_trace_of_their_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled files, commands and the installer's notes would differ between machines."""
    installer(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    folder = repository(tmp_path / "app", ".funcignore")

    files = build(folder, tmp_path / "package.zip")

    assert [str(it) for it in files if str(it) not in APP] == [
        ".python_packages/lib/site-packages/isal/a.py",
        ".python_packages/lib/site-packages/isal-1.dist-info/METADATA",
    ]


def test_libraries_are_checked_against_digests_and_built_for_azure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wheels match its Python and platform; no code of a library runs on installation."""
    installer(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    libraries.install(ROOT / "requirements.txt", tmp_path / "libraries")

    called = (tmp_path / "bin/called").read_text()
    for option in (
        "--require-hashes",
        "--only-binary :all:",
        "--python-version 3.13",
        "--python-platform x86_64-manylinux_2_28",
        f"--requirement {ROOT / 'requirements.txt'}",
    ):
        assert option in called


def test_without_uv_and_python_3_13_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another Python would install what its own version needs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(libraries, "VERSION", (3, 99))
    monkeypatch.delenv("PYTHON", raising=False)

    code = main([str(tmp_path / "package.zip"), "--libraries"])

    assert (code, (tmp_path / "package.zip").exists()) == (1, False)
    assert "there is neither uv nor Python 3.13 here: install uv" in capsys.readouterr().err


def test_libraries_that_cannot_be_installed_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error includes the installer's message."""
    installer(tmp_path / "bin", code=1)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    code = main([str(tmp_path / "package.zip"), "--libraries"])

    assert (code, (tmp_path / "package.zip").exists()) == (1, False)
    assert "uv did not install them: no such wheel" in capsys.readouterr().err
