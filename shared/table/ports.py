"""What the table needs from outside. Each docstring is the contract."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from shared.table.columns import Row
from shared.table.upkeep import Stated


class FeedStore(Protocol):
    """One scan's manifests and parts, as every reader sees them."""

    def manifest(self, number: int) -> bytes | None:
        """Return a manifest's bytes, None when it does not exist.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def first_from(self, number: int) -> int | None:
        """Return the lowest number from this one on of a manifest that exists, None without any.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...

    def block(self, part: str, start: int, size: int) -> bytes:
        """Return these bytes of a part.

        Raises:
            PartUnreadable: there is none of this name, it is shorter, or the service refuses to
                read it for a reason of its own, such as its tier.
            StoreUnavailable: storage cannot be reached or refuses.
        """
        ...


class TableHandle(Protocol):
    """The table as it was when it was opened."""

    @property
    def through(self) -> int:
        """Number of the last manifest of the scan that is in the table; 0 if none is."""
        ...

    def append(self, batches: Iterable[Sequence[Row]], *, first: int, through: int) -> None:
        """Append rows and the number of their last manifest, in one commit.

        Whatever the batches raise is raised again, and nothing is appended.

        Args:
            batches: the rows, which are taken one batch at a time.
            first: number of the first manifest among them.
            through: number of the last one.

        Raises:
            AppendRefused: the table has changed since it was opened. Nothing was appended; open it
                again.
            StoreUnavailable: storage cannot be reached or refuses; it may have happened.
        """
        ...


class Table(Protocol):
    """A table of activities, to which one writer after the other may append."""

    def open(self) -> TableHandle:
        """Return the table as it is now; one that does not exist is created.

        Raises:
            StoreUnavailable: storage cannot be reached or refuses.
            TableUnusable: there is a table, but not one of this program.
        """
        ...


class TableUpkeep(Protocol):
    """Steps that change the files of a table, and none of its rows but those of old days.

    Each step may raise:

    - `UpkeepRefused`: the table has changed meanwhile, and the step did nothing.
    - `StoreUnavailable`: storage cannot be reached or refuses; the step may have happened.
    - `TableUnusable`: there is a table, but not one of this program.
    """

    def stated(self) -> Stated:
        """Return what the table states about itself."""
        ...

    def delete_before(self, day: int) -> int:
        """Let rows of days before this one leave the table; return how many.

        Their files stay in storage until a vacuum. Rows without a date stay in the table.

        Args:
            day: days since 1970.
        """
        ...

    def compact(self, day: int | None) -> int:
        """Merge the small files of a day; return how many were merged.

        Args:
            day: days since 1970; None for rows without a date.
        """
        ...

    def vacuum(self) -> int:
        """Remove files that have not belonged to the table for `RETENTION_MS`; return how many.

        They were replaced by a compaction, left the table with their day, or were left behind by a
        writer that was killed.
        """
        ...

    def state_compacted(self, at: int) -> None:
        """State in the table that a compaction was complete at this time, epoch ms."""
        ...

    def state_vacuumed(self, at: int) -> None:
        """State in the table that a vacuum was complete at this time, epoch ms."""
        ...


class Clock(Protocol):
    """Time. The only source of it."""

    def now(self) -> int:
        """Return the local wall clock in epoch milliseconds; it may be wrong and may jump."""
        ...

    def elapsed(self) -> int:
        """Return milliseconds on a clock that never jumps; only differences mean anything."""
        ...


class AppendRefused(Exception):
    """Another writer was faster; nothing was appended."""


class UpkeepRefused(Exception):
    """The table has changed during a step of upkeep, which did nothing."""
