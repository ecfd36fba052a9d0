"""Stand-ins for what the table needs, and how tests look into a table."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from deltalake import DeltaTable, QueryBuilder

from shared.core.errors import PartUnreadable
from shared.table.columns import Row
from shared.table.ports import AppendRefused
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
    """The `Table` in memory.

    Attributes:
        rows: the rows of all commits.
        commits: for each commit, the number of its last manifest.
        meanwhile: called during each append, before it is committed, as another writer would be.
    """

    def __init__(self) -> None:
        """Begin with a table that does not exist."""
        self.rows: list[Row] = []
        self.commits: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def open(self) -> "InMemoryHandle":
        """Return the table as it is now."""
        return InMemoryHandle(self, len(self.commits))


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
        self._table.rows += rows
        self._table.commits.append(through)


def query(table: DeltaTable, sql: str) -> list[dict[str, Any]]:
    """Return the rows that an SQL query finds; the table is called `activities`."""
    found = QueryBuilder().register("activities", table).execute(sql).read_all()
    columns = {name: found.column(name).to_pylist() for name in found.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
