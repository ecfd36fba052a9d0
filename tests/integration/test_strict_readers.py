"""Readers that reject a whole file for one value that they refuse can read every part."""

import gzip
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import duckdb
import pyarrow.json
import pytest

from shared.core.api.pages import read_page
from simulator import Tenant
from tests.bodies import IRREGULAR, KEPT, TIMES, body
from tests.parts import part_of

PLAIN = b'{"_id":"p",%b,"n":1,"t":"x"}' % TIMES
UNTIDY = {
    "no key": b'{"_id":"a",%b,"":1}' % TIMES,
    "NUL": rb'{"_id":"a",%b,"t":"\u0000"}' % TIMES,
    "line separators": '{"_id":"a","t":"\u2028\u0085"}'.encode(),
    "three megabytes": b'{"_id":"a",%b,"t":"' % TIMES + b"x" * 3_000_000 + b'"}',
    "a repeated _id": b'{"_id":"a","_id":"b",%b}' % TIMES,
}
RECORDS = {**KEPT, **IRREGULAR, **UNTIDY}
COLUMNS = (
    "{_id: 'VARCHAR', timestamp: 'BIGINT', created: 'BIGINT', k: 'JSON', irregular: 'VARCHAR'}"
)
FIELDS = [
    ("_id", pyarrow.string()),
    ("timestamp", pyarrow.int64()),
    ("irregular", pyarrow.string()),
]


def duckdb_rows(part: Path) -> int:
    """Count the rows that DuckDB sees, with the columns declared."""
    options = f"format = 'newline_delimited', maximum_object_size = 33554432, columns = {COLUMNS}"
    query = f"SELECT count(_id) FROM read_json('{part}', {options})"  # noqa: S608 - a path of ours
    with duckdb.connect() as database:
        (rows,) = database.execute(query).fetchone() or (0,)
    return int(rows)


def pandas_rows(part: Path) -> int:
    """Count the rows of a pandas frame."""
    import pandas as pd  # noqa: PLC0415 - it takes long to load, and not every process needs it

    return len(pd.read_json(part, lines=True, compression="gzip"))


def pyarrow_rows(part: Path) -> int:
    """Count the rows of an Arrow table, with its fields declared."""
    declared = pyarrow.json.ParseOptions(
        explicit_schema=pyarrow.schema(FIELDS), unexpected_field_behavior="ignore"
    )
    return arrow_rows(part, declared)


def arrow_rows(part: Path, options: pyarrow.json.ParseOptions | None) -> int:
    """Count the rows of an Arrow table."""
    lines = BytesIO(gzip.decompress(part.read_bytes()))
    blocks = pyarrow.json.ReadOptions(block_size=32 << 20)
    read = pyarrow.json.read_json(lines, read_options=blocks, parse_options=options)
    return int(read.num_rows)


def plain_rows(part: Path) -> int:
    """Count the lines that a strict JSON parser accepts, as Spark's does: UTF-8, one a line."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    lines = gzip.decompress(part.read_bytes()).decode("utf-8").rstrip("\n").split("\n")
    return len([json.loads(line, parse_constant=refuse) for line in lines])


READERS = (duckdb_rows, pandas_rows, pyarrow_rows, plain_rows)


def written(folder: Path, *records: bytes) -> Path:
    """Store records in a folder as a part, as the scan would."""
    path = folder / "part.jsonl.gz"
    path.write_bytes(part_of(read_page(body(*records)).records))
    return path


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_part_with_a_record_of_any_kind_is_read(
    reader: Callable[[Path], int], kind: str, tmp_path: Path
) -> None:
    """Readers show all of its rows, including the one that a reader might refuse."""
    part = written(tmp_path, PLAIN, RECORDS[kind], PLAIN)

    assert reader(part) == 3


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_part_with_every_irregular_record_is_read(
    reader: Callable[[Path], int], tmp_path: Path
) -> None:
    """Together they add one column."""
    part = written(tmp_path, PLAIN, *IRREGULAR.values(), PLAIN)

    assert reader(part) == len(IRREGULAR) + 2


def test_a_guessed_schema_refuses_regular_records(tmp_path: Path) -> None:
    """The readers above declare theirs, and what only an inferred one refuses is regular."""
    tenant = Tenant.generate(seed=7, count=200, until_ms=1_795_000_000_000)
    ordinary = written(tmp_path, *(tenant.bytes_of(row) for row in range(200)))

    with duckdb.connect() as database, pytest.raises(duckdb.Error, match="Duplicate name"):
        database.execute(f"SELECT * FROM read_json('{ordinary}')")  # noqa: S608 - a path of ours
    assert [reader(ordinary) for reader in READERS] == [200] * len(READERS)

    drifting = written(tmp_path, b'{"_id":"a","d":{}}', b'{"_id":"b","d":[]}')

    with pytest.raises(pyarrow.lib.ArrowInvalid, match="changed from object to array"):
        arrow_rows(drifting, None)
    assert [reader(drifting) for reader in READERS] == [2] * len(READERS)
