"""Which due slice the next request serves."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.intervals import Interval, merge
from shared.core.model import FIRST_PASS, ApiFacts, Ledger, Load, Loss, Pacing, Slice
from shared.core.slices.opening import open_slice
from shared.core.state import lanes
from shared.core.state import ledger as ledgers
from shared.core.state.lanes import choose, gone, lane_of, passed
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy

HOW = policy(sweeps=(), requests_per_minute=25, lookback=20 * DAY)
EDGE = NOW - HOW.reach + 2 * HOUR
FREE, FRESH, OLDEST = 1, 0, 4
"""A request's number, by its lane."""


def ledger_of(ordinal: int, **changes: Any) -> Ledger:
    """Return a ledger whose next request has this number."""
    begun = msgspec.structs.replace(ledgers.begin(HOW, NOW), pacing=Pacing(requests=ordinal))
    if "origin" in changes:
        changes = {"settled_until": changes["origin"], **changes}
    return msgspec.structs.replace(begun, **changes)


def piece_of(start: int, end: int, **changes: Any) -> Slice:
    """Return an open slice."""
    piece = open_slice((start, end), pass_name=FIRST_PASS, policy=HOW)
    return msgspec.structs.replace(piece, **changes)


def covering(*stretches: Interval) -> dict[str, Any]:
    """Return the first pass's coverage, as a change of a ledger."""
    return {"coverage": {FIRST_PASS: merge(stretches)}}


def loaded(per_day: int) -> dict[str, Any]:
    """Return a load of the first pass, as a change of a ledger that is overloaded by it."""
    return {"load": {NOW: Load(requests=per_day, covered=DAY)}, "overloaded": True}


def bounds(piece: Slice | None) -> Interval | None:
    """Return a slice's bounds."""
    return (piece.start, piece.end) if piece else None


def test_every_fifth_request_is_the_oldest_s_and_every_tenth_is_for_fresh_time() -> None:
    """The others are free; in an overload they are for fresh time, too."""
    usual = Counter(lane_of(transition, overloaded=False) for transition in range(100))
    overloaded = Counter(lane_of(transition, overloaded=True) for transition in range(100))

    assert usual == {"free": 70, "oldest": 20, "fresh": 10}
    assert overloaded == {"fresh": 80, "oldest": 20}


def test_the_fresh_lane_serves_the_newest_young_slice_begun_ones_first() -> None:
    """Else a new cell; else it gives its request on."""
    young = [piece_of(NOW - n * HOUR, NOW - n * HOUR + 5 * MINUTE) for n in (3, 2)]
    old = piece_of(NOW - 9 * HOUR, NOW - 8 * HOUR)

    begun = choose(ledger_of(FRESH, open=(old, *young)), NOW, HOW)
    new = choose(ledger_of(FRESH, open=(old,)), NOW, HOW)
    rest = choose(ledger_of(FRESH, open=(old,), **covering((NOW - 7 * HOUR, NOW))), NOW, HOW)

    assert begun == young[1]
    assert bounds(new) == (NOW - 15 * MINUTE, NOW - 10 * MINUTE)
    assert rest == old


def test_the_oldest_lane_serves_the_oldest_slice_begun_ones_first_unless_they_are_young() -> None:
    """A young slice is no reason to leave old time alone."""
    young = piece_of(NOW - 2 * HOUR, NOW - HOUR)
    old = [piece_of(NOW - n * DAY, NOW - n * DAY + HOUR) for n in (6, 5)]

    begun = choose(ledger_of(OLDEST, open=(*old, young)), NOW, HOW)
    new = choose(ledger_of(OLDEST, open=(young,)), NOW, HOW)

    assert begun == old[0]
    assert bounds(new) == (NOW - 20 * DAY, NOW - 20 * DAY + HOUR)


@pytest.mark.parametrize("near", [False, True])
def test_a_free_request_serves_a_begun_slice_before_a_new_one_of_its_class(near: bool) -> None:  # noqa: FBT001
    """Near the reach comes before fresh time, and fresh time before old."""
    origin = EDGE + DAY if near else EDGE + 8 * DAY
    begun = piece_of(origin + 9 * HOUR, origin + 10 * HOUR)
    fresh = piece_of(NOW - 30 * MINUTE, NOW - 25 * MINUTE)
    ledger = ledger_of(FREE, origin=origin, open=(begun, fresh))
    later = msgspec.structs.replace(ledger, **covering((NOW - HOUR, NOW)), open=(begun,))

    assert choose(ledger, NOW, HOW) == (begun if near else fresh)
    assert choose(later, NOW, HOW) == begun


@pytest.mark.parametrize("busy_lanes", range(6))
def test_lanes_do_not_depend_on_how_many_slices_are_in_work(busy_lanes: int) -> None:
    """What is being served is passed over; whose turn it is stays."""
    pieces = [piece_of(NOW - n * DAY, NOW - n * DAY + HOUR) for n in range(15, 8, -1)]
    busy = frozenset((it.start, it.end) for it in pieces[:busy_lanes])

    oldest = choose(ledger_of(OLDEST, open=tuple(pieces)), NOW, HOW, busy=busy)
    fresh = choose(ledger_of(FRESH, open=tuple(pieces)), NOW, HOW, busy=busy)

    assert oldest == pieces[busy_lanes]
    assert bounds(fresh) == (NOW - 15 * MINUTE, NOW - 10 * MINUTE)


@pytest.mark.parametrize(("settle", "fresh"), [(10 * MINUTE, HOUR), (12 * HOUR, HOUR)])
def test_fresh_time_is_what_has_just_settled_however_late_that_is(settle: int, fresh: int) -> None:
    """A long settle must not turn the fresh lanes into more of the oldest's."""
    how = policy(sweeps=(), settle=settle, fresh=fresh, lookback=20 * DAY)

    piece = choose(ledger_of(FRESH), NOW, how)

    assert piece
    assert piece.end == NOW - settle


@pytest.mark.parametrize("ordinal", [FREE, FRESH, OLDEST])
@pytest.mark.parametrize(("per_minute", "guard"), [(25, 4 * MINUTE), (1, 100 * MINUTE)])
def test_nothing_begins_where_one_part_could_not_be_fetched_in_time(
    ordinal: int, per_minute: int, guard: int
) -> None:
    """A lane needs a while for 16 requests; the end of the cell is worth it all the same."""
    how = policy(sweeps=(), requests_per_minute=per_minute)
    ledger = ledger_of(ordinal, origin=EDGE - DAY, **covering((EDGE + 4 * HOUR, NOW)))

    piece = choose(ledger, NOW, how)

    assert piece
    share = 0.2 if ordinal == OLDEST else 0.7
    first = EDGE + guard * 0.2 / share
    assert first <= piece.start < first + how.slice_length
    assert piece.end == piece.start // HOUR * HOUR + HOUR


@pytest.mark.parametrize(("early", "is_passed"), [(0, False), (1, True)])
def test_a_slice_has_passed_when_its_start_is_before_the_edge(early: int, is_passed: bool) -> None:  # noqa: FBT001
    """Two hours inside the reach; not while a step of it is under way."""
    piece = piece_of(EDGE - early, EDGE + HOUR)
    ledger = ledger_of(FREE, open=(piece,))

    assert (passed(ledger, NOW, HOW) == [piece]) == is_passed
    assert passed(ledger, NOW, HOW, busy=frozenset({(piece.start, piece.end)})) == []


@given(later=st.integers(0, HOUR))
def test_time_is_gone_when_it_was_not_covered_before_the_edge_and_never_earlier(later: int) -> None:
    """Covered, lost and open time is not; it ends on the grid."""
    edge = EDGE + later
    lost = Loss(start=EDGE - 5 * HOUR, end=EDGE - 4 * HOUR, reason="x")
    ledger = ledger_of(
        FREE,
        origin=EDGE - 6 * HOUR,
        lost=(lost,),
        open=(piece_of(EDGE - 2 * HOUR, EDGE - HOUR),),
        **covering((EDGE - 6 * HOUR, EDGE - 5 * HOUR)),
    )

    stretches = gone(ledger, NOW + later, HOW)

    assert stretches[0] == (EDGE - 4 * HOUR, EDGE - 2 * HOUR)
    assert stretches[1][0] == EDGE - HOUR
    assert edge - HOW.slice_length < stretches[1][1] <= edge


@pytest.mark.parametrize(
    ("load", "missing", "lane"),
    [
        (1.3, 7, "near"),
        (1.35, 6, "near"),
        (1.3, 5, "fresh"),
        (1.4, 7, "fresh"),
        (0.97, 7, "near"),
    ],
)
def test_an_overload_gives_free_requests_to_fresh_time_unless_an_outage_is_made_up(
    load: float, missing: int, lane: str
) -> None:
    """A stretch of six hours is an outage; it is made up while the need is little above."""
    start = EDGE + DAY
    changes = loaded(round(load * 28_800))
    changes |= covering((0, start), (start + missing * HOUR, NOW - HOUR))

    piece = choose(ledger_of(FREE, origin=EDGE, **changes), NOW, HOW)

    assert piece
    assert (piece.start == start) == (lane == "near")


@pytest.mark.parametrize(("behind", "start"), [(35, 35), (40, 40), (45, 15)])
def test_an_overloaded_scan_goes_on_from_its_newest_coverage_while_that_is_recent(
    behind: int, start: int
) -> None:
    """Then it leaves time out in one piece, and the ledger has few holes to list."""
    changes = loaded(60_000) | covering((EDGE, NOW - behind * MINUTE))

    piece = choose(ledger_of(FREE, origin=EDGE, **changes), NOW, HOW)

    assert bounds(piece) == (NOW - start * MINUTE, NOW - (start - 5) * MINUTE)


def test_an_outage_counts_while_slices_of_it_are_open_and_not_beyond_the_reach() -> None:
    """A begun slice in its middle does not make two short ones of it."""
    changes = loaded(30_000) | covering((EDGE + 7 * HOUR, NOW))
    middle = piece_of(EDGE + 3 * HOUR, EDGE + 4 * HOUR)
    beyond = loaded(30_000) | covering((EDGE + HOUR, NOW))

    assert lanes.makes_up_an_outage(
        ledger_of(FREE, open=(middle,), origin=EDGE, **changes), NOW, HOW
    )
    assert not lanes.makes_up_an_outage(ledger_of(FREE, origin=EDGE - DAY, **beyond), NOW, HOW)


def test_an_outage_is_made_up_while_nothing_is_known_of_the_need() -> None:
    """Nothing speaks against it."""
    assert lanes.makes_up_an_outage(ledger_of(FREE, origin=NOW - DAY), NOW, HOW)


@pytest.mark.parametrize(
    ("before", "load", "after"),
    [(False, 1.0, False), (False, 1.01, True), (True, 0.96, True), (True, 0.94, False)],
)
def test_an_overload_begins_above_the_capacity_and_ends_clearly_below_it(
    before: bool,  # noqa: FBT001
    load: float,
    after: bool,  # noqa: FBT001
) -> None:
    """Decided by each claim, so that it does not change with every answer."""
    ledger = ledger_of(FREE, **{**loaded(round(load * 28_800)), "overloaded": before})

    claimed = ledgers.claim(ledger, run="r", now=NOW, policy=HOW)

    assert claimed.overloaded == after
    assert claimed.pacing.starts == (NOW,)


def crowded(**changes: Any) -> tuple[Slice, ...]:
    """Return as many open slices as there may be, all with a fault, and some of them changed."""
    starts = range(NOW - 80 * HOUR, NOW - 16 * HOUR, HOUR)
    struck = [piece_of(start, start + 5 * MINUTE, fault="x") for start in starts]
    return tuple(msgspec.structs.replace(it, **changes) for it in struck)


def test_the_longest_slice_gives_way_when_every_one_has_faults() -> None:
    """Its time is due again, and it leaves room to isolate what is poisoned in the others."""
    first, *others = crowded()
    whole = msgspec.structs.replace(first, end=first.start + HOUR, faults=9)

    assert lanes.gives_way(ledger_of(FREE, open=(whole, *others)), NOW, HOW) == whole


def test_of_slices_of_one_length_the_one_with_the_fewest_faults_gives_way() -> None:
    """And of those the latest: the API shows it for longest."""
    first, second, third, *others = crowded(faults=3)
    once, again = (msgspec.structs.replace(it, faults=2) for it in (first, second))

    pieces = (once, again, third, *others)

    assert lanes.gives_way(ledger_of(FREE, open=pieces), NOW, HOW) == again


@pytest.mark.parametrize(("early", "gives"), [(0, True), (1, False)])
def test_a_slice_that_could_not_be_fetched_again_in_time_does_not_give_way(
    early: int, *, gives: bool
) -> None:
    """Between the edge and what a lane needs for one part, nothing begins any more."""
    begin = EDGE + lanes.guard(ledger_of(FREE), HOW, lanes.OLDEST_SHARE) - early
    oldest, *others = crowded()
    near = msgspec.structs.replace(oldest, start=begin, end=begin + HOUR)
    others = [msgspec.structs.replace(it, pass_name="sweep-2h") for it in others]

    way = lanes.gives_way(ledger_of(FREE, open=(near, *others)), NOW, HOW)

    assert way == (near if gives else None)


def test_a_slice_that_tries_out_a_query_does_not_give_way() -> None:
    """Its answer shows what the API refuses."""
    *_, before, last = pieces = crowded()
    facts = ApiFacts(trial=(last.start, last.end))

    assert lanes.gives_way(ledger_of(FREE, open=pieces), NOW, HOW) == last
    assert lanes.gives_way(ledger_of(FREE, open=pieces, api_facts=facts), NOW, HOW) == before


def test_nothing_gives_way_while_there_is_room_or_a_slice_without_a_fault() -> None:
    """The API answers for some time, or another slice can be opened."""
    *others, last = crowded()
    well = msgspec.structs.replace(last, fault=None)

    assert lanes.gives_way(ledger_of(FREE, open=tuple(others)), NOW, HOW) is None
    assert lanes.gives_way(ledger_of(FREE, open=(*others, well)), NOW, HOW) is None


@pytest.mark.parametrize(
    "changes", [{"pass_name": "sweep-2h"}, {"earlier": ("a",)}, {"unplaced": ("a",)}]
)
def test_a_slice_that_would_lose_what_it_remembers_does_not_give_way(
    changes: dict[str, Any],
) -> None:
    """Nor does one of a sweep, whose time is not due again by itself."""
    assert lanes.gives_way(ledger_of(FREE, open=crowded(**changes)), NOW, HOW) is None


def test_a_choice_gives_its_reason() -> None:
    """The lane of the request, or what made the slice the most urgent; a sweep comes last."""
    how = policy(sweeps=(("sweep-2h", 2 * HOUR),), requests_per_minute=25, lookback=20 * DAY)
    old, fresh = piece_of(NOW - DAY, NOW - DAY + HOUR), piece_of(NOW - 30 * MINUTE, NOW - MINUTE)
    near = piece_of(EDGE + HOUR, EDGE + 2 * HOUR)

    def reason(ordinal: int, *pieces: Slice, origin: int = NOW - 6 * HOUR) -> str | None:
        ledger = ledger_of(ordinal, open=pieces, origin=origin, **covering((origin, NOW)))
        chosen = lanes.choice(ledger, NOW, how)
        return chosen.reason if chosen else None

    assert reason(FRESH, old, fresh) == "fresh lane"
    assert reason(OLDEST, old, fresh) == "oldest lane"
    assert reason(FREE, old, fresh, near) == "near the reach"
    assert reason(FREE, old, fresh) == "fresh"
    assert reason(FREE, old) == "older"
    assert reason(FREE) == "later look"
    assert reason(FREE, origin=NOW - HOUR) is None


@pytest.mark.parametrize("ordinal", [FREE, FRESH, OLDEST])
def test_no_lane_serves_a_sweep(ordinal: int) -> None:
    """Sweeps come last, and nothing of the first pass is more urgent for one that is open."""
    sweep = piece_of(NOW - DAY, NOW - DAY + HOUR, pass_name="sweep-2h")

    piece = choose(ledger_of(ordinal, open=(sweep,), **covering((EDGE, NOW - HOUR))), NOW, HOW)

    assert piece
    assert piece.pass_name == FIRST_PASS


def test_a_sweep_does_not_pass() -> None:
    """Its time is covered already, so nothing of it is lost."""
    sweep = piece_of(EDGE - HOUR, EDGE, pass_name="sweep-2h")

    assert passed(ledger_of(FREE, open=(sweep,)), NOW, HOW) == []


def test_a_blocked_slice_does_not_give_way() -> None:
    """It takes no room that another could have."""
    *_, last = pieces = crowded()
    start = NOW - 90 * HOUR
    blocked = piece_of(start, start + HOUR, fault="x", blocked_since=NOW - HOUR)

    assert lanes.gives_way(ledger_of(FREE, open=(blocked, *pieces)), NOW, HOW) == last


@pytest.mark.parametrize(("reach", "takes"), [(30 * DAY, 3 * DAY), (400 * DAY, 16 * DAY)])
def test_a_scan_that_sends_next_to_nothing_still_begins_something(reach: int, takes: int) -> None:
    """It takes a part to need a tenth of the reach at most, and to send a request a day."""
    how = policy(reach=reach, requests_per_minute=1)

    assert lanes.guard(ledger_of(FREE), how, 0.0001) == takes


@pytest.mark.parametrize(
    ("reach", "near"), [(10 * DAY, DAY), (30 * DAY, 3 * DAY), (60 * DAY, 3 * DAY)]
)
def test_time_is_near_the_reach_within_a_tenth_of_it_and_three_days(reach: int, near: int) -> None:
    """The slice that begins there is older time."""
    how = policy(sweeps=(), requests_per_minute=25, reach=reach)
    edge = NOW - reach + 2 * HOUR
    last, first = (piece_of(edge + near - early, edge + near + HOUR) for early in (1, 0))

    def reason(piece: Slice) -> str | None:
        ledger = ledger_of(FREE, open=(piece,), origin=edge, **covering((edge, NOW)))
        chosen = lanes.choice(ledger, NOW, how)
        return chosen.reason if chosen else None

    assert [reason(last), reason(first)] == ["near the reach", "older"]


def test_of_fresh_time_the_newest_slice_is_served_first() -> None:
    """Of time near the reach and of older time, the oldest."""
    fresh = [piece_of(NOW - n * MINUTE, NOW - (n - 5) * MINUTE) for n in (40, 30)]
    old = [piece_of(NOW - n * DAY, NOW - n * DAY + HOUR) for n in (6, 5)]
    near = [piece_of(EDGE + n * HOUR, EDGE + (n + 1) * HOUR) for n in (1, 2)]

    chosen = [
        choose(ledger_of(FREE, open=tuple(it), **covering((EDGE, NOW))), NOW, HOW)
        for it in (fresh, old, near)
    ]

    assert chosen == [fresh[1], old[0], near[0]]


def test_a_slice_stays_young_for_two_hours_after_it_was_fresh() -> None:
    """The oldest lane then serves it."""
    ends = NOW - 3 * HOUR
    young, old = piece_of(ends - HOUR, ends + 1), piece_of(ends - HOUR, ends)

    def served(piece: Slice) -> str | None:
        ledger = ledger_of(OLDEST, open=(piece,), **covering((EDGE, NOW)))
        chosen = lanes.choice(ledger, NOW, HOW)
        return chosen.reason if chosen else None

    assert [served(young), served(old)] == ["older", "oldest lane"]


def test_only_an_overloaded_scan_goes_on_from_its_newest_coverage() -> None:
    """Any other takes the newest cell; one with nothing due has none."""
    behind = covering((EDGE, NOW - 35 * MINUTE))
    usual = ledger_of(FRESH, origin=EDGE, **behind)
    done = ledger_of(FRESH, origin=EDGE, **loaded(60_000), **covering((EDGE, NOW)))

    assert bounds(choose(usual, NOW, HOW)) == (NOW - 15 * MINUTE, NOW - 10 * MINUTE)
    assert choose(done, NOW, HOW) is None


@pytest.mark.parametrize(("wait", "served"), [(MINUTE, False), (-MINUTE, True)])
def test_a_slice_that_waits_after_a_fault_is_not_served(wait: int, *, served: bool) -> None:
    """Once its time has come, it is."""
    piece = piece_of(NOW - DAY, NOW - DAY + HOUR, not_before=NOW + wait)

    chosen = choose(ledger_of(FREE, open=(piece,), **covering((EDGE, NOW))), NOW, HOW)

    assert chosen == (piece if served else None)


@pytest.mark.parametrize("ordinal", [FREE, FRESH, OLDEST])
def test_nothing_begins_while_there_is_no_room(ordinal: int) -> None:
    """However much is due."""
    assert choose(ledger_of(ordinal, open=crowded(not_before=NOW + MINUTE)), NOW, HOW) is None


def test_in_an_overload_old_time_needs_the_oldest_lane_s_while() -> None:
    """Only that lane goes on with it: free requests are for fresh time."""
    how = policy(sweeps=(), requests_per_minute=1)
    changes = loaded(60_000) | covering((EDGE + 4 * HOUR, NOW))
    ledger = ledger_of(FREE, origin=EDGE - DAY, **changes)

    piece = choose(ledger, NOW, how)

    assert piece
    assert piece.start >= EDGE + lanes.guard(ledger, how, lanes.OLDEST_SHARE)
