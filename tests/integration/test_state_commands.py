"""The commands that show the ledger and the quarantine, against the emulator."""

import json
from base64 import b64decode
from pathlib import Path

import pytest

from shared.adapters.blob_ledger import BlobLedgerStore
from simulator import Fault, Simulator
from tests.contracts.proxies import KeepingVersions, through
from tests.contracts.storage import opened
from tests.integration.test_command_line import invoke
from tests.integration.test_scan_over_http import OPEN, history, settings


@pytest.fixture
def environ(storage_settings: dict[str, str]) -> dict[str, str]:
    """Provide the settings of a scan that has run once, and got one answer that made no sense."""
    with Simulator(history(600), switches=OPEN, faults=[Fault("html", 2)]) as api:
        given = settings(api, storage_settings, SCAN_LOOKBACK="2h")
        ran = invoke(given, "run")
    assert ran.exit_code == 0, ran.stderr
    return given


def test_the_ledger_is_shown_for_people_and_as_it_is_stored(environ: dict[str, str]) -> None:
    """Even bytes that are not a ledger, so that somebody can look at them."""
    store = BlobLedgerStore(opened(environ, make=False).state, "all")
    stored = store.load()

    shown = invoke(environ, "ledger", "show")
    as_json = invoke(environ, "ledger", "show", "--json")
    store.save(b"{damaged}", etag=stored.etag)
    damaged = invoke(environ, "ledger", "show", "--json")
    unreadable = invoke(environ, "ledger", "show")

    assert "covered by first" in shown.stdout
    assert as_json.stdout.encode() == stored.content
    assert (damaged.exit_code, damaged.stdout) == (0, "{damaged}")
    assert unreadable.exit_code == 1
    assert "LedgerUnreadable" in unreadable.stderr


def test_a_scan_without_a_ledger_shows_none(storage_settings: dict[str, str]) -> None:
    """With --json the error is JSON, too."""
    opened(storage_settings)
    with Simulator(history(1), switches=OPEN) as api:
        ran = invoke(settings(api, storage_settings), "ledger", "show", "--json")

    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["error"] == "LeverRefused"
    assert "has no ledger" in ran.stderr


def test_without_versions_a_rebuild_is_named(environ: dict[str, str]) -> None:
    """The emulator keeps none."""
    listed = invoke(environ, "ledger", "history")
    restored = invoke(environ, "ledger", "restore", "--yes")

    assert (listed.exit_code, restored.exit_code) == (0, 1)
    for told in (listed.stdout, restored.stderr):
        assert "keeps no versions" in told
        assert "ledger rebuild" in told


def test_a_damaged_ledger_is_restored(environ: dict[str, str]) -> None:
    """From the versions of an account that keeps them, which a proxy plays."""
    versions = KeepingVersions("scan=all/ledger.json")
    with through(environ, refuse=versions.refuse, change=versions.change) as there:
        store = BlobLedgerStore(opened(there, make=False).state, "all")
        good = store.load()
        etag = store.save(good.content or b"", etag=good.etag)
        store.save(b"{damaged}", etag=etag)
        listed = invoke(there, "ledger", "history", "--json")
        restored = invoke(there, "ledger", "restore", "--yes", "--json", "--reason", "it broke")
        shown = invoke(there, "ledger", "show")

    assert [json.loads(line)["fits"] for line in listed.stdout.splitlines()] == [False, True]
    assert restored.exit_code == 0, restored.stderr
    assert json.loads(restored.stdout)["kind"] == "restore"
    assert "(it broke)" in shown.stdout


def test_without_a_terminal_a_restore_needs_a_yes(environ: dict[str, str]) -> None:
    """Nothing is changed, and the exit code says that an option is missing."""
    versions = KeepingVersions("scan=all/ledger.json")
    with through(environ, refuse=versions.refuse, change=versions.change) as there:
        store = BlobLedgerStore(opened(there, make=False).state, "all")
        good = store.load()
        store.save(b"{damaged}", etag=store.save(good.content or b"", etag=good.etag))
        ran = invoke(there, "ledger", "restore")
        content = store.load().content

    assert (ran.exit_code, content) == (2, b"{damaged}")
    assert "--yes is needed" in ran.stderr


def test_an_answer_that_made_no_sense_is_shown(environ: dict[str, str], tmp_path: Path) -> None:
    """With its time, its slice and the reason; its bytes also go to a file."""
    (kept,) = [json.loads(it) for it in _lines(environ, "quarantine", "list", "--json")]
    number = str(kept["slot"])
    target = tmp_path / "answer"

    (listed,) = _lines(environ, "quarantine", "list")
    shown = invoke(environ, "quarantine", "show", number)
    as_json = json.loads(invoke(environ, "quarantine", "show", number, "--json").stdout)
    invoke(environ, "quarantine", "show", number, "--output", str(target))
    empty = invoke(environ, "quarantine", "show", "99")

    assert kept["fault"] in listed
    assert "<html" in shown.stdout.lower()
    assert b64decode(as_json["base64"]) == target.read_bytes()
    assert (empty.exit_code, "no answer is kept" in empty.stderr) == (1, True)


def _lines(environ: dict[str, str], *arguments: str) -> list[str]:
    return invoke(environ, *arguments).stdout.splitlines()
