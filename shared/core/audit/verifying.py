"""Checking a whole store against its manifests: facts in, findings out.

Nothing here reads anything: `shared.operate.verify` hands over manifests in order, names of
blobs, and the content of parts hour by hour.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal

import msgspec

from shared.core.api.blocks import stored_records, trailer_of
from shared.core.api.records import Malformed
from shared.core.intervals import Interval, without
from shared.core.model import Head, Ledger
from shared.core.state import manifest as manifests
from shared.core.state.committing import committed
from shared.core.state.manifest import Manifest, Part
from shared.core.state.proof import Proof, beginning, extended, nothing_proven, proof_in, settle

Verdict = Literal[
    "manifest-missing",
    "manifest-unreadable",
    "chain-broken",
    "coverage-unproven",
    "ledger-missing",
    "ledger-unreadable",
    "ledger-differs",
    "part-missing",
    "part-unreadable",
    "part-altered",
    "part-unlisted",
    "metadata-differs",
    "duplicate-identity",
    "pending",
]
"""What may be found; `docs/verify.md` says of each what it means and what to do.

`pending` is not a fault: the scan was committing the part while it was checked.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        verdict: what kind of thing.
        subject: the blob that it is about.
        detail: human-readable description of what was found.
    """

    verdict: Verdict
    subject: str
    detail: str


class Chain:
    """Takes in the manifests in order, and remembers what the parts must be.

    Attributes:
        findings: so far.
        head: the newest manifest that was taken in.
        proof: what the manifests so far prove; None before the first one, and where one before
            is missing or unreadable.
        gaps: whether a manifest is missing or unreadable.
        origin: where the scan begins, as the newest readable manifest states it.
        parts: the number of the manifest that lists it, by the name of each part.
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
        """Take in the next manifest; None where it is missing. What lies before it is a gap."""
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
                f"the one before was replaced or changed: {manifest.previous} is not {expected}"
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
                "manifest-missing", f"manifest {first}", "it is not there, and later ones are"
            )
        else:
            missing = f"{last - first + 1:,} manifests are not there, and later ones are"
            self._found("manifest-missing", f"manifests {first} to {last}", missing)
        self.head = Head(number=last)
        self._lose_track()

    def _lose_track(self) -> None:
        self.proof, self.gaps = None, True

    def _extend(self, manifest: Manifest, number: int) -> None:
        """Check what a manifest states against its chain; from then on, what it states counts."""
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
                ledger = committed(ledger)  # Its manifest is there, its last save is not.
            except msgspec.MsgspecError as error:
                self._found("ledger-differs", "ledger", f"its commit holds no manifest: {error}")
                return
        if ledger.head != self.head:
            detail = (
                f"the ledger's chain ends with {ledger.head.number} ({ledger.head.sha256}), and "
                f"the manifests with {self.head.number} ({self.head.sha256})"
            )
            self._found("ledger-differs", "ledger", detail)
            return
        if self.origin not in {None, ledger.origin}:
            detail = f"its `origin` is {ledger.origin}, and the manifests say {self.origin}"
            self._found("ledger-differs", "ledger", detail)
        if self.proof:
            self._compare_proof(self.proof, proof_in(ledger))

    def _compare_proof(self, proof: Proof, stated: Proof) -> None:
        """Compare what is still open: what lies before the ledger's `settled_until` is left out."""
        proof = settle(proof, stated.settled_until)
        known = ("settled_until", "coverage") if self.gaps else stated.names()
        for name in known:
            if getattr(proof, name) != getattr(stated, name):
                detail = f"its `{name}` is not what the manifests prove"
                self._found("ledger-differs", "ledger", detail)

    def _found(self, verdict: Verdict, subject: str, detail: str) -> None:
        self.findings.append(Finding(verdict=verdict, subject=subject, detail=detail))


def _unproven(before: Proof, proven: Proof, manifest: Manifest) -> Iterator[Finding]:
    """Yield what a manifest states and its chain does not prove."""
    subject = f"manifest {manifest.number}"
    for name in sorted({*proven.coverage, *manifest.complete}):
        due, stated = proven.coverage.get(name, ()), manifest.complete.get(name, ())
        if extra := without(stated, due):
            detail = f"complete.{name} holds {_shown(extra)}, which no manifest proves"
            yield Finding(verdict="coverage-unproven", subject=subject, detail=detail)
        if gone := without(due, stated):
            detail = f"complete.{name} no longer holds {_shown(gone)}"
            yield Finding(verdict="coverage-unproven", subject=subject, detail=detail)
    if _adds_from(manifest) < before.settled_until and not _is_backfill(before, manifest):
        detail = f"nothing may be added before {before.settled_until}, which was settled"
        yield Finding(verdict="coverage-unproven", subject=subject, detail=detail)


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


METADATA = ("scan", "pass", "start", "end", "records", "manifest", "rawSizeBytes")
"""Names of a part's metadata; others may be added by whoever copies it."""


def metadata_differences(manifest: Manifest, stated: Mapping[str, str]) -> str:
    """Return what a part's metadata say otherwise than its manifest, nothing when they agree."""
    part = manifest.part
    if part is None:
        return ""
    expected = (
        manifest.scan,
        manifest.pass_name,
        manifest.start,
        manifest.end,
        part.records,
        manifest.number,
        sum(block.raw for block in part.blocks),
    )
    pairs = [(name, str(value)) for name, value in zip(METADATA, expected, strict=True)]
    if not any(name in stated for name in METADATA):
        return "it has no metadata, although its manifest states some"
    return "; ".join(
        f"`{name}` is {stated[name]!r}, and its manifest says {value!r}"
        if name in stated
        else f"`{name}` is missing, and its manifest says {value!r}"
        for name, value in pairs
        if stated.get(name) != value
    )


class Hour:
    """Takes in the parts of one hour, so that no identity in it comes twice unnoticed."""

    def __init__(self) -> None:
        """Begin with no identity known."""
        self.identities: set[str] = set()
        self.records = 0

    def take(self, part: Part, content: bytes) -> Iterator[Finding]:
        """Take in a part; yield what is wrong with it."""
        wrong = _altered(part, content)
        if wrong:
            yield Finding(verdict="part-altered", subject=part.name, detail=wrong)
            return
        try:
            identities = [record.identity for record in stored_records(content)]
        except Malformed as error:
            yield Finding(verdict="part-altered", subject=part.name, detail=str(error))
            return
        self.records += len(identities)
        if len(identities) != part.records:
            detail = f"it has {len(identities)} records, and its manifest says {part.records}"
            yield Finding(verdict="part-altered", subject=part.name, detail=detail)
        before = len(self.identities)
        self.identities.update(identities)
        twice = before + len(identities) - len(self.identities)
        if twice:
            detail = f"{twice} of its {len(identities)} records are in the hour's parts twice"
            yield Finding(verdict="duplicate-identity", subject=part.name, detail=detail)


def _altered(part: Part, content: bytes) -> str:
    """Return what is wrong with a part's bytes, nothing when they are as its manifest says."""
    if len(content) != part.size:
        return f"it has {len(content)} bytes, and its manifest says {part.size}"
    at = 0
    for number, block in enumerate(part.blocks):
        if sha256(content[at : at + block.size]).hexdigest() != block.sha256:
            return f"block {number} ({block.id}) has other bytes than its manifest says"
        at += block.size
    if not content.endswith(trailer_of(part.blocks[:-1])):
        return "its end does not hold the checksum and the length that its manifest says"
    return ""
