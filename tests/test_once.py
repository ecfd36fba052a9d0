"""What several test processes share is made by one of them."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from tests.once import made_once

PROCESSES = multiprocessing.get_context("forkserver")


def make_slowly(folder: Path) -> None:
    """Make a folder in two steps, between which the others can begin, and count it."""
    folder.mkdir()
    with (folder.parent / "makers").open("a") as makers:
        makers.write(f"{os.getpid()}\n")
    (folder / "content").write_text("whole")


def be_killed(folder: Path) -> None:
    """Die between the two steps."""
    folder.mkdir()
    os.kill(os.getpid(), signal.SIGKILL)


def take(path: Path) -> None:
    """Be one of the processes that need it."""
    assert (made_once(path, make_slowly) / "content").read_text() == "whole"


def test_processes_that_begin_together_share_what_one_made(tmp_path: Path) -> None:
    """In a fresh clone, several test processes want the same package at the same moment."""
    processes = [PROCESSES.Process(target=take, args=(tmp_path / "made",)) for _ in range(4)]

    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0] * 4
    assert len((tmp_path / "makers").read_text().splitlines()) == 1


@pytest.mark.parametrize("left", ["folder", "file"])
def test_what_a_killed_process_left_is_made_again(tmp_path: Path, left: str) -> None:
    """Nobody would remove it otherwise, and it may be half of what is needed."""
    path = tmp_path / "made"
    if left == "folder":
        killed = PROCESSES.Process(target=made_once, args=(path, be_killed))
        killed.start()
        killed.join()
        assert killed.exitcode == -signal.SIGKILL
    else:
        (tmp_path / "made.unfinished").write_text("half")

    take(path)


def test_what_failed_to_be_made_is_not_there(tmp_path: Path) -> None:
    """The next one tries again; an index that cannot be reached must not fail every later run."""

    def fail(folder: Path) -> None:
        folder.mkdir()
        raise OSError

    with pytest.raises(OSError, match=r"^$"):
        made_once(tmp_path / "made", fail)

    assert not (tmp_path / "made").exists()
    take(tmp_path / "made")
