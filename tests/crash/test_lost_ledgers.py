"""A scan that dies at any side effect and loses its ledger, too, resumes from its manifests."""

import pytest

from shared.operate.rebuild import Rebuilt, rebuild, write
from tests.displays import Silent
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, policy
from tests.sampling import sampled
from tests.world import World

ORIGIN = NOW - 3 * HOUR
TRUTH = [ORIGIN + 47_000 * n for n in range(225)]


def effects_of_a_life() -> list[str]:
    """Return the side effects of an undisturbed scan."""
    world, effects = World(TRUTH, page=9), Effects()
    world.share(effects)
    world.run_until_idle()
    return effects.done


def killed_after(number: int) -> World:
    """Return a scan that died after one of its effects, and whose ledger is lost."""
    world = World(TRUTH, page=9)
    world.share(Effects(at=number, how="after"))
    with pytest.raises(Crash):
        world.run_until_idle()
    world.share(Effects())
    world.ledgers.content = None
    return world


def rebuilt(world: World) -> Rebuilt:
    """Rebuild the ledger from the manifests, and put it in its place."""
    made = rebuild(world.results, policy(), world.clock.now(), Silent())
    write(world.ledgers, made)
    return made


def assert_resumes(world: World) -> None:
    """Assert that the next runs complete the feed, each activity once."""
    world.clock.advance(5 * MINUTE)
    world.run_until_idle()
    origin, end = world.ledgers.value()["coverage"]["first"][0]
    world.assert_complete(origin, end)


def test_a_ledger_lost_at_any_effect_can_be_rebuilt() -> None:
    """Only a part whose manifest is missing has to be adopted."""
    done = effects_of_a_life()
    for number in sampled(len(done), every=6, first=done.index("commit part") + 1):
        world = killed_after(number)

        made = rebuilt(world)

        assert (made.adopted is not None) == (done[number - 1] == "commit part")
        assert_resumes(world)


LOST_METADATA: list[dict[str, str]] = [
    {},
    {"Start": "1795428000000", "END": "1795428300000"},
    {"start": "soon", "end": "1.5", "pass": "first"},
    {"start": "0", "end": "9" * 15},
    {"start": str(ORIGIN), "end": str(ORIGIN + 1)},
]


@pytest.mark.parametrize("metadata", LOST_METADATA)
def test_a_copy_without_metadata_is_rebuilt_like_the_original(metadata: dict[str, str]) -> None:
    """Killed in any commit, copied and rebuilt, the scan still stores each activity once."""
    done = effects_of_a_life()
    commits = [at for at, name in enumerate(done, start=1) if name == "commit part"]
    for place in sampled(len(commits), every=6):
        world = killed_after(commits[place - 1])
        world.results.metadata = dict.fromkeys(world.results.parts, metadata)

        made = rebuilt(world)

        assert made.adopted
        assert_resumes(world)
