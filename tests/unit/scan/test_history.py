"""Taking in what a run has put itself: no manifest is read that the run already has."""

from harness.at_once import workers
from shared.core.audit import history as histories
from shared.core.state import ledger as ledgers
from shared.core.state.report import Tally
from shared.drawing import draw
from shared.ports import Ports
from shared.scan.history import take_in
from shared.scan.reporting import Job, run_and_report
from tests.fakes import HOUR, NOW, InMemoryDerived, InMemoryResults, policy
from tests.world import World


class Counting(InMemoryResults):
    """A store that remembers which manifests were read."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def manifest(self, number: int) -> bytes | None:
        """Return a manifest."""
        self.asked.append(number)
        return super().manifest(number)


def test_a_run_reads_none_of_the_manifests_that_it_has_put() -> None:
    """Only the check of the chain reads any: the head's, and the one that must not exist."""
    world = World([NOW - HOUR + 60_000 * n for n in range(40)])
    results, derived = Counting(), InMemoryDerived()
    ports = Ports(source=world.api, ledgers=world.ledgers, results=results, clock=world.clock)
    job = Job(
        policy=policy(lookback=HOUR),
        ports=ports,
        derived=derived,
        draw=draw,
        tally=Tally(scan="all", run="r"),
        prepare=lambda: None,
        workers=workers,
    )

    run_and_report(job)

    assert results.asked == [1]
    assert derived.read("scan=all/history.json").manifest == len(results.manifests) > 1


def test_what_an_earlier_run_has_put_is_read() -> None:
    """A run that was killed before it took anything in leaves it to the next."""
    world = World([NOW - HOUR + 60_000 * n for n in range(40)])
    world.run(policy(lookback=HOUR))
    ledger = ledgers.decode(world.ledgers.content or b"")
    newest = max(world.results.manifests)
    known = {newest: world.results.manifests[newest]}

    history = take_in(ledger, world.results, InMemoryDerived(), world.clock, known=known)

    assert history.through == newest
    assert histories.fits(history, ledger)
