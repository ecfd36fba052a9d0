"""What the next run would do, and why: the real decisions, on answers that are only expected.

The claim, what needs no request, and every next move are those of a run. In place of the API stands
an expectation: each request brings one page, and a slice takes as many as its length and the usual
number of activities say. Nothing is changed and nothing is sent.
"""

from dataclasses import dataclass
from math import ceil
from statistics import median_low

import msgspec

from shared.core.clocks import waits
from shared.core.intervals import Interval, added
from shared.core.model import HOUR_MS, SECOND_MS, ApiFacts, Ledger, Policy, Slice
from shared.core.quoting import instant, quoted
from shared.core.slices import asking
from shared.core.state import ledger as ledgers
from shared.core.state import pacing
from shared.core.state.lanes import Reason, choice, gives_way, gone, passed
from shared.core.state.next_move import Moment, Start, Stop, next_move
from shared.core.state.planning import covered
from shared.core.state.report import Outcome
from shared.core.state.sweeps import credited, unswept

_DIGITS = 6
"""Of a number of pages: what is behind them is only how floating point divides."""

STEP_MS = 2 * SECOND_MS
"""How long a step is expected to take before any was measured."""

REQUESTS_MOST = 5_000
"""Requests after which a forecast ends: no run sends as many."""

WHY: dict[Reason, str] = {
    "fresh lane": "every tenth request is for fresh time (in an overload, every free one, too)",
    "oldest lane": "every fifth request is for the oldest time",
    "near the reach": "the API will soon stop showing this time",
    "fresh": "fresh time, the newest first",
    "older": "nothing fresh is due: older time, the oldest first",
    "later look": "nothing of the first pass is due",
}
TRIAL = "a form of the query with fewer options is tried out"

change = msgspec.structs.replace


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """A request that the next run is expected to send.

    Attributes:
        at: when, epoch ms.
        start: first millisecond of its slice.
        end: the first millisecond after it.
        look: the pass.
        begun: whether the slice is open already; a new one begins otherwise.
        reason: the lane, or what makes the slice the most urgent one.
        why: the same in a sentence.
    """

    at: int
    start: int
    end: int
    look: str = msgspec.field(name="pass")
    begun: bool
    reason: str
    why: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the next run is expected to do.

    Attributes:
        scan: its name.
        now: when the run is taken to begin, epoch ms.
        first: what it does before it sends anything, in sentences.
        requests: what it sends, in order.
        outcome: why it is expected to end.
        ends: when, epoch ms.
        waiting: what waits, until when and why, in sentences: the scan for a throttle, and slices.
    """

    scan: str
    now: int
    first: tuple[str, ...]
    requests: tuple[Planned, ...]
    outcome: Outcome
    ends: int
    waiting: tuple[str, ...]


def plan(ledger: Ledger | None, policy: Policy, now: int, *, per_hour: float = 0.0) -> Plan:
    """Return what a run that begins now would do.

    Args:
        ledger: the state; None if the scan has never run.
        policy: how the scan is to be done.
        now: epoch ms.
        per_hour: how many pages an hour of time usually takes.

    Raises:
        ScopeChanged: the run would fail, because filters or sort field have changed.
    """
    stored = ledger or ledgers.begin(policy, now)
    claimed = ledgers.claim(stored, run="", now=now, policy=policy)
    first, begun = _prepared(claimed, policy, now)
    expected = _Expected(ledger=begun, policy=policy, now=now, per_hour=per_hour)
    outcome = "paused" if begun.pause else expected.run()
    return Plan(
        scan=policy.scan,
        now=now,
        first=(*_held(stored, policy, now), *first),
        requests=tuple(expected.requests),
        outcome=outcome,
        ends=expected.now,
        waiting=(
            *_throttle(begun, now),
            *(_waits(it) for it in begun.open if waits(it.not_before, now)),
        ),
    )


def _held(ledger: Ledger, policy: Policy, now: int) -> list[str]:
    if not ledgers.is_held(ledger, now, policy):
        return []
    until = instant(ledger.claimed_until)
    return [f"a run is at work, until {until} at the latest: the next one begins after it"]


def _decisions(count: int) -> str:
    return "1 decision" if count == 1 else f"{count} decisions"


def _prepared(ledger: Ledger, policy: Policy, now: int) -> tuple[list[str], Ledger]:
    """Return what a run does before its first request, and the ledger after that."""
    said = []
    if ledger.committing:
        said.append(f"finishes the interrupted commit of manifest {ledger.committing.number}")
    if ledger.outstanding:
        said.append(f"commits {_decisions(len(ledger.outstanding))} to the chain of manifests")
    if ledger.pause:
        return said, ledger
    for piece in passed(ledger, now, policy):
        said.append(f"closes {_bounds(piece)} at its cursor: it leaves the API's reach")
        ledger = ledgers.replaced(ledger, piece, ())
    said += [
        f"gives up the sweep of {_stretch(it)}: it has left the API's reach"
        for it in unswept(ledger, now, policy)
    ]
    if given_back := gives_way(ledger, now, policy):
        said.append(f"gives {_bounds(given_back)} back: every open slice has faults")
        ledger = ledgers.replaced(ledger, given_back, ())
    said += [
        f"declares {_stretch(it)} lost once the API has answered"
        for it in gone(ledger, now, policy)
    ]
    return said, ledger


def _throttle(ledger: Ledger, now: int) -> list[str]:
    until = pacing.throttled_until(ledger.pacing, now)
    return [f"the API throttles the scan until {instant(until)}"] if until > now else []


def _waits(piece: Slice) -> str:
    fault = f": {quoted(piece.fault)}" if piece.fault else ""
    blocked = "is blocked and " if piece.blocked else ""
    return f"{_bounds(piece)} {blocked}waits until {instant(piece.not_before)}{fault}"


def _bounds(piece: Slice) -> str:
    return f"{piece.pass_name} {_stretch((piece.start, piece.end))}"


def _stretch(bounds: Interval) -> str:
    return f"{instant(bounds[0])} to {instant(bounds[1])}"


@dataclass(frozen=True, slots=True)
class _Pending:
    """A step that is under way.

    Attributes:
        slice: what it asks for.
        ends: when its answer is expected, epoch ms.
    """

    slice: Slice
    ends: int


class _Expected:
    """A run on expected answers.

    Attributes:
        ledger: as it would be.
        now: the run's time.
        requests: what has been sent.
    """

    def __init__(self, *, ledger: Ledger, policy: Policy, now: int, per_hour: float) -> None:
        self.ledger = ledger
        self.now = now
        self.requests: list[Planned] = []
        self._policy = policy
        self._started = now
        self._per_hour = per_hour
        self._pages: dict[Interval, int] = {}
        self._pending: list[_Pending] = []

    def run(self) -> Outcome:
        """Send requests until the next move is to stop; return why it is."""
        while True:
            busy = frozenset((it.slice.start, it.slice.end) for it in self._pending)
            move = next_move(
                self.ledger,
                self._policy,
                Moment(
                    now=self.now,
                    spent=self.now - self._started,
                    busy=busy,
                    is_first=not self.requests,
                ),
            )
            if isinstance(move, Stop) or len(self.requests) >= REQUESTS_MOST:
                self._wait(None, every=True)
                return move.outcome if isinstance(move, Stop) else "out-of-time"
            if isinstance(move, Start):
                self._send(move.slice, busy)
            else:
                self._wait(move.milliseconds)

    def _send(self, piece: Slice, busy: frozenset[Interval]) -> None:
        begun = ledgers.open_as(self.ledger, piece) is not None
        first = self.now if piece.first_request is None else piece.first_request
        on_trial = asking.on_trial(self.ledger, self.now)
        chosen = None if on_trial else choice(self.ledger, self.now, self._policy, busy=busy)
        self.requests.append(
            Planned(
                at=self.now,
                start=piece.start,
                end=piece.end,
                look=piece.pass_name,
                begun=begun,
                reason=chosen.reason if chosen else "trial",
                why=WHY[chosen.reason] if chosen else TRIAL,
            )
        )
        piece = change(piece, first_request=first)
        used = pacing.note_request(self.ledger.pacing, self.now)
        self.ledger = change(ledgers.replaced(self.ledger, piece, (piece,)), pacing=used)
        durations = used.durations
        takes = median_low(durations) if durations else STEP_MS
        self._pending.append(_Pending(piece, self.now + takes))

    def _wait(self, milliseconds: int | None, *, every: bool = False) -> None:
        """Let time pass until a step ends, or for so long; take in what has ended."""
        ends = [it.ends for it in self._pending]
        until = max([self.now, *ends]) if every else min([*ends, *self._limit(milliseconds)])
        self.now = max(self.now, until)
        over = [it for it in self._pending if it.ends <= self.now]
        self._pending = [it for it in self._pending if it.ends > self.now]
        for step in over:
            self._answered(step.slice)

    def _limit(self, milliseconds: int | None) -> list[int]:
        return [] if milliseconds is None else [self.now + milliseconds]

    def _answered(self, piece: Slice) -> None:
        """Take in a page: the slice goes on, or it is finished."""
        used = pacing.note_page(self.ledger.pacing)
        self.ledger = change(self.ledger, pacing=used, api_facts=_after_trial(self.ledger, piece))
        bounds = (piece.start, piece.end)
        left = self._pages.setdefault(bounds, self._expected_pages(piece)) - 1
        self._pages[bounds] = left
        if left > 0:
            served = change(piece, blocked_since=None)
            self.ledger = ledgers.replaced(self.ledger, piece, (served,))
            return
        coverage = dict(self.ledger.coverage)
        for name in self._covers(piece):
            coverage[name] = added(covered(self.ledger, name), bounds)
        done = ledgers.replaced(self.ledger, piece, ())
        self.ledger = change(done, coverage=coverage)

    def _covers(self, piece: Slice) -> tuple[str, ...]:
        return credited(
            piece.pass_name,
            end=piece.end,
            first_request=piece.first_request or 0,
            doubtful=False,
            since=piece.since,
            policy=self._policy,
        )

    def _expected_pages(self, piece: Slice) -> int:
        left = piece.end - piece.cursor if piece.direction == "asc" else piece.cursor - piece.start
        pages = round(self._per_hour * left / HOUR_MS, _DIGITS)
        return max(1, ceil(pages))


def _after_trial(ledger: Ledger, piece: Slice) -> ApiFacts:
    """Return what is known of the API once it has answered: a trial of this slice is over."""
    facts = ledger.api_facts
    if facts.trial != (piece.start, piece.end):
        return facts
    return change(facts, trial=None)
