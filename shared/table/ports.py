"""What the table needs from outside. Each docstring is the contract."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from shared.table.columns import Row


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


class AppendRefused(Exception):
    """Another writer was faster; nothing was appended."""
