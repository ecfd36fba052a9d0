"""The rules of the repository: imports, lengths, pinned versions, and what is deployed."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import requires
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from shared.settings import read_settings

ROOT = Path(__file__).parent.parent
REQUIREMENTS = [
    "requirements.in",
    "requirements-cli.txt",
    "requirements-dev.txt",
    "table/requirements.in",
]
SOURCES = ["shared", "simulator", "harness", "infra", "tests", "function_app.py", "table"]

BROUGHT_IN = "# Brought in by the above"
"""Begins the part of a requirements file that lists what the direct requirements need."""

LONGEST = 60
"""Lines of a function, its docstring included: what can be seen without scrolling."""

NOWHERE = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|npmjs\.org|yarnpkg\.com"
    r"|/wor[k]/|/roo[t]/|/User[s]/|/home/(?!site\b)\w"
    r"|\.\./shared/(?:tools|reference|hooks|[A-Z])"
)
"""Text that is valid on one machine only: registries, and paths of a machine."""


def ignored_names() -> set[str]:
    """Return the names that are never part of the repository."""
    lines = (ROOT / ".gitignore").read_text().splitlines()
    return {".git"} | {line.rstrip("/") for line in lines if line and not line.startswith("#")}


def project_files() -> Iterator[Path]:
    """Yield every file of the repository relative to its root, found without git."""
    ignored = ignored_names()
    folders = [ROOT]
    while folders:
        for path in sorted(folders.pop().iterdir()):
            if path.name in ignored:
                continue
            if path.is_dir():
                folders.append(path)
            else:
                yield path.relative_to(ROOT)


def python_files(*places: str) -> list[Path]:
    """Return the Python files in folders of the repository, or the files themselves."""
    return [
        path
        for path in project_files()
        if path.suffix == ".py" and any(path.is_relative_to(place) for place in places)
    ]


def imported(path: Path) -> set[str]:
    """Return the modules that a file names in its imports."""
    nodes = list(ast.walk(ast.parse((ROOT / path).read_text())))
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return plain | {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}


def function_lengths(*places: str) -> dict[str, int]:
    """Return the lines of every function in the places, from `def` to its end."""
    return {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in python_files(*places)
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def pinned(name: str, *, direct: bool) -> dict[str, tuple[Requirement, str]]:
    """Return a file's requirements with the comment on each, by name.

    Of a direct requirement that is the comment above it (which stands for all lines below, up to
    an empty one), of the others the comment behind.
    """
    found: dict[str, tuple[Requirement, str]] = {}
    reason, in_direct = "", True
    for line in (ROOT / name).read_text().splitlines():
        in_direct = in_direct and not line.startswith(BROUGHT_IN)
        if not line or line.startswith("#"):
            reason = line
        elif in_direct == direct and not line.startswith("-r "):
            text, _, comment = line.partition("  #")
            requirement = Requirement(text)
            found[str(requirement)] = (requirement, reason if direct else comment)
    return found


def needs_of(requirement: Requirement) -> list[Requirement]:
    """Return what an installed package requires here with the requested extras."""
    extras = ["", *requirement.extras]
    return [
        needed
        for needed in map(Requirement, requires(requirement.name) or [])
        if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras)
    ]


def in_package(path: Path) -> bool:
    """Report whether a file is deployed, that is, no line of .funcignore matches it."""
    lines = [line for line in (ROOT / ".funcignore").read_text().splitlines() if line]
    patterns = [line.rstrip("/") for line in lines if not line.startswith("#")]
    heads = [Path(*path.parts[: count + 1]) for count in range(len(path.parts))]
    return not any(
        fnmatch(str(head) if "/" in pattern else head.name, pattern)
        for head in heads
        for pattern in patterns
    )


def read_json(name: str) -> dict[str, Any]:
    """Return a JSON file of the repository."""
    read: dict[str, Any] = json.loads((ROOT / name).read_text())
    return read


def test_imports_follow_the_contracts() -> None:
    """Dependencies point inwards and the core does no I/O; pyproject.toml has the contracts."""
    linter = Path(sys.executable).parent / "lint-imports"

    ran = subprocess.run(
        [linter, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


CODECS = {"msgspec", "isal", "stringzilla"}
"""What the core has from elsewhere: it reads JSON, packs gzip, and searches bytes."""


def test_the_core_imports_only_the_standard_library_and_three_codecs() -> None:
    """It imports the standard library, these, the program's version and itself: nothing else."""
    outside = {
        f"{path} imports {module}"
        for path in python_files("shared/core")
        for module in imported(path)
        if module != "shared"
        and not module.startswith("shared.core")
        and module.partition(".")[0] not in sys.stdlib_module_names | CODECS
    }

    assert outside == set()


def test_the_triggers_import_only_what_they_start() -> None:
    """Each function_app.py only connects the platform with the module that builds its app."""
    started = {
        app: {
            it for it in imported(Path(app)) if it.partition(".")[0] not in sys.stdlib_module_names
        }
        for app in ("function_app.py", "table/function_app.py")
    }

    assert started == {
        "function_app.py": {"azure.functions", "azure.functions.timer", "shared.bootstrap"},
        "table/function_app.py": {"azure.functions", "shared.table_app"},
    }


def test_no_function_is_longer_than_a_screen() -> None:
    """A function that needs scrolling should be several."""
    lengths = function_lengths("shared", "simulator", "harness", "tests")

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def test_the_usual_function_is_short() -> None:
    """Half of the product's functions have fewer than ten lines, docstrings included."""
    assert median(function_lengths("shared").values()) < 10


@pytest.mark.parametrize("word", ["util", "helper", "common", "manager", "misc"])
def test_no_module_has_a_name_that_fits_anything(word: str) -> None:
    """A module is named after what it holds; these names could hold anything."""
    named = [str(path) for path in python_files(*SOURCES) if word in path.stem]

    assert named == []


def test_every_module_of_the_core_has_its_own_tests() -> None:
    """They stand where the module stands; a module without a function only holds values."""
    modules = [path for path in python_files("shared") if path.parts[1] == "core"]
    untested = [
        str(path)
        for path in modules
        if "def " in (ROOT / path).read_text("utf-8")
        and not (ROOT / "tests/unit" / Path(*path.parts[1:-1]) / f"test_{path.name}").exists()
    ]

    assert (len(modules) > 30, untested) == (True, [])


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_and_explained(name: str) -> None:
    """Versions are exact; a comment says what for, or for indirect ones, which package."""
    direct, indirect = pinned(name, direct=True), pinned(name, direct=False)
    loose = [
        text
        for text, (requirement, _) in (direct | indirect).items()
        if not re.fullmatch(r"==[\w.]+", str(requirement.specifier))
    ]
    unexplained = [text for text, (_, reason) in direct.items() if not reason.startswith("# ")]
    unexplained += [text for text, (_, by) in indirect.items() if not by.startswith(" by ")]

    assert (loose, unexplained) == ([], [])


@pytest.mark.parametrize("name", ["bench/requirements.txt", "infra/requirements-checkov.txt"])
def test_separate_environments_are_pinned_too(name: str) -> None:
    """They list indirect requirements as installed, without saying which package needs them."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line]
    loose = [it for it in lines if not re.fullmatch(r"# .*|[\w.-]+==[\w.]+(; .+)?", it)]

    assert loose == []


@pytest.mark.parametrize("app", [".", "table"])
def test_deployed_packages_are_pinned_to_digests(app: str) -> None:
    """The compiled file has every version of requirements.in, with a digest per file."""
    text = (ROOT / app / "requirements.txt").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    compiled = {Requirement(line.partition(" --hash")[0]) for line in lines}
    written = [
        requirement
        for direct in (True, False)
        for requirement, _ in pinned(f"{app}/requirements.in", direct=direct).values()
    ]

    assert {(it.name, str(it.specifier)) for it in compiled} == {
        (it.name, str(it.specifier)) for it in written
    }
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in lines)


def test_indirect_requirements_are_pinned_too() -> None:
    """Two installations of one commit have the same version of everything."""
    listed = [
        requirement
        for name in REQUIREMENTS
        for direct in (True, False)
        for requirement, _ in pinned(name, direct=direct).values()
        if requirement.marker is None or requirement.marker.evaluate()
    ]
    names = {canonicalize_name(requirement.name) for requirement in listed}
    missing = {
        f"{needed.name}, by {requirement.name}"
        for requirement in listed
        for needed in needs_of(requirement)
        if canonicalize_name(needed.name) not in names
    }

    assert missing == set()


def test_what_two_files_require_is_the_same_version() -> None:
    """The table's app and the command line are tested with one set of packages."""
    names = [*REQUIREMENTS, "requirements-table.txt"]
    versions = {
        (canonicalize_name(requirement.name), str(requirement.marker)): str(requirement.specifier)
        for name in names
        for direct in (True, False)
        for requirement, _ in pinned(name, direct=direct).values()
    }

    assert {
        f"{name} has {text}"
        for name in names
        for direct in (True, False)
        for text, (requirement, _) in pinned(name, direct=direct).items()
        if versions[canonicalize_name(requirement.name), str(requirement.marker)]
        != str(requirement.specifier)
    } == set()


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    """Whoever installs chooses the registry, and a clone works in any folder."""
    named = [
        f"{path}:{number} {found[0]}"
        for path in project_files()
        if path != Path(".ci/run")
        for number, line in enumerate((ROOT / path).read_bytes().splitlines(), start=1)
        if (found := NOWHERE.search(line.decode(errors="replace")))
    ]

    assert named == []


def test_the_lock_file_names_versions_and_digests_only() -> None:
    """It works with every registry and still pins the same bytes."""
    packages = read_json("harness/node/package-lock.json")["packages"]
    installed = {name: package for name, package in packages.items() if name}

    assert [name for name, package in installed.items() if "resolved" in package] == []
    assert [name for name, package in installed.items() if "integrity" not in package] == []


def test_the_package_holds_the_function_and_nothing_else() -> None:
    """Tests, simulator, harness, documents and infrastructure are not deployed."""
    package = [path for path in project_files() if in_package(path)]

    assert {path.parts[0] for path in package} == {
        "function_app.py",
        "host.json",
        "requirements.txt",
        "shared",
    }


def test_the_package_holds_the_product_without_command_line_and_table() -> None:
    """Their requirements are not installed in Azure."""
    package = {str(path) for path in project_files() if in_package(path)}
    elsewhere = (
        "shared/__main__.py",
        "shared/operate/",
        "shared/table/",
        "shared/table_app/",
        "shared/adapters/blob_feed.py",
        "shared/adapters/delta_table.py",
    )
    product = {str(path) for path in python_files("shared") if not str(path).startswith(elsewhere)}

    assert {path for path in package if path.startswith("shared/")} >= product
    assert {path for path in package if path.startswith(elsewhere)} == set()


def test_the_package_holds_nothing_that_tools_leave_behind() -> None:
    """Except libraries, which a package that was built here brings along."""
    left_behind = ignored_names() - {".python_packages", "node_modules"}

    assert {name for name in left_behind if in_package(Path(name) / "any")} == set()


def test_the_host_ends_an_invocation_after_ten_minutes() -> None:
    """The function's timeout is explicit, and far above its time budget."""
    assert read_json("host.json")["functionTimeout"] == "00:10:00"


def test_an_instance_runs_one_message_at_a_time() -> None:
    """A run with three slices needs half of the memory of a small instance."""
    queues = read_json("host.json")["extensions"]["queues"]

    assert (queues["batchSize"], queues["newBatchThreshold"]) == (1, 0)


def test_a_failed_message_waits_until_the_minute_s_requests_are_free_again() -> None:
    """Another instance may take it, which knows nothing of the requests of the first."""
    queues = read_json("host.json")["extensions"]["queues"]

    assert (queues["visibilityTimeout"], queues["maxDequeueCount"]) == ("00:01:00", 5)


def test_the_host_of_the_table_differs_in_its_timeout_and_its_queues() -> None:
    """A commit, or a step of upkeep, is finished even if it began late; nothing is handed out."""
    collector, table = read_json("host.json"), read_json("table/host.json")
    without_queues = {name: it for name, it in collector.items() if name != "extensions"}

    assert table == without_queues | {"functionTimeout": "00:30:00"}


def test_sampling_never_drops_what_alerts_rely_on() -> None:
    """Requests and exceptions are counted, and a run's report line is a trace."""
    sampling = read_json("host.json")["logging"]["applicationInsights"]["samplingSettings"]

    assert set(sampling["excludedTypes"].split(";")) == {"Request", "Exception", "Trace"}


def test_the_example_of_local_settings_is_accepted() -> None:
    """A copy of the example works once it has the API's address."""
    settings = read_settings(read_json("local.settings.example.json")["Values"])

    assert settings.schedule == "0 */5 * * * *"
