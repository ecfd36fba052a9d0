"""The overview: the worst scan first, and nothing of one scan in another."""

import json
from typing import Any

import msgspec
import pytest

from shared.core.audit import history as histories
from shared.core.audit import overview as overviews
from shared.core.audit import status as statuses
from shared.core.audit.attention import Attention, Kind
from shared.core.audit.overview import (
    Glance,
    counted,
    glance_of,
    overview_of,
    stored_glance,
    unread,
)
from shared.core.audit.status import SILENT_MS, Tone, status_of
from tests.fakes import HOUR, MINUTE, NOW, policy

API = "contoso.eu2.portal.cloudappsecurity.com"
change = msgspec.structs.replace


def needs(kind: Kind, severity: int) -> Attention:
    """Return something that needs a person."""
    return Attention(kind=kind, severity=severity, text="x", help=f"docs/runbook.md#{kind}")


def glance(scan: str, tone: Tone = "good", severity: int = 4, lag: float | None = 0.0) -> Glance:
    """Return how a scan is at a glance."""
    attention = () if severity > 3 else (needs("lag", severity),)
    return Glance(
        scan=scan, api=API, tone=tone, verdict="x", attention=attention, lag_seconds=lag, now=NOW
    )


def stored(**changes: Any) -> bytes:
    """Return a status as a run stores it."""
    made = status_of(None, histories.empty("contoso"), [], policy(scan="contoso"), now=NOW)
    return statuses.encode(change(made, **changes))


def test_the_order_is_tone_then_severity_then_lag_then_name() -> None:
    """Whatever the order in which they come."""
    wanted = [
        glance("fails", "bad", 1),
        glance("lost", "bad", 1, lag=None),
        glance("paused", "bad", 2, lag=9e9),
        glance("far-behind", "warning", 2, lag=7200.0),
        glance("behind", "warning", 2, lag=60.0),
        glance("doubtful", "warning", 3, lag=9e9),
        glance("new", "notice"),
        glance("quiet", "good", 2),
        glance("late", "good", lag=120.0),
        glance("a", "good"),
        glance("b", "good", lag=None),
    ]

    assert overview_of(reversed(wanted), NOW).scans == tuple(wanted)
    assert overview_of(sorted(wanted, key=lambda it: it.scan), NOW).scans == tuple(wanted)


def test_scans_are_counted_by_what_they_need() -> None:
    """In words for one and for several; what no scan is, is not mentioned."""
    made = overview_of(
        [glance("a", "bad"), glance("b"), glance("c"), *(glance(f"d{n}") for n in range(1_000))],
        NOW,
    )

    assert made.counts == {"bad": 1, "warning": 0, "notice": 0, "good": 1_002}
    assert list(counted(made)) == [("bad", "1 needs somebody today"), ("good", "1,002 are well")]


def test_trouble_of_one_tenant_changes_nothing_about_the_others() -> None:
    """Neither their words nor their order."""
    well = [glance(f"tenant-{n:02}", lag=float(n)) for n in range(40)]
    alone = overview_of(well, NOW).scans

    troubled = overview_of([*well[:-1], unread("tenant-39", API, "no answer", "x#y")], NOW)

    assert troubled.scans[0].scan == "tenant-39"
    assert troubled.scans[1:] == tuple(it for it in alone if it.scan != "tenant-39")


def test_a_stored_status_says_the_same_as_the_status_itself() -> None:
    """Only what the overview shows is read of it."""
    made = status_of(None, histories.empty("contoso"), [], policy(scan="contoso"), now=NOW)
    behind = change(
        made, attention=(needs("lag", 2),), state={"lag_seconds": 7_200.5}, delay=9_000.0
    )

    told = stored_glance(statuses.encode(behind), "contoso", API, now=NOW + 5 * MINUTE)

    assert told == glance_of(behind, API)
    assert (told.lag_seconds, told.delay, told.now) == (7_200.5, 9_000.0, NOW)


def test_a_stored_status_that_is_old_says_that_no_run_writes_it() -> None:
    """Whatever it said when it was written; what needed a person then still does."""
    attention = (needs("blocked", 2),)
    content = stored(tone="good", verdict="The scan is up to date.", attention=attention)

    fresh = stored_glance(content, "contoso", API, now=NOW + SILENT_MS)
    old = stored_glance(content, "contoso", API, now=NOW + 3 * HOUR)

    assert (fresh.tone, fresh.verdict) == ("good", "The scan is up to date.")
    assert (old.tone, old.verdict) == ("bad", "No run has written its status for 3 h.")
    assert old.severity() == 1
    assert old.helps() == ("docs/runbook.md#no-successful-run", "docs/runbook.md#blocked")


def test_a_scan_without_a_status_has_not_run() -> None:
    """Somebody has just added it to the list."""
    told = stored_glance(None, "contoso", API, now=NOW)

    assert (told.tone, told.verdict, told.now) == (
        "notice",
        "No run has written its status yet.",
        None,
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Its status cannot be read: it is damaged ("),
        (b"{", "Its status cannot be read: it is damaged ("),
        (b'{"version":1,"verdict":"\xff"}', "Its status cannot be read: it is damaged ("),
        (stored(tone="blue"), "Its status cannot be read: it is damaged ("),
        (stored(version=2), "Its status cannot be read: it has version 2."),
    ],
)
def test_a_status_that_is_not_one_needs_a_person(content: bytes, said: str) -> None:
    """It takes the place of the scan, so that nobody misses it."""
    told = stored_glance(content, "contoso", API, now=NOW)

    assert told.tone == "bad"
    assert told.verdict.startswith(said)
    assert told.helps()[0].startswith("docs/formats.md#")


def test_an_error_is_one_short_line_with_its_section() -> None:
    """Whatever the service said."""
    told = unread("contoso", API, "no\nanswer. " + "x" * 500, "docs/runbook.md#storage")

    assert told.verdict.startswith("Its status cannot be read: no answer. xxx")
    assert len(told.verdict) < 300
    assert told.severity() == 1
    assert told.helps() == ("docs/runbook.md#storage",)


def test_each_section_is_named_once() -> None:
    """Two kinds may have the same."""
    twice = glance("a", "bad", 1)

    assert change(twice, attention=twice.attention * 2).helps() == ("docs/runbook.md#lag",)


def test_the_overview_is_stored_as_one_line_of_json() -> None:
    """With everything that the page shows."""
    line = overviews.encode(overview_of([glance("a"), glance("b", "bad", 1)], NOW))

    assert line.endswith(b"}\n")
    told = json.loads(line)
    assert (told["version"], told["now"]) == (1, NOW)
    assert [it["scan"] for it in told["scans"]] == ["b", "a"]


def test_every_tone_has_its_place_and_its_words() -> None:
    """A tone that is forgotten would break the page."""
    assert (
        set(overviews.WORST_FIRST)
        == set(overviews.MEANINGS)
        == {"bad", "warning", "notice", "good"}
    )
