"""The record of decisions: who changed the scan, when, how and why.

A decision that changes what is scanned is *outstanding* until a manifest states it. `levers` says
which decisions an operator may take, and `committing` what each of them changes.
"""

from dataclasses import dataclass

import msgspec

from shared.core.intervals import Interval
from shared.core.model import Decision, DecisionKind, Ledger

DECISIONS_KEPT = 50
"""Decisions that the ledger lists; those that change what is scanned are in the manifests, too."""

REPORTED_MOST = 10
"""Decisions that one report line states; so many survive whatever shortens the line."""

THE_SCAN = "the scan"
"""Who decides what follows from an earlier decision."""

CHANGES_SCOPE: frozenset[DecisionKind] = frozenset(
    {"rescan", "rescan-done", "backfill", "accept-filters"}
)
"""Kinds that change what is scanned, and so get a manifest."""

change = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who orders a change, when and why.

    Attributes:
        at: epoch ms.
        by: the user, the name of a setting, or `the scan`.
        reason: in the operator's words; may be empty.
    """

    at: int
    by: str
    reason: str = ""


def decided(  # noqa: PLR0913 - the facts of a decision, by name
    ledger: Ledger,
    kind: DecisionKind,
    order: Order,
    what: str,
    *,
    pass_name: str | None = None,
    bounds: Interval | None = None,
    fingerprint: str | None = None,
) -> Ledger:
    """Return the ledger with one more decision, outstanding if it changes what is scanned."""
    decision = Decision(
        number=newest(ledger) + 1,
        kind=kind,
        at=order.at,
        by=order.by,
        reason=order.reason,
        what=what,
        pass_name=pass_name,
        bounds=bounds,
        fingerprint=fingerprint,
    )
    waits = (decision,) if kind in CHANGES_SCOPE else ()
    return change(noted(ledger, decision), outstanding=(*ledger.outstanding, *waits))


def noted(ledger: Ledger, decision: Decision) -> Ledger:
    """Return the ledger that lists a decision, among the newest."""
    return change(ledger, decisions=(*ledger.decisions, decision)[-DECISIONS_KEPT:])


def newest(ledger: Ledger) -> int:
    """Return the number of the newest decision; 0 if there is none."""
    return ledger.decisions[-1].number if ledger.decisions else 0


def unreported(ledger: Ledger) -> tuple[Decision, ...]:
    """Return the decisions that the next report line states, the oldest of those that none has."""
    return tuple(it for it in ledger.decisions if it.number > ledger.reported)[:REPORTED_MOST]


def reported(ledger: Ledger) -> Ledger:
    """Return the ledger once a report line has stated what was unreported."""
    return change(ledger, reported=unreported(ledger)[-1].number)
