"""Places and lengths on the page."""

import pytest

from shared.core.audit.pace import Budget, Ran
from shared.core.audit.strip import Cell
from shared.core.audit.week import Usual, WeekHour
from shared.drawing import bars, words
from shared.drawing.curves import curves_of, round_up, top_of_time
from shared.drawing.hours import LEFT, PITCH, TOP, hours_of
from tests.fakes import DAY, HOUR, MINUTE, NOW

MIDNIGHT = NOW // DAY * DAY


def cells(*records: int, late: int = 0) -> list[Cell]:
    """Return final hours from midnight on."""
    return [
        Cell(hour=MIDNIGHT + HOUR * n, state="final", records=it, late=late)
        for n, it in enumerate(records)
    ]


def test_each_day_is_a_row_and_each_hour_a_column() -> None:
    """The newest day is at the top."""
    yesterday = Cell(hour=MIDNIGHT - HOUR, state="lost", records=0, late=0)

    found = hours_of([yesterday, *cells(1, 1)])

    assert found is not None
    assert [(it.name, it.y) for it in found.days] == [
        ("Mon 23 Nov", TOP),
        ("Sun 22 Nov", TOP + PITCH),
    ]
    assert [it.x for it in found.days[0].marks] == [LEFT, LEFT + PITCH]
    assert [it.x for it in found.days[1].marks] == [LEFT + 23 * PITCH]
    assert found.states == ("final", "lost")


def test_shades_are_quarters_of_the_hours_with_records() -> None:
    """An hour without records has a shade of its own."""
    found = hours_of(cells(0, 1, 5, 10, 20, 40, 80, 160, 320))

    assert found is not None
    assert [it.level for it in found.days[0].marks] == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert found.shades == ("0", "1–9", "10–39", "40–159", "160+")


def test_a_shade_that_no_number_has_is_not_explained() -> None:
    """All hours with records are alike."""
    alike, none = hours_of(cells(0, 7, 7)), hours_of(cells(0))

    assert alike is not None
    assert none is not None
    assert [it for it in alike.shades if it] == ["0", "1–6", "7+"]
    assert [it for it in none.shades if it] == ["0", "1+"]


def test_the_picture_says_in_a_sentence_what_it_shows() -> None:
    """For those who cannot see it, and the pointer shows the same of each hour."""
    found = hours_of(cells(1_000, 500, late=3))

    assert found is not None
    assert found.says == "2 hours: 2 final. 1,500 records, 6 of them late."
    assert found.days[0].marks[0].title == "00:00 final, 1,000 records, 3 late"
    assert hours_of([]) is None


def week(*records: int | None, usual: Usual | None = None) -> list[WeekHour]:
    """Return hours up to noon."""
    return [
        WeekHour(
            hour=NOW + HOUR * (n - len(records)),
            records=it,
            usual=usual,
            delay=None if it is None else 600.0,
        )
        for n, it in enumerate(records)
    ]


def test_a_line_has_a_step_for_each_hour_and_stops_where_nothing_is_known() -> None:
    """The top of the axis is a round number."""
    found = curves_of(week(5, 10, None, 0))

    assert found.records_top == 10
    assert found.records == "M0 50V50h1V0h1M3 100V100h1"
    assert found.area == "M0 50V50h1V0h1V100V100h-1V100h-1ZM3 100V100h1V100V100h-1Z"
    assert (found.band, found.usual) == ("", "")


def test_earlier_weeks_are_a_band_with_a_line() -> None:
    """Between the least and the most."""
    found = curves_of(week(5, usual=Usual(least=2, median=4, most=10)))

    assert found.band == "M0 0V0h1V80V80h-1Z"
    assert found.usual == "M0 60V60h1"


def test_midnights_are_named() -> None:
    """By how far to the right they are, if there is room for the name."""
    assert curves_of(week(*[1] * 16)).days == ((25.0, "Mon 23"),)
    last = curves_of(week(*[1] * 168)).days[-2:]
    assert last == ((78.57, "Sun 22"), (92.86, ""))


def test_a_week_without_hours_that_are_known_has_an_empty_line() -> None:
    """A scan that has just begun."""
    found = curves_of(week(None, None))

    assert (found.records, found.delay, found.longest) == ("", "", None)


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (3, 5), (51, 100), (100, 100), (101, 200), (2_001, 5_000)]
)
def test_the_top_of_an_axis_is_round(value: int, top: int) -> None:
    """It is never below the value."""
    assert round_up(value) == top


@pytest.mark.parametrize(
    ("minutes", "top"), [(0, 15), (16, 30), (61, 120), (1_440, 1_440), (1_441, 2_880)]
)
def test_the_top_of_an_axis_of_time_is_said_in_one_word(minutes: int, top: int) -> None:
    """It is minutes, hours or days."""
    assert top_of_time(minutes * 60) == top * 60


def test_bars_of_runs_are_as_high_as_the_runs_were_long() -> None:
    """A short run is still seen."""
    ran = [Ran(outcome="idle", duration_seconds=100), Ran(outcome="busy", duration_seconds=0)]
    ran += [Ran(outcome="faults", duration_seconds=50), Ran(outcome="failed", duration_seconds=50)]

    found = bars.run_bars(ran)

    assert [it.height for it in found] == [44, 3, 22, 22]
    assert [it.kind for it in found] == ["worked", "idle", "troubled", "failed"]
    assert bars.run_bars([Ran(outcome="idle")])[0].height == 3


def test_the_bar_of_the_budget_is_as_long_as_what_the_settings_allow() -> None:
    """Or as what is needed, if that is more."""
    budget = Budget(first=100, sweeps=200, sent=50, capacity=500, limit=1_000)

    roomy = bars.budget_bar(budget)
    narrow = bars.budget_bar(Budget(first=600, sweeps=1_400, sent=None, capacity=500, limit=1_000))

    assert (roomy.first, roomy.sweeps, roomy.capacity, roomy.sent) == (10, 20, 50, 5)
    assert (narrow.first, narrow.sweeps, narrow.capacity, narrow.sent) == (30, 70, 25, None)
    nothing = bars.budget_bar(Budget(first=None, sweeps=None, sent=None, capacity=0, limit=0))
    assert (nothing.first, nothing.sweeps) == (0, 0)


def test_late_activities_are_as_long_as_their_share_of_the_most() -> None:
    """The ages are said in words."""
    found = bars.late_bars({"up to 10m": 5, "later": 10})

    assert [(it.name, it.share) for it in found] == [("up to 10m", 50), ("later", 100)]
    assert bars.late_bars({}) == ()


def test_times_are_in_words_and_in_utc() -> None:
    """A stretch within a day names the day once."""
    assert words.moment(NOW + 5 * MINUTE) == "Mon 23 Nov, 12:05"
    assert words.full(NOW) == "23 November 2026, 12:00 UTC"
    assert words.machine(NOW) == "2026-11-23T12:00:00Z"
    assert words.stretch(NOW, NOW + MINUTE) == "Mon 23 Nov, 12:00 to 12:01"
    assert words.stretch(NOW, NOW + 1_000) == "Mon 23 Nov, 12:00:00 to 12:00:01"
    assert words.stretch(NOW, NOW + DAY) == "Mon 23 Nov, 12:00 to Tue 24 Nov, 12:00"


def test_numbers_on_an_axis_are_brief() -> None:
    """Elsewhere they are whole."""
    numbers = [0, 950, 1_000, 1_500, 20_000, 25_500, 2_000_000]

    assert [words.brief(it) for it in numbers] == ["0", "950", "1k", "1.5k", "20k", "26k", "2M"]
    assert words.count(1_234_567) == "1,234,567"
    assert (words.severity(1), words.severity(9)) == ("act today", "")
    assert [words.last_runs(it) for it in (1, 2)] == ["The last run", "The last 2 runs"]
