"""Simulates an overloaded scan, which needs more requests than it has: `python -m bench.overload`.

The product's planner, pacing and ledger run against a tenant that consists only of a number of
pages for each stretch of time. Nothing is fetched, encoded or stored, so weeks take a minute. The
reach of the API is scaled down to days, and the request budget to six a minute.
"""

from __future__ import annotations

import argparse
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import msgspec

from bench.tables import replaced
from shared.core.intervals import Interval, intersect, merge, total
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    HOUR_MS,
    MINUTE_MS,
    PART_PAGES,
    Block,
    Ledger,
    Policy,
    Slice,
)
from shared.core.slices.retreat import close
from shared.core.slices.transitions import Draft, Finished, Transition
from shared.core.state import committing, pacing
from shared.core.state import ledger as ledgers
from shared.core.state.capacity import first_per_day, noted
from shared.core.state.lanes import choose, gone, passed
from shared.core.state.planning import out_of_reach
from shared.settings import fingerprint

BEGIN = 1_795_392_000_000
"""2026-11-23T00:00:00Z, a Monday."""

WEEK_MS = 7 * DAY_MS
WORKING_DAYS = 5
INTERVAL_MS = 5 * MINUTE_MS
BUDGET_MS = 4 * MINUTE_MS
PER_MINUTE = 6
CAPACITY = PER_MINUTE * DAY_MS // MINUTE_MS * BUDGET_MS // INTERVAL_MS

DOCUMENT = Path(__file__).parent.parent / "docs" / "adr" / "0015-lanes-by-the-counter.md"
OPENING = "<!-- table: make bench-overload writes it -->"
CLOSING = "<!-- end of the table -->"

PAGE = Block(id="", size=1, raw=1, crc32=0, records=1, sha256="", timestamp=None, created=None)
TRAILER = Block(id="", size=1, raw=0, crc32=0, records=0, sha256="", timestamp=None, created=None)

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A tenant and a scan of it.

    Attributes:
        load: average number of pages of a day, divided by the requests that the runs can send.
        lanes: number of slices to scan at once.
        days: how long the scan runs, in days.
        reach: reach of the API, in days.
        weekend: pages of a day at the weekend, divided by those of a working day.
        outage: length of the outage before the scan runs, in days.
        latency: time until an answer, in ms.
    """

    load: float
    lanes: int
    days: float
    reach: float
    weekend: float = 1.0
    outage: float = 0.0
    latency: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a case.

    Attributes:
        covered: share of the judged time that was covered.
        soon: share of the covered time that was covered within two hours of settling.
        behind: the most hours that the newest coverage was behind.
        possible: the largest share of all pages that the requests sent could have fetched.
        estimate: the need that the last report states, divided by the true need.
    """

    covered: float
    soon: float
    behind: float
    possible: float
    estimate: float


class Pages:
    """The number of pages that the activities of a stretch of time fill."""

    def __init__(self, case: Case) -> None:
        """Spread the load over the week."""
        days = [1.0] * WORKING_DAYS + [case.weekend] * (7 - WORKING_DAYS)
        one = case.load * CAPACITY * 7 / sum(days)
        self.per_day = [day * one for day in days]
        self.until_day = [0.0, *accumulate(self.per_day)]

    def until(self, at: int) -> float:
        """Return the pages since the beginning; negative before it."""
        weeks, rest = divmod(at - BEGIN, WEEK_MS)
        day, within = divmod(rest, DAY_MS)
        return (
            weeks * self.until_day[-1] + self.until_day[day] + self.per_day[day] * within / DAY_MS
        )

    def following(self, at: int) -> int:
        """Return the end of the page that begins at an instant."""
        weeks, rest = divmod(self.until(at) + 1, self.until_day[-1])
        day = min(bisect_right(self.until_day, rest) - 1, 6)
        within = (rest - self.until_day[day]) / self.per_day[day]
        return max(at + 1, BEGIN + int(weeks) * WEEK_MS + int((day + within) * DAY_MS))


def policy_of(case: Case) -> Policy:
    """Return the scan's policy in a case."""
    return Policy(
        scan="all",
        filters={},
        fingerprint=fingerprint({}, "date"),
        accept=None,
        axis="date",
        direction="asc",
        limit=5000,
        api="contoso.eu2.portal.cloudappsecurity.com",
        budget=BUDGET_MS,
        budget_most=BUDGET_MS,
        budget_expected=BUDGET_MS,
        lookback=3 * HOUR_MS,
        settle=10 * MINUTE_MS,
        fresh=HOUR_MS,
        slice_length=5 * MINUTE_MS,
        sweeps=(),
        sweep_by="full",
        reach=int(case.reach * DAY_MS),
        concurrency=case.lanes,
        requests_per_minute=PER_MINUTE,
        lag_alert=HOUR_MS,
        doubt_alert=5 * MINUTE_MS,
        throttled_alert=50,
        pause_alert=DAY_MS,
    )


@dataclass(slots=True)
class Simulation:
    """The simulation of one case."""

    case: Case
    policy: Policy = field(init=False)
    pages: Pages = field(init=False)
    ledger: Ledger = field(init=False)
    now: int = BEGIN
    sent: int = 0
    flights: list[tuple[int, Slice]] = field(default_factory=list)
    done: list[tuple[int, int, int]] = field(default_factory=list)
    behind: int = 0

    def __post_init__(self) -> None:
        """Begin the scan, and let the outage pass, if there is one."""
        self.policy, self.pages = policy_of(self.case), Pages(self.case)
        self.ledger = ledgers.begin(self.policy, BEGIN)
        if self.case.outage:
            self.ledger = self._before_the_outage()
            self.now += int(self.case.outage * DAY_MS)

    def _before_the_outage(self) -> Ledger:
        """Return the ledger of a scan that has covered everything for a week."""
        load = self.ledger.load
        for hour in range(BEGIN - WEEK_MS, BEGIN, HOUR_MS):
            asked = round(self.pages.until(hour + HOUR_MS) - self.pages.until(hour))
            load = noted(load, start=hour, end=hour + HOUR_MS, requests=asked)
        starts = tuple(range(BEGIN - 12 * INTERVAL_MS, BEGIN + 1, INTERVAL_MS))
        return change(
            self.ledger,
            coverage={FIRST_PASS: ((self.ledger.origin, BEGIN - self.policy.slice_length),)},
            load=load,
            pacing=change(self.ledger.pacing, starts=starts, durations=(self.case.latency,) * 21),
        )

    def run(self) -> Outcome:
        """Start a run every five minutes, then judge what the runs covered."""
        begin, settling = self.now, self.now + DAY_MS
        for start in range(begin, begin + int(self.case.days * DAY_MS), INTERVAL_MS):
            self.now = start
            self._one_run()
            newest = self.ledger.coverage[FIRST_PASS]
            if newest and start >= settling:
                self.behind = max(self.behind, self.now - newest[-1][1])
        return self._judged(begin)

    def _judged(self, begin: int) -> Outcome:
        judged = (begin + DAY_MS, self.now - self.policy.reach)
        return outcome_of(
            self.case,
            self.done,
            (BEGIN, begin) if self.case.outage else judged,
            sent=self.sent,
            behind=self.behind,
            stated=first_per_day(self.ledger.load) or 0,
        )

    def _one_run(self) -> None:
        end = self.now + self.policy.budget
        self.ledger = ledgers.claim(self.ledger, run="r", now=self.now, policy=self.policy)
        for bounds in gone(self.ledger, self.now, self.policy):
            self._commit(committing.declared_lost(self.ledger, bounds, self.policy))
        while True:
            pause = self._start(end)
            events = [at for at, _ in self.flights] + ([pause] if pause else [])
            if not events:
                self.ledger = ledgers.release(self.ledger)
                return
            self.now = max(self.now, min(events))
            self._land()

    def _start(self, end: int) -> int | None:
        """Send the requests that may be sent now; return when more may be sent, or None."""
        while len(self.flights) < self.case.lanes:
            busy = frozenset((piece.start, piece.end) for _, piece in self.flights)
            for piece in passed(self.ledger, self.now, self.policy, busy=busy):
                closed = close(piece)
                self._take(piece, closed.built([TRAILER] if closed.ends_part else []))
            allowed = pacing.next_allowed(self.ledger.pacing, self.now, PER_MINUTE)
            needed = self.case.latency + pacing.reserve(self.policy.budget)
            if allowed + needed > end:
                return None
            if allowed > self.now:
                return allowed
            chosen = choose(self.ledger, self.now, self.policy, busy=busy)
            if chosen is None:
                return None
            self._send(chosen)
        return None

    def _send(self, piece: Slice) -> None:
        first = piece.first_request or self.now
        sent = change(piece, requests=piece.requests + 1, first_request=first)
        paced = pacing.note_request(self.ledger.pacing, self.now)
        self.ledger = change(ledgers.replaced(self.ledger, sent, (sent,)), pacing=paced)
        self.flights.append((self.now + self.case.latency, sent))
        self.sent += 1

    def _land(self) -> None:
        for flight in [it for it in self.flights if it[0] <= self.now]:
            self.flights.remove(flight)
            paced = pacing.note_step(self.ledger.pacing, self.case.latency)
            self.ledger = change(self.ledger, pacing=paced)
            piece = flight[1]
            if not out_of_reach(piece.start, self.now, self.policy):
                transition = self._transition(change(piece, last_answer=self.now))
                self._take(piece, transition)

    def _transition(self, piece: Slice) -> Transition:
        """Add a page to a slice, as the traversal does with real pages."""
        cursor = min(self.pages.following(piece.cursor), piece.end)
        moved = change(piece, cursor=cursor, blocks=(*piece.blocks, PAGE))
        if cursor < piece.end and len(moved.blocks) < PART_PAGES:
            return Transition(goes_on=moved)
        rest = (piece.same_again((cursor, piece.end)),) if cursor < piece.end else ()
        finished = Finished(slice=moved, start=piece.start, end=cursor)
        return Draft(finished=finished, opened=rest).built([TRAILER])

    def _take(self, piece: Slice, transition: Transition) -> None:
        self._commit(committing.after_transition(self.ledger, piece, transition, self.policy))

    def _commit(self, ledger: Ledger) -> None:
        """Save a ledger, and finish its commit at once."""
        self.ledger = ledger
        if ledger.committing is None:
            return
        commit, self.ledger = ledger.committing, committing.committed(ledger)
        if commit.covers and commit.bounds:
            self.done.append((*commit.bounds, self.now))


def outcome_of(  # noqa: PLR0913 - what a scan did, by name
    case: Case,
    done: list[tuple[int, int, int]],
    judged: Interval,
    *,
    sent: int,
    behind: int,
    stated: int,
) -> Outcome:
    """Return the result of a case.

    Args:
        case: the case.
        done: start, end and time of coverage of everything that was covered.
        judged: the stretch of time to judge.
        sent: the number of requests sent.
        behind: the most that the newest coverage was behind, in ms.
        stated: the need of the first pass as the last report states it.
    """
    latest = 2 * HOUR_MS + policy_of(case).settle
    covered = total(intersect(merge((s, e) for s, e, _ in done), judged))
    soon = merge((s, e) for s, e, at in done if at - e <= latest)
    return Outcome(
        covered=covered / (judged[1] - judged[0]),
        soon=total(intersect(soon, judged)) / max(1, covered),
        behind=behind / HOUR_MS,
        possible=min(1.0, sent / (case.load * CAPACITY * case.days)),
        estimate=stated / (case.load * CAPACITY),
    )


CASES = [
    *(
        Case(load=load, lanes=lanes, days=5.3, outage=10 / 3, reach=5.0)
        for lanes in (1, 3)
        for load in (0.97, 1.25)
    ),
    *(Case(load=load, lanes=lanes, days=4, reach=1.5) for lanes in (1, 3) for load in (1.15, 2.0)),
    *(
        Case(load=load, lanes=lanes, days=9.5, reach=1.5, weekend=0.4)
        for lanes in (1, 3)
        for load in (1.15, 2.0)
    ),
]


def row(case: Case) -> str:
    """Run a case and return its line of the table."""
    return line_of(case, Simulation(case).run())


def line_of(case: Case, came: Outcome) -> str:
    """Return a line of the table."""
    about = f"outage of {case.outage:.1f} days" if case.outage else "steady"
    week = "weekends at 40 %" if case.weekend < 1 else "all days alike"
    return (
        f"| {about}, {week} | {case.load} | {case.lanes} | {came.covered:.1%} | "
        f"{came.possible:.0%} | {came.soon:.0%} | {came.behind:.1f} h | {came.estimate:.2f} |"
    )


HEAD = (
    "| case | load | lanes | covered | possible | of it within 2 h | newest behind at most | "
    "stated need by need |\n|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Print the table, and write it into the decision record if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table into the document")
    write = parser.parse_args().write
    rows = [HEAD]
    for case in CASES:
        rows.append(row(case))
        print(rows[-1], flush=True)
    if write:
        DOCUMENT.write_text(replaced(DOCUMENT.read_text(), OPENING, CLOSING, "\n".join(rows)))


if __name__ == "__main__":
    main()
