"""Workers of one API host, killed at random while a queue delivers their messages again."""

import json
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from harness.azurite import Azurite, azurite_queues
from harness.functions_host import Invocation
from harness.queue_listener import Delivery, QueueListener
from shared.adapters.system_clock import SystemClock
from shared.core.state.layout import budget_name
from shared.due import QUEUE, Tick, messages
from simulator import Simulator, Switches
from tests.fakes import MINUTE
from tests.integration.test_function_runs import ROOT
from tests.integration.test_scan_over_http import history, settings

SLOW = Switches(page_cap=500, throttle_per_minute=None, latency_seconds=0.1)
"""Runs take so long that they are killed in the middle."""

VALID = Tick(slot=0, expires=2**52, past_due=False)


def kill_soon(started: list[Delivery], apis: list[Simulator], rng: random.Random) -> None:
    """Kill each worker at a random moment after the APIs have answered some of them."""
    seen = sum(len(it.requests) for it in apis)
    while sum(len(it.requests) for it in apis) == seen and any(
        it.running.process.poll() is None for it in started
    ):
        time.sleep(0.005)
    for delivery in rng.sample(started, len(started)):
        time.sleep(rng.random() * 0.3)
        delivery.running.kill()


SCANS = ("sign-ins", "exchange", "all-else")

LIMIT = 3
"""Requests in a minute: the API refuses a fourth."""


@pytest.fixture
def one_host(
    azurite: Azurite, storage_settings: dict[str, str]
) -> Iterator[tuple[QueueListener, Simulator]]:
    """Provide the host's part for the workers of several scans of one API, which counts."""
    counting = replace(SLOW, throttle_per_minute=LIMIT)
    with (
        Simulator(history(2000), switches=counting) as api,
        azurite_queues(azurite) as connection,
    ):
        environ = settings(
            api,
            storage_settings,
            SCANS=json.dumps([{"name": it} for it in SCANS]),
            SCAN_FAN_OUT="true",
            SCAN_SCHEDULE="0 */5 * * * *",
            SCAN_TIME_BUDGET="15s",
            SCAN_REQUESTS_PER_MINUTE=str(LIMIT),
        )
        queue = QueueClient.from_connection_string(connection, QUEUE)
        yield QueueListener(ROOT, environ, "scan_worker", queue), api


def let_host_claim_end(storage: dict[str, str], api: Simulator, ago: int) -> None:
    """Change the budget of an API host as if its claim had ended so many ms ago."""
    service = BlobServiceClient.from_connection_string(storage["STORAGE_CONNECTION_STRING"])
    name = budget_name(urlsplit(api.url).netloc)
    budget = service.get_blob_client(storage["STORAGE_STATE_CONTAINER"], name)
    ended = {"claimed_until": SystemClock().now() - ago}
    value = json.loads(budget.download_blob().readall()) | ended
    budget.upload_blob(json.dumps(value), overwrite=True)


def outcomes(ended: Iterable[Invocation]) -> list[str]:
    """Return the outcome of every run of some invocations."""
    lines = [log.message for it in ended for log in it.logs if log.category == "activity_scan"]
    return [json.loads(it)["outcome"] for it in lines if it.startswith('{"event":"scan"')]


def test_workers_of_one_host_keep_to_its_limit_when_they_overlap_and_die(
    one_host: tuple[QueueListener, Simulator], storage_settings: dict[str, str]
) -> None:
    """One of two sends; then nobody does until a minute after the dead one's claim."""
    rng = random.Random(7)
    listener, api = one_host
    (message,) = messages([(it, api.url) for it in SCANS], VALID)

    listener.send([message, message])
    started = listener.start()
    kill_soon(started, [api], rng)
    killed = [listener.finish(it) for it in started]
    sent = len(api.requests)
    again = listener.drain()
    let_host_claim_end(storage_settings, api, ago=1_000)
    listener.send([message])
    early = listener.drain()
    after_all = len(api.requests)
    let_host_claim_end(storage_settings, api, ago=MINUTE + 5_000)
    listener.send([message])
    started = listener.start()
    kill_soon(started, [api], rng)
    killed += [listener.finish(it) for it in started]

    assert [it.success for it in killed].count(False) >= 2
    assert set(outcomes(again)) == {"busy"}
    assert set(outcomes(early)) <= {"waiting", "busy"}
    assert 0 < sent == after_all < len(api.requests)
    assert listener.poisoned() == []
    assert [it.status for it in api.requests if it.status == 429] == []
