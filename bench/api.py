"""Serves a `History` as the Activities API with as little work as possible: `python -m bench.api`.

It supports only scan mode in ascending order, without the faults that the simulator has. It runs in
its own process, so that its work is not counted as a collector's.
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
        begin: time of the first activity (epoch ms).
        length: length of the history in ms.
        count: number of activities.
        latency: seconds until the first byte of a page.
        cap: maximum number of records on a page.
        keeps: whether to keep pages in memory once they are made; a page of 5000 takes 20 MB.
        forms: number of different records to make the activities from.
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
    """Serve in another process until the end of the `with` block; yield the URL."""
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
        """Return a page, made only once if pages are kept."""
        if not self.api.keeps:
            return self.history.page(since, until, limit, filters)
        asked = (since, until, limit)
        if asked not in self.pages:
            self.pages[asked] = self.history.page(since, until, limit, filters)
        return self.pages[asked]

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def main() -> None:
    """Print the URL, then serve until killed."""
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
