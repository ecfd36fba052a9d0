"""In which form a query is asked: in full, or with less where the API refuses more.

The documentation of the API promises a scan with a `limit` of 500 and the default order. All else
is asked for because it saves requests, and given up where the API answers 400 to it: the limit
first, then what names the order. A query that is special (a sweep by ingestion time, a dense
millisecond) gives up what makes it special first, if the API has just served ordinary ones.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec

from shared.core.api.answers import HTTP_BAD
from shared.core.clocks import waits
from shared.core.model import (
    LIMIT_MAX,
    LIMIT_MIN,
    ApiFacts,
    Axis,
    Dense,
    Direction,
    Ledger,
    Policy,
    Slice,
    other_field,
)

DEFAULT_FIELD: Axis = "date"
DEFAULT_DIRECTION: Direction = "desc"
"""What the API sorts by when a query does not say; the direction is only known from practice."""

CAP_PAGES = 3
"""So many pages that promise more and hold at most half of the limit show that it is ignored."""

UNSORTED_DENSE = (
    "the API does not sort by the other time field, so dense milliseconds are asked for as one "
    "page for a day: see docs/runbook.md#asked-for-less"
)

UNSORTED_AXIS = (
    "the API does not sort by created, although SCAN_SORT_FIELD asks for it: see "
    "docs/runbook.md#asked-for-less"
)

REFUSED_BEFORE = f"HTTP {HTTP_BAD}:"
"""How the fault of a slice begins that was refused in every form."""

ATTEMPTS_KEPT = 6
"""Refused forms that the ledger remembers: more than any one query has."""

change = msgspec.structs.replace

Form = tuple[int, bool]
"""The limit of a query, and whether it leaves the default order out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Less:
    """How to ask again after a refusal.

    Attributes:
        piece: the slice that is asked for again.
        facts: what is known of the API from now on.
    """

    piece: Slice
    facts: ApiFacts


def parameters(piece: Slice, policy: Policy, facts: ApiFacts) -> dict[str, int | str]:
    """Return limit and order of the slice's next query, as they are sent."""
    by_other = piece.mode == "dense" and not (piece.dense and piece.dense.plain)
    field = other_field(policy.axis) if by_other else policy.axis
    direction = piece.asked_direction
    asked: dict[str, int | str] = {"limit": piece.limit}
    if not (facts.unsorted and field == DEFAULT_FIELD):
        asked["sortField"] = field
    if not (facts.unsorted and direction == DEFAULT_DIRECTION):
        asked["sortDirection"] = direction
    return asked


def form_of(piece: Slice, facts: ApiFacts) -> Form:
    """Return the form in which a slice is asked for."""
    return piece.limit, facts.unsorted


def as_known(piece: Slice, facts: ApiFacts) -> Slice:
    """Return the slice as it is asked for by what is known of the API."""
    if facts.limit is not None and piece.limit > facts.limit:
        piece = change(piece, limit=facts.limit)
    if facts.full_sweeps and piece.since is not None and not piece.requests:
        piece = change(piece, since=None)
    if facts.plain_dense and piece.dense and piece.dense.cursor is None:
        piece = change(piece, dense=change(piece.dense, plain=True))
    return piece


def less(piece: Slice, policy: Policy, facts: ApiFacts, said: str, *, served: bool) -> Less | None:
    """Return how to ask again after the API has refused a query; None when nothing is left to try.

    Args:
        piece: the slice as it was asked for.
        policy: how the scan is to be done.
        facts: under which it was asked.
        said: what the API answered.
        served: the API has just answered another query of this form with a page.
    """
    tried = attempts(piece, policy, facts, said)
    noted = change(facts, refused=tried, trial=(piece.start, piece.end))
    if served:
        return _less_special(piece, noted)
    if piece.limit > LIMIT_MIN:
        lower = change(noted, limit=LIMIT_MIN)
        return Less(piece=as_known(piece, lower), facts=lower)
    special = _less_special(piece, noted)
    if special:
        return special
    unsorted = change(noted, unsorted=True)
    if parameters(piece, policy, facts) != parameters(piece, policy, unsorted):
        return Less(piece=piece, facts=unsorted)
    return None


def _less_special(piece: Slice, noted: ApiFacts) -> Less | None:
    if piece.since is not None:
        fresh = change(piece.same_again((piece.start, piece.end)), since=None)
        return Less(piece=fresh, facts=change(noted, full_sweeps=True))
    if piece.mode == "dense" and piece.dense and _may_be_plain(piece.dense):
        plain = change(piece, dense=change(piece.dense, plain=True))
        return Less(piece=plain, facts=change(noted, plain_dense=True))
    return None


def _may_be_plain(dense: Dense) -> bool:
    """Say whether one page may take the place; behind a cursor it would show records again."""
    return not dense.plain and dense.cursor is None


def attempts(piece: Slice, policy: Policy, facts: ApiFacts, said: str) -> tuple[str, ...]:
    """Return every form that was refused, the present one last, each with the API's words."""
    form = [f"{name} {value}" for name, value in parameters(piece, policy, facts).items()]
    form += ["a bound on created"] if piece.since is not None else []
    form += [f"({piece.mode})"] if piece.mode != "page" else []
    return (*facts.refused, f"{' '.join(form)}: {said}")[-ATTEMPTS_KEPT:]


def in_full(facts: ApiFacts) -> ApiFacts:
    """Return the facts without what the API refused, so that the next query asks in full."""
    return change(
        facts,
        limit=None,
        unsorted=False,
        plain_dense=False,
        full_sweeps=False,
        refused=(),
        trial=None,
    )


def on_trial(ledger: Ledger, now: int) -> Slice | None:
    """Return the slice to which a refused query must be asked again, if it may be asked now."""
    trial = ledger.api_facts.trial
    found = (it for it in ledger.open if (it.start, it.end) == trial)
    return next((it for it in found if not waits(it.not_before, now)), None)


def settled(facts: ApiFacts, served: Collection[Form]) -> ApiFacts:
    """Return the facts once the slice on trial was answered with a page.

    Where the API has meanwhile served a fuller form to others, the refusal was about something
    else, and nothing is learned from it.
    """
    most = facts.limit or LIMIT_MAX
    if any(larger > most or (facts.unsorted and not plain) for larger, plain in served):
        return in_full(facts)
    return change(facts, trial=None)


def agreed(facts: ApiFacts) -> str:
    """Return the warning about a form that the API accepts in the place of a fuller one."""
    return (
        f"the API refused queries ({'; '.join(facts.refused)}) and accepts lesser ones, which are "
        "used for a day: see docs/runbook.md#asked-for-less"
    )


def is_about_the_slice(piece: Slice, facts: ApiFacts, served: Iterable[Form]) -> bool:
    """Say whether a refusal is about what a slice asks for, and not about how.

    It is where the API has just answered such a query, or one for larger pages, with a page; or
    where the slice was refused in every form before, and others have been asked for since.
    """
    limit, unsorted = form_of(piece, facts)
    before = (piece.fault or "").startswith(REFUSED_BEFORE)
    return before or any(limit <= larger and unsorted == other for larger, other in served)


def page_cap(sizes: list[int], limit: int) -> int | None:
    """Return the limit that pages keep to instead of the one asked for, None where they obey it.

    Args:
        sizes: of pages that promise more, all asked for with this limit.
        limit: what was asked for.
    """
    most = max(sizes, default=0)
    if most > 2 * limit:
        return LIMIT_MIN
    if len(sizes) < CAP_PAGES or not LIMIT_MIN // 2 < most <= limit // 2:
        return None
    return -(-most // LIMIT_MIN) * LIMIT_MIN


def ignores_limit(sizes: list[int], limit: int) -> str:
    """Return the warning about pages that do not keep to the limit that was asked for."""
    return (
        f"pages hold up to {max(sizes)} activities although {limit} were asked for: see "
        "docs/runbook.md#asked-for-less"
    )
