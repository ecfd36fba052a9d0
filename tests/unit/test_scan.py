"""The use case on fakes: what it stores, what it sends, and how it ends."""

import json
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from shared.core.errors import (
    LedgerMissing,
    LedgerRolledBack,
    LedgerTooNew,
    LedgerUnreadable,
    ScanError,
    ScopeChanged,
    SourceRefused,
    StoreConflict,
    TokenRefused,
)
from shared.core.model import Answer, NoAnswer
from shared.core.slices import traversal
from simulator import Switches, Tenant
from tests.fakes import DAY, HOUR, MINUTE, NOW, Crash, Effects, Reply, page_of, policy, status
from tests.parts import lines_of
from tests.simulated import SimulatedApi
from tests.world import World

ORIGIN = NOW - 3 * HOUR
END = NOW - 10 * MINUTE
EMPTY: dict[str, Any] = {"data": [], "hasNext": False, "total": 0}


def every(step: int) -> list[int]:
    """Return instants `step` ms apart over the whole lookback."""
    return list(range(ORIGIN, NOW, step))


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("lanes", [1, 3, 6])
def test_a_scan_stores_every_activity_once(direction: str, lanes: int) -> None:
    """The feed equals the truth for either direction and any number of lanes."""
    world = World(every(7_777), page=9)

    world.run_until_idle(policy(direction=direction, concurrency=lanes))

    world.assert_complete(ORIGIN, END)


def test_an_empty_tenant_is_covered_without_a_part() -> None:
    """Slices without records have manifests and no parts."""
    world = World([])

    outcome = world.run()

    assert outcome == "idle"
    assert world.results.parts == {}
    assert world.ledgers.value()["coverage"]["first"] == [[ORIGIN, END]]
    assert len(world.results.manifests) == len(world.api.asked)


def test_a_single_activity_is_stored() -> None:
    """It is on the first millisecond of a slice."""
    world = World([NOW - HOUR])

    world.run()

    world.assert_complete(ORIGIN, END)


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_page_boundary_on_the_last_record_loses_nothing(direction: str) -> None:
    """The slice has exactly one page, exactly two, or one record more."""
    start = NOW - 2 * HOUR
    for count in (9, 10, 11, 20, 21):
        world = World([start + 1000 * n for n in range(count)], page=10)

        world.run_until_idle(policy(direction=direction))

        world.assert_complete(ORIGIN, END)


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_activities_that_share_a_millisecond_stay_together(direction: str) -> None:
    """Pages end between milliseconds, and siblings are never dropped as repetitions."""
    world = World([ORIGIN + 60_000 * (n // 6) for n in range(600)], page=10)

    world.run_until_idle(policy(direction=direction))

    world.assert_complete(ORIGIN, END)


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_slice_of_200_pages_becomes_many_parts(direction: str) -> None:
    """It closes a part every 16 pages by splitting at the cursor; ledger and memory stay small."""
    start = NOW - 2 * HOUR
    world = World([start + 1_500 * n for n in range(2000)], page=10)

    world.run_until_idle(policy(direction=direction))

    world.assert_complete(ORIGIN, END)
    assert len(world.api.asked) >= 200
    blocks = [_manifest(world, n)["part"]["blocks"] for n in _with_part(world)]
    assert max(len(pages) for *pages, _trailer in blocks) == 16
    assert max(len(content) for content in world.ledgers.history) < 20_000


def test_the_continuation_goes_back_verbatim() -> None:
    """`nextQueryFilters` becomes the next `filters`, key order and unknown keys included."""
    world = World([], page=10)
    start = NOW - HOUR
    filters = f'{{"zz":{{"eq":[1]}},"date":{{"lte":{start + 300_000 - 1},"gte":{start + 5}}}}}'
    first = (
        f'{{"data":[{{"_id":"a","timestamp":{start},"created":{start}}}],'
        f'"hasNext":true,"nextQueryFilters":{filters},"total":2}}'
    )
    page = Answer(status=200, body=first.encode())
    world.api.always = lambda it: page if it["filters"]["date"]["gte"] == start else None

    world.run(policy(lookback=HOUR))

    assert filters in [_sent_filters(body) for body in world.api.bodies]
    assert world.tally.counts.drifted == 1


def test_a_scan_that_runs_out_of_budget_resumes_from_the_saved_continuation() -> None:
    """The next run asks where the last one stopped, not from the slice's start."""
    start = NOW - HOUR
    world = World([start + 1000 * n for n in range(250)], page=10)
    world.api.latency = 3_000
    how = policy(lookback=HOUR, fresh=20 * MINUTE, budget=20_000)

    outcome = world.run(how)

    assert outcome == "out-of-time"
    (piece,) = world.ledgers.value()["open"]
    assert piece["continuation"] is not None
    asked = len(world.api.asked)
    world.run(how)
    assert world.api.asked[asked]["filters"] == json.loads(piece["continuation"])
    world.run_until_idle(how)
    world.assert_complete(NOW - HOUR, world.ledgers.value()["coverage"]["first"][0][1])


def test_a_changed_slice_length_between_two_runs_changes_no_record() -> None:
    """Open and covered time is subtracted, and the new grid fills the rest."""
    world = World(every(5_000), page=9)
    world.api.latency = 1_000
    world.run(policy(budget=30_000))

    for length in (10, 1, 30):
        world.run(policy(slice_length=length * MINUTE, budget=30_000))
    world.run_until_idle()

    world.assert_complete(ORIGIN, world.ledgers.value()["coverage"]["first"][0][1])


def test_a_claim_that_another_run_holds_is_respected() -> None:
    """The run reports busy, sends no request and leaves the ledger as it is."""
    world = World(every(60_000))
    world.share(Effects(at=5))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    before, asked = world.ledgers.content, len(world.api.asked)

    outcome = world.run()

    assert outcome == "busy"
    assert (before, asked) == (world.ledgers.content, len(world.api.asked))


def test_a_claim_expires() -> None:
    """A killed run holds the scan up for no longer than its budget and 30 s."""
    world = World(every(60_000))
    world.share(Effects(at=5))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    world.clock.advance(240_000 + 30_000)

    assert world.run() == "idle"


def test_a_claim_far_in_the_future_counts_as_expired() -> None:
    """A clock that was an hour fast when it claimed cannot stop the scan for an hour."""
    world = World(every(60_000), now=NOW + HOUR)
    world.share(Effects(at=5))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    world.clock.wall = NOW + 5 * MINUTE

    assert world.run() != "busy"


@pytest.mark.parametrize("wrong", [HOUR, -HOUR])
def test_a_clock_that_is_an_hour_wrong_loses_nothing(wrong: int) -> None:
    """The storage clock caps a fast one, and a slow one only delays. Both are reported."""
    world = World(every(30_000), page=9)
    world.ledgers.date = lambda: world.clock.wall - wrong
    world.clock.wall = NOW + wrong

    world.run()

    assert world.tally.skew == wrong
    ((start, end),) = world.ledgers.value()["coverage"]["first"]
    assert end <= END
    world.assert_complete(start, end)
    world.ledgers.date = lambda: world.clock.wall
    world.clock.wall = NOW + 10 * MINUTE
    world.run_until_idle()
    world.assert_complete(start, world.ledgers.value()["coverage"]["first"][0][1])


def test_of_two_runs_that_claim_at_the_same_instant_one_is_busy() -> None:
    """Both have read the free ledger; one save is refused, and that run does nothing."""
    world = World(every(60_000), page=9)
    second: list[str] = []
    world.run(policy(lookback=HOUR))
    world.clock.advance(5 * MINUTE)
    overtaken = Effects(at=1, how="before", meanwhile=lambda: second.append(world.run()))
    world.share(overtaken)

    first = world.run()

    assert (first, second) == ("busy", ["idle"])
    world.share(Effects())
    world.clock.advance(5 * MINUTE)
    world.run_until_idle()
    world.assert_complete(NOW - HOUR, world.ledgers.value()["coverage"]["first"][0][1])


def test_of_two_first_runs_at_the_same_instant_one_is_busy() -> None:
    """Without a ledger, its creation is create-only."""
    world = World(every(60_000), page=9)
    second: list[str] = []
    world.share(Effects(at=1, meanwhile=lambda: second.append(world.run())))

    first = world.run()

    assert (first, second) == ("busy", ["idle"])
    world.assert_complete(ORIGIN, END)


def test_a_step_slower_than_the_whole_budget_is_ended_and_asks_for_less() -> None:
    """Its request gets the rest of the budget; three such steps in a row halve the limit."""
    world = World(every(60_000))
    world.api.latency = 60_000
    how = policy(budget=30_000, lookback=HOUR, concurrency=3)

    for _ in range(12):
        world.run(how)
        world.clock.advance(5 * MINUTE)

    assert max(world.api.timeouts) <= 30
    assert min(asked["limit"] for asked in world.api.asked) < 5000
    assert world.tally.faults > 0


def test_the_time_budget_bounds_every_run() -> None:
    """Whatever the latency, no step begins unless it should end in time."""
    world = World(every(2_000), page=10)
    for latency in (500, 4_000, 9_000):
        world.api.latency = latency
        started = world.clock.elapsed()

        world.run(policy(budget=60_000))

        assert world.clock.elapsed() - started <= 60_000


def test_a_missing_ledger_beside_manifests_stops_the_run_untouched() -> None:
    """Creating a new one would write everything twice."""
    world = World(every(60_000))
    world.run()
    world.ledgers.content = None
    before = dict(world.results.manifests)

    with pytest.raises(LedgerMissing, match="SCAN_NAME"):
        world.run()

    assert world.ledgers.content is None
    assert before == world.results.manifests


def test_a_missing_ledger_beside_a_part_stops_the_run() -> None:
    """A part without a manifest is left over from an interrupted commit."""
    world = World([])
    world.results.parts["scan=all/x.jsonl.gz"] = b""

    with pytest.raises(LedgerMissing):
        world.run()


def test_a_ledger_restored_to_an_older_idle_copy_stops_the_run() -> None:
    """The chain continues past its head, so somebody rolled the ledger back."""
    world = World(every(60_000))
    world.run(policy(lookback=HOUR))
    older = world.ledgers.content
    world.clock.advance(10 * MINUTE)
    world.run()
    world.ledgers.content = older

    with pytest.raises(LedgerRolledBack, match="restored an older ledger"):
        world.run()

    assert older == world.ledgers.content


def test_a_ledger_restored_to_an_older_committing_copy_stops_the_run() -> None:
    """The chain has its own commit, and one more that it does not know."""
    world = World(every(60_000))
    world.run()
    older = next(c for c in world.ledgers.history if json.loads(c)["committing"])
    world.ledgers.content = older
    world.clock.advance(10 * MINUTE)

    with pytest.raises(LedgerRolledBack):
        world.run()

    assert older == world.ledgers.content


def test_a_ledger_restored_to_its_last_commit_is_repaired() -> None:
    """The newest committing copy repeats its own commit and recognises it."""
    world = World(every(60_000))
    world.run()
    world.ledgers.content = [c for c in world.ledgers.history if json.loads(c)["committing"]][-1]
    world.clock.advance(10 * MINUTE)

    world.run_until_idle()

    world.assert_complete(ORIGIN, world.ledgers.value()["coverage"]["first"][0][1])


def test_a_chain_whose_head_is_gone_stops_the_run() -> None:
    """Ledger and manifests do not belong to one history."""
    world = World(every(60_000))
    world.run()
    del world.results.manifests[max(world.results.manifests)]

    with pytest.raises(LedgerRolledBack, match="missing"):
        world.run()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", LedgerUnreadable),
        (b"<html>", LedgerUnreadable),
        (b'{"version":1,"min_reader":1}', LedgerUnreadable),
        (b'{"version":2,"min_reader":2}', LedgerTooNew),
    ],
)
def test_an_unusable_ledger_stops_the_run(content: bytes, error: type[ScanError]) -> None:
    """The run never resets it, and sends no request."""
    world = World(every(60_000))
    world.ledgers.content = content

    with pytest.raises(error):
        world.run()

    assert content == world.ledgers.content
    assert world.api.asked == []


def test_changed_filters_are_refused_before_anything_is_asked() -> None:
    """Coverage from other filters would be false; the message offers both ways out."""
    world = World(every(60_000))
    world.run()
    before, asked = world.ledgers.content, len(world.api.asked)
    changed = policy(filters={"service": {"eq": [11161]}})

    with pytest.raises(ScopeChanged, match=f"SCAN_ACCEPT_FILTERS={changed.fingerprint}"):
        world.run(changed)

    assert (before, asked) == (world.ledgers.content, len(world.api.asked))


def test_accepted_filters_are_recorded_in_ledger_and_manifests() -> None:
    """The change stays visible forever."""
    world = World(every(60_000))
    world.run()
    world.clock.advance(10 * MINUTE)
    filters = {"service": {"eq": [11161]}}
    changed = policy(filters=filters)

    world.run(policy(filters=filters, accept=changed.fingerprint))

    assert world.ledgers.value()["accepted"][0]["fingerprint"] == changed.fingerprint
    last = _manifest(world, max(world.results.manifests))
    assert last["fingerprint"] == changed.fingerprint
    assert world.api.asked[-1]["filters"]["service"] == filters["service"]


def test_a_throttle_makes_the_whole_scan_wait_across_runs() -> None:
    """The ledger records the wait, and a run before its end sends no request."""
    world = World(every(60_000))
    world.api.replies[2] = status(429, retry_after="90")

    outcome = world.run()

    assert outcome == "waiting"
    assert world.tally.throttled == 1
    assert world.ledgers.value()["pacing"]["not_before"] == world.clock.now() + 90_000
    world.clock.advance(80_000)
    asked = len(world.api.asked)
    assert world.run() == "waiting"
    assert asked == len(world.api.asked)
    world.clock.advance(10_000)
    world.run_until_idle()
    world.assert_complete(ORIGIN, world.ledgers.value()["coverage"]["first"][0][1])


def test_a_throttle_that_says_0_is_waited_out_for_longer_and_longer() -> None:
    """An hour of them costs a handful of requests, whatever `Retry-After` they state."""
    world = World(every(60_000))
    world.api.always = lambda _: status(429, retry_after="0")

    for _ in range(12):
        world.run(policy(concurrency=3))
        world.clock.advance(5 * MINUTE)

    assert len(world.api.asked) <= 3 + 6
    assert world.ledgers.value()["pacing"]["throttles"] > 3


def test_requests_on_their_way_meet_one_throttle_together() -> None:
    """Three lanes are refused at once: that is one throttle, not three in a row."""
    world = World(every(60_000))
    world.api.always = lambda _: status(429, retry_after="20")

    world.run(policy(concurrency=3))

    assert world.tally.throttled == 3
    assert world.ledgers.value()["pacing"]["throttles"] == 1
    assert world.ledgers.value()["pacing"]["not_before"] == world.clock.now() + 20_000


def test_a_page_resets_the_growing_waits() -> None:
    """The next throttle is again waited out for as long as it says."""
    world = World(every(60_000))
    world.api.replies = {1: status(429, retry_after="2"), 2: status(429, retry_after="2")}
    world.api.replies[4] = status(429, retry_after="90")

    world.run()

    assert world.clock.slept[:2] == [2_000, 4_000]
    assert world.ledgers.value()["pacing"]["not_before"] == world.clock.now() + 90_000


def test_a_503_is_retried_no_sooner_than_it_says() -> None:
    """Its slice waits while the others continue."""
    world = World(every(60_000))
    world.api.replies[1] = status(503, retry_after="1200")

    world.run()

    (waiting,) = world.ledgers.value()["open"]
    assert waiting["not_before"] == NOW + 1_200_000
    assert world.tally.pages > 10


FAULTS: dict[str, Reply] = {
    "Latin-1": Answer(status=503, body="accès".encode("latin-1")),
    "deep": Answer(status=200, body=b"[" * 5_000),
    "informational": status(103),
    "500": status(500, "<html>Internal error</html>"),
    "503": status(503),
    "408": status(408),
    "timeout": NoAnswer(kind="timeout", detail="120 s"),
    "reset": NoAnswer(kind="connection", detail="reset"),
    "too large": NoAnswer(kind="too large", detail="cap"),
    "HTML with 200": Answer(status=200, body=b"<html></html>"),
    "truncated": Answer(status=200, body=b'{"data":[{"_id":"a"'),
    "nothing at all": page_of({}),
    "null data": page_of({"data": None, "hasNext": False}),
    "a number for a record": page_of({"data": [7], "hasNext": False}),
    "no hasNext": page_of({"data": []}),
    "no continuation": page_of({"data": [], "hasNext": True}),
    "contradiction": page_of({"data": [], "hasNext": False, "total": 7}),
    "outside": page_of(
        {"data": [{"_id": "x", "timestamp": 5, "created": 6}], "hasNext": False, "total": 1}
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_an_occasional_fault_costs_no_activity(kind: str) -> None:
    """Every fourth answer is broken; the slice backs off and asks again."""
    world = World(every(20_000), page=9)
    world.api.replies = dict.fromkeys(range(2, 4000, 4), FAULTS[kind])

    world.run_until_idle()

    world.assert_complete(ORIGIN, world.ledgers.value()["coverage"]["first"][0][1])


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind != "contradiction"])
def test_a_poisoned_slice_holds_up_no_other_and_recovers(kind: str) -> None:
    """It is bisected down to a second and blocked; all other time is covered meanwhile."""
    poison = NOW - 2 * HOUR + 1_234_000
    world = World(every(20_000), page=9)
    by = policy(slice_length=15 * MINUTE)

    def poisoned(asked: dict[str, Any]) -> Reply | None:
        bounds = asked["filters"]["date"]
        return FAULTS[kind] if bounds["gte"] <= poison <= bounds["lte"] else None

    world.api.always = poisoned
    for _ in range(90):
        world.run(by)
        world.clock.advance(15 * MINUTE)

    (piece,) = world.ledgers.value()["open"]
    assert piece["blocked_since"]
    assert piece["start"] <= poison < piece["end"] <= piece["start"] + 1000
    assert piece["fault"]
    world.api.always = lambda _: None
    world.clock.advance(HOUR)
    world.run_until_idle(by)
    world.assert_complete(ORIGIN, world.ledgers.value()["coverage"]["first"][0][1])


def test_a_malformed_answer_is_quarantined() -> None:
    """At most a hundred are kept, each with its fault and its first megabyte."""
    world = World(every(60_000))
    body = b"<html>" + b"x" * 2_000_000
    world.api.always = lambda _: Answer(status=200, body=body)

    for _ in range(60):
        world.run(policy(concurrency=3))
        world.clock.advance(HOUR)

    assert len(world.api.asked) > 100
    kept = world.ledgers.quarantine
    assert len(kept) == 100
    content, about = kept[1]
    assert content == body[: 1024 * 1024]
    assert "not JSON" in about["fault"]
    assert about["run"].startswith("run-")
    assert about["slice"].startswith("202611")


def test_a_blob_in_the_place_of_a_part_holds_up_only_its_slice() -> None:
    """An archived or leased blob has the part's name, so the slice is retried hourly."""
    truth = [NOW - 3 * HOUR + 47_000 * n for n in range(225)]
    undisturbed, world = World(truth), World(truth)
    undisturbed.run_until_idle()
    name = sorted(undisturbed.results.parts)[1]
    world.results.troubled[name] = "HTTP 409 BlobArchived"

    world.run()

    (held_up,) = world.ledgers.value()["open"]
    assert held_up["blocked_since"]
    assert "BlobArchived" in held_up["fault"]
    assert len(world.results.parts) == len(undisturbed.results.parts) - 1
    world.results.troubled.clear()
    world.clock.advance(HOUR)
    world.run_until_idle()
    origin, end = world.ledgers.value()["coverage"]["first"][0]
    world.assert_complete(origin, end)


def test_network_faults_quarantine_nothing() -> None:
    """There is no answer to keep."""
    world = World(every(60_000))
    world.api.always = lambda _: status(503, "<html>")

    world.run()

    assert world.ledgers.quarantine == {}


def test_a_continuation_that_the_api_refuses_is_dropped() -> None:
    """After a 400 to its own `nextQueryFilters`, the slice resumes at its cursor without it."""
    world = World(every(7_777), page=9)
    own = [status(400, '{"detail":"bad cursor"}')]
    world.api.always = lambda it: own.pop() if own and it["filters"]["date"]["gte"] % 1000 else None

    world.run_until_idle()

    assert own == []
    world.assert_complete(ORIGIN, END)


def test_a_query_that_the_api_refuses_fails_the_run() -> None:
    """A 400 to our own filters is about SCAN_FILTERS."""
    world = World(every(60_000))
    world.api.always = lambda _: status(400, '{"detail":"bad filter"}')

    with pytest.raises(SourceRefused, match="SCAN_FILTERS"):
        world.run()


def test_a_declared_loss_causes_a_warning() -> None:
    """It is in the report of the run that declares it, once, with its bounds."""
    world = World([])
    world.run(policy(lookback=HOUR))
    world.clock.advance(30 * DAY)

    world.run(policy(lookback=HOUR, concurrency=3))

    declared = [it for it in world.tally.warnings if "is declared lost" in it]
    assert declared
    assert declared[0].startswith("20261123T115000000Z to ")


def test_three_faults_in_a_row_on_different_slices_end_the_run() -> None:
    """A run leaves an unhealthy API alone until the next tick."""
    world = World(every(60_000))
    world.api.always = lambda _: status(503)

    outcome = world.run()

    assert outcome == "faults"
    assert len(world.api.asked) == 3


def test_an_outage_of_hours_is_survived() -> None:
    """Nothing is lost, the ledger stays small, and the backlog drains afterwards."""
    world = World(every(30_000), page=9)
    world.api.always = lambda _: status(503)
    for _ in range(36):
        world.run()
        world.clock.advance(5 * MINUTE)
    assert len(world.ledgers.content or b"") < 60_000
    world.api.always = lambda _: None
    world.clock.advance(HOUR)

    world.run_until_idle()

    world.assert_complete(ORIGIN, world.ledgers.value()["coverage"]["first"][0][1])


@pytest.mark.parametrize("code", [301, 302, 403, 404, 410])
def test_a_refusal_fails_the_run_and_frees_the_claim(code: int) -> None:
    """Nothing advances, and the next run may begin as soon as access is fixed."""
    world = World(every(60_000))
    world.api.replies[1] = status(code, '{"detail":"Insufficient role based permissions"}')

    with pytest.raises(SourceRefused, match=str(code)):
        world.run()

    assert world.ledgers.value()["claimed_until"] == 0
    assert world.ledgers.value()["coverage"]["first"] == []
    world.run_until_idle()
    world.assert_complete(ORIGIN, END)


def test_an_expired_token_is_renewed_once() -> None:
    """After a 401 in mid-scan the run signs in again and repeats the request."""
    world = World(every(60_000))
    world.api.renewable = True
    world.api.replies[3] = status(401, '{"detail":"Invalid token"}')

    assert world.run() == "idle"

    assert world.api.renewed == 1
    world.assert_complete(ORIGIN, END)


@pytest.mark.parametrize("renewable", [True, False])
def test_a_token_that_stays_refused_fails_the_run(renewable: bool) -> None:  # noqa: FBT001
    """A fixed token fails it at once, a renewable one after signing in again."""
    world = World(every(60_000))
    world.api.renewable = renewable
    world.api.always = lambda _: status(401)

    with pytest.raises(TokenRefused, match="401"):
        world.run()

    assert len(world.api.asked) == 1 + renewable


def test_staged_blocks_that_expired_make_their_slice_start_over() -> None:
    """The service keeps uncommitted blocks for a week; a longer pause costs only requests."""
    start = NOW - HOUR
    world = World([start + 1000 * n for n in range(250)], page=10)
    world.api.latency = 3_000
    how = policy(lookback=HOUR, fresh=20 * MINUTE, budget=20_000)
    world.run(how)
    world.results.staged.clear()
    world.api.latency = 0

    world.run_until_idle()

    world.assert_complete(start, world.ledgers.value()["coverage"]["first"][0][1])


def test_blocks_that_expired_during_a_commit_make_their_slice_start_over() -> None:
    """The run dies between the save and the commit; the next is over a week later."""
    world = World(every(60_000))
    kinds = Effects()
    world.share(kinds)
    world.run()
    first = kinds.done.index("commit part") + 1
    world = World(every(60_000))
    world.share(Effects(at=first))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    world.results.staged.clear()
    world.clock.advance(5 * MINUTE)

    world.run_until_idle()

    world.assert_complete(ORIGIN, world.ledgers.value()["coverage"]["first"][0][1])


def commits_of(world: World) -> list[list[str]]:
    """Return the effects of a run of this world up to each commit of a part."""
    effects = Effects()
    world.share(effects)
    world.run()
    world.share(Effects())
    ends = [at for at, name in enumerate(effects.done) if name == "commit part"]
    return [effects.done[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def test_a_trailer_is_staged_before_the_save_that_begins_the_commit() -> None:
    """That save fixes the block list, so every block on it must exist."""
    before = commits_of(World(every(60_000)))

    assert len(before) > 5
    for effects in before:
        assert effects[-4:] == ["request", "stage block", "stage block", "save ledger"]


def test_a_slice_without_records_has_no_trailer() -> None:
    """There is no part that it could end."""
    world = World([])
    effects = Effects()
    world.share(effects)

    world.run()

    assert "stage block" not in effects.done


def test_a_part_states_the_length_of_its_content() -> None:
    """Azure Data Explorer reads it, and would guess otherwise."""
    world = World(every(60_000))

    world.run()

    assert len(world.results.parts) > 5
    for name, content in world.results.parts.items():
        raw = sum(len(line) + 1 for line in lines_of(content))
        assert world.results.metadata[name]["rawSizeBytes"] == str(raw)


def test_a_part_that_a_bisection_finishes_is_whole() -> None:
    """No page ends it, so the main thread stages its trailer."""
    start, poison = NOW - 2 * HOUR, NOW - 90 * MINUTE
    world = World([start + 1_000 * n for n in range(3_600)], page=100)

    def poisoned(asked: dict[str, Any]) -> Reply | None:
        bounds = asked["filters"]["date"]
        return page_of({}) if start < bounds["gte"] <= poison <= bounds["lte"] else None

    world.api.always = poisoned
    for _ in range(4):
        world.run()
        world.clock.advance(5 * MINUTE)

    (first,) = [
        it for it in map(partial(_manifest, world), _with_part(world)) if it["start"] == start
    ]
    assert (first["end"], len(first["part"]["blocks"])) == (start + 100_000, 2)
    assert len(lines_of(world.results.parts[first["part"]["name"]])) == 100
    world.api.always = lambda _: None
    world.clock.advance(HOUR)
    world.run_until_idle()
    world.assert_complete(ORIGIN, world.ledgers.value()["coverage"]["first"][0][1])


def killed_before_its_first_commit() -> World:
    """Return a world that was killed between the save that begins a commit and that commit."""
    number = len(commits_of(World(every(60_000)))[0]) + 1
    world = World(every(60_000))
    world.share(Effects(at=number))
    with pytest.raises(Crash):
        world.run()
    world.share(Effects())
    world.clock.advance(5 * MINUTE)
    return world


@pytest.mark.parametrize("lost", ["nothing", "trailer"])
def test_a_trailer_that_the_service_lost_is_staged_again_once(lost: str) -> None:
    """It is derived from the ledger's blocks; the commit is tried first."""
    world = killed_before_its_first_commit()
    ((name, staged),) = world.results.staged.items()
    if lost == "trailer":
        staged.popitem()
    effects = Effects()
    world.share(effects)

    world.run()

    redone = ["commit part", *["stage block", "commit part"] * (lost == "trailer"), "put manifest"]
    assert effects.done[1 : 1 + len(redone)] == redone
    assert len(lines_of(world.results.parts[name])) == 5
    assert world.tally.warnings == []


def test_a_page_that_the_service_lost_makes_its_slice_start_over() -> None:
    """Only a trailer can be recreated, so a second refusal makes the slice start over."""
    world = killed_before_its_first_commit()
    ((_, staged),) = world.results.staged.items()
    del staged[min(staged)]

    world.run_until_idle()

    world.assert_complete(ORIGIN, world.ledgers.value()["coverage"]["first"][0][1])


def test_a_part_that_never_divides_ends_in_doubt_at_its_maximum_of_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The ledger stays small, and all other time is read as usual."""
    monkeypatch.setattr(traversal, "PART_BLOCKS", 20)
    crowded = NOW - 2 * HOUR + 600_000
    others = [crowded + 60_000 * n for n in range(-9, 10) if n]
    tenant = Tenant.of([*others, *((crowded, crowded + 9_000 + n) for n in range(400))])
    world = World([])
    world.source = SimulatedApi(tenant, world.clock, Switches(page_cap=10, minimum_limit=1))

    world.run_until_idle(policy(sweeps=()))

    blocks = [_manifest(world, n)["part"]["blocks"] for n in _with_part(world)]
    assert max(map(len, blocks)) == 20
    (doubt,) = world.ledgers.value()["doubt"]
    assert (doubt["start"], doubt["end"]) == (crowded, crowded + 1)
    assert doubt["reason"] == traversal.UNDIVIDED
    found = Counter(it["timestamp"] for it in world.followed())
    assert {at: found.pop(at) for at in others} == dict.fromkeys(others, 1)
    assert found == {
        crowded: 18 * 9
    }  # Each page is a block, in addition to the one at the slice's start.


def test_a_manifest_of_another_program_stops_the_run() -> None:
    """A write-once blob that differs is never overwritten."""
    world = World(every(60_000))
    effects = Effects()
    world.share(effects)
    world.run()
    put = effects.done.index("put manifest") + 1
    world = World(every(60_000))

    def plant() -> None:
        world.results.manifests[1] = b"{}"

    world.share(Effects(at=put, meanwhile=plant))

    with pytest.raises(StoreConflict):
        world.run()

    assert world.results.manifests == {1: b"{}"}


def test_a_first_pass_over_old_time_counts_as_the_sweeps_of_its_age() -> None:
    """A look that begins over two hours after the slice's end replaces the two-hour sweep."""
    world = World(every(60_000))

    world.run()

    coverage = world.ledgers.value()["coverage"]
    assert coverage["sweep-2h"] == [[ORIGIN, ORIGIN + HOUR]]
    assert "sweep-24h" not in coverage


def test_fresh_time_goes_first_and_the_oldest_gets_its_share() -> None:
    """With one lane, every fifth request serves the oldest slice."""
    world = World([])

    world.run()

    asked = [it["filters"]["date"]["gte"] for it in world.api.asked]
    assert asked[0] == END - 5 * MINUTE
    assert asked[4] == ORIGIN
    assert asked[:4] == sorted(asked[:4], reverse=True)


def test_requests_keep_to_the_budget_across_runs() -> None:
    """No 60 seconds exceed the share, though each run is a new process."""
    world = World(every(1_000), page=10)
    sent: list[int] = []
    world.api.always = lambda _: sent.append(world.clock.now())
    for _ in range(20):
        world.run(policy(requests_per_minute=25, budget=30_000))
        world.clock.advance(7_000)

    for at in sent:
        assert sum(at <= other < at + 60_000 for other in sent) <= 25
    assert len(sent) > 150


def test_a_changed_lookback_is_reported_and_ignored() -> None:
    """The first run fixes the origin."""
    world = World(every(60_000))
    world.run()

    world.run(policy(lookback=2 * DAY))

    assert world.ledgers.value()["origin"] == ORIGIN
    assert "SCAN_LOOKBACK" in world.tally.warnings[0]


def _sent_filters(body: bytes) -> str:
    """Return the text of `filters` in a request body, which begins with it."""
    return body.decode().removeprefix('{"filters":').partition(',"isScan"')[0]


def _manifest(world: World, number: int) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(world.results.manifests[number])
    return manifest


def _with_part(world: World) -> list[int]:
    return [n for n in world.results.manifests if _manifest(world, n)["part"]]


@pytest.mark.parametrize("sweeps", [(("sweep-2h", 2 * HOUR),), ()])
def test_the_ledger_counts_the_parts_of_every_hour(sweeps: tuple[tuple[str, int], ...]) -> None:
    """A sweep that finds fewer parts than were committed must not consider their records late."""
    world = World(every(60_000))

    world.run_until_idle(policy(sweeps=sweeps))

    counted = {int(hour): parts for hour, parts in world.ledgers.value()["parts_by_hour"].items()}
    for hour, parts in counted.items():
        names = [name for name in world.results.parts if f"/{_stamp(hour)}" in name]
        assert len(names) == parts > 0
    assert len(counted) == 3


def _stamp(hour: int) -> str:
    return datetime.fromtimestamp(hour / 1000, UTC).strftime("%Y%m%dT%H")
