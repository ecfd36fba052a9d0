"""`make demo` as a user runs it."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.long


class Watch(Thread):
    """Records every process that a process starts, directly or indirectly, while it lives."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.seen: dict[int, str] = {process.pid: ""}

    def run(self) -> None:
        """Look several times a second."""
        while self.process.poll() is None:
            self.look()
            time.sleep(0.3)

    def look(self) -> None:
        """Record the processes whose parent is known, by id and start."""
        for pid, (parent, started) in processes().items():
            if parent in self.seen:
                self.seen.setdefault(pid, started)

    def left(self) -> set[int]:
        """Return the ids of those that still exist, without the first one."""
        there = {pid: started for pid, (_, started) in processes().items()}
        return {pid for pid, started in self.seen.items() if started and there.get(pid) == started}


def processes() -> dict[int, tuple[int, str]]:
    """Return parent and start time of every process that is not a zombie."""
    found = {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = place.read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                found[int(place.parent.name)] = (int(fields[1]), fields[19])
    return found


@pytest.fixture
def demo(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """Start the demonstration, and check that it leaves no process behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.demo", "--activities", str(request.param)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watch = Watch(process)
    watch.start()
    yield process
    process.kill()
    process.wait()
    watch.join()
    assert len(watch.seen) > 2
    assert watch.left() == set()


def shapes(said: str) -> set[str]:
    """Return the lines of an output without what differs between demonstrations."""
    plain = (re.sub(r" \.+ ", " . ", line) for line in said.splitlines() if line != "...")
    return {re.sub(r"[\d,]+|demo-\w+", "0", line) for line in plain}


@pytest.mark.parametrize("demo", [2_400], indirect=True)
def test_the_demonstration_proves_what_it_says(demo: subprocess.Popen[str]) -> None:
    """It resumes from a saved continuation, its blobs equal the truth, and README shows it."""
    (shown,) = re.findall(
        r"^```text\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )

    said, _ = demo.communicate()

    assert demo.returncode == 0, said
    assert shapes(shown) - shapes(said) == set()
    assert "stopped by its time budget in the middle of the slice" in said
    assert "missing: 0   twice: 0   unknown to the API: 0" in said
    assert "The blobs equal the API's truth." in said
    (address,) = re.findall(r"^The status page of this scan: file://(.*)$", said, re.MULTILINE)
    assert b">The scan is up to date.</h1>" in Path(address).read_bytes()
    shutil.rmtree(Path(address).parent)


@pytest.mark.parametrize("demo", [500], indirect=True)
def test_control_c_ends_the_demonstration(demo: subprocess.Popen[str]) -> None:
    """It stops everything that it started."""
    assert demo.stdout is not None
    while not demo.stdout.readline().startswith("run 1"):
        assert demo.poll() is None, "it ended before its first run had"
        time.sleep(0.01)

    demo.send_signal(signal.SIGINT)

    said, _ = demo.communicate(timeout=60)
    assert (demo.returncode, said.splitlines()[-1]) == (1, "stopped")
