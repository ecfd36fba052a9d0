"""What the tenant's activity needs, and what the runs can send."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.model import Load, Pacing
from shared.core.state.capacity import (
    capacity,
    first_per_day,
    is_overloaded,
    noted,
    sweeps_per_day,
)
from shared.core.state.ledger import begin
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy

SECOND = 1000


def paced(*, every: int, step: int = 300) -> Pacing:
    """Return the pacing of runs that started so many seconds apart."""
    starts = tuple(NOW + n * every * SECOND for n in range(13))
    return Pacing(starts=starts, durations=(step,) * 21)


@pytest.mark.parametrize(
    ("budget", "every", "share"),
    [
        (240, 300, 0.8),
        (290, 300, 0.967),
        (540, 600, 0.9),
        (240, 240, 1),
        (240, 60, 1),
        (240, 3600, 0.067),
        (120, 300, 0.4),
    ],
)
def test_the_capacity_is_the_limit_times_the_time_in_which_a_run_may_work(
    budget: int, every: int, share: float
) -> None:
    """The time budget by the interval between two starts, and never more than all."""
    how = policy(budget=budget * SECOND, requests_per_minute=25)

    assert capacity(paced(every=every), how) == pytest.approx(36_000 * share, rel=0.01)


@pytest.mark.parametrize("starts", [(), (NOW,), (NOW, NOW + DAY), (NOW, NOW + DAY, NOW + 2 * DAY)])
def test_until_the_interval_is_known_four_fifths_of_the_time_are_assumed(
    starts: tuple[int, ...],
) -> None:
    """That is what the defaults come to; one interval may be an outage."""
    assert capacity(Pacing(starts=starts), policy(requests_per_minute=25)) == 28_800


def test_three_intervals_are_enough_to_know_the_usual_one() -> None:
    """Runs of four minutes every ten."""
    starts = tuple(NOW + n * 10 * MINUTE for n in range(4))

    assert capacity(Pacing(starts=starts), policy(requests_per_minute=25)) == 14_400


def test_starts_at_one_instant_are_no_interval() -> None:
    """A clock that stands still says nothing about the timer."""
    starts = (*[NOW] * 6, *(NOW + n * 10 * MINUTE for n in range(1, 4)))

    assert capacity(Pacing(starts=starts), policy(requests_per_minute=25)) == 14_400


def test_runs_that_end_early_leave_no_more_time_than_there_is() -> None:
    """They start every minute while little is due; a run that is busy lasts four."""
    how = policy(requests_per_minute=25)

    assert capacity(paced(every=60, step=30_000), how) == 7 * 360


def test_an_outage_or_an_extra_run_does_not_change_the_capacity() -> None:
    """The usual interval counts, and a clock that steps leaves no negative one."""
    starts = [NOW + n * 5 * MINUTE for n in range(8)]
    odd = (*starts[:3], starts[3] + 9 * DAY, starts[2], *starts[3:], starts[-1] + 1)

    assert capacity(Pacing(starts=odd), policy(requests_per_minute=25)) == 28_800


@pytest.mark.parametrize(("lanes", "per_day"), [(1, 2016), (3, 6048), (16, 28_800)])
def test_slow_answers_allow_no_more_than_the_lanes_get_answered(lanes: int, per_day: int) -> None:
    """Seven answers of 30 s fit a run of four minutes."""
    how = policy(requests_per_minute=25, concurrency=lanes)

    assert capacity(paced(every=300, step=30_000), how) == per_day


def test_a_run_of_seconds_sends_its_burst() -> None:
    """More than its share of the hour: the limit is for a minute."""
    how = policy(budget=5_000, requests_per_minute=25)

    assert capacity(paced(every=3600), how) == 6 * 24


def test_a_run_of_a_minute_sends_the_share_of_a_minute() -> None:
    """However long its last step takes."""
    how = policy(budget=MINUTE, requests_per_minute=25, concurrency=16)

    assert capacity(paced(every=3600, step=10_000), how) == 25 * 24


@given(
    budget=st.integers(5, 540),
    every=st.integers(1, 3600),
    per_minute=st.integers(1, 30),
    lanes=st.integers(1, 6),
    step=st.integers(1, 120_000),
)
def test_the_capacity_is_positive_and_within_the_limit(
    budget: int, every: int, per_minute: int, lanes: int, step: int
) -> None:
    """Whatever the settings."""
    how = policy(budget=budget * SECOND, requests_per_minute=per_minute, concurrency=lanes)

    assert 0 < capacity(paced(every=every, step=step), how) <= per_minute * 1440


def test_the_need_is_that_of_all_hours_however_much_of_them_is_covered() -> None:
    """An overloaded scan covers a fifth of a busy hour and all of a quiet one."""
    load = {
        NOW: Load(requests=60, covered=12 * MINUTE),
        NOW + HOUR: Load(requests=20, covered=HOUR),
    }

    assert first_per_day(load) == (300 + 20) // 2 * 24


def test_an_hour_of_which_hardly_anything_is_covered_counts_for_little() -> None:
    """One second that took a request would otherwise make an hour of 3600."""
    load = {
        NOW: Load(requests=1, covered=SECOND),
        NOW + HOUR: Load(requests=20, covered=HOUR),
    }

    assert first_per_day(load) == pytest.approx(20 * 24, rel=0.5)


def test_an_hour_of_which_nothing_is_covered_does_not_count() -> None:
    """It has no rate."""
    load = {
        NOW: Load(requests=3, covered=0),
        NOW + HOUR: Load(requests=20, covered=HOUR),
    }

    assert first_per_day(load) == 20 * 24


def test_the_need_is_unknown_while_nothing_is_covered() -> None:
    """Nothing is as yet, or nothing of the hours that are known."""
    assert first_per_day({}) is first_per_day({NOW: Load(requests=3, covered=0)}) is None


def test_the_need_is_a_whole_number_of_requests() -> None:
    """Reports show it, and so does the ledger's forecast."""
    need = first_per_day({NOW: Load(requests=1, covered=7 * MINUTE)})

    assert (need, type(need)) == (206, int)


def test_the_load_keeps_the_newest_seven_days_that_have_coverage() -> None:
    """Weekdays differ from weekends; what a backlog costs does not replace what is newer."""
    load: dict[int, Load] = {}
    for hour in range(200):
        load = noted(load, start=NOW + hour * HOUR, end=NOW + (hour + 1) * HOUR, requests=hour)

    old = noted(load, start=NOW, end=NOW + HOUR, requests=999)

    assert list(load) == [NOW + hour * HOUR for hour in range(200 - 168, 200)]
    assert old == load


def test_slices_of_one_hour_are_summed_up() -> None:
    """However many there are."""
    load = noted({}, start=NOW, end=NOW + 5 * MINUTE, requests=3)

    load = noted(load, start=NOW + 5 * MINUTE, end=NOW + 6 * MINUTE, requests=1)

    assert load == {NOW: Load(requests=4, covered=6 * MINUTE)}


@pytest.mark.parametrize(
    ("ages", "by", "axis", "sweeps"),
    [
        ((), "full", "date", 0),
        ((2, 24), "full", "date", 2 * 480),
        ((2, 24, 72), "full", "date", 3 * 480),
        ((2, 24, 72), "created", "date", 2 * 480 + 24),
        ((2, 24, 72), "created", "created", 3 * 480),
        ((2,), "created", "date", 480),
    ],
)
def test_every_full_look_costs_what_the_first_pass_does(
    ages: tuple[int, ...], by: str, axis: str, sweeps: int
) -> None:
    """One that asks by `created` costs a request for each hour."""
    names = tuple((f"sweep-{age}h", age * HOUR) for age in ages)
    how = policy(sweeps=names, sweep_by=by, axis=axis)

    assert sweeps_per_day(480, how) == sweeps


def test_a_usual_step_is_the_median_of_the_last() -> None:
    """One timeout does not make the API slow."""
    steps = (*([1000] * 11), *([120_000] * 10))
    how = policy(requests_per_minute=25)

    assert capacity(Pacing(durations=steps), how) == capacity(Pacing(), how)


def test_scans_of_one_host_can_use_the_time_that_the_others_leave() -> None:
    """Their share of the time budget says nothing about what they can send."""
    how = policy(requests_per_minute=25, budget=5_000, budget_expected=4 * MINUTE)

    assert capacity(paced(every=300), how) == 100 * 288


def test_until_a_step_is_known_it_takes_no_time() -> None:
    """Fifty seconds hold a burst and 18 more, or as many answers as fit."""
    how = policy(requests_per_minute=25, budget=50_000)
    known = paced(every=600, step=3_000)

    assert capacity(Pacing(starts=known.starts), how) == 23 * 144
    assert capacity(known, how) == 15 * 144


@pytest.mark.parametrize(
    ("needs", "overloaded", "still"),
    [(1200, False, True), (1201, True, True), (1140, False, False), (1141, False, True)],
)
def test_an_overload_begins_above_the_capacity_and_ends_clearly_below(
    needs: int, *, overloaded: bool, still: bool
) -> None:
    """So it does not come and go with every run."""
    how = policy(requests_per_minute=25)
    ledger = msgspec.structs.replace(
        begin(how, NOW), load={NOW: Load(requests=needs, covered=HOUR)}, pacing=Pacing()
    )

    assert is_overloaded(ledger, how) is overloaded
    assert is_overloaded(msgspec.structs.replace(ledger, overloaded=True), how) is still


def test_a_scan_of_unknown_need_is_not_overloaded() -> None:
    """Nothing is covered yet."""
    assert not is_overloaded(begin(policy(), NOW), policy())
