"""The use case: one bounded iteration of a scan. Safe to stop at any instruction.

All control flow and every change of the ledger happen in the calling thread; worker threads only
run steps. The order of effects is the protocol (docs/architecture.md); keep it.
"""

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from shared.core import ledger as ledgers
from shared.core import pacing
from shared.core.answers import HTTP_BAD, Fault, Throttle, read_answer
from shared.core.cursor import same_again
from shared.core.errors import (
    BlocksLost,
    LedgerConflict,
    LedgerError,
    LedgerMissing,
    PartUnreadable,
    SourceRefused,
    StoreConflict,
    TokenRefused,
)
from shared.core.layout import part_name, stamp
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    Answer,
    Commit,
    Ledger,
    NoAnswer,
    Pacing,
    Policy,
    Slice,
)
from shared.core.planning import choose, room_in, unswept
from shared.core.records import Page, encode_block
from shared.core.report import Outcome, Tally
from shared.core.retreat import retreat
from shared.core.sifting import NOTHING, Index
from shared.core.traversal import absorb, next_query
from shared.core.turns import Turn
from shared.ports import ActivitySource, Clock, LedgerStore, ResultStore, SavedLedger
from shared.sweeping import fitted, read_index

REQUEST_MS = 120_000
"""The longest that one request may take: heavy pages are known to take a minute."""

RESERVE_MS = 10_000
"""Kept of the time budget for staging, saving and committing after the last answer."""

STRANGE_BYTES = 1024 * 1024
"""How much of an answer that made no sense is kept for people."""

STRANGE_SLOTS = 100
"""How many such answers are kept; then the oldest makes room."""

FAULTS_TO_STOP = 3
"""Faults in a row on different slices after which the API is left in peace until the next run."""

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a scan works with."""

    source: ActivitySource
    ledgers: LedgerStore
    results: ResultStore
    clock: Clock


def scan_once(ports: Ports, policy: Policy, tally: Tally) -> Outcome:
    """Run one iteration: claim, finish what was interrupted, then step until nothing fits.

    `tally` is filled while it works, so that it tells what was done when an error ends the run.

    Raises:
        ScanError: see `shared.core.errors`; the ledger is never left in a state that needs a
            human, but for the errors that say so.
    """
    iteration = claim(ports, policy, tally)
    if iteration is None:
        return "busy"
    try:
        iteration.finish_interrupted_commit()
        iteration.give_up_sweeps()
        with ThreadPoolExecutor(policy.concurrency, "step") as workers:
            outcome = iteration.work(workers)
    except (SourceRefused, StoreConflict):
        iteration.release()
        raise
    iteration.release()
    return outcome


def claim(ports: Ports, policy: Policy, tally: Tally) -> "Iteration | None":
    """Take the ledger for this run; None when another run holds it or takes it first."""
    started = ports.clock.elapsed()
    local = ports.clock.now()
    saved = ports.ledgers.load()
    now = local if saved.date is None else min(local, saved.date)
    if saved.date is not None and abs(local - saved.date) > ledgers.SKEW_REPORTED_MS:
        tally.skew = local - saved.date
        tally.warnings.append("the local clock and the storage service's differ: see the runbook")
    try:
        ledger = _read(ports, saved, now, policy)
        tally.ledger, tally.now = ledger, now
        if ledgers.is_held(ledger, now, policy):
            return None
        claimed = ledgers.claim(ledger, run=tally.run, now=now, policy=policy)
        _require_chain(ports, ledger)
    except LedgerError:
        if ports.ledgers.load().etag != saved.etag:
            return None  # Another run went on while this one looked: what was seen is stale.
        raise
    _warn(ledger, policy, tally)
    try:
        etag = ports.ledgers.save(ledgers.encode(claimed), etag=saved.etag)
    except LedgerConflict:
        return None
    tally.ledger = claimed
    return Iteration(ports, policy, tally, claimed, etag=etag, slow=now - local, started=started)


def _read(ports: Ports, saved: SavedLedger, now: int, policy: Policy) -> Ledger:
    if saved.content is not None:
        return ledgers.decode(saved.content)
    if ports.results.is_empty():
        return ledgers.begin(policy, now)
    raise LedgerMissing(
        f"scan {policy.scan!r} has manifests or parts and no ledger: put back the ledger from the "
        "state container's deleted blobs or versions, or make it again with `python -m shared "
        "ledger rebuild`. To begin afresh on purpose give the scan a new SCAN_NAME"
    )


def _require_chain(ports: Ports, ledger: Ledger) -> None:
    check = ledgers.chain_check(ledger)
    content = ports.results.manifest(check.head.number) if check.head else None
    beyond = ports.results.manifest(check.absent) is not None
    ledgers.require_head(check, content, beyond)


def _warn(ledger: Ledger, policy: Policy, tally: Tally) -> None:
    if ledger.lookback != policy.lookback:
        tally.warnings.append(
            "SCAN_LOOKBACK has changed: it only counts on a scan's first run, and is ignored now"
        )
    if ledger.api != policy.api:
        tally.warnings.append(f"MDA_API_URL has changed from {ledger.api} to {policy.api}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A step under way.

    Attributes:
        piece: its slice, this request counted.
        turn: the request's ordinal.
        sent: when, on the clock that never jumps.
        oldest: whether it holds the lane of the oldest slice.
    """

    piece: Slice
    turn: int
    sent: int
    oldest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What a step brought back.

    Attributes:
        verdict: what the answer did to the slice, or what came instead of a page.
        staged: bytes of the block, compressed.
        strange: the beginning of an answer that made no sense.
    """

    verdict: Turn | Fault | Throttle
    staged: int = 0
    strange: bytes | None = None


def run_step(
    ports: Ports, policy: Policy, piece: Slice, ledger: Ledger, *, timeout: float
) -> Landing:
    """Send one request, take its page into the slice, stage the records. Runs in a worker."""
    try:
        index = _index(ports, policy, piece, ledger)
    except PartUnreadable as error:
        return Landing(verdict=Fault(kind="unreadable", detail=str(error)))
    answer = ports.source.ask(next_query(piece, policy), timeout=timeout)
    local = ports.clock.now()
    answered = max(local, getattr(answer, "date", None) or local)
    strange = _strange(answer, piece, local)
    verdict: Page | Turn | Fault | Throttle = strange or read_answer(answer, now=answered)
    if isinstance(verdict, Page):
        verdict = absorb(change(piece, last_answer=answered), verdict, policy, index)
    if isinstance(verdict, Fault) and verdict.kind == "malformed" and isinstance(answer, Answer):
        return Landing(verdict=verdict, strange=answer.body[:STRANGE_BYTES])
    if not isinstance(verdict, Turn) or not verdict.records:
        return Landing(verdict=verdict)
    block, content = encode_block(verdict.records, epoch=ledger.epoch, number=len(piece.blocks))
    ports.results.stage_block(part_name(policy.scan, piece), block, content)
    return Landing(verdict=verdict.with_block(block), staged=block.size)


def _strange(answer: Answer | NoAnswer, piece: Slice, local: int) -> Fault | None:
    """Return what makes an answer none, whatever it says: it contradicts us or the calendar."""
    if isinstance(answer, NoAnswer):
        return None
    if answer.status == HTTP_BAD and piece.continuation is not None:
        return Fault(kind="malformed", detail="HTTP 400 to the API's own nextQueryFilters")
    if answer.date is not None and answer.date > local + DAY_MS:
        # By that clock everything would be past the API's reach, and be declared lost for good.
        detail = f"its Date is {(answer.date - local) / DAY_MS:.0f} days ahead of the local clock"
        return Fault(kind="malformed", detail=detail)
    return None


def _index(ports: Ports, policy: Policy, piece: Slice, ledger: Ledger) -> Index:
    if piece.pass_name == FIRST_PASS:
        return NOTHING
    return read_index(ports.results, piece, ledger, policy.axis)


class Iteration:
    """One run that holds the claim: the ledger as saved, and the steps under way."""

    def __init__(  # noqa: PLR0913 - made in one place, by name
        self,
        ports: Ports,
        policy: Policy,
        tally: Tally,
        ledger: Ledger,
        *,
        etag: str,
        slow: int,
        started: int,
    ) -> None:
        """Begin with the claimed ledger; `slow` is added to the local clock (never forward)."""
        self.ports = ports
        self.policy = policy
        self.tally = tally
        self.ledger = ledger
        self.etag = etag
        self.slow = slow
        self.started = started
        self.flights: dict[Future[Landing], Flight] = {}
        self.stop: Outcome | None = None
        self.steps = 0
        self.faulted: set[int] = set()
        self.renewed_at = 0
        self.unchecked = {piece.start for piece in ledger.open if piece.blocks}

    def now(self) -> int:
        """Return the slower of the local clock and the storage service's."""
        self.tally.now = self.ports.clock.now() + self.slow
        return self.tally.now

    def spent(self) -> int:
        """Return how much of the time budget is gone, in ms."""
        return self.ports.clock.elapsed() - self.started

    def save(self, ledger: Ledger) -> None:
        """Save the ledger on top of what was last saved; from here on it is the state."""
        self.etag = self.ports.ledgers.save(ledgers.encode(ledger), etag=self.etag)
        self.ledger = self.tally.ledger = ledger

    def release(self) -> None:
        """Let the next run begin at once."""
        self.save(ledgers.release(self.ledger))

    def finish_interrupted_commit(self) -> None:
        """Do again what an interrupted run may have left half done, before anything is fetched."""
        if self.ledger.committing:
            self.commit(self.ledger.committing)

    def give_up_sweeps(self) -> None:
        """Say of time that the API no longer shows that no sweep has looked at it."""
        for bounds in list(unswept(self.ledger, self.now(), self.policy)):
            self.save(ledgers.given_up(self.ledger, bounds, self.policy))
            self.finish_interrupted_commit()
            self.tally.warnings.append("time passed the API's reach before a sweep looked at it")

    def commit(self, commit: Commit) -> None:
        """Make part and manifest appear, then let coverage grow; each step may be repeated."""
        try:
            self._commit_part(commit)
        except BlocksLost:
            if self.ports.results.manifest(commit.number) is not None:
                raise
            self.save(ledgers.restarted(self.ledger))
            self.tally.warnings.append("staged blocks had expired: their slice starts over")
            return
        self.ports.results.put_manifest(commit.number, commit.manifest.encode())
        self.save(ledgers.committed(self.ledger, self.policy))
        self.tally.commits += 1
        if commit.lost:
            bounds = f"{stamp(commit.start)} to {stamp(commit.end)}"
            self.tally.warnings.append(f"{bounds} is declared lost: {commit.lost}")

    def _commit_part(self, commit: Commit) -> None:
        piece = commit.slice
        if not piece.blocks:
            return
        metadata = {
            "scan": self.policy.scan,
            "pass": piece.pass_name,
            "start": str(commit.start),
            "end": str(commit.end),
            "records": str(sum(block.records for block in piece.blocks)),
            "manifest": str(commit.number),
        }
        name = part_name(self.policy.scan, piece)
        self.ports.results.commit_part(name, piece.blocks, metadata=metadata)
        self.tally.parts += 1

    def work(self, workers: ThreadPoolExecutor) -> Outcome:
        """Step until nothing is due, nothing fits, or the API should be left in peace."""
        while True:
            pause = self.start_steps(workers)
            if self.flights:
                self.land_steps(pause)
            elif pause is not None:
                self.ports.clock.sleep(pause)
            else:
                return self.stop or ("waiting" if self.ledger.open else "idle")

    def start_steps(self, workers: ThreadPoolExecutor) -> int | None:
        """Start what may start now; return after how many ms to look again, None for no need."""
        while self.stop is None and len(self.flights) < self.policy.concurrency:
            now = self.now()
            piece = self.next_slice(now)
            if piece is None:
                return None
            per_minute = self.policy.requests_per_minute
            pause = pacing.next_allowed(self.ledger.pacing, now, per_minute) - now
            if pause > pacing.longest_wait(per_minute):
                self.stop = "waiting"
            elif not self.fits(pause):
                self.stop = "budget"
            elif pause > 0:
                return pause
            else:
                self.start(workers, piece, now)
        return None

    def next_slice(self, now: int) -> Slice | None:
        """Return the slice to serve, its staged blocks checked once after a resume."""
        busy = frozenset((it.piece.start, it.piece.end) for it in self.flights.values())
        oldest = self.serves_oldest()
        piece = choose(self.ledger, now, self.policy, busy=busy, oldest=oldest)
        if piece is None:
            return None
        if not piece.requests and piece.pass_name != FIRST_PASS:
            return fitted(self.ports.results, piece)
        if piece.start not in self.unchecked:
            return piece
        self.unchecked.discard(piece.start)
        if self.ports.results.has_staged(part_name(self.policy.scan, piece), piece.blocks):
            return piece
        self.tally.warnings.append("staged blocks had expired: their slice starts over")
        afresh = same_again(piece, (piece.start, piece.end))
        self.ledger = ledgers.replaced(self.ledger, piece, (afresh,))
        return afresh

    def serves_oldest(self) -> bool:
        """Say whether the next step belongs to the lane that always serves the oldest slice."""
        if self.policy.concurrency == 1:
            return pacing.serves_oldest(self.ledger.pacing)
        return not any(flight.oldest for flight in self.flights.values())

    def fits(self, pause: int) -> bool:
        """Say whether one more step fits the time budget; the first one always runs."""
        expected = pacing.expected_step(self.ledger.pacing)
        needed = pause + expected + self.reserve()
        return not self.steps or self.spent() + needed <= self.policy.budget

    def reserve(self) -> int:
        """Return what is kept of the budget for the effects after an answer, in ms."""
        return min(RESERVE_MS, self.policy.budget // 10)

    def start(self, workers: ThreadPoolExecutor, piece: Slice, now: int) -> None:
        """Hand one step to a worker."""
        first = now if piece.first_request is None else piece.first_request
        piece = change(piece, requests=piece.requests + 1, first_request=first)
        oldest = self.serves_oldest()
        paced = pacing.note_request(self.ledger.pacing, now)
        self.ledger = change(ledgers.replaced(self.ledger, piece, (piece,)), pacing=paced)
        left = max(self.policy.budget - self.spent() - self.reserve(), 1000)
        timeout = min(left, REQUEST_MS) / 1000
        future = workers.submit(
            run_step, self.ports, self.policy, piece, self.ledger, timeout=timeout
        )
        sent = self.ports.clock.elapsed()
        self.flights[future] = Flight(piece=piece, turn=paced.turns, sent=sent, oldest=oldest)
        self.steps += 1
        self.tally.requests += 1

    def land_steps(self, pause: int | None) -> None:
        """Wait for a step to end, or for `pause` ms, and take in what came back."""
        timeout = None if pause is None else pause / 1000
        done, _ = wait(self.flights, timeout=timeout, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda it: self.flights[it].turn):
            self.land(self.flights.pop(future), future)

    def land(self, flight: Flight, future: Future[Landing]) -> None:
        """Take one step's outcome into the ledger, save it, commit what is finished."""
        try:
            landing = future.result()
        except TokenRefused as error:
            self.renew_token(flight, error)
            return
        verdict = landing.verdict
        paced = self._noted(verdict, self.ports.clock.elapsed() - flight.sent)
        self.ledger = change(self.ledger, pacing=paced)
        if isinstance(verdict, Throttle):
            self.tally.throttled += 1
            self.save(self.ledger)
            return
        if landing.strange is not None and isinstance(verdict, Fault):
            self._keep_strange(flight, verdict, landing.strange)
        turn = self._retreat(flight.piece, verdict) if isinstance(verdict, Fault) else verdict
        self.tally.note_turn(turn, flight.piece)
        self.tally.bytes += landing.staged
        if turn.fault is None:
            self.faulted.clear()
        self.save(ledgers.turned(self.ledger, flight.piece, turn, self.policy))
        if self.ledger.committing:
            self.commit(self.ledger.committing)

    def _keep_strange(self, flight: Flight, fault: Fault, body: bytes) -> None:
        """Keep an answer that made no sense, for whoever wants to know what the API said."""
        bounds = f"{stamp(flight.piece.start)}-{stamp(flight.piece.end)}"
        about = {"run": self.tally.run, "slice": bounds, "fault": _ascii(fault.detail)}
        slot = flight.turn % STRANGE_SLOTS
        self.ports.ledgers.keep_answer(slot, body, metadata=about)

    def renew_token(self, flight: Flight, error: TokenRefused) -> None:
        """Sign in anew, once: the token may have expired. The slice is simply asked for again.

        Requests that were under way with the old token are forgiven, too.
        """
        if flight.turn <= self.renewed_at:
            return
        if self.renewed_at or not self.ports.source.renew_token():
            raise error
        self.renewed_at = self.ledger.pacing.turns

    def _noted(self, verdict: Turn | Fault | Throttle, duration: int) -> Pacing:
        paced = pacing.note_step(self.ledger.pacing, duration)
        if isinstance(verdict, Throttle):
            return pacing.note_throttle(paced, self.now(), verdict.wait)
        return paced

    def _retreat(self, piece: Slice, fault: Fault) -> Turn:
        if fault.kind == "transient":
            self.faulted.add(piece.start)
        if len(self.faulted) >= FAULTS_TO_STOP:
            self.stop = "faults"
        room = room_in(self.ledger)
        return retreat(piece, fault, now=self.now(), jitter=self.jitter(piece), room=room)

    def jitter(self, piece: Slice) -> float:
        """Return a number in [0, 1) that differs by run, slice and attempt."""
        text = f"{self.tally.run}/{piece.start}/{piece.faults}"
        return int.from_bytes(blake2b(text.encode(), digest_size=6).digest()) / 2**48


def _ascii(text: str) -> str:
    """Return the text as blob metadata can hold it."""
    return text.encode("ascii", "backslashreplace").decode()[:500]
