"""Workers of many tenants, killed at random while a queue delivers their messages again.

The workers are real processes that stay, as the platform's instances do. Each API throttles, fails
at random, and shows some activities late. The tests try two tenants; `make proofs` tries forty for
ten minutes, and `make proofs ARGS="-n0 -s -k killed_at_random"` prints what happened.
"""

import json
import random
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient, QueueMessage

from harness.azurite import Azurite, azurite_queues
from harness.functions_host import Instance
from harness.queue_listener import Handled, Instances, QueueListener
from shared.adapters.system_clock import SystemClock
from shared.due import QUEUE, Tick, decode, messages
from simulator import FOREVER, Credentials, Fault, Planned, Simulator, Switches, Tenant
from tests.fakes import HOUR, MINUTE
from tests.integration.test_function_runs import ROOT
from tests.integration.test_scan_over_http import settings, stored
from tests.sampling import ALL

SECOND = 1000

MAX_KILLS = 4
"""After a fifth failure the host puts a message aside."""

LONG = 30.0
"""Seconds after which a worker without a request is killed."""

JITTER = 2 * SECOND
"""How much longer than another a request may take to arrive, on a machine that is busy."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is tried.

    Attributes:
        scans: how many scans each tenant has.
        instances: workers at a time.
        activities: of each tenant.
        faulty: share of the requests that go wrong in each of five ways.
        slice: minutes of a fresh slice.
        late: activities of each tenant that the API shows while the proof runs.
        per_minute: requests that each tenant's API allows.
        kills: how many workers are killed at most.
        share: share of the messages whose worker is killed, until then.
        within: seconds within which it is killed.
        seconds: how long the proof lasts at least.
        rounds: how often the timer sends messages at most.
        budget: seconds of a run.
    """

    scans: Sequence[int]
    instances: int
    activities: int
    faulty: float
    slice: int
    late: int
    per_minute: int
    kills: int
    share: float
    within: float
    seconds: int
    rounds: int
    budget: int


SAMPLE = Scale(
    scans=(1, 1),
    instances=2,
    activities=300,
    faulty=0,
    slice=30,
    late=0,
    per_minute=1000,
    kills=2,
    share=1.0,
    within=0.3,
    seconds=0,
    rounds=20,
    budget=60,
)

WHOLE = Scale(
    scans=(*(1,) * 36, 2, 2, 3, 3),
    instances=12,
    activities=1200,
    faulty=0.02,
    slice=5,
    late=30,
    per_minute=20,
    kills=120,
    share=0.3,
    within=15,
    seconds=300,
    rounds=400,
    budget=20,
)

SCALE = WHOLE if ALL else SAMPLE


@dataclass(frozen=True, kw_only=True)
class Customer:
    """A tenant, its API and the names of its scans."""

    tenant: Tenant
    api: Simulator
    scans: list[str]

    def elements(self) -> list[dict[str, str]]:
        """Return its elements of SCANS."""
        return [{"name": name, "api_url": self.api.url} for name in self.scans]


def faults(seed: int) -> list[Fault]:
    """Return what goes wrong at random, and with the second request."""
    kinds = [("status", 503), ("status", 429), ("reset", None), ("truncate", None), ("html", None)]
    return [Fault("status", 2, value=503)] + [
        Fault(kind, 1, FOREVER, value=value, seconds=1, probability=SCALE.faulty, seed=seed + place)
        for place, (kind, value) in enumerate(kinds)
    ]


def swept_hour(now: int) -> tuple[int, int]:
    """Return the hour that is over for more than an hour, and how old it is four minutes later."""
    end = (now - HOUR) // HOUR * HOUR
    return end - HOUR, (now - end) // MINUTE + 4


def tenant_of(seed: int, now: int) -> Tenant:
    """Return a tenant, some of whose activities become visible only while the proof runs."""
    until = now - (15 + 2 * SCALE.slice) * MINUTE
    per_second = SCALE.activities / 6000
    tenant = Tenant.generate(
        seed=seed, count=SCALE.activities, per_second=per_second, until_ms=until
    )
    rng, (start, _) = random.Random(seed), swept_hour(now)
    tenant.add(
        *(
            Planned(timestamp=start + rng.randrange(HOUR), created=now + rng.randrange(3 * MINUTE))
            for _ in range(SCALE.late)
        )
    )
    return tenant


@pytest.fixture
def customers() -> Iterator[list[Customer]]:
    """Provide each tenant's API with its truth, and the names of its scans."""
    now = SystemClock().now()
    switches = Switches(
        page_cap=100,
        minimum_limit=1,
        throttle_per_minute=None,
        latency_seconds=0.1,
        visibility_jitter_ms=30_000 if SCALE.late else 0,
    )
    with ExitStack() as running:
        found = []
        for number, scans in enumerate(SCALE.scans):
            tenant = tenant_of(number, now)
            api = Simulator(
                tenant,
                switches=switches,
                credentials=Credentials(["a" * 64]),
                faults=faults(number),
            )
            names = [f"tenant-{number}-{each}" for each in range(scans)]
            found.append(Customer(tenant=tenant, api=running.enter_context(api), scans=names))
        yield found


@pytest.fixture
def listener(
    azurite: Azurite, customers: list[Customer], storage_settings: dict[str, str]
) -> Iterator[QueueListener]:
    """Provide the host's part for the workers of an app with these tenants."""
    elements = [element for it in customers for element in it.elements()]
    _, age = swept_hour(SystemClock().now())
    environ = settings(
        customers[0].api,
        storage_settings,
        SCANS=json.dumps(elements),
        SCAN_FAN_OUT="true",
        SCAN_SCHEDULE="0 */5 * * * *",
        SCAN_TIME_BUDGET=f"{SCALE.budget}s",
        SCAN_REQUESTS_PER_MINUTE=str(SCALE.per_minute),
        SCAN_LOOKBACK="3h",
        SCAN_SLICE=f"{SCALE.slice}m",
        SCAN_SWEEPS=f"{age}m" if SCALE.late else "2h",
        SCAN_SWEEP_BY="full",
    )
    with azurite_queues(azurite) as connection:
        queue = QueueClient.from_connection_string(connection, QUEUE)
        yield QueueListener(ROOT, environ, "scan_worker", queue)


class Killer:
    """Kills workers at random, each message's at most four times: the fifth makes it poison.

    Attributes:
        killed: how many workers it has killed.
    """

    def __init__(self, customers: list[Customer], rng: random.Random) -> None:
        self.killed = 0
        self._rng, self._lock = rng, Lock()
        self._apis = {name: it.api for it in customers for name in it.scans}

    def watch(self, instance: Instance, message: QueueMessage) -> None:
        """Decide whether to kill the worker that begins with a message."""
        with self._lock:
            spared = (message.dequeue_count or 0) >= MAX_KILLS or self.killed >= SCALE.kills
            if spared or self._rng.random() >= SCALE.share:
                return
            self.killed += 1
            delay = self._rng.random() * SCALE.within
        api = self._apis[decode(message.content.encode()).scans[0]]
        Thread(target=self._kill, args=(instance, api, len(api.requests), delay)).start()

    def _kill(self, instance: Instance, api: Simulator, seen: int, delay: float) -> None:
        """Kill a worker some time after its first request, or when it has long sent none."""
        give_up = time.monotonic() + LONG
        while len(api.requests) == seen and time.monotonic() < give_up:
            time.sleep(0.005)
        time.sleep(delay)
        instance.process.kill()


@dataclass
class Figures:
    """What happened.

    Attributes:
        sent: messages that were put into the queue.
        handled: deliveries of them.
        again: deliveries of a message that had been delivered before.
        lost: deliveries whose worker was killed.
        outcomes: of the runs that reported.
    """

    sent: int = 0
    handled: int = 0
    again: int = 0
    lost: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def note(self, sent: list[str], handled: Sequence[Handled]) -> list[dict[str, Any]]:
        """Count messages and deliveries, and return the report lines of their runs."""
        self.sent += len(sent)
        self.handled += len(handled)
        self.again += sum((it.message.dequeue_count or 0) > 1 for it in handled)
        self.lost += sum(not it.ended.success for it in handled)
        lines = [
            json.loads(log.message.partition("\n")[0])  # A traceback may follow.
            for it in handled
            for log in it.ended.logs
            if log.category == "activity_scan" and log.message.startswith("{")
        ]
        self.outcomes.update(line["outcome"] for line in lines)
        return lines


def due_messages(customers: list[Customer], rng: random.Random) -> list[str]:
    """Return the messages of one tick in any order, one in ten of them twice."""
    now = SystemClock().now()
    tick = Tick(slot=now, expires=now + 10 * MINUTE, past_due=False)
    scans = [(name, it.api.url) for it in customers for name in it.scans]
    once = messages(scans, tick)
    sent = [*once, *rng.sample(once, len(once) // 10)]
    return rng.sample(sent, len(sent))


def most_in_a_minute(api: Simulator) -> int:
    """Return the most requests that arrived within any minute, as the API counted them."""
    times = sorted(it.at_ms for it in api.requests)
    window = MINUTE - JITTER
    return max(bisect_right(times, at + window - 1) - place for place, at in enumerate(times))


def replied(customers: list[Customer]) -> Counter[int]:
    """Return how many requests the APIs received, by the status of the answer."""
    return Counter(request.status for it in customers for request in it.api.requests)


def let_claims_expire(storage: dict[str, str], names: Iterable[str]) -> None:
    """Change the ledgers as if the claims of lost runs had expired."""
    service = BlobServiceClient.from_connection_string(storage["STORAGE_CONNECTION_STRING"])
    for name in names:
        ledger = service.get_blob_client(
            storage["STORAGE_STATE_CONTAINER"], f"scan={name}/ledger.json"
        )
        if ledger.exists():
            value = json.loads(ledger.download_blob().readall()) | {"claimed_until": 0}
            ledger.upload_blob(json.dumps(value, separators=(",", ":")), overwrite=True)


def test_workers_killed_at_random_change_nothing(
    listener: QueueListener, customers: list[Customer], storage_settings: dict[str, str]
) -> None:
    """Every tenant's truth is complete, without an activity twice, beyond a limit or poison."""
    rng, figures, begun = random.Random(20), Figures(), time.monotonic()
    killer = Killer(customers, rng)
    names = {name for it in customers for name in it.scans}
    idle: set[str] = set()
    with Instances(listener, SCALE.instances) as instances:
        for _ in range(SCALE.rounds):
            is_late = time.monotonic() - begun > SCALE.seconds
            sent = due_messages(customers, rng)
            listener.send(sent)
            lines = figures.note(sent, instances.drain(killer.watch))
            idle = {it["scan"] for it in lines if it["outcome"] == "idle"} if is_late else set()
            if idle == names:
                break
            if not ALL:
                let_claims_expire(storage_settings, names)
    most = [most_in_a_minute(it.api) for it in customers]
    if ALL:
        told = replied(customers)
        took = time.monotonic() - begun
        sys.stderr.write(f"{took:.0f} s, {killer.killed} kills, {figures}, {told}, {most}\n")

    assert idle == names
    assert figures.lost > 0
    assert "failed" not in figures.outcomes
    assert listener.poisoned() == []
    assert max(most) <= SCALE.per_minute
    for customer in customers:
        for name in customer.scans:
            assert sorted(stored(storage_settings, name)) == customer.tenant.truth()
