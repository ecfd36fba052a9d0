"""The notification about a part, as Event Grid would have sent it."""

import re
from hashlib import sha256

import msgspec
import pytest

from shared.core.audit.announcing import BLOB_CREATED, EventSchema, Place, concerns, message
from shared.core.state.manifest import Requests
from tests.fakes import HOUR
from tests.unit.core.audit.building import manifest_of, part_of
from tests.unit.core.state.building import END, START, piece_of

PIECE, CONTENT = part_of()
MANIFEST = manifest_of(PIECE)
EMPTY = manifest_of(piece_of())
TOPIC = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/contoso"


def place(schema: EventSchema) -> Place:
    """Return where the parts are."""
    url = "https://contoso.blob.core.windows.net/activities"
    return Place(topic=TOPIC, container="activities", url=url, schema=schema)


@pytest.mark.parametrize(
    ("start", "end", "concerned"),
    [
        (None, None, True),
        (START, END, True),
        (END, None, False),
        (None, START, False),
        (END - 1, None, True),
        (None, START + 1, True),
    ],
)
def test_a_part_is_announced_if_its_time_overlaps_the_range(
    start: int | None, end: int | None, *, concerned: bool
) -> None:
    """Both ranges are half-open, and None leaves an edge open."""
    assert concerns(MANIFEST, start, end) is concerned


def test_a_manifest_without_a_part_concerns_nobody() -> None:
    """There is no blob to announce, and a message about it cannot be made."""
    assert not concerns(EMPTY, None, None)
    with pytest.raises(ValueError, match="manifest 1 has no part"):
        message(EMPTY, place("EventGridSchema"))


def test_an_event_grid_message_names_the_part_and_its_size() -> None:
    """Its fields are those of the service."""
    sent = message(MANIFEST, place("EventGridSchema"))

    assert MANIFEST.part
    assert sent["topic"] == TOPIC
    assert sent["eventType"] == BLOB_CREATED
    assert sent["subject"] == (
        f"/blobServices/default/containers/activities/blobs/{MANIFEST.part.name}"
    )
    assert sent["data"]["contentLength"] == len(CONTENT)
    assert sent["data"]["url"].endswith(f"/activities/{MANIFEST.part.name}")


def test_a_cloud_event_says_the_same_in_its_own_fields() -> None:
    """Source and type instead of topic and event type."""
    grid = message(MANIFEST, place("EventGridSchema"))
    cloud = message(MANIFEST, place("CloudEventSchemaV1_0"))

    assert (cloud["source"], cloud["type"]) == (grid["topic"], grid["eventType"])
    for name in ("id", "subject", "data"):
        assert cloud[name] == grid[name]
    assert (cloud["specversion"], cloud["time"]) == ("1.0", grid["eventTime"])


def test_the_same_part_always_has_the_same_message() -> None:
    """Its id follows from the address alone, so that a reader can recognise a repetition."""
    one = message(MANIFEST, place("EventGridSchema"))

    assert message(MANIFEST, place("EventGridSchema")) == one
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", one["id"])
    assert one["id"].replace("-", "") == sha256(one["data"]["url"].encode()).hexdigest()[:32]


@pytest.mark.parametrize(
    ("last", "time"),
    [(START + HOUR + 7, "2026-11-23T11:00:00.007Z"), (None, "2026-11-23T12:00:00.000Z")],
)
def test_a_part_was_written_when_its_last_answer_arrived(last: int | None, time: str) -> None:
    """An adopted part, whose requests nobody remembers, has the time of its commit."""
    told = msgspec.structs.replace(MANIFEST, requests=Requests(count=1, first=None, last=last))

    assert message(told, place("EventGridSchema"))["eventTime"] == time
