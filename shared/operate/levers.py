"""The levers, as commands pull them: read, check, wait for a run to end, and save once."""

import getpass
from collections.abc import Callable
from dataclasses import dataclass

from shared.core.errors import LedgerConflict, LedgerError, LeverRefused
from shared.core.model import Decision, Ledger, Policy
from shared.core.quoting import instant, quoted
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state.decisions import CHANGES_SCOPE, Order
from shared.operate.pausing import Display
from shared.ports import Clock, LedgerStore, ResultStore, SavedLedger
from shared.scan.claiming import require_chain
from shared.scan.run_clock import RunClock

POLL_MS = 2_000
"""How often a command that waits looks whether the run has ended."""

ATTEMPTS = 50
"""Saves that may be refused: a run that is taken over saves about once a second."""

REASON_MOST = 500
"""Characters of a reason: the ledger keeps 50 of them."""

Lever = Callable[[Ledger, Order], Ledger]
"""Returns the ledger changed, or refuses with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan whose levers may be pulled.

    Attributes:
        policy: how it is done, by the settings of whoever pulls.
        ledgers: where its ledger is.
        results: where its manifests are.
        clock: time.
    """

    policy: Policy
    ledgers: LedgerStore
    results: ResultStore
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Read:
    """The ledger as a command has read it."""

    stored: SavedLedger
    ledger: Ledger
    now: int


def who() -> str:
    """Return the name of the user of this machine, as the record of decisions keeps it."""
    try:
        return quoted(getpass.getuser())
    except (KeyError, OSError):  # Some containers have no entry for their user.
        return "unknown"


def propose(scan: Scan, lever: Lever, *, by: str, reason: str) -> Decision:
    """Return what a lever would decide now; nothing is changed.

    Raises:
        LeverRefused: it makes no sense now.
        LedgerError: the ledger cannot be used, or does not fit the chain.
        StoreUnavailable: storage cannot be reached or refuses.
    """
    return _decided(_read(scan), lever, by=by, reason=reason).decisions[-1]


def pull(  # noqa: PLR0913 - who pulls what, and how
    scan: Scan, lever: Lever, display: Display, *, by: str, reason: str, take_over: bool
) -> Decision:
    """Pull a lever with one conditional save, and return what was decided.

    While a run holds the scan, it waits for the run to end, or takes the scan over: then the next
    save of the run is refused, and the run ends as `superseded`.

    Raises:
        LeverRefused: it makes no sense in the state in which the run left the scan.
        LedgerConflict: other runs saved the ledger first, time and again.
        LedgerError: the ledger cannot be used, or does not fit the chain.
        StoreUnavailable: storage cannot be reached or refuses; the save may have happened.
    """
    for _ in range(ATTEMPTS):
        read = _read(scan) if take_over else _read_free(scan, display)
        after = levers.taken(_decided(read, lever, by=by, reason=reason))
        try:
            scan.ledgers.save(ledgers.encode(after), etag=read.stored.etag)
        except LedgerConflict:
            continue
        return after.decisions[-1]
    raise LedgerConflict(
        f"other runs saved the ledger first, {ATTEMPTS} times: nothing was changed, try again"
    )


def outlook(decision: Decision) -> str:
    """Say when a decision shows."""
    if decision.kind in CHANGES_SCOPE:
        return "the next run commits it to the chain of manifests, and reports it"
    return "it takes effect with the next run, which reports it"


def _decided(read: _Read, lever: Lever, *, by: str, reason: str) -> Ledger:
    return lever(read.ledger, Order(at=read.now, by=by, reason=quoted(reason, REASON_MOST)))


def _read_free(scan: Scan, display: Display) -> _Read:
    """Return the ledger once no run holds it."""
    read = _read(scan)
    if ledgers.is_held(read.ledger, read.now, scan.policy):
        until = instant(read.ledger.claimed_until)
        display.progress(f"a run is at work, until {until} at the latest: waiting for its end")
    while ledgers.is_held(read.ledger, read.now, scan.policy):
        left = (read.ledger.claimed_until - read.now) // 1000
        display.tick(f"a run is at work: waiting for its end, for at most {left} s")
        scan.clock.sleep(POLL_MS)
        read = _read(scan)
    return read


def _read(scan: Scan) -> _Read:
    """Return the ledger, checked against the chain."""
    stored = scan.ledgers.load()
    if stored.content is None:
        raise LeverRefused(f"scan {scan.policy.scan!r} has not run yet: there is nothing to change")
    ledger = ledgers.decode(stored.content)
    try:
        require_chain(scan.results, ledger)
    except LedgerError:
        if scan.ledgers.load().etag == stored.etag:
            raise
        return _read(scan)  # A run saved it meanwhile: what was read is stale.
    return _Read(stored, ledger, RunClock(scan.clock, stored.date).now())
