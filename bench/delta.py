"""Measures the table: `python -m bench.delta` (`make bench-table`).

Makes the feeds of two tenants in a folder, lets the table follow them, and asks the table and the
parts the same question with DuckDB. Everything is on the machine's disk, so the times have no
network in them: what they show is how much has to be opened and read.

To save time, only a stretch of a day is made. Reading its files several times stands for reading a
day or a month; where that would take long, its time is computed from the shorter one. A manifest
covers five minutes, and is followed by a commit of its own, as a call every five minutes does it.
Catching up is measured with the usual commits of many manifests. `--write` puts the tables into
docs/table.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import duckdb
from deltalake import DeltaTable

from bench.cost import PRICES
from bench.history import History, forms
from bench.tables import Table, replaced
from shared.adapters.delta_table import DeltaActivities
from shared.core.api.blocks import encode_block, encode_trailer
from shared.core.api.records import read_line
from shared.core.model import DAY_MS, HOUR_MS, Block, Counts
from shared.core.state import manifest as manifests
from shared.core.state.manifest import Manifest, Part, Requests
from shared.table import following
from shared.table.feed import Feed

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "table.md"
OPENING = "<!-- table: make bench-table writes it -->"
CLOSING = "<!-- end of table -->"

BEGIN = 1_790_812_800_000
"""2026-10-01T00:00:00Z."""

SLICE_MS = 300_000
A_DAY = DAY_MS // SLICE_MS
"""Manifests of a day."""

STRETCHES = {10_000: 24, 1_000_000: 2, 20_000_000: 1}
"""How many hours are made, by activities a day."""

ASKED_SECONDS = 60
"""A question that would take longer is not asked: its time is computed."""

STAYS_DAYS = 14
"""For how long a removed file belongs to storage at most: kept for a week, removed once a week."""

RECOVERY_DAYS = 7
"""The default of the parameter of this name."""

MONTH = 30
"""Days."""

PAGE = 5_000

SEED = 1
FORMS = 2_000

SELECT = "SELECT {user}, {kind}, count(*) FROM {source} GROUP BY ALL"

COLUMNS = {
    "user": "STRUCT(userName VARCHAR)",
    "failedUserData": "STRUCT(userName VARCHAR)",
    "eventTypeValue": "VARCHAR",
}
"""The fields of a record that the question needs, declared: otherwise DuckDB reads parts twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The `FeedStore` over a folder.

    Attributes:
        folder: where `manifests/` and the parts are.
        last: number of the last manifest that exists.
    """

    folder: Path
    last: int

    def manifest(self, number: int) -> bytes | None:
        """Return a manifest's bytes."""
        path = self.folder / f"manifests/{number}.json"
        return path.read_bytes() if number <= self.last else None

    def first_from(self, number: int) -> int | None:
        """Return the number; numbers have no gaps."""
        return number if number <= self.last else None

    def block(self, part: str, start: int, size: int) -> bytes:
        """Return these bytes of a part."""
        with (self.folder / part).open("rb") as file:
            file.seek(start)
            return file.read(size)


def made_feed(folder: Path, rate: int, hours: int) -> int:
    """Write the feed of a scan; return the number of manifests.

    Args:
        folder: where to.
        rate: activities a day.
        hours: its length.
    """
    length = hours * HOUR_MS
    history = History(
        begin=BEGIN, length=length, count=rate * hours // 24, forms=forms(FORMS, SEED)
    )
    (folder / "manifests").mkdir(parents=True)
    (folder / "parts").mkdir()
    previous = None
    for number in range(1, length // SLICE_MS + 1):
        part = _made_part(folder, history, BEGIN + (number - 1) * SLICE_MS)
        content = manifests.encode(_manifest(number, previous, part))
        (folder / f"manifests/{number}.json").write_bytes(content)
        previous = manifests.digest(content)
    return length // SLICE_MS


def _made_part(folder: Path, history: History, start: int) -> Part:
    first, after = history.first_since(start), history.first_since(start + SLICE_MS)
    blocks: list[Block] = []
    contents = []
    for at in range(first, after, PAGE):
        records = [read_line(it) for it in history.records(at, min(after, at + PAGE))]
        block, content = encode_block(records, epoch=1, number=len(blocks))
        blocks.append(block)
        contents.append(content)
    block, content = encode_trailer(blocks, epoch=1)
    name = f"parts/{start}.jsonl.gz"
    path = folder / name
    path.write_bytes(b"".join([*contents, content]))
    return Part(
        name=name,
        size=path.stat().st_size,
        records=after - first,
        timestamp=None,
        created=None,
        blocks=(*blocks, block),
    )


def _manifest(number: int, previous: str | None, part: Part) -> Manifest:
    start = BEGIN + (number - 1) * SLICE_MS
    return Manifest(
        version=manifests.VERSION,
        number=number,
        previous=previous,
        scan="all",
        pass_name="first",  # noqa: S106 - the name of a pass
        axis="date",
        fingerprint="",
        origin=BEGIN,
        epoch=1,
        made=start,
        decision=None,
        start=start,
        end=start + SLICE_MS,
        requests=Requests(count=1, first=None, last=None),
        part=part,
        counts=Counts(),
        lateness={},
        since=None,
        doubt=(),
        lost=None,
        covers=("first",),
        settled_until=start,
        complete={},
        final=(),
    )


def follow(folder: Path, table: Path, last: int, manifests_most: int) -> None:
    """Let a table follow a feed; print what it came to."""
    following.MANIFESTS_MOST = manifests_most
    feed = Feed(Shelf(folder=folder, last=last), "all")
    began = time.perf_counter()
    follower = following.Follower(feed, DeltaActivities(str(table), "all", dict))
    commits = list(follower.commits())
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = {"rows": sum(it.rows for it in commits), "seconds": seconds, "peak_kb": peak}
    print(json.dumps(said))


def compact(table: Path) -> None:
    """Merge the files of the day; print what it came to."""
    began = time.perf_counter()
    DeltaActivities(str(table), "all", dict).compact(BEGIN // DAY_MS)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_kb": peak}))


def alone(*arguments: object) -> dict[str, float]:
    """Run `follow` or `compact` in a process of its own, so that its memory can be told."""
    command = [sys.executable, "-m", "bench.delta", *map(str, arguments)]
    ran = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    said: dict[str, float] = json.loads(ran.stdout)
    return said


def seconds(ask: Callable[[], object], times: int) -> float:
    """Return the median of how long a question takes."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        found.append(time.perf_counter() - began)
    return median(found)


Ask = Callable[[Sequence[str]], object]
"""Asks the question about files."""


def ask_table(files: Sequence[str]) -> list[tuple[object, ...]]:
    """Ask the files of a table how many activities each user had, by type."""
    sql = SELECT.format(user='"user"', kind="event_type", source=f"read_parquet({list(files)!r})")
    return duckdb.connect().execute(sql).fetchall()


def ask_parts(files: Sequence[str]) -> list[tuple[object, ...]]:
    """Ask parts the same."""
    source = f"read_json({files!r}, format = 'newline_delimited', columns = {COLUMNS!r})"
    user = 'coalesce("user".userName, failedUserData.userName)'
    sql = SELECT.format(user=user, kind="eventTypeValue", source=source)
    return duckdb.connect().execute(sql).fetchall()


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """How long a question takes.

    Attributes:
        seconds: the time.
        computed: whether it was computed from a question about less.
    """

    seconds: float
    computed: bool = False

    def __str__(self) -> str:
        """Return it as the document has it."""
        return f"about {self.seconds / 60:,.0f} min" if self.computed else f"{self.seconds:,.2f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One way in which the activities of a day are stored.

    Attributes:
        name: as it is called in the table.
        files: number of files.
        bytes: number of bytes.
        day: how long the question about the day takes.
        month: how long it takes about a month of such days.
    """

    name: str
    files: int
    bytes: int
    day: Took
    month: Took


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a tenant came to.

    Attributes:
        rate: activities a day.
        stored: the ways in which they are stored.
        caught_up: what catching up came to.
        compacted: what merging the files of the stretch came to.
        hours: length of the stretch.
    """

    rate: int
    hours: int
    stored: list[Stored]
    caught_up: dict[str, float]
    compacted: dict[str, float]


def measured(rate: int, hours: int) -> Measured:
    """Measure a tenant of so many activities a day by a stretch of so many hours."""
    with TemporaryDirectory() as place:
        feed, table = Path(place, "feed"), Path(place, "table")
        last = made_feed(feed, rate, hours)
        caught_up = alone("follow", feed, Path(place, "at-once"), last, following.MANIFESTS_MOST)
        alone("follow", feed, table, last, 1)
        before = asked("table, as appended", ask_table, DeltaTable(table).file_uris(), hours)
        compacted = alone("compact", table)
        after = asked("table, merged", ask_table, DeltaTable(table).file_uris(), hours)
        parts = asked("parts", ask_parts, sorted(map(str, feed.glob("parts/*"))), hours)
    return Measured(
        rate=rate,
        hours=hours,
        stored=[before, after, parts],
        caught_up=caught_up,
        compacted=compacted,
    )


def asked(name: str, ask: Ask, stretch: Sequence[str], hours: int) -> Stored:
    """Ask the files of a stretch, and as many as a day and a month have."""
    once = Took(seconds=seconds(partial(ask, stretch), 1))
    files = list(stretch) * (24 // hours)
    day = _longer(ask, files, once, 24 // hours)
    return Stored(
        name=name,
        files=len(files),
        bytes=size(files),
        day=day,
        month=_longer(ask, files * MONTH, day, MONTH),
    )


def _longer(ask: Ask, files: Sequence[str], shorter: Took, times: int) -> Took:
    """Return how long a question takes about so many times as much as a shorter one."""
    expected = shorter.seconds * times
    if expected > ASKED_SECONDS:
        return Took(seconds=expected, computed=True)
    return Took(seconds=seconds(partial(ask, files), 3))


def size(files: Sequence[str]) -> int:
    """Return how many bytes files have together."""
    return sum(Path(it).stat().st_size for it in files)


HEAD = [
    "activities a day",
    "stored as",
    "files of a day",
    "MB of a day",
    "question about a day",
    "about a month",
]


def tables(found: Sequence[Measured]) -> str:
    """Return the tables of the document."""
    rows = [
        [
            f"{it.rate:,}",
            stored.name,
            f"{stored.files:,}",
            f"{stored.bytes / 1e6:,.1f}",
            str(stored.day),
            str(stored.month),
        ]
        for it in found
        for stored in it.stored
    ]
    work = [
        [
            f"{it.rate:,}",
            f"{it.caught_up['rows'] / it.caught_up['seconds']:,.0f} activities a second",
            f"{it.caught_up['peak_kb'] / 1024:,.0f} MB",
            f"{it.rate * it.hours / 24 / it.compacted['seconds']:,.0f} activities a second",
            f"{it.compacted['peak_kb'] / 1024:,.0f} MB",
        ]
        for it in found
    ]
    head = ["activities a day", "catching up", "peak memory", "merging", "peak memory"]
    queries = Table(title="Size and time of a question", head=HEAD, rows=rows)
    memory = Table(title="Speed and memory", head=head, rows=work)
    return f"{queries}\n\n{memory}\n\n{costs(found)}"


COSTS = [
    "activities a day",
    "the table grows each month by",
    "which costs",
    "removed files, at most",
    "which cost",
]


def costs(found: Sequence[Measured]) -> Table:
    """Return what the files of the table and those that it has removed cost a month.

    Each day is stored as it was appended and as it was merged. The first files stay until they are
    removed, then as versions, and then as deleted versions.
    """
    stays = STAYS_DAYS + 2 * RECOVERY_DAYS
    rows = []
    for it in found:
        appended, merged = (stored.bytes for stored in it.stored[:2])
        sizes = (merged * MONTH / 1e9, appended * stays / 1e9)
        told = [(f"{size:,.1f} GB", f"${size * PRICES['gigabyte_month']:,.2f}") for size in sizes]
        rows.append([f"{it.rate:,}", *told[0], *told[1]])
    return Table(title="Cost of the files", head=COSTS, rows=rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/table.md")
    parser.add_argument("step", nargs="*", help="what a process of its own is to do")
    chosen = parser.parse_args(arguments)
    match chosen.step:
        case ["follow", feed, table, last, most]:
            follow(Path(feed), Path(table), int(last), int(most))
            return 0
        case ["compact", table]:
            compact(Path(table))
            return 0
    text = tables([measured(rate, hours) for rate, hours in STRETCHES.items()])
    print(text)
    if chosen.write:
        DOCUMENT.write_text(
            replaced(DOCUMENT.read_text("utf-8"), OPENING, CLOSING, text), encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
