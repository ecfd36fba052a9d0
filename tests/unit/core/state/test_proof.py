"""What manifests prove: a plain model of it, and what settling does to it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.intervals import total
from shared.core.model import (
    FIRST_PASS,
    Block,
    Counts,
    Decision,
    DecisionKind,
    Doubt,
    Loss,
    Totals,
)
from shared.core.state import ledger as ledgers
from shared.core.state import manifest as manifests
from shared.core.state.manifest import Manifest, Requests
from shared.core.state.proof import Proof, extended, nothing_proven, proof_in, settle, with_proof
from tests.fakes import HOUR, MINUTE, NOW, policy

ORIGIN = NOW - 10 * HOUR
NAMES = (FIRST_PASS, "sweep-2h", "sweep-24h-since")


def manifest_of(start: int, end: int, **changes: Any) -> Manifest:
    """Return a manifest about some minutes after the origin."""
    values: dict[str, Any] = {
        "version": manifests.VERSION,
        "number": 1,
        "previous": None,
        "scan": "all",
        "pass_name": FIRST_PASS,
        "axis": "date",
        "fingerprint": "",
        "origin": ORIGIN,
        "epoch": 1,
        "made": ORIGIN,
        "decision": None,
        "start": ORIGIN + start,
        "end": ORIGIN + end,
        "requests": Requests(count=1, first=0, last=0),
        "part": None,
        "counts": Counts(),
        "lateness": {},
        "since": None,
        "doubt": (),
        "lost": None,
        "covers": (FIRST_PASS,),
        "settled_until": ORIGIN,
        "complete": {},
        "final": (),
        **changes,
    }
    return Manifest(**values)


def part() -> manifests.Part:
    """Return a part of one record."""
    block = Block(
        id="a", size=1, records=1, sha256="", raw=9, crc32=0, timestamp=None, created=None
    )
    return manifests.Part(
        name="x", size=1, records=1, timestamp=None, created=None, blocks=(block,)
    )


@st.composite
def looks(draw: st.DrawFn) -> Manifest:
    """Draw a manifest: a look with or without doubt and part, or a loss."""
    start = draw(st.integers(0, 5 * HOUR))
    end = start + draw(st.integers(1, HOUR))
    bounds = {"start": ORIGIN + start, "end": ORIGIN + end}
    if draw(st.booleans()):
        return manifest_of(start, end, covers=(), lost=Loss(**bounds, reason="gone"))
    doubt = (Doubt(**bounds, reason=draw(st.sampled_from("ab"))),)
    return manifest_of(
        start,
        end,
        covers=tuple(draw(st.lists(st.sampled_from(NAMES), unique=True))),
        doubt=doubt if draw(st.booleans()) else (),
        part=part() if draw(st.booleans()) else None,
    )


def folded(several: list[Manifest]) -> Proof:
    """Return what several manifests prove."""
    proof = nothing_proven(ORIGIN)
    for it in several:
        proof = extended(proof, it)
    return proof


@given(st.lists(looks(), max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_settling_at_once_is_settling_step_by_step(
    several: list[Manifest], first: int, more: int
) -> None:
    """A ledger is settled at each claim, and whoever reads the chain only at some of them."""
    proof = folded(several)
    earlier, later = ORIGIN + first * HOUR, ORIGIN + (first + more) * HOUR

    assert settle(settle(proof, earlier), later) == settle(proof, later)
    assert settle(settle(proof, later), earlier) == settle(proof, later)


@given(st.lists(looks(), max_size=6), st.integers(0, 6))
def test_settling_forgets_only_what_lies_before(several: list[Manifest], hours: int) -> None:
    """The rest stays, and the totals count what was dropped."""
    proof, until = folded(several), ORIGIN + hours * HOUR

    rest = settle(proof, until)

    for name in NAMES:
        kept = [it for it in proof.coverage.get(name, ()) if it[1] > until]
        assert list(rest.coverage.get(name, ())) == [(max(a, until), b) for a, b in kept]
    for kind in ("lost", "doubt"):
        before, after = getattr(proof, kind), getattr(rest, kind)
        assert all(it.start >= until for it in after)
        assert total((it.start, it.end) for it in before) == getattr(rest.totals, kind) + total(
            (it.start, it.end) for it in after
        )
    assert rest.parts_by_hour == {
        hour: n for hour, n in proof.parts_by_hour.items() if hour >= until
    }


def test_settling_cuts_what_reaches_across_and_keeps_what_begins_there() -> None:
    """What it cuts off goes into the totals."""
    until = ORIGIN // HOUR * HOUR + 2 * HOUR
    across, behind = (until - MINUTE, until + MINUTE), (until + HOUR, until + 2 * HOUR)
    hours = (until - HOUR, until, until + HOUR)
    proof = Proof(
        settled_until=ORIGIN,
        coverage={FIRST_PASS: (across, behind), "sweep-2h": (across,)},
        lost=tuple(Loss(start=a, end=b, reason="gone") for a, b in (across, behind)),
        doubt=tuple(Doubt(start=a, end=b, reason="odd") for a, b in (across, behind)),
        totals=Totals(lost=10, doubt=20),
        parts_by_hour=dict.fromkeys(hours, 3),
        unplaced=hours,
    )

    rest = settle(proof, until)

    cut = (until, until + MINUTE)
    assert rest == Proof(
        settled_until=until,
        coverage={FIRST_PASS: (cut, behind), "sweep-2h": (cut,)},
        lost=tuple(Loss(start=a, end=b, reason="gone") for a, b in (cut, behind)),
        doubt=tuple(Doubt(start=a, end=b, reason="odd") for a, b in (cut, behind)),
        totals=Totals(lost=10 + MINUTE, doubt=20 + MINUTE),
        parts_by_hour=dict.fromkeys(hours[1:], 3),
        unplaced=hours[1:],
    )


def test_parts_are_counted_by_the_hour_in_which_their_slice_begins() -> None:
    """In the order of time, whatever the order of the manifests."""
    late, early = manifest_of(HOUR, 2 * HOUR, part=part()), manifest_of(0, HOUR, part=part())

    counted = folded([late, early, late, manifest_of(0, HOUR)]).parts_by_hour

    assert list(counted.items()) == [(ORIGIN, 1), (ORIGIN + HOUR, 2)]


@pytest.mark.parametrize("bounds", [(-1, 0), (10, 11), (2, 8)])
def test_a_look_without_doubt_clears_only_what_lies_in_its_bounds(bounds: tuple[int, int]) -> None:
    """Beside them, doubt stays."""
    doubt = (Doubt(start=ORIGIN, end=ORIGIN + 10, reason="odd"),)
    proof = extended(nothing_proven(ORIGIN), manifest_of(0, 10, doubt=doubt))

    left = extended(proof, manifest_of(*bounds)).doubt

    touched = bounds == (2, 8)
    assert [(it.start - ORIGIN, it.end - ORIGIN) for it in left] == (
        [(0, 2), (8, 10)] if touched else [(0, 10)]
    )


def test_losses_are_in_the_order_of_time() -> None:
    """Whatever their reasons."""
    told = [(3, "a"), (0, "b"), (6, "b")]
    manifests_ = [
        manifest_of(n, n + 1, lost=Loss(start=ORIGIN + n, end=ORIGIN + n + 1, reason=reason))
        for n, reason in told
    ]

    assert [it.start - ORIGIN for it in folded(manifests_).lost] == [0, 3, 6]


def test_a_pass_of_which_nothing_is_left_is_dropped() -> None:
    """But for the first one; sweeps come and go with the settings."""
    proof = folded([manifest_of(0, HOUR, covers=(FIRST_PASS, "sweep-2h"))])

    assert settle(proof, ORIGIN + HOUR).coverage == {FIRST_PASS: ()}


def test_the_time_that_a_manifest_calls_settled_is_dropped_before_it_counts() -> None:
    """The claim that settled it came before the commit."""
    lost = Loss(start=ORIGIN, end=ORIGIN + HOUR, reason="gone")
    before = folded([manifest_of(0, HOUR, covers=(), lost=lost)])

    after = extended(before, manifest_of(HOUR, HOUR + 1, settled_until=ORIGIN + HOUR))

    assert (after.lost, after.totals) == ((), Totals(lost=HOUR))
    assert after.coverage == {FIRST_PASS: ((ORIGIN + HOUR, ORIGIN + HOUR + 1),)}


@pytest.mark.parametrize("kind", ["lost", "doubt"])
def test_what_touches_and_has_one_reason_is_one(kind: str) -> None:
    """Whatever order it comes in."""
    proof = nothing_proven(ORIGIN)
    for n, reason in ((0, "a"), (2, "a"), (1, "a"), (3, "b")):
        said: dict[str, Any] = {"start": ORIGIN + n, "end": ORIGIN + n + 1, "reason": reason}
        told = {"lost": Loss(**said)} if kind == "lost" else {"doubt": (Doubt(**said),)}
        proof = extended(proof, manifest_of(n, n + 1, **told))

    found = [(it.start - ORIGIN, it.end - ORIGIN, it.reason) for it in getattr(proof, kind)]
    assert found == [(0, 3, "a"), (3, 4, "b")]


def test_a_ledger_carries_what_is_proven() -> None:
    """Under the same names."""
    ledger = ledgers.begin(policy(), NOW)
    proof = folded([manifest_of(0, HOUR, part=part())])

    assert proof_in(with_proof(ledger, proof)) == proof
    assert proof_in(ledger) == nothing_proven(ledger.origin)


def test_an_hour_whose_part_holds_records_without_a_position_is_named_once() -> None:
    """Only if the manifest has a part: others have no records."""
    odd = Counts(unplaced=1)

    assert folded([manifest_of(0, 1, counts=odd)]).unplaced == ()
    twice = [manifest_of(0, 1, counts=odd, part=part()), manifest_of(1, 2, counts=odd, part=part())]
    assert folded(twice).unplaced == (ORIGIN // HOUR * HOUR,)


def test_hours_with_records_without_a_position_are_in_the_order_of_time() -> None:
    """Each is the hour in which the slice begins."""
    odd = Counts(unplaced=1)
    late = manifest_of(HOUR, 2 * HOUR, counts=odd, part=part())
    early = manifest_of(0, HOUR, counts=odd, part=part())
    plain = manifest_of(2 * HOUR, 3 * HOUR, part=part())

    assert folded([late, early, plain]).unplaced == (ORIGIN, ORIGIN + HOUR)


def decision_of(kind: DecisionKind, **changes: Any) -> Manifest:
    """Return a manifest that states a decision."""
    decision = Decision(number=1, kind=kind, at=0, by="", reason="", what="", **changes)
    absent = {"start": None, "end": None, "pass_name": None, "covers": ()}
    return msgspec.structs.replace(manifest_of(0, 1), decision=decision, **absent)


def test_a_rescan_is_wanted_from_its_decision_to_its_end() -> None:
    """Its pass leaves the coverage when it ends; what it counted as besides stays."""
    bounds = (ORIGIN, ORIGIN + HOUR)
    ordered = extended(
        nothing_proven(ORIGIN), decision_of("rescan", pass_name="rescan-1", bounds=bounds)
    )
    done = extended(ordered, manifest_of(0, HOUR, covers=("rescan-1", "sweep-2h")))
    ended = extended(done, decision_of("rescan-done", pass_name="rescan-1"))

    assert (ordered.rescans, ended.rescans) == ({"rescan-1": (bounds,)}, {})
    assert ended.coverage == {FIRST_PASS: (), "sweep-2h": (bounds,)}


def test_of_a_rescan_only_what_is_not_settled_is_wanted() -> None:
    """Settling cuts it, and leaves the entry until its end is decided."""
    manifest = decision_of("rescan", pass_name="rescan-1", bounds=(ORIGIN, ORIGIN + HOUR))
    proof = extended(nothing_proven(ORIGIN), manifest)

    assert settle(proof, ORIGIN + 1).rescans == {"rescan-1": ((ORIGIN + 1, ORIGIN + HOUR),)}
    assert settle(proof, ORIGIN + HOUR).rescans == {"rescan-1": ()}


def test_a_rescan_that_is_stated_late_wants_only_what_is_not_settled() -> None:
    """The claim that settled time came between the order and the manifest."""
    bounds = (ORIGIN, ORIGIN + 2 * HOUR)
    late = msgspec.structs.replace(
        decision_of("rescan", pass_name="rescan-1", bounds=bounds), settled_until=ORIGIN + HOUR
    )

    proof = extended(folded([manifest_of(0, 2 * HOUR)]), late)

    assert proof.rescans == {"rescan-1": ((ORIGIN + HOUR, ORIGIN + 2 * HOUR),)}
    assert proof.coverage == {FIRST_PASS: ((ORIGIN + HOUR, ORIGIN + 2 * HOUR),)}


def test_several_rescans_are_wanted_at_once() -> None:
    """Each until its own end."""
    proof = nothing_proven(ORIGIN)
    for n in (1, 2):
        bounds = (ORIGIN, ORIGIN + n * HOUR)
        proof = extended(proof, decision_of("rescan", pass_name=f"rescan-{n}", bounds=bounds))

    ended = extended(proof, decision_of("rescan-done", pass_name="rescan-1"))

    assert list(proof.rescans) == ["rescan-1", "rescan-2"]
    assert list(ended.rescans) == ["rescan-2"]


def test_a_backfill_moves_what_is_settled_back() -> None:
    """Nothing else ever does."""
    proof = folded([manifest_of(0, HOUR)])
    moved = msgspec.structs.replace(decision_of("backfill"), settled_until=ORIGIN - HOUR)
    kept = msgspec.structs.replace(decision_of("accept-filters"), settled_until=ORIGIN - HOUR)

    assert extended(proof, moved).settled_until == ORIGIN - HOUR
    assert extended(proof, moved).coverage == proof.coverage
    assert extended(proof, kept) == proof
