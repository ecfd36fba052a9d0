"""Taking the manifests that are new into the history, after a run has released its claim.

Nothing in the protocol depends on it. It is bounded in number and time, and of two runs that do it
at once one drops its work.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from shared.core.audit import history as histories
from shared.core.audit.history import History
from shared.core.model import Ledger
from shared.core.state import manifest as manifests
from shared.core.state.layout import history_name
from shared.ports import Clock, DerivedStore, ResultStore

MOST = 2_000
"""Manifests that one run takes in at most."""

MOST_MS = 5_000
"""For at most so long: whatever is left, the next runs take in."""

AT_ONCE = 16
"""Manifests that are read at the same time."""


def take_in(
    ledger: Ledger,
    results: ResultStore,
    derived: DerivedStore,
    clock: Clock,
    known: Mapping[int, bytes] | None = None,
) -> History:
    """Return the history with the manifests that are new, as it is saved.

    Args:
        ledger: as the run left it.
        results: where the manifests are.
        derived: where the history is.
        clock: bounds the time.
        known: bytes of manifests that are stored, by number; they are not read again.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    started = clock.elapsed()
    kept = derived.read(history_name(ledger.scan))
    before = histories.decode(kept.content) if kept.content is not None else None
    if before is None or not histories.fits(before, ledger):
        before = histories.empty(ledger.scan)
    feed = _Feed(results, known or {})
    after = _with_new(before, ledger, feed, clock, started)
    if after.through > before.through:
        content = histories.encode(after)
        name = history_name(ledger.scan)
        derived.save(name, content, etag=kept.etag, manifest=after.through)
    return after


class _Feed:
    """The manifests, of which some are known and need not be read."""

    def __init__(self, results: ResultStore, known: Mapping[int, bytes]) -> None:
        self._results = results
        self._known = known

    def manifest(self, number: int) -> bytes | None:
        known = self._known.get(number)
        return self._results.manifest(number) if known is None else known


def _with_new(history: History, ledger: Ledger, feed: _Feed, clock: Clock, started: int) -> History:
    begin = history.through + 1 if history.through else _begin(ledger.head.number, feed)
    last = min(ledger.head.number, begin + MOST - 1)
    with ThreadPoolExecutor(AT_ONCE) as readers:
        for first in range(begin, last + 1, AT_ONCE):
            if clock.elapsed() - started >= MOST_MS:
                break
            numbers = range(first, min(first + AT_ONCE, last + 1))
            for content in _until_missing(readers.map(feed.manifest, numbers)):
                history = histories.taken(history, manifests.decode(content), content)
    return history


def _until_missing(contents: Iterator[bytes | None]) -> Iterator[bytes]:
    for content in contents:
        if content is None:
            return
        yield content


def _begin(head: int, feed: _Feed) -> int:
    """Return the number of the first manifest that may be about an hour that is kept."""
    newest = feed.manifest(head) if head else None
    if newest is None:
        return 1

    def made(number: int) -> int | None:
        content = feed.manifest(number)
        return None if content is None else manifests.decode(content).made

    since = histories.reaches_back_to(manifests.decode(newest))
    return histories.first_made_since(since, head, made)
