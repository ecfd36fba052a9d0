"""`ledger show`: the ledger as a person reads it."""

from collections.abc import Iterator

from shared.core.clocks import waits
from shared.core.intervals import Intervals, total
from shared.core.model import HOUR_MS, Decision, Ledger, Slice
from shared.core.quoting import instant, quoted
from shared.operate.pausing import counted


def lines_of(ledger: Ledger, now: int) -> Iterator[str]:
    """Yield a ledger as lines of text: what it covers, what is open, what was decided."""
    yield f"scan {ledger.scan}, by {ledger.axis}, from {instant(ledger.origin)}"
    yield f"  created {instant(ledger.made)}, for {ledger.api}, format version {ledger.version}"
    yield f"  filters and sort field: fingerprint {ledger.fingerprint}"
    yield f"  chain: {counted(ledger.head.number, 'manifest', 'manifests')}, {ledger.head.sha256}"
    yield f"  {_claim(ledger, now)}"
    if ledger.pause:
        until = instant(ledger.pause.until) if ledger.pause.until else "somebody resumes it"
        yield f"  paused since {instant(ledger.pause.since)} until {until}"
    yield f"  settled until {instant(ledger.settled_until)}"
    for name, stretches in ledger.coverage.items():
        yield f"  covered by {name}: {_stretches(stretches)}"
    yield from _declared(ledger)
    yield from _open(ledger, now)
    yield from _pacing(ledger, now)
    yield from (f"  {_decision(it)}" for it in ledger.decisions)


def _claim(ledger: Ledger, now: int) -> str:
    if now < ledger.claimed_until:
        until = instant(ledger.claimed_until)
        return f"claimed by run {ledger.run} until {until}, epoch {ledger.epoch}"
    return f"free, epoch {ledger.epoch}, last claimed by run {ledger.run or 'none'}"


def _stretches(stretches: Intervals) -> str:
    if not stretches:
        return "nothing"
    hours = f"{total(stretches) / HOUR_MS:,.1f} h in "
    told = counted(len(stretches), "stretch", "stretches")
    return f"{hours}{told}, until {instant(stretches[-1][1])}"


def _declared(ledger: Ledger) -> Iterator[str]:
    for loss in ledger.lost:
        yield f"  lost: {_bounds(loss.start, loss.end)}: {quoted(loss.reason)}"
    for doubt in ledger.doubt:
        yield f"  in doubt: {_bounds(doubt.start, doubt.end)}: {quoted(doubt.reason)}"
    sums = ledger.totals
    if sums.lost or sums.doubt:
        lost, doubted = sums.lost / HOUR_MS, sums.doubt / HOUR_MS
        yield f"  before it was settled: {lost:,.1f} h lost, {doubted:,.1f} h in doubt"


def _open(ledger: Ledger, now: int) -> Iterator[str]:
    yield f"  {counted(len(ledger.open), 'open slice', 'open slices')}"
    for piece in ledger.open:
        yield f"    {_slice(piece, now)}"
    if ledger.committing:
        commit = ledger.committing
        what = "a decision"
        if commit.start is not None and commit.end is not None:
            what = _bounds(commit.start, commit.end)
        yield f"  committing manifest {commit.number}: {what}"


def _slice(piece: Slice, now: int) -> str:
    said = (
        f"{piece.pass_name} {_bounds(piece.start, piece.end)}, at {instant(piece.cursor)}, "
        f"{counted(len(piece.blocks), 'block', 'blocks')}"
    )
    if piece.blocked:
        said += ", blocked"
    if waits(piece.not_before, now):
        said += f", waits until {instant(piece.not_before)}"
    if piece.fault:
        said += f", {counted(piece.faults, 'fault', 'faults')} in a row: {quoted(piece.fault)}"
    return said


def _pacing(ledger: Ledger, now: int) -> Iterator[str]:
    pacing = ledger.pacing
    yield f"  {counted(pacing.requests, 'request', 'requests')} so far"
    if waits(pacing.not_before, now):
        yield f"  the API throttles the scan until {instant(pacing.not_before)}"
    if ledger.overloaded:
        yield "  overloaded: the first pass needs more requests than the runs can send"


def _decision(decision: Decision) -> str:
    reason = f" ({quoted(decision.reason)})" if decision.reason else ""
    return (
        f"decision {decision.number}, {instant(decision.at)}, by {quoted(decision.by)}: "
        f"{decision.kind}: {quoted(decision.what)}{reason}"
    )


def _bounds(start: int, end: int) -> str:
    return f"{instant(start)} to {instant(end)}"
