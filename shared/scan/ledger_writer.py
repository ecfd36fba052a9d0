"""The ledger of a claimed scan, and the only object that writes it."""

from contextlib import suppress

from shared.core.errors import StoreError
from shared.core.model import Ledger
from shared.core.state import ledger as ledgers
from shared.core.state.report import Tally
from shared.ports import LedgerStore


class LedgerWriter:
    """Holds the ledger and its ETag. Only the thread of the use case uses it.

    What is stored is `tally.ledger`, so that a failed run reports it, too.

    Attributes:
        current: the ledger with every change so far; the next save stores it.
        etag: of the stored ledger; None before it exists.
    """

    def __init__(self, store: LedgerStore, tally: Tally, ledger: Ledger, etag: str | None) -> None:
        """Begin with the ledger as it was read."""
        self.current = ledger
        self.etag = etag
        self._store = store
        self._tally = tally
        self._is_known = True

    def change(self, ledger: Ledger) -> None:
        """Make this the current ledger without saving it yet."""
        self.current = ledger

    def save(self, ledger: Ledger) -> None:
        """Make this the current ledger, and save it on top of the stored one.

        Raises:
            LedgerConflict: another run has saved it meanwhile.
            StoreUnavailable: storage cannot be reached or refuses; the save may have happened.
        """
        content = ledgers.encode(ledger)
        self._is_known = False
        self.etag = self._store.save(content, etag=self.etag)
        self._is_known = True
        self.current = self._tally.ledger = ledger

    def release(self) -> None:
        """Release the claim, so that the next run may begin at once."""
        self.save(ledgers.release(self.current))
        self._tally.released = self.etag

    def release_after_an_error(self) -> None:
        """Release the claim, unless a save failed.

        A failed save may have happened all the same, or the ledger may belong to another run.
        """
        if not self._is_known:
            return
        with suppress(StoreError):  # The error that ended the run matters more.
            self.release()
