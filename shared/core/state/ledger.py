"""The ledger: its codec, the claim, the scope, the check against the chain, and the open slices.

The codec refuses what it does not know, and nothing here resets anything. Each change returns a
new ledger; the use case saves it before anything that depends on it happens. `committing` has the
changes that commits make.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from shared.core.clocks import too_far_apart
from shared.core.errors import LedgerRolledBack, LedgerTooNew, LedgerUnreadable, ScopeChanged
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    HOUR_MS,
    SECOND_MS,
    ApiClock,
    Head,
    Ledger,
    Pacing,
    Policy,
    Slice,
)
from shared.core.state import manifest as manifests
from shared.core.state.capacity import is_overloaded
from shared.core.state.decisions import Order
from shared.core.state.levers import filters_accepted, is_accepted, resumed_in_time
from shared.core.state.pacing import note_start, note_unsaved
from shared.core.state.planning import last_age, settles_until
from shared.core.state.proof import proof_in, settle, with_proof

VERSION = 1
"""Of the format that is written."""

MIN_READER = 1
"""The oldest version of the format whose readers may touch what is written."""

PUT_BACK = (
    "restore its last good version from the state container's blob versions; it is left as it is, "
    "and never reset"
)

CLAIM_MARGIN_MS = 30 * SECOND_MS
"""A claim outlives the time budget by this much, for the last saves of a run."""


change = msgspec.structs.replace


class _Version(msgspec.Struct):
    """The fields that every version of a ledger has, whatever else it holds."""

    version: int
    min_reader: int


_versions = msgspec.json.Decoder(_Version)
_ledgers = msgspec.json.Decoder(Ledger)
_objects = msgspec.json.Decoder(dict[str, Any])
_names = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIELDS = frozenset(Ledger.__struct_encode_fields__)


def encode(ledger: Ledger) -> bytes:
    """Return the ledger's bytes; equal ledgers give equal bytes."""
    return msgspec.json.encode(ledger) + b"\n"


def decode(content: bytes) -> Ledger:
    """Return the ledger in these bytes.

    A newer version may let older programs use its ledger (`min_reader`). They drop the fields that
    they do not know, and the ledger has their version from then on.

    Raises:
        LedgerUnreadable: they are no ledger, or hold what this version does not know.
        LedgerTooNew: a newer version wrote them that does not let this one use them.
    """
    try:
        stated = _versions.decode(content)
        if stated.version < 1:
            raise LedgerUnreadable(f"the ledger states version {stated.version}: {PUT_BACK}")
        if stated.min_reader > VERSION:
            raise _too_new(stated)
        if stated.version > VERSION:
            return _of_newer(stated, _objects.decode(content))
        return _ledgers.decode(content)
    except (ValueError, RecursionError) as error:  # Such as bytes that are not UTF-8.
        raise LedgerUnreadable(f"the ledger cannot be read ({error}): {PUT_BACK}") from error


def dropped(content: bytes) -> tuple[str, ...]:
    """Return the fields that `decode` drops: a newer version wrote them.

    Raises:
        msgspec.MsgspecError: it is not a ledger; ask only about one that `decode` has read.
    """
    return tuple(name for name in _names.decode(content) if name not in _FIELDS)


def _of_newer(stated: _Version, fields: dict[str, Any]) -> Ledger:
    known = {name: it for name, it in fields.items() if name in _FIELDS}
    ours = {"version": VERSION, "min_reader": MIN_READER}
    try:
        return _ledgers.decode(msgspec.json.encode({**known, **ours}))
    except msgspec.MsgspecError as error:
        raise _too_new(stated) from error


def _too_new(stated: _Version) -> LedgerTooNew:
    return LedgerTooNew(
        f"the ledger has format version {stated.version} (readable from version "
        f"{stated.min_reader} on), and this program knows version {VERSION}: "
        "deploy the newer program again; the ledger is left as it is"
    )


def begin(policy: Policy, now: int) -> Ledger:
    """Return the ledger of a scan that has done nothing yet; the origin is fixed here."""
    origin = (now - policy.lookback) // HOUR_MS * HOUR_MS
    return Ledger(
        version=VERSION,
        min_reader=MIN_READER,
        scan=policy.scan,
        axis=policy.axis,
        fingerprint=policy.fingerprint,
        api=policy.api,
        made=now,
        origin=origin,
        lookback=policy.lookback,
        epoch=0,
        run="",
        claimed_until=0,
        settled_until=origin,
        coverage={FIRST_PASS: ()},
    )


def is_held(ledger: Ledger, now: int, policy: Policy) -> bool:
    """Say whether another run's claim holds; one too far ahead is a clock's mistake."""
    return now < ledger.claimed_until <= now + policy.budget_most + CLAIM_MARGIN_MS


def claim(ledger: Ledger, *, run: str, now: int, policy: Policy) -> Ledger:
    """Return the ledger claimed by `run` until its time budget must have passed.

    A pause whose time is over ends here.

    Raises:
        ScopeChanged: the policy's filters or sort field are not those of the coverage, and
            no operator has accepted the change.
    """
    ledger = resumed_in_time(_rescoped(ledger, now, policy), now)
    ledger = change(ledger, pacing=note_start(_with_unsaved(ledger, now, policy), now))
    until = settles_until(ledger, now, policy)
    return change(
        with_proof(ledger, settle(proof_in(ledger), until)),
        last_sweep=last_age(policy),
        overloaded=is_overloaded(ledger, policy),
        epoch=ledger.epoch + 1,
        run=run,
        claimed_until=now + policy.budget + CLAIM_MARGIN_MS,
        api=policy.api,
    )


def _with_unsaved(ledger: Ledger, now: int, policy: Policy) -> Pacing:
    """Return the pacing with the requests that the last run sent and could not save.

    A run that was killed never released its claim. Every answer is saved with the requests before
    it, so only those that were pending can be missing. The latest is from the end of its time.
    """
    if not ledger.claimed_until:
        return ledger.pacing
    at = min(ledger.claimed_until - CLAIM_MARGIN_MS, now)
    return note_unsaved(ledger.pacing, now, policy.concurrency, at=at)


def release(ledger: Ledger) -> Ledger:
    """Return the ledger free for the next run."""
    return change(ledger, claimed_until=0)


def _rescoped(ledger: Ledger, now: int, policy: Policy) -> Ledger:
    if ledger.scan != policy.scan:
        raise ScopeChanged(f"the ledger is of scan {ledger.scan!r}, not of {policy.scan!r}")
    if ledger.axis != policy.axis:
        raise ScopeChanged(
            f"scan {ledger.scan!r} cuts its slices by {ledger.axis}, and SCAN_SORT_FIELD is "
            f"{policy.axis}: coverage on one says nothing about the other. Give the scan a new "
            "SCAN_NAME, or restore SCAN_SORT_FIELD"
        )
    if ledger.fingerprint == policy.fingerprint or is_accepted(ledger, policy.fingerprint):
        return ledger
    if policy.accept != policy.fingerprint:
        require_scope(ledger, policy)
    return filters_accepted(ledger, Order(at=now, by="SCAN_ACCEPT_FILTERS"), policy)


def require_scope(ledger: Ledger, policy: Policy) -> None:
    """Check that the coverage was made with the filters of the settings.

    Raises:
        ScopeChanged: it was not.
    """
    if ledger.fingerprint != policy.fingerprint:
        raise ScopeChanged(
            f"the filters of scan {ledger.scan!r} have changed (fingerprint {ledger.fingerprint} "
            f"to {policy.fingerprint}), for which its coverage would be false: give the scan a new "
            "SCAN_NAME, which starts from nothing, or accept that earlier time was scanned with "
            "the old filters, with `python -m shared accept-filters` or with "
            f"SCAN_ACCEPT_FILTERS={policy.fingerprint}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainCheck:
    """What the chain of manifests must look like if this ledger is its newest.

    Attributes:
        head: number and hash of the manifest that must exist, None when there is none yet.
        absent: the number that must not exist.
    """

    head: Head | None
    absent: int


def chain_check(ledger: Ledger) -> ChainCheck:
    """Return what to look for, so that a ledger that was rolled back is noticed."""
    last = ledger.committing.number if ledger.committing else ledger.head.number
    return ChainCheck(head=ledger.head if ledger.head.number else None, absent=last + 1)


def require_head(check: ChainCheck, content: bytes | None, following_exists: bool) -> None:  # noqa: FBT001
    """Compare what was found with what must be.

    Args:
        check: what to look for.
        content: the bytes of the head's manifest, None when it does not exist.
        following_exists: whether the number that must be absent exists.

    Raises:
        LedgerRolledBack: the chain is longer than the ledger says, or lacks its head.
    """
    if check.head and (content is None or manifests.digest(content) != check.head.sha256):
        found = "is missing" if content is None else "has another hash"
        raise LedgerRolledBack(
            f"manifest {check.head.number}, the chain's head as the ledger knows it, {found}: "
            "ledger and manifests do not belong to one history. Restore copies that belong together"
        )
    if following_exists:
        raise LedgerRolledBack(
            f"manifest {check.absent} exists, and the ledger ends before it: somebody "
            "restored an older ledger. Restore its newest version from the state container's blob "
            "versions; continuing would write duplicates"
        )


def put_back_before(part: str) -> LedgerRolledBack:
    """Return the error for a part that this scan wrote and that the ledger knows nothing of."""
    return LedgerRolledBack(
        f"part {part} exists with other blocks, and an earlier run of this scan wrote them: "
        "somebody restored a ledger from before an interrupted commit. The part is left as it "
        "is: move the ledger away and run `python -m shared ledger rebuild`, which adopts the part"
    )


def opened(ledger: Ledger, piece: Slice) -> Ledger:
    """Return the ledger with the slice open; unchanged when it is open already."""
    if _is_open(ledger, piece):
        return ledger
    return change(ledger, open=_sorted((*ledger.open, piece)))


def open_as(ledger: Ledger, piece: Slice) -> Slice | None:
    """Return the slice with these bounds as it is open; None when it is not."""
    same = (it for it in ledger.open if (it.start, it.end) == (piece.start, piece.end))
    return next(same, None)


def replaced(ledger: Ledger, before: Slice, after: tuple[Slice, ...]) -> Ledger:
    """Return the ledger with `after` open in the place of `before`."""
    kept = tuple(piece for piece in ledger.open if piece.start != before.start)
    return change(ledger, open=_sorted((*kept, *after)))


CLOCK_MOST_MS = 366 * DAY_MS
"""No clock is further off than this; a `Date` of 1970 is a defect and not a time."""


def heard(ledger: Ledger, ahead: int, now: int, policy: Policy) -> Ledger:
    """Return the ledger after an answer whose `Date` was `ahead` of the run's time.

    Until something is committed, an origin that a fast clock computed moves back; the time between
    would never be scanned otherwise.
    """
    behind = -CLOCK_MOST_MS < ahead < -HOUR_MS
    if behind and not ledger.head.number and not ledger.committing:
        origin = min(ledger.origin, (now + ahead - policy.lookback) // HOUR_MS * HOUR_MS)
        ledger = change(ledger, origin=origin, settled_until=origin)
    if too_far_apart(ahead):
        return ledger
    return change(ledger, api_clock=ApiClock(offset=ahead, at=now))


def _is_open(ledger: Ledger, piece: Slice) -> bool:
    return any((it.start, it.end) == (piece.start, piece.end) for it in ledger.open)


def _sorted(pieces: tuple[Slice, ...]) -> tuple[Slice, ...]:
    return tuple(sorted(pieces, key=lambda piece: piece.start))
