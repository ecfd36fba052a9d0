"""What the answers of a run show about the API: which forms of query it accepts and ignores."""

import msgspec

from shared import __version__
from shared.core.model import ApiFacts, Slice
from shared.core.slices import asking
from shared.core.slices.facts import sorting, stamped
from shared.core.slices.transitions import Transition
from shared.scan.pending import PendingStep
from shared.scan.run import Run
from shared.scan.stepping import StepResult

change = msgspec.structs.replace


class Learning:
    """Turns answers into facts about the API. The next save of the ledger stores them.

    Attributes:
        served: the forms of query that the API has answered with a page in this run.
    """

    def __init__(self, run: Run) -> None:
        """Begin with what the ledger knows."""
        self.served: set[asking.Form] = set()
        self._run = run
        self._sizes: dict[int, list[int]] = {}

    def learned(self, facts: ApiFacts) -> ApiFacts:
        """Return facts that were learned now, by this version of the program."""
        return stamped(facts, now=self._run.now(), program=__version__)

    def note_page(self, step: PendingStep, result: StepResult) -> None:
        """Note which form of query a page answers, and what it ignores of the query."""
        self.served.add(asking.form_of(step.slice, step.facts))
        facts = self._run.ledger.api_facts
        if facts.trial == (step.slice.start, step.slice.end):
            self._end_trial(facts)
        if result.promising is not None:
            self._note_size(result.promising, step.slice.limit)
        if result.disordered:
            self._note_disorder(step.slice)

    def note_sorting(self, transition: Transition) -> None:
        """Note that the API has answered in another direction than it was asked for."""
        if transition.sorts:
            asked, answered = transition.sorts
            self._learn(
                sorting(self._run.ledger.api_facts, asked, answered),
                f"the API answers in the direction {answered} where {asked} is asked for: see "
                "docs/runbook.md#sort-direction",
            )

    def _end_trial(self, facts: ApiFacts) -> None:
        """End a trial: the API has accepted a lesser form of a query that it had refused."""
        settled = asking.settled(facts, self.served)
        if settled.refused:
            self._run.warn_once(asking.agreed(settled))
        self._run.writer.change(change(self._run.ledger, api_facts=settled))

    def _note_size(self, size: int, limit: int) -> None:
        """Note how many records a page held that says that there are more."""
        sizes = self._sizes.setdefault(limit, [])
        sizes.append(size)
        facts, cap = self._run.ledger.api_facts, asking.page_cap(sizes, limit)
        if cap is not None and cap != facts.limit:
            self._learn(change(facts, limit=cap), asking.ignores_limit(sizes, limit))

    def _note_disorder(self, piece: Slice) -> None:
        """Note that the API does not sort by the field that it was asked to sort by."""
        facts = self._run.ledger.api_facts
        if piece.mode == "dense" and not facts.plain_dense:
            self._learn(change(facts, plain_dense=True), asking.UNSORTED_DENSE)
        elif piece.mode != "dense":
            self._run.warn_once(asking.UNSORTED_AXIS)

    def _learn(self, facts: ApiFacts, warning: str) -> None:
        run = self._run
        run.writer.change(change(run.ledger, api_facts=self.learned(facts)))
        run.warn_once(warning)
