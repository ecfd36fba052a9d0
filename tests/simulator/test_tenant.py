"""The truth: what a tenant holds, always the same for the same seed."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from simulator import Identity, Lateness, Planned, Tenant
from tests.simulator.client import T0


def test_the_same_seed_gives_the_same_truth_and_the_same_bytes() -> None:
    """A history follows from its arguments alone."""
    first = Tenant.generate(seed=7, count=50, per_second=2, until_ms=T0)
    second = Tenant.generate(seed=7, count=50, per_second=2, until_ms=T0)

    records = [first.record(identity) for identity in first.truth()]

    assert first.truth() == second.truth()
    assert records == [second.record(identity) for identity in second.truth()]


def test_another_seed_gives_other_activities() -> None:
    """No identity is shared between seeds."""
    first = Tenant.generate(seed=7, count=50, until_ms=T0)
    second = Tenant.generate(seed=8, count=50, until_ms=T0)

    assert set(first.truth()).isdisjoint(second.truth())


def test_a_history_ends_where_it_should_and_has_its_rate() -> None:
    """`count` activities at `per_second` fill the time before `until_ms`."""
    tenant = Tenant.generate(seed=1, count=4_000, per_second=4, until_ms=T0)

    moments = [identity.timestamp for identity in tenant.truth()]

    assert len(moments) == 4_000
    assert max(moments) <= T0
    assert 900_000 < T0 - min(moments) < 1_100_000


def test_most_timestamps_are_whole_seconds_and_some_milliseconds_are_shared() -> None:
    """Sources with a resolution of one second put several activities on one millisecond."""
    tenant = Tenant.generate(seed=1, count=2_000, per_second=4, until_ms=T0)

    moments = Counter(identity.timestamp for identity in tenant.truth())

    whole = sum(number for moment, number in moments.items() if moment % 1000 == 0)
    assert 1_000 < whole < 2_000
    assert max(moments.values()) > 3


def test_an_activity_is_saved_170_to_340_seconds_after_its_event() -> None:
    """This is the usual lag; later ones exist only on request."""
    tenant = Tenant.generate(seed=1, count=500, until_ms=T0)

    lags = [identity.created - identity.timestamp for identity in tenant.truth()]

    assert min(lags) >= 170_000
    assert max(lags) <= 340_000 + 1_000


def test_a_share_of_activities_can_be_hours_late() -> None:
    """The tail of lateness extends from an hour to three days."""
    lateness = Lateness(late_share=0.2)
    tenant = Tenant.generate(seed=1, count=1_000, until_ms=T0, lateness=lateness)

    late = [i for i in tenant.truth() if i.created - i.timestamp >= 3_600_000]

    assert 120 < len(late) < 280
    assert max(i.created - i.timestamp for i in late) <= 72 * 3_600_000


def test_lateness_refuses_bounds_that_make_no_sense() -> None:
    """Nothing is saved before it happens."""
    with pytest.raises(ValueError, match="0 <= smallest <= largest"):
        Lateness(usual_ms=(5, 4))


def test_a_tenant_of_given_times_has_exactly_these() -> None:
    """A pair is used as it is, and a bare timestamp gets a usual lag."""
    tenant = Tenant.of([(T0, T0 + 5), T0 + 1])

    times = sorted((i.timestamp, i.created) for i in tenant.truth())

    assert times[0] == (T0, T0 + 5)
    assert times[1][0] == T0 + 1
    assert 170_000 <= times[1][1] - times[1][0] <= 340_000


def test_added_activities_join_the_truth() -> None:
    """Late arrivals get their own identities."""
    tenant = Tenant.of([T0])

    added = tenant.add((T0, T0 + 9), T0 - 5)

    assert [identity.timestamp for identity in added] == [T0, T0 - 5]
    assert len(tenant) == 3
    assert set(added) < set(tenant.truth())


def test_the_truth_can_be_limited_to_what_was_saved_by_a_time() -> None:
    """`visible_at_ms` is inclusive."""
    tenant = Tenant.of([(T0, T0 + 1), (T0, T0 + 2), (T0, T0 + 3)])

    seen = tenant.truth(visible_at_ms=T0 + 2)

    assert sorted(identity.created for identity in seen) == [T0 + 1, T0 + 2]


def test_the_truth_is_sorted_as_tuples_are() -> None:
    """So `sorted(found) == tenant.truth()` compares a whole result."""
    tenant = Tenant.generate(seed=3, count=100, until_ms=T0)

    assert tenant.truth() == sorted(tenant.truth())


def test_a_record_has_the_fields_of_its_identity() -> None:
    """`record` finds the bytes by identity."""
    tenant = Tenant.generate(seed=3, count=100, until_ms=T0)
    identity = tenant.truth()[50]

    record = json.loads(tenant.record(identity))

    assert Identity(record["_id"], record["timestamp"], record["created"]) == identity


def test_an_unknown_identity_is_an_error() -> None:
    """The tenant invents nothing for an identity that it does not hold."""
    tenant = Tenant.of([T0])

    with pytest.raises(KeyError, match="holds no activity"):
        tenant.record(Identity("x", T0, T0))


def test_one_identity_can_have_two_payloads() -> None:
    """The API has used an `_id` twice; the truth has it once."""
    plan = Planned(timestamp=T0, created=T0 + 1, id="twice")
    tenant = Tenant.of([plan, plan])

    records = tenant.records(Identity("twice", T0, T0 + 1))

    assert tenant.truth() == [Identity("twice", T0, T0 + 1)]
    assert len(set(records)) == 2


def test_a_large_tenant_is_cheap_to_hold() -> None:
    """The truth has each identity once, however many there are."""
    tenant = Tenant.generate(seed=1, count=30_000, per_second=50, until_ms=T0)
    tenant.add(*range(T0, T0 + 600))

    assert len(tenant.truth()) == 30_600
