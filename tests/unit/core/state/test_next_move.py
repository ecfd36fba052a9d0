"""The decision what a run does next, from values alone."""

from typing import Any, Literal

import msgspec
import pytest

from shared.core.model import FIRST_PASS, ApiFacts, Ledger, Pacing, Slice
from shared.core.slices.opening import open_slice
from shared.core.state import ledger as ledgers
from shared.core.state.next_move import (
    FAULTS_TO_STOP,
    PATIENCE_MS,
    Health,
    Moment,
    Start,
    Stop,
    Wait,
    has_free_lane,
    next_move,
)
from shared.core.state.pacing import reserve
from tests.fakes import NOW, policy

MINUTE = 60_000
HOW = policy(concurrency=2)
ORIGIN = NOW - 4 * 60 * MINUTE


def scan(**changes: Any) -> Ledger:
    """Return a ledger of a scan that has hours to do."""
    begun = ledgers.begin(policy(lookback=4 * 60 * MINUTE), NOW)
    return msgspec.structs.replace(begun, **changes)


def piece_of(start: int, end: int, **changes: Any) -> Slice:
    """Return an open slice."""
    piece = open_slice((start, end), pass_name=FIRST_PASS, policy=HOW)
    return msgspec.structs.replace(piece, **changes)


def at(**changes: Any) -> Moment:
    """Return a moment early in a run that has begun a step."""
    return Moment(**{"now": NOW, "spent": 0, **changes})


def test_a_due_slice_is_started() -> None:
    """Nothing is in its way."""
    move = next_move(scan(), HOW, at())

    assert isinstance(move, Start)
    assert move.now == NOW


def test_a_busy_slice_is_not_started_again() -> None:
    """Its step is pending."""
    first = next_move(scan(), HOW, at())
    assert isinstance(first, Start)
    bounds = (first.slice.start, first.slice.end)
    opened = scan(open=(first.slice,))

    second = next_move(opened, HOW, at(busy=frozenset({bounds})))

    assert isinstance(second, Start)
    assert (second.slice.start, second.slice.end) != bounds


def test_a_run_waits_for_a_step_when_every_lane_is_busy() -> None:
    """Time changes nothing, so only the end of a step ends the wait."""
    busy = frozenset({(ORIGIN, ORIGIN + 1), (ORIGIN + 1, ORIGIN + 2)})

    assert next_move(scan(), HOW, at(busy=busy)) == Wait(None)


def test_a_run_waits_for_its_steps_when_nothing_else_is_due() -> None:
    """What they bring back may make more work."""
    done = scan(origin=NOW, settled_until=NOW)

    assert next_move(done, HOW, at(busy=frozenset({(1, 2)}))) == Wait(None)


def test_a_run_without_anything_due_is_idle() -> None:
    """Nothing is open either."""
    done = scan(origin=NOW, settled_until=NOW)

    assert next_move(done, HOW, at()) == Stop("idle")


def test_a_run_whose_slices_all_back_off_is_waiting() -> None:
    """The next run resumes them."""
    resting = piece_of(NOW, NOW + 1, not_before=NOW + MINUTE)
    done = scan(origin=NOW, settled_until=NOW, open=(resting,))

    assert next_move(done, HOW, at()) == Stop("waiting")


@pytest.mark.parametrize("ends", ["faults", "clocks differ"])
def test_a_run_that_must_end_starts_nothing_more(
    ends: Literal["faults", "clocks differ"],
) -> None:
    """Whatever is due."""
    assert next_move(scan(), HOW, at(health=Health(ends=ends))) == Stop(ends)


def test_a_run_waits_for_a_short_throttle() -> None:
    """A few seconds cost less than another run."""
    paced = Pacing(not_before=NOW + PATIENCE_MS, throttles=1)

    assert next_move(scan(pacing=paced), HOW, at()) == Wait(PATIENCE_MS)


def test_a_run_stops_for_a_longer_throttle() -> None:
    """The ledger remembers it for the next run."""
    paced = Pacing(not_before=NOW + PATIENCE_MS + 1, throttles=1)

    assert next_move(scan(pacing=paced), HOW, at()) == Stop("waiting")


def test_a_run_waits_for_its_own_pacing() -> None:
    """A busy scan sends evenly."""
    paced = Pacing(sent_at=tuple(NOW - it for it in range(5)))

    move = next_move(scan(pacing=paced), HOW, at())

    assert isinstance(move, Wait)
    assert move.milliseconds


def test_a_run_waits_for_the_budget_that_scans_share() -> None:
    """Its own budget would let it send."""
    assert next_move(scan(), HOW, at(shared_pause=1_234)) == Wait(1_234)


def test_a_step_that_would_end_too_late_is_not_started() -> None:
    """The slowest of the last steps predicts how long it takes."""
    slow = scan(pacing=Pacing(durations=(HOW.budget,)))

    assert next_move(slow, HOW, at()) == Stop("out-of-time")


def test_the_first_step_of_a_run_is_always_started() -> None:
    """Otherwise a scan with one slow answer would never send another request."""
    slow = scan(pacing=Pacing(durations=(HOW.budget,)))

    assert isinstance(next_move(slow, HOW, at(is_first=True, spent=HOW.budget)), Start)


def test_the_first_step_is_not_waited_for_beyond_the_time_budget() -> None:
    """It is only exempt where it can start at once."""
    move = next_move(scan(), HOW, at(is_first=True, spent=HOW.budget, shared_pause=1))

    assert move == Stop("out-of-time")


@pytest.mark.parametrize(("more", "outcome"), [(0, "out-of-time"), (1, "waiting")])
def test_a_pause_that_no_whole_run_has_room_for_is_left_to_a_later_run(
    more: int, outcome: Literal["out-of-time", "waiting"]
) -> None:
    """A run that started at once could not send either."""
    longest = HOW.budget - reserve(HOW.budget)

    move = next_move(scan(), HOW, at(spent=1, shared_pause=longest + more))

    assert move == Stop(outcome)
    fresh = next_move(scan(), HOW, at(is_first=True, shared_pause=longest + more))
    assert isinstance(fresh, Wait) == (outcome == "out-of-time")


def test_before_the_fault_that_ends_a_run_a_slice_without_faults_is_asked_for() -> None:
    """It shows whether the API is at fault or only some time is poisoned."""
    suspect = piece_of(ORIGIN, ORIGIN + 1, fault="HTTP 500", faults=1)
    ledger = scan(open=(suspect,), pacing=Pacing(requests=4))
    faulted = frozenset(range(FAULTS_TO_STOP - 1))

    usual = next_move(ledger, HOW, at())
    careful = next_move(ledger, HOW, at(health=Health(faulted=faulted)))

    assert isinstance(usual, Start)
    assert isinstance(careful, Start)
    assert usual.slice == suspect
    assert careful.slice != suspect


def test_an_open_slice_without_faults_is_one_to_ask_for() -> None:
    """Nothing new need be due."""
    sound = piece_of(NOW - 2, NOW - 1)
    suspect = piece_of(NOW - 1, NOW, fault="HTTP 500", faults=1)
    ledger = scan(origin=NOW, settled_until=NOW, open=(sound, suspect))
    faulted = frozenset(range(FAULTS_TO_STOP - 1))

    usual = next_move(ledger, HOW, at())
    careful = next_move(ledger, HOW, at(health=Health(faulted=faulted)))

    assert usual == Start(suspect, NOW)
    assert careful == Start(sound, NOW)


def test_a_slice_with_faults_is_asked_for_where_there_is_no_other() -> None:
    """It may have recovered."""
    suspect = piece_of(NOW - 1, NOW, fault="HTTP 500", faults=1)
    ledger = scan(origin=NOW, settled_until=NOW, open=(suspect,))
    faulted = frozenset(range(FAULTS_TO_STOP - 1))

    move = next_move(ledger, HOW, at(health=Health(faulted=faulted)))

    assert isinstance(move, Start)
    assert move.slice == suspect


@pytest.mark.parametrize(
    "changes", [{"pacing": Pacing(throttles=1)}, {"api_facts": ApiFacts(trial=(1, 2))}]
)
def test_after_a_throttle_or_a_refusal_one_step_is_pending_at_a_time(
    changes: dict[str, Any],
) -> None:
    """Further requests would meet the same."""
    assert has_free_lane(scan(), HOW, pending=1)
    assert not has_free_lane(scan(**changes), HOW, pending=1)
    assert has_free_lane(scan(**changes), HOW, pending=0)


def test_faults_of_different_slices_end_a_run() -> None:
    """Three in a row show that the API is not well."""
    health = Health().after_fault(1).after_fault(2)
    assert health.ends is None

    assert health.after_fault(3).ends == "faults"


def test_faults_of_one_slice_do_not_end_a_run() -> None:
    """Its time may be poisoned."""
    assert Health().after_fault(1).after_fault(1).after_fault(1).ends is None


def test_a_page_between_faults_starts_the_count_again() -> None:
    """The API answers."""
    assert Health().after_fault(1).after_fault(2).after_page().after_fault(3).ends is None


def test_a_page_does_not_revoke_the_end_of_a_run() -> None:
    """It may have been under way when the API failed."""
    assert Health().after_clocks_differed().after_page().ends == "clocks differ"
