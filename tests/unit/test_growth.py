"""Work grows no faster than the holes of the coverage and the open slices that it looks at.

Nothing here is timed. A `Moment` counts how often it is compared, and everything that looks at
intervals compares their ends.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bench.inside import NOW, usual_policy, with_holes
from shared.core.audit import history as histories
from shared.core.audit.attention import attention_to
from shared.core.audit.status import status_of
from shared.core.intervals import Intervals, holds, intersect, subtract
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS, Ledger, Loss, StoredPart
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import committing, conditions, forecast
from shared.core.state import ledger as ledgers
from shared.core.state import manifest as manifests
from shared.core.state.lanes import choose, gone, passed
from shared.core.state.next_move import Moment as Now
from shared.core.state.next_move import next_move
from shared.core.state.planning import final
from shared.core.state.report import state_fields
from shared.core.state.sweeps import cut_for_reading, rescans_due, sweeps_due, unswept

POLICY = usual_policy()

FEW, MANY = 100, 400
TIMES_MOST = 1.3 * MANY / FEW
"""Sorting takes a little more than four times the comparisons for four times as many."""


class Moment(int):
    """An instant that counts comparisons."""

    compared = 0

    def __lt__(self, other: int) -> bool:
        Moment.compared += 1
        return int.__lt__(self, other)

    def __le__(self, other: int) -> bool:
        Moment.compared += 1
        return int.__le__(self, other)

    def __gt__(self, other: int) -> bool:
        Moment.compared += 1
        return int.__gt__(self, other)

    def __ge__(self, other: int) -> bool:
        Moment.compared += 1
        return int.__ge__(self, other)

    def __eq__(self, other: object) -> bool:
        Moment.compared += 1
        return int.__eq__(self, other)

    __hash__ = int.__hash__


def counting(intervals: Intervals) -> Intervals:
    """Return intervals whose ends count comparisons."""
    return tuple((Moment(start), Moment(end)) for start, end in intervals)


def ledger_with(holes: int, many: int) -> Ledger:
    """Return a ledger with holes, losses and open slices, all of which count comparisons."""
    ledger = with_holes(POLICY, holes, many)
    first = ledger.coverage[FIRST_PASS]
    lost = tuple(
        Loss(start=Moment(end), end=Moment(end + 1_000), reason="past the API's reach")
        for _, end in first[::3]
    )
    pieces = tuple(
        msgspec.structs.replace(it, start=Moment(it.start), end=Moment(it.end))
        for it in ledger.open
    )
    return msgspec.structs.replace(
        ledger,
        coverage={name: counting(it) for name, it in ledger.coverage.items()},
        rescans={"rescan-3": counting(((NOW - 20 * DAY_MS, NOW - DAY_MS),))},
        lost=lost,
        open=pieces,
    )


def a_commit(ledger: Ledger) -> Intervals:
    """Take one more manifest into the ledger, and return what is final then."""
    start = NOW - 3 * HOUR_MS
    piece = open_slice((start, start + 300_000), pass_name=FIRST_PASS, policy=POLICY)
    asked = msgspec.structs.replace(piece, requests=1, first_request=NOW, last_answer=NOW)
    finished = Transition(finished=Finished(slice=asked, start=piece.start, end=piece.end))
    commit = committing.after_transition(with_holes(POLICY, 1, 0), asked, finished, POLICY)
    assert commit.committing
    content = commit.committing.manifest.encode()
    return final(committing.extended(ledger, manifests.decode(content), content), POLICY)


WORK: dict[str, Callable[[Ledger], Any]] = {
    "the claim": lambda it: ledgers.claim(it, run="", now=NOW, policy=POLICY),
    "the choice of a slice": lambda it: choose(it, NOW, POLICY),
    "the next move": lambda it: next_move(it, POLICY, Now(now=NOW, spent=0)),
    "the slices that leave the reach": lambda it: passed(it, NOW, POLICY),
    "the time that is lost": lambda it: gone(it, NOW + 9 * DAY_MS, POLICY),
    "the sweeps that are due": lambda it: list(sweeps_due(it, NOW, POLICY)),
    "the rescans that are due": lambda it: list(rescans_due(it, NOW, POLICY)),
    "the time that was never swept": lambda it: list(unswept(it, NOW + 9 * DAY_MS, POLICY)),
    "a commit": a_commit,
    "the state in a report": lambda it: state_fields(it, NOW, POLICY),
    "the conditions of a run": lambda it: conditions.noted(
        it, "idle", met_throttle=False, now=NOW, policy=POLICY
    ),
    "what needs a person": lambda it: attention_to(it, POLICY, NOW),
    "the status": lambda it: status_of(it, histories.empty(it.scan), [], POLICY, now=NOW),
    "the forecast": lambda it: forecast.plan(it, replace(POLICY, budget=20_000), NOW),
}


def comparisons(work: Callable[[Ledger], Any], ledger: Ledger) -> int:
    """Return how often moments of a ledger are compared by some work."""
    before = Moment.compared
    work(ledger)
    return Moment.compared - before


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_four_times_the_holes_take_at_most_four_times_the_work(
    work: Callable[[Ledger], Any],
) -> None:
    """With a few open slices."""
    few, many = (comparisons(work, ledger_with(holes, 4)) for holes in (FEW, MANY))

    assert few > 0
    assert many <= few * TIMES_MOST


@pytest.mark.parametrize("work", WORK.values(), ids=WORK)
def test_four_times_the_open_slices_take_at_most_four_times_the_work(
    work: Callable[[Ledger], Any],
) -> None:
    """With hardly any hole, so that the slices are most of the work; 128 is the most there are."""
    few, many = (comparisons(work, ledger_with(4, count)) for count in (32, 128))

    assert few > 0
    assert many <= few * TIMES_MOST


def test_four_times_the_parts_take_at_most_four_times_the_work_to_cut_a_sweep() -> None:
    """Their sizes are added up once."""

    def work(count: int) -> int:
        step = HOUR_MS // count
        bounds = counting(tuple((at * step, (at + 1) * step) for at in range(count)))
        parts = [StoredPart(name="", size=1, start=it[0], end=it[1]) for it in bounds]
        piece = open_slice((0, HOUR_MS), pass_name="sweep-2h", policy=POLICY)
        before = Moment.compared
        cut_for_reading(piece, parts)
        return Moment.compared - before

    assert work(MANY) <= work(FEW) * TIMES_MOST


def test_one_hour_is_looked_up_without_a_visit_to_all_of_the_coverage() -> None:
    """A status looks up each hour of a month."""
    covered = counting(tuple((at * HOUR_MS, at * HOUR_MS + 1_000) for at in range(10_000)))
    hour = (5_000 * HOUR_MS, 5_001 * HOUR_MS)
    before = Moment.compared

    assert intersect(covered, hour) == ((hour[0], hour[0] + 1_000),)
    assert not holds(covered, hour)
    assert list(subtract(hour, covered)) == [(hour[0] + 1_000, hour[1])]
    assert Moment.compared - before < 200
