"""Commits: what they fix, what they prove, and what is declared lost or in doubt."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.intervals import holds, merge
from shared.core.model import (
    FIRST_PASS,
    Accepted,
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
from shared.core.state import committing, levers
from shared.core.state import manifest as manifests
from shared.core.state.decisions import Order
from shared.core.state.manifest import Manifest, Requests
from shared.core.state.planning import covered, due
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy
from tests.unit.core.state.building import (
    END,
    HOW,
    START,
    about_to_commit,
    after,
    block,
    commit_of,
    minutes,
    new_ledger,
    piece_of,
    sealed,
)


def test_a_finished_slice_begins_to_commit_with_everything_fixed() -> None:
    """Bounds, number, bytes of the manifest and coverage; nothing is covered yet."""
    rest = piece_of((START + 60_000, END))
    proven = Finished(slice=piece_of(blocks=sealed(block())), start=START, end=START + 60_000)
    ledger = new_ledger(open=(piece_of(),), head=Head(number=7, sha256="ab"))

    after = committing.after_transition(
        ledger, piece_of(), Transition(finished=proven, opened=(rest,)), HOW
    )

    commit = commit_of(after)
    manifest = manifest_of(after)
    assert (commit.start, commit.end, commit.number) == (START, START + 60_000, 8)
    assert (commit.covers, commit.lost) == ((FIRST_PASS,), None)
    assert (manifest.start, manifest.end, manifest.previous) == (START, START + 60_000, "ab")
    assert after.open == (rest,)
    assert (after.coverage, after.head) == (ledger.coverage, ledger.head)


def manifest_of(ledger: Ledger) -> Manifest:
    """Return the manifest that a ledger is about to commit."""
    return manifests.decode(commit_of(ledger).manifest.encode())


def test_what_a_transition_leaves_of_a_slice_is_open_in_its_place() -> None:
    """Nothing commits before something is finished."""
    rest, onward = piece_of((START, START + MINUTE)), piece_of((START + MINUTE, END))
    ledger = new_ledger(open=(piece_of(),))

    after = committing.after_transition(
        ledger, piece_of(), Transition(goes_on=onward, opened=(rest,)), HOW
    )

    assert after == new_ledger(open=(rest, onward))


@pytest.mark.parametrize(
    ("last_answer", "now", "made", "stated"),
    [
        (NOW, NOW + 1, NOW + 2, NOW + 2),
        (NOW, NOW + 1, None, NOW + 1),
        (NOW, None, None, NOW),
        (None, None, None, NOW - 7),
    ],
)
def test_a_manifest_states_when_its_commit_was_fixed(
    last_answer: int | None, now: int | None, made: int | None, stated: int
) -> None:
    """Where nobody says when, it was with the last answer, or with the ledger."""
    piece = piece_of(last_answer=last_answer)
    transition = Transition(finished=Finished(slice=piece, start=START, end=END))

    after = committing.after_transition(
        new_ledger(open=(piece,), made=NOW - 7), piece, transition, HOW, now=now, made=made
    )

    assert manifest_of(after).made == stated


def test_a_manifest_states_what_its_slice_has_counted() -> None:
    """Requests, counts, lateness, doubt, and what a partial look asked for."""
    doubt = (Doubt(start=START, end=START + 1, reason="x"),)
    lateness, counts = {"1h": 3}, Counts(records=3, late=3)
    piece = piece_of(
        pass_name="sweep-24h", since=NOW - DAY, lateness=lateness, counts=counts, doubt=doubt
    )

    manifest = manifest_of(about_to_commit(new_ledger(), piece))

    assert (manifest.lateness, manifest.counts, manifest.doubt) == (lateness, counts, doubt)
    assert (manifest.since, manifest.covers) == (NOW - DAY, ("sweep-24h-since",))
    assert manifest.requests == Requests(count=1, first=END + 10 * MINUTE, last=NOW)


def test_what_the_last_sweep_has_seen_is_final() -> None:
    """The commit itself makes it so, and is no longer at work on it."""
    seen = new_ledger(coverage={FIRST_PASS: ((START, END),)})

    first = manifest_of(about_to_commit(new_ledger(), piece_of()))
    last = manifest_of(about_to_commit(seen, piece_of(pass_name="sweep-24h")))

    assert (first.final, last.final) == ((), ((START, END),))


def test_a_slice_that_was_never_asked_for_counts_as_its_own_pass_alone() -> None:
    """Nothing says how old its time was when it was looked at."""
    never = piece_of(requests=0, first_request=None, last_answer=None)

    assert list(after(new_ledger(), never).coverage) == [FIRST_PASS]


def test_two_slices_never_commit_at_once() -> None:
    """It would be a mistake in this program, and fork the chain."""
    ledger = about_to_commit(new_ledger(), piece_of())

    with pytest.raises(AssertionError, match="at most one commit happens"):
        about_to_commit(ledger, piece_of((END, END + MINUTE)))


def test_what_is_committed_is_covered_and_the_head_moves() -> None:
    """By the bytes that were fixed before."""
    ledger = about_to_commit(new_ledger(), piece_of())
    content = commit_of(ledger).manifest.encode()

    done = committing.committed(ledger)

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
        about = about_to_commit(ledger, piece_of(bounds, pass_name=name, doubt=doubt))

        done = committing.committed(about)

        manifest = manifest_of(about)
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
    about = about_to_commit(new_ledger(), piece_of(bounds, blocks=sealed(block())))

    done = committing.committed(about)

    manifest = manifest_of(about)
    reason = "past the API's reach of 30 days when it was scanned"
    assert done.lost == (Loss(start=bounds[0], end=bounds[1], reason=reason),)
    assert manifest.lost == done.lost[0]
    assert commit_of(about).lost == reason
    assert manifest.part
    assert (done.coverage, manifest.complete) == ({FIRST_PASS: ()}, {FIRST_PASS: ()})


def test_a_slice_that_was_never_answered_is_judged_by_the_time_now() -> None:
    """Without it, the API still showed the time."""
    bounds = (BEYOND - HOUR, BEYOND - HOUR + MINUTE)
    piece = piece_of(bounds, requests=0, first_request=None, last_answer=None)
    ledger = new_ledger(open=(piece,))
    transition = Transition(finished=Finished(slice=piece, start=bounds[0], end=bounds[1]))

    late = committing.after_transition(ledger, piece, transition, HOW, now=NOW)
    untimed = committing.after_transition(ledger, piece, transition, HOW)

    assert commit_of(late).covers == ()
    assert (commit_of(untimed).covers, commit_of(untimed).lost) == ((FIRST_PASS,), None)


def test_time_that_nobody_asked_for_in_time_is_declared_lost() -> None:
    """With neither request nor part; the ledger notes when."""
    bounds = (BEYOND - HOUR, BEYOND)
    reason = "past the API's reach of 30 days before it was scanned"
    loss = Loss(start=bounds[0], end=bounds[1], reason=reason)

    about = committing.declared_lost(new_ledger(open=(piece_of(),)), bounds, HOW, made=NOW + 5)
    done = committing.committed(about)

    manifest = manifest_of(about)
    assert (manifest.lost, manifest.covers, manifest.part) == (loss, (), None)
    assert (manifest.pass_name, manifest.start, manifest.end) == (FIRST_PASS, *bounds)
    assert (manifest.requests.count, manifest.made) == (0, NOW + 5)
    assert (done.lost, done.lost_at, done.open) == ((loss,), NOW + 5, (piece_of(),))
    assert covered(done, FIRST_PASS) == ()


def test_a_ledger_knows_when_its_newest_loss_was_declared() -> None:
    """A commit without a loss changes nothing about it."""
    lost = committing.committed(
        committing.declared_lost(new_ledger(), (BEYOND - HOUR, BEYOND), HOW, made=NOW - 9)
    )

    assert (new_ledger().lost_at, after(new_ledger(), piece_of()).lost_at) == (None, None)
    assert after(lost, piece_of()).lost_at == NOW - 9


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

    doubt = Doubt(start=bounds[0], end=bounds[1], reason=committing.NOT_SWEPT)
    assert (done.lost, done.doubt) == ((), (doubt,))
    assert done.coverage == {"first": (bounds,), "sweep-24h": (bounds,), "sweep-2h": (bounds,)}


def test_time_that_no_sweep_can_reach_is_given_up_with_a_manifest() -> None:
    """It has neither request nor part; a sweep's slice that was open over it is closed."""
    bounds = (BEYOND - HOUR, BEYOND)
    how = policy(sweeps=(*HOW.sweeps, ("sweep-3d", 3 * DAY)))
    before, within, beside = (
        open_slice(it, pass_name="sweep-2h", policy=how)
        for it in ((BEYOND - 2 * HOUR, BEYOND - HOUR), bounds, (BEYOND, BEYOND + HOUR))
    )
    ledger = new_ledger(open=(before, within, beside), coverage={FIRST_PASS: (bounds,)})

    about = committing.given_up(ledger, bounds, how, made=NOW + 5)
    done = committing.committed(about)

    manifest = manifest_of(about)
    assert (manifest.part, manifest.requests.count, manifest.pass_name) == (None, 0, "sweep-3d")
    assert manifest.made == NOW + 5
    assert done.open == (before, beside)
    assert covered(done, "sweep-24h") == (bounds,)
    assert [it.reason for it in done.doubt] == [committing.NOT_SWEPT]


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
    ledger = committing.after_transition(new_ledger(open=(piece,)), piece, transition, HOW)

    again = committing.restarted(ledger)

    fresh = Slice.fresh(
        proven,
        pass_name=FIRST_PASS,
        direction="asc" if direction == "asc" else "desc",
        limit=625,
    )
    assert again.committing is None
    assert again.open == tuple(sorted((fresh, rest), key=lambda it: it.start))
    assert (again.head, again.coverage) == (new_ledger().head, new_ledger().coverage)


def test_what_carried_on_forgets_the_records_of_a_part_that_is_gone() -> None:
    """Otherwise they would be dropped as known when the API shows them again."""
    piece = piece_of(unplaced=("gone",), earlier=("kept",), blocks=sealed(block()))
    rest = piece.carried_on((START + MINUTE, END))
    finished = Finished(slice=piece, start=START, end=START + MINUTE)
    ledger = committing.after_transition(
        new_ledger(open=(piece,)), piece, Transition(finished=finished, opened=(rest,)), HOW
    )

    again = committing.restarted(ledger)

    assert rest.earlier == ("kept", "gone")
    assert [it.earlier for it in again.open] == [("kept",), ("kept",)]
    assert [it.unplaced for it in again.open] == [(), ()]


def test_a_part_without_its_trailer_is_never_committed() -> None:
    """No reader could read it whole; whoever finishes a slice stages the trailer first."""
    with pytest.raises(AssertionError, match="without its trailer"):
        about_to_commit(new_ledger(), piece_of(blocks=(block(),)))


@pytest.mark.parametrize("change", [committing.restarted, committing.committed])
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
    assert after(new_ledger(), piece_of()).load == {hour: Load(requests=1, covered=END - START)}


def test_what_is_lost_or_never_got_a_page_is_no_load() -> None:
    """Otherwise an outage would make the tenant look busier than it is."""
    late = piece_of(requests=9, last_answer=START + HOW.reach)

    assert after(new_ledger(), late).load == {}
    assert after(new_ledger(), piece_of(requests=2, counts=Counts(faults=2))).load == {}


ORDER = Order(at=NOW, by="kim", reason="why not")


def stated(ledger: Ledger, how: Policy = HOW) -> tuple[Ledger, Manifest]:
    """Return the ledger once its first outstanding decision is committed, and the manifest."""
    begun = committing.with_decision(ledger, ledger.outstanding[0], how, made=NOW + 1)
    return committing.committed(begun), manifest_of(begun)


def test_a_decision_is_committed_as_a_manifest_without_time_or_part() -> None:
    """It is fixed before anything is written, as that of a slice is."""
    covered = new_ledger(coverage={FIRST_PASS: ((START, END),)})
    ledger = levers.rescanned(covered, ORDER, HOW, bounds=(START, END))

    begun = committing.with_decision(ledger, ledger.outstanding[0], HOW, made=NOW + 1)

    commit = commit_of(begun)
    manifest = manifest_of(begun)
    assert (commit.slice, commit.bounds, commit.covers) == (None, None, ())
    assert (manifest.decision, manifest.made) == (ledger.outstanding[0], NOW + 1)
    assert (manifest.origin, manifest.settled_until) == (ledger.origin, ledger.settled_until)
    assert manifest.requests == Requests(count=0, first=None, last=None)
    assert (manifest.pass_name, manifest.start, manifest.end, manifest.part) == (None,) * 4
    assert manifest.complete == {FIRST_PASS: ((START, END),)}
    assert begun.rescans == {}


def test_a_rescan_takes_its_time_out_of_what_is_final_until_it_is_done() -> None:
    """The chain tells readers why something is added to final time."""
    how = policy(sweeps=())
    covered = new_ledger(coverage={FIRST_PASS: ((START, END),)})

    begun, first = stated(levers.rescanned(covered, ORDER, how, bounds=(START, START + 1)), how)
    swept = after(begun, piece_of((START, START + 1), pass_name="rescan-1"), how)
    ended, last = stated(levers.rescans_ended(swept, NOW, how), how)

    assert begun.rescans == {"rescan-1": ((START, START + 1),)}
    assert (first.final, last.final) == (((START + 1, END),), ((START, END),))
    assert swept.coverage["rescan-1"] == ((START, START + 1),)
    assert (ended.rescans, ended.outstanding) == ({}, ())
    assert list(ended.coverage) == list(last.complete) == [FIRST_PASS]


def test_a_backfill_moves_the_origin_and_what_is_settled() -> None:
    """Coverage stays; the time before it is due."""
    ledger = levers.backfilled(new_ledger(), ORDER, HOW, to=NOW - 9 * HOUR)

    done, manifest = stated(ledger)

    assert (done.origin, done.settled_until) == (NOW - 9 * HOUR, NOW - 9 * HOUR)
    assert (manifest.origin, manifest.settled_until) == (NOW - 9 * HOUR, NOW - 9 * HOUR)
    assert next(due(done, NOW, HOW))[0] == NOW - 9 * HOUR


def test_only_new_filters_are_recorded_as_accepted_and_start_slices_over() -> None:
    """Other decisions leave both as they are; what was accepted before stays recorded."""
    old = Accepted(fingerprint="old", at=NOW - DAY)
    half = piece_of(cursor=START + 7, continuation="{}", blocks=(block(),), furthest=START + 5)
    ledger = new_ledger(open=(half,), accepted=(old,), coverage={FIRST_PASS: ((START, END),)})
    new = policy(filters={"service": {"eq": [11161]}})

    backfilled, _ = stated(levers.backfilled(ledger, ORDER, HOW, to=NOW - 9 * HOUR))
    accepted, _ = stated(levers.filters_accepted(ledger, ORDER, new), new)

    assert (backfilled.open, backfilled.accepted) == ((half,), (old,))
    assert backfilled.fingerprint == ledger.fingerprint
    assert accepted.accepted == (old, Accepted(fingerprint=new.fingerprint, at=NOW))


def test_accepted_filters_are_recorded_and_open_slices_start_over() -> None:
    """Their continuations and records are of the old filters; coverage is kept."""
    new = policy(filters={"service": {"eq": [11161]}})
    half = piece_of(cursor=START + 7, continuation="{}", blocks=(block(),), furthest=START + 5)
    ledger = new_ledger(open=(half,), coverage={FIRST_PASS: ((START - HOUR, START),)})

    done, manifest = stated(levers.filters_accepted(ledger, ORDER, new), new)

    assert done.accepted == (Accepted(fingerprint=new.fingerprint, at=NOW),)
    assert done.fingerprint == manifest.fingerprint == new.fingerprint
    assert done.open == (open_slice((START, END), pass_name=FIRST_PASS, policy=HOW),)
    assert done.coverage == ledger.coverage
    assert (done.outstanding, done.decisions) == ((), done.decisions[-1:])


def test_a_decision_that_the_ledger_does_not_list_counts_as_reported() -> None:
    """So it is where a ledger is made again from the manifests."""
    _, manifest = stated(levers.backfilled(new_ledger(), ORDER, HOW, to=NOW - 9 * HOUR))
    content = manifests.encode(manifest)

    rebuilt = committing.extended(new_ledger(), manifest, content)

    assert rebuilt.decisions == (manifest.decision,)
    assert (rebuilt.reported, rebuilt.origin) == (1, NOW - 9 * HOUR)


def test_a_decision_has_no_blocks_that_could_be_lost() -> None:
    """It would be a mistake in this program to start it over."""
    ledger = levers.backfilled(new_ledger(), ORDER, HOW, to=NOW - 9 * HOUR)
    begun = committing.with_decision(ledger, ledger.outstanding[0], HOW, made=NOW)

    with pytest.raises(AssertionError, match="no blocks"):
        committing.restarted(begun)


def test_a_commit_without_slice_or_without_bounds_has_no_blocks_either() -> None:
    """A ledger may say anything, and half a commit is none that could be started over."""
    ledger = about_to_commit(new_ledger(), piece_of())
    for half in ({"slice": None}, {"start": None}):
        commit = msgspec.structs.replace(commit_of(ledger), **half)

        with pytest.raises(AssertionError, match="no blocks"):
            committing.restarted(msgspec.structs.replace(ledger, committing=commit))
