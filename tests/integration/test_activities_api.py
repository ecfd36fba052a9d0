"""The adapter for the Activities API over real HTTP: the simulator, or a scripted server.

No test measures time. A server that must not be waited for would hold its answer for
`PATIENCE` seconds, or send a complete page in the end; the deadline shows in what comes back.
"""

import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.adapters.activities_api import HttpActivitySource
from shared.core.api.answers import Fault, Throttle, read_answer
from shared.core.errors import SourceRefused
from shared.core.model import Answer, NoAnswer, Request
from shared.ports import SignInUnavailable
from simulator import Simulator, Switches, Tenant
from tests.listening import Listener, shut

PATH = "/api/v1/activities/"
BODY = b'{"filters": {"date": {"gte": 1, "lte":2}}, "isScan": true, "limit": 5000}'
QUERY = Request(body=BODY)
SECRET = "Token 9d3f-made-up"
PATIENCE = 20.0
DEADLINE = 0.3
NOW = 1_795_435_200_000

PAGE = b'{"data": [], "hasNext": false, "total": 0}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Signed:
    """An authorization that tests script."""

    def __init__(self, value: str = SECRET, problem: Exception | None = None) -> None:
        self.value = value
        self.problem = problem
        self.renewed = 0

    def header(self) -> str:
        """Return the value, or fail as scripted."""
        if self.problem:
            raise self.problem
        return self.value

    def renew(self) -> bool:
        """Count it."""
        self.renewed += 1
        return True


class Wire:
    """A server that sends exactly the bytes that a test specifies.

    Attributes:
        requests: what arrived, head and body, in order.
        latest: the last request of each connection.
        ended: set when the test is over; slow answers check it.
    """

    def __init__(
        self, say: Callable[["Wire", socket.socket], None], tls: ssl.SSLContext | None
    ) -> None:
        self.requests: list[bytes] = []
        self.latest: dict[socket.socket, bytes] = {}
        self.ended = threading.Event()
        self._say = say
        self._tls = tls
        self._listener = Listener(self._serve)

    @property
    def connections(self) -> int:
        """How many were made."""
        return self._listener.connections

    @property
    def url(self) -> str:
        """Return its address, with the path of the real API."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.port}{PATH}"

    def send(self, connection: socket.socket, *pieces: bytes, pause: float = 0) -> None:
        """Send pieces with a pause after each, until the test is over."""
        for piece in pieces:
            connection.sendall(piece)
            if pause and self.ended.wait(pause):
                return

    def stop(self) -> None:
        """Stop everything that it started."""
        self.ended.set()
        self._listener.stop()

    def _serve(self, plain: socket.socket) -> None:
        with suppress(OSError), plain:
            if self._tls is None:
                self._talk(plain)
                return
            with self._tls.wrap_socket(plain, server_side=True) as connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        while request := _read_request(connection):
            self.requests.append(request)
            self.latest[connection] = request
            self._say(self, connection)


def _read_request(connection: socket.socket) -> bytes:
    """Return one request with its body, or nothing once the client has gone."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return b""
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(_field(head, b"content-length") or 0)
    while len(body) < length and (piece := connection.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


def _field(request: bytes, name: bytes) -> bytes | None:
    for line in request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        field, _, value = line.partition(b":")
        if field.lower() == name:
            return value.strip()
    return None


@contextmanager
def saying(
    say: Callable[[Wire, socket.socket], None], tls: ssl.SSLContext | None = None
) -> Iterator[Wire]:
    """Serve what `say` sends after each request."""
    wire = Wire(say, tls)
    try:
        yield wire
    finally:
        wire.stop()


@contextmanager
def source(
    url: str, authorization: Signed | None = None, *, body_cap: int = 1_000_000
) -> Iterator[HttpActivitySource]:
    """Provide the adapter under test, and close it afterwards."""
    made = HttpActivitySource(url, authorization or Signed(), body_cap=body_cap)
    try:
        yield made
    finally:
        made.close()


def once(wire: Wire, *, timeout: float = PATIENCE, body_cap: int = 1_000_000) -> Answer | NoAnswer:
    """Send one request to a wire."""
    with source(wire.url, body_cap=body_cap) as asked:
        return asked.ask(QUERY, timeout=timeout)


def whole(body: bytes, *fields: bytes) -> bytes:
    """Return a complete answer with its length."""
    lines = b"".join(field + b"\r\n" for field in fields)
    return OK + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def say_page(wire: Wire, connection: socket.socket) -> None:
    """Answer with an empty page."""
    wire.send(connection, whole(PAGE))


def echo(wire: Wire, connection: socket.socket) -> None:
    """Answer with the request's own body."""
    wire.send(connection, whole(wire.latest[connection].partition(b"\r\n\r\n")[2]))


def say_and_close(answer: bytes) -> Callable[[Wire, socket.socket], None]:
    """Return a function that sends this and then closes the connection."""

    def say(_: Wire, connection: socket.socket) -> None:
        connection.sendall(answer)
        shut(connection)

    return say


@contextmanager
def tenant_api(count: int = 3, **switches: object) -> Iterator[Simulator]:
    """Serve a small tenant whose activities are all visible."""
    tenant = Tenant.of([NOW - 3_600_000 + number for number in range(count)])
    chosen = Switches(**{"throttle_per_minute": None, **switches})  # type: ignore[arg-type]
    with Simulator(tenant, switches=chosen, clock=lambda: NOW) as api:
        yield api


def signed(api: Simulator) -> Signed:
    """Return an authorization that a simulator accepts."""
    return Signed(api.credentials.header["Authorization"])


def scan_of(**filters: object) -> Request:
    """Return an ascending scan query."""
    body = {"filters": filters, "isScan": True, "sortField": "date", "sortDirection": "asc"}
    return Request(body=json.dumps(body).encode())


def test_a_page_of_the_simulator_comes_back_whole() -> None:
    """Status and body are what the API sent."""
    with tenant_api(40) as api, source(api.url + PATH, signed(api)) as asked:
        answer = asked.ask(scan_of(), timeout=PATIENCE)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert len(json.loads(answer.body)["data"]) == 40


def test_filters_arrive_at_the_simulator_as_they_are() -> None:
    """The API reads exactly the filters that the query has."""
    filters = {"date": {"gte": NOW - 3_600_000, "lte": NOW}, "service": {"eq": [20893]}}
    with tenant_api() as api, source(api.url + PATH, signed(api)) as asked:
        asked.ask(scan_of(**filters), timeout=PATIENCE)

        (received,) = api.requests

    assert (received.method, received.path) == ("POST", PATH)
    assert (received.filters, received.is_scan) == (filters, True)
    assert (received.sort_field, received.sort_direction) == ("date", "asc")


def test_the_body_is_sent_byte_for_byte() -> None:
    """White space, order and escapes of a continuation are preserved."""
    body = b'{ "filters":{"b":"\xc3\xa4","a":"\\u00e4 \\/"},"limit":5000, "limit": 500 }'
    with saying(say_page) as wire, source(wire.url) as asked:
        asked.ask(Request(body=body), timeout=PATIENCE)

    assert wire.requests[0].partition(b"\r\n\r\n")[2] == body


def test_a_request_has_the_documented_form() -> None:
    """Method, path with its slash, content type and authorization are as documented."""
    with saying(say_page) as wire:
        once(wire)

    request = wire.requests[0]
    assert request.startswith(b"POST /api/v1/activities/ HTTP/1.1\r\n")
    assert _field(request, b"authorization") == SECRET.encode()
    assert _field(request, b"content-type") == b"application/json"
    assert b"gzip" in (_field(request, b"accept-encoding") or b"")


def test_a_netrc_entry_does_not_replace_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API does not get the credentials that a developer's machine has for the host."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with saying(say_page) as wire:
        once(wire)

    assert _field(wire.requests[0], b"authorization") == SECRET.encode()


def test_a_refused_token_is_an_answer() -> None:
    """Another module decides what a 401 means."""
    with tenant_api() as api, source(api.url + PATH, Signed("Token wrong")) as asked:
        answer = asked.ask(scan_of(), timeout=PATIENCE)

    assert isinstance(answer, Answer)
    assert answer.status == 401
    assert b"Invalid token" in answer.body


def test_a_temporary_lack_of_a_token_is_a_fault() -> None:
    """Nothing is sent without a token."""
    problem = SignInUnavailable("the sign-in service is busy")
    with saying(say_page) as wire, source(wire.url, Signed(problem=problem)) as asked:
        answer = asked.ask(QUERY, timeout=PATIENCE)

    assert answer == NoAnswer(kind="sign-in", detail="the sign-in service is busy")
    assert wire.requests == []


class SlowSigned(Signed):
    """An authorization that takes longer than a request may."""

    def header(self) -> str:
        """Return the value late."""
        threading.Event().wait(DEADLINE)
        return super().header()


def test_a_sign_in_that_takes_all_the_time_sends_nothing() -> None:
    """Whoever gave the request its time may have no right to send any after it."""
    with saying(say_page) as wire, source(wire.url, SlowSigned()) as asked:
        answer = asked.ask(QUERY, timeout=DEADLINE / 10)

    assert answer == NoAnswer(kind="sign-in", detail="signing in took longer than 0 s")
    assert wire.requests == []


def test_a_refused_sign_in_raises() -> None:
    """A retry cannot help, so it is an error rather than a value."""
    refused = Signed(problem=SourceRefused("signing in failed"))
    with (
        saying(say_page) as wire,
        source(wire.url, refused) as asked,
        pytest.raises(SourceRefused, match="signing in failed"),
    ):
        asked.ask(QUERY, timeout=PATIENCE)

    assert wire.requests == []


def test_renewing_is_passed_on() -> None:
    """The authorization decides whether there is anything to renew."""
    authorization = Signed()
    with source("http://127.0.0.1:9/", authorization) as asked:
        renewed = asked.renew_token()

    assert (renewed, authorization.renewed) == (True, 1)


def test_redirects_are_not_followed() -> None:
    """A redirect drops the query's body, so it is returned as the answer."""
    with tenant_api() as api, source(api.url + PATH.rstrip("/"), signed(api)) as asked:
        answer = asked.ask(scan_of(), timeout=PATIENCE)

        assert isinstance(answer, Answer)
        assert (answer.status, len(api.requests)) == (301, 1)
        assert (answer.location or "").endswith(PATH)


def test_a_throttle_says_how_long_and_when() -> None:
    """`Retry-After` is passed on as sent, `Date` in epoch milliseconds."""
    with tenant_api(throttle_per_minute=1) as api, source(api.url + PATH, signed(api)) as asked:
        asked.ask(scan_of(), timeout=PATIENCE)

        answer = asked.ask(scan_of(), timeout=PATIENCE)

    assert isinstance(answer, Answer)
    assert (answer.status, answer.date) == (429, NOW)
    assert 0 < int(answer.retry_after or "") <= 60


def test_headers_that_are_absent_or_unreadable_are_none() -> None:
    """A server need not state its time."""
    with saying(
        say_and_close(b"HTTP/1.1 200 OK\r\nDate: soon\r\nContent-Length: 2\r\n\r\n{}")
    ) as w:
        answer = once(w)

    headers = frozenset({"date", "content-length"})
    assert answer == Answer(status=200, body=b"{}", headers=headers)


def test_an_answer_without_a_body_is_an_answer() -> None:
    """An empty body is complete."""
    with saying(say_and_close(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")) as wire:
        answer = once(wire)

    assert answer == Answer(status=503, body=b"", headers=frozenset({"content-length"}))


def test_a_body_that_ends_with_the_connection_is_whole() -> None:
    """Without a length and chunks, the server ends the body by closing."""
    with saying(say_and_close(OK + b"\r\n" + PAGE)) as wire:
        answer = once(wire)

    assert isinstance(answer, Answer)
    assert answer.body == PAGE


def test_a_chunked_body_is_assembled() -> None:
    """Chunk borders may lie anywhere."""
    chunks = b"".join(b"1\r\n" + PAGE[at : at + 1] + b"\r\n" for at in range(len(PAGE)))
    with saying(
        say_and_close(OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    ) as wire:
        answer = once(wire)

    assert isinstance(answer, Answer)
    assert answer.body == PAGE


def test_a_compressed_answer_is_decoded() -> None:
    """Records are counted and hashed as the API wrote them."""
    with (
        tenant_api(200, gzip_response=True) as api,
        source(api.url + PATH, signed(api), body_cap=10_000_000) as asked,
    ):
        answer = asked.ask(scan_of(), timeout=PATIENCE)

    assert isinstance(answer, Answer)
    assert len(json.loads(answer.body)["data"]) == 200


# Servers too slow to wait for. Each would eventually send a complete page.

Manner = Callable[[Wire, socket.socket], None]
DRIP = 0.02
DROPS = int(PATIENCE / DRIP)


def silent(wire: Wire, connection: socket.socket) -> None:
    """Send nothing for a long time."""
    wire.ended.wait(PATIENCE)
    wire.send(connection, whole(PAGE))


def status_line_slowly(wire: Wire, connection: socket.socket) -> None:
    """Send the first line slowly."""
    wire.send(connection, b"HTTP/1.1 200 ", *[b"O"] * DROPS, pause=DRIP)
    wire.send(connection, whole(PAGE).partition(b"OK")[2])


def headers_slowly(wire: Wire, connection: socket.socket) -> None:
    """Send a header slowly."""
    wire.send(connection, OK, b"X: ", *[b"y"] * DROPS, pause=DRIP)
    wire.send(connection, whole(PAGE, b"").partition(OK)[2])


def continues(wire: Wire, connection: socket.socket) -> None:
    """Send interim answers without end."""
    wire.send(connection, *[b"HTTP/1.1 100 Continue\r\n\r\n"] * DROPS, pause=DRIP)
    wire.send(connection, whole(PAGE))


def body_slowly(wire: Wire, connection: socket.socket) -> None:
    """Send a body of known length slowly."""
    wire.send(connection, OK + b"Content-Length: %d\r\n\r\n" % DROPS, *[b" "] * DROPS, pause=DRIP)


def chunks_slowly(wire: Wire, connection: socket.socket) -> None:
    """Send tiny chunks."""
    head = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    wire.send(connection, head, *[b"1\r\n \r\n"] * DROPS, pause=DRIP)
    wire.send(connection, b"0\r\n\r\n")


def until_closed_slowly(wire: Wire, connection: socket.socket) -> None:
    """Send a body slowly that only closing the connection ends."""
    wire.send(connection, OK + b"\r\n", *[b" "] * DROPS, pause=DRIP)
    shut(connection)


def half_a_body(wire: Wire, connection: socket.socket) -> None:
    """Stop in the middle of the body."""
    wire.send(connection, whole(PAGE)[:-5])
    wire.ended.wait(PATIENCE)
    wire.send(connection, PAGE[-5:])


def compressed_slowly(wire: Wire, connection: socket.socket) -> None:
    """Send a compressed body slowly that only closing the connection ends."""
    packed = gzip.compress(bytes(range(256)) * 8, compresslevel=0)
    wire.send(connection, OK + b"Content-Encoding: gzip\r\n\r\n")
    wire.send(connection, *[packed[at : at + 1] for at in range(len(packed))], pause=DRIP)
    shut(connection)


MANNERS: list[Manner] = [
    silent,
    status_line_slowly,
    headers_slowly,
    continues,
    body_slowly,
    chunks_slowly,
    until_closed_slowly,
    half_a_body,
    compressed_slowly,
]


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__)
def test_the_deadline_holds(manner: Manner) -> None:
    """Without a complete answer in time, the result is a timeout and never half a body."""
    with saying(manner) as wire:
        answer = once(wire, timeout=DEADLINE)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__)
def test_the_deadline_holds_over_tls(manner: Manner, trusted: ssl.SSLContext) -> None:
    """The same holds where a shut socket could yield bytes that are still encrypted."""
    with saying(manner, trusted) as wire:
        answer = once(wire, timeout=DEADLINE)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Provide a server's side of TLS with a certificate that the adapter trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_trusted_certificate_is_accepted(trusted: ssl.SSLContext) -> None:
    """TLS itself is not a problem."""
    with saying(say_page, trusted) as wire:
        answer = once(wire)

    assert isinstance(answer, Answer)
    assert answer.body == PAGE


def test_an_unknown_certificate_is_a_connection_fault() -> None:
    """A server that cannot prove its name gets neither query nor token."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with saying(say_page, context) as wire:
        answer = once(wire)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "connection"
    assert "certificate" in answer.detail.lower()
    assert wire.requests == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_deadline_holds_through_a_proxy(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy may be as slow as a server, even in its answer to CONNECT."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with saying(status_line_slowly) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", proxy.url.removesuffix(PATH))
        with source(f"{scheme}://contoso.invalid{PATH}") as asked:
            answer = asked.ask(QUERY, timeout=DEADLINE)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"
    assert len(proxy.requests) == 1


def test_a_handshake_that_never_ends_is_a_timeout() -> None:
    """The deadline holds before a request could be sent."""
    with saying(silent) as wire, source(wire.url.replace("http:", "https:")) as asked:
        answer = asked.ask(QUERY, timeout=DEADLINE)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"


class NeverFires(threading.Timer):
    """The watchdog's timer on a machine that is too busy to run it."""

    def run(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("manner", [silent, half_a_body], ids=lambda manner: manner.__name__)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_socket_that_times_out_before_the_watch_is_a_timeout(
    manner: Manner, scheme: str, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket has an equal timeout, and a busy machine may run the watchdog late."""
    monkeypatch.setattr(threading, "Timer", NeverFires)
    with saying(manner, trusted if scheme == "https" else None) as wire:
        answer = once(wire, timeout=DEADLINE)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"


def test_a_handshake_that_times_out_before_the_watch_is_a_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same holds before a request could be sent."""
    monkeypatch.setattr(threading, "Timer", NeverFires)
    with saying(silent) as wire, source(wire.url.replace("http:", "https:")) as asked:
        answer = asked.ask(QUERY, timeout=DEADLINE)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"


def test_a_proxy_that_times_out_before_the_watch_is_a_timeout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same holds while the proxy has not answered CONNECT."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr(threading, "Timer", NeverFires)
    with saying(silent) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url.removesuffix(PATH))
        with source(f"https://contoso.invalid{PATH}") as asked:
            answer = asked.ask(QUERY, timeout=DEADLINE)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"


def reset(_: Wire, connection: socket.socket) -> None:
    """Abort the connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def reset_in_the_body(wire: Wire, connection: socket.socket) -> None:
    """Abort the connection in the middle of the body."""
    wire.send(connection, whole(PAGE)[:-5])
    reset(wire, connection)


PACKED = gzip.compress(PAGE)
GZIP = b"Content-Encoding: gzip"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

BROKEN: dict[str, Manner] = {
    "reset": reset,
    "reset in the body": reset_in_the_body,
    "closed at once": say_and_close(b""),
    "cut in the status line": say_and_close(b"HTTP/1.1 2"),
    "cut before the body": say_and_close(OK + b"Content-Length: 9\r\n\r\n"),
    "cut in the body": say_and_close(whole(PAGE)[:-5]),
    "cut in a chunk": say_and_close(CHUNKED + b"9\r\nabc"),
    "cut between chunks": say_and_close(CHUNKED + b"3\r\nabc\r\n"),
    "no chunk size": say_and_close(CHUNKED + b"xyz\r\nabc\r\n"),
    "no HTTP": say_and_close(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "gzip cut by the connection": say_and_close(whole(PACKED, GZIP)[:-12]),
    "gzip with a wrong checksum": say_and_close(whole(PACKED[:-8] + b"\0" * 8, GZIP)),
    "no gzip": say_and_close(whole(PAGE, GZIP)),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_answer_is_a_connection_fault(how: str) -> None:
    """Half a body never counts as an answer, and no message has the token."""
    with saying(BROKEN[how]) as wire:
        answer = once(wire)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "connection"
    assert answer.detail
    assert "made-up" not in answer.detail


CUT_BY_THE_SERVER = {
    "plain, no length": OK + b"\r\n" + PAGE[:-5],
    "in the headers": OK + b"X-Something: abc",
    "gzip": whole(PACKED[:-12], GZIP),
    "gzip, no length": OK + GZIP + b"\r\n\r\n" + PACKED[:-12],
    "gzip of half a page": whole(gzip.compress(PAGE[:-5]), GZIP),
}


@pytest.mark.parametrize("how", CUT_BY_THE_SERVER)
def test_an_answer_that_the_server_itself_cut_is_not_a_page(how: str) -> None:
    """HTTP cannot detect what is missing, but reading the page does."""
    with saying(say_and_close(CUT_BY_THE_SERVER[how])) as wire:
        answer = once(wire)

    assert isinstance(read_answer(answer, now=NOW), Fault)


def test_a_refused_connection_is_a_connection_fault() -> None:
    """Nothing listens, and the message says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with source(f"http://127.0.0.1:{port}{PATH}") as asked:
        answer = asked.ask(QUERY, timeout=PATIENCE)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "connection"
    assert "refused" in answer.detail.lower()


def test_the_adapter_does_not_retry_a_fault() -> None:
    """One question is one request; another module decides whether to ask again."""
    with saying(BROKEN["closed at once"]) as wire:
        once(wire)

    assert (len(wire.requests), wire.connections) == (1, 1)


def endless(wire: Wire, connection: socket.socket) -> None:
    """Send a body without end."""
    connection.sendall(OK + b"\r\n")
    while not wire.ended.is_set():
        connection.sendall(b" " * 65536)


BOMB = whole(gzip.compress(b" " * 30_000_000), GZIP)


def large(wire: Wire, connection: socket.socket) -> None:
    """State a length over the cap, and send half of such a body."""
    wire.send(connection, whole(b" " * 200_000)[:-100_000])
    wire.ended.wait(PATIENCE)


@pytest.mark.parametrize(
    "manner", [endless, large, say_and_close(BOMB)], ids=["endless", "large", "bomb"]
)
def test_a_body_over_the_cap_is_too_large(manner: Manner) -> None:
    """Decoded bytes count, so no answer can fill the memory."""
    with saying(manner) as wire:
        answer = once(wire, body_cap=100_000)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "too large"
    assert "100000" in answer.detail


def test_a_body_as_large_as_the_cap_is_read() -> None:
    """The cap itself is allowed."""
    with saying(say_page) as wire:
        answer = once(wire, body_cap=len(PAGE))

    assert isinstance(answer, Answer)
    assert answer.body == PAGE


def test_a_connection_is_kept_for_the_next_request() -> None:
    """A handshake per request would cost more than the request."""
    with saying(say_page) as wire, source(wire.url) as asked:
        for _ in range(5):
            asked.ask(QUERY, timeout=PATIENCE)

    assert (len(wire.requests), wire.connections) == (5, 1)


def test_a_connection_is_kept_across_threads() -> None:
    """Each step runs in its own thread; all of them share the connections."""
    with saying(say_page) as wire, source(wire.url) as asked:
        for _ in range(3):
            with ThreadPoolExecutor(1) as lane:
                lane.submit(asked.ask, QUERY, timeout=PATIENCE).result()

    assert (len(wire.requests), wire.connections) == (3, 1)


def test_a_connection_that_the_server_closed_is_replaced() -> None:
    """An idle connection closes without notice, which must not lose the next request."""
    closed = threading.Semaphore(0)

    def say_page_and_close(wire: Wire, connection: socket.socket) -> None:
        say_page(wire, connection)
        shut(connection)
        closed.release()

    with saying(say_page_and_close) as wire, source(wire.url) as asked:
        first = asked.ask(QUERY, timeout=PATIENCE)
        closed.acquire(timeout=PATIENCE)
        second = asked.ask(QUERY, timeout=PATIENCE)

    assert isinstance(first, Answer)
    assert second == first
    assert wire.connections == 2


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    """After a timeout the connection is not used again."""

    def late_then_page(wire: Wire, connection: socket.socket) -> None:
        if len(wire.requests) == 1:
            wire.ended.wait(2 * DEADLINE)
            connection.sendall(whole(b"the late one"))
        else:
            connection.sendall(whole(PAGE))

    with saying(late_then_page) as wire, source(wire.url) as asked:
        first = asked.ask(QUERY, timeout=DEADLINE)
        second = asked.ask(QUERY, timeout=PATIENCE)

    assert isinstance(first, NoAnswer)
    assert isinstance(second, Answer)
    assert (second.body, wire.connections) == (PAGE, 2)


def test_a_deadline_that_has_passed_does_not_end_the_next_answer() -> None:
    """The watchdog of one exchange releases a connection that is kept."""

    def wait_then_page(wire: Wire, connection: socket.socket) -> None:
        if len(wire.requests) == 2:
            wire.ended.wait(5 * DEADLINE)
        connection.sendall(whole(PAGE))

    with saying(wait_then_page) as wire, source(wire.url) as asked:
        asked.ask(QUERY, timeout=4 * DEADLINE)
        answer = asked.ask(QUERY, timeout=PATIENCE)

    assert isinstance(answer, Answer)
    assert wire.connections == 1


def test_threads_that_ask_at_once_get_their_own_answers() -> None:
    """Lanes share the adapter but never each other's pages."""
    bodies = [b"question %d" % number for number in range(24)]
    with saying(echo) as wire, source(wire.url) as asked, ThreadPoolExecutor(8) as lanes:
        answers = list(
            lanes.map(lambda body: asked.ask(Request(body=body), timeout=PATIENCE), bodies)
        )

    assert [answer.body for answer in answers if isinstance(answer, Answer)] == bodies
    assert wire.connections <= 8


HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    "before",
    [HINTS, HINTS * 3, PROCESSING, CONTINUE + HINTS + PROCESSING],
    ids=["hints", "hints three times", "processing", "all of them"],
)
def test_informational_answers_are_skipped(before: bytes) -> None:
    """The answer after them belongs to this request, and must not be left for the next one."""

    def say_hints(wire: Wire, connection: socket.socket) -> None:
        wire.send(connection, before)
        wire.send(connection, whole(b"answer %d" % len(wire.requests)))

    with saying(say_hints) as wire, source(wire.url) as asked:
        answers = [asked.ask(QUERY, timeout=PATIENCE) for _ in range(3)]

    bodies = [answer.body for answer in answers if isinstance(answer, Answer)]
    assert bodies == [b"answer 1", b"answer 2", b"answer 3"]
    assert wire.connections == 1


def hints_without_end(wire: Wire, connection: socket.socket) -> None:
    """Send early hints without end."""
    wire.send(connection, *[HINTS] * DROPS, pause=DRIP)


def test_the_deadline_holds_while_hints_are_skipped() -> None:
    """Each of them is read at once, so no single wait is long."""
    with saying(hints_without_end) as wire:
        answer = once(wire, timeout=DEADLINE)

    assert isinstance(answer, NoAnswer)
    assert answer.kind == "timeout"


def test_a_change_of_protocol_is_a_fault_that_ends_its_connection() -> None:
    """Nothing asked for it, and what follows it must not reach the next request."""

    def switch_once(wire: Wire, connection: socket.socket) -> None:
        if len(wire.requests) == 1:
            wire.send(connection, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
        else:
            say_page(wire, connection)

    with saying(switch_once) as wire, source(wire.url) as asked:
        first = asked.ask(QUERY, timeout=PATIENCE)
        second = asked.ask(QUERY, timeout=PATIENCE)

    assert isinstance(read_answer(first, now=NOW), Fault)
    assert isinstance(second, Answer)
    assert (second.body, wire.connections) == (PAGE, 2)


@pytest.mark.parametrize(
    "token", ["Token a\r\nX-Forged: b", "Bearer \u00e9", "Bearer ", "Token a\0"]
)
def test_a_token_that_no_header_can_carry_is_not_sent_and_not_shown(token: str) -> None:
    """The library's own error would repeat it."""
    with saying(say_page) as wire, source(wire.url, Signed(token)) as asked:
        answer = asked.ask(QUERY, timeout=PATIENCE)

    assert answer == NoAnswer(
        kind="sign-in", detail="the token has characters that a token cannot have: copy it again"
    )
    assert wire.requests == []


@given(
    status=st.sampled_from(
        [b"200", b"103", b"204", b"304", b"429", b"503", b"999", b"-1", b"\xff"]
    ),
    head=st.binary(max_size=60),
    body=st.binary(max_size=60),
)
@settings(max_examples=60)
def test_no_bytes_on_the_wire_raise(status: bytes, head: bytes, body: bytes) -> None:
    """Whatever a server sends, the result is an answer or the reason why there is none."""
    fields = [b"Date", b"Retry-After", b"Content-Length", b"Content-Encoding", b"Location"]
    lines = b"".join(field + b": " + head + b"\r\n" for field in fields)
    sent = b"HTTP/1.1 " + status + b" OK\r\n" + lines + b"\r\n" + body
    with saying(say_and_close(sent)) as wire:
        answer = once(wire)

    with suppress(SourceRefused):
        assert isinstance(read_answer(answer, now=NOW), Fault | Throttle)


def test_headers_of_absurd_length_are_a_fault_or_cut_short() -> None:
    """Neither the ledger nor the log stores unreasonably long headers."""
    long = b"x" * 60_000
    fields = [b"Retry-After: " + long, b"Date: " + long, b"Location: " + long, b"X: " + long * 2]
    for count in (3, 4):
        with saying(say_and_close(whole(PAGE, *fields[:count]).replace(b"200", b"302"))) as wire:
            answer = once(wire)
        if isinstance(answer, NoAnswer):
            assert len(answer.detail) <= 200
        else:
            with pytest.raises(SourceRefused) as refused:
                read_answer(answer, now=NOW)
            assert len(str(refused.value)) < 1_000
