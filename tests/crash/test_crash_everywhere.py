"""Killed or suspended at any side effect, a scan ends with the same truth (P3, P4)."""

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from shared.core.model import Policy
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, policy
from tests.sampling import examples, sampled
from tests.world import World

ORIGIN = NOW - 3 * HOUR
END = NOW - 10 * MINUTE


def small_world() -> World:
    """Return a world of a few slices: some of one page, some of several, some empty."""
    rng = random.Random(11)
    busy = [ORIGIN + rng.randrange(HOUR) for _ in range(70)]
    quiet = [ORIGIN + HOUR + rng.randrange(2 * HOUR - 10 * MINUTE) for _ in range(25)]
    return World(busy + quiet, page=7)


def effects_of(how: Policy) -> int:
    """Return how many side effects an undisturbed scan has."""
    world = small_world()
    effects = Effects()
    world.share(effects)
    world.run_until_idle(how)
    return len(effects.done)


WAYS = ("before", "after")
POLICIES = {"asc": policy(), "desc": policy(direction="desc")}


@pytest.mark.parametrize("direction", POLICIES)
@pytest.mark.parametrize("how", WAYS)
def test_a_kill_at_any_side_effect_changes_nothing(direction: str, how: str) -> None:
    """It dies before, or after with the answer lost; the next run resumes, and nobody is needed."""
    chosen = POLICIES[direction]
    for number in sampled(effects_of(chosen), every=8):
        world = small_world()
        world.share(Effects(at=number, how=how))
        with pytest.raises(Crash):
            world.run_until_idle(chosen)
        world.share(Effects())
        world.clock.advance(5 * MINUTE)

        world.run_until_idle(chosen)

        world.assert_complete(ORIGIN, max(END, _covered(world)))
        assert world.attention(chosen) == {}


def test_two_kills_in_a_row_change_nothing() -> None:
    """The run that repairs may die, too, at any of its own first effects, if it has so many."""
    total = effects_of(policy())
    for _ in range(examples(10, 200)):
        world = small_world()
        world.share(Effects(at=random.randrange(total) + 1, how=random.choice(WAYS)))
        with pytest.raises(Crash):
            world.run_until_idle()
        world.clock.advance(5 * MINUTE)
        world.share(Effects(at=random.randrange(7) + 1, how=random.choice(WAYS)))
        with suppress(Crash):
            world.run_until_idle()
        world.clock.advance(5 * MINUTE)
        world.share(Effects())

        world.run_until_idle()

        world.assert_complete(ORIGIN, _covered(world))


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("how", WAYS)
def test_a_suspended_run_that_wakes_up_changes_nothing(lanes: int, how: str) -> None:
    """It sleeps past its claim while another run works, and the result equals a serial order."""
    chosen = policy(concurrency=lanes)
    for number in sampled(effects_of(chosen), every=8):
        world = small_world()
        world.share(Effects(at=number, how=how, meanwhile=_another_run(world, chosen)))
        # Either it notices that it was overtaken, or it had not begun.
        assert world.run(chosen) in {"superseded", "busy", "idle"}
        world.share(Effects())
        world.clock.advance(10 * MINUTE)

        world.run_until_idle(chosen)

        world.assert_complete(ORIGIN, _covered(world))


def _another_run(world: World, how: Policy) -> Callable[[], object]:
    def meanwhile() -> None:
        world.clock.advance(5 * MINUTE)
        world.run(how)

    return meanwhile


def _covered(world: World) -> int:
    ((start, end),) = world.ledgers.value()["coverage"]["first"]
    assert start == ORIGIN
    return int(end)
