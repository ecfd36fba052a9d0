"""The request budget that the scans of one API host share, because they count for one tenant."""

from collections.abc import Sequence
from hashlib import blake2b

from shared.core.model import MINUTE_MS, Policy


class SharedBudget:
    """Counts the requests of the last 60 s to one API host, of every scan that one process runs.

    Each scan also observes its own share, which its ledger remembers. The shares alone limit the
    requests of an hour, but not those of a minute where a share is less than one a minute. Times
    are read from the clock that never jumps.

    Attributes:
        per_minute: how many requests these scans may send in a minute.
    """

    def __init__(self, per_minute: int) -> None:
        """Begin with an unused budget."""
        self.per_minute = per_minute
        self._sent: list[int] = []

    def pause(self, elapsed: int) -> int:
        """Return how many ms the next request must wait."""
        self._sent = [at for at in self._sent if elapsed - MINUTE_MS < at]
        if len(self._sent) < self.per_minute:
            return 0
        return self._sent[len(self._sent) - self.per_minute] + MINUTE_MS - elapsed

    def pause_before(self, scans: Sequence[Policy], place: int, elapsed: int, spent: int) -> int:
        """Return how many ms to wait before a scan begins, so that it can send at once.

        The wait is limited to the time that the scans before it have left over.

        Args:
            scans: all scans of the app, in the order in which they run.
            place: index of the next scan.
            elapsed: now, on the clock that never jumps.
            spent: ms since the first scan began.
        """
        left_over = sum(it.budget for it in scans[:place]) - spent
        pause = self.pause(elapsed)
        return pause if pause <= left_over else 0

    def note(self, elapsed: int) -> None:
        """Count a request that is sent now."""
        self._sent.append(elapsed)


def in_turn(scans: Sequence[Policy], per_minute: int, now: int) -> list[Policy]:
    """Return the scans of one API host in the order in which they run.

    If a minute has fewer requests than there are scans, the last scans may get none. So a different
    scan begins each time. It is drawn by the minute, so that the interval between runs does not
    matter.
    """
    drawn = blake2b(str(now // MINUTE_MS).encode(), digest_size=4).digest()
    first = int.from_bytes(drawn) % len(scans) if len(scans) > per_minute else 0
    return [*scans[first:], *scans[:first]]
