"""The ledgers that are measured are what their names say."""

from bench.inside import NOW, cases, usual_policy
from shared.core.model import FIRST_PASS
from shared.core.state import ledger as ledgers
from shared.core.state.lanes import choose

POLICY = usual_policy()


def test_every_ledger_that_is_measured_can_be_read_and_planned() -> None:
    """Otherwise the measurement would fail after half an hour."""
    for ledger in cases(POLICY).values():
        again = ledgers.decode(ledgers.encode(ledger))

        assert again == ledger
        choose(again, NOW, POLICY)


def test_a_ledger_has_as_many_holes_and_open_slices_as_its_name_says() -> None:
    """Each stretch of its coverage ends before the next one begins."""
    ledger = cases(POLICY)["1,000 holes, 1 open slices"]

    assert len(ledger.coverage[FIRST_PASS]) == 1_000
    assert len(ledger.open) == 1
