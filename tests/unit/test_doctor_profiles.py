"""For each undocumented fact, an API where it is one way and one where it is the other.

Doctor tells them apart, and a simulator that is started from the transcript behaves the same.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from shared.core.audit.doctor import transcripts
from shared.core.audit.doctor.advising import findings
from shared.core.audit.doctor.measuring import measured
from shared.core.audit.doctor.probing import REQUESTS_MOST
from shared.core.audit.doctor.words import Facts
from simulator import Lateness, Tenant
from simulator.likeness import likeness
from tests.examined import examined, tenant
from tests.fakes import NOW, policy

LATE = Lateness(late_share=0.4)


@dataclass(frozen=True, kw_only=True)
class Way:
    """How the API is, and what doctor must measure.

    Attributes:
        switches: of the simulator.
        tells: the facts by name.
        of: the tenant, if it is not the usual one.
    """

    switches: dict[str, Any] = field(default_factory=dict)
    tells: dict[str, Any]
    of: Tenant | None = None


def dense() -> Tenant:
    """Return a tenant that fills a page of 5,000."""
    return tenant(per_hour=28, days=9)


TABLE: dict[str, tuple[Way, Way]] = {
    "page cap": (
        Way(switches={"page_cap": 5000}, tells={"limit": "obeyed", "page_cap": 5000}, of=dense()),
        Way(switches={"page_cap": 500}, tells={"limit": "capped", "page_cap": 500}, of=dense()),
    ),
    "limit ignored": (
        Way(
            switches={"page_cap": 600, "states_max": True, "ignores": frozenset({"limit"})},
            tells={"limit": "ignored", "page_cap": 600},
            of=dense(),
        ),
        Way(
            switches={"page_cap": 600, "states_max": True},
            tells={"limit": "capped", "page_cap": 600},
            of=dense(),
        ),
    ),
    "limit refused": (
        Way(
            switches={"refuses": frozenset({"limit"})},
            tells={"limit": "refused", "refused": ("limit",)},
        ),
        Way(tells={"limit": "capped", "refused": ()}),
    ),
    "sort field refused": (
        Way(switches={"refuses": frozenset({"sortField"})}, tells={"refused": ("sortField",)}),
        Way(
            switches={"refuses": frozenset({"sortDirection"})},
            tells={"refused": ("sortDirection",)},
        ),
    ),
    "descending refused": (
        Way(switches={"refuses": frozenset({"desc"})}, tells={"refused": ("desc",)}),
        Way(tells={"refused": ()}),
    ),
    "default direction": (
        Way(tells={"default_direction": "desc"}),
        Way(switches={"default_direction": "asc"}, tells={"default_direction": "asc"}),
    ),
    "direction obeyed": (
        Way(tells={"direction": "obeyed"}),
        Way(switches={"sorts": "reversed"}, tells={"direction": "reversed"}),
    ),
    "direction always the same": (
        Way(switches={"sorts": "asc"}, tells={"direction": "always asc", "cursor": "date.gte"}),
        Way(switches={"sorts": "desc"}, tells={"direction": "always desc", "cursor": "date.lte"}),
    ),
    "numbers of the continuation": (
        Way(tells={"notation": "digits"}),
        Way(switches={"numbers": "point"}, tells={"notation": "point"}),
    ),
    "filters in the continuation": (
        Way(tells={"echoes": "all"}),
        Way(switches={"echoes": "times"}, tells={"echoes": "times"}),
    ),
    "page boundary": (
        Way(tells={"boundary": "clean"}),
        Way(switches={"tail_drop": "none"}, tells={"boundary": "repeated"}),
    ),
    "black hole": (
        Way(tells={"black_hole": "not seen", "hole_shown_by": ()}),
        Way(
            switches={"black_hole_share": 1.0},
            tells={"black_hole": "seen", "hole_shown_by": ("created", "next", "descending")},
        ),
    ),
    "recovery from a black hole": (
        Way(
            switches={"black_hole_share": 1.0, "black_hole_recovery": "created"},
            tells={"hole_shown_by": ("created", "next", "descending")},
        ),
        Way(
            switches={"black_hole_share": 1.0, "black_hole_recovery": "none"},
            tells={"hole_shown_by": ("next", "descending")},
        ),
    ),
    "filter on created": (
        Way(tells={"created_filter": "honoured"}),
        Way(
            switches={"ignores": frozenset({"created-filter"})},
            tells={"created_filter": "ignored"},
        ),
    ),
    "filter on created refused": (
        Way(
            switches={"refuses": frozenset({"created-filter"})},
            tells={"created_filter": "refused", "refused": ("created-filter",)},
        ),
        Way(tells={"created_filter": "honoured", "refused": ()}),
    ),
    "sort by created": (
        Way(tells={"created_sort": "obeyed"}),
        Way(switches={"ignores": frozenset({"sortField"})}, tells={"created_sort": "ignored"}),
    ),
    "sort by created refused": (
        Way(
            switches={"refuses": frozenset({"created-sort"})},
            tells={"created_sort": "refused", "refused": ("created-sort",)},
        ),
        Way(tells={"created_sort": "obeyed", "refused": ()}),
    ),
    "created agrees with date": (
        Way(tells={"created_agrees": "agrees"}),
        Way(switches={"uncreated_share": 0.5}, tells={"created_agrees": "misses activities"}),
    ),
    "cursor of a scan by created": (
        Way(tells={"created_cursor": "created", "created_scan": "goes on"}),
        Way(
            switches={"cursor_field": "date"},
            tells={"created_cursor": "date", "created_scan": None},
        ),
    ),
    "empty answers as lists": (
        Way(tells={"empty_data": "list"}),
        Way(switches={"empty_data": "null"}, tells={"empty_data": "null"}),
    ),
    "empty answers without data": (
        Way(switches={"empty_data": "missing"}, tells={"empty_data": "missing"}),
        Way(switches={"empty_data": "object"}, tells={"empty_data": "object"}),
    ),
    "total of an empty answer": (
        Way(tells={"empty_total": "zero"}),
        Way(switches={"total": "phantom"}, tells={"empty_total": "above zero"}),
    ),
    "total": (
        Way(switches={"total": "exact"}, tells={"total": "exact"}),
        Way(switches={"total": "estimate"}, tells={"total": "estimate"}),
    ),
    "max": (
        Way(tells={"max": "absent"}),
        Way(
            switches={"states_max": True},
            tells={"max": "stated", "page_cap": 20, "page_cap_is": "exact"},
        ),
    ),
    "unknown filter": (
        Way(tells={"unknown_filter": "ignored"}),
        Way(switches={"unknown_filter": "reject"}, tells={"unknown_filter": "refused"}),
    ),
    "unknown filter that matches nothing": (
        Way(
            switches={"unknown_filter": "match-nothing"},
            tells={"unknown_filter": "matches nothing"},
        ),
        Way(tells={"unknown_filter": "ignored"}),
    ),
    "documented event filter": (
        Way(tells={"event_action_type": "works"}),
        Way(switches={"event_action_type": "ignored"}, tells={"event_action_type": "ignored"}),
    ),
    "reach": (
        Way(tells={"reach": "edge", "reach_hours": pytest.approx(720, abs=8)}),
        Way(
            switches={"reach_ms": 12 * 86_400_000},
            tells={"reach": "edge", "reach_hours": pytest.approx(288, abs=8)},
        ),
    ),
    "nulls": (
        Way(tells={"nulls": "not seen"}),
        Way(switches={"null_share": 0.2}, tells={"nulls": "seen"}),
    ),
    "records without a time": (
        Way(tells={"unplaced": "not seen"}),
        Way(
            switches={"unplaced_share": 0.2, "unplaced_field": "created"},
            tells={"unplaced": "seen"},
        ),
    ),
    "latency by page size": (
        Way(
            switches={"latency_seconds": 2.0},
            tells={"small_page_ms": pytest.approx(2_000, rel=0.01), "large_page_ms": 2_000},
        ),
        Way(
            switches={"page_cap": 600, "states_max": True, "seconds_per_record": 0.004},
            tells={
                "small_page_ms": pytest.approx(2_000, rel=0.01),
                "large_page_ms": pytest.approx(2_400, rel=0.01),
            },
            of=dense(),
        ),
    ),
}


def ways() -> Iterator[Any]:
    """Yield both ways of every fact, with a name."""
    for fact, pair in TABLE.items():
        for number, way in enumerate(pair, start=1):
            yield pytest.param(way, id=f"{fact}, way {number}")


def told(facts: Facts, names: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of these names."""
    return {name: getattr(facts, name) for name in names}


@pytest.mark.parametrize("way", list(ways()))
def test_doctor_tells_the_ways_of_an_api_apart(way: Way) -> None:
    """It measures what the switches say, in few requests."""
    probing = examined(of=way.of, **way.switches)

    facts = measured(probing)
    assert told(facts, way.tells) == way.tells
    assert len(probing.seen) <= REQUESTS_MOST
    assert findings(facts, policy())


@pytest.mark.parametrize("pair", list(TABLE.values()), ids=list(TABLE))
def test_the_two_ways_of_a_fact_are_told_differently(pair: tuple[Way, Way]) -> None:
    """A table whose two ways expect the same would prove nothing."""
    one, other = pair

    shared = one.tells.keys() & other.tells.keys()
    assert any(one.tells[name] != other.tells[name] for name in shared)


CONTINUOUS = {"reach_hours", "lateness", "lateness_of", "per_hour", "large_page", "small_page"}
"""Facts whose value depends on the activities, which differ."""

TIMES = {"small_page_ms", "large_page_ms"}


@cache
def alike(count: int, per_second: float, lateness: Lateness) -> Tenant:
    """Return another tenant of the same size and lateness."""
    return Tenant.generate(
        seed=3,
        count=count,
        until_ms=NOW - 3_600_000,
        per_second=per_second,
        lateness=lateness,
        record_size=1,
    )


@pytest.mark.parametrize("way", list(ways()))
def test_a_simulator_that_is_started_from_a_transcript_is_measured_the_same(way: Way) -> None:
    """Doctor cannot tell it from the API that the transcript is about."""
    first = examined(of=way.of, **way.switches)
    account = transcripts.encode(transcripts.transcript(first, "test"))

    like = likeness(json.loads(account))
    second = examined(of=alike(like.count, like.per_second, like.lateness), **like.switches)

    before, after = measured(first), measured(second)
    names = set(Facts.__struct_fields__) - CONTINUOUS - TIMES
    assert told(after, dict.fromkeys(names)) == told(before, dict.fromkeys(names))
    assert (after.reach_hours or 0) == pytest.approx(before.reach_hours or 0, abs=30)
    assert (after.per_hour or 0) == pytest.approx(before.per_hour or 0, rel=0.5)
    for name in TIMES:
        assert (getattr(after, name) or 0) == pytest.approx(getattr(before, name) or 0, rel=0.1)


def test_the_reach_of_an_api_that_only_sorts_descending_may_stay_open() -> None:
    """Its newest page shows how far it reaches at least; a whole one would show the edge."""
    near, far = (measured(examined(sorts="desc", reach_ms=days * 86_400_000)) for days in (12, 30))

    assert near.reach == "at least"
    assert far.reach == "edge"
    assert far.reach_hours == pytest.approx(720, abs=8)


def test_doctor_tells_how_late_activities_arrive() -> None:
    """Most take minutes; in the other tenant two in five take hours."""
    usual, late = (measured(examined(of=tenant(it))) for it in (Lateness(), LATE))

    assert usual.lateness[-1].seconds <= 340
    assert late.lateness[1].seconds < 600
    assert late.lateness[6].seconds > 3_600


def test_a_likeness_is_as_late_as_the_tenant_was() -> None:
    """Half of its activities take about as long."""
    first = examined(of=tenant(Lateness(), per_hour=20, days=9), page_cap=500)
    like = likeness(json.loads(transcripts.encode(transcripts.transcript(first, "test"))))
    again = Tenant.generate(seed=2, count=900, until_ms=NOW, per_second=1, lateness=like.lateness)
    lags = sorted(it.created - it.timestamp for it in again.truth())

    (half,) = (it.seconds for it in measured(first).lateness if it.share == 0.5)
    assert lags[450] == pytest.approx(half * 1000, rel=0.2)
