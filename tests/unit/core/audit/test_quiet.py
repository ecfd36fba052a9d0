"""Quiet hours: what is far below every week before, and what is not."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shared.core.audit.history import History, Hour, Look, empty
from shared.core.audit.quiet import quiet_hours, quiet_since
from shared.core.model import FIRST_PASS
from shared.core.state.report import Tally, report_fields
from tests.fakes import DAY, HOUR, NOW, policy

END = NOW // DAY * DAY + 15 * HOUR
"""15:00 on a Monday."""


def office(at: int) -> int:
    """Return what an office brings in an hour."""
    works = at // DAY * DAY <= at - 7 * HOUR and at % DAY < 17 * HOUR and not is_weekend(at)
    return 300 if works else 10


def is_weekend(at: int) -> bool:
    """Say whether this is a Saturday or a Sunday; 1970 began with a Thursday."""
    return at // DAY % 7 in {2, 3}


def history(
    rhythm: Callable[[int], int], *, weeks: float = 5, silent: int = 0, end: int = END
) -> History:
    """Return the history of a tenant that was silent for the last hours."""
    made = empty("all")
    for at in range(end - int(weeks * 7 * DAY), end, HOUR):
        seen = rhythm(at) if at < end - silent * HOUR else 0
        made.hours[at] = Hour(records=seen, passes={FIRST_PASS: Look(covered=HOUR, at=at)})
    return made


def test_a_tenant_as_in_every_week_is_not_quiet() -> None:
    """At no hour of the week."""
    for hour in range(7 * 24):
        assert quiet_hours(history(office, end=END + hour * HOUR)) == 0


def test_an_office_that_brings_nothing_is_noticed_within_two_hours() -> None:
    """A wrong filter, or a token with a smaller scope."""
    assert quiet_hours(history(office, silent=2)) == 2


def test_quiet_hours_count_back_to_the_last_usual_hour() -> None:
    """Nights count where nothing came either."""
    assert quiet_hours(history(office, silent=30)) == 30


def test_a_new_scan_is_not_judged() -> None:
    """Three weeks must be known."""
    assert quiet_hours(history(office, silent=5, weeks=2)) == 0
    assert quiet_hours(empty("all")) == 0


def test_a_day_off_with_the_activity_of_a_sunday_is_not_quiet() -> None:
    """Unless nothing comes on a Sunday."""

    def large(at: int) -> int:
        is_off = at // DAY == END // DAY
        return 400 if is_off else office(at) * 40

    assert quiet_hours(history(large)) == 0


def test_a_tenant_of_which_a_week_brings_little_is_not_judged() -> None:
    """It may be empty by chance."""
    assert quiet_hours(history(lambda at: int(at % DAY == 0), silent=100)) == 0


def test_a_small_tenant_is_judged_by_more_hours() -> None:
    """By as many as bring a hundred activities."""
    assert quiet_hours(history(lambda _: 5, silent=10)) == 0
    assert quiet_hours(history(lambda _: 5, silent=24)) == 24


@pytest.mark.parametrize("shift", [-HOUR, HOUR])
def test_clocks_that_are_put_forward_or_back_make_no_quiet_hour(shift: int) -> None:
    """The people begin an hour earlier or later by UTC."""
    for hour in range(24):
        end = END // DAY * DAY + hour * HOUR
        since = end // DAY * DAY

        def shifted(at: int, since: int = since) -> int:
            return office(at + shift if at >= since else at)

        assert quiet_hours(history(shifted, end=end)) == 0


def test_hours_in_doubt_are_not_compared() -> None:
    """The API has contradicted itself about them, which is reported already."""
    made = history(office, silent=3)
    for at in range(END - 3 * HOUR, END, HOUR):
        made.hours[at] = Hour(
            passes={FIRST_PASS: Look(covered=HOUR, at=at)}, doubt=((at, at + HOUR),)
        )

    assert quiet_hours(made) == 0


def test_since_when_a_scan_has_been_quiet_follows_from_its_history() -> None:
    """Whoever reads the same history says the same."""
    assert quiet_since(history(office, silent=4)) == END - 4 * HOUR
    assert quiet_since(history(office)) is None
    assert quiet_since(empty("all")) is None


def test_a_report_tells_for_how_long_a_scan_has_been_quiet() -> None:
    """It has a field for that."""
    fields = report_fields(Tally(scan="all", run="r", quiet=4), policy(), "idle", duration=1)

    assert fields["quiet_hours"] == 4


def test_quiet_hours_end_where_history_does() -> None:
    """An hour that is not known whole, or is not kept, cannot be called quiet."""
    made = history(office, silent=30)
    unknown = END - 20 * HOUR
    made.hours[unknown] = Hour(records=0)

    assert quiet_hours(made) == 19
    del made.hours[unknown]
    assert quiet_hours(made) == 19


def steady(records: int, *seen: int) -> History:
    """Return the history of a tenant as busy at every hour, but for the last hours."""
    made = history(lambda _: records, weeks=6)
    for place, few in enumerate(reversed(seen), start=1):
        brings(made, few, END - place * HOUR)
    return made


def brings(made: History, records: int, at: int) -> None:
    """Let an hour bring this many activities."""
    made.hours[at] = msgspec.structs.replace(made.hours[at], records=records)


@pytest.mark.parametrize(("seen", "quiet"), [(19, 1), (20, 0)])
def test_a_scan_is_quiet_below_a_twentieth_of_every_week(seen: int, quiet: int) -> None:
    """To the activity."""
    assert quiet_hours(steady(400, seen)) == quiet


@pytest.mark.parametrize("shift", [-1, 0, 1])
@pytest.mark.parametrize("week", [1, 2, 3, 4])
def test_one_week_with_less_is_enough_to_be_as_usual(week: int, shift: int) -> None:
    """Even by an hour earlier or later; five weeks ago is too long ago."""
    made = steady(400, 19)

    brings(made, 200, END - HOUR - (week * 7 * 24 + shift) * HOUR)
    assert quiet_hours(made) == 0

    made = steady(400, 19)
    brings(made, 200, END - HOUR - (5 * 7 * 24 + shift) * HOUR)
    assert quiet_hours(made) == 1


@pytest.mark.parametrize(("day", "quiet"), [(1, 0), (27, 0), (29, 1), (30, 1)])
def test_a_scan_that_brings_half_of_its_quietest_day_is_not_quiet(day: int, quiet: int) -> None:
    """Of the last four weeks."""
    made = steady(40_000, 1_600)

    brings(made, 3_200, END - HOUR - day * DAY)

    assert quiet_hours(made) == quiet


@pytest.mark.parametrize(("records", "quiet"), [(99, 0), (100, 1)])
def test_an_hour_is_judged_if_a_hundred_activities_are_expected(records: int, quiet: int) -> None:
    """Below that, more hours are added up, and two brought enough."""
    assert quiet_hours(steady(records, 0)) == quiet

    made = steady(100, 0)
    brings(made, records, END - HOUR - 14 * DAY)
    assert quiet_hours(made) == quiet


def test_three_weeks_are_enough_to_judge_by() -> None:
    """With the hour on either side."""
    least = 3 + 2 / (7 * 24)

    assert quiet_hours(history(lambda _: 400, weeks=least, silent=1)) == 1
    assert quiet_hours(history(lambda _: 400, weeks=least - 1 / (7 * 24), silent=1)) == 0


def test_a_window_with_an_hour_that_is_not_known_is_not_judged() -> None:
    """It may have brought enough."""
    made = history(lambda _: 5, silent=24)
    made.hours[END - 5 * HOUR] = Hour(records=0)

    assert quiet_hours(made) == 0


def test_a_window_is_quiet_as_a_whole() -> None:
    """An hour within it that brought something does not make it shorter."""
    made = history(lambda _: 5, silent=24)
    brings(made, 3, END - 5 * HOUR)

    assert quiet_hours(made) == 24


@pytest.mark.parametrize(("week", "quiet"), [(1, 3), (2, 3), (3, 3), (4, 3), (5, 6)])
def test_an_hour_as_in_one_of_the_last_four_weeks_ends_the_quiet(week: int, quiet: int) -> None:
    """At more than a twentieth of what that week brought."""
    made = steady(300, 15, 15, 15, 15, 15, 10)

    brings(made, 200, END - 4 * HOUR - week * 7 * DAY)

    assert quiet_hours(made) == quiet


def test_an_hour_whose_like_is_not_known_is_quiet_if_it_brought_nothing() -> None:
    """Nothing speaks against it."""
    made = steady(300, 0, 0, 0, 0, 0, 0)
    for week in (1, 2, 3, 4):
        del made.hours[END - 4 * HOUR - week * 7 * DAY]

    assert quiet_hours(made) == 6


@pytest.mark.parametrize(
    "changes",
    [
        {"passes": {}},
        {"passes": {FIRST_PASS: Look(covered=HOUR - 1, at=0)}},
        {"lost": ((END - HOUR, END),)},
        {"doubt": ((END - HOUR, END),)},
    ],
)
def test_the_newest_hour_that_is_known_whole_is_the_last(changes: dict[str, Any]) -> None:
    """What is lost, in doubt or not yet read says nothing."""
    made = steady(300, 0, 0, 300)
    made.hours[END - HOUR] = msgspec.structs.replace(made.hours[END - HOUR], **changes)

    assert quiet_hours(made) == 2
