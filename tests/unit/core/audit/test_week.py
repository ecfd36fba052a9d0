"""The last seven days beside the same hours of earlier weeks."""

from shared.core.audit import history as histories
from shared.core.audit.history import History, Hour, Look
from shared.core.audit.week import Usual, WeekHour, week_of
from shared.core.model import FIRST_PASS
from tests.fakes import DAY, HOUR, MINUTE, NOW

WEEK = 7 * DAY


def hour(records: int, at: int, *, covered: int = HOUR, doubt: bool = False) -> Hour:
    """Return an hour of the history that was read ten minutes after its end."""
    look = Look(covered=covered, at=at + HOUR + 10 * MINUTE)
    return Hour(records=records, passes={FIRST_PASS: look}, doubt=((at, at + 1),) if doubt else ())


def history(**hours: Hour) -> History:
    """Return a history of hours, by how many hours ago they began."""
    made = histories.empty("all")
    made.hours.update({NOW - int(ago[1:]) * HOUR: it for ago, it in hours.items()})
    return made


def test_there_is_an_hour_for_each_of_the_last_seven_days() -> None:
    """The last of them holds the present; nothing is known of an hour without history."""
    week = week_of(histories.empty("all"), NOW + 5 * MINUTE)

    assert (len(week), week[0].hour, week[-1].hour) == (168, NOW - 167 * HOUR, NOW)
    assert set(week) == {
        WeekHour(hour=it.hour, records=None, usual=None, delay=None) for it in week
    }


def test_an_hour_has_its_records_and_its_delay_once_it_is_complete() -> None:
    """An hour that is read in part has neither."""
    known = history(
        h2=hour(7, NOW - 2 * HOUR), h1=hour(3, NOW - HOUR, covered=HOUR // 2), h3=Hour(records=1)
    )

    week = {it.hour: it for it in week_of(known, NOW)}

    assert week[NOW - 2 * HOUR] == WeekHour(hour=NOW - 2 * HOUR, records=7, usual=None, delay=600.0)
    assert week[NOW - HOUR].records is None
    assert week[NOW - 3 * HOUR].records is None


def test_an_hour_stands_beside_the_same_hour_of_four_weeks() -> None:
    """Weeks in doubt, and weeks that are not complete, are left out."""
    then = NOW - HOUR
    made = histories.empty("all")
    made.hours.update({then - n * WEEK: hour(10 * n, then - n * WEEK) for n in (1, 2, 4, 5)})
    made.hours[then - 3 * WEEK] = hour(0, then - 3 * WEEK, doubt=True)

    found = next(it for it in week_of(made, NOW) if it.hour == then)

    assert found.usual == Usual(least=10, median=20, most=40)
    assert found.records is None
