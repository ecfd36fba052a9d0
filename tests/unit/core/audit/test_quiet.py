"""Quiet hours: what is far below every week before, and what is not."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from shared.core.audit.history import History, Hour, Look, empty
from shared.core.audit.quiet import Quiet, quiet_of
from shared.core.model import FIRST_PASS
from shared.core.state.report import Tally, report_fields
from tests.fakes import DAY, HOUR, NOW, policy

END = NOW // DAY * DAY + 15 * HOUR
"""15:00 on a Monday."""


def office(at: int) -> int:
    """Return what an office brings in an hour."""
    return 300 if works(at) else 10


def works(at: int) -> bool:
    """Say whether people work in this hour."""
    return 7 * HOUR <= at % DAY < 17 * HOUR and not is_weekend(at)


def is_weekend(at: int) -> bool:
    """Say whether this is a Saturday or a Sunday; 1970 began with a Thursday."""
    return at // DAY % 7 in {2, 3}


def tiny(at: int) -> int:
    """Return what a tiny tenant brings: one activity at noon of each working day."""
    return int(at % DAY == 12 * HOUR and not is_weekend(at))


def history(
    rhythm: Callable[[int], int], *, weeks: float = 5, silent: int = 0, end: int = END
) -> History:
    """Return the history of a tenant that was silent for the last hours."""

    def after(at: int) -> int:
        return rhythm(at) if at < end - silent * HOUR else 0

    return history_of(after, weeks=weeks, end=end)


def history_of(rhythm: Callable[[int], int], *, weeks: float = 5, end: int = END) -> History:
    """Return the history of a tenant."""
    made = empty("all")
    for at in range(end - int(weeks * 7 * DAY), end, HOUR):
        made.hours[at] = Hour(records=rhythm(at), passes={FIRST_PASS: Look(covered=HOUR, at=at)})
    return made


def hours(made: History) -> int:
    """Return for how many hours a scan has been quiet; 0 if it is not."""
    quiet = quiet_of(made)
    return quiet.hours if quiet else 0


def test_a_tenant_as_in_every_week_is_not_quiet() -> None:
    """At no hour of the week."""
    for hour in range(7 * 24):
        assert quiet_of(history(office, end=END + hour * HOUR)) is None


def test_an_office_that_brings_nothing_is_noticed_within_two_hours() -> None:
    """A wrong filter, or a token with a smaller scope."""
    assert hours(history(office, silent=1)) == 0
    assert quiet_of(history(office, silent=2)) == Quiet("less", END - 2 * HOUR, 2)


def test_quiet_hours_count_back_to_the_last_usual_hour() -> None:
    """Nights count where nothing came either."""
    assert hours(history(office, silent=30)) == 30


def test_a_holiday_a_week_ago_does_not_hide_silence() -> None:
    """All weeks but one are enough."""

    def rested(at: int) -> int:
        return 10 if at // DAY == END // DAY - 7 else office(at)

    assert hours(history(rested, silent=2)) == 2


def test_a_new_scan_is_not_compared_with_other_weeks() -> None:
    """Three weeks must be known."""
    assert hours(history(office, silent=5, weeks=2)) == 0
    assert hours(empty("all")) == 0


def test_a_day_off_with_the_activity_of_a_sunday_is_not_quiet() -> None:
    """Unless nothing comes on a Sunday."""

    def large(at: int) -> int:
        is_off = at // DAY == END // DAY
        return 400 if is_off else office(at) * 40

    assert hours(history_of(large)) == 0


def test_a_small_office_is_noticed_within_a_working_day_without_anything() -> None:
    """The window of eight hours has one that brought something, but less than three tenths."""

    def small(at: int) -> int:
        return 5 if works(at) else 0

    evening = END + 2 * HOUR
    assert hours(history(small, silent=6, end=evening)) == 0
    assert hours(history(small, silent=7, end=evening)) == 8


def test_a_fifth_of_what_is_usual_is_noticed_after_three_hours() -> None:
    """A token that shows only some applications, of a tenant that brings as much in each hour."""

    def partial(since: int) -> Callable[[int], int]:
        return lambda at: 40 if at >= since else 200

    assert hours(history_of(partial(END - 2 * HOUR))) == 0
    assert hours(history_of(partial(END - 3 * HOUR))) == 3


def test_half_of_what_is_usual_is_not_quiet() -> None:
    """Tenants grow and shrink."""
    assert hours(history_of(lambda at: 100 if at >= END - 7 * DAY else 200)) == 0


@pytest.mark.parametrize("weeks", [1.5, 5])
def test_a_tiny_tenant_is_quiet_after_twice_its_longest_silence(weeks: float) -> None:
    """Which is a weekend, from Friday noon to Monday noon: 71 hours."""
    last = END // DAY * DAY + 13 * HOUR

    before, after = (
        history(tiny, weeks=weeks + 1, silent=silent, end=last + silent * HOUR)
        for silent in (142, 143)
    )

    assert quiet_of(before) is None
    assert quiet_of(after) == Quiet("silence", last, 143)


def test_a_new_office_is_quiet_after_half_a_day_without_anything() -> None:
    """With a week before it in which something came every hour."""
    assert hours(history(office, silent=11, weeks=2)) == 0
    assert hours(history(office, silent=12, weeks=2)) == 12


def test_a_silence_says_nothing_where_less_than_a_week_is_known_before_it() -> None:
    """A weekend may not have been among it."""
    assert hours(history(office, silent=40, weeks=1)) == 0


def test_a_week_before_a_silence_is_enough() -> None:
    """To the hour."""
    assert hours(history(office, silent=84, weeks=1.5)) == 84
    assert hours(history(office, silent=85, weeks=1.5)) == 0


def test_a_silence_is_compared_with_all_that_is_kept() -> None:
    """Five weeks and the hour that is compared with them."""
    made = history_of(lambda _: 0, weeks=6)

    assert quiet_of(made) == Quiet("nothing", END - 841 * HOUR, 841)


@pytest.mark.parametrize(("unknown", "quiet"), [(5, 12), (6, 0)])
def test_unknown_hours_before_a_silence_are_another_one(unknown: int, quiet: int) -> None:
    """This one must be more than twice as long."""
    made = history(office, silent=12, weeks=2)
    for at in range(END - (12 + unknown) * HOUR, END - 12 * HOUR, HOUR):
        del made.hours[at]

    assert hours(made) == quiet


def test_what_is_not_known_may_have_been_silent() -> None:
    """So it makes the longest silence longer."""
    made = history(office, silent=12, weeks=2)
    for at in range(END - 40 * HOUR, END - 30 * HOUR, HOUR):
        del made.hours[at]

    assert hours(made) == 0


def test_a_scan_that_never_brought_anything_is_quiet_after_a_week() -> None:
    """Its filter may match nothing, or its token may show nothing."""
    assert hours(history_of(lambda _: 0, weeks=0.9)) == 0
    assert quiet_of(history_of(lambda _: 0, weeks=1)) == Quiet("nothing", END - 7 * DAY, 168)


@pytest.mark.parametrize("shift", [-HOUR, HOUR])
def test_clocks_that_are_put_forward_or_back_make_no_quiet_hour(shift: int) -> None:
    """The people begin an hour earlier or later by UTC."""
    for hour in range(24):
        end = END // DAY * DAY + hour * HOUR
        since = end // DAY * DAY

        def shifted(at: int, since: int = since) -> int:
            return office(at + shift if at >= since else at)

        assert hours(history_of(shifted, end=end)) == 0


def test_hours_in_doubt_are_not_compared() -> None:
    """The API has contradicted itself about them, which is reported already."""
    made = history(office, silent=3)
    for at in range(END - 3 * HOUR, END, HOUR):
        made.hours[at] = Hour(
            passes={FIRST_PASS: Look(covered=HOUR, at=at)}, doubt=((at, at + HOUR),)
        )

    assert hours(made) == 0


def test_a_report_tells_for_how_long_a_scan_has_been_quiet() -> None:
    """It has a field for that."""
    fields = report_fields(Tally(scan="all", run="r", quiet=4), policy(), "idle", duration=1)

    assert fields["quiet_hours"] == 4


def test_quiet_hours_end_where_history_does() -> None:
    """An hour that is not known whole, or is not kept, cannot be called quiet."""
    made = history(office, silent=30)
    unknown = END - 20 * HOUR
    made.hours[unknown] = Hour(records=0)

    assert hours(made) == 19


def steady(records: int, *seen: int) -> History:
    """Return the history of a tenant as busy at every hour, but for the last hours."""
    made = history_of(lambda _: records)
    for place, few in enumerate(reversed(seen), start=1):
        brings(made, few, END - place * HOUR)
    return made


def brings(made: History, records: int, at: int) -> None:
    """Let an hour bring this many activities."""
    made.hours[at] = msgspec.structs.replace(made.hours[at], records=records)


@pytest.mark.parametrize(("seen", "quiet"), [(25, 1), (26, 0)])
def test_an_hour_is_quiet_at_a_twentieth_of_what_is_usual(seen: int, quiet: int) -> None:
    """To the activity."""
    assert hours(steady(500, seen)) == quiet


@pytest.mark.parametrize(("records", "quiet"), [(499, 0), (500, 1)])
def test_an_hour_is_judged_where_five_hundred_are_usual(records: int, quiet: int) -> None:
    """Below that, more hours are added up, and two brought enough."""
    assert hours(steady(records, 0)) == quiet


@pytest.mark.parametrize(("seen", "quiet"), [(3, 12), (4, 0)])
def test_half_a_day_is_quiet_at_a_third_of_what_is_usual(seen: int, quiet: int) -> None:
    """To the activity, where a hundred are usual."""
    assert hours(steady(9, *[seen] * 12)) == quiet


@pytest.mark.parametrize(("records", "seen", "quiet"), [(8, (2, 3, 3), 0), (9, (3, 3, 3), 12)])
def test_half_a_day_is_judged_where_a_hundred_are_usual(
    records: int, seen: tuple[int, ...], quiet: int
) -> None:
    """Below that, a third may come by chance."""
    assert hours(steady(records, *seen * 4)) == quiet


@pytest.mark.parametrize(("seen", "quiet"), [((60, 60, 60), 3), ((61, 60, 60), 0), ((0, 0), 0)])
def test_three_hours_are_quiet_at_three_tenths_of_what_is_usual(
    seen: tuple[int, ...], quiet: int
) -> None:
    """To the activity. Two hours are not judged by that."""
    assert hours(steady(200, *seen)) == quiet


@pytest.mark.parametrize(("records", "quiet"), [(8, 0), (9, 3)])
def test_what_may_be_missing_by_chance_is_not_quiet(records: int, quiet: int) -> None:
    """Five times the square root of 24 is more than 24, and that of 27 is less than 27."""
    assert hours(steady(records, 0, 0, 0)) == quiet


def with_low_days(made: History, records: int, *days: int) -> History:
    """Let the last three hours have brought less on earlier days."""
    for day in days:
        for ago in range(1, 4):
            brings(made, records, END - ago * HOUR - day * DAY)
    return made


@pytest.mark.parametrize(("days", "quiet"), [((3, 4), 3), ((3, 4, 5), 0)])
def test_less_is_not_quiet_where_days_differ_much(days: tuple[int, ...], quiet: int) -> None:
    """Half as much on three days of four weeks. One day in ten is left out: it may be a holiday."""
    assert hours(with_low_days(steady(200, 35, 35, 35), 100, *days)) == quiet


@pytest.mark.parametrize(("seen", "quiet"), [((12, 12, 12), 3), ((13, 12, 12), 0)])
def test_the_share_of_a_low_day_to_the_fourth_power_is_quiet(
    seen: tuple[int, ...], quiet: int
) -> None:
    """Half as much makes it a sixteenth, or 37 of 600."""
    assert hours(with_low_days(steady(200, *seen), 100, 3, 4, 5)) == quiet


def test_an_hour_is_not_quiet_at_a_twentieth_where_days_differ_much() -> None:
    """A busy tenant of bursts has such hours."""
    made = steady(500, 25)
    assert hours(made) == 1

    assert hours(with_low_days(made, 200, 3, 4, 5)) == 0


def test_days_that_usually_bring_less_than_half_say_nothing_about_how_days_differ() -> None:
    """A few activities of a weekend differ by chance."""

    def rhythm(at: int) -> int:
        if is_weekend(at):
            return 10 if at // (7 * DAY) % 2 else 50
        return 40 if at >= END - 3 * HOUR else 200

    assert hours(history_of(rhythm)) == 3


def with_weekends(*seen: int) -> History:
    """Return the history of a tenant that brings twenty an hour on weekends, and else 200."""
    made = history_of(lambda at: 20 if is_weekend(at) else 200)
    for place, few in enumerate(reversed(seen), start=1):
        brings(made, few, END - place * HOUR)
    return made


@pytest.mark.parametrize(
    ("seen", "quiet"),
    [((51, 50, 50), 3), ((50, 50, 50), 0), ((300, 8, 8, 8), 0), ((300, 8, 8, 7), 3)],
)
def test_about_as_much_as_on_a_weekend_is_a_day_off(seen: tuple[int, ...], quiet: int) -> None:
    """From two fifths of the quietest day to five halves of an ordinary day of rest."""
    assert hours(with_weekends(*seen)) == quiet


@pytest.mark.parametrize(("seen", "quiet"), [((300, 11, 10, 10), 0), ((300, 0, 0, 0), 3)])
def test_nothing_is_no_day_off_where_most_days_of_rest_bring_something(
    seen: tuple[int, ...], quiet: int
) -> None:
    """Even if one of them brought nothing: then little is a day off."""
    assert hours(with_low_days(with_weekends(*seen), 0, 1)) == quiet


@pytest.mark.parametrize("shift", [-1, 0, 1])
@pytest.mark.parametrize("weeks", [(1, 2), (3, 4), (1, 4)])
def test_two_weeks_with_less_are_enough_to_be_as_usual(weeks: tuple[int, int], shift: int) -> None:
    """Even by an hour earlier or later. One week is not enough: it may hold a holiday."""
    made = steady(1_000, 30)
    for week in weeks:
        assert hours(made) == 1
        brings(made, 200, END - HOUR - (week * 7 * 24 + shift) * HOUR)

    assert hours(made) == 0


@pytest.mark.parametrize(
    ("seen", "quiet"), [((25, 25), 2), ((26, 25), 1), ((25, 26, 25), 1), ((25, 25, 25), 3)]
)
def test_quiet_hours_in_a_row_are_each_compared_with_what_is_usual(
    seen: tuple[int, ...], quiet: int
) -> None:
    """To the activity, and hour by hour."""
    assert hours(steady(500, *seen)) == quiet


def test_hours_before_a_silence_count_if_they_brought_little() -> None:
    """At most three tenths."""
    assert hours(steady(70, 22, 21, 21, *[0] * 8)) == 10


@pytest.mark.parametrize(("day", "quiet"), [(1, 0), (27, 0), (28, 0), (29, 1), (30, 1), (1.5, 1)])
def test_two_fifths_of_the_quietest_day_are_not_quiet(day: float, quiet: int) -> None:
    """Of the last four weeks, at the same hour."""
    made = steady(40_000, 1_600)

    brings(made, 4_000, END - HOUR - int(day * DAY))

    assert hours(made) == quiet


def test_less_than_two_fifths_of_the_quietest_day_are_quiet() -> None:
    """To the activity."""
    made = steady(40_000, 1_599)

    brings(made, 4_000, END - HOUR - DAY)

    assert hours(made) == 1


def test_three_weeks_are_enough_to_judge_by() -> None:
    """With the hour on either side."""
    least = 3 + 2 / (7 * 24)

    assert hours(history(lambda _: 600, weeks=least, silent=1)) == 1
    assert hours(history(lambda _: 600, weeks=least - 1 / (7 * 24), silent=1)) == 0


def test_a_window_with_an_hour_that_is_not_known_is_not_judged() -> None:
    """It may have brought enough."""
    made = history(lambda _: 5, silent=12)
    assert hours(made) == 12

    made.hours[END - 3 * HOUR] = Hour(records=0)

    assert hours(made) == 0


def test_a_window_is_quiet_as_a_whole() -> None:
    """An hour within it that brought something does not make it shorter."""
    made = history(lambda _: 9, silent=12)
    brings(made, 9, END - 2 * HOUR)

    assert hours(made) == 6


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

    assert hours(made) == 2
