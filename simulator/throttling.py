"""The tenant's throttle: a sliding window of a minute, shared by all clients."""

from __future__ import annotations

import math
from threading import Lock

_WINDOW_MS = 60_000


class Throttle:
    """Limits requests. Those that it refuses do not count."""

    def __init__(self) -> None:
        self._passed_at_ms: list[int] = []
        self._lock = Lock()

    def wait_seconds(self, now_ms: int, per_minute: int | None) -> int | None:
        """Let a request pass (None), or return after how many seconds the next one may."""
        if per_minute is None:
            return None
        if per_minute < 1:
            return _WINDOW_MS // 1000
        with self._lock:
            self._forget(now_ms)
            if len(self._passed_at_ms) < per_minute:
                self._passed_at_ms.append(now_ms)
                return None
            free_at_ms = self._passed_at_ms[-per_minute] + _WINDOW_MS
            return max(1, math.ceil((free_at_ms - now_ms) / 1000))

    def _forget(self, now_ms: int) -> None:
        """Forget requests outside the window, also future ones from before a clock was set back."""
        self._passed_at_ms = [
            passed for passed in self._passed_at_ms if abs(now_ms - passed) < _WINDOW_MS
        ]
