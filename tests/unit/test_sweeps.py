"""A sweep is a later second look: it stores late activities once and counts what it saw."""

import json
import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from shared.core.model import Answer, NoAnswer, Policy, Request
from simulator import Identity, Planned, Switches, Tenant
from tests.fakes import DAY, HOUR, MINUTE, NOW, FakeApi, policy, status
from tests.simulated import SimulatedApi
from tests.world import World

START = NOW - 2 * HOUR
SWEEPS = (("sweep-2h", 2 * HOUR), ("sweep-24h", DAY))


def world_of(tenant: Tenant, **switches: Any) -> World:
    """Return a world with the simulated API, pages of twenty."""
    world = World([])
    world.source = SimulatedApi(
        tenant, world.clock, Switches(page_cap=20, minimum_limit=1, **switches)
    )
    return world


def how(**changes: Any) -> Policy:
    """Return a policy of two hours with two sweeps and four slices an hour."""
    usual = {"lookback": 2 * HOUR, "sweeps": SWEEPS, "slice_length": 15 * MINUTE}
    return policy(**{**usual, **changes})


def live(world: World, hours: int, by: Policy) -> None:
    """Run every quarter of an hour for some hours."""
    for _ in range(hours * 4):
        world.run(by)
        world.clock.advance(15 * MINUTE)


def identities(world: World) -> list[Identity]:
    """Return what readers see, sorted."""
    return sorted(Identity(it["_id"], it["timestamp"], it["created"]) for it in world.followed())


def manifests(world: World, pass_name: str) -> list[dict[str, Any]]:
    """Return the manifests of a pass, in order."""
    found = [json.loads(content) for _, content in sorted(world.results.manifests.items())]
    return [it for it in found if it["pass"] == pass_name]


def asked(world: World) -> list[dict[str, Any]]:
    """Return what the API was asked."""
    assert isinstance(world.source, SimulatedApi)
    return world.source.asked


def with_late_ones() -> Tenant:
    """Return an activity every 20 s, and some that are saved 90 minutes and 5 hours late."""
    tenant = Tenant.of([START + 20_000 * n for n in range(360)], record_size=900)
    tenant.add(*[(START + 60_000 * n + 7, START + 60_000 * n + 90 * MINUTE) for n in range(100)])
    tenant.add(*[(START + 90_000 * n + 11, START + 90_000 * n + 5 * HOUR) for n in range(40)])
    return tenant


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("sweep_by", ["full", "created"])
def test_late_activities_are_stored_once(direction: str, lanes: int, sweep_by: str) -> None:
    """After the last sweep the feed equals the truth."""
    tenant = with_late_ones()
    world = world_of(tenant)
    by = how(direction=direction, concurrency=lanes, sweep_by=sweep_by)

    live(world, 28, by)

    assert identities(world) == tenant.truth()
    late = [sum(it["counts"]["late"] for it in manifests(world, name)) for name, _ in SWEEPS]
    assert sum(late) == sum(
        it["counts"]["records"] for name, _ in SWEEPS for it in manifests(world, name)
    )
    assert all(late)


def test_a_sweep_that_finds_nothing_new_writes_no_part() -> None:
    """Its manifest says that it looked and how many records it already knew."""
    tenant = Tenant.of([START + 20_000 * n for n in range(360)], record_size=900)
    world = world_of(tenant)

    live(world, 5, how())

    assert manifests(world, "sweep-2h")
    assert all(it["part"] is None for it in manifests(world, "sweep-2h"))
    assert sum(it["counts"]["known"] for it in manifests(world, "sweep-2h")) > 100


def test_a_sweep_counts_activities_by_how_late_they_are() -> None:
    """The classes of lateness let people choose settle and ages from facts."""
    tenant = with_late_ones()
    world = world_of(tenant)

    live(world, 28, how())

    found: Counter[str] = Counter()
    for name, _ in SWEEPS:
        for manifest in manifests(world, name):
            found.update(manifest["lateness"])
            assert sum(manifest["lateness"].values()) == manifest["counts"]["late"]
    assert set(found) == {"2h", "24h"}


def test_of_several_due_sweeps_only_the_oldest_runs() -> None:
    """After a day without runs an hour is looked at once more, not twice."""
    tenant = Tenant.of([START + 20_000 * n for n in range(300)], record_size=900)
    world = world_of(tenant)
    world.run(how())
    world.clock.advance(2 * DAY)

    live(world, 1, how())

    coverage = world.ledgers.value()["coverage"]
    assert manifests(world, "sweep-2h") == []
    assert manifests(world, "sweep-24h")
    assert coverage["sweep-2h"][0][0] == coverage["sweep-24h"][0][0] == START


def test_a_first_look_at_old_time_counts_as_its_sweeps() -> None:
    """A backlog is read once: nothing that old can be late for the sweeps it counts as."""
    tenant = Tenant.of([NOW - 5 * DAY + MINUTE * n for n in range(500)], record_size=900)
    world = world_of(tenant)

    world.run_until_idle(how(lookback=5 * DAY), most=100)

    old = [[NOW - 5 * DAY, NOW - 25 * HOUR]]
    assert world.ledgers.value()["coverage"]["sweep-24h"][0][0] == old[0][0]
    assert not [it for it in manifests(world, "sweep-24h") if it["end"] <= old[0][1]]


def test_a_known_identity_with_other_bytes_is_counted_and_not_written_again() -> None:
    """Readers see each identity once."""
    one = Planned(timestamp=START + 1, created=START + 200_000, id="same", raw=_raw("first"))
    tenant = Tenant.of([one])
    world = world_of(tenant)
    world.run(how())
    two = Planned(timestamp=START + 1, created=START + 200_000, id="same", raw=_raw("second"))
    world.source = SimulatedApi(Tenant.of([two]), world.clock, Switches())

    live(world, 3, how())

    (record,) = world.followed()
    assert record["what"] == "first"
    assert sum(it["counts"]["changed"] for it in manifests(world, "sweep-2h")) == 1


def test_what_the_api_no_longer_shows_is_counted() -> None:
    """Stored activities stay; the manifest says how many have vanished."""
    tenant = Tenant.of([START + 20_000 * n for n in range(90)], record_size=900)
    world = world_of(tenant)
    world.run(how())
    fewer = Tenant.of([START + 20_000 * n for n in range(83)], record_size=900)
    world.source = SimulatedApi(fewer, world.clock, Switches())

    live(world, 3, how())

    assert sum(it["counts"]["vanished"] for it in manifests(world, "sweep-2h")) == 7
    assert len(world.followed()) == 90


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped", "archived", "one bit", "no trailer"])
def test_a_part_that_cannot_be_read_blocks_its_sweep_and_nothing_else(damage: str) -> None:
    """The scan continues; the sweep is retried hourly and succeeds once the part is back."""
    tenant = with_late_ones()
    world = world_of(tenant)
    world.run(how())
    name = next(name for name in sorted(world.results.parts) if "hour=10" in name)
    whole = world.results.parts[name]
    _damage(world, name, damage)

    live(world, 4, how())

    blocked = [it for it in world.ledgers.value()["open"] if it["blocked_since"]]
    assert [it["pass"] for it in blocked] == ["sweep-2h"]
    assert blocked[0]["fault"]
    assert world.ledgers.value()["coverage"]["first"][0][1] >= world.clock.now() - 40 * MINUTE
    world.results.parts[name] = whole
    world.results.troubled.clear()
    live(world, 26, how())
    assert identities(world) == tenant.truth()


def test_a_blob_that_no_scan_wrote_disturbs_no_sweep() -> None:
    """Its name has no bounds; only `verify` reports it."""
    tenant = with_late_ones()
    world = world_of(tenant)
    world.run(how())
    stranger = "scan=all/date=2026-11-23/hour=10/stranger"
    world.results.parts[stranger] = b"?"
    world.results.metadata[stranger] = {}

    live(world, 28, how())

    assert identities(world) == tenant.truth()


@pytest.mark.parametrize("loss", ["all", "some", "other case", "no numbers"])
def test_sweeps_work_on_a_store_that_was_copied_without_metadata(loss: str) -> None:
    """The names say which part may hold a record."""
    tenant = with_late_ones()
    world = world_of(tenant)
    for _ in range(28):
        live(world, 1, how())
        for name, metadata in world.results.metadata.items():
            world.results.metadata[name] = LOSSES[loss](metadata)

    assert identities(world) == tenant.truth()
    assert world.ledgers.value()["coverage"]["sweep-24h"]


LOSSES: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "all": lambda _: {},
    "some": lambda metadata: {"start": metadata.get("start", "")},
    "other case": lambda metadata: {key.upper(): value for key, value in metadata.items()},
    "no numbers": lambda metadata: {**metadata, "start": "", "end": "later"},
}


def test_sweeps_work_on_a_store_that_lists_folders() -> None:
    """An account with a hierarchical namespace does so."""
    tenant = with_late_ones()
    world = world_of(tenant)
    world.results.lists_folders = True

    live(world, 28, how())

    assert identities(world) == tenant.truth()


def test_sweeps_come_after_everything_else() -> None:
    """While the first pass has work, no sweep sends a request."""
    tenant = Tenant.of([START + 20_000 * n for n in range(300)], record_size=900)
    world = world_of(tenant)
    live(world, 3, how())
    world.clock.advance(3 * HOUR)
    before = len(world.results.manifests)

    world.run(how())

    passes = [
        json.loads(world.results.manifests[n])["pass"] for n in sorted(world.results.manifests)
    ]
    done = passes[before:]
    assert set(done) == {"first", "sweep-2h"}
    assert done == sorted(done)


def test_a_sweep_by_created_asks_only_for_what_came_since_the_last_look() -> None:
    """The first look and the oldest sweep are exceptions: both ask for everything."""
    ages = (("sweep-2h", 2 * HOUR), ("sweep-6h", 6 * HOUR), ("sweep-24h", DAY))
    tenant = with_late_ones()
    world = world_of(tenant)

    live(world, 27, how(sweeps=ages, sweep_by="created"))

    assert identities(world) == tenant.truth()
    assert all(it["since"] is None for it in manifests(world, "sweep-2h"))
    assert all(it["since"] is None for it in manifests(world, "sweep-24h"))
    sixes = manifests(world, "sweep-6h")
    assert [it["since"] for it in sixes] == [it["start"] + 2 * HOUR - 15 * MINUTE for it in sixes]
    bounds = [it["filters"]["created"]["gte"] for it in asked(world) if "created" in it["filters"]]
    assert set(bounds) == {it["since"] for it in sixes}


def test_time_that_no_sweep_reached_is_declared_in_doubt() -> None:
    """After an outage of a month the API no longer shows what came late."""
    tenant = Tenant.of([START + 20_000 * n for n in range(300)], record_size=900)
    world = world_of(tenant)
    world.run(how())
    covered = world.ledgers.value()["coverage"]["first"]
    world.clock.advance(31 * DAY)

    world.run(how(budget=540_000))

    doubted = [it for it in world.ledgers.value()["doubt"] if "no sweep" in it["reason"]]
    assert [[it["start"], it["end"]] for it in doubted] == covered
    assert world.ledgers.value()["coverage"]["sweep-24h"][0][0] == covered[0][0]


def test_a_sweep_of_many_pages_reads_each_part_once() -> None:
    """The first step reads what parts hold and keeps it for the run's other steps."""
    tenant = Tenant.of([START + 10_000 * n for n in range(360)], record_size=900)
    world = world_of(tenant)
    world.run(how())
    world.clock.advance(3 * HOUR)

    world.run(how())

    (swept, *_) = manifests(world, "sweep-2h")
    assert swept["requests"]["count"] > 10
    assert len(world.results.read) == len(set(world.results.read)) > 0


class Watched(FakeApi):
    """Counts how many queries about time before `new` are under way at once."""

    new = 0
    under_way = 0
    most = 0

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Answer after a moment, so that other queries can be under way meanwhile."""
        is_old = json.loads(request.body)["filters"]["date"]["lte"] < self.new
        with self.lock:
            self.under_way += is_old
            self.most = max(self.most, self.under_way)
        time.sleep(0.002)
        answer = super().ask(request, timeout=timeout)
        with self.lock:
            self.under_way -= is_old
        return answer


def test_a_sweep_works_on_one_slice_at_a_time() -> None:
    """There is only one index, whatever the number of lanes, even after an outage."""
    world = World([])
    world.source = world.api = api = Watched(range(START, NOW, 20_000), clock=world.clock, page=20)
    world.run_until_idle(how(sweeps=()))
    world.clock.advance(DAY)
    world.run_until_idle(how(sweeps=()))
    by = how(concurrency=6)
    api.always = lambda _: status(503)
    for _ in range(3):
        world.run(by)
        world.clock.advance(MINUTE)
    api.always = lambda _: None
    api.new = world.clock.now()
    world.results.read.clear()

    world.run(by)

    assert len(manifests(world, "sweep-24h")) > 1
    assert api.most == 1
    assert set(Counter(world.results.read).values()) == {1}


def test_a_sweep_is_cut_so_that_what_it_reads_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cut at the bounds of parts and covers at least one part."""
    monkeypatch.setattr("shared.core.state.sweeps.SWEEP_BYTES", 20_000)
    tenant = Tenant.of([START + 10_000 * n for n in range(700)], record_size=900)
    world = world_of(tenant)

    live(world, 6, how())

    assert identities(world) == tenant.truth()
    sweeps = [it for it in manifests(world, "sweep-2h") if it["counts"]["known"]]
    lengths = {it["end"] - it["start"] for it in sweeps}
    assert max(lengths) < HOUR
    assert min(lengths) >= 5 * MINUTE


def _raw(what: str) -> bytes:
    times = f'"timestamp":{START + 1},"created":{START + 200_000}'
    return f'{{"_id":"same",{times},"what":"{what}"}}'.encode()


def _damage(world: World, name: str, damage: str) -> None:
    parts = world.results.parts
    if damage == "gone":
        del parts[name]
    elif damage == "cut":
        parts[name] = parts[name][:-9]
    elif damage == "archived":
        world.results.troubled[name] = "HTTP 409 BlobArchived"
    elif damage == "no trailer":
        parts[name] = parts[name][:-TRAILER_BYTES]
    elif damage == "one bit":
        parts[name] = _with_other_content(parts[name])
    else:
        parts[name] = parts[name][:100] + bytes(byte ^ 0xFF for byte in parts[name][100:])


TRAILER_BYTES = 10


def _with_other_content(part: bytes) -> bytes:
    """Return the part with one flipped bit that only the trailer's checksum detects."""
    for at in range(200, len(part)):
        flipped = part[:at] + bytes([part[at] ^ 1]) + part[at + 1 :]
        deflate = zlib.decompressobj(wbits=-15)
        with suppress(zlib.error):
            content = deflate.decompress(flipped[10:])
            if deflate.eof and content.count(b"}\n") == content.count(b"\n") > 1:
                return flipped
    raise AssertionError("every flipped bit breaks the deflate stream")
