"""The upkeep of a table, step by step; each is one commit or none, and may be its last.

Appends are never in danger: a step changes files and not their rows, apart from days that are to
leave the table. Two steps at once, or a step and an append, cost each other time and nothing else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from shared.core.state.manifest import Manifest
from shared.table.ports import TableUpkeep, UpkeepRefused
from shared.table.upkeep import Due, due


@dataclass(slots=True, kw_only=True)
class Kept:
    """What upkeep has done.

    Attributes:
        deleted: number of rows that left the table with their day.
        days: number of days whose files were merged.
        merged: number of files that were merged.
        removed: number of files that were removed from storage.
        left: whether something that is due is left for the next call.
    """

    deleted: int = 0
    days: int = 0
    merged: int = 0
    removed: int = 0
    left: bool = False


def keep(
    table: TableUpkeep,
    newest: Sequence[Manifest],
    now: int,
    *,
    goes_on: Callable[[], bool],
    delete_after: int | None = None,
) -> Iterator[Kept]:
    """Do the upkeep that is due; yield what has been done after each step.

    Args:
        table: the table.
        newest: for each scan, the last manifest in the table.
        now: epoch ms.
        goes_on: says before each step whether there is time for it.
        delete_after: see `due`.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
        TableUnusable: there is a table, but not one of this program.
    """
    kept = Kept()
    needed = due(table.stated(), newest, now, delete_after=delete_after)
    try:
        for step in _steps(table, needed, now):
            if not goes_on():
                kept.left = True
                break
            step(kept)
            yield kept
    except UpkeepRefused:
        kept.left = True
    if kept.left:
        yield kept


def _steps(table: TableUpkeep, needed: Due, now: int) -> Iterator[Callable[[Kept], None]]:
    """Yield the steps in their order. A round that ended early is taken up by the next call."""
    if needed.delete_before is not None:
        yield partial(_delete, table, needed.delete_before)
    for day in needed.compact:
        yield partial(_compact, table, day)
    if needed.compact:
        yield lambda _: table.state_compacted(now)
    if needed.vacuum:
        yield partial(_vacuum, table, now)


def _delete(table: TableUpkeep, day: int, kept: Kept) -> None:
    kept.deleted += table.delete_before(day)


def _compact(table: TableUpkeep, day: int | None, kept: Kept) -> None:
    files = table.compact(day)
    kept.merged += files
    kept.days += files > 0


def _vacuum(table: TableUpkeep, now: int, kept: Kept) -> None:
    kept.removed += table.vacuum()
    table.state_vacuumed(now)
