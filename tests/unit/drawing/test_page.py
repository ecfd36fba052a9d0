"""The page: one file that asks for nothing, and shows hostile text as text."""

from html.parser import HTMLParser

import msgspec
import pytest

from shared.core.audit import history as histories
from shared.core.audit.attention import Attention
from shared.core.audit.history import Hour, Look
from shared.core.audit.overview import Glance, Overview, glance_of, overview_of, unread
from shared.core.audit.pace import Ran
from shared.core.audit.status import OpenSlice, Status, status_of
from shared.core.model import FIRST_PASS
from shared.core.state import ledger as ledgers
from shared.drawing import draw, draw_overview, page_of
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy
from tests.world import World

HOW = policy(lookback=6 * HOUR)
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;{{ 7 * 7 }}"
API = "contoso.eu2.portal.cloudappsecurity.com"
change = msgspec.structs.replace


@pytest.fixture(scope="module")
def status() -> Status:
    """Return a status with everything in it: 35 busy days, runs, slices and attention."""
    world = World([NOW - HOUR])
    world.run_until_idle(HOW)
    history = histories.empty("all")
    for at in range(NOW - 35 * DAY, NOW, HOUR):
        look = Look(covered=HOUR, at=at + HOUR + 10 * MINUTE)
        history.hours[at] = Hour(records=123_456, late=17, passes={FIRST_PASS: look})
    ledger = ledgers.decode(world.ledgers.content or b"")
    made = status_of(ledger, history, [], HOW, now=NOW)
    runs = (
        Ran(run="r", outcome="failed", ended=NOW, message=HOSTILE),
        Ran(outcome="faults", ended=None),
        *[Ran(outcome="out-of-time", ended=NOW, duration_seconds=200) for _ in range(48)],
    )
    piece = OpenSlice(
        start=NOW - HOUR,
        end=NOW,
        look="first",
        blocked=True,
        not_before=NOW + HOUR,
        records=3,
        fault=HOSTILE,
    )
    return change(
        made,
        scan=HOSTILE,
        runs=runs,
        slices=(piece,) * 128,
        attention=(Attention(kind="failing", severity=1, since=NOW, text=HOSTILE, help="x#y"),),
        lateness={"10m": 1, "more": 2},
        late_by_pass={"sweep-2h": 3},
    )


class Elements(HTMLParser):
    """Collects the elements of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


def test_a_page_with_everything_in_it_has_less_than_300_kb(status: Status) -> None:
    """It is written every five minutes."""
    assert len(draw(status)) < 300_000


def test_hostile_text_stays_text(status: Status) -> None:
    """The name of a scan, an error and a fault are shown as they are."""
    page = Elements(draw(status))

    assert {tag for tag, _ in page.found} & {"script", "img", "iframe", "form"} == set()
    assert not any(name.startswith("on") for _, attrs in page.found for name in attrs)
    assert page.text.count(HOSTILE) >= 130


def test_a_page_asks_for_nothing(status: Status) -> None:
    """No element names anything outside of the file, and the browser would refuse to load it."""
    page = Elements(draw(status))

    names = [attrs[it] for _, attrs in page.found for it in ("src", "href") if it in attrs]
    policies = [attrs for tag, attrs in page.found if tag == "meta" and "http-equiv" in attrs]
    assert all(name and name.startswith(("data:", "#")) for name in names)
    assert [str(it["content"]).partition(";")[0] for it in policies] == ["default-src 'none'"]


def test_ids_are_unique_and_what_is_named_exists(status: Status) -> None:
    """On a page of several scans, too."""
    two = [change(status, scan=name) for name in ("contoso", "fabrikam")]
    page = Elements(page_of(two, overview_of((glance_of(it, API) for it in two), NOW)))

    ids = [str(attrs["id"]) for _, attrs in page.found if "id" in attrs]
    named = {attrs["aria-labelledby"] for _, attrs in page.found if "aria-labelledby" in attrs}
    links = {str(attrs["href"]) for tag, attrs in page.found if tag == "a"}
    assert len(ids) == len(set(ids))
    assert named <= set(ids)
    assert links == {
        *("#scan-1", "#scan-2", "#scan-1-attention", "#scan-2-attention"),
        f"#all-{status.tone}",
    }
    assert {it.removeprefix("#") for it in links} <= set(ids)
    assert {"scan=contoso", "scan=fabrikam"} <= set(ids)


def test_only_a_page_that_is_rewritten_is_loaded_again(status: Status) -> None:
    """A browser then follows it without script."""
    assert b'http-equiv="refresh" content="30"' in page_of([status], refresh=30)
    assert b'http-equiv="refresh"' not in page_of([status])


def test_a_scan_that_never_ran_has_a_page() -> None:
    """It has hardly anything on it."""
    page = draw(status_of(None, histories.empty("all"), [], HOW, now=NOW))

    assert b">The scan has not run yet.</h1>" in page
    assert b"Nothing needs a person." in page


def overview() -> Overview:
    """Return an overview of 500 scans with the longest names, of which 200 need a person."""
    found = (
        Attention(kind="failing", severity=1, text="x" * 500, help="docs/runbook.md#failing-runs"),
        Attention(kind="blocked", severity=2, text="x", help="docs/runbook.md#blocked-slices"),
    )
    glances = [
        Glance(
            scan=f"tenant-{number:03}-".ljust(40, "x"),
            api=f"tenant-{number:03}.eu2.portal.cloudappsecurity.com",
            tone="bad" if number % 5 < 2 else "good",
            verdict="The scan is 14 h behind and catching up.",
            attention=found if number % 5 < 2 else (),
            lag_seconds=50_000.0,
            delay=50_000.0,
            now=NOW - DAY,
        )
        for number in range(499)
    ]
    return overview_of([*glances, unread(HOSTILE, HOSTILE, HOSTILE, "x#y")], NOW)


def test_the_overview_of_five_hundred_scans_has_less_than_300_kb() -> None:
    """It opens at once on a telephone, too."""
    made = overview()

    assert len(draw_overview(made, links(made))) < 300_000


def links(made: Overview) -> dict[str, str]:
    """Return the addresses of the pages, but for a scan that has none."""
    return {it.scan: f"scan={it.scan}/status.html" for it in made.scans if it.scan != HOSTILE}


def test_the_overview_leads_to_each_page_and_to_what_needs_a_person() -> None:
    """A scan without a page has no link; each row can be named in an address."""
    made = overview()

    page = Elements(draw_overview(made, links(made)))

    hrefs = {str(attrs["href"]) for tag, attrs in page.found if tag == "a"}
    ids = [attrs["id"] for _, attrs in page.found if "id" in attrs]
    outside = {it for it in hrefs if not it.startswith("#")}
    pages = set(links(made).values())
    urgent = {links(made)[it.scan] for it in made.scans if it.attention}
    assert outside == pages | {f"{it}#scan-1-attention" for it in urgent}
    assert {it[1:] for it in hrefs - outside} <= set(ids)
    assert {f"scan={it.scan}" for it in made.scans} <= set(ids)
    assert len(ids) == len(set(ids))


def test_hostile_text_in_the_overview_stays_text() -> None:
    """The name of a scan, its host and an error of the service are shown as they are."""
    page = Elements(draw_overview(overview(), {HOSTILE: HOSTILE}))

    assert {tag for tag, _ in page.found} & {"script", "img", "iframe", "form"} == set()
    assert not any(name.startswith("on") for _, attrs in page.found for name in attrs)
    assert page.text.count(HOSTILE) == 3


def test_a_page_leads_back_to_the_overview_if_there_is_one(status: Status) -> None:
    """The page of the only scan has no such link."""
    assert b'<a href="../overview.html">All scans</a>' in draw(status, overview="../overview.html")
    assert b"All scans" not in draw(status)
