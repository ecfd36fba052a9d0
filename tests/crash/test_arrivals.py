"""How many requests of a scan arrive in a minute, though the limit counts when they are sent.

The API counts arrivals. A request arrives at some time between its sending and its answer, so those
that are on their way when a minute begins may arrive in it. There is at most one for each lane. The
model sends with the real pacing and ledger, lets every request travel as it likes, and kills runs.
"""

import random
from heapq import heappop, heappush

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.model import Ledger, Policy
from shared.core.state import ledger as ledgers
from shared.core.state import pacing
from tests.fakes import MINUTE, NOW, policy
from tests.sampling import examples

LONGEST = 2 * MINUTE
"""The longest time that a request may take."""


class Life:
    """Runs of a scan, one after the other; some are killed.

    Attributes:
        arrived: when each request arrived.
    """

    def __init__(self, rng: random.Random) -> None:
        self.arrived: list[int] = []
        self._rng = rng
        self._now = NOW
        self.how: Policy = policy(
            requests_per_minute=rng.choice([1, 2, 3, rng.randint(4, 30)]),
            concurrency=rng.choice([1, 2, 3, rng.randint(4, 16)]),
            budget=rng.choice([20_000, MINUTE, 4 * MINUTE]),
        )
        self._stored: Ledger = ledgers.begin(self.how, NOW)

    def run(self) -> None:
        """Run once, and be killed at any time or release the claim."""
        rng, how = self._rng, self.how
        self._now = max(self._now, self._stored.claimed_until) + rng.choice([0, 0, 0, 5_000])
        ends = self._now + how.budget
        dies = rng.choice([self._now + rng.randrange(how.budget), ends - 1, ends])
        self._stored = ledgers.claim(self._stored, run="r", now=self._now, policy=how)
        ledger, pending = self._stored, list[int]()
        while self._now < dies:
            allowed = pacing.next_allowed(ledger.pacing, self._now, how.requests_per_minute)
            if allowed <= self._now and len(pending) < how.concurrency:
                noted = pacing.note_request(ledger.pacing, self._now)
                ledger = msgspec.structs.replace(ledger, pacing=noted)
                heappush(pending, self._sent(ends))
                continue
            waits = [allowed] if len(pending) < how.concurrency else []
            self._now = min([*waits, *pending[:1], dies])
            while pending and pending[0] <= self._now < dies:
                heappop(pending)
                self._stored = ledger  # An answer is saved, with every request before it.
        if dies < ends:
            return
        self._now = max([self._now, *pending])
        self._stored = ledgers.release(ledger)

    def _sent(self, ends: int) -> int:
        """Let a request travel; return when its answer comes, which the time budget limits."""
        longest = self._rng.choice([500, 5_000, LONGEST])
        answered = min(self._now + self._rng.randrange(longest), ends)
        self.arrived.append(
            self._rng.choice([self._now, self._rng.randint(self._now, answered), answered])
        )
        return answered


@settings(max_examples=examples(60, 3_000))
@given(seed=st.integers(0, 2**32))
def test_no_minute_has_more_arrivals_than_the_limit_and_one_for_each_lane(seed: int) -> None:
    """Nor where runs are killed: what they sent and could not save counts, too."""
    life = Life(random.Random(seed))

    for _ in range(8):
        life.run()

    most = life.how.requests_per_minute + life.how.concurrency
    arrived = sorted(life.arrived)
    assert all(later - at >= MINUTE for at, later in zip(arrived, arrived[most:], strict=False))
