"""HTTP over a socket, with keep-alive, optional TLS, and faults in the delivery of replies.

A `Listener` passes each request to a function and sends the reply that it returns.
"""

from __future__ import annotations

import gzip
import select
import socket
import ssl
import struct
import sys
import traceback
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Event, Lock, Thread, current_thread
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from email.message import Message
    from types import TracebackType

_Request: TypeAlias = "socket.socket | tuple[bytes, socket.socket]"

# Larger bodies are sent separately, since joining them with the head would copy them again.
_JOIN_MAX = 1 << 16
_POLL_SECONDS = 0.02


class Incoming(NamedTuple):
    """A request as received."""

    method: str
    path: str
    query: str
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a reply is sent; by default at once and completely.

    Attributes:
        delay_seconds: Wait this long before anything is sent.
        bytes_per_second: Send the body at this rate; None sends it at full speed.
        cut_after: Close the connection after this share (0 to 1) of the body; None sends all.
        silent: Never send anything, and keep the connection until the client gives up.
        reset: Reset the connection instead of sending anything.
        endless: Send the body repeatedly, without end.
        hints: First send this many informational answers (103).

    """

    delay_seconds: float = 0.0
    bytes_per_second: float | None = None
    cut_after: float | None = None
    silent: bool = False
    reset: bool = False
    endless: bool = False
    hints: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its status, its body with its type, further headers, and how to send it."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delivery: Delivery = field(default_factory=Delivery)

    def compressed(self) -> Reply:
        """Return the same reply with a gzip body."""
        return Reply(
            status=self.status,
            body=gzip.compress(self.body, compresslevel=1, mtime=0),
            content_type=self.content_type,
            headers={**self.headers, "Content-Encoding": "gzip"},
            delivery=self.delivery,
        )


_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"


class TlsFiles(NamedTuple):
    """The files of a server's certificate (chain) and private key, both PEM."""

    certificate: str
    key: str


class Listener:
    """A server on one port that stops without leaving a thread or a socket.

    Args:
        respond: Called in the connection's thread with each request.
        now_ms: The time for `Date` headers (epoch ms).
        host: The address to listen on.
        port: The port; 0 takes a free one.
        tls: Serve https with these files.

    """

    def __init__(
        self,
        respond: Callable[[Incoming], Reply],
        *,
        now_ms: Callable[[], int],
        host: str,
        port: int,
        tls: TlsFiles | None = None,
    ) -> None:
        self.respond = respond
        self.now_ms = now_ms
        self.stopping = Event()
        self.problems: list[BaseException] = []
        self._server = _Server(self, (host, port), tls)
        self._scheme = "https" if tls else "http"
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """The address without a path, such as `http://127.0.0.1:49152`."""
        host, port = self._server.server_address[:2]
        return f"{self._scheme}://{host!s}:{port}"

    def start(self) -> None:
        """Answer requests from now on, in other threads."""
        self._thread = Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name=f"listener {self.url}"
        )
        self._thread.daemon = True
        self._thread.start()

    def stop(self) -> None:
        """End every connection and thread, and free the port; a second call does nothing.

        Raises:
            RuntimeError: Answering a request failed for another reason than a scripted fault.

        """
        self.stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.end_connections()
        self._server.server_close()
        if self.problems:
            problems, self.problems = self.problems, []
            message = f"The simulator failed to answer {len(problems)} requests: {problems[0]!r}"
            raise RuntimeError(message) from problems[0]


class Served:
    """Something that a listener serves; a context manager that serves until its block ends."""

    _listener: Listener

    def __enter__(self) -> Self:
        """Start serving."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop serving."""
        self.stop()

    def start(self) -> None:
        """Answer requests from now on, in other threads."""
        self._listener.start()

    def stop(self) -> None:
        """Stop serving, and leave neither a thread nor a socket behind.

        Raises:
            RuntimeError: The simulator itself failed while answering.

        """
        self._listener.stop()


class _Server(ThreadingHTTPServer):
    """A server that keeps track of its connections and threads, so that it can end them."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner: Listener, address: tuple[str, int], tls: TlsFiles | None) -> None:
        self.owner = owner
        self._tls = _tls_context(tls) if tls else None
        self._open: dict[Thread, _Request] = {}
        self._lock = Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which can take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        if self._tls is None:
            return connection, address
        # The handshake happens on the first read, in the connection's own thread.
        wrapped = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return wrapped, address

    def process_request(self, request: _Request, client_address: object) -> None:
        thread = Thread(target=self.process_request_thread, args=(request, client_address))
        thread.daemon = True
        with self._lock:
            self._open[thread] = request
        thread.start()

    def process_request_thread(self, request: _Request, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._open[current_thread()]

    def handle_error(self, request: _Request, client_address: object) -> None:  # noqa: ARG002
        """Keep the exception, unless the client merely disconnected."""
        problem = sys.exception()
        if problem is None or isinstance(problem, OSError):
            return
        self.owner.problems.append(problem)
        traceback.print_exception(problem)

    def end_connections(self) -> None:
        with self._lock:
            still_open = dict(self._open)
        for connection in still_open.values():
            _shut(connection)
        for thread in still_open:
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Reads one request after another from a connection and sends the replies."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def serve(self) -> None:
        incoming = self._incoming()
        if self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            self._send(incoming, Reply(status=HTTPStatus.LENGTH_REQUIRED))
            return
        self._send(incoming, self.server.owner.respond(incoming))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

    def log_message(self, *_: Any) -> None:
        """Print nothing: every request is kept in `Simulator.requests`."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the simulated time, for the `Date` header."""
        seconds = self.server.owner.now_ms() / 1000 if timestamp is None else timestamp
        return formatdate(seconds, usegmt=True)

    def version_string(self) -> str:
        return "nginx"

    def _incoming(self) -> Incoming:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        return Incoming(self.command, path, query, self.headers, self.rfile.read(length))

    def _send(self, incoming: Incoming, reply: Reply) -> None:
        delivery = reply.delivery
        stopping = self.server.owner.stopping
        if delivery.delay_seconds and stopping.wait(delivery.delay_seconds):
            self.close_connection = True
        elif delivery.silent:
            self._wait_for_the_client_to_go()
        elif delivery.reset:
            self._reset()
        elif delivery.endless:
            self._send_endlessly(reply)
        else:
            self._send_body(incoming, reply)

    def _send_body(self, incoming: Incoming, reply: Reply) -> None:
        body = b"" if incoming.method == "HEAD" else reply.body
        head = self._head(reply, {"Content-Length": str(len(reply.body))})
        head = _HINTS * reply.delivery.hints + head
        if reply.delivery.cut_after is not None:
            self.close_connection = True
            body = body[: int(len(body) * reply.delivery.cut_after)]
        if reply.delivery.bytes_per_second is not None:
            self.wfile.write(head)
            self._drip(body, reply.delivery.bytes_per_second)
        elif len(body) <= _JOIN_MAX:
            self.wfile.write(head + body)
        else:
            self.wfile.write(head)
            self.wfile.write(body)

    def _head(self, reply: Reply, framing: Mapping[str, str]) -> bytes:
        reason = HTTPStatus(reply.status).phrase
        fields = {
            "Server": self.version_string(),
            "Date": self.date_time_string(),
            "Content-Type": reply.content_type,
            **framing,
            **reply.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{self.protocol_version} {reply.status} {reason}\r\n{lines}\r\n".encode("latin-1")

    def _drip(self, body: bytes, bytes_per_second: float) -> None:
        """Send the body in up to ten pieces a second."""
        size = max(1, int(bytes_per_second / 10))
        for start in range(0, len(body), size):
            self.wfile.write(body[start : start + size])
            if self.server.owner.stopping.wait(size / bytes_per_second):
                self.close_connection = True
                return

    def _send_endlessly(self, reply: Reply) -> None:
        self.close_connection = True
        self.wfile.write(self._head(reply, {"Transfer-Encoding": "chunked"}))
        chunk = b"%x\r\n%b\r\n" % (len(reply.body), reply.body)
        while not self.server.owner.stopping.is_set():
            self.wfile.write(chunk)

    def _wait_for_the_client_to_go(self) -> None:
        self.close_connection = True
        while not self.server.owner.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], _POLL_SECONDS)
            if readable and not self.rfile.read(1):
                return

    def _reset(self) -> None:
        """Close so that the client sees a reset rather than the end of the stream."""
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()


def _tls_context(tls: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    return context


def _shut(connection: _Request) -> None:
    try:
        if isinstance(connection, socket.socket):
            connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The client has already closed the connection.
        return
