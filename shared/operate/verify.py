"""`verify`: read a whole store back and check it against its manifests."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

import msgspec

from shared.core import ledger as ledgers
from shared.core import manifest as manifests
from shared.core.errors import LedgerError, PartUnreadable
from shared.core.layout import hour_prefix, part_name
from shared.core.manifest import Part
from shared.core.model import Ledger
from shared.core.verifying import Chain, Finding, Hour
from shared.operate.pausing import Display, counted
from shared.ports import LedgerStore, ResultArchive


@dataclass(slots=True, kw_only=True)
class Checked:
    """What a check read, and what it found.

    Attributes:
        scan: the scan's name.
        manifests: read.
        parts: read.
        records: read.
        bytes: of parts, compressed.
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
        """Whether nothing was found that is a fault."""
        return all(finding.verdict == "pending" for finding in self.findings)

    def __str__(self) -> str:
        """Say it in a line."""
        faults = sum(finding.verdict != "pending" for finding in self.findings)
        return (
            f"{self.scan}: {counted(self.manifests, 'manifest', 'manifests')}, "
            f"{counted(self.parts, 'part', 'parts')}, "
            f"{counted(self.records, 'record', 'records')}, {self.bytes / 1e6:,.1f} MB: "
            f"{counted(faults, 'finding', 'findings') if faults else 'sound'}"
        )


class Verifier:
    """Checks one scan, beside a run that may be at work."""

    def __init__(
        self, archive: ResultArchive, store: LedgerStore, scan: str, display: Display
    ) -> None:
        """Check this scan's blobs; nothing is written."""
        self.archive = archive
        self.store = store
        self.chain = Chain(scan)
        self.checked = Checked(scan=scan)
        self.display = display
        self.committing: set[str] = set()

    def check(self, start: int | None = None, end: int | None = None) -> Checked:
        """Check the chain, then every part whose hour lies in the range.

        Args:
            start: epoch ms; parts of earlier hours are not read. None for all.
            end: epoch ms; parts of hours that begin later are not read. None for all.
        """
        self._note_committing(self._ledger())
        self._follow_chain(gaps=True)
        last = None if end is None else end - 1
        self._check_parts(_prefix(self.checked.scan, start), _prefix(self.checked.scan, last))
        self._check_end()
        self.checked.findings = [*self.chain.findings, *self.checked.findings]
        return self.checked

    def _follow_chain(self, *, gaps: bool) -> None:
        """Take in manifests: all that are listed, or only those that have come since."""
        numbers = self.archive.all_manifests() if gaps else _onwards(self.chain.head.number)
        for number in numbers:
            while self.chain.head.number + 1 < number:
                self.chain.take(self.chain.head.number + 1, None)
            content = self.archive.manifest(number)
            if content is None:
                return
            self.chain.take(number, content)
            self.checked.manifests += 1
            self.display.tick(f"{counted(self.checked.manifests, 'manifest', 'manifests')} read")

    def _check_parts(self, first: str, last: str) -> None:
        """Read the parts hour by hour; an identity may be in one hour only."""
        listed = {blob.name: blob.size for blob in self.archive.all_parts()}
        self._follow_chain(gaps=False)
        self._note_committing(self._ledger())
        names = sorted({*listed, *self.chain.parts})
        chosen = [name for name in names if first <= _folder(name) <= (last or _folder(name))]
        for _, hour in groupby(chosen, key=_folder):
            self._check_hour(list(hour), listed)

    def _check_hour(self, names: list[str], listed: dict[str, int]) -> None:
        hour = Hour()
        for name in names:
            if name not in self.chain.parts:
                self._found(self._unlisted(name))
            elif name in listed:
                self._check_part(hour, name)
            else:
                detail = f"manifest {self.chain.parts[name]} lists it, and it is not there"
                self._found(Finding(verdict="part-missing", subject=name, detail=detail))
        self.checked.records += hour.records

    def _check_part(self, hour: Hour, name: str) -> None:
        part = self._part_of(self.chain.parts[name])
        if part is None:
            return  # Its manifest has changed since; the chain says so.
        try:
            content = self.archive.part(name)
        except PartUnreadable as error:
            self._found(Finding(verdict="part-missing", subject=name, detail=str(error)))
            return
        for finding in hour.take(part, content):
            self._found(finding)
        self.checked.parts += 1
        self.checked.bytes += len(content)
        self.display.tick(f"{counted(self.checked.parts, 'part', 'parts')} read")

    def _part_of(self, number: int) -> Part | None:
        try:
            return manifests.decode(self.archive.manifest(number) or b"").part
        except msgspec.MsgspecError:
            return None

    def _unlisted(self, name: str) -> Finding:
        if name in self.committing:
            detail = "the scan is committing it"
            return Finding(verdict="pending", subject=name, detail=detail)
        detail = (
            "no manifest lists it: another program wrote it, or the ledger was lost in a commit"
        )
        return Finding(verdict="part-unlisted", subject=name, detail=detail)

    def _check_end(self) -> None:
        """Compare the end of the chain with the ledger, which may move on while one looks."""
        self._follow_chain(gaps=False)
        ledger = self._ledger(say=True)
        if ledger:
            self.chain.compare(ledger)

    def _ledger(self, *, say: bool = False) -> Ledger | None:
        content = self.store.load().content
        if content is None:
            if say and self.chain.head.number:
                self._found(Finding(verdict="ledger-missing", subject="ledger", detail="no ledger"))
            return None
        try:
            return ledgers.decode(content)
        except LedgerError as error:
            if say:
                detail = str(error)
                self._found(Finding(verdict="ledger-unreadable", subject="ledger", detail=detail))
            return None

    def _note_committing(self, ledger: Ledger | None) -> None:
        if ledger and ledger.committing:
            self.committing.add(part_name(self.checked.scan, ledger.committing.slice))

    def _found(self, finding: Finding) -> None:
        self.checked.findings.append(finding)
        self.display.say(f"{finding.verdict}: {finding.subject}: {finding.detail}")


def _onwards(number: int) -> Iterator[int]:
    while True:
        number += 1
        yield number


def _prefix(scan: str, instant: int | None) -> str:
    return "" if instant is None else hour_prefix(scan, instant)


def _folder(name: str) -> str:
    return name.rpartition("/")[0] + "/"
