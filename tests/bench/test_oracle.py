"""What is possible for a rule on quiet hours is what the best detector can do."""

import random
from itertools import pairwise

import pytest

from bench.oracle import Oracle, Tenant
from bench.quiet import Rhythm, drawn, least_delay, oracle_of

RHYTHM = Rhythm(name="office", working=60, night=2)
COUNTS = drawn(RHYTHM, random.Random("oracle"))
TEN = 42 * 24 + 10
"""At ten o'clock of a Monday."""


@pytest.fixture(scope="module", params=[0, 1 / 5])
def oracle(request: pytest.FixtureRequest) -> Oracle:
    """Return a detector of the change to nothing, or to a fifth."""
    return oracle_of(RHYTHM, COUNTS, request.param)


def test_it_is_tuned_to_less_than_one_false_alarm_a_month(oracle: Oracle) -> None:
    """And to one more if its threshold were any lower."""

    def alarms(threshold: float) -> int:
        return sum(it <= threshold < after for it, after in pairwise(oracle.evidence))

    assert alarms(oracle.threshold) <= 11
    assert oracle.threshold == 0 or alarms(oracle.threshold * 0.999) > 11


def test_it_notices_at_once_that_nothing_arrives(oracle: Oracle) -> None:
    """In the first hour, or the next."""
    delay = least_delay(oracle, RHYTHM, TEN, [0] * 48)

    assert delay in {1, 2}


def test_it_notices_that_a_fifth_arrives(oracle: Oracle) -> None:
    """Only if that is what it looks for: one activity contradicts that nothing arrives."""
    delay = least_delay(oracle, RHYTHM, TEN, [12] * 48)

    assert (delay is None) == (oracle.share == 0)


def test_it_does_not_notice_what_is_as_before(oracle: Oracle) -> None:
    """A day off included, which it knows."""
    day_off = 24 * RHYTHM.off[0]

    for begin in (TEN, day_off):
        assert oracle.notices(begin, [round(RHYTHM.rate(begin + ago)) for ago in range(72)]) is None


@pytest.mark.parametrize(("days", "noticed"), [(0, True), (1 / 4, False)])
def test_a_day_with_less_is_no_change_where_days_are_uneven(days: float, *, noticed: bool) -> None:
    """If all of it is like that."""
    day = [round(RHYTHM.rate(hour) / 5) for hour in range(24)]
    tenant = Tenant(rates=[RHYTHM.rate(hour) for hour in range(24)], bursts=0.3, days=days)
    oracle = Oracle(tenant=tenant, share=1 / 5, counts=(), evidence=(), threshold=5)

    assert (oracle.notices(0, day) is not None) == noticed
