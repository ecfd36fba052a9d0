"""The ledger's codec, its claim, its check against the chain, and every change made to it."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.api.blocks import encode_trailer
from shared.core.errors import LedgerRolledBack, LedgerTooNew, LedgerUnreadable, ScopeChanged
from shared.core.intervals import Interval, holds, merge
from shared.core.model import (
    FIRST_PASS,
    Block,
    Commit,
    Counts,
    Doubt,
    Head,
    Ledger,
    Load,
    Loss,
    Policy,
    Slice,
)
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import ledger as ledgers
from shared.core.state import manifest as manifests
from shared.core.state.planning import covered
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy

HOW = policy()
START = NOW - 2 * HOUR
END = START + 5 * MINUTE
LEAST = b'{"version": %d, "min_reader": %d}'


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


def committing(
    ledger: Ledger, piece: Slice, bounds: Interval | None = None, how: Policy = HOW
) -> Ledger:
    """Return the ledger about to commit a slice, up to bounds when only those are proven."""
    start, end = bounds or (piece.start, piece.end)
    transition = Transition(finished=Finished(slice=piece, start=start, end=end))
    return ledgers.after_transition(ledgers.opened(ledger, piece), piece, transition, how)


def after(ledger: Ledger, piece: Slice, how: Policy = HOW) -> Ledger:
    """Return the ledger once a slice is committed."""
    return ledgers.committed(committing(ledger, piece, how=how))


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


@given(done=st.lists(pieces, max_size=4), opened=pieces, run=st.text())
def test_a_ledger_is_read_as_it_was_written(done: list[Slice], opened: Slice, run: str) -> None:
    """Whatever has happened to it; the same ledger gives the same bytes."""
    ledger = new_ledger(run=run)
    for piece in done:
        ledger = after(ledger, piece)
    ledger = committing(ledgers.opened(ledger, opened), opened)

    content = ledgers.encode(ledger)

    assert ledgers.decode(content) == ledger
    assert ledgers.encode(ledgers.decode(content)) == content


@pytest.mark.parametrize(("version", "least"), [(2, 1), (2, 2), (1, 2), (99, 1)])
def test_a_newer_ledger_is_refused_whatever_else_it_holds(version: int, least: int) -> None:
    """Its fields may mean something else; deploying the newer program again helps."""
    with pytest.raises(LedgerTooNew, match="deploy the newer program again"):
        ledgers.decode(LEAST % (version, least))


@pytest.mark.parametrize("version", [0, -1])
def test_a_version_that_never_was_is_refused(version: int) -> None:
    """No program has written it."""
    with pytest.raises(LedgerUnreadable, match=f"states version {version}"):
        ledgers.decode(LEAST % (version, 1))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("open", [{"surprise": 1}]),
        ("open", None),
        ("head", {"number": 1, "sha256": None, "surprise": 1}),
        ("pacing", {"surprise": 1}),
        ("coverage", {"first": [[1, 2, 3]]}),
        ("axis", "timestamp"),
        ("origin", 1.5),
        ("epoch", "7"),
    ],
)
def test_what_is_not_understood_inside_is_refused_too(name: str, value: object) -> None:
    """At every depth: half understood is not understood."""
    stated = msgspec.json.decode(ledgers.encode(new_ledger()))

    with pytest.raises(LedgerUnreadable, match="never reset"):
        ledgers.decode(msgspec.json.encode({**stated, name: value}))


@given(st.binary(max_size=80))
def test_no_bytes_end_otherwise_than_in_a_ledger_s_error(content: bytes) -> None:
    """A run reports it; nothing else is raised."""
    with pytest.raises((LedgerUnreadable, LedgerTooNew)):
        ledgers.decode(content)


@pytest.mark.parametrize("late", [0, 1, HOUR - 1])
def test_the_origin_is_floored_to_the_hour(late: int) -> None:
    """It is fixed on the first run, and the lookback that it came from is kept."""
    ledger = ledgers.begin(policy(lookback=7 * DAY), NOW + late)

    assert (ledger.origin, ledger.lookback, ledger.made) == (NOW - 7 * DAY, 7 * DAY, NOW + late)
    assert (ledger.epoch, ledger.head, ledger.claimed_until) == (0, Head(), 0)


@pytest.mark.parametrize(
    ("until", "held"),
    [
        (0, False),
        (NOW, False),
        (NOW + 1, True),
        (NOW + 270_000, True),
        (NOW + 270_001, False),
        (NOW + DAY, False),
    ],
)
def test_a_claim_holds_until_it_expires(until: int, held: bool) -> None:  # noqa: FBT001
    """One further ahead than the time budget and 30 s is a clock's mistake."""
    assert ledgers.is_held(new_ledger(claimed_until=until), NOW, HOW) == held


def test_a_claim_counts_the_epoch_and_lasts_as_long_as_a_run_may() -> None:
    """Time budget and 30 s; the API's host is noted."""
    claimed = ledgers.claim(new_ledger(epoch=6), run="me", now=NOW, policy=policy(api="other"))

    assert (claimed.epoch, claimed.run, claimed.api) == (7, "me", "other")
    assert claimed.claimed_until == NOW + 240_000 + 30_000
    assert ledgers.is_held(claimed, NOW + 269_999, HOW)


def test_a_released_ledger_is_free_at_once() -> None:
    """Its epoch stays, since block ids stand on it."""
    claimed = ledgers.claim(new_ledger(), run="me", now=NOW, policy=HOW)

    released = ledgers.release(claimed)

    assert not ledgers.is_held(released, NOW, HOW)
    assert (released.epoch, released.run, released.claimed_until) == (1, "me", 0)


FILTERED = {"service": {"eq": [20893]}}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scan": "other"}, "is of scan 'all', not of 'other'"),
        ({"axis": "created"}, "set SCAN_SORT_FIELD back"),
        ({"filters": FILTERED}, "SCAN_ACCEPT_FILTERS="),
        ({"filters": FILTERED, "accept": "0123456789abcdef"}, "SCAN_ACCEPT_FILTERS="),
        ({"filters": FILTERED, "accept": HOW.fingerprint}, "SCAN_ACCEPT_FILTERS="),
    ],
)
def test_a_changed_scope_is_refused(changes: dict[str, Any], says: str) -> None:
    """It would make coverage a lie; the message says how to go on."""
    with pytest.raises(ScopeChanged, match=says):
        ledgers.claim(new_ledger(), run="me", now=NOW, policy=policy(**changes))


def test_no_acceptance_carries_coverage_to_another_sort_field() -> None:
    """Not even that of the new fingerprint."""
    other = policy(axis="created")

    with pytest.raises(ScopeChanged, match="coverage on one cannot be carried"):
        ledgers.claim(
            new_ledger(), run="me", now=NOW, policy=policy(axis="created", accept=other.fingerprint)
        )


def test_accepted_filters_are_recorded_and_open_slices_start_over() -> None:
    """Their continuations and records are of the old filters; coverage is kept."""
    new = policy(filters=FILTERED)
    accepting = policy(filters=FILTERED, accept=new.fingerprint)
    half = piece_of(cursor=START + 7, continuation="{}", blocks=(block(),), furthest=START + 5)
    ledger = new_ledger(open=(half,), coverage={FIRST_PASS: ((START - HOUR, START),)})

    claimed = ledgers.claim(ledger, run="me", now=NOW, policy=accepting)
    again = ledgers.claim(claimed, run="you", now=NOW + 1, policy=accepting)

    assert [(it.fingerprint, it.at) for it in again.accepted] == [(new.fingerprint, NOW)]
    assert again.fingerprint == new.fingerprint
    assert claimed.open == (open_slice((START, END), pass_name=FIRST_PASS, policy=HOW),)
    assert claimed.coverage == ledger.coverage


def test_the_manifest_of_an_accepted_scope_names_it() -> None:
    """A reader sees with which filters each slice was scanned."""
    new = policy(filters=FILTERED)
    accepting = policy(filters=FILTERED, accept=new.fingerprint)
    claimed = ledgers.claim(new_ledger(), run="me", now=NOW, policy=accepting)

    manifest = commit_of(committing(claimed, piece_of(), how=accepting)).manifest

    assert manifests.decode(manifest.encode()).fingerprint == new.fingerprint


def test_before_the_first_commit_no_manifest_may_exist() -> None:
    """There is no head to look for."""
    check = ledgers.chain_check(new_ledger())

    assert (check.head, check.absent) == (None, 1)
    ledgers.require_head(check, None, following_exists=False)


def test_the_head_must_exist_and_nothing_after_it() -> None:
    """The number after the head's."""
    ledger = after(new_ledger(), piece_of())

    check = ledgers.chain_check(ledger)

    assert (check.head, check.absent) == (ledger.head, 2)


def test_the_manifest_that_is_being_committed_may_exist_or_not() -> None:
    """What must be absent is the number after it."""
    ledger = committing(after(new_ledger(), piece_of()), piece_of((END, END + MINUTE)))

    check = ledgers.chain_check(ledger)

    assert (check.head, check.absent) == (ledger.head, 3)


@pytest.mark.parametrize(
    ("content", "following", "says"),
    [
        (None, False, "manifest 1, .*is missing"),
        (b"other", False, "manifest 1, .*has another hash"),
        (b"as it is", True, "manifest 2 exists"),
        (None, True, "is missing"),
    ],
)
def test_a_ledger_that_is_not_of_the_chain_is_refused(
    content: bytes | None,
    following: bool,  # noqa: FBT001
    says: str,
) -> None:
    """It is older than the chain, or of another history."""
    ledger = after(new_ledger(), piece_of())
    true = commit_of(committing(new_ledger(), piece_of())).manifest.encode()
    found = true if content == b"as it is" else content

    with pytest.raises(LedgerRolledBack, match=says):
        ledgers.require_head(ledgers.chain_check(ledger), found, following_exists=following)


def test_a_ledger_of_its_chain_is_accepted() -> None:
    """The head has the hash that the ledger knows."""
    ledger = after(new_ledger(), piece_of())
    content = commit_of(committing(new_ledger(), piece_of())).manifest.encode()

    ledgers.require_head(ledgers.chain_check(ledger), content, following_exists=False)


def test_a_slice_is_opened_once_and_in_its_place() -> None:
    """The open slices stay sorted; opening again changes nothing, however far it has come."""
    later, earlier = piece_of((END, END + MINUTE)), piece_of()
    ledger = ledgers.opened(ledgers.opened(new_ledger(), later), earlier)

    again = ledgers.opened(ledger, piece_of(cursor=START + 7))

    assert again == ledger
    assert ledger.open == (earlier, later)


def test_a_turned_slice_is_replaced_by_what_goes_on_and_what_it_opened() -> None:
    """The others stay as they are."""
    other, halves = piece_of((END, END + MINUTE)), ((START, START + 9), (START + 9, END))
    ledger = new_ledger(open=(piece_of(), other))

    cut = ledgers.after_transition(
        ledger, piece_of(), Transition(opened=tuple(map(piece_of, halves))), HOW
    )
    on = ledgers.after_transition(
        ledger, piece_of(), Transition(goes_on=piece_of(cursor=START + 1)), HOW
    )

    assert [(it.start, it.end) for it in cut.open] == [*halves, (END, END + MINUTE)]
    assert on.open == (piece_of(cursor=START + 1), other)


def test_a_finished_slice_begins_to_commit_with_everything_fixed() -> None:
    """Bounds, number, bytes of the manifest and coverage; nothing is covered yet."""
    rest = piece_of((START + 60_000, END))
    proven = Finished(slice=piece_of(blocks=sealed(block())), start=START, end=START + 60_000)
    ledger = new_ledger(open=(piece_of(),), head=Head(number=7, sha256="ab"))

    after = ledgers.after_transition(
        ledger, piece_of(), Transition(finished=proven, opened=(rest,)), HOW
    )

    commit = commit_of(after)
    manifest = manifests.decode(commit.manifest.encode())
    assert (commit.start, commit.end, commit.number) == (START, START + 60_000, 8)
    assert (commit.covers, commit.lost) == ((FIRST_PASS,), None)
    assert (manifest.start, manifest.end, manifest.previous) == (START, START + 60_000, "ab")
    assert after.open == (rest,)
    assert (after.coverage, after.head) == (ledger.coverage, ledger.head)


def test_two_slices_never_commit_at_once() -> None:
    """It would be a mistake in this program, and fork the chain."""
    ledger = committing(new_ledger(), piece_of())

    with pytest.raises(AssertionError, match="at most one slice commits"):
        committing(ledger, piece_of((END, END + MINUTE)))


def test_what_is_committed_is_covered_and_the_head_moves() -> None:
    """By the bytes that were fixed before."""
    ledger = committing(new_ledger(), piece_of())
    content = commit_of(ledger).manifest.encode()

    done = ledgers.committed(ledger)

    assert done.committing is None
    assert done.head == Head(number=1, sha256=manifests.digest(content))
    assert covered(done, FIRST_PASS) == ((START, END),)


@given(
    st.lists(
        st.tuples(minutes, st.sampled_from(["first", "sweep-2h", "sweep-24h"]), st.booleans()),
        max_size=12,
    )
)
def test_coverage_only_grows_and_every_manifest_tells_it(
    looks: list[tuple[int, str, bool]],
) -> None:
    """Its `complete` is the ledger's coverage after the commit; each is chained to the last."""
    ledger = new_ledger()
    for number, (n, name, doubtful) in enumerate(looks, start=1):
        bounds = (START + n * 5 * MINUTE, START + (n + 1) * 5 * MINUTE)
        doubt = (Doubt(start=bounds[0], end=bounds[0] + 1, reason="x"),) if doubtful else ()
        about = committing(ledger, piece_of(bounds, pass_name=name, doubt=doubt))

        done = ledgers.committed(about)

        manifest = manifests.decode(commit_of(about).manifest.encode())
        assert (manifest.number, manifest.previous) == (number, ledger.head.sha256)
        assert manifest.complete == done.coverage
        assert holds(covered(done, name), bounds)
        for kept, stretches in ledger.coverage.items():
            assert merge([*stretches, *done.coverage[kept]]) == done.coverage[kept]
        ledger = done


def test_a_look_that_began_late_enough_counts_as_the_sweeps_too() -> None:
    """Coverage of each grows with the one commit."""
    old = after(new_ledger(), piece_of(first_request=END + DAY))
    doubt = (Doubt(start=START, end=START + 1, reason="x"),)
    doubted = after(new_ledger(), piece_of(first_request=END + DAY, doubt=doubt))

    assert old.coverage == dict.fromkeys(["first", "sweep-2h", "sweep-24h"], ((START, END),))
    assert doubted.coverage == {"first": ((START, END),)}


BEYOND = NOW - HOW.reach + 2 * HOUR
"""Where the oldest slice begins that still proves something when it is answered now."""


def test_time_past_the_reach_is_lost_and_not_covered() -> None:
    """What was found of it is committed all the same; the manifest names the loss."""
    bounds = (BEYOND - HOUR, BEYOND - HOUR + MINUTE)
    about = committing(new_ledger(), piece_of(bounds, blocks=sealed(block())))

    done = ledgers.committed(about)

    manifest = manifests.decode(commit_of(about).manifest.encode())
    reason = "past the API's reach of 30 days when it was scanned"
    assert done.lost == (Loss(start=bounds[0], end=bounds[1], reason=reason),)
    assert manifest.lost == done.lost[0]
    assert manifest.part
    assert (done.coverage, manifest.complete) == ({FIRST_PASS: ()}, {FIRST_PASS: ()})


def test_time_at_the_edge_of_the_reach_is_covered() -> None:
    """Judged by the start of what is proven and the last answer."""
    done = after(new_ledger(), piece_of((BEYOND, BEYOND + MINUTE)))

    assert (done.lost, covered(done, FIRST_PASS)) == ((), ((BEYOND, BEYOND + MINUTE),))


def test_losses_that_touch_are_one() -> None:
    """A scan that was off for months must not make its ledger grow without end."""
    ledger = new_ledger()
    for n in (0, 2, 1):
        first = BEYOND - HOUR + n * MINUTE
        ledger = after(ledger, piece_of((first, first + MINUTE)))

    assert [(it.start, it.end) for it in ledger.lost] == [
        (BEYOND - HOUR, BEYOND - HOUR + 3 * MINUTE)
    ]


def test_a_sweep_past_the_reach_loses_nothing_and_is_in_doubt() -> None:
    """The first pass has seen the time; only what came late may be missing."""
    bounds = (BEYOND - HOUR, BEYOND)
    seen = new_ledger(coverage={FIRST_PASS: (bounds,)})

    done = after(seen, piece_of(bounds, pass_name="sweep-24h"))

    doubt = Doubt(start=bounds[0], end=bounds[1], reason=ledgers.NOT_SWEPT)
    assert (done.lost, done.doubt) == ((), (doubt,))
    assert done.coverage == {"first": (bounds,), "sweep-24h": (bounds,), "sweep-2h": (bounds,)}


def test_time_that_no_sweep_can_reach_is_given_up_with_a_manifest() -> None:
    """It has neither request nor part; a sweep's slice that was open over it is closed."""
    bounds = (BEYOND - HOUR, BEYOND)
    sweep = open_slice(bounds, pass_name="sweep-2h", policy=HOW)
    ledger = new_ledger(open=(sweep, piece_of()), coverage={FIRST_PASS: (bounds,)})

    about = ledgers.given_up(ledger, bounds, HOW)
    done = ledgers.committed(about)

    manifest = manifests.decode(commit_of(about).manifest.encode())
    assert (manifest.part, manifest.requests.count, manifest.pass_name) == (None, 0, "sweep-24h")
    assert done.open == (piece_of(),)
    assert covered(done, "sweep-24h") == (bounds,)
    assert [it.reason for it in done.doubt] == [ledgers.NOT_SWEPT]


def test_a_new_look_replaces_the_doubt_of_an_earlier_one() -> None:
    """Inside its bounds; the rest stays, and what touches with one reason is joined."""
    doubt = (
        Doubt(start=START - 9, end=START + 5, reason="x"),
        Doubt(start=END, end=END + 1, reason="x"),
    )
    found = (Doubt(start=START, end=START + 2, reason="x"),)

    done = after(new_ledger(doubt=doubt), piece_of(pass_name="sweep-2h", doubt=found))

    assert [(it.start, it.end) for it in done.doubt] == [(START - 9, START + 2), (END, END + 1)]


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_commit_whose_blocks_are_gone_starts_over(direction: str) -> None:
    """Only what was about to be proven, and afresh; the rest has its own slice already."""
    piece = piece_of(direction=direction, blocks=sealed(block()), limit=625)
    proven = (START, START + 60_000) if direction == "asc" else (START + 60_000, END)
    rest = piece_of((START + 60_000, END) if direction == "asc" else (START, START + 60_000))
    finished = Finished(slice=piece, start=proven[0], end=proven[1])
    transition = Transition(finished=finished, opened=(rest,))
    ledger = ledgers.after_transition(new_ledger(open=(piece,)), piece, transition, HOW)

    again = ledgers.restarted(ledger)

    fresh = Slice.fresh(
        proven,
        pass_name=FIRST_PASS,
        direction="asc" if direction == "asc" else "desc",
        limit=625,
    )
    assert again.committing is None
    assert again.open == tuple(sorted((fresh, rest), key=lambda it: it.start))
    assert (again.head, again.coverage) == (new_ledger().head, new_ledger().coverage)


def test_a_part_without_its_trailer_is_never_committed() -> None:
    """No reader could read it whole; whoever finishes a slice stages the trailer first."""
    with pytest.raises(AssertionError, match="without its trailer"):
        committing(new_ledger(), piece_of(blocks=(block(),)))


@pytest.mark.parametrize("change", [ledgers.restarted, ledgers.committed])
def test_nothing_is_committed_that_was_not_begun(change: Callable[[Ledger], Ledger]) -> None:
    """It would be a mistake in this program."""
    with pytest.raises(AssertionError, match="no slice is committing"):
        change(new_ledger())


@pytest.mark.parametrize("sweeps", [HOW.sweeps, ()])
def test_parts_are_counted_by_the_hour_whatever_sweeps_there_are(
    sweeps: tuple[tuple[str, int], ...],
) -> None:
    """Sweeps may be configured again while the API still shows the hour."""
    how = policy(sweeps=sweeps)
    hour = START // HOUR * HOUR
    first = piece_of(blocks=sealed(block()))
    second = piece_of((END, hour + HOUR), blocks=sealed(block(1)))
    empty = piece_of((hour + HOUR, hour + 2 * HOUR))

    ledger = new_ledger()
    for piece in (first, second, empty):
        ledger = after(ledger, piece, how)
    swept = after(ledger, piece_of((hour, hour + HOUR), pass_name="sweep-24h"), how)

    assert ledger.parts_by_hour == {hour: 2}
    assert swept.parts_by_hour == {hour: 2}


def test_the_load_counts_the_pages_of_the_first_pass_by_the_hour() -> None:
    """Faults are no load, and neither are sweeps: their need follows from the first pass."""
    hour = START // HOUR * HOUR

    first = after(new_ledger(), piece_of(requests=5, counts=Counts(faults=2)))
    swept = after(first, piece_of(pass_name="sweep-2h", requests=3))

    assert first.load == {hour: Load(requests=3, covered=END - START)}
    assert swept.load == first.load


def test_what_is_lost_or_never_got_a_page_is_no_load() -> None:
    """Otherwise an outage would make the tenant look busier than it is."""
    late = piece_of(requests=9, last_answer=START + HOW.reach)

    assert after(new_ledger(), late).load == {}
    assert after(new_ledger(), piece_of(requests=2, counts=Counts(faults=2))).load == {}
