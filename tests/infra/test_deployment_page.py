"""Everything that the page on deployment names exists."""

import re
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from bench.cost import PRICES
from harness import bicep, infra
from infra.scripts.check_functions import COLLECTOR
from tests.infra.monitored import fields_read, flaws, report_names
from tests.test_docs import ROOT, fences

PAGE = ROOT / "docs" / "deployment.md"
TEXT = PAGE.read_text("utf-8")


def named() -> set[str]:
    """Return the words between backticks that look like parameters of the template."""
    return set(re.findall(r"`([a-z]+(?:[A-Z][a-zA-Z]*)+)(?:=\w+)?`", TEXT))


@pytest.mark.compiler
def test_parameters_that_the_page_names_exist() -> None:
    """The template has parameters of exactly these names."""
    declared = bicep.template(infra.INFRA / "main.bicep")["parameters"]

    assert named() - set(declared) == set()


@pytest.mark.compiler
def test_the_button_asks_for_what_the_template_asks_for() -> None:
    """It opens the released template on the release branch; the form asks for the rest."""
    section = TEXT[TEXT.index("### Deploy with the button") : TEXT.index("### Terraform")]
    workflow = (ROOT / ".github/workflows/release.yml").read_text("utf-8")
    declared = bicep.template(infra.COLLECTOR)["parameters"]
    needed = {name for name, it in declared.items() if "defaultValue" not in it}
    (address,) = re.findall(r"Template/uri/([^)]+)\)", section)

    told = set(re.findall(r"`([a-z]+(?:[A-Z][a-zA-Z]*)+)`", section))
    assert told == needed | {"packageUri"}
    assert unquote(address) == (
        "https://raw.githubusercontent.com/ORG/REPO/released/activity-scan.json"
    )
    assert "activity-scan.json" in workflow
    assert '.git" released' in workflow


def test_the_picture_names_what_is_deployed() -> None:
    """It is an SVG beside the page."""
    picture = (ROOT / "docs/deployment.svg").read_text("utf-8")

    assert "](deployment.svg)" in TEXT
    ET.fromstring(picture)  # noqa: S314 - our own file
    for part in ("Function app", "Storage account of the data", "Application Insights", "Vault"):
        assert part in picture


@pytest.mark.compiler
def test_parameters_and_outputs_in_the_terraform_example_exist() -> None:
    """The example deploys the released template."""
    page = (ROOT / "docs/terraform.md").read_text("utf-8")
    example = page[page.index("parameters_content") : page.index("locals {")]
    compiled = bicep.template(infra.COLLECTOR)

    assert set(re.findall(r"^ +(\w+) += \{ value", example, re.MULTILINE)) <= set(
        compiled["parameters"]
    )
    assert set(re.findall(r"local\.scan\.(\w+)\.value", page)) <= set(compiled["outputs"])


@pytest.mark.compiler
def test_every_option_has_its_row() -> None:
    """It says what each resource that is off by default is, and what it leaves behind."""
    declared = bicep.template(infra.INFRA / "main.bicep")["parameters"]
    off = {
        name
        for name, it in declared.items()
        if it.get("defaultValue") in (False, [], {}) and name not in {"tags", "scanFilters"}
    }

    of_the_program = {"allowAnyHost"}  # The page of settings explains it.
    assert [name for name in off - of_the_program if f"`{name}`" not in TEXT] == []


def test_outputs_and_variables_that_the_page_names_exist() -> None:
    """They are in the template or the workflow, or a script reads them."""
    template = (infra.INFRA / "main.bicep").read_text("utf-8")
    workflow = (ROOT / ".github/workflows/deploy.yml").read_text("utf-8")
    upper = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", TEXT))

    scripts = (infra.INFRA / "scripts/check_access.py").read_text("utf-8")
    assert [name for name in upper if name not in template + workflow + scripts] == []


def test_options_of_the_script_that_the_page_names_exist() -> None:
    """The script's help lists them."""
    script = (infra.INFRA / "scripts" / "deploy.sh").read_text("utf-8")
    commands = "\n".join(fences(PAGE, "sh")).replace("\\\n", "").splitlines()
    lines = "\n".join(it for it in commands if it.startswith("infra/scripts/deploy.sh"))
    given = set(re.findall(r"(--[a-z-]+)", lines)) | {"--infrastructure-only", "--package-only"}

    assert [option for option in given if option not in script] == []


def said_by_scripts() -> str:
    """Return the source of all scripts, with the function that the page is about."""
    scripts = (infra.INFRA / "scripts").glob("*.*")
    text = "".join(path.read_text("utf-8") for path in sorted(scripts))
    return re.sub(r"\{(asked\.)?function\}", COLLECTOR, text)


def test_messages_that_the_page_explains_are_those_of_the_scripts() -> None:
    """Searching for a message finds its row; names of Azure's errors are exempt."""
    table = TEXT.partition("| if it stops with |")[2].partition("\n\n")[0]
    cells = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| `")]
    quoted = {text for cell in cells for text in re.findall(r"`([^`]+ [^`]+)`", cell)}
    filled_in = r" WarmUp$| \(1 of 20\)$| the role$"

    said = said_by_scripts()
    assert [text for text in quoted if re.sub(filled_in, "", text) not in said] == []
    assert len(quoted) >= 8


def test_what_the_page_shows_of_a_deployment_is_what_the_script_prints() -> None:
    """Only the names differ."""
    (shown,) = [text for text in fences(PAGE, "text") if "Deployed: " in text]
    names = r"func-activity-scan-abc|rg-prod|security@contoso\.com|here, for Python 3\.13"
    pieces = [it for line in shown.splitlines() for it in re.split(names, line) if len(it) > 1]

    said = said_by_scripts()
    assert [piece for piece in pieces if piece.strip() not in said] == []


@pytest.mark.parametrize("query", fences(PAGE, "kusto"))
def test_queries_of_the_page_read_fields_that_a_report_has(query: str) -> None:
    """A copied query returns something."""
    assert fields_read(query) <= report_names()
    assert flaws(query) == []


def test_the_totals_of_the_page_follow_from_its_tables() -> None:
    """A reader can follow the arithmetic."""
    shown = {name: f"${price:.6f}".rstrip("0") for name, price in PRICES.items()}
    assert shown["gigabyte_second"] in TEXT
    assert f"${PRICES['write'] * 10_000:.3f}" in TEXT
    assert f"${PRICES['read'] * 10_000:.3f}" in TEXT
    assert f"${PRICES['gigabyte_month']:.4f}" in TEXT
