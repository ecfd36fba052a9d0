"""A model of the platform: a timer, a storage queue, and instances that come and go.

Nothing here has been measured on Azure. docs/providers.md lists what is assumed, and what of it
Microsoft documents.
"""

from __future__ import annotations

import random
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from shared.core.model import MINUTE_MS, SECOND_MS
from shared.due import Due, decode, messages, tick_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TICK_MS = 5 * MINUTE_MS
"""The time between two ticks of the default schedule."""

HAND_OUT_MS = 3 * SECOND_MS
"""How long the timer's function runs: it reads the list of scans and writes the overview."""

HIDDEN_MS = 10 * MINUTE_MS
"""When a message whose instance was lost is shown again."""

FIRST_POLL_MS = 100
LAST_POLL_MS = MINUTE_MS
"""An idle instance asks the queue after this time, and after about twice as long each time."""

MIXED = 32
"""Messages may overtake each other by about so many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """How the platform behaves.

    Attributes:
        most: `maximumInstanceCount`.
        slots: `batchSize`, the messages that an instance runs at once.
        memory: of an instance, in GB.
        cold: from the decision to add an instance until it takes its first message, in ms.
        step: how many instances are added at once.
        every: the time between two decisions to add instances, in ms.
        keep: how long an instance stays without a message, in ms.
        lost: share of the messages within whose first ten seconds the instance is lost.
        late: share of the ticks that come late, by two minutes at most.
        missed: share of the ticks that do not come.
    """

    most: int
    slots: int = 1
    memory: float = 0.5
    cold: int = 10 * SECOND_MS
    step: int = 4
    every: int = 30 * SECOND_MS
    keep: int = MINUTE_MS
    lost: float = 2e-4
    late: float = 0.01
    missed: float = 0.001


@dataclass(slots=True)
class Used:
    """What a simulation used.

    Attributes:
        ticks: how often the timer's function ran.
        messages: messages that were sent.
        executions: executions of worker and timer.
        expired: messages that had expired when a worker received them.
        lost: instances that were lost.
        started: cold starts.
        instances: the most instances at a time.
        polls: requests to the queue that found no message.
        seconds: billed seconds of instances.
        waits: messages by how long they waited for a worker, in seconds.
    """

    ticks: int = 0
    messages: int = 0
    executions: int = 0
    expired: int = 0
    lost: int = 0
    started: int = 0
    instances: int = 0
    polls: int = 0
    seconds: float = 0.0
    waits: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True, eq=False)
class Instance:
    """An instance of the worker's function.

    Attributes:
        running: how many messages it runs.
        since: since when it has been idle or active, epoch ms.
        gone: whether it was lost or removed.
    """

    since: int
    running: int = 0
    gone: bool = False


NEVER = 2**62


class Cluster:
    """The timer, the queue and the instances."""

    def __init__(
        self,
        platform: Platform,
        scans: Sequence[tuple[str, str]],
        work: Callable[[Due, int, int], int],
        *,
        seed: int = 0,
    ) -> None:
        """Prepare.

        Args:
            platform: how it behaves.
            scans: name and API host of each scan.
            work: does a message's runs: message, start, and when the instance is lost → end.
            seed: of all chance.
        """
        self.used = Used()
        self._platform, self._scans, self._work = platform, scans, work
        self._rng = random.Random(seed)  # noqa: S311 - it must be repeatable
        self._events: list[tuple[int, int, Callable[[int], None]]] = []
        self._number = 0
        self._queue: deque[tuple[int, Due]] = deque()
        self._instances: dict[Instance, None] = {}  # in the order in which they were added
        self._starting = self._in_work = 0
        self._scales = False

    def run(self, begin: int, end: int) -> Used:
        """Let the timer fire from `begin` until `end` (epoch ms), and finish what it sent."""
        for slot in range(begin, end, TICK_MS):
            if self._rng.random() >= self._platform.missed:
                late = self._rng.random() < self._platform.late
                delay = int(self._rng.random() * 2 * MINUTE_MS) if late else 0
                self._at(slot + delay, lambda now, slot=slot: self._tick(now, slot))  # type: ignore[misc]
        while self._events:
            now, _, happens = heappop(self._events)
            happens(now)
        return self.used

    def _at(self, when: int, happens: Callable[[int], None]) -> None:
        self._number += 1
        heappush(self._events, (when, self._number, happens))

    def _tick(self, now: int, slot: int) -> None:
        """Hand the scans to workers."""
        used = self.used
        used.ticks += 1
        used.executions += 1
        used.seconds += HAND_OUT_MS / 1000
        told = {"Last": _stated(slot - TICK_MS), "Next": _stated(slot)}
        started = now + self._platform.cold
        texts = messages(self._scans, tick_of(told, started, past_due=now > slot))
        mixed = sorted((at + self._rng.random() * MIXED, it) for at, it in enumerate(texts))
        found = [decode(it.encode()) for _, it in mixed]
        self._at(started + HAND_OUT_MS, lambda at: self._sent(found, at))

    def _sent(self, found: list[Due], now: int) -> None:
        self.used.messages += len(found)
        self._queue.extend((now, it) for it in found)
        self._noticed(now)

    def _noticed(self, now: int) -> None:
        """Let idle instances notice messages at their next poll, and add instances."""
        for instance in self._instances:
            if not instance.running:
                rest = min(now - instance.since, LAST_POLL_MS)
                at = now + int(self._rng.random() * rest)
                self._at(at, lambda when, it=instance: self._take(it, when))  # type: ignore[misc]
        if not self._scales:
            self._scales = True
            self._scale(now)

    def _scale(self, now: int) -> None:
        """Add instances: as many as there are messages, a few at a time."""
        platform = self._platform
        length = len(self._queue) + self._in_work
        wanted = min(platform.most, -(-length // platform.slots))
        there = len(self._instances) + self._starting
        for _ in range(min(platform.step, wanted - there)):
            self._starting += 1
            self._at(now + platform.cold, self._ready)
        self._scales = bool(self._queue)
        if self._scales:
            self._at(now + platform.every, self._scale)

    def _ready(self, now: int) -> None:
        self._starting -= 1
        instance = Instance(since=now)
        self._instances[instance] = None
        self.used.started += 1
        self.used.instances = max(self.used.instances, len(self._instances))
        self._take(instance, now)

    def _take(self, instance: Instance, now: int) -> None:
        """Let an instance take as many messages as it has room for."""
        if instance.gone:
            return
        while self._queue and instance.running < self._platform.slots:
            if not instance.running:
                self._note_idle(instance, now)
            instance.running += 1
            self._start(instance, *self._queue.popleft(), now)
        if not instance.running:
            keep = self._platform.keep
            self._at(instance.since + keep, lambda at: self._remove(instance, at))

    def _note_idle(self, instance: Instance, now: int) -> None:
        """Count the polls of an idle time that ends now; the instance is active from now on."""
        rest, wait = now - instance.since, FIRST_POLL_MS
        while rest >= wait:
            self.used.polls += 1
            rest -= wait
            wait = min(2 * wait, LAST_POLL_MS)
        instance.since = now

    def _start(self, instance: Instance, sent: int, due: Due, now: int) -> None:
        used = self.used
        used.executions += 1
        used.waits[(now - sent) // SECOND_MS] += 1
        self._in_work += 1
        if due.expires <= now:
            used.expired += 1
            self._at(now + SECOND_MS, lambda at: self._ended(instance, at))
            return
        dies = NEVER
        if self._rng.random() < self._platform.lost:
            dies = now + int(self._rng.random() * 10 * SECOND_MS)
        end = self._work(due, now, dies)
        if end < dies:
            self._at(end, lambda at: self._ended(instance, at))
        else:
            self._at(dies, lambda at: self._died(instance, at))
            self._at(now + HIDDEN_MS, lambda at: self._shown_again(sent, due, at))

    def _ended(self, instance: Instance, now: int) -> None:
        self._in_work -= 1
        if instance.gone:
            return
        instance.running -= 1
        if not instance.running:
            self.used.seconds += (now - instance.since) / 1000
            instance.since = now
        self._take(instance, now)

    def _died(self, instance: Instance, now: int) -> None:
        """Lose an instance. With several messages, the others end with it; they are few."""
        self._in_work -= 1
        self.used.lost += 1
        self.used.seconds += (now - instance.since) / 1000
        instance.gone = True
        self._instances.pop(instance, None)

    def _shown_again(self, sent: int, due: Due, now: int) -> None:
        self._queue.append((sent, due))
        self._noticed(now)

    def _remove(self, instance: Instance, now: int) -> None:
        """Remove an instance that has been idle for too long."""
        if instance.gone or instance.running or now - instance.since < self._platform.keep:
            return
        self._note_idle(instance, now)
        instance.gone = True
        self._instances.pop(instance, None)


def _stated(at: int) -> str:
    """Return a time as the host states it."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()
