"""An answer that is an empty object: an empty page, or the sign of an outage."""

from typing import Any

import pytest

from shared.core.model import Answer, Policy
from shared.core.retreat import BLANK
from tests.fakes import HOUR, MINUTE, NOW, Reply, policy, status
from tests.world import World

EMPTY = Answer(status=200, body=b"{}")
ORIGIN = NOW - 3 * HOUR


def how(**changes: Any) -> Policy:
    """Return a policy of three hours without sweeps."""
    return policy(**{"sweeps": (), **changes})


def quiet_tenant(*instants: int) -> World:
    """Return a world whose API answers with an empty object where there is no activity."""
    world = World(instants, page=50)

    def always(asked: dict[str, Any]) -> Reply | None:
        bounds = asked["filters"]["date"]
        shows = any(bounds["gte"] <= at <= bounds["lte"] for at in instants)
        return None if shows else EMPTY

    world.api.always = always
    return world


def live(world: World, hours: float, by: Policy) -> None:
    """Run every five minutes for some hours."""
    until = world.clock.now() + int(hours * HOUR)
    while world.clock.now() < until:
        began = world.clock.now()
        world.run(by)
        world.clock.wall = max(world.clock.wall, began + 5 * MINUTE)


def covered(world: World) -> list[list[int]]:
    """Return what the first pass has covered."""
    intervals: list[list[int]] = world.ledgers.value()["coverage"]["first"]
    return intervals


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("body", [b"{}", b" {\r\n}\n"])
def test_it_is_an_empty_page_where_the_api_answers_for_other_time(
    direction: str, body: bytes
) -> None:
    """Two requests settle it, and nothing is in doubt."""
    world = quiet_tenant(*range(ORIGIN, NOW + 3 * HOUR, 7 * MINUTE))
    plain = world.api.always
    world.api.always = lambda asked: plain(asked) and Answer(status=200, body=body)

    live(world, 3, how(direction=direction))

    assert covered(world)[0][0] == ORIGIN
    assert covered(world)[0][1] >= NOW + 3 * HOUR - 20 * MINUTE
    assert world.ledgers.value()["doubt"] == []
    world.assert_complete(ORIGIN, covered(world)[0][1])


def test_an_hour_of_them_leaves_neither_a_gap_nor_doubt() -> None:
    """They were an outage: once it is over, everything is asked for again."""
    world = World(range(ORIGIN, NOW + 6 * HOUR, MINUTE), page=50)
    live(world, 0.5, how())
    world.api.always = lambda _: EMPTY
    live(world, 1, how())
    world.api.always = lambda _: None

    live(world, 4, how())

    assert world.ledgers.value()["doubt"] == []
    world.assert_complete(ORIGIN, covered(world)[0][1])
    assert covered(world)[0][1] >= NOW + 5 * HOUR


def test_one_is_never_believed_by_itself() -> None:
    """The next answer of the same slice may be a page."""
    world = World(range(ORIGIN, NOW, MINUTE), page=50)
    world.api.replies[1] = EMPTY

    live(world, 1, how())

    world.assert_complete(ORIGIN, covered(world)[0][1])


def test_a_night_without_any_page_ends_in_doubt_and_holds_nothing_up() -> None:
    """In the morning the newest time is covered at once."""
    morning = NOW + 14 * HOUR
    world = quiet_tenant(*range(ORIGIN, NOW, MINUTE), *range(morning, morning + 2 * HOUR, MINUTE))

    live(world, 15.8, how())

    ledger = world.ledgers.value()
    assert {it["reason"] for it in ledger["doubt"]} == {BLANK}
    assert covered(world)[-1][1] >= morning + int(1.8 * HOUR) - 20 * MINUTE
    assert ledger["open"] == []


def test_a_sweep_clears_the_doubt_that_they_left() -> None:
    """By then the API answers for other time."""
    morning = NOW + 14 * HOUR
    evening = morning + 17 * HOUR
    world = quiet_tenant(*range(ORIGIN, NOW, MINUTE), *range(morning, evening, 7 * MINUTE))

    live(world, 30, how(sweeps=(("sweep-15h", 15 * HOUR),)))

    assert world.ledgers.value()["doubt"] == []


def test_it_does_not_end_a_run_and_takes_no_room() -> None:
    """Several slices may be answered so in a row; they are not halved."""
    world = World([], page=50)
    world.api.always = lambda _: EMPTY

    outcome = world.run(how())

    ledger = world.ledgers.value()
    assert outcome == "waiting"
    assert len({it["start"] for it in ledger["open"]}) == len(ledger["open"])
    assert all(it["end"] - it["start"] >= 5 * MINUTE for it in ledger["open"])


@pytest.mark.parametrize(
    "body", [b'{"detail":"busy"}', b'{"total":0}', b'{"hasNext":null}', b"[]", b"{}{}"]
)
def test_nothing_else_without_data_is_taken_for_one(body: bytes) -> None:
    """Such answers stay faults, however often the API answers for other time."""
    world = World(range(ORIGIN, NOW, MINUTE), page=50)
    at = ORIGIN + 20 * MINUTE
    world.api.always = lambda asked: (
        Answer(status=200, body=body)
        if asked["filters"]["date"]["gte"] <= at <= asked["filters"]["date"]["lte"]
        else None
    )

    live(world, 2, how())

    assert all(not start <= at < end for start, end in covered(world))


def test_an_outage_of_another_kind_in_between_proves_nothing() -> None:
    """Two empty objects in a row are needed, with a page for other time between them."""
    world = World(range(ORIGIN, NOW, MINUTE), page=50)
    world.api.replies |= {1: EMPTY, 2: status(503), 3: EMPTY, 4: status(503)}

    live(world, 1, how())

    world.assert_complete(ORIGIN, covered(world)[0][1])
