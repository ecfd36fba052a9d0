"""The versions of the ledger: which fit the chain, and one put back."""

import json
from collections.abc import Callable

import pytest

from shared.core.errors import LedgerConflict, LeverRefused
from shared.core.model import Decision
from shared.core.state import ledger as ledgers
from shared.operate.levers import ATTEMPTS, Scan
from shared.operate.versions import choose, lines_of, read_versions, restore
from tests.displays import Said
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, FakeClock, InMemoryState, policy
from tests.world import World

HOW = policy(lookback=HOUR)


def scanned() -> World:
    """Return a world in which two runs have been."""
    world = World(range(NOW - HOUR, NOW, 7 * MINUTE))
    world.run_until_idle(HOW)
    world.clock.advance(5 * MINUTE)
    world.run_until_idle(HOW)
    return world


def scan_of(world: World) -> Scan:
    """Return the world's scan for a command."""
    return Scan(policy=HOW, ledgers=world.ledgers, results=world.results, clock=world.clock)


def killed_before(effect: str) -> World:
    """Return a world whose first run was killed before its first effect of this name."""
    for number in range(1, 40):
        world = World(range(NOW - HOUR, NOW, MINUTE))
        effects = Effects(at=number)
        world.share(effects)
        with pytest.raises(Crash):
            world.run(HOW)
        if effects.done[-1] == effect:
            world.share(Effects())
            return world
    raise AssertionError(effect)


def put_back(
    world: World, state: InMemoryState, version: str | None = None, *, take_over: bool = False
) -> Decision:
    """Put a version back as the command does."""
    chosen = choose(state, world.results, version)
    return restore(
        scan_of(world),
        state,
        chosen.version,
        Said(),
        by="kim",
        reason="damaged",
        take_over=take_over,
    )


def damage(world: World, content: bytes = b"{}") -> None:
    """Overwrite the ledger as somebody by mistake would."""
    world.ledgers.save(content, etag=world.ledgers.load().etag)


def test_only_versions_at_the_end_of_the_chain_fit() -> None:
    """All others are of a time before the last commit."""
    world = scanned()

    found = read_versions(InMemoryState(world.ledgers), world.results, 500)

    newest = max(world.results.manifests)
    assert found[0].current
    # The last of the three was about to commit the newest manifest.
    assert [it.manifest for it in found if it.fits] == [newest, newest, newest - 1]
    assert all("exists, and the ledger ends before it" in it.why for it in found if not it.fits)


def test_a_damaged_ledger_is_replaced_by_the_newest_that_fits() -> None:
    """The scan goes on as if nothing had been: no loss, and nothing twice."""
    world = scanned()
    before = ledgers.decode(world.ledgers.content or b"")
    damage(world)
    state = InMemoryState(world.ledgers)

    decision = put_back(world, state)

    after = ledgers.decode(world.ledgers.content or b"")
    assert (decision.kind, after.coverage, after.head) == ("restore", before.coverage, before.head)
    assert after.epoch > before.epoch
    world.clock.advance(10 * MINUTE)
    world.run_until_idle(HOW)
    world.assert_complete(NOW - HOUR, NOW)


def test_a_lost_ledger_is_put_back() -> None:
    """It is created, only if there still is none."""
    world = scanned()
    world.ledgers.content = None
    state = InMemoryState(world.ledgers)

    put_back(world, state)

    world.run(HOW)
    assert world.ledgers.value()["decisions"][-1]["kind"] == "restore"


def test_a_version_that_does_not_fit_is_refused() -> None:
    """The message says what to do instead."""
    world = scanned()
    oldest = read_versions(InMemoryState(world.ledgers), world.results, 500)[-1]

    with pytest.raises(LeverRefused, match=r"does not fit .*ledger rebuild"):
        choose(InMemoryState(world.ledgers), world.results, oldest.version)


def test_the_ledger_as_it_is_is_not_put_back() -> None:
    """That would change nothing."""
    world = scanned()
    state = InMemoryState(world.ledgers)

    with pytest.raises(LeverRefused, match="as it is now"):
        choose(state, world.results, state.versions()[0].id)


def test_an_unknown_version_is_refused() -> None:
    """The history has their names."""
    world = scanned()

    with pytest.raises(LeverRefused, match="ledger history"):
        choose(InMemoryState(world.ledgers), world.results, "yesterday's")


def test_without_a_version_that_fits_a_rebuild_is_named() -> None:
    """Nor is there one in an account that keeps none."""
    world = scanned()
    world.results.put_manifest(max(world.results.manifests) + 1, b"{}")

    with pytest.raises(LeverRefused, match=r"none of the \d+ newest .*ledger rebuild"):
        choose(InMemoryState(world.ledgers), world.results, None)
    with pytest.raises(LeverRefused, match=r"keeps no versions .*ledger rebuild"):
        choose(InMemoryState(world.ledgers, keeps_versions=False), world.results, None)


def test_a_version_from_before_a_commit_that_was_begun_does_not_fit() -> None:
    """The run that began it may still be alive, and put the manifest later."""
    world = killed_before("commit part")

    found = read_versions(InMemoryState(world.ledgers), world.results, 500)

    assert [it.fits for it in found[:2]] == [True, False]
    assert found[1].manifest == found[0].manifest
    assert found[1].why == "a later version was about to commit manifest 1"


def test_a_version_that_was_committing_another_manifest_does_not_fit() -> None:
    """Its run would find that manifest stored with other bytes, and stop."""
    world = killed_before("put manifest")
    state = InMemoryState(world.ledgers)
    number = world.ledgers.value()["committing"]["number"]
    assert read_versions(state, world.results, 1)[0].fits

    world.results.put_manifest(number, b"another")

    assert "differs from the one" in read_versions(state, world.results, 1)[0].why


def test_what_cannot_be_read_does_not_fit() -> None:
    """A damaged version, and one that a rule of the account has deleted meanwhile."""
    world = scanned()
    damage(world)
    damage(world, b"more")
    state = InMemoryState(world.ledgers)
    listed = state.versions()

    class Expiring(InMemoryState):
        def versions(self) -> list[object]:  # type: ignore[override]
            return list(listed)

        def version(self, version: str) -> bytes | None:
            return None if version == listed[1].id else state.version(version)

    found = read_versions(Expiring(world.ledgers), world.results, 3)  # type: ignore[arg-type]

    assert [it.fits for it in found] == [False, False, True]
    assert "cannot be read" in found[0].why
    assert "is gone" in found[1].why
    assert (found[0].epoch, found[0].manifest) == (None, None)


class Watched(FakeClock):
    """A clock on which something happens while a command sleeps."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def sleep(self, milliseconds: int) -> None:
        """Sleep, and let it happen."""
        super().sleep(milliseconds)
        self.meanwhile()


def held() -> World:
    """Return a world with versions that fit, in which a run was killed right after its claim."""
    world = scanned()
    world.clock.advance(5 * MINUTE)
    world.share(Effects(at=2))
    with pytest.raises(Crash):
        world.run(HOW)
    world.share(Effects())
    world.clock.slept.clear()
    return world


def test_it_waits_for_the_claim_of_a_run_to_end() -> None:
    """The run that was killed never releases it."""
    world = held()

    put_back(world, InMemoryState(world.ledgers))

    assert sum(world.clock.slept) >= 4 * MINUTE


def test_it_takes_over_when_told_to() -> None:
    """It does not wait then."""
    world = held()

    put_back(world, InMemoryState(world.ledgers), take_over=True)

    assert world.clock.slept == []


def test_a_version_that_stops_fitting_while_it_waits_is_refused() -> None:
    """The run commits more, and the version is of the time before."""
    world = held()
    state = InMemoryState(world.ledgers)
    chosen = choose(state, world.results, None)
    world.clock.__class__ = Watched
    number = max(world.results.manifests) + 1
    world.clock.meanwhile = lambda: world.results.put_manifest(number, b"{}")  # type: ignore[attr-defined]

    with pytest.raises(LeverRefused, match="does not fit"):
        restore(scan_of(world), state, chosen.version, Said(), by="kim", reason="", take_over=False)


def test_a_save_that_is_refused_is_tried_again() -> None:
    """Until it is refused time and again."""
    world = held()
    save = world.ledgers.save
    refusals = iter(range(ATTEMPTS * 2))

    def refuse(content: bytes, *, etag: str | None) -> str:
        if next(refusals) % (ATTEMPTS + 1) < ATTEMPTS:
            raise LedgerConflict("saved by another run")
        return save(content, etag=etag)

    world.ledgers.save = refuse  # type: ignore[method-assign]
    state = InMemoryState(world.ledgers)

    with pytest.raises(LedgerConflict, match=f"{ATTEMPTS} times"):
        put_back(world, state, take_over=True)
    assert put_back(world, state, take_over=True).kind == "restore"


def test_versions_are_shown_a_line_each() -> None:
    """Whoever reads it sees which one to take."""
    world = scanned()
    damage(world)
    found = read_versions(InMemoryState(world.ledgers), world.results, 5)

    lines = list(lines_of(found))

    assert "the ledger as it is, does not fit" in lines[0]
    assert lines[1].endswith("bytes: fits")
    assert f"epoch {json.loads(world.ledgers.history[-2])['epoch']}, manifest" in lines[1]
    assert "keeps no versions" in next(lines_of([]))
