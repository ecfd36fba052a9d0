"""What needs a person over the runs of a scan: noted as each ends, and in every report line."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.at_once import workers
from shared.core.audit import history as histories
from shared.core.audit.attention import WrongList
from shared.core.audit.history import Hour, Look
from shared.core.errors import StoreUnavailable, TokenRefused
from shared.core.model import FIRST_PASS, Policy
from shared.core.state.layout import history_name, status_name
from shared.core.state.report import Tally
from shared.ports import Ports
from shared.scan.reporting import Job, run_and_report
from tests.fakes import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    Crash,
    Effects,
    InMemoryDerived,
    InMemoryLedger,
    policy,
    status,
)
from tests.world import World

HOW = policy(lookback=6 * HOUR, sweeps=())


def world_of(hours: int = 6) -> World:
    """Return a world with an activity every minute."""
    return World(range(NOW - hours * HOUR, NOW, MINUTE), page=100)


def line_of(
    world: World,
    how: Policy = HOW,
    derived: InMemoryDerived | None = None,
    wrong_list: WrongList | None = None,
) -> dict[str, Any]:
    """Do a run that reports, and return its line."""
    ports = Ports(
        source=world.source, ledgers=world.ledgers, results=world.results, clock=world.clock
    )
    job = Job(
        policy=how,
        ports=ports,
        derived=derived or InMemoryDerived(),
        tally=Tally(scan="all", run="reporting"),
        prepare=lambda: None,
        workers=workers,
        draw=lambda _: b"",
        wrong_list=wrong_list,
    )
    line: dict[str, Any] = json.loads(run_and_report(job).line)
    return line


def kinds(line: dict[str, Any]) -> list[str]:
    """Return the kinds of what needs a person by a report line."""
    return [it["kind"] for it in line["attention"]]


def stuck(world: World, hours: int, *, step: int = 10 * MINUTE) -> list[dict[str, Any]]:
    """Let the API fail for hours, and return the report lines of that time."""
    world.api.always = lambda _: status(500)
    lines = []
    for _ in range(hours * HOUR // step):
        world.clock.advance(step)
        lines.append(line_of(world))
    return lines


def test_an_outage_needs_a_person_once_the_scan_has_been_behind_for_an_hour() -> None:
    """The report line says so early, and its warnings say the same."""
    world = world_of()
    world.run_until_idle(HOW)

    lines = stuck(world, 3)

    behind = [kinds(it) == ["lag"] for it in lines]
    first = behind.index(True)
    assert lines[first]["lag_seconds"] > 2 * HOUR / 1000
    assert all(behind[first:])
    (entry,) = lines[-1]["attention"]
    assert lines[-1]["warnings"][-1] == f"{entry['text']}: see docs/runbook.md#behind"
    assert list(lines[-1])[:6] == ["event", "scan", "api", "outcome", "run", "attention"]


def test_a_scan_that_has_caught_up_needs_nobody() -> None:
    """The condition ends with the run that finds nothing due."""
    world = world_of()
    world.run_until_idle(HOW)
    assert kinds(stuck(world, 3)[-1]) == ["lag"]
    world.api.always = lambda _: None

    world.run_until_idle(HOW)

    assert line_of(world)["attention"] == []
    assert world.ledgers.value()["conditions"] == {}


def test_a_new_scan_that_works_off_its_lookback_needs_nobody() -> None:
    """It begins days back."""
    world = World(range(NOW - 3 * DAY, NOW, MINUTE), page=50)
    how = policy(lookback=3 * DAY, sweeps=(), requests_per_minute=2, budget=240_000)

    lines = list[dict[str, Any]]()
    while not lines or lines[-1]["outcome"] != "idle":
        lines.append(line_of(world, how))
        world.clock.advance(5 * MINUTE)

    assert len(lines) > 12
    assert [it for it in lines if it["attention"]] == []


def test_a_failed_run_notes_what_it_finds_and_reports_it() -> None:
    """The sign-in is refused for hours: the alert about that is another."""
    world = world_of()
    world.run_until_idle(HOW)
    world.api.always = lambda _: status(401)

    for _ in range(20):
        world.clock.advance(10 * MINUTE)
        line = line_of(world)

    assert (line["outcome"], kinds(line)) == ("failed", ["lag"])
    assert [it[1] for it in world.ledgers.value()["runs"]][-20:] == ["failed"] * 20


def test_a_note_that_cannot_be_made_hides_no_error_and_keeps_no_claim() -> None:
    """What ended the run may be what the note stumbles over."""
    world = world_of()
    world.run_until_idle(HOW)
    world.clock.advance(HOUR)
    world.api.always = lambda _: status(401)
    noted = world.ledgers.value()["runs"]

    with pytest.raises(TokenRefused):
        world.run(policy(lookback=6 * HOUR, sweeps=(), lag_alert=None))

    assert world.ledgers.value()["claimed_until"] == 0
    assert world.ledgers.value()["runs"] == noted


class Full(InMemoryLedger):
    """A store of which only reading works."""

    def save(self, content: bytes, *, etag: str | None) -> str:
        """Refuse to save."""
        raise StoreUnavailable(f"no room for {len(content)} bytes instead of {etag}")


def test_a_run_that_cannot_save_reports_what_is_stored() -> None:
    """An outage of storage does not change since when the scan is behind."""
    world = world_of()
    world.run_until_idle(HOW)
    (before,) = stuck(world, 3)[-1]["attention"]
    world.clock.advance(10 * MINUTE)
    full = Full()
    full.content = world.ledgers.content
    world.ledgers = full

    line = line_of(world)

    assert line["outcome"] == "failed"
    assert [(it["kind"], it["since"]) for it in line["attention"]] == [("lag", before["since"])]


def test_a_busy_run_reports_what_is_stored() -> None:
    """Another run holds the scan and will note what it finds."""
    world = world_of()
    world.run_until_idle(HOW)
    (before,) = stuck(world, 3)[-1]["attention"]
    value = world.ledgers.value()
    value["claimed_until"] = world.clock.now() + 4 * MINUTE
    world.ledgers.content = json.dumps(value).encode()

    line = line_of(world)

    assert line["outcome"] == "busy"
    assert [(it["kind"], it["since"]) for it in line["attention"]] == [("lag", before["since"])]


def test_a_run_that_did_not_read_the_ledger_reports_nothing_about_it() -> None:
    """No list is not an empty list."""
    world = world_of()
    world.run_until_idle(HOW)
    world.ledgers.content = b"{"

    assert "attention" not in line_of(world)


def test_a_paused_run_reports_a_pause_that_lasts_and_no_lag() -> None:
    """Nothing is collected, as somebody wanted it."""
    world = world_of()
    world.run_until_idle(HOW)
    value = world.ledgers.value()
    value["pause"] = {"since": world.clock.now(), "until": None, "by": "ann", "reason": ""}
    world.ledgers.content = json.dumps(value).encode()

    seen = set[tuple[str, ...]]()
    for _ in range(30):
        world.clock.advance(HOUR)
        line = line_of(world)
        seen.add(tuple(kinds(line)))

    assert line["outcome"] == "paused"
    assert seen == {(), ("paused",)}
    assert line["lag_seconds"] > DAY / 1000


def test_a_quiet_scan_is_reported_since_when_its_history_says() -> None:
    """The history is read after the release, so nothing about it is in the ledger."""
    world, derived = quiet_world()

    line = line_of(world, derived=derived)

    assert line["quiet_hours"] == 4
    assert [(it["kind"], it["since"]) for it in line["attention"]] == [("quiet", NOW - 4 * HOUR)]


def quiet_world() -> tuple[World, InMemoryDerived]:
    """Return a world, and its history with four hours in which nothing came."""
    world, derived = world_of(), InMemoryDerived()
    world.run_until_idle(HOW)
    line_of(world, derived=derived)
    kept = derived.read(history_name("all"))
    history = histories.decode(kept.content or b"")
    assert history
    for at in range(NOW - 35 * DAY, NOW, HOUR):
        records = 0 if at >= NOW - 4 * HOUR else 200
        history.hours[at] = Hour(records=records, passes={FIRST_PASS: Look(covered=HOUR, at=at)})
    derived.save(
        history_name("all"),
        histories.encode(history),
        etag=kept.etag,
        manifest=history.through,
    )
    return world, derived


def test_a_busy_run_of_a_quiet_scan_says_so_too() -> None:
    """The alerts read the newest line, and would end with one that does not."""
    world, derived = quiet_world()
    held = {**world.ledgers.value(), "claimed_until": world.clock.now() + MINUTE}
    world.ledgers.content = json.dumps(held).encode()

    line = line_of(world, derived=derived)

    assert line["outcome"] == "busy"
    assert (line["quiet_hours"], kinds(line)) == (4, ["quiet"])


def test_a_loss_is_noted_with_the_time_when_it_was_declared() -> None:
    """A person hears of it for a day."""
    world = world_of()
    world.run_until_idle(HOW)
    world.clock.advance(40 * DAY)

    line = line_of(world)

    assert "lost" in kinds(line)
    declared = [json.loads(it) for it in world.results.manifests.values()]
    newest = max(it["made"] for it in declared if it["lost"])
    assert world.ledgers.value()["lost_at"] == newest > NOW + 39 * DAY


def test_a_run_whose_time_cannot_be_trusted_notes_nothing() -> None:
    """The next run claims with another time."""
    world = world_of()
    world.run_until_idle(HOW)
    noted = world.ledgers.value()["runs"]
    world.clock.advance(HOUR)
    world.api.always = _step(world)

    assert world.run(HOW) == "clocks differ"

    assert world.ledgers.value()["runs"] == noted


def _step(world: World) -> Callable[[dict[str, Any]], None]:
    def answer(_asked: dict[str, Any]) -> None:
        world.clock.wall += HOUR

    return answer


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_run_that_dies_at_its_release_leaves_nothing_stuck(how: str) -> None:
    """The list of runs lacks it, or has it; the next run notes what it finds."""
    world = world_of()
    world.run_until_idle(HOW)
    stuck(world, 3)
    effects = Effects()
    world.share(effects)
    world.clock.advance(10 * MINUTE)
    world.run(HOW)
    since = world.ledgers.value()["conditions"]["lag"]
    count = len(effects.done)

    world.clock.advance(10 * MINUTE)
    world.share(Effects(at=count, how=how))
    with pytest.raises(Crash):
        world.run(HOW)
    world.share(Effects())
    world.clock.advance(10 * MINUTE)

    line = line_of(world)
    assert [(it["kind"], it["since"]) for it in line["attention"]] == [("lag", since)]


def test_a_wrong_list_of_scans_is_in_the_report_and_on_the_page() -> None:
    """The alerts read the one, and people the other."""
    derived = InMemoryDerived()

    line = line_of(world_of(), derived=derived, wrong_list=WrongList(since=NOW, problems=("why",)))

    (entry,) = line["attention"]
    assert (entry["kind"], entry["since"]) == ("scan-list", NOW)
    assert f"{entry['text']}: see {entry['help']}" in line["warnings"]
    page = json.loads(derived.blobs[status_name("all", "json")][0])
    assert [it["kind"] for it in page["attention"]] == ["scan-list"]
