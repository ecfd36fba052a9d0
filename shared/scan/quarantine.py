"""The quarantine: answers that make no sense are kept for whoever wants to see what was sent."""

from shared.core.api.answers import Fault
from shared.core.errors import StoreError
from shared.core.quoting import ascii_quoted
from shared.core.state.layout import stamp
from shared.scan.pending import PendingStep
from shared.scan.run import Run

QUARANTINE_SLOTS = 100
"""How many answers are kept at most; a new one takes the place of an older one."""


def quarantine(run: Run, step: PendingStep, fault: Fault, body: bytes | None) -> None:
    """Keep the beginning of an answer that made no sense, if an answer is to blame."""
    if fault.kind == "unexpected":
        run.warn_once(f"{fault.detail}: see docs/runbook.md#unexpected-faults")
    if body is None:
        return
    bounds = f"{stamp(step.slice.start)}-{stamp(step.slice.end)}"
    about = {"run": run.tally.run, "slice": bounds, "fault": ascii_quoted(fault.detail)}
    try:
        run.ports.ledgers.put_in_quarantine(step.ordinal % QUARANTINE_SLOTS, body, metadata=about)
    except StoreError as error:
        run.warn_once(f"an answer that made no sense could not be kept: {error}")
