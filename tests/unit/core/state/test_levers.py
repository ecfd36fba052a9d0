"""The levers: what each changes, and what is refused."""

import re

import pytest

from shared.core.errors import LeverRefused
from shared.core.model import Pacing, Pause
from shared.core.state import levers
from shared.core.state.decisions import Order
from tests.fakes import HOUR, MINUTE, NOW
from tests.unit.core.state.building import new_ledger, piece_of

ORDER = Order(at=NOW, by="kim", reason="maintenance")


def test_taking_the_ledger_over_makes_the_next_save_of_a_run_fail() -> None:
    """The epoch grows, so no block id of the run is used again, and the claim is free."""
    held = new_ledger(epoch=4, claimed_until=NOW + HOUR)

    after = levers.taken(held)

    assert (after.epoch, after.claimed_until) == (5, 0)


def test_a_pause_says_since_when_until_when_by_whom_and_why() -> None:
    """So does its decision."""
    after = levers.paused(new_ledger(), ORDER, until=NOW + HOUR)

    assert after.pause == Pause(since=NOW, until=NOW + HOUR, by="kim", reason="maintenance")
    (decision,) = after.decisions
    assert (decision.kind, decision.by) == ("pause", "kim")
    assert decision.what == "no run sends a request until 2026-11-23 13:00:00 UTC"
    assert after.outstanding == ()


def test_a_pause_may_be_for_good() -> None:
    """It ends when somebody resumes the scan."""
    after = levers.paused(new_ledger(), ORDER, until=None)

    assert after.pause == Pause(since=NOW, until=None, by="kim", reason="maintenance")
    assert after.decisions[0].what == "no run sends a request"


def test_a_paused_scan_may_be_paused_for_longer() -> None:
    """It counts as paused since the first time."""
    before = levers.paused(new_ledger(), ORDER, until=NOW + HOUR)

    after = levers.paused(before, Order(at=NOW + MINUTE, by="lee"), until=None)

    assert after.pause == Pause(since=NOW, until=None, by="lee", reason="")


@pytest.mark.parametrize(
    ("until", "again", "why"),
    [
        (NOW + HOUR, NOW, "in the past"),
        (
            NOW + HOUR,
            NOW + HOUR,
            "paused already, since 2026-11-23 12:00:00 UTC and until",
        ),
        (None, None, "until somebody resumes it, by kim: maintenance"),
    ],
)
def test_a_pause_that_changes_nothing_is_refused(
    until: int | None, again: int | None, why: str
) -> None:
    """The message says how the scan is paused."""
    before = levers.paused(new_ledger(), ORDER, until=until)

    with pytest.raises(LeverRefused, match=re.escape(why)):
        levers.paused(before, ORDER, until=again)


def test_a_pause_without_a_reason_is_shown_without_one() -> None:
    """Nobody has to give one."""
    before = levers.paused(new_ledger(), Order(at=NOW, by="kim"), until=None)

    with pytest.raises(LeverRefused, match=r"by kim$"):
        levers.paused(before, ORDER, until=None)


def test_resuming_ends_the_pause() -> None:
    """The decision says since when it was paused."""
    before = levers.paused(new_ledger(), ORDER, until=None)

    after = levers.resumed(before, Order(at=NOW + HOUR, by="lee"))

    assert after.pause is None
    assert (after.decisions[-1].kind, after.decisions[-1].by) == ("resume", "lee")
    assert after.decisions[-1].what == "the pause since 2026-11-23 12:00:00 UTC ends"


def test_resuming_a_scan_that_is_not_paused_is_refused() -> None:
    """There is nothing to end."""
    with pytest.raises(LeverRefused, match="not paused"):
        levers.resumed(new_ledger(), ORDER)


@pytest.mark.parametrize(
    ("until", "now", "is_paused"),
    [
        (None, NOW + 99 * HOUR, True),
        (NOW + HOUR, NOW + HOUR - 1, True),
        (NOW + HOUR, NOW + HOUR, False),
    ],
)
def test_a_pause_ends_by_itself_when_its_time_is_over(
    until: int | None, now: int, *, is_paused: bool
) -> None:
    """The scan decides so itself, and records it."""
    before = levers.paused(new_ledger(), ORDER, until=until)

    after = levers.resumed_in_time(before, now)

    assert (after.pause is not None) is is_paused
    assert after.decisions[-1].by == ("kim" if is_paused else "the scan")


def test_a_scan_that_is_not_paused_stays_as_it_is() -> None:
    """A claim asks every time."""
    assert levers.resumed_in_time(new_ledger(), NOW) == new_ledger()


def test_a_retry_makes_waiting_and_blocked_slices_due_at_once() -> None:
    """They stay blocked, since only an answer shows that they can be read."""
    waiting = piece_of(not_before=NOW + MINUTE, faults=2)
    blocked = piece_of((NOW - HOUR, NOW - HOUR + MINUTE), not_before=NOW + HOUR, blocked_since=NOW)

    after = levers.retried(new_ledger(open=(waiting, blocked)), ORDER)

    assert [(it.not_before, it.blocked, it.faults) for it in after.open] == [
        (0, False, 2),
        (0, True, 0),
    ]
    assert after.decisions[0].what == "2 waiting slices are due at once, 1 of them blocked"


def test_a_retry_when_nothing_waits_is_refused() -> None:
    """A slice whose time has come does not wait."""
    with pytest.raises(LeverRefused, match=r"no slice waits$"):
        levers.retried(new_ledger(open=(piece_of(not_before=NOW),)), ORDER)


def test_a_retry_leaves_a_throttle_and_says_so() -> None:
    """The API said how long it lasts."""
    ledger = new_ledger(pacing=Pacing(not_before=NOW + MINUTE))

    with pytest.raises(LeverRefused, match="waits until 2026-11-23 12:01:00 UTC, because"):
        levers.retried(ledger, ORDER)
