"""Containers that refuse every overwrite, and quarantined answers, killed at every effect."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import pytest

from shared.core.errors import PartUnreadable, StoreUnavailable
from shared.core.model import Answer, Block
from tests.crash.test_crash_with_sweeps import (
    HOW,
    TENANT,
    _others,
    assert_whole,
    effects_of,
    live,
    new_world,
    share,
)
from tests.fakes import MINUTE, Crash, Effects, InMemoryResults
from tests.sampling import sampled
from tests.simulated import SimulatedApi
from tests.unit.test_sweeps import identities
from tests.world import World


class Immutable(InMemoryResults):
    """Refuses every write to an existing blob, even a repetition of the scan's own.

    Attributes:
        refused: the writes that were refused, by kind.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []

    def _stage(self, part: str, block_id: str, content: bytes) -> None:
        if part in self.parts:
            self.refused.append("stage")
            raise PartUnreadable(f"stage a block of {part}: HTTP 409 BlobImmutableDueToPolicy")
        super()._stage(part, block_id, content)

    def _commit(self, part: str, blocks: Sequence[Block], metadata: Mapping[str, str]) -> None:
        if part in self.parts:
            self.refused.append("commit")
        super()._commit(part, blocks, metadata)

    def _put(self, number: int, content: bytes) -> None:
        if number in self.manifests:
            self.refused.append("manifest")
        super()._put(number, content)


def immutable_world() -> tuple[World, Immutable]:
    """Return a world whose data and manifests cannot be overwritten."""
    world, results = new_world(), Immutable()
    world.results = results
    return world, results


def around_commits() -> list[int]:
    """Return the numbers of every commit, every manifest and the saves beside them."""
    done = effects_of(HOW)
    writes = [at for at, name in enumerate(done, 1) if name in {"commit part", "put manifest"}]
    return sorted({near for at in writes for near in (at - 1, at, at + 1)})


def some_of(numbers: list[int], *, every: int) -> list[int]:
    """Return a sample of the numbers of effects, or all of them."""
    return [numbers[place - 1] for place in sampled(len(numbers), every=every)]


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_kill_around_any_commit_needs_no_overwrite(how: str) -> None:
    """Repetitions are recognised as done, and nothing is staged into a committed part."""
    refused = set()
    for number in some_of(around_commits(), every=5):
        world, results = immutable_world()
        share(world, Effects(at=number, how=how))
        with pytest.raises(Crash):
            live(world)
        share(world, Effects())
        world.clock.advance(5 * MINUTE)

        live(world)

        assert_whole(world)
        refused |= set(results.refused)
    assert refused == {"commit", "manifest"}


def test_a_suspended_run_that_wakes_up_overwrites_nothing() -> None:
    """A condition or a policy refuses its writes, and it ends."""
    refused = set()
    for number in some_of(around_commits(), every=5):
        world, results = immutable_world()
        others = _others(world, HOW)
        share(world, Effects(at=number, how="before", meanwhile=others))
        live(world)
        share(world, Effects())
        world.clock.advance(10 * MINUTE)

        live(world)

        assert_whole(world)
        refused |= set(results.refused)
    assert refused


def strange_world() -> World:
    """Return a world whose API answers every seventh request with something that is not JSON."""
    world = new_world()
    assert isinstance(world.source, SimulatedApi)
    world.source.instead = lambda number, _: None if number % 7 else Answer(status=200, body=b"<p>")
    return world


def kept_at() -> list[int]:
    """Return the numbers of the effects around every quarantined answer of a whole life."""
    world, effects = strange_world(), Effects()
    share(world, effects)
    live(world)
    assert identities(world) == TENANT.truth()
    keeps = [number for number, name in enumerate(effects.done, 1) if name == "keep answer"]
    assert len(keeps) >= 5
    return sorted({near for at in keeps for near in (at, at + 1)})


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("ends", ["killed", "refused by storage"])
def test_a_run_that_ends_while_it_keeps_an_answer_changes_nothing(how: str, ends: str) -> None:
    """Only people read the quarantine; nothing depends on it."""

    def refused() -> None:
        raise StoreUnavailable("HTTP 403 AuthorizationFailure")

    meanwhile = refused if ends == "refused by storage" else None
    for number in some_of(kept_at(), every=3):
        world = strange_world()
        share(world, Effects(at=number, how=how, meanwhile=meanwhile))
        with suppress(Crash, StoreUnavailable):
            live(world)
        share(world, Effects())
        world.clock.advance(5 * MINUTE)

        live(world)

        assert_whole(world)
