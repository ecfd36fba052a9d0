"""The proxy before Azurite counts what the service answered, and nothing else."""

import socket
from contextlib import closing
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from tests.contracts.proxies import CONNECTION, first_line, port_of, through
from tests.listening import Listener

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer_once(connection: socket.socket) -> None:
    """Answer one request, and close the connection, as Azurite does with one that was idle."""
    with connection:
        connection.recv(65536)
        connection.sendall(ANSWER)


def test_a_request_that_the_service_never_read_counts_when_it_is_sent_again() -> None:
    """Otherwise a slow machine would make a test count one too many."""
    service = Listener(answer_once)
    environ = {CONNECTION: f"BlobEndpoint=http://127.0.0.1:{service.port}/account;"}
    seen: list[str] = []

    def see(request: bytes, answer: bytes) -> bytes:
        seen.append(first_line(request))
        return answer

    with (
        through(environ, change=see) as proxied,
        closing(HTTPConnection("127.0.0.1", port_of(proxied))) as kept,
        closing(HTTPConnection("127.0.0.1", port_of(proxied))) as other,
    ):
        kept.request("GET", "/first")
        assert kept.getresponse().read() == b"ok"
        kept.request("GET", "/second")
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            kept.getresponse()
        other.request("GET", "/second")
        assert other.getresponse().read() == b"ok"
    service.stop()

    assert seen == ["GET /first HTTP/1.1", "GET /second HTTP/1.1"]
