"""Writing the status beside the ledger, as JSON and as a page, when a run has ended.

Nothing depends on it. It is bounded in time, and never replaces the status of a newer manifest.
"""

from collections.abc import Callable

from shared.core.audit import history as histories
from shared.core.audit import status as statuses
from shared.core.audit.attention import WrongList
from shared.core.audit.history import History
from shared.core.audit.pace import RUNS_SHOWN
from shared.core.audit.status import Status, status_of
from shared.core.model import Ledger, Policy
from shared.core.state.layout import history_name, status_name
from shared.ports import Clock, DerivedStore

MOST_MS = 10_000
"""After so long, what is not yet written is left to the next run."""


def seen(  # noqa: PLR0913 - what a status is made of, by name
    ledger: Ledger | None,
    derived: DerivedStore,
    policy: Policy,
    *,
    now: int,
    history: History | None = None,
    wrong_list: WrongList | None = None,
) -> Status:
    """Return how a scan is, from its ledger and from what is stored beside it.

    Args:
        ledger: the scan's ledger; None if there is none, or if it could not be read.
        derived: where its history and its report lines are.
        policy: its settings.
        now: epoch ms.
        history: its history, if it has just been read; otherwise it is read.
        wrong_list: what is wrong with the list of scans, if this scan reports it.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    history = history or _stored_history(derived, policy.scan)
    lines = derived.newest_lines(RUNS_SHOWN)
    return status_of(ledger, history, lines, policy, now=now, wrong_list=wrong_list)


def _stored_history(derived: DerivedStore, scan: str) -> History:
    content = derived.read(history_name(scan)).content
    known = None if content is None else histories.decode(content)
    return known or histories.empty(scan)


def publish(
    status: Status, derived: DerivedStore, draw: Callable[[Status], bytes], clock: Clock
) -> None:
    """Write a status as JSON and as a page.

    Raises:
        StoreUnavailable: storage cannot be reached or refuses.
    """
    started, manifest = clock.elapsed(), max(status.head.number, status.history_through)
    derived.publish(status_name(status.scan, "json"), statuses.encode(status), manifest=manifest)
    if clock.elapsed() - started < MOST_MS:
        page = draw(status)
        derived.publish(status_name(status.scan, "html"), page, manifest=manifest)
