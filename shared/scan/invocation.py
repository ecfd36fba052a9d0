"""One invocation: a run of every scan of the app, one after the other, each with its report."""

from collections.abc import Iterator, Sequence

from shared.ports import Clock
from shared.scan.reporting import Job, RunResult, run_and_report
from shared.sharing import SharedBudget, in_turn


def run_all(jobs: Sequence[Job], clock: Clock, *, past_due: bool = False) -> list[RunResult]:
    """Do one run of each scan, and return the results in the order of the jobs.

    Args:
        jobs: one for each scan; scans that share a budget have the same one.
        clock: time.
        past_due: whether the platform started the invocation late.
    """
    started = clock.elapsed()
    results: dict[str, RunResult] = {}
    ordered = _ordered(jobs, clock.now())
    scans = [job.policy for job in ordered]
    for place, job in enumerate(ordered):
        if budget := job.ports.budget:
            now = clock.elapsed()
            clock.sleep(budget.pause_before(scans, place, now, now - started))
        results[job.policy.scan] = run_and_report(job, past_due=past_due)
    return [results[job.policy.scan] for job in jobs]


def _ordered(jobs: Sequence[Job], now: int) -> list[Job]:
    """Return the jobs in the order in which they run.

    Scans that share a budget take turns among themselves only, so that a tenant with many scans
    does not change the turn of another tenant's.
    """
    budgets = {job.ports.budget for job in jobs}
    turns = {it: _turns([job for job in jobs if job.ports.budget is it], it, now) for it in budgets}
    return [next(turns[job.ports.budget]) for job in jobs]


def _turns(jobs: Sequence[Job], budget: SharedBudget | None, now: int) -> Iterator[Job]:
    if budget is None:
        return iter(jobs)
    by_scan = {job.policy.scan: job for job in jobs}
    scans = in_turn([job.policy for job in jobs], budget.per_minute, now)
    return iter([by_scan[it.scan] for it in scans])
