"""Pulling a lever: one save, after a run has ended or instead of its next one."""

import getpass
from collections.abc import Callable
from functools import partial

import pytest

from shared.core.errors import LedgerConflict, LedgerRolledBack, LeverRefused
from shared.core.model import Decision, Ledger
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state.decisions import Order
from shared.operate.levers import ATTEMPTS, Lever, Scan, outlook, propose, pull, who
from tests.displays import Said
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, FakeClock, policy
from tests.world import World

HOW = policy()


def lever_pause(ledger: Ledger, order: Order) -> Ledger:
    """Pause for good."""
    return levers.paused(ledger, order, until=None)


def lever_backfill(ledger: Ledger, order: Order) -> Ledger:
    """Begin five hours earlier."""
    return levers.backfilled(ledger, order, HOW, to=NOW - 8 * HOUR)


class Watched(FakeClock):
    """A clock on which something happens while a command sleeps."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile = meanwhile

    def sleep(self, milliseconds: int) -> None:
        """Sleep, and let it happen."""
        super().sleep(milliseconds)
        self.meanwhile()


def scanned() -> World:
    """Return a world in which a scan is up to date."""
    world = World(range(NOW - 3 * HOUR, NOW, MINUTE))
    world.run_until_idle()
    return world


def held() -> World:
    """Return a world in which a run was killed, whose claim holds for some minutes."""
    world = World(range(NOW - 3 * HOUR, NOW, MINUTE))
    world.share(Effects(at=20))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    return world


def scan_of(world: World) -> Scan:
    """Return the world's scan for a command."""
    return Scan(policy=HOW, ledgers=world.ledgers, results=world.results, clock=world.clock)


def pulled(
    world: World, lever: Lever = lever_pause, said: Said | None = None, *, take_over: bool = False
) -> Decision:
    """Pull a lever as a command does."""
    return pull(
        scan_of(world), lever, said or Said(), by="kim", reason="a\ntest", take_over=take_over
    )


def test_a_proposal_changes_nothing() -> None:
    """It says what the lever would decide."""
    world = scanned()
    before = world.ledgers.content

    proposed = propose(scan_of(world), lever_pause, by="kim", reason="")

    assert (proposed.kind, proposed.by, proposed.at) == ("pause", "kim", world.clock.now())
    assert world.ledgers.content == before


def test_a_lever_is_one_save() -> None:
    """Nothing else is written, so nothing can be interrupted."""
    world = scanned()
    effects, epoch = Effects(), world.ledgers.value()["epoch"]
    world.share(effects)

    decision = pulled(world)

    assert effects.done == ["save ledger"]
    value = world.ledgers.value()
    assert (value["epoch"], value["claimed_until"]) == (epoch + 1, 0)
    assert (decision.by, decision.reason) == ("kim", "a test")
    assert value["pause"]["reason"] == "a test"


def test_a_lever_waits_for_a_run_to_end() -> None:
    """It looks every two seconds, and says so once."""
    world = held()
    said = Said()
    until = world.ledgers.value()["claimed_until"]

    decision = pulled(world, said=said)

    assert until <= world.clock.now() < until + 2_000
    assert said.lines == [
        "a run is at work, until 2026-11-23 12:04:30 UTC at the latest: waiting for its end"
    ]
    assert decision.at == world.clock.now()


def test_a_lever_that_waits_is_pulled_in_the_state_that_the_run_left() -> None:
    """What made sense before may not any more."""
    world = held()

    def meanwhile() -> None:
        if world.ledgers.value()["pause"] is None:
            pulled(world, take_over=True)

    clock = Watched(meanwhile)
    scan = Scan(policy=HOW, ledgers=world.ledgers, results=world.results, clock=clock)

    with pytest.raises(LeverRefused, match="paused already"):
        pull(scan, lever_pause, Said(), by="kim", reason="", take_over=False)


def test_a_lever_may_take_over_from_a_run() -> None:
    """The run ends harmlessly at its next save."""
    world = World(range(NOW - 3 * HOUR, NOW, MINUTE))
    take = partial(pulled, world, take_over=True)
    world.share(Effects(at=20, how="after", meanwhile=take))

    assert world.run() == "superseded"

    assert world.clock.slept == []
    assert world.run() == "paused"


def test_a_refused_save_is_tried_again_on_what_is_stored_by_then() -> None:
    """A run saves every second or so."""
    world = held()
    world.clock.advance(5 * MINUTE)
    world.share(Effects(at=1, how="before", meanwhile=world.run))

    pulled(world)

    assert world.ledgers.value()["pause"] is not None
    assert world.ledgers.value()["claimed_until"] == 0


def test_a_lever_gives_up_when_it_is_refused_time_and_again() -> None:
    """Then nothing was changed."""
    world = scanned()

    def overtake() -> None:
        stored = world.ledgers.load()
        ledger = levers.taken(ledgers.decode(stored.content or b""))
        world.ledgers._save(ledgers.encode(ledger), stored.etag)  # noqa: SLF001 - not an effect

    class Refusing(Effects):
        def run(self, name, effect):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            overtake()
            return super().run(name, effect)

    effects = Refusing()
    world.ledgers.effects = effects

    with pytest.raises(LedgerConflict, match="nothing was changed"):
        pulled(world)

    assert len(effects.done) == ATTEMPTS
    assert world.ledgers.value()["pause"] is None


def test_there_is_nothing_to_change_before_the_first_run() -> None:
    """A lever never creates a ledger."""
    world = World([])

    with pytest.raises(LeverRefused, match="has not run yet"):
        pulled(world)

    assert world.ledgers.content is None


def test_a_rolled_back_ledger_is_not_changed() -> None:
    """It would hide that it was rolled back."""
    world = scanned()
    world.ledgers.content = world.ledgers.history[5]

    with pytest.raises(LedgerRolledBack):
        pulled(world)


def test_a_run_that_commits_while_a_command_reads_is_no_roll_back() -> None:
    """The command reads again."""
    world = scanned()
    world.api.truth = sorted([*world.api.truth, NOW + MINUTE])
    world.clock.advance(HOUR)
    reading = world.results.manifest
    runs = [world.run]

    def manifest(number: int) -> bytes | None:
        if runs:
            runs.pop()()
        return reading(number)

    world.results.manifest = manifest  # type: ignore[method-assign]

    assert pulled(world).kind == "pause"


@pytest.mark.parametrize(
    ("lever", "says"),
    [(lever_pause, "takes effect with the next run"), (lever_backfill, "commits it to")],
)
def test_a_command_says_when_its_decision_shows(lever: Lever, says: str) -> None:
    """The chain learns of it only in the next run."""
    assert says in outlook(pulled(scanned(), lever))


def test_the_user_of_the_machine_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may not know its user's name."""
    monkeypatch.setenv("LOGNAME", "kim\x1b[1m")
    assert who() == "kim\\x1b[1m"

    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert who() == "unknown"
