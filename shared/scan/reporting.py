"""One report line for each run, whatever happens. Nothing is raised from here."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from shared.core.audit.attention import WrongList, attention_to, reported_as
from shared.core.audit.history import History
from shared.core.audit.quiet import Quiet, quiet_of
from shared.core.audit.status import Status
from shared.core.errors import ScanError, StoreError
from shared.core.model import Policy
from shared.core.state import ledger as ledgers
from shared.core.state.decisions import reported, unreported
from shared.core.state.report import Outcome, Tally, encode, report_fields
from shared.ports import DerivedStore, Ports
from shared.scan import scan_once
from shared.scan.history import take_in
from shared.scan.host_claim import Held, SharedHost
from shared.scan.publishing import publish, seen

logger = logging.getLogger("activity_scan")
"""Everything that the program logs. One line per scan and run is the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How one run of one scan ended.

    Attributes:
        scan: the scan's name.
        outcome: why the run ended.
        line: its report line, as logged.
        error: the error that ended it; None if none did.
    """

    scan: str
    outcome: Outcome
    line: str
    error: Exception | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run that is to be done.

    Attributes:
        policy: how the scan is done.
        ports: what the scan needs from outside.
        derived: where history and status are kept.
        draw: returns the status page, as HTML, of a scan.
        tally: names scan and run, and is filled by the run.
        prepare: called before the run; an error of it fails the run.
        wrong_list: what is wrong with the list of scans, if this scan reports it.
        host: the API host, if other scans ask it, too; None otherwise.
        workers: makes the executor that runs the steps, as `scan_once` calls it.
    """

    policy: Policy
    ports: Ports
    derived: DerivedStore
    draw: Callable[[Status], bytes]
    tally: Tally
    prepare: Callable[[], None]
    wrong_list: WrongList | None = None
    host: SharedHost | None = None
    workers: Callable[[int], Executor] = ThreadPoolExecutor


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How a run ended, and what else goes into its report line."""

    outcome: Outcome
    duration: int
    error: Exception | None
    past_due: bool
    quiet: Quiet | None = None
    wrong_list: WrongList | None = None


def run_and_report(job: Job, *, past_due: bool = False) -> RunResult:
    """Do one run of a scan, and report it with one line in the log and one in the run log."""
    clock = job.ports.clock
    started = clock.elapsed()
    outcome, error = _attempt(job)
    duration = clock.elapsed() - started
    job.tally.ended = clock.now()
    history, quiet = _remember(job)
    ending = _Ending(
        outcome=outcome,
        duration=duration,
        error=error,
        past_due=past_due,
        quiet=quiet,
        wrong_list=job.wrong_list,
    )
    result = _report(job.tally, job.policy, ending)
    if not isinstance(error, StoreError):
        _keep(job, result.line)
        _note_reported(job)
        _show(job, history)
    return result


def report_unclaimed(job: Job, why: Held | Exception, *, past_due: bool = False) -> RunResult:
    """Report a run that was not begun, because its API host could not be claimed.

    Args:
        job: the run.
        why: whose the claim is, or what went wrong with storage.
        past_due: whether the platform started the run late.
    """
    error = why if isinstance(why, Exception) else None
    if isinstance(why, Held):
        job.tally.warnings.append(why.warning)
    job.tally.ended = job.ports.clock.now()
    ending = _Ending(
        outcome="failed" if error else "busy",
        duration=0,
        error=error,
        past_due=past_due,
        wrong_list=job.wrong_list,
    )
    result = _report(job.tally, job.policy, ending)
    if not isinstance(error, StoreError):
        _keep(job, result.line)
    return result


def report_unbuilt(
    run: str, error: Exception, *, scan: str = "", past_due: bool = False
) -> RunResult:
    """Report with one log line that a scan could not run, because the parts could not be built.

    Args:
        run: random id of the run.
        error: what is wrong.
        scan: the scan's name; "" if the line is about all scans.
        past_due: whether the platform started the run late.
    """
    ending = _Ending(outcome="failed", duration=0, error=error, past_due=past_due)
    return _report(Tally(scan=scan, run=run), None, ending)


def report_expired(scan: str, run: str, warning: str) -> RunResult:
    """Report with one log line that a run was asked for too late and did nothing."""
    ending = _Ending(outcome="expired", duration=0, error=None, past_due=False)
    return _report(Tally(scan=scan, run=run, warnings=[warning]), None, ending)


def _attempt(job: Job) -> tuple[Outcome, Exception | None]:
    try:
        job.prepare()
        return scan_once(job.ports, job.policy, job.tally, workers=job.workers), None
    except Exception as error:  # noqa: BLE001 - the report line and the result have it
        return "failed", error


def _show(job: Job, history: History | None) -> None:
    """Write the status beside the ledger; what goes wrong is worth a warning, not the run."""
    try:
        now = job.ports.clock.now()
        status = seen(
            job.tally.ledger,
            job.derived,
            job.policy,
            now=now,
            history=history,
            wrong_list=job.wrong_list,
        )
        publish(status, job.derived, job.draw, job.ports.clock)
    except Exception as error:  # noqa: BLE001 - the next run writes it again
        logger.warning("the status could not be written: %s", error)


def _remember(job: Job) -> tuple[History | None, Quiet | None]:
    """Take new manifests into the history, and return it with whether it shows a quiet scan.

    If that could not be done, there is neither. What goes wrong is worth a warning, not the run.
    """
    if job.tally.ledger is None:
        return None, None
    try:
        history = take_in(
            job.tally.ledger,
            job.ports.results,
            job.derived,
            job.ports.clock,
            known=job.tally.manifests,
        )
        quiet = quiet_of(history)
    except Exception as error:  # noqa: BLE001 - the next run makes up for it
        logger.warning("the history could not be written: %s", error)
        return None, None
    job.tally.quiet = quiet.hours if quiet else 0
    return history, quiet


def _report(tally: Tally, policy: Policy | None, ending: _Ending) -> RunResult:
    """Log the report line; if it cannot be made, log one that says so."""
    error, outcome = ending.error, ending.outcome
    try:
        line, warns = _line(tally, policy, ending)
    except Exception as broken:  # noqa: BLE001 - the ledger may hold what no report expects
        error, outcome = error or broken, "failed"
        bare = Tally(scan=tally.scan, run=tally.run, warnings=[f"the report failed: {broken!r}"])
        failed = _Ending(outcome=outcome, duration=ending.duration, error=error, past_due=False)
        line, warns = _line(bare, None, failed)
    _log(line, error, warns=warns)
    return RunResult(scan=tally.scan, outcome=outcome, line=line, error=error)


def _line(tally: Tally, policy: Policy | None, ending: _Ending) -> tuple[str, bool]:
    """Return the report line, and whether it has warnings."""
    fields = report_fields(
        tally,
        policy,
        ending.outcome,
        duration=ending.duration,
        error=ending.error,
        past_due=ending.past_due,
        attention=_attention(tally, policy, ending),
    )
    return encode(fields), bool(fields["warnings"])


def _attention(tally: Tally, policy: Policy | None, ending: _Ending) -> list[dict[str, Any]] | None:
    """Return what needs a person; None if the run did not read the ledger."""
    if tally.ledger is None or policy is None:
        return None
    found = attention_to(
        tally.ledger, policy, tally.now, quiet=ending.quiet, wrong_list=ending.wrong_list
    )
    return reported_as(found)


def _log(line: str, error: Exception | None, *, warns: bool) -> None:
    if error is None:
        logger.log(logging.WARNING if warns else logging.INFO, line)
    elif isinstance(error, ScanError):
        logger.error(line)
    else:
        logger.error(line, exc_info=error)


def _note_reported(job: Job) -> None:
    """Note in the ledger that the decisions in it are reported.

    Only the version that this run released is replaced. If the note cannot be made, the next run
    reports the decisions again.
    """
    ledger, etag = job.tally.ledger, job.tally.released
    if ledger is None or etag is None or not unreported(ledger):
        return
    with suppress(StoreError):
        job.ports.ledgers.save(ledgers.encode(reported(ledger)), etag=etag)


def _keep(job: Job, line: str) -> None:
    """Append the report line to the run log; what goes wrong is worth a warning, not the run."""
    try:
        job.ports.ledgers.append_run(line, now=job.ports.clock.now())
    except Exception as error:  # noqa: BLE001 - the line is in the log already
        logger.warning("the run log could not be written: %s", error)
