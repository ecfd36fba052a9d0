"""Room for open and for blocked slices, and what gives way when there is none."""

from typing import Any

import msgspec
import pytest

from shared.core.model import FIRST_PASS, Ledger, Slice
from shared.core.slices.opening import open_slice
from shared.core.state import ledger as ledgers
from shared.core.state import rooms
from tests.fakes import MINUTE, NOW, policy

HOW = policy()


def pieces(count: int, *, pass_name: str = FIRST_PASS, **changes: Any) -> tuple[Slice, ...]:
    """Return so many open slices, with changes."""
    starts = range(NOW, NOW + count * MINUTE, MINUTE)
    opened = [open_slice((it, it + 1000), pass_name=pass_name, policy=HOW) for it in starts]
    return tuple(msgspec.structs.replace(it, **changes) for it in opened)


def ledger_of(*opened: Slice) -> Ledger:
    """Return a ledger with these slices open."""
    return msgspec.structs.replace(ledgers.begin(HOW, NOW), open=opened)


@pytest.mark.parametrize(("count", "room"), [(63, True), (64, False)])
def test_no_more_than_64_slices_are_open_and_not_blocked(count: int, room: bool) -> None:  # noqa: FBT001
    """Blocked ones do not count."""
    ledger = ledger_of(*pieces(count), *pieces(64, blocked_since=NOW))

    assert rooms.may_open(ledger) is room


def test_blocked_sweeps_take_no_room_of_the_first_pass() -> None:
    """Nor the first pass theirs."""
    blocked = pieces(16, pass_name="sweep-2h", blocked_since=NOW)
    ledger = ledger_of(*blocked)

    assert rooms.may_block(ledger, sweeps=False)
    assert not rooms.may_block(ledger, sweeps=True)


def test_a_slice_that_was_blocked_for_want_of_room_is_halved_once_there_is_room() -> None:
    """Two halves need two places."""
    (cramped,) = pieces(1, blocked_since=NOW, cramped=True)

    (blocked,) = pieces(1, blocked_since=NOW)

    assert rooms.to_halve(ledger_of(blocked, cramped, *pieces(62))) == cramped
    assert rooms.to_halve(ledger_of(blocked, cramped, *pieces(63))) is None
    assert rooms.to_halve(ledger_of(blocked, *pieces(62))) is None


def test_nothing_gives_way_while_there_is_room() -> None:
    """However poisoned it is."""
    poisoned = pieces(15, pass_name="sweep-2h", blocked_since=NOW, poisoned=NOW)

    assert rooms.ripest(ledger_of(*poisoned), sweeps=True) is None


def test_the_most_poisoned_second_gives_way_when_there_is_no_room() -> None:
    """Of the same kind of pass, and only while the API answers for other time."""
    blocked: dict[str, Any] = {"blocked_since": NOW, "pass_name": "sweep-2h"}
    *others, last = pieces(16, **blocked, poisoned=9)
    worst = msgspec.structs.replace(last, poisoned=12)
    ledger = msgspec.structs.replace(ledger_of(*others, worst), pages=1)

    assert rooms.ripest(ledger, sweeps=True) == worst
    assert rooms.ripest(ledger, sweeps=False) is None
    assert rooms.ripest(msgspec.structs.replace(ledger, pages=0), sweeps=True) is None


def test_a_sweep_never_makes_a_slice_of_the_first_pass_give_way() -> None:
    """However poisoned that one is; nor do the slices of one count as a crowd of the other."""
    sweeps = pieces(16, pass_name="sweep-2h", blocked_since=NOW, poisoned=9)
    worse = pieces(63, blocked_since=NOW, poisoned=30)
    ledger = msgspec.structs.replace(ledger_of(*worse, *sweeps), pages=1)

    assert rooms.ripest(ledger, sweeps=True) == sweeps[0]
    assert rooms.is_crowded(ledger, sweeps=True)
    assert not rooms.is_crowded(ledger, sweeps=False)
