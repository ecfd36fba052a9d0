"""Conditions: what runs find wrong, since when, and what of it is kept for how long."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.model import Ended, Ledger, Pacing, Pause
from shared.core.state import conditions
from shared.core.state import ledger as ledgers
from shared.core.state.planning import soon_out_of_reach_until
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy
from tests.unit.core.watched import HOW, THROTTLE, Watched, blocked, load

change = msgspec.structs.replace

PAUSED = Pause(since=NOW, until=None, by="ann", reason="")


def test_a_condition_is_kept_with_the_time_when_a_run_first_found_it() -> None:
    """Later runs that find it again do not change the time."""
    scan = Watched()

    scan.repeat(HOUR, lag=2 * HOUR)

    assert scan.ledger.conditions == {"lag": NOW + 5 * MINUTE}


def test_a_condition_that_no_longer_holds_is_dropped() -> None:
    """When it comes back, it counts from then."""
    scan = Watched()
    scan.repeat(HOUR, lag=2 * HOUR)

    scan.repeat(5 * MINUTE)
    assert scan.ledger.conditions == {}

    scan.repeat(5 * MINUTE, lag=2 * HOUR)
    assert scan.ledger.conditions == {"lag": scan.now}


IN_TIME = NOW - HOW.settle - soon_out_of_reach_until(NOW, HOW)
"""The longest lag with which nothing leaves the API's reach soon."""

FOUND = [
    ({"lag": 61 * MINUTE}, ["lag"]),
    ({"lag": HOUR}, []),
    ({"lag": IN_TIME}, ["lag"]),
    ({"lag": IN_TIME + 1}, ["soon-lost", "lag"]),
    ({"load": load(28_824)}, ["over-budget"]),
    ({"load": load(28_800)}, []),
]


@pytest.mark.parametrize(("left", "names"), FOUND, ids=str)
def test_a_run_notes_what_passes_its_limit(left: dict[str, Any], names: list[str]) -> None:
    """A limit that is just reached is not passed."""
    scan = Watched()

    scan.end(**left)

    assert list(scan.ledger.conditions) == names


def test_runs_that_send_less_than_a_request_a_day_are_over_budget() -> None:
    """Their capacity is none, in whole requests a day."""
    scan = Watched(policy(sweeps=(), requests_per_minute=1, budget=5_000))
    starts = tuple(NOW - n * 2 * DAY for n in reversed(range(5)))

    scan.end(load=load(24), pacing=Pacing(starts=starts))

    assert list(scan.ledger.conditions) == ["over-budget"]


@pytest.mark.parametrize(("late", "names"), [(6, []), (7, ["sweeps-behind"])])
def test_a_sweep_that_has_been_due_for_more_than_six_hours_is_noted(
    late: int, names: list[str]
) -> None:
    """It becomes due when the hour that it looks at has its age."""
    scan = Watched(policy(sweeps=(("sweep-24h", DAY),)))
    scan.leave()
    swept = (scan.ledger.origin, NOW - DAY - (late + 1) * HOUR)
    whole = scan.ledger.coverage | {"sweep-24h": (swept,)}

    scan.ledger = conditions.noted(
        change(scan.ledger, coverage=whole),
        "idle",
        met_throttle=False,
        now=NOW,
        policy=scan.how,
    )

    assert list(scan.ledger.conditions) == names


def test_a_pause_silences_what_it_brings_about() -> None:
    """Afterwards it counts from the first run that finds it; what is soon lost is never silent."""
    scan = Watched()
    scan.repeat(HOUR, lag=27 * DAY)

    scan.repeat(HOUR, outcome="paused", lag=27 * DAY, pause=PAUSED)
    assert scan.ledger.conditions == {"soon-lost": NOW + 5 * MINUTE}

    scan.repeat(5 * MINUTE, lag=27 * DAY, pause=None)
    assert scan.ledger.conditions == {"soon-lost": NOW + 5 * MINUTE, "lag": scan.now}


def test_a_pause_whose_time_is_over_silences_nothing() -> None:
    """The next run resumes the scan."""
    over = change(PAUSED, until=NOW)

    assert conditions.is_paused(change(Watched().ledger, pause=PAUSED), NOW)
    assert not conditions.is_paused(change(Watched().ledger, pause=over), NOW)
    assert conditions.is_paused(change(Watched().ledger, pause=over), NOW - 1)


@pytest.mark.parametrize(("gap", "counts_on"), [(HOUR, True), (HOUR + 1, False), (3 * DAY, False)])
def test_after_an_interruption_the_lag_counts_from_the_first_run_on(
    gap: int,
    counts_on: bool,  # noqa: FBT001
) -> None:
    """The scan catches up with it by itself; time that is soon lost is as near as it was."""
    scan = Watched()
    scan.repeat(HOUR, lag=27 * DAY)
    scan.pass_on(gap)

    scan.end(lag=27 * DAY)

    since = NOW + 5 * MINUTE
    assert scan.ledger.conditions == {"soon-lost": since, "lag": since if counts_on else scan.now}


def test_runs_that_are_a_day_apart_are_no_interruption() -> None:
    """The usual interval is measured, whatever the schedule."""
    scan = Watched()

    scan.repeat(4 * DAY, every=DAY, lag=2 * HOUR)
    first = scan.ledger.conditions["lag"]
    scan.repeat(3 * DAY, every=DAY, lag=2 * HOUR)

    assert scan.ledger.conditions["lag"] == first < scan.now - 3 * DAY


def test_the_last_runs_are_kept_with_what_they_left() -> None:
    """At most 24 of them."""
    scan = Watched()
    scan.repeat(3 * HOUR)
    scan.pass_on(5 * MINUTE)

    scan.end("waiting", met_throttle=True, lag=HOUR)

    assert len(scan.ledger.runs) == 24
    assert scan.ledger.runs[-1] == Ended(
        at=scan.now, outcome="waiting", throttled=True, backlog=HOUR
    )
    assert scan.ledger.runs[0].at == scan.now - 23 * 5 * MINUTE


def test_a_run_that_leaves_a_throttle_was_throttled() -> None:
    """It sent nothing, so it met none."""
    scan = Watched()

    scan.end("waiting", pacing=THROTTLE)
    scan.end("idle", pacing=Pacing(not_before=NOW))

    assert [it.throttled for it in scan.ledger.runs] == [True, False]


def test_times_that_lie_ahead_become_the_present() -> None:
    """A fast clock wrote them; nothing may wait until they have come."""
    scan = Watched()
    scan.pass_on(30 * DAY)
    scan.repeat(HOUR, lag=27 * DAY, doubt=HOUR, lost_at=scan.now + HOUR)
    scan.now = NOW

    scan.end(lag=27 * DAY, open=(blocked(NOW + DAY), blocked(NOW - HOUR)), doubt=HOUR)

    assert scan.ledger.conditions == {"soon-lost": NOW, "lag": NOW}
    assert [it.at for it in scan.ledger.runs] == [NOW]
    assert scan.ledger.lost_at == NOW
    assert [it.blocked_since for it in scan.ledger.open] == [NOW, NOW - HOUR]
    assert scan.ledger.doubt_by_hour == {NOW: HOUR}


def test_only_a_slice_that_is_blocked_has_a_time_of_that() -> None:
    """The end of a run gives none to the others."""
    scan = Watched()

    scan.end(open=(change(blocked(NOW), blocked_since=None),))

    assert [it.blocked_since for it in scan.ledger.open] == [None]


def test_doubt_is_kept_for_twenty_five_hours() -> None:
    """The least of each hour, however many runs ended in it."""
    scan = Watched()

    scan.repeat(2 * DAY + 40 * MINUTE, every=20 * MINUTE, doubt=HOUR)

    hours = range(NOW + DAY, NOW + 2 * DAY + 1, HOUR)
    assert scan.ledger.doubt_by_hour == dict.fromkeys(hours, HOUR)


def test_the_last_run_is_when_what_is_wrong_was_last_noted() -> None:
    """Or the making of the ledger, if no run has ended since."""
    scan = Watched()
    assert conditions.last_noted(scan.ledger) == NOW

    scan.repeat(HOUR)
    assert conditions.last_noted(scan.ledger) == scan.now == NOW + HOUR


def throttled_runs(
    count: int, *, outcome: str = "idle", every: int = 5 * MINUTE
) -> tuple[Ended, ...]:
    """Return the ends of runs that were throttled, the last of them now."""
    return tuple(
        Ended(at=NOW - n * every, outcome=outcome, throttled=True, backlog=0)
        for n in reversed(range(count))
    )


def test_throttling_is_judged_by_the_runs_of_an_hour() -> None:
    """An older run no longer counts."""
    runs = throttled_runs(20)

    assert conditions.judged(runs, NOW) == runs[-12:]


def test_throttling_is_judged_by_three_runs_at_least() -> None:
    """Runs that are far apart count, too; fewer than three say nothing."""
    runs = throttled_runs(4, every=DAY)

    assert conditions.judged(runs, NOW) == runs[-3:]
    assert conditions.judged(runs[:3], NOW) == runs[:3]
    assert conditions.judged(runs[:2], NOW) == ()


@pytest.mark.parametrize("outcome", sorted(conditions.UNTRIED))
def test_a_run_that_asked_nothing_says_nothing_about_throttling(outcome: str) -> None:
    """It failed, or it did not begin to work."""
    assert conditions.judged(throttled_runs(3, outcome=outcome), NOW) == ()


def test_a_scan_is_not_throttled_before_its_third_run() -> None:
    """However many of two runs were."""
    scan = Watched()

    scan.repeat(10 * MINUTE, met_throttle=True)
    assert scan.ledger.conditions == {}

    scan.repeat(5 * MINUTE, met_throttle=True)
    assert scan.ledger.conditions == {"throttled": scan.now}


@pytest.mark.parametrize(("throttled", "holds"), [(6, False), (7, True)])
def test_throttling_holds_for_more_than_the_share(throttled: int, holds: bool) -> None:  # noqa: FBT001
    """Half of the runs of an hour are allowed."""
    scan = Watched()
    scan.repeat((12 - throttled) * 5 * MINUTE)

    scan.repeat(throttled * 5 * MINUTE, met_throttle=True)

    assert ("throttled" in scan.ledger.conditions) == holds


BACKLOGS = [
    ([7200] * 12, False),
    ([7200 + 100 * n for n in range(12)], False),
    ([7500, 7200] * 6, False),
    ([604_800 - 1500 * n for n in range(12)], False),
    ([604_800 - 18_000 * n for n in range(12)], True),
]


@pytest.mark.parametrize(
    ("backlogs", "does"), BACKLOGS, ids=["stands", "grows", "breathes", "slowly", "in a day"]
)
def test_a_backlog_shrinks_if_it_will_be_gone_within_a_day(
    backlogs: list[int],
    does: bool,  # noqa: FBT001
) -> None:
    """At the pace between the two halves of the last hour."""
    runs = tuple(
        Ended(at=NOW - (11 - n) * 5 * MINUTE, outcome="idle", throttled=False, backlog=it * 1000)
        for n, it in enumerate(backlogs)
    )
    ledger = change(Watched().ledger, runs=runs)

    assert conditions.shrinks(ledger, backlogs[-1] * 1000, NOW) == does


@pytest.mark.parametrize(
    ("ages", "does"),
    [
        ([], False),
        ([2 * HOUR, HOUR], True),
        ([5 * DAY], False),
        ([20 * MINUTE, 10 * MINUTE], True),
    ],
    ids=["none", "an hour ago", "days ago", "minutes ago"],
)
def test_the_pace_is_that_since_the_run_that_ended_half_an_hour_ago(
    ages: list[int],
    does: bool,  # noqa: FBT001
) -> None:
    """Or since an older one, or since the oldest that is known."""
    runs = tuple(
        Ended(at=NOW - age, outcome="idle", throttled=False, backlog=11 * HOUR) for age in ages
    )
    ledger = change(Watched().ledger, runs=runs)

    assert conditions.shrinks(ledger, 10 * HOUR, NOW) == does


def left_by(*runs: tuple[int, int]) -> Ledger:
    """Return a ledger whose runs ended so many ms ago, each with a backlog."""
    ended = (
        Ended(at=NOW - age, outcome="idle", throttled=False, backlog=backlog)
        for age, backlog in runs
    )
    return change(Watched().ledger, runs=tuple(ended))


def test_the_smallest_backlog_of_the_earlier_half_hour_counts() -> None:
    """A larger one is only what had just fallen due."""
    runs = (50 * MINUTE, 5 * HOUR), (40 * MINUTE, 20 * HOUR)

    assert not conditions.shrinks(left_by(*runs), 10 * HOUR, NOW)
    assert conditions.shrinks(left_by(runs[1]), 10 * HOUR, NOW)


def test_the_smallest_backlog_of_the_later_half_hour_counts() -> None:
    """A slice may have fallen due a moment ago."""
    ledger = left_by((40 * MINUTE, 12 * HOUR), (10 * MINUTE, 10 * HOUR))

    assert conditions.shrinks(ledger, 13 * HOUR, NOW)


@pytest.mark.parametrize(
    ("runs", "does"),
    [
        ([(2 * HOUR, 1 * HOUR), (40 * MINUTE, 10 * HOUR)], False),
        ([(2 * HOUR, 5 * HOUR), (40 * MINUTE, 20 * HOUR)], True),
        ([(HOUR, 5 * HOUR), (40 * MINUTE, 20 * HOUR)], True),
        ([(HOUR - 1, 5 * HOUR), (40 * MINUTE, 20 * HOUR)], False),
    ],
)
def test_a_run_of_more_than_an_hour_ago_does_not_count_beside_a_later_one(
    runs: list[tuple[int, int]],
    does: bool,  # noqa: FBT001
) -> None:
    """The pace may have been another one then."""
    assert conditions.shrinks(left_by(*runs), 10 * HOUR, NOW) == does


def test_of_older_runs_only_the_last_counts() -> None:
    """Where none ended in the first half of the last hour."""
    ledger = left_by((4 * HOUR, 5 * HOUR), (3 * HOUR, 5 * HOUR), (2 * HOUR, 20 * HOUR))

    assert conditions.shrinks(ledger, 10 * HOUR, NOW)


def test_of_the_runs_of_the_last_half_hour_the_oldest_is_the_beginning() -> None:
    """The others are where the backlog has come to."""
    ledger = left_by((20 * MINUTE, 12 * HOUR), (10 * MINUTE, 10 * HOUR))

    assert conditions.shrinks(ledger, 10 * HOUR, NOW)


def test_a_run_of_half_an_hour_ago_belongs_to_the_earlier_half() -> None:
    """What it left is not what is left now."""
    assert not conditions.shrinks(left_by((HOUR // 2, 0)), HOUR, NOW)

    ledger = left_by((40 * MINUTE, 20 * HOUR), (HOUR // 2, 5 * HOUR))
    assert not conditions.shrinks(ledger, 10 * HOUR, NOW)


def test_a_backlog_that_will_be_gone_in_just_a_day_shrinks() -> None:
    """An hour less in an hour."""
    assert conditions.shrinks(left_by((HOUR, 25 * HOUR)), 24 * HOUR, NOW)
    assert not conditions.shrinks(left_by((HOUR, 25 * HOUR)), 24 * HOUR + 1, NOW)


def test_a_backlog_that_was_noted_just_now_shows_no_pace() -> None:
    """The status may be asked for right after a run."""
    run = Ended(at=NOW, outcome="idle", throttled=False, backlog=HOUR)
    ledger = change(Watched().ledger, runs=(run,))

    assert not conditions.shrinks(ledger, HOUR, NOW)


def test_new_doubt_counts_after_six_hours_and_for_a_day() -> None:
    """Until the first sweeps have looked at it, and as long as a person may not know of it."""
    scan = Watched()
    scan.repeat(DAY, doubt=HOUR)
    began = scan.now

    seen = dict[int, int]()
    for _ in range(30):
        scan.repeat(HOUR, doubt=3 * HOUR)
        seen[(scan.now - began) // HOUR] = conditions.new_doubt(scan.ledger, scan.now)

    assert [hours for hours, doubt in seen.items() if doubt] == list(range(7, 25))
    assert set(seen.values()) == {0, 2 * HOUR}


def test_doubt_that_a_sweep_clears_does_not_count() -> None:
    """One run without it is enough."""
    scan = Watched()
    scan.repeat(DAY)
    scan.repeat(4 * HOUR, doubt=HOUR)
    scan.repeat(5 * MINUTE)

    scan.repeat(5 * HOUR, doubt=HOUR)

    assert conditions.new_doubt(scan.ledger, scan.now) == 0


def test_old_doubt_is_not_new_again_after_a_silence() -> None:
    """However long no run ended."""
    scan = Watched()
    scan.repeat(3 * DAY, doubt=HOUR)
    scan.pass_on(20 * DAY)

    scan.repeat(DAY, doubt=HOUR)

    assert conditions.new_doubt(scan.ledger, scan.now) == 0


def test_doubt_of_a_rebuilt_ledger_is_new_once() -> None:
    """In full: before its first run there was none."""
    scan = Watched()

    scan.repeat(8 * HOUR, doubt=HOUR)
    assert conditions.new_doubt(scan.ledger, scan.now) == HOUR

    scan.repeat(DAY, doubt=HOUR)
    assert conditions.new_doubt(scan.ledger, scan.now) == 0


def test_doubt_that_is_settled_still_counts() -> None:
    """What no sweep could look at is put in doubt where nothing is listed any more."""
    scan = Watched()
    scan.repeat(DAY)
    totals = change(scan.ledger.totals, doubt=HOUR)

    scan.repeat(8 * HOUR, totals=totals)

    assert conditions.new_doubt(scan.ledger, scan.now) == HOUR


def test_since_when_there_is_more_doubt_than_allowed() -> None:
    """To the hour; doubt that is allowed does not count."""
    scan = Watched()
    scan.repeat(DAY)
    scan.repeat(2 * HOUR, doubt=5 * MINUTE)
    began = scan.now
    scan.repeat(8 * HOUR, doubt=HOUR)

    assert conditions.doubtful_since(scan.ledger, scan.now, HOW) == began + HOUR
    assert conditions.doubtful_since(Watched().ledger, NOW, HOW) == NOW


def test_doubt_that_comes_back_counts_since_it_came_back() -> None:
    """Even if there was as much in some hours before."""
    scan = Watched()
    scan.repeat(DAY)
    scan.repeat(2 * HOUR, every=HOUR, doubt=HOUR)
    scan.repeat(2 * HOUR, every=HOUR)
    back = scan.now + HOUR
    scan.repeat(3 * HOUR, every=HOUR, doubt=HOUR)

    assert conditions.doubtful_since(scan.ledger, scan.now, HOW) == back


@pytest.mark.parametrize(("passed", "since"), [(6 * HOUR, HOUR), (6 * HOUR - 1, None)])
def test_doubt_is_measured_against_the_least_of_the_day_until_six_hours_ago(
    passed: int, since: int | None
) -> None:
    """An hour without any that began later may only show that some is settled."""
    scan = Watched()
    scan.repeat(DAY, every=HOUR, doubt=3 * HOUR)
    scan.repeat(HOUR, every=HOUR)
    free = scan.now
    scan.repeat(5 * HOUR, every=HOUR, doubt=3 * HOUR)
    now = free + passed

    found = conditions.doubtful_since(scan.ledger, now, HOW)

    assert found == (now if since is None else free + since)


RUNS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, MINUTE, 5 * MINUTE, HOUR, 3 * DAY, -MINUTE, -2 * DAY]),
        st.sampled_from([0, HOUR, 2 * HOUR, 27 * DAY]),
        st.sampled_from([0, HOUR, 3 * HOUR]),
        st.sampled_from(["idle", "waiting", "failed", "paused"]),
        st.booleans(),
    ),
    max_size=60,
)


def lived(runs: list[tuple[int, int, int, str, bool]]) -> Watched:
    """Return a scan that has lived through runs, gaps and clock steps."""
    scan = Watched()
    for passed, lag, doubt, outcome, throttled in runs:
        scan.pass_on(passed)
        pause = PAUSED if outcome == "paused" else None
        scan.end(outcome, lag=lag, doubt=doubt, pause=pause, met_throttle=throttled)  # type: ignore[arg-type]
    return scan


@given(runs=RUNS)
def test_what_the_ledger_keeps_of_the_runs_stays_small(
    runs: list[tuple[int, int, int, str, bool]],
) -> None:
    """It is also read as it was written."""
    scan = lived(runs)

    assert len(scan.ledger.runs) <= conditions.RUNS_KEPT
    assert len(scan.ledger.doubt_by_hour) <= conditions.HOURS_KEPT
    assert ledgers.decode(ledgers.encode(scan.ledger)) == scan.ledger


@given(runs=RUNS)
def test_no_time_in_the_ledger_lies_ahead_after_a_run(
    runs: list[tuple[int, int, int, str, bool]],
) -> None:
    """Whatever the clocks did before it."""
    scan = lived(runs)
    scan.end()

    kept = scan.ledger
    times = [*kept.conditions.values(), *(it.at for it in kept.runs), *kept.doubt_by_hour]
    assert max(times) <= scan.now
    assert [it.at for it in kept.runs] == sorted(it.at for it in kept.runs)
    assert list(kept.doubt_by_hour) == sorted(kept.doubt_by_hour)
