"""Each run writes the status beside the ledger, as JSON and as a page."""

import json
import logging
from collections.abc import Callable

import pytest

from harness.at_once import workers
from shared.core.audit.status import Status
from shared.core.errors import StoreUnavailable
from shared.core.state.report import Tally
from shared.drawing import draw
from shared.ports import Ports
from shared.scan.publishing import MOST_MS
from shared.scan.reporting import Job, RunResult, run_and_report
from tests.fakes import HOUR, MINUTE, NOW, InMemoryDerived, policy
from tests.world import World

HOW = policy(lookback=3 * HOUR)
JSON, HTML = "scan=all/status.json", "scan=all/status.html"


class Refusing(InMemoryDerived):
    """A store that refuses to publish."""

    def publish(self, name: str, content: bytes, *, manifest: int) -> bool:
        """Refuse."""
        del content, manifest
        raise StoreUnavailable(f"{name}: no room")


class Slow(InMemoryDerived):
    """A store whose every publication takes as long as all may take."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world

    def publish(self, name: str, content: bytes, *, manifest: int) -> bool:
        """Publish slowly."""
        self.world.clock.advance(MOST_MS)
        return super().publish(name, content, manifest=manifest)


def report(
    world: World, derived: InMemoryDerived, how: Callable[[Status], bytes] = draw
) -> RunResult:
    """Do a run, and let it write what is derived into this store."""
    ports = Ports(
        source=world.source, ledgers=world.ledgers, results=world.results, clock=world.clock
    )
    tally = Tally(scan="all", run="r")
    job = Job(
        policy=HOW,
        ports=ports,
        derived=derived,
        draw=how,
        tally=tally,
        prepare=lambda: None,
        workers=workers,
    )
    result = run_and_report(job)
    derived.lines = world.ledgers.runs
    return result


def begun() -> World:
    """Return a world with activities."""
    return World([NOW - 2 * HOUR + MINUTE * n for n in range(60)])


def test_a_run_writes_the_status_as_json_and_as_a_page() -> None:
    """Both say the same, and know the newest manifest."""
    world, derived = begun(), InMemoryDerived()

    report(world, derived)

    told, _, manifest = derived.blobs[JSON]
    page, _, of_page = derived.blobs[HTML]
    assert json.loads(told)["verdict"] == "The scan is up to date."
    assert b">The scan is up to date.</h1>" in page
    assert manifest == of_page == world.ledgers.value()["head"]["number"]


def test_a_failed_run_writes_a_status_that_says_so() -> None:
    """It has read no ledger, so the page shows what the stored history and run log have."""
    world, derived = begun(), InMemoryDerived()
    report(world, derived)
    world.ledgers.content = b"{"
    report(world, derived)

    result = report(world, derived)

    told = json.loads(derived.blobs[JSON][0])
    assert result.outcome == "failed"
    assert told["verdict"] == "The last run failed."
    assert sum(it["records"] or 0 for it in told["week"]) == 60


def test_a_status_that_cannot_be_written_does_not_fail_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The log has a warning; the next run writes it again."""
    with caplog.at_level(logging.WARNING, logger="activity_scan"):
        result = report(begun(), Refusing())

    assert result.outcome == "idle"
    assert "the status could not be written: scan=all/status.json: no room" in caplog.text


def test_a_page_that_cannot_be_drawn_does_not_fail_the_run() -> None:
    """The JSON is written before."""
    derived = InMemoryDerived()

    def broken(status: Status) -> bytes:
        raise ZeroDivisionError(status.scan)

    assert report(begun(), derived, broken).outcome == "idle"
    assert set(derived.blobs) >= {JSON}
    assert HTML not in derived.blobs


def test_what_a_slow_store_did_not_take_in_time_is_left_to_the_next_run() -> None:
    """The platform ends an invocation that takes too long."""
    world = begun()
    derived = Slow(world)

    report(world, derived)

    assert JSON in derived.blobs
    assert HTML not in derived.blobs


def test_the_status_of_a_newer_manifest_stays() -> None:
    """A run that was suspended writes late."""
    world, derived = begun(), InMemoryDerived()
    derived.blobs[JSON] = (b"newer", 1, 10_000)

    report(world, derived)

    assert derived.blobs[JSON][0] == b"newer"
