"""What is due, on a grid that does not depend on when one looks."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core import ledger as ledgers
from shared.core import planning
from shared.core.cursor import open_slice
from shared.core.intervals import merge
from shared.core.model import FIRST_PASS, Commit, Ledger, Loss, Slice
from shared.core.turns import Finished, Turn
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy

HOW = policy(sweeps=())
NOBODY: frozenset[tuple[int, int]] = frozenset()


def fresh_ledger(**changes: Any) -> Ledger:
    """Return the ledger of a scan of three hours that has done nothing."""
    return msgspec.structs.replace(ledgers.begin(HOW, NOW), **changes)


def piece_of(start: int, end: int, **changes: Any) -> Slice:
    """Return an open slice."""
    piece = open_slice((start, end), pass_name=FIRST_PASS, policy=HOW)
    return msgspec.structs.replace(piece, **changes)


def drained(ledger: Ledger, now: int, *, oldest: bool = False) -> list[tuple[int, int]]:
    """Return the slices in the order of service, each one covered at once."""
    order = []
    while piece := planning.choose(ledger, now, HOW, busy=NOBODY, oldest=oldest):
        order.append((piece.start, piece.end))
        first = merge([*ledger.coverage[FIRST_PASS], (piece.start, piece.end)])
        ledger = msgspec.structs.replace(ledger, coverage={FIRST_PASS: first})
    return order


@given(later=st.integers(0, 2 * HOUR))
@pytest.mark.parametrize("oldest", [False, True])
def test_slices_tile_what_is_wanted(later: int, oldest: bool) -> None:  # noqa: FBT001
    """Without a gap and without overlap, each inside one hour, from the origin to the horizon."""
    now = NOW + later
    ledger = fresh_ledger()

    slices = sorted(drained(ledger, now, oldest=oldest))

    assert slices[0][0] == ledger.origin
    assert all(one[1] == other[0] for one, other in pairwise(slices))
    assert now - HOW.settle - HOW.slice_length < slices[-1][1] <= now - HOW.settle
    assert {start // HOUR == (end - 1) // HOUR for start, end in slices} == {True}


def test_fresh_time_goes_newest_first_and_older_time_oldest_first() -> None:
    """New activities come soon; a backlog drains in order."""
    order = drained(fresh_ledger(), NOW)

    fresh = [it for it in order if it[1] - it[0] == 5 * MINUTE]
    old = [it for it in order if it[1] - it[0] == HOUR]
    assert order == fresh + old
    assert fresh == sorted(fresh, reverse=True)
    assert old == sorted(old)


def test_the_lane_of_the_oldest_serves_the_oldest() -> None:
    """So that what is new never starves it."""
    order = drained(fresh_ledger(), NOW, oldest=True)

    assert order == sorted(order)


def test_time_that_will_soon_be_out_of_reach_goes_first() -> None:
    """Before what is fresh."""
    soon = NOW - 28 * DAY
    ledger = fresh_ledger(origin=soon, coverage={FIRST_PASS: ((soon + HOUR, NOW - 2 * HOUR),)})

    piece = planning.choose(ledger, NOW, HOW, busy=NOBODY, oldest=False)

    assert piece
    assert (piece.start, piece.end) == (soon, soon + HOUR)


@pytest.mark.parametrize("how", ["covered", "lost", "open", "committing"])
def test_what_is_covered_lost_open_or_committing_is_not_due(how: str) -> None:
    """Whatever the reason, nobody begins it a second time."""
    start = NOW - 2 * HOUR
    piece = piece_of(start, start + HOUR)
    ledger = {
        "covered": fresh_ledger(coverage={FIRST_PASS: ((start, start + HOUR),)}),
        "lost": fresh_ledger(lost=(Loss(start=start, end=start + HOUR, reason="x"),)),
        "open": fresh_ledger(open=(piece,)),
        "committing": fresh_ledger(committing=_commit(piece)),
    }[how]

    due = list(planning.due(ledger, NOW, HOW))

    assert due == [(NOW - 3 * HOUR, start), (start + HOUR, NOW - 10 * MINUTE)]


def _commit(piece: Slice) -> Commit | None:
    turned = ledgers.turned(
        fresh_ledger(open=(piece,)),
        piece,
        Turn(finished=Finished(slice=piece, start=piece.start, end=piece.end)),
        HOW,
    )
    return turned.committing


@pytest.mark.parametrize(
    ("not_before", "served"), [(NOW, True), (NOW + 1, False), (NOW + HOUR + 1, True)]
)
def test_a_slice_that_waits_is_passed_over(not_before: int, served: bool) -> None:  # noqa: FBT001
    """Never for more than an hour: a fast clock may have noted it."""
    waiting = piece_of(NOW - HOUR, NOW - HOUR + 5 * MINUTE, not_before=not_before)
    ledger = fresh_ledger(open=(waiting,), coverage={FIRST_PASS: ((0, NOW),)})

    assert (planning.choose(ledger, NOW, HOW, busy=NOBODY, oldest=False) == waiting) == served


def test_a_slice_that_is_being_served_is_passed_over() -> None:
    """Another lane has it."""
    piece = piece_of(NOW - HOUR, NOW - HOUR + 5 * MINUTE)
    ledger = fresh_ledger(open=(piece,), coverage={FIRST_PASS: ((0, NOW),)})

    busy = frozenset({(piece.start, piece.end)})

    assert planning.choose(ledger, NOW, HOW, busy=busy, oldest=False) is None


def test_no_more_than_64_slices_are_open() -> None:
    """The ledger stays small; blocked ones count apart."""
    waiting = tuple(
        piece_of(NOW - 3 * HOUR + n, NOW - 3 * HOUR + n + 1, not_before=NOW + 9) for n in range(64)
    )
    blocked = tuple(msgspec.structs.replace(it, blocked=True) for it in waiting)

    full = planning.choose(fresh_ledger(open=waiting), NOW, HOW, busy=NOBODY, oldest=False)
    free = planning.choose(fresh_ledger(open=blocked), NOW, HOW, busy=NOBODY, oldest=False)

    assert full is None
    assert free is not None


def test_a_later_look_never_cuts_an_earlier_grid_otherwise() -> None:
    """A run after a crash plans the same slices."""
    now = {(piece.start, piece.end) for piece in planning.new_slices(fresh_ledger(), NOW, HOW)}
    soon = {(it.start, it.end) for it in planning.new_slices(fresh_ledger(), NOW + MINUTE, HOW)}

    assert now == soon
