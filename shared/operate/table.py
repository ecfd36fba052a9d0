"""`table`: let the table of activities follow the feed of each scan, and keep it fast."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.core.state.manifest import Manifest
from shared.operate.pausing import Display, counted
from shared.ports import Clock
from shared.table.following import Follower
from shared.table.keeping import Kept, keep
from shared.table.ports import TableUpkeep

UPKEEP_MS = 300_000
"""No step of upkeep begins after so long: new activities wait meanwhile."""


@dataclass(slots=True, kw_only=True)
class Followed:
    """What a call has appended to a table.

    Attributes:
        scan: the scan's name.
        through: number of the last manifest in the table; 0 if none is.
        commits: number of commits.
        rows: number of rows.
    """

    scan: str
    through: int = 0
    commits: int = 0
    rows: int = 0

    def __str__(self) -> str:
        """Return a one-line summary."""
        return (
            f"{self.scan}: {counted(self.rows, 'row', 'rows')} appended in "
            f"{counted(self.commits, 'commit', 'commits')}, up to manifest {self.through}"
        )


def follow_shown(follower: Follower, display: Display) -> Followed:
    """Append what the table lacks, and show each commit.

    Raises:
        FeedBroken: the feed is not what it should be.
        PartUnreadable: a part is gone, or cannot be read.
        StoreUnavailable: storage cannot be reached or refuses.
        TableUnusable: there is a table, but not one of this program.
    """
    done = Followed(scan=follower.feed.scan)
    for commit in follower.commits():
        done.through = commit.through
        done.commits += 1
        done.rows += commit.rows
        display.progress(str(done))
    done.through = follower.through
    return done


def keep_shown(
    table: TableUpkeep,
    newest: Sequence[Manifest],
    display: Display,
    clock: Clock,
    delete_after: int | None = None,
) -> Kept:
    """Do the upkeep that is due, and show each step.

    Args:
        table: the table.
        newest: for each scan, its last manifest in the table.
        display: shows what has been done.
        clock: says what is due, and ends the upkeep after `UPKEEP_MS`.
        delete_after: days older than this many leave the table; None keeps them.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
        TableUnusable: there is a table, but not one of this program.
    """
    ends = clock.elapsed() + UPKEEP_MS
    done = Kept()
    for done in keep(
        table,
        newest,
        clock.now(),
        goes_on=lambda: clock.elapsed() < ends,
        delete_after=delete_after,
    ):
        display.progress(described(done))
    return done


def described(done: Kept) -> str:
    """Return what upkeep has done, in a line."""
    merged = f"{counted(done.merged, 'file', 'files')} of {counted(done.days, 'day', 'days')}"
    said = [
        *([f"{counted(done.deleted, 'row', 'rows')} deleted"] if done.deleted else []),
        *([f"{merged} merged"] if done.days else []),
        *([f"{counted(done.removed, 'old file', 'old files')} removed"] if done.removed else []),
        *(["the rest is left for the next call"] if done.left else []),
    ]
    return f"upkeep: {', '.join(said) or 'nothing to change'}"
