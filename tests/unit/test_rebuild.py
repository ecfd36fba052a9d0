"""After its ledger is rebuilt from the manifests, the scan resumes without loss or duplicate."""

import json
from typing import Any

import pytest

from shared.core.errors import NotRebuildable
from shared.core.model import Policy
from shared.operate.rebuild import Rebuilt, rebuild, write
from tests.displays import Silent
from tests.fakes import DAY, HOUR, MINUTE, NOW, Crash, Effects, policy
from tests.unit.test_sweeps import how, identities, live, with_late_ones
from tests.unit.test_sweeps import world_of as world_with
from tests.world import World

ORIGIN = NOW - 3 * HOUR
TRUTH = [ORIGIN + 47_000 * n for n in range(225)]


def made_again(world: World, by: Policy | None = None) -> Rebuilt:
    """Rebuild the world's ledger."""
    return rebuild(world.results, by or policy(), world.clock.now(), Silent())


def without_ledger(world: World) -> None:
    """Lose the ledger and all staged blocks."""
    world.ledgers.content = None


def comparable(value: dict[str, Any]) -> dict[str, Any]:
    """Return what a rebuilt ledger must have in common with the lost one."""
    names = (
        "axis",
        "fingerprint",
        "accepted",
        "origin",
        "coverage",
        "lost",
        "doubt",
        "parts_by_hour",
        "head",
    )
    return {name: value[name] for name in names}


def test_a_rebuilt_ledger_equals_the_lost_one() -> None:
    """It has the coverage, losses, doubt, counts of parts, head, origin and scope."""
    world = world_with(with_late_ones())
    live(world, 5, how())
    lost = world.ledgers.value()
    without_ledger(world)

    write(world.ledgers, made_again(world, how()))

    assert lost["coverage"]["sweep-2h"]
    assert comparable(world.ledgers.value()) == comparable(lost)
    assert world.ledgers.value()["epoch"] > lost["epoch"]


def test_a_scan_resumes_from_a_rebuilt_ledger() -> None:
    """Its sweeps cause neither loss nor duplicate."""
    tenant = with_late_ones()
    world = world_with(tenant)
    live(world, 5, how())
    without_ledger(world)
    write(world.ledgers, made_again(world, how()))

    live(world, 25, how())

    assert identities(world) == tenant.truth()


def test_an_adopted_part_is_in_doubt_until_a_sweep_has_looked() -> None:
    """Nothing recorded the requests that filled it."""
    world = killed_in_a_commit()
    write(world.ledgers, made_again(world))

    world.run()

    (doubt,) = world.ledgers.value()["doubt"]
    assert doubt["reason"].startswith("adopted")
    for _ in range(40):
        world.clock.advance(5 * MINUTE)
        world.run()
    assert world.ledgers.value()["doubt"] == []


def lost_in_the_first_commit(effect: str, how: Policy) -> World:
    """Return a scan whose ledger was lost after that effect of its first commit."""
    undisturbed = World(TRUTH, page=9)
    effects = Effects()
    undisturbed.share(effects)
    undisturbed.run(how)
    world = World(TRUTH, page=9)
    world.share(Effects(at=effects.done.index(effect) + 1, how="after"))
    with pytest.raises(Crash):
        world.run(how)
    world.share(Effects())
    without_ledger(world)
    return world


@pytest.mark.parametrize("effect", ["commit part", "put manifest"])
@pytest.mark.parametrize("lookback", [HOUR, 3 * HOUR, DAY])
def test_a_ledger_lost_in_the_very_first_commit_keeps_its_origin(
    effect: str, lookback: int
) -> None:
    """This holds however late it is rebuilt and however long the lookback is by then."""
    world = lost_in_the_first_commit(effect, policy(lookback=3 * HOUR))
    line = json.dumps({"event": "scan", "covered_until": ORIGIN})
    world.clock.advance(5 * DAY)
    how = policy(lookback=lookback)

    made = rebuild(
        world.results, how, world.clock.now(), Silent(), report_lines=["not JSON", "{}", line]
    )
    write(world.ledgers, made)

    assert ORIGIN - lookback <= made.ledger.origin <= ORIGIN
    assert made.ledger.settled_until == made.ledger.origin
    world.run_until_idle(how)
    world.assert_complete(made.ledger.origin, world.clock.now() - 10 * MINUTE)


def test_without_a_run_log_the_part_alone_says_where_the_scan_began() -> None:
    """The origin is its start less the lookback, so it is never too late."""
    world = lost_in_the_first_commit("commit part", policy())
    world.clock.advance(5 * DAY)

    origin = made_again(world).ledger.origin

    assert ORIGIN - 3 * HOUR <= origin <= ORIGIN
    assert origin % HOUR == 0


def test_a_ledger_lost_before_anything_was_stored_begins_where_the_run_log_says() -> None:
    """The first report states the origin."""
    lines = [json.dumps({"covered_until": ORIGIN + 5}), json.dumps({"covered_until": NOW})]

    made = rebuild(World([]).results, policy(lookback=HOUR), NOW, Silent(), report_lines=lines)

    assert made.ledger.origin == ORIGIN


def test_a_run_log_does_not_move_an_origin_that_a_manifest_states() -> None:
    """Manifests are the better evidence."""
    world = World(TRUTH, page=9)
    world.run()
    line = json.dumps({"covered_until": ORIGIN - DAY})

    made = rebuild(world.results, policy(), world.clock.now(), Silent(), report_lines=[line])

    assert made.ledger.origin == ORIGIN


def test_an_existing_ledger_is_never_replaced() -> None:
    """This holds even if it is an older or broken one."""
    world = World(TRUTH, page=9)
    world.run()
    rebuilt = made_again(world)
    before = world.ledgers.content

    with pytest.raises(NotRebuildable, match="never replaced"):
        write(world.ledgers, rebuilt)

    assert world.ledgers.content == before


@pytest.mark.parametrize("damage", ["gap", "changed"])
def test_a_broken_chain_is_refused(damage: str) -> None:
    """What it proves cannot be known."""
    world = World(TRUTH, page=9)
    world.run()
    if damage == "gap":
        del world.results.manifests[4]
    else:
        world.results.manifests[4] = world.results.manifests[4].replace(b'"records"', b'"recordz"')

    with pytest.raises(NotRebuildable, match="cannot be relied on"):
        made_again(world)


def test_a_stray_manifest_far_ahead_is_refused_at_once() -> None:
    """The error reports the gap before it, once."""
    world = World(TRUTH, page=9)
    world.run()
    last = max(world.results.manifests)
    world.results.manifests[99_999_999_999] = b"?"

    with pytest.raises(NotRebuildable, match=f"manifests {last + 1} to 99999999998 cannot be"):
        made_again(world)


def test_two_unlisted_parts_are_refused() -> None:
    """One commit leaves at most one; the error names both."""
    world = World(TRUTH, page=9)
    world.run()
    for name in ("scan=all/x", "scan=all/y"):
        world.results.parts[name] = b"?"
        world.results.metadata[name] = {}

    with pytest.raises(NotRebuildable, match="scan=all/x, scan=all/y"):
        made_again(world)


def test_folders_in_a_listing_do_not_prevent_a_rebuild() -> None:
    """An account with a hierarchical namespace lists them among the parts."""
    world = World(TRUTH, page=9)
    world.results.lists_folders = True
    world.run()
    lost = world.ledgers.value()
    without_ledger(world)

    write(world.ledgers, made_again(world))

    assert comparable(world.ledgers.value()) == comparable(lost)


@pytest.mark.parametrize("place", ["first block", "trailer", "length", "block list"])
def test_an_unlisted_part_that_is_damaged_is_not_adopted(place: str) -> None:
    """Each block must match its id before it is unpacked, and all must match the trailer."""
    world = killed_in_a_commit()
    (name,) = set(world.results.parts) - listed(world)
    content = bytearray(world.results.parts[name])
    if place == "block list":
        world.results.lists[name].pop()
    elif place == "length":
        content += b"x"
    else:
        content[-1 if place == "trailer" else 60] ^= 1
    world.results.parts[name] = bytes(content)

    with pytest.raises(NotRebuildable, match=r"damaged|other blocks"):
        made_again(world)


def killed_in_a_commit() -> World:
    """Return a world without a ledger, killed between a part and its manifest."""
    world = World(TRUTH, page=9)
    effects = Effects()
    world.share(effects)
    world.run()
    number = effects.done.index("commit part") + 1
    world = World(TRUTH, page=9)
    world.share(Effects(at=number, how="after"))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    without_ledger(world)
    return world


def listed(world: World) -> set[str]:
    """Return the names of the parts that a manifest lists."""
    found = [json.loads(content)["part"] for content in world.results.manifests.values()]
    return {part["name"] for part in found if part}


@pytest.mark.parametrize(
    "metadata", [{}, {"start": "1", "end": "x", "pass": "first", "records": "1"}]
)
def test_a_blob_that_no_scan_wrote_is_not_adopted(metadata: dict[str, str]) -> None:
    """The error names it, so that a person can move it away."""
    world = World(TRUTH, page=9)
    world.run()
    world.results.parts["scan=all/stranger"] = b"?"
    world.results.metadata["scan=all/stranger"] = metadata
    world.results.lists["scan=all/stranger"] = []

    with pytest.raises(NotRebuildable, match="stranger"):
        made_again(world)
