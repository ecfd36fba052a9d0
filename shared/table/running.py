"""One run of the table's app: follow every feed, look after the table, report with one line.

Scans take turns, a commit each, so that the backlog of one does not keep the others waiting. A scan
whose feed cannot be followed does not stop the others.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.core.errors import FeedBroken, PartUnreadable, ScanError
from shared.table.following import Follower, last_manifests
from shared.table.keeping import keep
from shared.table.ports import AppendRefused, Clock, TableUpkeep
from shared.table.report import Progress, Tally, line_of, report_fields

logger = logging.getLogger("activity_scan")
"""Everything that the program logs. One line per run is the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run that is to be done.

    Attributes:
        followers: one for each scan; they share one table.
        upkeep: of that table.
        clock: time.
        budget: no commit and no step of upkeep begins after so many ms.
        delete_after: days that are older than this many leave the table; None keeps them.
    """

    followers: Sequence[Follower]
    upkeep: TableUpkeep
    clock: Clock
    budget: int
    delete_after: int | None = None


GoesOn = Callable[[], bool]
"""Says whether there is time for another step."""


def run(job: Job, tally: Tally) -> None:
    """Append what the table lacks, then do the upkeep that is due; errors go into the tally."""
    ends = job.clock.elapsed() + job.budget
    try:
        tally.progress = [Progress(scan=it.feed.scan) for it in job.followers]
        _follow(job.followers, tally.progress, lambda: job.clock.elapsed() < ends)
        if not tally.errors and all(it.at_end for it in tally.progress):
            _keep(job, tally, lambda: job.clock.elapsed() < ends)
    except Exception as error:  # noqa: BLE001 - the report line has it, and the caller raises it
        tally.error = error


def _follow(followers: Sequence[Follower], progress: Sequence[Progress], goes_on: GoesOn) -> None:
    """Let the followers take steps in turn until all are at the end, or time is over."""
    turns = deque(zip(followers, progress, strict=True))
    while turns and goes_on():
        follower, made = turns.popleft()
        if _stepped(follower, made):
            turns.append((follower, made))
    for follower, made in zip(followers, progress, strict=True):
        _look_ahead(follower, made)


def _stepped(follower: Follower, progress: Progress) -> bool:
    """Take a step, and return whether another one may follow."""
    try:
        commit = follower.step()
    except AppendRefused:
        return True
    except Exception as error:  # noqa: BLE001 - the other scans go on
        progress.error = error
        return False
    finally:
        progress.manifest = follower.through
    if commit is None:
        progress.at_end = True
        return False
    progress.commits += 1
    progress.rows += commit.rows
    return True


def _look_ahead(follower: Follower, progress: Progress) -> None:
    """Find out since when the oldest manifest has waited, if the table can be followed at all."""
    stopped_by_the_feed = isinstance(progress.error, FeedBroken | PartUnreadable)
    if progress.at_end or not (progress.error is None or stopped_by_the_feed):
        return
    try:
        oldest = next(follower.feed.after(follower.through), None)
    except ScanError as error:
        progress.error = progress.error or error
        return
    progress.at_end = oldest is None
    progress.waiting_since = oldest.made if oldest else None


def _keep(job: Job, tally: Tally, goes_on: GoesOn) -> None:
    newest = last_manifests(job.followers)
    now = job.clock.now()
    for kept in keep(job.upkeep, newest, now, goes_on=goes_on, delete_after=job.delete_after):
        tally.kept = kept


def report(tally: Tally, clock: Clock, *, started: int, past_due: bool, behind_alert: int) -> str:
    """Log the report line of a run that has ended, and return it.

    Args:
        tally: what the run has done.
        clock: time.
        started: what `clock.elapsed` said when it began.
        past_due: whether the platform started it late.
        behind_alert: how far the table may be behind before that needs a person, in ms.
    """
    fields = report_fields(
        tally,
        now=clock.now(),
        duration=clock.elapsed() - started,
        past_due=past_due,
        behind_alert=behind_alert,
    )
    line = line_of(fields)
    unexpected = [it for it in tally.errors if not isinstance(it, ScanError)]
    level = logging.WARNING if fields["warnings"] else logging.INFO
    logger.log(
        logging.ERROR if tally.errors else level,
        line,
        exc_info=unexpected[0] if unexpected else None,
    )
    return line
