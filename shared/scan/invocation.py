"""One invocation: a run of every scan of the app, one after the other, each with its report."""

from collections.abc import Sequence

from shared.ports import Clock
from shared.scan.reporting import Job, RunResult, run_and_report
from shared.sharing import SharedBudget, in_turn


def run_all(
    jobs: Sequence[Job],
    clock: Clock,
    *,
    per_minute: int,
    budget: SharedBudget | None,
    past_due: bool = False,
) -> list[RunResult]:
    """Do one run of each scan, and return the results in the order of the jobs.

    Args:
        jobs: one for each scan.
        clock: time.
        per_minute: how many requests all scans may send in a minute.
        budget: what the scans share; None for a single scan.
        past_due: whether the platform started the invocation late.
    """
    started = clock.elapsed()
    by_scan = {job.policy.scan: job for job in jobs}
    results: dict[str, RunResult] = {}
    scans = in_turn([job.policy for job in jobs], per_minute, clock.now())
    for place, policy in enumerate(scans):
        if budget:
            now = clock.elapsed()
            clock.sleep(budget.pause_before(scans, place, now, now - started))
        results[policy.scan] = run_and_report(by_scan[policy.scan], past_due=past_due)
    return [results[job.policy.scan] for job in jobs]
