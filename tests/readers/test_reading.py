"""Every example of docs/reading.md runs as it is written, and shows every row and value.

`make readers` runs these tests: the readers have an environment of their own.
"""

import gzip
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.readers import real_parts

pytestmark = pytest.mark.readers

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reading.md").read_text("utf-8")
PYTHON = ROOT / ".readers" / "bin" / "python"
EXAMPLE = re.compile(
    r"^<!-- (reader|ddl): ([\w-]+) -->\n```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE
)
EXAMPLES = {(kind, name): text for kind, name, _, text in EXAMPLE.findall(PAGE)}

SCALARS = ("_id", "timestamp", "created", "appName", "description", "country", "irregular")
Row = dict[str, Any]

IN_PYTHON = {
    "duckdb": "rows = [dict(zip(table.columns, it)) for it in table.fetchall()]",
    "pandas": "rows = table.astype(object).where(table.notna(), None).to_dict('records')",
    "polars": "rows = table.to_dicts()",
    "pyarrow": "rows = table.to_pylist()",
    "spark": "rows = [it.asDict(recursive=True) for it in table.collect()]",
    "clickhouse": "import json; rows = [json.loads(it) for it in table.bytes().splitlines()]",
    "zlib": "rows = table",
}
"""The expression with which the test extracts the rows of each example."""

SHOW = """
import json
print(json.dumps(rows, default=str))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder with the data container's parts in it."""
    made = tmp_path_factory.mktemp("container")
    real_parts.write(made)
    return made


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[bytes]:
    """Provide every line of the parts."""
    parts = sorted(folder.rglob("*.jsonl.gz"))
    return [line for part in parts for line in gzip.decompress(part.read_bytes()).split(b"\n")[:-1]]


def row_of(record: Row) -> Row:
    """Return the columns of the examples, from a record or from a reader's form of it."""
    location = record.get("location") or {}
    row = {name: record.get(name) for name in SCALARS}
    row["country"] = record["country"] if "country" in record else location.get("countryCode")
    if "rawDataJson" in record:
        raw = record["rawDataJson"]
        row["rawDataJson"] = json.loads(raw) if isinstance(raw, str) else raw
    return row


def digest(rows: list[Row], *, without: tuple[str, ...] = ()) -> tuple[int, str]:
    """Return the number of rows and a digest of all their values."""
    kept = [{name: it for name, it in row.items() if name not in without} for row in rows]
    written = sorted(json.dumps(row, sort_keys=True) for row in kept)
    return len(rows), sha256("\n".join(written).encode()).hexdigest()


def expected(lines: list[bytes], *, without: tuple[str, ...] = ()) -> tuple[int, str]:
    """Return the number and the digest of the lines themselves."""
    rows = [row_of({"rawDataJson": None, **json.loads(line)}) for line in lines]
    return digest(rows, without=without)


def ran(command: list[str | Path], folder: Path) -> str:
    """Run a command in the folder and return its output."""
    done = subprocess.run(
        [str(it) for it in command],
        cwd=folder,
        capture_output=True,
        timeout=300,
        check=False,
        env={**os.environ, "TZ": "UTC", "SPARK_LOCAL_IP": "127.0.0.1"},
    )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return done.stdout.decode()


def in_python(text: str, folder: Path) -> Any:  # noqa: ANN401 - whatever it shows
    """Run Python in the environment of the readers and return its output."""
    script = folder / "example.py"
    script.write_text(text, "utf-8")
    return json.loads(ran([PYTHON, script], folder).splitlines()[-1])


def test_the_parts_have_every_trap(lines: list[bytes]) -> None:
    """Otherwise the tests below would prove less than they claim."""
    records = [json.loads(line) for line in lines]

    assert next(at for at, it in enumerate(records) if "irregular" in it) > 100
    assert max(map(len, lines)) > 1_000_000
    assert any(it["_id"].isdigit() for it in records)
    assert any({"Level", "level"} <= set(it.get("rawDataJson") or ()) for it in records)
    assert any("description" in it and it["description"] is None for it in records)
    assert any("description" not in it and "irregular" not in it for it in records)


def test_every_example_is_run() -> None:
    """No example on the page is without a test."""
    readers = {name for kind, name in EXAMPLES if kind == "reader"}

    assert readers == {*IN_PYTHON, "jq", "java", "node"}
    assert {name for kind, name in EXAMPLES if kind == "ddl"} == {*DEFINED, "data-explorer"}


@pytest.mark.parametrize("name", IN_PYTHON)
def test_a_python_reader_shows_every_row_and_value(
    name: str, folder: Path, lines: list[bytes]
) -> None:
    """Number of rows and digest equal those of the lines."""
    rows = in_python(EXAMPLES["reader", name] + IN_PYTHON[name] + SHOW, folder)

    without = ("rawDataJson",) if name in {"polars", "pyarrow"} else ()
    shown = [row_of({"rawDataJson": None, **row}) for row in rows]
    assert digest(shown, without=without) == expected(lines, without=without)


def _jq(text: str, _: Path) -> list[str | Path]:
    return ["bash", "-c", text]


def _node(text: str, folder: Path) -> list[str | Path]:
    (folder / "example.js").write_text(text, "utf-8")
    installed = ROOT / ".venv" / "bin" / "node"
    return [shutil.which("node") or installed, folder / "example.js"]


@pytest.mark.parametrize(("name", "command"), [("jq", _jq), ("node", _node)])
def test_another_language_shows_every_row_and_value(
    name: str,
    command: Callable[[str, Path], list[str | Path]],
    folder: Path,
    lines: list[bytes],
) -> None:
    """The numbers of `rawDataJson` are exempt, as they are doubles there."""
    shown = ran(command(EXAMPLES["reader", name], folder), folder)

    rows = [row_of(json.loads(line)) for line in shown.split("\n")[:-1]]
    assert digest(rows) == expected(lines, without=("rawDataJson",))


NEVER_AVAILABLE = (
    "new java.io.FilterInputStream(Files.newInputStream(path)) {"
    " public int available() { return 0; } }"
)


@pytest.mark.parametrize("stream", ["Files.newInputStream(path)", NEVER_AVAILABLE])
def test_java_shows_every_line(stream: str, folder: Path, lines: list[bytes]) -> None:
    """This includes a stream that never states its size, as many cloud SDKs' streams do."""
    text = EXAMPLES["reader", "java"].replace("Files.newInputStream(path)", stream)
    (folder / "Lines.java").write_text(text, "utf-8")

    shown = ran(["java", folder / "Lines.java"], folder)

    assert sorted(shown.encode().split(b"\n")[:-1]) == sorted(lines)


COLUMNS = "app, event_type, user_name, ip, country, severity, record"
DEFINED = {
    "duckdb": """
import duckdb
duckdb.sql(definition)
asked = "SELECT id, epoch_ms(time), epoch_ms(created), COLUMNS FROM activities"
rows = duckdb.sql(asked).fetchall()
""",
    "spark": """
from pyspark.sql import SparkSession
spark = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
spark.sql(definition.rstrip().rstrip(";"))
asked = "SELECT id, unix_millis(time), unix_millis(created), COLUMNS FROM activities"
rows = [list(it) for it in spark.sql(asked).collect()]
""",
    "clickhouse": """
import json
from chdb import session
database = session.Session()
database.query("CREATE DATABASE readers")
database.query("USE readers")
database.query(definition)
asked = (
    "SELECT id, toUnixTimestamp64Milli(time), toUnixTimestamp64Milli(created), COLUMNS "
    "FROM activities"
)
shown = database.query(asked, "JSONCompactEachRow").bytes().splitlines()
found = [json.loads(it) for it in shown]
rows = [[name, int(time), int(created), *rest] for name, time, created, *rest in found]
""",
}
"""What runs each definition, and asks for the table that it makes."""

PATHS = (
    "$._id",
    "$.timestamp",
    "$.created",
    "$.appName",
    "$.eventTypeValue",
    "$.user.userName",
    "$.device.clientIP",
    "$.location.countryCode",
    "$.severity",
)


def at(record: Row, path: str) -> object:
    """Return the value at a path, or None if there is none."""
    value: Any = record
    for name in path.split(".")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return value


@pytest.mark.parametrize("name", DEFINED)
def test_a_table_holds_typed_columns_and_the_untouched_record(
    name: str, folder: Path, lines: list[bytes]
) -> None:
    """Its record is the line, byte for byte; its columns are the record's fields."""
    definition = EXAMPLES["ddl", name]

    asked = DEFINED[name].replace("COLUMNS", COLUMNS)

    found = in_python(f"definition = {definition!r}\n{asked}{SHOW}", folder)

    assert sorted(row[-1].encode() for row in found) == sorted(lines)
    for row in found:
        record = json.loads(row[-1])
        assert row[:-1] == [at(record, path) for path in PATHS]


def test_the_mapping_of_data_explorer_names_fields_of_records(lines: list[bytes]) -> None:
    """Each path leads to a value in some record, and each column of the table has one."""
    text = EXAMPLES["ddl", "data-explorer"]
    mapping = json.loads(text[text.index("'[") + 1 : text.rindex("]'") + 1])
    columns = re.findall(r"[(,] ?(\w+): \w+", text.splitlines()[0])
    records = [json.loads(line) for line in lines]

    assert [it["column"] for it in mapping] == columns
    paths = [it["Properties"]["path"] for it in mapping]
    assert paths == [*PATHS, "$"]
    assert all(any(at(record, path) is not None for record in records) for path in paths)
