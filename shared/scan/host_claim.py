"""The claim on an API host: while it holds, its owner alone sends requests to that host.

An invocation claims a host before the first of its scans runs, and releases it after the last. That
takes two saves. In between, the requests are counted in this process. Times between processes are
those of the storage service: what an instance's own clock says never counts. They are known to a
second or so, and each side takes the careful end of it: the owner stops early, and whoever waits
for a claim or a slot to end waits longer.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.core.clocks import ServiceTime
from shared.core.errors import StoreConflict
from shared.core.model import SECOND_MS, Answer, NoAnswer, Request
from shared.core.quoting import instant, quoted
from shared.core.state import host_budget
from shared.core.state.host_budget import HostBudget, Known
from shared.ports import ActivitySource, BudgetStore, Clock
from shared.sharing import REQUEST_LEAST_MS, SharedBudget, in_order, in_turn

HELP = "docs/runbook.md#busy"

ATTEMPTS = 3
"""How often to try to claim a host that others claim at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedHost:
    """An API host that several scans ask.

    Attributes:
        name: host and port.
        per_minute: how many requests its scans may send in a minute, together.
        store: its request budget.
        prepare: called before the budget is read; an error of it fails the scans.
    """

    name: str
    per_minute: int
    store: BudgetStore
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The claim is another invocation's.

    Attributes:
        warning: whose it is, and until when it holds.
    """

    warning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HostClaim:
    """A claim that holds.

    Attributes:
        host: what is claimed.
        stored: the budget as it was saved.
        etag: of that version.
        service: the storage service's clock.
        budget: what the scans may send.
        scans: their names, in the order in which they run.
        warning: why the budget that was stored before did not count; None if it did.
    """

    host: SharedHost
    stored: HostBudget
    etag: str
    service: ServiceTime
    budget: SharedBudget
    scans: Sequence[str]
    warning: str | None


def claim_host(
    host: SharedHost, clock: Clock, *, owner: str, length: int, scans: Sequence[str]
) -> HostClaim | Held:
    """Claim an API host for its scans.

    Args:
        host: what is claimed.
        clock: time.
        owner: random id of this invocation.
        length: how long the claim is to hold, in ms.
        scans: names of the scans that are to run.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses; the claim may have been saved, and
            then ends by itself.
    """
    for _ in range(ATTEMPTS):
        sent = clock.elapsed()
        saved = host.store.load()
        service = ServiceTime(date=saved.date, sent=sent, answered=clock.elapsed())
        known = host_budget.known(saved.content, host=host.name, modified=saved.modified)
        now = service.earliest(clock.elapsed())
        if host_budget.is_held(known.budget, now):
            return Held(warning=_held(host, known))
        turned = in_turn(scans, known.budget.first)
        claimed = host_budget.claimed(
            known.budget, owner=owner, until=now + length, first=turned[0]
        )
        etag = host.store.save(host_budget.encode(claimed), etag=saved.etag)
        if etag is not None:
            return HostClaim(
                host=host,
                stored=claimed,
                etag=etag,
                service=service,
                budget=_budget(host, service, known.budget, claimed),
                scans=in_order(scans, turned=turned, short_of_time=claimed.short_of_time),
                warning=known.problem and _unreadable(host, known.problem),
            )
    return Held(warning=f"several invocations claim {host.name} at the same time: see {HELP}")


def _budget(
    host: SharedHost, service: ServiceTime, before: HostBudget, claimed: HostBudget
) -> SharedBudget:
    """Return what may be sent until the claim ends, beside the slots that others have taken."""
    taken = host_budget.taken(before, host.per_minute)
    return SharedBudget(
        host.per_minute,
        ends=service.reached_at_the_earliest(claimed.claimed_until),
        taken=[service.reached(it) for it in taken],
    )


def release_host(claim: HostClaim, clock: Clock, *, short_of_time: Iterable[str]) -> None:
    """Let the next invocation claim the host, and leave it the slots that are still taken.

    Args:
        claim: the claim.
        clock: time.
        short_of_time: the scans whose runs ended because their time was over.

    Raises:
        StoreConflict: the claim had ended, and another invocation holds the host.
        StoreUnavailable: storage cannot be reached or refuses; the claim ends by itself.
    """
    now = clock.elapsed()
    claim.budget.settle(now)
    slots = [claim.service.latest(it) for it in claim.budget.taken(now)]
    free = host_budget.released(claim.stored, slots=slots, short_of_time=short_of_time)
    if claim.host.store.save(host_budget.encode(free), etag=claim.etag) is None:
        raise StoreConflict("it had ended, and another invocation has claimed the host since")


def _held(host: SharedHost, known: Known) -> str:
    until = instant(known.budget.claimed_until)
    if known.problem:
        return f"{_unreadable(host, known.problem)}: it counts as claimed until {until}, see {HELP}"
    owner = quoted(known.budget.owner)
    return f"another invocation (run {owner}) has claimed {host.name} until {until}: see {HELP}"


def _unreadable(host: SharedHost, problem: str) -> str:
    return f"the stored request budget of {host.name} cannot be read ({quoted(problem)})"


class SourceWithinClaim:
    """The `ActivitySource` of a claimed host: no request is sent or awaited after the claim."""

    def __init__(self, source: ActivitySource, budget: SharedBudget, clock: Clock) -> None:
        """Pass requests on to a source."""
        self._source = source
        self._budget = budget
        self._clock = clock

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Send a request that has to be answered before the claim ends; see the port."""
        left = self._budget.left(self._clock.elapsed())
        if left < REQUEST_LEAST_MS:
            return NoAnswer(kind="unsent", detail="the claim on the API host has ended")
        return self._source.ask(request, timeout=min(timeout, left / SECOND_MS))

    def renew_token(self) -> bool:
        """Sign in again before the next request; see the port."""
        return self._source.renew_token()
