"""The machine: what was asked and seen so far → the next question, or the end.

It is a value. Whoever drives it sends the request of `next_question`, looks at the answer, and
hands what was seen to `noted`. Nothing is asked twice unless a second attempt may bring more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shared.core.audit.doctor.looking import Seen
from shared.core.audit.doctor.words import Question
from shared.core.model import DAY_MS, HOUR_MS, SECOND_MS, Direction, Policy

REQUESTS_MOST = 20
"""Requests of one examination, second attempts included."""

ATTEMPTS_MOST = 2
"""How often one question is asked, if the first time brought no answer."""

WINDOW_MS = 8 * DAY_MS
"""The window begins so long ago, because by then even the latest activities have been saved."""

SETTLED_MS = HOUR_MS
"""And ends so long ago, so that few activities arrive while questions are asked."""

PASSING = frozenset({"throttled", "fault", "no answer"})
"""Results after which a second attempt may bring an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """How far an examination of the API has come.

    Attributes:
        now: when it began, epoch ms.
        policy: the scan whose settings it judges.
        seen: every question with what its answer showed, in order.
    """

    now: int
    policy: Policy
    seen: tuple[Seen, ...] = ()

    @property
    def window(self) -> tuple[int, int]:
        """The event times that most questions are about, both inclusive.

        It begins a millisecond after a whole second, because many sources only state whole
        seconds, and a query that begins where activities are is what some questions are about.
        """
        back = min(WINDOW_MS, self.policy.reach * 3 // 4)
        return _odd(self.now - back), _odd(self.now - min(SETTLED_MS, back // 2))

    @property
    def is_over(self) -> bool:
        """Whether no further request may be sent: the budget is used up, or access is refused."""
        return len(self.seen) >= REQUESTS_MOST or self.refusal is not None

    @property
    def refusal(self) -> Seen | None:
        """The answer that refused access, after which nothing more is asked."""
        last = self.seen[-1] if self.seen else None
        if last is None or last.exchange.result != "refused":
            return None
        return None if self.may_ask(last.asked.question) else last

    def may_ask(self, question: Question) -> bool:
        """Say whether a question has not been answered, and another attempt may help."""
        before = [it for it in self.seen if it.asked.question == question]
        if not before:
            return True
        again = before[-1].exchange.result in PASSING or before[-1].renewable
        return again and len(before) < ATTEMPTS_MOST

    def last(self, question: Question) -> Seen | None:
        """Return what the last attempt at a question showed, None if it was not asked."""
        return next((it for it in reversed(self.seen) if it.asked.question == question), None)

    def page(self, *questions: Question) -> Seen | None:
        """Return the first of these questions that the API answered with a page, even empty."""
        found = (self.last(question) for question in questions)
        return next((it for it in found if it is not None and it.is_page), None)

    def is_unaccepted(self, question: Question) -> bool:
        """Say whether the API answered a question with 400."""
        seen = self.last(question)
        return seen is not None and seen.exchange.result == "not accepted"

    @property
    def pages(self) -> Iterator[Seen]:
        """Every question that the API answered with a page, even empty."""
        return (it for it in self.seen if it.is_page)

    @property
    def base(self) -> Seen | None:
        """The page of the window on which further questions build."""
        return self.page(
            "ascending", "without sortField", "without sortDirection", "in the documented form"
        )

    @property
    def refuses_field(self) -> bool:
        """Whether the API refuses queries that state `sortField`."""
        return self.is_unaccepted("ascending") and not self._accepts("without sortDirection")

    @property
    def refuses_direction(self) -> bool:
        """Whether the API refuses queries that state `sortDirection`."""
        return self.is_unaccepted("ascending") and not self._accepts("without sortField")

    def _accepts(self, question: Question) -> bool:
        return self.page(question) is not None

    @property
    def upward(self) -> tuple[bool, Direction | None]:
        """Whether the API can be had to answer in ascending order, and the direction to ask for."""
        tries: tuple[tuple[Question, Direction | None], ...] = (
            ("ascending", "asc"),
            ("without sortField", "asc"),
            ("descending", "desc"),
            ("in the documented form", None),
        )
        for question, direction in tries:
            seen = self.page(question)
            if seen is not None and seen.exchange.by_date == "ascending":
                return True, direction
        return False, "asc"


def _odd(instant: int) -> int:
    return instant // SECOND_MS * SECOND_MS + 1


def noted(probing: Probing, seen: Seen) -> Probing:
    """Return the machine after one more answer."""
    return replace(probing, seen=(*probing.seen, seen))
