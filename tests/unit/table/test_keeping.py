"""The upkeep of a table, step by step."""

from collections.abc import Callable

from shared.core.model import DAY_MS
from shared.table.keeping import Kept, keep
from tests.contracts.test_table import row
from tests.fakes import NOW
from tests.tables import InMemoryTable
from tests.unit.table.test_upkeep import SETTLED

TODAY = NOW // DAY_MS


def scattered(*days: int) -> InMemoryTable:
    """Return a table with two commits, each with a row of each of these days."""
    table = InMemoryTable()
    for number in (1, 2):
        table.commit(number, [row(f"{day}-{number}", day) for day in days])
    return table


def done(
    table: InMemoryTable,
    goes_on: Callable[[], bool] = lambda: True,
    delete_after: int | None = None,
) -> Kept:
    """Do what is due; return the last of what is yielded."""
    (*_, last) = [
        Kept(),
        *keep(table, [SETTLED], NOW, goes_on=goes_on, delete_after=delete_after),
    ]
    return last


def files(table: InMemoryTable) -> list[list[str | None]]:
    """Return the ids in each file, sorted."""
    return sorted([it.id for it in file] for file in table.files)


def test_everything_that_is_due_is_done_and_stated() -> None:
    """A second call has nothing to do."""
    table = scattered(TODAY - 40, TODAY - 2, TODAY - 1)

    assert done(table, delete_after=30) == Kept(deleted=2, days=2, merged=4)

    assert files(table) == [
        [f"{TODAY - 2}-1", f"{TODAY - 2}-2"],
        [f"{TODAY - 1}-1", f"{TODAY - 1}-2"],
    ]
    assert (table.compacted, table.vacuumed) == (NOW, NOW)
    assert list(keep(table, [SETTLED], NOW, goes_on=lambda: True, delete_after=30)) == []


def test_upkeep_that_runs_out_of_time_is_taken_up_by_the_next_call() -> None:
    """So it is complete only then."""
    table = scattered(TODAY - 3, TODAY - 2, TODAY - 1)
    answers = iter([True, True, False])

    assert done(table, lambda: next(answers)) == Kept(days=2, merged=4, left=True)
    assert (table.compacted, table.vacuumed) == (None, None)

    assert done(table) == Kept(days=1, merged=2)
    assert (table.compacted, table.vacuumed) == (NOW, NOW)


def test_upkeep_leaves_the_rest_to_the_next_call_when_another_writer_is_faster() -> None:
    """Nothing is lost, and nothing is in the table twice."""
    table = scattered(TODAY - 2, TODAY - 1)

    def other_writer() -> None:
        table.meanwhile = lambda: None
        table.open().append([[row("other", TODAY - 2)]], first=3, through=3)

    table.meanwhile = other_writer

    assert done(table) == Kept(left=True)
    assert table.compacted is None

    assert done(table) == Kept(days=2, merged=5)
    assert sorted(it.id or "" for it in table.rows) == [
        f"{TODAY - 2}-1",
        f"{TODAY - 2}-2",
        f"{TODAY - 1}-1",
        f"{TODAY - 1}-2",
        "other",
    ]
