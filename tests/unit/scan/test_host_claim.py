"""The claim on an API host: whose time counts, and what may be sent while it holds."""

from collections.abc import Callable

import pytest

from shared.core.model import Answer, NoAnswer, Request
from shared.core.state.host_budget import SLOT_MS
from shared.ports import SavedBudget
from shared.scan.host_claim import (
    Held,
    HostClaim,
    SharedHost,
    SourceWithinClaim,
    claim_host,
    release_host,
)
from shared.sharing import SharedBudget
from tests.fakes import MINUTE, NOW, FakeApi, FakeClock, InMemoryBudget

QUERY = Request(body=b'{"filters": {"date": {"gte": 1, "lte": 2}}}')

LENGTH = 2 * MINUTE


class SlowBudget(InMemoryBudget):
    """A budget whose storage takes its time before and after it writes its `Date`."""

    def __init__(self, clock: FakeClock, before: int, after: int) -> None:
        super().__init__(clock.now)
        self._clock = clock
        self._before = before
        self._after = after

    def load(self) -> SavedBudget:
        """Return the budget, slowly."""
        self._clock.advance(self._before)
        saved = super().load()
        self._clock.advance(self._after)
        return saved


slow = pytest.mark.parametrize(
    ("fraction", "before", "after"),
    [(0, 0, 0), (999, 0, 0), (0, 3_000, 0), (0, 0, 3_000), (999, 3_000, 3_000)],
)


def claimed(store: InMemoryBudget, clock: FakeClock) -> HostClaim:
    """Return a claim on a host that is free."""
    host = SharedHost(name="api:443", per_minute=2, store=store)
    claim = claim_host(host, clock, owner="me", length=LENGTH, scans=["a", "b"])
    assert isinstance(claim, HostClaim)
    return claim


@slow
def test_an_owner_sends_nothing_after_the_end_that_it_has_stored(
    fraction: int, before: int, after: int
) -> None:
    """Whatever part of a second the `Date` left out, and however slow storage was."""
    clock = FakeClock(NOW + fraction)
    store = SlowBudget(clock, before, after)

    claim = claimed(store, clock)

    left = store.value()["claimed_until"] - clock.now()
    assert 0 < claim.budget.left(clock.elapsed()) < left


@slow
def test_the_slots_of_one_owner_come_free_no_earlier_for_the_next(
    fraction: int, before: int, after: int
) -> None:
    """Nor more than some seconds later."""
    clock = FakeClock(NOW + fraction)
    store = SlowBudget(clock, before, after)
    claim = claimed(store, clock)
    for _ in range(2):
        claim.budget.take(clock.elapsed())
    ended = clock.now()
    release_host(claim, clock, short_of_time=())

    clock.advance(10_000)
    budget = claimed(store, clock).budget
    free = clock.now() + budget.pause(clock.elapsed())

    assert ended + SLOT_MS <= free <= ended + SLOT_MS + 3_000 + 2 * (before + after)


@slow
def test_the_next_owner_waits_until_a_minute_after_a_claim_that_was_never_released(
    fraction: int, before: int, after: int
) -> None:
    """It may claim the host at the end of that claim."""
    clock = FakeClock(NOW + fraction)
    store = SlowBudget(clock, before, after)
    claimed(store, clock)
    ends = store.value()["claimed_until"]
    host = SharedHost(name="api:443", per_minute=2, store=store)

    clock.advance(ends - clock.now() - before - 1)
    assert isinstance(claim_host(host, clock, owner="you", length=LENGTH, scans=["a"]), Held)
    clock.advance(before + after + 1_000)
    budget = claimed(store, clock).budget
    free = clock.now() + budget.pause(clock.elapsed())

    assert ends + SLOT_MS <= free <= ends + SLOT_MS + 3_000 + 2 * (before + after)


def within(left: int) -> tuple[FakeApi, Callable[[float], Answer | NoAnswer]]:
    """Return an API, and what asks it with so many ms of the claim left."""
    clock = FakeClock()
    api = FakeApi([], clock=clock)
    source = SourceWithinClaim(api, SharedBudget(25, ends=clock.elapsed() + left), clock)
    return api, lambda timeout: source.ask(QUERY, timeout=timeout)


@pytest.mark.parametrize(("left", "timeout"), [(5_000, 5), (60_000, 30)])
def test_a_request_is_awaited_no_longer_than_the_claim_holds(left: int, timeout: float) -> None:
    """Its answer could come after the next owner has begun."""
    api, ask = within(left)

    ask(30)

    assert api.timeouts == [timeout]


def test_a_request_is_not_sent_when_less_than_a_second_of_the_claim_is_left() -> None:
    """A step may have taken long to get so far: it read what the parts hold, for example."""
    api, ask = within(999)

    assert ask(30) == NoAnswer(kind="unsent", detail="the claim on the API host has ended")
    assert api.asked == []


def test_a_token_is_renewed_at_the_source() -> None:
    """The claim has nothing to do with it."""
    api = FakeApi([], clock=FakeClock())
    api.renewable = True

    assert SourceWithinClaim(api, SharedBudget(25), api.clock).renew_token()
    assert api.renewed == 1
