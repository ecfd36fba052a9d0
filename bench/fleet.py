"""Simulates a month of a service provider's tenants: `python -m bench.fleet` (`make bench-fleet`).

What is real: the settings, the messages and when they expire, the planner, the lanes, the pacing,
the budget that scans share, the ledger's claims and commits. What is a model: the tenants
(`bench.traffic`), the platform (`bench.instances`), the time that requests and runs take, and the
number of storage operations, which follows from those that `bench.cost` counted. `--write` puts the
tables into docs/providers.md.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, replace
from itertools import accumulate
from math import exp
from pathlib import Path
from typing import TYPE_CHECKING

from bench import cost
from bench.cost import Count
from bench.instances import TICK_MS, Cluster, Platform, Used
from bench.lives import BEFORE_MS, RECORD_BYTES, Memory, Remembered, Scan, Tally, Whole, is_calm
from bench.tables import Table, replaced
from bench.traffic import BEGIN, Traffic
from shared.core.model import DAY_MS, SECOND_MS
from shared.core.state.ledger import CLAIM_MARGIN_MS
from shared.ports import SavedBudget
from shared.scan.host_claim import Held, HostClaim, SharedHost, claim_host, release_host
from shared.settings import Settings, read_settings
from shared.sharing import allotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.core.model import Policy
    from shared.due import Due

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "providers.md"
OPENING = "<!-- fleet: make bench-fleet writes it -->"
CLOSING = "<!-- end of the fleet -->"

MONTH = 30
WARM_UP_MS = DAY_MS // 2
"""The first hours are simulated and not judged."""

MEDIAN = 100_000
SPREAD = 1.4
LEAST, MOST = 10_000, 5_000_000
"""Activities a day of a tenant: log-normal, within these limits."""

SEVERAL_EVERY = 33
"""One tenant in so many has three scans."""

OVERLOADED_EVERY = 250
"""One tenant in so many needs more requests than it may have."""

DOMAIN = "eu2.portal.cloudappsecurity.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A customer of the provider.

    Attributes:
        name: of the tenant.
        per_day: activities on an average day.
        scans: how many scans share them.
        per_minute: requests a minute that each of its scans may send; None for the default.
        latency: of its API, in ms.
        offset: the hour, by UTC, at which its day begins.
    """

    name: str
    per_day: int
    scans: int = 1
    per_minute: int | None = None
    latency: int = 1_500
    offset: int = 0

    @property
    def group(self) -> str:
        """How the tables call tenants like this one."""
        if self.per_minute is not None:
            return "overloaded"
        return "three scans" if self.scans > 1 else "one scan"

    def elements(self) -> list[dict[str, object]]:
        """Return its entries of the list of scans."""
        limit = {} if self.per_minute is None else {"requests_per_minute": self.per_minute}
        url = f"https://{self.name}.{DOMAIN}"
        return [
            {"name": f"{self.name}-{number}", "api_url": url, **limit}
            for number in range(self.scans)
        ]


def tenants(count: int, *, seed: int = 1) -> list[Tenant]:
    """Return a provider's tenants: many small ones and a few large ones."""
    rng = random.Random(seed)  # noqa: S311 - it must be repeatable
    return [_tenant(f"t{number:04}", number, rng) for number in range(count)]


def _tenant(name: str, number: int, rng: random.Random) -> Tenant:
    drawn = Tenant(
        name=name,
        per_day=round(min(MOST, max(LEAST, MEDIAN * exp(rng.gauss(0, SPREAD))))),
        latency=round(min(8_000, max(400, 1_500 * exp(rng.gauss(0, 0.6))))),
        offset=rng.choice((0, 0, 1, 2, 6, 9, 17)),
    )
    if number % OVERLOADED_EVERY == OVERLOADED_EVERY - 1:
        several = number // OVERLOADED_EVERY % 2
        per_day = MOST if several else 7 * MOST // 5
        return replace(drawn, per_minute=1, per_day=per_day, scans=3 if several else 1)
    if number % SEVERAL_EVERY == SEVERAL_EVERY - 1:
        return replace(drawn, scans=3)
    return drawn


def settings_of(found: Sequence[Tenant]) -> Settings:
    """Return the settings of an app with these tenants, as the program reads them."""
    listed = [element for tenant in found for element in tenant.elements()]
    return read_settings(
        {
            "MDA_API_URL": f"https://unused.{DOMAIN}",
            "STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net",
            "SCAN_SCHEDULE": "0 */5 * * * *",
            "SCAN_FAN_OUT": "true",
            "SCANS": json.dumps(listed),
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a simulation came to.

    Attributes:
        days: simulated days.
        used: what the platform did.
        tallies: what the runs of each scan did, with the tenant.
        claims: claims of API hosts that several scans ask.
        memory: GB of an instance.
        took: seconds of processor time that the simulation took.
    """

    days: float
    used: Used
    tallies: list[tuple[Tenant, Tally]]
    claims: int
    memory: float
    took: float

    def of(self, *groups: str) -> list[Tally]:
        """Return the tallies of some groups of tenants; of all if none is named."""
        return [it for tenant, it in self.tallies if not groups or tenant.group in groups]


class At:
    """A clock that shows the time of the simulation, everywhere the same.

    Attributes:
        at: epoch ms.
    """

    def __init__(self) -> None:
        self.at = BEGIN

    def now(self) -> int:
        """Return epoch ms."""
        return self.at

    def elapsed(self) -> int:
        """Return the same."""
        return self.at

    def sleep(self, milliseconds: int) -> None:
        """Nothing waits here: the simulation knows when things happen."""


class Kept:
    """The stored budget of an API host, in memory."""

    def __init__(self, clock: At) -> None:
        self._clock = clock
        self._saved = SavedBudget(content=None, etag=None, modified=0, date=0)

    def load(self) -> SavedBudget:
        """Return the budget as it is stored now."""
        return replace(self._saved, date=self._clock.at)

    def save(self, content: bytes, *, etag: str | None) -> str | None:
        """Replace the version with this ETag; one process does all of it, so it is the newest."""
        following = str(int(etag or 0) + 1)
        self._saved = SavedBudget(
            content=content, etag=following, modified=self._clock.at, date=self._clock.at
        )
        return following


class Provider:
    """All tenants of a provider, with their scans."""

    def __init__(self, found: Sequence[Tenant], *, whole: bool = False) -> None:
        """Begin on a Monday, with everything covered.

        Args:
            found: the tenants.
            whole: whether every scan asks the product everything.
        """
        settings = settings_of(found)
        self.owners = [tenant for tenant in found for _ in range(tenant.scans)]
        self.names = [(it.policy.scan, it.api.host) for it in settings.scans]
        policies = [it.policy for it in settings.scans]
        shape = replace(policies[0], scan="shape", api="")
        self.memory = Memory(shape)
        self.scans: dict[str, Scan] = {}
        for tenant, policy in zip(self.owners, policies, strict=True):
            traffic = Traffic.of(tenant.per_day // tenant.scans, offset=tenant.offset)
            counts_from = BEGIN + WARM_UP_MS
            if whole or not is_calm(policy, traffic, tenant.latency):
                scan: Scan = Whole(policy, traffic, tenant.latency, counts_from=counts_from)
            else:
                scan = Remembered(
                    policy, traffic, tenant.latency, counts_from=counts_from, memory=self.memory
                )
            self.scans[policy.scan] = scan
        hosts = Counter(host for _, host in self.names)
        self._clock = At()
        self._hosts = {
            host: SharedHost(
                name=host, per_minute=settings.requests_per_minute, store=Kept(self._clock)
            )
            for host, count in hosts.items()
            if count > 1
        }
        self._host_of = dict(self.names)
        self.claims = 0

    def work(self, due: Due, start: int, dies: int) -> int:
        """Do the runs of a message, as `shared.scan.invocation` does; return when they end."""
        host = self._hosts.get(self._host_of[due.scans[0]])
        if host is None:
            return self.scans[due.scans[0]].run(start, dies=dies)
        policies = {name: self.scans[name].policy for name in due.scans}
        length = policies[due.scans[0]].budget_most + CLAIM_MARGIN_MS
        self._clock.at = start
        self.claims += 1
        claim = claim_host(host, self._clock, owner="r", length=length, scans=due.scans)
        if isinstance(claim, Held):
            for name in due.scans:
                self.scans[name].tally.busy += 1
            return start + BEFORE_MS
        end = self._claimed(claim, [policies[name] for name in claim.scans], start, dies)
        if end < dies:
            self._clock.at = end
            short = [it for it in due.scans if self.scans[it].outcome == "out-of-time"]
            release_host(claim, self._clock, short_of_time=short)
        return end

    def _claimed(self, claim: HostClaim, policies: list[Policy], start: int, dies: int) -> int:
        """Do the runs of a claim, one after the other; return when they end."""
        now = start
        for place, policy in enumerate(policies):
            now += claim.budget.pause_before(policies, place, now, now - start)
            time = allotted(policies, place, now - start)
            now = self.scans[policy.scan].run(now, claim.budget, time=time, dies=dies)
            if now >= dies:
                return dies
            claim.budget.settle(now)
        return now


def simulated(
    found: Sequence[Tenant], platform: Platform, *, days: float, whole: bool = False
) -> Outcome:
    """Simulate so many days."""
    began = time.process_time()
    provider = Provider(found, whole=whole)
    cluster = Cluster(platform, provider.names, provider.work)
    used = cluster.run(BEGIN + TICK_MS, BEGIN + int(days * DAY_MS))
    return Outcome(
        days=days,
        used=used,
        tallies=[
            (tenant, scan.tally)
            for tenant, scan in zip(provider.owners, provider.scans.values(), strict=True)
        ],
        claims=provider.claims,
        memory=platform.memory,
        took=time.process_time() - began,
    )


def percentiles(tallies: Iterable[Tally], shares: Sequence[float]) -> list[int]:
    """Return after how many seconds such shares of the activities were committed.

    Every second of every scan counts alike, however many activities it has. Within a slice, the
    first activity waits for as long as the slice is, and the last not at all.
    """
    change: Counter[int] = Counter()
    for tally in tallies:
        for (length, lag), count in tally.delays.items():
            change[lag] += count
            change[lag + length] -= count
    seconds = range(max(change, default=0) + 1)
    here = list(accumulate(change[at] for at in seconds))
    total = sum(here)
    reached = list(accumulate(here))
    return [next(at for at in seconds if reached[at] >= share * total) for share in shares]


def operations(tally: Tally) -> Count:
    """Return the storage operations and bytes of a scan's runs.

    They follow from what `bench.cost` counted: a run without work, and what a slice of the first
    pass, a page, and a slice of a sweep add. A test compares.
    """
    idle = cost.kept()["10000"]["a run without work"]
    runs = tally.runs + tally.busy
    swept = tally.requests - tally.pages
    return Count(
        records=tally.records,
        requests=tally.requests,
        write=runs * idle.write + 5 * tally.parts + 2 * tally.pages + 3 * tally.sweeps + swept,
        list=runs * idle.list + 2 * tally.sweeps,
        read=runs * idle.read + 12 * tally.sweeps,
        bytes=tally.records * RECORD_BYTES,
    )


def stored(came: Outcome) -> Count:
    """Return the storage operations of all runs and claims."""
    return sum((operations(it) for it in came.of()), cost.claim().times(came.claims))


RUNS_A_MONTH = cost.RUNS
TELEMETRY_BYTES = 100_000_000 / RUNS_A_MONTH
"""What the log of a run takes in the workspace (docs/deployment.md says 100 MB a month)."""

EXECUTION, FREE_EXECUTIONS = 0.40 / 1_000_000, 250_000
QUEUE_OPERATION = 0.004 / 10_000
TELEMETRY_GIGABYTE, FREE_TELEMETRY = 2.30, 5.0
"""US dollars: executions of the Flex Consumption plan, requests to a queue, and the log."""


def bill(came: Outcome) -> dict[str, float]:
    """Return what a month of 30 days costs, by what Azure charges for."""
    scale = MONTH / came.days
    scans = len(came.tallies)
    done = stored(came)
    kept = cost.overviews(scans)
    writes = (done.write + done.list) * scale + kept.write
    reads = done.read * scale + kept.read
    runs = sum(it.runs + it.busy for it in came.of()) * scale
    seconds = came.used.seconds * came.memory * scale
    log = runs * TELEMETRY_BYTES / 1e9
    return {
        "running": max(0.0, seconds - cost.FREE_GIGABYTE_SECONDS) * cost.PRICES["gigabyte_second"],
        "executions": max(0.0, came.used.executions * scale - FREE_EXECUTIONS) * EXECUTION,
        "storage operations": writes * cost.PRICES["write"] + reads * cost.PRICES["read"],
        "queue": queued(came) * scale * QUEUE_OPERATION,
        "storage of that month": done.bytes * scale / 1e9 * cost.PRICES["gigabyte_month"],
        "log": max(0.0, log - FREE_TELEMETRY) * TELEMETRY_GIGABYTE,
        "alerts": cost.PRICES["alerts"],
    }


def queued(came: Outcome) -> int:
    """Return the requests to the queue: each message is put, received and deleted."""
    return 3 * came.used.messages + came.used.polls + came.used.lost


def covered(came: Outcome, group: str) -> float:
    """Return which share of its activities a group of tenants has stored by the end."""
    end = BEGIN + int(came.days * DAY_MS)
    stored = there = 0
    for tenant, tally in came.tallies:
        if tenant.group == group:
            traffic = Traffic.of(tenant.per_day // tenant.scans, offset=tenant.offset)
            stored += tally.records
            there += traffic.between(BEGIN, end)
    return stored / there


SHARES = (0.5, 0.95, 0.99)
GROUPS = ("one scan", "three scans", "overloaded")


def minutes(seconds: float) -> str:
    """Return a time as the tables show it."""
    return f"{seconds / 60:.1f}"


def delays(tallies: list[Tally]) -> list[str]:
    """Return delays as the tables show them: of all scans, the worst one, and the longest wait."""
    worst = max(percentiles([it], [0.95])[0] for it in tallies)
    starved = max(it.starved for it in tallies) / SECOND_MS
    return [*map(minutes, percentiles(tallies, SHARES)), minutes(worst), minutes(starved)]


DELAYS = [
    "half within",
    "95 % within",
    "99 % within",
    "the worst scan's 95 % within",
    "longest wait of due work",
]


def month_table(came: Outcome) -> Table:
    """Return how each group of tenants fared."""
    rows = []
    for group in GROUPS:
        tallies = came.of(group)
        requests, runs = (sum(getattr(it, name) for it in tallies) for name in ("requests", "runs"))
        row = [group, f"{len(tallies):,}", f"{runs:,}", f"{requests:,}"]
        rows.append([*row, *delays(tallies), f"{covered(came, group):.1%}"])
    head = ["tenants with", "scans", "runs", "requests", *DELAYS, "stored by the end"]
    tenants_there = len({tenant.name for tenant, _ in came.tallies})
    title = f"{tenants_there:,} tenants for {came.days:.0f} days, in minutes"
    return Table(title=title, head=head, rows=rows)


def use_table(came: Sequence[Outcome]) -> Table:
    """Return what the platform did in a month."""
    rows = []
    for it in came:
        scale, used = MONTH / it.days, it.used
        done = stored(it)
        kept = cost.overviews(len(it.tallies))
        idle = 1 - sum(each.with_requests for each in it.of()) / sum(each.runs for each in it.of())
        counts = [
            used.messages,
            used.executions,
            used.expired,
            used.lost,
            sum(each.busy for each in it.of()),
            used.started,
            used.seconds * it.memory,
            queued(it),
            done.write + done.list + kept.write / scale,
            done.read + kept.read / scale,
        ]
        row = [f"{round(number * scale):,}" for number in counts]
        rows.append([_names(it), str(used.instances), *row, f"{idle:.1%}"])
    return Table(title="What a month uses", head=USE, rows=rows)


USE = [
    "tenants",
    "most instances",
    "messages",
    "executions",
    "expired",
    "instances lost",
    "busy runs",
    "cold starts",
    "GB seconds",
    "queue requests",
    "writes and lists",
    "reads",
    "runs without a request",
]


def bill_table(came: Sequence[Outcome]) -> Table:
    """Return what a month costs."""
    rows = []
    for it in came:
        parts = bill(it)
        rows.append(
            [_names(it), *(f"{each:,.2f}" for each in (*parts.values(), sum(parts.values())))]
        )
    head = ["tenants", *(f"{name}, $" for name in parts), "together, $"]
    return Table(title="What a month costs", head=head, rows=rows)


def _names(came: Outcome) -> str:
    return f"{len({tenant.name for tenant, _ in came.tallies}):,}"


PLATFORMS = {
    "20": Platform(most=20),
    "30": Platform(most=30),
    "40": Platform(most=40),
    "100": Platform(most=100),
    "100, added at once, and kept for 5 minutes": Platform(
        most=100, step=100, every=5 * SECOND_MS, keep=TICK_MS
    ),
    "25 with 2 GB, `batchSize` 4": Platform(most=25, slots=4, memory=2.0),
}


def platform_row(name: str, came: Outcome) -> list[str]:
    """Return how tenants within their budget fared on a platform."""
    used = came.used
    waits = sorted(used.waits.elements())
    share = used.expired / used.messages
    late = waits[int(len(waits) * 0.95)]
    gigabytes = used.seconds * came.memory / came.days
    return [
        name,
        str(used.instances),
        *delays(came.of("one scan", "three scans")),
        minutes(late),
        f"{share:.2%}",
        f"{used.started / came.days:,.0f}",
        f"{gigabytes:,.0f}",
    ]


def platform_table(rows: Sequence[Sequence[str]]) -> Table:
    """Return how many instances the tenants need."""
    head = [
        "instances at most",
        "used",
        *DELAYS,
        "95 % of messages begin within",
        "messages that expired",
        "cold starts a day",
        "GB seconds a day",
    ]
    return Table(title="How many instances 1,000 tenants need, in minutes", head=head, rows=rows)


def tables() -> str:
    """Simulate, and return the tables of the document."""
    many, some = tenants(1000), tenants(300)
    rows = []
    for name, platform in PLATFORMS.items():
        came = simulated(many, platform, days=1)
        rows.append(platform_row(name, came))
        _say(f"{name}: {came.took:.0f} s")
    month = simulated(many, PLATFORMS["40"], days=MONTH)
    _say(f"a month: {month.took:.0f} s")
    week = simulated(some, PLATFORMS["40"], days=7)
    _say(f"a week of 300 tenants: {week.took:.0f} s")
    found = [month_table(month), platform_table(rows), use_table([week, month])]
    return "\n\n".join(str(it) for it in [*found, bill_table([week, month])])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, print the tables, and write them if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/providers.md")
    writes = parser.parse_args(arguments).write
    found = tables()
    print(found)
    if writes:
        document = DOCUMENT.read_text("utf-8")
        DOCUMENT.write_text(replaced(document, OPENING, CLOSING, found), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
