"""Stand-ins for what the table needs, and how tests look into a table."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from deltalake import DeltaTable, QueryBuilder

from shared.core.errors import PartUnreadable
from shared.table.columns import Row
from shared.table.ports import AppendRefused, UpkeepRefused
from shared.table.upkeep import File, Stated
from tests.fakes import InMemoryResults


class InMemoryFeed:
    """The `FeedStore` over what a scan stored in memory."""

    def __init__(self, results: InMemoryResults) -> None:
        """Read these manifests and parts."""
        self.results = results
        self.blocks_read = 0

    def manifest(self, number: int) -> bytes | None:
        """Return a manifest's bytes."""
        return self.results.manifests.get(number)

    def first_from(self, number: int) -> int | None:
        """Return the lowest number from this one on."""
        return min((it for it in self.results.manifests if it >= number), default=None)

    def block(self, part: str, start: int, size: int) -> bytes:
        """Return these bytes of a part."""
        if part not in self.results.parts:
            raise PartUnreadable(f"part {part} is gone")
        self.blocks_read += 1
        return self.results.parts[part][start : start + size]


class InMemoryTable:
    """The `Table` and the `TableUpkeep` in memory.

    Attributes:
        files: the rows of each file; the size of a file is their number.
        commits: for each commit, the number of the last manifest in the table.
        compacted: when a compaction was last complete.
        vacuumed: when a vacuum was last complete.
        opened: how often it was opened for an append.
        meanwhile: called during each append or compaction, before it is committed, as another
            writer would be.
    """

    def __init__(self) -> None:
        """Begin with a table that does not exist."""
        self.files: list[list[Row]] = []
        self.commits: list[int] = []
        self.compacted: int | None = None
        self.vacuumed: int | None = None
        self.opened = 0
        self.meanwhile: Callable[[], None] = lambda: None

    @property
    def rows(self) -> list[Row]:
        """All rows."""
        return [row for file in self.files for row in file]

    def open(self) -> "InMemoryHandle":
        """Return the table as it is now."""
        self.opened += 1
        return InMemoryHandle(self, len(self.commits))

    def commit(self, through: int, rows: Iterable[Row]) -> None:
        """Add a file for each day."""
        by_day: dict[int | None, list[Row]] = {}
        for row in rows:
            by_day.setdefault(row.date, []).append(row)
        self.files += by_day.values()
        self.commits.append(through)

    def stated(self) -> Stated:
        """Return the files and times."""
        return Stated(
            files=[File(it[0].date, len(it)) for it in self.files],
            compacted=self.compacted,
            vacuumed=self.vacuumed,
        )

    def delete_before(self, day: int) -> int:
        """Drop files."""
        gone = [it for it in self.files if it[0].date is not None and it[0].date < day]
        self._replace(gone, [])
        return sum(map(len, gone))

    def compact(self, day: int | None) -> int:
        """Make one file of a day's files."""
        version = len(self.commits)
        merged = [it for it in self.files if it[0].date == day]
        if len(merged) < 2:
            return 0
        self.meanwhile()
        if len(self.commits) != version:
            raise UpkeepRefused("the table has changed")
        self._replace(merged, [[row for file in merged for row in file]])
        return len(merged)

    def vacuum(self) -> int:
        """Remove nothing: all files are young."""
        return 0

    def state_compacted(self, at: int) -> None:
        """Remember the time."""
        self.compacted = at

    def state_vacuumed(self, at: int) -> None:
        """Remember the time."""
        self.vacuumed = at

    def _replace(self, old: list[list[Row]], new: list[list[Row]]) -> None:
        self.files = [it for it in self.files if it not in old] + new
        self.commits.append(self.commits[-1])


class InMemoryHandle:
    """The `TableHandle` in memory."""

    def __init__(self, table: InMemoryTable, version: int) -> None:
        """Open this version of a table."""
        self._table = table
        self._version = version

    @property
    def through(self) -> int:
        """Return the number of the last manifest."""
        return self._table.commits[self._version - 1] if self._version else 0

    def append(self, batches: Iterable[Sequence[Row]], *, first: int, through: int) -> None:
        """Append unless the table has changed."""
        assert first <= through
        rows = [row for batch in batches for row in batch]
        self._table.meanwhile()
        if len(self._table.commits) != self._version:
            raise AppendRefused("the table has changed")
        self._table.commit(through, rows)


def query(table: DeltaTable, sql: str) -> list[dict[str, Any]]:
    """Return the rows that an SQL query finds; the table is called `activities`."""
    found = QueryBuilder().register("activities", table).execute(sql).read_all()
    columns = {name: found.column(name).to_pylist() for name in found.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
