"""One slice against a tiny page server: any history, any page size, both directions."""

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.api.answers import Fault, read_answer
from shared.core.api.pages import Page
from shared.core.model import PART_PAGES, Answer, Block, Dense, Doubt, Policy, Seen, Slice
from shared.core.slices.facts import UNKNOWN
from shared.core.slices.opening import open_slice
from shared.core.slices.requests import next_request
from shared.core.slices.retreat import retreat
from shared.core.slices.sifting import Stored
from shared.core.slices.transitions import Draft, Finished
from shared.core.slices.traversal import (
    CROWDED,
    NULLS,
    PART_BLOCKS,
    PART_BYTES,
    REMEMBERED_MOST,
    TOO_MANY,
    UNDIVIDED,
    Reading,
    absorb,
    unprobed,
)
from tests.fakes import HOUR, MINUTE, NOW, activity, policy
from tests.unit.core.slices.building import (
    END,
    ROOM,
    START,
    body_of,
    more,
    opened,
    page,
    staged,
)


@dataclass
class Served:
    """What a slice brought: stored lines, proven intervals, and the requests."""

    lines: list[bytes]
    proven: list[tuple[int, int]]
    asked: list[dict[str, Any]]


def serve(truth: list[int], direction: str, size: int) -> Served:
    """Scan one slice, and what it opens, to the end."""
    how = policy(direction=direction)
    served = Served([], [], [])
    waiting = [open_slice((START, END), pass_name="first", policy=how)]
    while waiting:
        piece = waiting.pop()
        body = json.loads(next_request(piece, how, UNKNOWN).body)
        served.asked.append(body)
        draft = absorb(piece, page(_answer(truth, body, size)), how)
        assert isinstance(draft, Draft)
        served.lines += [record.line for record in draft.records]
        transition = draft.built([block for block, _ in draft.blocks(epoch=1)])
        waiting += [*transition.opened, *([transition.goes_on] if transition.goes_on else [])]
        if transition.finished:
            served.proven.append((transition.finished.start, transition.finished.end))
    return served


def _answer(truth: list[int], body: dict[str, Any], size: int) -> dict[str, Any]:
    """Answer as the API does: a full page loses its last millisecond, the cursor begins there."""
    bounds, up = body["filters"]["date"], body["sortDirection"] == "asc"
    found = sorted((at for at in truth if bounds["gte"] <= at <= bounds["lte"]), reverse=not up)
    if len(found) <= size:
        return {"data": _records(found), "hasNext": False, "total": len(found)}
    cursor = found[size]
    shown = [at for at in found[:size] if at != cursor]
    moved = {**bounds, "gte" if up else "lte": cursor}
    filters = {**body["filters"], "date": moved}
    return {"data": _records(shown), "hasNext": True, "nextQueryFilters": filters, "total": 9}


def _records(instants: list[int]) -> list[dict[str, Any]]:
    return [activity(at) for at in instants]


@pytest.mark.parametrize("direction", ["asc", "desc"])
@given(
    offsets=st.lists(st.integers(-5, 5 * MINUTE + 5), unique=True, max_size=120),
    size=st.integers(2, 30),
)
def test_a_slice_is_read_whole_and_once(offsets: list[int], size: int, direction: str) -> None:
    """Its proven intervals tile it; each record inside is stored once, and none outside."""
    truth = [START + offset for offset in offsets]

    served = serve(truth, direction, size)

    expected = [json.dumps(activity(at)).encode() for at in truth if START <= at < END]
    assert sorted(served.lines) == sorted(expected)
    edges = sorted(served.proven)
    assert [edges[0][0], edges[-1][1]] == [START, END]
    assert all(one[1] == other[0] for one, other in pairwise(edges))


def absorbed(answer: dict[str, Any], **changes: Any) -> Draft | Fault:
    """Absorb one answer into an open slice."""
    return absorb(opened(**changes), page(answer), policy())


def test_records_that_were_not_asked_for_are_dropped_and_counted() -> None:
    """Some outside the window: the rest is taken."""
    outside = activity(START - 1)
    transition = absorbed({"data": [outside, activity(START)], "hasNext": False})

    assert isinstance(transition, Draft)
    assert transition.finished
    assert len(transition.records) == 1
    assert transition.finished.slice.counts.outside == 1


def test_a_page_wholly_outside_is_malformed() -> None:
    """The filters were ignored."""
    fault = absorbed({"data": [activity(END)], "hasNext": False})

    assert fault == Fault(kind="malformed", detail="every record is outside the queried interval")


def test_a_page_without_a_cursor_to_go_on_from_is_malformed() -> None:
    """`hasNext` with filters that have no bound on the axis."""
    answer = {"data": [activity(START)], "hasNext": True, "nextQueryFilters": {"service": {}}}

    fault = absorbed(answer)

    assert isinstance(fault, Fault)
    assert "no bound on date" in fault.detail


def empty_page(filters: bytes) -> Page:
    """Return a page without records that goes on with these filters, as they are written."""
    body = b'{"data":[],"hasNext":true,"nextQueryFilters":%b}' % filters
    read = read_answer(Answer(status=200, body=body), now=NOW)
    assert isinstance(read, Page)
    return read


@pytest.mark.parametrize("notation", ["{}", "{}.0", "{}00e-2", "{}.00E0"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_cursor_may_be_a_whole_number_in_any_notation(direction: str, notation: str) -> None:
    """It is read as a number and sent back as it came."""
    at, bound = (START + 7, "gte") if direction == "asc" else (START + 6, "lte")
    filters = b'{"date":{"%b":%b}}' % (bound.encode(), notation.format(at).encode())
    how = policy(direction=direction)
    piece = open_slice((START, END), pass_name="first", policy=how)

    transition = absorb(piece, empty_page(filters), how)

    assert isinstance(transition, Draft)
    assert transition.goes_on
    assert transition.goes_on.cursor == START + 7
    assert filters in next_request(transition.goes_on, how, UNKNOWN).body


@pytest.mark.parametrize("cursor", ['"{}"', "{}.5", "true", "null", "[{}]", "1e30"])
def test_a_cursor_that_is_not_a_whole_number_is_malformed(cursor: str) -> None:
    """It could be anywhere, so nothing goes on from it."""
    filters = b'{"date":{"gte":%b}}' % cursor.format(START + 7).encode()

    fault = absorb(opened(), empty_page(filters), policy())

    assert isinstance(fault, Fault)
    assert "no bound on date" in fault.detail


@pytest.mark.parametrize("at", [START, START - 1, 5])
def test_a_cursor_that_does_not_move_on_is_no_progress(at: int) -> None:
    """The page shows more than one millisecond, so it is no dense one."""
    fault = absorbed(more(at, activity(START), activity(START + 9)))

    assert isinstance(fault, Fault)
    assert "does not move on" in fault.detail


@pytest.mark.parametrize("at", [END, END + 1, END + HOUR])
def test_a_cursor_at_or_past_the_end_finishes_the_slice(at: int) -> None:
    """What lies there is another slice's."""
    transition = absorbed(more(at, activity(START)))

    assert isinstance(transition, Draft)
    assert transition.finished
    assert (transition.finished.start, transition.finished.end) == (START, END)


def test_an_empty_page_that_goes_on_is_progress() -> None:
    """Its cursor moved."""
    transition = absorbed(more(START + 7))

    assert isinstance(transition, Draft)
    assert transition.goes_on
    assert (transition.goes_on.cursor, transition.records) == (START + 7, ())


def test_a_record_that_comes_again_is_dropped_across_pages() -> None:
    """With the same bytes it is repeated, with others changed; both are counted."""
    first = absorbed(more(START + 5, activity(START), activity(START + 5), activity(START + 6)))
    assert isinstance(first, Draft)
    assert first.goes_on
    again = {**activity(START + 6), "n": 2}

    transition = absorb(
        first.goes_on, page({"data": [activity(START + 5), again], "hasNext": False}), policy()
    )

    assert isinstance(transition, Draft)
    assert transition.finished
    assert transition.records == ()
    counts = transition.finished.slice.counts
    assert (counts.repeated, counts.changed) == (1, 1)


def test_records_without_a_time_are_kept() -> None:
    """They stand beside the one before them."""
    transition = absorbed({"data": [activity(START + 9), {"_id": "x"}], "hasNext": False})

    assert isinstance(transition, Draft)
    assert len(transition.records) == 2


@pytest.mark.parametrize("total", [{"total": 0}, {}, {"total": None}, {"total": -1}])
def test_an_empty_page_that_counts_nothing_finishes_the_slice(total: dict[str, Any]) -> None:
    """A quiet time, and nothing in doubt."""
    transition = absorbed({"data": [], "hasNext": False, **total})

    assert isinstance(transition, Draft)
    assert transition.finished
    assert (transition.records, transition.finished.slice.doubt) == ((), ())


def test_the_last_page_finishes_the_slice_whatever_total_says() -> None:
    """`total` is an estimate: with records on the page it proves nothing."""
    transition = absorbed({"data": [activity(START)], "hasNext": False, "total": 7_000})

    assert isinstance(transition, Draft)
    assert transition.finished
    assert transition.finished.slice.doubt == ()


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_an_empty_page_that_counts_activities_is_probed(direction: str) -> None:
    """First at the millisecond where the query began."""
    piece = opened(direction=direction, cursor=START if direction == "asc" else END)

    transition = absorb(piece, page({"data": [], "hasNext": False, "total": 3}), policy())

    assert isinstance(transition, Draft)
    assert transition.goes_on
    place = START if direction == "asc" else END - 1
    assert body_of(transition.goes_on, policy())["filters"]["date"] == {"gte": place, "lte": place}


@pytest.mark.parametrize(
    ("blocks", "closes"),
    [
        (staged(PART_PAGES - 2), False),
        (staged(PART_PAGES - 1), True),
        (staged(1, PART_BYTES - 1), False),
        (staged(1, PART_BYTES), True),
    ],
)
def test_a_part_closes_early_at_16_pages_or_64_megabytes(
    blocks: tuple[Block, ...],
    closes: bool,  # noqa: FBT001
) -> None:
    """By finishing the slice up to the cursor; the rest is a new slice with a fresh query."""
    answer = more(START + 7, activity(START + 6), activity(START + 7))

    transition = absorbed(answer, cursor=START + 5, blocks=blocks, furthest=START + 5)

    assert isinstance(transition, Draft)
    assert (transition.finished is not None) == closes
    if transition.finished:
        assert (transition.finished.start, transition.finished.end) == (START, START + 7)
        assert [record.timestamp for record in transition.records] == [START + 6]
        assert transition.opened == (opened(start=START + 7, cursor=START + 7),)


def test_a_part_that_counts_down_closes_early_from_the_cursor_on() -> None:
    """What remains is before it."""
    filters = {"date": {"gte": START, "lte": START + 6}}
    answer = {"data": [activity(START + 8)], "hasNext": True, "nextQueryFilters": filters}
    blocks = staged(PART_PAGES)

    transition = absorbed(
        answer, direction="desc", cursor=START + 9, blocks=blocks, furthest=START + 7
    )

    assert isinstance(transition, Draft)
    assert transition.finished
    assert (transition.finished.start, transition.finished.end) == (START + 7, END)
    assert [(it.start, it.end, it.cursor) for it in transition.opened] == [
        (START, START + 7, START + 7)
    ]


@pytest.mark.parametrize(
    ("direction", "furthest"), [("asc", START + 7), ("asc", START + 20), ("desc", START + 6)]
)
def test_no_part_closes_while_a_staged_record_stands_beyond_the_cursor(
    direction: str, furthest: int
) -> None:
    """It would be stored again by the slice that takes over."""
    bounds = {"gte": START + 7, "lte": END - 1} if direction == "asc" else {"lte": START + 6}
    answer = {"data": [], "hasNext": True, "nextQueryFilters": {"date": bounds}}
    at = START + 5 if direction == "asc" else START + 9

    transition = absorbed(
        answer, direction=direction, cursor=at, blocks=staged(PART_PAGES), furthest=furthest
    )

    assert isinstance(transition, Draft)
    assert transition.finished is None
    assert transition.goes_on


FULL = PART_BLOCKS - 2
"""So many blocks that with this page's and the trailer there are as many as there may be."""


@pytest.mark.parametrize(
    ("direction", "cursor", "far", "doubt", "rest"),
    [
        ("asc", 20, 25, (20, 26), (26, 300_000)),
        ("asc", 20, 299_999, (20, 300_000), None),
        ("desc", 30, 25, (25, 30), (0, 25)),
        ("desc", 30, 0, (0, 30), None),
    ],
)
def test_a_part_that_may_not_divide_stops_at_1000_blocks(
    direction: str, cursor: int, far: int, doubt: tuple[int, int], rest: tuple[int, int] | None
) -> None:
    """What remains up to its farthest record is in doubt; a fresh slice asks for the rest."""
    moved = {"gte": START + cursor} if direction == "asc" else {"lte": START + cursor - 1}
    bounds = {"gte": START, "lte": END - 1, **moved}
    answer = {"data": [], "hasNext": True, "nextQueryFilters": {"date": bounds}}
    at = START + (10 if direction == "asc" else 40)
    known = {"direction": direction, "cursor": at, "furthest": START + far}

    going = absorbed(answer, **known, blocks=staged(FULL - 1))
    stopped = absorbed(answer, **known, blocks=staged(FULL))

    assert isinstance(going, Draft)
    assert going.goes_on
    assert isinstance(stopped, Draft)
    assert stopped.finished
    (in_doubt,) = stopped.finished.slice.doubt
    assert (in_doubt.start, in_doubt.end) == (START + doubt[0], START + doubt[1])
    assert in_doubt.reason == UNDIVIDED
    opened_at = [(it.start, it.end, it.blocks) for it in stopped.opened]
    assert opened_at == ([] if rest is None else [(START + rest[0], START + rest[1], ())])
    edges = sorted(
        {stopped.finished.start, stopped.finished.end, *(e for it in opened_at for e in it[:2])}
    )
    assert (edges[0], edges[-1]) == (START, END)


def test_a_dense_millisecond_of_1000_blocks_is_in_doubt_alone() -> None:
    """The scan goes on after it."""
    bounds = {"gte": START + 9_000}
    filters = {"date": {"gte": START + 7, "lte": START + 7}, "created": bounds}
    answer = {"data": [], "hasNext": True, "nextQueryFilters": filters}
    dense = Dense(millisecond=START + 7, cursor=START + 8_000, probing=False)

    transition = absorbed(
        answer,
        cursor=START + 7,
        mode="dense",
        dense=dense,
        blocks=staged(FULL),
        furthest=START + 7,
    )

    assert isinstance(transition, Draft)
    assert transition.finished
    assert (transition.finished.start, transition.finished.end) == (START, START + 8)
    assert [(it.start, it.end) for it in transition.finished.slice.doubt] == [
        (START + 7, START + 8)
    ]
    assert [(it.start, it.end, it.mode) for it in transition.opened] == [(START + 8, END, "page")]


def test_a_part_of_1000_blocks_from_the_other_end_is_finished_whole() -> None:
    """What lies between the two ends is in doubt."""
    filters = {"date": {"gte": START + 8, "lte": START + 99}}
    answer = {"data": [], "hasNext": True, "nextQueryFilters": filters}
    dense = Dense(millisecond=START + 7, cursor=None, probing=True)

    transition = absorbed(
        answer,
        cursor=START + 200,
        mode="opposite",
        dense=dense,
        blocks=staged(FULL),
        furthest=START + 250,
    )

    assert isinstance(transition, Draft)
    assert transition.finished
    assert (transition.finished.start, transition.finished.end) == (START, END)
    assert [(it.start, it.end) for it in transition.finished.slice.doubt] == [
        (START + 8, START + 100)
    ]
    assert transition.opened == ()


def test_a_sweep_stores_only_what_no_part_holds() -> None:
    """What is known, changed and vanished is counted; what is late is stored."""
    known, changed, late = activity(START), activity(START + 1), activity(START + 2)
    shown = {"data": [known, {**changed, "n": 9}, late], "hasNext": False}
    index = {
        record.identity: Stored(record.timestamp, record.checksum)
        for record in page({"data": [known, changed, activity(END - 1)], "hasNext": False}).records
    }

    transition = absorb(opened(pass_name="sweep-2h"), page(shown), policy(), index)

    assert isinstance(transition, Draft)
    assert transition.finished
    assert [record.id for record in transition.records] == [late["_id"]]
    counts = transition.finished.slice.counts
    assert (counts.known, counts.changed, counts.late, counts.vanished) == (2, 1, 1, 1)
    assert transition.finished.slice.lateness == {"10m": 1}


@dataclass(frozen=True)
class Crowd:
    """An API that pages a history in which milliseconds may be crowded.

    Attributes:
        history: `timestamp` and `created` of its activities.
        size: of its pages.
        empties: whether a page with one millisecond alone is shown empty, or with what fits.
    """

    history: list[tuple[int, int]]
    size: int
    empties: bool

    def records(self) -> list[dict[str, Any]]:
        """Return its activities, each with an id of its own."""
        return [
            {"_id": str(n), "timestamp": at, "created": created}
            for n, (at, created) in enumerate(self.history)
        ]

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the page that a query asks for: a full one loses its last millisecond."""
        on = {"date": "timestamp", "created": "created"}
        found = [
            record
            for record in self.records()
            if all(_inside(record[on[field]], it) for field, it in body["filters"].items())
        ]
        field, up = body["sortField"], body["sortDirection"] == "asc"
        found.sort(key=lambda record: record[on[field]], reverse=not up)
        shown = found[: self.size]
        if len(shown) == len(found):
            return {"data": shown, "hasNext": False, "total": len(found)}
        cursor = found[self.size][on[field]]
        before = [record for record in shown if record[on[field]] != cursor]
        bounds = {**body["filters"].get(field, {}), "gte" if up else "lte": cursor}
        return {
            "data": before or ([] if self.empties else shown),
            "hasNext": True,
            "nextQueryFilters": {**body["filters"], field: bounds},
            "total": len(found),
        }


def _inside(at: int, bounds: dict[str, int]) -> bool:
    return bounds.get("gte", at) <= at <= bounds.get("lte", at)


@dataclass
class Outcome:
    """What all slices of a time committed: ids, proven intervals, and milliseconds in doubt."""

    ids: list[str]
    proven: list[tuple[int, int]]
    doubt: set[int]


def lived_through(crowd: Crowd, how: Policy, faults: list[str]) -> Outcome:
    """Scan a slice to the end, with a fault instead of a page now and then; count its commits."""
    outcome, stored = Outcome([], [], set()), dict[str, list[str]]()
    waiting = [open_slice((START, END), pass_name="first", policy=how)]
    for request in range(2_000):
        if not waiting:
            return outcome
        piece = waiting.pop()
        draft: Draft | Fault = Fault(kind="transient", detail="x")
        if request < len(faults) and faults[request]:
            draft = Fault(kind=faults[request], detail="x")  # type: ignore[arg-type]
        else:
            draft = absorb(piece, page(crowd.answer(body_of(piece, how))), how)
        if isinstance(draft, Fault):
            draft = retreat(piece, draft, ROOM, now=NOW, jitter=0.0)
        blocks = [block for block, _ in draft.blocks(epoch=1)]
        if draft.records:
            stored[blocks[0].id] = [str(record.id) for record in draft.records]
        after = draft.built(blocks)
        waiting += [*after.opened, *([after.goes_on] if after.goes_on else [])]
        if after.finished:
            _commit(outcome, after.finished, stored)
    raise AssertionError(f"it never ends: {waiting}")


def _commit(outcome: Outcome, done: Finished, stored: dict[str, list[str]]) -> None:
    outcome.proven.append((done.start, done.end))
    assert not done.slice.blocks or done.slice.blocks[-1].is_trailer
    outcome.ids += [name for block in done.slice.blocks[:-1] for name in stored[block.id]]
    outcome.doubt |= {at for it in done.slice.doubt for at in range(it.start, it.end)}
    assert all(it.reason == CROWDED for it in done.slice.doubt)


near = st.tuples(st.integers(-1, 12), st.integers(0, 3))
"""Few milliseconds and fewer times of ingestion, so that both are crowded."""


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("axis", ["date", "created"])
@given(
    places=st.lists(near, max_size=40),
    size=st.integers(2, 9),
    empties=st.booleans(),
    faults=st.lists(st.sampled_from(["", "", "transient", "malformed"]), max_size=30),
)
def test_crowds_and_faults_cost_no_activity_and_repeat_none(  # noqa: PLR0913, PLR0917
    places: list[tuple[int, int]],
    size: int,
    empties: bool,  # noqa: FBT001
    faults: list[str],
    axis: str,
    direction: str,
) -> None:
    """Slices tile the time, nothing is stored twice, and only what is in doubt may be missing."""
    history = [(START + 20_000 * at, START + 20_000 * made) for at, made in places]
    crowd = Crowd(history, size, empties)
    how = policy(axis=axis, direction=direction, limit=500)

    outcome = lived_through(crowd, how, faults)

    edges = sorted(outcome.proven)
    assert [edges[0][0], edges[-1][1]] == [START, END]
    assert all(one[1] == other[0] for one, other in pairwise(edges))
    assert len(set(outcome.ids)) == len(outcome.ids)
    field = "timestamp" if axis == "date" else "created"
    asked = {it["_id"]: it[field] for it in crowd.records() if START <= it[field] < END}
    assert set(outcome.ids) <= set(asked)
    assert {asked[name] for name in set(asked) - set(outcome.ids)} <= outcome.doubt
    full = {at for at in history if history.count(at) > size}
    assert outcome.doubt <= {at if axis == "date" else made for at, made in full}


def test_the_time_around_a_null_is_in_doubt() -> None:
    """The other records are stored."""
    transition = absorbed(
        {"data": [activity(START + 1), None, activity(START + 5)], "hasNext": False}
    )

    assert isinstance(transition, Draft)
    assert transition.finished
    assert len(transition.records) == 2
    assert transition.finished.slice.doubt == (Doubt(start=START + 1, end=START + 6, reason=NULLS),)


def test_a_page_that_moves_no_cursor_has_none() -> None:
    """To ask is a mistake in this program."""
    with pytest.raises(AssertionError, match="the kind end moves no cursor"):
        _ = Reading(kind="end").moved_to


MET = {"faults": 2, "fault": "x", "not_before": NOW, "blocked_since": NOW, "cramped": True}
"""What a slice keeps of the faults in a row that it has met."""


def is_calm(piece: Slice) -> bool:
    """Say whether a slice knows of no fault."""
    met = (piece.faults, piece.fault, piece.not_before, piece.blocked_since, piece.cramped)
    return met == (0, None, 0, None, False) and piece.poisoned == 0


def answered(answer: dict[str, Any], **changes: Any) -> Draft:
    """Return what an answer that makes sense does to an open slice."""
    draft = absorbed(answer, **changes)
    assert isinstance(draft, Draft)
    return draft


def test_every_page_that_makes_sense_makes_a_slice_calm() -> None:
    """Whichever way it is sorted, and whether or not the slice goes on."""
    onward = answered(more(START + 7), **MET, poisoned=9).goes_on
    done = answered({"data": [], "hasNext": False}, **MET, poisoned=9).finished
    turned = answered(counting_down(9, 8), **MET, poisoned=9).goes_on

    assert onward
    assert done
    assert turned
    assert is_calm(onward)
    assert is_calm(done.slice)
    assert is_calm(turned)


def counting_down(*offsets: int, bound: int | None = None) -> dict[str, Any]:
    """Return a page that descends, and goes on below its last record."""
    at = START + (offsets[-1] - 1 if bound is None else bound)
    filters = {"date": {"gte": START, "lte": at}}
    shown = [activity(START + it) for it in offsets]
    return {"data": shown, "hasNext": True, "nextQueryFilters": filters}


def test_a_first_page_that_is_sorted_the_other_way_is_read_from_the_other_end() -> None:
    """The draft tells which direction was asked for, and which came."""
    draft = answered(counting_down(9, 8))

    assert draft.sorts == ("asc", "desc")
    assert len(draft.records) == 2
    assert draft.goes_on
    assert (draft.goes_on.direction, draft.goes_on.cursor) == ("desc", START + 8)
    assert draft.goes_on.asked_direction == "asc"


@pytest.mark.parametrize(
    ("bound", "turned"),
    [(7, True), (8, True), (9, False), (300, False)],
)
def test_a_page_that_shows_records_beyond_its_own_cursor_is_not_sorted_the_other_way(
    bound: int, *, turned: bool
) -> None:
    """But for those at the bound itself, which come again."""
    read = absorbed(counting_down(9, 8, bound=bound))

    assert (isinstance(read, Draft) and read.sorts is not None) is turned


@pytest.mark.parametrize(("bound", "turned"), [(8, False), (9, True), (10, True)])
def test_a_page_that_ascends_though_it_was_to_descend_is_read_upwards(
    bound: int, *, turned: bool
) -> None:
    """Records at its bound come again."""
    filters = {"date": {"gte": START + bound, "lte": END - 1}}
    shown = [activity(START + 7), activity(START + 9)]
    answer = {"data": shown, "hasNext": True, "nextQueryFilters": filters}

    read = absorbed(answer, direction="desc", cursor=END)

    assert (isinstance(read, Draft) and read.sorts == ("desc", "asc")) is turned


def test_a_slice_that_has_begun_is_not_read_from_the_other_end() -> None:
    """Its cursor already stands for one direction."""
    fault = absorbed(counting_down(99, 98), cursor=START + 50)

    assert isinstance(fault, Fault)
    assert "does not move on" in fault.detail


BARE = {
    "hasNext": True,
    "total": 3,
    "nextQueryFilters": {"date": {"gte": START + 7, "lte": END - 1}},
}
"""A page without data, whose cursor moves on."""


def test_what_a_page_without_data_passes_over_is_asked_for_again() -> None:
    """Alone; what lies beyond its cursor is due again by itself."""
    draft = answered(BARE)

    assert [(it.start, it.end) for it in draft.opened] == [(START, START + 7)]
    assert (draft.goes_on, draft.finished) == (None, None)


def test_a_slice_that_has_begun_is_finished_before_a_page_without_data() -> None:
    """Up to its cursor; a new slice asks for the rest."""
    draft = answered(BARE, cursor=START + 5, blocks=staged(1), furthest=START + 4)

    assert draft.finished
    assert (draft.finished.start, draft.finished.end) == (START, START + 5)
    assert [(it.start, it.end) for it in draft.opened] == [(START + 5, END)]


@pytest.mark.parametrize(
    "changes",
    [
        {"end": START + 7},
        {"cursor": START + 5, "blocks": staged(1), "furthest": START + 5},
        {
            "mode": "beyond",
            "cursor": START + 5,
            "dense": Dense(millisecond=START + 4, cursor=None, probing=True),
        },
    ],
)
def test_a_page_without_data_that_cannot_be_cut_out_makes_no_sense(
    changes: dict[str, Any],
) -> None:
    """Nothing lies beyond its cursor, staged records stand ahead, or it is a probe."""
    fault = absorbed(BARE, **changes)

    assert fault == Fault(
        kind="malformed", detail="the answer has no data, though its cursor moves on"
    )


def standing_still(*records: dict[str, Any]) -> dict[str, Any]:
    """Return a page whose cursor stays where the query began."""
    return {**more(START, *records), "total": 9}


def test_a_page_that_shows_only_its_first_millisecond_is_held_up_by_a_crowd() -> None:
    """Records without a position may be of that millisecond."""
    unplaced = {"_id": "x"}
    at_once = answered(standing_still(activity(START)), continuation="{}").goes_on
    nowhere = answered(standing_still(unplaced), continuation="{}").goes_on

    for piece in (at_once, nowhere):
        assert piece
        assert (piece.mode, piece.continuation) == ("dense", None)
        assert piece.dense == Dense(millisecond=START, cursor=None, probing=False)


def test_an_empty_page_that_stands_still_is_probed() -> None:
    """It says as little as a wrong count."""
    piece = answered(standing_still()).goes_on

    assert piece
    assert piece.dense == Dense(millisecond=START, cursor=None, probing=True)


def test_a_page_with_records_elsewhere_and_some_without_a_position_makes_no_sense() -> None:
    """Its cursor stands still, and that is no crowd."""
    fault = absorbed(
        standing_still(activity(START + 3), activity(START + 5), {"_id": "x"}), cursor=START
    )

    assert isinstance(fault, Fault)
    assert "does not move on" in fault.detail


@pytest.mark.parametrize(
    ("at", "cuts"),
    [
        (3, [(0, 3), (3, 4), (4, 300_000)]),
        (299_999, [(0, 299_999), (299_999, 300_000)]),
    ],
)
def test_a_page_that_shows_one_other_millisecond_is_cut_around_it(
    at: int, cuts: list[tuple[int, int]]
) -> None:
    """Nobody knows how the API sorts, so neither side is known."""
    draft = answered(standing_still(activity(START + at)))

    assert [(it.start - START, it.end - START) for it in draft.opened] == cuts


def test_a_null_of_a_dense_millisecond_puts_that_in_doubt() -> None:
    """And nothing else."""
    dense = Dense(millisecond=START + 7, cursor=None, probing=False)

    piece = answered(
        {"data": [None, activity(START + 7)], "hasNext": False},
        mode="dense",
        dense=dense,
        cursor=START + 7,
    ).goes_on

    assert piece
    assert piece.doubt == (Doubt(start=START + 7, end=START + 8, reason=NULLS),)


def test_each_probe_begins_a_query_of_its_own() -> None:
    """The continuation is another query's."""
    dense = Dense(millisecond=START, cursor=None, probing=True)

    piece = answered(
        {"data": [], "hasNext": False, "total": 3},
        mode="beyond",
        dense=dense,
        cursor=START + 1,
        continuation="{}",
    ).goes_on

    assert piece
    assert (piece.mode, piece.cursor, piece.continuation) == ("opposite", END, None)


@pytest.mark.parametrize(
    ("mode", "place"), [("page", START), ("dense", START + 1), ("beyond", END)]
)
def test_a_contradiction_that_cannot_be_asked_about_is_passed_over(mode: str, place: int) -> None:
    """The API refuses the query; the slice goes on, and forgets its faults."""
    probing = (
        {} if mode == "page" else {"dense": Dense(millisecond=START, cursor=None, probing=True)}
    )
    piece = opened(mode=mode, **probing, **MET, cursor=START + (mode == "beyond"))

    after = unprobed(piece, policy()).goes_on

    assert after
    assert (after.faults, after.fault, after.not_before, after.blocked_since) == (0, None, 0, None)
    assert after.mode == {"page": "dense", "dense": "beyond", "beyond": "opposite"}[mode]
    assert after.cursor == place
    assert after.dense is None or after.dense.probing


def test_every_way_to_finish_counts_a_continuation_that_asked_for_something_else() -> None:
    """It is followed all the same; a part that closes early or is broken off counts it, too."""
    filters = {"date": {"gte": START + 7, "lte": END - 1}, "user": {"eq": "x"}}
    answer = {"data": [activity(START + 6)], "hasNext": True, "nextQueryFilters": filters}
    begun = {"cursor": START + 5, "furthest": START + 4}

    onward = answered(answer, **begun).goes_on
    early = answered(answer, **begun, blocks=staged(PART_PAGES - 1)).finished
    broken = answered(
        answer, cursor=START + 5, furthest=START + 9, blocks=staged(PART_BLOCKS - 2)
    ).finished

    assert onward
    assert early
    assert broken
    assert [it.counts.drifted for it in (onward, early.slice, broken.slice)] == [1, 1, 1]


def crowded(*offsets: int, goes_on: bool = True, data: bool = True, **bound: int) -> dict[str, Any]:
    """Return a page of the slice's first millisecond by ingestion times, and its continuation."""
    shown = [
        {"_id": f"{place}", "timestamp": START, "created": START + it}
        for place, it in enumerate(offsets)
    ]
    created = {operator: START + it for operator, it in bound.items()}
    filters = {"date": {"gte": START, "lte": START}, **({"created": created} if bound else {})}
    return {
        **({"data": shown} if data else {}),
        "hasNext": goes_on,
        "total": 9,
        **({"nextQueryFilters": filters} if goes_on else {}),
    }


def held_up(answer: dict[str, Any], at: int | None = None, **dense: Any) -> Slice:
    """Return how a slice goes on that is held up at its first millisecond; it keeps the records."""
    cursor = None if at is None else START + at
    place = Dense(**{"millisecond": START, "cursor": cursor, "probing": False, **dense})
    draft = answered(answer, mode="dense", dense=place, continuation="{}")
    assert len(draft.records) == len(answer.get("data", ()))
    assert draft.goes_on
    return draft.goes_on


@pytest.mark.parametrize(
    ("answer", "at", "direction", "onward", "stated"),
    [
        (crowded(1, 2, gte=2), None, "asc", ("asc", 2), True),
        (crowded(2, 1, lte=1), None, "asc", ("desc", 1), True),
        (crowded(1, 2), None, "asc", ("asc", 2), False),
        (crowded(2, 1), None, "asc", ("desc", 1), False),
        (crowded(1, 2, gte=3), None, "asc", ("asc", 3), True),
        (crowded(1, 2, gte=1), None, "asc", ("asc", 2), False),
        (crowded(2, 1, lte=2), None, "asc", ("desc", 1), False),
        (crowded(5, 6, gte=6), 5, "asc", ("asc", 6), True),
        (crowded(6, 6), 5, "asc", ("asc", 6), False),
        (crowded(5, 4, lte=4), 5, "desc", ("desc", 4), True),
        (crowded(4, 4), 5, "desc", ("desc", 4), False),
    ],
)
def test_a_dense_millisecond_goes_on_by_ingestion_time_in_either_direction(
    answer: dict[str, Any],
    at: int | None,
    direction: str,
    onward: tuple[str, int],
    stated: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Where the continuation says, or else from the last record of a page that is sorted."""
    piece = held_up(answer, at, direction=direction)

    assert piece.dense
    assert piece.dense.cursor
    assert (piece.dense.direction, piece.dense.cursor - START) == onward
    operator = "gte" if onward[0] == "asc" else "lte"
    assert body_of(piece, policy())["filters"]["created"] == {operator: START + onward[1]}
    assert (piece.continuation is not None) is stated
    assert piece.doubt == ()


@pytest.mark.parametrize(
    ("answer", "at", "dense"),
    [
        (crowded(), None, {}),
        (crowded(1, 1), None, {}),
        (crowded(1, 3, 2), None, {}),
        (crowded(2, 1, 3), None, {}),
        (crowded(5, 5, gte=5), 5, {}),
        (crowded(5, 5, lte=5), 5, {"direction": "desc"}),
        (crowded(6, 4, lte=4), 5, {}),
        (crowded(data=False, gte=9), None, {}),
        (crowded(1, 2, gte=2), None, {"plain": True}),
    ],
)
def test_a_dense_millisecond_that_shows_no_way_on_is_in_doubt(
    answer: dict[str, Any], at: int | None, dense: dict[str, Any]
) -> None:
    """The slice goes on after it, with a query of its own."""
    piece = held_up(answer, at, **dense)

    assert piece.doubt == (Doubt(start=START, end=START + 1, reason=CROWDED),)
    assert (piece.mode, piece.dense, piece.cursor) == ("page", None, START + 1)
    assert piece.continuation is None


@pytest.mark.parametrize(
    ("answer", "at", "probing", "mode"),
    [
        (crowded(1, 2, goes_on=False), None, False, "page"),
        (crowded(1, 2, goes_on=False), None, True, "page"),
        ({"data": [], "hasNext": False, "total": 0}, 5, True, "page"),
        ({"data": [], "hasNext": False, "total": 0}, None, False, "page"),
        ({"data": [], "hasNext": False, "total": 0}, None, True, "beyond"),
    ],
)
def test_after_a_probe_that_showed_nothing_a_slice_probes_what_lies_beyond(
    answer: dict[str, Any], at: int | None, mode: str, *, probing: bool
) -> None:
    """If the millisecond held anything, the next one is read as usual."""
    piece = held_up(answer, at, probing=probing)

    assert (piece.mode, piece.cursor) == (mode, START + 1)
    assert (piece.continuation, piece.dense is None) == (None, mode == "page")
    assert piece.doubt == ()


def test_a_slice_whose_last_millisecond_was_dense_is_finished() -> None:
    """Nothing lies after it."""
    draft = answered(
        crowded(1, 2, goes_on=False),
        end=START + 1,
        mode="dense",
        dense=Dense(millisecond=START, cursor=None, probing=False),
    )

    assert draft.goes_on is None
    assert draft.finished
    assert (draft.finished.start, draft.finished.end) == (START, START + 1)


@pytest.mark.parametrize(("cursor", "turned"), [(END, True), (START + 99, False)])
def test_a_probe_from_the_other_end_may_be_sorted_as_it_was_first_asked(
    cursor: int, *, turned: bool
) -> None:
    """The slice then goes on from its beginning; not once the probe has moved."""
    filters = {"date": {"gte": START + 9, "lte": END - 1}}
    shown = [activity(START + 7), activity(START + 9)]
    answer = {"data": shown, "hasNext": True, "nextQueryFilters": filters}
    dense = Dense(millisecond=START, cursor=None, probing=True)

    read = absorbed(answer, mode="opposite", dense=dense, cursor=cursor)

    if turned:
        assert isinstance(read, Draft)
        assert read.goes_on
        assert (read.goes_on.mode, read.goes_on.cursor) == ("page", START + 9)
    else:
        assert isinstance(read, Fault)


@pytest.mark.parametrize(("more_than", "ends"), [(0, False), (1, True)])
def test_a_slice_that_would_have_to_remember_too_much_is_finished_in_doubt(
    more_than: int, *, ends: bool
) -> None:
    """What remains of it is, and drift is counted to the end."""
    filters = {"date": {"gte": START + 7, "lte": END - 1}, "user": {"eq": "x"}}
    answer = {"data": [], "hasNext": True, "nextQueryFilters": filters}
    seen = tuple(
        Seen(at=START + 50, other=None, identity=f"{n}", content="x")
        for n in range(REMEMBERED_MOST + more_than)
    )

    draft = answered(answer, cursor=START + 5, seen=seen, furthest=START + 50)

    assert (draft.finished is not None) is ends
    if draft.finished:
        assert draft.finished.slice.doubt == (Doubt(start=START + 7, end=END, reason=TOO_MANY),)
        assert draft.finished.slice.counts.drifted == 1
        assert (draft.finished.start, draft.finished.end) == (START, END)


def too_many(at: int) -> tuple[Seen, ...]:
    """Return one record more than a slice may remember, all at one millisecond."""
    return tuple(
        Seen(at=START + at, other=None, identity=f"{n}", content="x")
        for n in range(REMEMBERED_MOST + 1)
    )


def test_what_is_in_doubt_for_want_of_memory_is_what_was_left_to_ask_for() -> None:
    """All that lies ahead of a dense millisecond, and what a probe had left."""
    place = Dense(millisecond=START, cursor=None, probing=False)
    probe = {"date": {"gte": START + 1, "lte": START + 98}}
    downwards = {"data": [], "hasNext": True, "nextQueryFilters": probe}

    dense = answered(crowded(1, 2, gte=2), mode="dense", dense=place, seen=too_many(50))
    opposite = answered(downwards, mode="opposite", dense=place, cursor=END, seen=too_many(50))

    for draft, end in ((dense, END), (opposite, START + 99)):
        assert draft.finished
        (doubt,) = draft.finished.slice.doubt
        assert (doubt.end, doubt.reason) == (end, TOO_MANY)


def test_a_sweep_that_is_finished_for_want_of_memory_misses_nothing() -> None:
    """What it has not asked for has not vanished."""
    piece = opened(pass_name="sweep-2h", seen=too_many(50))
    index = {"held": Stored(START + 80, 7)}

    draft = absorb(piece, page(more(START + 7)), policy(), index)

    assert isinstance(draft, Draft)
    assert draft.finished
    assert draft.finished.slice.counts.vanished == 0
