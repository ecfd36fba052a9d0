"""Status: the verdict in words, what needs a person, and what each hour is."""

import json

import pytest

from shared.core.audit import history as histories
from shared.core.audit.attention import WrongList
from shared.core.audit.history import Hour, Look
from shared.core.audit.status import Status, status_of
from shared.core.audit.status import encode as encode_status
from shared.core.model import FIRST_PASS, Policy
from shared.core.state import ledger as ledgers
from shared.core.state.report import Outcome, encode, report_fields
from shared.operate.status import lines_of, read_status
from shared.scan.history import take_in
from tests.fakes import DAY, HOUR, MINUTE, NOW, InMemoryDerived, policy, status
from tests.world import World

SWEEPS = (("sweep-24h", 24 * HOUR),)
HOW = policy(lookback=6 * HOUR, sweeps=SWEEPS)


def seen(world: World, how: Policy = HOW, *, lines: list[str] | None = None) -> Status:
    """Return the status of a world as `status` reads it, with the last run's report."""
    derived = InMemoryDerived()
    derived.lines = lines or []
    content = world.ledgers.load().content
    if content:
        take_in(ledgers.decode(content), world.results, derived, world.clock)
    return read_status(world.ledgers, derived, how, now=world.clock.now())


def line(world: World, outcome: Outcome, error: Exception | None = None) -> str:
    """Return the report line of the last run."""
    return encode(report_fields(world.tally, HOW, outcome, duration=1_000, error=error))


def healthy() -> World:
    """Return a world whose scan is up to date."""
    world = World([NOW - 6 * HOUR + 60_000 * n for n in range(300)], page=100)
    world.run_until_idle(HOW)
    return world


def test_a_healthy_scan_is_up_to_date_and_needs_nobody() -> None:
    """Every hour of it is complete."""
    world = healthy()

    found = seen(world, lines=[line(world, "idle")])

    assert (found.tone, found.verdict) == ("good", "The scan is up to date.")
    assert (found.attention, found.quiet_hours) == ((), 0)
    states = [it.state for it in found.cells]
    assert states[-8:] == ["outside", *["complete"] * 5, "in progress", "outside"]
    assert sum(it.records for it in found.cells) == 300
    assert [it.outcome for it in found.runs] == ["idle"]


def test_a_status_has_the_head_of_the_chain_and_the_request_budget() -> None:
    """As the report line of the last run has them."""
    world = healthy()
    reported = report_fields(world.tally, HOW, "idle", duration=0)

    found = seen(world)

    assert (found.head.number, found.head.sha256) == (
        reported["manifest"],
        reported["manifest_sha256"],
    )
    assert found.budget is not None
    assert found.budget.first == reported["requests_per_day_first"]


def test_a_list_of_scans_that_is_not_in_use_needs_somebody() -> None:
    """The scan itself is up to date."""
    ledger = ledgers.decode(healthy().ledgers.load().content or b"")
    wrong = WrongList(since=NOW, problems=("SCAN_LIMIT is '1'",))

    found = status_of(ledger, histories.empty("all"), [], HOW, now=NOW, wrong_list=wrong)

    assert [it.kind for it in found.attention] == ["scan-list"]


def test_time_that_no_pass_will_look_at_again_is_final() -> None:
    """After the last sweep."""
    world = healthy()
    world.clock.advance(30 * HOUR)
    world.run_until_idle(HOW)

    states = [it.state for it in seen(world).cells]

    assert states.count("final") >= 6
    assert states.count("complete") >= 20


def test_a_scan_that_never_ran_says_so() -> None:
    """There is no ledger yet."""
    found = seen(World([]))

    assert (found.tone, found.verdict) == ("notice", "The scan has not run yet.")


def test_a_brand_new_scan_reads_the_time_before_it() -> None:
    """It is behind, which is normal on its first day only."""
    world = World([NOW - HOUR])
    world.api.replies = {n: status(500) for n in range(1, 99)}
    world.run(HOW)

    found = seen(world, lines=[line(world, "waiting")])

    assert (found.tone, found.verdict) == (
        "notice",
        "The scan has just begun and is collecting earlier activities.",
    )
    world.clock.advance(DAY)
    world.run(HOW)
    assert seen(world).verdict.startswith("The scan is 30 h behind")


def test_an_empty_tenant_is_up_to_date_without_activities() -> None:
    """Nothing happened, and nothing is wrong."""
    world = World([])
    world.run_until_idle(HOW)

    found = seen(world)

    assert (found.tone, found.verdict) == (
        "good",
        "The scan is up to date and has found no activity.",
    )


def test_a_backlog_is_behind_and_catches_up() -> None:
    """With the time that is missing."""
    world = World([NOW - 6 * HOUR + 60_000 * n for n in range(300)], page=100)
    world.run_until_idle(HOW)
    world.clock.advance(5 * HOUR)
    world.api.replies = {n: status(503) for n in range(1, 99)}
    world.run(HOW)

    found = seen(world)

    assert (found.tone, found.verdict) == ("warning", "The scan is 5 h behind and catching up.")
    assert found.attention == ()

    world.clock.advance(HOUR)
    world.run(HOW)
    (entry,) = seen(world).attention
    assert (entry.kind, entry.help) == ("lag", "docs/runbook.md#behind")


def test_nobody_says_when_the_backlog_of_a_paused_scan_will_be_gone() -> None:
    """Once the pause is over, it follows from what the runs can send."""
    world = healthy()
    world.clock.advance(5 * HOUR)
    value = world.ledgers.value()
    value["pause"] = {"since": NOW, "until": world.clock.now() + HOUR, "by": "ann", "reason": ""}
    world.ledgers.content = json.dumps(value).encode()

    assert seen(world).backlog_gone is None

    world.clock.advance(HOUR)
    gone = seen(world).backlog_gone
    assert gone is not None
    assert gone > world.clock.now()


def test_a_backlog_that_no_run_reduces_does_not_catch_up() -> None:
    """The runs can send nothing beside the needs of new time, as far as they say."""
    world = healthy()
    world.clock.advance(5 * HOUR)
    world.api.replies = {n: status(503) for n in range(1, 99)}
    world.run(HOW)
    value = world.ledgers.value()
    value["load"] = {}
    world.ledgers.content = json.dumps(value).encode()

    assert seen(world).verdict == "The scan is 5 h behind and not catching up yet."


def test_a_scan_that_needs_more_than_its_budget_falls_further_behind() -> None:
    """Whatever the last runs achieved."""
    world = healthy()
    world.clock.advance(5 * HOUR)
    world.api.replies = {n: status(503) for n in range(1, 99)}
    world.run(HOW)
    value = world.ledgers.value()
    value["load"] = {str(NOW - 5 * HOUR): [10_000, MINUTE]}
    world.ledgers.content = json.dumps(value).encode()

    assert seen(world).verdict == "The scan is 5 h behind and falling further behind."


def test_a_scan_whose_runs_no_longer_begin_does_not_run() -> None:
    """The page that its last run wrote would still look well."""
    world = healthy()
    world.clock.advance(3 * HOUR)

    found = seen(world)

    assert (found.tone, found.verdict) == ("bad", "The scan has not run for 3 h.")


@pytest.mark.parametrize(
    ("later", "verdict"), [(0, "The scan is up to date"), (1, "The scan has not run for")]
)
def test_a_scan_does_not_run_once_no_run_has_begun_for_longer_than_an_hour(
    later: int, verdict: str
) -> None:
    """A timer that fires once an hour is not late."""
    ledger = ledgers.decode(healthy().ledgers.load().content or b"")
    now = ledger.pacing.starts[-1] + HOUR + later

    found = status_of(ledger, histories.empty("all"), [], policy(settle=2 * HOUR), now=now)

    assert found.verdict.startswith(verdict)


def test_time_that_will_soon_be_out_of_reach_is_the_most_urgent_thing_to_say() -> None:
    """It is more urgent than what is lost already."""
    world = healthy()
    value = world.ledgers.value()
    value["origin"] = value["settled_until"] = NOW - 28 * DAY
    value["lost_at"] = NOW
    world.ledgers.content = json.dumps(value).encode()

    found = seen(world)

    assert (found.tone, found.verdict) == ("bad", "Activities will be lost soon.")


def test_a_paused_scan_says_until_when_by_whom_and_why() -> None:
    """A pause whose time is over is no longer said."""
    world = healthy()
    value = world.ledgers.value()
    pause = {"since": NOW, "until": NOW + HOUR, "by": "ann", "reason": "The tenant moves."}

    def said(**changes: object) -> tuple[str, str]:
        value["pause"] = {**pause, **changes}
        world.ledgers.content = json.dumps(value).encode()
        found = seen(world)
        return found.tone, found.verdict

    assert said() == (
        "notice",
        "The scan is paused until 2026-11-23 13:00:00 UTC, by ann: The tenant moves.",
    )
    assert said(until=None, reason="") == (
        "notice",
        "The scan is paused until somebody resumes it, by ann.",
    )
    assert said(until=NOW) == ("good", "The scan is up to date.")
    value["lost_at"] = NOW
    assert said()[0] == "bad"


def test_delay_now_is_the_age_of_the_newest_time_that_is_read() -> None:
    """It is known as soon as anything is read."""
    world = healthy()

    assert seen(world).delay == (world.clock.now() - NOW + 10 * MINUTE) / 1000
    assert seen(World([])).delay is None


def test_delay_is_never_negative() -> None:
    """The clock of the last run may have been fast."""
    ledger = ledgers.decode(healthy().ledgers.load().content or b"")

    found = status_of(ledger, histories.empty("all"), [], HOW, now=NOW - HOUR)

    assert found.delay == 0


def test_the_usual_delay_is_the_median_of_the_hours_of_the_last_week() -> None:
    """It takes a complete hour to know any."""
    history = histories.empty("all")
    for ago, late in ((3, 60), (4, 600), (5, 90)):
        hour = NOW - ago * HOUR
        look = Look(covered=HOUR, at=hour + HOUR + late * 1_000)
        history.hours[hour] = Hour(records=1, passes={FIRST_PASS: look})

    assert status_of(None, history, [], HOW, now=NOW).delay_usual == 90
    assert status_of(None, histories.empty("all"), [], HOW, now=NOW).delay_usual is None


def test_late_activities_are_listed_from_the_earliest_sweep_on() -> None:
    """After what was ordered to scan again; and from the least late on."""
    history = histories.empty("all")
    history.hours[NOW] = Hour(
        late_by_pass={"sweep-8d": 1, "sweep-24h": 2, "sweep-2h": 3, "rescan-7": 4},
        lateness={"more": 1, "2h": 2, "10m": 3},
    )

    found = status_of(None, history, [], HOW, now=NOW)

    assert list(found.late_by_pass) == ["rescan-7", "sweep-2h", "sweep-24h", "sweep-8d"]
    assert list(found.lateness) == ["10m", "2h", "more"]


def test_an_outage_says_that_the_api_does_not_answer() -> None:
    """The last run ended because of faults."""
    world = healthy()

    said = seen(world, lines=[line(world, "faults")])

    assert (said.tone, said.verdict) == (
        "warning",
        "The API does not answer; the scan keeps trying.",
    )


def test_a_failed_run_is_the_first_thing_said() -> None:
    """With its error, and the page that helps."""
    world = healthy()
    failed = line(world, "failed", OSError("<script>no disk</script>"))

    found = seen(world, lines=[line(world, "idle"), failed])

    assert (found.tone, found.verdict) == ("bad", "The last run failed.")
    assert "<script>no disk</script>" in found.attention[0].text
    assert found.attention[0].severity == 1


def test_a_failed_run_hides_nothing_else_that_needs_somebody() -> None:
    """Where its report has no message, its line is what helps."""
    world = healthy()
    world.clock.advance(7 * HOUR)
    world.api.replies = {n: status(503) for n in range(1, 99)}
    world.run(HOW)
    world.clock.advance(2 * HOUR)
    world.run(HOW)

    found = seen(world, lines=[line(world, "failed")])

    assert [it.kind for it in found.attention] == ["failing", "lag"]
    assert found.attention[0].text == "The last run failed: see its report line"


def blocked(world: World) -> bytes:
    """Return the ledger of a world with a blocked second."""
    value = world.ledgers.value()
    start = NOW - 5 * HOUR
    piece = {
        "start": start,
        "end": start + 1_000,
        "pass": "first",
        "direction": "asc",
        "limit": 500,
        "cursor": start,
        "blocked_since": NOW,
        "fault": "HTTP 500",
    }
    value["open"] = [piece]
    return json.dumps(value).encode()


def test_poison_is_said_while_everything_else_is_collected() -> None:
    """And its hour is blocked, whatever else it is."""
    world = healthy()
    world.ledgers.content = blocked(world)

    found = seen(world)

    assert (found.tone, found.verdict) == (
        "warning",
        "Some time cannot be read; everything else is collected.",
    )
    assert [it.state for it in found.cells if it.hour == NOW - 5 * HOUR] == ["blocked"]
    assert [it.fault for it in found.slices] == ["HTTP 500"]


@pytest.mark.parametrize(
    ("field", "tone", "verdict", "state"),
    [
        ("doubt", "notice", "The scan is up to date; some time is in doubt.", "in doubt"),
        ("lost", "bad", "Activities were lost.", "lost"),
    ],
)
def test_doubt_and_loss_are_said(field: str, tone: str, verdict: str, state: str) -> None:
    """And shown in their hours."""
    world = healthy()
    value = world.ledgers.value()
    start = NOW - 4 * HOUR
    value[field] = [{"start": start, "end": start + MINUTE, "reason": "odd"}]
    value["lost_at"] = NOW if field == "lost" else None
    world.ledgers.content = json.dumps(value).encode()

    found = seen(world)

    assert (found.tone, found.verdict) == (tone, verdict)
    assert [it.state for it in found.cells if it.hour == start] == [state]


def test_a_quiet_scan_is_said_to_run_without_bringing_much() -> None:
    """Every run of it is green."""
    world = healthy()
    history = histories.empty("all")
    for at in range(NOW - 35 * DAY, NOW, HOUR):
        records = 0 if at >= NOW - 4 * HOUR else 200
        look = Look(covered=HOUR, at=at)
        history.hours[at] = Hour(records=records, passes={FIRST_PASS: look})
    ledger = ledgers.decode(world.ledgers.load().content or b"")

    found = status_of(ledger, history, [], HOW, now=NOW)

    assert (found.tone, found.verdict) == (
        "warning",
        "The scan is running, but far less than usual arrives.",
    )
    assert [it.kind for it in found.attention] == ["quiet"]


def test_a_scan_that_never_brought_anything_is_said_to_bring_nothing() -> None:
    """It may be up to date, and still be of no use."""
    world = healthy()
    history = histories.empty("all")
    for at in range(NOW - 8 * DAY, NOW, HOUR):
        history.hours[at] = Hour(records=0, passes={FIRST_PASS: Look(covered=HOUR, at=at)})
    ledger = ledgers.decode(world.ledgers.load().content or b"")

    found = status_of(ledger, history, [], HOW, now=NOW)

    assert (found.tone, found.verdict) == ("warning", "The scan is running, but nothing arrives.")
    assert (found.quiet_hours, found.attention[0].kind) == (8 * 24, "quiet")


def test_the_terminal_shows_the_verdict_first_and_each_hour_as_a_character() -> None:
    """A log and a screen reader can tell the characters apart, too."""
    world = healthy()

    text = list(lines_of(seen(world, lines=[line(world, "idle")])))

    assert text[0] == "all: The scan is up to date."
    assert any("|      +++++-            | 300" in it for it in text)


def test_control_characters_in_an_error_do_not_reach_the_terminal() -> None:
    """An answer may hold what moves the cursor."""
    world = healthy()
    failed = line(world, "failed", OSError("a\x1b[2Jb"))

    assert not any("\x1b" in it for it in lines_of(seen(world, lines=[failed])))


def test_a_status_is_stored_as_one_line_of_json() -> None:
    """It has the fields that the page and the command show."""
    found = seen(healthy())

    stored = encode_status(found)

    assert stored.count(b"\n") == 1
    assert json.loads(stored)["verdict"] == found.verdict
