"""When the alert rules fire: their queries, run on report lines as they would be collected.

There is no Kusto here. A translator runs the queries as SQL on DuckDB and refuses what it does not
know. That proves what a query means, and not that a workspace accepts it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from typing import Any

import msgspec
import pytest

from shared.core.audit.attention import SECTIONS, Attention, Kind
from shared.core.audit.attention import SEVERITIES as DECIDED
from shared.core.state.report import encode
from tests.fakes import NOW
from tests.infra.monitored import a_report
from tests.infra.test_alerts import ALERTED, LENGTHS, READS, SEVERITIES, criterion, log_rules
from tests.unit.test_runbook import DOWN, Scene

pytestmark = pytest.mark.compiler

UNAVAILABLE = {"outcome": "failed", "error": "StoreUnavailable", "help": "docs/runbook.md#storage"}
REFUSED = {"outcome": "failed", "error": "TokenRefused", "help": "docs/runbook.md#source-refused"}
WRONG = {"scan": "", "outcome": "failed", "error": "SettingsError", "help": "docs/settings.md"}
BUSY = {"outcome": "busy"}
APART = {"outcome": "clocks differ"}
TAKEN_OVER = {"outcome": "superseded"}
EXPIRED = {"outcome": "expired"}

UNREAD = {"attention": "absent", "epoch": "absent"}
"""What the report of a run lacks that could not read the ledger."""


@dataclass(frozen=True, slots=True)
class Line:
    """A report line that the workspace has.

    Attributes:
        age: minutes since it was written.
        fields: as far as they differ from those of a run that left nothing to do; "absent" leaves
            one out.
        app: who wrote it.
        cut: how many characters of it arrived; None if all did.
        text: what was logged instead of a report line.
    """

    age: float
    fields: dict[str, Any]
    app: str = "func-contoso"
    cut: int | None = None
    text: str | None = None


def every(minutes: int, since: int, until: int = 0, /, **fields: Any) -> list[Line]:
    """Return the lines of runs at a steady pace, from `since` minutes ago to `until`."""
    return [Line(age + 1, dict(fields)) for age in range(until, since, minutes)]


def needs(*kinds: Kind, text: str = "something is wrong") -> dict[str, Any]:
    """Return the field of a report that says what needs a person."""
    found = [
        Attention(
            kind=kind,
            severity=DECIDED[kind],
            since=NOW,
            text=text,
            help=f"docs/runbook.md#{SECTIONS[kind]}",
        )
        for kind in kinds
    ]
    return {"attention": msgspec.to_builtins(found)}


def message(fields: dict[str, Any]) -> str:
    """Return a report line, as a run writes it."""
    whole = a_report() | fields
    return encode({name: value for name, value in whole.items() if value != "absent"})


def fires(name: str, lines: Sequence[Line]) -> list[tuple[str, ...]]:
    """Return the values of the dimensions that a rule's alerts would name, one per alert.

    The host of the API is left out: it follows from the scan.
    """
    rule, window = criterion(name), log_rules()[name]["windowSize"]
    rows = answers(rule["query"], [line for line in lines if line.age < LENGTHS[window]])
    split = [it["name"] for it in rule["dimensions"] if it["name"] != "Api"]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {} if split else {(): []}
    for row in rows:
        groups.setdefault(tuple(row[it] for it in split), []).append(row)
    return sorted(it for it, members in groups.items() if _beyond(rule, members))


def _beyond(rule: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    column = rule.get("metricMeasureColumn")
    measured = sum(row[column] for row in rows) if column else len(rows)
    limit: float = rule["threshold"]
    return measured < limit if rule["operator"] == "LessThan" else measured > limit


COLUMNS = {"TimeGenerated": "TIMESTAMP", "AppRoleName": "VARCHAR", "Message": "VARCHAR"}
"""The columns of the workspace's table that the rules read."""


def kusto() -> Any:  # noqa: ANN401 - a module
    """Return the translator, which takes long to load, and not every process needs it."""
    return import_module("duckdb_kql")


@cache
def translated(query: str) -> str:
    """Return a query as SQL."""
    return str(kusto().to_sql(query, schema={"AppTraces": list(COLUMNS)}))


@cache
def workspace() -> Any:  # noqa: ANN401 - a connection of the translator's
    """Return a database, which takes long to open."""
    return kusto().connect(config={"threads": 1})


def answers(query: str, lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Return the rows that a query finds in report lines."""
    return answers_in(collected(lines), query)


def answers_in(rows: Iterable[tuple[datetime, str, str]], query: str) -> list[dict[str, Any]]:
    """Return the rows that a query finds in those of the workspace's table."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    workspace().execute(f"CREATE OR REPLACE TABLE AppTraces ({columns})")
    values = [list(it) for it in zip(*rows, strict=True)]
    # One by one, the rows would take most of the time.
    workspace().execute("INSERT INTO AppTraces SELECT unnest(?), unnest(?), unnest(?)", values)
    answer = workspace().execute(translated(query))
    names = [str(it[0]) for it in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def collected(lines: Sequence[Line]) -> list[tuple[datetime, str, str]]:
    """Return the rows of the table: the lines, among what the platform and others log."""
    noise = ["WorkerProcessExitException: python exited with code 143 (0x8F)", '{"event":"other"}']
    now = datetime.fromtimestamp(NOW / 1000, UTC).replace(tzinfo=None)
    return [
        *((now, "func-contoso", text) for text in noise),
        *(
            (now - timedelta(minutes=it.age), it.app, (it.text or message(it.fields))[: it.cut])
            for it in lines
        ),
    ]


@pytest.mark.parametrize("name", [*READS, *SEVERITIES])
def test_no_rule_fires_while_all_is_well(name: str) -> None:
    """Neither noise from the platform nor figures trigger a rule that reads what they mean."""
    lines = every(5, 1500, lost_seconds=9000.0, doubt_seconds=9000.0, lag_seconds=9000.0)

    assert fires(name, lines) == []


def test_no_run_fires_when_no_run_of_this_app_succeeds() -> None:
    """Lines of another app do not count, nor do failed, busy, clockless or old ones."""
    nothing = [
        *every(5, 30, **UNAVAILABLE),
        *every(5, 30, **BUSY),
        *every(5, 30, **APART),
        *every(5, 30, **TAKEN_OVER),
        *every(5, 30, **EXPIRED),
        *every(5, 600, 30),
        Line(3, {}, app="func-other"),
    ]

    assert fires("no-run", []) == [()]
    assert fires("no-run", nothing) == [()]
    assert fires("no-run", [*nothing, Line(29, {})]) == []


@pytest.mark.parametrize("outcome", ["idle", "waiting", "out-of-time", "faults", "paused"])
def test_a_run_that_did_not_fail_keeps_no_run_silent(outcome: str) -> None:
    """Other rules cover the other outcomes."""
    assert fires("no-run", [Line(3, {"outcome": outcome})]) == []


def test_failing_names_the_scan_the_newest_error_and_its_section() -> None:
    """Only the scan that fails is named; the other one works."""
    lines = [
        *every(5, 30, scan="exchange", **UNAVAILABLE),
        *every(5, 30, scan="all"),
        Line(0.5, {"scan": "exchange", **REFUSED}),
    ]

    assert fires("failing", lines) == [
        ("exchange", "TokenRefused", "docs/runbook.md#source-refused")
    ]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        (WRONG, ("(all)", "SettingsError", "docs/settings.md")),
        (BUSY, ("all", "busy", "docs/runbook.md#busy")),
        (TAKEN_OVER, ("all", "superseded", "docs/runbook.md#busy")),
        (APART, ("all", "clocks differ", "docs/runbook.md#clocks-differ")),
        (EXPIRED, ("all", "expired", "docs/runbook.md#expired-messages")),
    ],
)
def test_failing_covers_invalid_settings_and_a_claim_that_stays(
    fields: dict[str, Any], named: tuple[str, ...]
) -> None:
    """The line for invalid settings has no scan and no state; a busy run's has no error."""
    assert fires("failing", every(5, 30, epoch="absent", **fields)) == [named]


GIVEN_UP = "Message has reached MaxDequeueCount of 5. Moving message to queue 'due-scans-poison'."


def test_poison_fires_when_the_host_puts_a_message_aside() -> None:
    """A message of another queue or of another app does not count."""
    other = GIVEN_UP.replace("due-scans", "letters")

    assert fires("poison", [Line(3, {}, text=GIVEN_UP)]) == [()]
    assert fires("poison", [Line(3, {}, text=other)]) == []
    assert fires("poison", [Line(3, {}, app="func-other", text=GIVEN_UP)]) == []
    assert fires("poison", every(5, 60)) == []


FABRIKAM = "fabrikam.us3.portal.cloudappsecurity.com"


@pytest.mark.parametrize(("name", "fields"), [("failing", REFUSED), ("attention-2", needs("lag"))])
def test_an_alert_names_the_host_of_its_tenant(name: str, fields: dict[str, Any]) -> None:
    """Lines of version 1.0.0 do not have it, and still alert."""
    lines = [
        *every(5, 30, scan="fabrikam", api=FABRIKAM, **fields),
        *every(5, 30, scan="old", **{"api": "absent", **fields}),
        *every(5, 30, scan="well", api="contoso.eu2.portal.cloudappsecurity.com"),
    ]

    rows = answers(criterion(name)["query"], lines)

    assert sorted((it["Scan"], it["Api"]) for it in rows) == [
        ("fabrikam", FABRIKAM),
        ("old", "(unknown)"),
    ]


def test_one_tenant_s_trouble_is_in_no_other_tenant_s_alerts() -> None:
    """Forty tenants in one app: one fails, one is behind, and the others are well."""
    names = [f"tenant-{n:02}" for n in range(40)]
    trouble = {"tenant-07": REFUSED | UNREAD, "tenant-19": needs("lag")}
    lines = [
        line
        for name in names
        for line in every(5, 30, scan=name, api=f"{name}.example", **trouble.get(name, {}))
    ]

    assert fires("failing", lines) == [
        ("tenant-07", "TokenRefused", "docs/runbook.md#source-refused")
    ]
    assert {name: fires(name, lines) for name in SEVERITIES} == {
        "attention-1": [],
        "attention-2": [("tenant-19", "lag", "docs/runbook.md#behind")],
        "attention-3": [],
    }
    assert fires("no-run", lines) == []


def test_one_failed_run_does_not_fire_failing() -> None:
    """The next run resumes the work."""
    assert fires("failing", [Line(1, UNAVAILABLE)]) == []
    assert fires("failing", [Line(1, UNAVAILABLE), Line(6, UNAVAILABLE), Line(11, {})]) == []


def test_failing_ends_with_the_first_run_that_succeeds() -> None:
    """The cause is fixed, whatever came before."""
    assert fires("failing", [*every(5, 30, 5, **REFUSED), Line(1, {})]) == []


def test_a_paused_scan_fires_neither_rule_about_runs() -> None:
    """A person wanted it; that it lasts too long is reported by the program."""
    lines = every(5, 30, outcome="paused")

    assert (fires("no-run", lines), fires("failing", lines)) == ([], [])


@pytest.mark.parametrize("kind", ALERTED)
def test_each_kind_fires_the_rule_of_its_severity_and_no_other(kind: Kind) -> None:
    """The alert names the scan, the kind, and the section about it."""
    lines = every(5, 60, **needs(kind))

    found = {name: fires(name, lines) for name in SEVERITIES}

    assert {severity: found[name] for name, severity in SEVERITIES.items()} == {
        severity: [("all", kind, f"docs/runbook.md#{SECTIONS[kind]}")]
        if severity == DECIDED[kind]
        else []
        for severity in SEVERITIES.values()
    }


def test_an_outage_of_the_api_fires_and_its_end_resolves() -> None:
    """These are the lines of whole runs, on the simulated API."""
    scene = Scene()
    scene.line()
    scene.answer(DOWN)
    during = scene.lines(4)
    scene.heal()
    after = scene.lines(0.5)

    assert fires("attention-2", reported(during)) == [("all", "lag", "docs/runbook.md#behind")]
    assert fires("attention-2", reported([*during, *after])) == []


def reported(lines: Sequence[dict[str, Any]]) -> list[Line]:
    """Return the report lines of runs five minutes apart, the newest a minute old."""
    return [Line(5 * age + 1, fields) for age, fields in enumerate(reversed(lines))]


def test_an_alert_comes_with_its_text_and_its_beginning() -> None:
    """They change, so they are in the results and do not distinguish alerts."""
    (row,) = answers(criterion("attention-2")["query"], [Line(1, needs("lag", text="3 h"))])

    assert (row["Text"], row["Since"].replace(tzinfo=UTC)) == (
        "3 h",
        datetime.fromtimestamp(NOW / 1000, UTC),
    )


def test_everything_that_a_report_lists_fires() -> None:
    """Each thing is an alert of its own."""
    lines = [Line(1, needs("lag", "blocked", "over-budget", "quiet", "doubt"))]

    assert [kind for _, kind, _ in fires("attention-2", lines)] == [
        "blocked",
        "lag",
        "over-budget",
        "quiet",
    ]


def test_the_newest_report_of_each_scan_decides() -> None:
    """An alert begins with it and ends with it; other scans change nothing."""
    ended = [*every(5, 600, 5, **needs("lag")), Line(1, {"attention": []})]
    begun = [*every(5, 600, 5, scan="b"), Line(1, {"scan": "b", **needs("blocked")})]

    assert fires("attention-2", [*ended, *begun]) == [
        ("b", "blocked", "docs/runbook.md#blocked-slices")
    ]


def test_another_app_s_reports_are_not_read() -> None:
    """A workspace may serve several."""
    assert fires("attention-2", [Line(1, needs("lag"), app="func-other")]) == []


def test_a_run_that_could_not_read_the_ledger_changes_no_alert() -> None:
    """What the last run that could read it reported still holds, and `failing` adds its own."""
    lines = [*every(5, 120, 60, **needs("lag")), *every(5, 60, **UNAVAILABLE, **UNREAD)]

    assert fires("attention-2", lines) == [("all", "lag", "docs/runbook.md#behind")]
    assert fires("attention-2", every(5, 60, **UNAVAILABLE, **UNREAD)) == []
    assert fires("failing", lines) == [("all", "StoreUnavailable", "docs/runbook.md#storage")]


@pytest.mark.parametrize("outcome", ["busy", "paused", "failed", "superseded"])
def test_a_run_that_read_the_ledger_reports_whatever_its_outcome(outcome: str) -> None:
    """What needs a person is in the ledger, not in what one run did."""
    lines = [Line(6, {"attention": []}), Line(1, {"outcome": outcome, **needs("soon-lost")})]

    assert fires("attention-1", lines) == [("all", "soon-lost", "docs/runbook.md#soon-lost")]


def test_a_scan_that_was_removed_alerts_for_a_day_at_most() -> None:
    """Nothing else would ever end its alerts."""
    removed = {"scan": "removed", **needs("lag")}

    assert fires("attention-2", [Line(1430, removed), *every(5, 1430)]) != []
    assert fires("attention-2", [Line(1441, removed), *every(5, 1430)]) == []


def test_of_two_reports_at_the_same_instant_one_decides() -> None:
    """Whichever it is, nothing is reported twice."""
    now = [Line(1, needs("lag")), Line(1, needs("lag", "blocked"))]

    assert fires("attention-2", now) in (
        [("all", "lag", "docs/runbook.md#behind")],
        [
            ("all", "blocked", "docs/runbook.md#blocked-slices"),
            ("all", "lag", "docs/runbook.md#behind"),
        ],
    )
    assert fires("attention-3", [*now, Line(1, needs("doubt"), app="func-other")]) == []


def test_a_report_that_was_cut_off_still_alerts() -> None:
    """What comes after the field is lost, so the line is not JSON any more."""
    fields = needs("lag")
    end = message(fields).index('}],"') + 2

    assert fires("attention-2", [Line(1, fields, cut=end)]) != []
    assert fires("attention-2", [Line(1, fields, cut=end + 200), Line(9, {"attention": []})]) != []


def test_a_report_that_was_cut_off_too_early_leaves_the_one_before() -> None:
    """Half a list proves nothing, in particular not that an alert has ended."""
    fields = needs("lag", "blocked")
    begin, end = (message(fields).index(text) for text in ('"attention"', '}],"'))

    for cut in (60, begin + 14, (begin + end) // 2, end):
        lines = [Line(1, fields, cut=cut), Line(6, needs("quiet"))]
        assert [kind for _, kind, _ in fires("attention-2", lines)] == ["quiet"]


HOSTILE = [
    'quoted ] " and } and { and [',
    '"attention":[]',
    '\\"attention":[{"kind":"lost","severity":1}]',
    "back\\slashes\\\\ at the end \\",
    'a backslash before a quote \\"',
    "lines\nand\ttabs\r\n",
    "ünïcödé 漢字 🚨 \u2028",
    "| take 0 // '' \x7f",
    "half of a pair \ud83d",
]
"""Texts from outside, which must not change what the pattern finds."""


def test_no_text_in_a_report_changes_what_is_found() -> None:
    """Each stands in a field before, within and after the list, for a scan of its own."""
    lines = [
        Line(1, {"scan": f"scan-{n}", "error": text, "message": text, "warnings": [text], **listed})
        for n, text in enumerate(HOSTILE)
        for listed in [needs("lag", text=text)]
    ]

    rows = answers(criterion("attention-2")["query"], lines)

    assert sorted((row["Scan"], row["Kind"]) for row in rows) == [
        (f"scan-{n}", "lag") for n in range(len(HOSTILE))
    ]
    assert fires("attention-1", lines) == fires("attention-3", lines) == []


def test_a_report_that_had_to_be_shortened_still_alerts() -> None:
    """Whatever is shortened, kind, severity and section are not."""
    long = {"warnings": [f"{n} {'x' * 600}" for n in range(200)], "message": "x" * 9000}
    lines = [Line(1, {**needs("lag", "blocked", text="y" * 4000), **long})]

    assert [kind for _, kind, _ in fires("attention-2", lines)] == ["blocked", "lag"]


def test_as_many_entries_as_a_report_has_are_all_found() -> None:
    """A report lists at most twenty."""
    listed = needs("lag")["attention"] * 20
    many = [entry | {"kind": f"kind-{n}"} for n, entry in enumerate(listed)]

    assert len(fires("attention-2", [Line(1, {"attention": many})])) == 20
