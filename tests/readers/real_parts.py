"""Parts that a scan wrote, and a table that follows them, with all that readers may fail on."""

import json
from pathlib import Path
from typing import Any

from shared.adapters.delta_table import DeltaActivities
from shared.core.model import Answer, NoAnswer, Request
from shared.table.feed import Feed
from shared.table.following import Follower
from simulator import Tenant
from tests.fakes import HOUR, NOW, policy
from tests.tables import InMemoryFeed
from tests.world import World

START = NOW - 2 * HOUR
ROWS = 400
PAGE = 150
"""Records on a page, so that a part has blocks of several pages."""

ODD_ID = "12345678901234567890"
"""Digits only, and more of them than any number type keeps."""

YEAR_1 = -62_135_596_800_000
YEAR_9999 = 253_402_300_799_999
"""The first and the last instant of the table's calendar, epoch ms."""


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


def records_for_columns() -> list[bytes]:
    """Return the same records, and some whose fields are odd for the columns of the table."""
    sent = records()
    sent[10] = _without(sent[10], "timestamp")
    sent[11] = _changed(sent[11], created=YEAR_1)
    sent[12] = _changed(sent[12], created=YEAR_9999)
    sent[13] = _changed(sent[13], appId=2**62 + 1)
    sent[14] = _changed(sent[14], appId="15600", appName=["a list"], severity={"an": "object"})
    sent[15] = _changed(sent[15], _id=None, eventTypeValue="", eventTypeName=None)
    sent[16] = _changed(sent[16], device=None, location=[], user="text", failedUserData=3)
    sent[17] = _without(sent[17], "created", "eventTypeValue")
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


def scanned(sent: list[bytes]) -> World:
    """Return a world whose scan has stored these records in parts of an hour."""
    world = World([])
    world.source = Scripted(sent)
    world.run_until_idle(policy(lookback=2 * HOUR, sweeps=()))
    return world


def write(folder: Path) -> None:
    """Write the parts as the data container holds them, below `folder`/activities."""
    for name, content in scanned(records()).results.parts.items():
        path = folder / "activities" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_table(folder: Path) -> World:
    """Let a table at `folder`/activities follow a scan; return the world of the scan."""
    world = scanned(records_for_columns())
    table = DeltaActivities(str(folder / "activities"), "all", dict)
    for _ in Follower(Feed(InMemoryFeed(world.results), "all"), table).commits():
        pass
    return world
