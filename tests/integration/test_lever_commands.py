"""The commands that change a scan, against the simulator and Azurite."""

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.adapters.system_clock import SystemClock
from simulator import Simulator, Tenant
from tests.fakes import HOUR, MINUTE
from tests.integration.test_command_line import invoke
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, settings, stored

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    """Provide a tenant with a few activities."""
    return history(60)


@pytest.fixture
def environ(storage_settings: dict[str, str], tenant: Tenant) -> dict[str, str]:
    """Provide the settings of a scan that has stored everything."""
    with Simulator(tenant, switches=OPEN) as api:
        scanned = settings(api, storage_settings)
        run_until_idle(scanned)
    return scanned


def report_of(environ: dict[str, str]) -> dict[str, object]:
    """Do a run, and return its report line."""
    line: dict[str, object] = json.loads(invoke(environ, "run").stdout)
    return line


def test_a_scan_is_paused_and_resumed(environ: dict[str, str]) -> None:
    """Each run reports what was decided before it, with the reason."""
    paused = invoke(environ, "pause", "--reason", "moving", "--yes", "--json")
    first = report_of(environ)
    resumed = invoke(environ, "resume", "--yes")
    second = report_of(environ)

    assert (paused.exit_code, resumed.exit_code) == (0, 0), paused.stderr
    told = json.loads(paused.stdout)
    assert (told["scan"], told["kind"], told["reason"]) == ("all", "pause", "moving")
    assert "all: no run sends a request" in paused.stderr
    assert (first["outcome"], first["requests"]) == ("paused", 0)
    assert [(it["kind"], it["reason"]) for it in first["decisions"]] == [("pause", "moving")]  # type: ignore[attr-defined]
    assert [it["kind"] for it in second["decisions"]] == ["resume"]  # type: ignore[attr-defined]
    assert second["outcome"] != "paused"


REFUSED = [
    (("resume", "--yes"), 1, "failed: LeverRefused: the scan is not paused"),
    (("retry", "--yes"), 1, "failed: LeverRefused: no slice waits"),
    (("accept-filters", "--yes"), 1, "there is nothing to accept"),
    (("pause", "--until", "2020-01-01", "--yes"), 1, "is in the past"),
    (("backfill", "--from", "2020-01-01", "--yes"), 1, "beyond the API's reach of 30 days"),
    (("rescan", "--from", "2020-01-01", "--until", "2020-01-02", "--yes"), 1, "begins at"),
    (("pause",), 2, "--yes is needed: there is no terminal to ask on"),
    (("pause", "--until", "soon", "--yes"), 2, "--until is 'soon': it is not a time"),
    (("rescan", "--from", "yesterday", "--until", "2020-01-02"), 2, "--from is 'yesterday'"),
    (("rescan", "--from", "2020-01-01", "--until", "soon"), 2, "--until is 'soon'"),
    (("backfill", "--from", "long ago"), 2, "--from is 'long ago'"),
]

OF_THE_FIRST_RELEASE = [
    (("rescan", "--from", "2020-01-01", "--to", "2020-01-02", "--yes"), 1, "begins at"),
    (("rescan", "--from", "2020-01-01", "--to", "soon"), 2, "--until is 'soon'"),
    (("backfill", "--to", "2020-01-01", "--yes"), 1, "beyond the API's reach of 30 days"),
]


def test_what_makes_no_sense_is_refused_with_the_reason(environ: dict[str, str]) -> None:
    """Nothing is changed, and the exit code tells a refusal from a wrong option."""
    for arguments, code, says in [*REFUSED, *OF_THE_FIRST_RELEASE]:
        result = invoke(environ, *arguments)

        assert (result.exit_code, result.stdout) == (code, ""), arguments
        assert says in result.stderr
        assert ("docs/command-line.md#levers" in result.stderr) is (code == 1)


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_a_person_is_asked_first(environ: dict[str, str], answer: str, code: int) -> None:
    """The question comes with what would be done; without a yes nothing is changed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "shared", "pause"]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environ}, stdin=theirs, stderr=subprocess.PIPE
    ) as asked:
        os.write(ours, f"{answer}\n".encode())
        _, said = asked.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)

    assert asked.returncode == code, said.decode()
    assert "all: no run sends a request\nDo this? [y/N]:" in said.decode()
    assert ("nothing was changed" in said.decode()) is (answer == "n")
    assert invoke(environ, "resume", "--yes").exit_code == code


def test_time_is_scanned_again_and_before_the_origin(storage_settings: dict[str, str]) -> None:
    """The feed is the truth then, each activity once, and the store is sound."""
    now = SystemClock().now()
    known = [now - hours * HOUR for hours in (1, 2, 5, 6)]
    missed = [now - 2 * HOUR - MINUTE, now - 2 * HOUR + MINUTE]
    tenant = Tenant.of(known)
    with Simulator(tenant, switches=OPEN) as api:
        environ = settings(api, storage_settings, SCAN_SWEEPS="none")
        run_until_idle(environ)
        first = len(stored(storage_settings))
        tenant.add(*[(at, at + MINUTE) for at in missed])
        bounds = ("--from", iso(now - 3 * HOUR + 5 * MINUTE), "--until", iso(now - HOUR))

        ordered = [
            invoke(environ, "rescan", *bounds, "--yes"),
            invoke(environ, "backfill", "--from", iso(now - 7 * HOUR), "--yes", "--now"),
        ]
        run_until_idle(environ)
        run_until_idle(environ)

    assert [it.exit_code for it in ordered] == [0, 0], [it.stderr for it in ordered]
    assert first == 2
    assert sorted(stored(storage_settings)) == tenant.truth()
    checked = invoke(environ, "verify")
    assert checked.exit_code == 0, checked.stderr


def iso(instant: int) -> str:
    """Return a time as a person writes it."""
    return datetime.fromtimestamp(instant // 1000, UTC).isoformat()
