"""Cutting time by `created` has the same guarantees as cutting it by `date`."""

import random

import pytest

from simulator import Switches, Tenant
from tests.fakes import HOUR, MINUTE, NOW
from tests.unit.test_contradictions import CROWD, X, around, first_pass, identities, world_of
from tests.unit.test_sweeps import how, live, with_late_ones


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("cursor_field", ["created", "date"])
def test_activities_are_stored_by_their_time_of_ingestion(
    direction: str, cursor_field: str
) -> None:
    """This holds even if the API keeps the cursor of such a scan on the event time."""
    rng = random.Random(3)
    start = NOW - 2 * HOUR
    tenant = Tenant.of(
        [(start + rng.randrange(HOUR), start + rng.randrange(100 * MINUTE)) for _ in range(150)],
        record_size=900,
    )
    world = world_of(tenant, cursor_field=cursor_field)

    world.run_until_idle(first_pass(axis="created", direction=direction), most=300)

    assert identities(world) == tenant.truth()


def test_a_dense_instant_of_ingestion_is_paged_by_the_event_time() -> None:
    """A bulk import stamps thousands of activities with one `created`."""
    bulk = [(X + 10 * n, X) for n in range(37)]
    tenant = Tenant.of([*bulk, (X - 5, X - 9), (X + 1, X + 9)], record_size=900)
    world = world_of(tenant)

    world.run_until_idle(first_pass(axis="created"))

    assert identities(world) == tenant.truth()


def test_a_dense_event_time_does_not_matter_by_ingestion() -> None:
    """Activities with the same event time have many times of ingestion."""
    tenant = around(CROWD)
    world = world_of(tenant)

    world.run_until_idle(first_pass(axis="created"))

    assert identities(world) == tenant.truth()


def test_late_activities_are_not_late_by_ingestion() -> None:
    """The first pass stores them, and sweeps find nothing."""
    tenant = with_late_ones()
    world = world_of(tenant)

    live(world, 12, how(axis="created"))

    assert identities(world) == tenant.truth()
    assert world.ledgers.value()["doubt"] == []
    late = [it for it in world.results.parts if "sweep" in it]
    assert late == []


def test_a_sweep_finds_ingested_activities_that_the_api_shows_late() -> None:
    """The API's index lags behind its own clock now and then."""
    tenant = with_late_ones()
    world = world_of(tenant)
    switches = Switches(page_cap=20, minimum_limit=1, visibility_jitter_ms=HOUR)
    world.source.switches = switches  # type: ignore[attr-defined]

    live(world, 32, how(axis="created"))

    assert identities(world) == tenant.truth()
