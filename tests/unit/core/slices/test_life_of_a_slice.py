"""The code makes exactly the transitions of the table in the docstring of `traversal`."""

import re
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from random import Random

import msgspec
import pytest

from shared.core.api.answers import Fault
from shared.core.api.pages import Page
from shared.core.api.records import Record
from shared.core.model import PART_PAGES, Block, Dense, Direction, Mode, Slice
from shared.core.slices import traversal
from shared.core.slices.facts import UNKNOWN
from shared.core.slices.requests import next_request
from shared.core.slices.retreat import Outlook, retreat
from shared.core.slices.sifting import NOTHING, sift
from shared.core.slices.transitions import Draft
from shared.core.slices.traversal import PART_BLOCKS, REMEMBERED_MOST, absorb, unprobed
from tests.fakes import HOUR, MINUTE, NOW, policy

MODES: tuple[Mode, ...] = ("page", "dense", "beyond", "opposite")
DIRECTIONS: tuple[Direction, ...] = ("asc", "desc")
START = NOW - 2 * HOUR
END = START + 5 * MINUTE
MIDDLE = START + 100_000
X = START + 50_000
"""The millisecond at which a slice of these tests is held up."""

HOW = policy()
OUTLOOKS = [
    Outlook(pages=9, again=True, crowded=False, may_open=here, may_block=there)
    for here, there in product((True, False), repeat=2)
]

SHARE = 0.1
"""The share of all pages that each slice is tried with; more would take longer and find no more."""

Row = tuple[str, str, str]
"""A mode, an answer, and what becomes of the slice."""


def table() -> set[Row]:
    """Return the rows of the table in the docstring."""
    text = traversal.__doc__ or ""
    head, *rows = re.findall(r"^    (\w+ .*)$", text, re.MULTILINE)
    columns = [(name, head.index(name)) for name in MODES]
    ends = [*(at for _, at in columns[1:]), None]
    return {
        (mode, row.split()[0], becomes)
        for row in rows
        for (mode, start), end in zip(columns, ends, strict=True)
        for becomes in row[start:end].replace("-", "").split()
    }


def becomes(draft: Draft | Fault) -> str:
    """Return what a draft makes of its slice, in the words of the table."""
    if isinstance(draft, Fault):
        return "fault"
    if draft.goes_on:
        return draft.goes_on.mode
    if draft.finished:
        return "cut" if draft.opened else "done"
    assert draft.opened
    return "again"


def staged(count: int) -> tuple[Block, ...]:
    """Return blocks that were staged before."""
    block = Block(id="", size=9, records=1, sha256="", raw=9, crc32=0, timestamp=None, created=None)
    return (block,) * count


def slices(mode: Mode) -> Iterator[Slice]:
    """Yield slices in this mode, as they may stand when an answer comes."""
    for direction in DIRECTIONS:
        fresh = Slice.fresh((START, END), pass_name="first", direction=direction, limit=5_000)
        edge = END - 1 if direction == "asc" else START
        for piece in _standing(fresh, mode, edge):
            change = msgspec.structs.replace
            yield change(piece, unplaced=("x",) * (REMEMBERED_MOST + 1))
            yield piece
            if not piece.has_begun:
                continue  # It has staged nothing yet.
            yield change(piece, blocks=staged(PART_PAGES), furthest=None)
            yield change(piece, blocks=staged(PART_BLOCKS), furthest=edge)
            yield change(piece, blocks=staged(PART_BLOCKS), furthest=MIDDLE)


def _standing(fresh: Slice, mode: Mode, edge: int) -> Iterator[Slice]:
    change = msgspec.structs.replace
    asc = fresh.direction == "asc"
    if mode == "page":
        yield from (fresh, change(fresh, cursor=X), change(fresh, cursor=edge if asc else edge + 1))
    for at, probing in product((X, edge), (False, True)):
        dense = Dense(millisecond=at, cursor=None, probing=probing)
        held = change(fresh, mode=mode, dense=dense, cursor=at if asc else at + 1)
        if mode == "dense":
            yield held
            yield change(held, dense=change(dense, plain=True))
            yield change(held, dense=change(dense, cursor=X))
        elif mode == "beyond" and at == X:
            yield change(held, cursor=fresh.past(at))
        elif mode == "opposite" and at == X:
            yield change(held, cursor=fresh.far_end)
            yield change(held, cursor=fresh.far_end - (7 if asc else -7))


def record(at: int | None) -> Record:
    """Return a record at this position of either field."""
    return Record(raw=b'{"n":%d}' % (at or 0), id=str(at), timestamp=at, created=at)


def pages(piece: Slice) -> Iterator[Page]:
    """Yield answers to the slice's request, sensible and senseless ones."""
    here, (start, end) = piece.next_millisecond, piece.remaining
    shown: list[tuple[int | None, ...]] = [
        (), (here,), (here, MIDDLE), (MIDDLE,), (start, end - 1), (X, X + 9), (None,), (END + 9,)
    ]  # fmt: skip
    bounds = [{}, {"gte": here}, {"lte": here}, {"gte": here + 3}, {"lte": here - 3}, {"gte": END}]
    bounds += [{"gte": start, "lte": end - 1}, {"gte": START, "lte": START - 1}, {"lte": END - 9}]
    for places, bare, total in product(shown, (False, True), (None, 3)):
        records = tuple(map(record, places))
        if bare and records:
            continue
        known = {"records": records, "bare": bare, "total": total}
        yield Page(**known, has_next=False, continuation=None)  # type: ignore[arg-type]
        for on_date, on_created in product(bounds, ({}, {"gte": X + 9}, {"lte": X - 9})):
            filters = {"date": on_date, "created": on_created}
            onward = msgspec.json.encode(filters).decode()
            yield Page(**known, has_next=True, continuation=onward)  # type: ignore[arg-type]


def observed(mode: Mode) -> Iterator[Row]:
    """Yield what the code does in a mode, for all these slices and a part of their pages."""
    chance = Random(mode)
    for piece in slices(mode):
        for page in pages(piece):
            if chance.random() > SHARE:
                continue
            kind = traversal.read(piece, sift(page, piece, "date", NOTHING)).kind
            yield mode, kind, becomes(absorb(piece, page, HOW))
        if mode != "page":
            yield mode, "refused", becomes(unprobed(piece, HOW))
        for short, struck in product((False, True), _struck(piece)):
            met = msgspec.structs.replace(struck, start=X, end=X + 999) if short else struck
            yield from ((mode, "fault", becomes(it)) for it in _retreats(met))


def _struck(piece: Slice) -> Iterator[Slice]:
    change = msgspec.structs.replace
    yield piece
    yield change(piece, faults=2, limit=500, fault="x")
    yield change(piece, faults=99, poisoned=99, limit=500, fault="x", blocked_since=NOW)


def _retreats(piece: Slice) -> Iterable[Draft]:
    fault = Fault(kind="transient", detail="x")
    return (retreat(piece, fault, outlook, now=NOW, jitter=0.5) for outlook in OUTLOOKS)


@pytest.mark.parametrize("mode", MODES)
def test_the_code_makes_exactly_the_transitions_of_the_table(mode: Mode) -> None:
    """None that the table lacks, and each that it has."""
    expected = {row for row in table() if row[0] == mode}

    found = set(observed(mode))

    assert found - expected == set()
    assert expected - found == set()


def test_the_picture_of_a_slice_s_life_has_the_transitions_of_the_table() -> None:
    """Those between modes; faults, which stay in a mode or cut the slice, are not drawn."""
    page = Path(__file__).parents[4].joinpath("docs/architecture.md").read_text("utf-8")
    drawn = set(re.findall(r"^    (\w+) --> (\w+): ", page, re.MULTILINE))
    drawn = {(one, other) for one, other in drawn if one in MODES}
    names = {"done": "finished", "cut": "finished"}

    told = {
        (mode, names.get(after, after))
        for mode, answer, after in table()
        if answer != "fault" and after in {*MODES, *names}
    }

    assert drawn == told


def test_each_request_of_a_held_up_slice_asks_for_less_than_the_slice() -> None:
    """One millisecond, or what lies on one side of it."""
    for mode in ("dense", "beyond", "opposite"):
        for piece in slices(mode):
            asked = msgspec.json.decode(next_request(piece, HOW, UNKNOWN).body)["filters"]["date"]
            assert asked["lte"] + 1 - asked["gte"] < END - START
