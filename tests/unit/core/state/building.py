"""Ledgers, slices and commits for the tests of core/state."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from shared.core.api.blocks import encode_trailer
from shared.core.intervals import Interval
from shared.core.model import (
    FIRST_PASS,
    Block,
    Commit,
    Doubt,
    Ledger,
    Policy,
    Slice,
)
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import committing
from shared.core.state import ledger as ledgers
from tests.fakes import HOUR, MINUTE, NOW, policy

HOW = policy()


START = NOW - 2 * HOUR


END = START + 5 * MINUTE


def new_ledger(**changes: Any) -> Ledger:
    """Return the ledger of a scan that has done nothing, with changes."""
    return msgspec.structs.replace(ledgers.begin(HOW, NOW), **changes)


def piece_of(bounds: Interval = (START, END), **changes: Any) -> Slice:
    """Return a first pass's slice that was asked for and answered now."""
    piece = open_slice(bounds, pass_name=FIRST_PASS, policy=HOW)
    asked = {"requests": 1, "first_request": bounds[1] + 10 * MINUTE, "last_answer": NOW}
    return msgspec.structs.replace(piece, **{**asked, **changes})


def block(number: int = 0) -> Block:
    """Return a block of three records."""
    digest = f"{number:064}"
    times = (START, START + number)
    return Block(
        id=str(number),
        size=100,
        records=3,
        sha256=digest,
        raw=1000,
        crc32=number,
        timestamp=times,
        created=None,
    )


def sealed(*blocks: Block) -> tuple[Block, ...]:
    """Return the blocks of a finished part."""
    return (*blocks, encode_trailer(blocks, epoch=1)[0])


def about_to_commit(
    ledger: Ledger, piece: Slice, bounds: Interval | None = None, how: Policy = HOW
) -> Ledger:
    """Return the ledger about to commit a slice, up to bounds when only those are proven."""
    start, end = bounds or (piece.start, piece.end)
    transition = Transition(finished=Finished(slice=piece, start=start, end=end))
    return committing.after_transition(ledgers.opened(ledger, piece), piece, transition, how)


def after(ledger: Ledger, piece: Slice, how: Policy = HOW) -> Ledger:
    """Return the ledger once a slice is committed."""
    return committing.committed(about_to_commit(ledger, piece, how=how))


def commit_of(ledger: Ledger) -> Commit:
    """Return the commit that a ledger is about to make."""
    assert ledger.committing
    return ledger.committing


minutes = st.integers(0, 35)

pieces = st.builds(
    piece_of,
    minutes.map(lambda n: (START + n * 5 * MINUTE, START + (n + 1) * 5 * MINUTE)),
    blocks=st.lists(st.builds(block, st.integers(0, 9)), max_size=2).map(
        lambda pages: sealed(*pages) if pages else ()
    ),
    doubt=st.just(()) | st.just((Doubt(start=START, end=START + 1, reason="ä\n"),)),
    continuation=st.none() | st.text(),
    furthest=st.none() | st.integers(-(2**63), 2**63 - 1),
    seen=st.just(()),
)
