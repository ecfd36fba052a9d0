"""The pending steps: the threads that run them, and what was known when each one started."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass

import msgspec

from shared.core.intervals import Interval
from shared.core.model import FIRST_PASS, ApiFacts, Slice
from shared.core.slices import asking
from shared.core.slices.facts import facing
from shared.core.state import ledger as ledgers
from shared.core.state import pacing
from shared.core.state.layout import part_name
from shared.core.state.next_move import Start
from shared.scan.run import Run, shown
from shared.scan.stepping import StepResult, Tools, run_step
from shared.scan.stored import Indexes, fitted

REQUEST_MS = 120_000
"""The longest time that one request may take. Heavy pages are known to take a minute."""

REQUEST_LEAST_MS = 1_000
"""A request gets at least so long, even if the time budget is used up."""

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingStep:
    """A step that was started and has not been taken in yet.

    Attributes:
        slice: the slice it serves, with this request counted.
        before: the slice as it was open before; None for a new slice.
        ordinal: the number of the request, counted since the scan began.
        sent: when the step started, on the clock that never jumps.
        facts: what was known about the API when the request was made.
    """

    slice: Slice
    before: Slice | None
    ordinal: int
    sent: int
    facts: ApiFacts


class Pending:
    """Starts steps in worker threads, and hands over those that have ended."""

    def __init__(self, run: Run, threads: Executor) -> None:
        """Begin with no step."""
        self.has_started = False
        self._run = run
        self._threads = threads
        self._steps: dict[Future[StepResult], PendingStep] = {}
        self._unchecked = {piece.start for piece in run.ledger.open if piece.blocks}
        self._tools = Tools(
            ports=run.ports,
            clock=run.clock,
            policy=run.policy,
            indexes=Indexes(run.ports.results, run.policy.axis),
        )

    def __len__(self) -> int:
        """Return how many steps are pending."""
        return len(self._steps)

    def busy(self) -> frozenset[Interval]:
        """Return the bounds of the slices whose steps are pending."""
        return frozenset((it.slice.start, it.slice.end) for it in self._steps.values())

    def start(self, move: Start) -> None:
        """Note a request in the ledger, and hand its step to a thread."""
        run = self._run
        piece = self._asked(self._checked(move.slice))
        before = ledgers.open_as(run.ledger, piece)
        first = move.now if piece.first_request is None else piece.first_request
        piece = change(piece, requests=piece.requests + 1, first_request=first)
        paced = pacing.note_request(run.ledger.pacing, move.now)
        run.writer.change(change(ledgers.replaced(run.ledger, piece, (piece,)), pacing=paced))
        timeout, sent = self._timeout(), self._note_sent()
        future = self._threads.submit(run_step, self._tools, piece, run.ledger, timeout=timeout)
        self._steps[future] = PendingStep(
            slice=piece,
            before=before,
            ordinal=paced.requests,
            sent=sent,
            facts=run.ledger.api_facts,
        )

    def ended(self, milliseconds: int | None) -> Iterator[tuple[PendingStep, Future[StepResult]]]:
        """Wait for a step to end, at most so many ms if given, and yield those that have ended.

        They come in the order in which they were started.
        """
        if not self._steps:
            self._run.ports.clock.sleep(milliseconds or 0)
            return
        timeout = None if milliseconds is None else milliseconds / 1000
        done, _ = wait(self._steps, timeout=timeout, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda it: self._steps[it].ordinal):
            if budget := self._run.ports.budget:
                budget.give_back(self._run.ports.clock.elapsed())
            yield self._steps.pop(future), future

    def _checked(self, piece: Slice) -> Slice:
        """Return the slice as its next step may serve it.

        A new sweep's slice is cut to what fits the memory. Staged blocks of an earlier run are
        looked for once; if they have expired, the slice starts over.
        """
        run = self._run
        if not piece.requests and piece.pass_name != FIRST_PASS:
            return fitted(run.ports.results, piece)
        if piece.start not in self._unchecked:
            return piece
        self._unchecked.discard(piece.start)
        if run.ports.results.has_staged(part_name(run.policy.scan, piece), piece.blocks):
            return piece
        bounds = (piece.start, piece.end)
        run.warn(f"staged blocks had expired: their slice starts over: {shown(bounds)}")
        afresh = piece.same_again(bounds)
        run.writer.change(ledgers.replaced(run.ledger, piece, (afresh,)))
        return afresh

    def _asked(self, piece: Slice) -> Slice:
        """Return the slice in the form in which the API is known to answer."""
        facts = self._run.ledger.api_facts
        return facing(asking.as_known(piece, facts), self._run.policy.direction, facts)

    def _timeout(self) -> float:
        """Return how long the request may take, in seconds."""
        run = self._run
        left = max(run.policy.budget - run.spent() - run.reserve(), REQUEST_LEAST_MS)
        return min(left, REQUEST_MS) / 1000

    def _note_sent(self) -> int:
        """Count a request that is sent now; return when that is, on the clock that never jumps."""
        run = self._run
        sent = run.ports.clock.elapsed()
        if run.ports.budget:
            run.ports.budget.take(sent)
        self.has_started = True
        run.tally.requests += 1
        return sent
