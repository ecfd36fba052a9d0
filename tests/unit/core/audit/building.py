"""Chains of manifests and parts for the tests of core/audit."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from shared.core.api.pages import read_page
from shared.core.api.records import Record
from shared.core.model import FIRST_PASS, Block, Ledger, PartBlob, Slice
from shared.core.slices.transitions import Draft, Finished, Transition
from shared.core.state import committing
from shared.core.state import manifest as manifests
from shared.core.state.layout import part_name
from shared.core.state.manifest import Manifest
from tests.fakes import MINUTE, activity
from tests.unit.core.state.building import (
    START,
    about_to_commit,
    commit_of,
    new_ledger,
    piece_of,
)


def committed_in_turn(*pieces: Slice) -> tuple[list[bytes], Ledger]:
    """Return the manifests of these slices, and the ledger after the last of them."""
    ledger, contents = new_ledger(origin=START, settled_until=START), []
    for piece in pieces:
        ledger = about_to_commit(ledger, piece)
        contents.append(commit_of(ledger).manifest.encode())
        ledger = committing.committed(ledger)
    return contents, ledger


def slices(count: int) -> list[Slice]:
    """Return finished slices that follow each other, without records."""
    starts = range(START, START + count * 5 * MINUTE, 5 * MINUTE)
    return [piece_of((start, start + 5 * MINUTE)) for start in starts]


def altered(content: bytes, **changes: Any) -> bytes:
    """Return a manifest with other values in some of its fields."""
    return json.dumps({**json.loads(content), **changes}).encode()


def part_of(*pages: Iterable[dict[str, Any]], pass_name: str = FIRST_PASS) -> tuple[Slice, bytes]:
    """Return the finished slice of pages with these records, and the part's bytes."""
    piece = msgspec.structs.replace(piece_of(), pass_name=pass_name)
    *before, last = pages or ([activity(START), activity(START + 1)],)
    parts: list[bytes] = []

    def staged(draft: Draft) -> Transition:
        made: list[tuple[Block, bytes]] = list(draft.blocks(epoch=1))
        parts.extend(content for _, content in made)
        return draft.built([block for block, _ in made])

    for page in before:
        piece = staged(Draft(records=_records(page), goes_on=piece)).goes_on or piece
    finished = Finished(slice=piece, start=piece.start, end=piece.end)
    after = staged(Draft(records=_records(last), finished=finished)).finished
    assert after
    return after.slice, b"".join(parts)


def _records(page: Iterable[dict[str, Any]]) -> tuple[Record, ...]:
    return read_page(json.dumps({"data": list(page), "hasNext": False}).encode()).records


def manifest_of(piece: Slice) -> Manifest:
    """Return the manifest that commits a slice."""
    (content,), _ = committed_in_turn(piece)
    return manifests.decode(content)


def blob_of(piece: Slice, **metadata: str) -> PartBlob:
    """Return a slice's part as a listing shows it."""
    size = sum(block.size for block in piece.blocks)
    return PartBlob(name=part_name("all", piece), size=size, metadata=metadata)
