"""Where `status` shows what it found."""

import io
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from shared.core.audit import history as histories
from shared.core.audit.status import Status, status_of
from shared.core.errors import StoreUnavailable
from shared.operate import watching
from shared.operate.watching import Page
from tests.fakes import NOW, FakeClock, policy


def status(scan: str = "all") -> Status:
    """Return the status of a scan that has never run."""
    return status_of(None, histories.empty(scan), [], policy(scan=scan), now=NOW)


class Terminal(io.StringIO):
    """A terminal that keeps what is written."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


def test_a_page_replaces_the_file_at_once(tmp_path: Path) -> None:
    """Nothing else is left in the folder; a browser loads it again if it is rewritten."""
    page = Page(path=tmp_path / "status.html", refresh=30)
    page.write([status()])

    page.write([status("exchange")])

    assert [it.name for it in tmp_path.iterdir()] == ["status.html"]
    assert b"exchange" in page.path.read_bytes()
    assert b'content="30"' in page.path.read_bytes()
    assert page.address == f"file://{tmp_path}/status.html"


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    """The folder of the unfinished file is gone."""
    page = Page(path=tmp_path / "none" / "status.html", refresh=None)

    with pytest.raises(FileNotFoundError):
        page.write([status()])


def test_a_page_without_a_file_gets_one_that_only_its_user_can_read() -> None:
    """It shows what is in the tenant."""
    path = watching.own_file()

    assert path.parent.stat().st_mode & 0o077 == 0
    path.parent.rmdir()


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


def test_text_is_lines_or_one_json_object_a_line() -> None:
    """For each scan."""
    both = [status(), status("exchange")]

    assert watching.text_of(both, as_json=False).count("The scan has not run yet.") == 2
    assert [it[:14] for it in watching.text_of(both, as_json=True).splitlines()] == [
        '{"version":1,"'
    ] * 2


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
    answers: list[Sequence[Status] | StoreUnavailable] = [
        StoreUnavailable("down"),
        [status()],
        StoreUnavailable("[down] again"),
    ]
    said = io.StringIO()

    def read() -> Sequence[Status]:
        answer = answers.pop(0)
        if isinstance(answer, StoreUnavailable):
            raise answer
        return answer

    again = watching.patient(read, Console(file=said, markup=False, width=999))

    with pytest.raises(StoreUnavailable, match="down"):
        again()
    assert list(again()) == list(again()) == [status()]
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
