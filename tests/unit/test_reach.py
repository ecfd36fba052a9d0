"""The edge of the API's reach: what is closed there, what is lost, and nothing lost earlier."""

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.core.intervals import merge, total
from shared.core.model import Policy
from tests.fakes import DAY, HOUR, MINUTE, NOW, page_of, policy, status
from tests.world import World

REACH = 3 * DAY


def how(**changes: Any) -> Policy:
    """Return a policy with a short reach and no sweeps."""
    values: dict[str, Any] = {"sweeps": (), "reach": REACH, "lookback": HOUR, **changes}
    return policy(**values)


def stretches(world: World, name: str) -> list[tuple[int, int]]:
    """Return what the ledger has covered or declares lost."""
    value = world.ledgers.value()
    if name == "covered":
        return [(start, end) for start, end in value["coverage"]["first"]]
    return [(loss["start"], loss["end"]) for loss in value["lost"]]


def manifests(world: World) -> list[dict[str, Any]]:
    """Return all manifests, parsed."""
    return [json.loads(it) for it in world.results.manifests.values()]


def edge(world: World) -> int:
    """Return the start of what a slice can still prove."""
    return world.clock.now() - REACH + 2 * HOUR


def test_time_that_passed_the_reach_is_declared_lost_without_a_request() -> None:
    """After an outage longer than the reach, one manifest states it and the ledger its bounds."""
    world = World([])
    world.run(how())
    asked, covered = len(world.api.asked), stretches(world, "covered")[-1][1]
    world.clock.advance(REACH + DAY)

    world.run_until_idle(how())

    (lost,) = stretches(world, "lost")
    (declared,) = [it for it in manifests(world) if it["lost"]]
    assert lost[0] == covered
    assert edge(world) - HOUR - 10 * MINUTE <= lost[1] <= edge(world)
    assert (declared["start"], declared["end"]) == lost
    assert (declared["requests"]["count"], declared["part"]) == (0, None)
    assert "3 days" in declared["lost"]["reason"]
    assert all(it["filters"]["date"]["gte"] >= lost[1] for it in world.api.asked[asked:])
    assert any("is declared lost" in it for it in world.tally.warnings) or world.runs > 2


def test_nothing_is_declared_lost_before_it_passes_the_edge() -> None:
    """A loss cannot be undone, so this holds even where no slice may begin any more."""
    world = World([])
    world.run(how())
    covered = stretches(world, "covered")[-1][1]
    world.clock.wall = covered + REACH - 2 * HOUR - 1

    world.run(how(requests_per_minute=1))
    before = stretches(world, "lost")
    world.clock.advance(10 * MINUTE)
    passed = edge(world) // (5 * MINUTE) * 5 * MINUTE
    world.run(how(requests_per_minute=1))

    assert before == []
    assert stretches(world, "lost") == [(covered, passed)]


def begun(direction: str = "asc") -> tuple[World, Policy, dict[str, Any]]:
    """Return a world whose scan has one open slice with one page, and its policy."""
    world = World(range(NOW - 2 * HOUR, NOW, 10_000))
    plan = how(direction=direction, reach=8 * HOUR, lookback=2 * HOUR, fresh=0, budget=20_000)
    plan = replace(plan, requests_per_minute=1)
    world.run(plan)
    (piece,) = world.ledgers.value()["open"]
    assert len(piece["blocks"]) == 1
    return world, plan, piece


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_begun_slice_that_passes_the_edge_is_closed_at_its_cursor(direction: str) -> None:
    """Its last answer was in time: what it showed counts, and the rest is due again."""
    world, plan, piece = begun(direction)
    world.api.always = lambda _: status(500)
    world.clock.wall = piece["start"] + 6 * HOUR + 1
    known = (
        (NOW - 2 * HOUR, piece["cursor"]) if direction == "asc" else (piece["cursor"], NOW - HOUR)
    )

    world.run(plan)

    assert stretches(world, "covered") == [known]
    assert [it["filters"]["date"]["gte"] > piece["start"] for it in world.api.asked[1:]] == [True]
    world.assert_complete(*known)


def test_an_answer_that_comes_too_late_does_not_cost_what_was_known_before_it() -> None:
    """It proves nothing, so the slice closes where it stood before the request."""
    world, plan, piece = begun()
    world.clock.wall = piece["start"] + 6 * HOUR - 10_000
    world.api.latency = 11_000

    world.run(plan)

    assert len(world.api.asked) == 2
    assert stretches(world, "covered") == [(piece["start"], piece["cursor"])]
    assert stretches(world, "lost") == []
    world.assert_complete(piece["start"], piece["cursor"])


def test_a_slice_that_never_got_a_page_is_dropped_at_the_edge_and_its_time_declared_lost() -> None:
    """This happens as soon as it has passed, not after an hour of retries."""
    world = World([])
    world.run(how())
    covered = stretches(world, "covered")[-1][1]
    world.clock.advance(DAY)
    world.api.always = lambda _: status(500)
    world.run(how())
    assert world.ledgers.value()["open"]
    world.clock.wall = covered + REACH

    world.run(how())

    lost = stretches(world, "lost")
    assert lost[0][0] == covered
    assert edge(world) - 5 * MINUTE < lost[-1][1] <= edge(world)


def test_everything_before_the_edge_is_covered_or_lost_after_a_run() -> None:
    """A scan with too few requests leaves no time undecided behind the edge."""
    world = World([])
    world.api.always = lambda body: page_of(_endless(body))
    plan = how(requests_per_minute=2, reach=12 * HOUR, slice_length=5 * MINUTE)

    for number in range(1, 24 * 12):
        world.run(plan)
        world.clock.wall = max(world.clock.wall, NOW + number * 5 * MINUTE)
        world.ledgers.history.clear()

    behind = edge_of(world, plan) - 10 * MINUTE
    decided = merge([*stretches(world, "covered"), *stretches(world, "lost")])
    origin = world.ledgers.value()["settled_until"]
    open_ = total((it["start"], it["end"]) for it in world.ledgers.value()["open"])
    assert total((s, min(e, behind)) for s, e in decided if s < behind) + open_ >= behind - origin
    assert all(end <= edge_of(world, plan) for _, end in stretches(world, "lost"))


def edge_of(world: World, plan: Policy) -> int:
    """Return the edge of a policy's reach."""
    return world.clock.now() - plan.reach + 2 * HOUR


def _endless(body: dict[str, Any]) -> dict[str, Any]:
    """Return a page that covers 20 seconds, however long the slice is."""
    bounds = body["filters"]["date"]
    following = bounds["gte"] + 20_000
    if following > bounds["lte"]:
        return {"data": [], "hasNext": False, "total": 0}
    more = {**body["filters"], "date": {**bounds, "gte": following}}
    return {"data": [], "hasNext": True, "total": 9, "nextQueryFilters": more}
