"""Four ways to collect activities, each as a timer would run it.

The first three follow descriptions of collectors in use. Each keeps the state and handles the
faults that collectors of its kind do, and no more.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from bench.machine import Line, Machine, NoReply
from bench.stores import Ledgers, Results
from harness.at_once import workers
from shared.core.errors import ScanError
from shared.core.model import Answer, NoAnswer, Policy, Request
from shared.core.state.report import Tally
from shared.ports import Ports
from shared.scan import scan_once

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUTE = 60_000
DAY = 1440 * MINUTE

TIMEOUT_MS = 120_000
"""How long a careful collector waits for an answer."""


class Failed(Exception):
    """A run ends with an error; the next run starts from the kept state."""


class Sink:
    """Where a collector writes: records are appended at once and never removed.

    Attributes:
        stored: the `_id` of every record, in the order of writing.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.stored: list[str] = []

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        """Append records, all or none."""
        self.machine.before()
        self.stored += [record["_id"] for record in records]
        self.machine.after()


class Collector(Protocol):
    """One collector on one machine.

    Attributes:
        every: ms between two runs.
    """

    every: int

    def run(self) -> None:
        """Collect once, as the timer would."""
        ...

    def stored(self) -> list[str]:
        """Return the `_id` of every record that a reader sees, repetitions included."""
        ...

    def declared(self) -> list[tuple[int, int]]:
        """Return the intervals that it declares lost or in doubt."""
        ...


class SampleLoop:
    """The loop of the API's documentation, once a day over the past day.

    It follows the continuation, ignores the status and missing data, keeps all records in memory
    until the end, and has no state.
    """

    every = DAY

    def __init__(self, line: Line, machine: Machine) -> None:
        self.line = line
        self.sink = Sink(machine)

    def run(self) -> None:
        """Collect the past day."""
        request: dict[str, Any] = {
            "filters": {"date": {"gte_ndays": 1}},
            "isScan": True,
            "sortDirection": "asc",
        }
        records: list[dict[str, Any]] = []
        more = True
        while more:
            content = _parsed(self.line.post(request, timeout_ms=DAY).body)
            records += content.get("data") or []
            more = content.get("hasNext", False)
            request["filters"] = content.get("nextQueryFilters")
        self.sink.write(records)

    def stored(self) -> list[str]:
        """Return what was written."""
        return self.sink.stored

    def declared(self) -> list[tuple[int, int]]:
        """Return nothing: this collector notices no loss."""
        return []


class DownwardLoop:
    """Walks down from now to the start of the last run, with `date.lte` from each continuation.

    It writes pages as they come, and saves the start of the run if the whole run succeeds. It stops
    at an empty page. Any answer that is not a page ends the run with an error.
    """

    every = 5 * MINUTE

    def __init__(self, line: Line, machine: Machine) -> None:
        self.line = line
        self.machine = machine
        self.sink = Sink(machine)
        self.since = machine.clock.now()

    def run(self) -> None:
        """Collect from the start of the last good run until now."""
        start = self.machine.clock.now()
        upper = start
        while True:
            content = self._page({"gte": self.since, "lte": upper})
            records = content.get("data")
            if not records:
                break
            self.sink.write(records)
            if not content.get("hasNext"):
                break
            upper = content["nextQueryFilters"]["date"]["lte"]
        self.machine.before()
        self.since = start
        self.machine.after()

    def _page(self, bounds: dict[str, int]) -> dict[str, Any]:
        request = {"filters": {"date": bounds}, "isScan": True, "limit": 500}
        reply = self.line.post(request, timeout_ms=TIMEOUT_MS)
        if reply.status != 200:  # noqa: PLR2004 - success
            message = f"status {reply.status}"
            raise Failed(message)
        return _parsed(reply.body)

    def stored(self) -> list[str]:
        """Return what was written."""
        return self.sink.stored

    def declared(self) -> list[tuple[int, int]]:
        """Return nothing: this collector notices no loss."""
        return []


class CursorLoop:
    """Asks for activities from one millisecond after the last timestamp that it saw.

    It builds each query itself instead of following the continuation. It writes pages as they
    come, and saves the timestamp at the end of a run. After a server error it tries once more.
    """

    every = 5 * MINUTE

    def __init__(self, line: Line, machine: Machine) -> None:
        self.line = line
        self.machine = machine
        self.sink = Sink(machine)
        self.next_from = machine.clock.now()

    def run(self) -> None:
        """Collect until there is an empty page."""
        at = self.next_from
        while True:
            records = self._page(at)
            if not records:
                break
            self.sink.write(records)
            at = records[-1]["timestamp"] + 1
        self.machine.before()
        self.next_from = at
        self.machine.after()

    def _page(self, at: int) -> list[dict[str, Any]]:
        request = {
            "filters": {"date": {"gte": at, "lte": self.machine.clock.now()}},
            "isScan": True,
            "limit": 500,
            "sortDirection": "asc",
        }
        for _ in range(2):
            reply = self.line.post(request, timeout_ms=TIMEOUT_MS)
            if reply.status == 200:  # noqa: PLR2004 - success
                return list(_parsed(reply.body).get("data") or ())
        message = f"status {reply.status}"
        raise Failed(message)

    def stored(self) -> list[str]:
        """Return what was written."""
        return self.sink.stored

    def declared(self) -> list[tuple[int, int]]:
        """Return nothing: this collector notices no loss."""
        return []


class ThisScan:
    """The scan of this repository, with a given policy."""

    every = 5 * MINUTE

    def __init__(self, line: Line, machine: Machine, policy: Policy) -> None:
        self.machine = machine
        self.policy = policy
        self.ledgers = Ledgers(machine)
        self.results = Results(machine, policy.scan)
        self.ports = Ports(
            source=_Source(line), ledgers=self.ledgers, results=self.results, clock=machine.clock
        )
        self.runs = 0

    def run(self) -> None:
        """Run the scan once."""
        self.runs += 1
        with suppress(ScanError):
            tally = Tally(scan=self.policy.scan, run=f"{self.runs}")
            scan_once(self.ports, self.policy, tally, workers=workers)

    def stored(self) -> list[str]:
        """Return what readers of the parts see."""
        return list(self.results.identifiers())

    def declared(self) -> list[tuple[int, int]]:
        """Return what the ledger declares lost or in doubt."""
        return self.ledgers.declared()


class _Source:
    """The line as the scan's `ActivitySource`."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Send one request."""
        try:
            reply = self.line.post(json.loads(request.body), timeout_ms=int(timeout * 1000))
        except NoReply as error:
            return NoAnswer(kind="timeout", detail=str(error))
        return Answer(
            status=reply.status,
            body=reply.body,
            content_type=reply.content_type,
            retry_after=reply.headers.get("Retry-After"),
        )

    def renew_token(self) -> bool:
        """Nothing to renew."""
        return False


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError as problem:
        message = "the answer is not JSON"
        raise Failed(message) from problem
    if not isinstance(content, dict):
        message = "the answer is not a JSON object"
        raise Failed(message)
    return content
