"""The request budget that the scans of one API host share, because they count for one tenant."""

from collections.abc import Collection, Iterable, Sequence

from shared.core.model import SECOND_MS, Policy
from shared.core.state.host_budget import CLAIM_MOST_MS, SLOT_MS
from shared.core.state.pacing import burst, gap

REQUEST_LEAST_MS = SECOND_MS
"""No request is sent if less is left of the claim."""


class SharedBudget:
    """Counts the requests to one API host of every scan that runs under one claim.

    A request takes a slot, which comes free a minute after its answer or its deadline: the API
    counts a request when it arrives, and nobody else knows when that is. Like those of a single
    scan, requests are sent evenly once some have followed each other at once. So each scan gets one
    in its turn, however busy the others are. Times are read from the clock that never jumps.

    Attributes:
        per_minute: how many requests these scans may send in a minute.
    """

    def __init__(
        self, per_minute: int, *, ends: int | None = None, taken: Iterable[int] = ()
    ) -> None:
        """Begin under a claim.

        Args:
            per_minute: how many requests may be sent in a minute.
            ends: when the claim ends; None if nobody else sends requests to this host.
            taken: when each slot that others have taken comes free.
        """
        self.per_minute = per_minute
        self._ends = ends
        self._free = sorted(taken)
        self._pending = 0
        self._last = max(self._free, default=0) - SLOT_MS

    def left(self, elapsed: int) -> int:
        """Return how many ms of the claim are left; a request must not take longer."""
        return CLAIM_MOST_MS if self._ends is None else max(0, self._ends - elapsed)

    def pause(self, elapsed: int) -> int:
        """Return how many ms the next request must wait; longer than any run if it is too late."""
        if self.left(elapsed) < REQUEST_LEAST_MS:
            return CLAIM_MOST_MS
        slots = [*self.taken(elapsed), *[elapsed + SLOT_MS] * self._pending]
        over = len(slots) - self.per_minute
        spaced = self._last + gap(self.per_minute) if len(slots) >= burst(self.per_minute) else 0
        return max(0, spaced - elapsed, slots[over] - elapsed if over >= 0 else 0)

    def pause_before(self, scans: Sequence[Policy], place: int, elapsed: int, spent: int) -> int:
        """Return how many ms to wait before a scan begins, so that it can send at once.

        The wait is limited to the time that the scans before it have left of their shares.

        Args:
            scans: all scans of the claim, in the order in which they run.
            place: index of the next scan.
            elapsed: now, on the clock that never jumps.
            spent: ms since the first scan began.
        """
        left_over = sum(it.budget for it in scans[:place]) - spent
        pause = self.pause(elapsed)
        return pause if pause <= left_over else 0

    def take(self, elapsed: int) -> None:
        """Take a slot for a request that is sent now."""
        self._last = elapsed
        self._pending += 1

    def give_back(self, elapsed: int) -> None:
        """Note that a request has been answered, or that its deadline has passed."""
        self._pending -= 1
        self._free.append(elapsed + SLOT_MS)

    def settle(self, elapsed: int) -> None:
        """Note that no request is pending any more, whatever ended the run that sent it."""
        while self._pending:
            self.give_back(elapsed)

    def taken(self, elapsed: int) -> tuple[int, ...]:
        """Return when each slot comes free whose request has ended, ascending."""
        self._free = [at for at in self._free if at > elapsed]
        return tuple(self._free)


def in_turn(scans: Sequence[str], before: str) -> list[str]:
    """Return the scans of one API host, beginning with the one whose turn it is.

    That is the one after the scan whose turn it was before. So none is always the last.
    """
    first = scans.index(before) + 1 if before in scans else 0
    return [*scans[first:], *scans[:first]]


def in_order(
    scans: Sequence[str], *, turned: Sequence[str], short_of_time: Collection[str]
) -> list[str]:
    """Return the scans of one API host in the order in which they run.

    Those that were short of time come last, because time that is left goes to those that follow.
    They keep their order: each has an equal part of that time, and its capacity is measured from
    how regularly its runs begin.

    Args:
        scans: all of them.
        turned: the same in turn.
        short_of_time: the scans whose last runs ended because their time was over.
    """
    quick = [it for it in turned if it not in short_of_time]
    return [*quick, *(it for it in scans if it in short_of_time)]


def allotted(scans: Sequence[Policy], place: int, spent: int) -> int:
    """Return the time budget of a scan's run, in ms: at least its share of the whole time.

    What the scans before it have left is divided among those that follow.

    Args:
        scans: all scans of the claim, in the order in which they run.
        place: index of the scan.
        spent: ms since the first scan began.
    """
    whole = scans[place].budget_most
    return max(scans[place].budget, (whole - spent) // (len(scans) - place))
