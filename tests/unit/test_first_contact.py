"""First contact with a tenant whose API refuses or ignores parts of a query."""

import json
from typing import Any

import pytest

import shared.scan.learning
from shared.core.errors import SourceRefused
from shared.core.model import Policy
from simulator import Switches, Tenant
from tests.fakes import DAY, HOUR, MINUTE, NOW, Crash, Effects, Reply, policy, status
from tests.simulated import SimulatedApi
from tests.unit.test_contradictions import CROWD, X, around, first_pass, identities, world_of
from tests.unit.test_sweeps import how, live, with_late_ones
from tests.world import World

LEARNED = "see docs/runbook.md#asked-for-less"


def contact(**switches: Any) -> World:
    """Return a world with an activity every 20 s and an API that behaves like this."""
    tenant = Tenant.of([NOW - 2 * HOUR + 20_000 * n for n in range(300)], record_size=900)
    return world_of(tenant, **switches)


def asked(world: World) -> list[dict[str, Any]]:
    """Return the bodies of all requests."""
    assert isinstance(world.source, SimulatedApi)
    return world.source.asked


def limits(world: World) -> list[int]:
    """Return the limits that requests asked for, without consecutive repetitions."""
    every = [it["limit"] for it in asked(world)]
    return [it for place, it in enumerate(every) if not place or every[place - 1] != it]


def refusing(*names: str) -> World:
    """Return a world whose API refuses these parts of a query."""
    return contact(refuses=frozenset(names))


def test_a_refused_limit_is_not_asked_for_again() -> None:
    """One refusal, one request with 500, and a warning with the API's own words."""
    world = refusing("limit")

    world.run_until_idle(first_pass(concurrency=3))

    assert limits(world) == [5000, 500]
    assert len([it for it in asked(world) if it["limit"] == 5000]) <= 3
    facts = world.ledgers.value()["api_facts"]
    assert (facts["limit"], facts["trial"]) == (500, None)
    assert identities(world) == world.source.tenant.truth()  # type: ignore[attr-defined]


def test_what_was_learned_causes_one_warning() -> None:
    """It includes what was sent and what the API answered."""
    world = refusing("limit")

    world.run(first_pass())

    (warning,) = world.tally.warnings
    assert "limit 5000 sortField date sortDirection asc: HTTP 400: The scan does not" in warning
    assert warning.endswith(LEARNED)
    world.clock.advance(5 * MINUTE)
    world.run(first_pass())
    assert world.tally.warnings == []


def test_a_refused_sort_field_is_left_out() -> None:
    """The API sorts by `date` anyway."""
    world = refusing("sortField")

    world.run_until_idle(first_pass())

    assert [it["limit"] for it in asked(world)[:3]] == [5000, 500, 500]
    assert all("sortField" not in it for it in asked(world)[2:])
    assert all(it["sortDirection"] == "asc" for it in asked(world))
    assert identities(world) == world.source.tenant.truth()  # type: ignore[attr-defined]


def test_a_refused_order_is_left_out_where_it_is_the_default() -> None:
    """A descending scan by `date` needs to name neither."""
    world = refusing("sortField", "sortDirection")

    world.run_until_idle(first_pass(direction="desc"))

    assert not {"sortField", "sortDirection"} & set(asked(world)[-1])
    assert identities(world) == world.source.tenant.truth()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("how_asked", "tried"),
    [
        (first_pass(), 3),
        (first_pass(limit=500), 2),
        (first_pass(axis="created"), 2),
        (first_pass(axis="created", limit=500), 1),
    ],
    ids=["all forms", "limit 500", "by created", "by created, limit 500"],
)
def test_only_a_query_that_is_refused_in_every_form_is_a_refusal(
    how_asked: Policy, tried: int
) -> None:
    """The error has each attempt and the API's words; the next run tries them all again."""
    world = World([])
    world.api.always = lambda _: status(400, '{"detail":"bad filter"}')

    for times in (1, 2):
        with pytest.raises(SourceRefused, match="Check SCAN_FILTERS") as refused:
            world.run(how_asked)
        assert str(refused.value).count("HTTP 400: bad filter") == 1 + tried
        assert len(world.api.asked) == times * tried
        assert world.ledgers.value()["claimed_until"] == 0


def test_what_was_refused_is_tried_again_once_a_day() -> None:
    """It is used again as soon as the API accepts it."""
    world = refusing("limit")
    live(world, 49, first_pass())

    assert 2 <= len([it for it in asked(world) if it["limit"] == 5000]) <= 3
    world.source.switches = Switches(page_cap=10, minimum_limit=1)  # type: ignore[attr-defined]
    world.clock.advance(DAY)
    begun = len(asked(world))
    world.run_until_idle(first_pass(), most=400)
    assert {it["limit"] for it in asked(world)[begun:]} == {5000}


def test_a_new_version_of_the_program_tries_the_full_query_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may ask for it in another way."""
    world = refusing("limit")
    monkeypatch.setattr(shared.scan.learning, "__version__", "0.0.1")
    world.run_until_idle(first_pass())
    monkeypatch.undo()
    world.clock.advance(5 * MINUTE)
    begun = len(asked(world))

    world.run(first_pass())

    assert asked(world)[begun]["limit"] == 5000


@pytest.mark.parametrize("how_dead", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 12))
def test_a_trial_resumes_after_its_run_dies(at: int, how_dead: str) -> None:
    """The ledger has the trial, so no refusal repeats forever."""
    world = refusing("sortField")
    world.ledgers.effects = Effects(at=at, how=how_dead)
    with pytest.raises(Crash):
        world.run(first_pass())
    world.ledgers.effects = Effects()
    world.clock.advance(5 * MINUTE)

    world.run_until_idle(first_pass())

    assert len([it for it in asked(world) if "sortField" in it]) <= 4
    assert identities(world) == world.source.tenant.truth()  # type: ignore[attr-defined]


def test_a_budget_of_one_request_gets_past_a_refusal() -> None:
    """Each run sends one of the forms; the third one works."""
    world = refusing("sortField")
    assert isinstance(world.source, SimulatedApi)
    world.source.latency = 60_000

    for _ in range(3):
        world.run(first_pass(budget=30_000))
        world.clock.advance(5 * MINUTE)

    assert [len(it) for it in asked(world)] == [5, 5, 4]
    assert world.ledgers.value()["api_facts"]["trial"] is None


def test_a_slice_that_is_always_refused_stops_no_other() -> None:
    """The API has answered this form for others, so the refusal is about the slice."""
    world = World([NOW - 3 * HOUR + 60_000 * n for n in range(170)])
    poisoned = NOW - 2 * HOUR

    def refuse(body: dict[str, Any]) -> Reply | None:
        bounds = body["filters"]["date"]
        bad = bounds["gte"] <= poisoned <= bounds["lte"]
        return status(400, '{"detail":"no"}') if bad else None

    world.api.always = refuse
    refusals = 0
    for _ in range(30):
        try:
            world.run(policy(sweeps=()))
        except SourceRefused:
            refusals += 1
        world.clock.advance(5 * MINUTE)

    assert refusals <= 1
    covered = world.ledgers.value()["coverage"]["first"]
    hours = sum(end - start for start, end in covered) / HOUR
    assert hours > 4
    assert {it["limit"] for it in world.api.asked[-20:]} == {5000}


def test_a_single_400_in_mid_scan_delays_one_slice() -> None:
    """A gateway's 400 says nothing about our queries."""
    world = World([NOW - 3 * HOUR + 60_000 * n for n in range(170)])
    world.api.replies[5] = status(400, "<html>Bad Request</html>")

    world.run_until_idle(policy(sweeps=()))

    assert {it["limit"] for it in world.api.asked} == {5000}
    assert world.ledgers.value()["api_facts"]["refused"] == []


@pytest.mark.parametrize("refused", [["created-sort"], ["created-filter", "created-sort"]])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_dense_millisecond_that_cannot_be_paged_is_in_doubt(
    refused: list[str], direction: str
) -> None:
    """Its one page is stored, the rest of the slice is complete, and no run fails."""
    tenant = around(CROWD)
    world = world_of(tenant, refuses=frozenset(refused))

    world.run_until_idle(first_pass(direction=direction))

    (doubt,) = world.ledgers.value()["doubt"]
    assert (doubt["start"], doubt["end"]) == (X, X + 1)
    shown = identities(world)
    assert len(shown) == len(set(shown)) == 24 + 10
    assert {it for it in tenant.truth() if it.timestamp != X} <= set(shown)
    assert {it["limit"] for it in asked(world)} == {5000}


def test_a_dense_millisecond_whose_second_page_is_refused_is_in_doubt() -> None:
    """No plain page is requested: behind a cursor it would repeat what is stored."""
    tenant = around(CROWD)
    world = world_of(tenant, refuses=frozenset({"created-filter"}))

    world.run_until_idle(first_pass())

    shown = identities(world)
    assert len(shown) == len(set(shown))
    (doubt,) = world.ledgers.value()["doubt"]
    assert (doubt["start"], doubt["end"]) == (X, X + 1)


def test_a_black_hole_whose_probes_are_refused_is_in_doubt() -> None:
    """The API refuses the very queries that would resolve its contradiction."""
    tenant = around(CROWD[:3])
    world = world_of(
        tenant,
        black_holes=frozenset({START, X}),
        refuses=frozenset({"created-sort", "desc"}),
        black_hole_recovery="none",
    )

    world.run_until_idle(first_pass())

    doubtful = [(it["start"], it["end"]) for it in world.ledgers.value()["doubt"]]
    missing = [it for it in tenant.truth() if it not in identities(world)]
    assert all(any(a <= it.timestamp < b for a, b in doubtful) for it in missing)


START = NOW - 2 * HOUR


def test_sweeps_whose_filter_is_refused_ask_for_everything() -> None:
    """It costs requests but no activity, and later sweeps do not try for a day."""
    tenant = with_late_ones()
    sweeps = (("sweep-2h", 2 * HOUR), ("sweep-4h", 4 * HOUR), ("sweep-24h", DAY))
    by = how(sweep_by="created", sweeps=sweeps)
    world = world_of(tenant, refuses=frozenset({"created-filter"}), total="exact")
    world.source.switches = Switches(  # type: ignore[attr-defined]
        page_cap=400, minimum_limit=1, refuses=frozenset({"created-filter"})
    )

    live(world, 30, by)

    assert identities(world) == tenant.truth()
    refused = [it for it in asked(world) if "created" in it["filters"]]
    assert 1 <= len(refused) <= 2
    assert {it["limit"] for it in asked(world)} == {5000}


def test_a_limit_that_is_not_reached_is_not_asked_for_again() -> None:
    """Pages of 500 that announce more reveal the API's own limit."""
    tenant = Tenant.of([NOW - 2 * HOUR + 100 * n for n in range(9_000)], record_size=300)
    world = world_of(tenant)
    world.source.switches = Switches(page_cap=500)  # type: ignore[attr-defined]

    world.run(first_pass(slice_length=HOUR))

    assert limits(world) == [5000, 500]
    (warning,) = world.tally.warnings
    assert warning == f"pages hold up to 499 activities although 5000 were asked for: {LEARNED}"


def test_an_ignored_limit_causes_a_warning() -> None:
    """Asking for less would not make an answer smaller."""
    tenant = Tenant.of([NOW - 2 * HOUR + 100 * n for n in range(9_000)], record_size=300)
    world = world_of(tenant)
    ignoring = Switches(page_cap=3000, ignores=frozenset({"limit"}))
    world.source.switches = ignoring  # type: ignore[attr-defined]

    world.run(first_pass(slice_length=HOUR, limit=1000))

    assert limits(world) == [1000, 500]
    (warning,) = world.tally.warnings
    assert warning.startswith("pages hold up to 2999 activities although 1000 were asked for")


def test_a_sort_field_that_is_ignored_inside_a_millisecond_is_not_asked_for_again() -> None:
    """The millisecond cannot be paged, so it is in doubt; the next one is one request."""
    crowd = [(X, X + 200_000 + 10 * (n * 7 % 37)) for n in range(37)]
    other = [(X + 60_000, created + 60_000) for _, created in crowd]
    tenant = around([*crowd, *other])
    world = world_of(tenant, ignores=frozenset({"sortField"}))

    world.run_until_idle(first_pass(slice_length=HOUR, fresh=HOUR, settle=HOUR))

    shown = identities(world)
    assert len(shown) == len(set(shown))
    doubtful = {it["start"] for it in world.ledgers.value()["doubt"]}
    assert {it.timestamp for it in tenant.truth() if it not in shown} <= doubtful


@pytest.mark.parametrize(
    ("total", "short"), [(1, 0), (12, 0), (40, 0), (41, 1), (100_000, 1), (None, 0)]
)
def test_a_slice_that_ends_far_short_of_its_total_is_counted(total: int | None, short: int) -> None:
    """`total` is an estimate, so a small difference means nothing."""
    world = World([])
    start = NOW - 2 * HOUR
    data = [{"_id": str(n), "timestamp": start + n, "created": start} for n in range(10)]
    answer = {"data": data, "hasNext": False, "total": total}
    world.api.always = lambda it: (
        status(200, json.dumps(answer)) if it["filters"]["date"]["gte"] == start else None
    )

    world.run(policy(lookback=2 * HOUR, sweeps=()))

    assert world.tally.counts.short == short
    counted = [json.loads(it)["counts"]["short"] for it in world.results.manifests.values()]
    assert sum(counted) == short
