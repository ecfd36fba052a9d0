"""Runs contestants in their own processes, several times, and summarises the results."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.api import Api, serving
from bench.contestants import HOUR_MS, Job
from harness.azurite import azurite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.limited import Instance

ROOT = Path(__file__).parent.parent
PEERS_PYTHON = ROOT / ".bench/bin/python"
"""The Python of the environment for the peers; `make bench` creates it."""

PEERS = {"dlt": "bench/dlt_contestant.py", "singer": "bench/singer_contestant.py"}
"""Contestants that stand on libraries of their own: the script of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One contestant and what it is to collect.

    Attributes:
        name: name of the contestant.
        count: number of activities.
        limit: records on a page.
        concurrency: slices that the scan works on at once.
        hours: hours over which the activities are spread.
        latency: latency of the API in seconds.
        keeps: whether the API keeps its pages in memory once they are made.
        forms: number of different records from which the API makes its activities.
    """

    name: str
    count: int
    limit: int = 5000
    concurrency: int = 3
    hours: int = 6
    latency: float = 0.0
    keeps: bool = True
    forms: int = 10_000

    def api(self) -> Api:
        """Return the API for this task, whose history ends two full hours ago."""
        end = int(time.time() * 1000) // HOUR_MS * HOUR_MS - 2 * HOUR_MS
        length = self.hours * HOUR_MS
        return Api(
            begin=end - length,
            length=length,
            count=self.count,
            latency=self.latency,
            cap=self.limit,
            keeps=self.keeps,
            forms=self.forms,
        )


Said = dict[str, Any]
"""What a run of a contestant came to: the fields of `contestants.Result`, and `peak_kb`."""


def run(task: Task, api: Api, url: str, *then: str, instance: Instance | None = None) -> list[Said]:
    """Run a contestant against a storage of its own, and then others upon what it stored.

    Args:
        task: what to run first.
        api: the API that it asks.
        url: its address.
        then: names of the others.
        instance: limits memory and processor time of the last of them.

    Raises:
        subprocess.CalledProcessError: one failed; its output has been shown.
    """
    with azurite() as storage:
        job = job_of(task, api, url, storage=storage.connection_string, container="bench")
        *before, last = (task.name, *then)
        return [*(collected(name, job) for name in before), collected(last, job, instance)]


def job_of(task: Task, api: Api, url: str, *, storage: str, container: str) -> Job:
    """Return what a contestant is told.

    Args:
        task: what it is to collect.
        api: the API that holds it.
        url: where that answers.
        storage: a connection string.
        container: the beginning of the names of its containers, which must not exist yet.
    """
    return Job(
        url=url,
        storage=storage,
        container=container,
        begin=api.begin,
        end=api.begin + api.length,
        count=api.count,
        limit=task.limit,
        concurrency=task.concurrency,
    )


def collected(name: str, job: Job, instance: Instance | None = None) -> Said:
    """Run a contestant in a process of its own.

    Args:
        name: which one.
        job: what it is told.
        instance: limits its memory and processor time.

    Raises:
        subprocess.CalledProcessError: it failed; its output has been shown.
        AssertionError: it has not collected everything.
    """
    told = json.dumps(asdict(job))
    command = [sys.executable, "-m", "bench.contestants", name, told]
    if name in PEERS:
        command = [str(PEERS_PYTHON), PEERS[name], told]
    spawned = time.time()
    environ = instance.environ() if instance else None
    ended = subprocess.run(
        command, cwd=ROOT, check=False, capture_output=True, text=True, env=environ
    )
    if ended.returncode:
        sys.stderr.write(ended.stderr)
        ended.check_returncode()
    said: Said = json.loads(ended.stdout.splitlines()[-1])
    if said["records"] != job.count and name not in {"paced", "store"}:
        message = f"{name} collected {said['records']} of {job.count} activities"
        raise AssertionError(message)
    return {**said, "spawned": spawned}


def side_by_side(
    tasks: Sequence[Task], rounds: int, say: Callable[[str], None]
) -> list[list[Said]]:
    """Run all tasks in turn, round by round, so that a busy machine affects all alike.

    Returns one list per task, with one entry per round. An extra first round, in which the APIs
    make their pages, is not counted.
    """
    found: list[list[Said]] = [[] for _ in tasks]
    with ExitStack() as stack:
        apis = {_shape(task): task.api() for task in tasks}
        urls = {shape: stack.enter_context(serving(api)) for shape, api in apis.items()}
        for number in range(rounds + 1):
            for place, task in enumerate(tasks):
                shape = _shape(task)
                (said,) = run(task, apis[shape], urls[shape])
                say(f"round {number}: {task.name} of {task.count:,} at {task.limit}: {_line(said)}")
                if number:
                    found[place].append(said)
    return found


def _shape(task: Task) -> tuple[object, ...]:
    """Return what tasks must have in common to share an API."""
    return (task.count, task.limit, task.hours, task.latency, task.keeps, task.forms)


def _line(said: Said) -> str:
    return f"{said['records'] / said['seconds']:,.0f} a second, {said['peak_kb'] / 1024:.0f} MB"


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the smallest and the largest value."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return the spread of the ratios of ours to theirs, round by round."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])
