"""`verify`: read a whole store back and check it against its manifests."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import msgspec

from shared.core.audit.chain import Chain
from shared.core.audit.contents import METADATA, Hour, metadata_differences
from shared.core.audit.findings import Finding, Kind
from shared.core.errors import LedgerError, PartUnreadable
from shared.core.model import Ledger, PartBlob
from shared.core.state import ledger as ledgers
from shared.core.state import manifest as manifests
from shared.core.state.layout import hour_prefix, part_name
from shared.core.state.manifest import Manifest, Part
from shared.operate.pausing import Display, counted
from shared.operate.reading import Progress, read_ahead
from shared.ports import Clock, LedgerStore, ResultArchive

LOOKS = 5
"""How often the ledger is read again if the chain has grown beyond it meanwhile."""


@dataclass(slots=True, kw_only=True)
class Checked:
    """What a check read, and what it found.

    Attributes:
        scan: the scan's name.
        manifests: number of manifests read.
        parts: number of parts read.
        records: number of records read.
        bytes: size of the parts, compressed.
        findings: everything that is not as it should be.
    """

    scan: str
    manifests: int = 0
    parts: int = 0
    records: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether no finding is a fault."""
        return all(finding.kind == "pending" for finding in self.findings)

    def __str__(self) -> str:
        """Return a one-line summary."""
        faults = sum(finding.kind != "pending" for finding in self.findings)
        return (
            f"{self.scan}: {counted(self.manifests, 'manifest', 'manifests')}, "
            f"{counted(self.parts, 'part', 'parts')}, "
            f"{counted(self.records, 'record', 'records')}, {self.bytes / 1e6:,.1f} MB: "
            f"{counted(faults, 'finding', 'findings') if faults else 'sound'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A blob as a listing shows it. A store has many, so little of each is kept in memory."""

    size: int
    metadata: str

    @classmethod
    def of(cls, blob: PartBlob) -> "_Listed":
        known = [f"{name}={blob.metadata[name]}" for name in METADATA if name in blob.metadata]
        return cls(size=blob.size, metadata="\n".join(known))

    def stated(self) -> dict[str, str]:
        """Return those metadata of a part that the check compares."""
        pairs = (line.partition("=") for line in self.metadata.split("\n") if line)
        return {name: value for name, _, value in pairs}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A part as it was read, with the manifest that lists it.

    Attributes:
        manifest: None if it can no longer be read.
        content: None if the part cannot be read.
        trouble: why the part cannot be read.
    """

    manifest: Manifest | None = None
    content: bytes | None = None
    trouble: str = ""


class Verifier:
    """Checks one scan, even while a run is working on it."""

    def __init__(
        self,
        archive: ResultArchive,
        store: LedgerStore,
        scan: str,
        display: Display,
        clock: Clock | None = None,
    ) -> None:
        """Check this scan's blobs; nothing is written. The clock is for estimates."""
        self.archive = archive
        self.store = store
        self.chain = Chain(scan)
        self.checked = Checked(scan=scan)
        self.display = display
        self.clock = clock
        self.committing: set[str] = set()

    def check(self, start: int | None = None, end: int | None = None) -> Checked:
        """Check the chain, then every part whose hour lies in the range.

        Args:
            start: epoch ms; parts of earlier hours are not read. None for all.
            end: epoch ms; parts of hours that begin later are not read. None for all.
        """
        self._note_committing(self._ledger())
        self._read_chain()
        self._follow_chain()
        last = None if end is None else end - 1
        self._check_parts(_prefix(self.checked.scan, start), _prefix(self.checked.scan, last))
        self._check_end()
        self.checked.findings = [*self.chain.findings, *self.checked.findings]
        return self.checked

    def _read_chain(self) -> None:
        """Take in all manifests that are listed."""
        numbers = list(self.archive.all_manifests())
        progress = Progress(self.display, self.clock, len(numbers), ("manifest", "manifests"))
        for number, content in read_ahead(numbers, self.archive.manifest):
            if number > self.chain.head.number:
                self._take(number, content)
            progress.step()

    def _follow_chain(self) -> None:
        """Take in the manifests that have been written since."""
        number = self.chain.head.number + 1
        while (content := self.archive.manifest(number)) is not None:
            self._take(number, content)
            number += 1

    def _take(self, number: int, content: bytes | None) -> None:
        self.chain.take(number, content)
        self.checked.manifests += content is not None

    def _check_parts(self, first: str, last: str) -> None:
        """Read the parts hour by hour; no identity is in two hours."""
        listed = {blob.name: _Listed.of(blob) for blob in self.archive.all_parts()}
        self._follow_chain()
        self._note_committing(self._ledger())
        names = sorted({*listed, *self.chain.parts})
        chosen = [name for name in names if first <= _folder(name) <= (last or _folder(name))]
        progress = Progress(self.display, self.clock, len(chosen), ("part", "parts"))
        parts = read_ahead(
            chosen,
            lambda name: self._read(name) if name in listed else _Read(),
            lambda name: listed[name].size if name in listed else 0,
        )
        for _, group in groupby(parts, key=lambda it: _folder(it[0])):
            hour = Hour()
            for name, read in group:
                self._check_part(hour, name, read, listed.get(name))
                progress.step()
            self.checked.records += hour.records

    def _read(self, name: str) -> _Read:
        """Read a part and its manifest. This runs in a worker."""
        number = self.chain.parts.get(name)
        manifest = self._manifest(number) if number else None
        if manifest is None:
            return _Read()
        try:
            return _Read(manifest=manifest, content=self.archive.part(name))
        except PartUnreadable as error:
            return _Read(manifest=manifest, trouble=str(error))

    def _manifest(self, number: int) -> Manifest | None:
        try:
            return manifests.decode(self.archive.manifest(number) or b"")
        except msgspec.MsgspecError:
            return None  # It has changed since; the chain has a finding about that.

    def _check_part(self, hour: Hour, name: str, read: _Read, listed: _Listed | None) -> None:
        if name not in self.chain.parts:
            self._found(self._unlisted(name))
        elif listed is None:
            detail = f"manifest {self.chain.parts[name]} lists it, but it does not exist"
            self._found(Finding(kind="part-missing", subject=name, detail=detail))
        elif read.trouble:
            kind: Kind = "part-missing" if "is gone" in read.trouble else "part-unreadable"
            self._found(Finding(kind=kind, subject=name, detail=read.trouble))
        elif read.manifest and read.manifest.part and read.content is not None:
            found = list(self._check_content(hour, read.manifest.part, read.content))
            differs = metadata_differences(read.manifest, listed.stated())
            if differs and not found:  # If the content was replaced, so were the metadata.
                found = [Finding(kind="metadata-differs", subject=name, detail=differs)]
            for finding in found:
                self._found(finding)

    def _check_content(self, hour: Hour, part: Part, content: bytes) -> Iterator[Finding]:
        yield from hour.take(part, content)
        self.checked.parts += 1
        self.checked.bytes += len(content)

    def _unlisted(self, name: str) -> Finding:
        if name in self.committing:
            detail = "the scan is committing it"
            return Finding(kind="pending", subject=name, detail=detail)
        detail = (
            "no manifest lists it: another program wrote it, or the ledger was lost in a commit"
        )
        return Finding(kind="part-unlisted", subject=name, detail=detail)

    def _check_end(self) -> None:
        """Compare the end of the chain with the ledger, which a run may change meanwhile."""
        for _ in range(LOOKS):
            ledger = self._ledger()
            self._follow_chain()
            if ledger is None or self.chain.head.number <= _last_known(ledger):
                break  # Otherwise, a run has committed more since the ledger was read.
        ledger = ledger or self._ledger(say=True)
        if ledger:
            self.chain.compare(ledger)

    def _ledger(self, *, say: bool = False) -> Ledger | None:
        content = self.store.load().content
        if content is None:
            if say and self.chain.head.number:
                self._found(Finding(kind="ledger-missing", subject="ledger", detail="no ledger"))
            return None
        try:
            return ledgers.decode(content)
        except LedgerError as error:
            if say:
                detail = str(error)
                self._found(Finding(kind="ledger-unreadable", subject="ledger", detail=detail))
            return None

    def _note_committing(self, ledger: Ledger | None) -> None:
        if ledger and ledger.committing and ledger.committing.slice:
            self.committing.add(part_name(self.checked.scan, ledger.committing.slice))

    def _found(self, finding: Finding) -> None:
        self.checked.findings.append(finding)
        self.display.say(f"{finding.kind}: {finding.subject}: {finding.detail}")


def _last_known(ledger: Ledger) -> int:
    """Return the number of the last manifest that a ledger names."""
    return ledger.committing.number if ledger.committing else ledger.head.number


def _prefix(scan: str, instant: int | None) -> str:
    return "" if instant is None else hour_prefix(scan, instant)


def _folder(name: str) -> str:
    return name.rpartition("/")[0] + "/"
