"""The form of a query, and what a refusal teaches about it."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from shared.core.model import LIMIT_MAX, LIMIT_MIN, ApiFacts, Axis, Dense, Direction, Slice
from shared.core.slices.asking import (
    ATTEMPTS_KEPT,
    Form,
    agreed,
    as_known,
    attempts,
    ignores_limit,
    ignores_sort_field,
    in_full,
    is_about_the_slice,
    less,
    on_trial,
    page_cap,
    parameters,
    settled,
)
from shared.core.slices.facts import UNKNOWN
from shared.core.state import ledger as ledgers
from tests.fakes import NOW, policy
from tests.unit.core.slices.building import END, START, opened, page

SAID = "HTTP 400: no"


def dense(**changes: Any) -> Slice:
    """Return a slice that pages a dense millisecond."""
    at = Dense(millisecond=START, cursor=None, probing=False)
    return opened(mode="dense", dense=msgspec.structs.replace(at, **changes), limit=LIMIT_MIN)


@pytest.mark.parametrize(
    ("piece", "axis", "field", "direction"),
    [
        (opened(), "date", "date", "asc"),
        (opened(direction="desc"), "created", "created", "desc"),
        (dense(), "date", "created", "asc"),
        (dense(plain=True), "date", "date", "asc"),
    ],
)
def test_a_query_in_full_names_limit_and_order(
    piece: Slice, axis: Axis, field: Axis, direction: Direction
) -> None:
    """A dense millisecond is sorted by the other time field, unless one page shows it."""
    assert parameters(piece, policy(axis=axis), UNKNOWN) == {
        "limit": piece.limit,
        "sortField": field,
        "sortDirection": direction,
    }


@pytest.mark.parametrize(
    ("piece", "kept"),
    [
        (opened(direction="desc"), {}),
        (opened(), {"sortDirection": "asc"}),
        (dense(), {"sortField": "created", "sortDirection": "asc"}),
    ],
)
def test_an_unsorted_query_leaves_out_what_is_the_default(
    piece: Slice, kept: dict[str, str]
) -> None:
    """What differs from the default is still named, or the answer would be another one."""
    asked = parameters(piece, policy(), ApiFacts(unsorted=True))

    assert asked == {"limit": piece.limit, **kept}


def records(*places: tuple[int, int]) -> list[dict[str, int]]:
    """Return records with these times of event and ingestion."""
    return [{"timestamp": START + at, "created": START + made} for at, made in places]


@pytest.mark.parametrize(
    ("piece", "axis", "places", "ignores"),
    [
        (opened(), "created", [(1, 9), (2, 3), (3, 5)], True),
        (opened(), "created", [(3, 1), (1, 2), (2, 3)], False),
        (opened(), "created", [(1, 3), (2, 2), (9, 1)], False),
        (opened(), "date", [(3, 1), (1, 2), (2, 3)], False),
        (dense(), "date", [(0, 9), (0, 3), (0, 5)], True),
        (dense(), "date", [(0, 3), (0, 5)], False),
        (dense(plain=True), "date", [(0, 9), (0, 3), (0, 5)], False),
        (dense(), "created", [(9, 0), (3, 0), (5, 0)], True),
    ],
)
def test_a_page_ignores_the_sort_field_if_it_is_in_no_order_of_it(
    piece: Slice, axis: Axis, places: Sequence[tuple[int, int]], *, ignores: bool
) -> None:
    """Either direction is an order; and who does not name a field cannot tell."""
    answer = {"data": records(*places), "hasNext": True, "nextQueryFilters": {}}

    assert ignores_sort_field(page(answer), piece, axis) is ignores


def test_a_last_page_does_not_show_whether_it_is_sorted_as_asked() -> None:
    """Nothing goes on from it, so its order does not matter."""
    answer = {"data": records((1, 9), (2, 3), (3, 5)), "hasNext": False}

    assert not ignores_sort_field(page(answer), opened(), "created")


@pytest.mark.parametrize(
    ("piece", "facts", "adjusted"),
    [
        (opened(limit=5000), ApiFacts(limit=500), opened(limit=500)),
        (opened(limit=500), ApiFacts(limit=1000), opened(limit=500)),
        (opened(since=7), ApiFacts(full_sweeps=True), opened()),
        (opened(since=7, requests=1), ApiFacts(full_sweeps=True), opened(since=7, requests=1)),
        (dense(), ApiFacts(plain_dense=True), dense(plain=True)),
        (dense(cursor=9), ApiFacts(plain_dense=True), dense(cursor=9)),
    ],
)
def test_a_slice_is_adjusted_to_what_is_known(
    piece: Slice, facts: ApiFacts, adjusted: Slice
) -> None:
    """What has begun to ask in one way goes on in it, or it would read records twice."""
    assert as_known(piece, facts) == adjusted


def test_a_refused_query_drops_the_larger_limit_first() -> None:
    """The documentation promises this limit."""
    lesser = less(opened(limit=LIMIT_MAX), policy(), UNKNOWN, SAID, served=False)

    assert lesser
    assert lesser.facts.limit == lesser.piece.limit == LIMIT_MIN
    assert lesser.facts.trial == (START, END)


def test_a_refused_query_then_drops_what_makes_it_special() -> None:
    """A partial sweep asks for everything, and a dense millisecond for one page."""
    sweep = less(opened(limit=LIMIT_MIN, since=7), policy(), UNKNOWN, SAID, served=False)
    crowd = less(dense(), policy(), UNKNOWN, SAID, served=False)

    assert sweep
    assert crowd
    assert (sweep.piece.since, sweep.facts.full_sweeps) == (None, True)
    assert (crowd.piece, crowd.facts.plain_dense) == (dense(plain=True), True)


def test_a_refused_query_drops_the_order_last() -> None:
    """After that nothing is left to try."""
    piece = opened(limit=LIMIT_MIN)

    lesser = less(piece, policy(), UNKNOWN, SAID, served=False)

    assert lesser
    assert (lesser.piece, lesser.facts.unsorted) == (piece, True)
    assert less(piece, policy(), lesser.facts, SAID, served=False) is None


@pytest.mark.parametrize("piece", [dense(cursor=9), dense(plain=True)])
def test_a_dense_millisecond_that_cannot_be_plain_drops_only_the_order(piece: Slice) -> None:
    """After a cursor, one page would repeat records; and plain it may be only once."""
    lesser = less(piece, policy(), UNKNOWN, SAID, served=False)

    assert lesser is None or lesser.facts.unsorted


def test_an_api_that_has_just_served_this_form_refuses_what_is_special() -> None:
    """So limit and order stay as they are, and an ordinary query has nothing to drop."""
    special = opened(limit=LIMIT_MAX, since=7)

    lesser = less(special, policy(), UNKNOWN, SAID, served=True)

    assert lesser
    assert (lesser.piece.limit, lesser.facts.limit) == (LIMIT_MAX, None)
    assert less(opened(), policy(), UNKNOWN, SAID, served=True) is None


def test_the_refused_forms_are_kept_with_what_the_api_said() -> None:
    """Special ones say what was special; only the latest are kept."""
    special = msgspec.structs.replace(dense(), since=7)

    told = attempts(special, policy(), ApiFacts(refused=("x",) * ATTEMPTS_KEPT), SAID)

    assert len(told) == ATTEMPTS_KEPT
    assert told[-1] == (
        "limit 500 sortField created sortDirection asc a bound on created (dense): HTTP 400: no"
    )


def test_the_warning_names_every_refused_form() -> None:
    """A person sees what the API does not accept, and where to read more."""
    said = agreed(ApiFacts(refused=("limit 5000: no", "limit 500: no")))

    assert "limit 5000: no; limit 500: no" in said
    assert "docs/runbook.md#asked-for-less" in said


def test_asking_in_full_forgets_every_refusal() -> None:
    """What was learned otherwise is kept."""
    restricted = ApiFacts(
        sorts={"asc": "desc"},
        limit=500,
        unsorted=True,
        plain_dense=True,
        full_sweeps=True,
        refused=("x",),
        trial=(START, END),
    )

    assert in_full(restricted) == ApiFacts(sorts={"asc": "desc"})


@pytest.mark.parametrize(
    ("trial", "not_before", "found"),
    [((START, END), 0, True), ((START, END), NOW + 1, False), (None, 0, False)],
)
def test_the_slice_on_trial_is_asked_for_first(
    trial: tuple[int, int] | None, not_before: int, *, found: bool
) -> None:
    """Unless it waits, or there is none."""
    piece = opened(not_before=not_before)
    ledger = msgspec.structs.replace(
        ledgers.begin(policy(), NOW), open=(piece,), api_facts=ApiFacts(trial=trial)
    )

    assert on_trial(ledger, NOW) == (piece if found else None)


@pytest.mark.parametrize(
    ("served", "kept"),
    [
        ([(500, True)], True),
        ([(500, False)], False),
        ([(5000, True)], False),
        ([], True),
    ],
)
def test_a_lesser_form_is_settled_unless_a_fuller_one_was_served_meanwhile(
    served: list[Form], *, kept: bool
) -> None:
    """Then the refusal had another cause."""
    facts = ApiFacts(limit=500, unsorted=True, refused=("x",), trial=(START, END))

    after = settled(facts, served)

    assert after.trial is None
    assert (after.limit, after.unsorted) == ((500, True) if kept else (None, False))


def test_a_full_query_is_settled_by_any_page() -> None:
    """There is no fuller one."""
    assert settled(ApiFacts(trial=(START, END)), [(LIMIT_MAX, False)]) == UNKNOWN


@pytest.mark.parametrize(
    ("fault", "served", "about"),
    [
        (None, [], False),
        (None, [(5000, False)], True),
        (None, [(500, False)], False),
        (None, [(5000, True)], False),
        (SAID, [], True),
        ("HTTP 400 to the API's own nextQueryFilters", [], False),
    ],
)
def test_a_refusal_is_about_the_slice_if_its_form_was_served(
    fault: str | None, served: list[Form], *, about: bool
) -> None:
    """Or if the slice was refused in every form before."""
    assert is_about_the_slice(opened(fault=fault, limit=1000), UNKNOWN, served) is about


@pytest.mark.parametrize(
    ("sizes", "cap"),
    [
        ([1000, 990, 1000], 1000),
        ([999, 990, 1000], 1000),
        ([1000, 990], None),
        ([2501, 990, 1000], None),
        ([250, 250, 250], None),
        ([251, 250, 250], 500),
        ([10_001], LIMIT_MIN),
        ([], None),
    ],
)
def test_pages_that_stay_small_show_the_limit_that_the_api_observes(
    sizes: list[int], cap: int | None
) -> None:
    """Three of at most half of what was asked for; far too large ones ignore every limit."""
    assert page_cap(sizes, 5000) == cap


def test_the_warning_about_the_limit_has_both_sizes() -> None:
    """What was asked for, and what came."""
    said = ignores_limit([900, 1200], 500)

    assert "up to 1200 activities although 500 were asked for" in said
