"""The API's clock beside the run's: how far it is ahead, and for how long that is believed."""

import pytest

from shared.core.clocks import apart, earlier, later
from shared.core.model import ApiClock
from tests.fakes import HOUR, MINUTE, NOW


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

    for now in (NOW, NOW + HOUR - 1):
        assert earlier(known, now) == min(now, now + offset)
        assert later(known, now) == max(now, now + offset)
    for now in (NOW + HOUR, NOW - MINUTE - 1):
        assert earlier(known, now) == later(known, now) == now


def test_an_api_without_a_date_has_the_run_s_time() -> None:
    """Nothing else is known."""
    assert earlier(None, NOW) == later(None, NOW) == NOW
