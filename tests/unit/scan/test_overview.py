"""The overview of an app, from what the runs of its scans have stored."""

import json
from typing import Any

import msgspec
import pytest

from shared.core.audit import history as histories
from shared.core.audit import status as statuses
from shared.core.audit.overview import Overview
from shared.core.audit.status import Tone, status_of
from shared.core.errors import StoreUnavailable
from shared.drawing import draw_overview
from shared.ports import Derived
from shared.scan.overview import EVERY_MS, MOST_MS, READERS, Place, write_overview
from tests.fakes import MINUTE, NOW, FakeClock, InMemoryDerived, policy

JSON, HTML = "overview.json", "overview.html"


class Store(InMemoryDerived):
    """A store that counts what is asked of it, takes its time, or fails."""

    def __init__(self, clock: FakeClock | None = None, *, takes: int = 0, fails: str = "") -> None:
        super().__init__()
        self.clock, self.takes, self.fails = clock, takes, fails
        self.reads = 0

    def read(self, name: str) -> Derived:
        """Read, in time or not at all."""
        self.reads += 1
        if self.clock:
            self.clock.advance(self.takes)
        if self.fails:
            raise StoreUnavailable(self.fails)
        return super().read(name)


def place(scan: str, store: Store | None = None, *, tone: Tone = "good") -> Place:
    """Return where a scan has stored its status."""
    store = store or Store()
    made = status_of(None, histories.empty(scan), [], policy(scan=scan), now=NOW)
    told = msgspec.structs.replace(made, tone=tone, verdict=f"{scan} is {tone}.")
    store.blobs[f"scan={scan}/status.json"] = (statuses.encode(told), 1, 0)
    return Place(scan=scan, api=f"{scan}.example", derived=store, page=f"{scan}.html")


def told(app: InMemoryDerived) -> dict[str, Any]:
    """Return the verdicts of the stored overview by scan, in its order."""
    return {it["scan"]: it["verdict"] for it in json.loads(app.blobs[JSON][0])["scans"]}


def test_the_overview_is_made_of_the_stored_statuses() -> None:
    """As JSON and as a page with a link to the page of each scan, the worst first."""
    app, places = Store(), [place("contoso"), place("fabrikam", tone="bad")]

    assert write_overview(places, app, draw_overview, FakeClock())

    page = app.blobs[HTML][0].decode()
    assert told(app) == {"fabrikam": "fabrikam is bad.", "contoso": "contoso is good."}
    assert 'href="contoso.html"' in page
    assert "fabrikam.example" in page


def test_a_scan_that_cannot_be_read_hides_no_other() -> None:
    """Nor does one that has never run."""
    app = Store()
    places = [
        place("contoso"),
        place("gone", Store(fails="the container does not exist")),
        Place(scan="new", api="new.example", derived=Store(), page="new.html"),
    ]

    write_overview(places, app, draw_overview, FakeClock())

    assert told(app) == {
        "gone": "Its status cannot be read: the container does not exist.",
        "new": "No run has written its status yet.",
        "contoso": "contoso is good.",
    }


def test_it_is_written_once_in_each_quarter_of_an_hour() -> None:
    """Whichever process the timer starts: only what is stored counts."""
    app, clock = Store(), FakeClock(NOW)
    wrote = []
    for _ in range(9):
        wrote.append(write_overview([place("contoso")], app, draw_overview, clock))
        clock.advance(5 * MINUTE)

    assert wrote == [True, False, False] * 3
    assert json.loads(app.blobs[JSON][0])["now"] == NOW + 2 * EVERY_MS


@pytest.mark.parametrize("content", [b"", b"{", b'{"now":"soon"}', b'{"now":1,"x":"\xff"}'])
def test_an_overview_that_is_damaged_is_written_again(content: bytes) -> None:
    """Somebody may have edited it."""
    app = Store()
    app.blobs[JSON] = (content, 1, 0)

    write_overview([place("contoso")], app, draw_overview, FakeClock())

    assert told(app) == {"contoso": "contoso is good."}


def test_what_slow_storage_does_not_show_in_time_is_left_out() -> None:
    """The platform ends an invocation that takes too long."""
    app, clock = Store(), FakeClock()
    places = [place(f"{n:03}", Store(clock, takes=MOST_MS // 10)) for n in range(100)]

    write_overview(places, app, draw_overview, clock)

    late = [it for it in told(app).values() if it.startswith("Its status was not read, because")]
    assert len(told(app)) == 100
    assert len(late) >= 100 - 10 - READERS


def test_of_two_timers_at_once_one_writes() -> None:
    """The page is that of the JSON."""
    app = Store()

    class Overtaken(Store):
        """Its scan is read while another process writes the overview."""

        def read(self, name: str) -> Derived:
            app.blobs[JSON] = (b"theirs", 7, 0)
            return super().read(name)

    write_overview([place("contoso", Overtaken())], app, draw_overview, FakeClock())

    assert app.blobs == {JSON: (b"theirs", 7, 0)}


def test_an_overview_costs_one_read_for_each_scan() -> None:
    """`bench/cost.py` counts with it; a timer at which none is due costs one read."""
    app, stores = Store(), [Store() for _ in range(40)]
    places = [place(f"{n:02}", store) for n, store in enumerate(stores)]

    write_overview(places, app, draw_overview, FakeClock())
    assert {it.reads for it in stores} == {1}
    assert app.effects.done == ["save derived"] * 2
    before = app.reads
    write_overview(places, app, draw_overview, FakeClock())

    assert {it.reads for it in stores} == {1}
    assert app.reads == before + 1


def test_a_page_that_cannot_be_drawn_leaves_the_json() -> None:
    """It is written before."""
    app = Store()

    def broken(overview: Overview, links: dict[str, str]) -> bytes:
        raise ZeroDivisionError(overview, links)

    with pytest.raises(ZeroDivisionError):
        write_overview([place("contoso")], app, broken, FakeClock())

    assert set(app.blobs) == {JSON}
