"""`doctor`: examine settings, sign-in, storage, clocks and the live API from a command line."""

from collections.abc import Callable, Iterator

from shared import __version__
from shared.core.audit.doctor.concluding import Accepted, check_local_clock, concluded
from shared.core.audit.doctor.looking import Asked
from shared.core.audit.doctor.probing import REQUESTS_MOST, Probing
from shared.core.audit.doctor.reports import Check, Examination, Finding
from shared.core.errors import ScanError
from shared.core.model import HOUR_MS, MINUTE_MS, Ledger, Pacing
from shared.core.quoting import quoted
from shared.core.state import ledger as ledgers
from shared.core.state import pacing
from shared.operate.pausing import Display, counted, pause
from shared.ports import LedgerStore
from shared.scan.doctor import Patient, probe, sign_in_check, storage_checks
from shared.scan.run_clock import RunClock

TENANT_PER_MINUTE = 30
"""Requests that the API allows a tenant in a minute, as documented."""

LIVE_MS = HOUR_MS
"""A scan is live if it has run or sent a request so recently; its next run may begin any minute."""

PATIENCE_MS = 10 * MINUTE_MS
"""The longest wait for one request: a throttle that lasts longer ends the examination."""

MARKS = {"passed": "ok", "failed": "FAILED", "could not tell": "?"}
SIGNS = {"as assumed": "=", "differs": "!", "could not tell": "?"}


def examine(patient: Patient, display: Display, accepted: Accepted) -> tuple[Examination, Probing]:
    """Return what was found, and what was asked and seen for it.

    Args:
        patient: what is examined.
        display: where progress is shown.
        accepted: keeps those of some proposed settings that the program accepts.
    """
    display.progress("signing in")
    checks = [Check(name="settings", result="passed", reason="all of them are valid")]
    checks.append(sign_in_check(patient.authorization))
    display.progress("trying the storage")
    checks += storage_checks(patient.storage)
    date = _storage_date(patient.ledgers[0])
    clock = RunClock(patient.clock, date)
    checks.append(check_local_clock(clock.skew, is_known=date is not None))
    probing = probe(
        patient.source,
        patient.clock,
        patient.policy,
        BesideScan(patient, clock, display),
        now=clock.now(),
        show=_shown_by(display),
    )
    found = concluded(probing, checks, label="", program=__version__, accepted=accepted)
    return found, probing


def _storage_date(store: LedgerStore) -> int | None:
    try:
        return store.load().date
    except ScanError:
        return None


def _shown_by(display: Display) -> Callable[[Asked, Probing], None]:
    def show(asked: Asked, probing: Probing) -> None:
        number = len(probing.seen) + 1
        display.progress(f"asking the API ({number} of at most {REQUESTS_MOST}): {asked.question}")

    return show


class BesideScan:
    """The pace of an examination beside a scan that may run: it uses what the scan leaves.

    It reads the scans' ledgers and never writes them. While one of them is live, so many requests
    are sent in a minute as the scans leave of the tenant's 30, at least one. Otherwise it is as
    many as the scans themselves may send.
    """

    def __init__(self, patient: Patient, clock: RunClock, display: Display) -> None:
        """Begin without having sent anything."""
        self._patient = patient
        self._clock = clock
        self._display = display
        self._own = Pacing()

    def is_ready(self) -> bool:
        """Wait, and count the request; False if a throttle lasts too long."""
        now = self._clock.now()
        known = list(self._known_ledgers())
        live = any(_is_live(it, now) for it in known)
        per_minute = self._patient.per_minute
        share = max(1, TENANT_PER_MINUTE - per_minute) if live else per_minute
        ends = [pacing.throttled_until(it.pacing, now) for it in known]
        wait = max([pacing.next_allowed(self._own, now, share), *ends]) - now
        if wait > PATIENCE_MS:
            return False
        why = f"{share} requests a minute are left beside the scan" if live else "keeping the pace"
        pause(self._patient.clock, self._display, wait, why)
        self._own = pacing.note_request(self._own, self._clock.now())
        return True

    def note_throttle(self, wait: int) -> None:
        """Wait as the API asks; the scan finds out by itself."""
        self._own = pacing.note_throttle(self._own, self._clock.now(), wait)

    def _known_ledgers(self) -> Iterator[Ledger]:
        """Yield the ledgers that can be read; the checks of storage say why one cannot."""
        for store in self._patient.ledgers:
            try:
                content = store.load().content
                if content is not None:
                    yield ledgers.decode(content)
            except ScanError:
                continue


def _is_live(ledger: Ledger, now: int) -> bool:
    newest = max((*ledger.pacing.sent_at, *ledger.pacing.starts, ledger.claimed_until), default=0)
    return newest > now - LIVE_MS


def lines_of(found: Examination) -> Iterator[str]:
    """Yield a result as lines of text: checks, measurements, settings to paste."""
    failed = sum(it.result == "failed" for it in found.checks)
    differs = sum(it.result == "differs" for it in found.findings)
    checks = counted(failed, "check failed", "checks failed")
    yield f"{found.scan}: {checks}, {counted(differs, 'fact differs', 'facts differ')}"
    yield ""
    yield from (_check(it) for it in found.checks)
    yield ""
    yield "Measured, and in brackets what the program assumes (= agrees, ! differs, ? not known):"
    yield ""
    for finding in sorted(found.findings, key=lambda it: it.result == "as assumed"):
        yield from _finding(finding)
    yield ""
    if not found.settings:
        yield "The present settings suit what was measured."
        return
    yield "Settings that suit what was measured better:"
    yield ""
    yield from (f"{name}={value}" for name, value in found.settings.items())


def _check(check: Check) -> str:
    return f"{MARKS[check.result]:>6}  {check.name}: {quoted(check.reason, 400)}"


def _finding(finding: Finding) -> Iterator[str]:
    yield f"  {SIGNS[finding.result]} {finding.fact}: {finding.measured} [{finding.assumed}]"
    if finding.result != "as assumed":
        yield f"      {finding.meaning}"
