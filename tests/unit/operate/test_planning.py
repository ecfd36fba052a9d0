"""The plan of the next run as `plan` shows it."""

import json

import msgspec

from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state.decisions import Order
from shared.operate.planning import lines_of, read_plan
from shared.scan.history import take_in
from tests.fakes import HOUR, MINUTE, NOW, InMemoryDerived, policy
from tests.world import World

HOW = policy(lookback=3 * HOUR)


def test_it_shows_the_first_requests_and_sums_up_the_rest() -> None:
    """A scan that has never run: each request with its reason."""
    world = World([])

    forecast = read_plan(world.ledgers, InMemoryDerived(), HOW, now=NOW)
    lines = list(lines_of(forecast, 2))

    count = len(forecast.plan.requests)
    assert lines[0] == f"all: the next run would send {count} requests"
    assert lines[1].startswith("  1. begins first 2026-11-23 11:45:00 UTC to 2026-11-23 11:50:00")
    assert lines[1].endswith(
        "every tenth request is for fresh time (in an overload, every free one, too)"
    )
    assert lines[3] == f"  and then {count - 2} of first"
    assert "nothing is due any more" in lines[4]
    assert "the API answers as usual" in lines[-1]


def test_it_expects_the_usual_number_of_activities() -> None:
    """The history tells it: here, sixty an hour, and three on a page."""
    world = World(range(NOW - 3 * HOUR, NOW, MINUTE), page=3)
    how = policy(lookback=3 * HOUR, limit=3)
    world.run_until_idle(how)
    derived = InMemoryDerived()
    take_in(ledgers.decode(world.ledgers.content or b""), world.results, derived, world.clock)
    now = NOW + 40 * MINUTE

    known = read_plan(world.ledgers, derived, how, now=now)
    unknown = read_plan(world.ledgers, InMemoryDerived(), how, now=now)

    assert len(known.plan.requests) > len(unknown.plan.requests) > 0
    assert any(it.begun for it in known.plan.requests)
    assert any("resumes first" in line for line in lines_of(known, 99))


def test_it_says_what_comes_first_what_waits_and_when_the_backlog_is_gone() -> None:
    """Each on a line."""
    begun = ledgers.begin(HOW, NOW)
    ledger = levers.backfilled(begun, Order(at=NOW, by="kim"), HOW, to=NOW - 9 * HOUR)
    world = World([])
    world.ledgers.save(ledgers.encode(ledger), etag=None)
    forecast = read_plan(world.ledgers, InMemoryDerived(), HOW, now=NOW)
    late = msgspec.structs.replace(
        forecast,
        backlog_gone=NOW + HOUR,
        plan=msgspec.structs.replace(forecast.plan, waiting=("first waits",), outcome="busy"),
    )

    text = "\n".join(lines_of(late, 1))

    assert "  first it commits 1 decision" in text
    assert "  first waits" in text
    assert "gone about 2026-11-23 13:00:00 UTC" in text
    assert ": busy" in text


def test_json_has_every_request_with_its_pass() -> None:
    """The field is called `pass`, as in the manifests."""
    forecast = read_plan(World([]).ledgers, InMemoryDerived(), HOW, now=NOW)

    told = json.loads(msgspec.json.encode(forecast))

    assert {it["pass"] for it in told["plan"]["requests"]} == {"first"}
    assert told["backlog_gone"] is None


def test_the_pages_of_open_slices_say_how_much_a_page_holds() -> None:
    """The API may serve less than the limit asks for."""
    world = World(range(NOW - 3 * HOUR, NOW, 30_000), page=5)
    derived = InMemoryDerived()
    world.api.latency = 30_000
    how = policy(lookback=3 * HOUR, fresh=10 * MINUTE)
    for _ in range(3):
        world.run(how)
        world.clock.advance(5 * MINUTE)
    ledger = ledgers.decode(world.ledgers.content or b"")
    take_in(ledger, world.results, derived, world.clock)
    assert any(it.blocks for it in ledger.open)

    open_slices = read_plan(world.ledgers, derived, how, now=world.clock.now())
    world.ledgers.save(
        ledgers.encode(msgspec.structs.replace(ledger, open=())), etag=world.ledgers.load().etag
    )
    none_open = read_plan(world.ledgers, derived, how, now=world.clock.now())

    assert sum(it.begun for it in open_slices.plan.requests) > 4
    assert not any(it.begun for it in none_open.plan.requests)
