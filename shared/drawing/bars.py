"""The bars of the page: the last runs, the request budget, and how late activities came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.core.audit.pace import Budget, Ran
from shared.core.audit.status import Status
from shared.drawing.words import count

RUN_HEIGHT = 44
"""The longest run is so high, in units of the picture."""

LEAST_HEIGHT = 3

KINDS = ("worked", "idle", "troubled", "failed")

TROUBLED = {"faults", "clocks differ"}
FAILED = {"failed"}
IDLE = {"busy", "paused", "superseded"}
"""Outcomes of runs that did nothing, for a good reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBar:
    """One run.

    Attributes:
        x: of its left edge.
        height: for how long it took.
        kind: `worked`, `idle`, `troubled` or `failed`.
        ran: the run.
    """

    x: int
    height: float
    kind: str
    ran: Ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """How many late activities there are of one kind.

    Attributes:
        name: the kind.
        number: how many.
        share: of the largest number, in percent.
    """

    name: str
    number: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetBar:
    """The request budget as a bar; all lengths in percent of its width.

    Attributes:
        first: length of the need of the first pass.
        sweeps: length of the need of the sweeps, behind it.
        capacity: where the capacity ends.
        sent: where ends what was sent; None if that is not known.
        says: the bar in one sentence.
    """

    first: float
    sweeps: float
    capacity: float
    sent: float | None
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """All bars of a scan.

    Attributes:
        runs: the oldest first.
        kinds: the kinds of runs that occur, in the order of the legend.
        budget: None before the first run.
        lateness: by how late activities came.
        sweeps: by the sweep that found them.
    """

    runs: tuple[RunBar, ...]
    kinds: tuple[str, ...]
    budget: BudgetBar | None
    lateness: tuple[Late, ...]
    sweeps: tuple[Late, ...]


def bars_of(status: Status) -> Bars:
    """Return the bars of a scan."""
    runs = run_bars(status.runs)
    found = {it.kind for it in runs}
    return Bars(
        runs=runs,
        kinds=tuple(it for it in KINDS if it in found),
        budget=budget_bar(status.budget) if status.budget else None,
        lateness=late_bars({_named(name): it for name, it in status.lateness.items()}),
        sweeps=late_bars(status.late_by_pass),
    )


def run_bars(runs: Sequence[Ran]) -> tuple[RunBar, ...]:
    """Return a bar for each run, as high as the run was long."""
    longest = max((it.duration_seconds for it in runs), default=0) or 1
    return tuple(
        RunBar(
            x=10 * place,
            height=round(max(LEAST_HEIGHT, RUN_HEIGHT * it.duration_seconds / longest), 1),
            kind=_kind(it.outcome),
            ran=it,
        )
        for place, it in enumerate(runs)
    )


def _kind(outcome: str) -> str:
    kinds = (("failed", FAILED), ("troubled", TROUBLED), ("idle", IDLE))
    return next((name for name, outcomes in kinds if outcome in outcomes), "worked")


def _named(lateness: str) -> str:
    return "later" if lateness == "more" else f"up to {lateness}"


def late_bars(found: Mapping[str, int]) -> tuple[Late, ...]:
    """Return a bar for each number of late activities, as long as its share of the largest."""
    most = max(found.values(), default=0) or 1
    return tuple(
        Late(name=name, number=number, share=round(100 * number / most, 1))
        for name, number in found.items()
    )


def budget_bar(budget: Budget) -> BudgetBar:
    """Return the budget as a bar: as long as what is allowed, or as what is needed if more."""
    first, sweeps = budget.first or 0, budget.sweeps or 0
    most = max(budget.limit, first + sweeps, budget.sent or 0, 1)

    def share(number: int) -> float:
        return round(100 * number / most, 2)

    return BudgetBar(
        first=share(first),
        sweeps=share(sweeps),
        capacity=share(budget.capacity),
        sent=None if budget.sent is None else share(budget.sent),
        says=f"{count(first + sweeps)} requests a day are needed, and the runs can send "
        f"{count(budget.capacity)}.",
    )
