"""What answers have shown about the API, and how long that is believed."""

import msgspec

from shared.core.model import DAY_MS, ApiFacts, Direction, Slice, reverse

BELIEVED_MS = DAY_MS
"""How long a fact is believed: the API may be fixed at any time."""

UNKNOWN = ApiFacts()

change = msgspec.structs.replace


def believed(facts: ApiFacts, *, now: int, program: str) -> ApiFacts:
    """Return the facts that still hold.

    None hold a day after the first was learned, or if another version of the program learned them.
    Facts from the future were learned by a fast clock.
    """
    fresh = facts.learned <= now < facts.learned + BELIEVED_MS
    return facts if fresh and facts.program == program else UNKNOWN


def stamped(facts: ApiFacts, *, now: int, program: str) -> ApiFacts:
    """Return the facts with the time and the program version that learned them."""
    return change(facts, program=program, learned=facts.learned or now)


def sorting(facts: ApiFacts, asked: Direction, answered: Direction) -> ApiFacts:
    """Return the facts, extended by the direction in which the API answered."""
    others = {it: shown for it, shown in facts.sorts.items() if it != asked}
    return change(facts, sorts=others if asked == answered else {**others, asked: answered})


def facing(piece: Slice, wanted: Direction, facts: ApiFacts) -> Slice:
    """Return the slice with the direction that works with this API, if it has not begun.

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
