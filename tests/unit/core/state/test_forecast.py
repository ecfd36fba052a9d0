"""The plan of the next run: it is what a run then does, and says why."""

from math import nextafter

import msgspec
import pytest

from shared.core.errors import ScopeChanged
from shared.core.model import FIRST_PASS, Commit, Ledger, Pacing, Policy, Slice
from shared.core.slices.opening import open_slice
from shared.core.state import ledger as ledgers
from shared.core.state import levers
from shared.core.state.decisions import Order
from shared.core.state.forecast import TRIAL, WHY, Plan, plan
from tests.fakes import DAY, HOUR, MINUTE, NOW, Crash, Effects, policy
from tests.world import World

HOW = policy(lookback=5 * HOUR)
ORDER = Order(at=NOW, by="kim")

change = msgspec.structs.replace


def stored(world: World) -> Ledger | None:
    """Return the stored ledger."""
    content = world.ledgers.content
    return None if content is None else ledgers.decode(content)


def sent(world: World, since: int) -> list[tuple[int, int]]:
    """Return the bounds of what a run asked for, by its requests after the first `since`."""
    asked = [it["filters"]["date"] for it in world.api.asked[since:]]
    return [(it["gte"], it["lte"] + 1) for it in asked]


def bounds(made: Plan) -> list[tuple[int, int]]:
    """Return the bounds of what a plan asks for."""
    return [(it.start, it.end) for it in made.requests]


def piece(start: int, end: int, how: Policy = HOW, **changes: object) -> Slice:
    """Return an open slice of the first pass."""
    opened = open_slice((start, end), pass_name=FIRST_PASS, policy=how)
    return change(opened, **changes)


def test_it_is_what_the_runs_of_a_day_then_do() -> None:
    """First pass and sweeps, in the same order and with the same outcome, one run after another."""
    world = World(range(NOW - 5 * HOUR, NOW + 26 * HOUR, 20 * MINUTE), page=1000)
    for wait in (0, 5, 12, 60, 60, 180, 24 * 60):
        world.clock.advance(wait * MINUTE)
        made = plan(stored(world), HOW, world.clock.now())
        before = len(world.api.asked)

        outcome = world.run(HOW)

        assert bounds(made) == sent(world, before)
        assert made.outcome == outcome
        assert len(made.requests) > 0 or wait < 10


def test_a_run_that_is_out_of_time_is_foreseen() -> None:
    """Steps take ten seconds, and the budget is a minute."""
    how = policy(lookback=2 * DAY, budget=MINUTE)
    world = World(range(NOW - 2 * DAY, NOW, HOUR), page=1000)
    world.api.latency = 10_000
    world.run(how)
    world.clock.advance(5 * MINUTE)
    made = plan(stored(world), how, world.clock.now())
    before = len(world.api.asked)

    assert world.run(how) == made.outcome == "out-of-time"
    assert bounds(made) == sent(world, before)
    assert made.ends - made.now <= MINUTE


def test_a_run_ends_when_the_last_answer_has_come() -> None:
    """The steps that are under way are waited for."""
    how = policy(lookback=2 * DAY, budget=MINUTE, concurrency=3)
    begun = change(ledgers.begin(how, NOW), pacing=Pacing(durations=(10_000,) * 5))

    made = plan(begun, how, NOW)

    assert made.outcome == "out-of-time"
    assert made.ends == made.requests[-1].at + 10_000


def test_a_run_sends_at_least_one_request_however_slow_the_api_is() -> None:
    """Its first step always fits."""
    slow = change(ledgers.begin(HOW, NOW), pacing=Pacing(durations=(HOW.budget,) * 5))

    assert len(plan(slow, HOW, NOW).requests) == 1


def test_a_plan_leaves_the_ledger_as_it_is() -> None:
    """It is only looked at."""
    done = {FIRST_PASS: ((NOW - 5 * HOUR, NOW - HOUR),)}
    ledger = change(ledgers.begin(HOW, NOW), coverage=done)
    before = ledgers.encode(ledger)

    plan(ledger, HOW, NOW)

    assert ledgers.encode(ledger) == before


def test_each_request_has_the_reason_of_its_own_slice() -> None:
    """A slice that is being served gives the next request none."""
    how = policy(lookback=5 * HOUR, sweeps=(), concurrency=2)
    older, fresh = piece(NOW - 4 * HOUR, NOW - 3 * HOUR), piece(NOW - HOUR, NOW - 10 * MINUTE)
    done = {FIRST_PASS: ((NOW - 5 * HOUR, older.start), (older.end, fresh.start))}
    ledger = change(
        ledgers.begin(how, NOW), coverage=done, open=(older, fresh), pacing=Pacing(requests=1)
    )

    made = plan(ledger, how, NOW)

    assert bounds(made)[:2] == [(fresh.start, fresh.end), (older.start, older.end)]
    assert [it.reason for it in made.requests[:2]] == ["fresh", "older"]
    assert [it.why for it in made.requests[:2]] == [WHY["fresh"], WHY["older"]]


@pytest.mark.parametrize(("begun", "now"), [(None, -5_000), (-5_000, 5_000)])
def test_a_look_counts_as_a_sweep_by_when_it_began(begun: int | None, now: int) -> None:
    """Its time becomes two hours old before the last answer comes, so it is looked at again."""
    how = policy(lookback=HOUR, sweeps=(("sweep-2h", 2 * HOUR),))
    old = NOW + 2 * HOUR
    now += old
    last = NOW - how.slice_length
    open_ = () if begun is None else (piece(last, NOW, how, first_request=old + begun),)
    done = {
        FIRST_PASS: ((NOW - HOUR, last), (NOW, now - how.settle)),
        "sweep-2h": ((NOW - HOUR, last),),
    }
    pace = Pacing(durations=(10_000,) * 5)
    ledger = change(ledgers.begin(how, NOW), coverage=done, open=open_, pacing=pace)

    made = plan(ledger, how, now)

    looks = [it.look for it in made.requests if (it.start, it.end) == (last, NOW)]
    assert looks == [FIRST_PASS, "sweep-2h"]


def test_a_look_for_what_is_new_does_not_stand_for_the_last_sweep() -> None:
    """That one asks for everything, however late the other was."""
    sweeps = (("sweep-2h", 2 * HOUR), ("sweep-24h", DAY), ("sweep-72h", 3 * DAY))
    how = policy(lookback=4 * DAY, sweeps=sweeps, sweep_by="created")
    start, end = NOW - 76 * HOUR, NOW - 75 * HOUR
    first = {FIRST_PASS: ((NOW - 4 * DAY, NOW - how.settle),)}
    swept = {name: ((NOW - 4 * DAY, start), (end, NOW - age)) for name, age in sweeps}
    looked = change(piece(start, end, how, since=start + 2 * HOUR), pass_name="sweep-24h")
    ledger = change(ledgers.begin(how, NOW), coverage=first | swept, open=(looked,))

    made = plan(ledger, how, NOW)

    assert [it.look for it in made.requests] == ["sweep-24h", "sweep-72h"]


def test_a_scan_that_never_ran_begins_at_its_origin() -> None:
    """The first request is a fresh one."""
    made = plan(None, HOW, NOW)

    assert made.requests[0].end == NOW - 10 * MINUTE
    assert made.requests[0].reason == "fresh lane"
    assert {it.reason for it in made.requests} == {"fresh lane", "oldest lane", "fresh", "older"}
    assert not any(it.begun for it in made.requests)


def test_a_slice_takes_as_many_requests_as_its_length_says() -> None:
    """Two hundred pages an hour, so seventeen for each five minutes."""
    how = policy(lookback=HOUR, fresh=HOUR, concurrency=3)
    once = plan(None, how, NOW)
    often = plan(None, how, NOW, per_hour=200.0)

    assert len(often.requests) == 17 * len(once.requests)
    assert sum(it.begun for it in often.requests) == 16 * len(once.requests)


@pytest.mark.parametrize(
    ("pages", "requests"), [(0.0, 1), (0.5, 1), (1.0, 1), (1.25, 2), (2.0, 2), (2.25, 3)]
)
def test_a_begun_page_is_a_request(pages: float, requests: int) -> None:
    """A slice takes one at least."""
    how = policy(lookback=HOUR, sweeps=())
    last = NOW - how.settle - how.slice_length
    ledger = change(ledgers.begin(how, NOW), coverage={FIRST_PASS: ((NOW - HOUR, last),)})

    assert len(plan(ledger, how, NOW, per_hour=12 * pages).requests) == requests


def test_floating_point_makes_no_page() -> None:
    """A rate that is off by its last digit is as good as the right one."""
    how = policy(lookback=HOUR, sweeps=())
    last = NOW - how.settle - how.slice_length
    ledger = change(ledgers.begin(how, NOW), coverage={FIRST_PASS: ((NOW - HOUR, last),)})

    assert len(plan(ledger, how, NOW, per_hour=nextafter(12.0, 13.0)).requests) == 1


def test_a_slice_from_its_end_takes_as_many() -> None:
    """What is left of it counts."""
    how = policy(lookback=HOUR, direction="desc")
    made = plan(None, how, NOW, per_hour=24.0)

    assert len(made.requests) == 2 * len({(it.start, it.end) for it in made.requests})


def test_time_that_will_leave_the_reach_comes_first() -> None:
    """Whatever the lane would be, its requests go there."""
    how = policy(lookback=29 * DAY)
    made = plan(change(ledgers.begin(how, NOW), pacing=Pacing(requests=1)), how, NOW)

    assert made.requests[0].reason == "near the reach"
    assert made.outcome == "out-of-time"


def test_a_paused_scan_sends_nothing() -> None:
    """It still commits what was decided."""
    begun = ledgers.begin(HOW, NOW)
    decided = levers.backfilled(begun, ORDER, HOW, to=NOW - 10 * HOUR)
    made = plan(levers.paused(decided, ORDER, until=None), HOW, NOW)

    assert (made.outcome, made.requests) == ("paused", ())
    assert made.first == ("commits 1 decision to the chain of manifests",)


def test_several_decisions_are_counted() -> None:
    """They are committed one after another."""
    begun = ledgers.begin(HOW, NOW)
    once = levers.backfilled(begun, ORDER, HOW, to=NOW - 10 * HOUR)
    twice = levers.rescanned(once, ORDER, HOW, bounds=(NOW - 2 * HOUR, NOW - HOUR))

    assert plan(twice, HOW, NOW).first[0] == "commits 2 decisions to the chain of manifests"


def test_a_paused_scan_gives_nothing_up() -> None:
    """What has left the API's reach meanwhile is for the first run after the pause."""
    old = piece(NOW - 2 * HOUR, NOW - HOUR)
    late = change(ledgers.begin(HOW, NOW), open=(old,))

    assert plan(levers.paused(late, ORDER, until=None), HOW, NOW + 30 * DAY).first == ()
    assert plan(late, HOW, NOW + 30 * DAY).first != ()


def test_a_blocked_slice_that_brings_a_page_takes_room_again() -> None:
    """All room but one is taken, so no other slice is begun while it is in work."""
    how = policy(lookback=5 * DAY, sweeps=(), concurrency=1)
    blocked = piece(NOW - 70 * HOUR, NOW - 69 * HOUR, how, blocked_since=NOW - HOUR)
    waiting = tuple(
        piece(start, start + HOUR, how, fault="HTTP 500", faults=1, not_before=NOW + HOUR)
        for start in range(NOW - 69 * HOUR, NOW - 6 * HOUR, HOUR)
    )
    stuck = change(ledgers.begin(how, NOW), open=(blocked, *waiting), pacing=Pacing(requests=4))

    made = plan(stuck, how, NOW, per_hour=3.0)

    assert bounds(made)[:3] == [(blocked.start, blocked.end)] * 3


def test_slices_that_wait_are_named_with_their_faults() -> None:
    """When all that is due waits, so does the run."""
    faulty = piece(
        NOW - HOUR, NOW - 10 * MINUTE, not_before=NOW + MINUTE, fault="HTTP 500", faults=1
    )
    done = {FIRST_PASS: ((NOW - 5 * HOUR, NOW - HOUR),)}
    ledger = change(ledgers.begin(policy(lookback=5 * HOUR, sweeps=()), NOW), coverage=done)
    how = policy(lookback=5 * HOUR, sweeps=())
    waiting = plan(change(ledger, open=(faulty,)), how, NOW)
    blocked = plan(change(ledger, open=(change(faulty, blocked_since=NOW, fault=None),)), how, NOW)

    assert (waiting.outcome, waiting.requests) == ("waiting", ())
    named = "first 2026-11-23 11:00:00 UTC to 2026-11-23 11:50:00 UTC"
    assert waiting.waiting == (f"{named} waits until 2026-11-23 12:01:00 UTC: HTTP 500",)
    assert blocked.waiting == (f"{named} is blocked and waits until 2026-11-23 12:01:00 UTC",)


def test_a_slice_that_has_waited_is_not_named() -> None:
    """It is asked for at once."""
    waited = piece(NOW - HOUR, NOW - 10 * MINUTE, not_before=NOW, fault="HTTP 500", faults=1)

    assert plan(change(ledgers.begin(HOW, NOW), open=(waited,)), HOW, NOW).waiting == ()


def test_a_throttle_is_named() -> None:
    """The whole scan waits for it."""
    throttled = Pacing(not_before=NOW + 20 * MINUTE, throttles=1)
    made = plan(change(ledgers.begin(HOW, NOW), pacing=throttled), HOW, NOW)

    assert (made.outcome, made.requests) == ("waiting", ())
    assert made.waiting == ("the API throttles the scan until 2026-11-23 12:20:00 UTC",)


def test_after_a_throttle_one_request_goes_alone() -> None:
    """Once a page has come, the others follow at the same time."""
    how = policy(lookback=5 * HOUR, concurrency=3)
    waited = Pacing(not_before=NOW, throttles=1)

    made = plan(change(ledgers.begin(how, NOW), pacing=waited), how, NOW)

    alone, *others = (it.at for it in made.requests[:4])
    assert others == [alone + 2_000] * 3


def test_a_run_that_holds_the_scan_is_named() -> None:
    """The next one begins after it, and finishes what a killed one leaves."""
    world = World(range(NOW - HOUR, NOW, MINUTE))
    ledger = ledgers.begin(HOW, NOW)
    for number in range(1, 30):
        world = World(range(NOW - HOUR, NOW, MINUTE))
        world.share(Effects(at=number))
        with pytest.raises(Crash):
            world.run(HOW)
        ledger = stored(world) or ledger
        if ledger.committing:
            break
    made = plan(ledger, HOW, NOW)

    assert made.first[0].startswith("a run is at work, until 2026-11-23 12:04:30 UTC")
    assert made.first[1] == "finishes the interrupted commit of manifest 1"


def test_what_leaves_the_reach_is_said_before_any_request() -> None:
    """A slice is closed, a sweep given up, and uncovered time declared lost."""
    how = policy(lookback=5 * HOUR)
    late = NOW + 30 * DAY
    old = piece(NOW - 2 * HOUR, NOW - HOUR)
    done = {FIRST_PASS: ((NOW - 5 * HOUR, NOW - 3 * HOUR),)}
    ledger = change(ledgers.begin(how, NOW), coverage=done, open=(old,))

    said = "\n".join(plan(ledger, how, late).first)

    assert "closes first 2026-11-23 10:00:00 UTC to 2026-11-23 11:00:00 UTC at its cursor" in said
    assert "gives up the sweep of 2026-11-23 07:00:00 UTC to 2026-11-23 09:00:00 UTC" in said
    assert "lost once the API has answered" in said


def test_a_slice_is_given_back_when_every_one_has_faults() -> None:
    """Otherwise no other time would ever be asked for."""
    how = policy(lookback=5 * DAY)
    stuck = tuple(
        piece(start, start + HOUR, how, fault="HTTP 500", faults=1, not_before=NOW + MINUTE)
        for start in range(NOW - 70 * HOUR, NOW - 6 * HOUR, HOUR)
    )
    made = plan(change(ledgers.begin(how, NOW), open=stuck), how, NOW)

    assert any("back: every open slice has faults" in it for it in made.first)


def test_a_trial_comes_alone_and_first() -> None:
    """The API has refused a query, and a form with fewer options is tried."""
    how = policy(lookback=5 * HOUR, concurrency=3)
    tried = piece(NOW - 2 * HOUR, NOW - HOUR)
    begun = ledgers.begin(how, NOW)
    facts = change(
        begun.api_facts, learned=NOW, program="x", trial=(tried.start, tried.end), limit=500
    )
    made = plan(change(begun, open=(tried,), api_facts=facts), how, NOW)

    assert (made.requests[0].reason, made.requests[0].why) == ("trial", TRIAL)
    alone, *others = (it.at for it in made.requests[:4])
    assert others == [alone + 2_000] * 3
    assert made.requests[1].reason != "trial"


def test_while_a_trial_waits_requests_go_one_at_a_time() -> None:
    """A page of another slice does not end it."""
    how = policy(lookback=5 * HOUR, concurrency=3)
    tried = piece(NOW - 2 * HOUR, NOW - HOUR, not_before=NOW + HOUR)
    begun = ledgers.begin(how, NOW)
    facts = change(begun.api_facts, trial=(tried.start, tried.end))

    made = plan(change(begun, open=(tried,), api_facts=facts), how, NOW)

    times = [it.at for it in made.requests]
    assert times == sorted(set(times))


def test_filters_that_have_changed_are_refused_as_by_a_run() -> None:
    """The run would fail."""
    other = policy(filters={"service": {"eq": [1]}})

    with pytest.raises(ScopeChanged):
        plan(ledgers.begin(HOW, NOW), other, NOW)


def test_a_plan_has_an_end_however_much_a_run_could_send(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a command never takes long."""
    monkeypatch.setattr("shared.core.state.forecast.REQUESTS_MOST", 7)

    made = plan(None, HOW, NOW, per_hour=1000.0)

    assert (len(made.requests), made.outcome) == (7, "out-of-time")


def test_a_commit_without_a_slice_needs_no_request() -> None:
    """It is a decision that was about to be stated."""
    begun = ledgers.begin(HOW, NOW)
    commit = msgspec.convert(
        {"slice": None, "start": None, "end": None, "number": 4, "manifest": "{}"}
        | {"covers": [], "lost": None},
        Commit,
        strict=False,
    )

    assert plan(change(begun, committing=commit), HOW, NOW).first == (
        "finishes the interrupted commit of manifest 4",
    )
