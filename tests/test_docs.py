"""The documents are correct: links, commands, settings, help for errors, examples."""

import ast
import gzip
import json
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from azure.storage.blob import BlobServiceClient
from typer.testing import CliRunner

from harness.azurite import Azurite
from shared.core import errors
from shared.core.audit import rebuilding
from shared.core.audit.attention import SECTIONS
from shared.core.model import POISONED
from shared.core.slices import traversal
from shared.core.state import committing
from shared.core.state.report import Tally, report_fields
from shared.operate.command_line import app
from shared.settings import LIST, read_settings
from shared.settings.table import NAMES, PER_SCAN, SECRETS, SETTINGS
from shared.table import report as table_report
from shared.table_app.settings import SETTINGS as TABLE_SETTINGS
from shared.table_app.settings import read_table_settings
from simulator import Simulator
from tests.fakes import NOW, policy
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, settings
from tests.world import World

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)

REQUIRED = {
    "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
    "STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net",
}

EVERY_SETTING = (*SETTINGS, *TABLE_SETTINGS)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def fences(page: Path, language: str) -> list[str]:
    """Return the code blocks in a language."""
    return [text for kind, text in FENCE.findall(page.read_text("utf-8")) if kind == language]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings as the site that shows it derives them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pages
def test_links_have_a_target(page: Path) -> None:
    """The target is a file of this repository, and a heading in it."""
    for target in LINK.findall(page.read_text("utf-8")):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/adr/*.md")), ids=lambda page: page.stem)
def test_decisions_have_one_form(page: Path) -> None:
    """The number, and then context, decision and consequences."""
    text = page.read_text("utf-8")
    parts = re.findall(r"^\*\*(Context|Decision|Consequences)\b", text, re.MULTILINE)

    assert text.startswith(f"# {int(page.stem[:4])}. ")
    assert list(dict.fromkeys(parts)) == ["Context", "Decision", "Consequences"]


@pages
def test_make_commands_exist(page: Path) -> None:
    """Every `make` command that a document names is a target."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = re.findall(r"^make ([a-z-]+)", "\n".join(fences(page, "sh")), re.MULTILINE)
    named += re.findall(r"`make ([a-z-]+)", page.read_text("utf-8"))

    assert set(named) <= targets


@pages
def test_examples_parse(page: Path) -> None:
    """Python compiles and JSON is valid."""
    for text in fences(page, "python"):
        ast.parse(text)
    for text in fences(page, "json"):
        json.loads(text)


def rows(page: str) -> dict[str, list[str]]:
    """Return the table rows of a page whose first cell is code, by that code."""
    text = (ROOT / page).read_text("utf-8")
    lines = [line[1:-1] for line in text.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return {row[0].strip("`"): row for row in cells}


def test_every_setting_is_documented() -> None:
    """Nothing else is documented as a setting."""
    assert set(rows("docs/settings.md")) == {*NAMES, *(it.name for it in TABLE_SETTINGS)}


def test_every_setting_is_documented_with_the_reason_in_the_table() -> None:
    """The page may say more but must include it."""
    page = rows("docs/settings.md")

    assert [it.name for it in EVERY_SETTING if it.reason not in page[it.name][2]] == []
    assert all(it.reason for it in EVERY_SETTING)


def test_every_setting_is_documented_with_the_default_in_the_table() -> None:
    """A setting without a default is required, optional, or explained in words."""
    page = rows("docs/settings.md")

    assert [
        it.name for it in EVERY_SETTING if it.default and page[it.name][1] != f"`{it.default}`"
    ] == []


def test_documented_defaults_are_the_code_s() -> None:
    """Setting every documented default has the same result as setting none."""
    documented = {name: row[1].strip("`") for name, row in rows("docs/settings.md").items()}
    optional = {name: it for name, it in documented.items() if it and not it.startswith("required")}
    optional.pop("MDA_AUTH")
    optional = {name: it for name, it in optional.items() if not name.startswith("TABLE_")}

    given = read_settings({**REQUIRED, **optional})

    assert given.scans == read_settings(REQUIRED).scans
    assert given.storage == read_settings(REQUIRED).storage
    assert given.schedule == read_settings(REQUIRED).schedule
    assert len(optional) >= 18


def test_documented_defaults_of_the_table_s_app_are_the_code_s() -> None:
    """The same holds for its settings."""
    page, required = rows("docs/settings.md"), {"TABLE_SCHEDULE": "0 */15 * * * *"}
    documented = {it.name: page[it.name][1].strip("`") for it in TABLE_SETTINGS}

    given = read_table_settings(REQUIRED | documented | required)

    assert given == read_table_settings(REQUIRED)


def test_settings_in_the_readme_are_those_of_the_page_of_settings() -> None:
    """README lists some of them, with the same defaults."""
    page = rows("docs/settings.md")
    shown = rows("README.md")

    assert {name: row[1] for name, row in shown.items()} == {name: page[name][1] for name in shown}
    assert len(shown) >= 7


def test_figures_in_the_readme_are_those_that_were_measured() -> None:
    """They are the cost of a throttle for the loop and this scan, and of a month."""
    readme = (ROOT / "README.md").read_text("utf-8")
    loss = (ROOT / "docs/loss.md").read_text("utf-8")
    cost = (ROOT / "docs/deployment.md").read_text("utf-8")
    (throttled,) = re.findall(r"^\| throttle: .*$", loss, re.MULTILINE)
    _, held, sample, *_, scan = [it.strip() for it in throttled.strip("|").split("|")]
    (month,) = re.findall(r"^\| 1,000,000 \|.* (\d+\.\d\d) \|$", cost, re.MULTILINE)

    assert f"lost {sample.partition(' ')[0]} of {held}" in " ".join(readme.split())
    assert scan == "0 / 0"
    assert f"[about ${float(month):.0f}]" in readme


def test_the_list_of_a_provider_is_accepted() -> None:
    """With the settings that the deployment sets."""
    own = {"MDA_AUTH": "federated", "MDA_TENANT_ID": "t", "MDA_CLIENT_ID": "c"}
    (listed,) = fences(ROOT / "docs/providers.md", "json")

    scans = read_settings({**REQUIRED, **own, LIST: listed}).scans

    assert [it.api.tenant_id for it in scans] == [
        "2f0c1c36-6d0a-4f0e-9a53-6f3f0f1f7d10",
        "tailspin.example",
    ]


def test_the_examples_of_several_scans_are_accepted() -> None:
    """They are tried exactly as the document has them."""
    own = {"MDA_AUTH": "federated", "MDA_CLIENT_ID": "c", "MDA_CLIENT_SECRET_FABRIKAM": "s"}
    one_tenant, several = fences(ROOT / "docs/settings.md", "json")

    first = read_settings({**REQUIRED, "SCANS": one_tenant}).scans
    second = read_settings({**REQUIRED, **own, "SCANS": several}).scans

    assert [it.policy.scan for it in first] == ["sign-ins", "exchange"]
    assert [(it.policy.scan, it.api.auth) for it in second] == [
        ("contoso", "federated"),
        ("fabrikam", "client-secret"),
    ]


def test_the_keys_of_a_scan_of_another_tenant_are_documented() -> None:
    """The table names each of them beside the setting whose place it takes."""
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    section = page[page.index("## Scans of several tenants") :]
    keys = {**PER_SCAN, **SECRETS}

    assert dict(re.findall(r"\| `([a-z_]+)` \| `([A-Z_]+)` \|$", section, re.MULTILINE)) == {
        key: it.name for key, it in keys.items() if not it.name.startswith("SCAN_")
    }


def error_classes(
    kind: type[errors.ScanError] = errors.ScanError,
) -> Iterator[type[errors.ScanError]]:
    """Yield every class of error."""
    yield kind
    for child in kind.__subclasses__():
        yield from error_classes(child)


@pytest.mark.parametrize("kind", list(error_classes()))
def test_every_error_has_its_page(kind: type[errors.ScanError]) -> None:
    """The page that a report line names exists and has the heading."""
    page, _, anchor = kind.help.partition("#")

    assert (ROOT / page).exists()
    assert not anchor or anchor in anchors(ROOT / page)


def test_pages_that_the_code_names_exist() -> None:
    """This includes messages and warnings."""
    named: set[tuple[str, str]] = set()
    for source in (ROOT / "shared").rglob("*.py"):
        named |= set(re.findall(r"(docs/[\w\-/]+\.md)(?:#([\w-]+))?", source.read_text("utf-8")))

    assert {page for page, _ in named if not (ROOT / page).exists()} == set()
    assert {it for it in named if it[1] and it[1] not in anchors(ROOT / it[0])} == set()


def test_every_reason_for_doubt_is_explained() -> None:
    """The page has the exact words that the ledger has."""
    reasons = {
        traversal.NULLS,
        traversal.EMPTY,
        traversal.TOO_MANY,
        traversal.CROWDED,
        traversal.UNDIVIDED,
        traversal.REFUSED,
        POISONED,
        committing.NOT_SWEPT,
        rebuilding.ADOPTED,
    }
    page = (ROOT / "docs/runbook.md").read_text("utf-8")
    section = page.partition("### Doubt\n")[2].partition("\n### ")[0]

    assert set(re.findall(r"^\| `(.+?)` \|", section, re.MULTILINE)) == reasons


def test_the_runbook_has_a_section_for_each_kind_of_attention() -> None:
    """Each entry of `attention` names its section."""
    page = (ROOT / "docs/runbook.md").read_text("utf-8")
    titles = re.findall(r"^###? (.+)$", page, re.MULTILINE)

    assert set(SECTIONS.values()) <= {title.lower().replace(" ", "-") for title in titles}


def test_every_field_of_a_report_is_documented() -> None:
    """The fields are those of a failed and a successful run; no others are documented."""
    world = World([NOW - 3_600_000])
    world.run()
    failed = report_fields(Tally(scan="all", run="r"), None, "failed", duration=1, error=OSError())
    whole = report_fields(world.tally, policy(), "idle", duration=1, attention=[])
    section = (ROOT / "docs/formats.md").read_text("utf-8").partition("## The report line")[2]
    table = section.partition("\n## ")[0]
    first = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]

    documented = {name for cell in first for name in re.findall(r"`(\w+)`", cell)}

    assert documented == set(failed) | set(whole)


def test_every_field_of_a_report_of_the_table_is_documented() -> None:
    """The fields are those of a failed run, which has all of them; no others are documented."""
    tally = table_report.Tally(run="r", error=OSError())
    fields = table_report.report_fields(tally, now=NOW, duration=1, past_due=False, behind_alert=1)
    page = (ROOT / "docs/formats.md").read_text("utf-8")
    section = page.partition("## The report line of the table")[2].partition("\n## ")[0]
    first = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]

    documented = {name for cell in first for name in re.findall(r"`(\w+)`", cell)}

    assert documented == set(fields)


@pytest.mark.parametrize(
    "page", ["runbook", "monitoring", "deployment", "settings", "verify", "doctor", "guarantees"]
)
def test_fields_that_a_page_names_are_those_of_a_format(page: str) -> None:
    """Somebody who reads that a field goes down has to find it in a report line or a ledger."""
    named = re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", (ROOT / f"docs/{page}.md").read_text("utf-8"))
    formats = (ROOT / "docs/formats.md").read_text("utf-8")
    cells = [line.partition(" | ")[0] for line in formats.splitlines() if line.startswith("| `")]

    assert named
    known = {
        *re.findall(r"`([\w.]+)`", " ".join(cells)),
        *PER_SCAN,
        *SECRETS,
        "scan_activities",
        "scan_worker",
    }
    assert set(named) <= known


def test_every_verdict_is_explained() -> None:
    """The page of the status has each sentence, up to what depends on the scan, and no other."""
    tree = ast.parse((ROOT / "shared/core/audit/status.py").read_text("utf-8"))
    places = [it for it in ast.walk(tree) if getattr(it, "name", "") in {"_verdict", "pause"}]
    texts = [it.value for place in places for it in ast.walk(place) if isinstance(it, ast.Constant)]
    verdicts = [it for it in texts if re.match("(The|Some|Activities) .*[. ]$", str(it))]
    page = (ROOT / "docs/status.md").read_text("utf-8").partition("## The verdicts")[2]
    explained = re.findall(r"^\| ([A-Z][^|…]+)(?:…[^|]*)? \|", page, re.MULTILINE)

    assert [it for it in verdicts if not any(e.startswith(it) for e in explained)] == []
    assert [e for e in explained if not any(e.startswith(it) for it in verdicts)] == []
    assert len(explained) == len(verdicts)


def commands(group: typer.Typer = app) -> Iterator[str]:
    """Yield the full name of every command of the command line."""
    for command in group.registered_commands:
        yield command.name or command.callback.__name__.replace("_", "-")  # type: ignore[union-attr]
    for child in group.registered_groups:
        assert child.typer_instance
        yield from (f"{child.name} {name}" for name in commands(child.typer_instance))


PAGES_OF_COMMANDS = ("command-line", "verify", "doctor", "table")


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_and_option_is_documented(command: str) -> None:
    """They are on the page of the command line, or on a page that it links to."""
    pages = [(ROOT / f"docs/{it}.md").read_text("utf-8") for it in PAGES_OF_COMMANDS]
    told = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}).output

    options = set(re.findall(r"(?<!\S)--[a-z][a-z-]+", told)) - {"--help"}

    assert f"python -m shared {command}" in "\n".join(pages)
    assert [it for it in options if it not in "\n".join(pages)] == []


def mapped() -> tuple[list[str], list[str]]:
    """Return the folders and the modules that the map of the architecture page lists."""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    section = page.partition("## Code map")[2].partition("\n## ")[0]
    folders, modules, folder = list[str](), list[str](), ""
    for line in section.splitlines():
        if heading := re.match(r"\*\*`([\w/]+/)`\*\*", line):
            folder = heading[1]
            folders.append(folder)
        elif row := re.match(r"\| `(\w+)` \|", line):
            modules.append(f"{folder}{row[1]}.py")
    return folders, modules


def test_the_map_lists_every_module_and_nothing_else() -> None:
    """It covers product, simulator, harness and measurements."""
    sources = {
        path.relative_to(ROOT)
        for place in ("shared", "simulator", "harness", "bench")
        for path in (ROOT / place).rglob("*.py")
        if "node_modules" not in path.parts
    }
    packages = {f"{path.parent}/" for path in sources if path.name == "__init__.py"}
    modules = {str(path) for path in sources if path.name != "__init__.py"}

    folders, listed = mapped()
    assert (packages ^ set(folders), modules ^ set(listed)) == (set(), set())
    assert len(set(folders + listed)) == len(folders + listed)


def test_modules_that_the_architecture_names_exist() -> None:
    """Text and pictures name modules of the product or its core."""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    places = "core|api|slices|state|audit|scan|settings|adapters|operate"
    named = set(re.findall(rf"(?<![\w/])(?:shared/)?((?:{places})/\w*)", page))
    bases = (ROOT / "shared", ROOT / "shared/core")
    kinds = ("", ".py")

    missing = {
        name for name in named if not any((b / f"{name}{k}").exists() for b in bases for k in kinds)
    }

    assert missing == set()
    assert len(named) > 20


def test_entry_points_that_the_architecture_names_exist() -> None:
    """Each function is in the file that the page names."""
    page = (ROOT / "docs/architecture.md").read_text("utf-8")
    named = re.findall(r"((?:`\w+`(?: or )?)+) in `([\w/]+\.py)`", page)

    pairs = [(name, path) for names, path in named for name in re.findall(r"\w+(?=`)", names)]
    missing = [
        (name, path)
        for name, path in pairs
        if f"def {name}(" not in (ROOT / path).read_text("utf-8")
    ]

    assert missing == []
    assert len(pairs) >= 6


@pytest.fixture
def followed(azurite: Azurite) -> Callable[[], subprocess.CompletedProcess[str]]:
    """Provide the example of the formats page, to be run exactly as the page has it."""
    (example,) = fences(ROOT / "docs/formats.md", "python")

    def follow() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", example],
            env={"STORAGE_CONNECTION_STRING": azurite.connection_string},
            capture_output=True,
            check=False,
            text=True,
        )

    return follow


def test_the_example_of_a_reader_reads_the_feed(
    azurite: Azurite, followed: Callable[[], subprocess.CompletedProcess[str]]
) -> None:
    """It shows what a scan wrote and refuses a part whose length differs from its manifest's."""
    tenant = history(900)
    storage = {"STORAGE_CONNECTION_STRING": azurite.connection_string}
    with Simulator(tenant, switches=OPEN) as api:
        run_until_idle(settings(api, storage))

    ran = followed()

    names = sorted(line.split()[1] for line in ran.stdout.splitlines())
    assert names == sorted(it.id for it in tenant.truth())

    service = BlobServiceClient.from_connection_string(azurite.connection_string)
    data = service.get_container_client("activities")
    part = next(iter(data.list_blob_names()))
    longer = zlib.decompress(data.download_blob(part).readall(), wbits=31) + b"{}\n"
    data.upload_blob(part, gzip.compress(longer), overwrite=True)

    ran = followed()

    assert f"ValueError: {part} is not what manifest" in ran.stderr
