"""Records in forms that the API's documentation does not have: each is stored once."""

import base64

import pytest

from shared.operate.verify import Verifier
from simulator import Planned, Tenant
from tests.fakes import MINUTE
from tests.unit.test_rebuild import Silent
from tests.unit.test_sweeps import START, how, live, manifests, world_of
from tests.world import World


def assert_sound(world: World) -> None:
    """Assert that `verify` finds nothing in the world's store."""
    checked = Verifier(world.results, world.ledgers, "all", Silent()).check()
    assert checked.findings == []


@pytest.mark.parametrize("value", [b"true", b"null", b'"text"', b'"aGVsbG8="', b"7", b"{}"])
def test_an_activity_with_a_field_named_irregular_is_stored_once(value: bytes) -> None:
    """Whatever the field holds; sweeps and `verify` read the line back."""
    at = START + 7 * MINUTE
    given = b'{"_id":"a","timestamp":%d,"created":%d,"irregular":%b}' % (at, at + 1, value)
    world = world_of(Tenant.of([Planned(timestamp=at, created=at + 1, raw=given)]))

    live(world, 5, how())

    (stored,) = world.followed()
    assert base64.b64decode(stored["irregular"]) == given
    assert (stored["_id"], stored["timestamp"], stored["created"]) == ("a", at, at + 1)
    assert sum(it["counts"]["known"] for it in manifests(world, "sweep-2h")) == 1
    assert world.ledgers.value()["doubt"] == []
    assert_sound(world)
