"""The ledger as a person reads it."""

import msgspec

from shared.core.intervals import merge
from shared.core.model import Doubt, Ledger, Loss, Pacing, Totals
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state.decisions import Order
from shared.operate.showing import lines_of
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, policy
from tests.world import World

change = msgspec.structs.replace


def ledger_of(world: World) -> Ledger:
    """Return the stored ledger."""
    return ledgers.decode(world.ledgers.content or b"")


def text(ledger: Ledger) -> str:
    """Return the lines as one text."""
    return "\n".join(lines_of(ledger, NOW))


def test_it_says_what_is_covered() -> None:
    """Beside where the chain ends, and who claimed it last."""
    world = World(range(NOW - HOUR, NOW, MINUTE))
    world.run_until_idle(policy(lookback=HOUR))
    shown = text(ledger_of(world))

    assert "scan all, by date, from 2026-11-23 11:00:00 UTC" in shown
    assert "covered by first: 0.8 h in 1 stretch, until 2026-11-23 11:50:00 UTC" in shown
    assert "free, epoch 1, last claimed by run run-1" in shown
    assert "0 open slices" in shown


def test_it_says_what_is_open_and_why_it_waits() -> None:
    """A run was killed in the middle of a slice that has had a fault."""
    world = World(range(NOW - HOUR, NOW, 10_000), page=7)
    world.share(Effects(at=30))
    try:
        world.run(policy(lookback=HOUR))
    except Crash:
        ledger = ledger_of(world)
    (piece, *_) = ledger.open
    waiting = change(
        piece, not_before=NOW + MINUTE, fault="HTTP 500\x1b", faults=2, blocked_since=NOW
    )
    pacing = Pacing(requests=9, not_before=NOW + 2 * MINUTE)
    shown = text(change(ledger, open=(waiting,), pacing=pacing, overloaded=True))

    assert "claimed by run run-1 until 2026-11-23 12:04:30 UTC, epoch 1" in shown
    assert "1 open slice\n" in shown
    assert "blocked, waits until 2026-11-23 12:01:00 UTC, 2 faults in a row: HTTP 500\\x1b" in shown
    assert "the API throttles the scan until 2026-11-23 12:02:00 UTC" in shown
    assert "overloaded" in shown


def test_it_says_what_is_lost_and_in_doubt() -> None:
    """With the sums of what is settled."""
    ledger = change(
        ledgers.begin(policy(), NOW),
        lost=(Loss(start=NOW - HOUR, end=NOW, reason="too late"),),
        doubt=(Doubt(start=NOW - HOUR, end=NOW, reason="odd"),),
        totals=Totals(lost=HOUR, doubt=2 * HOUR),
        coverage={"first": merge([])},
    )
    shown = text(ledger)

    assert "lost: 2026-11-23 11:00:00 UTC to 2026-11-23 12:00:00 UTC: too late" in shown
    assert "in doubt: 2026-11-23 11:00:00 UTC to 2026-11-23 12:00:00 UTC: odd" in shown
    assert "before it was settled: 1.0 h lost, 2.0 h in doubt" in shown
    assert "covered by first: nothing" in shown


def test_it_lists_the_decisions() -> None:
    """Who, when, what and why; and the pause that is in force."""
    order = Order(at=NOW, by="kim", reason="maintenance")
    begun = ledgers.begin(policy(), NOW)
    shown = text(levers.paused(begun, order, until=NOW + HOUR))

    assert "paused since 2026-11-23 12:00:00 UTC until 2026-11-23 13:00:00 UTC" in shown
    assert "decision 1, 2026-11-23 12:00:00 UTC, by kim: pause:" in shown
    assert "(maintenance)" in shown
    assert "until somebody resumes it" in text(levers.paused(begun, order, until=None))


def test_it_says_what_is_being_committed() -> None:
    """A run was killed in the middle of a commit."""
    world = World(range(NOW - HOUR, NOW, MINUTE))
    ledger = ledgers.begin(policy(), NOW)
    for number in range(1, 40):
        world.share(Effects(at=number))
        try:
            world.run(policy(lookback=HOUR))
        except Crash:
            ledger = ledger_of(world) if world.ledgers.content else ledger
        if ledger.committing:
            break
        world.clock.advance(10 * MINUTE)

    assert "committing manifest 1: 2026-11-23" in text(ledger)
    decided = msgspec.structs.replace(ledger.committing, slice=None, start=None, end=None)  # type: ignore[type-var]
    assert "committing manifest 1: a decision" in text(change(ledger, committing=decided))
