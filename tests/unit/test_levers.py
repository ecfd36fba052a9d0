"""What levers do to a scan: a pause, being taken over, and what the next report says."""

import json
from functools import partial
from typing import Any

import pytest

from harness.at_once import workers
from shared.core.audit.chain import Chain
from shared.core.errors import ScopeChanged, StoreUnavailable
from shared.core.intervals import holds
from shared.core.state import levers
from shared.core.state.report import Tally
from shared.drawing import draw
from shared.ports import Ports, SavedLedger
from shared.scan.reporting import Job, run_and_report
from tests.fakes import HOUR, MINUTE, NOW, Crash, Effects, InMemoryDerived, policy
from tests.pulling import assert_proven, pull
from tests.world import World


def world_of(page: int = 10) -> World:
    """Return a world with an activity every minute."""
    return World(range(NOW - 3 * HOUR, NOW, MINUTE), page=page)


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
        draw=draw,
        tally=tally,
        prepare=lambda: None,
        workers=workers,
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
    counting, how = Effects(), policy(lookback=HOUR, slice_length=30 * MINUTE)
    world = world_of()
    world.share(counting)
    world.run(how)
    for number in range(2, len(counting.done)):
        world = world_of()
        world.share(Effects(at=number, how="after", meanwhile=partial(pause, world)))

        outcome = world.run(how)

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


def manifests_of(world: World) -> list[dict[str, Any]]:
    """Return all manifests in order."""
    return [json.loads(world.results.manifests[it]) for it in sorted(world.results.manifests)]


def test_a_backfill_adds_the_time_before_the_origin() -> None:
    """The chain says so before the first part of it appears."""
    world = World(range(NOW - 9 * HOUR, NOW, 5 * MINUTE))
    world.run_until_idle()
    before = len(world.results.manifests)
    pull(world, lambda it, order: levers.backfilled(it, order, policy(), to=NOW - 8 * HOUR))

    world.run_until_idle()

    world.assert_complete(NOW - 8 * HOUR, world.ledgers.value()["coverage"]["first"][0][1])
    stated = manifests_of(world)[before]
    assert (stated["decision"]["kind"], stated["decision"]["by"]) == ("backfill", "kim")
    assert (stated["origin"], stated["settled_until"]) == (NOW - 8 * HOUR, NOW - 8 * HOUR)
    assert (stated["pass"], stated["start"], stated["end"], stated["part"]) == (None,) * 4
    assert_proven(world, policy())


def test_a_rescan_stores_only_what_is_missing() -> None:
    """Its pass leaves the coverage with the decision that ends it."""
    how = policy(sweeps=())
    world = World([it for it in range(NOW - 3 * HOUR, NOW, MINUTE) if it % (7 * MINUTE)])
    world.run_until_idle(how)
    world.api.truth = list(range(NOW - 3 * HOUR, NOW, MINUTE))
    pull(
        world,
        lambda it, order: levers.rescanned(it, order, how, bounds=(NOW - 2 * HOUR, NOW - HOUR)),
    )

    world.run_until_idle(how)
    world.clock.advance(5 * MINUTE)
    world.run(how)

    missing = {it for it in world.api.truth if it % (7 * MINUTE) == 0}
    found = {it["timestamp"] for it in world.followed()} & missing
    assert found == {it for it in missing if NOW - 2 * HOUR <= it < NOW - HOUR}
    assert len(world.followed()) == len({it["_id"] for it in world.followed()})
    (name,) = {it["decision"]["pass"] for it in manifests_of(world) if it["decision"]}
    passes = [sorted(it["complete"]) for it in manifests_of(world)]
    assert ["first", name] in passes
    assert passes[-1] == ["first"]
    assert world.ledgers.value()["rescans"] == {}
    assert_proven(world, how)


def test_time_that_is_scanned_again_is_not_final_meanwhile() -> None:
    """Readers learn from the decision that something may be added, and when no more will be."""
    how = policy(sweeps=())
    world = world_of()
    world.run_until_idle(how)
    before = len(world.results.manifests)
    bounds = (NOW - 2 * HOUR, NOW - HOUR)
    pull(world, lambda it, order: levers.rescanned(it, order, how, bounds=bounds))

    world.run_until_idle(how)
    world.clock.advance(5 * MINUTE)
    world.run(how)

    final = [
        holds(tuple((start, end) for start, end in it["final"]), bounds)
        for it in manifests_of(world)[before - 1 :]
    ]
    assert (final[0], final[1], final[-1]) == (True, False, True)


def test_accepted_filters_are_a_decision_in_the_chain() -> None:
    """A setting and the command have the same effect."""
    new = policy(filters={"service": {"eq": [11161]}})
    for how, by in ((policy(filters=new.filters, accept=new.fingerprint), None), (new, "kim")):
        world = world_of()
        world.run_until_idle()
        before = len(world.results.manifests)
        if by:
            pull(world, lambda it, order: levers.filters_accepted(it, order, new))
        world.clock.advance(10 * MINUTE)

        world.run(how)

        stated = manifests_of(world)[before]
        assert (stated["decision"]["kind"], stated["fingerprint"]) == (
            "accept-filters",
            new.fingerprint,
        )
        assert stated["decision"]["by"] == (by or "SCAN_ACCEPT_FILTERS")
        assert world.api.asked[-1]["filters"]["service"] == {"eq": [11161]}
        assert_proven(world, how)


def test_filters_that_are_put_back_drop_the_order_to_accept_others() -> None:
    """The run goes on with those of the settings, and says so."""
    new = policy(filters={"service": {"eq": [11161]}})
    world = world_of()
    world.run_until_idle()
    pull(world, lambda it, order: levers.filters_accepted(it, order, new))
    world.clock.advance(10 * MINUTE)

    assert world.run() == "idle"

    assert any("(accept-filters) is dropped" in it for it in world.tally.warnings)
    assert world.ledgers.value()["outstanding"] == []
    assert_proven(world, policy())


def test_filters_that_are_put_back_while_the_others_are_committed_stop_the_run() -> None:
    """It is too late: the chain may state them, and they have to be accepted again."""
    new = policy(filters={"service": {"eq": [11161]}})
    world = world_of()
    world.run_until_idle()
    pull(world, lambda it, order: levers.filters_accepted(it, order, new))
    world.share(Effects(at=3, how="before"))
    with pytest.raises(Crash):
        world.run(new)
    world.share(Effects())
    world.clock.advance(10 * MINUTE)
    asked = len(world.api.asked)

    with pytest.raises(ScopeChanged):
        world.run()

    assert len(world.api.asked) == asked
    assert_proven(world, policy())


def test_a_paused_run_commits_decisions() -> None:
    """They need no request."""
    world = world_of()
    world.run_until_idle()
    pause(world)
    pull(world, lambda it, order: levers.backfilled(it, order, policy(), to=NOW - 8 * HOUR))

    assert world.run() == "paused"

    assert world.ledgers.value()["origin"] == NOW - 8 * HOUR
    assert_proven(world, policy())


def test_a_settled_time_that_a_manifest_moves_back_without_a_backfill_is_found() -> None:
    """What readers were promised holds for every other decision."""
    world = world_of()
    world.run_until_idle()
    pull(world, lambda it, order: levers.backfilled(it, order, policy(), to=NOW - 8 * HOUR))
    world.run()
    number = max(it for it, content in world.results.manifests.items() if b"backfill" in content)
    stated = world.results.manifests[number]
    forged = stated.replace(b'"backfill"', b'"retry"')
    chain = Chain("all")
    for at in range(1, number):
        chain.take(at, world.results.manifests[at])

    chain.take(number, forged)

    assert {it.kind for it in chain.findings} == {"coverage-unproven"}
    chain = Chain("all")
    for at in range(1, number):
        chain.take(at, world.results.manifests[at])
    chain.take(number, stated)
    assert chain.findings == []


@pytest.mark.parametrize("content", [None, b"<html>", StoreUnavailable("HTTP 503")])
def test_a_run_that_storage_fails_is_no_superseded_one(
    content: bytes | StoreUnavailable | None,
) -> None:
    """Only a ledger of another epoch shows that; the failure is reported otherwise."""
    world = world_of()

    def fail() -> None:
        world.ledgers.load = lambda: stored(content)  # type: ignore[method-assign]
        raise StoreUnavailable("HTTP 403")

    def stored(content: bytes | StoreUnavailable | None) -> SavedLedger:
        if isinstance(content, StoreUnavailable):
            raise content
        return SavedLedger(content=content, etag="1", date=None)

    world.share(Effects(at=4, how="after", meanwhile=fail))

    with pytest.raises(StoreUnavailable, match="403"):
        world.run()
