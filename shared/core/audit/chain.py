"""Checking the chain of manifests, link by link, and the ledger at its end.

This module reads nothing: `shared.operate.verify` passes it the manifests in order.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec

from shared.core.audit.findings import Finding, Kind
from shared.core.intervals import Interval, without
from shared.core.model import Head, Ledger
from shared.core.state import manifest as manifests
from shared.core.state.committing import committed
from shared.core.state.manifest import Manifest
from shared.core.state.proof import Proof, beginning, extended, nothing_proven, proof_in, settle


class Chain:
    """Takes in the manifests in order, and remembers what the parts must be.

    Attributes:
        findings: the findings so far.
        head: the newest manifest that was taken in.
        proof: what the manifests so far prove; None before the first one, and after one that is
            missing or unreadable.
        gaps: whether a manifest is missing or unreadable.
        origin: where the scan begins, as the newest readable manifest states it.
        parts: for the name of each part, the number of the manifest that lists it.
    """

    def __init__(self, scan: str) -> None:
        """Begin before the first manifest."""
        self.origin: int | None = None
        self.scan = scan
        self.findings: list[Finding] = []
        self.head = Head()
        self.proof: Proof | None = None
        self.gaps = False
        self.parts: dict[str, int] = {}

    def take(self, number: int, content: bytes | None) -> None:
        """Take in the next manifest, None if it is missing. Skipped numbers are a gap."""
        if number > self.head.number + 1:
            self._miss(self.head.number + 1, number - 1)
        if content is None:
            self._miss(number, number)
            return
        subject = f"manifest {number}"
        expected = self.head.sha256
        self.head = Head(number=number, sha256=manifests.digest(content))
        try:
            manifest = manifests.decode(content)
        except msgspec.MsgspecError as error:
            self._found("manifest-unreadable", subject, str(error))
            self._lose_track()
            return
        if (manifest.number, manifest.scan) != (number, self.scan):
            named = f"it is manifest {manifest.number} of scan {manifest.scan!r}"
            self._found("chain-broken", subject, named)
        elif manifest.previous != expected and (number == 1 or expected is not None):
            detail = (
                "the manifest before it was replaced or changed: "
                f"{manifest.previous} is not {expected}"
            )
            self._found("chain-broken", subject, detail)
        self._extend(manifest, number)
        self.origin = manifest.origin
        if manifest.part:
            self.parts[manifest.part.name] = number

    def _miss(self, first: int, last: int) -> None:
        """Note a gap, which is one finding however large it is."""
        if first == last:
            self._found(
                "manifest-missing", f"manifest {first}", "it does not exist, but later ones do"
            )
        else:
            missing = f"{last - first + 1:,} manifests do not exist, but later ones do"
            self._found("manifest-missing", f"manifests {first} to {last}", missing)
        self.head = Head(number=last)
        self._lose_track()

    def _lose_track(self) -> None:
        self.proof, self.gaps = None, True

    def _extend(self, manifest: Manifest, number: int) -> None:
        """Check what a manifest states against the manifests before it, and then build on it."""
        before = nothing_proven(manifest.origin) if number == 1 else self.proof
        if before is None:
            self.proof = beginning(manifest.settled_until, manifest.complete)
            return
        proven = extended(before, manifest)
        self.findings += _unproven(before, proven, manifest)
        self.proof = replace(proven, coverage=manifest.complete)

    def compare(self, ledger: Ledger) -> None:
        """Compare the end of the chain with the ledger; call it after the last manifest."""
        if ledger.committing and self.head.number == ledger.committing.number:
            try:
                ledger = committed(ledger)  # Its manifest exists, but its last save is missing.
            except msgspec.MsgspecError as error:
                self._found("ledger-differs", "ledger", f"its commit holds no manifest: {error}")
                return
        if ledger.head != self.head:
            detail = (
                f"the ledger's chain ends with {ledger.head.number} ({ledger.head.sha256}), but "
                f"the manifests end with {self.head.number} ({self.head.sha256})"
            )
            self._found("ledger-differs", "ledger", detail)
            return
        if self.origin not in {None, ledger.origin}:
            detail = f"its `origin` is {ledger.origin}, but the manifests say {self.origin}"
            self._found("ledger-differs", "ledger", detail)
        if self.proof:
            self._compare_proof(self.proof, proof_in(ledger))

    def _compare_proof(self, proof: Proof, stated: Proof) -> None:
        """Compare the two from the ledger's `settled_until` on."""
        proof = settle(proof, stated.settled_until)
        known = ("settled_until", "coverage") if self.gaps else stated.names()
        for name in known:
            if getattr(proof, name) != getattr(stated, name):
                detail = f"its `{name}` is not what the manifests prove"
                self._found("ledger-differs", "ledger", detail)

    def _found(self, kind: Kind, subject: str, detail: str) -> None:
        self.findings.append(Finding(kind=kind, subject=subject, detail=detail))


def _unproven(before: Proof, proven: Proof, manifest: Manifest) -> Iterator[Finding]:
    """Yield what a manifest states although its chain does not prove it."""
    subject = f"manifest {manifest.number}"
    for name in sorted({*proven.coverage, *manifest.complete}):
        due, stated = proven.coverage.get(name, ()), manifest.complete.get(name, ())
        if extra := without(stated, due):
            detail = f"complete.{name} holds {_shown(extra)}, which no manifest proves"
            yield Finding(kind="coverage-unproven", subject=subject, detail=detail)
        if gone := without(due, stated):
            detail = f"complete.{name} no longer holds {_shown(gone)}"
            yield Finding(kind="coverage-unproven", subject=subject, detail=detail)
    if _adds_from(manifest) < before.settled_until and not _is_backfill(before, manifest):
        detail = f"nothing may be added before {before.settled_until}, which was settled"
        yield Finding(kind="coverage-unproven", subject=subject, detail=detail)


def _adds_from(manifest: Manifest) -> int:
    """Return the earliest time to which a manifest adds anything."""
    begins = manifest.settled_until
    return begins if manifest.decision else min(begins, manifest.bounds[0])


def _is_backfill(before: Proof, manifest: Manifest) -> bool:
    """Say whether a manifest moves the origin back, from where nothing was settled so far."""
    decision = manifest.decision
    if decision is None or decision.kind != "backfill":
        return False
    origin = manifest.origin
    return manifest.settled_until == origin and decision.bounds == (origin, before.settled_until)


def _shown(intervals: Iterable[Interval]) -> str:
    return ", ".join(f"[{start}, {end})" for start, end in intervals)
