"""Reading many blobs at once, in order, with bounded memory and an estimate of the time left."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from shared.operate.pausing import Display, counted, duration
from shared.ports import Clock

LANES = 10
"""How many blobs are read at once: as many as the SDK keeps connections."""

AHEAD = 64
"""How many blobs may be held at once: being read, or waiting to be handed over."""

BYTES_AHEAD = 64 * 1024 * 1024
"""How many bytes those blobs may have in all; a larger blob is read alone."""

ESTIMATED_FROM = 50
"""How many blobs must have been read before their pace is used for an estimate."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    items: Iterable[Item], read: Callable[[Item], Result], size: Callable[[Item], int] = lambda _: 0
) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what `read` returns for it, in order; several are read at once.

    Args:
        items: what to read.
        read: reads one; must be thread-safe. Its exceptions are raised here, in order.
        size: how many bytes an item is going to hold.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    held = 0
    readers = ThreadPoolExecutor(LANES, "read")
    try:
        for item in items:
            while waiting and (len(waiting) >= AHEAD or held + size(item) > BYTES_AHEAD):
                held -= size(waiting[0][0])
                yield _next(waiting)
            waiting.append((item, readers.submit(read, item)))
            held += size(item)
        while waiting:
            yield _next(waiting)
    finally:
        readers.shutdown(cancel_futures=True)


def _next(waiting: deque[tuple[Item, Future[Result]]]) -> tuple[Item, Result]:
    item, future = waiting.popleft()
    return item, future.result()


class Progress:
    """Shows how many of a known number of blobs have been read, and how long the rest may take."""

    def __init__(
        self, display: Display, clock: Clock | None, total: int, nouns: tuple[str, str]
    ) -> None:
        """Begin at zero.

        Args:
            display: shows the progress.
            clock: for the estimate; None for no estimate.
            total: how many blobs there are.
            nouns: what they are called, in singular and plural.
        """
        self._display = display
        self._clock = clock
        self._total = total
        self._nouns = nouns
        self._done = 0
        self._began = clock.elapsed() if clock else 0

    def step(self) -> None:
        """Count one more."""
        self._done += 1
        said = f"{self._done:,} of {counted(self._total, *self._nouns)} read"
        self._display.tick(said + self._estimate())

    def _estimate(self) -> str:
        if not self._clock or not ESTIMATED_FROM <= self._done < self._total:
            return ""
        spent = max(1, self._clock.elapsed() - self._began)
        rate = f", {round(self._done * 1000 / spent):,} a second"
        return f"{rate}, about {duration(spent * (self._total - self._done) // self._done)} left"
