"""An API that sorts in another direction than the one requested."""

import json
from typing import Any
from unittest.mock import patch

import pytest

from simulator import Switches, Tenant
from simulator.switches import Sorts
from tests.fakes import DAY, HOUR, MINUTE, NOW, page_of, policy
from tests.simulated import SimulatedApi
from tests.unit.test_odd_records import assert_sound, doubts
from tests.unit.test_sweeps import START, identities
from tests.world import World

DIRECTIONS = pytest.mark.parametrize("direction", ["asc", "desc"])
CROWD = [(START + 64 * MINUTE + 123, START + HOUR + 200_000 + 10 * n) for n in range(37)]


def world_of(tenant: Tenant, sorts: Sorts, **switches: Any) -> World:
    """Return a world whose API sorts like that, pages of ten."""
    world = World([])
    chosen = Switches(page_cap=10, minimum_limit=1, sorts=sorts, **switches)
    world.source = SimulatedApi(tenant, world.clock, chosen)
    return world


def asked(world: World) -> list[str]:
    """Return the directions that requests asked for, in order."""
    assert isinstance(world.source, SimulatedApi)
    return [it["sortDirection"] for it in world.source.asked if it["sortField"] == "date"]


def busy() -> Tenant:
    """Return a tenant whose slices have several pages each."""
    return Tenant.of([START + 12_007 * n for n in range(540)], record_size=900)


@DIRECTIONS
@pytest.mark.parametrize("sorts", ["asc", "desc", "reversed"])
def test_another_sort_direction_costs_no_extra_request(sorts: Sorts, direction: str) -> None:
    """The first page shows how the API sorts and is used as it is."""
    usual, odd = world_of(busy(), "as-asked"), world_of(busy(), sorts)
    by = policy(lookback=2 * HOUR, sweeps=(), direction=direction)

    for world in (usual, odd):
        world.run_until_idle(by)

    assert identities(odd) == identities(usual)
    assert len(asked(odd)) == len(asked(usual))
    assert doubts(odd) == []
    assert odd.tally.faults == 0


@DIRECTIONS
def test_another_sort_direction_is_learned_once_and_then_requested(direction: str) -> None:
    """The ledger remembers it, and the report warns."""
    other = {"asc": "desc", "desc": "asc"}[direction]
    world = world_of(busy(), "desc" if direction == "asc" else "asc")
    by = policy(lookback=2 * HOUR, sweeps=(), direction=direction)

    world.run(by)

    turns = [one != two for one, two in zip(asked(world), asked(world)[1:], strict=False)]
    assert turns.count(True) == 1
    assert (asked(world)[0], asked(world)[-1]) == (direction, other)
    assert world.ledgers.value()["api_facts"]["sorts"] == {direction: other}
    assert [it for it in world.tally.warnings if "#sort-direction" in it]


def test_the_configured_direction_is_tried_again_after_a_day() -> None:
    """One request tries it, and the result holds for another day."""
    moments = [NOW - 2 * HOUR + 15_001 * n for n in range(12_000)]
    world = world_of(Tenant.of(moments, record_size=900), "desc")
    by = policy(lookback=2 * HOUR, sweeps=())
    days = []

    for _ in range(2):
        before = len(asked(world))
        for _ in range(48):
            world.clock.advance(30 * MINUTE)
            world.run(by)
        days.append(asked(world)[before:])

    assert all(0 < day.count("asc") <= 6 for day in days)
    assert all(len(day) > 200 for day in days)


def test_a_new_version_tries_the_configured_direction_again() -> None:
    """It may ask in another way, or the API may be fixed by then."""
    world = world_of(busy(), "desc")
    by = policy(lookback=2 * HOUR, sweeps=())
    world.run(by)
    assert asked(world)[-1] == "desc"
    world.clock.advance(30 * MINUTE)

    with (
        patch("shared.scan.claiming.__version__", "9"),
        patch("shared.scan.learning.__version__", "9"),
    ):
        before = len(asked(world))
        world.run(by)

    assert asked(world)[before] == "asc"


def test_an_api_that_obeys_again_is_asked_as_the_settings_say() -> None:
    """The scan forgets what it had learned."""
    world = world_of(busy(), "desc")
    by = policy(lookback=2 * HOUR, sweeps=())
    world.run(by)
    assert isinstance(world.source, SimulatedApi)
    world.source.switches = Switches(page_cap=10, minimum_limit=1)
    world.clock.advance(DAY)

    world.run_until_idle(by)

    assert world.ledgers.value()["api_facts"]["sorts"] == {}


@DIRECTIONS
@pytest.mark.parametrize("sorts", ["asc", "desc", "reversed"])
@pytest.mark.parametrize("dense", ["repeat", "empty"])
def test_a_dense_millisecond_is_read_whole(sorts: Sorts, dense: str, direction: str) -> None:
    """This includes an API that sorts by the other time in its own direction."""
    tenant = Tenant.of(CROWD, record_size=900)
    tenant.add(*[START + 64 * MINUTE + 1_000 * n for n in range(-12, 12)])
    world = world_of(tenant, sorts, dense=dense)

    world.run_until_idle(policy(lookback=2 * HOUR, sweeps=(), direction=direction))

    assert identities(world) == tenant.truth()
    assert doubts(world) == []
    assert_sound(world)


@DIRECTIONS
@pytest.mark.parametrize("at", [0, 500, 999])
def test_a_millisecond_is_dense_where_the_cursor_does_not_move(at: int, direction: str) -> None:
    """The page has a single instant and its continuation equals the query's filters."""
    dense = START + 64 * MINUTE + at
    crowd = [{"_id": f"{n}", "timestamp": dense, "created": dense + n} for n in range(25)]
    world = World([])

    def crowded(query: dict[str, Any]) -> Any:  # noqa: ANN401 - a scripted answer
        bounds, other = query["filters"]["date"], query["filters"].get("created", {})
        if not bounds["gte"] <= dense <= bounds["lte"]:
            return page_of({"data": [], "hasNext": False, "total": 0})
        left = [it for it in crowd if it["created"] >= other.get("gte", 0)]
        page = {"data": left[:10], "hasNext": len(left) > 10, "total": len(left)}
        return page_of({**page, "nextQueryFilters": query["filters"]})

    world.api.always = crowded
    world.run_until_idle(policy(lookback=2 * HOUR, sweeps=(), direction=direction))

    assert sorted(int(it["_id"]) for it in world.followed()) == list(range(25))
    assert doubts(world) == []
    assert len({json.dumps(it["filters"]) for it in world.api.asked}) <= 20
