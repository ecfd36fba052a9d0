"""Manifests: their bytes, their chain, and the part that they describe."""

import json
from hashlib import sha256
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.model import (
    FIRST_PASS,
    Block,
    Counts,
    Decision,
    Doubt,
    Head,
    Ledger,
    Loss,
    Slice,
    Span,
)
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import committing, layout
from shared.core.state import ledger as ledgers
from shared.core.state import manifest as manifests
from shared.core.state.manifest import Manifest, Requests
from tests.fakes import HOUR, MINUTE, NOW, policy

HOW = policy()
START = NOW - HOUR


def slice_of(*blocks: Block) -> Slice:
    """Return a slice with staged blocks."""
    piece = open_slice((START, START + 5 * MINUTE), pass_name=FIRST_PASS, policy=HOW)
    return msgspec.structs.replace(piece, blocks=blocks, last_answer=NOW)


def block(number: int, timestamp: Span | None = None, created: Span | None = None) -> Block:
    """Return a block of `number` + 1 records and ten times as many bytes."""
    return Block(
        id=f"{number}",
        size=10 * (number + 1),
        records=number + 1,
        sha256="00",
        raw=100 * (number + 1),
        crc32=number,
        timestamp=timestamp,
        created=created,
    )


TRAILER = block(-1)


whole = st.integers(0, 2**53)
bounds = st.tuples(whole, whole)
decisions = st.builds(
    Decision, number=whole, at=whole, by=st.text(), reason=st.text(), bounds=st.none() | bounds
)
built = st.builds(
    Manifest,
    version=st.just(manifests.VERSION),
    number=whole,
    previous=st.none() | st.text(),
    scan=st.text(),
    pass_name=st.text(),
    axis=st.sampled_from(["date", "created"]),
    fingerprint=st.text(),
    origin=whole,
    epoch=whole,
    decision=st.none(),
    start=whole,
    end=whole,
    requests=st.builds(Requests, count=whole, first=st.none() | whole, last=st.none() | whole),
    part=st.none() | st.just(manifests.part_of("all", slice_of(block(0, (1, 2))))),
    counts=st.builds(Counts, records=whole, late=whole),
    lateness=st.dictionaries(st.text(), whole, max_size=3),
    since=st.none() | whole,
    doubt=st.lists(st.builds(Doubt, start=whole, end=whole, reason=st.text()), max_size=2).map(
        tuple
    ),
    lost=st.none() | st.builds(Loss, start=whole, end=whole, reason=st.text()),
    covers=st.lists(st.text(), max_size=2).map(tuple),
    settled_until=whole,
    final=st.lists(bounds, max_size=3).map(tuple),
    complete=st.dictionaries(st.text(), st.lists(bounds, max_size=3).map(tuple), max_size=3),
)


stating = st.builds(
    lambda manifest, decision: msgspec.structs.replace(
        manifest, decision=decision, pass_name=None, start=None, end=None
    ),
    built,
    decisions,
)


@given(built | stating)
def test_a_manifest_is_read_as_it_was_written(manifest: Manifest) -> None:
    """The same manifest gives the same bytes, on one line."""
    content = manifests.encode(manifest)

    assert manifests.decode(content) == manifest
    assert manifests.encode(manifests.decode(content)) == content
    assert content.count(b"\n") == 1
    assert content.endswith(b"}\n")


@pytest.mark.parametrize(
    "damage", [b'"\xff"', b"[" * 100_000 + b"]" * 100_000], ids=["text", "nesting"]
)
@pytest.mark.parametrize("name", [b"scan", b"surprise"])
def test_a_damaged_manifest_cannot_be_decoded(name: bytes, damage: bytes) -> None:
    """Whatever has become of its bytes, who reads the chain must be able to say so."""
    with pytest.raises(msgspec.DecodeError):
        manifests.decode(b'{"version":1,"%b":%b}' % (name, damage))


def test_the_pass_is_called_pass() -> None:
    """In the bytes that others read; `pass_name` is only its name here."""
    about = _committed(ledgers.begin(HOW, NOW), slice_of())[1]

    stated = json.loads(about)

    assert stated["pass"] == FIRST_PASS
    assert "pass_name" not in stated


def _committed(ledger: Ledger, piece: Slice) -> tuple[Ledger, bytes]:
    finished = Finished(slice=piece, start=piece.start, end=piece.end)
    after = committing.after_transition(ledger, piece, Transition(finished=finished), HOW)
    assert after.committing
    return committing.committed(after), after.committing.manifest.encode()


@given(st.lists(st.integers(0, 11), min_size=2, max_size=6, unique=True))
def test_each_manifest_carries_the_hash_of_the_one_before(places: list[int]) -> None:
    """From number 1, which carries none; the ledger carries the last."""
    ledger, chain = ledgers.begin(HOW, NOW), list[bytes]()
    for place in places:
        at = START + place * 5 * MINUTE
        piece = msgspec.structs.replace(slice_of(), start=at, end=at + 5 * MINUTE)
        ledger, content = _committed(ledger, piece)
        chain.append(content)

    read = [manifests.decode(content) for content in chain]
    assert [it.number for it in read] == list(range(1, len(places) + 1))
    assert read[0].previous is None
    for before, (_, following) in zip(chain, pairwise(read), strict=False):
        assert following.previous == sha256(before).hexdigest()
    assert ledger.head == Head(number=len(chain), sha256=sha256(chain[-1]).hexdigest())


def test_the_head_after_a_manifest_is_its_number_and_the_hash_of_its_bytes() -> None:
    """One changed byte is another head."""
    head = manifests.following(Head(number=4, sha256="x"), b"content")

    assert head == Head(number=5, sha256=sha256(b"content").hexdigest())
    assert head != manifests.following(Head(number=4, sha256="x"), b"Content")


def test_a_slice_without_blocks_has_no_part() -> None:
    """Its manifest says so with null."""
    assert manifests.part_of("all", slice_of()) is None


def test_a_part_is_the_sum_of_its_blocks() -> None:
    """Sizes and records are added, times span all of them, and the order is kept."""
    blocks = (block(0, (5, 7), None), block(1, None, (3, 3)), block(2, (1, 6), (2, 9)))

    part = manifests.part_of("all", slice_of(*blocks))

    assert part
    assert (part.size, part.records, part.blocks) == (60, 6, blocks)
    assert (part.timestamp, part.created) == ((1, 7), (2, 9))
    assert part.name == layout.part_name("all", slice_of())


def test_a_part_without_times_says_so() -> None:
    """No record of it has one."""
    part = manifests.part_of("all", slice_of(block(0), block(1)))

    assert part
    assert (part.timestamp, part.created) == (None, None)


@pytest.mark.parametrize("name", ["blocks", "counts", "requests", "part"])
def test_what_nobody_knows_inside_a_manifest_is_refused(name: str) -> None:
    """At every depth."""
    _, content = _committed(ledgers.begin(HOW, NOW), slice_of(block(0), TRAILER))
    stated = json.loads(content)
    inner = stated["part"]["blocks"][0] if name == "blocks" else stated[name]
    inner["surprise"] = 1

    with pytest.raises(msgspec.ValidationError, match="surprise"):
        manifests.decode(json.dumps(stated).encode())


def test_another_version_of_a_manifest_is_refused() -> None:
    """Its fields may mean something else."""
    _, content = _committed(ledgers.begin(HOW, NOW), slice_of())
    other = content.replace(b'"version":1', b'"version":2', 1)

    with pytest.raises(msgspec.ValidationError, match="format version 2"):
        manifests.decode(other)


@pytest.mark.parametrize(
    "changes",
    [
        {"start": None},
        {"pass": None},
        {"start": None, "end": None, "pass": None},
        {"decision": {"number": 1, "kind": "pause", "at": 1, "by": "", "reason": "", "what": ""}},
    ],
)
def test_a_manifest_states_either_a_look_or_a_decision(changes: dict[str, object]) -> None:
    """Anything between would have no meaning."""
    _, content = _committed(ledgers.begin(HOW, NOW), slice_of())
    other = json.dumps({**json.loads(content), **changes}).encode()

    with pytest.raises(msgspec.ValidationError, match="either a decision or the look at a slice"):
        manifests.decode(other)


def test_a_decision_proves_no_time() -> None:
    """To ask for its bounds would be a mistake in this program."""
    _, content = _committed(ledgers.begin(HOW, NOW), slice_of())
    manifest = msgspec.structs.replace(manifests.decode(content), start=None, end=None)

    with pytest.raises(AssertionError, match="proves no time"):
        _ = manifest.bounds
