"""Readers that refuse a whole file for one strange value read every part."""

import gzip
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.json
import pytest

from shared.core.records import encode_block, read_page
from tests.unit.core.test_records import IRREGULAR, KEPT, TIMES, body

PLAIN = b'{"_id":"p",%b,"n":1,"t":"x"}' % TIMES
UNTIDY = {
    "no key": b'{"_id":"a",%b,"":1}' % TIMES,
    "NUL": rb'{"_id":"a",%b,"t":"\u0000"}' % TIMES,
    "line separators": '{"_id":"a","t":"\u2028\u0085"}'.encode(),
    "three megabytes": b'{"_id":"a",%b,"t":"' % TIMES + b"x" * 3_000_000 + b'"}',
    "a repeated _id": b'{"_id":"a","_id":"b",%b}' % TIMES,
    "nested to the limit": b'{"_id":"a",%b,"d":' % TIMES + b"[" * 99 + b"]" * 99 + b"}",
}
STRANGE = {**KEPT, **IRREGULAR, **UNTIDY}


def duckdb_rows(part: Path) -> int:
    """Count the rows that DuckDB's reader with a detected schema sees."""
    options = "format = 'newline_delimited', maximum_object_size = 33554432"
    query = f"SELECT count(*) FROM read_json('{part}', {options})"  # noqa: S608 - a path of ours
    with duckdb.connect() as database:
        (rows,) = database.execute(query).fetchone() or (0,)
    return int(rows)


def pandas_rows(part: Path) -> int:
    """Count the rows of a pandas frame."""
    return len(pd.read_json(part, lines=True, compression="gzip"))


def pyarrow_rows(part: Path) -> int:
    """Count the rows of an Arrow table."""
    options = pyarrow.json.ReadOptions(block_size=32 << 20)
    lines = BytesIO(gzip.decompress(part.read_bytes()))
    return int(pyarrow.json.read_json(lines, read_options=options).num_rows)


def plain_rows(part: Path) -> int:
    """Count the lines that a strict JSON parser takes, as Spark's does: UTF-8, one a line."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    lines = gzip.decompress(part.read_bytes()).decode("utf-8").rstrip("\n").split("\n")
    return len([json.loads(line, parse_constant=refuse) for line in lines])


READERS = (duckdb_rows, pandas_rows, pyarrow_rows, plain_rows)


def written(folder: Path, *records: bytes) -> Path:
    """Store records as the scan would, as a part in a folder."""
    path = folder / "part.jsonl.gz"
    path.write_bytes(encode_block(read_page(body(*records)).records, epoch=1, number=0)[1])
    return path


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_part_with_a_strange_record_is_read(
    reader: Callable[[Path], int], kind: str, tmp_path: Path
) -> None:
    """All of its rows, the strange one included."""
    part = written(tmp_path, PLAIN, STRANGE[kind], PLAIN)

    assert reader(part) == 3


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_a_part_with_every_irregular_record_is_read(
    reader: Callable[[Path], int], tmp_path: Path
) -> None:
    """Together they are one column more."""
    part = written(tmp_path, PLAIN, *IRREGULAR.values(), PLAIN)

    assert reader(part) == len(IRREGULAR) + 2
