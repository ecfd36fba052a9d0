"""`verify` finds every kind of damage, and reports nothing about a sound store."""

import gzip
import itertools
import json
import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from shared.core.state.layout import bounds_in, part_name
from shared.core.state.ledger import decode
from shared.operate.verify import Checked, Verifier
from shared.ports import SavedLedger
from tests.displays import Silent
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects
from tests.unit.test_sweeps import how, live, with_late_ones
from tests.unit.test_sweeps import world_of as world_with
from tests.world import World

Damage = Callable[[World], None]


BY = how(slice_length=5 * MINUTE)


@pytest.fixture(scope="module")
def scanned() -> World:
    """Provide a scan with late activities and their sweeps, which no test changes."""
    made = world_with(with_late_ones())
    live(made, 4, BY)
    return made


@pytest.fixture
def world(scanned: World) -> World:
    """Provide the same scan with stores of its own."""
    made = world_with(with_late_ones())
    made.clock.advance(scanned.clock.now() - made.clock.now())
    made.ledgers = deepcopy(scanned.ledgers)
    for name in ("folders", "parts", "lists", "metadata", "manifests"):
        setattr(made.results, name, deepcopy(getattr(scanned.results, name)))
    return made


def check(world: World, start: int | None = None, end: int | None = None) -> Checked:
    """Check the whole store, or a range."""
    return Verifier(world.results, world.ledgers, "all", Silent()).check(start, end)


def kinds(world: World) -> set[str]:
    """Return what a check finds."""
    return {finding.kind for finding in check(world).findings}


def some_part(world: World, place: int = 3) -> str:
    """Return the name of a part."""
    return sorted(world.results.parts)[place]


def some_manifest(world: World) -> int:
    """Return the number of a manifest that lists a part, with others before and after."""
    return next(
        number
        for number, content in sorted(world.results.manifests.items())
        if number > 3 and json.loads(content)["part"]
    )


def test_a_sound_store_has_no_finding(world: World) -> None:
    """The check reads and counts everything."""
    checked = check(world)

    assert checked.findings == []
    assert checked.is_sound
    assert checked.manifests == len(world.results.manifests)
    assert checked.parts == len(world.results.parts)
    assert checked.records == len(world.followed())
    assert checked.bytes == sum(map(len, world.results.parts.values()))


def test_folders_in_a_listing_are_not_a_finding(world: World) -> None:
    """An account with a hierarchical namespace lists them, even empty ones."""
    world.results.lists_folders = True
    world.results.folders["scan=all/date=2026-01-01/hour=05"] = None

    assert check(world).findings == []


def test_an_empty_store_is_sound() -> None:
    """The scan has not begun yet."""
    assert check(World([])).is_sound


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.99])
def test_a_flipped_byte_of_a_part_is_found(world: World, share: float) -> None:
    """The byte may be in a header, in the data or in a checksum."""
    name = some_part(world)
    content = bytearray(world.results.parts[name])
    content[int(len(content) * share)] ^= 1
    world.results.parts[name] = bytes(content)

    assert kinds(world) == {"part-altered"}


def _truncate(world: World) -> None:
    name = some_part(world)
    world.results.parts[name] = world.results.parts[name][:-1]


def _grow(world: World) -> None:
    name = some_part(world)
    world.results.parts[name] += gzip.compress(b"{}\n")


def _compress_again(world: World) -> None:
    name = some_part(world)
    world.results.parts[name] = gzip.compress(gzip.decompress(world.results.parts[name]), 9)


def _swap(world: World) -> None:
    one, other = some_part(world, 2), some_part(world, 3)
    parts = world.results.parts
    parts[one], parts[other] = parts[other], parts[one]


def _delete(world: World) -> None:
    del world.results.parts[some_part(world)]


def _insert(world: World) -> None:
    name = some_part(world) + ".copy"
    world.results.parts[name] = b"?"
    world.results.metadata[name] = {}


def _delete_manifest(world: World) -> None:
    del world.results.manifests[some_manifest(world)]


def _delete_last_manifest(world: World) -> None:
    del world.results.manifests[max(world.results.manifests)]


def _change_manifest(world: World) -> None:
    number = some_manifest(world)
    text = world.results.manifests[number]
    world.results.manifests[number] = text.replace(b'"epoch":', b'"epoch":9')


def _break_manifest(world: World) -> None:
    number = some_manifest(world)
    world.results.manifests[number] = world.results.manifests[number][:-9]


def _replay_manifest(world: World) -> None:
    number = some_manifest(world)
    world.results.manifests[number] = world.results.manifests[number - 1]


def _append_manifest(world: World) -> None:
    last = max(world.results.manifests)
    manifest = json.loads(world.results.manifests[last])
    forged = json.dumps({**manifest, "number": last + 1, "part": None}).encode()
    world.results.manifests[last + 1] = forged


def _lose_ledger(world: World) -> None:
    world.ledgers.content = None


def _break_ledger(world: World) -> None:
    world.ledgers.content = b"{"


def _roll_back_ledger(world: World) -> None:
    world.ledgers.content = world.ledgers.history[len(world.ledgers.history) // 2]


def _grow_ledger(world: World) -> None:
    value = world.ledgers.value()
    value["coverage"]["first"][0][1] += HOUR
    world.ledgers.content = json.dumps(value).encode()


def _ledger(change: Callable[[dict[str, Any]], None]) -> Damage:
    """Return a damage to fields of the ledger."""

    def damage(world: World) -> None:
        value = world.ledgers.value()
        change(value)
        world.ledgers.content = json.dumps(value).encode()

    return damage


def _metadata(change: Callable[[dict[str, str]], dict[str, str]]) -> Damage:
    """Return a damage to the metadata of a part."""

    def damage(world: World) -> None:
        name = some_part(world)
        world.results.metadata[name] = change(world.results.metadata[name])

    return damage


def _stray_manifest(world: World) -> None:
    world.results.manifests[99_999_999_999] = b"?"


def _archive(world: World) -> None:
    world.results.troubled[some_part(world)] = "HTTP 409 BlobArchived"


INTERVAL = {"start": NOW - HOUR, "end": NOW - HOUR + MINUTE, "reason": "forged"}

DAMAGES: dict[str, tuple[Damage, set[str]]] = {
    "a stray manifest far ahead": (
        _stray_manifest,
        {"manifest-missing", "manifest-unreadable", "ledger-differs"},
    ),
    "an archived part": (_archive, {"part-unreadable"}),
    "a ledger with another origin": (
        _ledger(lambda it: it.update(origin=it["origin"] - HOUR)),
        {"ledger-differs"},
    ),
    "a ledger with a loss": (_ledger(lambda it: it["lost"].append(INTERVAL)), {"ledger-differs"}),
    "a ledger with doubt": (_ledger(lambda it: it["doubt"].append(INTERVAL)), {"ledger-differs"}),
    "a ledger with fewer parts": (
        _ledger(lambda it: it["parts_by_hour"].pop(min(it["parts_by_hour"]))),
        {"ledger-differs"},
    ),
    "a ledger with more parts": (
        _ledger(lambda it: it["parts_by_hour"].update({min(it["parts_by_hour"]): 99})),
        {"ledger-differs"},
    ),
    "a ledger with other totals": (
        _ledger(lambda it: it["totals"].update(lost=1)),
        {"ledger-differs"},
    ),
    "metadata lost": (_metadata(lambda _: {}), {"metadata-differs"}),
    "metadata lost in part": (
        _metadata(lambda it: {"start": it["start"], "end": it["end"]}),
        {"metadata-differs"},
    ),
    "metadata with names in capitals": (
        _metadata(lambda it: {name.upper(): value for name, value in it.items()}),
        {"metadata-differs"},
    ),
    "metadata that are not numbers": (
        _metadata(lambda it: {**it, "start": "soon"}),
        {"metadata-differs"},
    ),
    "metadata with another end": (
        _metadata(lambda it: {**it, "end": str(int(it["end"]) + 1)}),
        {"metadata-differs"},
    ),
    "metadata with another number of records": (
        _metadata(lambda it: {**it, "records": "0"}),
        {"metadata-differs"},
    ),
    "metadata of another scan": (_metadata(lambda it: {**it, "scan": "b"}), {"metadata-differs"}),
    "metadata of another pass": (_metadata(lambda it: {**it, "pass": "x"}), {"metadata-differs"}),
    "metadata with another manifest": (
        _metadata(lambda it: {**it, "manifest": "1"}),
        {"metadata-differs"},
    ),
    "a truncated part": (_truncate, {"part-altered"}),
    "a part with something appended": (_grow, {"part-altered"}),
    "a part compressed again": (_compress_again, {"part-altered"}),
    "two parts swapped": (_swap, {"part-altered"}),
    "a deleted part": (_delete, {"part-missing"}),
    "a blob that no manifest lists": (_insert, {"part-unlisted"}),
    "a deleted manifest": (_delete_manifest, {"manifest-missing", "part-unlisted"}),
    "the last manifest deleted": (_delete_last_manifest, {"ledger-differs"}),
    "a changed manifest": (_change_manifest, {"chain-broken"}),
    "a cut manifest": (
        _break_manifest,
        {"manifest-unreadable", "chain-broken", "part-unlisted"},
    ),
    "an older manifest in the place of a newer one": (
        _replay_manifest,
        {"chain-broken", "coverage-unproven", "part-unlisted"},
    ),
    "a forged manifest at the end": (_append_manifest, {"chain-broken", "ledger-differs"}),
    "a lost ledger": (_lose_ledger, {"ledger-missing"}),
    "a broken ledger": (_break_ledger, {"ledger-unreadable"}),
    "a ledger rolled back": (_roll_back_ledger, {"ledger-differs"}),
    "a ledger that claims more": (_grow_ledger, {"ledger-differs"}),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_named_after_what_is_wrong(kind: str, world: World) -> None:
    """A check that finds damage does not call the store sound."""
    damage, expected = DAMAGES[kind]
    damage(world)

    checked = check(world)

    found = {finding.kind for finding in checked.findings}
    assert expected & found
    assert found <= expected
    assert not checked.is_sound


def test_added_metadata_is_not_a_finding(world: World) -> None:
    """Tools that copy blobs add their own."""
    for metadata in world.results.metadata.values():
        metadata["mtime"] = "1795435200"

    assert check(world).findings == []


def test_a_finding_says_what_differs_in_metadata(world: World) -> None:
    """It states the name, the value, and the manifest's value."""
    name = some_part(world)
    said = world.results.metadata[name]
    end = said["end"]
    world.results.metadata[name] = {**said, "end": "7"}
    del world.results.metadata[name]["records"]

    (finding,) = check(world).findings

    assert finding.subject == name
    assert f"`end` is '7', but its manifest says '{end}'" in finding.detail
    assert "`records` is missing" in finding.detail


def test_a_gap_is_one_finding_however_large(world: World) -> None:
    """The finding states its bounds; isolated manifests are reported one by one."""
    last = max(world.results.manifests)
    for number in (3, 5, 6, 7, 8):
        del world.results.manifests[number]
    world.results.manifests[last + 2_000_000] = world.results.manifests[last]

    found = [it for it in check(world).findings if it.kind == "manifest-missing"]

    assert [it.subject for it in found] == [
        "manifest 3",
        "manifests 5 to 8",
        f"manifests {last + 1} to {last + 2_000_000 - 1}",
    ]
    assert "1,999,999 manifests do not exist" in found[2].detail


def test_the_chain_is_read_several_manifests_at_once(world: World) -> None:
    """The barrier opens only to concurrent reads, and the result is the same."""
    meeting = threading.Barrier(8, timeout=30)
    met = itertools.count()
    real = world.results.manifest

    def manifest(number: int) -> bytes | None:
        if next(met) < 8:
            meeting.wait()
        return real(number)

    world.results.manifest = manifest  # type: ignore[method-assign]

    checked = check(world)

    assert checked.findings == []
    assert checked.manifests == len(world.results.manifests)


def test_coverage_that_nothing_proves_is_found() -> None:
    """The `complete` of a manifest holds more than its slice and what came before."""
    world = World([])
    world.run()
    first = json.loads(world.results.manifests[1])
    first["complete"]["first"][0][0] -= HOUR
    world.results.manifests = {1: json.dumps(first).encode()}

    assert "coverage-unproven" in kinds(world)


def test_an_identity_that_occurs_twice_is_found(world: World) -> None:
    """It is in two parts of an hour, each as its own manifest says."""
    number = some_manifest(world)
    manifest = json.loads(world.results.manifests[number])
    copy = manifest["part"]["name"].replace("first", "rescan-9")
    world.results.parts[copy] = world.results.parts[manifest["part"]["name"]]
    world.results.metadata[copy] = {}
    last = max(world.results.manifests) + 1
    forged = {**manifest, "number": last, "part": {**manifest["part"], "name": copy}}
    world.results.manifests[last] = json.dumps(forged).encode()

    assert "duplicate-identity" in kinds(world)


def test_a_range_reads_only_its_hours(world: World) -> None:
    """The whole chain is read, but no part outside the range."""
    first, last = min(world.results.parts), max(world.results.parts)
    del world.results.parts[first]
    hour = bounds_in(last)[0]

    checked = check(world, hour, hour + 1)

    assert checked.is_sound
    assert 0 < checked.parts < len(world.results.parts)


def test_a_scan_killed_at_any_effect_leaves_a_sound_store() -> None:
    """The check reports what is pending but does not call it damage."""
    pending = 0
    for number in range(1, 60):
        world = World([NOW - 3 * HOUR + 47_000 * n for n in range(225)], page=9)
        world.share(Effects(at=number, how="after"))
        with pytest.raises(Crash):
            world.run()
        world.share(Effects())

        checked = check(world)

        assert checked.is_sound, checked.findings
        pending += bool(checked.findings)
    assert pending > 3


def test_a_check_beside_a_running_scan_raises_no_alarm() -> None:
    """The scan advances at every step that the check takes."""
    world = World([NOW - 3 * HOUR + 47_000 * n for n in range(225)], page=9)
    world.run()

    class Meanwhile(Silent):
        def __init__(self) -> None:
            self.left = 60

        def tick(self, text: str) -> None:
            del text
            if self.left:
                self.left -= 1
                world.clock.advance(5 * MINUTE)
                world.run()

    checked = Verifier(world.results, world.ledgers, "all", Meanwhile()).check()

    assert checked.is_sound, checked.findings


def test_a_commit_between_two_readings_of_the_end_raises_no_alarm(world: World) -> None:
    """A run commits after the check reads the chain to its end, and again after the ledger."""
    left = [3]
    load = world.ledgers.load

    def and_then_commit() -> SavedLedger:
        saved = load()
        if left[0]:
            left[0] -= 1
            world.ledgers.load = load  # type: ignore[method-assign]
            world.clock.advance(5 * MINUTE)
            world.run(BY)
            world.ledgers.load = and_then_commit  # type: ignore[method-assign]
        return saved

    world.ledgers.load = and_then_commit  # type: ignore[method-assign]

    checked = check(world)

    assert left == [0]
    assert checked.is_sound, checked.findings


@pytest.mark.parametrize("name", ["origin", "doubt", "parts_by_hour", "committing"])
def test_an_altered_ledger_is_found_in_the_middle_of_a_commit(name: str) -> None:
    """The commit's manifest exists, but the save that follows has not happened."""
    world = World([NOW - 3 * HOUR + 47_000 * n for n in range(225)], page=9)
    effects = Effects()
    world.share(effects)
    world.run()
    number = [at for at, it in enumerate(effects.done, start=1) if it == "put manifest"][3]
    world = World([NOW - 3 * HOUR + 47_000 * n for n in range(225)], page=9)
    world.share(Effects(at=number, how="after"))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    assert check(world).is_sound
    value = world.ledgers.value()
    forged = {
        "origin": value["origin"] + HOUR,
        "doubt": [INTERVAL],
        "parts_by_hour": {str(NOW): 3},
        "committing": {**value["committing"], "manifest": "{}"},
    }
    world.ledgers.content = json.dumps({**value, name: forged[name]}).encode()

    assert kinds(world) == {"ledger-differs"}


def test_the_part_that_is_being_committed_is_named_by_the_ledger() -> None:
    """The part exists, but its manifest does not yet."""
    world = World([NOW - 2 * HOUR])
    effects = Effects()
    world.share(effects)
    world.run()
    number = effects.done.index("commit part") + 1
    world = World([NOW - 2 * HOUR])
    world.share(Effects(at=number, how="after"))
    with pytest.raises(Crash):
        world.run()

    (finding,) = check(world).findings

    committing = decode(world.ledgers.content or b"").committing
    assert committing
    assert committing.slice
    assert (finding.kind, finding.subject) == ("pending", part_name("all", committing.slice))
