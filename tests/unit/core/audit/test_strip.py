"""What each hour of the last 30 days is."""

import json

import pytest

from shared.core.audit import history as histories
from shared.core.audit.history import Hour
from shared.core.audit.strip import State, strip_of
from shared.core.state import ledger as ledgers
from tests.fakes import HOUR, MINUTE, NOW, policy
from tests.world import World

HOW = policy(lookback=6 * HOUR, sweeps=(("sweep-24h", 24 * HOUR),))


@pytest.fixture(scope="module")
def stored() -> bytes:
    """Return the ledger of a scan that is up to date at noon, and began at six."""
    world = World([NOW - 6 * HOUR + 60_000 * n for n in range(300)], page=100)
    world.run_until_idle(HOW)
    return world.ledgers.load().content or b""


def states(stored: bytes, hours: dict[int, Hour] | None = None, **changes: object) -> list[State]:
    """Return what the last hours are with changes to the ledger, from six to noon."""
    value = {**json.loads(stored), **changes}
    history = histories.empty("all")
    history.hours.update(hours or {})
    cells = strip_of(ledgers.decode(json.dumps(value).encode()), history, HOW, NOW)
    assert len(cells) == 30 * 24
    return [it.state for it in cells if it.hour >= NOW - 6 * HOUR]


def test_hours_are_outside_until_the_scan_begins_and_before_they_settle(stored: bytes) -> None:
    """Those between are complete, or in progress."""
    assert states(stored) == [*["complete"] * 5, "in progress", "outside"]
    assert states(stored, origin=NOW - 4 * HOUR)[:3] == ["outside", "outside", "complete"]


def test_an_hour_that_is_due_and_not_begun_waits(stored: bytes) -> None:
    """Coverage holds nothing of it."""
    assert states(stored, coverage={"first": []}) == [*["waiting"] * 6, "outside"]


def test_an_hour_is_final_after_the_last_sweep_or_once_it_is_settled(stored: bytes) -> None:
    """Nothing is added to it any more."""
    coverage = {**json.loads(stored)["coverage"], "sweep-24h": [[NOW - 6 * HOUR, NOW - 5 * HOUR]]}

    assert states(stored, coverage=coverage)[:2] == ["final", "complete"]
    assert states(stored, settled_until=NOW - 4 * HOUR)[:3] == ["final", "final", "complete"]


def test_a_blocked_slice_blocks_its_hour(stored: bytes) -> None:
    """Whatever else the hour is; a slice that is only open leaves it in progress."""
    start = NOW - 3 * HOUR
    piece = {"start": start, "end": start + MINUTE, "pass": "first", "direction": "asc"}
    piece |= {"limit": 500, "cursor": start}

    assert states(stored, open=[{**piece, "blocked_since": NOW}])[3] == "blocked"
    assert states(stored, open=[piece], coverage={"first": []})[3] == "in progress"


@pytest.mark.parametrize(("field", "state"), [("lost", "lost"), ("doubt", "in doubt")])
def test_loss_and_doubt_are_those_of_the_ledger(stored: bytes, field: str, state: State) -> None:
    """They go before what is complete."""
    start = NOW - 4 * HOUR
    told = [{"start": start, "end": start + MINUTE, "reason": "odd"}]

    assert states(json.dumps({**json.loads(stored), field: told}).encode())[2] == state


def test_loss_and_doubt_of_settled_time_are_those_of_the_history(stored: bytes) -> None:
    """The ledger has only their sums; doubt of time that is not settled may have ended."""
    at = NOW - 5 * HOUR
    piece = ((at, at + MINUTE),)

    assert states(stored, {at: Hour(lost=piece)})[1] == "lost"
    assert states(stored, {at: Hour(doubt=piece)})[1] == "complete"
    assert states(stored, {at: Hour(doubt=piece)}, settled_until=at + HOUR)[1] == "in doubt"


def test_a_long_stretch_marks_every_hour_that_it_touches(stored: bytes) -> None:
    """History keeps it with the hour in which it begins."""
    at = NOW - 5 * HOUR
    long = ((at + MINUTE, at + 2 * HOUR + MINUTE),)

    assert states(stored, {at: Hour(lost=long)})[1:4] == ["lost"] * 3
    settled = states(stored, {at: Hour(doubt=long)}, settled_until=at + 3 * HOUR)
    assert settled[1:4] == ["in doubt"] * 3


def test_an_hour_has_its_records_and_how_many_of_them_were_late(stored: bytes) -> None:
    """Hours without history have none."""
    history = histories.empty("all")
    history.hours[NOW - HOUR] = Hour(records=7, late=2)

    cells = strip_of(ledgers.decode(stored), history, HOW, NOW)

    assert [(it.records, it.late) for it in cells[-2:]] == [(7, 2), (0, 0)]
