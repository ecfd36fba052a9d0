"""Measures the ledger, the planner and the import of the app, without a contestant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import msgspec

from bench.contestants import HOUR_MS, Job, product
from bench.tables import Table
from harness.azurite import azurite
from shared.core.api.block_ids import block_id
from shared.core.audit import history as histories
from shared.core.audit.status import status_of
from shared.core.model import FIRST_PASS, Block, Ledger, Policy, Slice
from shared.core.slices.opening import open_slice
from shared.core.state import ledger as ledgers
from shared.core.state.lanes import choose
from shared.core.state.report import state_fields
from shared.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_MS = 24 * HOUR_MS
NOW = 1_795_435_200_000
"""2026-11-23T12:00:00Z."""

REPEATS = 25

FRESH_MS = 300_000

HOLED = ((100, 1), (1_000, 1), (10_000, 1), (10_000, 32), (10_000, 128))
"""Holes and open slices of the ledgers that are measured."""

LEDGER_WORK = ("encode", "decode", "save", "plan one slice", "state of a report", "status")


def ledger(say: Callable[[str], None]) -> tuple[dict[str, Any], list[Table]]:
    """Measure what a run does with a ledger, by open slices, months of history and holes."""
    policy = usual_policy()
    with azurite() as storage:
        job = Job(
            url="http://127.0.0.1:1",
            storage=storage.connection_string,
            container="bench",
            begin=NOW - HOUR_MS,
            end=NOW,
            count=1,
        )
        store = product(job)[0].ledgers
        figures = {name: _measured(it, policy, store) for name, it in cases(policy).items()}
    figures["30 days of backlog"] = _measured(ledgers.begin(policy, NOW), policy, None)
    for name, told in figures.items():
        say(f"{name}: {told}")
    columns = ("bytes", "encode_ms", "decode_ms", "save_ms", "plan_ms", "report_ms", "status_ms")
    head = ["a ledger with", "bytes", *(f"{it}, ms" for it in LEDGER_WORK)]
    rows = [
        [name, *(f"{told[it]:,.2f}".removesuffix(".00") if it in told else "" for it in columns)]
        for name, told in figures.items()
    ]
    return figures, [Table(title="The ledger and the planner", head=head, rows=rows)]


def cases(policy: Policy) -> dict[str, Ledger]:
    """Return the ledgers that are measured, by the names that the table gives them."""
    found = {f"{many} open slices": with_open(policy, many) for many in (0, 16, 64, 128)}
    found |= {f"{many} months of history": after_months(policy, many) for many in (1, 12, 36)}
    for holes, many in HOLED:
        found[f"{holes:,} holes, {many} open slices"] = with_holes(policy, holes, many)
    return found


def _measured(state: Ledger, policy: Policy, store: Any) -> dict[str, float]:
    content, history = ledgers.encode(state), histories.empty(state.scan)
    told: dict[str, float] = {"bytes": len(content)}
    told["encode_ms"] = _took(lambda: ledgers.encode(state))
    told["decode_ms"] = _took(lambda: ledgers.decode(content), repeats=5)
    told["plan_ms"] = _took(lambda: choose(state, NOW, policy, busy=frozenset()), repeats=5)
    told["report_ms"] = _took(lambda: state_fields(state, NOW, policy), repeats=5)
    told["status_ms"] = _took(lambda: status_of(state, history, [], policy, now=NOW), repeats=5)
    if store is not None:
        etag = [store.save(content, etag=store.load().etag)]
        told["save_ms"] = _took(lambda: etag.append(store.save(content, etag=etag[-1])))
    return told


def _took(effect: Callable[[], object], repeats: int = REPEATS) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        effect()
        times.append(time.perf_counter() - began)
    return median(times) * 1000


def usual_policy() -> Policy:
    """Return the default settings, with nearly the whole reach to catch up with."""
    environ = {
        "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
        "MDA_AUTH": "api-token",
        "MDA_API_TOKEN": "none",
        "STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
        "SCAN_LOOKBACK": "29d",
    }
    (scan,) = read_settings(environ).scans
    return scan.policy


def with_open(policy: Policy, many: int) -> Ledger:
    """Return a ledger with so many open slices, each in the middle of a part."""
    begun = ledgers.begin(policy, NOW)
    pieces = [_halfway(policy, begun.origin + at * HOUR_MS) for at in range(many)]
    return msgspec.structs.replace(begun, open=tuple(pieces))


def _halfway(policy: Policy, start: int) -> Slice:
    piece = open_slice((start, start + HOUR_MS), pass_name=FIRST_PASS, policy=policy)
    blocks = tuple(
        Block(
            id=block_id(1, number, "0" * 64),
            size=3_500_000,
            records=5_000,
            sha256="0" * 64,
            raw=20_000_000,
            crc32=2**32 - 1,
            timestamp=(start, start + 1),
            created=(start, start + 1),
        )
        for number in range(8)
    )
    continuation = json.dumps({"date": {"gte": start + 1, "lte": start + HOUR_MS - 1}})
    return msgspec.structs.replace(piece, blocks=blocks, continuation=continuation)


def after_months(policy: Policy, many: int) -> Ledger:
    """Return the ledger of a scan that has run for so many months."""
    begun = ledgers.begin(policy, NOW - many * 30 * DAY_MS)
    settled = NOW - HOUR_MS
    ages = {FIRST_PASS: 0, **dict(policy.sweeps)}
    coverage = {name: ((begun.origin, settled - age),) for name, age in ages.items()}
    hours = range(NOW - 9 * DAY_MS, settled, HOUR_MS)
    return msgspec.structs.replace(
        begun, coverage=coverage, parts_by_hour=dict.fromkeys(hours, 12), epoch=many * 8_640
    )


def with_holes(policy: Policy, holes: int, many: int) -> Ledger:
    """Return a ledger whose coverage has so many holes in four weeks, and so many open slices.

    Each sweep has covered every other stretch of the first pass, so its coverage has holes as well.
    """
    origin = NOW - 28 * DAY_MS
    step = 27 * DAY_MS // holes
    first = tuple((origin + at * step, origin + at * step + step // 2) for at in range(holes))
    swept = {name: first[::2] for name, _ in policy.sweeps}
    begun = ledgers.begin(policy, origin)
    pieces = (_halfway(policy, NOW - DAY_MS + at * FRESH_MS) for at in range(many))
    return msgspec.structs.replace(
        begun,
        origin=origin,
        settled_until=origin,
        coverage={FIRST_PASS: first, **swept},
        open=tuple(pieces),
    )


LIBRARIES = ("azure.functions", "azure.storage.blob", "azure.identity", "requests", "msgspec")
"""What the first request needs in Azure. Each brings others, and they share many of them."""

APP = "function_app"
TOGETHER = ", ".join(LIBRARIES)


def imports_cpu_ms(rounds: int) -> dict[str, list[float]]:
    """Return the processor time of imports in ms, without that of an empty interpreter.

    Each round imports everything in turn, and each import has a process of its own: the app, its
    libraries together, each of them alone, and the app where Python finds no compiled modules.
    """
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        empty = _cpu_ms("pass")
        for names in (APP, TOGETHER, *LIBRARIES):
            found.setdefault(names, []).append(_cpu_ms(f"import {names}") - empty)
        with TemporaryDirectory() as nothing:
            fresh = {"PYTHONPYCACHEPREFIX": nothing, "PYTHONDONTWRITEBYTECODE": "1"}
            found.setdefault("", []).append(_cpu_ms(f"import {APP}", **fresh) - empty)
    return found


def _cpu_ms(code: str, **environ: str) -> float:
    said = f"import time; {code}; print(time.process_time())"
    done = subprocess.run(
        [sys.executable, "-c", said],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ".", **environ},
    )
    return float(done.stdout) * 1000
