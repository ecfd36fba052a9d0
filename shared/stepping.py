"""One step: a request with its effects. It runs in a worker and touches no ledger."""

from dataclasses import dataclass

import msgspec

from shared.core.answers import HTTP_BAD, Fault, Throttle, read_answer
from shared.core.errors import PartUnreadable
from shared.core.layout import part_name
from shared.core.model import DAY_MS, Answer, Ledger, NoAnswer, Policy, Slice
from shared.core.records import Page, encode_block
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
        strange: the beginning of an answer that made no sense.
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
    """Send one request, take its page into the slice, stage the records. Runs in a worker."""
    ports, policy = tools.ports, tools.policy
    try:
        index = tools.indexes.of(piece, ledger)
    except PartUnreadable as error:
        return Landing(verdict=Fault(kind="unreadable", detail=str(error)))
    answer = ports.source.ask(next_query(piece, policy), timeout=timeout)
    local = ports.clock.now()
    answered = max(local, getattr(answer, "date", None) or local)
    strange = _strange(answer, piece, local)
    verdict: Page | Turn | Fault | Throttle = strange or read_answer(answer, now=answered)
    beginning = answer.body[:STRANGE_BYTES] if isinstance(answer, Answer) else None
    del answer  # Its records have been copied; a step holds one page, and no second one.
    if isinstance(verdict, Page):
        verdict = absorb(change(piece, last_answer=answered), verdict, policy, index)
    if isinstance(verdict, Fault) and verdict.kind == "malformed":
        return Landing(verdict=verdict, strange=beginning)
    if not isinstance(verdict, Turn) or not verdict.records:
        return Landing(verdict=verdict)
    block, content = encode_block(verdict.records, epoch=ledger.epoch, number=len(piece.blocks))
    ports.results.stage_block(part_name(policy.scan, piece), block, content)
    return Landing(verdict=verdict.with_block(block), staged=block.size)


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
