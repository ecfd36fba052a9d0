"""What the API's answers have shown about it, and for how long that is believed."""

import msgspec

from shared.core.model import DAY_MS, ApiFacts, Direction, Slice, reverse

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


def sorting(facts: ApiFacts, asked: Direction, answered: Direction) -> ApiFacts:
    """Return the facts with the direction in which the API answers when asked for one."""
    others = {it: shown for it, shown in facts.sorts.items() if it != asked}
    return change(facts, sorts=others if asked == answered else {**others, asked: answered})


def facing(piece: Slice, wanted: Direction, facts: ApiFacts) -> Slice:
    """Return the slice as it should be read, if it has not begun, by what the API is known to do.

    Args:
        piece: the slice.
        wanted: the direction that the settings ask for.
        facts: what is known.
    """
    if not facts.sorts or piece.has_begun:
        return piece
    if wanted not in facts.sorts:
        return piece.redirected(wanted, wanted)
    asked = reverse(wanted)
    return piece.redirected(facts.sorts.get(asked, asked), asked)
