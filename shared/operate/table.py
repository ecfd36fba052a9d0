"""`table`: let the table of activities follow the feed of each scan."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.operate.pausing import Display, counted
from shared.table.feed import Feed
from shared.table.following import follow
from shared.table.ports import Table


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


def follow_shown(
    feed: Feed, table: Table, display: Display, goes_on: Callable[[], bool] = lambda: True
) -> Followed:
    """Append what the table lacks, and show each commit.

    Raises:
        FeedBroken: the feed is not what it should be.
        PartUnreadable: a part is gone, or cannot be read.
        StoreUnavailable: storage cannot be reached or refuses.
        TableUnusable: there is a table, but not one of this program.
    """
    done = Followed(scan=feed.scan, through=table.open().through)
    for commit in follow(feed, table, goes_on=goes_on):
        done.through = commit.through
        done.commits += 1
        done.rows += commit.rows
        display.progress(str(done))
    return done
