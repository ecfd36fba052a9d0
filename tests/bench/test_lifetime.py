"""Ledger and manifests never grow large."""

from bench.lifetime import lived
from shared.core.model import DAY_MS


def test_the_ledger_stops_growing_once_daily_holes_leave_the_reach() -> None:
    """A life four times as long as a short reach: in its last quarter nothing grows.

    It takes some seconds, since it commits every slice of it.
    """
    sizes = list(lived(40, holes=6, reach=10 * DAY_MS))

    before, last = sizes[-11], sizes[-10:]
    assert max(it.ledger for it in last) <= before.ledger + 9
    assert max(it.manifest for it in last) <= before.manifest + 9
    assert before.ledger > 2 * sizes[3].ledger
