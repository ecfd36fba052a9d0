"""Records in forms that the API's documentation does not mention are each stored once."""

import base64
import json
import random
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.slices.traversal import DOUBTS_KEPT, NULLS
from shared.core.state.report import report_fields
from shared.operate.verify import Verifier
from simulator import Planned, Switches, Tenant
from simulator.switches import TailDrop
from tests.displays import Silent
from tests.fakes import HOUR, MINUTE, Crash, Effects, page_of, policy, status
from tests.sampling import examples
from tests.simulated import SimulatedApi
from tests.unit.test_sweeps import START, how, identities, live, manifests, world_of
from tests.world import World

DIRECTIONS = pytest.mark.parametrize("direction", ["asc", "desc"])

MODES = st.fixed_dictionaries(
    {
        "tail_drop": st.sampled_from(["millisecond", "few", "none"]),
        "dense": st.sampled_from(["repeat", "empty", "black-hole"]),
        "cursor_field": st.sampled_from(["created", "date"]),
        "page_cap": st.sampled_from([4, 10, 40]),
        "sorts": st.sampled_from(["as-asked", "as-asked", "asc", "desc", "reversed"]),
    }
)
"""All behaviours of the API that lead a slice through its modes."""


def scanned(tenant: Tenant, direction: str, switches: dict[str, Any]) -> World:
    """Return a world whose first pass over the tenant is finished."""
    world = World([])
    chosen = Switches(minimum_limit=1, tail_drop_few=1, **switches)
    world.source = SimulatedApi(tenant, world.clock, chosen)
    world.run_until_idle(policy(lookback=2 * HOUR, sweeps=(), direction=direction))
    return world


def doubts(world: World) -> list[tuple[int, int]]:
    """Return the intervals that the ledger has in doubt."""
    return [(it["start"], it["end"]) for it in world.ledgers.value()["doubt"]]


def assert_sound(world: World) -> None:
    """Assert that `verify` finds nothing in the world's store."""
    checked = Verifier(world.results, world.ledgers, "all", Silent()).check()
    assert checked.findings == []


@pytest.mark.parametrize("value", [b"true", b"null", b'"text"', b'"aGVsbG8="', b"7", b"{}"])
def test_an_activity_with_a_field_named_irregular_is_stored_once(value: bytes) -> None:
    """The field's value does not matter; sweeps and `verify` read the line back."""
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


def some_times(rng: random.Random, page: int) -> list[tuple[int, int]]:
    """Return times of some activities, many of them close together; no two share both times."""
    spread = [START + rng.randrange(90) * 20_007 for _ in range(rng.choice([3, 60]))]
    crowd = [START + 7 * MINUTE + 123] * rng.choice([0, page - 1, 3 * page])
    return [(at, at + 200_000 + 11 * n) for n, at in enumerate([*spread, *crowd])]


@settings(max_examples=40)
@given(seed=st.integers(0, 2**16), direction=st.sampled_from(["asc", "desc"]), modes=MODES)
def test_nulls_cost_nothing_but_their_own_place(
    seed: int, direction: str, modes: dict[str, Any]
) -> None:
    """All other activities are stored once, and each null's possible place is in doubt."""
    rng = random.Random(seed)
    times = some_times(rng, modes["page_cap"])
    nulls = set(rng.sample(range(len(times)), rng.choice([1, len(times) // 3, len(times)])))
    tenant = Tenant.of(
        [
            Planned(timestamp=at, created=created, raw=b"null" if n in nulls else None)
            for n, (at, created) in enumerate(times)
        ],
        record_size=900,
    )

    world = scanned(tenant, direction, modes)

    found = identities(world)
    excused = [it for it in tenant.truth() if any(a <= it.timestamp < b for a, b in doubts(world))]
    hidden = {times[n] for n in nulls}
    assert len(found) == len(set(found))
    assert {(it.timestamp, it.created) for it in excused} >= hidden
    assert set(tenant.truth()) - set(found) <= set(excused)
    if modes["dense"] != "black-hole" and modes["cursor_field"] == "created":
        missing = {(it.timestamp, it.created) for it in set(tenant.truth()) - set(found)}
        assert missing == hidden
    assert_sound(world)


def null(at: int) -> Planned:
    """Return an activity that the API always shows as null."""
    return Planned(timestamp=at, created=at + 200_000, raw=b"null")


@DIRECTIONS
def test_the_stretch_between_a_null_s_neighbours_is_in_doubt(direction: str) -> None:
    """It includes both neighbours' milliseconds, and the null is counted."""
    at = START + 7 * MINUTE
    tenant = Tenant.of([at, null(at + 50), at + 90, at + 1_000], record_size=900)

    world = scanned(tenant, direction, {})

    (doubt,) = world.ledgers.value()["doubt"]
    assert doubt == {"start": at, "end": at + 91, "reason": NULLS}
    (manifest,) = [it for it in manifests(world, "first") if it["doubt"]]
    assert (manifest["doubt"], manifest["counts"]["nulls"]) == ([doubt], 1)
    assert report_fields(world.tally, policy(), "idle", duration=0)["nulls"] == 1


@DIRECTIONS
def test_at_a_page_s_edge_the_cursor_is_the_null_s_neighbour(direction: str) -> None:
    """On the first or last page, the slice's own edge takes its place."""
    first = START + 5 * MINUTE
    tenant = Tenant.of([first + 1_000 * n for n in range(1, 9)], record_size=900)
    tenant.add(null(first + 10), null(first + 9_000))

    world = scanned(tenant, direction, {"page_cap": 4})

    assert doubts(world) == [(START, first + 1_001), (first + 8_000, START + HOUR)]


@DIRECTIONS
def test_a_page_of_nulls_only_puts_what_remains_of_its_query_in_doubt(direction: str) -> None:
    """The slices beside it are not affected."""
    world = scanned(Tenant.of([null(START + 67 * MINUTE)]), direction, {})

    assert doubts(world) == [(START + 65 * MINUTE, START + 70 * MINUTE)]


def test_nulls_on_a_page_that_is_not_sorted_may_be_anywhere_on_it() -> None:
    """The records beside them do not bound them."""
    at = START + 67 * MINUTE
    shown = [{"_id": f"{n}", "timestamp": at + n, "created": at + n} for n in (5, 1, 9)]
    world = World([at])
    world.api.always = lambda asked: page_of(
        {"data": [*shown, None] if _is_about(asked, at) else [], "hasNext": False, "total": 0}
    )

    world.run_until_idle(policy(lookback=2 * HOUR, sweeps=()))

    assert doubts(world) == [(START + 65 * MINUTE, START + 70 * MINUTE)]


@DIRECTIONS
@pytest.mark.parametrize("sorts", ["asc", "desc"])
@pytest.mark.parametrize("minute", [6, 8])
def test_a_null_beside_a_single_record_is_in_doubt_however_the_api_sorts(
    direction: str, sorts: str, minute: int
) -> None:
    """Such a page does not reveal its direction, so both sides of its slice are in doubt."""
    tenant = Tenant.of([START + 7 * MINUTE], record_size=900)
    tenant.add(null(START + minute * MINUTE))

    world = scanned(tenant, direction, {"sorts": sorts})

    assert identities(world) == [it for it in tenant.truth() if it.timestamp == START + 7 * MINUTE]
    assert doubts(world) == [(START, START + HOUR)]


def _is_about(asked: dict[str, Any], at: int) -> bool:
    bounds = asked["filters"]["date"]
    inside: bool = bounds["gte"] <= at <= bounds["lte"]
    return inside


def test_a_sweep_that_gets_the_records_resolves_the_doubt() -> None:
    """It stores what was null before, once."""
    at = START + 7 * MINUTE
    tenant = Tenant.of([at, at + 50, at + 90], record_size=900)
    world = world_of(tenant)
    assert isinstance(world.source, SimulatedApi)
    inside = sorted(tenant.truth(), key=lambda it: it.timestamp)
    first, _, last = (json.loads(tenant.record(it)) for it in inside)
    page = page_of({"data": [first, None, last], "hasNext": False, "total": 3})
    world.source.instead = lambda _, asked: page if _is_about(asked, at) else None
    world.run_until_idle(how())
    assert doubts(world) == [(at, at + 91)]
    world.source.instead = lambda _number, _asked: None

    live(world, 4, how())

    assert identities(world) == tenant.truth()
    assert doubts(world) == []
    assert_sound(world)


def test_many_nulls_make_few_stretches_in_doubt() -> None:
    """Nearby stretches are merged, so ledger and manifests stay small."""
    at = START + 5 * MINUTE
    nulls = [at + 100 * n for n in range(2_900) if n % 3 == 0]
    tenant = Tenant.of([at + 100 * n for n in range(2_900) if n % 3], record_size=900)
    tenant.add(*map(null, nulls))

    world = scanned(tenant, "asc", {"page_cap": 500})

    found = doubts(world)
    assert len(found) <= DOUBTS_KEPT
    assert all(any(start <= it < end for start, end in found) for it in nulls)


@pytest.mark.parametrize("empty", ["missing", "null"])
@pytest.mark.parametrize("total", ["exact", "estimate"])
def test_empty_answers_without_data_are_empty_pages(empty: str, total: str) -> None:
    """A quiet tenant costs one request a slice, and nothing is in doubt."""
    tenant = Tenant.of([START + 61 * MINUTE], record_size=900)

    world = scanned(tenant, "asc", {"empty_data": empty, "total": total})

    assert isinstance(world.source, SimulatedApi)
    assert identities(world) == tenant.truth()
    assert doubts(world) == []
    assert len(world.source.asked) == len(world.results.manifests)


@DIRECTIONS
@pytest.mark.parametrize("empty", ["missing", "null"])
def test_an_answer_without_data_that_counts_activities_goes_through_the_probes(
    direction: str, empty: str
) -> None:
    """What the probes show is stored; what stays contradictory is in doubt."""
    quiet = scanned(Tenant(), direction, {"empty_data": empty, "total": "phantom"})
    crowded = Tenant.of([(START, START + 200_000 + 11 * n) for n in range(37)], record_size=900)
    busy = scanned(crowded, direction, {"empty_data": empty, "dense": "black-hole", "page_cap": 10})

    assert isinstance(quiet.source, SimulatedApi)
    assert len(quiet.source.asked) == 4 * len(quiet.results.manifests)
    assert doubts(quiet) == [(START, START + 110 * MINUTE)]
    assert direction == "desc" or identities(busy) == crowded.truth()
    assert not busy.ledgers.value()["open"]


def stored_ids(world: World) -> list[str]:
    """Return the `_id` of every record that readers see, sorted."""
    return sorted(it["_id"] for it in world.followed())


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**16),
    direction=st.sampled_from(["asc", "desc"]),
    modes=MODES,
    share=st.sampled_from([0.1, 0.5, 1.0]),
    lacks=st.sampled_from(["timestamp", "created"]),
    pages=st.sampled_from([2, 3, 16]),
)
def test_activities_without_a_usable_time_are_stored_once(  # noqa: PLR0913 - what is drawn
    *, seed: int, direction: str, modes: dict[str, Any], share: float, lacks: str, pages: int
) -> None:
    """This holds within a page, across pages, in dense queries, and when parts close early."""
    times = some_times(random.Random(seed), modes["page_cap"])
    tenant = Tenant.of(times, record_size=900)

    with patch("shared.core.slices.traversal.PART_PAGES", pages):
        odd = {"unplaced_share": share, "unplaced_field": lacks, "seed": seed}
        world = scanned(tenant, direction, {**modes, **odd})

    found = stored_ids(world)
    assert len(found) == len(set(found))
    if modes["dense"] != "black-hole" and modes["cursor_field"] == "created":
        assert found == sorted(it.id for it in tenant.truth())
        assert doubts(world) == []
    assert_sound(world)


@settings(max_examples=examples(8, 100))
@given(
    seed=st.integers(0, 2**16),
    direction=st.sampled_from(["asc", "desc"]),
    axis=st.sampled_from(["date", "created"]),
    tail_drop=st.sampled_from(["millisecond", "few", "none"]),
    share=st.sampled_from([0.2, 1.0]),
)
def test_sweeps_know_activities_without_a_usable_time(
    *, seed: int, direction: str, axis: str, tail_drop: TailDrop, share: float
) -> None:
    """This includes parts that closed early and sweeps that are cut at their bounds."""
    rng = random.Random(seed)
    times = some_times(rng, 5)
    late = rng.sample(times, len(times) // 4)
    tenant = Tenant.of(
        [(at, created + 3 * HOUR if (at, created) in late else created) for at, created in times],
        record_size=900,
    )
    world = world_of(tenant)
    assert isinstance(world.source, SimulatedApi)
    world.source.switches = Switches(
        page_cap=5,
        minimum_limit=1,
        tail_drop_few=1,
        tail_drop=tail_drop,
        seed=seed,
        unplaced_share=share,
        unplaced_field="timestamp" if axis == "date" else "created",
    )
    by = how(direction=direction, axis=axis, fresh=0)

    with (
        patch("shared.core.slices.traversal.PART_PAGES", 3),
        patch("shared.core.state.sweeps.SWEEP_BYTES", 3_000),
    ):
        for _ in range(60):
            world.run(by)
            world.clock.advance(30 * MINUTE)

    found = stored_ids(world)
    assert len(found) == len(set(found))
    assert found == sorted(it.id for it in tenant.truth())
    assert doubts(world) == []
    assert_sound(world)


@DIRECTIONS
def test_a_slice_that_would_remember_too_much_is_closed(direction: str) -> None:
    """The rest is in doubt; sweeps store it, at most as much at a time."""
    plan = [START + 65 * MINUTE + 1_000 * n for n in range(40)]
    tenant = Tenant.of(plan, record_size=900)
    world = world_of(tenant)
    assert isinstance(world.source, SimulatedApi)
    world.source.switches = Switches(page_cap=5, minimum_limit=1, unplaced_share=1.0)

    by = how(direction=direction, slice_length=5 * MINUTE)
    with patch("shared.core.slices.traversal.REMEMBERED_MOST", 12):
        world.run_until_idle(by)
        first, doubted = stored_ids(world), doubts(world)
        live(world, 3, by)

    edges = (plan[16], START + 70 * MINUTE) if direction == "asc" else (plan[0], plan[23] + 1)
    assert doubted == [edges]
    assert len(first) == len(set(first)) == 16
    assert {*first} < {*stored_ids(world)}
    assert len(stored_ids(world)) == len({*stored_ids(world)})
    assert_sound(world)


def test_halves_of_a_slice_know_what_its_part_holds() -> None:
    """After faults halve a slice, the API repeats an activity without a position."""
    at = START + 65 * MINUTE
    odd = {"_id": "odd", "created": at}
    goes_on = {"date": {"gte": at + 1_000, "lte": START + 70 * MINUTE - 1}}
    first = {"data": [odd], "hasNext": True, "nextQueryFilters": goes_on}
    world = World([at + 2_000])
    answers = iter([page_of(first), *[status(500)] * 12])
    world.api.always = lambda asked: (
        (next(answers, None) or page_of({"data": [odd], "hasNext": False, "total": 1}))
        if _is_about(asked, at + 2_000)
        else None
    )

    world.run_until_idle(policy(lookback=2 * HOUR, sweeps=(), limit=500))

    assert stored_ids(world) == ["odd"]
    assert sum(it["counts"]["repeated"] for it in manifests(world, "first")) == 1


@DIRECTIONS
def test_a_record_without_a_position_among_others_that_were_not_asked_for_is_dropped(
    direction: str,
) -> None:
    """Beside a requested one it is stored, as a surplus record is better than a lost one."""
    at = START + 65 * MINUTE
    before = {"_id": "before", "timestamp": START - 9, "created": at}
    inside = {"_id": "inside", "timestamp": at, "created": at}
    odd = [{"_id": f"odd-{n}", "created": at} for n in range(3)]
    shown = [odd[0], before, odd[1], inside, odd[2]]
    page = {"data": shown if direction == "asc" else shown[::-1], "hasNext": False, "total": 5}
    world = World([])
    world.api.always = lambda asked: page_of(page) if _is_about(asked, at) else None

    world.run_until_idle(policy(lookback=2 * HOUR, sweeps=(), direction=direction))

    assert stored_ids(world) == ["inside", "odd-1", "odd-2"]
    assert sum(it["counts"]["outside"] for it in manifests(world, "first")) == 2


def test_blocks_that_expired_in_a_commit_are_not_remembered() -> None:
    """What is left of their slice asks for their activities again, and stores them."""
    times = [START + 65 * MINUTE + 1_000 * n for n in range(40)]
    tenant = Tenant.of(times, record_size=900)
    by = policy(lookback=2 * HOUR, sweeps=())
    with patch("shared.core.slices.traversal.PART_PAGES", 3):
        whole, world = _unplaced_world(tenant), _unplaced_world(tenant)
        whole.run(by)
        first_commit = 1 + whole.results.effects.done.index("commit part")
        world.results.effects = Effects(at=first_commit)
        with suppress(Crash):
            world.run(by)
        world.results.staged.clear()
        world.results.effects = Effects()
        world.run_until_idle(by)

    assert stored_ids(world) == sorted(it.id for it in tenant.truth())
    assert_sound(world)


def _unplaced_world(tenant: Tenant) -> World:
    world = World([])
    odd = Switches(page_cap=5, minimum_limit=1, unplaced_share=1.0, tail_drop="none")
    world.source = SimulatedApi(tenant, world.clock, odd)
    return world


def test_what_a_sweep_no_longer_finds_is_counted_without_those_that_have_no_position() -> None:
    """It is unknown which of those lie inside a slice."""
    at = START + 7 * MINUTE
    tenant = Tenant.of([at + 1_000 * n for n in range(20)], record_size=900)
    world = world_of(tenant)
    assert isinstance(world.source, SimulatedApi)
    world.source.switches = Switches(
        unplaced_share=0.5, tail_drop="none", page_cap=7, minimum_limit=1
    )

    live(world, 3, how())

    swept = manifests(world, "sweep-2h")
    assert sum(it["counts"]["vanished"] for it in swept) == 0
    assert sum(it["counts"]["late"] for it in swept) == 0
