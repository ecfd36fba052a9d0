"""The page: one file that asks for nothing, and shows hostile text as text."""

from html.parser import HTMLParser

import msgspec
import pytest

from shared.core.audit import history as histories
from shared.core.audit.attention import Attention
from shared.core.audit.history import Hour, Look
from shared.core.audit.pace import Ran
from shared.core.audit.status import OpenSlice, Status, status_of
from shared.core.model import FIRST_PASS
from shared.core.state import ledger as ledgers
from shared.drawing import draw, page_of
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy
from tests.world import World

HOW = policy(lookback=6 * HOUR)
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>&amp;{{ 7 * 7 }}"
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
    page = Elements(page_of([status, status]))

    ids = [str(attrs["id"]) for _, attrs in page.found if "id" in attrs]
    named = {attrs["aria-labelledby"] for _, attrs in page.found if "aria-labelledby" in attrs}
    links = {str(attrs["href"]) for tag, attrs in page.found if tag == "a"}
    assert len(ids) == len(set(ids))
    assert named <= set(ids)
    assert links == {"#scan-1", "#scan-2"}


def test_only_a_page_that_is_rewritten_is_loaded_again(status: Status) -> None:
    """A browser then follows it without script."""
    assert b'http-equiv="refresh" content="30"' in page_of([status], refresh=30)
    assert b'http-equiv="refresh"' not in page_of([status])


def test_a_scan_that_never_ran_has_a_page() -> None:
    """It has hardly anything on it."""
    page = draw(status_of(None, histories.empty("all"), [], HOW, now=NOW))

    assert b">The scan has not run yet.</h1>" in page
    assert b"Nothing needs a person." in page
