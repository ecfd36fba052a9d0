"""The simulator as a separate process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from simulator import Tenant
from simulator.__main__ import main
from simulator.tenant import arrivals_as_lines
from tests.simulator.client import LIST, T0

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ARGUMENTS = ["--seed", "7", "--count", "40", "--per-second", "2", "--until", str(T0)]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """Run the simulator, and yield its process and the line that it prints on start."""
    command = [sys.executable, "-m", "simulator", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def truth() -> str:
    """Return what the tenant of the arguments holds, as lines."""
    tenant = Tenant.generate(seed=7, count=40, per_second=2, until_ms=T0)
    return arrivals_as_lines(tenant.arrivals())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_simulator_serves_until_told_to_stop_and_exits_with_zero(
    number: signal.Signals,
) -> None:
    """Its first line has the address and a valid token."""
    with running(*ARGUMENTS) as (process, started):
        headers = {"Authorization": f"Token {started['token']}"}
        answer = requests.get(started["url"] + LIST, headers=headers, timeout=9)
        process.send_signal(number)

        assert process.wait(timeout=9) == 0
        assert answer.status_code == 200
        assert started["activities"] == 40


def test_options_become_switches_and_faults() -> None:
    """They are the shorthands, any switch by name, and the script of faults."""
    options = ["--page-cap", "5", "--throttle", "2", "--latency", "0.01", "--anonymous"]
    options += ["--switch", "minimum_limit=1", "--switch", "total=exact"]
    options += ["--switch", "reach_ms=none", "--fault", "status=503:2"]

    with running(*ARGUMENTS, *options) as (_, started):
        query = {"isScan": "true", "limit": "4"}
        answers = [requests.get(started["url"] + LIST, params=query, timeout=9) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 503, 200, 429]
    page = answers[0].json()
    assert page["total"] == 40
    assert 0 < len(page["data"]) < 4


def test_a_phase_replaces_a_switch_for_some_requests() -> None:
    """They are numbered like the requests of a fault."""
    options = ["--anonymous", "--switch", "reach_ms=none", "--phase", "non_scan_cap=7:2-3"]

    with running(*ARGUMENTS, *options) as (_, started):
        pages = [requests.get(started["url"] + LIST, timeout=9).json() for _ in range(4)]

    assert [len(page["data"]) for page in pages] == [40, 7, 7, 40]


def test_the_truth_says_when_each_activity_is_shown_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is the time of saving plus any jitter."""
    arguments = [*ARGUMENTS, "--print-truth-only"]

    main(arguments)
    plain = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    main([*arguments, "--switch", "visibility_jitter_ms=5000"])
    jittered = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    delays = [row["visible_from"] - row["created"] for row in jittered]
    assert [row["visible_from"] for row in plain] == [row["created"] for row in plain]
    assert all(0 <= delay < 5000 for delay in delays)
    assert len(set(delays)) > 20


def test_the_simulator_can_include_a_managed_identity() -> None:
    """The API accepts its tokens."""
    with running(*ARGUMENTS, "--identity") as (_, started):
        params = {"api-version": "2019-08-01", "resource": "05a65629-4c1b-48c1-a78b-804c4abdd4af"}
        headers = {"X-IDENTITY-HEADER": started["identity_header"]}
        answer = requests.get(
            started["identity_endpoint"], params=params, headers=headers, timeout=9
        )
        bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        page = requests.get(started["url"] + LIST, headers=bearer, timeout=9)

    assert page.status_code == 200


def test_the_truth_goes_to_a_file_before_serving_begins(
    tmp_path: Path,
) -> None:
    """The file has one JSON line for each activity."""
    target = tmp_path / "truth.jsonl"

    with running(*ARGUMENTS, "--truth", str(target)) as (_, started):
        written = target.read_text(encoding="utf-8")
        asked = requests.get(started["url"] + "/simulator/truth", timeout=9).text

    assert written == asked == truth()


def test_the_truth_can_be_printed_without_serving(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints nothing else."""
    status = main([*ARGUMENTS, "--print-truth-only"])

    assert status == 0
    assert capsys.readouterr().out == truth()


def test_the_time_can_be_iso(capsys: pytest.CaptureFixture[str]) -> None:
    """It is UTC unless it says otherwise."""
    arguments = ["--seed", "7", "--count", "40", "--per-second", "2", "--print-truth-only"]

    main([*arguments, "--until", "2023-11-14T22:13:20"])
    first = capsys.readouterr().out
    main([*arguments, "--until", "2023-11-14T23:13:20+01:00"])

    assert first == capsys.readouterr().out == truth()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--switch", "invented=1"], "There is no switch 'invented'"),
        (["--switch", "pretty"], "is not NAME=VALUE"),
        (["--switch", "pretty=3"], "takes a value like False"),
        (["--switch", "total=wrong"], "choose one of: estimate, exact, phantom"),
        (["--page-cap", "many"], "takes a number"),
        (["--fault", "invented:1"], "There is no fault 'invented'"),
        (["--phase", "invented=1:1"], "There is no switch 'invented'"),
        (["--until", "soon"], "neither now, nor epoch ms, nor ISO 8601"),
        (["--certificate", "x.pem"], "must be given together"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is 2, with the reason."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)

    assert reason in capsys.readouterr().err


def test_the_help_lists_every_switch_and_every_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """It explains each or says where to read about it."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])

    text = capsys.readouterr().out
    assert "tail_drop=millisecond" in text
    assert "stuck-cursor" in text


def transcript(**facts: Any) -> dict[str, Any]:
    """Return a transcript of an API that is slow, small and late, with some facts changed."""
    unknown = dict.fromkeys(
        [
            "default_direction",
            "direction",
            "limit",
            "notation",
            "echoes",
            "boundary",
            "black_hole",
            "created_filter",
            "created_sort",
            "created_agrees",
            "created_cursor",
            "empty_data",
            "empty_total",
            "total",
            "max",
            "unknown_filter",
            "event_action_type",
            "compressed",
            "retry_after",
        ]
    )
    measured = {
        **unknown,
        "refused": [],
        "hole_shown_by": [],
        "page_cap": 250,
        "page_cap_is": "exact",
        "small_page_ms": 20,
        "small_page": 250,
        "large_page_ms": 20,
        "large_page": 250,
        "reach": "edge",
        "reach_hours": 48,
        "lateness": [[0.0, 3600], [1.0, 7200]],
        "per_hour": 10.0,
    }
    return {"version": 1, "exchanges": [], "facts": {**measured, **facts}}


def test_the_simulator_can_be_like_the_api_of_a_transcript(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its tenant is as busy and as late, and fills the reach; the server behaves as told."""
    file = tmp_path / "transcript.json"
    file.write_text(json.dumps(transcript(total="absent", created_filter="ignored")))

    code = main(["--like", str(file), "--until", str(T0), "--print-truth-only"])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (code, len(lines)) == (0, 720)
    assert {3_600_000 <= it["created"] - it["timestamp"] <= 7_200_000 for it in lines} == {True}
    with running("--like", str(file), "--switch", "page_cap=7") as (_, started):
        headers = {"Authorization": f"Token {started['token']}"}
        body = {"isScan": True, "limit": 500, "filters": {"created": {"gte": 9 * T0}}}
        answer = requests.post(started["url"] + LIST, json=body, headers=headers, timeout=9).json()

    assert "total" not in answer
    assert 0 < len(answer["data"]) <= 7


def test_options_override_a_transcript(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever starts the simulator has the last word."""
    file = tmp_path / "transcript.json"
    file.write_text(json.dumps(transcript()))
    given = ["--like", str(file), "--count", "9", "--per-second", "1", "--late-share", "0"]

    main([*given, "--until", str(T0), "--print-truth-only"])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 9
    assert max(it["created"] - it["timestamp"] for it in lines) <= 340_000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "no transcript of version 1"),
        ('{"version": 2}', "no transcript of version 1"),
        (json.dumps(transcript(empty_data="soup")), "choose one of"),
    ],
)
def test_a_file_that_is_no_transcript_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    """Nothing is simulated by guessing."""
    file = tmp_path / "transcript.json"
    file.write_text(content)

    with pytest.raises(SystemExit) as stopped:
        main(["--like", str(file)])

    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_a_transcript_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It names the file."""
    with pytest.raises(SystemExit):
        main(["--like", "nowhere.json"])

    assert "nowhere.json cannot be read" in capsys.readouterr().err
