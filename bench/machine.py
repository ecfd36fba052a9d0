"""The simulated computer of a collector: its clock, its crashes, its line to the simulated API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator import chance
from simulator.answers import Answer, written
from simulator.faults import Fault, altered, due, instead, sent
from simulator.listening import Reply
from simulator.paging import estimated, turn
from simulator.queries import Query
from simulator.refusals import for_status, throttled
from simulator.throttling import Throttle

if TYPE_CHECKING:
    from simulator import Switches, Tenant
    from simulator.paging import Page


class Killed(BaseException):
    """The process is killed: no handler runs, and nothing else happens."""


class NoReply(OSError):
    """No complete answer arrived."""


class Clock:
    """A clock that moves only when something takes time. It also serves as the scan's `Clock`."""

    def __init__(self, start: int) -> None:
        self.at = start

    def now(self) -> int:
        """Return the time (epoch ms)."""
        return self.at

    def elapsed(self) -> int:
        """Return milliseconds since some moment."""
        return self.at

    def sleep(self, milliseconds: int) -> None:
        """Let time pass."""
        self.at += milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Deaths:
    """How often and how early runs are killed.

    Attributes:
        every: one of so many runs is killed; 0 kills none.
        within: it is killed before or after one of its first so many effects (requests, writes).
        limit: ms after which the platform ends any run.
        seed: decides at which effect.
    """

    every: int = 0
    within: int = 6
    limit: int = 600_000
    seed: int = 0


class Machine:
    """Runs a collector's invocations, and kills some of them early.

    Attributes:
        clock: the machine's clock.
        killed: the number of runs that were killed.
    """

    def __init__(self, clock: Clock, deaths: Deaths) -> None:
        self.clock = clock
        self.deaths = deaths
        self.killed = 0
        self._runs = 0
        self._fatal = 0
        self._done = 0
        self._deadline = 0

    def begin(self) -> None:
        """Start a run, and decide whether and where it will be killed."""
        self._runs += 1
        self._done = 0
        self._deadline = self.clock.now() + self.deaths.limit
        dies = self.deaths.every and self._runs % self.deaths.every == 0
        drawn = chance.below(2 * self.deaths.within, self.deaths.seed, "dies at", self._runs)
        self._fatal = drawn + 1 if dies else 0

    def left(self) -> int:
        """Return the time until the platform ends this run (ms)."""
        return max(0, self._deadline - self.clock.now())

    def before(self) -> None:
        """Note that an effect is about to happen."""
        self._pass()

    def after(self) -> None:
        """Note that the effect has happened."""
        self._pass()

    def _pass(self) -> None:
        self._done += 1
        if self._done == self._fatal or self.clock.now() > self._deadline:
            self.killed += 1
            raise Killed


class Line:
    """The simulated API without sockets, for the only client of one tenant.

    Attributes:
        requests: the number of requests sent.
    """

    def __init__(
        self, tenant: Tenant, switches: Switches, faults: tuple[Fault, ...], machine: Machine
    ) -> None:
        self.tenant = tenant
        self.switches = switches
        self.faults = faults
        self.machine = machine
        self.requests = 0
        self._throttle = Throttle()

    def post(self, body: dict[str, Any], *, timeout_ms: int) -> Reply:
        """Send one request and return its complete answer.

        Raises:
            NoReply: no answer arrived within the timeout, or the connection broke.
            Killed: the process was killed before or after the request.
        """
        self.machine.before()
        self.requests += 1
        query = Query(
            filters=body.get("filters") or {},
            is_scan=body.get("isScan", False),
            limit=body.get("limit"),
            sort_field=body.get("sortField", "date"),
            sort_direction=body.get("sortDirection", "desc"),
        )
        faults = due(self.faults, self.requests, query)
        reply = sent(self._answer(query, faults), faults)
        self._deliver(reply, timeout_ms)
        self.machine.after()
        return reply

    def _answer(self, query: Query, faults: list[Fault]) -> Reply:
        now, switches = self.machine.clock.now(), self.switches
        for fault in faults:
            if fault.kind == "status":
                status = int(fault.value or 0)
                return for_status(status, number=self.requests, now_ms=now, switches=switches)
        wait = self._throttle.wait_seconds(now, switches.throttle_per_minute)
        if wait is not None:
            return throttled(wait, now_ms=now, switches=switches)
        replaced = instead(faults)
        if replaced is not None:
            return replaced
        return self._page(query, turn(self.tenant, query, switches, now), faults)

    def _page(self, query: Query, page: Page, faults: list[Fault]) -> Reply:
        answer = Answer(
            query=query,
            records=[self.tenant.bytes_of(row) for row in page.rows],
            keys=page.keys,
            has_next=page.has_next,
            next_filters=page.next_filters,
            total=estimated(page.total, self.switches, self.requests),
            foreign=list,
        )
        altered(answer, faults)
        return Reply(status=200, body=written(answer, data_first=True, pretty=False))

    def _deliver(self, reply: Reply, timeout_ms: int) -> None:
        """Let the time pass that the answer takes, or fail as the faults demand."""
        latency = self.switches.latency_seconds
        seconds = latency(self.requests) if callable(latency) else latency
        needed = round(1000 * (seconds + reply.delivery.delay_seconds))
        silent = reply.delivery.silent or needed > timeout_ms
        waited = timeout_ms if silent else needed
        self.machine.clock.sleep(min(waited, self.machine.left() + 1))
        if silent:
            self.machine.after()
            message = f"no answer within {timeout_ms} ms"
            raise NoReply(message)
        if reply.delivery.reset or reply.delivery.cut_after is not None:
            message = "the connection broke"
            raise NoReply(message)
