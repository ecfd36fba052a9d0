"""Other clocks beside the run's: how far they are ahead, and for how long that is believed."""

import pytest

from shared.core.clocks import (
    ServiceTime,
    apart,
    earlier,
    later,
    noticeably_apart,
    too_far_apart,
    waits,
)
from shared.core.model import ApiClock
from tests.fakes import DAY, HOUR, MINUTE, NOW


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        (NOW, 0),
        (NOW + 30_000, 0),
        (NOW + 30_001, 1),
        (NOW - 999, 0),
        (NOW - 1000, -1),
        (NOW - HOUR, 999 - HOUR),
    ],
)
def test_a_slow_answer_says_nothing_about_the_clock(date: int, ahead: int) -> None:
    """Sent now and answered after 30 s; a `Date` has whole seconds."""
    assert apart(date, sent=NOW, answered=NOW + 30_000) == ahead


@pytest.mark.parametrize("offset", [-HOUR, 0, HOUR])
def test_the_api_s_clock_is_believed_for_an_hour(offset: int) -> None:
    """A wrong local clock may have noted it, and only a request can correct that."""
    known = ApiClock(offset=offset, at=NOW)

    for now in (NOW - MINUTE, NOW, NOW + HOUR - 1):
        assert earlier(known, now) == min(now, now + offset)
        assert later(known, now) == max(now, now + offset)
    for now in (NOW + HOUR, NOW - MINUTE - 1):
        assert earlier(known, now) == later(known, now) == now


def test_an_api_without_a_date_has_the_run_s_time() -> None:
    """Nothing else is known."""
    assert earlier(None, NOW) == later(None, NOW) == NOW


@pytest.mark.parametrize(
    ("offset", "noticeable", "too_far"),
    [
        (0, False, False),
        (-MINUTE, False, False),
        (MINUTE + 1, True, False),
        (-DAY, True, False),
        (-DAY - 1, True, True),
        (DAY + 1, True, True),
    ],
)
def test_clocks_that_differ_are_reported_and_beyond_a_day_not_trusted(
    offset: int, *, noticeable: bool, too_far: bool
) -> None:
    """In either direction."""
    assert noticeably_apart(offset) is noticeable
    assert too_far_apart(offset) is too_far


@pytest.mark.parametrize(
    ("not_before", "waiting"),
    [(NOW, False), (NOW + 1, True), (NOW + HOUR, True), (NOW + HOUR + 1, False)],
)
def test_nothing_waits_for_more_than_an_hour(not_before: int, *, waiting: bool) -> None:
    """What is further ahead was written by a clock that was fast."""
    assert waits(not_before, NOW) is waiting


@pytest.mark.parametrize("written", [500, 700, 1_500])
@pytest.mark.parametrize("fraction", [0, 1, 998, 999])
def test_the_time_of_the_service_is_between_its_earliest_and_its_latest(
    written: int, fraction: int
) -> None:
    """Whenever it wrote the `Date`, and however much of the second had passed."""
    service = ServiceTime(date=NOW, sent=500, answered=1_500)

    true = NOW + fraction + 4_000 - written

    assert service.earliest(4_000) <= true <= service.latest(4_000)


def test_an_instant_is_reached_at_the_earliest_by_the_latest_time() -> None:
    """And surely by the earliest time."""
    service = ServiceTime(date=NOW, sent=500, answered=1_500)

    assert service.latest(service.reached_at_the_earliest(NOW + HOUR)) == NOW + HOUR
    assert service.earliest(service.reached(NOW + HOUR)) == NOW + HOUR
