"""A process on the smallest instance has 512 MB of memory and a quarter of a core."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import limited

HOLDS = "from bench.limited import join; join(); held = b'x' * {} * 2**20; print(len(held))"

pytestmark = pytest.mark.skipif(
    not limited.is_possible(), reason="needs root and control groups of version 1"
)


def on_the_smallest(megabytes: int) -> subprocess.CompletedProcess[str]:
    """Run a process there that holds so much memory."""
    with limited.smallest() as instance:
        return subprocess.run(
            [sys.executable, "-c", HOLDS.format(megabytes)],
            cwd=Path(__file__).parents[2],
            env=instance.environ(),
            capture_output=True,
            text=True,
            check=False,
        )


def test_a_process_may_hold_less_than_the_instance_has() -> None:
    """It says how much."""
    assert on_the_smallest(300).stdout.strip() == str(300 * 2**20)


def test_a_process_that_holds_more_than_the_instance_has_is_killed() -> None:
    """There is no swap for it."""
    assert on_the_smallest(600).returncode == -9


def test_a_process_may_use_a_quarter_of_a_core() -> None:
    """In each tenth of a second."""
    with limited.smallest() as instance:
        quota = int((instance.cpu / "cpu.cfs_quota_us").read_text())
        period = int((instance.cpu / "cpu.cfs_period_us").read_text())

    assert quota / period == 0.25


def test_the_control_groups_are_removed() -> None:
    """Nothing of them stays on the machine."""
    with limited.smallest() as instance:
        assert instance.memory.exists()

    assert not instance.memory.exists()
    assert not instance.cpu.exists()
