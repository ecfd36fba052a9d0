"""Runs use the whole request budget while there is work, and never more."""

import pytest

from shared.core.model import Answer, NoAnswer, Request
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy, status
from tests.world import World


class Stopwatch:
    """A source that records when each request is sent."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent: list[int] = []

    def ask(self, request: Request, *, timeout: float) -> Answer | NoAnswer:
        """Note the time and ask the fake."""
        self.sent.append(self.world.clock.now())
        return self.world.api.ask(request, timeout=timeout)

    def renew_token(self) -> bool:
        """Ask the fake."""
        return self.world.api.renew_token()


def backlog(*, page: int = 10) -> tuple[World, Stopwatch]:
    """Return a world whose scan has work for hours."""
    world = World(range(NOW - 20 * HOUR, NOW, 40_000), page=page)
    source = Stopwatch(world)
    world.source = source
    return world, source


@pytest.mark.parametrize("lanes", [1, 3])
@pytest.mark.parametrize(("latency", "per_minute"), [(300, 25), (1000, 25), (2000, 25), (3000, 18)])
def test_runs_back_to_back_send_95_per_cent_of_the_limit(
    latency: int, per_minute: int, lanes: int
) -> None:
    """The end of one run and the beginning of the next cost less than a twentieth."""
    world, source = backlog(page=3)
    world.api.latency = latency
    how = policy(sweeps=(), lookback=19 * HOUR, requests_per_minute=per_minute, concurrency=lanes)

    for number in range(1, 4):
        assert world.run(how) == "out-of-time"
        world.clock.wall = max(world.clock.wall, NOW + number * how.budget)

    assert len(source.sent) >= 0.95 * per_minute * 3 * how.budget / MINUTE


@pytest.mark.parametrize("per_minute", [1, 2, 4, 9, 25])
def test_a_run_with_work_due_does_not_end_because_of_its_own_pacing(per_minute: int) -> None:
    """It waits for its next slot, however small its request budget is."""
    world, source = backlog()
    how = policy(sweeps=(), lookback=19 * HOUR, requests_per_minute=per_minute)

    outcome = world.run(how)

    left = how.budget - (world.clock.now() - NOW)
    assert outcome == "out-of-time"
    assert left <= MINUTE / per_minute + 5_000
    assert len(source.sent) >= 0.95 * per_minute * how.budget // MINUTE


def test_a_resumed_scan_is_no_faster_than_its_limit() -> None:
    """It does not send the requests that a pause left unused in a rush."""
    world, source = backlog()
    how = policy(sweeps=(), lookback=19 * HOUR, requests_per_minute=25, budget=40_000)

    for pause in (0, 5_000, 20_000, 50_000, 1_000):
        world.run(how)
        world.clock.advance(pause)

    for number, at in enumerate(source.sent):
        lately = [it for it in source.sent[:number] if at - MINUTE < it]
        assert len(lately) < 25
        assert len(lately) < 5 or at - lately[-1] >= 2_400


def test_a_slot_that_comes_after_the_time_budget_is_left_to_the_next_run() -> None:
    """A run that is shorter than the wait ends at once, and says that it waits."""
    world, source = backlog()
    how = policy(sweeps=(), lookback=19 * HOUR, requests_per_minute=1, budget=20_000)
    world.run(how)
    before = world.clock.now()

    outcome = world.run(how)

    assert (outcome, world.clock.now(), len(source.sent)) == ("waiting", before, 1)


@pytest.mark.parametrize(("wait", "ends"), [("5", False), ("6", True)])
def test_only_a_throttle_of_a_few_seconds_is_waited_for(wait: str, ends: bool) -> None:  # noqa: FBT001
    """A longer throttle ends the run, and the ledger remembers it."""
    world, source = backlog()
    world.api.replies[1] = status(429, retry_after=wait)

    outcome = world.run(policy(sweeps=(), lookback=DAY, requests_per_minute=25))

    assert (outcome == "waiting") == ends
    assert (len(source.sent) == 1) == ends
