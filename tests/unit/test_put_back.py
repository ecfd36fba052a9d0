"""A ledger restored to before an interrupted commit is reported as such, and can be rebuilt."""

import pytest

from shared.core.errors import LedgerRolledBack, StoreConflict
from shared.operate.rebuild import rebuild, write
from tests.displays import Silent
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, policy
from tests.world import World

ORIGIN = NOW - 3 * HOUR


def every(step: int) -> list[int]:
    """Return instants `step` ms apart over the whole lookback."""
    return list(range(ORIGIN, NOW, step))


def interrupted_and_put_back() -> World:
    """Return a scan killed after its first part appeared, its ledger restored to before that."""
    effects = Effects()
    world = World(every(60_000))
    world.share(effects)
    world.run()
    world = World(every(60_000))
    world.share(Effects(at=effects.done.index("commit part") + 1, how="after"))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    world.ledgers.content = world.ledgers.history[-2]
    world.clock.advance(5 * MINUTE)
    return world


def test_a_ledger_restored_to_before_an_interrupted_commit_is_reported_as_such() -> None:
    """The part is this scan's own, so nobody has to look for another program."""
    world = interrupted_and_put_back()
    ((name, content),) = world.results.parts.items()

    with pytest.raises(LedgerRolledBack, match="restored a ledger from before an interrupted"):
        world.run()

    assert world.results.parts[name] == content
    assert world.ledgers.value()["claimed_until"] == 0


def test_a_ledger_restored_to_before_an_interrupted_commit_can_be_rebuilt() -> None:
    """The rebuilt ledger adopts the part."""
    world = interrupted_and_put_back()
    with pytest.raises(LedgerRolledBack):
        world.run()
    world.ledgers.content = None

    write(world.ledgers, rebuild(world.results, policy(), world.clock.now(), Silent()))

    world.run_until_idle()
    first = world.ledgers.value()["coverage"]["first"][0]
    world.assert_complete(*first)


def test_another_program_s_part_is_not_reported_as_a_restored_ledger() -> None:
    """Its block ids are not a scan's."""
    effects = Effects()
    world = World(every(60_000))
    world.share(effects)
    world.run()
    world = World(every(60_000))

    def plant() -> None:
        (name,) = world.results.staged
        world.results.parts[name] = b"?"
        world.results.lists[name] = []
        world.results.metadata[name] = {}

    world.share(Effects(at=effects.done.index("commit part") + 1, meanwhile=plant))

    with pytest.raises(StoreConflict):
        world.run()
