"""Measures speed, memory and requests: `python -m bench.speed` (`make bench`).

Everything is measured side by side on one machine, so compare the ratios: the absolute figures
depend on the machine. `--write` puts the tables into docs/performance.md and all figures into
docs/performance.json; `--quick` tries everything out with little data.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import inside, limited
from bench.api import serving
from bench.measure import ROOT, Task, ratios, run, side_by_side, spread
from bench.tables import Table, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.measure import Said

DOCUMENT = ROOT / "docs" / "performance.md"
FIGURES = ROOT / "docs" / "performance.json"
OPENING = "<!-- tables: make bench writes them -->"
CLOSING = "<!-- end of the tables -->"

MEGABYTE = 1024
"""In kilobytes, the unit of the measured peaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured.

    Attributes:
        rounds: how often everything is compared side by side.
        count: activities that each fast contestant collects.
        slow: activities that each slow contestant collects.
        growth: numbers of activities to collect in one scan.
        hourly: numbers of activities in an hour, for sweeps.
        latencies: seconds that the API takes to answer.
        lanes: numbers of slices to scan at once.
    """

    rounds: int = 3
    count: int = 120_000
    slow: int = 30_000
    growth: tuple[int, ...] = (10_000, 100_000, 1_000_000, 5_000_000)
    hourly: tuple[int, ...] = (10_000, 100_000, 400_000)
    latencies: tuple[float, ...] = (0.5, 2.0, 5.0, 6.0, 10.0)
    lanes: tuple[int, ...] = (1, 2, 3, 4, 5, 6)


QUICK = Extent(
    rounds=1,
    count=12_000,
    slow=6_000,
    growth=(6_000, 12_000),
    hourly=(6_000,),
    latencies=(2.0,),
    lanes=(1, 3),
)

Figures = dict[str, Any]


def contest(extent: Extent, say: Callable[[str], None]) -> tuple[Figures, list[Table]]:
    """Compare whole collectors, and the work that no collector can avoid."""
    tasks = _tasks(extent)
    found = dict(zip(tasks, side_by_side(list(tasks.values()), extent.rounds, say), strict=True))
    pace = {name: [it["records"] / it["seconds"] for it in runs] for name, runs in found.items()}
    figures = {name: _summary(runs) for name, runs in found.items()}
    for name, summary in figures.items():
        summary["times_as_fast"] = ratios(pace["this scan"], pace[name])
    cpu = {name: [it["cpu"] / it["records"] for it in runs] for name, runs in found.items()}
    one, parts = "this scan, one slice at a time", "this scan's own functions, in turn"
    figures["goals"] = {
        "cpu_over_parts": ratios(cpu[one], cpu[parts]),
        "parts_ms_per_page": _parts(found[parts]),
    }
    shares = [[name, f"{took:.1f}"] for name, took in figures["goals"]["parts_ms_per_page"].items()]
    head = ["stage", "ms"]
    return figures, [
        Table(
            title="Side by side, no latency",
            head=CONTEST,
            rows=[_contestant(name, figures[name]) for name in tasks],
        ),
        Table(title="Where the time of a page of 5000 goes (CPU ms)", head=head, rows=shares),
    ]


CONTEST = (
    "",
    "activities a second",
    "this scan is",
    "CPU s per million",
    "peak MB",
    "requests per million",
    "storage operations per million",
)


def _tasks(extent: Extent) -> dict[str, Task]:
    """Return the contestants by the names that the table gives them."""
    return {
        "this scan": Task(name="scan", count=extent.count),
        "this scan, one slice at a time": Task(name="scan", count=extent.count, concurrency=1),
        "this scan, if it treated every record as regular": Task(
            name="credulous", count=extent.count
        ),
        "the documented loop, kept in memory": Task(name="classic", count=extent.count),
        "the documented loop, gzip blobs": Task(name="classic-gzip", count=extent.count),
        "dlt, REST source to files": Task(name="dlt", count=extent.slow),
        "Singer SDK, REST tap to a file": Task(name="singer", count=extent.slow),
        "floor: off the socket, dropped": Task(name="receive", count=extent.count),
        "floor: pack and put": Task(name="store", count=extent.count),
        "this scan's own functions, in turn": Task(name="unavoidable", count=extent.count),
        "this scan, pages of 500": Task(name="scan", count=extent.slow, limit=500),
        "the loop with gzip blobs, pages of 500": Task(
            name="classic-gzip", count=extent.slow, limit=500
        ),
    }


def _summary(runs: Sequence[Said]) -> Figures:
    per_million = [1e6 / it["records"] for it in runs]
    return {
        "per_second": spread([it["records"] / it["seconds"] for it in runs]),
        "cpu_s_per_million": spread(
            [it["cpu"] * by for it, by in zip(runs, per_million, strict=True)]
        ),
        "peak_mb": spread([it["peak_kb"] / MEGABYTE for it in runs]),
        "requests_per_million": runs[0]["requests"] * per_million[0],
        "operations_per_million": runs[0]["operations"] * per_million[0],
    }


def _contestant(name: str, told: Figures) -> list[str]:
    times = told["times_as_fast"]
    return [
        name,
        f"{told['per_second']['median']:,.0f}",
        f"{times['median']:.1f}× ({times['min']:.1f} to {times['max']:.1f})",
        f"{told['cpu_s_per_million']['median']:.0f}",
        f"{told['peak_mb']['max']:.0f}",
        f"{told['requests_per_million']:,.0f}",
        f"{told['operations_per_million']:,.0f}",
    ]


def _parts(runs: Sequence[Said]) -> dict[str, float]:
    pages = [it["records"] / 5000 for it in runs]
    return {
        name: spread(
            [it["parts"][name] * 1000 / many for it, many in zip(runs, pages, strict=True)]
        )["median"]
        for name in ("receive", "split", "pack", "put")
    }


def latency(extent: Extent, say: Callable[[str], None]) -> tuple[Figures, list[Table]]:
    """Measure requests a minute by the number of slices at once, with slow pages."""
    figures: Figures = {}
    for seconds in extent.latencies:
        task = Task(name="paced", count=500_000, hours=24, limit=500, keeps=False)
        api = replace(task.api(), latency=seconds / 10)
        with serving(api) as url:
            for lanes in extent.lanes:
                (said,) = run(replace(task, concurrency=lanes), api, url)
                rate = said["requests"] * 60 / said["seconds"]
                figures.setdefault(f"{seconds:g}", {})[str(lanes)] = rate
                say(f"{seconds:g} s, {lanes} at once: {rate:.1f} requests a minute")
    rows = [
        [f"{seconds} s", *(f"{rate:.1f}" for rate in by.values())]
        for seconds, by in figures.items()
    ]
    head = ["a page takes", *(f"{lanes} at once" for lanes in extent.lanes)]
    title = "Requests a minute, of the 30 that a tenant has"
    return figures, [Table(title=title, head=head, rows=rows)]


def growth(extent: Extent, say: Callable[[str], None]) -> tuple[Figures, list[Table]]:
    """Measure speed and memory for growing amounts of data; neither may get worse."""
    figures: Figures = {"scan": {}, "hour": {}}
    for count in extent.growth:
        task = Task(name="scan", count=count, keeps=False)
        api = task.api()
        with serving(api) as url:
            collected, checked = run(task, api, url, "verify")
        figures["scan"][str(count)] = {"scan": _summary([collected]), "verify": _summary([checked])}
        say(
            f"{count:,} activities: {collected['seconds']:.1f} s, verify {checked['seconds']:.1f} s"
        )
    for count in extent.hourly:
        task = Task(name="scan", count=count, hours=1, keeps=False)
        api = task.api()
        with serving(api) as url:
            collected, swept = run(task, api, url, "sweep")
        figures["hour"][str(count)] = {"scan": _summary([collected]), "sweep": _summary([swept])}
        say(f"{count:,} an hour: sweep {swept['seconds']:.1f} s, {swept['peak_kb'] // 1024} MB")
    return figures, [
        _growing("One scan of so many activities", figures["scan"], "verify"),
        _growing("One hour with so many activities, and a sweep over it", figures["hour"], "sweep"),
    ]


def _growing(title: str, figures: Figures, second: str) -> Table:
    rows = [
        [
            f"{int(count):,}",
            *(
                f"{told[name][what]['median']:,.0f}"
                for name in ("scan", second)
                for what in ("per_second", "cpu_s_per_million", "peak_mb")
            ),
        ]
        for count, told in figures.items()
    ]
    columns = ("activities a second", "CPU s per million", "peak MB")
    head = ["activities", *(f"{name}: {it}" for name in ("scan", second) for it in columns)]
    return Table(title=title, head=head, rows=rows)


def cold(extent: Extent, say: Callable[[str], None]) -> tuple[Figures, list[Table]]:
    """Measure the time before the first request."""
    task = Task(name="first", count=10)
    api = task.api()
    with serving(api) as url:
        said = [run(task, api, url)[0] for _ in range(2 * extent.rounds + 1)]
    figures: Figures = {
        "cpu_ms": spread([it["cpu"] * 1000 for it in said]),
        "wall_ms": spread([(it["parts"]["sent"] - it["spawned"]) * 1000 for it in said]),
    }
    imports = inside.imports_cpu_ms(2 * extent.rounds + 1)
    figures["imports_cpu_ms"] = {name: spread(took) for name, took in imports.items()}
    figures["app_over_libraries"] = ratios(imports[inside.APP], imports[inside.TOGETHER])
    say(f"cold start: {figures['cpu_ms']['median']:.0f} ms of CPU to the first request")
    names = {
        inside.APP: "import of function_app, CPU",
        "": "the same, where Python finds no compiled modules",
        inside.TOGETHER: "import of its libraries alone, CPU",
        **{it: f"only {it}, with what it needs" for it in inside.LIBRARIES},
    }
    took = {text: figures["imports_cpu_ms"][name] for name, text in names.items()}
    took["from the start of Python to the first request, CPU"] = figures["cpu_ms"]
    took["the same, wall"] = figures["wall_ms"]
    rows = [[text, f"{it['median']:.0f}", f"{it['max']:.0f}"] for text, it in took.items()]
    return figures, [Table(title="Cold start (ms)", head=["", "median", "most"], rows=rows)]


def small(extent: Extent, say: Callable[[str], None]) -> tuple[Figures, list[Table]]:
    """Measure the scan on the smallest instance: 512 MB without swap, a quarter of a core."""
    if not limited.is_possible():
        say("left out the smallest instance: it needs root and control groups of version 1")
        return {}, []
    busiest = extent.hourly[-1]
    scan = Task(name="scan", count=extent.slow * 2)
    cases: dict[str, tuple[Task, tuple[str, ...]]] = {
        "scan, 1 slice at once": (replace(scan, concurrency=1), ()),
        "scan, 3 slices at once": (scan, ()),
        f"sweep of an hour of {busiest:,}": (
            Task(name="scan", count=busiest, hours=1, keeps=False),
            ("sweep",),
        ),
    }
    figures = {name: _squeezed(task, then) for name, (task, then) in cases.items()}
    for name, told in figures.items():
        say(f"{name}: {told}")
    head = ["", "seconds a page", "CPU ms a page", "peak MB of the process", "peak MB charged"]
    rows = [
        [name, *(f"{told[it]:,.1f}" for it in ("page_s", "page_cpu_ms", "peak_mb", "charged_mb"))]
        for name, told in figures.items()
    ]
    title = "The smallest instance: 512 MB, a quarter of a core, pages of 5000"
    return figures, [Table(title=title, head=head, rows=rows)]


def _squeezed(task: Task, then: Sequence[str]) -> dict[str, float]:
    """Run the last of some contestants on the smallest instance."""
    api = task.api()
    with serving(api) as url, limited.smallest() as instance:
        said = run(task, api, url, *then, instance=instance)[-1]
        charged = instance.peak_kb()
    pages = said["records"] / task.limit
    return {
        "page_s": said["seconds"] / pages,
        "page_cpu_ms": said["cpu"] * 1000 / pages,
        "peak_mb": said["peak_kb"] / MEGABYTE,
        "charged_mb": charged / MEGABYTE,
    }


SECTIONS: dict[str, Callable[[Extent, Callable[[str], None]], tuple[Figures, list[Table]]]] = {
    "contest": contest,
    "latency": latency,
    "growth": growth,
    "ledger": lambda _, say: inside.ledger(say),
    "cold": cold,
    "small": small,
}


def measured(names: Sequence[str], extent: Extent, say: Callable[[str], None]) -> Figures:
    """Measure sections; return their figures and their tables as text."""
    all_figures: Figures = {}
    texts: list[str] = []
    for name in names:
        figures, tables = SECTIONS[name](extent, say)
        all_figures[name] = figures
        texts += [str(table) for table in tables]
    return {"figures": all_figures, "tables": "\n\n".join(texts)}


def written(document: str, tables: str) -> str:
    """Return the document with new tables."""
    return replaced(document, OPENING, CLOSING, tables)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/performance.*")
    parser.add_argument(
        "--quick", action="store_true", help="measure little data; the figures mean nothing"
    )
    parser.add_argument("--only", choices=SECTIONS, nargs="+", default=list(SECTIONS))
    chosen = parser.parse_args(arguments)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", file=sys.stderr)

    result = measured(chosen.only, QUICK if chosen.quick else Extent(), say)
    print(result["tables"])
    if chosen.write:
        DOCUMENT.write_text(written(DOCUMENT.read_text(), result["tables"]))
        figures = json.dumps(rounded(result["figures"]), indent=1)
        Path(FIGURES).write_text(figures + "\n")
    return 0


def rounded(value: Any) -> Any:
    """Return figures rounded to four digits, which is more than their accuracy."""
    if isinstance(value, dict):
        return {name: rounded(it) for name, it in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    sys.exit(main())
