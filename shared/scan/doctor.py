"""Doctor at work: questions go to the API, answers come back, and storage is tried.

The machine in `core/audit/doctor` decides what to ask. Here is what sends it, at a pace that its
caller chooses, and the one examination that `SCAN_DOCTOR` asks the deployed app for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from shared import __version__
from shared.core.audit.doctor import reports
from shared.core.audit.doctor.concluding import Accepted, check_local_clock, concluded
from shared.core.audit.doctor.looking import Asked, Seen, look, turned_away
from shared.core.audit.doctor.probing import Probing, noted
from shared.core.audit.doctor.questions import next_question
from shared.core.audit.doctor.reports import Check, Examination
from shared.core.audit.doctor.roles import NAME, check_roles
from shared.core.audit.doctor.words import Facts
from shared.core.errors import SourceRefused
from shared.core.model import SECOND_MS, Policy
from shared.core.state import pacing
from shared.core.state.layout import doctor_name
from shared.core.state.report import Tally
from shared.ports import (
    ActivitySource,
    Authorization,
    Clock,
    LedgerStore,
    SignInUnavailable,
    StorageTrials,
)
from shared.scan.claiming import claim
from shared.scan.reporting import Job, logger
from shared.scan.run import Run
from shared.scan.run_clock import RunClock

TIMEOUT_SECONDS = 60.0
"""For one answer. A page that takes longer than this is too slow for the scan, too."""

EXCHANGE_MS = 20 * SECOND_MS
"""So much time must be left for one more request and its answer."""

BUDGET_SHARE = 2
"""An examination of the deployed app takes at most this part (1/2) of one run's time budget."""

BUDGET_LEAST_MS = 5_000
"""What is left of the time budget for each scan's run at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What is examined on a command line.

    Attributes:
        policy: the scan whose settings are judged.
        source: the API.
        authorization: how to sign in to it.
        storage: tries the containers.
        ledgers: of this scan and of all others that ask the same API host, whose requests count
            together.
        per_minute: requests that these scans may send in a minute.
        clock: time.
    """

    policy: Policy
    source: ActivitySource
    authorization: Authorization
    storage: StorageTrials
    ledgers: tuple[LedgerStore, ...]
    per_minute: int
    clock: Clock


class Pace(Protocol):
    """Decides when the next request may be sent."""

    def is_ready(self) -> bool:
        """Wait until a request may be sent, and count it; return False if none may be in time."""
        ...

    def note_throttle(self, wait: int) -> None:
        """Send nothing for so many ms: the API has throttled this tenant."""
        ...


def probe(  # noqa: PLR0913 - whoever asks, what is asked, and who may watch
    source: ActivitySource,
    clock: Clock,
    policy: Policy,
    pace: Pace,
    *,
    now: int,
    show: Callable[[Asked, Probing], None] = lambda _asked, _probing: None,
) -> Probing:
    """Ask the API one question after the other, to the end or while the pace allows it.

    Args:
        source: the API.
        clock: measures how long an answer takes.
        policy: the scan whose settings are judged.
        pace: when the next request may be sent.
        now: the time, epoch ms.
        show: called before each request.
    """
    probing = Probing(now=now, policy=policy)
    began = clock.elapsed()
    while (asked := next_question(probing)) is not None and pace.is_ready():
        show(asked, probing)
        seen = _answered(source, clock, asked, now - began)
        if seen.exchange.result == "throttled":
            pace.note_throttle(seen.wait)
        if seen.renewable:
            source.renew_token()
        probing = noted(probing, seen)
    return probing


def _answered(source: ActivitySource, clock: Clock, asked: Asked, offset: int) -> Seen:
    sent = clock.elapsed()
    try:
        answer = source.ask(asked.request, timeout=TIMEOUT_SECONDS)
    except SourceRefused as error:
        return turned_away(asked, str(error))
    arrived = clock.elapsed()
    return look(asked, answer, milliseconds=arrived - sent, now=arrived + offset)


def sign_in_check(authorization: Authorization) -> Check:
    """Return whether signing in works, and whether the token may read activities."""
    try:
        return check_roles(authorization.header())
    except SourceRefused as error:
        return Check(name=NAME, result="failed", reason=str(error))
    except SignInUnavailable as error:
        return Check(name=NAME, result="could not tell", reason=str(error))


def storage_checks(storage: StorageTrials) -> Iterable[Check]:
    """Yield how each trial of storage went; one that the scan does not need never fails."""
    for trial in storage.trials():
        if trial.problem is None:
            yield Check(name=trial.name, result="passed", reason="it works")
        elif trial.is_needed:
            yield Check(name=trial.name, result="failed", reason=trial.problem)
        else:
            reason = f"the scan does not need it, and a trial blob stays: {trial.problem}"
            yield Check(name=trial.name, result="could not tell", reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """What the deployed app's examination works with.

    Attributes:
        label: value of `SCAN_DOCTOR`; each is done once.
        authorization: how the app signs in.
        storage: tries the containers.
        accepted: keeps those of some proposed settings that the program accepts.
    """

    label: str
    authorization: Authorization
    storage: StorageTrials
    accepted: Accepted


def examine_once(doctor: Doctor, jobs: list[Job]) -> list[Job]:
    """Examine the first scan's API and storage, unless its label has been done.

    What goes wrong is logged and never raised. The scans' runs follow, and have what the
    examination has left of their time.
    """
    job, started = jobs[0], jobs[0].ports.clock.elapsed()
    try:
        _examine(doctor, job)
    except Exception as error:  # noqa: BLE001 - the scans matter more
        logger.warning("doctor %s could not finish: %s", doctor.label, error)
    spent = -(-(job.ports.clock.elapsed() - started) // len(jobs))
    return [_with_less_time(it, spent) for it in jobs]


def _with_less_time(job: Job, spent: int) -> Job:
    left = max(min(BUDGET_LEAST_MS, job.policy.budget), job.policy.budget - spent)
    return replace(job, policy=replace(job.policy, budget=left))


def _examine(doctor: Doctor, job: Job) -> None:
    job.prepare()
    name = doctor_name(job.policy.scan)
    kept = job.derived.read(name)
    known = reports.decode(kept.content) if kept.content is not None else None
    if known is not None and known.label == doctor.label:
        return
    run = claim(job.ports, job.policy, Tally(scan=job.policy.scan, run=job.tally.run))
    if run is None:
        logger.info("doctor %s waits: another run has the ledger", doctor.label)
        return
    try:
        if run.ledger.pause:
            logger.info("doctor %s waits: the scan is paused", doctor.label)
        elif job.derived.save(name, _begun(doctor, run), etag=kept.etag, manifest=0):
            found = _examination(doctor, run)
            job.derived.publish(name, reports.encode(found), manifest=0)
            _log(found, name)
        run.writer.release()
    except Exception:
        run.writer.release_after_an_error()
        raise


def _begun(doctor: Doctor, run: Run) -> bytes:
    """Return what is stored until the end: a run that dies meanwhile does not begin again."""
    reason = "the examination began, and did not end"
    found = Examination(
        program=__version__,
        label=doctor.label,
        scan=run.policy.scan,
        made=run.now(),
        requests=0,
        checks=(Check(name="questions", result="could not tell", reason=reason),),
        findings=(),
        settings={},
        facts=Facts(),
    )
    return reports.encode(found)


def _examination(doctor: Doctor, run: Run) -> Examination:
    date = run.ports.ledgers.load().date
    clock = RunClock(run.ports.clock, date)
    checks = [
        sign_in_check(doctor.authorization),
        *storage_checks(doctor.storage),
        check_local_clock(clock.skew, is_known=date is not None),
    ]
    probing = probe(run.ports.source, run.ports.clock, run.policy, ClaimedPace(run), now=run.now())
    return concluded(
        probing, checks, label=doctor.label, program=__version__, accepted=doctor.accepted
    )


def _log(found: Examination, name: str) -> None:
    failed = ", ".join(it.name for it in found.checks if it.result == "failed") or "none"
    logger.info(
        "doctor %s sent %d requests; failed checks: %s; its findings are in %s",
        found.label,
        found.requests,
        failed,
        name,
    )


class ClaimedPace:
    """The pace of an examination that holds the scan's claim: each request is in its ledger."""

    def __init__(self, run: Run) -> None:
        """Begin with the claimed ledger's pacing."""
        self._run = run
        self._ends = run.started + run.policy.budget // BUDGET_SHARE

    def is_ready(self) -> bool:
        """Wait as the scan itself would, and count the request in the ledger."""
        run, clock = self._run, self._run.ports.clock
        if run.ports.budget:
            run.ports.budget.settle(clock.elapsed())  # The request before has been answered.
        wait = self._wait()
        if clock.elapsed() + wait + EXCHANGE_MS > self._ends:
            return False
        clock.sleep(wait)
        noted_pacing = pacing.note_request(run.ledger.pacing, run.now())
        run.writer.save(msgspec.structs.replace(run.ledger, pacing=noted_pacing))
        if run.ports.budget:
            run.ports.budget.take(clock.elapsed())
        return True

    def _wait(self) -> int:
        run, now = self._run, self._run.now()
        policy, budget = run.policy, run.ports.budget
        own = pacing.next_allowed(run.ledger.pacing, now, policy.requests_per_minute)
        shared = budget.pause(run.ports.clock.elapsed()) if budget else 0
        return max(own - now, shared)

    def note_throttle(self, wait: int) -> None:
        """Make the scan wait, too."""
        run = self._run
        waiting = pacing.note_throttle(run.ledger.pacing, run.now(), wait)
        run.writer.save(msgspec.structs.replace(run.ledger, pacing=waiting))
