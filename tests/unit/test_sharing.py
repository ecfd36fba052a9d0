"""The budget that the scans of one API host share, and how many of them keep up with it."""

import json
from dataclasses import replace

import pytest

from harness.at_once import workers
from shared.core.model import Policy
from shared.core.state.host_budget import CLAIM_MOST_MS, SLOT_MS
from shared.core.state.ledger import CLAIM_MARGIN_MS, decode
from shared.core.state.report import Tally
from shared.core.state.sweeps import sweeps_due
from shared.ports import Ports
from shared.scan import scan_once
from shared.scan.host_claim import HostClaim, SharedHost, claim_host, release_host
from shared.scan.invocation import in_time, under
from shared.scan.reporting import Job
from shared.settings import read_settings
from shared.sharing import SharedBudget, allotted, in_order, in_turn
from tests.fakes import (
    HOUR,
    MINUTE,
    NOW,
    FakeApi,
    FakeClock,
    InMemoryBudget,
    InMemoryDerived,
    InMemoryLedger,
    InMemoryResults,
    policy,
)

GOOD = {
    "MDA_API_URL": "https://contoso.eu2.portal.cloudappsecurity.com",
    "STORAGE_ACCOUNT_URL": "https://contoso.blob.core.windows.net",
    "SCAN_LOOKBACK": "1h",
    "SCAN_SWEEPS": "none",
    "SCAN_CONCURRENCY": "1",
}


def scans(count: int, **settings: str) -> tuple[Policy, ...]:
    """Return the policies of so many scans of one app."""
    elements = [{"name": f"scan-{number}"} for number in range(count)]
    given = read_settings({**GOOD, **settings, "SCANS": json.dumps(elements)})
    return tuple(it.policy for it in given.scans)


class App:
    """Scans of one app that share an API and a clock.

    Attributes:
        sent: when each request was sent.
        besides: ms that each run takes besides its requests.
        store: the request budget of their host.
    """

    def __init__(self, policies: tuple[Policy, ...], per_minute: int, latency: int) -> None:
        self.clock = FakeClock(NOW)
        self.policies = policies
        self.store = InMemoryBudget(self.clock.now)
        self.host = SharedHost(name="contoso:443", per_minute=per_minute, store=self.store)
        self.api = FakeApi([], clock=self.clock)
        self.api.latency = latency
        self.sent: list[int] = []
        self.api.always = lambda _: self.sent.append(self.clock.now() - latency)
        self.besides = 0
        self.ledgers = {it.scan: InMemoryLedger() for it in policies}
        self.results = {it.scan: InMemoryResults() for it in policies}

    def job(self, how: Policy) -> Job:
        """Return a run of one scan."""
        ports = Ports(
            source=self.api,
            ledgers=self.ledgers[how.scan],
            results=self.results[how.scan],
            clock=self.clock,
        )
        return Job(
            policy=how,
            ports=ports,
            derived=InMemoryDerived(),
            draw=lambda _: b"",
            tally=Tally(scan=how.scan, run=how.scan),
            prepare=lambda: None,
            workers=workers,
            host=self.host,
        )

    def invoke(self) -> None:
        """Run every scan, as an invocation does, but without reports, which take time."""
        names, started = [it.scan for it in self.policies], self.clock.elapsed()
        length = self.policies[0].budget_most + CLAIM_MARGIN_MS
        claim = claim_host(self.host, self.clock, owner="me", length=length, scans=names)
        assert isinstance(claim, HostClaim)
        jobs = [under(claim, self.job(it), self.clock) for it in self.policies]
        short = []
        for job in in_time(claim, jobs, self.clock, started=started):
            self.clock.advance(self.besides)
            outcome = scan_once(job.ports, job.policy, job.tally, workers=workers)
            short += [job.policy.scan] if outcome == "out-of-time" else []
        release_host(claim, self.clock, short_of_time=short)

    def tick(self) -> None:
        """Run every scan, then wait for the next five minutes."""
        ends = self.clock.now() + 5 * MINUTE
        self.invoke()
        self.clock.advance(max(0, ends - self.clock.now()))

    def behind(self) -> dict[str, int]:
        """Return how far each scan's coverage is behind what has settled, in ms."""
        now, found = self.clock.now(), {}
        for name, ledger in self.ledgers.items():
            ends = ledger.value()["coverage"]["first"]
            found[name] = now - 10 * MINUTE - (ends[-1][1] if ends else 0)
        return found


def most(sent: list[int], length: int) -> int:
    """Return the most requests that any interval of this length holds."""
    return max(sum(at <= it < at + length for it in sent) for at in sent)


@pytest.mark.parametrize("latency", [0, 3_000])
@pytest.mark.parametrize(("count", "per_minute"), [(2, 25), (20, 25), (40, 25), (6, 2)])
def test_no_minute_has_more_requests_than_the_tenant_allows(
    count: int, per_minute: int, latency: int
) -> None:
    """Neither the number of scans nor their backlogs and bursts matter."""
    app = App(scans(count, SCAN_REQUESTS_PER_MINUTE=str(per_minute)), per_minute, latency)

    for _ in range(7):
        app.tick()

    assert most(app.sent, MINUTE + latency) <= per_minute
    assert most(app.sent, HOUR) <= 60 * per_minute


def test_no_minute_across_two_invocations_has_more_requests_than_allowed() -> None:
    """The second one follows at once, and finds the slots that the first has left."""
    app = App(scans(3, SCAN_TIME_BUDGET="50s", SCAN_LOOKBACK="29d"), 5, 700)

    for _ in range(20):
        app.invoke()

    assert most(app.sent, MINUTE) == 5
    assert len(app.store.saves) == 2 * 20


def test_every_scan_gets_its_turn_where_a_minute_is_too_short_for_all() -> None:
    """However short the share of each is, it holds a request."""
    app = App(scans(48, SCAN_SLICE="15m"), 25, 3_000)

    for _ in range(12):
        app.tick()

    assert max(app.behind().values()) <= 20 * MINUTE


@pytest.mark.parametrize(("count", "slices"), [(40, "5m"), (48, "15m")])
def test_as_many_scans_as_the_documentation_says_keep_up_with_their_sweeps(
    count: int, slices: str
) -> None:
    """The app's scans are quiet and its API is slow, for a few hours."""
    app = App(scans(count, SCAN_SWEEPS="1h,2h", SCAN_SLICE=slices), 25, 3_000)
    app.besides = 2_000

    for _ in range(36):
        app.tick()

    for how in app.policies:
        ledger = decode(app.ledgers[how.scan].content or b"")
        due = sum(end - start for _, (start, end) in sweeps_due(ledger, app.clock.now(), how))
        assert due <= 2 * HOUR
    assert max(app.behind().values()) <= 20 * MINUTE


def test_a_scan_with_a_backlog_uses_what_the_others_leave() -> None:
    """Together the scans send nearly as many requests as it could alone."""
    quiet = scans(7)
    busy = replace(quiet[0], scan="busy", lookback=29 * 24 * HOUR, requests_per_minute=25)
    app = App((*quiet, busy), 25, 1_000)

    for _ in range(6):
        app.tick()

    alone = 6 * 4 * 25
    assert len(app.sent) >= 0.95 * alone
    assert app.ledgers["busy"].value()["pacing"]["requests"] >= 0.75 * alone
    assert max(it for name, it in app.behind().items() if name != "busy") <= 20 * MINUTE


def test_scans_that_all_have_a_backlog_divide_the_requests() -> None:
    """Nobody gets less than half of an equal share, however they follow each other."""
    app = App(scans(6, SCAN_LOOKBACK="29d"), 25, 1_000)

    for _ in range(5):
        app.tick()

    sent = [it.value()["pacing"]["requests"] for it in app.ledgers.values()]
    assert min(sent) >= sum(sent) / len(sent) / 2


def test_a_slot_comes_free_a_minute_after_the_answer() -> None:
    """The request may have arrived just before it was answered."""
    budget = SharedBudget(1)
    budget.take(0)
    assert budget.pause(30_000) == SLOT_MS > MINUTE

    budget.give_back(45_000)

    assert budget.pause(45_000) == SLOT_MS
    assert budget.pause(45_000 + SLOT_MS - 1) == 1
    assert budget.pause(45_000 + SLOT_MS) == 0


def test_requests_are_sent_evenly_after_a_burst() -> None:
    """The scans of a host together are as one scan; so none has to wait for a minute."""
    budget = SharedBudget(25)
    for _ in range(5):
        assert budget.pause(0) == 0
        budget.take(0)

    assert budget.pause(0) == 2_400
    budget.settle(0)
    assert budget.pause(1_000) == 1_400


def test_slots_of_others_count() -> None:
    """As many as are above a limit that was lowered have to come free."""
    budget = SharedBudget(2, taken=[3_000, 2_000, 1_000])

    assert budget.pause(0) == 2_000
    assert budget.taken(1_500) == (2_000, 3_000)
    assert budget.pause(2_000) == 0


def test_nothing_is_sent_at_the_end_of_a_claim() -> None:
    """A request could not be answered before others send theirs."""
    budget = SharedBudget(25, ends=10_000)

    assert (budget.left(9_000), budget.pause(9_000)) == (1_000, 0)
    assert (budget.left(9_001), budget.pause(9_001)) == (999, CLAIM_MOST_MS)
    assert budget.left(11_000) == 0


@pytest.mark.parametrize(
    ("before", "order"), [("", "abc"), ("a", "bca"), ("b", "cab"), ("c", "abc"), ("gone", "abc")]
)
def test_each_scan_is_first_in_its_turn(before: str, order: str) -> None:
    """A scan that was removed meanwhile does no harm."""
    assert "".join(in_turn(list("abc"), before)) == order


def test_scans_that_were_short_of_time_come_last_and_keep_their_order() -> None:
    """They divide what the others leave, and begin at the same time of each run."""
    order = in_order("abcd", turned=list("dabc"), short_of_time=("a", "d", "gone"))

    assert "".join(order) == "bcad"


def test_time_that_is_left_goes_to_those_that_follow() -> None:
    """Nobody gets less than an equal share, even if an earlier run took too long."""
    three = [policy(scan=it, budget=20_000, budget_most=60_000) for it in "abc"]

    assert allotted(three, 0, 0) == 20_000
    assert allotted(three, 1, 2_000) == 29_000
    assert allotted(three, 2, 4_000) == 56_000
    assert allotted(three, 2, 59_000) == 20_000


def test_a_run_that_cannot_wait_for_its_slot_ends_as_waiting() -> None:
    """Starting it again at once would be useless, unlike after it ran out of time."""
    app = App(scans(2, SCAN_TIME_BUDGET="15s"), 1, 0)
    app.invoke()
    asked = len(app.sent)
    (how, _), budget = app.policies, SharedBudget(1, taken=[app.clock.elapsed() + MINUTE])
    job = app.job(how)

    outcome = scan_once(replace(job.ports, budget=budget), how, job.tally, workers=workers)

    assert (outcome, len(app.sent)) == ("waiting", asked)
