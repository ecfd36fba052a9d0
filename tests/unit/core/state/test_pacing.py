"""The request budget: never exceeded in any 60 seconds, and evenly used in steady state."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.model import Pacing
from shared.core.state import pacing
from tests.fakes import HOUR, MINUTE, NOW


@given(
    per_minute=st.integers(1, 60),
    pauses=st.lists(st.integers(0, 20_000), min_size=1, max_size=150),
)
def test_no_60_seconds_hold_more_requests_than_allowed(per_minute: int, pauses: list[int]) -> None:
    """Sending whenever it is allowed, with pauses of any length in between."""
    state, now, sent = Pacing(), NOW, list[int]()

    for pause in pauses:
        now = max(now + pause, pacing.next_allowed(state, now + pause, per_minute))
        state = pacing.note_request(state, now)
        sent.append(now)

    for at in sent:
        assert sum(at - MINUTE < other <= at for other in sent) <= per_minute


@given(
    per_minute=st.integers(1, 60),
    pauses=st.lists(st.integers(0, 90_000), min_size=1, max_size=150),
)
def test_after_its_burst_a_scan_is_never_faster_than_its_limit(
    per_minute: int, pauses: list[int]
) -> None:
    """Whatever it rested in between: what it did not send is not made up for."""
    state, now, sent = Pacing(), NOW, list[int]()

    for pause in pauses:
        now = pacing.next_allowed(state, now + pause, per_minute)
        state = pacing.note_request(state, now)
        lately = [at for at in sent if now - MINUTE < at]
        if len(lately) >= pacing.burst(per_minute):
            assert (now - lately[-1]) * per_minute >= MINUTE
        sent.append(now)


@given(per_minute=st.integers(1, 60))
def test_a_busy_scan_sends_all_that_its_limit_allows(per_minute: int) -> None:
    """Over ten minutes, the burst at their beginning included."""
    state, now, sent = Pacing(), NOW, 0

    while now < NOW + 10 * MINUTE:
        state = pacing.note_request(state, now)
        sent += 1
        now = pacing.next_allowed(state, now, per_minute)

    assert 10 * per_minute >= sent >= 0.99 * 10 * per_minute


@given(
    per_minute=st.integers(2, 60),
    busy=st.integers(1, 120),
    rest=st.integers(0, MINUTE),
)
def test_bursts_after_a_rest_stay_inside_the_budget(per_minute: int, busy: int, rest: int) -> None:
    """Work and rest in turns: a request counts for the whole of its 60 seconds."""
    state, now, sent = Pacing(), NOW, list[int]()

    for number in range(1, 400):
        now = pacing.next_allowed(state, now, per_minute)
        state = pacing.note_request(state, now)
        sent.append(now)
        now += rest if number % busy == 0 else 0

    windows = zip(sent, sent[per_minute:], strict=False)
    assert min((later - at for at, later in windows), default=MINUTE) >= MINUTE


@pytest.mark.parametrize("age", [0, 1, 54_999, MINUTE - 1])
def test_a_used_up_budget_waits_for_its_oldest_request(age: int) -> None:
    """Until that is 60 seconds old, to the millisecond."""
    state = Pacing(sent_at=(NOW - age,) * 25)

    assert pacing.next_allowed(state, NOW, 25) == NOW - age + MINUTE
    assert pacing.next_allowed(state, NOW - age + MINUTE, 25) == NOW - age + MINUTE


def test_a_quiet_scan_does_not_wait() -> None:
    """An ordinary tick's few requests follow each other at once."""
    state = Pacing()
    for _ in range(pacing.BURST):
        assert pacing.next_allowed(state, NOW, 25) == NOW
        state = pacing.note_request(state, NOW)

    assert pacing.next_allowed(state, NOW, 25) > NOW


def test_requests_in_the_future_are_a_clock_s_mistake() -> None:
    """They do not hold anything up."""
    state = Pacing(sent_at=tuple(NOW + HOUR + n for n in range(100)))

    assert pacing.next_allowed(state, NOW, 25) == NOW


def test_requests_are_counted() -> None:
    """A request's number says whose it is."""
    first = pacing.note_request(Pacing(), NOW)

    assert (first.requests, pacing.note_request(first, NOW).requests) == (1, 2)


@pytest.mark.parametrize(("ahead", "waits"), [(30_000, True), (HOUR, True), (HOUR + 1, False)])
def test_a_throttle_holds_for_an_hour_at_most(ahead: int, waits: bool) -> None:  # noqa: FBT001
    """One further ahead was noted by a fast clock."""
    state = pacing.note_throttle(Pacing(), NOW, ahead)

    assert (pacing.next_allowed(state, NOW, 25) > NOW) == waits


@pytest.mark.parametrize("longer", [50_000, HOUR])
def test_a_shorter_throttle_does_not_shorten_a_longer_one(longer: int) -> None:
    """Two lanes may be throttled at once."""
    state = pacing.note_throttle(pacing.note_throttle(Pacing(), NOW, longer), NOW, 1_000)

    assert pacing.next_allowed(state, NOW, 25) == NOW + longer


def test_a_throttle_counts_beside_one_that_a_fast_clock_noted() -> None:
    """What is ignored must not hide what is real."""
    noted = Pacing(not_before=NOW + 5 * HOUR)

    state = pacing.note_throttle(noted, NOW, 30_000)

    assert pacing.next_allowed(state, NOW, 25) == NOW + 30_000


def test_the_next_step_is_expected_to_be_as_slow_as_the_slowest_of_the_last() -> None:
    """Of the last five; older ones are forgotten."""
    state = Pacing()
    for duration in (90_000, 1, 2, 9_000, 3, 4):
        state = pacing.note_step(state, duration)

    assert pacing.expected_step(state) == 9_000


@pytest.mark.parametrize("wait", [1, 2_000])
def test_each_further_throttle_doubles_the_wait(wait: int) -> None:
    """Up to an hour, counted from when it came."""
    state, waits = Pacing(), []
    for _ in range(26):
        state = pacing.note_throttle(state, NOW, wait)
        waits.append(state.not_before - NOW)

    assert waits[:4] == [wait, 2 * wait, 4 * wait, 8 * wait]
    assert waits[-3:] == [HOUR, HOUR, HOUR]


def test_a_count_of_throttles_that_no_scan_could_reach_waits_an_hour_too() -> None:
    """A ledger may hold any number: doubling so often would take more memory than there is."""
    state = pacing.note_throttle(Pacing(throttles=10**12), NOW, 1)

    assert state.not_before == NOW + HOUR


def test_a_known_throttle_makes_the_wait_no_longer_than_it_says() -> None:
    """What was on its way meanwhile counts once."""
    state = pacing.note_throttle(Pacing(), NOW, 2_000)

    again = pacing.note_throttle(state, NOW, 3_000, known=True)

    assert (again.not_before - NOW, again.throttles) == (3_000, 1)


def test_a_page_ends_the_row_of_throttles() -> None:
    """The wait itself stays: another request may have been refused meanwhile."""
    state = pacing.note_throttle(pacing.note_throttle(Pacing(), NOW, 1_000), NOW, 1_000)

    served = pacing.note_page(state)

    assert (served.throttles, served.not_before) == (0, NOW + 2_000)
