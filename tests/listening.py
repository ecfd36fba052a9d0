"""A listener on a free loopback port, with a thread for each connection."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Listener:
    """Accepts connections until it is stopped.

    Attributes:
        port: where it listens.
        connections: how many were made.
    """

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        """Listen; `serve` talks on each connection in a thread of its own, and closes it."""
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        """Shut every connection, and wait for the threads."""
        for each in [self._listener, *self._open]:
            shut(each)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                serving = threading.Thread(target=self._serve, args=[connection])
                self._threads.append(serving)
                serving.start()


def shut(connection: socket.socket) -> None:
    """Shut a connection in both directions, if it is still open."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
