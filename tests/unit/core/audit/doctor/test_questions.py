"""Each question: when it is asked, and with which query."""

import json
from typing import Any

import pytest

from shared.core.audit.doctor.looking import Asked, Seen, look
from shared.core.audit.doctor.probing import REQUESTS_MOST, Probing, noted
from shared.core.audit.doctor.questions import (
    BOUNDARIES,
    NARROW,
    common_kind,
    hole,
    median_created,
    narrow_bounds,
    next_question,
)
from shared.core.audit.doctor.words import Question
from shared.core.model import Answer
from tests.fakes import DAY, HOUR, NOW, policy, status
from tests.unit.core.audit.doctor.building import (
    END,
    NOT_ACCEPTED,
    START,
    at,
    knowing,
    more,
    page,
    saved,
    saw,
)

WINDOW = {"date": {"gte": START, "lte": END}}

HOURLY = [hour * HOUR for hour in range(1, 10)]
"""Times of activities after the start of the window; on whole seconds only with `WHOLE` added."""

WHOLE = 1_000 - START % 1_000


def how(question: Question, *known: Seen) -> Asked | None:
    """Return how a question is asked, None if it is not.

    Args:
        question: which one.
        known: questions with their answers; the API accepts no other query.
    """
    probing = knowing(*known)
    while (asked := next_question(probing)) is not None and asked.question != question:
        probing = noted(probing, look(asked, NOT_ACCEPTED, milliseconds=1, now=NOW))
    return asked


def query(question: Question, *known: Seen) -> dict[str, Any]:
    """Return the query with which a question is asked."""
    asked = how(question, *known)
    assert asked is not None
    return body_of(asked)


def body_of(asked: Asked) -> dict[str, Any]:
    """Return what is sent, which must be what is said about it; a continuation says less."""
    body: dict[str, Any] = json.loads(asked.request.body)
    order = {"sortField": asked.sort_field, "sortDirection": asked.sort_direction}
    filters = body.pop("filters")
    assert body == {
        "isScan": True,
        "limit": asked.limit,
        **{name: value for name, value in order.items() if value is not None},
    }
    if "continued" not in asked.question:
        cut = filters[asked.filters[0]]
        assert asked.bounds == (cut["gte"], cut["lte"])
        assert set(asked.filters) == {NAMES.get(it, it) for it in filters}
    return {**body, "filters": filters}


NAMES = {"activity.noSuchFilter": "unknown", "service": "of the scan"}
"""Names in a transcript of filters that are called otherwise in a query."""


def ascending(*times: int) -> Seen:
    """Return a page in ascending order with activities at these times."""
    return saw("ascending", page(at(*times)))


BASE = ascending(*HOURLY)

NO_FIELD = (saw("ascending", NOT_ACCEPTED), saw("without sortField", page(at(*HOURLY))))
"""What an API answers that refuses `sortField`."""

NO_DIRECTION = (saw("ascending", NOT_ACCEPTED), saw("without sortDirection", page(at(*HOURLY))))
"""What an API answers that refuses `sortDirection`."""


def test_it_begins_as_the_scan_asks() -> None:
    """With the scan's own filters, order and limit: whether that works matters most."""
    own = policy(filters={"service": {"eq": [11161]}}, axis="created", direction="desc", limit=700)

    first = next_question(Probing(now=NOW, policy=own))

    assert first is not None
    assert body_of(first) == {
        "filters": {
            "service": {"eq": [11161]},
            "created": {"gte": END - HOUR, "lte": END},
        },
        "isScan": True,
        "limit": 700,
        "sortField": "created",
        "sortDirection": "desc",
    }
    assert first.filters == ("created", "of the scan")


def test_a_scan_without_filters_is_asked_for_without_any() -> None:
    """The name in the transcript says so, too."""
    first = next_question(knowing())

    assert first is not None
    assert (first.question, first.filters) == ("as the scan asks", ("date",))


def test_the_documented_form_states_no_order() -> None:
    """What comes then is the API's own order."""
    assert query("in the documented form", BASE) == {
        "filters": WINDOW,
        "isScan": True,
        "limit": 500,
    }


def test_the_window_is_asked_for_in_ascending_order() -> None:
    """Further questions build on this page."""
    assert query("ascending") == {
        "filters": WINDOW,
        "isScan": True,
        "limit": 500,
        "sortField": "date",
        "sortDirection": "asc",
    }


@pytest.mark.parametrize(
    ("question", "kept"),
    [("without sortField", "sortDirection"), ("without sortDirection", "sortField")],
)
def test_an_order_that_is_not_accepted_is_asked_for_with_less(
    question: Question, kept: str
) -> None:
    """Which of the two the API refuses shows by leaving out one at a time."""
    refused = saw("ascending", NOT_ACCEPTED)

    assert query(question, refused).keys() == {"filters", "isScan", "limit", kept}


@pytest.mark.parametrize("question", ["without sortField", "without sortDirection"])
def test_an_order_that_is_accepted_is_not_asked_for_with_less(question: Question) -> None:
    """There is nothing to find out."""
    assert how(question, BASE) is None


def test_the_window_is_asked_for_in_descending_order() -> None:
    """Whether the API obeys shows beside the ascending page."""
    asked = query("descending", BASE)

    assert (asked["filters"], asked["sortDirection"]) == (WINDOW, "desc")


def test_no_direction_is_asked_for_where_none_is_accepted() -> None:
    """Neither the descending one nor any in another question."""
    assert how("descending", *NO_DIRECTION) is None
    assert query("large", *NO_DIRECTION).keys() == {"filters", "isScan", "limit", "sortField"}


def test_no_field_is_asked_for_where_none_is_accepted() -> None:
    """Nor anything that needs one."""
    narrow = saw("narrow", page(at(*HOURLY)))

    assert query("large", *NO_FIELD).keys() == {"filters", "isScan", "limit", "sortDirection"}
    assert how("narrow by created", *NO_FIELD, narrow) is None
    assert how("by created", *NO_FIELD) is None


def test_the_largest_limit_is_asked_for() -> None:
    """How many records come shows the page cap."""
    asked = query("large", BASE)

    assert (asked["filters"], asked["limit"]) == (WINDOW, 5_000)


def test_a_continuation_is_sent_back_as_it_came() -> None:
    """In the order and with the limit of the page that stated it."""
    following: dict[str, Any] = {
        "date": {"gte": START + HOUR, "lte": END},
        "unheard-of": {"x": [1.50]},
    }
    order: dict[str, Any] = {"limit": 700, "sort_direction": "desc"}
    base = saw("ascending", more(at(*HOURLY), **following), **order)

    assert query("continued", base) == {
        "filters": following,
        "isScan": True,
        "limit": 700,
        "sortDirection": "desc",
    }


def test_a_continuation_by_created_is_sent_back_as_it_came() -> None:
    """It continues the page by `created`, not that of the window."""
    following = {"created": {"gte": START + HOUR, "lte": END}}
    order: dict[str, Any] = {"filters": ("created",), "sort_field": "created"}
    first = saw("by created", more(at(*HOURLY), **following), **order)

    asked = how("by created, continued", BASE, first)

    assert asked is not None
    assert body_of(asked) == {
        "filters": following,
        "isScan": True,
        "limit": 500,
        "sortField": "created",
    }
    assert (asked.filters, asked.bounds) == (("created",), None)


def test_a_last_page_is_not_continued() -> None:
    """It states no continuation."""
    by_created = saw("by created", page(at(*HOURLY)), filters=("created",))

    assert how("continued", BASE) is None
    assert how("by created, continued", BASE, by_created) is None


@pytest.mark.parametrize(("question", "begins"), [("boundary", 3), ("another boundary", 6)])
def test_a_boundary_is_where_an_activity_is(question: Question, begins: int) -> None:
    """One of the questions begins a third down the page, the other two thirds."""
    asked = query(question, ascending(*HOURLY))

    assert asked["filters"] == {"date": {"gte": START + HOURLY[begins], "lte": END}}


def test_a_boundary_is_at_a_whole_second_if_there_is_an_activity() -> None:
    """Many sources only state whole seconds, so most activities share one with others."""
    asked = query("boundary", ascending(*HOURLY, 20 * HOUR + WHOLE))

    assert asked["filters"]["date"]["gte"] == START + 20 * HOUR + WHOLE


def test_the_two_boundaries_are_at_different_times() -> None:
    """However many activities of the page share one of them."""
    dense = ascending(HOUR, *[2 * HOUR] * 10, 3 * HOUR)

    begins = [query(it, dense)["filters"]["date"]["gte"] for it in BOUNDARIES[1:]]

    assert begins == [START + 2 * HOUR, START + 3 * HOUR]


@pytest.mark.parametrize(
    ("default", "stated"),
    [
        (saw("descending", page(at(*HOURLY))), "desc"),
        (saw("in the documented form", page(at(*HOURLY))), None),
    ],
)
def test_a_boundary_is_asked_for_in_whatever_way_the_api_sorts_upward(
    default: Seen, stated: str | None
) -> None:
    """Some obey a direction the wrong way round, some none at all."""
    unsorted = ascending(3 * HOUR, HOUR, 2 * HOUR)

    assert query("boundary", unsorted, default).get("sortDirection") == stated


def test_no_boundary_is_tried_where_nothing_comes_in_ascending_order() -> None:
    """A query only hides what is at its beginning if it goes up from there."""
    assert how("boundary", ascending(3 * HOUR, 2 * HOUR)) is None


def test_no_boundary_is_tried_on_an_empty_page() -> None:
    """There is no activity to begin at, even if another query shows that the API sorts."""
    assert how("boundary", ascending(), saw("descending", page(at(*HOURLY)))) is None


def boundary(begins: int, *times: int) -> Seen:
    """Return a query that began so long after the start of the window, and showed this."""
    return saw("boundary", page(at(*times)), bounds=(START + begins, END))


HIDDEN = boundary(HOUR)
"""A query that began where an activity is, and showed nothing."""


def test_a_hole_is_where_a_query_at_an_activity_shows_nothing() -> None:
    """It hid at least the activity at which it began."""
    assert hole(knowing(BASE, HIDDEN)) == START + HOUR
    assert hole(knowing(BASE, boundary(HOUR, *HOURLY))) is None
    assert hole(knowing(BASE)) is None


def test_an_empty_page_before_another_is_no_hole() -> None:
    """What it did not show may come."""
    going_on = saw("boundary", more(date={"gte": START + HOUR}))

    assert hole(knowing(BASE, going_on)) is None


def test_a_hole_may_be_at_the_cursor_of_a_page() -> None:
    """A continuation begins at an activity as well."""
    base = saw("ascending", more(at(*HOURLY), date={"gte": START + 9 * HOUR, "lte": END}))

    assert hole(knowing(base, saw("continued", page(), bounds=None))) == START + 9 * HOUR


def test_an_empty_continuation_without_a_lower_bound_is_no_hole() -> None:
    """It went down, and is just the end."""
    base = saw("ascending", more(at(*HOURLY), date={"lte": START + HOUR}))

    assert hole(knowing(base, saw("continued", page(), bounds=None))) is None


def test_an_empty_continuation_without_a_lower_bound_hides_no_other_hole() -> None:
    """A query that began at an activity still shows one."""
    base = saw("ascending", more(at(*HOURLY), date={"lte": START + HOUR}))

    assert hole(knowing(base, saw("continued", page(), bounds=None), HIDDEN)) == START + HOUR


def test_behind_a_hole_a_second_is_asked_for_where_no_activity_was_seen() -> None:
    """A page without any may still be continued."""
    base = saw("ascending", more(date={"gte": START + HOUR, "lte": END}))

    asked = query("hole descending", base, saw("continued", page(), bounds=None))

    assert asked["filters"] == {"date": {"gte": START + HOUR, "lte": START + HOUR + 1_000}}


@pytest.mark.parametrize(
    ("question", "known"),
    [
        ("hole by created", [HIDDEN]),
        ("after the hole", [HIDDEN]),
        ("at the reach", []),
        ("oldest of all", [saw("at the reach", page())]),
    ],
)
def test_what_is_asked_for_upward_takes_the_api_as_it_sorts(
    question: Question, known: list[Seen]
) -> None:
    """This one obeys the direction the wrong way round."""
    reversed_ = (ascending(3 * HOUR, 2 * HOUR, HOUR), saw("descending", page(at(*HOURLY))))

    assert query(question, *reversed_, *known)["sortDirection"] == "desc"


def test_one_hole_is_enough() -> None:
    """No other boundary is tried."""
    assert how("another boundary", BASE, HIDDEN) is None


@pytest.mark.parametrize(
    ("question", "bounds", "order"),
    [
        ("hole by created", (START + HOUR, START + HOUR), ("created", "asc")),
        ("after the hole", (START + HOUR + 1, START + 5 * HOUR), ("date", "asc")),
        ("hole descending", (START + HOUR, START + 5 * HOUR), ("date", "desc")),
    ],
)
def test_what_a_hole_hides_is_asked_for_in_three_ways(
    question: Question, bounds: tuple[int, int], order: tuple[str, str]
) -> None:
    """By `created`, after it, and downward: up to half the span of the page behind it."""
    asked = query(question, BASE, HIDDEN)

    assert asked["filters"] == {"date": {"gte": bounds[0], "lte": bounds[1]}}
    assert (asked["sortField"], asked["sortDirection"]) == order


def test_behind_a_hole_fewer_activities_are_asked_for_than_fit_on_a_page() -> None:
    """Of a page with 400 that is a quarter, as far as it tells how many there are."""
    base = ascending(*(minute * 60_000 for minute in range(401)))

    bounds = query("hole descending", base, HIDDEN)["filters"]["date"]

    few = 400 * 60_000 * NARROW // (2 * 401)
    assert bounds == {"gte": START + HOUR, "lte": START + HOUR + few}


def test_behind_a_hole_a_second_is_asked_for_at_least() -> None:
    """All activities of the page may be at one time."""
    bounds = query("hole descending", ascending(HOUR, HOUR), HIDDEN)["filters"]["date"]

    assert bounds == {"gte": START + HOUR, "lte": START + HOUR + 1_000}


def test_behind_a_hole_nothing_after_the_window_is_asked_for() -> None:
    """There, activities still arrive."""
    late = END - START - 1

    bounds = query("hole descending", ascending(0, late), boundary(late))["filters"]["date"]

    assert bounds == {"gte": START + late, "lte": END}


def test_without_a_hole_nothing_is_asked_about_it() -> None:
    """These three questions are only about what a hole hides."""
    questions: list[Question] = ["hole by created", "after the hole", "hole descending"]

    assert [how(it, BASE) for it in questions] == [None] * 3


@pytest.mark.parametrize("count", [3, NARROW, NARROW + 50])
def test_the_narrow_window_holds_at_most_so_many_activities(count: int) -> None:
    """It begins with the window, and ends with the last of them."""
    times = range(5, 5 * count + 5, 5)

    bounds = narrow_bounds(knowing(ascending(*times)))

    assert bounds == (START, START + 5 * min(count, NARROW))


def test_the_narrow_window_of_a_descending_page_is_at_its_end() -> None:
    """An API that only sorts descending shows the newest activities of the window."""
    times = [END - START - 5 * it for it in range(NARROW + 50)]

    assert narrow_bounds(knowing(ascending(*times))) == (END - 5 * NARROW + 4, END)


def test_there_is_no_narrow_window_without_activities() -> None:
    """Nothing says how many there are."""
    assert narrow_bounds(knowing()) is None
    assert how("narrow", ascending()) is None


def test_the_narrow_window_is_asked_for() -> None:
    """It fits on one page, so it shows all that is there."""
    assert query("narrow", BASE)["filters"] == {"date": {"gte": START, "lte": START + HOURLY[-1]}}


def test_the_narrow_window_is_asked_for_by_created() -> None:
    """It is still cut by `date`, so the same activities must come."""
    narrow = saw("narrow", page(at(*HOURLY)), bounds=(START, START + 9 * HOUR))

    asked = query("narrow by created", BASE, narrow)

    assert asked["filters"] == {"date": {"gte": START, "lte": START + 9 * HOUR}}
    assert asked["sortField"] == "created"


@pytest.mark.parametrize("question", ["narrow by created", "unknown filter"])
def test_what_is_compared_with_the_narrow_window_needs_it(question: Question) -> None:
    """It got no answer here."""
    assert how(question, BASE, saw("narrow", NOT_ACCEPTED)) is None


def test_the_later_half_by_created_is_asked_for() -> None:
    """The filter is beside that of the window; earlier ones show that it is ignored."""
    base = saw("ascending", page(saved((1, 50), (2, 30), (3, 40), (4, 60), (5, 20))))

    asked = query("filtered by created", base)

    assert asked["filters"] == {"created": {"gte": START + 40}, **WINDOW}


def test_two_times_of_saving_are_enough_for_a_later_half() -> None:
    """The later one begins it."""
    assert median_created(knowing(saw("ascending", page(saved((1, 40), (2, 30)))))) == START + 40


@pytest.mark.parametrize("pairs", [[], [(1, 30)], [(1, 30), (2, 30)]])
def test_activities_that_were_saved_at_one_time_have_no_later_half(
    pairs: list[tuple[int, int]],
) -> None:
    """A filter that lets all of them through shows nothing."""
    base = saw("ascending", page(saved(*pairs)))

    assert median_created(knowing(base)) is None
    assert how("filtered by created", base) is None


def test_the_window_is_asked_for_by_created() -> None:
    """Both its bounds and its order are on `created`."""
    asked = query("by created", BASE)

    assert asked["filters"] == {"created": {"gte": START, "lte": END}}
    assert (asked["sortField"], asked["sortDirection"]) == ("created", "asc")


def test_nothing_is_asked_by_created_without_a_page_to_compare() -> None:
    """An API that does not accept the plain query would not accept this one."""
    assert how("by created", saw("ascending", NOT_ACCEPTED)) is None


def test_an_empty_answer_is_asked_for_in_the_future() -> None:
    """No activity is thirty days ahead, not even by a wrong clock."""
    ahead = NOW + 30 * DAY

    assert query("empty", BASE)["filters"] == {"date": {"gte": ahead, "lte": ahead + 1}}


def test_the_oldest_activities_are_asked_for_at_the_reach() -> None:
    """From longer ago than any is kept, until half a day after the reach of the settings."""
    assert query("at the reach", BASE)["filters"] == {
        "date": {"gte": NOW - 400 * DAY, "lte": NOW - 30 * DAY + 12 * HOUR}
    }


def test_the_oldest_of_all_are_asked_for_if_none_are_at_the_reach() -> None:
    """The API reaches less far than the settings say."""
    nothing = saw("at the reach", page())

    assert query("oldest of all", BASE, nothing)["filters"] == {
        "date": {"gte": NOW - 400 * DAY, "lte": END}
    }


@pytest.mark.parametrize("answer", [page(at(*HOURLY)), NOT_ACCEPTED])
def test_the_oldest_of_all_are_not_asked_for_otherwise(answer: Answer) -> None:
    """The oldest have been seen, or nothing was."""
    assert how("oldest of all", BASE, saw("at the reach", answer)) is None


def test_a_filter_that_does_not_exist_is_tried_on_the_narrow_window() -> None:
    """No activity passes it, unless it is ignored."""
    narrow = saw("narrow", page(at(*HOURLY)), bounds=(START, START + 9 * HOUR))

    asked = query("unknown filter", BASE, narrow)

    assert asked["filters"] == {
        "activity.noSuchFilter": {"eq": ["none"]},
        "date": {"gte": START, "lte": START + 9 * HOUR},
    }


def kinds(*names: object) -> Seen:
    """Return a page in ascending order with activities of these types."""
    return saw("ascending", page(at(1, eventTypeName=name)[0] for name in names))


def test_the_most_frequent_event_type_is_asked_for() -> None:
    """The others must then be missing."""
    asked = query("event type", kinds("a", "b", "b", None, 7, None, 7))

    assert asked["filters"] == {"activity.eventActionType": {"eq": ["b"]}, **WINDOW}


def test_of_event_types_that_are_equally_frequent_the_first_by_name_is_asked_for() -> None:
    """The question is the same in every examination of the same page."""
    assert common_kind(knowing(kinds("c", "b", "a", "b", "a"))) == "a"


@pytest.mark.parametrize("names", [(), (None,), ("a", "a")])
def test_fewer_than_two_event_types_are_not_asked_about(names: tuple[object, ...]) -> None:
    """A filter that lets all of them through shows nothing."""
    assert common_kind(knowing(kinds(*names))) is None
    assert how("event type", kinds(*names)) is None


def test_nothing_is_asked_after_a_refusal() -> None:
    """Every further query would be refused, too."""
    assert next_question(knowing(saw("as the scan asks", status(403)))) is None


def test_nothing_is_asked_beyond_the_budget() -> None:
    """An examination takes twenty requests at most, whatever is still unknown."""
    spent = [BASE] * (REQUESTS_MOST - 1)

    assert next_question(knowing(*spent)) is not None
    assert next_question(knowing(*spent, BASE)) is None
