"""Conditions: what runs find wrong, since when, and what of it is kept for how long."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.model import Ended, Pacing, Pause
from shared.core.state import conditions
from shared.core.state import ledger as ledgers
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy
from tests.unit.core.watched import HOW, THROTTLE, Watched, blocked, load

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


FOUND = [
    ({"lag": 61 * MINUTE}, ["lag"]),
    ({"lag": HOUR}, []),
    ({"lag": 27 * DAY}, ["soon-lost", "lag"]),
    ({"load": load(28_824)}, ["over-budget"]),
    ({"load": load(28_800)}, []),
]


@pytest.mark.parametrize(("left", "names"), FOUND, ids=str)
def test_a_run_notes_what_passes_its_limit(left: dict[str, Any], names: list[str]) -> None:
    """A limit that is just reached is not passed."""
    scan = Watched()

    scan.end(**left)

    assert list(scan.ledger.conditions) == names


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
        conditions.change(scan.ledger, coverage=whole),
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
    over = conditions.change(PAUSED, until=NOW)

    assert conditions.is_paused(conditions.change(Watched().ledger, pause=PAUSED), NOW)
    assert not conditions.is_paused(conditions.change(Watched().ledger, pause=over), NOW)
    assert conditions.is_paused(conditions.change(Watched().ledger, pause=over), NOW - 1)


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
    ledger = conditions.change(Watched().ledger, runs=runs)

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
    ledger = conditions.change(Watched().ledger, runs=runs)

    assert conditions.shrinks(ledger, 10 * HOUR, NOW) == does


def test_a_backlog_that_was_noted_just_now_shows_no_pace() -> None:
    """The status may be asked for right after a run."""
    run = Ended(at=NOW, outcome="idle", throttled=False, backlog=HOUR)
    ledger = conditions.change(Watched().ledger, runs=(run,))

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


def test_doubt_that_is_settled_still_counts() -> None:
    """What no sweep could look at is put in doubt where nothing is listed any more."""
    scan = Watched()
    scan.repeat(DAY)
    totals = conditions.change(scan.ledger.totals, doubt=HOUR)

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
