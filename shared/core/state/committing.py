"""Commits: everything that a commit fixes before it begins, and the ledger it leads to.

A slice that a transition finished begins to commit here. So does time that nobody will scan any
more (it is declared lost, or in doubt because no sweep can look at it), and so does a decision that
changes what is scanned. Each commit fixes its
manifest, so that whoever resumes it writes the same bytes.
"""

from dataclasses import replace
from typing import Any

import msgspec

from shared.core.intervals import Interval
from shared.core.model import (
    DAY_MS,
    FIRST_PASS,
    Accepted,
    Commit,
    Counts,
    Decision,
    Doubt,
    Ledger,
    Load,
    Loss,
    Policy,
    Slice,
)
from shared.core.slices.opening import open_slice
from shared.core.slices.transitions import Finished, Transition
from shared.core.state import capacity, proof
from shared.core.state import manifest as manifests
from shared.core.state.decisions import newest, noted
from shared.core.state.ledger import opened, replaced
from shared.core.state.manifest import Manifest, Requests, part_of
from shared.core.state.planning import final, out_of_reach
from shared.core.state.proof import proof_in, with_proof
from shared.core.state.sweeps import credited

change = msgspec.structs.replace

NOT_SWEPT = "no sweep looked at it while the API still showed it"


def after_transition(  # noqa: PLR0913 - the facts of a transition, by name
    ledger: Ledger,
    before: Slice,
    transition: Transition,
    policy: Policy,
    *,
    now: int | None = None,
    made: int | None = None,
) -> Ledger:
    """Return the ledger after one transition of a slice; a finished slice begins to commit.

    Args:
        ledger: the state.
        before: the slice as it was.
        transition: what an answer, or the lack of one, did to it.
        policy: how the scan is to be done.
        now: decides whether the API still reached a slice that was never answered. Without it, the
            API did.
        made: when the commit is fixed, if that is not `now`.
    """
    after = (*transition.opened, *((transition.goes_on,) if transition.goes_on else ()))
    ledger = replaced(ledger, before, after)
    if transition.finished is None:
        return ledger
    return _begun(ledger, transition.finished, policy, now=now, made=made or now)


def declared_lost(
    ledger: Ledger, bounds: Interval, policy: Policy, *, made: int | None = None
) -> Ledger:
    """Return the ledger with a commit that declares this time lost, without request or part."""
    start, end = bounds
    piece = open_slice(bounds, pass_name=FIRST_PASS, policy=policy)
    finished = Finished(slice=piece, start=start, end=end)
    return _fixed(ledger, finished, policy, lost=_loss(finished, policy, "before"), made=made)


def given_up(
    ledger: Ledger, bounds: Interval, policy: Policy, *, made: int | None = None
) -> Ledger:
    """Return the ledger with a commit that records that no sweep will look at this time.

    The manifest has neither a request nor a part. It puts the time in doubt, since activities that
    arrived late may be missing.
    """
    start, end = bounds
    piece = open_slice(bounds, pass_name=policy.sweeps[-1][0], policy=policy)
    doubt = Doubt(start=start, end=end, reason=NOT_SWEPT)
    finished = Finished(slice=change(piece, doubt=(doubt,)), start=start, end=end)
    kept = tuple(it for it in ledger.open if it.end <= start or end <= it.start)
    return _begun(change(ledger, open=kept), finished, policy, made=made)


def with_decision(ledger: Ledger, decision: Decision, policy: Policy, *, made: int) -> Ledger:
    """Return the ledger with a commit that states an outstanding decision.

    The manifest has neither time nor part. What the decision changes follows from it.
    """
    manifest = _about(ledger, made=made, decision=decision)
    return _committing(ledger, _complete(manifest, ledger, policy))


def _scope_after(decision: Decision) -> dict[str, Any]:
    """Return the fields of the manifest that a decision changes."""
    if decision.kind == "backfill" and decision.bounds:
        return {"origin": decision.bounds[0], "settled_until": decision.bounds[0]}
    if decision.kind == "accept-filters":
        return {"fingerprint": decision.fingerprint}
    return {}


def _with_scope(ledger: Ledger, manifest: Manifest, decision: Decision) -> Ledger:
    """Return the ledger with what is scanned as a decision's manifest states it.

    Slices that are open begin again when the filters change.
    """
    accepts = decision.kind == "accept-filters"
    accepted = Accepted(fingerprint=manifest.fingerprint, at=decision.at)
    fresh = tuple(it.same_again((it.start, it.end)) for it in ledger.open)
    if decision.number > newest(ledger):  # As in a ledger that is made again from the manifests.
        ledger = change(noted(ledger, decision), reported=decision.number)
    return change(
        ledger,
        origin=manifest.origin,
        fingerprint=manifest.fingerprint,
        accepted=(*ledger.accepted, accepted) if accepts else ledger.accepted,
        open=fresh if accepts else ledger.open,
        outstanding=tuple(it for it in ledger.outstanding if it.number != decision.number),
    )


def committed(ledger: Ledger) -> Ledger:
    """Return the ledger once part and manifest are stored: coverage grows, the head moves."""
    content = _commit_of(ledger).manifest.encode()
    return change(extended(ledger, manifests.decode(content), content), committing=None)


def extended(ledger: Ledger, manifest: Manifest, content: bytes) -> Ledger:
    """Return the ledger with everything that one more manifest proves."""
    grown = with_proof(ledger, proof.extended(proof_in(ledger), manifest))
    if manifest.decision:
        grown = _with_scope(grown, manifest, manifest.decision)
    return change(
        grown,
        head=manifests.following(ledger.head, content),
        load=_load_with(ledger.load, manifest),
        lost_at=manifest.made if manifest.lost else ledger.lost_at,
    )


def restarted(ledger: Ledger) -> Ledger:
    """Return the ledger with the committing slice open again, because its blocks have expired."""
    commit = _commit_of(ledger)
    if commit.slice is None or commit.bounds is None:
        raise AssertionError("a decision has no blocks")
    again = commit.slice.same_again(commit.bounds)
    gone = {*commit.slice.unplaced}
    rest = tuple(
        change(it, earlier=tuple(known for known in it.earlier if known not in gone))
        for it in ledger.open
    )
    return opened(change(ledger, committing=None, open=rest), again)


def _begun(
    ledger: Ledger,
    finished: Finished,
    policy: Policy,
    *,
    now: int | None = None,
    made: int | None = None,
) -> Ledger:
    """Return the ledger with the commit of a finished slice; time out of reach proves nothing."""
    answered = finished.slice.last_answer or now
    if answered is None or not out_of_reach(finished.start, answered, policy):
        return _fixed(ledger, finished, policy, covers=_covers(finished, policy), made=made)
    if finished.slice.pass_name == FIRST_PASS:
        return _fixed(ledger, finished, policy, lost=_loss(finished, policy, "when"), made=made)
    doubt = Doubt(start=finished.start, end=finished.end, reason=NOT_SWEPT)
    doubted = replace(finished, slice=change(finished.slice, doubt=(doubt,)))
    return _fixed(ledger, doubted, policy, covers=_covers(doubted, policy), made=made)


def _loss(finished: Finished, policy: Policy, moment: str) -> Loss:
    """Return the loss of time that was out of reach before, or when, it was scanned."""
    reason = f"past the API's reach of {policy.reach // DAY_MS} days {moment} it was scanned"
    return Loss(start=finished.start, end=finished.end, reason=reason)


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


def _fixed(  # noqa: PLR0913 - the facts of a commit, by name
    ledger: Ledger,
    finished: Finished,
    policy: Policy,
    *,
    covers: tuple[str, ...] = (),
    lost: Loss | None = None,
    made: int | None,
) -> Ledger:
    """Return the ledger with a commit whose manifest, and with it everything else, is fixed."""
    if finished.slice.blocks and not finished.slice.blocks[-1].is_trailer:
        raise AssertionError("a part without its trailer cannot be read")
    manifest = _manifest(
        ledger,
        finished,
        policy,
        covers=covers,
        lost=lost,
        made=made or finished.slice.last_answer or ledger.made,
    )
    return _committing(ledger, manifest, finished.slice)


def _committing(ledger: Ledger, manifest: Manifest, piece: Slice | None = None) -> Ledger:
    """Return the ledger with the commit of a slice, or of a decision, by its manifest."""
    if ledger.committing:
        raise AssertionError("at most one commit happens at a time")
    commit = Commit(
        slice=piece,
        start=manifest.start,
        end=manifest.end,
        number=manifest.number,
        manifest=manifests.encode(manifest).decode(),
        covers=manifest.covers,
        lost=manifest.lost.reason if manifest.lost else None,
    )
    return change(ledger, committing=commit)


def _manifest(  # noqa: PLR0913 - the facts of a commit, by name
    ledger: Ledger,
    finished: Finished,
    policy: Policy,
    *,
    covers: tuple[str, ...],
    lost: Loss | None,
    made: int,
) -> Manifest:
    """Return the manifest of a slice's commit."""
    piece = finished.slice
    manifest = change(
        _about(ledger, made=made),
        pass_name=piece.pass_name,
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
    )
    return _complete(manifest, ledger, policy)


def _complete(manifest: Manifest, ledger: Ledger, policy: Policy) -> Manifest:
    """Return the manifest with the coverage that it leads to, and what of it is final."""
    after = with_proof(ledger, proof.extended(proof_in(ledger), manifest))
    return change(manifest, complete=after.coverage, final=final(after, policy))


def _about(ledger: Ledger, *, made: int, decision: Decision | None = None) -> Manifest:
    """Return the next manifest without anything about a slice; `complete` and `final` follow."""
    stated = Manifest(
        version=manifests.VERSION,
        number=ledger.head.number + 1,
        previous=ledger.head.sha256,
        scan=ledger.scan,
        pass_name=None,
        axis=ledger.axis,
        fingerprint=ledger.fingerprint,
        origin=ledger.origin,
        epoch=ledger.epoch,
        made=made,
        decision=decision,
        start=None,
        end=None,
        requests=Requests(count=0, first=None, last=None),
        part=None,
        counts=Counts(),
        lateness={},
        since=None,
        doubt=(),
        lost=None,
        covers=(),
        settled_until=ledger.settled_until,
        complete={},
        final=(),
    )
    return change(stated, **(_scope_after(decision) if decision else {}))


def _load_with(load: dict[int, Load], manifest: Manifest) -> dict[int, Load]:
    """Return the load with the requests of a manifest; sweeps and losses are not counted."""
    asked = manifest.requests.count - manifest.counts.faults
    if FIRST_PASS not in manifest.covers or asked <= 0:
        return load
    start, end = manifest.bounds
    return capacity.noted(load, start=start, end=end, requests=asked)


def _commit_of(ledger: Ledger) -> Commit:
    if ledger.committing is None:
        raise AssertionError("no slice is committing")
    return ledger.committing
