"""When the upkeep of a table is due: decided from what the table itself states (pure).

A file is written for each day and commit, so a day has hundreds of small files, and queries open
them all. Upkeep merges them, removes days that nobody wants any more, and removes the files that
no version of the last week needs. Nothing about it is kept outside the table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from shared.core.intervals import Interval, holds, merge
from shared.core.model import DAY_MS
from shared.core.state.manifest import Manifest

FILE_SIZE = 128 * 1024 * 1024
"""How large files become, in bytes: large enough that few make a day, small enough that several
are read at once."""

COMPACT_EVERY_MS = DAY_MS
"""Late activities make new small files of old days. Merging them rewrites a larger file."""

VACUUM_EVERY_MS = 7 * DAY_MS
"""A vacuum lists every file of the table."""

RETENTION_MS = 7 * DAY_MS
"""How long files stay that no longer belong to the table: queries that began before may read them,
and a commit may be about to name them. It is what Delta prescribes unless a table says otherwise.
"""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the table's newest version.

    Attributes:
        day: days since 1970 of its partition; None for rows without a date.
        size: number of bytes.
    """

    day: int | None
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What a table states about itself.

    Attributes:
        files: the files of its newest version.
        compacted: when a compaction was last complete, epoch ms; None for never.
        vacuumed: when a vacuum was last complete, epoch ms; None for never.
    """

    files: Sequence[File] = ()
    compacted: int | None = None
    vacuumed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The upkeep that is due.

    Attributes:
        delete_before: rows of days before this one leave the table; None if there are none.
        compact: the days whose small files are to be merged, oldest first; None stands for rows
            without a date, and comes last.
        vacuum: whether to remove files that no longer belong to the table.
    """

    delete_before: int | None = None
    compact: tuple[int | None, ...] = ()
    vacuum: bool = False


def due(
    stated: Stated, newest: Sequence[Manifest], now: int, *, delete_after: int | None = None
) -> Due:
    """Return the upkeep that is due.

    Args:
        stated: what the table states.
        newest: for each scan, the last manifest in the table. A day is compacted once it is final
            for all of them.
        now: epoch ms.
        delete_after: rows leave the table when their day is more than so many days before today;
            None keeps them. Rows without a date stay.
    """
    oldest = None if delete_after is None else now // DAY_MS - delete_after
    days = sorted({it.day for it in stated.files if it.day is not None})
    past = oldest is not None and bool(days) and days[0] < oldest
    return Due(
        delete_before=oldest if past else None,
        compact=tuple(_scattered(stated, newest, oldest))
        if _has_passed(stated.compacted, COMPACT_EVERY_MS, now)
        else (),
        vacuum=_has_passed(stated.vacuumed, VACUUM_EVERY_MS, now),
    )


def _scattered(
    stated: Stated, newest: Sequence[Manifest], oldest: int | None
) -> Iterable[int | None]:
    """Yield the days that get no more rows and have files to merge."""
    undated = [it.size for it in stated.files if it.day is None]
    dated = sorted((it.day, it.size) for it in stated.files if it.day is not None)
    for day, files in groupby(dated, key=lambda it: it[0]):
        kept = oldest is None or day >= oldest
        if kept and _is_final(day, newest) and _can_merge([size for _, size in files]):
            yield day
    # No pass looks for activities without a time, so nothing says when these rows are final.
    if _can_merge(undated):
        yield None


def _can_merge(sizes: list[int]) -> bool:
    """Say whether two files may make one of the wanted size."""
    return len(sizes) > 1 and sum(sorted(sizes)[:2]) <= FILE_SIZE


def _is_final(day: int, newest: Sequence[Manifest]) -> bool:
    """Say whether no scan will look at the day again."""
    bounds = (day * DAY_MS, (day + 1) * DAY_MS)
    return bool(newest) and all(holds(_final(it, bounds[0]), bounds) for it in newest)


def _final(manifest: Manifest, since: int) -> tuple[Interval, ...]:
    """Return the time from `since` on to which nothing is added any more."""
    return merge([(since, manifest.settled_until), *manifest.final])


def _has_passed(last: int | None, every: int, now: int) -> bool:
    """Say whether so much time has passed; a time that is still to come was no true one."""
    return last is None or not last <= now < last + every
