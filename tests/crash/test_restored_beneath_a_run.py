"""A ledger that is put back beneath a live run, at any instruction, changes nothing (P4)."""

import random
from collections.abc import Callable
from contextlib import suppress

from shared.core.errors import LedgerConflict, LeverRefused
from shared.operate.levers import Scan
from shared.operate.versions import choose, restore
from tests.displays import Said
from tests.fakes import HOUR, MINUTE, NOW, Effects, InMemoryState, policy
from tests.world import World

HOW = policy(lookback=HOUR, slice_length=15 * MINUTE)


def small_world() -> World:
    """Return a world with two slices of several pages, and an empty one."""
    rng = random.Random(3)
    return World([NOW - HOUR + rng.randrange(30 * MINUTE) for _ in range(25)], page=7)


def put_back(world: World, done: list[str]) -> Callable[[], None]:
    """Return what puts the newest version that fits back, without waiting for the run."""

    def meanwhile() -> None:
        state = InMemoryState(world.ledgers)
        scan = Scan(policy=HOW, ledgers=world.ledgers, results=world.results, clock=world.clock)
        with suppress(LeverRefused):
            version = choose(state, world.results, None).version
            restore(scan, state, version, Said(), by="kim", reason="", take_over=True)
            done.append(version)

    return meanwhile


def test_a_ledger_put_back_beneath_a_run_changes_nothing() -> None:
    """Before each effect of the run and after it; the scan goes on without loss or repetition."""
    effects = Effects()
    world = small_world()
    world.share(effects)
    world.run_until_idle(HOW)
    done: list[str] = []
    for number in range(1, len(effects.done) + 1):
        for how in ("before", "after"):
            world = small_world()
            world.share(Effects(at=number, how=how, meanwhile=put_back(world, done)))
            with suppress(LedgerConflict):
                world.run_until_idle(HOW)
            world.share(Effects())
            world.clock.advance(10 * MINUTE)

            world.run_until_idle(HOW)

            world.assert_complete(NOW - HOUR, NOW - 10 * MINUTE)
    assert len(done) > len(effects.done)
