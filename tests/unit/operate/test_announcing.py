"""`announce`: which messages it sends, in which form, and how it resumes."""

import json
import re
from hashlib import sha256
from typing import Any

import pytest

from shared.core.audit.announcing import EventSchema, Place, message
from shared.core.errors import NotAnnounced
from shared.core.state.manifest import decode
from shared.operate.announcing import Announced, Announcer, Wanted
from tests.displays import Silent
from tests.fakes import HOUR, MINUTE, NOW
from tests.world import World

TOPIC = "/subscriptions/1/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/contoso"
URL = "https://contoso.blob.core.windows.net/activities"


def place(schema: EventSchema = "EventGridSchema") -> Place:
    """Return where the parts are stored."""
    return Place(topic=TOPIC, container="activities", url=URL, schema=schema)


@pytest.fixture(scope="module")
def world() -> World:
    """Provide a world whose scan has stored parts in three hours, and empty slices."""
    made = World([NOW - 3 * HOUR + 97_000 * n for n in range(110) if not 90 < n < 100], page=20)
    made.run_until_idle()
    return made


def announced(
    world: World, how: EventSchema = "EventGridSchema", **wanted: Any
) -> tuple[Announced, list[dict[str, Any]]]:
    """Announce, and return the output and the messages sent."""
    sent: list[str] = []
    values = {"start": None, "end": None, "after": 0, "most": 1_000, **wanted}
    done = Announcer(world.results, place(how), sent.append, Silent()).announce(Wanted(**values))
    return done, [json.loads(text) for text in sent]


def test_every_part_is_announced_once_in_the_order_of_the_chain(world: World) -> None:
    """Messages have its name and size; slices without a part have none."""
    done, sent = announced(world)

    assert (done.ended, done.messages, done.after) == (
        True,
        len(sent),
        len(world.results.manifests),
    )
    listed = [json.loads(it)["part"] for _, it in sorted(world.results.manifests.items())]
    assert [(it["data"]["url"], it["data"]["contentLength"]) for it in sent] == [
        (f"{URL}/{part['name']}", part["size"]) for part in listed if part
    ]


def test_the_id_of_a_message_follows_from_the_address_of_the_part_alone(world: World) -> None:
    """Readers recognise a repeated message by it, whichever version sent it."""
    _, (first, *_) = announced(world)

    digits = sha256(first["data"]["url"].encode()).hexdigest()
    assert first["id"].replace("-", "") == digits[:32]
    assert [len(it) for it in first["id"].split("-")] == [8, 4, 4, 4, 12]


def test_a_message_has_the_event_grid_schema(world: World) -> None:
    """Its fields are those that Event Grid documents for a blob that was created."""
    _, (first, *_) = announced(world)

    assert first == {
        "topic": TOPIC,
        "subject": first["subject"],
        "eventType": "Microsoft.Storage.BlobCreated",
        "id": first["id"],
        "data": {
            "api": "PutBlockList",
            "contentType": "application/x-gzip",
            "contentLength": first["data"]["contentLength"],
            "blobType": "BlockBlob",
            "url": first["data"]["url"],
            "sequencer": first["data"]["sequencer"],
        },
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": first["eventTime"],
    }
    assert re.fullmatch(r"2026-11-23T12:\d\d:\d\d\.\d{3}Z", first["eventTime"])
    assert first["data"]["url"] == f"{URL}/{first['subject'].partition('/blobs/')[2]}"
    assert first["subject"].startswith(
        "/blobServices/default/containers/activities/blobs/scan=all/"
    )


def test_a_message_has_the_cloud_events_schema(world: World) -> None:
    """The deployed subscription may use that schema: the same facts under other names."""
    _, (grid, *_) = announced(world)
    _, (cloud, *_) = announced(world, "CloudEventSchemaV1_0")

    assert set(cloud) == {"specversion", "id", "source", "type", "subject", "time", "data"}
    assert (cloud["specversion"], cloud["source"]) == ("1.0", TOPIC)
    assert (cloud["id"], cloud["type"], cloud["time"], cloud["subject"], cloud["data"]) == tuple(
        grid[name] for name in ("id", "eventType", "eventTime", "subject", "data")
    )


def test_the_same_part_always_gives_the_same_message(world: World) -> None:
    """A reader can recognise a repetition; later parts have larger sequencers."""
    _, once = announced(world)
    _, again = announced(world)

    assert once == again
    assert len({it["id"] for it in once}) == len(once)
    sequencers = [it["data"]["sequencer"] for it in once]
    assert sequencers == sorted(sequencers)


def test_only_parts_of_the_time_asked_for_are_announced(world: World) -> None:
    """The bounds in their names decide; the range is half-open."""
    _, every = announced(world)
    _, some = announced(world, start=NOW - 2 * HOUR, end=NOW - HOUR)

    assert [it for it in every if "/hour=10/" in it["subject"]] == some
    assert 0 < len(some) < len(every)
    assert announced(world, start=NOW + MINUTE)[1] == []


def test_a_call_is_bounded_and_the_next_resumes(world: World) -> None:
    """Together the calls send every message once, in order."""
    _, every = announced(world)
    sent: list[dict[str, Any]] = []
    after, calls = 0, 0
    while True:
        done, more = announced(world, after=after, most=4)
        assert len(more) <= 4
        sent, after, calls = sent + more, done.after, calls + 1
        if done.ended:
            break
        assert str(done).endswith(f"continue with --after {after}")

    assert sent == every
    assert calls == len(every) // 4 + 1


def test_a_failure_says_where_to_resume(world: World) -> None:
    """A message counts once it was sent, so at most one is repeated."""
    _, every = announced(world)
    sent: list[dict[str, Any]] = []

    def send(text: str) -> None:
        if len(sent) == 3:
            raise OSError("the queue is full")
        sent.append(json.loads(text))

    wanted = Wanted(start=None, end=None, after=0, most=1_000)
    with pytest.raises(NotAnnounced, match=r"queue is full.*3 messages.*--after (\d+)") as failure:
        Announcer(world.results, place(), send, Silent()).announce(wanted)

    after = int(str(failure.value).rpartition(" ")[2])
    assert sent + announced(world, after=after)[1] == every


def test_a_manifest_without_a_part_has_no_message(world: World) -> None:
    """Announcing one would be a mistake in this program."""
    empty = next(it for it in world.results.manifests.values() if not json.loads(it)["part"])

    with pytest.raises(ValueError, match="has no part"):
        message(decode(empty), place())
