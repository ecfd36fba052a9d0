"""What sweeps are due, what each asks for, and what it counts as."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.intervals import merge
from shared.core.model import (
    FIRST_PASS,
    ApiClock,
    Doubt,
    Ledger,
    Policy,
    StoredPart,
)
from shared.core.model.slice import POISONED
from shared.core.slices.opening import open_slice
from shared.core.state import lanes, sweeps
from shared.core.state import ledger as ledgers
from tests.fakes import DAY, HOUR, MINUTE, NOW, policy

NOBODY: frozenset[tuple[int, int]] = frozenset()
SWEPT = policy(
    lookback=20 * DAY, sweeps=(("sweep-2h", 2 * HOUR), ("sweep-24h", DAY), ("sweep-8d", 8 * DAY))
)


@pytest.mark.parametrize(
    ("pass_name", "age", "doubtful", "counts_as"),
    [
        ("first", HOUR, False, ("first",)),
        ("first", 2 * HOUR - 1, False, ("first",)),
        ("first", 2 * HOUR, False, ("first", "sweep-2h")),
        ("first", 9 * DAY, False, ("first", "sweep-2h", "sweep-24h", "sweep-8d")),
        ("first", 9 * DAY, True, ("first",)),
        ("sweep-24h", DAY, False, ("sweep-24h", "sweep-2h")),
        ("sweep-24h", 8 * DAY, False, ("sweep-24h", "sweep-2h", "sweep-8d")),
        ("sweep-24h", 8 * DAY, True, ("sweep-24h", "sweep-2h")),
        ("rescan-7", 2 * HOUR, False, ("rescan-7", "sweep-2h")),
    ],
)
def test_a_look_counts_as_every_sweep_whose_age_it_had(
    pass_name: str,
    age: int,
    doubtful: bool,  # noqa: FBT001
    counts_as: tuple[str, ...],
) -> None:
    """By its first request; one in doubt is only what it set out to be."""
    credited = sweeps.credited(
        pass_name, end=NOW, first_request=NOW + age, doubtful=doubtful, policy=SWEPT
    )

    assert credited == counts_as


def swept_ledger(first: tuple[int, int], **changes: Any) -> Ledger:
    """Return a ledger whose first pass has covered one stretch."""
    ledger = msgspec.structs.replace(ledgers.begin(SWEPT, NOW), coverage={FIRST_PASS: (first,)})
    return msgspec.structs.replace(ledger, **changes)


def test_of_several_due_sweeps_over_one_interval_only_the_oldest_is_due() -> None:
    """Each stretch has one, the oldest first."""
    ledger = swept_ledger((NOW - 10 * DAY, NOW - HOUR))

    due = list(sweeps.sweeps_due(ledger, NOW, SWEPT))

    assert due == [
        ("sweep-8d", (NOW - 10 * DAY, NOW - 8 * DAY)),
        ("sweep-24h", (NOW - 8 * DAY, NOW - DAY)),
        ("sweep-2h", (NOW - DAY, NOW - 2 * HOUR)),
    ]


@given(
    first=st.tuples(st.integers(0, 15 * 24), st.integers(1, 15 * 24)),
    done=st.lists(st.tuples(st.integers(0, 15 * 24), st.integers(1, 24)), max_size=3),
    later=st.integers(0, HOUR - 1),
)
def test_a_sweep_wants_what_is_covered_old_enough_and_not_swept(
    first: tuple[int, int], done: list[tuple[int, int]], later: int
) -> None:
    """Hour by hour, against a plain model of it."""
    origin, now = NOW - 15 * DAY, NOW + later
    looked = {n for n in range(first[0], sum(first)) if origin + (n + 1) * HOUR <= NOW}
    hours = {name: set[int]() for name, _ in SWEPT.sweeps}
    for (at, length), (name, _) in zip(done, SWEPT.sweeps, strict=False):
        hours[name] = set(range(at, at + length))
    coverage = {
        name: merge((origin + n * HOUR, origin + (n + 1) * HOUR) for n in it)
        for name, it in {FIRST_PASS: looked, **hours}.items()
    }
    ledger = msgspec.structs.replace(ledgers.begin(SWEPT, NOW), coverage=coverage)

    due = list(sweeps.sweeps_due(ledger, now, SWEPT))

    expected = {}
    for place, (name, age) in enumerate(SWEPT.sweeps):
        done_by_older = set[int]().union(*(hours[it] for it, _ in SWEPT.sweeps[place:]))
        for n in looked - done_by_older:
            if origin + (n + 1) * HOUR <= (now - age) // HOUR * HOUR:
                expected[n] = name
    found = [
        (n, name)
        for name, (start, end) in due
        for n in range((start - origin) // HOUR, (end - origin) // HOUR)
    ]
    assert {edge % HOUR for _, bounds in due for edge in bounds} <= {0}
    assert len(found) == len(expected)
    assert dict(found) == expected


def test_a_sweep_s_slice_lies_inside_one_hour() -> None:
    """As every slice does; it opens one at a time, after everything else."""
    ledger = swept_ledger((NOW - 20 * DAY, NOW))

    piece = lanes.choose(ledger, NOW, SWEPT, busy=NOBODY)

    assert piece
    assert (piece.pass_name, piece.start, piece.end) == (
        "sweep-8d",
        NOW - 20 * DAY,
        NOW - 20 * DAY + HOUR,
    )
    opened = msgspec.structs.replace(ledger, open=(piece,))
    busy = frozenset({(piece.start, piece.end)})
    assert lanes.choose(opened, NOW, SWEPT, busy=busy) is None


@pytest.mark.parametrize(
    ("poison", "reason", "end"),
    [
        ([(10, 20), (30, 40)], POISONED, 10),
        ([(0, 20), (30, 40)], POISONED, 20),
        ([(-10, 0), (60, 70)], POISONED, 60),
        ([(10, 20)], "the API contradicted itself", 60),
    ],
)
def test_a_sweep_s_slice_ends_where_known_poison_begins_or_ends(
    poison: list[tuple[int, int]], reason: str, end: int
) -> None:
    """So that it is not sought again; other doubt is what a sweep is for."""
    start = NOW - 10 * DAY
    doubt = tuple(
        Doubt(start=start + a * MINUTE, end=start + b * MINUTE, reason=reason) for a, b in poison
    )

    piece = sweeps.next_sweep(swept_ledger((start, NOW), doubt=doubt), NOW, SWEPT, busy=NOBODY)

    assert piece
    assert (piece.start, piece.end) == (start, start + end * MINUTE)


def by_created(name: str, how: Policy | None = None, **changes: Any) -> int | None:
    """Return from when on a sweep by `created` asks, where the one before has looked."""
    how = how or policy(sweeps=SWEPT.sweeps, sweep_by="created")
    start = NOW - 9 * DAY
    done = ((start, start + HOUR),)
    coverage = {FIRST_PASS: done, "sweep-2h": done, "sweep-24h": done}
    ledger = swept_ledger(done[0], **{"coverage": coverage, **changes})
    piece = open_slice(done[0], pass_name=name, policy=how)
    return sweeps.since(ledger, piece, how)


def test_a_sweep_by_created_begins_where_the_last_look_began() -> None:
    """Less a quarter of an hour, since clocks differ."""
    assert by_created("sweep-24h") == NOW - 9 * DAY + 2 * HOUR - 15 * MINUTE


def test_a_sweep_is_opened_with_the_time_from_which_on_it_asks() -> None:
    """The request then has a bound on `created`."""
    first = (NOW - 3 * DAY, NOW - 2 * DAY)
    ledger = swept_ledger(first, coverage={FIRST_PASS: (first,), "sweep-2h": (first,)})

    piece = sweeps.next_sweep(ledger, NOW, replace(SWEPT, sweep_by="created"), busy=NOBODY)

    assert piece
    assert piece.since == first[0] + 2 * HOUR - 15 * MINUTE


def test_a_sweep_by_created_begins_after_the_oldest_look() -> None:
    """One that is no longer configured counts, and so does a partial one."""
    done = ((NOW - 9 * DAY, NOW - 9 * DAY + HOUR),)
    coverage = {FIRST_PASS: done, "sweep-2h": done, "sweep-12h-since": done, "sweep-3h": done}

    assert by_created("sweep-24h", coverage=coverage) == NOW - 9 * DAY + 12 * HOUR - 15 * MINUTE


@pytest.mark.parametrize("name", ["sweep-2h", "sweep-8d"])
def test_the_first_and_the_oldest_sweep_ask_for_everything(name: str) -> None:
    """Nothing stands on `created` alone."""
    done = ((NOW - 9 * DAY, NOW - 9 * DAY + HOUR),)

    assert by_created(name) is None
    assert by_created(name, coverage={FIRST_PASS: done, "sweep-1h": done}) is None


def test_only_a_sweep_by_created_asks_for_what_was_ingested_lately() -> None:
    """And only where time is not cut by `created` already."""
    how = policy(sweeps=SWEPT.sweeps, sweep_by="created")

    assert by_created("sweep-24h", how) is not None
    assert by_created("sweep-24h", replace(how, sweep_by="full")) is None
    assert by_created("sweep-24h", replace(how, axis="created")) is None


def test_a_sweep_over_doubt_or_without_an_earlier_look_asks_for_everything() -> None:
    """What the look before did not prove is no beginning."""
    start = NOW - 9 * DAY
    partly = {FIRST_PASS: ((start, NOW),), "sweep-2h": ((start + 1, NOW),)}

    def over_doubt(begin: int, end: int) -> bool:
        doubt = (Doubt(start=start + begin, end=start + end, reason="x"),)
        return by_created("sweep-24h", doubt=doubt) is None

    assert over_doubt(-9, 1)
    assert over_doubt(HOUR - 1, HOUR + 9)
    assert not over_doubt(-9, 0)
    assert not over_doubt(HOUR, HOUR + 9)
    assert by_created("sweep-24h", coverage=partly) is None


def stored_part(start: int, end: int, megabytes: int) -> StoredPart:
    """Return a part of the hour before NOW, bounds in minutes."""
    first = NOW - HOUR
    return StoredPart(
        name=f"{start}",
        size=megabytes * 1024 * 1024,
        start=first + start * MINUTE,
        end=first + end * MINUTE,
    )


@pytest.mark.parametrize(
    ("parts", "minutes"),
    [
        ([], 60),
        ([(0, 60, 64)], 60),
        ([(0, 60, 65)], 60),
        ([(0, 20, 40), (20, 40, 24), (40, 60, 1)], 40),
        ([(0, 20, 40), (20, 40, 25), (40, 60, 1)], 20),
        ([(0, 20, 90), (20, 60, 1)], 20),
        ([(0, 60, 30), (0, 60, 30), (30, 60, 30)], 60),
    ],
)
def test_a_sweep_is_cut_so_that_it_reads_64_megabytes(
    parts: list[tuple[int, int, int]], minutes: int
) -> None:
    """At the bounds of parts; it reads at least one, however large."""
    start = NOW - HOUR
    for direction in ("asc", "desc"):
        how: Policy = policy(direction=direction)
        whole = open_slice((start, NOW), pass_name="sweep-24h", policy=how)

        cut = sweeps.cut_for_reading(whole, [stored_part(*it) for it in parts])

        assert cut == open_slice(
            (start, start + minutes * MINUTE), pass_name="sweep-24h", policy=how
        )


def test_what_no_sweep_will_reach_is_told() -> None:
    """Covered, past the reach, and never seen by the last sweep."""
    reached = NOW - SWEPT.reach + 2 * HOUR
    ledger = swept_ledger((reached - 5 * HOUR, NOW), settled_until=reached - 9 * HOUR)
    done = msgspec.structs.replace(
        ledger, coverage={**ledger.coverage, "sweep-8d": ((reached - 4 * HOUR, NOW),)}
    )

    assert list(sweeps.unswept(ledger, NOW, SWEPT)) == [(reached - 5 * HOUR, reached)]
    assert list(sweeps.unswept(done, NOW, SWEPT)) == [(reached - 5 * HOUR, reached - 4 * HOUR)]
    assert list(sweeps.unswept(ledger, NOW, policy(sweeps=()))) == []


def test_an_api_clock_that_was_seen_ahead_gives_no_sweep_up() -> None:
    """The local clock may have been behind then, and corrected since."""
    reached = NOW - SWEPT.reach + 2 * HOUR
    ahead = swept_ledger(
        (reached - HOUR, NOW),
        settled_until=reached - 9 * HOUR,
        api_clock=ApiClock(offset=2 * HOUR, at=NOW - MINUTE),
    )

    assert list(sweeps.unswept(ahead, NOW, SWEPT)) == [(reached - HOUR, reached)]


RESCANNED = (NOW - 10 * DAY, NOW - 10 * DAY + 2 * HOUR)


def test_a_rescan_wants_what_the_first_pass_has_covered_and_it_has_not() -> None:
    """It comes before the sweeps, and asks for everything."""
    first = (NOW - 10 * DAY + HOUR, NOW)
    done = (first[0], first[0] + 30 * MINUTE)
    ledger = swept_ledger(first, rescans={"rescan-9": (RESCANNED,)})
    begun = msgspec.structs.replace(ledger, coverage={FIRST_PASS: (first,), "rescan-9": (done,)})
    left = (done[1], RESCANNED[1])

    piece = sweeps.next_sweep(begun, NOW, replace(SWEPT, sweep_by="created"), busy=NOBODY)

    assert list(sweeps.rescans_due(begun, NOW, SWEPT)) == [("rescan-9", left)]
    assert piece is not None
    assert (piece.pass_name, (piece.start, piece.end), piece.since) == ("rescan-9", left, None)


def test_a_rescan_leaves_out_what_is_out_of_reach_or_being_worked_on() -> None:
    """It would prove nothing, or be done twice."""
    ledger = swept_ledger((NOW - 40 * DAY, NOW), rescans={"rescan-9": ((NOW - 40 * DAY, NOW),)})
    piece = open_slice((NOW - HOUR, NOW), pass_name="sweep-2h", policy=SWEPT)
    working = msgspec.structs.replace(ledger, open=(piece,))

    ((_, bounds),) = sweeps.rescans_due(working, NOW, SWEPT)

    assert bounds == (NOW - 30 * DAY + 2 * HOUR, NOW - HOUR)


def test_a_rescan_leaves_out_what_lies_on_either_side_of_the_rest() -> None:
    """It has covered the end, and the beginning is open."""
    start = RESCANNED[0]
    coverage = {FIRST_PASS: ((start, NOW),), "rescan-9": ((start + HOUR, RESCANNED[1]),)}
    piece = open_slice((start, start + MINUTE), pass_name="rescan-9", policy=SWEPT)
    ledger = swept_ledger(
        RESCANNED, rescans={"rescan-9": (RESCANNED,)}, coverage=coverage, open=(piece,)
    )

    due = list(sweeps.rescans_due(ledger, NOW, SWEPT))

    assert due == [("rescan-9", (start + MINUTE, start + HOUR))]


@pytest.mark.parametrize(
    ("pass_name", "again"),
    [("first", True), ("sweep-2h", True), ("sweep-8d", False), ("rescan-9", False)],
)
def test_nobody_looks_again_at_what_a_rescan_could_not_read(pass_name: str, *, again: bool) -> None:
    """The sweeps may have been over it long ago."""
    piece = open_slice((NOW - HOUR, NOW), pass_name=pass_name, policy=SWEPT)

    assert sweeps.is_looked_at_again(piece, swept_ledger((NOW, NOW)), NOW, SWEPT) is again


HALF = open_slice((NOW - 3 * HOUR, NOW - 3 * HOUR + MINUTE), pass_name="sweep-2h", policy=SWEPT)


@pytest.mark.parametrize(
    ("changes", "busy", "served"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"not_before": NOW}, False, True),
        ({"not_before": NOW + 1}, False, False),
        ({"blocked_since": NOW}, False, True),
    ],
)
def test_one_sweep_is_in_work_at_a_time(
    changes: dict[str, Any], *, busy: bool, served: bool
) -> None:
    """While it is being served or waits, no other is opened; a blocked one has its turn first."""
    piece = msgspec.structs.replace(HALF, **changes)
    ledger = swept_ledger((NOW - 9 * HOUR, NOW), open=(piece,))
    at_work = frozenset({(piece.start, piece.end)}) if busy else NOBODY

    assert sweeps.next_sweep(ledger, NOW, SWEPT, busy=at_work) == (piece if served else None)


def test_without_sweeps_nobody_looks_again() -> None:
    """A poisoned second is then kept until it leaves the reach."""
    piece = open_slice((NOW - HOUR, NOW), pass_name=FIRST_PASS, policy=SWEPT)
    ledger = swept_ledger((NOW - 9 * HOUR, NOW))

    assert not sweeps.is_looked_at_again(piece, ledger, NOW, replace(SWEPT, sweeps=()))


@pytest.mark.parametrize(("later", "again"), [(0, False), (1, True)])
def test_the_last_sweep_looks_again_if_the_reach_leaves_it_a_day(
    later: int, *, again: bool
) -> None:
    """From now on, or from when the slice has its age."""
    start = NOW - SWEPT.reach + 2 * HOUR + DAY + later
    old = open_slice((start, start + HOUR), pass_name=FIRST_PASS, policy=SWEPT)
    short = replace(SWEPT, reach=HOUR + 8 * DAY + HOUR + DAY + 2 * HOUR + later)
    young = open_slice((NOW - HOUR, NOW), pass_name=FIRST_PASS, policy=short)
    ledger = swept_ledger((NOW, NOW))

    assert sweeps.is_looked_at_again(old, ledger, NOW, SWEPT) is again
    assert sweeps.is_looked_at_again(young, ledger, NOW, short) is again
