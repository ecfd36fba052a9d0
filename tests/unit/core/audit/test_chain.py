"""The chain of manifests is checked link by link, and the ledger at its end."""

import json
from typing import Any

import msgspec
import pytest

from shared.core.audit.chain import Chain
from shared.core.model import Head, Ledger
from shared.core.state.proof import proof_in, settle, with_proof
from tests.fakes import HOUR, MINUTE, NOW
from tests.unit.core.audit.building import altered, committed_in_turn, part_of, slices
from tests.unit.core.state.building import START, about_to_commit, commit_of

FOUR, LEDGER = committed_in_turn(*slices(4))


def chain_of(*contents: bytes | None) -> Chain:
    """Return a chain that has taken in these manifests, from number 1 on."""
    chain = Chain("all")
    for number, content in enumerate(contents, start=1):
        chain.take(number, content)
    return chain


def found(chain: Chain) -> list[tuple[str, str]]:
    """Return what a chain found, and about what."""
    return [(it.kind, it.subject) for it in chain.findings]


def compared(chain: Chain, ledger: Ledger) -> list[str]:
    """Return what is said about a ledger at the end of a chain that is sound."""
    assert chain.findings == []
    chain.compare(ledger)
    assert {(it.kind, it.subject) for it in chain.findings} <= {("ledger-differs", "ledger")}
    return [it.detail for it in chain.findings]


def test_a_sound_chain_and_its_ledger_have_no_finding() -> None:
    """The ledger carries the result of the manifests."""
    assert compared(chain_of(*FOUR), LEDGER) == []


def test_a_scan_that_has_committed_nothing_is_sound() -> None:
    """There is nothing to compare."""
    _, ledger = committed_in_turn()

    assert compared(chain_of(), ledger) == []


def test_a_missing_manifest_is_one_finding() -> None:
    """What follows it is not called broken, since nothing is known of its predecessor."""
    chain = chain_of(FOUR[0], None, FOUR[2])

    assert found(chain) == [("manifest-missing", "manifest 2")]
    assert chain.findings[0].detail == "it does not exist, but later ones do"
    assert chain.gaps


def test_a_manifest_that_is_gone_once_it_is_read_is_missing() -> None:
    """It was listed, so the chain went on to it."""
    chain = chain_of(*FOUR, None)

    assert found(chain) == [("manifest-missing", "manifest 5")]
    assert chain.head == Head(number=5)


def test_a_gap_of_many_manifests_is_one_finding() -> None:
    """However large it is."""
    chain = Chain("all")

    chain.take(4, FOUR[3])

    assert found(chain) == [("manifest-missing", "manifests 1 to 3")]
    assert "3 manifests do not exist" in chain.findings[0].detail


def test_after_a_gap_only_what_is_still_provable_is_compared() -> None:
    """The losses and counts of the missing manifests are in no other one."""
    chain = chain_of(FOUR[0], None, *FOUR[2:])

    chain.compare(msgspec.structs.replace(LEDGER, parts_by_hour={START: 9}))
    assert len(chain.findings) == 1
    chain.compare(msgspec.structs.replace(LEDGER, coverage={"first": ()}))
    assert found(chain)[1:] == [("ledger-differs", "ledger")]


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"?", "JSON is malformed"), (FOUR[3].replace(b"first", b"\xe6irst"), "invalid")],
    ids=["other bytes", "a flipped bit"],
)
def test_an_unreadable_manifest_at_the_end_leaves_nothing_to_compare(
    content: bytes, why: str
) -> None:
    """Its digest still has to be the ledger's."""
    chain = chain_of(*FOUR[:3], content)
    head = msgspec.structs.replace(LEDGER, head=chain.head)

    chain.compare(head)

    assert found(chain) == [("manifest-unreadable", "manifest 4")]
    assert why in chain.findings[0].detail


@pytest.mark.parametrize("change", [{"number": 9}, {"scan": "other"}])
def test_a_manifest_in_the_place_of_another_breaks_the_chain(change: dict[str, object]) -> None:
    """Its own number or scan says so."""
    chain = chain_of(FOUR[0], altered(FOUR[1], **change))

    assert found(chain) == [("chain-broken", "manifest 2")]


def test_a_changed_manifest_is_not_the_one_that_its_successor_names() -> None:
    """One of the two was replaced."""
    chain = chain_of(altered(FOUR[0], epoch=9), FOUR[1])

    assert found(chain) == [("chain-broken", "manifest 2")]


def test_the_first_manifest_has_no_predecessor() -> None:
    """One that names any was written for another chain."""
    chain = chain_of(altered(FOUR[0], previous="0" * 64))

    assert found(chain) == [("chain-broken", "manifest 1")]


def complete(content: bytes) -> list[list[int]]:
    """Return the first pass's coverage as a manifest states it."""
    stated: list[list[int]] = json.loads(content)["complete"]["first"]
    return stated


def test_coverage_that_no_manifest_proves_is_found() -> None:
    """Each claim is the sum of what the chain proved before."""
    ((start, end),) = complete(FOUR[0])

    chain = chain_of(altered(FOUR[0], complete={"first": [[start, end + MINUTE]]}))

    assert found(chain) == [("coverage-unproven", "manifest 1")]
    assert f"holds [{end}, {end + MINUTE})" in chain.findings[0].detail


def test_coverage_that_disappears_is_found() -> None:
    """It only grows; from then on, what was stated counts."""
    chain = chain_of(altered(FOUR[0], complete={"first": []}))

    ((start, end),) = complete(FOUR[0])
    assert found(chain) == [("coverage-unproven", "manifest 1")]
    assert f"no longer holds [{start}, {end})" in chain.findings[0].detail


def test_after_a_finding_the_chain_is_checked_against_what_was_stated() -> None:
    """One wrong manifest does not make all that follow wrong."""
    first = altered(FOUR[0], complete={"first": []})
    second = altered(
        FOUR[1],
        previous=chain_of(first).head.sha256,
        complete={"first": [[START + 5 * MINUTE, START + 10 * MINUTE]]},
    )

    assert found(chain_of(first, second)) == [("coverage-unproven", "manifest 1")]


def test_each_pass_is_checked() -> None:
    """One that no manifest proves, and one that is gone."""
    ((start, end),) = complete(FOUR[0])
    wrong = {"sweep-2h": [[start, start + 1], [end, end + 1]]}

    chain = chain_of(altered(FOUR[0], complete=wrong))

    gone, extra = (it.detail for it in chain.findings)
    assert gone == f"complete.first no longer holds [{start}, {end})"
    more = f"[{start}, {start + 1}), [{end}, {end + 1})"
    assert extra == f"complete.sweep-2h holds {more}, which no manifest proves"


def test_what_is_found_about_passes_is_in_the_order_of_their_names() -> None:
    """So that two checks of the same manifests say the same."""
    names = [f"sweep-{n}h" for n in range(2, 10)]
    stated = {name: [[START, START + 1]] for name in reversed(names)}

    chain = chain_of(altered(FOUR[0], complete={"first": complete(FOUR[0]), **stated}))

    assert [it.detail.split()[0] for it in chain.findings] == [f"complete.{it}" for it in names]


def test_what_begins_before_settled_time_is_found() -> None:
    """Wherever it ends."""
    settled = START + MINUTE
    first = altered(FOUR[0], settled_until=settled)
    again = altered(first, number=2, previous=chain_of(first).head.sha256)

    chain = chain_of(first, again)

    assert found(chain) == [("coverage-unproven", "manifest 2")]
    assert chain.findings[0].detail == f"nothing may be added before {settled}, which was settled"


def test_what_is_added_before_settled_time_is_found() -> None:
    """Nothing is ever added there."""
    settled = START + HOUR
    first = altered(FOUR[0], settled_until=settled, complete={"first": []})
    again = altered(first, number=2, previous=chain_of(first).head.sha256)

    chain = chain_of(first, again)

    assert ("coverage-unproven", "manifest 2") in found(chain)
    assert f"nothing may be added before {settled}" in chain.findings[-1].detail


def test_the_manifest_that_lists_a_part_is_remembered() -> None:
    """Slices without records have none."""
    piece, _ = part_of()
    contents, _ = committed_in_turn(piece, slices(2)[1])

    assert list(chain_of(*contents).parts.values()) == [1]


def test_a_ledger_may_have_settled_more_than_its_last_manifest() -> None:
    """A claim settles, and commits nothing."""
    claimed = with_proof(LEDGER, settle(proof_in(LEDGER), START + 7 * MINUTE))

    assert compared(chain_of(*FOUR), claimed) == []


def test_a_ledger_whose_chain_ends_elsewhere_differs() -> None:
    """It was put back, or manifests were removed."""
    (detail,) = compared(chain_of(*FOUR), msgspec.structs.replace(LEDGER, head=Head(number=3)))

    assert "the ledger's chain ends with 3" in detail


@pytest.mark.parametrize(
    ("name", "value"),
    [("origin", START - HOUR), ("coverage", {"first": ()}), ("parts_by_hour", {START: 9})],
)
def test_a_ledger_that_states_something_else_differs(name: str, value: object) -> None:
    """Origin, coverage and counts follow from the manifests."""
    said = compared(chain_of(*FOUR), msgspec.structs.replace(LEDGER, **{name: value}))

    assert len(said) == 1
    assert f"`{name}`" in said[0]


def test_a_manifest_whose_last_save_is_missing_belongs_to_the_ledger() -> None:
    """The run was interrupted after it had written the manifest."""
    ledger = about_to_commit(LEDGER, slices(5)[4])
    last = commit_of(ledger).manifest.encode()

    assert compared(chain_of(*FOUR, last), ledger) == []


def test_a_commit_that_holds_no_manifest_differs() -> None:
    """Somebody changed the ledger."""
    ledger = about_to_commit(LEDGER, slices(5)[4])
    last = commit_of(ledger).manifest.encode()
    broken = msgspec.structs.replace(commit_of(ledger), manifest="?")

    (detail,) = compared(chain_of(*FOUR, last), msgspec.structs.replace(ledger, committing=broken))

    assert "its commit holds no manifest" in detail


def moved_back(
    settled: int, *, bounds: list[int] | None = None, kind: str = "backfill", short: int = 0
) -> Chain:
    """Return a chain whose second manifest decides that the scan begins earlier."""
    origin = settled - HOUR
    decision = {
        "kind": kind,
        "number": 1,
        "at": NOW,
        "by": "x",
        "reason": "y",
        "what": "z",
        "bounds": bounds or [origin, settled],
    }
    nothing: dict[str, Any] = {"pass": None, "start": None, "end": None, "covers": []}
    second = altered(
        FOUR[0],
        number=2,
        previous=chain_of(FOUR[0]).head.sha256,
        origin=origin,
        settled_until=origin + short,
        decision=decision,
        **nothing,
    )
    return chain_of(FOUR[0], second)


def test_a_backfill_may_move_settled_time_back() -> None:
    """It says so, from where nothing was settled so far."""
    assert moved_back(START).findings == []


def test_settled_time_that_moves_back_otherwise_is_found() -> None:
    """By another decision, by a backfill with other bounds, or not all the way."""
    assert found(moved_back(START, kind="rescan")) == [("coverage-unproven", "manifest 2")]
    assert found(moved_back(START, short=1)) == [("coverage-unproven", "manifest 2")]
    assert found(moved_back(START, bounds=[START - HOUR, START - 1])) == [
        ("coverage-unproven", "manifest 2")
    ]
