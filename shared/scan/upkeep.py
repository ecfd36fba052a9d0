"""What a run does to the ledger without asking the API: close, cut, give back, declare lost."""

from shared.core.intervals import Interval
from shared.core.slices.retreat import close, doubted, halved
from shared.core.slices.transitions import Draft
from shared.core.state import committing
from shared.core.state.lanes import gives_way, gone, passed
from shared.core.state.levers import rescans_ended
from shared.core.state.rooms import ripest, to_halve
from shared.core.state.sweeps import unswept
from shared.scan.committing import commit_decisions, finish_commit, take
from shared.scan.run import Run, shown

GIVING_UP_SHARE = 4
"""Giving up sweeps takes this part of the time budget at most; the rest is for scanning."""

NOT_BUSY: frozenset[Interval] = frozenset()


def prepare(run: Run) -> None:
    """Bring the ledger up to date, before anything is fetched."""
    close_passed(run, NOT_BUSY)
    _give_up_sweeps(run)
    _end_rescans(run)
    _make_room(run)
    halve_cramped(run, NOT_BUSY)


def close_passed(run: Run, busy: frozenset[Interval]) -> None:
    """Commit what is known of the slices that have begun to leave the API's reach.

    Their last answers were in time; a later answer could prove nothing.
    """
    for piece in passed(run.ledger, run.now(), run.policy, busy=busy):
        if not run.has_time():
            return
        take(run, piece, close(piece))


def _give_up_sweeps(run: Run) -> None:
    """Declare in doubt the time that left the API's reach before the last sweep.

    Each stretch costs several storage operations, so this takes a share of the time budget at
    most, and later runs continue.
    """
    for done, bounds in enumerate(list(unswept(run.ledger, run.now(), run.policy))):
        if done and run.spent() > run.policy.budget // GIVING_UP_SHARE:
            break
        run.writer.save(committing.given_up(run.ledger, bounds, run.policy, made=run.now()))
        finish_commit(run)
        run.warn(f"time passed the API's reach before a sweep looked at it: {shown(bounds)}")


def _end_rescans(run: Run) -> None:
    """Commit the end of the rescans that have nothing left to scan."""
    ended = rescans_ended(run.ledger, run.now(), run.policy)
    if ended is not run.ledger:
        run.writer.save(ended)
        commit_decisions(run)


def _make_room(run: Run) -> None:
    """Make room where time for which the API never answers has used it up.

    Poisoned seconds are finished in doubt. If every slice has faults, one is given back, so that
    another one without faults can begin. This happens once a run, because otherwise the API would
    be asked faster than the slices back off.
    """
    for sweeps in (False, True):
        while piece := ripest(run.ledger, sweeps=sweeps):
            take(run, piece, Draft(finished=doubted(piece)))
    if piece := gives_way(run.ledger, run.now(), run.policy):
        take(run, piece, close(piece))


def halve_cramped(run: Run, busy: frozenset[Interval]) -> None:
    """Cut the slices that were blocked for want of room, as far as there is room now."""
    served = {start for start, _ in busy}
    while (piece := to_halve(run.ledger)) and piece.start not in served:
        take(run, piece, halved(piece, run.now()))


def declare_lost(run: Run) -> None:
    """Declare lost the time that has left the API's reach without being covered.

    Call it only once the API has answered this run. A clock that is far ahead would declare
    everything lost, and the `Date` of an answer ends such a run first.
    """
    for bounds in gone(run.ledger, run.now(), run.policy):
        if not run.has_time():
            return
        run.writer.save(committing.declared_lost(run.ledger, bounds, run.policy, made=run.now()))
        finish_commit(run)
