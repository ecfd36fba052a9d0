"""Every contestant of the measurements collects the whole history, once."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from bench import speed
from bench.api import Api, serving
from bench.history import History, forms
from bench.measure import Said, Task, collected, job_of, ratios
from harness.azurite import Azurite
from shared.core.api.pages import read_page

HOUR = 3_600_000
BEGIN = 1_795_392_000_000
FEW = 100

Collect = Callable[..., list[Said]]


def history(count: int = 25) -> History:
    """Return a short history of an hour."""
    return History(begin=BEGIN, length=HOUR, count=count, forms=forms(7, seed=1))


def test_the_pages_of_a_history_are_a_scan() -> None:
    """Followed to the end, they show every activity once, in order."""
    since, seen = BEGIN, []
    while True:
        page = read_page(history().page(since, BEGIN + HOUR, 10, {}))
        seen += [record.timestamp or 0 for record in page.records]
        if page.continuation is None:
            break
        since = json.loads(page.continuation)["date"]["gte"]

    assert seen == sorted(set(seen))
    assert len(seen) == 25


def test_every_activity_of_a_history_has_its_own_identity() -> None:
    """Their records share a few templates."""
    page = read_page(history(100).page(BEGIN, BEGIN + HOUR, 100, {}))

    assert len({record.identity for record in page.records}) == 100


@pytest.fixture
def collect(azurite: Azurite, container_name: str) -> Collect:
    """Provide what runs contestants, on containers that no other test uses."""

    def contestants(task: Task, api: Api, *then: str) -> list[Said]:
        storage = azurite.connection_string
        with serving(api) as url:
            job = job_of(task, api, url, storage=storage, container=container_name)
            return [collected(name, job) for name in (task.name, *then)]

    return contestants


@pytest.mark.parametrize("name", ["credulous", "classic", "classic-gzip", "unavoidable"])
def test_a_contestant_collects_the_whole_history(name: str, collect: Collect) -> None:
    """It also reports its cost."""
    task = Task(name=name, count=1_500, limit=500, hours=3, forms=FEW)

    (said,) = collect(task, task.api())

    assert said["records"] == 1_500
    assert said["requests"] >= 3
    assert said["cpu"] > 0


def test_a_sweep_and_a_check_follow_a_scan(collect: Collect) -> None:
    """It collects the whole history; they read what it stored, and find nothing new."""
    task = Task(name="scan", count=600, limit=500, hours=1, forms=FEW)

    scanned, swept, checked = collect(task, task.api(), "sweep", "verify")

    assert [it["records"] for it in (scanned, swept, checked)] == [600, 600, 600]


@pytest.mark.long
def test_the_paced_scan_keeps_to_the_budget(collect: Collect) -> None:
    """It sends thirty requests a minute of the fast clock, and barely more at its start."""
    task = replace(Task(name="paced", count=17_000, limit=500, forms=FEW), hours=8, keeps=False)
    api = replace(task.api(), latency=0.2)

    (said,) = collect(task, api)

    assert 0 < said["requests"] * 60 / said["seconds"] < 33


def test_ratios_are_taken_round_by_round() -> None:
    """A round on a busy machine counts like any other."""
    assert ratios([8.0, 4.0, 9.0], [2.0, 1.0, 3.0]) == {"median": 4.0, "min": 3.0, "max": 4.0}


def test_tables_replace_the_previous_ones() -> None:
    """The rest of the document stays."""
    before = f"Before.\n{speed.OPENING}\n\nold\n\n{speed.CLOSING}\nAfter.\n"

    after = speed.written(before, "new")

    assert after == f"Before.\n{speed.OPENING}\n\nnew\n\n{speed.CLOSING}\nAfter.\n"
