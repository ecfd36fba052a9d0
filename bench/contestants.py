"""The contestants, each measured in its own process: `python -m bench.contestants NAME JOB`.

Every contestant collects the whole history that its job names. The loops follow the API's
documentation. The floors do a single thing that every collector has to do.
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

from bench.limited import join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azure.storage.blob import ContainerClient

    from shared.core.model import Answer, NoAnswer, Policy, Request
    from shared.ports import ActivitySource, Clock, Ports

TOKEN = "bench"  # noqa: S105 - the API of the measurement takes any
HOUR_MS = 3_600_000

MARGIN_MS = 60_000
"""The scan uses the slower of two clocks, one of which shows only whole seconds."""

LEVEL = 6
"""The gzip level of the loops: the default of the gzip command, and faster than Python's 9."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to collect.

    Attributes:
        url: address of the API.
        storage: connection string of the storage.
        container: beginning of the names of the containers.
        begin: time of the first activity (epoch ms); a full hour.
        end: end of the history (epoch ms); a full hour.
        count: number of activities in the history.
        limit: records on a page.
        concurrency: slices that the scan works on at once.
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
    """What a contestant measures itself; the process that starts it measures the rest.

    Attributes:
        records: collected records.
        requests: requests to the API.
        operations: storage operations.
        seconds: wall time in seconds, without imports.
        cpu: processor time in seconds, without imports.
        parts: processor time by part, for a contestant that has parts.
    """

    records: int = 0
    requests: int = 0
    operations: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)


def scan(job: Job) -> Result:
    """Collect with the scan of this repository in one run."""
    ports, policy = product(job)
    return _run(ports, policy)


def credulous(job: Job) -> Result:
    """Collect with the same scan, without its check for irregular records."""
    with patch("shared.core.api.records._is_irregular", lambda *_: False):
        return scan(job)


def sweep(job: Job) -> Result:
    """Sweep over what `scan` has stored, all of which is known."""
    ports, policy = product(job)
    result = _run(ports, replace(policy, sweeps=(("sweep-1h", HOUR_MS),)))
    if result.records:
        message = f"a sweep stored {result.records} records that were stored already"
        raise RuntimeError(message)
    result.records = job.count
    return result


def _run(ports: Ports, policy: Policy) -> Result:
    from shared.core.state.report import Tally
    from shared.scan import scan_once

    tally = Tally(scan=policy.scan, run="bench")
    began = Began()
    outcome = scan_once(ports, policy, tally)
    if outcome != "idle":
        message = f"the scan ended as {outcome}: {tally.last_fault}"
        raise RuntimeError(message)
    return began.ended(Result(records=tally.counts.records, requests=tally.requests))


def verify(job: Job) -> Result:
    """Verify what `scan` has stored: every hash and the identity of every record."""
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
    """A display that shows nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""

    progress = tick = say


def paced(job: Job) -> Result:
    """Scan for some minutes of a clock that runs ten times as fast, within the tenant's budget.

    The API's latency must be divided by ten as well. By that clock the scan's own work takes ten
    times as long, so the measured rate is a lower bound.
    """
    from shared.core.state.report import Tally
    from shared.scan import scan_once

    ports, policy = product(job)
    clock = Hasty(ports.clock)
    log = Log(ports.source, clock)
    policy = replace(policy, requests_per_minute=TENANT_BUDGET, budget=PACED_MS)
    tally = Tally(scan=policy.scan, run="bench")
    with patch("shared.scan.pending.wait", clock.wait):
        scan_once(replace(ports, clock=clock, source=log), policy, tally)
    between = log.sent[-1] - log.sent[0]
    return Result(
        records=tally.counts.records, requests=len(log.sent) - 1, seconds=between / 1000, cpu=0.0
    )


TENANT_BUDGET = 30
"""Requests a minute that the API allows a tenant."""

HASTE = 10
PACED_MS = 180_000


class Hasty:
    """A clock that runs `HASTE` times as fast as another."""

    def __init__(self, clock: Clock) -> None:
        """Start at the time of the other clock."""
        self.clock = clock
        self.begin, self.started = clock.now(), clock.elapsed()

    def now(self) -> int:
        """Return epoch ms."""
        return self.begin + self.elapsed()

    def elapsed(self) -> int:
        """Return ms since the beginning."""
        return (self.clock.elapsed() - self.started) * HASTE

    def sleep(self, milliseconds: int) -> None:
        """Wait for a duration by this clock."""
        self.clock.sleep(-(-milliseconds // HASTE))

    def wait(self, flights: Any, *, timeout: float | None, return_when: str) -> Any:
        """Wait for a step to end, for at most a duration by this clock."""
        return wait(flights, timeout and timeout / HASTE, return_when)


class Log:
    """A source that notes when each request is sent (ms of a clock)."""

    def __init__(self, source: ActivitySource, clock: Hasty) -> None:
        """Pass requests on to a source."""
        self.source, self.clock = source, clock
        self.sent: list[int] = []

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Note the time, and pass the request on."""
        self.sent.append(self.clock.elapsed())
        return self.source.ask(request, timeout=timeout)

    def renew_token(self) -> bool:
        """Nothing to renew."""
        return False


def first(job: Job) -> Result:
    """Import the app and run it until it sends its first request."""
    from shared.adapters.activities_api import HttpActivitySource

    said: dict[str, float] = {}

    def ask(*_: object, **__: object) -> Answer:
        said.update(sent=time.time(), cpu=time.process_time())
        raise SystemExit

    setattr(HttpActivitySource, "ask", ask)  # noqa: B010 - a type checker minds the other way
    os.environ.update(environment(job))
    with suppress(SystemExit):
        import function_app  # noqa: F401 - the import is what costs
        from shared.bootstrap import run_on_timer

        run_on_timer()
    return Result(records=job.count, cpu=said["cpu"], parts={"sent": said["sent"]})


def product(job: Job) -> tuple[Ports, Policy]:
    """Return the product for a job: with real adapters, and without limits on time or requests."""
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
    (scan,) = settings.scans
    settle = clock.now() - job.end - MARGIN_MS
    policy = replace(
        scan.policy,
        lookback=clock.now() - job.begin - MARGIN_MS,
        settle=settle,
        requests_per_minute=10**6,
    )
    ports = Ports(
        source=HttpActivitySource(scan.api.url, authorization(scan.api, SystemClock())),
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
    """Fail, since nothing signs in with a connection string."""
    raise AssertionError


def classic(job: Job) -> Result:
    """Collect with the loop of the API's documentation, which keeps everything in memory."""
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
    """Collect with the same loop, but write each page as a gzip blob, and save the cursor."""
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
    """Read every page from the socket and drop it."""
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
    """Compress one page with the product's codec and store it, as often as there are pages."""
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
    """Process every page with the product's functions, one after the other, without the protocol.

    Receive it, split it (records, identities, irregular records), compress it, stage it.
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
    """Sums up processor time by part."""

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
    """Return the next query without parsing the page, whose end has the continuation."""
    envelope = json.loads(b"{" + body[body.rindex(b'"total":') :])
    return {**query, "filters": envelope["nextQueryFilters"]} if envelope["hasNext"] else None


class Began:
    """The start of a measurement."""

    def __init__(self) -> None:
        """Start measuring."""
        count_operations()
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def ended(self, result: Result) -> Result:
        """Return the result with the time and operations since the start."""
        result.seconds = time.perf_counter() - self.wall
        result.cpu = time.process_time() - self.cpu
        result.operations = operations.total()
        return result


operations: Counter[str] = Counter()
"""Requests of the storage SDK since `count_operations`, by how they are billed."""


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
    """Run one contestant, and print its measurements as one line of JSON."""
    join()
    name, told = sys.argv[1:]
    result = CONTESTANTS[name](Job(**json.loads(told)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = {it: getattr(result, it) for it in Result.__slots__}
    print(json.dumps({**said, "peak_kb": peak}))


if __name__ == "__main__":
    main()
