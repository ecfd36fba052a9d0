"""The form of a query: in full, or with less if the API refuses more.

The documentation of the API promises a scan with a `limit` of 500 and the default order. A query
asks for more because that saves requests. If the API answers 400, the query drops the larger limit
first, then the fields that name the order. A special query (a sweep by ingestion time, a dense
millisecond) drops what makes it special first, if the API has just served ordinary queries.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec

from shared.core.api.answers import tells_of_refusal
from shared.core.api.pages import Page
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
"""How the API sorts if a query names no order. The direction is known from practice only."""

CAP_PAGES = 3
"""The limit is ignored if this many pages promise more and hold at most half of it."""

UNSORTED_DENSE = (
    "the API does not sort by the other time field, so dense milliseconds are asked for as one "
    "page for a day: see docs/runbook.md#asked-for-less"
)

UNSORTED_AXIS = (
    "the API does not sort by created, although SCAN_SORT_FIELD asks for it: see "
    "docs/runbook.md#asked-for-less"
)

ATTEMPTS_KEPT = 6
"""How many refused forms the ledger remembers: more than any single query has."""

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
    field = _sort_field(piece, policy.axis)
    direction = piece.asked_direction
    asked: dict[str, int | str] = {"limit": piece.limit}
    if not (facts.unsorted and field == DEFAULT_FIELD):
        asked["sortField"] = field
    if not (facts.unsorted and direction == DEFAULT_DIRECTION):
        asked["sortDirection"] = direction
    return asked


def _sort_field(piece: Slice, axis: Axis) -> Axis:
    by_other = piece.mode == "dense" and not (piece.dense and piece.dense.plain)
    return other_field(axis) if by_other else axis


def ignores_sort_field(page: Page, piece: Slice, axis: Axis) -> bool:
    """Say whether a page is not sorted by the field that its query asked for.

    A scan by the API's default field does not ask, so only its dense milliseconds can show this.
    """
    field = _sort_field(piece, axis)
    if not page.has_next or field == axis == DEFAULT_FIELD:
        return False
    places = [at for at in (record.on(field) for record in page.records) if at is not None]
    return sorted(places) not in (places, places[::-1])


def form_of(piece: Slice, facts: ApiFacts) -> Form:
    """Return the form of the slice's next query."""
    return piece.limit, facts.unsorted


def as_known(piece: Slice, facts: ApiFacts) -> Slice:
    """Return the slice, adjusted to what is known about the API."""
    if facts.limit is not None and piece.limit > facts.limit:
        piece = change(piece, limit=facts.limit)
    if facts.full_sweeps and piece.since is not None and not piece.requests:
        piece = change(piece, since=None)
    if facts.plain_dense and piece.dense and piece.dense.cursor is None:
        piece = change(piece, dense=change(piece.dense, plain=True))
    return piece


def less(piece: Slice, policy: Policy, facts: ApiFacts, said: str, *, served: bool) -> Less | None:
    """Return how to ask again after the API has refused a query; None if nothing is left to try.

    Args:
        piece: the slice that was refused.
        policy: how the scan is done.
        facts: what was known about the API when the query was sent.
        said: what the API answered.
        served: whether the API has just answered another query of this form with a page.
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
    """Say whether one page may replace the paging; after a cursor it would repeat records."""
    return not dense.plain and dense.cursor is None


def attempts(piece: Slice, policy: Policy, facts: ApiFacts, said: str) -> tuple[str, ...]:
    """Return every refused form with the API's words, the latest one last."""
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
    """Return the slice whose refused query must be repeated, if it may be sent now."""
    trial = ledger.api_facts.trial
    if trial is None:
        return None
    found = (it for it in ledger.open if (it.start, it.end) == trial)
    return next((it for it in found if not waits(it.not_before, now)), None)


def settled(facts: ApiFacts, served: Collection[Form]) -> ApiFacts:
    """Return the facts after the slice on trial received a page.

    If the API has served a fuller form to other slices meanwhile, the refusal had another cause,
    and nothing is learned from it.
    """
    most = facts.limit or LIMIT_MAX
    if any(larger > most or (facts.unsorted and not plain) for larger, plain in served):
        return in_full(facts)
    return change(facts, trial=None)


def agreed(facts: ApiFacts) -> str:
    """Return the warning that the API accepts a lesser form instead of a fuller one."""
    return (
        f"the API refused queries ({'; '.join(facts.refused)}) and accepts lesser ones, which are "
        "used for a day: see docs/runbook.md#asked-for-less"
    )


def is_about_the_slice(piece: Slice, facts: ApiFacts, served: Iterable[Form]) -> bool:
    """Say whether a refusal is about what a slice asks for, rather than about the form.

    It is if the API has just answered a query of this form, or one for larger pages, with a page.
    It also is if the slice was refused in every form before and others have been served since.
    """
    limit, unsorted = form_of(piece, facts)
    return tells_of_refusal(piece.fault) or any(
        limit <= larger and unsorted == other for larger, other in served
    )


def page_cap(sizes: list[int], limit: int) -> int | None:
    """Return the limit that the pages follow instead; None if they obey the one asked for.

    Args:
        sizes: records on each page that promises more; all were asked for with this limit.
        limit: what was asked for.
    """
    most = max(sizes, default=0)
    if most > 2 * limit:
        return LIMIT_MIN
    if len(sizes) < CAP_PAGES or not LIMIT_MIN // 2 < most <= limit // 2:
        return None
    return -(-most // LIMIT_MIN) * LIMIT_MIN


def ignores_limit(sizes: list[int], limit: int) -> str:
    """Return the warning that pages ignore the limit."""
    return (
        f"pages hold up to {max(sizes)} activities although {limit} were asked for: see "
        "docs/runbook.md#asked-for-less"
    )
