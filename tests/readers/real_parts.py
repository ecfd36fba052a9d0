"""Parts that a scan wrote, containing everything that readers are known to fail on."""

import json
from pathlib import Path
from typing import Any

from shared.core.model import Answer, NoAnswer, Request
from simulator import Tenant
from tests.fakes import HOUR, NOW, policy
from tests.world import World

START = NOW - 2 * HOUR
ROWS = 400
PAGE = 150
"""Records on a page, so that a part has blocks of several pages."""

ODD_ID = "12345678901234567890"
"""Digits only, and more of them than any number type keeps."""


def records() -> list[bytes]:
    """Return records of two hours as the API sends them: most are ordinary, some are traps."""
    tenant = Tenant.of([START + 17_000 * n for n in range(ROWS)])
    sent = [tenant.bytes_of(row) for row in range(ROWS)]
    sent[7] = _changed(sent[7], _id=ODD_ID)
    sent[30] = _changed(sent[30], rawDataJson={"Level": 4, "level": "Informational", "LEVEL": None})
    sent[40] = _changed(sent[40], description=None)
    sent[50] = _without(sent[50], "description", "appName", "user")
    sent[60] = _changed(sent[60], rawDataJson={"text": "x" * 1_500_000})
    sent[70] = _changed(sent[70], description='a "quote", a \\ and a\ttab: ä, 日本, \u2028')
    sent[135] = (
        b'{"more":1e999,' + sent[135][1:]
    )  # This record is irregular: no double can hold the number.
    return sent


def _changed(record: bytes, **fields: Any) -> bytes:
    return _written({**json.loads(record), **fields})


def _without(record: bytes, *names: str) -> bytes:
    return _written({name: it for name, it in json.loads(record).items() if name not in names})


def _written(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


class Scripted:
    """An `ActivitySource` that shows given records in order of their time."""

    def __init__(self, sent: list[bytes]) -> None:
        """Show these records, one every 17 s from `START` on."""
        self.placed = [(START + 17_000 * n, record) for n, record in enumerate(sent)]

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Answer one request with a page."""
        del timeout
        asked = json.loads(request.body)["filters"]
        bounds = asked["date"]
        found = [it for it in self.placed if bounds["gte"] <= it[0] <= bounds["lte"]]
        page, rest = found[:PAGE], found[PAGE:]
        more = {"date": {**bounds, "gte": rest[0][0]}} if rest else None
        body = b'{"data":[%s],"hasNext":%s,"nextQueryFilters":%s}' % (
            b",".join(record for _, record in page),
            b"true" if rest else b"false",
            json.dumps(more).encode(),
        )
        return Answer(status=200, body=body)

    def renew_token(self) -> bool:
        """Nothing to renew."""
        return False


def scanned() -> World:
    """Return a world whose scan has stored the records in parts of an hour."""
    world = World([])
    world.source = Scripted(records())
    world.run_until_idle(policy(lookback=2 * HOUR, sweeps=()))
    return world


def write(folder: Path) -> None:
    """Write the parts as the data container holds them, below `folder`/activities."""
    for name, content in scanned().results.parts.items():
        path = folder / "activities" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
