"""The ledger that the manifests prove, and the part of an interrupted commit."""

import json
from collections.abc import Sequence

import msgspec
import pytest

from shared.core.audit.rebuilding import ADOPTED, EPOCHS_SKIPPED, Rebuilding, likely_origin
from shared.core.errors import NotRebuildable
from shared.core.model import Doubt, PartBlob, Policy, Slice
from shared.core.state import manifest as manifests
from shared.core.state.proof import proof_in
from tests.fakes import HOUR, NOW, activity, policy
from tests.unit.core.audit.building import altered, blob_of, committed_in_turn, part_of, slices
from tests.unit.core.state.building import END, START, commit_of, new_ledger

HOW = policy()


def rebuilt_from(*contents: bytes, how: Policy = HOW) -> Rebuilding:
    """Return a rebuilding that has taken in these manifests."""
    rebuilding = Rebuilding(how, NOW)
    for content in contents:
        rebuilding.take(manifests.decode(content), content)
    return rebuilding


def test_the_rebuilt_ledger_proves_what_the_lost_one_did() -> None:
    """Head, origin and scope included."""
    contents, lost = committed_in_turn(part_of()[0], *slices(3)[1:])

    ledger = rebuilt_from(*contents).ledger

    assert proof_in(ledger) == proof_in(lost)
    assert (ledger.head, ledger.origin, ledger.axis) == (lost.head, lost.origin, lost.axis)
    assert ledger.fingerprint == lost.fingerprint


def test_the_manifests_say_what_is_scanned_and_not_the_settings() -> None:
    """Which may have changed since; a claim then refuses them."""
    contents, lost = committed_in_turn(part_of()[0], *slices(3)[1:])
    how = policy(lookback=HOUR, axis="created", filters={"service": {"eq": [1]}})

    ledger = rebuilt_from(*contents, how=how).ledger

    assert proof_in(ledger) == proof_in(lost)
    assert (ledger.origin, ledger.axis) == (lost.origin, lost.axis)
    assert ledger.fingerprint == lost.fingerprint


def test_the_epoch_is_beyond_every_claim_of_the_lost_ledger() -> None:
    """It may have been claimed more often than its last manifest says."""
    first, second = committed_in_turn(*slices(2))[0]

    ledger = rebuilt_from(altered(first, epoch=7), altered(second, epoch=3)).ledger

    assert ledger.epoch == 7 + EPOCHS_SKIPPED


def test_a_scan_without_manifests_begins_where_it_is_told() -> None:
    """Nothing is covered yet."""
    rebuilding = rebuilt_from()

    rebuilding.begin_at(START - 9 * HOUR)

    assert rebuilding.ledger.origin == rebuilding.ledger.settled_until == START - 9 * HOUR
    assert rebuilding.ledger.coverage == {"first": ()}


def blocks_of(piece: Slice) -> list[tuple[str, int]]:
    """Return a part's blocks as the service lists them."""
    return [(block.id, block.size) for block in piece.blocks]


PIECE, CONTENT = part_of([activity(START + 5), activity(START + 90)])
BOUNDS = {"start": str(START), "end": str(END)}


def adopted(
    blob: PartBlob,
    blocks: Sequence[tuple[str, int]] = tuple(blocks_of(PIECE)),
    content: bytes = CONTENT,
    how: Policy = HOW,
) -> Slice:
    """Return the slice of the commit that adopts a part."""
    rebuilding = Rebuilding(how, NOW)
    rebuilding.adopt(blob, blocks, content)
    piece = commit_of(rebuilding.ledger).slice
    assert piece
    return piece


def test_an_adopted_part_is_committed_in_doubt() -> None:
    """So a sweep looks at its time again, since nobody knows what its run had seen."""
    piece = adopted(blob_of(PIECE, **BOUNDS))

    assert piece.blocks == PIECE.blocks
    assert piece.doubt == (Doubt(start=START, end=END, reason=ADOPTED),)
    assert (piece.counts.records, piece.since) == (2, None)


def test_the_manifest_of_an_adopted_part_is_made_now() -> None:
    """Nobody knows when its requests were sent."""
    rebuilding = Rebuilding(HOW, NOW)
    rebuilding.adopt(blob_of(PIECE, **BOUNDS), blocks_of(PIECE), CONTENT)

    made = manifests.decode(commit_of(rebuilding.ledger).manifest.encode())

    assert (made.made, made.requests.count) == (NOW, 0)


def test_a_part_of_several_pages_is_adopted_with_each_of_them() -> None:
    """Every block is checked against its id."""
    whole, content = part_of([activity(START + 5)], [activity(START + 90)])

    piece = adopted(blob_of(whole, **BOUNDS), blocks_of(whole), content)

    assert piece.blocks == whole.blocks
    assert [it.records for it in piece.blocks] == [1, 1, 0]


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"start": "?", "end": "?"},
        {"start": str(START - 1), "end": str(END)},
        {"start": str(START + 2), "end": str(START + 2)},
        {"start": str(START), "end": str(END + 1)},
    ],
)
def test_without_usable_metadata_a_part_proves_what_its_records_span(
    metadata: dict[str, str],
) -> None:
    """The rest of the slice is scanned again."""
    (doubt,) = adopted(blob_of(PIECE, **metadata)).doubt

    assert (doubt.start, doubt.end) == (START + 5, START + 91)


def test_a_part_proves_nothing_outside_of_its_slice() -> None:
    """A record at its end lies in the next slice, and one at its start in this one."""
    piece, content = part_of([activity(START), activity(END)])
    early, its_content = part_of([activity(START - 5), activity(START + 90)])

    (doubt,) = adopted(blob_of(piece), blocks_of(piece), content).doubt
    (other,) = adopted(blob_of(early), blocks_of(early), its_content).doubt

    assert (doubt.start, doubt.end) == (START, START + 1)
    assert (other.start, other.end) == (START + 90, START + 91)


def test_metadata_that_leave_out_a_record_are_extended_to_it() -> None:
    """The record would be stored twice otherwise."""
    (doubt,) = adopted(blob_of(PIECE, start=str(START + 50), end=str(END))).doubt

    assert (doubt.start, doubt.end) == (START + 5, END)


def test_a_part_whose_records_have_no_position_proves_the_bounds_in_its_name() -> None:
    """Nothing else is known; its records are counted as unplaced."""
    piece, content = part_of([{"_id": "x"}])

    kept = adopted(blob_of(piece), blocks_of(piece), content)

    assert (kept.doubt[0].start, kept.doubt[0].end) == (START, END)
    assert kept.counts.unplaced == 1

    closed = blob_of(piece, start=str(START), end=str(START + 50))
    early = adopted(closed, blocks_of(piece), content)
    assert (early.doubt[0].start, early.doubt[0].end) == (START, START + 50)


def test_a_part_of_a_scan_by_ingestion_time_spans_its_records_ingestion() -> None:
    """That is its axis."""
    piece, content = part_of([{**activity(START), "created": START + 700}])

    kept = adopted(blob_of(piece), blocks_of(piece), content, policy(axis="created"))

    assert (kept.doubt[0].start, kept.doubt[0].end) == (START + 700, START + 701)


@pytest.mark.parametrize(
    ("records", "since"),
    [
        ([activity(START)], START + 200_000),
        ([activity(START), activity(START + 9)], START + 200_000),
        ([{}], 0),
    ],
)
def test_a_part_of_a_partial_sweep_is_adopted_as_one(
    records: list[dict[str, object]], since: int
) -> None:
    """It asked for what was ingested since its earliest record at the latest."""
    piece, content = part_of(records, pass_name="sweep-24h")
    partial = msgspec.structs.replace(piece, since=1)

    kept = adopted(blob_of(partial), blocks_of(piece), content)

    assert (kept.pass_name, kept.since) == ("sweep-24h", since)


def test_a_blob_with_another_name_is_not_adopted() -> None:
    """The scan did not write it."""
    with pytest.raises(NotRebuildable, match="not have the name of a part"):
        adopted(PartBlob(name="scan=all/x", size=1, metadata={}))


@pytest.mark.parametrize(
    ("blocks", "content", "why"),
    [
        (blocks_of(PIECE), CONTENT[:-1] + b"?", "its trailer"),
        (blocks_of(PIECE), b"?" + CONTENT[1:], "other bytes than its id says"),
        ([], b"", "it has no blocks"),
        (blocks_of(PIECE), CONTENT + b"?", "other blocks than its bytes"),
    ],
)
def test_a_damaged_part_is_not_adopted(
    blocks: list[tuple[str, int]], content: bytes, why: str
) -> None:
    """Readers would see it once it were committed."""
    with pytest.raises(NotRebuildable, match=why):
        adopted(blob_of(PIECE), blocks, content)


LATER = json.dumps({"covered_until": NOW - HOUR})
LINES = ['{"covered_until": 0}', "?", json.dumps({"covered_until": NOW - 50 * HOUR})]


@pytest.mark.parametrize(
    ("parts", "lines", "origin"),
    [
        ([], [], NOW - 3 * HOUR),
        ([], [LATER], NOW - 3 * HOUR),
        ([blob_of(PIECE)], [], START - 3 * HOUR),
        ([], LINES, NOW - 50 * HOUR),
        ([blob_of(PIECE)], LINES, NOW - 50 * HOUR),
        ([PartBlob(name="x", size=1, metadata={})], LINES[:2], NOW - 3 * HOUR),
    ],
)
def test_a_scan_without_manifests_begins_at_the_earliest_likely_time(
    parts: list[PartBlob], lines: list[str], origin: int
) -> None:
    """Too early costs requests; too late would lose activities."""
    ledger = new_ledger(origin=NOW - 3 * HOUR, lookback=3 * HOUR)

    assert likely_origin(ledger, parts, lines) == origin
