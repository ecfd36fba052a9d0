"""`plan`: what the next run would do and why, without doing it."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from shared.core.audit import history as histories
from shared.core.audit.history import History, records_per_hour
from shared.core.audit.status import status_of
from shared.core.model import Ledger, Policy
from shared.core.quoting import instant
from shared.core.state import ledger as ledgers
from shared.core.state.forecast import Plan, plan
from shared.core.state.layout import history_name
from shared.core.state.report import Outcome
from shared.operate.pausing import counted, duration
from shared.ports import DerivedStore, LedgerStore

ENDINGS: dict[Outcome, str] = {
    "idle": "nothing is due any more",
    "waiting": "everything that is due waits",
    "out-of-time": "the time budget is spent",
    "paused": "the scan is paused, so nothing is sent",
}
"""How a run ends that meets neither faults nor other runs."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The plan of the next run, and when the runs will have caught up.

    Attributes:
        plan: what the next run is expected to do.
        backlog_gone: when the backlog will be gone by the measured capacity, epoch ms; null if
            there is none, or if it grows.
    """

    plan: Plan
    backlog_gone: int | None


def read_plan(ledger: LedgerStore, derived: DerivedStore, policy: Policy, *, now: int) -> Forecast:
    """Return what the next run would do, from what is stored.

    Raises:
        LedgerError: the ledger cannot be read, or the run would refuse it.
        StoreUnavailable: storage cannot be reached or refuses.
    """
    content = ledger.load().content
    known = None if content is None else ledgers.decode(content)
    history = _history(derived, policy.scan)
    page = _page(known, policy)
    return Forecast(
        plan=plan(known, policy, now, per_hour=records_per_hour(history) / page),
        backlog_gone=status_of(known, history, [], policy, now=now).backlog_gone,
    )


def _page(ledger: Ledger | None, policy: Policy) -> int:
    """Return how many activities a page holds: as the open slices show it, or else the limit.

    A slice that is not finished yet has only had whole pages.
    """
    if ledger is None:
        return policy.limit
    seen = max((block.records for it in ledger.open for block in it.blocks), default=0)
    return seen or ledger.api_facts.limit or policy.limit


def _history(derived: DerivedStore, scan: str) -> History:
    content = derived.read(history_name(scan)).content
    known = None if content is None else histories.decode(content)
    return known or histories.empty(scan)


def lines_of(forecast: Forecast, most: int) -> Iterator[str]:
    """Yield a plan as lines of text, with so many of its requests."""
    it = forecast.plan
    yield f"{it.scan}: the next run would send {counted(len(it.requests), 'request', 'requests')}"
    yield from (f"  first it {said}" for said in it.first)
    for number, request in enumerate(it.requests[:most], start=1):
        begun = "resumes" if request.begun else "begins"
        stretch = f"{instant(request.start)} to {instant(request.end)}"
        yield f"  {number}. {begun} {request.look} {stretch}: {request.why}"
    if len(it.requests) > most:
        looks = Counter(request.look for request in it.requests[most:])
        told = ", ".join(f"{count:,} of {look}" for look, count in looks.items())
        yield f"  and then {told}"
    ending = ENDINGS.get(it.outcome, it.outcome)
    yield f"  it would end after {duration(it.ends - it.now)}: {ending}"
    yield from (f"  {said}" for said in it.waiting)
    if forecast.backlog_gone:
        yield f"  the backlog will be gone about {instant(forecast.backlog_gone)}"
    yield "  this assumes that the API answers as usual, with the usual number of activities"
