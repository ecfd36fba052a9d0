"""`make demo` as a person runs it."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[str]]:
    """Start the demonstration, and see that it leaves no process behind."""
    before = parts_at_work()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.demo"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    process.kill()
    process.wait()
    assert parts_at_work() <= before


def parts_at_work() -> set[str]:
    """Return the ids of all processes that a demonstration starts, whoever started them."""
    names = (b"azurite", b"simulator", b"functions_host")
    found = set()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            command = place.read_bytes()
            if any(name in command for name in names):
                found.add(place.parent.name)
    return found


def test_the_demonstration_proves_what_it_says(demo: subprocess.Popen[str]) -> None:
    """It resumes from a saved continuation, and its blobs equal the truth."""
    said, _ = demo.communicate()

    assert demo.returncode == 0, said
    assert "stopped by its time budget in the middle of the slice" in said
    assert "missing: 0   twice: 0   unknown to the API: 0" in said
    assert "The blobs equal the API's truth." in said


def test_the_demonstration_ends_when_it_is_told_to(demo: subprocess.Popen[str]) -> None:
    """Control-C ends everything that it started."""
    assert demo.stdout is not None
    while not demo.stdout.readline().startswith("run 1"):
        assert demo.poll() is None, "it ended before its first run had"
        time.sleep(0.01)

    demo.send_signal(signal.SIGINT)

    said, _ = demo.communicate(timeout=60)
    assert (demo.returncode, said.splitlines()[-1]) == (1, "stopped")
