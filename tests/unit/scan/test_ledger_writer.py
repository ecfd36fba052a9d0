"""One object writes the ledger, and knows what is stored."""

import msgspec
import pytest

from shared.core.errors import LedgerConflict
from shared.core.state import ledger as ledgers
from shared.core.state.report import Tally
from shared.scan.ledger_writer import LedgerWriter
from tests.fakes import NOW, InMemoryLedger, policy

HOW = policy()


def writer(store: InMemoryLedger, tally: Tally) -> LedgerWriter:
    """Return the writer of a ledger that was claimed and saved."""
    begun = ledgers.begin(HOW, NOW)
    made = LedgerWriter(store, tally, begun, None)
    made.save(ledgers.claim(begun, run="r", now=NOW, policy=HOW))
    return made


def test_a_change_is_stored_by_the_next_save() -> None:
    """Until then the report line shows the ledger as it is stored."""
    store, tally = InMemoryLedger(), Tally(scan="all", run="r")
    made = writer(store, tally)
    changed = msgspec.structs.replace(made.current, pages=7)

    made.change(changed)
    assert tally.ledger is not None
    assert tally.ledger.pages == 0

    made.save(made.current)
    assert tally.ledger == changed
    assert ledgers.decode(store.load().content or b"") == changed


def test_an_error_releases_the_claim_with_every_change() -> None:
    """The requests that were sent count, although the run failed."""
    store = InMemoryLedger()
    made = writer(store, Tally(scan="all", run="r"))
    made.change(msgspec.structs.replace(made.current, pages=7))

    made.release_after_an_error()

    stored = ledgers.decode(store.load().content or b"")
    assert stored.pages == 7
    assert not ledgers.is_held(stored, NOW, HOW)


def test_nothing_is_released_after_a_save_that_failed() -> None:
    """The ledger may belong to another run."""
    store = InMemoryLedger()
    made = writer(store, Tally(scan="all", run="r"))
    taken_over = ledgers.encode(msgspec.structs.replace(made.current, pages=9))
    store.save(taken_over, etag=made.etag)
    with pytest.raises(LedgerConflict):
        made.save(msgspec.structs.replace(made.current, pages=7))

    made.release_after_an_error()

    assert store.load().content == taken_over
