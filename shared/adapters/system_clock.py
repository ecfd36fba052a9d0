"""The machine's clocks; the only module that reads them."""

import time


class SystemClock:
    """The `Clock` of a running program."""

    def now(self) -> int:
        """Return the wall clock in epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def elapsed(self) -> int:
        """Return milliseconds on the monotonic clock."""
        return time.monotonic_ns() // 1_000_000

    def sleep(self, milliseconds: int) -> None:
        """Wait."""
        time.sleep(milliseconds / 1000)
