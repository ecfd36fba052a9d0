"""Where the API contradicts itself, what it shows is stored and the rest is in doubt."""

import json
from typing import Any

import pytest

from shared.core.model import Policy
from simulator import Identity, Switches, Tenant
from tests.fakes import HOUR, MINUTE, NOW, FakeApi, Reply, page_of, policy
from tests.simulated import SimulatedApi
from tests.world import World

START = NOW - 2 * HOUR
X = START + 7 * MINUTE + 123
"""The millisecond at which the API fails."""

DIRECTIONS = pytest.mark.parametrize("direction", ["asc", "desc"])


def world_of(tenant: Tenant, **switches: Any) -> World:
    """Return a world with the simulated API, pages of ten."""
    world = World([])
    world.source = SimulatedApi(
        tenant, world.clock, Switches(page_cap=10, minimum_limit=1, **switches)
    )
    return world


def first_pass(**changes: Any) -> Policy:
    """Return a policy of two hours without sweeps."""
    return policy(lookback=2 * HOUR, sweeps=(), **changes)


def identities(world: World) -> list[Identity]:
    """Return what readers see, sorted."""
    return sorted(Identity(it["_id"], it["timestamp"], it["created"]) for it in world.followed())


def around(crowd: list[tuple[int, int]]) -> Tenant:
    """Return a tenant with many activities on X and a dozen on either side of it."""
    others = [(X + 1000 * n, X + 1000 * n + 200_000) for n in (*range(-12, 0), *range(1, 13))]
    return Tenant.of([*others, *crowd], record_size=900)


CROWD = [(X, X + 200_000 + 10 * n) for n in range(37)]
"""More activities on X than three pages hold, each saved at another time."""


@DIRECTIONS
@pytest.mark.parametrize("dense", ["repeat", "empty", "black-hole"])
def test_a_dense_millisecond_is_read_whole(direction: str, dense: str) -> None:
    """It is paged by the time of ingestion, however the API fails at it."""
    tenant = around(CROWD)
    world = world_of(tenant, dense=dense)

    world.run_until_idle(first_pass(direction=direction))

    assert identities(world) == tenant.truth()
    assert world.ledgers.value()["doubt"] == []


@DIRECTIONS
@pytest.mark.parametrize("empty", ["missing", "null"])
@pytest.mark.parametrize("sorts", ["as-asked", "desc"])
@pytest.mark.parametrize("alone", [False, True])
def test_a_dense_millisecond_is_read_whole_where_empty_pages_have_no_data(
    direction: str, empty: str, sorts: str, *, alone: bool
) -> None:
    """A page that announces more and lacks `data` hides nothing that it skips."""
    tenant = Tenant.of(CROWD, record_size=900) if alone else around(CROWD)
    world = world_of(tenant, dense="empty", empty_data=empty, sorts=sorts)

    world.run_until_idle(first_pass(direction=direction))

    assert identities(world) == tenant.truth()
    assert world.ledgers.value()["doubt"] == []


@DIRECTIONS
@pytest.mark.parametrize("dense", ["repeat", "empty", "black-hole"])
def test_dense_milliseconds_side_by_side_are_read_whole(direction: str, dense: str) -> None:
    """Each delays the scan, and none stops it."""
    crowd = [(X + n % 3, X + 200_000 + 10 * n) for n in range(60)]
    tenant = around(crowd)
    world = world_of(tenant, dense=dense)

    world.run_until_idle(first_pass(direction=direction))

    assert identities(world) == tenant.truth()
    assert world.ledgers.value()["doubt"] == []


@DIRECTIONS
def test_a_dense_millisecond_is_read_where_the_continuation_stays_on_the_event_time(
    direction: str,
) -> None:
    """The next query begins at the last record's own time of ingestion."""
    tenant = around(CROWD)
    world = world_of(tenant, cursor_field="date")

    world.run_until_idle(first_pass(direction=direction))

    assert identities(world) == tenant.truth()


@DIRECTIONS
def test_more_activities_on_both_times_than_a_page_holds_are_in_doubt(direction: str) -> None:
    """One page of them is stored; ledger and manifest name the millisecond."""
    tenant = around([(X, X + 200_000)] * 23)
    world = world_of(tenant)

    world.run_until_idle(first_pass(direction=direction))

    (doubt,) = world.ledgers.value()["doubt"]
    assert (doubt["start"], doubt["end"]) == (X, X + 1)
    assert "share both time fields" in doubt["reason"]
    assert [it for it in identities(world) if it.timestamp != X] == [
        it for it in tenant.truth() if it.timestamp != X
    ]
    assert len([it for it in identities(world) if it.timestamp == X]) == 10
    manifests = [json.loads(content) for content in world.results.manifests.values()]
    assert [it["doubt"] for it in manifests if it["doubt"]] == [[doubt]]


@pytest.mark.parametrize("length", [1, 12])
def test_a_black_hole_that_another_sort_order_shows_loses_nothing(length: int) -> None:
    """It is the known fault: `gte` = X finds nothing, although activities lie on X."""
    tenant = Tenant.of([(X + n, X + 200_000 + n) for n in range(length)], record_size=900)
    hole = START  # a query begins there
    tenant.add((hole, hole + 200_000))
    world = world_of(tenant, black_holes=frozenset({hole}))

    world.run_until_idle(first_pass())

    assert identities(world) == tenant.truth()
    assert world.ledgers.value()["doubt"] == []


def test_a_black_hole_that_nothing_shows_costs_one_millisecond() -> None:
    """Later activities are found, and the millisecond itself is in doubt."""
    hole = START  # a query begins there
    tenant = Tenant.of([hole, X, X + 5], record_size=900)
    world = world_of(
        tenant, black_holes=frozenset({hole}), black_hole_recovery="none", total="exact"
    )

    world.run_until_idle(first_pass())

    assert identities(world) == [it for it in tenant.truth() if it.timestamp != hole]
    (doubt,) = world.ledgers.value()["doubt"]
    assert (doubt["start"], doubt["end"]) == (hole, hole + 1)


@DIRECTIONS
def test_a_quiet_tenant_whose_total_is_noise_costs_three_probes_a_slice(direction: str) -> None:
    """The API counts something that is not there: the doubt has a bounded price."""
    world = world_of(Tenant(), total="phantom")

    world.run_until_idle(first_pass(direction=direction))

    assert isinstance(world.source, SimulatedApi)
    slices = len(world.results.manifests)
    assert len(world.source.asked) == 4 * slices
    (doubt,) = (world.ledgers.value()["doubt"],)
    assert [(it["start"], it["end"]) for it in doubt] == [(START, NOW - 10 * MINUTE)]


def test_records_that_probes_show_are_stored() -> None:
    """The other direction finds what the first two queries did not."""
    tenant = Tenant.of([X, X + 9_000, X + 18_000], record_size=900)
    world = world_of(tenant)
    assert isinstance(world.source, SimulatedApi)
    world.source.instead = lambda _, asked: _nothing(3) if _upwards_over(asked, X) else None

    world.run_until_idle(first_pass())

    assert identities(world) == tenant.truth()


def _nothing(total: int) -> Reply:
    return page_of({"data": [], "hasNext": False, "total": total})


def _upwards_over(asked: dict[str, Any], at: int) -> bool:
    bounds = asked["filters"]["date"]
    inside: bool = bounds["gte"] <= at <= bounds["lte"] and asked["sortField"] == "date"
    return inside and asked["sortDirection"] == "asc"


class Damaging(FakeApi):
    """An API that garbles the name of `data` on some pages."""

    damaged = 0

    def _select(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = super()._select(body)
        if not answer["hasNext"] or len(self.asked) % 5:
            return answer
        self.damaged += 1
        return {("dat`" if name == "data" else name): it for name, it in answer.items()}


def test_a_page_that_lost_its_data_loses_no_activity() -> None:
    """Its cursor skips what was on it, so it is requested again."""
    world = World([])
    world.source = world.api = api = Damaging(range(START, NOW - HOUR, 5_000), clock=world.clock)

    world.run_until_idle(first_pass())

    assert api.damaged
    world.assert_complete(START, NOW - HOUR)
    assert world.ledgers.value()["doubt"] == []
