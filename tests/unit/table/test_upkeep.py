"""When the upkeep of a table is due."""

from typing import Any

import msgspec
import pytest

from shared.core.model import DAY_MS, HOUR_MS
from shared.core.state.manifest import Manifest
from shared.table.feed import Feed
from shared.table.upkeep import FILE_SIZE, Due, File, Stated, due
from tests.fakes import HOUR, NOW
from tests.tables import InMemoryFeed
from tests.world import World

TODAY = NOW // DAY_MS

SMALL = 1_000


def manifest(settled_until: int = 0, final: tuple[tuple[int, int], ...] = ()) -> Manifest:
    """Return a manifest that says which time is final."""
    return msgspec.structs.replace(_ANY, settled_until=settled_until, final=final)


def any_manifest() -> Manifest:
    """Return a manifest that a scan wrote."""
    world = World([NOW - 3 * HOUR])
    world.run_until_idle()
    return next(Feed(InMemoryFeed(world.results), "all").after(0))


_ANY = any_manifest()

SETTLED = manifest(NOW)
"""All days before today are final."""


def kept(*files: File, **stated: Any) -> Stated:
    """Return what a table states whose upkeep was complete a moment ago, unless it is said."""
    return Stated(files=files, **{"compacted": None, "vacuumed": NOW, **stated})


def two(day: int | None) -> tuple[File, File]:
    """Return two small files of a day."""
    return File(day, SMALL), File(day, SMALL)


def test_final_days_with_small_files_are_compacted_oldest_first() -> None:
    """Today goes on, so its files would have to be merged again."""
    stated = kept(*two(TODAY), *two(TODAY - 1), *two(TODAY - 30))

    assert due(stated, [SETTLED], NOW) == Due(compact=(TODAY - 30, TODAY - 1))


def test_a_day_is_final_if_the_newest_manifest_says_so_to_its_end() -> None:
    """Before `settled_until`, or in `final`, or partly in one and partly in the other."""
    day = (TODAY - 5) * DAY_MS
    half = day + 12 * HOUR_MS

    def is_due(*newest: Manifest) -> bool:
        return bool(due(kept(*two(TODAY - 5)), newest, NOW).compact)

    assert is_due(manifest(day + DAY_MS))
    assert is_due(manifest(day, ((day, day + DAY_MS),)))
    assert is_due(manifest(half, ((half, day + DAY_MS),)))
    assert not is_due(manifest(day + DAY_MS - 1))
    assert not is_due(manifest(half, ((half + 1, day + DAY_MS),)))


def test_a_day_must_be_final_for_every_scan_of_the_table() -> None:
    """Without a manifest, nothing is known to be final."""
    stated = kept(*two(TODAY - 1))

    assert due(stated, [SETTLED, manifest(0)], NOW) == Due()
    assert due(stated, [], NOW) == Due()


@pytest.mark.parametrize(
    ("sizes", "is_due"),
    [
        ([SMALL], False),
        ([FILE_SIZE, SMALL], False),
        ([FILE_SIZE // 2 + 1] * 3, False),
        ([FILE_SIZE // 2] * 2, True),
        ([FILE_SIZE, FILE_SIZE, SMALL, SMALL], True),
    ],
)
def test_a_day_is_compacted_if_two_of_its_files_make_one(sizes: list[int], *, is_due: bool) -> None:
    """So a day is compacted once, and again when late activities came."""
    stated = kept(*(File(TODAY - 1, size) for size in sizes))

    assert bool(due(stated, [SETTLED], NOW).compact) is is_due


def test_rows_without_a_date_are_compacted_last() -> None:
    """Nothing says when they are final."""
    stated = kept(*two(None), *two(TODAY - 1))

    assert due(stated, [SETTLED], NOW).compact == (TODAY - 1, None)
    assert due(stated, [], NOW).compact == (None,)


def test_a_compaction_is_due_a_day_after_the_last_one() -> None:
    """A time that is still to come was written by a clock that was fast, and does not count."""

    def is_due(compacted: int) -> bool:
        return bool(due(kept(*two(TODAY - 1), compacted=compacted), [SETTLED], NOW).compact)

    assert is_due(NOW - DAY_MS)
    assert not is_due(NOW - DAY_MS + 1)
    assert not is_due(NOW)
    assert is_due(NOW + 1)


def test_a_vacuum_is_due_a_week_after_the_last_one() -> None:
    """A new table has had none."""
    assert due(kept(vacuumed=NOW - 7 * DAY_MS), [], NOW) == Due(vacuum=True)
    assert due(kept(vacuumed=NOW - 7 * DAY_MS + 1), [], NOW) == Due()
    assert due(kept(vacuumed=None), [], NOW) == Due(vacuum=True)


def test_days_leave_the_table_once_they_are_older_than_asked() -> None:
    """They are not compacted before."""
    stated = kept(*two(TODAY - 31), *two(TODAY - 30))

    assert due(stated, [SETTLED], NOW, delete_after=30) == Due(
        delete_before=TODAY - 30, compact=(TODAY - 30,)
    )
    assert due(kept(*two(TODAY - 30)), [], NOW, delete_after=30) == Due()


def test_no_day_leaves_the_table_unless_asked() -> None:
    """Nor do rows without a date, whatever is asked."""
    assert due(kept(File(TODAY - 9_999, SMALL)), [SETTLED], NOW).delete_before is None
    assert due(kept(File(None, SMALL)), [SETTLED], NOW, delete_after=1).delete_before is None
