"""What is measured, each in a process of its own: `python -m bench.contestants NAME JOB`.

Every contestant collects the whole history that its job names. The loops are written from the
API's documentation; the floors do one thing that no collector can do without, and nothing else.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import resource
import sys
import time
from collections import Counter
from concurrent.futures import wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.storage.blob import ContainerClient

    from shared.core.model import Answer, NoAnswer, Policy, Request
    from shared.ports import ActivitySource, Clock, Ports

TOKEN = "bench"  # noqa: S105 - the API of the measurement takes any
HOUR_MS = 3_600_000

MARGIN_MS = 60_000
"""The scan works by the slower of two clocks, and one of them shows whole seconds."""

LEVEL = 6
"""The gzip level of the loops: what the command line tool takes, faster than Python's own 9."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to collect.

    Attributes:
        url: of the API.
        storage: connection string.
        container: a name of its own for every run.
        begin: epoch ms of the first activity; a full hour.
        end: of the history; a full hour.
        count: activities in it.
        limit: records on a page.
        concurrency: slices in work at once, for the scan.
    """

    url: str
    storage: str
    container: str
    begin: int
    end: int
    count: int
    limit: int = 5000
    concurrency: int = 3

    @property
    def query(self) -> dict[str, Any]:
        """Return the first query of a loop."""
        return {
            "filters": {"date": {"gte": self.begin, "lte": self.end - 1}},
            "isScan": True,
            "limit": self.limit,
            "sortField": "date",
            "sortDirection": "asc",
        }


@dataclass(slots=True, kw_only=True)
class Result:
    """What a contestant says of itself; the process that started it measures the rest.

    Attributes:
        records: collected.
        requests: to the API.
        operations: of storage.
        seconds: of wall time without imports.
        cpu: seconds of processor time without imports.
        parts: the same by part, where it has parts.
    """

    records: int = 0
    requests: int = 0
    operations: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)


def scan(job: Job) -> Result:
    """Collect with the scan of this repository: one whole run."""
    ports, policy = product(job)
    return _iterate(ports, policy)


def credulous(job: Job) -> Result:
    """Collect with the same scan, if it did not look for records that strict readers refuse."""
    with patch("shared.core.api.records._is_irregular", lambda *_: False):
        return scan(job)


def sweep(job: Job) -> Result:
    """Look a second time at what `scan` has stored: all of it is known."""
    ports, policy = product(job)
    result = _iterate(ports, replace(policy, sweeps=(("sweep-1h", HOUR_MS),)))
    if result.records:
        message = f"a sweep stored {result.records} records that were stored already"
        raise RuntimeError(message)
    result.records = job.count
    return result


def _iterate(ports: Ports, policy: Policy) -> Result:
    from shared.core.state.report import Tally
    from shared.scan import scan_once

    tally = Tally(scan=policy.scan, run="bench")
    began = Began()
    outcome = scan_once(ports, policy, tally)
    if outcome != "idle":
        message = f"the scan ended as {outcome}: {tally.last_fault}"
        raise RuntimeError(message)
    return began.ended(Result(records=tally.records, requests=tally.requests))


def verify(job: Job) -> Result:
    """Check what `scan` has stored: every hash, every record's identity."""
    from shared.operate.verify import Verifier

    ports, policy = product(job)
    archive: Any = ports.results
    began = Began()
    checked = Verifier(archive, ports.ledgers, policy.scan, _Silent()).check()
    if checked.findings:
        message = f"verify found {checked.findings[0]}"
        raise RuntimeError(message)
    return began.ended(Result(records=checked.records))


class _Silent:
    """A display that nobody looks at."""

    def say(self, text: str) -> None:
        """Say nothing."""

    progress = tick = say


def paced(job: Job) -> Result:
    """Scan for some minutes of a clock that runs ten times as fast, within the tenant's budget.

    The API's latency must be told in that time, too. The scan's own work takes ten times as long by
    that clock, so what is found is a lower bound.
    """
    from shared.core.state.report import Tally
    from shared.scan import scan_once

    ports, policy = product(job)
    clock = Hasty(ports.clock)
    log = Log(ports.source, clock)
    policy = replace(policy, requests_per_minute=TENANT_BUDGET, budget=PACED_MS)
    tally = Tally(scan=policy.scan, run="bench")
    with patch("shared.scan.wait", clock.wait):
        scan_once(replace(ports, clock=clock, source=log), policy, tally)
    between = log.sent[-1] - log.sent[0]
    return Result(
        records=tally.records, requests=len(log.sent) - 1, seconds=between / 1000, cpu=0.0
    )


TENANT_BUDGET = 30
"""Requests a minute that the API allows a tenant."""

HASTE = 10
PACED_MS = 180_000


class Hasty:
    """A clock that runs faster than the one that it is set by."""

    def __init__(self, clock: Clock) -> None:
        """Begin with the time of the other."""
        self.clock = clock
        self.begin, self.started = clock.now(), clock.elapsed()

    def now(self) -> int:
        """Return epoch ms."""
        return self.begin + self.elapsed()

    def elapsed(self) -> int:
        """Return ms since the beginning."""
        return (self.clock.elapsed() - self.started) * HASTE

    def sleep(self, milliseconds: int) -> None:
        """Wait for as long by this clock."""
        self.clock.sleep(-(-milliseconds // HASTE))

    def wait(self, flights: Any, *, timeout: float | None, return_when: str) -> Any:
        """Wait for a step to end, for as long by this clock."""
        return wait(flights, timeout and timeout / HASTE, return_when)


class Log:
    """A source that notes when each request is sent (ms of a clock)."""

    def __init__(self, source: ActivitySource, clock: Hasty) -> None:
        """Ask that source."""
        self.source, self.clock = source, clock
        self.sent: list[int] = []

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Note the time, and ask."""
        self.sent.append(self.clock.elapsed())
        return self.source.ask(request, timeout=timeout)

    def renew_token(self) -> bool:
        """Nothing to renew."""
        return False


def first(job: Job) -> Result:
    """Import the app and run it until its first request goes out."""
    from shared.adapters.activities_api import HttpActivitySource

    said: dict[str, float] = {}

    def ask(*_: object, **__: object) -> Answer:
        said.update(sent=time.time(), cpu=time.process_time())
        raise SystemExit

    setattr(HttpActivitySource, "ask", ask)  # noqa: B010 - a type checker minds the other way
    os.environ.update(environment(job))
    with suppress(SystemExit):
        import function_app  # noqa: F401 - the import is what costs
        from shared.bootstrap import run

        run()
    return Result(records=job.count, cpu=said["cpu"], parts={"sent": said["sent"]})


def product(job: Job) -> tuple[Ports, Policy]:
    """Return the product put together for a job: real adapters, no limit of time or requests."""
    from shared.adapters.activities_api import HttpActivitySource
    from shared.adapters.blob_ledger import BlobLedgerStore
    from shared.adapters.blob_results import BlobResultStore
    from shared.adapters.blob_storage import make_missing, open_containers
    from shared.adapters.credentials import authorization
    from shared.adapters.system_clock import SystemClock
    from shared.ports import Ports
    from shared.settings import read_settings

    clock = SystemClock()
    settings = read_settings(environment(job))
    containers = open_containers(settings.storage, no_identity)
    make_missing(containers)
    (policy,) = settings.scans
    settle = clock.now() - job.end - MARGIN_MS
    policy = replace(
        policy,
        lookback=clock.now() - job.begin - MARGIN_MS,
        settle=settle,
        requests_per_minute=10**6,
    )
    ports = Ports(
        source=HttpActivitySource(settings.api.url, authorization(settings.api, SystemClock())),
        ledgers=BlobLedgerStore(containers.state, policy.scan),
        results=BlobResultStore(containers.data, containers.manifests, policy.scan),
        clock=clock,
    )
    return ports, replace(policy, budget=24 * HOUR_MS, sweeps=())


def environment(job: Job) -> dict[str, str]:
    """Return the settings of a scan for a job."""
    return {
        "MDA_API_URL": job.url,
        "MDA_ALLOW_ANY_HOST": "true",
        "MDA_AUTH": "api-token",
        "MDA_API_TOKEN": TOKEN,
        "STORAGE_CONNECTION_STRING": job.storage,
        "STORAGE_DATA_CONTAINER": f"{job.container}-data",
        "STORAGE_MANIFEST_CONTAINER": f"{job.container}-manifests",
        "STORAGE_STATE_CONTAINER": f"{job.container}-state",
        "SCAN_LIMIT": str(job.limit),
        "SCAN_CONCURRENCY": str(job.concurrency),
    }


def no_identity() -> Any:
    """Fail: with a connection string nothing signs in."""
    raise AssertionError


def classic(job: Job) -> Result:
    """Collect with the loop of the API's documentation: all in memory, nothing is written."""
    import requests

    began, result = Began(), Result()
    records: list[dict[str, Any]] = []
    query = job.query
    while True:
        content = requests.post(_endpoint(job), json=query, headers=_headers(), timeout=120).json()
        result.requests += 1
        records += content.get("data", [])
        if not content.get("hasNext"):
            break
        query["filters"] = content["nextQueryFilters"]
    result.records = len(records)
    return began.ended(result)


def classic_gzip(job: Job) -> Result:
    """Collect with the same loop, each page into a gzip blob of lines, and keep the cursor."""
    import requests

    container = _container(job)
    began, result = Began(), Result()
    query = job.query
    while True:
        content = requests.post(_endpoint(job), json=query, headers=_headers(), timeout=120).json()
        data = content.get("data", [])
        lines = "".join(json.dumps(record) + "\n" for record in data)
        packed = gzip.compress(lines.encode(), compresslevel=LEVEL)
        container.upload_blob(f"{result.requests:06}.jsonl.gz", packed)
        cursor = json.dumps(content.get("nextQueryFilters"))
        container.upload_blob("cursor.json", cursor, overwrite=True)
        result.requests += 1
        result.records += len(data)
        if not content.get("hasNext"):
            return began.ended(result)
        query["filters"] = content["nextQueryFilters"]


def receive(job: Job) -> Result:
    """Read every page off the socket and drop it."""
    parts = urlsplit(_endpoint(job))
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    began, result = Began(), Result(records=job.count)
    query: dict[str, Any] | None = job.query
    while query:
        connection.request("POST", parts.path, json.dumps(query), _headers())
        body = connection.getresponse().read()
        result.requests += 1
        query = _next(query, body)
    return began.ended(result)


def store(job: Job) -> Result:
    """Pack one page's lines with the product's codec and put them, as often as there are pages."""
    from shared.core.api.blocks import encode_block, trailer_of
    from shared.core.api.pages import read_page

    container = _container(job)
    page = read_page(_ask(job)[0].body)
    began, result = Began(), Result()
    while result.records < job.count:
        block, content = encode_block(page.records, epoch=1, number=0)
        container.upload_blob(f"{result.records:09}.jsonl.gz", content + trailer_of([block]))
        result.records += block.records
    return began.ended(result)


def unavoidable(job: Job) -> Result:
    """Do with the product's own functions what each page needs, in turn and without the protocol.

    Receive, split (records, their identities, what is irregular), pack, stage.
    """
    from shared.core.api.blocks import encode_block
    from shared.core.api.pages import read_page

    ports, _ = product(job)
    result = Result()
    watch = _Watch(result.parts)
    began = Began()
    for number, answer in enumerate(_pages(job, watch)):
        page = read_page(answer.body)
        watch.note("split")
        block, content = encode_block(page.records, epoch=1, number=number)
        watch.note("pack")
        ports.results.stage_block("part", block, content)
        watch.note("put")
        result.records += block.records
        result.requests += 1
    return began.ended(result)


class _Watch:
    """Adds up processor time by part."""

    def __init__(self, parts: dict[str, float]) -> None:
        self.parts = parts
        self.at = time.process_time()

    def note(self, name: str) -> None:
        now = time.process_time()
        self.parts[name] = self.parts.get(name, 0.0) + now - self.at
        self.at = now


def _pages(job: Job, watch: _Watch) -> Iterator[Answer]:
    query: dict[str, Any] | None = job.query
    while query:
        answer, _ = _ask(job, query)
        watch.note("receive")
        query = _next(query, answer.body)
        watch.note("next")
        yield answer


def _ask(job: Job, query: dict[str, Any] | None = None) -> tuple[Answer, Any]:
    from shared.core.model import Request

    ports, _ = _products.setdefault(job, product(job))
    asked = Request(body=json.dumps(query or job.query).encode())
    answer: Any = ports.source.ask(asked, timeout=120)
    return answer, ports


_products: dict[Job, tuple[Ports, Policy]] = {}


def _next(query: dict[str, Any], body: bytes) -> dict[str, Any] | None:
    """Return the next query without reading the page: the envelope stands at its end."""
    envelope = json.loads(b"{" + body[body.rindex(b'"total":') :])
    return {**query, "filters": envelope["nextQueryFilters"]} if envelope["hasNext"] else None


class Began:
    """A point in time to measure from."""

    def __init__(self) -> None:
        """Remember it."""
        count_operations()
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def ended(self, result: Result) -> Result:
        """Return the result with what passed since."""
        result.seconds = time.perf_counter() - self.wall
        result.cpu = time.process_time() - self.cpu
        result.operations = operations.total()
        return result


operations: Counter[str] = Counter()
"""Requests of the storage SDK since `count_operations`, by what they are billed as."""


def count_operations() -> None:
    """Count every request of the storage SDK from now on."""
    operations.clear()
    if "azure.core" not in sys.modules:
        return
    from azure.core.pipeline.transport import RequestsTransport

    send = RequestsTransport.send
    if hasattr(send, "counts"):
        return

    def counted(transport: Any, request: Any, **kwargs: Any) -> Any:
        operations[billed_as(request.method, request.url)] += 1
        return send(transport, request, **kwargs)

    counted.counts = True  # type: ignore[attr-defined]
    RequestsTransport.send = counted


def billed_as(method: str, url: str) -> str:
    """Return `write`, `list` or `read`: the classes of operations that storage charges for."""
    if method == "PUT":
        return "write"
    return "list" if "restype=container" in url else "read"


def _container(job: Job) -> ContainerClient:
    from azure.storage.blob import BlobServiceClient

    service = BlobServiceClient.from_connection_string(job.storage)
    return service.create_container(job.container)


def _endpoint(job: Job) -> str:
    return f"{job.url}/api/v1/activities/"


def _headers() -> dict[str, str]:
    return {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}


CONTESTANTS: dict[str, Callable[[Job], Result]] = {
    "scan": scan,
    "credulous": credulous,
    "classic": classic,
    "classic-gzip": classic_gzip,
    "receive": receive,
    "store": store,
    "unavoidable": unavoidable,
    "sweep": sweep,
    "verify": verify,
    "paced": paced,
    "first": first,
}


def main() -> None:
    """Run one contestant; print what it says of itself as one line of JSON."""
    name, told = sys.argv[1:]
    result = CONTESTANTS[name](Job(**json.loads(told)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = {it: getattr(result, it) for it in Result.__slots__}
    print(json.dumps({**said, "peak_kb": peak}))


if __name__ == "__main__":
    main()
