"""Where `status` shows what it found."""

import io
import json
import re
import sys
import webbrowser
from pathlib import Path

import pytest
from rich.console import Console

from shared.core.audit import history as histories
from shared.core.audit.status import status_of
from shared.core.errors import SettingsError, StoreUnavailable
from shared.operate import watching
from shared.operate.status import FEW, Found, Reading
from shared.operate.watching import Folder, Page
from tests.fakes import NOW, FakeClock, policy

API = "contoso.eu2.portal.cloudappsecurity.com"
FIVE = ("contoso", "fabrikam", "northwind", "tailspin", "trey")
MANY = tuple(f"tenant-{number:02}" for number in range(FEW + 1))
GONE = StoreUnavailable("read ledger.json: the container does not exist")


def reading(*scans: str, unread: str = "") -> Reading:
    """Return that these scans have never run, and that one of them cannot be read."""
    return Reading(
        found=tuple(
            Found(
                scan=scan,
                api=API,
                status=GONE
                if scan == unread
                else status_of(None, histories.empty(scan), [], policy(scan=scan), now=NOW),
            )
            for scan in scans or ("all",)
        ),
        now=NOW,
    )


class Terminal(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def test_a_page_replaces_the_file_at_once(tmp_path: Path) -> None:
    """Nothing else is left in the folder; a browser loads it again if it is rewritten."""
    page = Page(path=tmp_path / "status.html", refresh=30)
    page.write(reading())

    page.write(reading("exchange"))

    assert [it.name for it in tmp_path.iterdir()] == ["status.html"]
    assert b"exchange" in page.path.read_bytes()
    assert b'content="30"' in page.path.read_bytes()
    assert page.address == f"file://{tmp_path}/status.html"


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """The folder of the unfinished file is gone."""
    page = Page(path=tmp_path / "none" / "status.html", refresh=None)

    with pytest.raises(FileNotFoundError):
        page.write(reading())


def test_a_page_without_a_file_gets_a_folder_that_only_its_user_can_read() -> None:
    """It shows what is in the tenant."""
    path = watching.own_folder()

    assert path.stat().st_mode & 0o077 == 0
    path.rmdir()


def test_a_folder_gets_an_overview_and_a_page_of_each_scan_with_links_both_ways(
    tmp_path: Path,
) -> None:
    """A scan that cannot be read is in the overview, and has no page."""
    folder = Folder(path=tmp_path / "new", refresh=30)

    folder.write(reading(*MANY, unread="tenant-03"))

    index = (tmp_path / "new" / "index.html").read_text("utf-8")
    linked = re.findall(r'<th scope="row"><a href="([^"]+)"', index)
    pages = {str(it.relative_to(folder.path)) for it in folder.path.rglob("status.html")}
    assert set(linked) == pages == {f"scan={it}/status.html" for it in MANY if it != "tenant-03"}
    assert "read ledger.json: the container does not exist" in index
    assert 'http-equiv="refresh" content="30"' in index
    for page in pages:
        assert 'href="../index.html"' in (folder.path / page).read_text("utf-8")
    assert folder.address == f"file://{tmp_path}/new/index.html"


@pytest.mark.parametrize(
    ("html", "scans", "kind"),
    [
        (None, 1, Page),
        (None, FEW, Page),
        (None, FEW + 1, Folder),
        ("status.html", FEW, Page),
        ("pages/", 1, Folder),
        ("pages/", 500, Folder),
        ("there", 2, Folder),
    ],
)
def test_pages_go_to_a_file_or_to_a_folder(
    html: str | None, scans: int, kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder is one that exists, or a name with a slash at its end; many scans need one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(watching, "own_folder", lambda: tmp_path)
    (tmp_path / "there").mkdir()

    assert isinstance(watching.target_of(html, scans, opens=True, refresh=None), kind)
    assert watching.target_of(None, scans, opens=False, refresh=None) is None


def test_a_file_is_refused_for_too_many_scans() -> None:
    """The message says what to name instead."""
    with pytest.raises(SettingsError, match=r"at most 10 scans, not 11.*--html s\.html/.*--scan"):
        watching.target_of("s.html", FEW + 1, opens=False, refresh=None)


def test_where_no_browser_can_be_started_the_address_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a server."""
    opened = list[str]()

    def opens(address: str) -> bool:
        opened.append(address)
        return False

    monkeypatch.setattr(webbrowser, "open", opens)
    said = io.StringIO()
    page = Page(path=tmp_path / "status.html", refresh=None)

    watching.open_in_browser(page, Console(file=said, width=999))

    assert opened == [page.address]
    assert said.getvalue() == f"no browser could be started: open {page.address}\n"


def test_json_is_one_object_a_line_in_the_order_of_the_settings() -> None:
    """What cannot be read comes last, with its error and the section that helps."""
    lines = watching.written(reading(*FIVE, unread="fabrikam"), as_json=True).splitlines()

    *told, last = [json.loads(it) for it in lines]
    assert [it["scan"] for it in told] == [it for it in FIVE if it != "fabrikam"]
    assert all({"verdict", "attention", "cells"} <= set(it) for it in told)
    assert last == {
        "scan": "fabrikam",
        "error": "StoreUnavailable",
        "message": str(GONE),
        "help": GONE.help,
    }


def test_it_is_shown_again_until_it_is_interrupted() -> None:
    """After as many seconds as were asked for."""
    clock, shown = FakeClock(), list[int]()

    def show() -> None:
        shown.append(clock.now() - NOW)
        if len(shown) == 3:
            raise KeyboardInterrupt

    watching.repeat(show, clock, 20)

    assert shown == [20_000, 40_000, 60_000]


def test_a_storage_that_fails_for_a_while_leaves_what_was_shown() -> None:
    """The first reading must succeed."""
    there = reading()
    answers: list[Reading | StoreUnavailable] = [
        StoreUnavailable("down"),
        there,
        StoreUnavailable("[down] again"),
    ]
    said = io.StringIO()

    def read() -> Reading:
        answer = answers.pop(0)
        if isinstance(answer, StoreUnavailable):
            raise answer
        return answer

    again = watching.patient(read, Console(file=said, markup=False, width=999))

    with pytest.raises(StoreUnavailable, match="down"):
        again()
    assert again() is again() is there
    assert said.getvalue() == "not read again: [down] again\n"


def test_on_a_terminal_the_same_place_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a screen of its own, so that what was there before comes back; text is not markup."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with watching.standard_output(redraw=True) as write:
        write("[bold]first\n")
        write("second\n")

    written = terminal.getvalue()
    assert "\x1b[?1049h" in written
    assert written.index("[bold]first") < written.index("second") < written.index("\x1b[?1049l")


def test_elsewhere_everything_is_written_after_what_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A log keeps it."""
    with watching.standard_output(redraw=True) as write:
        write("first\n")
        write("second\n")

    assert capsys.readouterr().out == "first\nsecond\n"
