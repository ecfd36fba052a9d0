"""The report: what a run did, the state it left, and what asks for a person."""

import json
from typing import Any, get_args

import msgspec
import pytest

from shared.core import errors
from shared.core.api.answers import Fault
from shared.core.errors import LedgerMissing, ScanError, SettingsError, TokenRefused
from shared.core.model import (
    FIRST_PASS,
    Counts,
    Doubt,
    Head,
    Load,
    Loss,
    Pacing,
    Pause,
    Policy,
    Slice,
)
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import ledger as ledgers
from shared.core.state.decisions import Order, decided, unreported
from shared.core.state.report import COUNTED, Outcome, Tally, encode, report_fields
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy

HOW = policy(requests_per_minute=25)
ORIGIN = NOW - 3 * HOUR
HORIZON = NOW - 10 * MINUTE


def told(how: Policy = HOW, **changes: Any) -> dict[str, Any]:
    """Return the report of a run that left a ledger with these changes."""
    ledger = msgspec.structs.replace(ledgers.begin(HOW, NOW), **changes)
    tally = Tally(scan="all", run="r", ledger=ledger, now=NOW)
    return report_fields(tally, how, "idle", duration=1_500)


def first(*stretches: tuple[int, int]) -> dict[str, Any]:
    """Return the first pass's coverage, as a change of a ledger."""
    return {"coverage": {FIRST_PASS: stretches}}


def piece_of(**changes: Any) -> Slice:
    """Return an open slice."""
    piece = open_slice((ORIGIN, ORIGIN + HOUR), pass_name=FIRST_PASS, policy=HOW)
    return msgspec.structs.replace(piece, **changes)


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_a_report_begins_with_what_a_person_looks_for(outcome: Outcome) -> None:
    """Which scan of which tenant, and how it ended."""
    fields = report_fields(Tally(scan="all", run="r"), HOW, outcome, duration=0)

    assert list(fields.items())[:4] == [
        ("event", "scan"),
        ("scan", "all"),
        ("api", HOW.api),
        ("outcome", outcome),
    ]


def test_a_report_tells_what_the_run_did() -> None:
    """In the documented order, with what happened to records after it."""
    tally = Tally(
        scan="all",
        run="r",
        requests=9,
        pages=8,
        counts=Counts(records=2),
        bytes=7,
        commits=6,
        parts=5,
        throttled=4,
        faults=3,
        last_fault="x",
    )

    fields = report_fields(tally, HOW, "idle", duration=0)

    begin = list(fields).index("requests")
    assert list(fields.items())[begin : begin + 9] == [
        ("requests", 9),
        ("pages", 8),
        ("records", 2),
        ("bytes", 7),
        ("commits", 6),
        ("parts", 5),
        ("throttled", 4),
        ("faults", 3),
        ("last_fault", "x"),
    ]
    assert {*COUNTED} <= set(fields)


def test_a_report_tells_when_the_run_took_place() -> None:
    """How long it took, when it ended, and whether the platform started it late."""
    tally = Tally(scan="all", run="r", ended=NOW)

    fields = report_fields(tally, HOW, "idle", duration=1_500, past_due=True)

    assert (fields["run"], fields["duration_seconds"], fields["past_due"]) == ("r", 1.5, True)
    assert fields["ended"] == NOW
    assert told()["ended"] is None


def test_a_report_tells_how_far_the_clocks_are_apart() -> None:
    """In seconds; null where that is too little to report."""
    apart = Tally(scan="all", run="r", skew=-90_500, api_ahead=61_500)

    fields = report_fields(apart, HOW, "idle", duration=0)

    assert (fields["clock_skew_seconds"], fields["api_clock_skew_seconds"]) == (-90.5, 61.5)
    assert told()["clock_skew_seconds"] is told()["api_clock_skew_seconds"] is None


@pytest.mark.parametrize("quiet", [4, 0, None])
def test_a_report_tells_for_how_long_the_scan_has_been_quiet(quiet: int | None) -> None:
    """An unknown number is not none."""
    fields = report_fields(Tally(scan="all", run="r", quiet=quiet), HOW, "idle", duration=0)

    assert fields["quiet_hours"] == quiet


@pytest.mark.parametrize(
    ("pause", "since", "until"),
    [
        (None, 0, 0),
        (Pause(since=NOW - HOUR, until=NOW + HOUR, by="ann", reason=""), NOW - HOUR, NOW + HOUR),
        (Pause(since=NOW - HOUR, until=None, by="ann", reason=""), NOW - HOUR, 0),
    ],
)
def test_a_pause_is_told_with_its_end(pause: Pause | None, since: int, until: int) -> None:
    """One without an end is told as well."""
    fields = told(pause=pause)

    assert (fields["paused_since"], fields["paused_until"]) == (since, until)


def test_what_an_operator_ordered_to_scan_again_is_told() -> None:
    """As far as it is covered: the rest comes anyway."""
    ordered = {"rescan-3": ((ORIGIN - HOUR, ORIGIN + HOUR),)}

    fields = told(rescans=ordered, **first((ORIGIN, HORIZON)))

    assert fields["rescans_due_seconds"] == 3_600


def test_warnings_of_one_kind_are_told_once() -> None:
    """The line has little room, and a run may notice the same thing at every request."""
    tally = Tally(scan="all", run="r", warnings=["2 were odd", "3 were odd"])

    fields = report_fields(tally, HOW, "idle", duration=0)

    assert fields["warnings"] == ["2 times: 2 were odd"]


def test_a_report_states_decisions_whole_whatever_else_it_says() -> None:
    """What it states counts as reported, so none of them may be shortened away."""
    order = Order(at=NOW, by="kim", reason="ü" * 500)
    ledger = ledgers.begin(HOW, NOW)
    for _ in range(20):
        ledger = decided(ledger, "retry", order, "at once")
    warnings = [f"{chr(97 + n)}{'x' * 5_000}" for n in range(26)]
    tally = Tally(scan="all", run="r", ledger=ledger, now=NOW, warnings=warnings)

    line = json.loads(encode(report_fields(tally, HOW, "idle", duration=0)))

    whole = {"kind": "retry", "at": NOW, "by": "kim", "reason": "ü" * 500, "what": "at once"}
    assert line["decisions"] == [{"number": it.number, **whole} for it in unreported(ledger)]


def test_a_report_without_a_ledger_tells_no_state() -> None:
    """A run that never read it knows none, and does not make one up."""
    fields = report_fields(Tally(scan="all", run="r"), HOW, "failed", duration=0)

    assert "lag_seconds" not in fields
    assert "manifest" not in fields
    assert fields["warnings"] == []


def test_a_report_of_wrong_settings_is_told_without_a_policy() -> None:
    """They were never read; a person gets every problem and the page that helps."""
    error = SettingsError(["SCAN_LIMIT is '1'", "SCAN_NAME is 'A'"])

    fields = report_fields(Tally(scan="", run="r"), None, "failed", duration=0, error=error)

    assert (fields["error"], fields["help"]) == ("SettingsError", "docs/settings.md")
    assert "SCAN_LIMIT is '1'\n- SCAN_NAME is 'A'" in fields["message"]


@pytest.mark.parametrize(
    ("error", "name", "page"),
    [
        (LedgerMissing("gone"), "LedgerMissing", "docs/runbook.md#ledger-missing"),
        (TokenRefused("no"), "TokenRefused", "docs/runbook.md#source-refused"),
        (ZeroDivisionError("oops"), "ZeroDivisionError", "docs/runbook.md#unexpected"),
        (ExceptionGroup("both", [ValueError("a")]), "ExceptionGroup", "docs/runbook.md#unexpected"),
    ],
)
def test_a_failure_is_told_by_its_class_and_the_page_that_helps(
    error: Exception, name: str, page: str
) -> None:
    """An error that nobody foresaw has a page, too."""
    fields = report_fields(Tally(scan="all", run="r"), HOW, "failed", duration=0, error=error)

    assert (fields["error"], fields["message"], fields["help"]) == (name, str(error), page)


def test_a_run_that_did_not_fail_tells_no_error() -> None:
    """An alert asks whether the field is there."""
    assert not {"error", "message", "page"} & set(told())


@pytest.mark.parametrize(
    "kind",
    [it for it in vars(errors).values() if isinstance(it, type) and issubclass(it, ScanError)],
)
def test_every_error_names_a_page(kind: type[ScanError]) -> None:
    """Its own, or that of its kind."""
    assert kind.help.startswith("docs/")


@pytest.mark.parametrize(
    ("covered", "lag", "backlog", "until"),
    [
        ([], HORIZON - ORIGIN, HORIZON - ORIGIN, ORIGIN),
        ([(ORIGIN, HORIZON)], 0, 0, HORIZON),
        ([(ORIGIN, NOW - HOUR)], 50 * MINUTE, 50 * MINUTE, NOW - HOUR),
        ([(NOW - HOUR, HORIZON)], HORIZON - ORIGIN, 2 * HOUR, ORIGIN),
        (
            [(ORIGIN, ORIGIN + HOUR), (ORIGIN + 2 * HOUR, HORIZON)],
            HORIZON - ORIGIN - HOUR,
            HOUR,
            ORIGIN + HOUR,
        ),
        ([(ORIGIN - HOUR, HORIZON)], 0, 0, HORIZON),
    ],
)
def test_lag_is_the_age_of_the_oldest_gap_and_backlog_the_sum_of_all(
    covered: list[tuple[int, int]], lag: int, backlog: int, until: int
) -> None:
    """`covered_until` is the end of what goes without a gap from the origin."""
    fields = told(**first(*covered))

    assert (fields["lag_seconds"], fields["backlog_seconds"]) == (lag / 1000, backlog / 1000)
    assert fields["covered_until"] == until


def test_open_slices_are_part_of_the_backlog() -> None:
    """They are not covered until they are committed."""
    assert told(open=(piece_of(),))["backlog_seconds"] == (HORIZON - ORIGIN) / 1000


def test_declared_loss_is_no_backlog() -> None:
    """It is told by itself, with what is in doubt."""
    lost = (Loss(start=ORIGIN, end=ORIGIN + HOUR, reason="x"),)
    doubt = (Doubt(start=ORIGIN, end=ORIGIN + 5, reason="x"),)

    fields = told(lost=lost, doubt=doubt, **first((ORIGIN + HOUR, HORIZON)))

    assert (fields["lag_seconds"], fields["backlog_seconds"]) == (0, 0)
    assert (fields["lost_seconds"], fields["doubt_seconds"]) == (3_600, 0.005)
    assert fields["covered_until"] == HORIZON


def test_time_is_final_when_the_last_sweep_has_looked() -> None:
    """Without sweeps, when it is covered; what sweeps still want is told."""
    coverage = {FIRST_PASS: ((ORIGIN, HORIZON),), "sweep-24h": ((ORIGIN, ORIGIN + 5),)}
    once = policy(sweeps=())

    assert told(coverage=coverage)["final_until"] == ORIGIN + 5
    assert told(once, coverage=coverage)["final_until"] == HORIZON
    assert told(**first((ORIGIN, HORIZON)))["sweeps_due_seconds"] == 3_600
    assert told(once, coverage=coverage)["sweeps_due_seconds"] == 0


@pytest.mark.parametrize(
    ("not_before", "until"),
    [(0, 0), (NOW, 0), (NOW + MINUTE, NOW + MINUTE), (NOW + HOUR + 1, 0)],
)
def test_a_throttle_is_told_while_it_holds(not_before: int, until: int) -> None:
    """One further ahead than an hour was noted by a fast clock, and does not hold."""
    assert told(pacing=Pacing(not_before=not_before))["waiting_until"] == until


def test_the_head_of_the_chain_is_in_every_report() -> None:
    """So that the log alone shows when manifests were replaced."""
    fields = told(head=Head(number=7, sha256="ab"), epoch=9)

    assert (fields["manifest"], fields["manifest_sha256"], fields["epoch"]) == (7, "ab", 9)


def test_blocked_slices_are_counted_apart_from_the_open_ones() -> None:
    """They need a person if they stay blocked."""
    fields = told(open=(piece_of(blocked_since=NOW), piece_of(), piece_of()))

    assert (fields["blocked_slices"], fields["open_slices"]) == (1, 2)


def test_time_that_will_soon_be_out_of_reach_is_told() -> None:
    """Three days before it is lost, and no more than that."""
    soon = NOW - 28 * DAY

    fields = told(origin=soon, settled_until=soon, **first((soon + 2 * HOUR, HORIZON)))
    nothing = told(origin=soon, settled_until=soon)

    assert fields["soon_lost_seconds"] == 7_200
    assert nothing["soon_lost_seconds"] == (DAY + 2 * HOUR) / 1000


def test_the_load_is_told_beside_what_the_runs_can_send() -> None:
    """25 requests a minute are 36,000 a day, and 28,800 with runs of 4 minutes every 5."""
    load = {NOW - HOUR: Load(requests=1_200, covered=HOUR)}

    fields = told(policy(requests_per_minute=25), load=load)

    assert fields["requests_per_day_budget"] == 36_000
    assert fields["requests_per_day_capacity"] == 28_800
    assert fields["requests_per_day_first"] == 1_200 * 24
    assert fields["requests_per_day_sweeps"] == 1_200 * 24 * 2
    assert fields["requests_per_day_needed"] == 1_200 * 24 * 3


def test_an_unknown_load_is_no_load_of_zero() -> None:
    """Before anything is covered nobody knows."""
    fields = told()

    for name in ("first", "sweeps", "needed"):
        assert fields[f"requests_per_day_{name}"] is None


@pytest.mark.parametrize("late", [0, 6, 7])
def test_it_is_told_for_how_long_the_oldest_sweep_has_been_due(late: int) -> None:
    """It counts from when the sweep became due."""
    origin = NOW - 12 * HOUR
    coverage = {FIRST_PASS: ((origin, HORIZON),), "sweep-2h": ((origin, NOW - (3 + late) * HOUR),)}

    fields = told(coverage=coverage, origin=origin)

    assert fields["sweeps_behind_seconds"] == late * 3600


def test_of_several_due_sweeps_the_one_that_is_due_longest_counts() -> None:
    """The last sweep is due for an hour, the first one for five."""
    origin = NOW - 26 * HOUR
    coverage = {
        FIRST_PASS: ((origin, HORIZON),),
        "sweep-2h": ((origin, NOW - 8 * HOUR),),
        "sweep-24h": (),
    }

    assert told(coverage=coverage, origin=origin)["sweeps_behind_seconds"] == 5 * 3600


URGENT = {"kind": "lost", "severity": 1, "since": NOW, "text": "An hour is lost", "help": "docs/x"}


def test_what_needs_a_person_comes_early_and_among_the_warnings() -> None:
    """Alerts read the one, and people the other; what the run noticed comes first."""
    tally = Tally(scan="all", run="r", warnings=["clocks differ"])

    fields = report_fields(tally, HOW, "idle", duration=0, attention=[URGENT])

    assert list(fields)[:6] == ["event", "scan", "api", "outcome", "run", "attention"]
    assert fields["attention"] == [URGENT]
    assert fields["warnings"] == ["clocks differ", "An hour is lost: see docs/x"]
    assert tally.warnings == ["clocks differ"]


def test_a_report_tells_whether_it_is_known_what_needs_a_person() -> None:
    """Nothing needs one, or the run did not read the ledger."""
    tally = Tally(scan="all", run="r")

    assert report_fields(tally, HOW, "idle", duration=0, attention=[])["attention"] == []
    assert "attention" not in report_fields(tally, HOW, "failed", duration=0)


def test_a_report_is_one_line_of_json_whatever_it_says() -> None:
    """A message of several lines would be several log entries."""
    error = SettingsError(["a\nb", "ü \u2028 \x00"])
    fields = report_fields(Tally(scan="all", run="r"), None, "failed", duration=0, error=error)

    line = encode(fields)

    assert len(line.split("\n")) == 1
    assert json.loads(line) == fields


def test_a_transition_adds_what_it_counted_and_nothing_twice() -> None:
    """A slice counts since its beginning; the run only what this page added."""
    before = piece_of(counts=Counts(records=10, repeated=2))
    after = piece_of(counts=Counts(records=14, repeated=3, outside=1))
    tally = Tally(scan="all", run="r")

    tally.note_transition(Transition(goes_on=after), before)
    whole = piece_of(counts=Counts(records=34, repeated=3, outside=1))
    tally.note_transition(
        Transition(finished=Finished(slice=whole, start=ORIGIN, end=NOW), opened=(piece_of(),)),
        after,
    )

    assert (tally.pages, tally.faults) == (2, 0)
    assert tally.counts == Counts(records=24, repeated=1, outside=1)


def test_a_fault_is_counted_and_told_and_is_no_page() -> None:
    """The newest one is told."""
    tally = Tally(scan="all", run="r")

    for detail in ("HTTP 500: x", "timeout: y"):
        fault = Fault(kind="transient", detail=detail)
        tally.note_transition(Transition(goes_on=piece_of(), fault=fault), piece_of())

    assert (tally.faults, tally.pages, tally.last_fault) == (2, 0, "timeout: y")


def test_blocked_slices_of_sweeps_are_counted_apart_too() -> None:
    """At sixteen of them, no new sweep begins."""
    first = piece_of(blocked_since=NOW)
    sweep = piece_of(blocked_since=NOW, pass_name="sweep-2h")

    fields = told(open=(first, sweep, piece_of(pass_name="sweep-2h")))

    assert (fields["blocked_slices"], fields["blocked_sweeps"]) == (2, 1)


def test_a_slice_that_is_asked_for_again_adds_nothing() -> None:
    """New slices take over its time, and count from zero."""
    tally = Tally(scan="all", run="r")

    tally.note_transition(Transition(opened=(piece_of(),)), piece_of(counts=Counts(records=9)))

    assert (tally.pages, tally.counts) == (1, Counts())
