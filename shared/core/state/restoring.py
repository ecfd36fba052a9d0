"""Putting an earlier version of the ledger back: which versions may be, and what it becomes.

A version fits if the chain of manifests ends where the version says, and no later version was
about to add to it. Everything that was covered since is then in it, and what a run did without a
commit is only done again. A run that had begun a commit may still be alive and carry it out, and a
version from before would not know of the manifest.
"""

import msgspec

from shared.core.model import Decision, Ledger
from shared.core.quoting import instant
from shared.core.state.decisions import Order, decided

change = msgspec.structs.replace


def restored(
    ledger: Ledger, current: Ledger | None, order: Order, *, saved: int, epoch: int = 0
) -> Ledger:
    """Return the ledger to save when a version is put back.

    Its epoch is beyond every epoch before, so no block is taken for one of an earlier run, and a
    run that is still at work can save nothing. The record of decisions stays whole.

    Args:
        ledger: the version.
        current: the ledger as it is now; None if there is none, or if it cannot be read.
        order: who puts it back, when and why.
        saved: when the version was saved, epoch ms.
        epoch: the highest epoch of any other version that is known.
    """
    highest = max(epoch, ledger.epoch, current.epoch if current else 0)
    what = (
        f"the ledger of {instant(saved)} (epoch {ledger.epoch}, manifest {ledger.head.number}) is "
        "put back"
    )
    recorded = change(
        ledger,
        epoch=highest + 1,
        claimed_until=0,
        decisions=_recorded(ledger, current),
        reported=max(ledger.reported, current.reported if current else 0),
    )
    return decided(recorded, "restore", order, what)


def _recorded(ledger: Ledger, current: Ledger | None) -> tuple[Decision, ...]:
    """Return the decisions of both, those of the newer ledger where they differ."""
    known = {it.number: it for it in ledger.decisions}
    known.update({it.number: it for it in (current.decisions if current else ())})
    return tuple(known[number] for number in sorted(known))
