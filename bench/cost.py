"""Counts what a month costs: `python -m bench.cost` (`make bench-cost`).

Runs the scan for an hour, as its timer would, for tenants with different numbers of activities a
day, and then sweeps that hour. From the counted requests, storage operations and bytes it computes
the cost of a month. The operations of the overview of several scans follow from their number. The
counts are the same on every machine, and a test counts again. `--write` puts the tables into
docs/deployment.md and the counts into docs/cost.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench import contestants
from bench.api import Api, serving
from bench.contestants import HOUR_MS, Job
from bench.tables import Table, replaced
from harness.azurite import azurite
from shared.core.model import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.core.model import NoAnswer, Policy, Request
    from shared.ports import ActivitySource, Clock, DerivedStore, Ports

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "deployment.md"
FIGURES = ROOT / "docs" / "cost.json"
OPENING = "<!-- cost: make bench-cost writes it -->"
CLOSING = "<!-- end of the cost -->"

LONG_AGO = 1_795_132_800_000
"""2026-11-20T00:00:00Z: fixed, so that sizes are always the same."""

MINUTE_MS = 60_000
PACE_MS = 5 * MINUTE_MS
"""The time between two runs of the default schedule."""

RATES = (10_000, 1_000_000, 20_000_000)
"""Activities a day."""

RUNS = 12 * 24 * 30
"""Runs in a month of 30 days."""

HOURS = 24 * 30

OVERVIEWS = 4 * HOURS
"""Overviews of several scans in a month: one in each quarter of an hour."""

SCANS = (40, 300)
"""Scans of a service provider."""

SWEEPS = 3
"""The number of sweeps over each hour with the default settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The counted work of some runs.

    Attributes:
        records: stored activities.
        requests: requests to the API.
        write: storage operations that are billed as writes.
        list: storage operations that are billed as listings.
        read: storage operations that are billed as reads and others.
        bytes: bytes of the stored parts.
    """

    records: int = 0
    requests: int = 0
    write: int = 0
    list: int = 0
    read: int = 0
    bytes: int = 0

    def __add__(self, other: Count) -> Count:
        """Return the sum of both."""
        return Count(**{name: value + getattr(other, name) for name, value in asdict(self).items()})

    def times(self, factor: int) -> Count:
        """Return this multiplied by a factor."""
        return Count(**{name: value * factor for name, value in asdict(self).items()})


PRICES = {
    "gigabyte_second": 0.000026,
    "write": 0.065 / 10_000,
    "list": 0.065 / 10_000,
    "read": 0.005 / 10_000,
    "gigabyte_month": 0.0225,
    "alerts": 6 * 0.50 + 0.10,
}
"""US dollars: Flex Consumption on demand, storage operations and hot storage with zone redundancy,
and the alert rules together (`docs/deployment.md` says how many of which kind)."""

FREE_GIGABYTE_SECONDS = 100_000
PAGE_SECONDS = 3
"""Seconds of running for each request: two until it is answered, one of work on a quarter core."""

RUN_SECONDS = 2
"""Seconds of running for each run, without its requests."""

MEMORY_GIGABYTES = 0.5


class Moved:
    """A clock that is set to another time than the clock that drives it."""

    def __init__(self, clock: Clock, now: int) -> None:
        """Start at a time (epoch ms)."""
        self.clock = clock
        self.moment, self.mark = now, clock.elapsed()

    def now(self) -> int:
        """Return epoch ms."""
        return self.moment + self.clock.elapsed() - self.mark

    def elapsed(self) -> int:
        """Return ms since some moment."""
        return self.clock.elapsed()

    def sleep(self, milliseconds: int) -> None:
        """Wait."""
        self.clock.sleep(milliseconds)


class Undated:
    """A source without `Date` headers, since the API's clock is not the moved one."""

    def __init__(self, source: ActivitySource) -> None:
        """Pass requests on to a source."""
        self.source = source

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Pass a request on, and drop the date of the answer."""
        answer = self.source.ask(request, timeout=timeout)
        return replace(answer, date=None) if isinstance(answer, Answer) else answer

    def renew_token(self) -> bool:
        """Nothing to renew."""
        return False


def counted(rate: int) -> dict[str, Count]:
    """Count an hour of runs, a sweep over an hour, and a run without work."""
    begin = LONG_AGO
    api = Api(begin=begin, length=4 * HOUR_MS, count=max(1, rate * 4 // 24))
    with ExitStack() as stack:
        url = stack.enter_context(serving(api))
        storage = stack.enter_context(azurite()).connection_string
        job = Job(
            url=url,
            storage=storage,
            container="cost",
            begin=begin,
            end=begin + 4 * HOUR_MS,
            count=api.count,
        )
        return _counted(_deployed(job), begin + HOUR_MS)


def _counted(deployed: _Deployed, hour: int) -> dict[str, Count]:
    # Each run starts a minute after a slice has settled. The first only sets the origin.
    policy = deployed.policy
    settled = hour + policy.settle + MINUTE_MS
    _run(deployed, replace(policy, lookback=policy.settle), settled)
    runs = range(settled + PACE_MS, settled + HOUR_MS + 1, PACE_MS)
    first = [_run(deployed, policy, moment) for moment in runs]
    idle = _run(deployed, policy, settled + HOUR_MS + MINUTE_MS)
    # Two hours later, with a settle time that leaves only the sweep of that hour to do.
    later = hour + 3 * HOUR_MS + MINUTE_MS
    swept = replace(policy, settle=later - hour - HOUR_MS, sweeps=(("sweep-2h", 2 * HOUR_MS),))
    sweep = _run(deployed, swept, later)
    return {"an hour of runs": sum(first, Count()), "a sweep": sweep, "a run without work": idle}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployed:
    """The product as it is deployed, except for its limit on requests.

    Attributes:
        ports: what the scan needs from outside.
        derived: where the history is kept.
        policy: of the default settings.
        look: looks for a list of scans, as every run does.
    """

    ports: Ports
    derived: DerivedStore
    policy: Policy
    look: Callable[[], object]


def _deployed(job: Job) -> _Deployed:
    from shared.adapters.blob_derived import BlobDerivedStore
    from shared.adapters.blob_scan_list import BlobScanList
    from shared.adapters.blob_storage import open_containers
    from shared.scan_list import Known, ListReader
    from shared.settings import read_settings

    ports, policy = contestants.product(job)
    environ = contestants.environment(job)
    settings = read_settings(environ)
    state = open_containers(settings.storage, contestants.no_identity).state
    reader = ListReader(BlobScanList(state), Known())
    return _Deployed(
        ports=ports,
        derived=BlobDerivedStore(state, policy.scan),
        policy=replace(policy, settle=10 * MINUTE_MS, budget=4 * MINUTE_MS),
        look=lambda: reader.read(environ, keeps=True),
    )


def _run(deployed: _Deployed, policy: Policy, now: int) -> Count:
    """Do one run at a time (epoch ms), with its history and its line in the run log; count."""
    from shared.core.state.report import Tally
    from shared.drawing import draw
    from shared.scan.reporting import Job as Run
    from shared.scan.reporting import run_and_report

    tally = Tally(scan=policy.scan, run="cost")
    contestants.count_operations()
    ports = deployed.ports
    moved = replace(ports, clock=Moved(ports.clock, now), source=Undated(ports.source))
    run = Run(
        policy=policy,
        ports=moved,
        derived=deployed.derived,
        draw=draw,
        tally=tally,
        prepare=lambda: None,
    )
    deployed.look()
    result = run_and_report(run)
    if result.outcome != "idle":
        message = f"the scan ended as {result.outcome}: {tally.last_fault}"
        raise RuntimeError(message)
    return Count(
        records=tally.counts.records,
        requests=tally.requests,
        bytes=tally.bytes,
        **contestants.operations,
    )


def month(told: dict[str, Count]) -> Count:
    """Return the counts of a month: its hours of runs, and the sweeps over each hour."""
    hours = told["an hour of runs"].times(HOURS)
    fixed = told["a run without work"].times(-1)
    return hours + (told["a sweep"] + fixed).times(HOURS * SWEEPS)


def overview(scans: int) -> Count:
    """Return the operations of one overview: a read for each scan, two and two writes for itself.

    The first read says that an overview is due. The timer has it at every run.
    """
    return Count(read=scans + 2, write=2)


def overviews(scans: int) -> Count:
    """Return the operations of a month of overviews."""
    return overview(scans).times(OVERVIEWS) + Count(read=RUNS - OVERVIEWS)


def claim() -> Count:
    """Return the operations of one claim on an API host that several scans ask."""
    return Count(read=1, write=2)


def dollars(taken: Count) -> dict[str, float]:
    """Return what a month costs, by what Azure charges for."""
    seconds = RUNS * RUN_SECONDS + taken.requests * PAGE_SECONDS
    billed = max(0.0, seconds * MEMORY_GIGABYTES - FREE_GIGABYTE_SECONDS)
    return {
        "running": billed * PRICES["gigabyte_second"],
        "operations": sum(getattr(taken, it) * PRICES[it] for it in ("write", "list", "read")),
        "storage": taken.bytes / 1e9 * PRICES["gigabyte_month"],
        "alerts": PRICES["alerts"],
    }


def tables(figures: dict[str, dict[str, Count]]) -> str:
    """Return the tables of the document."""
    counts = [
        [f"{int(rate):,}", name, *(f"{getattr(it, what):,}" for what in ("records", *BILLED))]
        for rate, told in figures.items()
        for name, it in told.items()
    ]
    months = []
    for rate, told in figures.items():
        taken = month(told)
        cost = dollars(taken)
        hours = (RUNS * RUN_SECONDS + taken.requests * PAGE_SECONDS) / 3600
        numbers = [f"{it:,}" for it in (taken.requests, taken.write + taken.list, taken.read)]
        size = f"{taken.bytes / 1e9:,.1f}"
        prices = [f"{it:,.2f}" for it in (*cost.values(), sum(cost.values()))]
        months.append([f"{int(rate):,}", *numbers, f"{hours:,.0f}", size, *prices])
    return "\n\n".join(
        [
            str(
                Table(
                    title="Counted", head=["activities a day", "", "stored", *BILLED], rows=counts
                )
            ),
            str(Table(title="A month of 30 days", head=MONTH, rows=months)),
            str(Table(title="A month of overviews", head=OF_OVERVIEWS, rows=_overview_rows())),
        ]
    )


def _overview_rows() -> list[list[str]]:
    taken = {scans: overviews(scans) for scans in SCANS}
    return [
        [f"{scans:,}", f"{it.write:,}", f"{it.read:,}", f"{dollars(it)['operations']:,.2f}"]
        for scans, it in taken.items()
    ]


OF_OVERVIEWS = ["scans", "writes", "reads", "operations, $"]
BILLED = ("requests", "write", "list", "read", "bytes")
MONTH = [
    "activities a day",
    "requests",
    "writes and lists",
    "reads",
    "hours of running",
    "GB stored",
    "running, $",
    "operations, $",
    "storage of that month, $",
    "alerts, $",
    "together, $",
]


def kept() -> dict[str, dict[str, Count]]:
    """Return the counts of docs/cost.json."""
    read: dict[str, dict[str, dict[str, int]]] = json.loads(FIGURES.read_text("utf-8"))
    return {rate: {name: Count(**it) for name, it in told.items()} for rate, told in read.items()}


def written(document: str, figures: dict[str, dict[str, Count]]) -> str:
    """Return the document with the tables of these counts."""
    return replaced(document, OPENING, CLOSING, tables(figures))


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print the tables, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="write docs/deployment.md and docs/cost.json"
    )
    chosen = parser.parse_args(arguments)
    figures = {str(rate): counted(rate) for rate in RATES}
    print(tables(figures))
    if chosen.write:
        told = {
            rate: {name: asdict(it) for name, it in counts.items()}
            for rate, counts in figures.items()
        }
        FIGURES.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8"), figures), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
