"""A scan of which only the ends of its runs matter: what they find, and when."""

from typing import Any

import msgspec

from shared.core.audit.attention import Attention, attention_to
from shared.core.audit.quiet import Quiet
from shared.core.model import FIRST_PASS, Doubt, Ledger, Load, Pacing, Policy, Slice
from shared.core.slices.opening import open_slice
from shared.core.state import conditions
from shared.core.state import ledger as ledgers
from shared.core.state.report import Outcome
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy

HOW = policy(sweeps=(), requests_per_minute=25)
ORIGIN = NOW - 5_000 * DAY

change = msgspec.structs.replace


class Watched:
    """A scan whose runs are told what they find.

    Attributes:
        ledger: as the last run left it.
        now: the time.
    """

    def __init__(self, how: Policy = HOW, *, made: int = NOW) -> None:
        self.how = how
        self.now = made
        self.ledger: Ledger = change(
            ledgers.begin(how, made), origin=ORIGIN, settled_until=ORIGIN, made=made
        )
        self.leave()

    def leave(self, *, lag: int = 0, doubt: int = 0, **changes: Any) -> None:
        """Leave the scan in a state: how far it lags, how much is in doubt, and other fields."""
        covered = max(ORIGIN, self.now - self.how.settle - lag)
        doubted = Doubt(start=ORIGIN, end=ORIGIN + doubt, reason="odd")
        self.ledger = change(
            self.ledger,
            coverage={FIRST_PASS: ((ORIGIN, covered),) if covered > ORIGIN else ()},
            doubt=(doubted,) if doubt else (),
            **changes,
        )

    def end(self, outcome: Outcome = "idle", *, met_throttle: bool = False, **left: Any) -> None:
        """Let a run end that leaves the scan in a state."""
        self.leave(**left)
        self.ledger = conditions.noted(
            self.ledger, outcome, met_throttle=met_throttle, now=self.now, policy=self.how
        )

    def pass_on(self, milliseconds: int) -> None:
        """Let time pass."""
        self.now += milliseconds

    def repeat(self, length: int, every: int = 5 * MINUTE, **end: Any) -> None:
        """Let runs end that find the same, for a time: the first after `every`."""
        for _ in range(length // every):
            self.pass_on(every)
            self.end(**end)

    def attention(self, quiet: Quiet | None = None) -> dict[str, Attention]:
        """Return what needs a person, by kind."""
        found = attention_to(self.ledger, self.how, self.now, quiet=quiet)
        return {it.kind: it for it in found}

    def kinds(self) -> set[str]:
        """Return the kinds of what needs a person."""
        return set(self.attention())


def blocked(since: int, start: int = NOW - 5 * HOUR, **changes: Any) -> Slice:
    """Return a second that is blocked."""
    piece = open_slice((start, start + 1_000), pass_name=FIRST_PASS, policy=HOW)
    return change(piece, blocked_since=since, **{"fault": "HTTP 500: no", **changes})


def load(requests_per_day: int) -> dict[int, Load]:
    """Return a load that needs so many requests a day."""
    return {NOW - HOUR: Load(requests=requests_per_day // 24, covered=HOUR)}


THROTTLE = Pacing(not_before=NOW + MINUTE)
