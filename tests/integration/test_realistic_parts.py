"""Every reader can read parts of ordinary API records, as documented."""

import gzip
import json
from pathlib import Path

import duckdb
import pytest

from shared.core.api.pages import read_page
from simulator import Tenant
from tests.bodies import body
from tests.fakes import NOW
from tests.integration.test_strict_readers import pandas_rows, plain_rows, pyarrow_rows
from tests.parts import part_of

ROWS = 600
OPTIONS = "format = 'newline_delimited', maximum_object_size = 33554432, maximum_depth = 1"


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a part of simulated records."""
    tenant = Tenant.of(list(range(NOW, NOW + ROWS)))
    sent = [tenant.record(identity) for identity in tenant.truth()]
    path = tmp_path_factory.mktemp("parts") / "part.jsonl.gz"
    path.write_bytes(part_of(read_page(body(*sent)).records))
    return path


def test_the_records_have_nested_keys_that_differ_in_case(part: Path) -> None:
    """Otherwise the tests below would prove less than they claim."""
    records = [json.loads(line) for line in gzip.decompress(part.read_bytes()).splitlines()]

    assert any({"Level", "level"} <= set(it.get("rawDataJson") or ()) for it in records)
    assert not any("irregular" in it for it in records)


@pytest.mark.parametrize(
    "reader", [pandas_rows, pyarrow_rows, plain_rows], ids=lambda reader: reader.__name__
)
def test_a_usual_part_is_read(reader: object, part: Path) -> None:
    """Each reader shows all rows."""
    assert callable(reader)
    assert reader(part) == ROWS


def test_duckdb_reads_a_usual_part_with_one_option(part: Path) -> None:
    """It shows all rows, and reaches nested values by path."""
    seen = "count(*), count(rawDataJson ->> '$.Level')"
    with duckdb.connect() as database:
        query = f"SELECT {seen} FROM read_json('{part}', {OPTIONS})"  # noqa: S608 - a path of ours
        rows, inner = database.execute(query).fetchone() or (0, 0)

    assert rows == ROWS
    assert inner > 0
