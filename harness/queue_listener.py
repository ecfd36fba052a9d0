"""Plays the part of the Functions host that watches a storage queue, with the emulator's queues.

The worker's library only runs a function that it is told to run. The host receives the messages,
counts how often, deletes those that a function has handled, shows the others again, and moves those
that failed too often into a second queue.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Self

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient, QueueMessage

from harness.functions_host import Instance, Invocation, Running, deliver

POLL_SECONDS = 0.05
"""The pause of an instance that has found no message."""

HIDDEN_SECONDS = 600
"""For how long the host hides a message that it has received. It renews this while it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message that a function is handling.

    Attributes:
        message: as it was received.
        running: the function's process.
    """

    message: QueueMessage
    running: Running


class QueueListener:
    """Watches the queue of one function; the pause after a failure is left out."""

    def __init__(
        self, app_dir: Path, env: Mapping[str, str], name: str, queue: QueueClient
    ) -> None:
        """Prepare to deliver messages, and make the queues, empty.

        Args:
            app_dir: folder with the app.
            env: the whole environment of the app.
            name: of the function.
            queue: that its trigger names.
        """
        host = json.loads((app_dir / "host.json").read_text("utf-8"))["extensions"]["queues"]
        self._most: int = host["maxDequeueCount"]
        self._app_dir, self._env, self._name = app_dir, dict(env), name
        self.queue = queue
        self.poison = QueueClient(
            queue.url.removesuffix(f"/{queue.queue_name}"),
            f"{queue.queue_name}-poison",
            credential=queue.credential,
        )
        for each in (self.queue, self.poison):
            with suppress(ResourceExistsError):
                each.create_queue()
            each.clear_messages()

    def send(self, messages: Iterable[str]) -> None:
        """Put messages into the queue, as the host does for an output binding."""
        for text in messages:
            self.queue.send_message(text)

    def start(self) -> list[Delivery]:
        """Receive all messages that can be seen, and start the function with each."""
        received = self.queue.receive_messages(visibility_timeout=HIDDEN_SECONDS)
        return [
            Delivery(
                message=it,
                running=deliver(
                    self._app_dir, self._env, self._name, it.content, dequeued=it.dequeue_count or 0
                ),
            )
            for it in received
        ]

    def finish(self, delivery: Delivery) -> Invocation:
        """Wait for a function's end, and do with its message what the host does."""
        ended = delivery.running.result()
        self.settle(delivery.message, success=ended.success)
        return ended

    def receive(self) -> QueueMessage | None:
        """Receive one message; None if none can be seen."""
        return self.queue.receive_message(visibility_timeout=HIDDEN_SECONDS)

    def settle(self, message: QueueMessage, *, success: bool) -> None:
        """Do with a message what the host does once its function has ended."""
        if success:
            self.queue.delete_message(message)
        elif (message.dequeue_count or 0) >= self._most:
            self.poison.send_message(message.content)
            self.queue.delete_message(message)
        else:
            self.queue.update_message(message, visibility_timeout=0)

    def instance(self) -> Instance:
        """Start a worker that stays."""
        return Instance(self._app_dir, self._env, self._name)

    def drain(self) -> list[Invocation]:
        """Deliver until no message is left, and return every invocation."""
        ended: list[Invocation] = []
        while started := self.start():
            ended += [self.finish(it) for it in started]
        return ended

    def poisoned(self) -> list[str]:
        """Return the messages that failed too often."""
        return [it.content for it in self.poison.peek_messages(32)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What became of a message that an instance received.

    Attributes:
        message: as it was received.
        ended: how its invocation ended.
    """

    message: QueueMessage
    ended: Invocation


Watch = Callable[[Instance, QueueMessage], None]
"""Is called when an instance begins with a message, and may kill the instance."""


class Instances:
    """Several workers that stay, each with one message at a time; a lost one is replaced."""

    def __init__(self, listener: QueueListener, count: int) -> None:
        """Start so many; they end with the `with` block."""
        self._listener = listener
        self._idle = [listener.instance() for _ in range(count)]
        self._handled: list[Handled] = []
        self._in_work = 0
        self._lock = Lock()

    def __enter__(self) -> Self:
        """Begin the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End all processes."""
        for instance in self._idle:
            instance.close()

    def drain(self, watch: Watch | None = None) -> list[Handled]:
        """Let the instances work until no message is left; return what became of each."""
        self._handled = []
        with ThreadPoolExecutor(len(self._idle)) as threads:
            works = [threads.submit(self._work, place, watch) for place in range(len(self._idle))]
        for work in works:
            work.result()
        return self._handled

    def _work(self, place: int, watch: Watch | None) -> None:
        """Handle messages with one instance until none is left and nobody works on one."""
        while (message := self._receive()) or self._in_work:
            if message is None:
                time.sleep(POLL_SECONDS)
                continue
            self._handle(place, message, watch)

    def _receive(self) -> QueueMessage | None:
        with self._lock:  # Nobody may see no message and no work between these two.
            message = self._listener.receive()
            self._in_work += message is not None
        return message

    def _handle(self, place: int, message: QueueMessage, watch: Watch | None) -> None:
        instance = self._idle[place]
        if watch:
            watch(instance, message)
        ended = instance.run(message.content, dequeued=message.dequeue_count or 0)
        with self._lock:
            self._listener.settle(message, success=ended.success)
            self._handled.append(Handled(message=message, ended=ended))
            self._in_work -= 1
        if instance.is_lost:
            self._idle[place] = self._listener.instance()
