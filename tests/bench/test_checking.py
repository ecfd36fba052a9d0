"""The store that is checked slowly is a sound one, and several of its blobs are read at once."""

from bench.checking import Filled, Shelf, rebuilt, verified
from shared.operate.reading import LANES

FILLED = Filled(days=1)


def test_verify_finds_a_filled_scan_sound_and_reads_several_blobs_at_once() -> None:
    """It reads each manifest, and each part with its manifest."""
    shelf = Shelf(FILLED.results, latency_ms=1)

    count = verified(FILLED, shelf)

    assert count == len(FILLED.results.manifests)
    assert shelf.reads >= count + 2 * len(FILLED.results.parts)
    assert 1 < shelf.most <= LANES


def test_a_rebuild_reads_every_manifest_of_a_filled_scan_once() -> None:
    """Beside them, it only lists."""
    shelf = Shelf(FILLED.results, latency_ms=1)

    count = rebuilt(FILLED, shelf)

    assert count == len(FILLED.results.manifests)
    assert shelf.reads == count + 2
    assert 1 < shelf.most <= LANES
