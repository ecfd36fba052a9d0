"""What several test processes need, and only the first one makes."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def made_once(path: Path, make: Callable[[Path], object]) -> Path:
    """Return a file or folder, after making it if there is none.

    `make` gets another path, which is renamed when it returns, so that nobody ever sees half of it.
    The lock ends with its process: what a killed process left is removed and made again.
    """
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = path.with_name(f"{path.name}.unfinished")
            _remove(unfinished)
            make(unfinished)
            unfinished.rename(path)
    return path


def _remove(path: Path) -> None:
    """Remove a file or folder, if there is one."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
