"""What a slice asks for next, and what a continuation says."""

import json

import pytest

from shared.core.model import Dense, Direction
from shared.core.slices.facts import UNKNOWN
from shared.core.slices.opening import open_slice
from shared.core.slices.requests import has_drifted, next_request, stated_bound, stated_cursor
from tests.fakes import activity, policy
from tests.unit.core.slices.building import END, START, body_of, more, opened, page


def test_the_first_query_has_the_bounds_and_the_user_s_filters() -> None:
    """Inclusive on both ends, as the API's operators are."""
    how = policy(filters={"service": {"eq": [20893]}}, limit=700)

    body = json.loads(
        next_request(open_slice((START, END), pass_name="first", policy=how), how, UNKNOWN).body
    )

    assert body == {
        "filters": {"service": {"eq": [20893]}, "date": {"gte": START, "lte": END - 1}},
        "isScan": True,
        "limit": 700,
        "sortField": "date",
        "sortDirection": "asc",
    }


def test_the_continuation_goes_back_verbatim() -> None:
    """Its bytes, whatever they hold; sorting and limit are stated again."""
    verbatim = '{ "z":1.0, "date":{"lte": 9,"gte":5}, "more":[1e2] }'
    piece = opened(cursor=START + 5, continuation=verbatim, limit=625)

    sent = next_request(piece, policy(), UNKNOWN).body

    assert b'"filters":' + verbatim.encode() + b"," in sent
    assert {**json.loads(sent), "filters": None} == {
        "filters": None,
        "isScan": True,
        "limit": 625,
        "sortField": "date",
        "sortDirection": "asc",
    }


@pytest.mark.parametrize(
    ("direction", "at", "asked"),
    [
        ("asc", START + 7, {"gte": START + 7, "lte": END - 1}),
        ("desc", START + 7, {"gte": START, "lte": START + 6}),
    ],
)
def test_a_fresh_query_asks_for_what_remains(
    direction: str, at: int, asked: dict[str, int]
) -> None:
    """From the cursor up, or down to it."""
    body = body_of(opened(cursor=at, direction=direction), policy())

    assert body["filters"] == {"date": asked}
    assert body["sortDirection"] == direction


@pytest.mark.parametrize(
    ("given_bound", "asked"),
    [
        (None, START + 9),
        (START + 4, START + 9),
        (START + 50, START + 50),
        (START + 50.0, START + 50),
    ],
)
def test_a_dense_query_never_asks_for_more_than_the_user_wanted(
    given_bound: float | None, asked: int
) -> None:
    """The user's own bound on the other field holds, with or without a decimal point."""
    own = {"lte": END} if given_bound is None else {"lte": END, "gte": given_bound}
    how = policy(filters={"created": own})
    dense = Dense(millisecond=START, cursor=START + 9, probing=False)

    body = body_of(opened(mode="dense", dense=dense), how)

    assert body["filters"]["created"] == {"lte": END, "gte": asked}
    assert body["filters"]["date"] == {"gte": START, "lte": START}
    assert (body["sortField"], body["sortDirection"]) == ("created", "asc")


def test_a_dense_millisecond_that_counts_down_is_bounded_from_above() -> None:
    """The API may sort the other way; the tighter of two bounds holds."""
    how = policy(filters={"created": {"lte": START + 5}})
    dense = Dense(millisecond=START, cursor=START + 9, probing=False, direction="desc")

    assert body_of(opened(mode="dense", dense=dense), how)["filters"]["created"] == {
        "lte": START + 5
    }


def test_a_partial_sweep_asks_only_for_what_was_ingested_since() -> None:
    """The bound is on the other time field."""
    body = body_of(opened(pass_name="sweep-24h", since=START + 60_000), policy())

    assert body["filters"]["created"] == {"gte": START + 60_000}
    assert body["filters"]["date"] == {"gte": START, "lte": END - 1}


@pytest.mark.parametrize(
    ("direction", "bounds", "bound", "cursor"),
    [
        ("asc", {"gte": START + 7, "lte": END}, START + 7, START + 7),
        ("desc", {"gte": START, "lte": START + 7}, START + 7, START + 8),
        ("asc", {"lte": END}, None, None),
        ("desc", {"gte": START}, None, None),
    ],
)
def test_the_bound_that_moves_is_the_next_cursor(
    direction: Direction, bounds: dict[str, int], bound: int | None, cursor: int | None
) -> None:
    """It is inclusive, so that a cursor which counts down stands after it."""
    shown = page({"data": [], "hasNext": True, "nextQueryFilters": {"date": bounds}})
    piece = opened(direction=direction, cursor=START if direction == "asc" else END)

    assert stated_bound(shown, "date", direction) == bound
    assert stated_cursor(piece, shown, "date") == cursor


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [], "hasNext": False},
        {"data": [], "hasNext": False, "nextQueryFilters": {"date": {"gte": START}}},
        {"data": [], "hasNext": True, "nextQueryFilters": {"user": {"eq": "x"}}},
        {"data": [], "hasNext": True, "nextQueryFilters": {"date": [START]}},
    ],
)
def test_a_page_without_a_bound_states_none(answer: dict[str, object]) -> None:
    """It is the last one, or its filters name the axis in another form or not at all."""
    assert stated_bound(page(answer), "date", "asc") is None


def test_a_continuation_that_only_moves_the_cursor_has_not_drifted() -> None:
    """Neither has a last page, which has none to compare."""
    assert not has_drifted(page(more(START + 5, activity(START))), opened(), policy())
    assert not has_drifted(page({"data": [], "hasNext": False}), opened(), policy())


@pytest.mark.parametrize(
    "filters",
    [
        {"date": {"gte": START + 5, "lte": END - 1}, "user": {"eq": "x"}},
        {"date": {"gte": START + 5, "lte": END}},
        {"date": START + 5},
    ],
)
def test_a_continuation_that_asks_for_something_else_has_drifted(
    filters: dict[str, object],
) -> None:
    """Another filter, another far bound, or none that can be read."""
    answer = {"data": [activity(START)], "hasNext": True, "nextQueryFilters": filters}

    assert has_drifted(page(answer), opened(), policy())


def test_a_dense_query_downwards_goes_on_below_a_wider_bound_of_the_user_s() -> None:
    """The cursor is the tighter one then."""
    how = policy(filters={"created": {"lte": START + 5}})
    dense = Dense(millisecond=START, cursor=START + 3, probing=False, direction="desc")

    body = body_of(opened(mode="dense", dense=dense), how)

    assert body["filters"]["created"] == {"lte": START + 3}
