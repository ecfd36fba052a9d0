"""Plays the part of the Functions host that watches a storage queue, with the emulator's queues.

The worker's library only runs a function that it is told to run. The host receives the messages,
counts how often, deletes those that a function has handled, shows the others again, and moves those
that failed too often into a second queue.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.queue import QueueClient, QueueMessage

from harness.functions_host import Invocation, Running, deliver

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
        received = list(self.queue.receive_messages(visibility_timeout=HIDDEN_SECONDS))
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
        message = delivery.message
        if ended.success:
            self.queue.delete_message(message)
        elif (message.dequeue_count or 0) >= self._most:
            self.poison.send_message(message.content)
            self.queue.delete_message(message)
        else:
            self.queue.update_message(message, visibility_timeout=0)
        return ended

    def drain(self) -> list[Invocation]:
        """Deliver until no message is left, and return every invocation."""
        ended: list[Invocation] = []
        while started := self.start():
            ended += [self.finish(it) for it in started]
        return ended

    def poisoned(self) -> list[str]:
        """Return the messages that failed too often."""
        return [it.content for it in self.poison.peek_messages(32)]
