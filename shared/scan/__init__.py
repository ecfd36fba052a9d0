"""The use case: one bounded run of a scan, which may be stopped at any instruction.

A run follows the protocol of docs/architecture.md, and its modules follow the run:

1. `claiming` reads the ledger, checks it against the chain, and claims it.
2. `committing` finishes an interrupted commit, and commits the decisions that are outstanding,
   before anything is fetched. A paused scan's run ends after that.
3. `upkeep` brings the ledger up to date where that needs no request.
4. Until the next move is to stop: `pending` starts steps, which `stepping` runs in threads;
   `absorbing` takes in what they bring back, saves it, and commits what is finished.
5. `ledger_writer` releases the claim.
6. `reporting` writes one report line, whatever happened.

All control flow and every change of the ledger happen in the calling thread. Worker threads only
run steps. The order of effects is the protocol: keep it.
"""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress

from shared.core.model import Policy
from shared.core.state.next_move import Moment, Move, Start, Stop, has_free_lane, next_move
from shared.core.state.report import Outcome, Tally
from shared.ports import Ports
from shared.scan.absorbing import Absorber
from shared.scan.claiming import claim, is_superseded
from shared.scan.committing import commit_decisions, finish_commit
from shared.scan.pending import Pending
from shared.scan.run import Run
from shared.scan.upkeep import close_passed, halve_cramped, prepare


def scan_once(
    ports: Ports,
    policy: Policy,
    tally: Tally,
    *,
    workers: Callable[[int], Executor] = ThreadPoolExecutor,
) -> Outcome:
    """Do one run of a scan.

    Args:
        ports: what the scan needs from outside.
        policy: how the scan is done.
        tally: filled while the run works, so that it shows what was done if an error ends the run.
        workers: makes the executor that runs the steps; called with how many run at once.

    Raises:
        ScanError: see `shared.core.errors`. The next run resumes from the ledger without human
            help, unless the error says otherwise.
    """
    run = claim(ports, policy, tally)
    if run is None:
        return "busy"
    try:
        outcome = _outcome(run, workers)
        run.note_end(outcome)
        run.writer.release()
    except Exception as error:
        if is_superseded(run, error):
            return "superseded"
        with suppress(Exception):  # Whatever ended the run may make the note fail, too.
            run.note_end("failed")
        run.writer.release_after_an_error()
        raise
    return outcome


def _outcome(run: Run, workers: Callable[[int], Executor]) -> Outcome:
    """Finish what was interrupted, then work unless the scan is paused; return why it ended."""
    finish_commit(run)
    commit_decisions(run)
    if run.ledger.pause:
        return "paused"
    prepare(run)
    with workers(run.policy.concurrency) as threads:
        return _work(run, Pending(run, threads), Absorber(run))


def _work(run: Run, pending: Pending, absorber: Absorber) -> Outcome:
    """Start, wait, and take in what came back, until the next move is to stop; return why."""
    while not isinstance(move := _next_move(run, pending), Stop):
        if isinstance(move, Start):
            pending.start(move)
        else:
            _take_in(run, pending, absorber, move.milliseconds)
    while pending:
        _take_in(run, pending, absorber, None)
    return run.health.ends or move.outcome


def _next_move(run: Run, pending: Pending) -> Move:
    """Decide what to do next, after a look at what time has done to clocks and slices."""
    if not run.health.ends and has_free_lane(run.ledger, run.policy, pending=len(pending)):
        if run.clock.has_drifted():
            run.end_for_clocks("the local clock has stepped, or the machine was suspended")
        else:
            close_passed(run, pending.busy())
    budget = run.ports.budget
    moment = Moment(
        now=run.now(),
        spent=run.spent(),
        busy=pending.busy(),
        is_first=not pending.has_started,
        shared_pause=budget.pause(run.ports.clock.elapsed()) if budget else 0,
        health=run.health,
    )
    return next_move(run.ledger, run.policy, moment)


def _take_in(run: Run, pending: Pending, absorber: Absorber, milliseconds: int | None) -> None:
    """Wait, and take in the steps that have ended meanwhile."""
    for step, ended in pending.ended(milliseconds):
        absorber.absorb(step, ended)
    halve_cramped(run, pending.busy())
