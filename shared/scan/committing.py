"""The commit: a finished slice becomes visible, all at once and only once.

Decisions that change what is scanned are committed in the same way, as manifests without a part.
"""

from shared.core.api.block_ids import is_block_id
from shared.core.api.blocks import trailer_of
from shared.core.errors import BlocksLost, StoreConflict
from shared.core.model import Block, Commit, Policy, Slice
from shared.core.slices.transitions import Draft, Transition
from shared.core.state import committing, levers
from shared.core.state import ledger as ledgers
from shared.core.state.layout import part_name
from shared.scan.run import Run, shown
from shared.scan.stepping import staged


def take(run: Run, piece: Slice, step: Draft | Transition) -> None:
    """Save what a step makes of a slice, and commit what it has finished."""
    if isinstance(step, Draft):
        transition, _ = staged(run.ports.results, step, run.ledger)
    else:
        transition = step
    doubt = transition.finished.slice.doubt if transition.finished else ()
    if any(it.is_poison for it in doubt):
        run.warn_once("a poisoned second is finished in doubt: see docs/runbook.md#doubt")
    now = run.clock.now()
    run.writer.save(committing.after_transition(run.ledger, piece, transition, run.policy, now=now))
    finish_commit(run)


def finish_commit(run: Run) -> None:
    """Carry out the commit that the saved ledger holds, if it holds one.

    An interrupted run may have carried out a part of it. Every effect may be repeated.
    """
    if run.ledger.committing:
        _commit(run, run.ledger.committing)


def commit_decisions(run: Run) -> None:
    """Commit the decisions that no manifest states yet, the oldest first.

    One that no longer makes sense is dropped with a warning: the scan or its settings have changed
    since an operator took it.

    Raises:
        ScopeChanged: the filters are not those of the coverage, after all.
    """
    while run.ledger.outstanding:
        decision = run.ledger.outstanding[0]
        if why := levers.outdated(run.ledger, decision, run.policy):
            run.warn(f"the decision of {decision.by} ({decision.kind}) is dropped: {why}")
            run.writer.save(levers.dropped(run.ledger, decision))
        else:
            made = run.now()
            run.writer.save(committing.with_decision(run.ledger, decision, run.policy, made=made))
            finish_commit(run)
    ledgers.require_scope(run.ledger, run.policy)


def _commit(run: Run, commit: Commit) -> None:
    """Make part and manifest appear, then let coverage grow."""
    try:
        _commit_part(run, commit)
    except BlocksLost:
        if run.ports.results.manifest(commit.number) is not None:
            raise
        run.writer.save(committing.restarted(run.ledger))
        run.warn(f"staged blocks had expired: their slice starts over: {_shown(commit)}")
        return
    content = commit.manifest.encode()
    run.ports.results.put_manifest(commit.number, content)
    run.tally.manifests[commit.number] = content
    run.writer.save(committing.committed(run.ledger))
    run.tally.commits += 1
    if commit.lost:
        run.warn(f"{_shown(commit)} is declared lost: {commit.lost}")


def _commit_part(run: Run, commit: Commit) -> None:
    piece = commit.slice
    if piece is None or not piece.blocks:
        return
    metadata = _metadata(run.policy, commit, piece)
    _commit_blocks(run, part_name(run.policy.scan, piece), piece.blocks, metadata)
    run.tally.parts += 1


def _metadata(policy: Policy, commit: Commit, piece: Slice) -> dict[str, str]:
    blocks = piece.blocks
    return {
        "scan": policy.scan,
        "pass": piece.pass_name,
        "start": str(commit.start),
        "end": str(commit.end),
        "records": str(sum(block.records for block in blocks)),
        "manifest": str(commit.number),
        "rawSizeBytes": str(sum(block.raw for block in blocks)),
    }


def _commit_blocks(
    run: Run, name: str, blocks: tuple[Block, ...], metadata: dict[str, str]
) -> None:
    """Commit the block list; if the service lacks a block, stage the trailer once more.

    The trailer follows from the other blocks, so it is the only block that can be made again.
    """
    results = run.ports.results
    try:
        results.commit_part(name, blocks, metadata=metadata)
    except StoreConflict as error:
        _require_newest_ledger(run, name, error)
        raise
    except BlocksLost:
        results.stage_block(name, blocks[-1], trailer_of(blocks[:-1]))
        results.commit_part(name, blocks, metadata=metadata)


def _require_newest_ledger(run: Run, part: str, conflict: StoreConflict) -> None:
    """Explain a part that exists already: this scan wrote it, and the ledger does not know.

    Raises:
        LedgerRolledBack: the ledger was put back to before an interrupted commit.
    """
    if run.ports.ledgers.load().etag != run.writer.etag:
        return  # Another run has taken over, and has committed the part.
    committed = [block for block, _ in run.ports.results.blocks_of(part)]
    if committed and all(map(is_block_id, committed)):
        raise ledgers.put_back_before(part) from conflict


def _shown(commit: Commit) -> str:
    return shown(commit.bounds) if commit.bounds else ""
