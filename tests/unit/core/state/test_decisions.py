"""The record of decisions: numbered, bounded, and what of it is still to be reported."""

from shared.core.state.decisions import (
    DECISIONS_KEPT,
    REPORTED_MOST,
    Order,
    decided,
    newest,
    reported,
    unreported,
)
from tests.fakes import NOW
from tests.unit.core.state.building import new_ledger

ORDER = Order(at=NOW, by="kim", reason="because")


def test_a_decision_says_who_when_why_and_what() -> None:
    """It gets the next number."""
    ledger = decided(decided(new_ledger(), "pause", ORDER, "first"), "resume", ORDER, "second")

    assert [(it.number, it.kind, it.what) for it in ledger.decisions] == [
        (1, "pause", "first"),
        (2, "resume", "second"),
    ]
    assert {(it.at, it.by, it.reason) for it in ledger.decisions} == {(NOW, "kim", "because")}


def test_only_a_decision_that_changes_what_is_scanned_is_outstanding() -> None:
    """The others are done as soon as they are saved."""
    ledger = decided(new_ledger(), "retry", ORDER, "at once")

    after = decided(ledger, "backfill", ORDER, "earlier", bounds=(1, 2))

    assert ledger.outstanding == ()
    assert after.outstanding == after.decisions[-1:]
    assert after.outstanding[0].bounds == (1, 2)


def test_the_last_decisions_are_kept_and_their_numbers_grow() -> None:
    """The ledger stays small."""
    ledger = new_ledger()
    for _ in range(DECISIONS_KEPT + 5):
        ledger = decided(ledger, "retry", ORDER, "at once")

    assert len(ledger.decisions) == DECISIONS_KEPT
    assert (ledger.decisions[0].number, newest(ledger)) == (6, DECISIONS_KEPT + 5)


def test_a_decision_is_unreported_until_a_report_has_stated_it() -> None:
    """Later ones are unreported again."""
    assert newest(new_ledger()) == 0
    ledger = decided(new_ledger(), "pause", ORDER, "first")
    assert unreported(ledger) == ledger.decisions

    after = decided(reported(ledger), "resume", ORDER, "second")

    assert unreported(reported(ledger)) == ()
    assert [it.what for it in unreported(after)] == ["second"]


def test_a_report_states_ten_decisions_and_leaves_the_others_to_the_next() -> None:
    """So many fit into a line, whatever else it says."""
    ledger = new_ledger()
    for _ in range(REPORTED_MOST + 2):
        ledger = decided(ledger, "retry", ORDER, "at once")

    assert [it.number for it in unreported(ledger)] == list(range(1, 11))
    assert [it.number for it in unreported(reported(ledger))] == [11, 12]
