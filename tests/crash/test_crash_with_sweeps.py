"""Late activities, sweeps, a dense millisecond and a black hole, killed at every side effect."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from shared.core.errors import BlocksLost, LedgerConflict, StoreConflict, StoreUnavailable
from shared.core.model import Policy
from simulator import Switches, Tenant
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, policy
from tests.sampling import sampled
from tests.simulated import SimulatedApi
from tests.unit.test_sweeps import identities
from tests.world import World

START = NOW - 2 * HOUR
DENSE = START + 20 * MINUTE + 5
HOLE = START
SWEEPS = (("sweep-2h", 2 * HOUR),)
PASSES = (".first.", ".sweep-2h.")


def how_to(**changes: Any) -> Policy:
    """Return a policy of few slices, as the tests' time grows with the square of the effects."""
    return policy(lookback=2 * HOUR, sweeps=SWEEPS, slice_length=15 * MINUTE, **changes)


HOW = how_to()


def tenant() -> Tenant:
    """Return a tenant with everything that takes a scan off its usual path."""
    rng = random.Random(4)
    usual = [START + rng.randrange(110 * MINUTE) for _ in range(40)]
    dense = [(DENSE, DENSE + 200_000 + n) for n in range(13)]
    late = [(START + 61_000 * n, NOW + 10 * MINUTE + 9_000 * n) for n in range(20)]
    return Tenant.of([*usual, *dense, *late, (HOLE, HOLE + 200_000)], record_size=900)


TENANT = tenant()


def new_world() -> World:
    """Return a world in which nothing has run yet."""
    world = World([])
    switches = Switches(page_cap=9, minimum_limit=1, black_holes=frozenset({HOLE}))
    world.source = SimulatedApi(TENANT, world.clock, switches)
    return world


def share(world: World, effects: Effects) -> None:
    """Number the effects of everything that the scan uses."""
    assert isinstance(world.source, SimulatedApi)
    world.source.effects = world.ledgers.effects = world.results.effects = effects


def live(world: World, how: Policy = HOW, hours: int = 3) -> None:
    """Start a run every half hour, until the sweep has covered everything."""
    for _ in range(hours * 2):
        world.run(how)
        world.clock.advance(30 * MINUTE)


def effects_of(how: Policy) -> list[str]:
    """Return the side effects of an undisturbed life."""
    world = new_world()
    effects = Effects()
    share(world, effects)
    live(world, how)
    assert identities(world) == TENANT.truth()
    return effects.done


def assert_whole(world: World) -> None:
    """Assert that the feed holds the truth, once, and that nothing is in doubt."""
    assert identities(world) == TENANT.truth()
    assert world.ledgers.value()["doubt"] == []


def test_a_life_has_all_kinds_of_effects() -> None:
    """Otherwise the tests below would prove less than they claim."""
    done = effects_of(HOW)
    world = new_world()
    live(world)
    pages = sum(number - 1 for number in map(len, world.results.lists.values()))

    assert done.count("stage block") == pages + len(world.results.parts)  # Each has a trailer.
    assert {"request", "stage block", "commit part", "put manifest", "save ledger"} == set(done)
    assert all(any(name in it for it in world.results.parts) for name in PASSES)
    assert len(done) > 90


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_kill_at_any_side_effect_changes_nothing(how: str, direction: str) -> None:
    """The effects include those of sweeps and probes."""
    chosen = how_to(direction=direction)
    for number in sampled(len(effects_of(chosen)), every=12):
        world = new_world()
        share(world, Effects(at=number, how=how))
        with pytest.raises(Crash):
            live(world, chosen)
        share(world, Effects())
        world.clock.advance(5 * MINUTE)

        live(world, chosen)

        assert_whole(world)


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_suspended_run_that_wakes_up_changes_nothing(lanes: int) -> None:
    """It sleeps at any effect, past its claim, while others work for an hour."""
    chosen = how_to(concurrency=lanes)
    for number in sampled(len(effects_of(chosen)), every=20):
        world = new_world()
        share(world, Effects(at=number, how="after", meanwhile=_others(world, chosen)))
        live(world, chosen)
        share(world, Effects())
        world.clock.advance(10 * MINUTE)

        live(world, chosen)

        assert_whole(world)


def _others(world: World, how: Policy) -> Callable[[], object]:
    def meanwhile() -> None:
        for _ in range(3):
            world.clock.advance(20 * MINUTE)
            world.run(how)

    return meanwhile


@pytest.mark.parametrize("how", ["before", "after"])
def test_storage_that_fails_at_any_side_effect_changes_nothing(how: str) -> None:
    """Throttled, refused or unreachable: the run fails and reports it, the next one resumes."""

    def unavailable() -> None:
        raise StoreUnavailable("HTTP 503 ServerBusy")

    for number in sampled(len(effects_of(HOW)), every=20):
        world = new_world()
        share(world, Effects(at=number, how=how, meanwhile=unavailable))
        with pytest.raises(StoreUnavailable):
            live(world)
        share(world, Effects())
        world.clock.advance(5 * MINUTE)

        live(world)

        assert_whole(world)


def test_a_write_that_lands_after_later_ones_changes_nothing() -> None:
    """The network delays a dead process's last write by half an hour."""
    for number in sampled(len(effects_of(HOW)), every=16):
        world = new_world()
        late: list[Callable[[], object]] = []
        share(world, Effects(at=number, how="before", late=late))
        with pytest.raises(Crash):
            live(world)
        share(world, Effects())
        world.clock.advance(5 * MINUTE)
        world.run(HOW)
        world.clock.advance(25 * MINUTE)

        for write in late:  # the service refuses what its conditions forbid
            with suppress(LedgerConflict, StoreConflict, BlocksLost):
                write()
        live(world)

        assert_whole(world)
