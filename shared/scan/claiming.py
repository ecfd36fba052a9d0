"""The claim: read the ledger, check it against the chain, and save it as this run's own.

The claim saves requests. Safety rests on the ETag and the epoch alone (docs/architecture.md).
"""

import msgspec

from shared import __version__
from shared.core.clocks import noticeably_apart
from shared.core.errors import (
    LedgerConflict,
    LedgerError,
    LedgerMissing,
    StoreError,
)
from shared.core.model import Ledger, Policy
from shared.core.slices.facts import believed
from shared.core.state import ledger as ledgers
from shared.core.state.report import Tally
from shared.ports import Ports, ResultStore, SavedLedger
from shared.scan.ledger_writer import LedgerWriter
from shared.scan.run import Run
from shared.scan.run_clock import RunClock


def claim(ports: Ports, policy: Policy, tally: Tally) -> Run | None:
    """Claim the ledger and begin a run; None when another run holds it or claims it first.

    Raises:
        LedgerError: the ledger is missing or damaged, or does not fit the chain.
        StoreUnavailable: storage cannot be reached or refuses.
    """
    started = ports.clock.elapsed()
    saved = ports.ledgers.load()
    clock = RunClock(ports.clock, saved.date)
    now = clock.now()
    if noticeably_apart(clock.skew):
        tally.skew = clock.skew
        tally.warnings.append(
            "the local clock and the storage service's differ: see docs/runbook.md#clocks-differ"
        )
    try:
        ledger = _read(ports, saved, now, policy, tally)
        tally.ledger, tally.now = ledger, now
        if ledgers.is_held(ledger, now, policy):
            return None
        claimed = ledgers.claim(ledger, run=tally.run, now=now, policy=policy)
        facts = believed(claimed.api_facts, now=now, program=__version__)
        claimed = msgspec.structs.replace(claimed, api_facts=facts)
        require_chain(ports.results, ledger)
    except LedgerError:
        if ports.ledgers.load().etag != saved.etag:
            return None  # Another run saved it while this one looked: what was read is stale.
        raise
    _warn(ledger, policy, tally)
    writer = LedgerWriter(ports.ledgers, tally, ledger, saved.etag)
    try:
        writer.save(claimed)
    except LedgerConflict:
        return None
    return Run(ports=ports, policy=policy, tally=tally, clock=clock, started=started, writer=writer)


def is_superseded(run: Run, error: Exception) -> bool:
    """Say whether an error only shows that the ledger is another run's by now.

    A refused save shows it. A part or a manifest that exists with other content, blocks that are
    gone, or a refused overwrite may also be the work of whoever took over.
    """
    if isinstance(error, LedgerConflict):
        return True
    if not isinstance(error, StoreError):
        return False
    try:
        stored = run.ports.ledgers.load().content
        return stored is not None and ledgers.decode(stored).epoch != run.ledger.epoch
    except (StoreError, LedgerError):  # The error that ended the run says more.
        return False


def _read(ports: Ports, saved: SavedLedger, now: int, policy: Policy, tally: Tally) -> Ledger:
    if saved.content is not None:
        ledger = ledgers.decode(saved.content)
        unknown = ledgers.dropped(saved.content)
        if unknown:
            tally.warnings.append(
                f"a newer program wrote the ledger; this one dropped {', '.join(unknown)} from it"
            )
        return ledger
    if ports.results.is_empty():
        return ledgers.begin(policy, now)
    raise LedgerMissing(
        f"scan {policy.scan!r} has manifests or parts and no ledger: restore the ledger from the "
        "state container's deleted blobs or versions, or rebuild it with `python -m shared "
        "ledger rebuild`. To start again from nothing, give the scan a new SCAN_NAME"
    )


def require_chain(results: ResultStore, ledger: Ledger) -> None:
    """Check that a ledger is the newest of its chain of manifests.

    Raises:
        LedgerRolledBack: the chain is longer than the ledger says, or lacks its head.
    """
    check = ledgers.chain_check(ledger)
    content = results.manifest(check.head.number) if check.head else None
    beyond = results.manifest(check.absent) is not None
    ledgers.require_head(check, content, beyond)


def _warn(ledger: Ledger, policy: Policy, tally: Tally) -> None:
    if ledger.lookback != policy.lookback:
        tally.warnings.append(
            "SCAN_LOOKBACK has changed: it counts only on a scan's first run, and is ignored now"
        )
    if ledger.api != policy.api:
        tally.warnings.append(f"MDA_API_URL has changed from {ledger.api} to {policy.api}")
