"""Time for which the API never answers with a page holds nothing else up."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from shared.core.api.answers import Fault
from shared.core.api.pages import Page
from shared.core.model import POISONED, Answer, NoAnswer, Policy, Slice
from shared.core.slices import traversal
from shared.core.slices.sifting import Index
from shared.core.slices.transitions import Draft
from shared.core.state.report import report_fields
from tests.fakes import DAY, HOUR, MINUTE, NOW, Reply, page_of, policy, status
from tests.world import World

ORIGIN = NOW - 3 * HOUR
HTML = Answer(status=200, body=b"<html>maintenance</html>")
EMPTY_OBJECT = Answer(status=200, body=b"{}")
CUT = Answer(status=200, body=b'{"data":[{"_id":"a"')
SWEEPS = (("sweep-2h", 2 * HOUR), ("sweep-24h", DAY))
BAD = ORIGIN + 20 * MINUTE + 1_234


def world_of(hours: float = 24, step: int = 5 * MINUTE) -> World:
    """Return a world with an activity every few minutes until some hours from now."""
    return World(range(ORIGIN, NOW + int(hours * HOUR), step), page=50)


def how(**changes: Any) -> Policy:
    """Return a policy of three hours without sweeps."""
    return policy(**{"sweeps": (), "slice_length": 10 * MINUTE, **changes})


def poison(
    world: World, *seconds: int, reply: Reply = HTML, until: int | None = None
) -> Callable[[dict[str, Any]], Reply | None]:
    """Let the API give this answer whenever a query touches one of these instants."""

    def always(asked: dict[str, Any]) -> Reply | None:
        bounds = asked["filters"]["date"]
        touched = any(bounds["gte"] <= at <= bounds["lte"] for at in seconds)
        healed = until is not None and world.clock.now() >= until
        return reply if touched and not healed else None

    world.api.always = always
    return always


def live(world: World, hours: float, by: Policy, every: int = 10 * MINUTE) -> list[str]:
    """Run at regular times for some hours; return the outcomes."""
    outcomes: list[str] = []
    until = world.clock.now() + int(hours * HOUR)
    while world.clock.now() < until:
        began = world.clock.now()
        outcomes.append(world.run(by))
        world.ledgers.history.clear()
        world.clock.advance(max(0, began + every - world.clock.now()))
    return outcomes


def doubted(world: World) -> list[tuple[int, int]]:
    """Return the bounds of what is in doubt."""
    return [(it["start"], it["end"]) for it in world.ledgers.value()["doubt"]]


def newest(world: World) -> int:
    """Return how old the end of the newest coverage is."""
    return world.clock.now() - int(world.ledgers.value()["coverage"]["first"][-1][1])


def blocked(world: World, pass_name: str = "") -> list[dict[str, Any]]:
    """Return the blocked slices of a pass."""
    opened = world.ledgers.value()["open"]
    return [it for it in opened if it["blocked_since"] and it["pass"].startswith(pass_name)]


@pytest.mark.parametrize(("lanes", "direction"), [(1, "asc"), (6, "desc")])
def test_more_poison_than_room_stops_nothing(
    lanes: int, direction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many seconds are poisoned at once, and no sweep will ever look at them again."""
    monkeypatch.setattr("shared.core.state.rooms.OPEN_SLICES", 16)
    world = world_of(step=MINUTE)
    bad = [ORIGIN + 90_000 * number for number in range(24)]
    poison(world, *bad)

    live(world, 12, how(concurrency=lanes, direction=direction))

    value = world.ledgers.value()
    assert newest(world) < HOUR
    assert len(value["open"]) <= 32
    assert sum(end - start for start, end in doubted(world)) <= 24_000
    stored = {record["timestamp"] for record in world.followed()}
    missing = {at for at in world.api.truth if at < world.clock.now() - HOUR} - stored
    assert missing <= set(bad)


@pytest.mark.parametrize(
    ("reply", "direction"), [(HTML, "asc"), (EMPTY_OBJECT, "desc"), (status(500), "asc")]
)
def test_hours_for_which_the_api_never_answers_hold_up_no_other_time(
    reply: Reply, direction: str
) -> None:
    """They need more slices than there is room for; once they recover, everything is stored."""
    world = world_of(18, step=10 * MINUTE)
    poison(world, *range(NOW + HOUR, NOW + 12 * HOUR, MINUTE), reply=reply)
    by = how(direction=direction)

    live(world, 15, by)
    behind, value = newest(world), world.ledgers.value()
    world.api.always = lambda _: None
    live(world, 4, by)

    assert behind < HOUR
    assert len([it for it in value["open"] if not it["blocked_since"]]) <= 64
    world.assert_complete(ORIGIN, NOW + 18 * HOUR, excused=doubted(world))
    assert sum(end - start for start, end in doubted(world)) < 5 * MINUTE


@pytest.mark.parametrize("reply", [HTML, CUT, status(500), NoAnswer(kind="timeout", detail="")])
def test_a_second_that_stays_poisoned_for_a_day_is_finished_in_doubt(reply: Reply) -> None:
    """Sweeps will look at it again; until then it holds nothing up."""
    world = world_of(48)
    poison(world, BAD, reply=reply)
    by = how(sweeps=(*SWEEPS, ("sweep-8d", 8 * DAY)))

    live(world, 20, by)
    before = doubted(world)
    live(world, 14, by)

    assert before == []
    assert doubted(world) == [(BAD // 1000 * 1000, BAD // 1000 * 1000 + 1000)]
    assert world.ledgers.value()["doubt"][0]["reason"] == POISONED
    assert blocked(world, "first") == []


def test_a_poisoned_second_that_recovers_is_stored_by_a_later_sweep() -> None:
    """The sweep looks at the doubt again and removes it."""
    world = world_of(24 * 5, step=HOUR)
    world.api.truth = sorted([*world.api.truth, BAD])
    poison(world, BAD, until=NOW + 3 * DAY)
    by = how(sweeps=(("sweep-2h", 2 * HOUR), ("sweep-96h", 4 * DAY)))

    live(world, 24 * 4.5, by, every=20 * MINUTE)

    assert doubted(world) == []
    assert BAD in {record["timestamp"] for record in world.followed()}


def test_without_a_later_sweep_poison_is_retried_until_the_reach_ends() -> None:
    """It is not given up after a day: what recovers after three days is stored."""
    world = world_of(24 * 4, step=HOUR)
    world.api.truth = sorted([*world.api.truth, BAD])
    poison(world, BAD, until=NOW + 3 * DAY)

    live(world, 24 * 2.9, how(), every=20 * MINUTE)
    waiting = blocked(world)
    live(world, 6, how())

    second = (BAD // 1000 * 1000, BAD // 1000 * 1000 + 1000)
    assert [(it["start"], it["end"]) for it in waiting] == [second]
    assert doubted(world) == []
    assert BAD in {record["timestamp"] for record in world.followed()}


def test_what_a_poisoned_second_showed_is_stored() -> None:
    """Its first page arrives, but its second never does."""
    second = ORIGIN + 20 * MINUTE
    world = world_of(30, step=30 * MINUTE)
    shown = [second + 7 * number for number in range(60)]
    world.api.truth = sorted([*world.api.truth, *shown])
    world.api.always = lambda it: (
        HTML if second < it["filters"]["date"]["gte"] < second + 1000 else None
    )

    live(world, 30, how(sweeps=(*SWEEPS, ("sweep-8d", 8 * DAY))))

    stored = {record["timestamp"] for record in world.followed()}
    assert len(stored & set(shown)) >= 40
    ((start, end),) = doubted(world)
    assert second < start < end == second + 1000


@pytest.mark.parametrize(("hours", "good"), [(1, 0.0), (6, 0.05), (12, 0.0), (24, 0.01)])
@pytest.mark.parametrize("sweeps", [(), SWEEPS])
def test_an_outage_leaves_no_doubt(
    hours: int, good: float, sweeps: tuple[tuple[str, int], ...]
) -> None:
    """For hours, nearly every answer is HTML with status 200."""
    rng = random.Random(hours)
    world = world_of(hours + 4)
    by = how(sweeps=sweeps, slice_length=5 * MINUTE)
    live(world, 1, by)
    world.api.always = lambda _: HTML if rng.random() >= good else None
    outcomes = live(world, hours, by)
    asked = len(world.api.asked)
    world.api.always = lambda _: None

    live(world, 3, by)

    assert outcomes.count("faults") >= len(outcomes) * 0.8
    assert asked <= len(outcomes) * 12
    assert doubted(world) == []
    stored = {record["timestamp"] for record in world.followed()}
    assert {at for at in world.api.truth if at < world.clock.now() - HOUR} <= stored


def test_html_in_every_second_answer_causes_no_doubt() -> None:
    """Slices are delayed and cut, and then answered."""
    world = world_of(14)
    world.api.always = lambda _: HTML if len(world.api.asked) % 2 else None

    live(world, 12, how())

    assert doubted(world) == []
    assert newest(world) < HOUR


def test_three_malformed_answers_in_a_row_on_different_slices_end_the_run() -> None:
    """Three transient faults do the same: the API is not well."""
    world = world_of()
    world.api.always = lambda _: HTML

    assert world.run(how()) == "faults"

    assert len(world.api.asked) == 3


def test_pages_that_contradict_themselves_end_no_run() -> None:
    """They are pages, and shorter slices may avoid what is wrong with them."""
    world = world_of()
    strange = page_of({"data": [{"_id": "x", "timestamp": 5, "created": 6}], "hasNext": False})
    world.api.always = lambda _: strange

    assert world.run(how()) == "waiting"

    assert len(world.api.asked) > 3


def test_scattered_poison_ends_no_run() -> None:
    """The third try goes to a slice without faults, and shows that the API is well."""
    world = world_of()
    poison(world, *(ORIGIN + HOUR * number + 1_000 for number in range(3)))

    outcomes = live(world, 1, how(lookback=12 * HOUR))

    assert "faults" not in outcomes


def test_defects_of_this_program_cause_no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is not the API's fault, and waits for a version that is fixed."""
    world = world_of(30, step=20 * MINUTE)
    world.api.truth = sorted([*world.api.truth, BAD])

    def absorb(piece: Slice, page: Page, how: Policy, index: Index) -> Draft | Fault:
        if any(record.timestamp == BAD for record in page.records):
            raise ZeroDivisionError
        return traversal.absorb(piece, page, how, index)

    monkeypatch.setattr("shared.scan.stepping.absorb", absorb)

    live(world, 36, how(sweeps=(*SWEEPS, ("sweep-8d", 8 * DAY))), every=20 * MINUTE)

    assert doubted(world) == []
    assert len(blocked(world, "first")) == 1


def test_a_slice_blocked_for_want_of_room_is_halved_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is halved at once rather than after its next fault: a bad record costs a second."""
    world = world_of(10)
    poison(world, BAD)
    monkeypatch.setattr("shared.core.state.rooms.OPEN_SLICES", 1)
    # Where every slice has faults, the largest gives way. Here, it would always be the only one.
    monkeypatch.setattr("shared.scan.upkeep.gives_way", lambda *_: None)
    by = how(fresh=6 * HOUR, slice_length=5 * MINUTE)
    live(world, 0.5, by, every=MINUTE)
    cramped = blocked(world)
    monkeypatch.setattr("shared.core.state.rooms.OPEN_SLICES", 64)

    world.clock.advance(MINUTE)
    world.run(by)
    halves = [it for it in world.ledgers.value()["open"] if it["start"] <= BAD < it["end"]]
    live(world, 5, by)

    assert [it["end"] - it["start"] for it in cramped] == [5 * MINUTE]
    assert [it["end"] - it["start"] for it in halves] == [150_000]
    assert [it["end"] - it["start"] for it in blocked(world)] == [1000]


def test_archived_parts_block_16_sweeps_and_nothing_else() -> None:
    """The report says so and no further sweep opens; the first pass continues."""
    world = world_of(72, step=10 * MINUTE)
    by = how(sweeps=SWEEPS, slice_length=15 * MINUTE)

    for _ in range(80):
        world.run(by)
        world.results.parts.clear()
        world.ledgers.history.clear()
        world.clock.advance(30 * MINUTE)

    fields = report_fields(world.tally, by, "waiting", duration=1)
    assert len(blocked(world, "sweep")) == 16
    assert len(world.ledgers.value()["open"]) <= 18
    assert newest(world) < 70 * MINUTE
    assert doubted(world) == []
    assert fields["blocked_sweeps"] == 16
    assert "no new sweep" in world.attention(by)["blocked"]


def test_poison_that_a_sweep_meets_is_left_to_the_next_sweep_after_three_faults() -> None:
    """The last sweep retries it; the sweeps of other time continue."""
    world = world_of(40, step=10 * MINUTE)
    bad = NOW - HOUR + 1_234
    world.run(how(sweeps=SWEEPS))
    poison(world, bad)

    live(world, 10, how(sweeps=SWEEPS))
    young = (doubted(world), blocked(world, "sweep"))
    live(world, 28, how(sweeps=SWEEPS))

    second = (bad // 1000 * 1000, bad // 1000 * 1000 + 1000)
    assert young == ([second], [])
    assert [(it["pass"], it["start"], it["end"]) for it in blocked(world)] == [
        ("sweep-24h", *second)
    ]
    swept = world.ledgers.value()["coverage"]["sweep-24h"]
    assert world.clock.now() - swept[-1][1] < 27 * HOUR


@pytest.mark.parametrize("lanes", [1, 6])
def test_a_sweep_works_on_one_slice_at_a_time(lanes: int) -> None:
    """This holds after an outage, too: the halves of a cut slice follow one another."""
    world = world_of(30, step=MINUTE)
    by = how(sweeps=SWEEPS, concurrency=lanes)
    live(world, 8, how(), every=20 * MINUTE)
    world.api.always = lambda _: status(503)
    live(world, 2, by)
    world.api.always = lambda _: None

    live(world, 6, by)

    opened = [it for it in world.ledgers.value()["open"] if it["pass"] != "first"]
    assert len(opened) <= 1
    passes = [json.loads(it) for _, it in sorted(world.results.manifests.items())]
    swept = [it["start"] for it in passes if it["pass"] == "sweep-2h"]
    assert swept
    assert len(world.results.read) <= 3 * len(set(world.results.read))


def test_giving_up_sweeps_respects_the_time_budget() -> None:
    """It takes its share, the scan has the rest, and the next runs continue."""
    world = world_of(1)
    world.run(how())
    poison(world, *(ORIGIN + 60_000 * number for number in range(0, 160, 2)))
    live(world, 6, how())
    world.api.always = lambda _: None
    world.clock.advance(31 * DAY)
    save = world.ledgers.save

    def slow(content: bytes, *, etag: str | None) -> str:
        world.clock.advance(700)
        return save(content, etag=etag)

    world.ledgers.save = slow  # type: ignore[method-assign]
    by = how(sweeps=SWEEPS, budget=60_000)
    began = world.clock.elapsed()

    world.run(by)

    assert world.clock.elapsed() - began <= 60_000
    assert any(it["reason"].startswith("no sweep") for it in world.ledgers.value()["doubt"])
