"""Levers beside a live scan: at every instruction of a run, and killed at their own (P3, P4)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from shared.core.errors import BlocksLost, LedgerConflict, LeverRefused, StoreConflict
from shared.core.model import Ledger, Policy
from shared.core.state import levers
from shared.core.state.decisions import Order
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, policy, status
from tests.pulling import assert_proven, pull
from tests.sampling import sampled
from tests.world import World

FIRST = NOW - 2 * HOUR
"""Where the scan begins at first."""

EARLIER = NOW - 4 * HOUR
"""Where a backfill lets it begin."""

AGAIN = (NOW - 2 * HOUR, NOW - HOUR)
"""What a rescan scans again; the API did not show all of it at first."""

OLD = policy(lookback=2 * HOUR, sweeps=(), slice_length=30 * MINUTE)
NEW = replace(OLD, fingerprint="other filters")
MISSING = [AGAIN[0] + 7_000 * n for n in range(1, 4)]
TRUTH = [it for it in range(EARLIER, NOW + HOUR, 9 * MINUTE) if it not in MISSING]


@dataclass
class Life:
    """A scan that has caught up once, and goes on while a lever is pulled.

    Attributes:
        kind: which lever.
        world: the scan.
        how: the settings of its runs, which are changed before changed filters are accepted.
    """

    kind: str
    world: World = field(default_factory=lambda: World(TRUTH, page=4))
    how: Policy = OLD

    def __post_init__(self) -> None:
        self.world.run_until_idle(OLD)
        if self.kind == "rescan":
            self.world.api.truth = sorted([*TRUTH, *MISSING])
        self.world.clock.advance(40 * MINUTE)

    def lever(self, ledger: Ledger, order: Order) -> Ledger:
        """Change the ledger as this life's lever does."""
        if self.kind == "pause":
            return levers.paused(ledger, order, until=order.at + 20 * MINUTE)
        if self.kind == "backfill":
            return levers.backfilled(ledger, order, OLD, to=EARLIER)
        if self.kind == "rescan":
            return levers.rescanned(ledger, order, OLD, bounds=AGAIN)
        if self.kind == "accept-filters":
            return levers.filters_accepted(ledger, order, NEW)
        return levers.retried(ledger, order)

    def pull(self) -> None:
        """Pull the lever, as an operator does who may find that it is pulled already."""
        self.how = NEW if self.kind == "accept-filters" else OLD
        with suppress(LeverRefused):
            pull(self.world, self.lever, self.how)

    def live(self) -> None:
        """Start runs until all is done, the end of a rescan included."""
        for _ in range(8):
            self.world.run(self.how)
            self.world.clock.advance(10 * MINUTE)

    def share(self, effects: Effects) -> "Life":
        """Number the effects of everything that the scan uses."""
        self.world.share(effects)
        return self

    def assert_whole(self) -> None:
        """Assert that the feed is the truth, once, and that the chain proves what is stored."""
        value = self.world.ledgers.value()
        ((start, end),) = value["coverage"]["first"]
        assert start == value["origin"] == (EARLIER if self.kind == "backfill" else FIRST)
        self.world.assert_complete(start, end)
        assert (value["pause"], value["outstanding"], value["rescans"]) == (None, [], {})
        assert value["fingerprint"] == self.how.fingerprint
        assert_proven(self.world, self.how)


KINDS = ("pause", "backfill", "rescan", "accept-filters")
kinds = pytest.mark.parametrize("kind", KINDS)


def effects_of(life: Life) -> list[str]:
    """Return the side effects of a life from here on."""
    effects = Effects()
    life.share(effects).live()
    return effects.done


@kinds
def test_a_lever_at_any_instruction_of_a_run_loses_and_doubles_nothing(kind: str) -> None:
    """The run is superseded, or goes on if it had not begun; the decision is taken once."""
    for number in sampled(len(effects_of(Life("pause"))), every=9):
        life = Life(kind)
        life.share(Effects(at=number, how=("before", "after")[number % 2], meanwhile=life.pull))

        life.live()
        life.share(Effects()).live()

        life.assert_whole()
        kinds_taken = [it["kind"] for it in life.world.ledgers.value()["decisions"]]
        assert kinds_taken.count(kind) == 1


@kinds
def test_a_run_that_acts_on_a_lever_may_be_killed_at_any_instruction(kind: str) -> None:
    """This includes the commits of the decision and of the end of a rescan."""
    undisturbed = Life(kind)
    undisturbed.pull()
    done = effects_of(undisturbed)
    undisturbed.assert_whole()
    for number in sampled(len(done), every=9):
        life = Life(kind)
        life.pull()
        life.share(Effects(at=number, how=("after", "before")[number % 2]))
        with pytest.raises(Crash):
            life.live()
        life.world.clock.advance(5 * MINUTE)

        life.share(Effects()).live()

        life.assert_whole()


@kinds
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_command_may_be_killed_at_its_save(kind: str, how: str) -> None:
    """It has no other effect. Whoever pulls the lever again finds it pulled, or pulls it."""
    life = Life(kind)
    life.share(Effects(at=1, how=how))
    with pytest.raises(Crash):
        life.pull()
    taken = [it["kind"] for it in life.world.ledgers.value()["decisions"]]
    assert taken == ([kind] if how == "after" else [])
    life.share(Effects()).pull()

    life.live()

    life.assert_whole()
    again = [it["kind"] for it in life.world.ledgers.value()["decisions"]]
    assert again.count(kind) == 1


@kinds
def test_a_run_may_do_any_part_of_its_work_while_a_command_decides(kind: str) -> None:
    """The save is refused then, and the command decides again on what the run has left."""
    for number in sampled(len(effects_of(Life("pause"))), every=9):
        life = Life(kind)
        life.share(Effects(at=1, how="before", meanwhile=_killed_run(life, number)))

        life.pull()
        life.world.clock.advance(5 * MINUTE)
        life.share(Effects()).live()

        life.assert_whole()


def _killed_run(life: Life, number: int) -> Callable[[], None]:
    def meanwhile() -> None:
        life.share(Effects(at=number, how="after"))
        with suppress(Crash):
            life.world.run(OLD)
        life.share(Effects())

    return meanwhile


@kinds
def test_a_write_that_lands_after_a_lever_changes_nothing(kind: str) -> None:
    """The network delays the last write of a run that was taken over."""
    for number in sampled(len(effects_of(Life("pause"))), every=14):
        life, late = Life(kind), list[Callable[[], object]]()
        life.share(Effects(at=number, how="before", late=late))
        with pytest.raises(Crash):
            life.live()
        life.share(Effects()).pull()
        life.world.run(life.how)

        for write in late:  # The service refuses what its conditions forbid.
            with suppress(LedgerConflict, StoreConflict, BlocksLost):
                write()
        life.world.clock.advance(5 * MINUTE)
        life.live()

        life.assert_whole()


def waiting_life() -> Life:
    """Return a scan whose open slices wait, because the API failed; it answers again."""
    life = Life("retry")
    life.world.api.always = lambda _: status(503)
    life.world.run(OLD)
    life.world.api.always = lambda _: None
    assert life.world.ledgers.value()["open"]
    return life


def assert_retried(life: Life) -> None:
    """Assert that the scan is whole after more runs."""
    life.live()
    life.assert_whole()


def test_a_retry_at_any_instruction_of_a_run_loses_and_doubles_nothing() -> None:
    """It is refused if nothing waits any more."""
    taken = list[str]()
    for number in range(1, len(effects_of(waiting_life())) + 1):
        life = waiting_life()
        life.share(Effects(at=number, how=("before", "after")[number % 2], meanwhile=life.pull))
        life.live()

        assert_retried(life.share(Effects()))
        taken += [it["kind"] for it in life.world.ledgers.value()["decisions"]]

    assert "retry" in taken


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_retry_may_be_killed_at_its_save(how: str) -> None:
    """Whoever pulls the lever again finds it pulled, or pulls it."""
    life = waiting_life()
    life.share(Effects(at=1, how=how))
    with pytest.raises(Crash):
        life.pull()

    life.share(Effects()).pull()

    taken = [it["kind"] for it in life.world.ledgers.value()["decisions"]]
    assert taken == ["retry"]
    assert_retried(life)
