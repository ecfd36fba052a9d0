"""The status page in a real browser, from stores with real history.

Each store has a page of its own, which is looked at in three widths and in both colour schemes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request

from shared.core.audit.attention import SEVERITIES, Attention, Kind
from shared.core.audit.overview import Glance, Overview, glance_of, overview_of, unread
from shared.core.audit.pace import Ran
from shared.core.audit.status import OpenSlice, Status, Tone
from shared.drawing import draw_overview, page_of
from tests.browser import stores
from tests.browser.picture import PICTURE, SIZE, take
from tests.browser.stores import Store
from tests.fakes import HOUR, NOW

pytestmark = pytest.mark.browser

HELP = "docs/runbook.md#alerts"
API = "contoso.eu2.portal.cloudappsecurity.com"
WIDTHS = (360, 768, 1280)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
AA = {"text": 4.5, "sign": 3.0}
LOOKS = (Path(__file__).parent / "looks.js").read_text("utf-8")

STORES: dict[str, tuple[Callable[[], Store], str]] = {
    "healthy": (stores.healthy, "The scan is up to date."),
    "backlog": (stores.backlog, "The scan is 14 h behind and catching up."),
    "outage": (stores.outage, "The API does not answer; the scan keeps trying."),
    "poison": (stores.poison, "Some time cannot be read; everything else is collected."),
    "doubt and loss": (stores.doubt_and_loss, "Activities were lost."),
    "paused": (
        stores.paused,
        "The scan is paused until 2026-11-24 12:00:00 UTC, by kim: The tenant is being moved.",
    ),
    "brand new": (
        stores.brand_new,
        "The scan has just begun and is collecting earlier activities.",
    ),
    "never run": (stores.never_run, "The scan has not run yet."),
    "empty tenant": (
        stores.empty_tenant,
        "The scan is up to date and has found no activity.",
    ),
}
FIVE = {
    "all": "healthy",
    "exchange": "backlog",
    "sign-ins": "poison",
    "teams": "paused",
    "test": "empty tenant",
}


@cache
def status_of(name: str) -> Status:
    """Return the status of a store; a store is built once."""
    return STORES[name][0]().status()


def named(status: Status, scan: str) -> Status:
    """Return the status under another name."""
    return msgspec.structs.replace(status, scan=scan)


def five_scans() -> list[Status]:
    """Return the statuses of five scans, each in another state."""
    return [named(status_of(name), scan) for scan, name in FIVE.items()]


HOSTILE = "</style></code>\"'><script>document.title='hostile'</script><b onclick=x>&lt;{{7*7}}"


def hostile() -> Status:
    """Return a status in which every text that came from outside is hostile."""
    piece = OpenSlice(
        start=NOW - HOUR,
        end=NOW,
        look=HOSTILE,
        blocked=True,
        not_before=0,
        records=0,
        fault=HOSTILE + "x" * 400,
    )
    needed = Attention(kind="failing", severity=1, text=HOSTILE, help=HOSTILE)
    return msgspec.structs.replace(
        status_of("healthy"),
        scan=HOSTILE,
        verdict=HOSTILE,
        attention=(needed,),
        slices=(piece,),
        runs=(Ran(outcome="failed", ended=NOW, message=HOSTILE),),
        late_by_pass={HOSTILE: 3},
    )


@dataclass(slots=True)
class Seen:
    """A page in the browser, and what the browser said and asked for meanwhile."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def look(self, width: int, scheme: Scheme) -> dict[str, Any]:
        """Return what `looks.js` reads at this width and in this colour scheme."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(color_scheme=scheme)
        looks: dict[str, Any] = self.page.evaluate(LOOKS, AA)
        return looks


Opened = Callable[[list[Status] | bytes], Seen]


def page_with(statuses: list[Status]) -> bytes:
    """Return the page of one scan, or that of several with an overview in the same order."""
    if len(statuses) == 1:
        return page_of(statuses)
    overview = overview_of((glance_of(it, API) for it in statuses), NOW)
    by_scan = {it.scan: it for it in statuses}
    return page_of([by_scan[it.scan] for it in overview.scans], overview)


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Provide what opens a page in a file: that of statuses, or another."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})

    def show(shown: list[Status] | bytes) -> Seen:
        path = tmp_path / "status.html"
        path.write_bytes(shown if isinstance(shown, bytes) else page_with(shown))
        seen = Seen(context.new_page())

        def note(request: Request) -> None:
            if not request.url.startswith("data:"):
                seen.asked.append(request.url)

        seen.page.on("console", lambda it: seen.said.append(it.text))
        seen.page.on("pageerror", lambda it: seen.said.append(str(it)))
        seen.page.on("request", note)
        seen.page.goto(path.as_uri())
        return seen

    yield show
    context.close()


def assert_looks_right(seen: Seen, schemes: tuple[Scheme, ...] = SCHEMES) -> None:
    """Assert that nothing overflows and everything can be read, at any width, light and dark."""
    for width in WIDTHS:
        for scheme in schemes:
            looks = seen.look(width, scheme)
            assert (width, scheme, looks["over"], looks["wide"]) == (width, scheme, 0, [])
            assert (width, scheme, looks["faint"]) == (width, scheme, [])
            assert looks["texts"] > 5


def assert_quiet(seen: Seen) -> None:
    """Assert that the browser complained about nothing, and asked for the file alone."""
    assert (seen.said, len(seen.asked)) == ([], 1)


@pytest.mark.parametrize("name", list(STORES))
def test_the_page_of_a_scan_has_its_verdict_and_looks_right(name: str, opened: Opened) -> None:
    """It is small, quiet, and readable at three widths in both colour schemes."""
    status = status_of(name)

    seen = opened([status])

    assert seen.page.locator("h1").inner_text() == status.verdict == STORES[name][1]
    assert seen.page.locator(".attention li").count() == len(status.attention)
    assert_looks_right(seen)
    assert_quiet(seen)
    assert len(page_of([status])) < 300_000


def test_five_scans_begin_with_an_overview_that_leads_to_each(opened: Opened) -> None:
    """The worst is first; a row has the verdict of its scan, and links to its own section."""
    seen = opened(five_scans())

    rows = seen.page.locator(".overview tbody tr:not(.group)")
    worst_first = ["sign-ins", "exchange", "teams", "all", "test"]
    assert [row.split("\t")[0] for row in rows.all_inner_texts()] == worst_first
    assert [it.inner_text() for it in rows.locator(".verdict").all()] == [
        STORES[FIVE[it]][1] for it in worst_first
    ]
    rows.nth(0).locator("th a").click()
    target = seen.page.locator(":target")
    assert target.locator("h2").inner_text() == STORES["poison"][1]
    assert_looks_right(seen, schemes=("light",))
    assert_quiet(seen)


WELL: tuple[Tone, str, Kind | None] = ("good", "The scan is up to date.", None)
VERDICTS: tuple[tuple[Tone, str, Kind | None], ...] = (
    ("bad", "Activities will be lost soon.", "soon-lost"),
    ("warning", "The scan is 14 h behind and catching up.", "lag"),
    ("notice", "The scan is paused until 2026-11-24 12:00:00 UTC, by kim: The tenant moves.", None),
    *([WELL] * 7),
)


def scans(count: int) -> list[Glance]:
    """Return how some scans are at a glance, in turn in each of a few states."""
    made = []
    for number in range(count):
        tone, verdict, kind = VERDICTS[number % len(VERDICTS)]
        needed = (
            Attention(kind=kind, severity=SEVERITIES[kind], text="x", help=HELP) if kind else None
        )
        made.append(
            Glance(
                scan=f"tenant-{number:03}",
                api=f"tenant-{number:03}.eu2.portal.cloudappsecurity.com",
                tone=tone,
                verdict=verdict,
                attention=(needed,) if needed else (),
                lag_seconds=number * 60.0 if needed else 0.0,
                delay=600.0 + number,
                now=NOW - number * 1_000,
            )
        )
    return made


def many_scans() -> Overview:
    """Return the overview of 500 scans, two of which have hostile names and errors."""
    hostile_one = msgspec.structs.replace(scans(1)[0], scan=HOSTILE, api=HOSTILE, verdict=HOSTILE)
    gone = unread("gone", "gone.example", HOSTILE, "docs/runbook.md#storage")
    return overview_of([*scans(498), gone, hostile_one], NOW)


def test_five_hundred_scans_are_readable_at_any_width(opened: Opened) -> None:
    """The worst are first, a scan can be named in the address, and nothing hostile acts."""
    made = many_scans()
    seen = opened(
        draw_overview(made, {it.scan: f"scan={it.scan}/status.html" for it in made.scans})
    )

    rows = seen.page.locator(".overview tbody tr:not(.group)")
    assert seen.page.locator("h1").inner_text() == "500 scans"
    assert seen.page.title() == "500 scans: 52 need somebody today – Activity Scan"
    assert rows.count() == 500
    assert rows.nth(0).locator("th").inner_text() == "tenant-490"
    assert (seen.page.locator("body").text_content() or "").count(HOSTILE) == 4
    assert seen.page.locator("script, [onclick]").count() == 0
    assert_looks_right(seen)
    assert_quiet(seen)
    seen.page.evaluate("location.hash = '#scan=tenant-497'")
    assert "tenant-497" in seen.page.locator("tr:target").inner_text()
    assert seen.page.locator("tr:target").evaluate("it => it.getBoundingClientRect().top") < 900


def test_an_overview_follows_the_rules_of_accessibility(opened: Opened) -> None:
    """As axe checks them, as a table and as a list on a narrow screen."""
    some = overview_of(scans(10), NOW)
    seen = opened(draw_overview(some, {it.scan: "x" for it in some.scans}))

    for width in (360, 1280):
        seen.page.set_viewport_size({"width": width, "height": 900})
        found = Axe().run(seen.page, options=VIOLATIONS)
        problems = [(it["id"], it["nodes"][0]["html"]) for it in found.response["violations"]]
        assert problems == []


def test_hostile_text_is_shown_as_text(opened: Opened) -> None:
    """Names, activities, errors and faults may hold anything; no element comes of them."""
    status = hostile()

    seen = opened([status])

    assert seen.page.locator("h1").inner_text() == HOSTILE
    assert seen.page.locator(".kicker b").inner_text() == HOSTILE
    assert HOSTILE in seen.page.locator(".attention .what").inner_text()
    assert HOSTILE in seen.page.locator(".slices .fault").inner_text()
    assert HOSTILE in (seen.page.locator(".runs .outcome").text_content() or "")
    assert seen.page.title() == f"{HOSTILE}: {HOSTILE} – Activity Scan"
    assert seen.page.locator("script, [onclick]").count() == 0
    assert_looks_right(seen)
    assert_quiet(seen)


def brief(status: Status) -> Status:
    """Return a status of a few days: each row of a table takes its time, and all are alike."""
    cells, week, runs = status.cells[-72:], status.week[-48:], status.runs[-10:]
    return msgspec.structs.replace(status, cells=cells, week=week, runs=runs)


VIOLATIONS = {"resultTypes": ["violations"]}
OF_COLOUR = {**VIOLATIONS, "runOnly": ["color-contrast", "link-in-text-block"]}


@pytest.mark.parametrize(("scheme", "rules"), [("light", VIOLATIONS), ("dark", OF_COLOUR)])
def test_the_page_follows_the_rules_of_accessibility(
    scheme: Scheme, rules: dict[str, Any], opened: Opened
) -> None:
    """As axe checks them, with every table open; only the rules of colour depend on the scheme."""
    seen = opened([brief(it) for it in five_scans()[1:3]])
    seen.page.emulate_media(color_scheme=scheme)
    seen.page.evaluate("document.querySelectorAll('details').forEach(it => { it.open = true })")

    found = Axe().run(seen.page, options=rules)

    problems = [(it["id"], it["nodes"][0]["html"]) for it in found.response["violations"]]
    assert problems == []


def test_every_picture_has_words_and_a_table(opened: Opened) -> None:
    """A screen reader gets a sentence for each, and its figures below it."""
    seen = opened([status_of("backlog")])

    pictures = seen.page.locator("svg[role=img]")
    names = [it.get_attribute("aria-label") for it in pictures.all()]
    tables = [it.locator("xpath=ancestor::section[1]").locator("table") for it in pictures.all()]
    assert len(names) == 5
    assert all(names)
    assert all(it.count() for it in tables)
    assert (
        seen.page.locator("svg:not([role=img]):not([aria-hidden] *):not([aria-hidden])").count()
        == 0
    )


def test_the_keyboard_reaches_everything(opened: Opened) -> None:
    """Each link, each table and what opens it, in the order of the page, and it can be seen."""
    seen = opened(five_scans()[:2])
    wanted = seen.page.locator("a, summary, .overview .scroll, .slices .scroll").count()

    active = "[...document.querySelectorAll('*')].indexOf(document.activeElement)"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    reached, outlines = list[int](), list[str]()
    for _ in range(wanted):
        seen.page.keyboard.press("Tab")
        reached.append(seen.page.evaluate(active))
        outlines.append(seen.page.evaluate(outline))
    seen.page.keyboard.press("Tab")

    assert reached == sorted(set(reached))
    assert set(outlines) == {"solid"}
    assert seen.page.evaluate("document.activeElement === document.body")
    seen.page.locator("summary").first.focus()
    seen.page.keyboard.press("Enter")
    assert seen.page.locator("details[open] table").first.is_visible()


def test_a_printed_page_is_light_and_shows_what_needs_a_person(opened: Opened) -> None:
    """Even where the screen is dark."""
    seen = opened([status_of("poison")])

    seen.page.emulate_media(media="print", color_scheme="dark")

    ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert seen.page.locator(".attention").is_visible()
    assert not seen.page.locator("details").first.is_visible()


def test_the_command_takes_the_picture_that_the_readme_shows(
    browser: Browser, tmp_path: Path
) -> None:
    """`make picture` takes it; fonts differ between machines, its size does not."""
    path = tmp_path / "picture.png"

    take(browser, status_of("backlog"), path)

    assert size_of(path) == size_of(PICTURE) == (SIZE["width"], SIZE["height"])
    assert PICTURE.stat().st_size < 200_000


def size_of(picture: Path) -> tuple[int, int]:
    """Return width and height in the header of a PNG file."""
    header = picture.read_bytes()[:24]
    assert header.startswith(b"\x89PNG")
    return int.from_bytes(header[16:20]), int.from_bytes(header[20:24])
