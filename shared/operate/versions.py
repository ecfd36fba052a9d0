"""`ledger history` and `ledger restore`: the versions of the ledger that the account keeps."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import msgspec

from shared.core.errors import LedgerConflict, LedgerError, LedgerRolledBack, LeverRefused
from shared.core.model import Decision, Ledger
from shared.core.quoting import instant, quoted
from shared.core.state import ledger as ledgers
from shared.core.state.decisions import Order
from shared.core.state.restoring import restored
from shared.operate.levers import ATTEMPTS, POLL_MS, REASON_MOST, Scan
from shared.operate.pausing import Display
from shared.operate.reading import read_ahead
from shared.ports import LedgerVersion, ResultStore, SavedLedger, StateArchive
from shared.scan.run_clock import RunClock

SOUGHT_MOST = 500
"""Versions in which one that fits is looked for: some hours of runs."""

REBUILD = "rebuild the ledger from the manifests with `python -m shared ledger rebuild`"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version of the ledger, and whether it may be put back.

    Attributes:
        version: the storage service's id of it.
        saved: when it was saved.
        size: in bytes.
        current: whether it is the ledger as it is now.
        epoch: number of claims until then; null if it cannot be read.
        manifest: number of the chain's last manifest, as it knew it; null if it cannot be read.
        fits: whether the chain ends where it says.
        why: why it does not fit; empty if it does.
    """

    version: str
    saved: int
    size: int
    current: bool
    epoch: int | None
    manifest: int | None
    fits: bool
    why: str


@dataclass(frozen=True, slots=True)
class _Judged:
    """A version with its ledger, None where it cannot be read, and the highest epoch so far."""

    version: Version
    ledger: Ledger | None
    epoch: int = 0


def read_versions(state: StateArchive, results: ResultStore, most: int) -> list[Version]:
    """Return the newest versions of the ledger, the newest first.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    return [it.version for it in _judged(state, results, most)]


def _judged(state: StateArchive, results: ResultStore, most: int) -> Iterator[_Judged]:
    chain, epoch = _Chain(results), 0
    for listed, content in read_ahead(state.versions()[:most], lambda it: state.version(it.id)):
        judged = _judge(listed, content, chain)
        epoch = max(epoch, judged.version.epoch or 0)
        yield replace(judged, epoch=epoch)


def _judge(listed: LedgerVersion, content: bytes | None, chain: "_Chain") -> _Judged:
    ledger, why = None, "it is gone: a rule of the account has deleted it"
    if content is not None:
        try:
            ledger, why = ledgers.decode(content), ""
        except LedgerError as error:
            why = quoted(str(error))
    version = Version(
        version=listed.id,
        saved=listed.saved,
        size=listed.size,
        current=listed.is_current,
        epoch=ledger.epoch if ledger else None,
        manifest=ledger.head.number if ledger else None,
        fits=ledger is not None and not (why := chain.misfit(ledger)),
        why=why,
    )
    return _Judged(version, ledger)


class _Chain:
    """The chain of manifests, of which each is read once; versions are shown the newest first."""

    def __init__(self, results: ResultStore) -> None:
        self._results = results
        self._read: dict[int, bytes | None] = {}
        self._begun: set[int] = set()

    def misfit(self, ledger: Ledger) -> str:
        """Return why a ledger does not fit; empty if it does."""
        check = ledgers.chain_check(ledger)
        head = self._manifest(check.head.number) if check.head else None
        try:
            ledgers.require_head(check, head, self._manifest(check.absent) is not None)
        except LedgerRolledBack as error:
            return quoted(str(error).partition(":")[0])
        commit = ledger.committing
        if commit and self._manifest(commit.number) not in {None, commit.manifest.encode()}:
            return f"manifest {commit.number} differs from the one that it was about to write"
        if check.absent in self._begun:
            return f"a later version was about to commit manifest {check.absent}"
        if commit:
            self._begun.add(commit.number)
        return ""

    def _manifest(self, number: int) -> bytes | None:
        if number not in self._read:
            self._read[number] = self._results.manifest(number)
        return self._read[number]


def choose(state: StateArchive, results: ResultStore, version: str | None) -> Version:
    """Return the version to put back: the one that is named, or else the newest that fits.

    Raises:
        LeverRefused: it does not exist, does not fit or is the ledger as it is; or none fits.
        StoreUnavailable: storage cannot be reached or refuses.
    """
    return _choose(state, results, version).version


def _choose(state: StateArchive, results: ResultStore, version: str | None) -> _Judged:
    looked = 0
    for it in _judged(state, results, SOUGHT_MOST):
        looked += 1
        if version is None and it.version.fits and not it.version.current:
            return it
        if version is not None and it.version.version == version:
            _require_use(it.version)
            return it
    if version is not None:
        raise LeverRefused(
            f"there is no version {version!r} among the newest {looked}: `ledger history` has them"
        )
    kept = f"none of the {looked} newest earlier versions of the ledger fits the chain"
    raise LeverRefused(
        f"{kept if looked else 'the account keeps no versions of the ledger'}: {REBUILD}"
    )


def _require_use(version: Version) -> None:
    if version.current:
        raise LeverRefused(f"version {version.version} is the ledger as it is now")
    if not version.fits:
        raise LeverRefused(
            f"version {version.version} does not fit the chain ({version.why}): choose one that "
            f"fits, or {REBUILD}"
        )


def restore(  # noqa: PLR0913 - who puts what back, and how
    scan: Scan,
    state: StateArchive,
    version: str,
    display: Display,
    *,
    by: str,
    reason: str,
    take_over: bool,
) -> Decision:
    """Put a version of the ledger back with one conditional save, and return the decision.

    While a run holds the scan, it waits for the run to end, or takes the scan over. Then it looks
    again whether the version fits.

    Raises:
        LeverRefused: the version is gone, or does not fit any more.
        LedgerConflict: other runs saved the ledger first, time and again.
        StoreUnavailable: storage cannot be reached or refuses; the save may have happened.
    """
    for _ in range(ATTEMPTS):
        stored = scan.ledgers.load()
        if not take_over:
            stored = _once_free(scan, stored, display)
        chosen = _choose(state, scan.results, version)
        if chosen.ledger is None:  # It fits, so it was read.
            raise LeverRefused(chosen.version.why)
        now = RunClock(scan.clock, stored.date).now()
        order = Order(at=now, by=by, reason=quoted(reason, REASON_MOST))
        after = restored(
            chosen.ledger,
            _readable(stored),
            order,
            saved=chosen.version.saved,
            epoch=chosen.epoch,
        )
        try:
            scan.ledgers.save(ledgers.encode(after), etag=stored.etag)
        except LedgerConflict:
            continue
        return after.decisions[-1]
    raise LedgerConflict(
        f"other runs saved the ledger first, {ATTEMPTS} times: nothing was changed, try again"
    )


def _once_free(scan: Scan, stored: SavedLedger, display: Display) -> SavedLedger:
    """Return the ledger once no run holds it; a ledger that cannot be read holds no claim."""
    waits = False
    while (ledger := _readable(stored)) and ledgers.is_held(
        ledger, RunClock(scan.clock, stored.date).now(), scan.policy
    ):
        told = f"a run is at work, until {instant(ledger.claimed_until)} at the latest: waiting"
        (display.tick if waits else display.progress)(told)
        waits = True
        scan.clock.sleep(POLL_MS)
        stored = scan.ledgers.load()
    return stored


def _readable(stored: SavedLedger) -> Ledger | None:
    if stored.content is not None:
        with suppress(LedgerError):
            return ledgers.decode(stored.content)
    return None


def lines_of(versions: list[Version]) -> Iterator[str]:
    """Yield the versions as lines of text."""
    if not versions:
        yield f"the account keeps no versions of the ledger. If it is lost, {REBUILD}"
    for it in versions:
        fits = "fits" if it.fits else f"does not fit: {it.why}"
        if it.current:
            fits = f"the ledger as it is, {fits}"
        told = "" if it.epoch is None else f"epoch {it.epoch}, manifest {it.manifest}, "
        yield f"{instant(it.saved)}  {it.version}  {told}{it.size:,} bytes: {fits}"
