"""Killed or suspended while it takes manifests into the history, a run leaves a true history.

Of two runs that do it at once one drops its work, and what is stored never goes back to an older
manifest.
"""

from collections.abc import Callable
from contextlib import suppress

import pytest

from harness.at_once import workers
from shared.core.audit import history as histories
from shared.core.state import manifest as manifests
from shared.core.state.report import Tally
from shared.ports import Ports
from shared.scan.reporting import Job, run_and_report
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, InMemoryDerived, policy
from tests.sampling import sampled
from tests.world import World

HISTORY = "scan=all/history.json"

RUNS = 5
"""Runs five minutes apart, each with something new to take in."""

ENDINGS = ("before", "after")


class Derived(InMemoryDerived):
    """A store that remembers which manifests its histories ended with.

    Attributes:
        through: number of the last manifest in each history that was saved, in order.
        dropped: the same for each save that was refused.
    """

    def __init__(self) -> None:
        super().__init__()
        self.through: list[int] = []
        self.dropped: list[int] = []

    def _save(self, name: str, content: bytes, etag: str | None, manifest: int) -> bool:
        saved = super()._save(name, content, etag, manifest)
        if name == HISTORY:
            (self.through if saved else self.dropped).append(manifest)
        return saved


class Scan:
    """A scan whose runs take their manifests into a history."""

    def __init__(self, effects: Effects | None = None) -> None:
        self.world = World([NOW - 2 * HOUR + 97_000 * n for n in range(80)], page=7)
        self.derived = Derived()
        self.derived.effects = effects or Effects()

    def run(self) -> None:
        """Do one run as the timer does, with all that follows its release."""
        world = self.world
        ports = Ports(
            source=world.api, ledgers=world.ledgers, results=world.results, clock=world.clock
        )
        how = policy(lookback=2 * HOUR)
        tally = Tally(scan="all", run="r")
        run_and_report(
            Job(
                policy=how,
                ports=ports,
                derived=self.derived,
                draw=lambda _: b"",
                tally=tally,
                prepare=lambda: None,
                workers=workers,
            )
        )
        world.clock.advance(5 * MINUTE)

    def run_through(self) -> None:
        """Do all runs; a killed one is followed by the next."""
        for _ in range(RUNS):
            with suppress(Crash):
                self.run()

    def assert_true(self) -> None:
        """Assert that the stored history is that of the whole feed, and never went back."""
        history = histories.empty("all")
        for _, content in sorted(self.world.results.manifests.items()):
            history = histories.taken(history, manifests.decode(content), content)
        assert self.derived.read(HISTORY).content == histories.encode(history)
        assert self.derived.through == sorted(self.derived.through)


def effects() -> int:
    """Return how many side effects there are on what is derived."""
    scan = Scan()
    scan.run_through()
    assert len(scan.derived.through) == RUNS
    return len(scan.derived.effects.done)


@pytest.mark.parametrize("how", ENDINGS)
def test_a_kill_at_any_effect_is_made_up_by_the_next_run(how: str) -> None:
    """It dies before the save, or after it with the answer lost."""
    for number in sampled(effects(), every=3):
        scan = Scan(Effects(at=number, how=how))

        scan.run_through()
        scan.run()

        scan.assert_true()


@pytest.mark.parametrize("how", ENDINGS)
def test_of_two_runs_that_take_in_at_once_one_drops_its_work(how: str) -> None:
    """One is suspended at any effect until the other has taken in the same manifests and more."""
    dropped = 0
    for number in range(1, effects() + 1):
        scan = Scan()
        scan.derived.effects = Effects(at=number, how=how, meanwhile=_twice(scan))

        scan.run_through()
        scan.run()

        scan.assert_true()
        dropped += len(scan.derived.dropped)
    assert (dropped > 0) == (how == "before")


@pytest.mark.parametrize("later", [0, 1, 2])
def test_a_save_that_lands_late_never_goes_back(later: int) -> None:
    """The process is gone, and its save lands after none, one or two further runs."""
    for number in sampled(effects(), every=3):
        late: list[Callable[[], object]] = []
        scan = Scan(Effects(at=number, late=late))
        while not late:
            with suppress(Crash):
                scan.run()
        for _ in range(later):
            scan.run()

        for write in late:
            write()
        scan.run()

        scan.assert_true()


def _twice(scan: Scan) -> Callable[[], object]:
    def meanwhile() -> None:
        scan.run()
        scan.run()

    return meanwhile
