"""Real processes, killed and suspended by signals, against real HTTP and Azurite."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.bootstrap import App
from shared.core.state.layout import bounds_in
from shared.operate.building import archives
from shared.operate.verify import Verifier
from simulator import Simulator, Switches, Tenant
from tests.displays import Silent
from tests.fakes import HOUR
from tests.integration.test_scan_over_http import history, run_until_idle, settings, stored
from tests.sampling import examples

ROOT = Path(__file__).parents[2]
PAGE = 150
"""Activities on a page of the API."""

SUPERSEDED = 3
"""The exit code of a process that another one has overtaken."""

CHILD = f"""
import os
from shared.bootstrap import run_scans
(result,) = run_scans(os.environ)
raise SystemExit({SUPERSEDED} if result.outcome == "superseded" else bool(result.error))
"""


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    """Provide a tenant with 15 pages of activities, and a whole hour that has settled."""
    return history(2250, per_second=0.26)


@pytest.fixture
def api(tenant: Tenant) -> Iterator[Simulator]:
    """Provide the API, a little slow, so that runs are killed in the middle."""
    slow = Switches(page_cap=PAGE, minimum_limit=1, throttle_per_minute=None, latency_seconds=0.1)
    with Simulator(tenant, switches=slow) as running:
        yield running


@pytest.fixture
def environ(api: Simulator, storage_settings: dict[str, str]) -> dict[str, str]:
    """Provide the settings of the processes."""
    lanes = {"SCAN_CONCURRENCY": "2"}
    return {**settings(api, storage_settings, **lanes), "PATH": os.environ["PATH"]}


def begun(environ: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a run in its own process."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD], cwd=ROOT, env=environ, stderr=subprocess.DEVNULL
    )


def container(environ: dict[str, str], kind: str) -> ContainerClient:
    """Return one of the scan's containers."""
    service = BlobServiceClient.from_connection_string(environ["STORAGE_CONNECTION_STRING"])
    return service.get_container_client(environ[f"STORAGE_{kind}_CONTAINER"])


def let_the_claim_expire(environ: dict[str, str]) -> None:
    """Change the ledger as if half a minute had passed."""
    state = container(environ, "STATE")
    if not state.exists() or not state.get_blob_client("scan=all/ledger.json").exists():
        return
    value = json.loads(state.download_blob("scan=all/ledger.json").readall())
    value["claimed_until"] = 0
    content = json.dumps(value, separators=(",", ":")).encode()
    state.upload_blob("scan=all/ledger.json", content, overwrite=True)


def run_to_the_end(environ: dict[str, str]) -> None:
    """Run until nothing is due, in this process: it knows nothing of what others began."""
    let_the_claim_expire(environ)
    run_until_idle(environ)


def assert_whole(environ: dict[str, str], tenant: Tenant) -> None:
    """Assert that the feed holds the truth, once, and that the store is sound."""
    assert sorted(stored(environ)) == tenant.truth()
    (archive,) = archives(App(environ=environ))
    checked = Verifier(archive.results, archive.ledgers, "all", Silent()).check()
    assert checked.is_sound, checked.findings


def until(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Wait for a condition; fail if the process ends first."""
    while process.poll() is None and not condition():
        time.sleep(0.005)


def staged(environ: dict[str, str], tenant: Tenant) -> bool:
    """Report whether a slice of three pages or more has blocks but no part yet.

    A slice of two may be committed although nothing is answered once a block is staged: its last
    page is asked for while the first is being staged. How many activities the first hour has
    depends on the time of the day.
    """
    counts = Counter(it.timestamp // HOUR * HOUR for it in tenant.truth())
    data = container(environ, "DATA")
    blobs = data.list_blobs(include=["uncommittedblobs"]) if data.exists() else []
    unseen = [bounds_in(blob.name) for blob in blobs if blob.size == 0]
    return any(end - start == HOUR and counts[start] > 2 * PAGE for start, end in unseen)


def test_processes_killed_at_random_change_nothing(
    environ: dict[str, str], api: Simulator, tenant: Tenant
) -> None:
    """Several processes in a row die, whatever they are doing."""
    rng = random.Random(8)
    for _ in range(examples(3, 60)):
        process = begun(environ)
        seen = len(api.requests)
        until(lambda seen=seen: len(api.requests) > seen, process)  # type: ignore[misc]
        time.sleep(rng.random() * 0.4)
        process.kill()
        process.wait()
        let_the_claim_expire(environ)

    run_to_the_end(environ)

    assert_whole(environ, tenant)


def test_a_process_killed_while_blocks_are_staged_changes_nothing(
    environ: dict[str, str], api: Simulator, tenant: Tenant
) -> None:
    """The next process uses what was staged, or leaves it behind unseen."""
    quick = api.switches
    # No further page is answered once a block is staged, so the part cannot be committed.
    api.switches = replace(
        quick, latency_seconds=lambda _: 60.0 if staged(environ, tenant) else 0.0
    )
    process = begun(environ)
    until(lambda: staged(environ, tenant), process)
    process.kill()
    process.wait()
    assert staged(environ, tenant)

    api.switches = quick
    run_to_the_end(environ)

    assert_whole(environ, tenant)


def test_a_suspended_process_that_wakes_up_changes_nothing(
    environ: dict[str, str], api: Simulator, tenant: Tenant
) -> None:
    """It sleeps in mid-scan past its claim while others finish; then it wakes and gives up."""
    sleeper = begun(environ)
    until(lambda: len(api.requests) > 3, sleeper)
    sleeper.send_signal(signal.SIGSTOP)
    run_to_the_end(environ)

    sleeper.send_signal(signal.SIGCONT)

    assert sleeper.wait(timeout=60) == SUPERSEDED
    assert_whole(environ, tenant)


def test_of_two_processes_at_once_one_is_busy(environ: dict[str, str], tenant: Tenant) -> None:
    """They start together, and neither fails."""
    processes = [begun(environ) for _ in range(2)]

    codes = [process.wait(timeout=60) for process in processes]

    assert codes == [0, 0]
    run_to_the_end(environ)
    assert_whole(environ, tenant)
