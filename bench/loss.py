"""Counts what collectors lose and store twice: `python -m bench.loss` (`make bench-loss`).

In each scenario, four collectors collect from the same simulated tenant for some days of virtual
time. What each has stored is then compared with the truth. Everything depends on the seed alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from bench.collectors import (
    DAY,
    MINUTE,
    Collector,
    CursorLoop,
    DownwardLoop,
    Failed,
    SampleLoop,
    ThisScan,
)
from bench.machine import Clock, Deaths, Killed, Line, Machine, NoReply
from bench.tables import replaced
from shared.settings import read_settings
from simulator import FOREVER, Fault, Lateness, Switches, Tenant, chance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.core.model import Policy

HOUR = 60 * MINUTE

BEGIN = 1_795_392_000_000
"""2026-11-23T00:00:00Z, when the collectors start."""

DOCUMENT = Path(__file__).parent.parent / "docs" / "loss.md"
OPENING = "<!-- table: make bench-loss writes it -->"
CLOSING = "<!-- end of the table -->"

AT_ONCE = Lateness(usual_ms=(0, 0))
"""Activities that the API shows the moment they happen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much happens.

    Attributes:
        days: for how long the tenant is active.
        per_second: average number of activities per second.
        after_days: how long the collectors continue after the last activity, so that the last
            sweep can finish.
        seed: decides everything random.
    """

    days: float = 2
    per_second: float = 0.04
    after_days: float = 9
    seed: int = 11

    @property
    def end(self) -> int:
        """When the tenant's activity ends (epoch ms)."""
        return BEGIN + int(self.days * DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The faults of the API or the machine for as long as the tenant is active.

    Attributes:
        name: its name in the table.
        lateness: how long after its event an activity is shown.
        switches: how the API behaves, in addition to pages of 500 and answers in one second.
        faults: random faults of the API.
        deaths: how often runs die.
        bursts: the number of milliseconds that hold more activities than a page.
    """

    name: str
    lateness: Lateness = AT_ONCE
    switches: Switches = field(default_factory=Switches)
    faults: tuple[Fault, ...] = ()
    deaths: Deaths = field(default_factory=Deaths)
    bursts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The result of one collector in one scenario.

    Attributes:
        lost: activities that it neither stored nor declared lost or in doubt.
        twice: superfluous copies of records that it stored.
        declared: activities that it did not store, in time that it declares lost or in doubt.
    """

    lost: int
    twice: int
    declared: int


Maker: TypeAlias = "Callable[[Line, Machine], Collector]"


def scenarios(seed: int) -> list[Scenario]:
    """Return the scenarios."""
    usual = Lateness()
    late = Lateness(late_share=0.03)
    open_switches = partial(
        Switches, page_cap=500, throttle_per_minute=None, latency_seconds=1.0, seed=seed
    )
    faults = _server_errors(seed)
    deaths = Deaths(every=3, seed=seed)
    plain = open_switches()
    return [
        Scenario(name="calm: shown at once, no fault", switches=plain),
        Scenario(name="usual lag: shown after 3 to 6 minutes", switches=plain, lateness=usual),
        Scenario(name="late arrivals: 3 % after 1 to 72 hours", switches=plain, lateness=late),
        Scenario(
            name="dense milliseconds: more than a page on one",
            switches=open_switches(dense="empty"),
            bursts=4,
        ),
        Scenario(
            name="boundary black hole: 20 % of instants",
            switches=open_switches(black_hole_share=0.2),
        ),
        Scenario(
            name="black hole that sorting by created does not open",
            switches=open_switches(black_hole_share=0.2, black_hole_recovery="none"),
        ),
        Scenario(name="errors and time-outs: 10 % of requests", switches=plain, faults=faults),
        Scenario(
            name="throttle: 4 requests a minute pass", switches=open_switches(throttle_per_minute=4)
        ),
        Scenario(name="crashes: every third run", switches=plain, deaths=deaths),
        Scenario(
            name="all of it",
            switches=open_switches(dense="empty", black_hole_share=0.2, throttle_per_minute=4),
            lateness=late,
            faults=faults,
            deaths=deaths,
            bursts=4,
        ),
    ]


def _server_errors(seed: int) -> tuple[Fault, ...]:
    kinds: list[tuple[str, float | None]] = [
        ("status", 503),
        ("status", 500),
        ("silence", None),
        ("reset", None),
        ("truncate", None),
        ("empty-object", None),
    ]
    return tuple(
        Fault(kind, 1, FOREVER, value=value, probability=0.017, seed=seed + number)
        for number, (kind, value) in enumerate(kinds)
    )


def tenant_of(scenario: Scenario, extent: Extent) -> Tenant:
    """Build a scenario's tenant, whose activities are between `BEGIN` and the extent's end."""
    count = int(extent.days * DAY / 1000 * extent.per_second)
    tenant = Tenant.generate(
        seed=extent.seed,
        count=count,
        until_ms=extent.end - 1,
        per_second=extent.per_second * 1.05,
        lateness=scenario.lateness,
        record_size=400,
    )
    for number in range(scenario.bursts):
        at = BEGIN + chance.below(extent.end - BEGIN, extent.seed, "burst", number)
        lag = scenario.lateness.lag_ms(extent.seed, number)
        tenant.add(*[(at, at + lag + copy) for copy in range(1200)])
    return tenant


def score(scenario: Scenario, extent: Extent, tenant: Tenant, make: Maker) -> Score:
    """Run one collector through a scenario, and compare what it stored with the truth."""
    clock = Clock(BEGIN)
    machine = Machine(clock, scenario.deaths)
    line = Line(tenant, scenario.switches, scenario.faults, machine)
    collector = make(line, machine)
    for tick in _ticks(extent, collector.every):
        clock.at = max(clock.at, tick)
        if tick >= extent.end + HOUR:
            line.faults, machine.deaths = (), Deaths()
            line.switches = replace(line.switches, throttle_per_minute=None)
        machine.begin()
        with suppress(Killed, Failed, NoReply):
            collector.run()
    return _compared(tenant, collector)


def _ticks(extent: Extent, every: int) -> list[int]:
    """Return when the timer fires: at most hourly from an hour after the last activity."""
    silent = extent.end + HOUR
    last = extent.end + int(extent.after_days * DAY)
    return [at for at in range(BEGIN, last, every) if at < silent or at % HOUR == 0]


def _compared(tenant: Tenant, collector: Collector) -> Score:
    stored = Counter(collector.stored())
    missing = [it.timestamp for it in tenant.truth() if it.id not in stored]
    intervals = collector.declared()
    declared = sum(any(start <= at < end for start, end in intervals) for at in missing)
    twice = sum(copies - 1 for copies in stored.values())
    return Score(lost=len(missing) - declared, twice=twice, declared=declared)


def policy() -> Policy:
    """Return the default policy, with one slice at a time so that runs are repeatable."""
    (scan,) = read_settings(
        {
            "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
            "STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net",
            "SCAN_LOOKBACK": "1h",
            "SCAN_CONCURRENCY": "1",
        }
    ).scans
    return scan.policy


def makers() -> dict[str, Maker]:
    """Return the collectors by the names that the table gives them."""
    return {
        "documented sample": SampleLoop,
        "`date.lte` loop": DownwardLoop,
        "`last + 1` loop": CursorLoop,
        "this scan": partial(ThisScan, policy=policy()),
    }


def table(extent: Extent) -> str:
    """Run all scenarios and return the table as Markdown."""
    names = list(makers())
    lines = [
        "| | activities | " + " | ".join(names) + " |",
        "|---|--:|" + "--:|" * len(names),
    ]
    for scenario in scenarios(extent.seed):
        tenant = tenant_of(scenario, extent)
        scores = [score(scenario, extent, tenant, make) for make in makers().values()]
        cells = [scenario.name, f"{len(tenant):,}", *map(_cell, scores)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(found: Score) -> str:
    text = f"{found.lost:,} / {found.twice:,}"
    return f"{text} ({found.declared:,} declared)" if found.declared else text


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table or write it into the document."""
    parser = argparse.ArgumentParser(prog="python -m bench.loss", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write the table to {DOCUMENT.name}")
    parser.add_argument("--seed", type=int, default=Extent().seed, help="default: %(default)s")
    options = parser.parse_args(arguments)
    made = table(Extent(seed=options.seed))
    if options.write:
        text = replaced(DOCUMENT.read_text(encoding="utf-8"), OPENING, CLOSING, made)
        DOCUMENT.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
