"""Putting an earlier version of the ledger back: what it becomes."""

import msgspec

from shared.core.model import Ledger
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state.decisions import DECISIONS_KEPT, Order
from shared.core.state.restoring import restored
from tests.fakes import HOUR, MINUTE, NOW, policy
from tests.world import World

ORDER = Order(at=NOW, by="kim", reason="it was damaged")

change = msgspec.structs.replace


def ledger_of(world: World) -> Ledger:
    """Return the stored ledger."""
    return ledgers.decode(world.ledgers.content or b"")


def scanned() -> World:
    """Return a world whose scan is up to date."""
    world = World(range(NOW - 2 * HOUR, NOW, MINUTE))
    world.run_until_idle(policy(lookback=2 * HOUR))
    return world


def test_its_epoch_is_beyond_every_other() -> None:
    """Blocks of a run that is forgotten are never taken for its own."""
    version = ledger_of(scanned())
    current = change(version, epoch=version.epoch + 7)

    assert restored(version, current, ORDER, saved=NOW).epoch == version.epoch + 8
    assert restored(version, None, ORDER, saved=NOW).epoch == version.epoch + 1
    assert restored(version, None, ORDER, saved=NOW, epoch=90).epoch == 91
    assert restored(change(version, epoch=0), None, ORDER, saved=NOW).epoch == 1


def test_it_is_free_and_recorded() -> None:
    """Who put it back, when and why; the claim that it held is over."""
    version = change(ledger_of(scanned()), claimed_until=NOW + HOUR)

    after = restored(version, None, ORDER, saved=NOW - HOUR)

    assert (after.claimed_until, after.reported) == (0, 0)
    decision = after.decisions[-1]
    assert (decision.kind, decision.by, decision.reason) == ("restore", "kim", "it was damaged")
    assert "2026-11-23 11:00:00 UTC" in decision.what
    assert after.outstanding == ()


def test_the_record_of_decisions_stays_whole() -> None:
    """A decision since the version is no longer in force, and stays on record."""
    version = ledger_of(scanned())
    current = change(levers.paused(version, ORDER, until=None), reported=1)

    after = restored(version, current, ORDER, saved=NOW)

    assert after.pause is None
    assert [(it.number, it.kind) for it in after.decisions] == [(1, "pause"), (2, "restore")]
    assert after.reported == 1


def test_decisions_are_in_order_whichever_ledger_is_the_newer() -> None:
    """Only the newest are kept, as ever."""
    older = levers.paused(ledger_of(scanned()), ORDER, until=None)
    newer = older
    for _ in range(DECISIONS_KEPT):
        newer = levers.resumed(levers.paused(newer, ORDER, until=NOW + HOUR), ORDER)
        newer = levers.paused(newer, ORDER, until=None)

    after = restored(newer, older, ORDER, saved=NOW)

    numbers = [it.number for it in after.decisions]
    last = newer.decisions[-1].number + 1
    assert numbers == list(range(last - DECISIONS_KEPT + 1, last + 1))
