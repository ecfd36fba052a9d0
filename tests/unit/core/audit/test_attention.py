"""Attention: what needs a person, how soon, since when, and which section helps."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.audit import attention
from shared.core.audit.attention import (
    Kind,
    WrongList,
    apparent,
    attention_to,
    failing,
    reported_as,
    shown,
)
from shared.core.audit.quiet import Cause, Quiet
from shared.core.model import Condition, Loss, Pause
from shared.core.state.report import Tally, encode, report_fields
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy
from tests.unit.core.watched import ORIGIN, Watched, blocked, load

QUIET = Quiet("less", NOW, 4)
PAUSE = Pause(since=NOW, until=None, by="ann", reason="a new tenant")

BEHIND = 2 * HOUR


def test_a_scan_that_is_up_to_date_needs_nobody() -> None:
    """Whatever was lost or in doubt long ago."""
    scan = Watched()

    scan.repeat(2 * DAY, doubt=HOUR, lost_at=NOW)

    assert scan.attention() == {}


def test_a_lag_needs_a_person_after_an_hour() -> None:
    """A single late run does not."""
    scan = Watched()

    scan.repeat(HOUR, lag=BEHIND)
    assert scan.kinds() == set()

    scan.repeat(5 * MINUTE, lag=BEHIND)
    assert scan.attention()["lag"].since == NOW + 5 * MINUTE


def test_one_better_run_ends_a_lag() -> None:
    """The hour then begins again."""
    scan = Watched()
    scan.repeat(2 * HOUR, lag=BEHIND)

    scan.repeat(5 * MINUTE, lag=HOUR)
    assert scan.kinds() == set()

    scan.repeat(HOUR, lag=BEHIND)
    assert scan.kinds() == set()


def test_a_backlog_that_will_be_gone_within_a_day_needs_nobody() -> None:
    """A first run begins a week back."""
    scan = Watched()
    for lag in range(7 * DAY, 0, -40 * MINUTE):
        scan.repeat(5 * MINUTE, lag=lag)

        assert scan.kinds() == set()


def test_a_scan_that_was_off_for_days_is_behind_an_hour_after_it_resumed() -> None:
    """Unless it catches up."""
    scan = Watched()
    scan.repeat(HOUR)
    scan.pass_on(3 * DAY)

    scan.repeat(HOUR, lag=3 * DAY)
    assert scan.kinds() == set()

    scan.repeat(5 * MINUTE, lag=3 * DAY)
    assert scan.kinds() == {"lag"}


def test_the_lag_counts_from_the_last_run_while_none_ends() -> None:
    """Nobody has seen it shrink; this is what the status shows of an app that is stopped."""
    scan = Watched()
    scan.repeat(HOUR)
    stopped = scan.now

    scan.pass_on(3 * HOUR)

    assert scan.attention()["lag"].since == stopped


def test_a_lag_that_nobody_noted_waits_for_the_end_of_the_run_at_work() -> None:
    """It may be catching up; another run reports meanwhile that it is busy."""
    scan = Watched()
    scan.repeat(HOUR)
    scan.pass_on(27 * DAY)

    scan.leave(lag=27 * DAY, claimed_until=scan.now + MINUTE)

    assert scan.kinds() == {"soon-lost"}


def test_time_that_is_soon_lost_needs_a_person_after_an_hour() -> None:
    """It is often scanned at once, since it has priority."""
    scan = Watched()

    scan.repeat(HOUR, lag=27 * DAY)
    assert scan.kinds() == set()

    scan.repeat(5 * MINUTE, lag=27 * DAY)
    found = scan.attention()["soon-lost"]
    assert found.since == NOW + 5 * MINUTE
    assert found.text.startswith("2 h of activities are not collected")
    assert found.text.endswith("will be lost at 2026-11-26 10:55:00 UTC")


def test_a_loss_needs_a_person_for_a_day() -> None:
    """The loss is permanent, and the message about it need not be."""
    scan = Watched()

    scan.end(lost_at=NOW, lost=(Loss(start=ORIGIN, end=ORIGIN + 5 * HOUR, reason="too old"),))
    found = scan.attention()["lost"]
    assert found.since == NOW
    assert found.text == (
        "Time was declared lost at 2026-11-23 12:00:00 UTC, because the API no longer shows it; "
        "5 h are lost since the scan began"
    )

    scan.pass_on(DAY - 1)
    scan.end()
    assert scan.kinds() == {"lost"}

    scan.pass_on(1)
    scan.end()
    assert scan.kinds() == set()


def test_a_slice_that_is_blocked_needs_a_person_after_an_hour() -> None:
    """The text names the first of them and its fault."""
    scan = Watched()
    held_up = (blocked(NOW, start=NOW - 4 * HOUR), blocked(NOW - HOUR + 1))

    scan.end(open=held_up)
    assert scan.kinds() == set()

    scan.pass_on(1)
    found = scan.attention()["blocked"]
    assert found.since == NOW - HOUR + 1
    assert found.text.startswith("2 slices are blocked")
    assert "2026-11-23 07:00:00 UTC to 2026-11-23 07:00:01 UTC, HTTP 500: no" in found.text


def test_blocked_sweeps_say_when_they_keep_others_from_beginning() -> None:
    """At sixteen of them."""
    scan = Watched()
    sweeps = [
        blocked(NOW - DAY, start=NOW - HOUR * n, pass_name="sweep-2h", fault=None)
        for n in range(16)
    ]

    scan.end(open=tuple(sweeps[:15]))
    assert "no new sweep begins" not in scan.attention()["blocked"].text

    scan.end(open=tuple(sweeps))
    assert scan.attention()["blocked"].text.endswith("no new sweep begins")


def test_one_blocked_slice_is_one() -> None:
    """The text has no plural for it, and other open slices do not count."""
    scan = Watched()
    other = msgspec.structs.replace(blocked(NOW, start=NOW - HOUR), blocked_since=None)

    scan.end(open=(blocked(NOW - DAY), other))

    assert scan.attention()["blocked"].text.startswith("1 slice is blocked")


@pytest.mark.parametrize(
    ("kind", "left"), [("over-budget", {"load": load(40_800)}), ("sweeps-behind", {})]
)
def test_what_concerns_the_budget_needs_a_person_after_six_hours(
    kind: str, left: dict[str, Any]
) -> None:
    """One run that does not find it begins the six hours again."""
    sweeps = (("sweep-24h", DAY),) if kind == "sweeps-behind" else ()
    scan = Watched(policy(sweeps=sweeps, requests_per_minute=25))

    scan.repeat(6 * HOUR, **left)
    assert scan.kinds() == set()

    scan.repeat(5 * MINUTE, **left)
    found = scan.attention()[kind]
    assert found.since == NOW + 5 * MINUTE
    assert "28,800" in found.text


def test_late_sweeps_say_what_everything_needs_if_it_is_known() -> None:
    """Before anything is covered, nobody knows."""
    scan = Watched(policy(sweeps=(("sweep-24h", DAY),), requests_per_minute=25))

    scan.repeat(7 * HOUR)
    assert "an unknown number of requests a day" in scan.attention()["sweeps-behind"].text

    scan.repeat(5 * MINUTE, load=load(2_400))
    assert "needs 4,800 requests a day" in scan.attention()["sweeps-behind"].text


def test_throttling_needs_a_person_if_most_runs_of_an_hour_meet_it() -> None:
    """The text says how many."""
    scan = Watched()
    scan.repeat(HOUR)

    scan.repeat(30 * MINUTE, met_throttle=True)
    assert scan.kinds() == set()

    scan.repeat(5 * MINUTE, met_throttle=True)
    found = scan.attention()["throttled"]
    assert found.text.startswith("7 of the last 12 runs")
    assert found.since == scan.now


def test_new_doubt_needs_a_person_once_the_first_sweep_has_left_it() -> None:
    """As much as the settings allow does not."""
    scan = Watched()
    scan.repeat(DAY)
    began = scan.now

    scan.repeat(8 * HOUR, doubt=5 * MINUTE)
    assert scan.kinds() == set()

    scan.repeat(8 * HOUR, doubt=6 * MINUTE)
    found = scan.attention()["doubt"]
    assert found.since == began + 9 * HOUR
    assert found.text.startswith("6 min of time have been in doubt")


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("less", "Since 2026-11-23 08:00:00 UTC, far less has arrived"),
        ("silence", "Since 2026-11-23 08:00:00 UTC, nothing has arrived"),
        ("nothing", "every hour that was read since 2026-11-23 08:00:00 UTC is empty"),
    ],
)
def test_a_quiet_scan_needs_a_person(cause: Cause, says: str) -> None:
    """Since when follows from its history."""
    found = Watched().attention(quiet=Quiet(cause, NOW - 4 * HOUR, 4))["quiet"]

    assert found.since == NOW - 4 * HOUR
    assert says in found.text


@pytest.mark.parametrize(
    ("until", "says"),
    [
        (None, "until somebody resumes the scan"),
        (NOW + 5 * DAY, "until 2026-11-28 12:00:00 UTC"),
    ],
)
def test_a_pause_needs_a_person_after_a_day(until: int | None, says: str) -> None:
    """Somebody may have forgotten it, or set its end too late."""
    scan = Watched()
    pause = Pause(since=NOW, until=until, by="ann", reason="a new tenant")

    scan.repeat(DAY - 5 * MINUTE, outcome="paused", pause=pause)
    assert scan.kinds() == set()

    scan.repeat(5 * MINUTE, outcome="paused", pause=pause)
    found = scan.attention()["paused"]
    assert found.since == NOW
    assert found.text.startswith("ann paused the scan at 2026-11-23 12:00:00 UTC (a new tenant)")
    assert found.text.endswith(says)


def test_a_pause_without_a_reason_and_one_that_is_over() -> None:
    """No brackets are left empty, and nobody is told of a pause that has ended."""
    scan = Watched()
    scan.pass_on(2 * DAY)

    scan.leave(pause=Pause(since=NOW, until=None, by="ann", reason=""))
    assert scan.attention()["paused"].text == (
        "ann paused the scan at 2026-11-23 12:00:00 UTC, and nothing is collected until somebody "
        "resumes the scan"
    )

    scan.leave(pause=Pause(since=NOW, until=scan.now, by="ann", reason=""))
    assert "paused" not in scan.kinds()


def test_a_pause_silences_what_it_brings_about_and_never_a_loss() -> None:
    """Lag, quiet hours and late sweeps are expected then."""
    scan = Watched(policy(sweeps=(("sweep-24h", DAY),), requests_per_minute=25))
    scan.repeat(7 * HOUR, lag=27 * DAY)
    assert {"lag", "soon-lost"} <= scan.kinds()

    scan.repeat(5 * MINUTE, outcome="paused", lag=27 * DAY, pause=PAUSE, lost_at=NOW)
    found = scan.attention(quiet=QUIET)

    assert set(found) == {"soon-lost", "lost"}


def test_every_kind_has_a_severity_and_a_section_of_the_runbook() -> None:
    """Both tables list every kind, and every condition is one."""
    assert list(attention.SECTIONS) == list(attention.SEVERITIES) == list(get_args(Kind))
    assert set(attention.SEVERITIES.values()) == {1, 2, 3}
    assert set(attention.PATIENCE) == set(get_args(Condition)) < set(get_args(Kind))
    assert len(get_args(Kind)) <= attention.MOST


def everything() -> Watched:
    """Return a scan with which everything is wrong."""
    scan = Watched(policy(sweeps=(("sweep-24h", DAY),), requests_per_minute=25))
    scan.repeat(DAY, lag=27 * DAY)
    wrong: dict[str, Any] = {
        "lag": 27 * DAY,
        "doubt": HOUR,
        "load": load(40_800),
        "open": (blocked(NOW, fault="<html>" * 2_000),),
        "met_throttle": True,
        "lost_at": NOW + DAY,
    }
    scan.repeat(8 * HOUR, **wrong)
    return scan


def test_the_most_severe_comes_first_and_each_kind_once() -> None:
    """With everything wrong at once."""
    scan = everything()

    found = list(scan.attention(quiet=QUIET).values())

    kinds = [it.kind for it in found]
    assert set(kinds) == set(get_args(Kind)) - {"failing", "paused", "scan-list"}
    assert [it.severity for it in found] == sorted(it.severity for it in found)
    assert all(it.help == f"docs/runbook.md#{attention.SECTIONS[it.kind]}" for it in found)
    assert all(it.since is not None for it in found)


def test_a_report_line_that_is_cut_keeps_every_kind() -> None:
    """The platform cuts long traces, and texts are shortened first."""
    scan = everything()
    found = reported_as(tuple(scan.attention(quiet=QUIET).values()))
    tally = Tally(scan="all", run="r", ledger=scan.ledger, now=scan.now, last_fault="x" * 90_000)
    error = OSError("y" * 90_000)

    line = encode(
        report_fields(tally, scan.how, "failed", duration=1, error=error, attention=found)
    )

    assert len(line) <= 32_768
    assert line.index('"attention"') < 200
    for it in found:
        assert f'"kind":"{it["kind"]}","severity":{it["severity"]}' in line
        assert it["help"] in line


def test_the_report_line_has_what_the_alerts_read() -> None:
    """In this order."""
    (found,) = reported_as([failing("no disk", NOW)])

    assert list(found.items()) == [
        ("kind", "failing"),
        ("severity", 1),
        ("since", NOW),
        ("text", "The last run failed: no disk"),
        ("help", "docs/runbook.md#failing-runs"),
    ]


APPARENT = [
    ({"soon_lost_seconds": 1.0}, {"soon-lost"}),
    ({"lag_seconds": 3_601.0}, {"lag"}),
    ({"lag_seconds": 3_600.0}, set[str]()),
    ({"blocked_slices": 1}, {"blocked"}),
    ({"doubt_seconds": 0.1}, {"doubt"}),
    ({"requests_per_day_first": 11, "requests_per_day_capacity": 10}, {"over-budget"}),
    ({"requests_per_day_first": 1, "requests_per_day_capacity": 0}, {"over-budget"}),
    ({"requests_per_day_first": 10, "requests_per_day_capacity": 10}, set[str]()),
    ({"requests_per_day_first": None, "requests_per_day_capacity": 10}, set[str]()),
    ({}, set[str]()),
]


@pytest.mark.parametrize(("state", "kinds"), APPARENT, ids=str)
def test_what_is_apparent_need_not_have_lasted(state: dict[str, Any], kinds: set[str]) -> None:
    """The verdict of the status is about this moment."""
    assert apparent(state) == kinds


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(119, "119 s"), (120, "2 min"), (7_199, "120 min"), (7_200, "2 h"), (172_800, "2 days")],
)
def test_a_length_of_time_is_shown_in_the_largest_unit_that_fits(seconds: int, said: str) -> None:
    """A unit fits from twice its length."""
    assert shown(seconds) == said


LAGS = st.sampled_from([0, HOUR, BEHIND, 27 * DAY])
STEPS = st.sampled_from([1, MINUTE, 5 * MINUTE, 20 * MINUTE, HOUR, 3 * HOUR, 3 * DAY])
JUMPS = st.sampled_from([0, 0, 0, -MINUTE, -3 * HOUR, -40 * DAY, 40 * DAY])


@given(runs=st.lists(st.tuples(STEPS, LAGS), min_size=1, max_size=40))
def test_a_lag_never_needs_a_person_unless_every_run_of_an_hour_found_it(
    runs: list[tuple[int, int]],
) -> None:
    """Whatever gaps there were between runs."""
    scan = Watched()
    ended = list[tuple[int, int]]()
    for passed, lag in runs:
        scan.pass_on(passed)
        scan.end(lag=lag)
        ended.append((scan.now, lag))

    if "lag" in scan.kinds():
        recent = [lag for at, lag in ended if at > scan.now - HOUR]
        assert len(ended) > 1
        assert all(lag > HOUR for lag in recent)


@given(runs=st.lists(st.tuples(STEPS, JUMPS, LAGS, st.booleans()), max_size=30))
def test_whatever_came_before_a_day_of_calm_runs_needs_nobody(
    runs: list[tuple[int, int, int, bool]],
) -> None:
    """No gap and no step of a clock leaves a condition behind."""
    scan = Watched()
    for passed, jump, lag, throttled in runs:
        scan.pass_on(passed + jump)
        scan.end(lag=lag, met_throttle=throttled, doubt=lag, lost_at=scan.now)

    scan.repeat(DAY + HOUR, every=20 * MINUTE)

    assert scan.kinds() == set()


@given(runs=st.lists(st.tuples(STEPS, JUMPS, LAGS, st.booleans()), max_size=30))
def test_whatever_came_before_what_lasts_for_hours_needs_a_person(
    runs: list[tuple[int, int, int, bool]],
) -> None:
    """No gap and no step of a clock silences a condition."""
    scan = Watched()
    for passed, jump, lag, throttled in runs:
        scan.pass_on(passed + jump)
        scan.end(lag=lag, met_throttle=throttled)

    scan.repeat(3 * HOUR, every=20 * MINUTE, lag=27 * DAY, met_throttle=True)

    assert scan.kinds() == {"soon-lost", "lag", "throttled"}


def test_a_wrong_list_of_scans_needs_a_person_at_once() -> None:
    """Since it was written, and with the first of its problems."""
    scan = Watched()
    wrong = WrongList(since=NOW - HOUR, problems=("scans.json[1] (b): is wrong", "so is c"))

    (entry,) = attention_to(scan.ledger, scan.how, NOW, wrong_list=wrong)

    assert (entry.kind, entry.severity, entry.since) == ("scan-list", 2, NOW - HOUR)
    assert entry.text.endswith("is: scans.json[1] (b): is wrong (and 1 more)")
    assert entry.help == "docs/runbook.md#scan-list"
