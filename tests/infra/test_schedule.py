"""The check of schedules: what the host accepts, when the timer fires, likely mistakes."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.scripts.check_schedule import main, spoken, warnings
from infra.scripts.ncrontab import FIELDS, ScheduleError, gaps, occurrences, parse

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "infra/scripts/check_schedule.py"

AFTER = datetime(2026, 11, 23, 15, 7, 31, tzinfo=UTC)
"""The instant after which the cases' times follow; a Monday."""

SEEN = timedelta(days=3653)
"""How far the cases look: a row with fewer than four times has no more within it."""

ROWS = Path(__file__).with_name("ncrontab-cases.jsonl")
CASES = [json.loads(line) for line in ROWS.read_text("utf-8").splitlines()]
"""What the library that the host reads schedules with (NCrontab) says to each schedule."""

GOOD = "0 */5 * * * *"


def name(case: dict[str, Any]) -> str:
    """Return a case's schedule as the name of its test."""
    return str(case["schedule"]) or "nothing"


def fires(schedule: str, count: int = 4) -> list[str]:
    """Return when a schedule fires next, as the cases write it."""
    found = takewhile(lambda at: at < AFTER + SEEN, occurrences(parse(schedule), AFTER))
    return [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in islice(found, count)]


def warned(schedule: str, budget: str = "4") -> str:
    """Return the warnings of a schedule, for a time budget in minutes."""
    found = warnings(parse(schedule), AFTER, timedelta(minutes=float(budget)))
    return "\n".join(found)


@pytest.mark.parametrize("case", [it for it in CASES if "fires" in it], ids=name)
def test_a_schedule_fires_when_the_host_says(case: dict[str, Any]) -> None:
    """The next four times are those of the host's own parser."""
    assert fires(case["schedule"]) == case["fires"]


@pytest.mark.parametrize("case", [it for it in CASES if "refused" in it], ids=name)
def test_a_schedule_that_the_host_refuses_is_refused(case: dict[str, Any]) -> None:
    """The check accepts exactly what the host accepts."""
    with pytest.raises(ScheduleError):
        parse(case["schedule"])


def test_every_case_has_a_verdict() -> None:
    """The two tests above cover every row of the file."""
    assert len(CASES) == 40
    assert all(("fires" in it) != ("refused" in it) for it in CASES)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("0 */-5 * * * *", "0 * * * * *"),
        ("0 */+5 * * * *", "0 */5 * * * *"),
        ("0 5/0 * * * *", "0 5-59 * * * *"),
        ("0 0 0 * m *", "0 0 0 * 3 *"),
        ("0 0 0 * * t-S", "0 0 0 * * 0-2"),
        ("0 0 0 * mon/2 *", None),
        ("0 0 0 * * mon/2", "0 0 0 * * 1,3,5"),
        ("0 *,7 * * * *", "0 * * * * *"),
        ("0 05 * * * *", "0 5 * * * *"),
        ("0 ,5 * * * *", None),
        ("0 5, * * * *", None),
        ("0 5- * * * *", None),
        ("0 /5 * * * *", None),
        ("0 */ * * * *", None),
        ("0 */5/2 * * * *", None),
        ("0 1-5-9 * * * *", None),
        ("0 +5 * * * *", None),
        ("0 ** * * * *", None),
        ("0 *-5 * * * *", None),
        ("0 0 0 0-5 * *", None),
        ("0 0 0 * * 1-7", None),
        ("0 0 0 * * Sundays", None),
        ("0 */99999999999 * * * *", None),
        ("0\t*/5 * * * *", None),
        ("0 ５ * * * *", None),
    ],
)
def test_the_corners_of_the_grammar_are_read(written: str, same: str | None) -> None:
    """They are signs, empty parts, prefixes of names, and steps that count as one."""
    if same is None:
        with pytest.raises(ScheduleError):
            parse(written)
    else:
        assert parse(written).values == parse(same).values


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("0 60 * * * *", "minutes (field 2 of 6) is '60': 60 is not between 0 and 59"),
        (
            "0 9 * * Monday,7",
            "weekdays (field 5 of 5) is 'Monday,7': 7 is not between 0 and 6; Sunday is 0",
        ),
        ("0 0 24 * * *", "hours (field 3 of 6) is '24': 24 is not between 0 and 23; midnight is 0"),
        ("0 0 9 ? * *", "days (field 4 of 6) is '?': the host does not know '?'"),
        ("0 1,,2 * * * *", "minutes (field 2 of 6) is '1,,2': a value is missing"),
        ("0 0 9 * 1-x *", "'x' is not a number from 1 to 12, or a name such as Jan"),
        ("* * *", "it has 3 fields; six are needed"),
        ("", "it has 0 fields"),
        ("@hourly", "macros such as @hourly"),
        ("00:05:00", "an interval works only in an App Service plan"),
        ("0\t*/5\t*\t*\t*\t*", "separated by spaces"),
    ],
)
def test_a_refusal_says_which_field_and_why(schedule: str, said: str) -> None:
    """A person can fix it without looking anything up."""
    with pytest.raises(ScheduleError, match=re.escape(said)):
        parse(schedule)


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("0 0 0 30 2 *", "it never fires"),
        ("0 0 0 31 2,4,6,9,11 *", "it never fires"),
        ("0 5 * * * *", "once an hour, at minute 5; every 5 minutes would be '0 */5 * * * *'"),
        ("5 * * * *", "once an hour, at minute 5"),
        ("0 */90 * * * *", "a step of 90 leaves only 0"),
        ("0 0/60 * * * *", "a step of 60 leaves only 0"),
        ("0 */0 * * * *", "a step of 0 counts as 1"),
        ("0 */45 * * * *", "45 does not divide 60"),
        ("0 5-1 * * * *", "'5-1' is read as 1-5"),
        ("0 */3 * * * *", "3 min after the previous run, which may take 4 min"),
        ("*/5 * * * * *", "(every 5 s): the host then keeps no record of missed runs"),
        ("*/5 * * * * *", "counts seconds, and minutes would be '0 */5 * * * *'"),
        ("* */5 * * * *", "more often than once a minute (every 1 s)"),
        ("0 */5 * * *", "perhaps a field is missing: '0 */5 * * * *'"),
        ("0 0 */6 * * *", "up to 6 h pass between two runs"),
        ("0 */5 9-17 * * 1-5", "up to 2 d 15 h pass between two runs"),
        ("0 0 0 29 2 *", "up to 1461 d pass"),
        ("0 0 0 29 2 1", "fewer than two days in ten years"),
        ("0 */5 * 1-7 * Mon", "days and weekdays are both limited, and both must match"),
        ("0 */5 * * J *", "'J' is read as January, but could also mean June"),
        ("0 */5 * * * S", "'S' is read as Sunday, but could also mean Saturday"),
    ],
)
def test_a_likely_mistake_causes_a_warning(schedule: str, said: str) -> None:
    """The host accepts it silently, so only this check reports it."""
    assert said in warned(schedule)


@pytest.mark.parametrize(
    "schedule",
    [
        GOOD,
        "*/5 * * * *",
        "0 0,5,10,15,20,25,30,35,40,45,50,55 * * * *",
        "30 2/5 * * * *",
        "0 */10 * * * *",
        "0 */4 * * * *",
        "0 0 * * * *",
        "0 */5 * * 1-12 0-6",
    ],
)
def test_an_ordinary_schedule_causes_no_warning(schedule: str) -> None:
    """People stop reading a warning that appears without cause."""
    assert warned(schedule) == ""


def test_a_gap_is_compared_with_the_time_budget() -> None:
    """Five minutes suit a budget of five but not one of six."""
    assert warned(GOOD, budget="5") == ""
    assert "5 min after the previous run, which may take 6 min" in warned(GOOD, budget="6")


@st.composite
def schedules(draw: st.DrawFn) -> str:
    """Make schedules of values, ranges, steps and lists that the host accepts."""
    tokens = []
    for field in FIELDS:
        value = st.integers(field.least, field.most)
        element = st.one_of(
            st.just("*"),
            st.integers(1, 70).map("*/{}".format),
            value.map(str),
            st.tuples(value, value, st.integers(1, 9)).map("{0[0]}-{0[1]}/{0[2]}".format),
        )
        tokens.append(",".join(draw(st.lists(element, min_size=1, max_size=3))))
    return " ".join(tokens)


@given(
    schedules(),
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - made UTC below
)
def test_what_fires_next_is_the_first_second_that_matches(schedule: str, start: datetime) -> None:
    """A search that tries every second of an hour finds the same times."""
    after = start.replace(microsecond=0, tzinfo=UTC)
    seconds, minutes, hours, days, months, weekdays = parse(schedule).values
    tried = (after + timedelta(seconds=count) for count in range(1, 3600))

    found = takewhile(
        lambda at: at < after + timedelta(hours=1), occurrences(parse(schedule), after)
    )

    assert list(found) == [
        at
        for at in tried
        if (at.second in seconds and at.minute in minutes and at.hour in hours)
        and (at.day in days and at.month in months and at.isoweekday() % 7 in weekdays)
    ]


def test_gaps_are_measured_across_midnight() -> None:
    """The last time of a day and the first of the next are neighbours."""
    assert gaps(parse("0 30 0,23 * * *"), AFTER) == (timedelta(hours=1), timedelta(hours=23))


def test_a_duration_has_at_most_two_units() -> None:
    """It is short enough for a sentence."""
    assert spoken(timedelta(days=2, hours=15, minutes=3)) == "2 d 15 h"


def test_the_command_shows_the_next_times(capsys: pytest.CaptureFixture[str]) -> None:
    """They are in UTC, which is the platform's time."""
    code = main([GOOD, "--next", "2", "--after", "2026-11-23T16:07:31+01:00"])

    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert printed.out.splitlines()[1:] == [
        "  2026-11-23T15:10:00Z Mon",
        "  2026-11-23T15:15:00Z Mon",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["0 5 * * * *"], 0, "warning: the schedule '0 5 * * * *': it fires once an hour"),
        (["0 5 * * * *", "--strict"], 1, "warning: "),
        ([GOOD, "--strict"], 0, ""),
        ([GOOD, "--strict", "--time-budget", "PT6M"], 1, "which may take 6 min"),
        (["0 60 * * * *"], 1, "error: the host refuses the schedule '0 60 * * * *': minutes"),
    ],
)
def test_the_exit_code_tells_refused_from_accepted(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    """A deployment stops at a refused schedule, and with --strict at a suspicious one."""
    ended = main(arguments)

    assert ended == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--time-budget", "four"], ["--after", "noon"]])
def test_a_wrong_argument_is_named(capsys: pytest.CaptureFixture[str], wrong: list[str]) -> None:
    """A typing error is not a verdict on the schedule."""
    with pytest.raises(SystemExit) as ended:
        main([GOOD, *wrong])

    assert ended.value.code == 2
    assert f"argument {wrong[0]}: '{wrong[1]}' is not a" in capsys.readouterr().err


def test_the_script_needs_the_standard_library_only() -> None:
    """It runs before anything is installed: -S hides every package, -I this folder."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", SCRIPT, GOOD], capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_example_s_schedule_causes_no_warning() -> None:
    """The example is in the local settings."""
    example = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]

    assert warned(example["SCAN_SCHEDULE"]) == ""
