"""What manifests prove, one after the other; the ledger carries the result.

A commit changes the ledger only as its manifest says. So reading the manifests in order gives the
state in the ledger: `ledger rebuild` restores it, and `verify` compares it.
"""

from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import msgspec

from shared.core.intervals import Interval, Intervals, added, intersect, merge, subtract, total
from shared.core.model import FIRST_PASS, HOUR_MS, Decision, Doubt, Ledger, Loss, Totals
from shared.core.slices.doubts import few
from shared.core.state.manifest import Manifest

Told = TypeVar("Told", Doubt, Loss)

DOUBTS_KEPT = 1_000
"""Stretches in doubt that are kept apart; the manifests have each as it was found."""

FOREVER = 2**63
"""Later than any activity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the manifests up to one of them prove; each field is the ledger's of the same name."""

    settled_until: int
    coverage: dict[str, Intervals]
    lost: tuple[Loss, ...] = ()
    doubt: tuple[Doubt, ...] = ()
    totals: Totals
    parts_by_hour: dict[int, int]
    unplaced: tuple[int, ...] = ()
    rescans: dict[str, Intervals] = field(default_factory=dict)

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of its fields."""
        return [field.name for field in fields(cls)]


def nothing_proven(origin: int) -> Proof:
    """Return what is proven before the first manifest."""
    return beginning(origin, {FIRST_PASS: ()})


def beginning(settled_until: int, coverage: dict[str, Intervals]) -> Proof:
    """Return a proof of coverage alone."""
    return Proof(settled_until=settled_until, coverage=coverage, totals=Totals(), parts_by_hour={})


def proof_in(ledger: Ledger) -> Proof:
    """Return what a ledger says is proven."""
    return Proof(**{name: getattr(ledger, name) for name in Proof.names()})


def with_proof(ledger: Ledger, proof: Proof) -> Ledger:
    """Return the ledger that says that this is proven."""
    stated = {name: getattr(proof, name) for name in Proof.names()}
    return msgspec.structs.replace(ledger, **stated)


def extended(proof: Proof, manifest: Manifest) -> Proof:
    """Return what is proven once one more manifest is there."""
    if manifest.decision:
        return _decided(proof, manifest, manifest.decision)
    proof = settle(proof, manifest.settled_until)
    bounds = manifest.bounds
    return replace(
        proof,
        coverage=_grown(proof.coverage, manifest.covers, bounds),
        lost=_joined_losses((*proof.lost, manifest.lost)) if manifest.lost else proof.lost,
        doubt=_doubt(proof.doubt, bounds, manifest.doubt),
        parts_by_hour=_counted(proof.parts_by_hour, manifest),
        unplaced=_unplaced(proof.unplaced, manifest),
    )


def _decided(proof: Proof, manifest: Manifest, decision: Decision) -> Proof:
    """Return what is proven once a decision is stated.

    Only a backfill moves `settled_until` back: to the new origin, if nothing after the old one was
    settled. Only the end of a rescan takes a pass out of the coverage.
    """
    if decision.kind == "backfill":
        return replace(proof, settled_until=manifest.settled_until)
    proof = settle(proof, manifest.settled_until)
    name, bounds = decision.pass_name, decision.bounds
    if decision.kind == "rescan" and name and bounds:
        wanted = intersect((bounds,), (proof.settled_until, FOREVER))
        return replace(proof, rescans={**proof.rescans, name: wanted})
    if decision.kind == "rescan-done" and name:
        return replace(
            proof, rescans=_without(proof.rescans, name), coverage=_without(proof.coverage, name)
        )
    return proof


def _without(passes: dict[str, Intervals], name: str) -> dict[str, Intervals]:
    return {key: it for key, it in passes.items() if key != name}


def settle(proof: Proof, until: int) -> Proof:
    """Return the proof that begins at `until`; what lies before only counts in its totals."""
    if until <= proof.settled_until:
        return proof
    rest = (until, FOREVER)
    coverage = {name: intersect(it, rest) for name, it in proof.coverage.items()}
    return Proof(
        settled_until=until,
        coverage={name: it for name, it in coverage.items() if it or name == FIRST_PASS},
        lost=_later(proof.lost, until),
        doubt=_later(proof.doubt, until),
        totals=Totals(
            lost=proof.totals.lost + _before(proof.lost, until),
            doubt=proof.totals.doubt + _before(proof.doubt, until),
        ),
        parts_by_hour={hour: count for hour, count in proof.parts_by_hour.items() if hour >= until},
        unplaced=tuple(hour for hour in proof.unplaced if hour >= until),
        rescans={name: intersect(it, rest) for name, it in proof.rescans.items()},
    )


def _grown(
    coverage: dict[str, Intervals], covers: tuple[str, ...], bounds: Interval
) -> dict[str, Intervals]:
    return {**coverage, **{name: added(coverage.get(name, ()), bounds) for name in covers}}


def _counted(parts: dict[int, int], manifest: Manifest) -> dict[int, int]:
    if manifest.part is None:
        return parts
    hour = manifest.bounds[0] // HOUR_MS * HOUR_MS
    counted = {**parts, hour: parts.get(hour, 0) + 1}
    return dict(sorted(counted.items()))


def _unplaced(hours: tuple[int, ...], manifest: Manifest) -> tuple[int, ...]:
    if manifest.part is None or not manifest.counts.unplaced:
        return hours
    return tuple(sorted({*hours, manifest.bounds[0] // HOUR_MS * HOUR_MS}))


def _doubt(
    doubt: tuple[Doubt, ...], bounds: Interval, found: tuple[Doubt, ...]
) -> tuple[Doubt, ...]:
    """Return the doubt after a look: it replaces what earlier looks doubted inside its bounds."""
    if not found and not any(it.start < bounds[1] and bounds[0] < it.end for it in doubt):
        return doubt
    kept = [
        Doubt(start=start, end=end, reason=it.reason)
        for it in doubt
        for start, end in subtract((it.start, it.end), (bounds,))
    ]
    return few((*kept, *found), DOUBTS_KEPT)


def _joined_losses(lost: tuple[Loss, ...]) -> tuple[Loss, ...]:
    """Join what touches and has one reason, so that the ledger stays small."""
    by_reason: dict[str, list[Interval]] = {}
    for it in lost:
        by_reason.setdefault(it.reason, []).append((it.start, it.end))
    joined = (
        Loss(start=start, end=end, reason=reason)
        for reason, found in by_reason.items()
        for start, end in merge(found)
    )
    return tuple(sorted(joined, key=lambda it: (it.start, it.end, it.reason)))


def _later(told: tuple[Told, ...], until: int) -> tuple[Told, ...]:
    return tuple(
        msgspec.structs.replace(it, start=max(it.start, until)) for it in told if it.end > until
    )


def _before(told: tuple[Doubt, ...] | tuple[Loss, ...], until: int) -> int:
    return total((it.start, min(it.end, until)) for it in told if it.start < until)
