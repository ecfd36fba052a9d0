"""Taking in what a step brought back: save it, then commit what is finished."""

from concurrent.futures import Future
from dataclasses import replace
from hashlib import blake2b

import msgspec

from shared.core.api.answers import Fault, Throttle, Unaccepted, refused_in_every_form
from shared.core.clocks import noticeably_apart
from shared.core.errors import TokenRefused
from shared.core.model import FIRST_PASS, Ledger, Slice
from shared.core.slices import asking
from shared.core.slices.retreat import Outlook, retreat, shows_poison
from shared.core.slices.transitions import Draft, Transition
from shared.core.slices.traversal import unprobed
from shared.core.state import ledger as ledgers
from shared.core.state import pacing
from shared.core.state.planning import covered, is_sweep, out_of_reach
from shared.core.state.rooms import is_crowded, may_block, may_open
from shared.core.state.sweeps import is_looked_at_again
from shared.scan.committing import take
from shared.scan.learning import Learning
from shared.scan.pending import PendingStep
from shared.scan.quarantine import quarantine
from shared.scan.run import Run
from shared.scan.stepping import StepResult, Untimely
from shared.scan.upkeep import declare_lost

change = msgspec.structs.replace


class Absorber:
    """Takes in the results of a run's steps, one after the other."""

    def __init__(self, run: Run) -> None:
        """Begin before the first result."""
        self._run = run
        self._learning = Learning(run)
        self._renewed_at = 0
        self._throttled_at = 0
        self._has_declared = False

    def absorb(self, step: PendingStep, ended: Future[StepResult]) -> None:
        """Take a step's result into the ledger, save it, and commit what is finished.

        Raises:
            ScanError: the step met an error that ends the run, or storage cannot be used.
        """
        try:
            result = ended.result()
        except TokenRefused as error:
            self._renew_token(step, error)
            return
        self._note_duration(step, result)
        if isinstance(result.meaning, Untimely):
            self._put_back(step, result.meaning)
            return
        late = self._came_late(step, result)
        if result.answered is not None and not late:
            step = replace(step, slice=change(step.slice, last_answer=result.answered))
        self._absorb_meaning(step, result, late=late)
        if result.answered is not None and not (late or isinstance(result.meaning, Throttle)):
            self._declare_lost()

    def _absorb_meaning(self, step: PendingStep, result: StepResult, *, late: bool) -> None:
        match result.meaning:
            case Throttle() as throttle:
                self._throttled(step, throttle)
            case Unaccepted() as refusal:
                self._ask_for_less(step, refusal)
            case Fault() as fault:
                quarantine(self._run, step, fault, result.quarantined)
                self._take(step, self._retreat(step.slice, fault, is_page=result.is_page))
            case Transition() as transition if not late:
                self._note_page(step, result)
                self._learning.note_sorting(transition)
                self._take(step, transition)
            case _:  # Without this late page, what is known can still be finished.
                self._run.writer.save(self._run.ledger)

    def _take(self, step: PendingStep, transition: Draft | Transition) -> None:
        """Take what an answer did to its slice into the ledger, and commit what is finished."""
        self._run.tally.note_transition(transition, step.slice)
        take(self._run, step.slice, transition)

    def _declare_lost(self) -> None:
        """Declare lost what no answer can prove any more, once a run."""
        if not self._has_declared:
            self._has_declared = True
            declare_lost(self._run)

    def _note_duration(self, step: PendingStep, result: StepResult) -> None:
        """Note how long the step took, and the API's clock as its answer showed it."""
        run = self._run
        duration = run.ports.clock.elapsed() - step.sent
        paced = pacing.note_step(run.ledger.pacing, duration)
        run.writer.change(self._heard(change(run.ledger, pacing=paced), result.ahead))

    def _heard(self, ledger: Ledger, ahead: int | None) -> Ledger:
        if ahead is None:
            return ledger
        run = self._run
        if noticeably_apart(ahead):
            if run.tally.api_ahead is None:
                run.warn("the API's clock and the run's differ: see docs/runbook.md#clocks-differ")
            run.tally.api_ahead = ahead
        return ledgers.heard(ledger, ahead, run.now(), run.policy)

    def _put_back(self, step: PendingStep, untimely: Untimely) -> None:
        """Leave a slice as it was before an answer that the clocks forbid to use.

        Time that has not settled by the API's clock becomes due again once it has.
        """
        kept = (step.before,) if untimely.ends_run and step.before else ()
        if untimely.ends_run:
            self._run.end_for_clocks("the API's Date is more than a day from the run's time")
        self._run.writer.save(ledgers.replaced(self._run.ledger, step.slice, kept))

    def _came_late(self, step: PendingStep, result: StepResult) -> bool:
        """Say whether a first pass was answered when its slice was already out of reach."""
        if step.slice.pass_name != FIRST_PASS or result.answered is None:
            return False
        return out_of_reach(step.slice.start, result.answered, self._run.policy)

    def _renew_token(self, step: PendingStep, error: TokenRefused) -> None:
        """Sign in again, once: the token may have expired. The slice is asked for again.

        Requests that were already sent with the old token are forgiven, too.
        """
        if step.ordinal <= self._renewed_at:
            return
        if self._renewed_at or not self._run.ports.source.renew_token():
            raise error
        self._renewed_at = self._run.ledger.pacing.requests

    def _throttled(self, step: PendingStep, throttle: Throttle) -> None:
        """Let the whole scan wait; requests that were already sent met the same throttle."""
        run = self._run
        known = step.ordinal <= self._throttled_at
        paced = pacing.note_throttle(run.ledger.pacing, run.now(), throttle.wait, known=known)
        self._throttled_at = paced.requests
        run.tally.throttled += 1
        ledger = ledgers.replaced(run.ledger, step.slice, (step.slice,))
        run.writer.save(change(ledger, pacing=paced))

    def _note_page(self, step: PendingStep, result: StepResult) -> None:
        """Note that the API answers; a page requested before a throttle proves less."""
        run = self._run
        run.health = run.health.after_page()
        run.tally.bytes += result.staged
        ledger = change(run.ledger, pages=run.ledger.pages + 1)
        if step.ordinal > self._throttled_at:
            ledger = change(ledger, pacing=pacing.note_page(ledger.pacing))
        run.writer.change(ledger)
        self._learning.note_page(step, result)

    def _ask_for_less(self, step: PendingStep, refusal: Unaccepted) -> None:
        """Let a query that the API refuses be asked again in another form, while there is one."""
        run, piece = self._run, step.slice
        facts = run.ledger.api_facts
        if step.facts.refused != facts.refused:
            # Another step met the refusal first; this slice is asked for again in the new form.
            run.writer.save(ledgers.replaced(run.ledger, piece, (piece,)))
            return
        served = asking.is_about_the_slice(piece, facts, self._learning.served)
        lesser = asking.less(piece, run.policy, facts, refusal.said, served=served)
        if lesser:
            self._try(lesser, step, refusal)
        elif piece.mode != "page":
            self._take(step, unprobed(piece, run.policy))
        else:
            self._give_up_asking(step, refusal, served=served)

    def _try(self, lesser: asking.Less, step: PendingStep, refusal: Unaccepted) -> None:
        """Have a slice asked for in a lesser form."""
        run = self._run
        run.tally.faults += 1
        run.tally.last_fault = refusal.said
        learned = self._learning.learned(lesser.facts)
        ledger = ledgers.replaced(run.ledger, step.slice, (lesser.piece,))
        run.writer.save(change(ledger, api_facts=learned))

    def _give_up_asking(self, step: PendingStep, refusal: Unaccepted, *, served: bool) -> None:
        """Take a query that is refused in every form for a fault of its slice, or for a refusal.

        It is the slice's fault if the API has just served other slices. A scan that was served
        before keeps the fault in any case, so that the next run asks for another slice first.
        """
        run = self._run
        facts, fault = run.ledger.api_facts, Fault(kind="malformed", detail=refusal.said)
        piece = change(step.slice, limit=run.policy.limit)
        ledger = change(run.ledger, api_facts=facts if served else asking.in_full(facts))
        run.writer.change(ledgers.replaced(ledger, piece, (piece,)))
        if served or covered(run.ledger, FIRST_PASS):
            self._take(step, self._retreat(piece, fault))
        else:
            run.writer.save(run.ledger)
        if not served:
            tried = asking.attempts(step.slice, run.policy, facts, refusal.said)
            raise refused_in_every_form(refusal, tried)

    def _retreat(self, piece: Slice, fault: Fault, *, is_page: bool = False) -> Draft:
        run = self._run
        self._note_fault(piece, fault, is_page=is_page)
        now, sweeps = run.now(), is_sweep(piece)
        outlook = Outlook(
            pages=run.ledger.pages,
            again=is_looked_at_again(piece, run.ledger, now, run.policy),
            crowded=is_crowded(run.ledger, sweeps=sweeps),
            may_open=may_open(run.ledger),
            may_block=may_block(run.ledger, sweeps=sweeps),
        )
        return retreat(piece, fault, outlook, now=now, jitter=jitter(run.tally.run, piece))

    def _note_fault(self, piece: Slice, fault: Fault, *, is_page: bool) -> None:
        """Count a fault against the API, unless it is the slice's own.

        Neither a page that contradicts itself nor known poison shows an outage.
        """
        run = self._run
        known = is_page or piece.blocked or shows_poison(piece, fault, run.ledger.pages)
        if fault.kind != "unreadable" and not (fault.kind == "malformed" and known):
            run.health = run.health.after_fault(piece.start)


def jitter(run: str, piece: Slice) -> float:
    """Return a number in [0, 1) that differs by run, slice and attempt."""
    text = f"{run}/{piece.start}/{piece.faults}"
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest()) / 2**48
