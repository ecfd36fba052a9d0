"""Taking the manifests that are new into the history, after a run has released its claim.

Nothing in the protocol depends on it. It is bounded in number and time, and of two runs that do it
at once one drops its work.
"""

from collections.abc import Iterator
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


def take_in(ledger: Ledger, results: ResultStore, derived: DerivedStore, clock: Clock) -> History:
    """Return the history with the manifests that are new, as it is saved.

    Args:
        ledger: as the run left it.
        results: where the manifests are.
        derived: where the history is.
        clock: bounds the time.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    started = clock.elapsed()
    kept = derived.read(history_name(ledger.scan))
    known = histories.decode(kept.content) if kept.content is not None else None
    if known is None or not histories.fits(known, ledger):
        known = histories.empty(ledger.scan)
    after = _with_new(known, ledger, results, clock, started)
    if after.through > known.through:
        content = histories.encode(after)
        name = history_name(ledger.scan)
        derived.save(name, content, etag=kept.etag, manifest=after.through)
    return after


def _with_new(
    history: History, ledger: Ledger, results: ResultStore, clock: Clock, started: int
) -> History:
    begin = history.through + 1 if history.through else _begin(ledger.head.number, results)
    last = min(ledger.head.number, begin + MOST - 1)
    with ThreadPoolExecutor(AT_ONCE) as readers:
        for first in range(begin, last + 1, AT_ONCE):
            if clock.elapsed() - started >= MOST_MS:
                break
            numbers = range(first, min(first + AT_ONCE, last + 1))
            for content in _until_missing(readers.map(results.manifest, numbers)):
                history = histories.taken(history, manifests.decode(content), content)
    return history


def _until_missing(contents: Iterator[bytes | None]) -> Iterator[bytes]:
    for content in contents:
        if content is None:
            return
        yield content


def _begin(head: int, results: ResultStore) -> int:
    """Return the number of the first manifest that may be about an hour that is kept."""
    newest = results.manifest(head) if head else None
    if newest is None:
        return 1

    def made(number: int) -> int | None:
        content = results.manifest(number)
        return None if content is None else manifests.decode(content).made

    since = histories.reaches_back_to(manifests.decode(newest))
    return histories.first_made_since(since, head, made)
