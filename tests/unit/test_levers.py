"""What levers do to a scan: a pause, being taken over, and what the next report says."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from shared.core.model import Ledger
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state.decisions import Order
from shared.core.state.report import Tally
from shared.ports import Ports
from shared.scan.reporting import Job, run_and_report
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, InMemoryDerived, policy
from tests.world import World


def world_of(page: int = 10) -> World:
    """Return a world with an activity every minute."""
    return World(range(NOW - 3 * HOUR, NOW, MINUTE), page=page)


def pull(world: World, lever: Callable[[Ledger, Order], Ledger]) -> None:
    """Pull a lever as a command does that takes the scan over."""
    stored = world.ledgers.load()
    order = Order(at=world.clock.now(), by="kim", reason="test")
    after = levers.taken(lever(ledgers.decode(stored.content or b""), order))
    world.ledgers.save(ledgers.encode(after), etag=stored.etag)


def pause(world: World, until: int | None = None) -> None:
    """Pause the scan."""
    pull(world, lambda ledger, order: levers.paused(ledger, order, until=until))


def line_of(world: World) -> dict[str, Any]:
    """Do a run that reports, and return its line."""
    ports = Ports(
        source=world.source, ledgers=world.ledgers, results=world.results, clock=world.clock
    )
    tally = Tally(scan="all", run="reporting")
    job = Job(
        policy=policy(),
        ports=ports,
        derived=InMemoryDerived(),
        tally=tally,
        prepare=lambda: None,
    )
    line: dict[str, Any] = json.loads(run_and_report(job).line)
    return line


def test_a_paused_scan_sends_no_request() -> None:
    """Its run claims, and ends at once."""
    world = world_of()
    world.run_until_idle()
    asked = len(world.api.asked)
    pause(world)
    world.clock.advance(HOUR)

    assert world.run() == "paused"

    assert len(world.api.asked) == asked
    assert world.ledgers.value()["claimed_until"] == 0


def test_a_paused_run_finishes_an_interrupted_commit() -> None:
    """Staged blocks expire after a week, and readers need not wait for what was collected."""
    world = world_of()
    effects = Effects()
    world.share(effects)
    world.run()
    world = world_of()
    world.share(Effects(at=effects.done.index("commit part") + 1))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    pause(world)

    assert world.run() == "paused"

    assert world.ledgers.value()["committing"] is None
    assert len(world.results.parts) == 1


def test_a_pause_ends_by_itself_and_the_scan_catches_up() -> None:
    """Nothing is lost by pausing."""
    world = world_of()
    world.run()
    pause(world, until=NOW + HOUR)
    world.clock.advance(HOUR - MINUTE)
    assert world.run() == "paused"
    world.clock.advance(MINUTE)

    world.run_until_idle()

    assert world.ledgers.value()["pause"] is None
    world.assert_complete(NOW - 3 * HOUR, world.ledgers.value()["coverage"]["first"][0][1])


def test_a_run_that_was_taken_over_ends_as_superseded() -> None:
    """It is not a failure: what it had saved counts, whichever effect it was at."""
    counting = Effects()
    world = world_of()
    world.share(counting)
    world.run()
    for number in range(2, len(counting.done)):
        world = world_of()
        world.share(Effects(at=number, how="after", meanwhile=partial(pause, world)))

        outcome = world.run()

        assert outcome == "superseded", counting.done[number - 1]
        world.share(Effects())
        assert world.run() == "paused"


def test_a_run_that_finds_anothers_part_or_manifest_is_superseded() -> None:
    """The other one took over, and committed the same slice first."""
    counting = Effects()
    world = world_of()
    world.share(counting)
    world.run()
    for name in ("commit part", "put manifest"):
        world = world_of()
        at = counting.done.index(name) + 1

        def meanwhile(world: World = world) -> None:
            world.clock.advance(5 * MINUTE)
            world.run_until_idle()

        world.share(Effects(at=at, how="before", meanwhile=meanwhile))

        assert world.run() == "superseded"
        world.assert_complete(NOW - 3 * HOUR, world.ledgers.value()["coverage"]["first"][0][1])


def test_the_next_report_states_a_decision_once() -> None:
    """It says who, when, why and what."""
    world = world_of()
    world.run()
    pause(world)
    since = world.clock.now()

    first, second = line_of(world), line_of(world)

    (decision,) = first["decisions"]
    assert (decision["kind"], decision["by"], decision["at"]) == ("pause", "kim", since)
    assert (decision["reason"], decision["what"]) == ("test", "no run sends a request")
    assert second["decisions"] == []
    assert (second["outcome"], second["paused_since"], second["paused_until"]) == (
        "paused",
        since,
        0,
    )


def test_a_decision_is_reported_again_if_the_run_dies_before_it_can_note_that() -> None:
    """At least once is what counts."""
    world = world_of()
    world.run()
    pause(world)
    world.share(Effects(at=3, how="before"))
    with pytest.raises(Crash):
        line_of(world)
    world.share(Effects())

    assert [it["kind"] for it in line_of(world)["decisions"]] == ["pause"]
    assert line_of(world)["decisions"] == []


def test_a_busy_run_reports_decisions_and_leaves_the_note_to_the_run_at_work() -> None:
    """Its save would end that run."""
    world = world_of()
    world.run()
    pause(world, until=NOW + HOUR)
    world.clock.advance(HOUR)
    reports: list[dict[str, Any]] = []
    world.share(Effects(at=2, how="after", meanwhile=lambda: reports.append(line_of(world))))

    assert world.run() != "superseded"

    assert [it["outcome"] for it in reports] == ["busy"]
    assert {it["kind"] for it in reports[0]["decisions"]} == {"pause", "resume"}
    assert len(line_of(world)["decisions"]) == 2
