"""`ledger rebuild`: recreate a lost ledger from the manifests."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.core.audit.chain import Chain
from shared.core.audit.rebuilding import Rebuilding, likely_origin
from shared.core.errors import NotRebuildable
from shared.core.intervals import total
from shared.core.model import FIRST_PASS, HOUR_MS, Ledger, PartBlob, Policy
from shared.core.quoting import instant
from shared.core.state import ledger as ledgers
from shared.core.state import manifest as manifests
from shared.operate.pausing import Display, counted
from shared.operate.reading import Progress, read_ahead
from shared.ports import Clock, LedgerStore, ResultArchive


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A ledger made from manifests, not yet written.

    Attributes:
        ledger: as it would be written.
        adopted: the part whose commit the next run finishes, if there is one.
    """

    ledger: Ledger
    adopted: str | None

    def __str__(self) -> str:
        """Return a summary in several lines."""
        ledger = self.ledger
        first = ledger.coverage.get(FIRST_PASS, ())
        until = instant(first[-1][1]) if first else "never"
        stretches = counted(len(first), "stretch", "stretches")
        lost = counted(len(ledger.lost), "stretch", "stretches")
        doubt = counted(len(ledger.doubt), "stretch", "stretches")
        lines = [
            f"scan {ledger.scan}, from {instant(ledger.origin)}, by {ledger.axis}",
            f"chain: {counted(ledger.head.number, 'manifest', 'manifests')}, {ledger.head.sha256}",
            f"covered: {total(first) / HOUR_MS:,.1f} h in {stretches}, until {until}",
            f"lost: {lost}; in doubt: {doubt}",
        ]
        if self.adopted:
            lines.append(f"adopts part {self.adopted}, which no manifest lists")
        return "\n".join(lines)


def rebuild(  # noqa: PLR0913 - sources and displays, by name
    archive: ResultArchive,
    policy: Policy,
    now: int,
    display: Display,
    *,
    clock: Clock | None = None,
    report_lines: Iterable[str] = (),
) -> Rebuilt:
    """Return the ledger that the manifests prove; nothing is written.

    Args:
        archive: what the scan has stored.
        policy: how the scan is configured.
        now: epoch milliseconds.
        display: shows progress.
        clock: for estimates of the time left.
        report_lines: of the run log, oldest first; only read if there is no manifest yet.

    Raises:
        NotRebuildable: the chain is broken, or more than one part is in no manifest.
    """
    chain, made = Chain(policy.scan), Rebuilding(policy, now)
    numbers = list(archive.all_manifests())
    progress = Progress(display, clock, len(numbers), ("manifest", "manifests"))
    for number, content in read_ahead(numbers, archive.manifest):
        chain.take(number, content)
        if chain.findings or content is None:
            finding = chain.findings[0]
            raise NotRebuildable(
                f"{finding.subject} cannot be relied on ({finding.detail}): restore the "
                "manifests, then rebuild; `python -m shared verify` finds everything that "
                "is wrong"
            )
        made.take(manifests.decode(content), content)
        progress.step()
    unlisted = [blob for blob in archive.all_parts() if blob.name not in chain.parts]
    if not made.ledger.head.number:
        made.begin_at(likely_origin(made.ledger, unlisted, report_lines))
    adopted = _adopt(archive, made, unlisted)
    return Rebuilt(ledger=made.ledger, adopted=adopted)


def _adopt(archive: ResultArchive, made: Rebuilding, unlisted: list[PartBlob]) -> str | None:
    if not unlisted:
        return None
    if len(unlisted) > 1:
        names = ", ".join(blob.name for blob in unlisted[:5])
        raise NotRebuildable(
            f"{len(unlisted)} blobs are in no manifest ({names}), but one commit leaves at most "
            "one: move away those that no scan wrote, then rebuild"
        )
    (blob,) = unlisted
    made.adopt(blob, archive.blocks_of(blob.name), archive.part(blob.name))
    return blob.name


def write(store: LedgerStore, rebuilt: Rebuilt) -> None:
    """Write a rebuilt ledger, unless there is a ledger.

    Raises:
        NotRebuildable: there is a ledger.
    """
    if store.load().content is not None:
        raise NotRebuildable(
            "there is a ledger, and it is never replaced: if it cannot be used, move it elsewhere "
            "first"
        )
    store.save(ledgers.encode(rebuilt.ledger), etag=None)
