"""One slice against a tiny page server: any history, any page size, both directions."""

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.answers import Fault, read_answer
from shared.core.cursor import open_slice
from shared.core.model import Slice
from shared.core.records import Page, encode_block
from shared.core.retreat import BLOCKED_RETRY_MS, Room, retreat
from shared.core.traversal import absorb, next_query
from shared.core.turns import Turn
from tests.fakes import HOUR, MINUTE, NOW, activity, page_of, policy

START = NOW - 2 * HOUR
END = START + 5 * MINUTE
ROOM = Room(open=True, blocked=True)


@dataclass
class Served:
    """What a slice brought: stored lines, proven intervals, and the requests."""

    lines: list[bytes]
    proven: list[tuple[int, int]]
    asked: list[dict[str, Any]]


def page(answer: dict[str, Any]) -> Page:
    """Read an answer as the scan would."""
    read = read_answer(page_of(answer), now=NOW)
    assert isinstance(read, Page)
    return read


def serve(truth: list[int], direction: str, size: int) -> Served:
    """Scan one slice, and what it opens, to the end."""
    how = policy(direction=direction)
    served = Served([], [], [])
    waiting = [open_slice((START, END), pass_name="first", policy=how)]
    while waiting:
        piece = waiting.pop()
        body = json.loads(next_query(piece, how).body)
        served.asked.append(body)
        turn = absorb(piece, page(_answer(truth, body, size)), how)
        assert isinstance(turn, Turn)
        if turn.records:
            block, _ = encode_block(turn.records, epoch=1, number=len(served.asked))
            turn = turn.with_block(block)
            served.lines += [record.line for record in turn.records]
        waiting += [*turn.opened, *([turn.goes_on] if turn.goes_on else [])]
        if turn.finished:
            served.proven.append((turn.finished.start, turn.finished.end))
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


def test_the_first_query_has_the_bounds_and_the_user_s_filters() -> None:
    """Inclusive on both ends, as the API's operators are."""
    how = policy(filters={"service": {"eq": [20893]}}, limit=700)

    body = json.loads(next_query(open_slice((START, END), pass_name="first", policy=how), how).body)

    assert body == {
        "filters": {"service": {"eq": [20893]}, "date": {"gte": START, "lte": END - 1}},
        "isScan": True,
        "limit": 700,
        "sortField": "date",
        "sortDirection": "asc",
    }


def opened(**changes: Any) -> Slice:
    """Return an open slice with changes."""
    piece = open_slice((START, END), pass_name="first", policy=policy())
    return msgspec.structs.replace(piece, **changes)


def absorbed(answer: dict[str, Any], **changes: Any) -> Turn | Fault:
    """Absorb one answer into an open slice."""
    return absorb(opened(**changes), page(answer), policy())


def more(at: int, *records: dict[str, Any]) -> dict[str, Any]:
    """Return a page that goes on at a cursor."""
    filters = {"date": {"gte": at, "lte": END - 1}}
    return {"data": list(records), "hasNext": True, "nextQueryFilters": filters}


def test_records_that_were_not_asked_for_are_dropped_and_counted() -> None:
    """Some outside the window: the rest is taken."""
    outside = activity(START - 1)
    turn = absorbed({"data": [outside, activity(START)], "hasNext": False})

    assert isinstance(turn, Turn)
    assert turn.finished
    assert len(turn.records) == 1
    assert turn.finished.slice.counts.outside == 1


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


@pytest.mark.parametrize("at", [START, START - 1, 5])
def test_a_cursor_that_does_not_move_on_is_no_progress(at: int) -> None:
    """The page shows more than one millisecond, so it is no dense one."""
    fault = absorbed(more(at, activity(START), activity(START + 9)))

    assert isinstance(fault, Fault)
    assert "does not move on" in fault.detail


@pytest.mark.parametrize("at", [END, END + 1, END + HOUR])
def test_a_cursor_at_or_past_the_end_finishes_the_slice(at: int) -> None:
    """What lies there is another slice's."""
    turn = absorbed(more(at, activity(START)))

    assert isinstance(turn, Turn)
    assert turn.finished
    assert (turn.finished.start, turn.finished.end) == (START, END)


def test_an_empty_page_that_goes_on_is_progress() -> None:
    """Its cursor moved."""
    turn = absorbed(more(START + 7))

    assert isinstance(turn, Turn)
    assert turn.goes_on
    assert (turn.goes_on.at, turn.records) == (START + 7, ())


def test_a_record_that_comes_again_is_dropped_across_pages() -> None:
    """With the same bytes it is repeated, with others changed; both are counted."""
    first = absorbed(more(START + 5, activity(START), activity(START + 5), activity(START + 6)))
    assert isinstance(first, Turn)
    assert first.goes_on
    again = {**activity(START + 6), "n": 2}

    turn = absorb(
        first.goes_on, page({"data": [activity(START + 5), again], "hasNext": False}), policy()
    )

    assert isinstance(turn, Turn)
    assert turn.finished
    assert turn.records == ()
    counts = turn.finished.slice.counts
    assert (counts.repeated, counts.changed) == (1, 1)


def test_a_continuation_that_asks_for_something_else_is_counted() -> None:
    """It is followed all the same, and what is outside is dropped."""
    answer = more(START + 5, activity(START))
    answer["nextQueryFilters"]["user"] = {"eq": "somebody"}

    turn = absorbed(answer)

    assert isinstance(turn, Turn)
    assert turn.goes_on
    assert turn.goes_on.counts.drifted == 1


def test_records_without_a_time_are_kept() -> None:
    """They stand beside the one before them."""
    turn = absorbed({"data": [activity(START + 9), {"_id": "x"}], "hasNext": False})

    assert isinstance(turn, Turn)
    assert len(turn.records) == 2


def struck(piece: Slice, kind: str, times: int, room: Room = ROOM) -> Turn:
    """Let a slice meet the same fault several times."""
    for _ in range(times):
        fault = Fault(kind=kind, detail="x")  # type: ignore[arg-type]
        turn = retreat(piece, fault, now=NOW, jitter=0.5, room=room)
        if turn.goes_on is None:
            return turn
        piece = turn.goes_on
    return turn


@pytest.mark.parametrize(("faults", "wait"), [(1, 2_500), (2, 5_000)])
def test_a_fault_is_answered_by_backing_off(faults: int, wait: int) -> None:
    """With jitter, and twice as long with each one."""
    turn = struck(opened(limit=500), "transient", faults)

    assert turn.goes_on
    assert turn.goes_on.not_before == NOW + wait


def test_three_transient_faults_halve_the_page_then_the_interval() -> None:
    """A page that is too heavy, then a slice that is."""
    turn = struck(opened(limit=1500), "transient", 3)
    assert turn.goes_on
    assert turn.goes_on.limit == 750

    turn = struck(turn.goes_on, "transient", 3)
    assert turn.goes_on
    assert turn.goes_on.limit == 500

    turn = struck(turn.goes_on, "transient", 3)
    assert [(it.start, it.end) for it in turn.opened] == [
        (START, START + 150_000),
        (START + 150_000, END),
    ]


def test_a_malformed_answer_makes_the_next_query_begin_afresh() -> None:
    """The continuation may be what is broken; after a time-out it is kept."""
    resumed = opened(at=START + 5, continuation="{}")

    malformed, late = struck(resumed, "malformed", 1), struck(resumed, "transient", 1)

    assert malformed.goes_on
    assert late.goes_on
    assert (malformed.goes_on.continuation, late.goes_on.continuation) == (None, "{}")


def test_what_is_proven_is_kept_when_a_slice_is_halved() -> None:
    """Only the rest is cut in two."""
    turn = struck(opened(at=START + 100_000, furthest=START + 99_000), "malformed", 3)

    assert turn.finished
    assert (turn.finished.start, turn.finished.end) == (START, START + 100_000)
    assert [it.start for it in turn.opened] == [START + 100_000, START + 200_000]


@pytest.mark.parametrize(
    ("length", "room"), [(1000, ROOM), (5 * MINUTE, Room(open=False, blocked=True))]
)
def test_a_slice_that_cannot_be_halved_is_blocked(length: int, room: Room) -> None:
    """At a second, or when the ledger is full: it is tried hourly."""
    turn = struck(opened(end=START + length, limit=500), "malformed", 3, room)

    assert turn.goes_on
    assert turn.goes_on.blocked
    assert turn.goes_on.not_before == NOW + BLOCKED_RETRY_MS


def test_a_part_that_cannot_be_read_blocks_at_once() -> None:
    """Asking for less would not help."""
    turn = struck(opened(pass_name="sweep-2h"), "unreadable", 1)

    assert turn.goes_on
    assert turn.goes_on.blocked
