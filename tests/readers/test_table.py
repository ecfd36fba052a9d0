"""Every reader of docs/table.md runs as it is written, and shows every row and value.

`make readers` runs these tests: the readers have an environment of their own.
"""

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.delta_table import COLUMNS
from shared.core.api.records import read_line
from shared.core.state import manifest
from shared.table.columns import Row, row_of
from tests.parts import lines_of
from tests.readers import real_parts
from tests.readers.test_reading import EXAMPLE, ROOT, in_python
from tests.world import World

pytestmark = pytest.mark.readers

PAGE = (ROOT / "docs" / "table.md").read_text("utf-8")
EXAMPLES = {name: text for _, name, _, text in EXAMPLE.findall(PAGE)}

IN_PYTHON = {
    "deltalake": "rows = table.to_pylist()",
    "polars": "rows = table.to_dicts()",
    "duckdb": "rows = table.to_arrow_table().to_pylist()",
    "datafusion": "rows = table.to_pylist()",
    "daft": "rows = table.to_pylist()",
}
"""The expression with which the test extracts the rows of each example."""

SHOW = """
import json
print(json.dumps(rows, default=lambda it: it.isoformat()))
"""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder for the table."""
    return tmp_path_factory.mktemp("table")


@pytest.fixture(scope="module")
def world(folder: Path) -> World:
    """Provide the scan which the table in the folder has followed."""
    return real_parts.write_table(folder)


@pytest.fixture(scope="module")
def expected(world: World) -> list[dict[str, Any]]:
    """Provide the rows as the lines of the parts say, without the table."""
    manifests = map(manifest.decode, world.results.manifests.values())
    rows = [
        row_of(read_line(line), scan=it.scan, look=it.pass_name or "", manifest=it.number)
        for it in manifests
        if it.part is not None
        for line in lines_of(world.results.parts[it.part.name])
    ]
    return [shown(row) for row in rows]


def shown(row: Row) -> dict[str, Any]:
    """Return a row with instants and days as text."""
    values = {
        name: getattr(row, field)
        for name, field in zip(COLUMNS, Row.__struct_fields__, strict=True)
    }
    for name in ("time", "created"):
        if values[name] is not None:
            values[name] = (EPOCH + timedelta(milliseconds=values[name])).isoformat()
    if values["date"] is not None:
        values["date"] = (date(1970, 1, 1) + timedelta(days=values["date"])).isoformat()
    return values


def counted(rows: list[dict[str, Any]]) -> Counter[str]:
    """Return the rows in a form that can be compared in any order."""
    return Counter(json.dumps(row, sort_keys=True) for row in rows)


def test_the_table_has_every_trap(expected: list[dict[str, Any]]) -> None:
    """Otherwise the test below would prove less than it claims."""
    may_be_null = set(COLUMNS) - {"irregular", "scan", "pass", "manifest", "record"}

    assert {name for row in expected for name, it in row.items() if it is None} == may_be_null
    assert {row["created"][:4] for row in expected if row["created"]} >= {"0001", "9999"}
    assert 2**62 + 1 in {row["app_id"] for row in expected}
    assert real_parts.ODD_ID in {row["id"] for row in expected}
    assert "" in {row["event_type"] for row in expected}
    assert any(row["irregular"] for row in expected)
    assert max(len(row["record"]) for row in expected) > 1_000_000


def test_every_example_is_run() -> None:
    """No reader on the page is without a test."""
    assert set(EXAMPLES) == set(IN_PYTHON)


@pytest.mark.parametrize("name", IN_PYTHON)
def test_a_reader_shows_every_row_and_value(
    name: str, folder: Path, expected: list[dict[str, Any]]
) -> None:
    """Whatever the order of rows and columns."""
    rows = in_python(EXAMPLES[name] + IN_PYTHON[name] + SHOW, folder)

    assert counted(rows) == counted(expected)
