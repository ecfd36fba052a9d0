"""Following the feed: each manifest is in the table once, whatever becomes of the writer.

The table itself remembers how far it goes, in the same commit as the rows. So the order is always:

1. open the table, and ask it for the last manifest in it;
2. read the manifests after that one, as many as one commit takes;
3. append their rows through the handle from 1, together with the number of the last manifest;
4. if another commit came first, the append is refused as a whole: begin again at 1.

A writer that is killed leaves files that no commit names. Two writers at once cost each other time,
and nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.core.state.manifest import Manifest
from shared.table.columns import Row, row_of
from shared.table.feed import Feed
from shared.table.ports import AppendRefused, Table

MANIFESTS_MOST = 1_000
"""How many manifests go into one commit: their names take no memory to speak of."""

BYTES_MOST = 256 * 1024 * 1024
"""How many bytes of unpacked records: the library holds the compressed files of a commit in memory,
one for each day. A manifest that has more makes a commit of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """One commit.

    Attributes:
        first: number of its first manifest.
        through: number of its last manifest.
        rows: number of rows.
    """

    first: int
    through: int
    rows: int


class Follower:
    """A table that follows the feed of one scan, commit by commit.

    Attributes:
        feed: the feed.
        table: the table.
        through: number of the last manifest in the table at the last look; 0 if none was, and
            before the first look.
    """

    def __init__(self, feed: Feed, table: Table) -> None:
        """Let this table follow this feed."""
        self.feed = feed
        self.table = table
        self.through = 0

    def commits(self) -> Iterator[Appended]:
        """Append whatever the table lacks; yield each commit.

        Raises:
            FeedBroken: the feed is not what it should be.
            PartUnreadable: a part is gone, or cannot be read.
            StoreUnavailable: storage cannot be reached or refuses.
            TableUnusable: there is a table, but not one of this program.
        """
        while True:
            try:
                commit = self.step()
            except AppendRefused:
                continue
            if commit is None:
                return
            yield commit

    def step(self) -> Appended | None:
        """Append the next commit and return it; None at the end of the feed.

        Raises:
            AppendRefused: another writer was faster, and nothing was appended: take another step.
            ScanError: see `commits`.
        """
        handle = self.table.open()
        self.through = handle.through
        manifests = next_commit(self.feed.after(self.through))
        if not manifests:
            return None
        rows = _Rows(self.feed, manifests)
        first, through = manifests[0].number, manifests[-1].number
        handle.append(rows.batches(), first=first, through=through)
        self.through = through
        return Appended(first=first, through=through, rows=rows.count)


def last_manifests(followers: Sequence[Follower]) -> list[Manifest]:
    """Return for each scan its last manifest in the table, if there is one and it still exists.

    Raises:
        FeedBroken: one is not what it should be.
        StoreUnavailable: storage cannot be reached or refuses.
    """
    found = (it.feed.known(it.through) for it in followers if it.through)
    return [it for it in found if it is not None]


def next_commit(manifests: Iterator[Manifest]) -> list[Manifest]:
    """Return the first of these manifests, as many as one commit takes."""
    taken: list[Manifest] = []
    size = 0
    for manifest in manifests:
        size += sum(block.raw for block in manifest.part.blocks) if manifest.part else 0
        if taken and size > BYTES_MOST:
            break
        taken.append(manifest)
        if len(taken) == MANIFESTS_MOST:
            break
    return taken


class _Rows:
    """The rows of some manifests, counted while they are read."""

    def __init__(self, feed: Feed, manifests: list[Manifest]) -> None:
        self._feed = feed
        self._manifests = manifests
        self.count = 0

    def batches(self) -> Iterator[list[Row]]:
        """Yield the rows, block by block."""
        for manifest in self._manifests:
            for records in self._feed.batches(manifest):
                self.count += len(records)
                yield [
                    row_of(
                        it,
                        scan=manifest.scan,
                        look=manifest.pass_name or "",
                        manifest=manifest.number,
                    )
                    for it in records
                ]
