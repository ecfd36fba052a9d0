"""A release is built from these sources, reproducible, and published with digests."""

import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from harness import release
from infra.scripts import package
from tests.infra.test_package_zip import installer

ROOT = Path(__file__).parents[2]

both_apps = pytest.mark.parametrize("app", release.PACKAGES)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is the whole PATH, with an installer of libraries in it."""
    installer(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


@pytest.mark.parametrize(
    ("app", "name"),
    [("collector", "released-package.zip"), ("table", "released-table-package.zip")],
)
def test_each_package_of_a_release_includes_its_libraries(
    tools: Path, tmp_path: Path, app: str, name: str
) -> None:
    """The collector's has the name that the platform requires."""
    assert tools.is_dir()

    release.write_package(tmp_path, app)

    with zipfile.ZipFile(tmp_path / name) as packed:
        assert ".python_packages/lib/site-packages/isal/a.py" in packed.namelist()
        source = ROOT / package.APPS[app] / "function_app.py"
        assert packed.read("function_app.py") == source.read_bytes()


@both_apps
def test_a_package_that_differs_when_it_is_built_again_is_refused(
    tools: Path, tmp_path: Path, app: str
) -> None:
    """Otherwise nobody could tell whether it was built from these sources."""
    program = tools / "uv"
    changed = program.read_text().replace("write_text(file)", "write_text(str(target))")
    program.write_text(changed)

    with pytest.raises(release.ReleaseError, match="built twice"):
        release.write_package(tmp_path, app)


def test_the_digests_are_those_of_the_files(tmp_path: Path) -> None:
    """Their format is the one that `sha256sum --check` reads."""
    (tmp_path / "activity-scan.json").write_bytes(b"{}")
    (tmp_path / "released-package.zip").write_bytes(b"zip")
    (tmp_path / "sbom-table.json").write_bytes(b"[]")

    release.write_digests(tmp_path)

    assert (tmp_path / "SHA256SUMS").read_text().splitlines() == [
        f"{sha256(b'{}').hexdigest()}  activity-scan.json",
        f"{sha256(b'zip').hexdigest()}  released-package.zip",
        f"{sha256(b'[]').hexdigest()}  sbom-table.json",
    ]


@both_apps
def test_a_bill_of_materials_is_made_from_what_is_in_the_package(
    tools: Path, tmp_path: Path, app: str
) -> None:
    """The requirements would also list versions for other Pythons."""
    program = tools / "cyclonedx-py"
    program.write_text(
        f"""#!{sys.executable}
import pathlib, subprocess, sys
where = "import sysconfig; print(sysconfig.get_path('purelib'))"
home = subprocess.run([sys.argv[-1], "-c", where], capture_output=True, text=True).stdout.strip()
names = sorted(it.name for it in pathlib.Path(home).iterdir())
pathlib.Path(sys.argv[sys.argv.index("-o") + 1]).write_text(" ".join(names))
"""
    )
    program.chmod(0o755)
    release.write_package(tmp_path, app)

    assert release.write_materials(tmp_path, app)

    assert (tmp_path / release.MATERIALS[app]).read_text() == "isal isal-1.dist-info"


@both_apps
def test_without_its_program_there_is_no_bill_of_materials(
    tools: Path, tmp_path: Path, app: str
) -> None:
    """The release machine has the program; whoever rebuilds a release does not need it."""
    assert tools.is_dir()

    assert not release.write_materials(tmp_path, app)
