"""Parts are checked against their manifests: bytes, metadata and identities."""

from dataclasses import dataclass
from hashlib import sha256

import msgspec
import pytest

from shared.core.audit.contents import METADATA, Hour, metadata_differences
from shared.core.audit.findings import Finding
from shared.core.model import Block
from shared.core.state.manifest import Part
from tests.fakes import activity
from tests.unit.core.audit.building import manifest_of, part_of
from tests.unit.core.state.building import END, START, piece_of

PIECE, CONTENT = part_of()
MANIFEST = manifest_of(PIECE)
STATED = {
    "scan": "all",
    "pass": "first",
    "start": str(START),
    "end": str(END),
    "records": "2",
    "manifest": "1",
    "rawSizeBytes": str(sum(block.raw for block in PIECE.blocks)),
}


@dataclass
class Told:
    """A part and its bytes."""

    part: Part
    content: bytes


def listed() -> Part:
    """Return the part that the manifest lists."""
    assert MANIFEST.part
    return MANIFEST.part


def telling(content: bytes, **changes: object) -> Told:
    """Return bytes that are not a page, with a part that states their digest."""
    first, last = listed().blocks
    rest = last.size
    one = msgspec.structs.replace(
        first, size=len(content) - rest, sha256=sha256(content[:-rest]).hexdigest(), **changes
    )
    end = msgspec.structs.replace(last, sha256=sha256(content[-rest:]).hexdigest())
    blocks: tuple[Block, ...] = (one, end)
    return Told(msgspec.structs.replace(listed(), size=len(content), blocks=blocks), content)


def check(part: Part, content: bytes) -> list[Finding]:
    """Return what is wrong with the only part of an hour."""
    return list(Hour().take(part, content))


def test_a_part_as_its_manifest_says_has_no_finding() -> None:
    """Its records are counted."""
    hour = Hour()

    assert list(hour.take(listed(), CONTENT)) == []
    assert hour.records == 2


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (CONTENT[:-1], f"it has {len(CONTENT) - 1} bytes"),
        (CONTENT[:20] + bytes([CONTENT[20] ^ 1]) + CONTENT[21:], "block 0"),
        (CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]), "block 1"),
    ],
)
def test_other_bytes_are_found(content: bytes, detail: str) -> None:
    """The finding names the block; the records are not read."""
    (finding,) = check(listed(), content)

    assert finding.kind == "part-altered"
    assert detail in finding.detail


def test_a_trailer_that_does_not_fit_its_blocks_is_found() -> None:
    """Even if the manifest states the digest of these bytes."""
    told = telling(CONTENT, crc32=1)

    (finding,) = check(told.part, told.content)

    assert finding.detail == "its trailer is not the one that its manifest implies"


def test_bytes_that_cannot_be_unpacked_are_found() -> None:
    """Even if the manifest states their digest."""
    told = telling(b"?" * 40 + CONTENT[-listed().blocks[-1].size :])

    (finding,) = check(told.part, told.content)

    assert (finding.kind, finding.subject) == ("part-altered", listed().name)
    assert finding.detail.startswith("it cannot be unpacked")


def test_another_number_of_records_is_found() -> None:
    """The blocks may be right and the manifest wrong."""
    (finding,) = check(msgspec.structs.replace(listed(), records=3), CONTENT)

    assert finding.kind == "part-altered"
    assert finding.detail == "it has 2 records, but its manifest says 3"


def test_an_identity_that_comes_twice_in_an_hour_is_found() -> None:
    """In one part or in two."""
    piece, again = part_of([activity(START), activity(START + 9)], pass_name="sweep-2h")
    late = manifest_of(piece).part
    assert late
    hour = Hour()

    assert list(hour.take(listed(), CONTENT)) == []
    (finding,) = hour.take(late, again)

    assert (finding.kind, finding.subject) == ("duplicate-identity", late.name)
    assert "1 of its 2 records" in finding.detail


def test_metadata_that_agree_have_no_difference() -> None:
    """Whoever copies a part may add others."""
    assert tuple(STATED) == METADATA
    assert metadata_differences(MANIFEST, {**STATED, "copied": "yes"}) == ""


def test_metadata_that_differ_are_named_with_both_values() -> None:
    """So are those that are missing."""
    stated = {**STATED, "records": "7"}
    del stated["pass"]

    assert metadata_differences(MANIFEST, stated) == (
        "`pass` is missing, but its manifest says 'first'; "
        "`records` is '7', but its manifest says '2'"
    )


def test_a_part_that_lost_all_metadata_is_one_difference() -> None:
    """A store may be copied without them."""
    assert metadata_differences(MANIFEST, {"copied": "yes"}) == "it has lost its metadata"


def test_a_manifest_without_a_part_states_no_metadata() -> None:
    """There is no blob that could have them."""
    assert metadata_differences(manifest_of(piece_of()), {}) == ""
