"""What each fact is measured by, and when it cannot be told."""

from typing import Any

import pytest

from shared.core.audit.doctor.looking import Seen
from shared.core.audit.doctor.measuring import measured, rounded
from shared.core.audit.doctor.words import Facts, Lag, Question
from shared.core.model import Answer, NoAnswer
from tests.fakes import DAY, HOUR, MINUTE, NOW, activity, status
from tests.unit.core.audit.doctor.building import (
    END,
    NOT_ACCEPTED,
    START,
    TOOK_MS,
    at,
    knowing,
    more,
    page,
    saved,
    saw,
)

LOST = NoAnswer(kind="timeout", detail="60 s")

UP = at(HOUR, 2 * HOUR, 3 * HOUR)

DOWN = UP[::-1]

MIXED = at(2 * HOUR, HOUR, 3 * HOUR)

SAME = at(HOUR, HOUR)


def facts(*seen: Seen) -> Facts:
    """Return what is measured by these answers."""
    return measured(knowing(*seen))


def many(count: int) -> list[dict[str, Any]]:
    """Return so many activities, one each second."""
    return at(*range(0, count * 1_000, 1_000))


BASE = saw("ascending", page(UP))


def test_without_answers_nothing_is_known() -> None:
    """A lost answer tells no more than one that was never asked for."""
    assert facts() == Facts()
    assert facts(saw("ascending", LOST), saw("large", status(503))) == Facts()


@pytest.mark.parametrize(
    ("records", "direction"), [(UP, "asc"), (DOWN, "desc"), (MIXED, None), (SAME, None)]
)
def test_the_default_direction_is_that_of_a_query_without_an_order(
    records: list[dict[str, Any]], direction: str | None
) -> None:
    """Activities in no order, or at one time, do not show it."""
    assert facts(saw("in the documented form", page(records))).default_direction == direction


@pytest.mark.parametrize(
    ("up", "down", "direction"),
    [
        (UP, DOWN, "obeyed"),
        (UP, UP, "always asc"),
        (DOWN, DOWN, "always desc"),
        (DOWN, UP, "reversed"),
        (UP, MIXED, "unsorted"),
        (MIXED, SAME, "unsorted"),
        (UP, SAME, None),
    ],
)
def test_a_direction_is_obeyed_if_both_pages_have_it(
    up: list[dict[str, Any]], down: list[dict[str, Any]], direction: str | None
) -> None:
    """Neither page shows it alone."""
    asked = saw("ascending", page(up)), saw("descending", page(down))

    assert facts(*asked).direction == direction


def test_a_direction_may_be_obeyed_without_a_field() -> None:
    """Where the API refuses `sortField`, the page without it stands for the ascending one."""
    measures = facts(
        saw("ascending", NOT_ACCEPTED),
        saw("without sortField", page(UP)),
        saw("descending", page(DOWN)),
    )

    assert (measures.direction, measures.refused) == ("obeyed", ("sortField",))


def test_a_direction_is_not_told_by_one_page() -> None:
    """The other answer was lost."""
    assert facts(BASE, saw("descending", LOST)).direction is None


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("large", "limit"),
        ("descending", "desc"),
        ("narrow by created", "created-sort"),
        ("filtered by created", "created-filter"),
    ],
)
def test_what_is_not_accepted_is_refused(question: Question, name: str) -> None:
    """The same query without it is accepted."""
    assert facts(BASE, saw(question, NOT_ACCEPTED)).refused == (name,)


def test_a_refused_direction_is_told_from_a_refused_field() -> None:
    """The query is accepted as soon as the one that is refused is left out."""
    refused, accepted = saw("ascending", NOT_ACCEPTED), page(UP)

    assert facts(refused, saw("without sortField", accepted)).refused == ("sortField",)
    assert facts(refused, saw("without sortDirection", accepted)).refused == ("sortDirection",)


def test_an_api_that_accepts_nothing_refuses_no_part() -> None:
    """What it does not accept is something that all queries have."""
    questions: tuple[Question, ...] = ("ascending", "descending", "large")
    by_created: tuple[Question, ...] = ("narrow by created", "filtered by created")

    assert facts(*(saw(it, NOT_ACCEPTED) for it in questions + by_created)).refused == ()


@pytest.mark.parametrize(
    ("base", "large", "limit", "cap", "cap_is"),
    [
        (more(many(500)), more(many(5_000)), "obeyed", 5_000, "exact"),
        (more(many(498)), more(many(4_998)), "obeyed", 5_000, "exact"),
        (more(many(500)), more(many(998)), "capped", 1_000, "exact"),
        (page(many(500)), page(many(700)), "obeyed", 700, "at least"),
        (page(many(90)), page(many(90)), None, 90, "at least"),
        (page(many(500)), page(many(500)), None, 500, "at least"),
        (page(many(500)), page(many(501)), "obeyed", 501, "at least"),
        (more(many(700)), more(many(700)), "ignored", 700, "exact"),
        (more(many(500)), NOT_ACCEPTED, "refused", 500, "exact"),
        (page(many(90)), NOT_ACCEPTED, "refused", 90, "at least"),
        (more(many(500)), LOST, None, None, None),
        (NOT_ACCEPTED, more(many(998)), None, None, None),
    ],
)
def test_the_page_cap_is_what_comes_of_a_large_limit(
    base: Answer, large: Answer | NoAnswer, limit: str | None, cap: int | None, cap_is: str | None
) -> None:
    """A page before another is full; the last one may have ended before the cap."""
    measures = facts(saw("ascending", base), saw("large", large))

    assert (measures.limit, measures.page_cap, measures.page_cap_is) == (limit, cap, cap_is)


@pytest.mark.parametrize("stated", [250, 1])
def test_a_page_cap_that_the_api_states_is_taken(stated: int) -> None:
    """The page may be smaller: it is the last one."""
    measures = facts(BASE, saw("large", page(UP[:1], max=stated)))

    assert (measures.limit, measures.page_cap, measures.page_cap_is) == ("capped", stated, "exact")


def test_a_page_cap_of_zero_is_not_taken() -> None:
    """No page would have a record, but this one has."""
    measures = facts(BASE, saw("large", page(UP, max=0)))

    assert (measures.page_cap, measures.page_cap_is) == (3, "at least")


def test_nulls_fill_a_page_as_well() -> None:
    """The API counts them as records."""
    measures = facts(BASE, saw("large", more([*many(900), *[None] * 100])))

    assert (measures.page_cap, measures.page_cap_is) == (1_000, "exact")


@pytest.mark.parametrize(
    ("records", "limit"),
    [(499, 500), (5_000, 5_000), (4_500, 5_000), (4_499, 4_499), (380, 380), (30_000, 30_000)],
)
def test_a_page_was_made_by_the_round_limit_above_it(records: int, limit: int) -> None:
    """Only the last few records are missing; fewer than nine in ten were made by another limit."""
    assert rounded(records) == limit


def test_the_time_of_a_page_is_kept_with_its_size() -> None:
    """A small and a large page together show what a record costs."""
    measures = facts(BASE, saw("large", page(many(700))))

    assert (measures.small_page, measures.small_page_ms) == (3, TOOK_MS)
    assert (measures.large_page, measures.large_page_ms) == (700, TOOK_MS)


@pytest.mark.parametrize(
    ("following", "cursor"),
    [
        ({"gte": START + 3 * HOUR, "lte": END}, "date.gte"),
        ({"gte": START, "lte": START + HOUR}, "date.lte"),
        ({"lte": END}, None),
        ({"gte": START, "lte": END}, None),
    ],
)
def test_the_cursor_is_the_bound_that_a_continuation_moved(
    following: dict[str, int], cursor: str | None
) -> None:
    """The other one comes back as it was sent."""
    assert facts(saw("ascending", more(UP, date=following))).cursor == cursor


def test_a_last_page_has_no_cursor() -> None:
    """Whatever continuation it states: nobody would follow it."""
    following = {"date": {"gte": START + 3 * HOUR, "lte": END}}

    assert facts(saw("ascending", page(UP, nextQueryFilters=following))).cursor is None


def test_the_notation_is_that_of_the_first_continuation() -> None:
    """Other pages have none."""
    text = more(UP, date={"gte": str(START + HOUR)})

    assert facts(BASE, saw("large", text)).notation == "text"
    assert facts(BASE).notation is None


EVENT_TYPE: Question = "event type"


@pytest.mark.parametrize(
    ("following", "echoes"),
    [
        ({"activity.eventActionType": {"eq": ["a"]}, "date": {"gte": START + HOUR}}, "all"),
        ({"date": {"gte": START + HOUR}}, "times"),
    ],
)
def test_a_continuation_echoes_other_filters_or_only_times(
    following: dict[str, Any], echoes: str
) -> None:
    """A filter that is not repeated must be stated again."""
    assert facts(saw(EVENT_TYPE, more(UP, **following))).echoes == echoes


def test_a_last_page_does_not_tell_what_a_continuation_echoes() -> None:
    """It has none."""
    assert facts(saw(EVENT_TYPE, page(UP))).echoes is None
    assert facts(saw(EVENT_TYPE, LOST)).echoes is None


@pytest.mark.parametrize(
    ("records", "following", "boundary"),
    [
        (UP, {"gte": START + 3 * HOUR, "lte": END}, "repeated"),
        (UP, {"gte": START + 3 * HOUR + 1, "lte": END}, "clean"),
        (DOWN, {"gte": START, "lte": START + HOUR}, "repeated"),
        (DOWN, {"gte": START, "lte": START + HOUR - 1}, "clean"),
        (UP, {"range": START + 4 * HOUR}, None),
        (UP, {"gte": START, "lte": END}, None),
    ],
)
def test_a_boundary_is_repeated_if_the_cursor_is_on_the_page(
    records: list[dict[str, Any]], following: dict[str, Any], boundary: str | None
) -> None:
    """What is at the cursor then comes on both pages."""
    assert facts(saw("ascending", more(records, date=following))).boundary == boundary


HIDDEN = saw("boundary", page(), bounds=(START + 2 * HOUR, END))
"""A query that began where an activity is, and showed nothing."""


def test_a_query_at_an_activity_that_shows_nothing_is_a_black_hole() -> None:
    """One is enough, even if another showed what it should."""
    shown = saw("another boundary", page(UP), bounds=(START + 3 * HOUR, END))

    assert facts(BASE, HIDDEN, shown).black_hole == "seen"


def test_queries_at_activities_that_show_something_are_no_black_hole() -> None:
    """Whether there are others that hide something is not known, but none was seen."""
    shown = saw("boundary", page(UP[1:]), bounds=(START + 2 * HOUR, END))

    assert facts(BASE, shown).black_hole == "not seen"


def test_a_black_hole_could_not_be_told_without_a_boundary() -> None:
    """None was tried, or nothing comes in ascending order."""
    unsorted = saw("ascending", page(MIXED))

    assert facts(BASE).black_hole is None
    assert facts(unsorted, saw("continued", page(UP), bounds=None)).black_hole is None


@pytest.mark.parametrize(
    ("question", "answer", "shown"),
    [
        ("hole by created", page(at(2 * HOUR)), ("created",)),
        ("after the hole", page(at(3 * HOUR)), ("next",)),
        ("hole descending", page(at(3 * HOUR, 2 * HOUR)), ("descending",)),
        ("hole descending", page(at(3 * HOUR)), ()),
        ("hole by created", page(), ()),
        ("after the hole", LOST, ()),
    ],
)
def test_a_query_shows_what_a_hole_hides(
    question: Question, answer: Answer | NoAnswer, shown: tuple[str, ...]
) -> None:
    """A descending one must show the very activity: it would show those after it anyway."""
    assert facts(BASE, HIDDEN, saw(question, answer)).hole_shown_by == shown


SAVED = saved((1, 10), (2, 20), (3, 30))
"""Half of them were saved at 20 or later."""


@pytest.mark.parametrize(
    ("answer", "becomes"),
    [
        (page(saved((2, 20), (3, 30))), "honoured"),
        (page(SAVED), "ignored"),
        (NOT_ACCEPTED, "refused"),
        (page(), None),
        (LOST, None),
    ],
)
def test_a_filter_on_created_is_honoured_if_no_earlier_ones_come(
    answer: Answer | NoAnswer, becomes: str | None
) -> None:
    """An empty page shows nothing, since at least half of the activities should be on it."""
    asked = saw("ascending", page(SAVED)), saw("filtered by created", answer)

    assert facts(*asked).created_filter == becomes


def test_a_filter_on_created_is_not_judged_without_the_time_that_it_asked_for() -> None:
    """No other page shows by when half of the activities were saved."""
    assert facts(saw("filtered by created", page(SAVED))).created_filter is None


@pytest.mark.parametrize(
    ("answer", "becomes"),
    [
        (page(saved((3, 10), (2, 20), (1, 30))), "obeyed"),
        (page(saved((3, 10), (1, 20), (2, 30))), "obeyed"),
        (page(saved((1, 30), (2, 10), (3, 20))), "ignored"),
        (page(SAVED), None),
        (page(saved((1, 10))), None),
        (page(saved((1, 10), (2, 10))), None),
        (NOT_ACCEPTED, "refused"),
        (LOST, None),
    ],
)
def test_an_order_by_created_is_obeyed_if_it_differs_from_that_by_date(
    answer: Answer | NoAnswer, becomes: str | None
) -> None:
    """Activities that were saved in the order in which they happened show nothing."""
    assert facts(BASE, saw("narrow by created", answer)).created_sort == becomes


@pytest.mark.parametrize(
    ("by_date", "by_created", "agrees"),
    [
        (page(UP), page(DOWN), "agrees"),
        (page(UP), page(UP[1:]), "misses activities"),
        (page(UP[1:]), page(UP), "agrees"),
        (page(), page(UP), None),
        (more(UP), page(UP), None),
        (page(UP), more(UP[1:]), None),
        (LOST, page(UP), None),
        (page(UP), LOST, None),
    ],
)
def test_a_query_by_created_agrees_if_it_misses_no_activity(
    by_date: Answer | NoAnswer, by_created: Answer | NoAnswer, agrees: str | None
) -> None:
    """Only whole pages can be compared."""
    asked = saw("narrow", by_date), saw("narrow by created", by_created)

    assert facts(*asked).created_agrees == agrees


def by_created(answer: Answer) -> Seen:
    """Return the page of a scan by `created`."""
    return saw("by created", answer, filters=("created",))


CREATED = {"created": {"gte": START + 30, "lte": END}}
"""A continuation of a scan by `created`."""


@pytest.mark.parametrize(
    ("first", "second", "goes"),
    [
        (SAVED, saved((4, 30), (5, 40)), "goes on"),
        (SAVED, saved((4, 29), (5, 40)), "goes back"),
        (SAVED[::-1], saved((4, 10), (5, 5)), "goes on"),
        (SAVED[::-1], saved((4, 10), (5, 11)), "goes back"),
        (SAVED, [], None),
        ([], SAVED, None),
    ],
)
def test_a_scan_by_created_goes_on_if_its_next_page_does_not_overlap(
    first: list[dict[str, Any]], second: list[dict[str, Any]], goes: str | None
) -> None:
    """It continues with later activities, or in descending order with earlier ones."""
    asked = by_created(more(first, **CREATED)), saw("by created, continued", page(second))

    assert facts(*asked).created_scan == goes


def test_a_scan_by_created_with_another_cursor_goes_nowhere() -> None:
    """Its next page is in an order by `date`."""
    first = by_created(more(SAVED, date={"gte": START + 3}))

    measures = facts(first, saw("by created, continued", page(saved((4, 40)))))

    assert (measures.created_cursor, measures.created_scan) == ("date", None)


def test_the_cursor_of_a_scan_by_created_is_the_field_that_its_continuation_moved() -> None:
    """A last page does not tell."""
    assert facts(by_created(more(SAVED, **CREATED))).created_cursor == "created"
    assert facts(by_created(page(SAVED))).created_cursor is None


@pytest.mark.parametrize(
    ("total", "said"), [(0, "zero"), (1, "above zero"), (None, "absent"), ("many", "absent")]
)
def test_an_empty_answer_has_a_form_and_a_total(total: object, said: str) -> None:
    """It was asked for where no activity can be."""
    measures = facts(saw("empty", page(total=total)))

    assert (measures.empty_data, measures.empty_total) == ("list", said)


def test_an_answer_with_activities_of_the_future_is_not_an_empty_one() -> None:
    """The API ignores the filter on `date`."""
    measures = facts(saw("empty", page(UP)))

    assert (measures.empty_data, measures.empty_total) == (None, None)


@pytest.mark.parametrize(
    ("answers", "total"),
    [
        ({"ascending": page(UP)}, "exact"),
        ({"ascending": page([*UP, None], total=4)}, "exact"),
        ({"ascending": page(UP, total=4)}, "estimate"),
        ({"ascending": page(UP, total=None)}, "absent"),
        ({"ascending": page(UP), "narrow": page(UP, total=None)}, "estimate"),
        ({"ascending": more(UP, date={"gte": START + HOUR})}, None),
        ({"ascending": page(UP), "large": more(UP, date={"gte": START + HOUR})}, "exact"),
        ({"ascending": page(), "large": LOST}, None),
    ],
)
def test_a_total_is_exact_if_last_pages_hold_so_many(
    answers: dict[Question, Answer | NoAnswer], total: str | None
) -> None:
    """A page before another does not hold all; a null is a record; some pages may have none."""
    assert facts(*(saw(*it) for it in answers.items())).total == total


@pytest.mark.parametrize("other", ["in the documented form", "descending", "large"])
def test_totals_of_the_same_query_that_differ_are_estimates(other: Question) -> None:
    """None of these pages is the last, so none is wrong by itself."""
    following = {"date": {"gte": START + HOUR}}
    answers = (
        page(UP, hasNext=True, total=total, nextQueryFilters=following) for total in (10, 11)
    )
    questions: tuple[Question, ...] = ("ascending", other)

    asked = [saw(*it) for it in zip(questions, answers, strict=True)]
    assert facts(*asked).total == "estimate"


def test_the_total_of_a_continuation_is_not_compared() -> None:
    """It may count what is left or all."""
    answers = BASE, saw("continued", page(UP[1:], total=3), bounds=None)

    assert facts(*answers).total == "exact"


@pytest.mark.parametrize(
    ("answer", "told"), [(page(UP, max=500), "stated"), (page(UP), "absent"), (page(max=5), None)]
)
def test_a_limit_is_stated_on_a_page_with_activities(answer: Answer, told: str | None) -> None:
    """An empty answer may be of another form."""
    assert facts(saw("ascending", answer)).max == told


def test_a_limit_need_not_be_stated_on_every_page() -> None:
    """One page is enough."""
    assert facts(BASE, saw("large", page(UP, max=500))).max == "stated"


@pytest.mark.parametrize(
    ("answer", "becomes"),
    [
        (page(UP), "ignored"),
        (page(), "matches nothing"),
        (NOT_ACCEPTED, "refused"),
        (LOST, None),
    ],
)
def test_a_filter_that_does_not_exist_is_ignored_if_activities_come(
    answer: Answer | NoAnswer, becomes: str | None
) -> None:
    """No activity can match it."""
    assert facts(BASE, saw("unknown filter", answer)).unknown_filter == becomes


TYPED = [*at(1, 2, eventTypeName="a"), *at(3, eventTypeName="b")]


@pytest.mark.parametrize(
    ("answer", "becomes"),
    [(page(TYPED[:2]), "works"), (page(TYPED), "ignored"), (page(), None), (LOST, None)],
)
def test_the_documented_filter_on_types_works_if_only_that_type_comes(
    answer: Answer | NoAnswer, becomes: str | None
) -> None:
    """An empty page shows nothing: it may match something else than `eventTypeName`."""
    asked = saw("ascending", page(TYPED)), saw(EVENT_TYPE, answer)

    assert facts(*asked).event_action_type == becomes


def old(*ages: int) -> list[dict[str, Any]]:
    """Return activities of these ages in ms."""
    return [activity(NOW - age) for age in ages]


@pytest.mark.parametrize(
    ("answer", "hours", "reach"),
    [
        (more(old(200 * HOUR, 9 * HOUR)), 200, "edge"),
        (page(old(9 * HOUR, 200 * HOUR)), 200, "edge"),
        (more(old(9 * HOUR, 200 * HOUR)), 200, "at least"),
        (page(old(200 * HOUR + 1)), 201, "edge"),
        (page([{"_id": "x", "timestamp": NOW - 9 * HOUR}]), 9, "edge"),
    ],
)
def test_the_reach_is_the_age_of_the_oldest_activity(
    answer: Answer, hours: int, reach: str
) -> None:
    """It is the edge if older ones would have been on this page; hours are rounded up."""
    measures = facts(saw("at the reach", answer))

    assert (measures.reach_hours, measures.reach) == (hours, reach)


def test_the_reach_may_be_less_than_the_settings_say() -> None:
    """Then nothing is where they say, and the oldest activity of all is the edge."""
    measures = facts(saw("at the reach", page()), saw("oldest of all", page(old(9 * DAY))))

    assert (measures.reach_hours, measures.reach) == (9 * 24, "edge")


def test_without_any_activity_the_reach_is_open() -> None:
    """The tenant may be new."""
    measures = facts(saw("at the reach", page()), saw("oldest of all", page()))

    assert (measures.reach_hours, measures.reach) == (None, None)


def test_lateness_is_told_by_shares_of_the_largest_page() -> None:
    """In seconds, rounded up; so late were at most this many when saved."""
    lags = [1_000 * it + 1 for it in range(101)]
    late = page(saved(*((it, it + lag) for it, lag in enumerate(lags))))

    measures = facts(BASE, saw("large", late))

    assert measures.lateness_of == 101
    assert measures.lateness == tuple(
        Lag(share=share, seconds=seconds)
        for share, seconds in (
            (0.0, 1),
            (0.05, 6),
            (0.25, 26),
            (0.5, 51),
            (0.75, 76),
            (0.9, 91),
            (0.95, 96),
            (0.99, 100),
            (1.0, 101),
        )
    )


def test_an_activity_that_was_saved_before_it_happened_is_not_late() -> None:
    """The clock of its source was ahead."""
    measures = facts(saw("ascending", page(saved((MINUTE, 0), (MINUTE, 0)))))

    assert {it.seconds for it in measures.lateness} == {0}


def test_one_activity_does_not_tell_lateness() -> None:
    """Neither does one beside others that lack a time."""
    unplaced = {"_id": "x", "timestamp": START}, {"_id": "y", "created": START}

    assert facts(saw("ascending", page(UP[:1]))).lateness == ()
    assert facts(saw("ascending", page([*UP[:1], *unplaced]))).lateness_of == 0


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([*UP, None], ("seen", "not seen")),
        ([*UP, {"_id": "x", "timestamp": START}], ("not seen", "seen")),
        (UP, ("not seen", "not seen")),
        ([], (None, None)),
    ],
)
def test_nulls_and_records_without_a_time_are_seen_on_any_page(
    records: list[dict[str, Any] | None], told: tuple[str | None, str | None]
) -> None:
    """Where no activities came, there may be some."""
    measures = facts(saw("large", page(records)))

    assert (measures.nulls, measures.unplaced) == told


@pytest.mark.parametrize(
    ("headers", "told"), [({"content-encoding"}, "yes"), ({"date"}, "no"), (set(), None)]
)
def test_answers_are_compressed_if_a_header_says_so(headers: set[str], told: str | None) -> None:
    """Without any known header, a proxy may have removed it."""
    plain = page(UP)
    answer = Answer(status=200, body=plain.body, headers=frozenset(headers))

    assert facts(saw("ascending", answer)).compressed == told


def test_one_compressed_answer_shows_that_answers_are_compressed() -> None:
    """A small one may be sent as it is."""
    small, large = (
        Answer(status=200, body=page(UP).body, headers=frozenset(it))
        for it in ({"date"}, {"date", "content-encoding"})
    )

    assert facts(saw("ascending", small), saw("large", large)).compressed == "yes"


def test_the_form_of_a_throttle_is_kept() -> None:
    """Of the first one, if several came."""
    throttles = [status(429, retry_after=it) for it in ("9", None)]

    assert facts(BASE, *(saw("large", it) for it in throttles)).retry_after == "seconds"
    assert facts(BASE).retry_after is None


def test_activities_in_an_hour_are_told_by_the_largest_page() -> None:
    """By the span in which they happened, to a hundredth; activities at one time have none."""
    assert facts(saw("ascending", page(at(0, 30 * MINUTE, 2 * HOUR)))).per_hour == 1.5
    assert facts(saw("ascending", page(saved((0, 0), (HOUR, 9 * HOUR))))).per_hour == 2
    assert facts(saw("ascending", page(at(0, HOUR, 7 * HOUR)))).per_hour == 0.43
    assert facts(saw("ascending", page(SAME))).per_hour is None
