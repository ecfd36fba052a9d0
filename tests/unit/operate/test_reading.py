"""Blobs are read concurrently, in order, and a bounded number at once."""

import threading

import pytest

from shared.operate.reading import AHEAD, BYTES_AHEAD, LANES, Progress, read_ahead
from tests.fakes import FakeClock


class Counting:
    """Reads numbers, and counts the reads in progress and the results that wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun = 0
        self.taken = 0
        self.most = 0
        self.meeting = threading.Barrier(LANES, timeout=30)

    def read(self, number: int) -> int:
        """Return the number once as many reads are in progress as there are lanes."""
        with self.lock:
            self.begun += 1
            self.most = max(self.most, self.begun - self.taken)
            first = self.begun <= LANES
        if first:
            self.meeting.wait()
        return number

    def take(self) -> None:
        """Count one that was delivered."""
        with self.lock:
            self.taken += 1


def test_as_many_blobs_as_there_are_lanes_are_read_at_once_and_in_order() -> None:
    """The barrier opens only once every lane is reading."""
    counting = Counting()

    read = [found for _, found in read_ahead(range(500), counting.read)]

    assert read == list(range(500))


def test_no_more_blobs_wait_than_there_is_room_for() -> None:
    """The caller takes them slowly."""
    counting = Counting()

    for _ in read_ahead(range(1_000), counting.read):
        counting.take()

    assert counting.most <= AHEAD + 1


def test_no_more_bytes_wait_than_there_is_room_for() -> None:
    """Large parts come one by one, small ones together."""
    held, most = 0, 0
    lock = threading.Lock()

    def read(size: int) -> int:
        nonlocal held, most
        with lock:
            held += size
            most = max(most, held)
        return size

    sizes = [BYTES_AHEAD * 2, BYTES_AHEAD // 3, BYTES_AHEAD // 2, 10, BYTES_AHEAD, 5] * 20
    for size, _ in read_ahead(sizes, read, lambda it: it):
        with lock:
            held -= size

    assert most <= BYTES_AHEAD * 3


def test_a_blob_that_cannot_be_read_raises_in_its_turn() -> None:
    """Earlier results have been delivered, and nothing continues in the background."""

    def read(number: int) -> int:
        if number == 30:
            raise OSError("storage is away")
        return number

    found: list[int] = []
    with pytest.raises(OSError, match="storage is away"):
        found.extend(it for it, _ in read_ahead(range(100), read))

    before = threading.active_count()
    found = []
    for it, _ in read_ahead(range(100), lambda number: number):
        found.append(it)
        if it == 3:
            break
    assert found == [0, 1, 2, 3]
    assert threading.active_count() <= before + LANES


class Shown:
    """A display that remembers its progress."""

    def __init__(self) -> None:
        self.ticks: list[str] = []

    def say(self, text: str) -> None:
        """Drop it."""

    def progress(self, text: str) -> None:
        """Drop it."""

    def tick(self, text: str) -> None:
        """Keep it."""
        self.ticks.append(text)


def test_progress_reports_what_is_left_and_how_long_it_may_take() -> None:
    """The estimate follows the pace so far, once that is meaningful."""
    shown, clock = Shown(), FakeClock()
    progress = Progress(shown, clock, 150_000, ("manifest", "manifests"))

    for _ in range(15_000):
        clock.advance(1)
        progress.step()

    assert shown.ticks[0] == "1 of 150,000 manifests read"
    assert (
        shown.ticks[-1] == "15,000 of 150,000 manifests read, 1,000 a second, about 2 min 15 s left"
    )


def test_progress_without_a_clock_only_counts() -> None:
    """The last step does the same."""
    shown = Shown()
    progress = Progress(shown, None, 60, ("part", "parts"))
    for _ in range(60):
        progress.step()

    assert shown.ticks[-1] == "60 of 60 parts read"
