"""Measures what 1, 2 and 4 workers do together: `python -m bench.workers` (`make bench-workers`).

The workers are real processes of the function app, which get messages of an emulated queue, and
stay as the platform's instances do. Each of four tenants has an API of its own, and its message is
sent again as soon as it was handled. All numbers of workers are measured in turn, round by round,
so trust the ratios. `--write` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from azure.storage.queue import QueueClient

from bench.api import Api, serving
from bench.tables import Table, replaced
from harness.azurite import azurite, azurite_queues
from harness.queue_listener import QueueListener
from shared.core.model import DAY_MS, HOUR_MS
from shared.due import QUEUE, Tick, messages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.functions_host import Invocation

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"
OPENING = "<!-- workers: make bench-workers writes it -->"
CLOSING = "<!-- end of the workers -->"

TENANTS = 4
WORKERS = (1, 2, 4)
TICK = Tick(slot=0, expires=2**52, past_due=False)
TOKEN = "a" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What limits the workers.

    Attributes:
        name: as the table calls it.
        latency: of the APIs, in seconds.
        per_minute: requests a minute that each tenant allows.
        limit: activities on a page.
        seconds: how long each number of workers is measured, at least.
        budget: seconds of a run.
    """

    name: str
    latency: float
    per_minute: int
    limit: int
    seconds: float
    budget: int


CASES = (
    Case(
        name="the tenants' budgets",
        latency=1.0,
        per_minute=30,
        limit=500,
        seconds=60,
        budget=30,
    ),
    Case(
        name="the processor",
        latency=0.0,
        per_minute=1_000,
        limit=5_000,
        seconds=20,
        budget=15,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What some workers did.

    Attributes:
        requests: a minute.
        cores: how many processor cores the workers kept busy.
    """

    requests: float
    cores: float


def environ_of(case: Case, urls: Sequence[str], storage: str, container: str) -> dict[str, str]:
    """Return the settings of an app with these tenants."""
    listed = [{"name": f"tenant-{number}", "api_url": url} for number, url in enumerate(urls)]
    return {
        "MDA_API_URL": urls[0],
        "MDA_ALLOW_ANY_HOST": "true",
        "MDA_AUTH": "api-token",
        "MDA_API_TOKEN": TOKEN,
        "STORAGE_CONNECTION_STRING": storage,
        "STORAGE_DATA_CONTAINER": f"{container}-data",
        "STORAGE_MANIFEST_CONTAINER": f"{container}-manifests",
        "STORAGE_STATE_CONTAINER": f"{container}-state",
        "SCANS": json.dumps(listed),
        "SCAN_FAN_OUT": "true",
        "SCAN_SCHEDULE": "0 */5 * * * *",
        "SCAN_LOOKBACK": "6d",
        "SCAN_LIMIT": str(case.limit),
        "SCAN_REQUESTS_PER_MINUTE": str(case.per_minute),
        "SCAN_TIME_BUDGET": f"{case.budget}s",
    }


def measured(case: Case, workers: int, urls: Sequence[str], place: str) -> Rate:
    """Let so many workers handle the messages of new scans for a while.

    Args:
        case: what limits them.
        workers: how many.
        urls: of the tenants' APIs.
        place: connection string of blobs and queues.
    """
    environ = environ_of(case, urls, place, f"w{time.time_ns()}")
    queue = QueueClient.from_connection_string(place, QUEUE)
    listener = QueueListener(ROOT, environ, "scan_worker", queue)
    listener.send(messages([(f"tenant-{it}", url) for it, url in enumerate(urls)], TICK))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with ThreadPoolExecutor(workers) as threads:
        rates = list(threads.map(lambda _: _worked(listener, case.seconds), range(workers)))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    longest = max(took for _, took in rates)
    return Rate(requests=sum(sent / took * 60 for sent, took in rates), cores=used / longest)


def _worked(listener: QueueListener, seconds: float) -> tuple[int, float]:
    """Handle messages with one worker for so long; return its requests, and seconds of work.

    Its start is not counted.
    """
    instance, sent, begun = listener.instance(), 0, time.monotonic()
    instance.run(json.dumps({"scans": [], "slot": 0, "expires": TICK.expires}))
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if message := listener.receive():
            sent += requests_of(instance.run(message.content))
            listener.settle(message, success=True)
            listener.send([message.content])
    took = time.monotonic() - begun
    instance.close()
    return sent, took


def requests_of(ended: Invocation) -> int:
    """Return how many requests the runs of a message sent.

    Raises:
        RuntimeError: a run failed.
    """
    lines = [json.loads(it.message) for it in ended.logs if it.message.startswith("{")]
    failed = [line for line in lines if line["outcome"] == "failed"]
    if failed or not ended.success:
        message = f"a worker failed: {ended.exception or failed}"
        raise RuntimeError(message)
    return sum(line["requests"] for line in lines)


def rounds(case: Case, count: int) -> dict[int, list[Rate]]:
    """Measure every number of workers in turn, so many times."""
    found: dict[int, list[Rate]] = {workers: [] for workers in WORKERS}
    now = time.time_ns() // 1_000_000
    api = Api(
        begin=now // HOUR_MS * HOUR_MS - 7 * DAY_MS,
        length=7 * DAY_MS,
        count=20_000_000,
        latency=case.latency,
        cap=case.limit,
        forms=500,
    )
    with ExitStack() as running:
        urls = [running.enter_context(serving(api)) for _ in range(TENANTS)]
        place = running.enter_context(azurite_queues(running.enter_context(azurite())))
        for number in range(count):
            for workers in WORKERS:
                rate = measured(case, workers, urls, place)
                found[workers].append(rate)
                sys.stderr.write(f"{case.name}, round {number + 1}, {workers}: {rate}\n")
    return found


def table(found: dict[Case, dict[int, list[Rate]]]) -> Table:
    """Return the table of the document."""
    rows = [
        row(case, workers, each, rates[WORKERS[0]])
        for case, rates in found.items()
        for workers, each in rates.items()
    ]
    return Table(title="Workers", head=HEAD, rows=rows)


def row(case: Case, workers: int, rates: Sequence[Rate], alone: Sequence[Rate]) -> list[str]:
    """Return a line of the table: medians over the rounds, and the extremes of the ratio.

    Args:
        case: what limits the workers.
        workers: how many there are.
        rates: what they did, by round.
        alone: what one worker did, by round.
    """
    ratios = [it.requests / one.requests for it, one in zip(rates, alone, strict=True)]
    requests = median(it.requests for it in rates)
    return [
        case.name,
        str(workers),
        f"{requests:,.0f}",
        f"{requests / (case.per_minute * TENANTS):.0%}",
        f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        f"{median(it.cores for it in rates):.2f}",
    ]


HEAD = [
    "what limits them",
    "workers",
    "requests a minute",
    "of the tenants' budgets",
    "times one worker",
    "cores in use by workers",
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.workers", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured")
    chosen = parser.parse_args(arguments)
    found = table({case: rounds(case, chosen.rounds) for case in CASES})
    print(found)
    if chosen.write:
        document = DOCUMENT.read_text("utf-8")
        DOCUMENT.write_text(replaced(document, OPENING, CLOSING, str(found)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
