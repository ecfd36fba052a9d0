"""Counts the parts of a scan, and their sizes: `python -m bench.parts` (`make bench-parts`).

Scans tenants with different numbers of activities a day and counts the parts of one hour. To save
time, one record of ten times the size stands for ten activities, and a page holds a tenth of the
records, so that the number and size of pages and blocks are the real ones. The size of an activity
in a part comes from docs/cost.json.

The counts are the same on every machine, and a test counts again. `--write` puts the table into
docs/reading.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from bench import cost
from bench.machine import Clock, Deaths, Machine
from bench.stores import Ledgers, Results
from bench.tables import Table, replaced
from shared.core.model import HOUR_MS, MINUTE_MS, Answer
from shared.core.state.report import Tally
from shared.ports import Ports
from shared.scan import scan_once
from shared.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.core.model import Block, Policy, Request

DOCUMENT = Path(__file__).parent.parent / "docs" / "reading.md"
OPENING = "<!-- parts: make bench-parts writes it -->"
CLOSING = "<!-- end of the parts -->"

RATES = (10_000, 1_000_000, 20_000_000)
"""Activities a day."""

SLICES = (5, 15, 60)
"""Minutes: values of SCAN_SLICE."""

TENTH = 10
"""How many activities one record stands for."""

POOL = b64encode(Random(1).randbytes(1 << 20)).decode()  # noqa: S311 - no secret, always the same
"""Text that can be compressed to three quarters of its size and no further."""

BEGIN = cost.LONG_AGO
PACE_MS = 5 * MINUTE_MS


class Even:
    """An `ActivitySource` of activities at even distances from `BEGIN` on.

    Attributes:
        clock: the clock of the API.
        page: records on a full page.
        every: milliseconds between two records; may be a fraction.
        padding: length of the text in a record.
    """

    def __init__(self, clock: Clock, *, page: int, every: float, padding: int) -> None:
        """Make a source."""
        self.clock = clock
        self.page = page
        self.every = every
        self.padding = padding

    def ask(self, request: Request, *, timeout: float) -> Answer:
        """Answer with a page and the continuation."""
        del timeout
        self.clock.sleep(2_000)
        bounds = json.loads(request.body)["filters"]["date"]
        first = -int(-(bounds["gte"] - BEGIN) // self.every)
        last = int((bounds["lte"] - BEGIN) // self.every)
        places = [self._at(n) for n in range(max(first, 0), min(last + 1, first + self.page))]
        more = last + 1 > first + self.page
        cursor = self._at(first + self.page)
        shown = [at for at in places if not more or at != cursor]
        data = [self._record(first + number, at) for number, at in enumerate(shown)]
        body: dict[str, Any] = {"data": data, "hasNext": more}
        if more:
            body["nextQueryFilters"] = {"date": {**bounds, "gte": cursor}}
        return Answer(status=200, body=json.dumps(body).encode(), date=self.clock.now())

    def _record(self, number: int, at: int) -> dict[str, Any]:
        begins = number * 104_729 % (len(POOL) - self.padding)
        text = POOL[begins : begins + self.padding]
        return {"_id": f"{number}", "timestamp": at, "created": at, "text": text}

    def _at(self, number: int) -> int:
        return BEGIN + int(number * self.every)

    def renew_token(self) -> bool:
        """Nothing to renew."""
        return False


class Unkept(Results):
    """A store in memory that keeps no bytes of blocks; the manifests have their sizes."""

    def stage_block(self, part: str, block: Block, content: bytes) -> None:
        """Stage an empty block under the id."""
        super().stage_block(part, block, content[:0])

    def has_staged(self, part: str, blocks: Sequence[Block]) -> bool:
        """Return true: nothing expires in so short a time."""
        del part, blocks
        return True


def counted(rate: int, minutes: int) -> list[tuple[int, int]]:
    """Return the number of activities and bytes in each part of an hour."""
    clock = Clock(BEGIN + HOUR_MS)
    machine = Machine(clock, Deaths())
    policy = replace(_defaults(), slice_length=minutes * MINUTE_MS, limit=5_000 // TENTH)
    results = Unkept(machine, policy.scan)
    ports = Ports(
        source=Even(
            clock, page=policy.limit, every=24 * HOUR_MS * TENTH / rate, padding=_padding()
        ),
        ledgers=Ledgers(machine),
        results=results,
        clock=clock,
    )
    while clock.now() < BEGIN + 2 * HOUR_MS + 30 * MINUTE_MS:
        machine.begin()
        began = clock.now()
        tally = Tally(scan=policy.scan, run="parts")
        scan_once(ports, policy, tally)
        if tally.last_fault or tally.warnings:
            raise RuntimeError(tally.last_fault or tally.warnings[0])
        clock.at = max(clock.now(), began + PACE_MS)
    found = [json.loads(it)["part"] for it in results.manifests.values()]
    hour = BEGIN + HOUR_MS
    inside = [it for it in found if it and hour <= it["timestamp"][0] < hour + HOUR_MS]
    return [(it["records"] * TENTH, it["size"]) for it in inside]


def _padding() -> int:
    """Return the length of text with which a record takes as much space as ten activities."""
    stored = sum((told["an hour of runs"] for told in cost.kept().values()), cost.Count())
    return round(TENTH * stored.bytes / stored.records * 4 / 3)


def _defaults() -> Policy:
    (scan,) = read_settings(
        {
            "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
            "STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net",
        }
    ).scans
    return replace(scan.policy, lookback=10 * MINUTE_MS, sweeps=(), concurrency=1)


def table(counts: dict[tuple[int, int], list[tuple[int, int]]]) -> str:
    """Return the table of the document."""
    rows = []
    for (rate, minutes), found in counts.items():
        size = sum(it for _, it in found) / len(found) / 1e6
        records = [it for it, _ in found]
        rows.append(
            [
                f"{rate:,}",
                f"{minutes} min",
                f"{len(records):,}",
                f"{24 * len(records):,}",
                f"{sum(records) // len(records):,}",
                f"{size:,.2f}" if size < 1 else f"{size:,.0f}",
            ]
        )
    return str(Table(title="Parts of the first pass", head=HEAD, rows=rows))


HEAD = [
    "activities a day",
    "`SCAN_SLICE`",
    "parts an hour",
    "parts a day",
    "activities in a part",
    "MB of a part",
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/reading.md")
    chosen = parser.parse_args(arguments)
    counts = {(rate, minutes): counted(rate, minutes) for rate in RATES for minutes in SLICES}
    print(table(counts))
    if chosen.write:
        text = replaced(DOCUMENT.read_text("utf-8"), OPENING, CLOSING, table(counts))
        DOCUMENT.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
