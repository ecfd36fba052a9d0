"""How far a run has come: the rate, what is left, and an estimate."""

import re

import msgspec

from harness.at_once import workers
from shared.core.model import Ledger
from shared.core.state import ledger as ledgers
from shared.core.state.report import Tally
from shared.operate.gauging import Gauge, RunGauge, time_left
from shared.ports import Ports
from shared.scan import scan_once
from tests.displays import Said
from tests.fakes import HOUR, MINUTE, NOW, FakeClock, policy
from tests.world import World

change = msgspec.structs.replace


class Ticked(Said):
    """A `Display` that remembers what changes every second, too."""

    def tick(self, text: str) -> None:
        """Remember."""
        self.lines.append(text)


def test_a_pace_is_stated_once_it_says_something() -> None:
    """It takes five seconds."""
    clock = FakeClock()
    gauge = Gauge(clock)
    clock.advance(4_000)
    assert (gauge.rate(100), gauge.left(1, 1)) == ("", "")

    clock.advance(26_000)

    assert gauge.rate(100) == ", 200 a minute"
    assert gauge.left(1, 3) == ", about 1 min 30 s left"
    assert (gauge.rate(0), gauge.left(0, 3), gauge.left(1, 0)) == ("", "", "")


def test_what_is_left_is_that_of_every_pass() -> None:
    """First pass, rescans and sweeps together."""
    how = policy(lookback=5 * HOUR)
    begun = ledgers.begin(how, NOW)
    covered: Ledger = change(
        begun,
        coverage={"first": ((NOW - 5 * HOUR, NOW - 10 * MINUTE),), "rescan-7": ()},
        rescans={"rescan-7": ((NOW - HOUR, NOW - 30 * MINUTE),)},
    )

    assert time_left(begun, how, NOW) == 5 * HOUR - 10 * MINUTE
    # The sweep of two hours is due over the oldest three; the rescan comes on top.
    assert time_left(covered, how, NOW) == 3 * HOUR + 30 * MINUTE


def test_a_run_shows_how_it_comes_along() -> None:
    """After each save: what it has done, how fast, and what is left."""
    world = World(range(NOW - 5 * HOUR, NOW, MINUTE), page=40)
    world.api.latency = 3_000
    how = policy(lookback=5 * HOUR, sweeps=())
    said = Ticked()
    gauge = RunGauge(said, world.clock)
    tally = Tally(scan="all", run="r")
    store = gauge.watched(world.ledgers, tally, how)
    ports = Ports(source=world.api, ledgers=store, results=world.results, clock=world.clock)

    scan_once(ports, how, tally, workers=workers)

    assert said.lines[0] == "all: 0 requests, 0 activities; 4.8 h still to scan"
    assert said.lines[-1] == "all: 18 requests, 290 activities, 322 a minute"
    halfway = next(line for line in said.lines if " a minute; " in line and "about" in line)
    assert re.fullmatch(
        r"all: \d+ requests, \d+ activities, \d+ a minute; \d\.\d h still to scan, about .* left",
        halfway,
    )


def test_nothing_is_shown_before_the_ledger_is_read() -> None:
    """There is nothing to tell yet."""
    said = Ticked()

    RunGauge(said, FakeClock()).show(Tally(scan="all", run="r"), policy())

    assert said.lines == []


def test_everything_else_is_the_store_s_own() -> None:
    """A save is told of after it has happened."""
    world = World([])
    store = RunGauge(Ticked(), world.clock).watched(
        world.ledgers, Tally(scan="all", run="r"), policy()
    )

    etag = store.save(b"one", etag=None)
    store.append_run("line", now=NOW)
    store.put_in_quarantine(1, b"x", metadata={})

    assert store.load().etag == etag
    assert list(store.report_lines()) == ["line"]
    assert world.ledgers.quarantine == {1: (b"x", {})}
