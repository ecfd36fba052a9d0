"""One invocation: a run of every scan of the app, one after the other, each with its report."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from shared.core.errors import StoreError
from shared.core.state.ledger import CLAIM_MARGIN_MS
from shared.ports import Clock
from shared.scan.host_claim import (
    Held,
    HostClaim,
    SharedHost,
    SourceWithinClaim,
    claim_host,
    release_host,
)
from shared.scan.reporting import Job, RunResult, logger, report_unclaimed, run_and_report
from shared.sharing import allotted

Before = Callable[[list[Job]], list[Job]]
"""What is done before the first scan of an invocation runs; it returns the runs that follow."""


def run_all(
    jobs: Sequence[Job], clock: Clock, *, past_due: bool = False, before: Before | None = None
) -> list[RunResult]:
    """Do one run of each scan, and return the results in the order of the jobs.

    Scans that ask the same API host run one after the other, under one claim on the host.

    Args:
        jobs: one for each scan.
        clock: time.
        past_due: whether the platform started the invocation late.
        before: done to the first job and those that share its host, before they run.
    """
    results: dict[str, RunResult] = {}
    for group in _by_host(jobs):
        prepare = before if before and group[0] is jobs[0] else list
        host = group[0].host
        if host is None:
            found = [run_and_report(it, past_due=past_due) for it in prepare(group)]
        else:
            found = _run_claimed(group, host, clock, past_due=past_due, before=prepare)
        results |= {it.scan: it for it in found}
    return [results[job.policy.scan] for job in jobs]


def _by_host(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Yield the scans of each API host together, in the order of the first scan of each."""
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.host.name if job.host else job.policy.scan, []).append(job)
    yield from groups.values()


def _run_claimed(
    jobs: list[Job], host: SharedHost, clock: Clock, *, past_due: bool, before: Before
) -> list[RunResult]:
    """Do the runs of the scans of one API host, unless another invocation is at work there."""
    try:
        host.prepare()
        claim = claim_host(
            host,
            clock,
            owner=jobs[0].tally.run,
            length=jobs[0].policy.budget_most + CLAIM_MARGIN_MS,
            scans=[job.policy.scan for job in jobs],
        )
    except Exception as error:  # noqa: BLE001 - each scan's report has it
        return [report_unclaimed(job, error, past_due=past_due) for job in jobs]
    if isinstance(claim, Held):
        return [report_unclaimed(job, claim, past_due=past_due) for job in jobs]
    results: list[RunResult] = []
    try:
        started = clock.elapsed()
        ready = before([under(claim, job, clock) for job in jobs])
        timed = in_time(claim, ready, clock, started=started)
        results.extend(run_and_report(job, past_due=past_due) for job in timed)
    finally:
        _release(claim, clock, [it.scan for it in results if it.outcome == "out-of-time"])
    return results


def under(claim: HostClaim, job: Job, clock: Clock) -> Job:
    """Return a job whose requests count for the claim, and end with it."""
    source = SourceWithinClaim(job.ports.source, claim.budget, clock)
    return replace(job, ports=replace(job.ports, source=source, budget=claim.budget))


def in_time(claim: HostClaim, jobs: Sequence[Job], clock: Clock, *, started: int) -> Iterator[Job]:
    """Yield the jobs of a claim in their order, each when it may send, and with its time budget.

    Args:
        claim: the claim on their host.
        jobs: all of them.
        clock: time.
        started: when the claim began, on the clock that never jumps.
    """
    by_scan = {job.policy.scan: job for job in jobs}
    ordered = [by_scan[it] for it in claim.scans]
    if claim.warning:
        ordered[0].tally.warnings.append(claim.warning)
    policies = [job.policy for job in ordered]
    for place, job in enumerate(ordered):
        now = clock.elapsed()
        clock.sleep(claim.budget.pause_before(policies, place, now, now - started))
        time = allotted(policies, place, clock.elapsed() - started)
        is_short = job.policy.scan in claim.stored.short_of_time
        expected = time if is_short else job.policy.budget_most
        yield replace(job, policy=replace(job.policy, budget=time, budget_expected=expected))
        claim.budget.settle(clock.elapsed())  # Whatever ended the run, it awaits no answer.


def _release(claim: HostClaim, clock: Clock, short_of_time: Sequence[str]) -> None:
    """Release a claim; what goes wrong is worth a warning, because the runs are done."""
    try:
        release_host(claim, clock, short_of_time=short_of_time)
    except StoreError as error:
        logger.warning("the claim on %s could not be released: %s", claim.host.name, error)
