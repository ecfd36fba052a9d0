"""What the API's answers have shown about it, and for how long that is believed."""

import msgspec

from shared.core.model import DAY_MS, ApiFacts

BELIEVED_MS = DAY_MS
"""The API may be fixed at any time: after so long the documented way is tried again."""

UNKNOWN = ApiFacts()

change = msgspec.structs.replace


def believed(facts: ApiFacts, *, now: int, program: str) -> ApiFacts:
    """Return the facts that still hold: none a day after the first, none of another program.

    Facts from the future were learned by a clock that was fast.
    """
    fresh = facts.learned <= now < facts.learned + BELIEVED_MS
    return facts if fresh and facts.program == program else UNKNOWN


def stamped(facts: ApiFacts, *, now: int, program: str) -> ApiFacts:
    """Return facts that a step has just added to, with when and by what they were learned."""
    return change(facts, program=program, learned=facts.learned or now)
