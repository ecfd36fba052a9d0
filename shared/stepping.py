"""One step: a request with its effects. It runs in a worker and touches no ledger."""

from dataclasses import dataclass
from pathlib import PurePath
from traceback import extract_tb

import msgspec

from shared.core.answers import HTTP_BAD, Fault, Throttle, read_answer
from shared.core.errors import PartUnreadable, ScanError
from shared.core.layout import part_name
from shared.core.model import DAY_MS, Answer, Ledger, NoAnswer, Policy, Slice
from shared.core.quoting import quoted
from shared.core.records import Page, encode_block
from shared.core.sifting import Index
from shared.core.traversal import absorb, next_query
from shared.core.turns import Turn
from shared.ports import Ports
from shared.sweeping import Indexes

STRANGE_BYTES = 1024 * 1024
"""How much of an answer that made no sense is kept for people."""

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What a step brought back.

    Attributes:
        verdict: what the answer did to the slice, or what came instead of a page.
        staged: bytes of the block, compressed.
        strange: the beginning of an answer that made no sense, None when no answer is to blame.
    """

    verdict: Turn | Fault | Throttle
    staged: int = 0
    strange: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What all steps of a run work with."""

    ports: Ports
    policy: Policy
    indexes: Indexes


def run_step(tools: Tools, piece: Slice, ledger: Ledger, *, timeout: float) -> Landing:
    """Send one request, take its page into the slice, stage the records. Runs in a worker.

    An error that nobody expected is a fault of the slice: if its answer caused it, every other
    slice is still served.

    Raises:
        ScanError: the API or its sign-in refuses us, or storage cannot be used.
        MemoryError: no slice is to blame for it.
    """
    step = _Step(tools, piece, ledger)
    try:
        return step.run(timeout)
    except PartUnreadable as error:
        return Landing(verdict=Fault(kind="unreadable", detail=str(error)))
    except (ScanError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this slice's trouble
        fault = Fault(kind="unexpected", detail=_described(error, answered=step.answered))
        return Landing(verdict=fault, strange=step.beginning)


class _Step:
    """One step under way; it remembers the answer's beginning in case that makes no sense."""

    def __init__(self, tools: Tools, piece: Slice, ledger: Ledger) -> None:
        self.tools = tools
        self.piece = piece
        self.ledger = ledger
        self.answered = False
        self.beginning: bytes | None = None

    def run(self, timeout: float) -> Landing:
        """Do everything that one request brings with it."""
        index = self.tools.indexes.of(self.piece, self.ledger)
        return self._land(self._ask(index, timeout))

    def _ask(self, index: Index, timeout: float) -> Turn | Fault | Throttle:
        ports, policy, piece = self.tools.ports, self.tools.policy, self.piece
        answer = ports.source.ask(next_query(piece, policy), timeout=timeout)
        self.answered = True
        if isinstance(answer, Answer):
            self.beginning = answer.body[:STRANGE_BYTES]
        local = ports.clock.now()
        answered = max(local, getattr(answer, "date", None) or local)
        verdict = _strange(answer, piece, local) or read_answer(answer, now=answered)
        del answer  # Its records have been copied; a step holds one page, and no second one.
        if not isinstance(verdict, Page):
            return verdict
        return absorb(change(piece, last_answer=answered), verdict, policy, index)

    def _land(self, verdict: Turn | Fault | Throttle) -> Landing:
        if isinstance(verdict, Fault) and verdict.kind == "malformed":
            return Landing(verdict=verdict, strange=self.beginning)
        if not isinstance(verdict, Turn) or not verdict.records:
            return Landing(verdict=verdict)
        epoch, number = self.ledger.epoch, len(self.piece.blocks)
        block, content = encode_block(verdict.records, epoch=epoch, number=number)
        name = part_name(self.tools.policy.scan, self.piece)
        self.tools.ports.results.stage_block(name, block, content)
        return Landing(verdict=verdict.with_block(block), staged=block.size)


def _described(error: Exception, *, answered: bool) -> str:
    """Return what went wrong and where; before an answer the text may hold the token."""
    *_, innermost = extract_tb(error.__traceback__)
    place = f"{PurePath(innermost.filename).name}:{innermost.lineno}"
    said = f": {quoted(str(error))}" if answered and str(error) else ""
    return f"unexpected {type(error).__name__} in {place}{said}"


def _strange(answer: Answer | NoAnswer, piece: Slice, local: int) -> Fault | None:
    """Return what makes an answer none, whatever it says: it contradicts us or the calendar."""
    if isinstance(answer, NoAnswer):
        return None
    if answer.status == HTTP_BAD and piece.continuation is not None:
        return Fault(kind="malformed", detail="HTTP 400 to the API's own nextQueryFilters")
    if answer.date is not None and answer.date > local + DAY_MS:
        # By that clock everything would be past the API's reach, and be declared lost for good.
        detail = f"its Date is {(answer.date - local) / DAY_MS:.0f} days ahead of the local clock"
        return Fault(kind="malformed", detail=detail)
    return None
