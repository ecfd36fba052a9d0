"""The smallest instance: 512 MB of memory without swap, and a quarter of a core.

The limits are those of two control groups (version 1, with the controllers `memory` and `cpu`),
which only root may make. A process that needs more memory is killed, and one that needs more
processor time waits.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/sys/fs/cgroup")
MEMORY = 512 * 1024 * 1024
PERIOD_US = 100_000
"""In each period the process may use a share of one core; this is the kernel's default."""

SHARE = 0.25

JOINS = "BENCH_JOINS"
"""The environment variable that names the control groups which a contestant joins as it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Two control groups.

    Attributes:
        memory: folder of the group that limits memory.
        cpu: folder of the group that limits processor time.
    """

    memory: Path
    cpu: Path

    def environ(self) -> dict[str, str]:
        """Return the environment of a contestant that is to join."""
        return {**os.environ, JOINS: os.pathsep.join(map(str, (self.memory, self.cpu)))}

    def peak_kb(self) -> int:
        """Return the most memory that was charged, in KB: the files that were read included."""
        return int((self.memory / "memory.max_usage_in_bytes").read_text()) // 1024


def is_possible() -> bool:
    """Say whether control groups can be made here."""
    return all(os.access(_own(name), os.W_OK) for name in ("memory", "cpu"))


@contextmanager
def smallest() -> Iterator[Instance]:
    """Make the control groups, and remove them at the end of the `with` block.

    Raises:
        OSError: this machine does not allow it.
    """
    with ExitStack() as stack:
        made = Instance(
            memory=stack.enter_context(_group("memory")), cpu=stack.enter_context(_group("cpu"))
        )
        (made.memory / "memory.limit_in_bytes").write_text(str(MEMORY))
        with_swap = made.memory / "memory.memsw.limit_in_bytes"
        if with_swap.exists():
            with_swap.write_text(str(MEMORY))
        (made.cpu / "cpu.cfs_period_us").write_text(str(PERIOD_US))
        (made.cpu / "cpu.cfs_quota_us").write_text(str(int(PERIOD_US * SHARE)))
        yield made


def join() -> None:
    """Move this process into the control groups that its environment names, if it names any."""
    for folder in filter(None, os.environ.get(JOINS, "").split(os.pathsep)):
        Path(folder, "cgroup.procs").write_text(str(os.getpid()))


@contextmanager
def _group(controller: str) -> Iterator[Path]:
    folder = _own(controller) / f"activity-scan-{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        folder.rmdir()


def _own(controller: str) -> Path:
    """Return the folder of the group that limits this process now."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return ROOT / controller / path.lstrip("/")
    return ROOT / controller / "there is none"
