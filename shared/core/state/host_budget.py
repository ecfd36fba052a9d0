"""The request budget of an API host: its codec, the claim on it, and the slots that are taken.

The API counts the requests of a tenant together, whichever instance sends them. An invocation that
runs scans of a host that several scans ask claims the host first, and while the claim holds nobody
else sends on their behalf. A request takes a slot, which comes free a minute after the answer: the
API counts a request when it arrives, and that is before the answer. What a released claim leaves
behind are the slots that are still taken.

All times are the storage service's, which is the only clock that the invocations share.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from shared.core.model import MINUTE_MS

VERSION = 1
"""Of the format that is written."""

CLAIM_MOST_MS = 10 * MINUTE_MS
"""No claim is longer, in any version: a time budget has nine minutes at most."""

SLOT_MS = MINUTE_MS + 100
"""A slot comes free so long after its request has ended.

That is a minute, and a little more because no two clocks run equally fast.
"""


class HostBudget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The request budget of an API host.

    Attributes:
        version: version of this format.
        host: the API host, with its port.
        owner: random id of a run of the invocation that holds the claim, or that held the last one.
        claimed_until: when the claim ends by itself; 0 if it is released.
        first: the scan that was first in that invocation's turn; the one after it is next. Empty if
            there was none.
        short_of_time: the scans whose last runs ended because their time was over. They run after
            the others, with all the time that these leave.
        slots: when each slot that is taken comes free, ascending.
    """

    version: int
    host: str
    owner: str
    claimed_until: int
    first: str
    short_of_time: tuple[str, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a host's budget.

    Attributes:
        budget: as it counts.
        problem: why what is stored does not count; None if it does.
    """

    budget: HostBudget
    problem: str | None = None


class _Version(msgspec.Struct):
    """The field that every version has, whatever else it holds."""

    version: int


_budgets = msgspec.json.Decoder(HostBudget)
_versions = msgspec.json.Decoder(_Version)


def encode(budget: HostBudget) -> bytes:
    """Return the budget's bytes; equal budgets give equal bytes."""
    return msgspec.json.encode(budget) + b"\n"


def known(content: bytes | None, *, host: str, modified: int) -> Known:
    """Return the budget in these bytes.

    If they are damaged, or a newer version wrote them, nobody can say who holds the claim. So they
    count as the longest claim that may have begun when they were saved, and whoever finds it
    ended replaces them.

    Args:
        content: the bytes; None if there are none yet.
        host: the API host.
        modified: when they were saved, by the storage service's clock.
    """
    if content is None:
        return Known(budget=_unclaimed(host, 0))
    try:
        return Known(budget=_decoded(content, modified))
    except (ValueError, RecursionError) as error:  # Such as bytes that are not UTF-8.
        return Known(budget=_unclaimed(host, modified + CLAIM_MOST_MS), problem=str(error))


def _unclaimed(host: str, until: int) -> HostBudget:
    return HostBudget(
        version=VERSION,
        host=host,
        owner="",
        claimed_until=until,
        first="",
        short_of_time=(),
        slots=(),
    )


def _decoded(content: bytes, modified: int) -> HostBudget:
    stated = _versions.decode(content).version
    if stated != VERSION:
        raise ValueError(f"it has version {stated}, and this program knows version {VERSION}")
    budget = _budgets.decode(content)
    latest = max(budget.claimed_until, *budget.slots, 0)
    if latest > modified + CLAIM_MOST_MS + SLOT_MS:
        raise ValueError("its times are further ahead than any claim is long")
    return budget


def is_held(budget: HostBudget, now: int) -> bool:
    """Say whether a claim holds; `now` is the earliest time that it may be."""
    return now < budget.claimed_until


def claimed(budget: HostBudget, *, owner: str, until: int, first: str) -> HostBudget:
    """Return the budget claimed by an invocation, which begins with the scan `first`.

    Its slots are left out: they come free before those of a claim that is never released do.
    """
    return msgspec.structs.replace(budget, owner=owner, claimed_until=until, first=first, slots=())


def released(
    budget: HostBudget, *, slots: Iterable[int], short_of_time: Iterable[str]
) -> HostBudget:
    """Return the budget free for the next invocation, with the slots that are still taken."""
    return msgspec.structs.replace(
        budget,
        claimed_until=0,
        slots=tuple(sorted(slots)),
        short_of_time=tuple(sorted(short_of_time)),
    )


def taken(budget: HostBudget, per_minute: int) -> tuple[int, ...]:
    """Return when each slot that is taken comes free.

    If the claim was never released, its owner may have sent requests up to the end of the claim, as
    many as a minute has.
    """
    if budget.claimed_until:
        return (budget.claimed_until + SLOT_MS,) * per_minute
    return budget.slots
