"""Real processes that follow one feed, killed and racing, against a real table on Azurite."""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from deltalake import DeltaTable

from shared.adapters.delta_table import storage_options
from shared.bootstrap import App
from shared.operate.building import feeds_and_tables
from shared.table.following import Follower
from simulator import Simulator
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, settings, stored
from tests.sampling import examples
from tests.tables import query

ROOT = Path(__file__).parents[2]

CHILD = """
import os
from shared.bootstrap import App
from shared.operate.building import feeds_and_tables
from shared.table import following
following.MANIFESTS_MOST = 3
((feed, table),) = feeds_and_tables(App(environ=os.environ), None, os.environ["TABLE"])
print("ready", flush=True)
for commit in following.Follower(feed, table).commits():
    print(commit.through, flush=True)
"""

KEEPER = """
import os
import time
from shared.bootstrap import App
from shared.operate.building import feeds_and_tables
from shared.table.ports import UpkeepRefused
((feed, table),) = feeds_and_tables(App(environ=os.environ), None, os.environ["TABLE"])
table.open()
print("ready", flush=True)
while True:
    for day in {it.day for it in table.stated().files}:
        try:
            print(table.compact(day), flush=True)
        except UpkeepRefused:
            print("refused", flush=True)
        time.sleep(0.4)
"""


@pytest.fixture
def environ(storage_settings: dict[str, str]) -> dict[str, str]:
    """Provide the settings of processes that follow what a scan has stored."""
    with Simulator(history(1500), switches=OPEN) as api:
        given = settings(api, storage_settings, SCAN_SLICE="5m")
        run_until_idle(given)
    service = BlobServiceClient.from_connection_string(given["STORAGE_CONNECTION_STRING"])
    name = given["STORAGE_DATA_CONTAINER"].replace("-data", "-table")
    service.create_container(name)
    return {**given, "TABLE": f"az://{name}/activities", "PATH": os.environ["PATH"]}


def begun(environ: dict[str, str], program: str = CHILD) -> subprocess.Popen[str]:
    """Start a process that follows the feed, or another one, and wait until it begins."""
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


def in_table(environ: dict[str, str]) -> Counter[tuple[str, int, int]]:
    """Return how often each activity is in the table."""
    data = BlobServiceClient.from_connection_string(environ["STORAGE_CONNECTION_STRING"])
    options = storage_options(data.get_container_client("any"))
    table = DeltaTable(environ["TABLE"], storage_options=options)
    lines = [it["record"] for it in query(table, "SELECT record FROM activities")]
    return Counter((it["_id"], it["timestamp"], it["created"]) for it in map(json.loads, lines))


def assert_complete(environ: dict[str, str]) -> None:
    """Assert that the table has each activity of the feed once."""
    ((feed, table),) = feeds_and_tables(App(environ=environ), None, environ["TABLE"])
    list(Follower(feed, table).commits())
    assert in_table(environ) == Counter(stored(environ))


def test_processes_killed_at_random_lose_and_double_nothing(environ: dict[str, str]) -> None:
    """Several in a row die, whatever they are doing; the last one finishes."""
    rng = random.Random(5)
    for _ in range(examples(3, 50)):
        child = begun(environ)
        time.sleep(rng.random() * 0.5)
        child.kill()
        child.communicate()

    assert_complete(environ)


def test_processes_at_once_append_each_activity_once(environ: dict[str, str]) -> None:
    """Each is refused now and then, and begins again."""
    children = [begun(environ) for _ in range(3)]

    told = [child.communicate()[0].split() for child in children]

    assert [child.returncode for child in children] == [0, 0, 0]
    assert max(Counter(number for numbers in told for number in numbers).values()) == 1
    assert_complete(environ)


def test_compactions_at_once_with_appends_lose_and_double_nothing(environ: dict[str, str]) -> None:
    """Two of them merge all the time, and are killed in the end, whatever they are doing."""
    keepers = [begun(environ, KEEPER) for _ in range(2)]
    child = begun(environ)

    child.communicate()
    time.sleep(2)
    for keeper in keepers:
        keeper.kill()
    told = [said for keeper in keepers for said in keeper.communicate()[0].split()]

    assert child.returncode == 0
    assert sum(int(it) for it in told if it.isdecimal()) > 1
    assert_complete(environ)
    ((feed, table),) = feeds_and_tables(App(environ=environ), None, environ["TABLE"])
    assert table.open().through == max(it.number for it in feed.after(0))
