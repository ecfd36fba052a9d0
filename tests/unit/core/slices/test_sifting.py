"""What is stored of a page, and what is counted."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.core.api.records import Record
from shared.core.model import Dense, Direction, Seen
from shared.core.slices.sifting import NOTHING, Index, Sifted, Stored, sift
from tests.fakes import HOUR, MINUTE, activity
from tests.unit.core.slices.building import END, START, opened, page

UNPLACED: dict[str, Any] = {"_id": "x"}
"""A record without a position."""


def sifted(*records: dict[str, Any] | None, index: Index = NOTHING, **changes: Any) -> Sifted:
    """Sift a page with these records for a slice with these changes."""
    shown = page({"data": list(records), "hasNext": False})
    return sift(shown, opened(**changes), "date", index)


def the_record(record: dict[str, Any]) -> Record:
    """Read one record."""
    (read,) = page({"data": [record], "hasNext": False}).records
    return read


def names(found: Sifted) -> list[str | None]:
    """Return the ids of the records to store."""
    return [record.id for record in found.records]


def index_of(*records: dict[str, Any]) -> Index:
    """Return what parts hold if they hold these records."""
    read = [the_record(it) for it in records]
    return {it.identity: Stored(it.timestamp, it.checksum) for it in read}


def test_records_that_the_query_did_not_ask_for_are_left_out() -> None:
    """The end of the slice is not asked for."""
    found = sifted(activity(START - 1), activity(START), activity(END))

    assert names(found) == [f"{START}-1"]
    assert (found.outside, found.places) == (2, frozenset({START}))


@pytest.mark.parametrize(
    ("around", "outside"),
    [
        ((START - 2, START - 1), 3),
        ((START - 1, START + 1), 1),
        ((END - 1, END), 1),
        ((START, START + 1), 0),
    ],
)
def test_a_record_without_a_position_lies_between_its_neighbours(
    around: tuple[int, int], outside: int
) -> None:
    """It was not asked for if neither of them was."""
    before, after = map(activity, around)

    assert sifted(before, UNPLACED, after).outside == outside


def test_records_without_any_neighbour_are_taken() -> None:
    """Nothing speaks against them."""
    found = sifted(UNPLACED, {"_id": "y"})

    assert (names(found), found.unplaced) == (["x", "y"], 2)
    assert found.shows_something


def test_a_record_that_comes_twice_on_a_page_is_stored_once() -> None:
    """Other bytes for the same identity count as changed."""
    found = sifted(activity(START), activity(START), {**activity(START), "n": 9})

    assert names(found) == [f"{START}-1"]
    assert (found.repeated, found.changed) == (1, 1)


def test_a_record_that_the_slice_has_seen_is_not_stored_again() -> None:
    """Neither one without a position, in this part or an earlier one."""
    known = the_record(activity(START))
    unplaced, earlier = the_record(UNPLACED), the_record({"_id": "y"})

    found = sifted(
        activity(START),
        UNPLACED,
        {"_id": "y"},
        seen=(Seen(at=START, other=None, identity=known.identity, content=known.content),),
        unplaced=(unplaced.identity,),
        earlier=(earlier.identity,),
    )

    assert (names(found), found.repeated) == ([], 3)


def test_a_record_that_the_slice_has_seen_with_other_bytes_has_changed() -> None:
    """Neither it nor its repetition is stored; others at the same time are."""
    known = the_record(activity(START))
    seen = Seen(at=START, other=None, identity=known.identity, content=known.content)
    changed = {**activity(START), "n": 9}

    found = sifted(changed, changed, {**activity(START), "_id": "y"}, seen=(seen,))

    assert names(found) == ["y"]
    assert (found.repeated, found.changed) == (0, 2)


def test_what_a_part_holds_is_known_and_not_stored() -> None:
    """A sweep stores the rest; other bytes are counted and not stored either."""
    known, changed = activity(START), activity(START + 1)
    found = sifted(
        known,
        {**changed, "n": 9},
        activity(START + 2),
        index=index_of(known, changed),
        pass_name="sweep-2h",
    )

    piece = found.counted_in(opened(pass_name="sweep-2h"))

    assert names(found) == [f"{START + 2}-1"]
    counts = piece.counts
    assert (counts.records, counts.late, counts.known, counts.changed) == (1, 1, 2, 1)


@pytest.mark.parametrize(
    ("lateness", "name"),
    [
        (-HOUR, "10m"),
        (10 * MINUTE, "10m"),
        (10 * MINUTE + 1, "1h"),
        (24 * HOUR, "24h"),
        (8 * 24 * HOUR, "8d"),
        (8 * 24 * HOUR + 1, "more"),
    ],
)
def test_late_records_are_counted_by_how_late_they_were(lateness: int, name: str) -> None:
    """The time between event and ingestion; both edges belong to the class."""
    record = {**activity(START), "created": START + lateness}
    before = opened(pass_name="sweep-2h", lateness={name: 1})

    piece = sifted(record).counted_in(before)

    assert piece.lateness == {name: 2}


@pytest.mark.parametrize("times", [{}, {"timestamp": START}, {"created": START}])
def test_a_late_record_without_both_times_is_in_no_class(times: dict[str, int]) -> None:
    """Nobody knows how late it was."""
    piece = sifted({**UNPLACED, **times}).counted_in(opened(pass_name="sweep-2h"))

    assert (piece.counts.late, piece.lateness) == (1, {})


def test_a_first_pass_has_no_late_records() -> None:
    """It is the one against which others are late."""
    piece = sifted(activity(START)).counted_in(opened())

    assert (piece.counts.records, piece.counts.late, piece.lateness) == (1, 0, {})


def test_staged_records_without_a_position_are_remembered() -> None:
    """The API may show them again anywhere."""
    piece = sifted(UNPLACED, None).counted_in(opened(unplaced=("a",)), drifted=True)

    assert piece.unplaced == ("a", the_record(UNPLACED).identity)
    assert (piece.counts.unplaced, piece.counts.nulls, piece.counts.drifted) == (1, 1, 1)


def test_nulls_show_something_and_keep_their_place() -> None:
    """A record outside the query, or without a position, is not a neighbour of a null."""
    found = sifted(activity(START - 1), None, activity(START + 5), UNPLACED, None)

    assert found.shows_something
    assert found.marks == (None, START + 5, None)


def test_an_empty_page_shows_nothing() -> None:
    """Nor does one whose records are all outside."""
    assert not sifted().shows_something
    assert not sifted(activity(END)).shows_something


def test_records_outside_proven_bounds_are_taken_out_again() -> None:
    """One without a position stays: the page shows it now, and perhaps never again."""
    found = sifted(activity(START), UNPLACED, activity(START + 9))

    assert names(found.inside((START, START + 5))) == [f"{START}-1", "x"]


@pytest.mark.parametrize(
    ("direction", "furthest", "far"),
    [("asc", None, 9), ("desc", None, 1), ("asc", 20, 20), ("desc", 0, 0), ("asc", 3, 9)],
)
def test_the_farthest_staged_record_lies_along_the_direction(
    direction: Direction, furthest: int | None, far: int
) -> None:
    """Earlier pages count, too."""
    cursor = START if direction == "asc" else END
    piece = opened(
        direction=direction,
        cursor=cursor,
        furthest=None if furthest is None else START + furthest,
    )

    assert sifted(activity(START + 1), activity(START + 9)).far(piece) == START + far


def test_without_a_staged_position_nothing_is_farthest() -> None:
    """What parts hold already is not staged, and an unplaced record is nowhere."""
    known = activity(START)

    assert sifted(known, UNPLACED, index=index_of(known)).far(opened()) is None


def test_records_ahead_of_the_cursor_are_remembered() -> None:
    """The next page may repeat them; those behind the cursor are forgotten."""
    behind = Seen(at=START + 1, other=None, identity="b", content="c")
    ahead = Seen(at=START + 8, other=None, identity="a", content="c")
    moved = opened(cursor=START + 5, seen=(behind, ahead))

    piece = sifted(activity(START), activity(START + 5)).taken_into(moved)

    assert [(it.at, it.identity) for it in piece.seen] == [
        (START + 8, "a"),
        (START + 5, the_record(activity(START + 5)).identity),
    ]
    assert piece.furthest == START + 5


@pytest.mark.parametrize(
    ("cursor", "direction", "kept"),
    [
        (None, "asc", [1, 5, 9]),
        (5, "asc", [5, 9]),
        (5, "desc", [1, 5]),
    ],
)
def test_within_a_dense_millisecond_the_other_field_decides(
    cursor: int | None, direction: Direction, kept: Sequence[int]
) -> None:
    """It is paged on that field; its own cursor is shown again."""
    dense = Dense(millisecond=START, cursor=cursor, probing=False, direction=direction)
    piece = opened(mode="dense", dense=dense)
    shown = [{"_id": str(n), "timestamp": START, "created": n} for n in (1, 5, 9)]

    after = sifted(*shown, mode="dense", dense=dense).taken_into(piece)

    assert [it.other for it in after.seen] == list(kept)


def test_a_dense_record_without_the_other_field_may_come_again_at_any_time() -> None:
    """So do records that were seen beyond the millisecond."""
    dense = Dense(millisecond=START, cursor=5, probing=False)
    beyond = Seen(at=START + 3, other=1, identity="a", content="c")
    piece = opened(mode="dense", dense=dense, seen=(beyond,))

    after = sifted({"_id": "x", "timestamp": START}, mode="dense", dense=dense).taken_into(piece)

    assert [(it.at, it.other) for it in after.seen] == [(START + 3, 1), (START, None)]


def test_what_parts_hold_and_the_api_no_longer_shows_has_vanished() -> None:
    """Only inside the bounds, and without those that have no position."""
    shown, gone, outside = activity(START), activity(START + 1), activity(END - 1)
    index = index_of(shown, gone, outside, UNPLACED)
    found = sifted(shown, index=index, pass_name="sweep-2h")
    piece = found.counted_in(opened(pass_name="sweep-2h"))

    assert found.vanished(piece, (START, START + 5)) == 1


def test_a_known_record_without_a_position_hides_no_vanished_one() -> None:
    """It is counted as known, but not among those inside the bounds."""
    gone = activity(START)
    found = sifted(UNPLACED, index=index_of(gone, UNPLACED), pass_name="sweep-2h")
    piece = found.counted_in(opened(pass_name="sweep-2h"))

    assert found.vanished(piece, (START, END)) == 1


def test_a_new_record_without_a_position_does_not_count_as_known() -> None:
    """No part holds it, so it hides no vanished one and makes none."""
    index = index_of(activity(START))
    found = sifted(UNPLACED, index=index, pass_name="sweep-2h")
    piece = found.counted_in(opened(pass_name="sweep-2h"))

    assert found.vanished(piece, (START, END)) == 1


@pytest.mark.parametrize(
    ("again", "repeated", "changed"), [({}, 1, 0), ({"severity": "other"}, 0, 1)]
)
def test_a_repetition_on_one_page_is_told_from_a_change(
    again: dict[str, str], repeated: int, changed: int
) -> None:
    """By the bytes."""
    found = sifted(activity(START), {**activity(START), **again})

    assert (found.repeated, found.changed, len(found.records)) == (repeated, changed, 1)


@pytest.mark.parametrize("record", [activity(START), UNPLACED, None])
def test_whatever_was_asked_for_is_something(record: dict[str, Any] | None) -> None:
    """A record with a position or without, or only a null."""
    assert sifted(record).shows_something


def test_what_lies_behind_a_dense_millisecond_is_forgotten() -> None:
    """The API will not show it again."""
    dense = Dense(millisecond=START + 7, cursor=None, probing=False)
    behind = Seen(at=START + 3, other=1, identity="a", content="c")
    piece = opened(mode="dense", dense=dense, cursor=START + 7, seen=(behind,))

    after = sifted(mode="dense", dense=dense, cursor=START + 7).taken_into(piece)

    assert after.seen == ()


def test_a_record_without_a_position_is_judged_by_its_own_neighbours() -> None:
    """Records further along the page say nothing about it."""
    before, after = activity(START - 2), activity(START - 1)

    found = sifted(before, UNPLACED, after, activity(START), activity(START + 1))

    assert (found.outside, found.unplaced) == (3, 0)


def test_a_record_without_a_position_is_new_if_others_like_it_were_seen() -> None:
    """It is told apart by what identifies it."""
    assert names(sifted(UNPLACED, unplaced=("a",), earlier=("b",))) == ["x"]


def test_a_known_record_with_the_same_bytes_has_not_changed() -> None:
    """With others it has, and nothing has vanished either way."""
    known = activity(START)

    for shown, changed in ((known, 0), ({**known, "n": 9}, 1)):
        found = sifted(shown, index=index_of(known), pass_name="sweep-2h")
        piece = found.counted_in(opened(pass_name="sweep-2h"))
        assert (piece.counts.known, piece.counts.changed) == (1, changed)
        assert found.vanished(piece, (START, END)) == 0


def test_irregular_records_are_counted() -> None:
    """Those that strict readers would refuse, and that are wrapped."""
    irregular = {**activity(START), "n": 10**30}

    piece = sifted(irregular, activity(START + 1), activity(START + 2)).counted_in(opened())

    assert (piece.counts.records, piece.counts.irregular) == (3, 1)
