"""The ledger: its codec, and every change that may be made to it, as pure functions.

The codec refuses what it does not know and never resets anything. A change returns a new ledger;
the use case saves it before anything that depends on it happens.
"""

from dataclasses import dataclass, replace

import msgspec

from shared.core.clocks import APART_MOST_MS
from shared.core.errors import LedgerRolledBack, LedgerTooNew, LedgerUnreadable, ScopeChanged
from shared.core.intervals import Interval
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    HOUR_MS,
    SECOND_MS,
    Accepted,
    ApiClock,
    Commit,
    Doubt,
    Head,
    Ledger,
    Load,
    Loss,
    Policy,
    Slice,
)
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import manifest as manifests
from shared.core.state import proof
from shared.core.state.capacity import is_overloaded, noted
from shared.core.state.manifest import Manifest, Requests, part_of
from shared.core.state.pacing import note_start
from shared.core.state.planning import credited, final, last_age, out_of_reach, settles_until
from shared.core.state.proof import proof_in, settle, with_proof

VERSION = 1
"""Of the format that is written."""

MIN_READER = 1
"""The oldest version of the format whose readers may touch what is written."""

PUT_BACK = (
    "put back its last good version from the state container's blob versions; it is left as it is, "
    "and never reset"
)

CLAIM_MARGIN_MS = 30 * SECOND_MS
"""A claim outlives the time budget by this much, for the last saves of a run."""

NOT_SWEPT = "no sweep looked at it while the API still showed it"

change = msgspec.structs.replace


class _Version(msgspec.Struct):
    """What every version of a ledger says of itself, whatever else it holds."""

    version: int
    min_reader: int


_versions = msgspec.json.Decoder(_Version)
_ledgers = msgspec.json.Decoder(Ledger)


def encode(ledger: Ledger) -> bytes:
    """Return the ledger's bytes; equal ledgers give equal bytes."""
    return msgspec.json.encode(ledger) + b"\n"


def decode(content: bytes) -> Ledger:
    """Return the ledger in these bytes.

    Raises:
        LedgerUnreadable: they are no ledger, or hold what this version does not know.
        LedgerTooNew: a newer version wrote them.
    """
    try:
        stated = _versions.decode(content)
        if stated.version < 1:
            raise LedgerUnreadable(f"the ledger states version {stated.version}: {PUT_BACK}")
        if stated.min_reader > VERSION or stated.version > VERSION:
            raise LedgerTooNew(
                f"the ledger has format version {stated.version} (readable from version "
                f"{stated.min_reader} on), and this program knows version {VERSION}: "
                "deploy the newer program again; the ledger is left as it is"
            )
        return _ledgers.decode(content)
    except msgspec.MsgspecError as error:
        raise LedgerUnreadable(f"the ledger cannot be read ({error}): {PUT_BACK}") from error


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
    return now < ledger.claimed_until <= now + policy.budget + CLAIM_MARGIN_MS


def claim(ledger: Ledger, *, run: str, now: int, policy: Policy) -> Ledger:
    """Return the ledger claimed by `run` until its time budget must have passed.

    Raises:
        ScopeChanged: the policy's filters or sort field are not those of the coverage, and
            the operator has not accepted the change.
    """
    ledger = change(_rescoped(ledger, now, policy), pacing=note_start(ledger.pacing, now))
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


def release(ledger: Ledger) -> Ledger:
    """Return the ledger free for the next run."""
    return change(ledger, claimed_until=0)


def _rescoped(ledger: Ledger, now: int, policy: Policy) -> Ledger:
    if ledger.scan != policy.scan:
        raise ScopeChanged(f"the ledger is of scan {ledger.scan!r}, not of {policy.scan!r}")
    if ledger.axis != policy.axis:
        raise ScopeChanged(
            f"scan {ledger.scan!r} cuts its slices by {ledger.axis}, and SCAN_SORT_FIELD is "
            f"{policy.axis}: coverage on one cannot be carried to the other. Give the scan a new "
            "SCAN_NAME, or set SCAN_SORT_FIELD back"
        )
    if ledger.fingerprint == policy.fingerprint:
        return ledger
    if policy.accept != policy.fingerprint:
        raise ScopeChanged(
            f"the filters of scan {ledger.scan!r} have changed (fingerprint {ledger.fingerprint} "
            f"to {policy.fingerprint}), which would make its coverage a lie: give the scan a new "
            "SCAN_NAME, which begins afresh, or accept that earlier time was scanned with the old "
            f"filters with SCAN_ACCEPT_FILTERS={policy.fingerprint}"
        )
    accepted = Accepted(fingerprint=policy.fingerprint, at=now)
    fresh = tuple(piece.same_again((piece.start, piece.end)) for piece in ledger.open)
    return change(
        ledger,
        fingerprint=policy.fingerprint,
        accepted=(*ledger.accepted, accepted),
        open=fresh,
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
            "ledger and manifests are not of one history. Put back the copies that belong together"
        )
    if following_exists:
        raise LedgerRolledBack(
            f"manifest {check.absent} exists, and the ledger ends before it: the ledger was put "
            "back to an older copy. Put back its newest version from the state container's blob "
            "versions; going on would write duplicates"
        )


def put_back_before(part: str) -> LedgerRolledBack:
    """Return the error for a part that this scan wrote and that the ledger knows nothing of."""
    return LedgerRolledBack(
        f"part {part} exists with other blocks, and an earlier run of this scan wrote them: the "
        "ledger was put back to a copy from before an interrupted commit. The part is left as it "
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
    if abs(ahead) > APART_MOST_MS:
        return ledger
    return change(ledger, api_clock=ApiClock(offset=ahead, at=now))


def after_transition(  # noqa: PLR0913 - the facts of a transition, by name
    ledger: Ledger,
    before: Slice,
    transition: Transition,
    policy: Policy,
    *,
    now: int | None = None,
    made: int | None = None,
) -> Ledger:
    """Return the ledger after one transition of a slice; a finished one begins to commit.

    Args:
        ledger: the state.
        before: the slice as it was.
        transition: what an answer, or the lack of one, did to it.
        policy: how the scan is to be done.
        now: decides whether the API still reached a slice that was never answered; without it,
            the API did.
        made: when the commit is fixed, where that is not `now`.
    """
    after = (*transition.opened, *((transition.goes_on,) if transition.goes_on else ()))
    ledger = replaced(ledger, before, after)
    if transition.finished is None:
        return ledger
    return _committing(ledger, transition.finished, policy, now=now, made=made or now)


def _committing(
    ledger: Ledger,
    finished: Finished,
    policy: Policy,
    *,
    now: int | None = None,
    made: int | None = None,
) -> Ledger:
    """Fix everything about the commit of a finished slice."""
    if ledger.committing:
        raise AssertionError("at most one slice commits at a time")
    if finished.slice.blocks and not finished.slice.blocks[-1].is_trailer:
        raise AssertionError("a part without its trailer cannot be read")
    if finished.slice.pass_name != FIRST_PASS:
        finished = _too_late(finished, policy, now)
    lost = _loss(finished, policy, now)
    covers = () if lost else _covers(finished, policy)
    return _fixed(ledger, finished, policy, covers=covers, lost=lost, made=made)


def _fixed(  # noqa: PLR0913 - the facts of a commit, by name
    ledger: Ledger,
    finished: Finished,
    policy: Policy,
    *,
    covers: tuple[str, ...],
    lost: Loss | None,
    made: int | None,
) -> Ledger:
    manifest = _manifest(
        ledger,
        finished,
        policy,
        covers=covers,
        lost=lost,
        made=made or finished.slice.last_answer or ledger.made,
    )
    content = manifests.encode(manifest)
    commit = Commit(
        slice=finished.slice,
        start=finished.start,
        end=finished.end,
        number=ledger.head.number + 1,
        manifest=content.decode(),
        covers=covers,
        lost=lost.reason if lost else None,
    )
    return change(ledger, committing=commit)


def _is_out_of_reach(finished: Finished, policy: Policy, now: int | None) -> bool:
    answered = finished.slice.last_answer or now or 0
    return out_of_reach(finished.start, answered, policy)


def _loss(finished: Finished, policy: Policy, now: int | None) -> Loss | None:
    if finished.slice.pass_name != FIRST_PASS or not _is_out_of_reach(finished, policy, now):
        return None
    reason = f"past the API's reach of {policy.reach // DAY_MS} days when it was scanned"
    return Loss(start=finished.start, end=finished.end, reason=reason)


def _too_late(finished: Finished, policy: Policy, now: int | None) -> Finished:
    """Return a sweep's finished slice, in doubt where the API no longer reached its time."""
    if not _is_out_of_reach(finished, policy, now):
        return finished
    doubt = Doubt(start=finished.start, end=finished.end, reason=NOT_SWEPT)
    return replace(finished, slice=change(finished.slice, doubt=(doubt,)))


def declared_lost(
    ledger: Ledger, bounds: Interval, policy: Policy, *, made: int | None = None
) -> Ledger:
    """Return the ledger with a commit that declares this time lost, without request or part."""
    start, end = bounds
    piece = open_slice(bounds, pass_name=FIRST_PASS, policy=policy)
    reason = f"past the API's reach of {policy.reach // DAY_MS} days before it was scanned"
    finished = Finished(slice=piece, start=start, end=end)
    loss = Loss(start=start, end=end, reason=reason)
    return _fixed(ledger, finished, policy, covers=(), lost=loss, made=made)


def given_up(
    ledger: Ledger, bounds: Interval, policy: Policy, *, made: int | None = None
) -> Ledger:
    """Return the ledger about to commit that no sweep will ever look at this time.

    The manifest has neither a request nor a part: it says that what came late is in doubt.
    """
    piece = open_slice(bounds, pass_name=policy.sweeps[-1][0], policy=policy)
    doubt = Doubt(start=bounds[0], end=bounds[1], reason=NOT_SWEPT)
    finished = Finished(slice=change(piece, doubt=(doubt,)), start=bounds[0], end=bounds[1])
    kept = tuple(it for it in ledger.open if it.end <= bounds[0] or bounds[1] <= it.start)
    return _committing(change(ledger, open=kept), finished, policy, made=made)


def _covers(finished: Finished, policy: Policy) -> tuple[str, ...]:
    piece = finished.slice
    return credited(
        piece.pass_name,
        end=finished.end,
        first_request=piece.first_request or 0,
        doubtful=bool(piece.doubt),
        since=piece.since,
        policy=policy,
    )


def _manifest(  # noqa: PLR0913 - the facts of a commit, by name
    ledger: Ledger,
    finished: Finished,
    policy: Policy,
    *,
    covers: tuple[str, ...],
    lost: Loss | None,
    made: int,
) -> Manifest:
    """Return the manifest of a commit, with the state that it leads to."""
    piece = finished.slice
    manifest = Manifest(
        version=manifests.VERSION,
        number=ledger.head.number + 1,
        previous=ledger.head.sha256,
        scan=ledger.scan,
        pass_name=piece.pass_name,
        axis=ledger.axis,
        fingerprint=ledger.fingerprint,
        origin=ledger.origin,
        epoch=ledger.epoch,
        made=made,
        start=finished.start,
        end=finished.end,
        requests=Requests(count=piece.requests, first=piece.first_request, last=piece.last_answer),
        part=part_of(ledger.scan, piece),
        counts=piece.counts,
        lateness=piece.lateness,
        since=piece.since,
        doubt=piece.doubt,
        lost=lost,
        covers=covers,
        settled_until=ledger.settled_until,
        complete={},
        final=(),
    )
    after = with_proof(ledger, proof.extended(proof_in(ledger), manifest))
    return change(manifest, complete=after.coverage, final=final(after, policy))


def committed(ledger: Ledger) -> Ledger:
    """Return the ledger once part and manifest are there: coverage grows, the head moves."""
    content = _commit_of(ledger).manifest.encode()
    return change(extended(ledger, manifests.decode(content), content), committing=None)


def extended(ledger: Ledger, manifest: Manifest, content: bytes) -> Ledger:
    """Return the ledger that holds what one more manifest proves."""
    grown = with_proof(ledger, proof.extended(proof_in(ledger), manifest))
    return change(
        grown,
        head=manifests.following(ledger.head, content),
        load=_heavier(ledger.load, manifest),
    )


def _heavier(load: dict[int, Load], manifest: Manifest) -> dict[int, Load]:
    asked = manifest.requests.count - manifest.counts.faults
    if FIRST_PASS not in manifest.covers or asked <= 0:
        return load
    return noted(load, start=manifest.start, end=manifest.end, requests=asked)


def restarted(ledger: Ledger) -> Ledger:
    """Return the ledger with the committing slice open again, since its blocks are gone."""
    commit = _commit_of(ledger)
    again = commit.slice.same_again((commit.start, commit.end))
    gone = {*commit.slice.unplaced}
    rest = (
        change(it, earlier=tuple(known for known in it.earlier if known not in gone))
        for it in ledger.open
    )
    return change(ledger, committing=None, open=_sorted((*rest, again)))


def _commit_of(ledger: Ledger) -> Commit:
    if ledger.committing is None:
        raise AssertionError("no slice is committing")
    return ledger.committing


def _is_open(ledger: Ledger, piece: Slice) -> bool:
    return any((it.start, it.end) == (piece.start, piece.end) for it in ledger.open)


def _sorted(pieces: tuple[Slice, ...]) -> tuple[Slice, ...]:
    return tuple(sorted(pieces, key=lambda piece: piece.start))
