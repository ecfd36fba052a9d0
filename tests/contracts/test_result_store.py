"""The contract of `ResultStore`, on the fake and on Azurite."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.core.errors import BlocksLost, PartUnreadable, StoreConflict
from shared.core.model import Block
from shared.ports import ResultStore
from tests.contracts.storage import BOUNDS, PART, ResultPlace, block, commit, stage

MANIFEST = b'{"number": 1, "name": "\xc3\xa4"}\n'


def test_a_new_scan_is_empty(results: ResultPlace) -> None:
    """Without parts and manifests, a missing ledger is not a loss."""
    assert results.store.is_empty()


def test_a_part_makes_the_scan_not_empty(results: ResultPlace) -> None:
    """A part alone shows that a ledger is missing."""
    commit(results.store, stage(results.store, b"page"))

    assert not results.store.is_empty()


def test_a_manifest_makes_the_scan_not_empty(results: ResultPlace) -> None:
    """A manifest alone shows that a ledger is missing."""
    results.store.put_manifest(1, MANIFEST)

    assert not results.store.is_empty()


def test_staged_blocks_leave_the_scan_empty(results: ResultPlace) -> None:
    """Content that no reader sees does not count."""
    stage(results.store, b"page")

    assert results.store.is_empty()


def test_another_scan_leaves_this_one_empty(results: ResultPlace) -> None:
    """Scans share containers, even if one name begins with the other."""
    other = results.of_another_scan()
    commit(other, stage(other, b"page", part="scan=all-2/p"), part="scan=all-2/p")
    other.put_manifest(1, MANIFEST)

    assert results.store.is_empty()


def test_staged_blocks_are_invisible(results: ResultPlace) -> None:
    """No listing has a part that is being written."""
    stage(results.store, b"one", b"two")

    assert results.parts() == {}


def test_staged_blocks_are_found(results: ResultPlace) -> None:
    """Before a commit, the scan checks that all blocks are still there."""
    blocks = stage(results.store, b"one", b"two")

    assert results.store.has_staged(PART, blocks)


def test_some_of_the_staged_blocks_are_found(results: ResultPlace) -> None:
    """Blocks beyond the list, left by a run that died, do not matter."""
    blocks = stage(results.store, b"one", b"two", b"three")

    assert results.store.has_staged(PART, blocks[1:])


def test_a_part_that_nobody_began_has_no_staged_blocks(results: ResultPlace) -> None:
    """This is an answer, not an error."""
    assert not results.store.has_staged(PART, [block(b"one")])


def test_one_missing_block_is_noticed(results: ResultPlace) -> None:
    """The store has all of the blocks or reports that it does not."""
    blocks = stage(results.store, b"one", b"two")

    assert not results.store.has_staged(PART, [*blocks, block(b"three", number=3)])


def test_a_staged_block_of_another_size_is_noticed(results: ResultPlace) -> None:
    """A block with the same id but another length is another block."""
    staged = block(b"one")
    results.store.stage_block(PART, staged, b"one, and more")

    assert not results.store.has_staged(PART, [staged])


def test_blocks_of_another_part_are_not_found(results: ResultPlace) -> None:
    """Blocks belong to their part."""
    blocks = stage(results.store, b"one", part=f"{PART}-other")

    assert not results.store.has_staged(PART, blocks)


def test_committed_blocks_are_not_staged(results: ResultPlace) -> None:
    """After the commit there is nothing left to commit."""
    blocks = stage(results.store, b"one", b"two")
    commit(results.store, blocks)

    assert not results.store.has_staged(PART, blocks)


def test_staging_a_block_again_changes_nothing(results: ResultPlace) -> None:
    """A step whose answer was lost stages its block a second time."""
    blocks = stage(results.store, b"one", b"two")
    results.store.stage_block(PART, blocks[0], b"one")

    commit(results.store, blocks)

    assert results.parts() == {PART: b"onetwo"}


def test_a_commit_makes_the_whole_part_appear(results: ResultPlace) -> None:
    """A part is the concatenation of its blocks."""
    blocks = stage(results.store, b"one", b"two", b"three")

    commit(results.store, blocks)

    assert results.parts() == {PART: b"onetwothree"}


def test_the_block_list_decides_the_order(results: ResultPlace) -> None:
    """Lanes may stage in any order."""
    first, second = stage(results.store, b"one", b"two")

    commit(results.store, [second, first])

    assert results.parts() == {PART: b"twoone"}


def test_a_commit_sets_the_metadata(results: ResultPlace) -> None:
    """The part carries its proven bounds."""
    blocks = stage(results.store, b"one")

    results.store.commit_part(PART, blocks, metadata={"start": "1", "pass": "first"})

    assert results.metadata(PART) == {"start": "1", "pass": "first"}


def test_a_commit_whose_answer_was_lost_succeeds_when_repeated(results: ResultPlace) -> None:
    """A part with exactly these blocks must have been written by this commit."""
    blocks = stage(results.store, b"one", b"two")
    commit(results.store, blocks)

    commit(results.store, blocks)

    assert results.parts() == {PART: b"onetwo"}


def test_a_commit_repeated_after_staging_again_succeeds(results: ResultPlace) -> None:
    """A run that stages late beside a finished part does not disturb it."""
    blocks = stage(results.store, b"one", b"two")
    commit(results.store, blocks)
    stage(results.store, b"one", b"two")

    commit(results.store, blocks)

    assert results.parts() == {PART: b"onetwo"}


def _others(store: ResultStore) -> dict[str, list[Block]]:
    one, two = stage(store, b"one", b"two")
    three = block(b"three", number=3)
    return {"fewer": [one], "more": [one, two, three], "other order": [two, one], "else": [three]}


@pytest.mark.parametrize("which", ["fewer", "more", "other order", "else"])
def test_a_part_with_other_blocks_is_a_conflict(results: ResultPlace, which: str) -> None:
    """Another program writes under this name, so nothing is overwritten."""
    commit(results.store, stage(results.store, b"one", b"two"))
    other = _others(results.store)[which]

    with pytest.raises(StoreConflict, match=r"part .* already exists with other blocks"):
        commit(results.store, other)

    assert results.parts() == {PART: b"onetwo"}


def test_a_part_that_others_uploaded_in_one_piece_is_a_conflict(results: ResultPlace) -> None:
    """A blob without blocks belongs to another program, even with equal bytes."""
    results.plant_part(PART, b"one")
    blocks = stage(results.store, b"one")

    with pytest.raises(StoreConflict, match=r"part .* already exists with other blocks"):
        commit(results.store, blocks)

    assert results.parts() == {PART: b"one"}


def test_a_part_that_others_uploaded_makes_the_scan_not_empty(results: ResultPlace) -> None:
    """Whoever wrote it, the scan has a past."""
    results.plant_part(PART, b"one")

    assert not results.store.is_empty()


def test_another_epochs_list_does_not_replace_a_part(results: ResultPlace) -> None:
    """A process that wakes up late commits the same pages under its own ids and is refused."""
    commit(results.store, stage(results.store, b"one", epoch=2))
    late = stage(results.store, b"one", epoch=1)

    with pytest.raises(StoreConflict, match=r"part .* already exists with other blocks"):
        commit(results.store, late)

    assert results.parts() == {PART: b"one"}


def test_a_refused_commit_leaves_the_metadata(results: ResultPlace) -> None:
    """Metadata is create-only, too."""
    blocks = stage(results.store, b"one")
    results.store.commit_part(PART, blocks, metadata={"start": "1"})

    results.store.commit_part(PART, blocks, metadata={"start": "2"})

    assert results.metadata(PART) == {"start": "1"}


def test_a_commit_without_any_block_staged_finds_them_lost(results: ResultPlace) -> None:
    """The service forgets staged blocks after a week."""
    with pytest.raises(BlocksLost, match="the service no longer has all staged blocks of"):
        commit(results.store, [block(b"one")])

    assert results.parts() == {}


def test_a_commit_with_one_block_missing_finds_it_lost(results: ResultPlace) -> None:
    """Half a part never appears."""
    blocks = [*stage(results.store, b"one", b"two"), block(b"three", number=3)]

    with pytest.raises(BlocksLost, match="the service no longer has all staged blocks of"):
        commit(results.store, blocks)

    assert results.parts() == {}


def test_staged_blocks_survive_a_refused_commit(results: ResultPlace) -> None:
    """A commit that misses a block removes nothing."""
    blocks = stage(results.store, b"one", b"two")
    with pytest.raises(BlocksLost, match="the service no longer has all staged blocks of"):
        commit(results.store, [*blocks, block(b"three", number=3)])

    commit(results.store, blocks)

    assert results.parts() == {PART: b"onetwo"}


def test_leftover_blocks_of_another_epoch_are_left_out(results: ResultPlace) -> None:
    """The next run's commit does not include blocks of a run that died."""
    stage(results.store, b"dead", b"gone", epoch=1)
    blocks = stage(results.store, b"one", epoch=2)

    commit(results.store, blocks)

    assert results.parts() == {PART: b"one"}


def test_a_commit_discards_leftover_blocks(results: ResultPlace) -> None:
    """After a commit, a run that left blocks behind finds that they are gone."""
    left = stage(results.store, b"dead", epoch=1)
    commit(results.store, stage(results.store, b"one", epoch=2))

    assert not results.store.has_staged(PART, left)


def test_blocks_staged_at_once_are_all_kept(results: ResultPlace) -> None:
    """The threads of several lanes use the store."""
    pages = [f"page {number:02};".encode() for number in range(16)]
    blocks = [block(page, number=at) for at, page in enumerate(pages)]

    with ThreadPoolExecutor(8) as lanes:
        list(
            lanes.map(lambda at: results.store.stage_block(PART, blocks[at], pages[at]), range(16))
        )
    commit(results.store, blocks)

    assert results.parts() == {PART: b"".join(pages)}


def test_a_manifest_that_does_not_exist_is_none(results: ResultPlace) -> None:
    """The end of the chain is an answer, not an error."""
    assert results.store.manifest(1) is None


def test_a_manifest_is_read_as_it_was_written(results: ResultPlace) -> None:
    """The chain hashes bytes."""
    results.store.put_manifest(1, MANIFEST)

    assert results.store.manifest(1) == MANIFEST
    assert results.store.manifest(2) is None


def test_a_manifest_whose_answer_was_lost_succeeds_when_repeated(results: ResultPlace) -> None:
    """A manifest with these bytes must have been written by this very put."""
    results.store.put_manifest(1, MANIFEST)

    results.store.put_manifest(1, MANIFEST)

    assert results.store.manifest(1) == MANIFEST


def test_a_manifest_with_other_bytes_is_a_conflict(results: ResultPlace) -> None:
    """A link of the chain is written once."""
    results.plant_manifest(1, b"written by another program")

    with pytest.raises(StoreConflict, match=r"manifest .* already exists with other content"):
        results.store.put_manifest(1, MANIFEST)

    assert results.store.manifest(1) == b"written by another program"


def test_a_manifest_that_others_planted_is_seen(results: ResultPlace) -> None:
    """This reveals a ledger that was restored from an older copy."""
    results.plant_manifest(412, MANIFEST)

    assert results.store.manifest(412) == MANIFEST
    assert not results.store.is_empty()


def test_of_concurrent_manifests_one_is_stored(results: ResultPlace) -> None:
    """Exactly one of several writers of the same number succeeds."""
    candidates = [f"manifest {number}".encode() for number in range(8)]

    def put(content: bytes) -> bytes | None:
        try:
            results.store.put_manifest(1, content)
        except StoreConflict:
            return None
        return content

    with ThreadPoolExecutor(8) as writers:
        won = [content for content in writers.map(put, candidates) if content]

    assert won == [results.store.manifest(1)]


HOUR = 1_795_410_000_000
"""The hour in which `PART` begins."""

FOLDER = PART.rpartition("/")[0]

CLOSED_EARLY = [
    f"{FOLDER}/20261123T050000000Z-20261123T060000000Z.first.jsonl.gz",
    f"{FOLDER}/20261123T051000000Z-20261123T060000000Z.first.jsonl.gz",
    f"{FOLDER}/20261123T051500000Z-20261123T060000000Z.first.jsonl.gz",
    f"{FOLDER}/20261123T050000000Z-20261123T060000000Z.sweep-2h.jsonl.gz",
]

LOST_METADATA = [
    {},
    {"start": BOUNDS["start"]},
    {"Start": BOUNDS["start"], "END": BOUNDS["end"]},
    {"start": "soon", "end": "1.5"},
    {"start": "0", "end": "9" * 20},
]

STRANGE_NAMES = [
    f"{FOLDER}/stranger",
    f"{PART}.copy",
    f"{FOLDER}/20261123T050500000Z-20261123T051000000Z.jsonl.gz",
    f"{FOLDER}/20261123T051000000Z-20261123T050500000Z.first.jsonl.gz",
    f"{FOLDER}/20261123T060500000Z-20261123T061000000Z.first.jsonl.gz",
    f"{FOLDER}/20269923T050500000Z-20261123T051000000Z.first.jsonl.gz",
    f"{FOLDER}/deeper/20261123T050500000Z-20261123T051000000Z.first.jsonl.gz",
]


def test_the_parts_of_an_hour_are_described(results: ResultPlace) -> None:
    """They have name, size and the proven bounds, for any instant of the hour."""
    commit(results.store, stage(results.store, b"one", b"two"))

    (part,) = results.store.parts_of(HOUR + 1_234_567)

    assert (part.name, part.size) == (PART, 6)
    assert (part.start, part.end) == (HOUR + 300_000, HOUR + 600_000)


def test_the_parts_of_another_hour_are_left_out(results: ResultPlace) -> None:
    """A sweep reads no more than it must."""
    commit(results.store, stage(results.store, b"one"))

    assert list(results.store.parts_of(HOUR + 3_600_000)) == []


def test_staged_blocks_are_not_parts_of_an_hour(results: ResultPlace) -> None:
    """Uncommitted blocks do not count."""
    stage(results.store, b"one")

    assert list(results.store.parts_of(HOUR)) == []


@pytest.mark.parametrize("metadata", LOST_METADATA)
def test_a_part_of_an_hour_is_described_by_its_name(
    results: ResultPlace, metadata: dict[str, str]
) -> None:
    """A copied store may have lost or changed metadata, so nothing depends on it."""
    results.plant_part(PART, b"?", metadata)

    (part,) = results.store.parts_of(HOUR)

    assert (part.start, part.end) == (HOUR + 300_000, HOUR + 600_000)


def test_a_part_that_closed_early_ends_where_the_next_of_its_pass_begins(
    results: ResultPlace,
) -> None:
    """A sweep reads a dense hour's parts once, rather than all of them for each slice."""
    for name in CLOSED_EARLY:
        results.plant_part(name, b"?")

    held = [(it.start - HOUR, it.end - HOUR) for it in results.store.parts_of(HOUR)]

    assert sorted(held) == [(0, 600_000), (0, 3_600_000), (600_000, 900_000), (900_000, 3_600_000)]


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_a_blob_whose_name_is_not_a_part_s_is_not_a_part_of_an_hour(
    results: ResultPlace, name: str
) -> None:
    """No scan wrote it."""
    results.plant_part(name, b"?", dict(BOUNDS))

    assert list(results.store.parts_of(HOUR)) == []


def test_a_part_is_read_as_it_was_staged(results: ResultPlace) -> None:
    """It is compressed, block after block."""
    commit(results.store, stage(results.store, b"one", b"two"))

    assert results.store.part(PART) == b"onetwo"


def test_a_part_that_is_gone_cannot_be_read(results: ResultPlace) -> None:
    """It blocks a sweep but not the scan."""
    with pytest.raises(PartUnreadable, match="gone"):
        results.store.part(PART)


def test_everything_that_is_stored_can_be_listed(results: ResultPlace) -> None:
    """The listing has manifests by number, described parts by name, and foreign blobs."""
    commit(results.store, stage(results.store, b"one", b"two"))
    results.plant_part(PART + ".copy", b"?")
    for number in (1, 2, 12):
        results.plant_manifest(number, MANIFEST)

    parts = list(results.store.all_parts())

    assert list(results.store.all_manifests()) == [1, 2, 12]
    assert [(it.name, it.size) for it in parts] == [(PART, 6), (PART + ".copy", 1)]
    assert parts[0].metadata == results.metadata(PART)


def test_a_part_s_blocks_are_listed_in_order(results: ResultPlace) -> None:
    """They have their ids and sizes."""
    blocks = stage(results.store, b"one", b"twos")
    commit(results.store, blocks)

    assert list(results.store.blocks_of(PART)) == [(it.id, it.size) for it in blocks]


def test_another_scan_s_blobs_are_not_listed(results: ResultPlace) -> None:
    """Scans share containers."""
    other = results.of_another_scan()
    commit(other, stage(other, b"page", part="scan=all-2/p"), part="scan=all-2/p")
    other.put_manifest(1, MANIFEST)

    assert list(results.store.all_parts()) == []
    assert list(results.store.all_manifests()) == []


FOLDERS = [
    ("scan=all/date=2026-11-24", {"hdi_isfolder": "true"}),
    ("scan=all/date=2026-11-24/hour=05", {"Hdi_isfolder": "True"}),
    ("scan=all/date=2026-11-24/hour=06", {}),
    ("scan=all/date=2026-11-24/hour=07/", {}),
    ("scan=all/somebody-s", {"hdi_isfolder": "true"}),
]


@pytest.mark.parametrize(("name", "metadata"), FOLDERS)
def test_a_folder_is_not_a_blob(results: ResultPlace, name: str, metadata: dict[str, str]) -> None:
    """Accounts with a hierarchical namespace list them; copies may lose their metadata."""
    results.plant_part(name, b"", metadata)

    assert results.store.is_empty()
    assert list(results.store.all_parts()) == []


@pytest.mark.parametrize(
    ("name", "content", "metadata"),
    [
        (f"{FOLDER}/stranger", b"", {}),
        (f"{FOLDER}/stranger", b"", {"hdi_isfolder": "false"}),
        (f"{FOLDER}/stranger", b"?", {"hdi_isfolder": "true"}),
        (FOLDER, b"?", {}),
    ],
)
def test_an_empty_blob_is_not_taken_for_a_folder(
    results: ResultPlace, name: str, content: bytes, metadata: dict[str, str]
) -> None:
    """Nor is a blob with content; a check reports both."""
    results.plant_part(name, content, metadata)

    assert not results.store.is_empty()
    assert [it.name for it in results.store.all_parts()] == [name]


def test_a_scan_of_which_only_folders_are_left_is_empty(results: ResultPlace) -> None:
    """Deleting blobs leaves their folders."""
    commit(results.store, stage(results.store, b"page"))

    results.delete_parts()

    assert results.store.is_empty()
    assert list(results.store.all_parts()) == []
    assert list(results.store.parts_of(HOUR)) == []
