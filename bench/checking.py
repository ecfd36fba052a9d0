"""Measures `verify` and `ledger rebuild` over slow storage: `python -m bench.checking`.

A month and a year of a scan with the default settings are made in memory: a part for every slice of
five minutes and the three looks of the sweeps at every hour, which find nothing. Every read and
every page of a listing takes 10 ms. What is read is small, so the figures are about the number of
blobs; for their size, see `bench.speed`. `make bench-verify` puts the table into docs/verify.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.contestants import Job, product
from bench.lifetime import BEGIN, policy_of
from bench.machine import Clock, Deaths, Machine
from bench.stores import Ledgers, Results
from bench.tables import Table, replaced
from harness.azurite import azurite
from shared.core.api.blocks import encode_block, encode_trailer
from shared.core.api.records import read_line
from shared.core.model import DAY_MS, FIRST_PASS, HOUR_MS, Counts, PartBlob, Slice
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import committing
from shared.core.state import ledger as ledgers
from shared.core.state.layout import part_name
from shared.operate.reading import read_ahead
from shared.operate.rebuild import rebuild
from shared.operate.verify import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.core.intervals import Interval
    from shared.core.model import Ledger, StoredPart

DOCUMENT = Path(__file__).parent.parent / "docs" / "verify.md"
OPENING = "<!-- checking: make bench-verify writes it -->"
CLOSING = "<!-- end of checking -->"

LATENCY_MS = 10
LISTED = 5_000
"""Blobs on one page of a listing."""

DAYS = (30, 365)
SLICE_MS = 300_000

SDK_READS = 2_000


class Shelf:
    """A scan's blobs in memory, each read of which takes some time.

    Attributes:
        reads: the number of reads, pages of listings included.
        most: the largest number of reads at the same time.
    """

    def __init__(self, results: Results, latency_ms: int) -> None:
        self.results = results
        self.reads = self.most = 0
        self._latency = latency_ms / 1000
        self._reading = 0
        self._lock = threading.Lock()

    def _wait(self) -> None:
        with self._lock:
            self.reads += 1
            self._reading += 1
            self.most = max(self.most, self._reading)
        time.sleep(self._latency)
        with self._lock:
            self._reading -= 1

    def all_manifests(self) -> Iterator[int]:
        """Yield the numbers of the manifests."""
        for place, number in enumerate(sorted(self.results.manifests)):
            if place % LISTED == 0:
                self._wait()
            yield number

    def all_parts(self) -> Iterator[PartBlob]:
        """Yield the parts."""
        for place, name in enumerate(sorted(self.results.parts)):
            if place % LISTED == 0:
                self._wait()
            yield PartBlob(
                name=name,
                size=len(self.results.parts[name]),
                metadata=dict(self.results.metadata[name]),
            )

    def manifest(self, number: int) -> bytes | None:
        """Return a manifest."""
        self._wait()
        return self.results.manifest(number)

    def part(self, name: str) -> bytes:
        """Return a part."""
        self._wait()
        return self.results.part(name)

    def parts_of(self, hour: int) -> tuple[StoredPart, ...]:
        """Return the parts of an hour."""
        self._wait()
        return self.results.parts_of(hour)


class Filled:
    """A scan that has run for so many days.

    Attributes:
        policy: its settings.
        ledgers: its ledger.
        results: its parts and manifests.
    """

    def __init__(self, days: int) -> None:
        machine = Machine(Clock(BEGIN), Deaths())
        machine.begin()
        self.policy = policy_of(30 * DAY_MS)
        self.ledgers = Ledgers(machine)
        self.results = Results(machine, self.policy.scan)
        ledger = ledgers.begin(self.policy, BEGIN + HOUR_MS)
        for day in range(days):
            ledger = self._lived(ledger, BEGIN + day * DAY_MS)
        self.ledgers.save(ledgers.encode(ledger), etag=None)

    def _lived(self, ledger: Ledger, start: int) -> Ledger:
        """Scan a day, and look again at the hours that are old enough by its end."""
        now = start + DAY_MS
        ledger = ledgers.claim(ledger, run="", now=now, policy=self.policy)
        for at in range(start, now, SLICE_MS):
            ledger = self._scanned(ledger, (at, at + SLICE_MS))
        for name, age in self.policy.sweeps:
            first = max(BEGIN, start - age)
            for at in range(first, now - age, HOUR_MS):
                piece = open_slice((at, at + HOUR_MS), pass_name=name, policy=self.policy)
                ledger = self._committed(ledger, _asked(piece, now))
        return ledgers.release(ledger)

    def _scanned(self, ledger: Ledger, bounds: Interval) -> Ledger:
        """Commit a slice whose part holds one record."""
        piece = open_slice(bounds, pass_name=FIRST_PASS, policy=self.policy)
        line = json.dumps({"_id": f"id-{bounds[0]}", "timestamp": bounds[0], "created": bounds[0]})
        block, content = encode_block([read_line(line.encode())], epoch=1, number=0)
        trailer, end = encode_trailer([block], epoch=1)
        piece = msgspec.structs.replace(piece, blocks=(block, trailer), counts=Counts(records=1))
        name = part_name(ledger.scan, piece)
        self.results.stage_block(name, block, content)
        self.results.stage_block(name, trailer, end)
        return self._committed(ledger, _asked(piece, bounds[1]))

    def _committed(self, ledger: Ledger, piece: Slice) -> Ledger:
        finished = Transition(finished=Finished(slice=piece, start=piece.start, end=piece.end))
        about = committing.after_transition(ledger, piece, finished, self.policy)
        if about.committing is None:
            raise AssertionError("a finished slice begins to commit")
        commit = about.committing
        if piece.blocks:
            stated = {
                "scan": ledger.scan,
                "pass": piece.pass_name,
                "start": str(piece.start),
                "end": str(piece.end),
                "records": str(piece.counts.records),
                "manifest": str(commit.number),
                "rawSizeBytes": str(sum(it.raw for it in piece.blocks)),
            }
            self.results.commit_part(part_name(ledger.scan, piece), piece.blocks, metadata=stated)
        self.results.put_manifest(commit.number, commit.manifest.encode())
        return committing.committed(about)


def _asked(piece: Slice, at: int) -> Slice:
    return msgspec.structs.replace(piece, requests=1, first_request=at, last_answer=at)


def sdk_ms() -> float:
    """Return the processor time of one read with the storage SDK, ten at once, in ms."""
    with azurite() as storage:
        job = Job(
            url="http://127.0.0.1:1",
            storage=storage.connection_string,
            container="bench",
            begin=BEGIN,
            end=BEGIN + HOUR_MS,
            count=1,
        )
        results = product(job)[0].results
        results.put_manifest(1, bytes(2_000))
        used = time.process_time()
        for _ in read_ahead([1] * SDK_READS, results.manifest):
            pass
        return (time.process_time() - used) * 1000 / SDK_READS


class Silent:
    """A display that shows nothing."""

    def say(self, text: str) -> None:
        """Show nothing."""

    progress = tick = say


def verified(filled: Filled, shelf: Any) -> int:
    """Verify a store; return the number of manifests.

    Raises:
        AssertionError: there is a finding.
    """
    checked = Verifier(shelf, filled.ledgers, filled.policy.scan, Silent()).check()
    if checked.findings:
        raise AssertionError(checked.findings[0])
    return checked.manifests


def rebuilt(filled: Filled, shelf: Any) -> int:
    """Rebuild the ledger of a store; return the number of manifests.

    Raises:
        AssertionError: its coverage is not that of the ledger.
    """
    stored = ledgers.decode(filled.ledgers.content or b"")
    made = rebuild(shelf, filled.policy, BEGIN, Silent()).ledger
    if made.coverage != stored.coverage:
        raise AssertionError("the rebuilt ledger has another coverage")
    return made.head.number


WORK: dict[str, Callable[[Filled, Any], int]] = {"verify": verified, "ledger rebuild": rebuilt}


def measured(days: int, latency_ms: int) -> list[list[str]]:
    """Return a row of the table for each command over so many days."""
    filled, rows = Filled(days), []
    for name, work in WORK.items():
        shelf = Shelf(filled.results, latency_ms)
        wall, cpu = time.perf_counter(), time.process_time()
        count = work(filled, shelf)
        seconds, used = time.perf_counter() - wall, time.process_time() - cpu
        alone = shelf.reads * latency_ms / 1000
        rows.append(
            [
                f"`{name}`, {days} days",
                f"{count:,}",
                f"{shelf.reads:,}",
                f"{shelf.most}",
                f"{seconds:,.0f}",
                f"{used:,.0f}",
                f"{alone:,.0f}",
            ]
        )
    return rows


HEAD = (
    "",
    "manifests",
    "reads",
    "at once",
    "seconds",
    "seconds of processor time",
    "seconds if it read one at a time",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.checking", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/verify.md")
    parser.add_argument("--days", type=int, nargs="+", default=DAYS)
    chosen = parser.parse_args(arguments)
    rows = [row for days in chosen.days for row in measured(days, LATENCY_MS)]
    title = f"With {LATENCY_MS} ms for every read"
    sdk = f"The storage SDK adds about {sdk_ms():.1f} ms of processor time to each read."
    table = f"{Table(title=title, head=HEAD, rows=rows)}\n\n{sdk}"
    sys.stdout.write(table + "\n")
    if chosen.write:
        text = replaced(DOCUMENT.read_text("utf-8"), OPENING, CLOSING, table)
        DOCUMENT.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
