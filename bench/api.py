"""The Activities API over a `History`, as cheap as a server can be: `python -m bench.api`.

It speaks scan mode in ascending order and nothing else; what the API does wrong is the simulator's
affair. It runs in a process of its own, so that its work is not counted as a collector's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

from bench.history import History, forms

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """How an API answers.

    Attributes:
        begin: epoch ms of the first activity.
        length: ms from the first to the end of the history.
        count: activities.
        latency: seconds until a page's first byte.
        cap: records on a page at most.
        keeps: whether it makes every page once and keeps it: one page of 5000 is 20 MB.
        forms: how many different records it makes its activities from, before it serves.
    """

    begin: int
    length: int
    count: int
    latency: float = 0.0
    cap: int = 5000
    keeps: bool = False
    forms: int = 10_000


@contextmanager
def serving(api: Api) -> Iterator[str]:
    """Serve in a process of its own for as long as the block runs; yield the URL."""
    told = json.dumps({name: getattr(api, name) for name in Api.__slots__})
    command = [sys.executable, "-m", "bench.api", told]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    if process.stdout is None or process.stdin is None:
        raise AssertionError("both are pipes")
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stdin.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    api: Api
    history: History
    pages: ClassVar[dict[tuple[int, int, int], bytes]] = {}

    def do_POST(self) -> None:
        """Answer a query."""
        length = int(self.headers.get("Content-Length", "0"))
        query: dict[str, Any] = json.loads(self.rfile.read(length))
        filters: dict[str, Any] = dict(query.get("filters") or {})
        dates = filters.pop("date", {})
        since, until = dates.get("gte", 0), dates.get("lte", sys.maxsize) + 1
        limit = min(query.get("limit", self.api.cap), self.api.cap)
        time.sleep(self.api.latency)
        body = self.page(since, until, limit, filters)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def page(self, since: int, until: int, limit: int, filters: dict[str, Any]) -> bytes:
        """Return a page; where pages are kept, the one that was made the first time."""
        if not self.api.keeps:
            return self.history.page(since, until, limit, filters)
        asked = (since, until, limit)
        if asked not in self.pages:
            self.pages[asked] = self.history.page(since, until, limit, filters)
        return self.pages[asked]

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve until the standard input ends; the first line printed is the URL."""
    parser = argparse.ArgumentParser()
    parser.add_argument("api", type=json.loads)
    api = Api(**parser.parse_args().api)
    _Handler.api = api
    _Handler.history = History(
        begin=api.begin, length=api.length, count=api.count, forms=forms(api.forms, SEED)
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
