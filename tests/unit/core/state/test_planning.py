"""What is due, on a grid that does not depend on when one looks."""

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.intervals import holds, intersect, merge
from shared.core.model import (
    FIRST_PASS,
    Commit,
    Ledger,
    Loss,
    Pacing,
    Slice,
)
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import committing, lanes, planning
from shared.core.state import ledger as ledgers
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy

HOW = policy(sweeps=())
NOBODY: frozenset[tuple[int, int]] = frozenset()


def fresh_ledger(**changes: Any) -> Ledger:
    """Return the ledger of a scan of three hours that has done nothing; its next lane is free."""
    begun = msgspec.structs.replace(ledgers.begin(HOW, NOW), pacing=Pacing(requests=1))
    return msgspec.structs.replace(begun, **changes)


def piece_of(start: int, end: int, **changes: Any) -> Slice:
    """Return an open slice."""
    piece = open_slice((start, end), pass_name=FIRST_PASS, policy=HOW)
    return msgspec.structs.replace(piece, **changes)


def drained(ledger: Ledger, now: int, *, oldest: bool = False) -> list[tuple[int, int]]:
    """Return the slices in the order of service, each one covered at once."""
    order = []
    ledger = msgspec.structs.replace(ledger, pacing=Pacing(requests=4 if oldest else 1))
    while piece := lanes.choose(ledger, now, HOW, busy=NOBODY):
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
    ledger = fresh_ledger(
        origin=soon, settled_until=soon, coverage={FIRST_PASS: ((soon + HOUR, NOW - 2 * HOUR),)}
    )

    piece = lanes.choose(ledger, NOW, HOW, busy=NOBODY)

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
    after = committing.after_transition(
        fresh_ledger(open=(piece,)),
        piece,
        Transition(finished=Finished(slice=piece, start=piece.start, end=piece.end)),
        HOW,
    )
    return after.committing


@pytest.mark.parametrize(
    ("not_before", "served"), [(NOW, True), (NOW + 1, False), (NOW + HOUR + 1, True)]
)
def test_a_slice_that_waits_is_passed_over(not_before: int, served: bool) -> None:  # noqa: FBT001
    """Never for more than an hour: a fast clock may have noted it."""
    waiting = piece_of(NOW - HOUR, NOW - HOUR + 5 * MINUTE, not_before=not_before)
    ledger = fresh_ledger(open=(waiting,), coverage={FIRST_PASS: ((0, NOW),)})

    assert (lanes.choose(ledger, NOW, HOW, busy=NOBODY) == waiting) == served


def test_a_slice_that_is_being_served_is_passed_over() -> None:
    """Another lane has it."""
    piece = piece_of(NOW - HOUR, NOW - HOUR + 5 * MINUTE)
    ledger = fresh_ledger(open=(piece,), coverage={FIRST_PASS: ((0, NOW),)})

    busy = frozenset({(piece.start, piece.end)})

    assert lanes.choose(ledger, NOW, HOW, busy=busy) is None


def test_no_more_than_64_slices_are_open() -> None:
    """The ledger stays small; blocked ones count apart."""
    waiting = tuple(
        piece_of(NOW - 3 * HOUR + n, NOW - 3 * HOUR + n + 1, not_before=NOW + 9) for n in range(64)
    )
    blocked = tuple(msgspec.structs.replace(it, blocked_since=NOW) for it in waiting)

    full = lanes.choose(fresh_ledger(open=waiting), NOW, HOW, busy=NOBODY)
    free = lanes.choose(fresh_ledger(open=blocked), NOW, HOW, busy=NOBODY)

    assert full is None
    assert free is not None


def test_a_later_look_never_cuts_an_earlier_grid_otherwise() -> None:
    """A run after a crash plans the same slices."""
    both = [
        [
            lanes.choose(
                msgspec.structs.replace(fresh_ledger(), pacing=Pacing(requests=transition)), at, HOW
            )
            for transition in (0, 1, 4)
        ]
        for at in (NOW, NOW + MINUTE)
    ]

    assert both[0] == both[1]


@given(earlier=st.integers(0, 3 * HOUR), more=st.integers(0, 3 * HOUR))
def test_a_later_plan_begins_with_the_same_hours(earlier: int, more: int) -> None:
    """Time only adds to the end of the grid, so that a backlog is cut once and for all."""
    hours = [
        [it for it in drained(fresh_ledger(), now, oldest=True) if it[1] - it[0] == HOUR]
        for now in (NOW + earlier, NOW + earlier + more)
    ]

    assert hours[1][: len(hours[0])] == hours[0]


@given(
    settle=st.integers(1, 2 * HOUR),
    length=st.sampled_from([1, 5, 15, 60]),
    later=st.integers(0, HOUR),
)
def test_nothing_is_wanted_before_it_has_settled(settle: int, length: int, later: int) -> None:
    """The newest whole cell ends at the age at which time is first scanned, or before it."""
    how = policy(settle=settle, fresh=2 * HOUR, slice_length=length * MINUTE, sweeps=())

    start, end = planning.wanted(fresh_ledger(), NOW + later, how)

    horizon = NOW + later - settle
    assert start == NOW - 3 * HOUR
    assert end % (length * MINUTE) == 0
    assert horizon - length * MINUTE < end <= horizon


@given(
    first=st.sampled_from([1, 5, 10, 30]),
    then=st.sampled_from([1, 2, 15, 60]),
    done=st.integers(0, 20),
    later=st.integers(0, 2 * HOUR),
)
def test_a_changed_slice_length_leaves_no_gap(first: int, then: int, done: int, later: int) -> None:
    """What the old grid has covered is kept; the new one cuts what remains."""
    ledger, how = fresh_ledger(), HOW
    for length, now, most in ((first, NOW, done), (then, NOW + later, 10_000)):
        how = policy(slice_length=length * MINUTE, sweeps=())
        for _ in range(most):
            piece = lanes.choose(ledger, now, how, busy=NOBODY)
            if piece is None:
                break
            before = ledger.coverage[FIRST_PASS]
            assert intersect(before, (piece.start, piece.end)) == ()
            covered = merge([*before, (piece.start, piece.end)])
            ledger = msgspec.structs.replace(ledger, coverage={FIRST_PASS: covered})

    assert holds(ledger.coverage[FIRST_PASS], planning.wanted(ledger, NOW + later, how))


def test_a_gap_that_begins_inside_a_cell_ends_with_the_cell() -> None:
    """A part that closed early leaves such a gap; the grid stays where it is."""
    ragged = NOW - 2 * HOUR + 7 * MINUTE + 1
    fresh = NOW - HOUR + 7 * MINUTE + 1

    ends = [
        drained(fresh_ledger(coverage={FIRST_PASS: ((0, at),)}), NOW, oldest=True)[0][1]
        for at in (ragged, fresh)
    ]

    assert ends == [NOW - HOUR, NOW - HOUR + 10 * MINUTE]


@pytest.mark.parametrize(("early", "lost"), [(0, False), (1, True)])
def test_a_slice_must_begin_two_hours_inside_the_reach(early: int, lost: bool) -> None:  # noqa: FBT001
    """Judged by when its last answer arrived."""
    answered = NOW
    start = answered - HOW.reach + 2 * HOUR - early

    assert planning.out_of_reach(start, answered, HOW) == lost


@pytest.mark.parametrize(("early", "soon"), [(0, False), (1, True)])
def test_time_is_soon_out_of_reach_three_days_before(early: int, soon: bool) -> None:  # noqa: FBT001
    """A person may still do something about it."""
    start = NOW - HOW.reach + 2 * HOUR + 3 * DAY - early

    assert (start < planning.soon_out_of_reach_until(NOW, HOW)) == soon


def test_of_a_rescan_what_its_pass_has_covered_is_no_longer_to_be_done() -> None:
    """What is left of each rescan counts once."""
    half = NOW - HOUR + 30 * MINUTE
    ledger = fresh_ledger(
        rescans={"rescan-1": ((NOW - HOUR, NOW),), "rescan-2": ((NOW - 10 * MINUTE, NOW),)},
        coverage={FIRST_PASS: (), "rescan-1": ((NOW - HOUR, half),)},
    )

    assert planning.to_rescan(ledger) == ((half, NOW),)
