"""The Activities API over HTTPS: one request in, one complete answer out, in bounded time.

Nothing is retried and nothing is interpreted here. The body is read from the raw response, not with
`.content`, whose chunks of 10 KB cost more CPU (docs/adr/0006).
"""

import re
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException, HTTPResponse, IncompleteRead, parse_headers
from io import BytesIO
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.poolmanager import ProxyManager

from shared.core.api.answers import HTTP_INFORMATIONAL, read_http_date
from shared.core.model import Answer, NoAnswer, Request
from shared.core.quoting import quoted
from shared.ports import Authorization, SignInUnavailable

BODY_CAP = 96 * 1024 * 1024
"""The most bytes that a decoded body may have: five times an ordinary page of 5,000 records, and as
much as the smallest instance can hold. A larger page is asked for again with a smaller limit."""

CHUNK = 1024 * 1024

USER_AGENT = "activity-scan (+https://learn.microsoft.com/defender-cloud-apps/api-activities)"


class _TooLarge(Exception):
    """The body is over the cap."""


class HttpActivitySource:
    """The `ActivitySource` over HTTP. Connections are kept and shared by the steps' threads."""

    def __init__(self, url: str, authorization: Authorization, *, body_cap: int = BODY_CAP) -> None:
        """Remember where to send requests and how to sign in; nothing is requested yet."""
        self._url = url
        self._authorization = authorization
        self._body_cap = body_cap
        self._session = requests.Session()
        self._session.mount("https://", _WatchedAdapter(pool_maxsize=16))
        self._session.mount("http://", _WatchedAdapter(pool_maxsize=16))

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Send one request; see the port."""
        watch = _Watch(timeout)
        try:
            with watch:
                answer = self._exchange(request, self._signed_in(watch, timeout), timeout)
        except SignInUnavailable as error:
            return NoAnswer(kind="sign-in", detail=str(error))
        except _TooLarge:
            return NoAnswer(kind="too large", detail=f"more than {self._body_cap} bytes")
        except (requests.RequestException, HTTPError, HTTPException, OSError) as error:
            if watch.expired or isinstance(error, _TIMEOUTS):
                return _late(timeout)
            return NoAnswer(kind="connection", detail=_plain(error))
        # A socket that was shut looks like the end of the headers, or of a body without a length.
        return _late(timeout) if watch.expired else answer

    def renew_token(self) -> bool:
        """Sign in again before the next request; see the port."""
        return self._authorization.renew()

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    def _signed_in(self, watch: "_Watch", timeout: float) -> str:
        """Return the header that signs a request; signing in takes from the request's time."""
        header = self._authorization.header()
        if not _SENDABLE.fullmatch(header):
            raise SignInUnavailable(
                "the token has characters that a token cannot have: copy it again"
            )
        if watch.expired:
            raise SignInUnavailable(f"signing in took longer than {timeout:.0f} s")
        return header

    def _exchange(self, request: Request, header: str, timeout: float) -> Answer:
        response = self._session.post(
            self._url,
            data=request.body,
            auth=_Header(header),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                "User-Agent": USER_AGENT,
            },
            timeout=(min(10.0, timeout), timeout),
            allow_redirects=False,
            stream=True,
        )
        with response:
            if response.status_code in HTTP_INFORMATIONAL:
                response.raw.close()  # Whatever follows on this connection answers no request.
            body = self._read(response)
        return _answer(response.status_code, response.headers, body)

    def _read(self, response: requests.Response) -> bytes:
        length: int | None = response.raw.length_remaining
        if length and "Content-Encoding" not in response.headers:
            return self._read_at_once(response, length)
        return self._read_in_pieces(response)

    def _read_at_once(self, response: requests.Response, length: int) -> bytes:
        """Read a body of known length without a copy. The watch ends this read, too."""
        if length > self._body_cap:
            raise _TooLarge
        body: bytes = response.raw.read(length, decode_content=False)
        if len(body) < length:
            raise IncompleteRead(body, length - len(body))
        return body

    def _read_in_pieces(self, response: requests.Response) -> bytes:
        body = BytesIO()  # Unlike a list of pieces, it needs no copy at the end.
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            if body.tell() + len(chunk) > self._body_cap:
                raise _TooLarge
            body.write(chunk)
        return body.getvalue()


_TIMEOUTS = (requests.Timeout, ReadTimeoutError)
"""What a socket's own timeout raises. On a busy machine it may fire before the watch. While the
body is read, nothing translates it into an exception of requests."""

_SENDABLE = re.compile(r"[!-~]+( [!-~]+)*")
"""A header value that the library accepts: its error about any other one would show the token."""


class _Header(AuthBase):
    """Sets our header; otherwise, an entry for the host in `.netrc` would replace it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = self._value
        return request


def _answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    return Answer(
        status=status,
        body=body,
        date=read_http_date(headers.get("Date")),
        retry_after=headers.get("Retry-After"),
        content_type=headers.get("Content-Type"),
        location=headers.get("Location"),
        headers=frozenset(map(str.lower, headers)),
    )


def _late(timeout: float) -> NoAnswer:
    return NoAnswer(kind="timeout", detail=f"no complete answer in {timeout:.0f} s")


def _plain(error: Exception) -> str:
    """Return the innermost cause, briefly; the outer ones repeat the address."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return quoted(f"{type(cause).__name__}: {cause}")


class _Watch:
    """Ends an exchange at its total deadline, whatever it is waiting for.

    A socket timeout only limits each single wait, so a server that sends a byte now and then could
    hold up the step for ever. At the deadline, the watch shuts the socket, which wakes the reader.
    """

    def __init__(self, timeout: float) -> None:
        self.expired = False
        self._timer = threading.Timer(timeout, self._expire)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def __enter__(self) -> None:
        _watches.current = self
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _watches.current = None
        with self._lock:
            self._socket = None

    def over(self, connection: socket.socket | None) -> None:
        """Watch this socket from now on."""
        with self._lock:
            self._socket = connection
            if self.expired:
                self._shut()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


_watches = threading.local()

SWITCHING_PROTOCOLS = 101
"""The one informational answer after which no other answer follows."""


class _FinalResponse(HTTPResponse):
    """A response that skips all informational answers; `http.client` skips only 100.

    If an Early Hints (103) were taken for the answer, the real answer would stay on the connection,
    and the next request would read it as its own.
    """

    def _read_status(self) -> tuple[str, int, str]:
        """Return the status line of the final answer."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in the stubs
            if status not in HTTP_INFORMATIONAL or status == SWITCHING_PROTOCOLS:
                return version, status, reason
            parse_headers(self.fp)


class _WatchedHTTP(HTTPConnection):
    """A connection that shows its socket to the watch of the thread that sends on it."""

    response_class = _FinalResponse

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send, then let the watch see the socket on which the answer will arrive."""
        super().request(*args, **kwargs)
        _watches.current.over(self.sock)


class _WatchedHTTPS(HTTPSConnection):
    """The same over TLS."""

    response_class = _FinalResponse

    def _new_conn(self) -> socket.socket:
        """Let the watch see the bare socket: a proxy may answer CONNECT byte by byte."""
        bare: socket.socket = super()._new_conn()
        _watches.current.over(bare)
        return bare

    def _tunnel(self) -> None:
        """Open the tunnel. A socket that the watch shut looks like a normal end of the answer."""
        super()._tunnel()
        if _watches.current.expired:
            raise TimeoutError("the proxy's answer to CONNECT took too long")

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send, then let the watch see the socket on which the answer will arrive."""
        super().request(*args, **kwargs)
        _watches.current.over(self.sock)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class _WatchedAdapter(HTTPAdapter):
    """A transport without retries whose connections are watched."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use the watched connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        """Use them through a proxy, too."""
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager
