"""The pace of the last runs: requests a day, and when the backlog will be gone."""

import json
from typing import Any

import pytest

from shared.core.audit.pace import Ran, backlog_gone, budget_of, ran
from tests.fakes import DAY, HOUR, MINUTE, NOW

STATE: dict[str, Any] = {
    "backlog_seconds": 3_600.0,
    "requests_per_day_first": 100,
    "requests_per_day_sweeps": 300,
    "requests_per_day_capacity": 300,
    "requests_per_day_budget": 36_000,
}


def runs(*backlogs: float | None, requests: int = 10) -> tuple[Ran, ...]:
    """Return runs five minutes apart, the last of which ends now, by the backlog they left."""
    begun = NOW - 5 * MINUTE * (len(backlogs) - 1)
    return tuple(
        Ran(ended=begun + 5 * MINUTE * place, requests=requests, backlog_seconds=backlog)
        for place, backlog in enumerate(backlogs)
    )


def test_a_line_that_was_cut_short_is_left_out() -> None:
    """The other runs are shown, at most fifty of them."""
    line = json.dumps({"run": "a", "outcome": "idle", "ended": NOW, "more": 1})

    assert ran([line[:20], line, line[:20]]) == (Ran(run="a", outcome="idle", ended=NOW),)
    assert len(ran([line] * 60)) == 50


def test_the_budget_says_what_the_last_runs_sent_in_a_day() -> None:
    """The first run only says since when."""
    found = budget_of(STATE, runs(0.0, 0.0, 0.0))

    assert found is not None
    assert (found.first, found.sweeps, found.capacity, found.limit) == (100, 300, 300, 36_000)
    assert found.sent == 20 * DAY // (10 * MINUTE)


def test_what_was_sent_in_a_day_is_a_whole_number() -> None:
    """To the nearest request."""
    timed = tuple(Ran(ended=NOW + n, requests=1) for n in (0, 2 * MINUTE, 7 * MINUTE))

    found = budget_of(STATE, timed)

    assert found is not None
    assert found.sent == round(2 * DAY / (7 * MINUTE)) == 411

    found = budget_of(STATE, tuple(Ran(ended=NOW + n, requests=1) for n in (0, 0, 1)))
    assert found is not None
    assert found.sent == 2 * DAY


def test_too_few_runs_say_nothing_about_what_was_sent() -> None:
    """Nor do runs that all ended at once."""
    at_once = tuple(Ran(ended=NOW, requests=1) for _ in range(5))

    for few in (runs(0.0, 0.0), at_once, (Ran(), Ran(), Ran())):
        found = budget_of(STATE, few)
        assert found is not None
        assert found.sent is None


def test_a_scan_that_never_ran_has_no_budget() -> None:
    """Nothing is known about it."""
    assert budget_of({}, ()) is None


def test_a_backlog_is_gone_by_the_pace_of_the_last_runs() -> None:
    """They made up two hours in ten minutes; one hour is left."""
    assert backlog_gone(STATE, runs(10_800.0, 7_200.0, 3_600.0), NOW) == NOW + 5 * MINUTE


def test_the_pace_is_measured_since_the_backlog_was_largest() -> None:
    """Before that it grew, in an outage."""
    assert backlog_gone(STATE, runs(0.0, None, 10_800.0, 7_200.0, 3_600.0), NOW) == NOW + 5 * MINUTE


def test_the_end_of_a_backlog_is_a_whole_number_of_milliseconds() -> None:
    """As every instant is."""
    found = backlog_gone(STATE, runs(10_800.0, 7_200.0, 3_700.0), NOW)

    assert found == NOW + round(3_600_000 * 600 / 7_100)


def test_a_run_that_does_not_say_when_it_ended_measures_no_pace() -> None:
    """The others do."""
    first, *rest = runs(10_800.0, 7_200.0, 3_600.0)

    told = (first, Ran(backlog_seconds=99_999.0), *rest)

    assert backlog_gone(STATE, told, NOW) == NOW + 5 * MINUTE


@pytest.mark.parametrize(
    ("ended", "gone"),
    [
        ((0, 0, 0), NOW + HOUR // 2),
        ((0, 10, -1), NOW + HOUR // 2),
        ((-10, -10, 0), NOW + 5 * MINUTE),
        ((-10, 0, 0), NOW + 5 * MINUTE),
    ],
)
def test_a_pace_takes_time_between_the_first_run_and_the_last(
    ended: tuple[int, int, int], gone: int
) -> None:
    """A clock that was put back between them leaves none."""
    backlogs = (10_800.0, 7_200.0, 3_600.0)
    told = tuple(
        Ran(ended=NOW + n * MINUTE, backlog_seconds=it)
        for n, it in zip(ended, backlogs, strict=True)
    )

    assert backlog_gone(STATE, told, NOW) == gone


def test_without_a_pace_the_backlog_is_gone_by_what_the_runs_can_send() -> None:
    """That is three times what new time needs, so two thirds of it are left for the backlog."""
    for few in (runs(7_200.0, 3_600.0), runs(3_600.0, 3_600.0, 3_600.0, 3_600.0), ()):
        assert backlog_gone(STATE, few, NOW) == NOW + HOUR // 2


@pytest.mark.parametrize("outcome", ["clocks differ", "failed", "faults", "paused"])
def test_while_the_scan_is_halted_nobody_knows_the_end_of_the_backlog(outcome: str) -> None:
    """It is as large as it was, or grows, whatever the runs before had made up."""
    catching_up = runs(10_800.0, 7_200.0, 3_600.0)
    halted = Ran(ended=NOW, outcome=outcome, backlog_seconds=3_600.0)

    assert backlog_gone(STATE, (*catching_up, halted), NOW) is None


def test_a_backlog_that_does_not_shrink_has_no_end() -> None:
    """The runs can send no more than new time needs."""
    for most in (50, 100):
        assert backlog_gone({**STATE, "requests_per_day_capacity": most}, (), NOW) is None
    assert backlog_gone({**STATE, "requests_per_day_first": None}, (), NOW) is None


def test_without_a_backlog_there_is_no_end_of_it() -> None:
    """Nor before the first run."""
    assert backlog_gone({**STATE, "backlog_seconds": 0}, (), NOW) is None
    assert backlog_gone({}, (), NOW) is None
