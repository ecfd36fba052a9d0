"""Stores that a released version left: every later version reads them and continues the scan."""

import json
from hashlib import sha256
from typing import Any

import pytest

from shared.core.audit import history as histories
from shared.core.state import ledger as ledgers
from shared.core.state import manifest as manifests
from shared.core.state.proof import proof_in
from shared.operate.rebuild import rebuild
from shared.operate.verify import Verifier
from tests.displays import Silent
from tests.fakes import MINUTE, NOW
from tests.pulling import assert_proven
from tests.released import EARLIER, GOLDEN, HOW, STORES, folded, lived, stored
from tests.unit.test_formats import comparable

SUMS = "SHA256SUMS"
stores = pytest.mark.parametrize("name", STORES)


def test_no_file_of_a_released_version_has_changed() -> None:
    """Whoever changes a format adds files, and lists them in `tests/golden/SHA256SUMS`."""
    listed = {
        name: digest
        for digest, name in (line.split("  ") for line in (GOLDEN / SUMS).read_text().splitlines())
    }
    found = {
        path.relative_to(GOLDEN).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in GOLDEN.rglob("*")
        if path.is_file() and path.name != SUMS
    }

    assert found == listed


@stores
def test_a_released_store_is_sound_and_holds_what_a_ledger_may_hold(name: str) -> None:
    """It is in the middle of its life."""
    world = stored(name)
    ledger = world.ledgers.value()

    checked = Verifier(world.results, world.ledgers, "all", Silent()).check()

    assert checked.findings == []
    assert [bool(it["blocks"]) for it in ledger["open"]].count(True) == 1
    assert max(it["faults"] for it in ledger["open"]) == 2
    for field in ("doubt", "decisions", "outstanding", "conditions", "runs", "parts_by_hour"):
        assert ledger[field], field
    assert set(ledger["coverage"]) == {"first", "sweep-2h"}


@stores
def test_a_scan_continues_from_a_released_store(name: str) -> None:
    """With half-read slices, an ordered rescan and faults; nothing is lost or doubled."""
    world = stored(name)

    world.run_until_idle(HOW)
    world.clock.advance(10 * MINUTE)
    world.run_until_idle(HOW)

    covered = world.ledgers.value()["coverage"]["first"][0]
    assert covered[0] == EARLIER
    assert covered[1] > NOW + 160 * MINUTE
    world.assert_complete(*covered, excused=[(NOW + 30 * MINUTE, NOW + 40 * MINUTE)])
    assert {"rescan", "rescan-done"} <= {it["kind"] for it in world.ledgers.value()["decisions"]}
    assert_proven(world, HOW)


@stores
def test_the_ledger_of_a_released_store_can_be_rebuilt(name: str) -> None:
    """From its manifests alone."""
    world = stored(name)
    kept = ledgers.decode(world.ledgers.content or b"")

    again = rebuild(world.results, HOW, world.clock.now(), Silent()).ledger

    assert proof_in(again) == proof_in(kept)
    assert (again.origin, again.head) == (kept.origin, kept.head)


@stores
def test_the_history_of_a_released_store_is_what_its_manifests_say(name: str) -> None:
    """It is read, or the next runs make it again."""
    stated = (GOLDEN / name / "state" / "history.json").read_bytes()

    assert histories.decode(stated) == folded(stored(name).results.manifests.values())


def test_the_newest_store_is_what_is_written_today() -> None:
    """A format that changes needs a version of its own, and a store beside these."""
    ours, theirs = lived(), stored(STORES[-1])

    assert comparable(ours.ledgers.content or b"") == comparable(theirs.ledgers.content or b"")
    assert list(ours.results.manifests) == list(theirs.results.manifests)
    for number, content in ours.results.manifests.items():
        assert comparable(content) == comparable(theirs.results.manifests[number]), number


def newer(**changes: Any) -> bytes:
    """Return the ledger of a store as a version writes it that does not exist yet."""
    value = {**stored(STORES[-1]).ledgers.value(), "version": 2, **changes}
    return json.dumps(value).encode()


def test_a_scan_continues_where_a_newer_version_lets_it() -> None:
    """After a rollback: what is unknown is dropped and reported, and the version is ours again."""
    world = stored(STORES[-1])
    world.ledgers.content = newer(min_reader=1, lent={"other": 3})

    world.run(HOW)

    assert any("dropped lent" in it for it in world.tally.warnings)
    assert "lent" not in world.ledgers.value()
    assert world.ledgers.value()["version"] == 1
    world.run_until_idle(HOW)
    assert_proven(world, HOW)


def test_a_manifest_of_a_newer_version_stops_no_run() -> None:
    """Runs compare only its hash; whoever has to read it says which program can."""
    world = stored(STORES[-1])
    number = max(world.results.manifests)
    value = {**json.loads(world.results.manifests[number]), "version": 2, "surprise": 1}
    world.results.manifests[number] = json.dumps(value).encode()
    ledger = world.ledgers.value()
    ledger["head"]["sha256"] = manifests.digest(world.results.manifests[number])
    world.ledgers.content = json.dumps(ledger).encode()

    world.run(HOW)

    checked = Verifier(world.results, world.ledgers, "all", Silent()).check()
    assert any("version 2" in it.detail for it in checked.findings), checked.findings
