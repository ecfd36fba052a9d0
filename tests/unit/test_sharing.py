"""Several scans in one app: together they keep to one request budget."""

import json

import pytest

from harness.at_once import workers
from shared.core.model import Pacing, Policy
from shared.core.state import pacing
from shared.core.state.capacity import limit_per_day
from shared.core.state.ledger import decode
from shared.core.state.report import Tally
from shared.core.state.sweeps import sweeps_due
from shared.ports import Ports
from shared.scan import scan_once
from shared.settings import read_settings
from shared.sharing import SharedBudget, in_turn
from tests.fakes import HOUR, MINUTE, NOW, FakeApi, FakeClock, InMemoryLedger, InMemoryResults
from tests.world import World

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
    """

    def __init__(self, policies: tuple[Policy, ...], per_minute: int, latency: int) -> None:
        self.clock = FakeClock(NOW)
        self.policies = policies
        self.per_minute = per_minute
        self.budget = SharedBudget(per_minute)
        self.api = FakeApi([], clock=self.clock)
        self.api.latency = latency
        self.sent: list[int] = []
        self.api.always = lambda _: self.sent.append(self.clock.now() - latency)
        self.ledgers = {it.scan: InMemoryLedger() for it in policies}
        self.results = {it.scan: InMemoryResults() for it in policies}

    def tick(self) -> None:
        """Run every scan, then wait for the next five minutes."""
        started, ends = self.clock.elapsed(), self.clock.now() + 5 * MINUTE
        order = in_turn(self.policies, self.per_minute, self.clock.now())
        for place, policy in enumerate(order):
            spent = self.clock.elapsed() - started
            self.clock.sleep(self.budget.pause_before(order, place, self.clock.elapsed(), spent))
            ports = Ports(
                source=self.api,
                ledgers=self.ledgers[policy.scan],
                results=self.results[policy.scan],
                clock=self.clock,
                budget=self.budget,
            )
            scan_once(ports, policy, Tally(scan=policy.scan, run="run"), workers=workers)
        self.clock.advance(max(0, ends - self.clock.now()))

    def behind(self) -> list[int]:
        """Return how far each scan's coverage is behind what has settled, in ms."""
        now = self.clock.now()
        ends = [it.value()["coverage"]["first"] for it in self.ledgers.values()]
        return [now - 10 * MINUTE - (end[-1][1] if end else 0) for end in ends]


@pytest.mark.parametrize("latency", [0, 3_000])
@pytest.mark.parametrize(("count", "per_minute"), [(2, 25), (20, 25), (40, 25), (6, 2)])
def test_no_minute_or_hour_has_more_requests_than_the_tenant_allows(
    count: int, per_minute: int, latency: int
) -> None:
    """Neither the number of scans nor their backlogs and bursts matter."""
    app = App(scans(count, SCAN_REQUESTS_PER_MINUTE=str(per_minute)), per_minute, latency)

    for _ in range(13):
        app.tick()

    sent = app.sent
    assert max(sum(at <= it < at + MINUTE for it in sent) for at in sent) <= per_minute
    assert max(sum(at <= it < at + HOUR for it in sent) for at in sent) <= 60 * per_minute


def test_every_scan_gets_its_turn_where_a_minute_is_too_short_for_all() -> None:
    """Before it begins, a scan waits for as long as the others have left of their time."""
    app = App(scans(48, SCAN_SLICE="15m"), 25, 3_000)

    for _ in range(12):
        app.tick()

    assert max(app.behind()) <= 20 * MINUTE


@pytest.mark.parametrize(
    ("count", "settings"), [(8, {}), (24, {"SCAN_SLICE": "15m"})], ids=["8", "24, long slices"]
)
def test_as_many_scans_as_the_documentation_says_keep_up_with_their_sweeps(
    count: int, settings: dict[str, str]
) -> None:
    """The app's scans are quiet and its API is slow, for a few hours."""
    app = App(scans(count, SCAN_SWEEPS="2h,3h", **settings), 25, 3_000)

    for _ in range(60):
        app.tick()

    for policy in app.policies:
        ledger = decode(app.ledgers[policy.scan].content or b"")
        due = sum(end - start for _, (start, end) in sweeps_due(ledger, app.clock.now(), policy))
        assert due <= 2 * HOUR
    assert max(app.behind()) <= 20 * MINUTE


@pytest.mark.parametrize(
    ("count", "per_minute", "share"),
    [
        (1, 25, (25, None)),
        (25, 25, (1, None)),
        (26, 25, (1, 57)),
        (40, 25, (1, 37)),
        (3, 1, (1, 20)),
    ],
)
def test_a_share_below_one_a_minute_is_counted_per_hour(
    count: int, per_minute: int, share: tuple[int, int | None]
) -> None:
    """It is rounded down, so that the shares together never exceed the whole."""
    policies = scans(count, SCAN_REQUESTS_PER_MINUTE=str(per_minute))

    assert {(it.requests_per_minute, it.requests_per_hour) for it in policies} == {share}
    assert sum(limit_per_day(it) for it in policies) <= per_minute * 60 * 24


@pytest.mark.parametrize("per_hour", [1, 7, 37, 59])
def test_no_hour_has_more_requests_than_the_share(per_hour: int) -> None:
    """Each request waits for one gap after the last, even after a rest."""
    state, now, sent = Pacing(), NOW, list[int]()

    for number in range(200):
        now = pacing.next_allowed(state, now, 1, per_hour)
        state = pacing.note_request(state, now)
        sent.append(now)
        now += 5 * HOUR if number == 100 else 0

    assert max(sum(at <= it < at + HOUR for it in sent) for at in sent) == per_hour


def test_a_run_that_cannot_wait_for_its_slot_ends_as_waiting() -> None:
    """Starting it again at once would be useless, unlike after it ran out of time."""
    world = World([])
    how = scans(40)[0]
    assert world.run(how) == "waiting"
    asked = len(world.api.asked)

    assert world.run(how) == "waiting"

    assert len(world.api.asked) == asked
