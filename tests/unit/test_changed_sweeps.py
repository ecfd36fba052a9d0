"""Sweeps that have run count by their age, whatever `SCAN_SWEEPS` says now."""

import json
from itertools import permutations
from typing import Any

import pytest

from shared.core.model import Policy
from shared.core.state.report import report_fields
from shared.operate.rebuild import rebuild, write
from shared.operate.verify import Verifier
from simulator import Tenant
from tests.displays import Silent
from tests.fakes import HOUR, MINUTE, NOW, policy
from tests.unit.test_rebuild import comparable
from tests.unit.test_sweeps import START, identities, manifests
from tests.unit.test_sweeps import world_of as world_with
from tests.world import World

Sweeps = tuple[tuple[str, int], ...]

SHORT: Sweeps = (("sweep-2h", 2 * HOUR), ("sweep-4h", 4 * HOUR))
LONG: Sweeps = (("sweep-2h", 2 * HOUR), ("sweep-8h", 8 * HOUR))
SINGLE: Sweeps = (("sweep-3h", 3 * HOUR),)
NONE: Sweeps = ()
REACH = 30 * HOUR
"""With a short reach, changes of months take place within hours."""


def how(sweeps: Sweeps, **changes: Any) -> Policy:
    """Return a policy with a short reach and few slices."""
    long = {"slice_length": HOUR, "lookback": 2 * HOUR, "reach": REACH}
    return policy(**{"sweeps": sweeps, **long, **changes})


def live(world: World, hours: int, by: Policy) -> None:
    """Run once an hour."""
    for _ in range(hours):
        world.run(by)
        world.clock.advance(HOUR)


def doubt_seconds(world: World, by: Policy) -> float:
    """Return what the last run reported."""
    found: float = report_fields(world.tally, by, "idle", duration=0)["doubt_seconds"]
    return found


def last_manifest(world: World) -> dict[str, Any]:
    """Return the newest manifest."""
    stated: dict[str, Any] = json.loads(world.results.manifests[max(world.results.manifests)])
    return stated


@pytest.mark.parametrize(("before", "after"), list(permutations([SHORT, LONG, SINGLE, NONE], 2)))
def test_changed_sweeps_put_nothing_in_doubt(before: Sweeps, after: Sweeps) -> None:
    """This holds when they change and change back, however old the history is."""
    world = World([])
    for sweeps in (before, after, before):
        live(world, 40, how(sweeps))

        assert doubt_seconds(world, how(sweeps)) == 0
    assert world.ledgers.value()["lost"] == []


def test_a_younger_last_sweep_asks_for_nothing_that_an_older_one_has_looked_at() -> None:
    """Time that was final stays final."""
    world = World([])
    live(world, 20, how(LONG))
    before = len(manifests(world, "sweep-8h"))
    final = last_manifest(world)["final"]

    live(world, 1, how(SHORT))

    assert last_manifest(world)["final"][0][0] <= final[0][0]
    looked = manifests(world, "sweep-4h")
    assert looked
    assert min(it["start"] for it in looked) >= final[-1][1] - HOUR
    assert len(manifests(world, "sweep-8h")) == before


def test_an_older_last_sweep_looks_again_at_what_the_api_still_shows() -> None:
    """A younger sweep does not count as an older one."""
    world = World([])
    live(world, 20, how(SHORT))

    live(world, 1, how(LONG))

    looked = manifests(world, "sweep-8h")
    assert min(it["start"] for it in looked) == world.ledgers.value()["origin"]


def test_nothing_is_copied_from_one_sweep_to_another() -> None:
    """A manifest never claims coverage of a pass from looks of another age."""
    world = World([])
    live(world, 20, how(LONG))

    live(world, 20, how(SHORT))

    grown = [it for it in map(json.loads, world.results.manifests.values()) if it["covers"]]
    first = min(it["start"] for it in grown if "sweep-4h" in it["covers"])
    assert last_manifest(world)["complete"]["sweep-4h"][0][0] == first


@pytest.mark.parametrize("sweeps", [SHORT, NONE])
def test_final_is_what_no_pass_looks_at_again(sweeps: Sweeps) -> None:
    """No later manifest with the same settings covers time that one called final."""
    world = World([])
    live(world, 15, how(sweeps))

    final: list[list[int]] = []
    for _, content in sorted(world.results.manifests.items()):
        manifest = json.loads(content)
        assert not any(a < manifest["end"] and manifest["start"] < b for a, b in final)
        final = manifest["final"]
    assert final


@pytest.mark.parametrize("lookback", [2 * HOUR, 12 * HOUR])
def test_parts_removed_while_there_were_no_sweeps_are_noticed(lookback: int) -> None:
    """A sweep that is configured later does not write their activities again."""
    tenant = Tenant.of([START + 120_000 * n for n in range(60)], record_size=900)
    world = world_with(tenant)
    live(world, 5, how(NONE, lookback=lookback))
    gone = {name: world.results.parts.pop(name) for name in sorted(world.results.parts)[:1]}

    live(world, 8, how(SHORT, lookback=lookback))

    blocked = [it["blocked_since"] is not None for it in world.ledgers.value()["open"]]
    assert blocked == [True]
    world.results.parts.update(gone)
    live(world, 4, how(SHORT, lookback=lookback))
    assert identities(world) == tenant.truth()


CREATED: Sweeps = (
    ("sweep-2h", 2 * HOUR),
    ("sweep-4h", 4 * HOUR),
    ("sweep-6h", 6 * HOUR),
    ("sweep-8h", 8 * HOUR),
)


def with_later_ones() -> Tenant:
    """Return an activity every minute, and some that are saved 3, 5 and 7 hours late."""
    tenant = Tenant.of([START + 60_000 * n for n in range(120)], record_size=900)
    for hours in (3, 5, 7):
        at = [START + 600_000 * n + hours for n in range(12)]
        tenant.add(*[(it, it + hours * HOUR) for it in at])
    return tenant


def test_a_partial_look_is_never_credited_as_a_whole_one() -> None:
    """It is recorded under its own name, and only there."""
    world = world_with(with_later_ones())

    live(world, 14, how(CREATED, sweep_by="created"))

    partial = [it for it in map(json.loads, world.results.manifests.values()) if it["since"]]
    assert {tuple(it["covers"]) for it in partial} == {("sweep-4h-since",), ("sweep-6h-since",)}
    assert identities(world) == with_later_ones().truth()


def test_a_partial_look_is_the_base_of_the_next_one() -> None:
    """The next one asks only for what was ingested since."""
    world = world_with(with_later_ones())

    live(world, 14, how(CREATED, sweep_by="created"))

    sixes = manifests(world, "sweep-6h")
    assert {it["since"] - it["start"] for it in sixes} == {4 * HOUR - 15 * MINUTE}


@pytest.mark.parametrize("by", ["created", "full"])
def test_a_partial_look_does_not_become_the_last_sweep(by: str) -> None:
    """A whole look follows even if the settings make its age the last one."""
    world = world_with(with_later_ones())
    live(world, 9, how(CREATED, sweep_by="created"))
    asked = len(manifests(world, "sweep-4h"))
    assert all(it["since"] for it in manifests(world, "sweep-4h"))

    live(world, 3, how(CREATED[:2], sweep_by=by))

    again = manifests(world, "sweep-4h")[asked:]
    assert again
    assert all(it["since"] is None for it in again)
    final = last_manifest(world)["final"]
    assert final[0][0] == world.ledgers.value()["origin"]


def test_a_partial_look_counts_for_younger_sweeps() -> None:
    """They need no look of their own at its time."""
    world = world_with(with_later_ones())
    live(world, 9, how(CREATED, sweep_by="created"))
    swept = {it["start"] for it in manifests(world, "sweep-6h")}
    between: Sweeps = (CREATED[0], ("sweep-5h", 5 * HOUR), CREATED[-1])

    live(world, 1, how(between))

    assert swept
    assert swept.isdisjoint(it["start"] for it in manifests(world, "sweep-5h"))


@pytest.mark.parametrize("toggles", [("created", "full"), ("full", "created")])
def test_looks_by_created_may_be_switched_on_and_off(toggles: tuple[str, str]) -> None:
    """Whole and partial looks over the same time never collide, and nothing is lost."""
    tenant = with_later_ones()
    world = world_with(tenant)
    for hours in range(24):
        sweeps = CREATED[: 2 + hours % 3]
        live(world, 1, how(sweeps, sweep_by=toggles[hours % 2]))
    live(world, 2, how(CREATED))

    assert identities(world) == tenant.truth()
    assert Verifier(world.results, world.ledgers, "all", Silent()).check().is_sound


def lives() -> World:
    """Return a scan that has outlived its reach, with losses, doubt and changed sweeps."""
    world = World([NOW + 10 * MINUTE * n for n in range(900)])
    live(world, 12, how(SHORT))
    world.clock.advance(40 * HOUR)
    live(world, 12, how(LONG))
    live(world, 30, how(NONE))
    live(world, 20, how(SHORT))
    return world


def test_before_settled_until_nothing_is_added_any_more() -> None:
    """It never goes back, so a reader that has seen it can close what lies before."""
    world, settled = lives(), 0

    for _, content in sorted(world.results.manifests.items()):
        manifest = json.loads(content)
        assert manifest["settled_until"] >= settled
        settled = manifest["settled_until"]
        assert manifest["start"] >= settled
        stated = [it for several in manifest["complete"].values() for it in several]
        assert all(start >= settled for start, _ in [*stated, *manifest["final"]])
    assert settled > world.ledgers.value()["origin"]


def test_settled_until_is_the_hour_at_the_edge_of_the_reach() -> None:
    """This is so if nothing is pending."""
    world = World([])
    live(world, 50, how(SHORT))
    world.clock.advance(-HOUR + 20 * MINUTE)

    world.run(how(SHORT))

    edge = world.clock.now() - REACH + 2 * HOUR
    assert world.ledgers.value()["settled_until"] == edge // HOUR * HOUR


@pytest.mark.parametrize("reach", [20 * HOUR, 60 * HOUR])
def test_settled_until_survives_another_reach(reach: int) -> None:
    """It never goes back, and a shorter reach advances it."""
    world = World([])
    live(world, 40, how(SHORT))
    before = world.ledgers.value()["settled_until"]

    live(world, 1, how(SHORT, reach=reach))

    after = world.ledgers.value()["settled_until"]
    assert after >= before
    assert (after > before + HOUR) == (reach < REACH)
    assert doubt_seconds(world, how(SHORT)) == 0


def test_a_ledger_read_from_the_manifests_equals_the_original() -> None:
    """Its totals do, too; `verify` finds nothing, and a rebuilt ledger equals the lost one."""
    world = lives()
    lost = world.ledgers.value()

    assert Verifier(world.results, world.ledgers, "all", Silent()).check().is_sound
    world.ledgers.content = None
    write(world.ledgers, rebuild(world.results, how(SHORT), world.clock.now(), Silent()))

    made = world.ledgers.value()
    assert comparable(made) == comparable(lost)
    for name in ("settled_until", "totals"):
        assert made[name] == lost[name]
    assert lost["totals"]["lost"] > 0


@pytest.mark.parametrize(
    "name", ["settled_until", "totals", "lost", "doubt", "parts_by_hour", "coverage"]
)
def test_verify_finds_what_was_changed_in_the_ledger(name: str) -> None:
    """It compares everything that the manifests prove."""
    world = lives()
    value = world.ledgers.value()
    more = {"start": NOW, "end": NOW + 1, "reason": "x"}
    value[name] = {
        "settled_until": value["settled_until"] - HOUR,
        "totals": {"lost": 0, "doubt": 0},
        "lost": [more],
        "doubt": [more],
        "parts_by_hour": {},
        "coverage": {"first": []},
    }[name]
    world.ledgers.content = json.dumps(value).encode()

    found = Verifier(world.results, world.ledgers, "all", Silent()).check().findings

    assert {it.kind for it in found} == {"ledger-differs"}


def test_what_was_declared_lost_long_ago_is_still_reported() -> None:
    """The totals include it."""
    world = lives()

    fields = report_fields(world.tally, how(SHORT), "idle", duration=0)

    declared = [it["lost"] for it in map(json.loads, world.results.manifests.values())]
    lost = sum(it["end"] - it["start"] for it in declared if it)
    assert fields["lost_seconds"] == lost / 1000 > 0
