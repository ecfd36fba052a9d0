"""One step: a request with its effects. It runs in a worker and touches no ledger."""

import re
from dataclasses import dataclass
from traceback import extract_tb

import msgspec

from shared.core.api.answers import (
    HTTP_BAD,
    Fault,
    Throttle,
    Unaccepted,
    read_answer,
    unaccepted,
    unanswered,
)
from shared.core.api.pages import Page
from shared.core.clocks import apart, too_far_apart
from shared.core.errors import PartUnreadable, ScanError
from shared.core.model import Answer, Ledger, NoAnswer, Policy, Slice
from shared.core.quoting import quoted
from shared.core.slices.asking import ignores_sort_field
from shared.core.slices.requests import next_request
from shared.core.slices.sifting import Index
from shared.core.slices.transitions import Draft, Transition
from shared.core.slices.traversal import absorb
from shared.core.state.layout import part_name
from shared.ports import Ports, ResultStore
from shared.scan.run_clock import RunClock
from shared.scan.stored import Indexes

QUARANTINE_BYTES = 1024 * 1024
"""How much of an answer that made no sense is kept in the quarantine."""

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Untimely:
    """An answer that is not used because of what its `Date` says about the clocks.

    Attributes:
        ends_run: whether the clocks differ so much that no time can be trusted. Otherwise the slice
            has not settled yet by the API's clock.
    """

    ends_run: bool


Decided = Draft | Fault | Throttle | Unaccepted | Untimely
"""What the core decides about an answer, before anything is staged."""

Meaning = Transition | Fault | Throttle | Unaccepted | Untimely
"""What an answer means for its slice: a transition, or the reason why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What a step brought back.

    Attributes:
        meaning: what the answer means for the slice.
        answered: when an answer of any kind arrived, by the run's time or by its `Date`, whichever
            is later; None when no answer arrived.
        ahead: how far the API's clock is ahead of the run's; None when the answer did not say.
        staged: size of the staged block, in compressed bytes.
        quarantined: the beginning of an answer that made no sense; None when no answer is to
            blame.
        promising: number of records on a page that says that there are more; None for other
            answers.
        disordered: whether such a page ignores the sort field that was asked for.
        is_page: whether the answer was a page, even if it contradicts the query or itself.
    """

    meaning: Meaning
    answered: int | None = None
    ahead: int | None = None
    staged: int = 0
    quarantined: bytes | None = None
    promising: int | None = None
    disordered: bool = False
    is_page: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What all steps of a run work with.

    Attributes:
        ports: API and storage.
        clock: the run's time.
        policy: how the scan is done.
        indexes: what the parts hold already, for sweeps.
    """

    ports: Ports
    clock: RunClock
    policy: Policy
    indexes: Indexes


def run_step(tools: Tools, piece: Slice, ledger: Ledger, *, timeout: float) -> StepResult:
    """Send one request, take its page into the slice, and stage the records. Runs in a worker.

    An unexpected error counts as a fault of the slice. If the slice's answer caused it, all other
    slices are still served.

    Raises:
        ScanError: the API or the sign-in refuses the request, or storage cannot be used.
        MemoryError: the process has run out of memory, which is not the slice's fault.
    """
    step = _Step(tools, piece, ledger)
    try:
        return step.run(timeout)
    except PartUnreadable as error:
        return step.result(Fault(kind="unreadable", detail=str(error)))
    except (ScanError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, only this slice fails
        detail = _described(error, returned=step.returned)
        return step.result(Fault(kind="unexpected", detail=detail), quarantined=step.beginning)


class _Step:
    """A step in its worker. It remembers what the result must say if the answer makes no sense."""

    def __init__(self, tools: Tools, piece: Slice, ledger: Ledger) -> None:
        self.tools = tools
        self.piece = piece
        self.ledger = ledger
        self.returned = False
        self.answered: int | None = None
        self.ahead: int | None = None
        self.beginning: bytes | None = None
        self.promising: int | None = None
        self.disordered = False
        self.is_page = False

    def run(self, timeout: float) -> StepResult:
        """Do everything that one request involves."""
        index = self.tools.indexes.of(self.piece, self.ledger)
        return self._carried_out(self._ask(index, timeout))

    def result(
        self, meaning: Meaning, *, staged: int = 0, quarantined: bytes | None = None
    ) -> StepResult:
        """Return what the step brings back."""
        return StepResult(
            meaning=meaning,
            answered=self.answered,
            ahead=self.ahead,
            staged=staged,
            quarantined=quarantined,
            promising=self.promising,
            disordered=self.disordered,
            is_page=self.is_page,
        )

    def _ask(self, index: Index, timeout: float) -> Decided:
        policy, piece, clock = self.tools.policy, self.piece, self.tools.clock
        sent = clock.now()
        query = next_request(piece, policy, self.ledger.api_facts)
        answer = self.tools.ports.source.ask(query, timeout=timeout)
        self.returned = True
        if isinstance(answer, NoAnswer):
            return unanswered(answer)
        self.beginning = answer.body[:QUARANTINE_BYTES]
        now, date = clock.now(), answer.date
        self.answered = answered = max(now, date or now)
        self.ahead = None if date is None else apart(date, sent=sent, answered=now)
        if self.ahead is not None and too_far_apart(self.ahead):
            return Untimely(ends_run=True)
        page = _not_accepted(answer, piece) or read_answer(answer, now=answered)
        del answer  # Its records have been copied; a step holds one page, and no second one.
        if not isinstance(page, Page):
            return page
        self.is_page = True
        if _is_early(piece, date, policy):
            return Untimely(ends_run=False)
        self._look_at(page)
        return absorb(change(_timed(piece, date), last_answer=answered), page, policy, index)

    def _look_at(self, page: Page) -> None:
        """Note whether the page observes the limit and the sort field."""
        self.promising = len(page.records) if page.has_next else None
        self.disordered = ignores_sort_field(page, self.piece, self.tools.policy.axis)

    def _carried_out(self, decided: Decided) -> StepResult:
        """Stage what an answer brought, and return the result."""
        if isinstance(decided, Fault) and decided.kind == "malformed":
            return self.result(decided, quarantined=self.beginning)
        if not isinstance(decided, Draft):
            return self.result(decided)
        transition, size = staged(self.tools.ports.results, decided, self.ledger)
        return self.result(transition, staged=size)


def staged(results: ResultStore, draft: Draft, ledger: Ledger) -> tuple[Transition, int]:
    """Stage the blocks of a draft; return its transition, and the size of its records' block.

    The trailer must be staged before the save that begins the commit, because that save fixes the
    block list.
    """
    blocks = []
    for block, content in draft.blocks(ledger.epoch):
        results.stage_block(part_name(ledger.scan, draft.successor), block, content)
        blocks.append(block)
    return draft.built(blocks), sum(block.size for block in blocks if not block.is_trailer)


def _described(error: Exception, *, returned: bool) -> str:
    """Describe an error; before an answer without its text, which may hold the token."""
    *_, innermost = extract_tb(error.__traceback__)
    file = re.split(r"[\\/]", innermost.filename)[-1]
    place = f"{file}:{innermost.lineno}"
    said = f": {quoted(str(error))}" if returned and str(error) else ""
    return f"unexpected {type(error).__name__} in {place}{said}"


def _not_accepted(answer: Answer, piece: Slice) -> Fault | Unaccepted | None:
    """Return what a 400 means: a fault if it answers the API's own continuation, else a refusal."""
    if answer.status != HTTP_BAD:
        return None
    if piece.continuation is None:
        return unaccepted(answer)
    return Fault(kind="malformed", detail="HTTP 400 to the API's own nextQueryFilters")


def _is_early(piece: Slice, date: int | None, policy: Policy) -> bool:
    """Say whether the API's clock had not settled the whole slice when it sent its first page.

    Later pages may come from a clock that was put back meanwhile: what they add had settled.
    """
    return date is not None and not piece.has_begun and piece.end > date - policy.settle


def _timed(piece: Slice, date: int | None) -> Slice:
    """Return the slice with its first request no later than the `Date` of its first page."""
    if date is None or piece.first_request is None or piece.has_begun:
        return piece
    return change(piece, first_request=min(piece.first_request, date))
