"""Pulling levers in tests, as commands do, and proving that the chain knows what they changed."""

from shared.core.model import Decision, Policy
from shared.core.state import ledger as ledgers
from shared.core.state.proof import proof_in, settle
from shared.operate.levers import Lever, Scan
from shared.operate.levers import pull as pull_lever
from shared.operate.rebuild import rebuild
from shared.operate.verify import Verifier
from tests.displays import Silent
from tests.fakes import policy
from tests.world import World


def pull(world: World, lever: Lever, how: Policy | None = None) -> Decision:
    """Pull a lever with `--now`, whatever run is at work."""
    scan = Scan(
        policy=how or policy(), ledgers=world.ledgers, results=world.results, clock=world.clock
    )
    return pull_lever(scan, lever, Silent(), by="kim", reason="test", take_over=True)


def assert_proven(world: World, how: Policy) -> None:
    """Assert that the store is sound, and that the manifests alone give the same scan again."""
    checked = Verifier(world.results, world.ledgers, "all", Silent()).check()
    assert checked.findings == []
    kept = ledgers.decode(world.ledgers.content or b"")
    again = rebuild(world.results, how, world.clock.now(), Silent()).ledger
    assert settle(proof_in(again), kept.settled_until) == proof_in(kept)
    for name in ("origin", "axis", "fingerprint", "accepted", "head"):
        assert getattr(again, name) == getattr(kept, name), name
