"""The use case: one bounded run of a scan. Safe to stop at any instruction.

All control flow and every change of the ledger happen in the calling thread; worker threads only
run steps. The order of effects is the protocol (docs/architecture.md); keep it.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import blake2b

import msgspec

from shared import __version__
from shared.core.api.answers import Fault, Throttle, Unaccepted, refused_in_every_form
from shared.core.api.block_ids import is_block_id
from shared.core.api.blocks import trailer_of
from shared.core.clocks import APART_REPORTED_MS
from shared.core.errors import BlocksLost, StoreConflict, StoreError, TokenRefused
from shared.core.intervals import Interval
from shared.core.model import FIRST_PASS, ApiFacts, Block, Commit, Ledger, Policy, Slice
from shared.core.quoting import ascii_quoted
from shared.core.slices import asking
from shared.core.slices.facts import facing, sorting, stamped
from shared.core.slices.retreat import (
    POISONED,
    Outlook,
    close,
    doubted,
    halved,
    retreat,
    shows_poison,
)
from shared.core.slices.transitions import Transition
from shared.core.slices.traversal import unprobed
from shared.core.state import committing, pacing
from shared.core.state import ledger as ledgers
from shared.core.state.lanes import choose, gives_way, gone, passed
from shared.core.state.layout import part_name, stamp
from shared.core.state.planning import covered, is_sweep, out_of_reach
from shared.core.state.report import Outcome, Tally
from shared.core.state.rooms import is_crowded, ripest, room_in, to_halve
from shared.core.state.sweeps import is_looked_at_again, unswept
from shared.ports import Ports
from shared.scan.claiming import Claim, claim
from shared.scan.stepping import Landing, Tools, Untimely, run_step, sealed
from shared.scan.stored import Indexes, fitted

REQUEST_MS = 120_000
"""The longest that one request may take: heavy pages are known to take a minute."""

PATIENCE_MS = 5_000
"""The longest throttle that a run waits for: waiting is billed."""

STRANGE_SLOTS = 100
"""How many such answers are kept at most; a new one takes the place of some older one."""

GIVING_UP_SHARE = 4
"""Giving up sweeps takes this part of the time budget at most; the rest is for scanning."""

FAULTS_TO_STOP = 3
"""Faults in a row on different slices after which the API is left in peace until the next run."""

change = msgspec.structs.replace


def scan_once(
    ports: Ports,
    policy: Policy,
    tally: Tally,
    *,
    workers: Callable[[int], Executor] = ThreadPoolExecutor,
) -> Outcome:
    """Do one run: claim, finish what was interrupted, then step until nothing fits.

    Args:
        ports: what the scan needs from outside.
        policy: how it is to be done.
        tally: filled while the run works, so that it shows what was done when an error ends it.
        workers: makes what runs the steps; called with how many run at once.

    Raises:
        ScanError: see `shared.core.errors`; the ledger is never left in a state that needs a
            human, but for the errors that say so.
    """
    claimed = claim(ports, policy, tally)
    if claimed is None:
        return "busy"
    run = Run(ports, policy, tally, claimed)
    try:
        run.finish_interrupted_commit()
        run.close_passed()
        run.give_up_sweeps()
        run.make_room()
        with workers(policy.concurrency) as lanes:
            outcome = run.work(lanes)
    except Exception:
        run.release_after_an_error()
        raise
    run.release()
    return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """A step under way.

    Attributes:
        piece: its slice, this request counted.
        before: the slice as it was open before; None for a new one.
        ordinal: the request's ordinal.
        sent: when, on the clock that never jumps.
        facts: what was known of the API when it was asked.
    """

    piece: Slice
    before: Slice | None
    ordinal: int
    sent: int
    facts: ApiFacts


class Run:
    """One run that holds the claim: the ledger as saved, and the steps under way."""

    def __init__(self, ports: Ports, policy: Policy, tally: Tally, claimed: Claim) -> None:
        """Begin with the claimed ledger."""
        self.ports = ports
        self.policy = policy
        self.tally = tally
        indexes = Indexes(ports.results, policy.axis)
        self.clock = claimed.clock
        self.tools = Tools(ports=ports, clock=self.clock, policy=policy, indexes=indexes)
        self.ledger = claimed.ledger
        self.etag = claimed.etag
        self.is_known = True
        self.started = claimed.started
        self.flights: dict[Future[Landing], Flight] = {}
        self.stop: Outcome | None = None
        self.steps = 0
        self.has_declared = False
        self.faulted: set[int] = set()
        self.renewed_at = 0
        self.throttled_at = 0
        self.served: set[asking.Form] = set()
        self.sizes: dict[int, list[int]] = {}
        self.unchecked = {piece.start for piece in claimed.ledger.open if piece.blocks}

    def now(self) -> int:
        """Return the run's time."""
        self.tally.now = self.clock.now()
        return self.tally.now

    def spent(self) -> int:
        """Return how much of the time budget is gone, in ms."""
        return self.ports.clock.elapsed() - self.started

    def save(self, ledger: Ledger) -> None:
        """Save the ledger on top of what was last saved; from here on it is the state."""
        content = ledgers.encode(ledger)
        self.is_known = False
        self.etag = self.ports.ledgers.save(content, etag=self.etag)
        self.is_known = True
        self.ledger = self.tally.ledger = ledger

    def release(self) -> None:
        """Let the next run begin at once."""
        self.save(ledgers.release(self.ledger))

    def release_after_an_error(self) -> None:
        """Release the claim, unless a save failed: then it may have happened, or be another's."""
        if not self.is_known:
            return
        with suppress(StoreError):  # The error that ended the run matters more.
            self.release()

    def finish_interrupted_commit(self) -> None:
        """Do again what an interrupted run may have left half done, before anything is fetched."""
        if self.ledger.committing:
            self.commit(self.ledger.committing)

    def close_passed(self) -> None:
        """Commit what is known of slices that have begun to leave the API's reach.

        Their last answers were in time, and a later one could prove nothing.
        """
        busy = self.busy()
        for piece in passed(self.ledger, self.now(), self.policy, busy=busy):
            if not self.has_time():
                return
            self.take(piece, close(piece))

    def declare_lost(self) -> None:
        """Declare the time lost that has left the API's reach without being covered.

        Only once the API has answered this run: a clock that is far ahead would declare everything
        lost, and the API's `Date` ends such a run.
        """
        if self.has_declared:
            return
        self.has_declared = True
        for bounds in gone(self.ledger, self.now(), self.policy):
            if not self.has_time():
                return
            self.save(committing.declared_lost(self.ledger, bounds, self.policy, made=self.now()))
            self.finish_interrupted_commit()

    def has_time(self) -> bool:
        """Say whether the time budget allows one more commit."""
        return self.spent() + self.reserve() <= self.policy.budget

    def busy(self) -> frozenset[Interval]:
        """Return the bounds of the slices whose steps are under way."""
        return frozenset((it.piece.start, it.piece.end) for it in self.flights.values())

    def give_up_sweeps(self) -> None:
        """Declare in doubt the time that left the API's reach before the last sweep.

        Each stretch costs several storage operations, so this takes a share of the time budget at
        most, and the next runs continue.
        """
        for done, bounds in enumerate(list(unswept(self.ledger, self.now(), self.policy))):
            if done and self.spent() > self.policy.budget // GIVING_UP_SHARE:
                break
            self.save(committing.given_up(self.ledger, bounds, self.policy, made=self.now()))
            self.finish_interrupted_commit()
            said = "time passed the API's reach before a sweep looked at it"
            self.tally.warnings.append(f"{said}: {_shown(bounds)}")

    def make_room(self) -> None:
        """Make room where time for which the API never answers has used it up.

        Poisoned seconds are finished in doubt. Where all slices have faults, one is given back for
        one that may have none; once a run, so that the API is not asked faster than they back off.
        """
        for sweeps in (False, True):
            while piece := ripest(self.ledger, sweeps=sweeps):
                self.take(piece, Transition(finished=doubted(piece)))
        if piece := gives_way(self.ledger, self.now(), self.policy):
            self.take(piece, close(piece))

    def commit(self, commit: Commit) -> None:
        """Make part and manifest appear, then let coverage grow; each step may be repeated."""
        try:
            self._commit_part(commit)
        except BlocksLost:
            if self.ports.results.manifest(commit.number) is not None:
                raise
            self.save(committing.restarted(self.ledger))
            said = "staged blocks had expired: their slice starts over"
            self.tally.warnings.append(f"{said}: {_shown((commit.start, commit.end))}")
            return
        self.ports.results.put_manifest(commit.number, commit.manifest.encode())
        self.save(committing.committed(self.ledger))
        self.tally.commits += 1
        if commit.lost:
            bounds = _shown((commit.start, commit.end))
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
            "rawSizeBytes": str(sum(block.raw for block in piece.blocks)),
        }
        self._commit_blocks(part_name(self.policy.scan, piece), piece.blocks, metadata)
        self.tally.parts += 1

    def _commit_blocks(
        self, name: str, blocks: tuple[Block, ...], metadata: dict[str, str]
    ) -> None:
        """Commit the block list; if the service lacks a block, stage the trailer once more.

        The trailer follows from the other blocks, so it alone can be made again.
        """
        results = self.ports.results
        try:
            results.commit_part(name, blocks, metadata=metadata)
        except StoreConflict as error:
            self._require_newest_ledger(name, error)
            raise
        except BlocksLost:
            results.stage_block(name, blocks[-1], trailer_of(blocks[:-1]))
            results.commit_part(name, blocks, metadata=metadata)

    def _require_newest_ledger(self, part: str, conflict: StoreConflict) -> None:
        """Explain a part that is there already: this scan wrote it, and the ledger forgot it.

        Raises:
            LedgerRolledBack: the ledger was put back to before an interrupted commit.
        """
        if self.ports.ledgers.load().etag != self.etag:
            return  # Another run has taken over, and has committed the part.
        committed = [block for block, _ in self.ports.results.blocks_of(part)]
        if committed and all(map(is_block_id, committed)):
            raise ledgers.put_back_before(part) from conflict

    def work(self, workers: Executor) -> Outcome:
        """Step until nothing is due, nothing fits, or the API should be left in peace."""
        while True:
            pause = self.start_steps(workers)
            if self.flights:
                self.land_steps(pause)
            elif pause is not None:
                self.ports.clock.sleep(pause)
            else:
                return self.stop or ("waiting" if self.ledger.open else "idle")

    def start_steps(self, workers: Executor) -> int | None:
        """Start what may start now; return after how many ms to look again, None for no need."""
        self.halve_cramped()
        while self.stop is None and len(self.flights) < self.lanes():
            if self.clock.has_drifted():
                self._stop_for_clocks("the local clock has stepped, or the machine was suspended")
                break
            self.close_passed()
            now = self.now()
            piece = asking.on_trial(self.ledger, now) or self.next_slice(now)
            if piece is None:
                return None
            pause = self.pause(now)
            if pause > 0:
                return pause
            if self.stop is None:
                self.start(workers, self.checked(piece), now)
        return None

    def next_slice(self, now: int) -> Slice | None:
        """Return the slice to serve next.

        When one more fault would end the run, it is one without faults so far: if that fails, too,
        the API is not well; otherwise only some time is poisoned, and the run goes on.
        """
        busy = self.busy()
        if len(self.faulted) == FAULTS_TO_STOP - 1:
            suspects = frozenset((it.start, it.end) for it in self.ledger.open if it.fault)
            piece = choose(self.ledger, now, self.policy, busy=busy | suspects)
            if piece is not None:
                return piece
        return choose(self.ledger, now, self.policy, busy=busy)

    def halve_cramped(self) -> None:
        """Cut the slices that were blocked for want of room, as far as there is room now."""
        served = {it.piece.start for it in self.flights.values()}
        while (piece := to_halve(self.ledger)) and piece.start not in served:
            self.take(piece, halved(piece, self.now()))

    def lanes(self) -> int:
        """Return how many steps may be under way; after a throttle or a refusal, only one.

        More of the same would only meet the same.
        """
        alone = self.ledger.pacing.throttles or self.ledger.api_facts.trial
        return 1 if alone else self.policy.concurrency

    def pause(self, now: int) -> int:
        """Return how many ms the next request must wait; the run stops where it will not.

        It waits as long as its own pacing asks for, since it has work, and a few seconds for a
        throttle: a longer one is waited for in the ledger.
        """
        if pacing.throttled_until(self.ledger.pacing, now) - now > PATIENCE_MS:
            self.stop = "waiting"
            return 0
        shares = (self.policy.requests_per_minute, self.policy.requests_per_hour)
        pause = pacing.next_allowed(self.ledger.pacing, now, *shares) - now
        if self.ports.budget:
            pause = max(pause, self.ports.budget.pause(self.ports.clock.elapsed()))
        if not self.fits(pause):
            # A whole run would not be enough: to start another one at once would be in vain.
            self.stop = "waiting" if pause > self.policy.budget else "out-of-time"
            return 0
        return pause

    def checked(self, piece: Slice) -> Slice:
        """Return the slice as its next step may take it, its staged blocks checked once a run."""
        if not piece.requests and piece.pass_name != FIRST_PASS:
            return fitted(self.ports.results, piece)
        if piece.start not in self.unchecked:
            return piece
        self.unchecked.discard(piece.start)
        if self.ports.results.has_staged(part_name(self.policy.scan, piece), piece.blocks):
            return piece
        said = "staged blocks had expired: their slice starts over"
        self.tally.warnings.append(f"{said}: {_shown((piece.start, piece.end))}")
        afresh = piece.same_again((piece.start, piece.end))
        self.ledger = ledgers.replaced(self.ledger, piece, (afresh,))
        return afresh

    def fits(self, pause: int) -> bool:
        """Say whether one more step fits the time budget; the first one always does, once due."""
        if not self.steps and pause == 0:
            return True
        expected = pacing.expected_step(self.ledger.pacing) if self.steps else 0
        return self.spent() + pause + expected + self.reserve() <= self.policy.budget

    def reserve(self) -> int:
        """Return what is kept of the budget for the effects after an answer, in ms."""
        return pacing.reserve(self.policy.budget)

    def start(self, workers: Executor, piece: Slice, now: int) -> None:
        """Hand one step to a worker."""
        piece = asking.as_known(piece, self.ledger.api_facts)
        piece = facing(piece, self.policy.direction, self.ledger.api_facts)
        first = now if piece.first_request is None else piece.first_request
        before = ledgers.open_as(self.ledger, piece)
        piece = change(piece, requests=piece.requests + 1, first_request=first)
        paced = pacing.note_request(self.ledger.pacing, now)
        self.ledger = change(ledgers.replaced(self.ledger, piece, (piece,)), pacing=paced)
        left = max(self.policy.budget - self.spent() - self.reserve(), 1000)
        timeout = min(left, REQUEST_MS) / 1000
        sent = self.ports.clock.elapsed()
        if self.ports.budget:
            self.ports.budget.note(sent)
        future = workers.submit(run_step, self.tools, piece, self.ledger, timeout=timeout)
        self.flights[future] = Flight(
            piece=piece,
            before=before,
            ordinal=paced.requests,
            sent=sent,
            facts=self.ledger.api_facts,
        )
        self.steps += 1
        self.tally.requests += 1

    def land_steps(self, pause: int | None) -> None:
        """Wait for a step to end, or for `pause` ms, and take in what came back."""
        timeout = None if pause is None else pause / 1000
        done, _ = wait(self.flights, timeout=timeout, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda it: self.flights[it].ordinal):
            self.land(self.flights.pop(future), future)

    def land(self, flight: Flight, future: Future[Landing]) -> None:
        """Take one step's outcome into the ledger, save it, commit what is finished."""
        try:
            landing = future.result()
        except TokenRefused as error:
            self.renew_token(flight, error)
            return
        verdict = landing.verdict
        duration = self.ports.clock.elapsed() - flight.sent
        paced = pacing.note_step(self.ledger.pacing, duration)
        self.ledger = self._heard(change(self.ledger, pacing=paced), landing)
        if isinstance(verdict, Untimely):
            self._put_back(flight, verdict)
            return
        late = self._came_late(flight, landing)
        if landing.answered is not None and not late:
            flight = replace(flight, piece=change(flight.piece, last_answer=landing.answered))
        if isinstance(verdict, Throttle):
            self._throttled(flight, verdict)
        elif isinstance(verdict, Unaccepted):
            self._ask_for_less(flight, verdict)
        elif isinstance(verdict, Fault):
            self._note_strange(flight, verdict, landing.strange)
            transition = self._retreat(flight.piece, verdict, is_page=landing.is_page)
            self._take(flight, transition)
        elif late:
            self.save(self.ledger)  # Without this page, what is known can still be finished.
        else:
            self._note_page(flight, landing)
            self._note_sorting(verdict)
            self._take(flight, verdict)
        if landing.answered is not None and not (late or isinstance(verdict, Throttle)):
            self.declare_lost()

    def _take(self, flight: Flight, transition: Transition) -> None:
        """Take what an answer did to its slice into the ledger, and commit what is finished."""
        self.tally.note_transition(transition, flight.piece)
        self.take(flight.piece, transition)

    def _note_sorting(self, transition: Transition) -> None:
        """Remember it where the API has answered in another direction than was asked for."""
        if transition.sorts:
            asked, answered = transition.sorts
            self._learn(
                sorting(self.ledger.api_facts, asked, answered),
                f"the API answers in the direction {answered} where {asked} is asked for: see "
                "docs/runbook.md#sort-direction",
            )

    def take(self, piece: Slice, transition: Transition) -> None:
        """Save what a transition makes of a slice, and commit what it has finished."""
        transition = sealed(self.ports.results, transition, self.ledger)
        doubt = transition.finished.slice.doubt if transition.finished else ()
        if any(it.reason == POISONED for it in doubt):
            self._warn_once("a poisoned second is finished in doubt: see docs/runbook.md#doubt")
        self.save(
            committing.after_transition(
                self.ledger, piece, transition, self.policy, now=self.clock.now()
            )
        )
        self.finish_interrupted_commit()

    def _heard(self, ledger: Ledger, landing: Landing) -> Ledger:
        """Return the ledger with the API's clock as the answer showed it."""
        if landing.ahead is None:
            return ledger
        if abs(landing.ahead) > APART_REPORTED_MS:
            if self.tally.api_ahead is None:
                self.tally.warnings.append("the API's clock and the run's differ: see the runbook")
            self.tally.api_ahead = landing.ahead
        return ledgers.heard(ledger, landing.ahead, self.now(), self.policy)

    def _put_back(self, flight: Flight, verdict: Untimely) -> None:
        """Leave a slice as it was before an answer that the clocks forbid to use.

        Time that has not settled by the API's clock is due again when it has.
        """
        kept = (flight.before,) if verdict.ends_run and flight.before else ()
        if verdict.ends_run:
            self._stop_for_clocks("the API's Date is more than a day from the run's time")
        self.save(ledgers.replaced(self.ledger, flight.piece, kept))

    def _stop_for_clocks(self, why: str) -> None:
        """End the run, because its time cannot be trusted any more; the next one claims again."""
        if self.stop != "clocks differ":
            self.stop = "clocks differ"
            self.tally.warnings.append(f"{why}, so the run has ended: see the runbook")

    def _came_late(self, flight: Flight, landing: Landing) -> bool:
        """Say whether a first pass was answered when its slice was out of reach already."""
        if flight.piece.pass_name != FIRST_PASS or landing.answered is None:
            return False
        return out_of_reach(flight.piece.start, landing.answered, self.policy)

    def _note_strange(self, flight: Flight, fault: Fault, body: bytes | None) -> None:
        """Keep an answer that made no sense, for whoever wants to know what the API said."""
        if fault.kind == "unexpected":
            self._warn_once(f"{fault.detail}: see docs/runbook.md#unexpected-faults")
        if body is None:
            return
        bounds = f"{stamp(flight.piece.start)}-{stamp(flight.piece.end)}"
        about = {"run": self.tally.run, "slice": bounds, "fault": ascii_quoted(fault.detail)}
        try:
            self.ports.ledgers.keep_answer(flight.ordinal % STRANGE_SLOTS, body, metadata=about)
        except StoreError as error:
            self._warn_once(f"an answer that made no sense could not be kept: {error}")

    def _warn_once(self, warning: str) -> None:
        if warning not in self.tally.warnings:
            self.tally.warnings.append(warning)

    def renew_token(self, flight: Flight, error: TokenRefused) -> None:
        """Sign in anew, once: the token may have expired. The slice is simply asked for again.

        Requests that were under way with the old token are forgiven, too.
        """
        if flight.ordinal <= self.renewed_at:
            return
        if self.renewed_at or not self.ports.source.renew_token():
            raise error
        self.renewed_at = self.ledger.pacing.requests

    def _throttled(self, flight: Flight, throttle: Throttle) -> None:
        """Let the whole scan wait; what was on its way meanwhile met the same throttle."""
        known = flight.ordinal <= self.throttled_at
        paced = pacing.note_throttle(self.ledger.pacing, self.now(), throttle.wait, known=known)
        self.throttled_at = paced.requests
        self.tally.throttled += 1
        ledger = ledgers.replaced(self.ledger, flight.piece, (flight.piece,))
        self.save(change(ledger, pacing=paced))

    def _note_page(self, flight: Flight, landing: Landing) -> None:
        """Note that the API answers; a page that was on its way before a throttle proves less."""
        self.faulted.clear()
        self.tally.bytes += landing.staged
        self.ledger = change(self.ledger, pages=self.ledger.pages + 1)
        if flight.ordinal > self.throttled_at:
            self.ledger = change(self.ledger, pacing=pacing.note_page(self.ledger.pacing))
        self.served.add(asking.form_of(flight.piece, flight.facts))
        self._note_manners(flight, landing)

    def _note_manners(self, flight: Flight, landing: Landing) -> None:
        """Note which form of query a page answers, and what of the query it ignores."""
        facts, limit = self.ledger.api_facts, flight.piece.limit
        if facts.trial == (flight.piece.start, flight.piece.end):
            self._settle(facts)
        if landing.promising is not None:
            sizes = self.sizes.setdefault(limit, [])
            sizes.append(landing.promising)
            cap = asking.page_cap(sizes, limit)
            if cap is not None and cap != self.ledger.api_facts.limit:
                self._learn(
                    change(self.ledger.api_facts, limit=cap), asking.ignores_limit(sizes, limit)
                )
        if landing.disordered:
            self._note_disorder(flight.piece)

    def _settle(self, facts: ApiFacts) -> None:
        """End a trial: the API has accepted a lesser form of a query that it had refused."""
        settled = asking.settled(facts, self.served)
        if settled.refused:
            self._warn_once(asking.agreed(settled))
        self.ledger = change(self.ledger, api_facts=settled)

    def _note_disorder(self, piece: Slice) -> None:
        """Note that the API does not sort by ingestion time, though asked to."""
        facts = self.ledger.api_facts
        if piece.mode == "dense" and not facts.plain_dense:
            self._learn(change(facts, plain_dense=True), asking.UNSORTED_DENSE)
        elif piece.mode != "dense":
            self._warn_once(asking.UNSORTED_AXIS)

    def _learn(self, facts: ApiFacts, warning: str) -> None:
        """Remember what the API has shown of itself; the next save makes it last."""
        learned = stamped(facts, now=self.now(), program=__version__)
        self.ledger = change(self.ledger, api_facts=learned)
        self._warn_once(warning)

    def _ask_for_less(self, flight: Flight, refusal: Unaccepted) -> None:
        """Let a query that the API refuses be asked again in another form, while there is one."""
        facts, piece = self.ledger.api_facts, flight.piece
        if flight.facts.refused != facts.refused:
            # Another step met the refusal first; the slice is asked for again as that has shown.
            self.save(ledgers.replaced(self.ledger, piece, (piece,)))
            return
        served = asking.is_about_the_slice(piece, facts, self.served)
        lesser = asking.less(piece, self.policy, facts, refusal.said, served=served)
        if lesser:
            self.tally.faults += 1
            self.tally.last_fault = refusal.said
            learned = stamped(lesser.facts, now=self.now(), program=__version__)
            ledger = ledgers.replaced(self.ledger, piece, (lesser.piece,))
            self.save(change(ledger, api_facts=learned))
        elif piece.mode != "page":
            self._take(flight, unprobed(piece, self.policy))
        else:
            self._give_up_asking(flight, refusal, served=served)

    def _give_up_asking(self, flight: Flight, refusal: Unaccepted, *, served: bool) -> None:
        """Take a query that is refused in every form for its slice's fault, or for a refusal.

        It is the slice's where the API has just served others. A scan that was served before keeps
        the fault in any case, so that the next run asks for another slice first.
        """
        facts, fault = self.ledger.api_facts, Fault(kind="malformed", detail=refusal.said)
        piece = change(flight.piece, limit=self.policy.limit)
        ledger = change(self.ledger, api_facts=facts if served else asking.in_full(facts))
        self.ledger = ledgers.replaced(ledger, piece, (piece,))
        if served or covered(self.ledger, FIRST_PASS):
            self._take(flight, self._retreat(piece, fault))
        else:
            self.save(self.ledger)
        if not served:
            tried = asking.attempts(flight.piece, self.policy, facts, refusal.said)
            raise refused_in_every_form(refusal, tried)

    def _retreat(self, piece: Slice, fault: Fault, *, is_page: bool = False) -> Transition:
        # Neither a page that contradicts itself nor known poison shows an outage.
        known = is_page or piece.blocked or shows_poison(piece, fault, self.ledger.pages)
        if fault.kind != "unreadable" and not (fault.kind == "malformed" and known):
            self.faulted.add(piece.start)
        if len(self.faulted) >= FAULTS_TO_STOP:
            self.stop = "faults"
        now, sweeps = self.now(), is_sweep(piece)
        outlook = Outlook(
            pages=self.ledger.pages,
            again=is_looked_at_again(piece, self.ledger, now, self.policy),
            crowded=is_crowded(self.ledger, sweeps=sweeps),
        )
        return retreat(
            piece,
            fault,
            now=now,
            jitter=self.jitter(piece),
            room=room_in(self.ledger, sweeps=sweeps),
            outlook=outlook,
        )

    def jitter(self, piece: Slice) -> float:
        """Return a number in [0, 1) that differs by run, slice and attempt."""
        text = f"{self.tally.run}/{piece.start}/{piece.faults}"
        return int.from_bytes(blake2b(text.encode(), digest_size=6).digest()) / 2**48


def _shown(bounds: Interval) -> str:
    return f"{stamp(bounds[0])} to {stamp(bounds[1])}"
