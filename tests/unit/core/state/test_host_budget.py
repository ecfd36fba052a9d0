"""The request budget of an API host: its codec, the claim, and the slots that are taken."""

import json
from typing import Any

import pytest

from shared.core.state import host_budget
from shared.core.state.host_budget import CLAIM_MOST_MS, SLOT_MS, HostBudget
from shared.core.state.ledger import CLAIM_MARGIN_MS
from shared.settings.parsers import BUDGET_MOST_MS
from tests.fakes import MINUTE, NOW

HOST = "contoso.eu2.portal.cloudappsecurity.com:443"


def budget(**changes: Any) -> HostBudget:
    """Return a released budget with the given changes."""
    values = {
        "version": 1,
        "host": HOST,
        "owner": "r",
        "claimed_until": 0,
        "first": "a",
        "short_of_time": (),
        "slots": (),
    }
    return HostBudget(**{**values, **changes})


def known(content: bytes | None, modified: int = NOW) -> host_budget.Known:
    """Return what counts of these bytes."""
    return host_budget.known(content, host=HOST, modified=modified)


def test_the_codec_returns_what_was_encoded() -> None:
    """The format has no value that is not kept."""
    it = budget(claimed_until=NOW + MINUTE, slots=(NOW + 1, NOW + 2))

    found = known(host_budget.encode(it))

    assert (found.budget, found.problem) == (it, None)
    assert host_budget.encode(it).endswith(b"}\n")


def test_a_host_without_a_budget_is_free() -> None:
    """Nobody has claimed it yet."""
    found = known(None, modified=0)

    assert (found.budget.owner, found.problem) == ("", None)
    assert not host_budget.is_held(found.budget, NOW)
    assert host_budget.taken(found.budget, 25) == ()


SOUND: dict[str, Any] = json.loads(host_budget.encode(budget()))

DAMAGED = {
    "nothing": b"",
    "no UTF-8": b"\xff",
    "no object": b"[]",
    "cut short": host_budget.encode(budget())[:-3],
    "deeply nested": b"[" * 100_000,
    "an unknown field": json.dumps(SOUND | {"more": 1}).encode(),
    "a missing field": json.dumps({"version": 1}).encode(),
    "a newer version": json.dumps(SOUND | {"version": 2}).encode(),
    "no version": json.dumps(SOUND | {"version": 0}).encode(),
    "a claim without end": json.dumps(SOUND | {"claimed_until": NOW * 2}).encode(),
    "a slot without end": json.dumps(SOUND | {"slots": [NOW * 2]}).encode(),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_what_cannot_be_used_counts_as_the_longest_claim(content: bytes) -> None:
    """It ends by itself, and whoever finds it ended says why it did not count."""
    found = known(content)

    assert found.problem
    assert host_budget.is_held(found.budget, NOW + CLAIM_MOST_MS - 1)
    assert not host_budget.is_held(found.budget, NOW + CLAIM_MOST_MS)
    assert set(host_budget.taken(found.budget, 25)) == {NOW + CLAIM_MOST_MS + SLOT_MS}


def test_what_a_claim_of_the_longest_time_budget_leaves_can_be_used() -> None:
    """The limit on times is for what nobody has written."""
    longest = NOW + BUDGET_MOST_MS + CLAIM_MARGIN_MS
    for it in (budget(claimed_until=longest), budget(slots=(longest + SLOT_MS,))):
        assert known(host_budget.encode(it)).problem is None


def test_a_claim_holds_until_its_end() -> None:
    """Or until it is released."""
    it = host_budget.claimed(budget(), owner="me", until=NOW + MINUTE, first="b")

    assert (it.owner, it.first, it.host) == ("me", "b", HOST)
    assert host_budget.is_held(it, NOW + MINUTE - 1)
    assert not host_budget.is_held(it, NOW + MINUTE)
    assert not host_budget.is_held(host_budget.released(it, slots=(), short_of_time=()), NOW)


def test_a_released_claim_leaves_the_slots_that_are_taken() -> None:
    """The next one waits for them, in order."""
    it = host_budget.claimed(budget(slots=(NOW,)), owner="me", until=NOW + MINUTE, first="b")

    free = host_budget.released(it, slots=[NOW + 3, NOW + 2], short_of_time=["c"])

    assert (free.owner, free.first, free.short_of_time) == ("me", "b", ("c",))
    assert host_budget.taken(free, 25) == (NOW + 2, NOW + 3)


def test_a_claim_that_was_never_released_has_taken_every_slot() -> None:
    """Its owner may have sent as many requests as the limit allows just before its end."""
    it = host_budget.claimed(budget(), owner="me", until=NOW, first="b")

    assert host_budget.taken(it, 3) == (NOW + SLOT_MS,) * 3
