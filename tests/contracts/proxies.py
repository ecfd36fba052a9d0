"""A proxy before Azurite: it loses answers, changes them, or answers in the service's place."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from tests.fakes import folders_of
from tests.listening import Listener

CONNECTION = "STORAGE_CONNECTION_STRING"

Refuse = Callable[[bytes], bytes | None]
"""Takes a request; returns an answer in the service's place, or None to pass it on."""

Change = Callable[[bytes, bytes], bytes | None]
"""Takes a request and its answer; returns the answer to send, or None to lose it."""


def at_port(environ: dict[str, str], port: int) -> dict[str, str]:
    """Return the settings with the blob service at another port."""
    connection = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", environ[CONNECTION])
    return {**environ, CONNECTION: connection}


def port_of(environ: dict[str, str]) -> int:
    """Return the port of the blob service in the settings."""
    return urlsplit(environ[CONNECTION].partition("BlobEndpoint=")[2].rstrip(";")).port or 0


@contextmanager
def through(
    environ: dict[str, str],
    *,
    refuse: Refuse = lambda _: None,
    change: Change = lambda _, answer: answer,
) -> Iterator[dict[str, str]]:
    """Provide the settings with a proxy between the client and the blob service."""
    proxy = _Proxy(port_of(environ), refuse, change)
    try:
        yield at_port(environ, proxy.port)
    finally:
        proxy.stop()


class _Proxy:
    def __init__(self, port: int, refuse: Refuse, change: Change) -> None:
        self._port = port
        self._refuse = refuse
        self._change = change
        self._listener = Listener(self._serve)
        self.port = self._listener.port
        self.stop = self._listener.stop

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            socket.create_connection(("127.0.0.1", self._port)) as service,
            suppress(OSError),
        ):
            while request := _message(client):
                answer = self._refuse(request)
                if answer is None:
                    service.sendall(request)
                    received = _message(service, to=request)
                    # Azurite closes connections that were idle for a few seconds: the client
                    # then sends the request again, on another one, and it counts once.
                    answer = self._change(request, received) if received else None
                if answer is None:
                    return
                client.sendall(answer)


def _message(connection: socket.socket, *, to: bytes = b"") -> bytes:
    """Return one HTTP message (`to` a request), or nothing once the other side has closed."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return b""
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    if to.startswith(b"HEAD"):
        return received  # Its headers state the length of a body that does not follow.
    if re.search(rb"(?i)transfer-encoding: *chunked", head):
        while not received.endswith(b"0\r\n\r\n") and (piece := connection.recv(65536)):
            received += piece
        return received
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    missing = int(length[1] if length else 0) - len(body)
    while missing > 0 and (piece := connection.recv(65536)):
        received += piece
        missing -= len(piece)
    return received


def first_line(request: bytes) -> str:
    """Return the method and path of a request."""
    return request.partition(b"\r\n")[0].decode()


def refusal_of(status: str, code: str) -> bytes:
    """Return a refusal as the blob service sends it, such as `409 Conflict`."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no</Message></Error>'
    head = f"HTTP/1.1 {status}\r\nx-ms-error-code: {code}\r\nContent-Type: application/xml\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


class Losing:
    """Loses the answer to the first request that matches.

    Attributes:
        lost: the first lines of the requests whose answers never came back.
    """

    def __init__(self, lose: str) -> None:
        self.lost: list[str] = []
        self._lose = re.compile(lose)

    def __call__(self, request: bytes, answer: bytes) -> bytes | None:
        """Lose the request's answer or pass it on."""
        if self.lost or not self._lose.search(first_line(request)):
            return answer
        self.lost.append(first_line(request))
        return None


class ListingFolders:
    """Adds to every listing the folders of its blobs, as a hierarchical namespace has them.

    A folder stays when what was in it is gone, and needs no metadata to be asked for.
    """

    def __init__(self) -> None:
        self.folders: set[tuple[str, str]] = set()

    def __call__(self, request: bytes, answer: bytes) -> bytes:
        """Change the answer to a listing."""
        line = first_line(request)
        if not line.startswith("GET ") or "comp=list" not in line or b"<Blobs" not in answer:
            return answer
        address = urlsplit(line.split(" ")[1])
        asked = re.search(r"(?:^|&)prefix=([^&]*)", address.query)
        body = _body(answer).decode()
        blobs = re.findall(r"<Blob>.*?</Blob>", body, re.DOTALL)
        named = {re.search("<Name>(.*?)</Name>", it)[1]: it for it in blobs}  # type: ignore[index]
        self.folders |= {(address.path, it) for name in named for it in folders_of(name)}
        for place, folder in self.folders:
            if place == address.path and folder.startswith(unquote(asked[1]) if asked else ""):
                named[folder] = _folder(folder)
        listed = "".join(named[name] for name in sorted(named))
        return _with_blobs(body, listed)


def _with_blobs(body: str, listed: str) -> bytes:
    """Return the answer to a listing with other blobs in it."""
    before, _, rest = body.partition("<Blobs")
    after = rest.rpartition("</Blobs>")[2] if "</Blobs>" in rest else rest.partition("/>")[2]
    return _ok(f"{before}<Blobs>{listed}</Blobs>{after}")


class KeepingVersions:
    """Keeps a version of a blob for each time it is saved, as an account with versioning does.

    Azurite has no versions: it ignores that a listing asks for them, and answers a request for one
    with the blob as it is now. So this keeps what passes through, lists it, and serves it.

    Attributes:
        kept: what was saved, by the id of its version, oldest first.
    """

    def __init__(self, name: str) -> None:
        self.kept: dict[str, bytes] = {}
        self._name = name

    def refuse(self, request: bytes) -> bytes | None:
        """Answer a request for a version."""
        asked = re.search(r"[?&]versionid=([^& ]+)", first_line(request))
        if not asked:
            return None
        content = self.kept.get(unquote(asked[1]))
        return refusal_of("404 Not Found", "BlobNotFound") if content is None else _whole(content)

    def change(self, request: bytes, answer: bytes) -> bytes:
        """Keep what was saved, and list what is kept."""
        line = first_line(request)
        path = unquote(urlsplit(line.split(" ")[1]).path)
        if line.startswith("PUT ") and path.endswith(self._name) and b" 201 " in answer[:20]:
            number = len(self.kept) + 1
            self.kept[f"2026-11-23T12:00:00.{number:07}Z"] = request.partition(b"\r\n\r\n")[2]
        if "comp=list" not in line or not re.search("include=[^& ]*versions", line):
            return answer
        return _with_blobs(_body(answer).decode(), "".join(self._listed()))

    def _listed(self) -> Iterator[str]:
        newest = list(self.kept)[-1:]
        for version, content in self.kept.items():
            current = "<IsCurrentVersion>true</IsCurrentVersion>" if version in newest else ""
            yield (
                f"<Blob><Name>{escape(self._name)}</Name><VersionId>{version}</VersionId>{current}"
                "<Properties><Last-Modified>Mon, 23 Nov 2026 12:00:00 GMT</Last-Modified>"
                f"<Content-Length>{len(content)}</Content-Length><BlobType>BlockBlob</BlobType>"
                "</Properties></Blob>"
            )


def _whole(content: bytes) -> bytes:
    """Return an answer with a blob's bytes, all of which the client's range holds."""
    head = (
        f"HTTP/1.1 206 Partial Content\r\nContent-Length: {len(content)}\r\n"
        f"Content-Range: bytes 0-{len(content) - 1}/{len(content)}\r\n"
        'ETag: "0x1"\r\nLast-Modified: Mon, 23 Nov 2026 12:00:00 GMT\r\n'
        "Content-Type: application/json\r\nx-ms-blob-type: BlockBlob\r\n\r\n"
    )
    return head.encode() + content


def _folder(name: str) -> str:
    return (
        f"<Blob><Name>{escape(name)}</Name><Properties><ResourceType>directory</ResourceType>"
        "<Content-Length>0</Content-Length><BlobType>BlockBlob</BlobType></Properties>"
        "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata></Blob>"
    )


def _body(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not re.search(rb"(?i)transfer-encoding: *chunked", head):
        return body
    whole = b""
    while (size := int(body.partition(b"\r\n")[0], 16)) > 0:
        body = body.partition(b"\r\n")[2]
        whole, body = whole + body[:size], body[size + 2 :]
    return whole


def _ok(body: str) -> bytes:
    content = body.encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {len(content)}"
    return f"{head}\r\n\r\n".encode() + content
