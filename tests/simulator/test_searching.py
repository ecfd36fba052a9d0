"""Searching the sorted columns gives the same result as reading every row."""

from __future__ import annotations

import pytest

from simulator import Planned, Tenant, chance
from simulator.searching import Search
from simulator.spans import ALWAYS, Spans, holds, union
from tests.simulator.client import T0

ROWS = 120


def tenant_of(seed: int) -> Tenant:
    """Return a tenant with many ties, built in several steps and out of order."""
    tenant = Tenant(seed=seed)
    for start in range(0, ROWS, 40):
        moments = [T0 + chance.below(30, seed, "moment", start + row) for row in range(40)]
        lags = [chance.below(20, seed, "lag", start + row) for row in range(40)]
        pairs = zip(moments, lags, strict=True)
        tenant.add(*(Planned(timestamp=at, created=at + lag, size=1) for at, lag in pairs))
    return tenant


def spans_of(seed: int, label: str) -> Spans:
    """Return no limit, one span or two spans."""
    if chance.unit(seed, f"{label}-any", 0) < 0.3:
        return ALWAYS
    bounds = [T0 + chance.below(50, seed, label, number) for number in range(4)]
    return union([(min(bounds[:2]), max(bounds[:2])), (min(bounds[2:]), max(bounds[2:]))])


def search_of(seed: int) -> Search:
    """Return an arbitrary search."""
    late = chance.unit(seed, "late", 0) < 0.5
    return Search(
        dates=spans_of(seed, "dates"),
        created=spans_of(seed, "created"),
        by_created=chance.unit(seed, "by", 0) < 0.5,
        descending=chance.unit(seed, "direction", 0) < 0.5,
        skip=chance.below(10, seed, "skip", 0),
        count=chance.below(40, seed, "count", 0),
        visible_at_ms=T0 + 25 if late else None,
        residual=(lambda record: record["appId"] > 15_600) if seed % 3 == 0 else None,
        residual_key="apps" if seed % 3 == 0 else "",
    )


def matching(tenant: Tenant, wanted: Search) -> list[int]:
    """Return all rows that match, in order, by reading every one."""
    rows = []
    for row in range(ROWS):
        timestamp, created = tenant.times_of(row)
        seen = wanted.visible_at_ms is None or created <= wanted.visible_at_ms
        fits = wanted.residual is None or wanted.residual(tenant.content_of(row))
        if seen and fits and holds(wanted.dates, timestamp) and holds(wanted.created, created):
            rows.append((created if wanted.by_created else timestamp, row))
    return [row for _, row in sorted(rows, reverse=wanted.descending)]


@pytest.mark.parametrize("seed", range(60))
def test_a_search_finds_what_reading_everything_finds(seed: int) -> None:
    """Rows, order and total agree for any combination of limits."""
    tenant = tenant_of(seed)
    wanted = search_of(seed)
    expected = matching(tenant, wanted)

    found = tenant.search(wanted)

    assert found.rows == expected[wanted.skip : wanted.skip + wanted.count]
    assert found.total == len(expected)


def test_verdicts_are_kept_when_the_tenant_grows() -> None:
    """A filter on the contents of records includes the new ones."""
    tenant = tenant_of(3)
    wanted = Search(residual=lambda record: record["source"] > 0, residual_key="k", count=ROWS * 9)
    before = tenant.search(wanted).total

    tenant.add(*range(T0, T0 + 600))

    assert before == ROWS
    assert tenant.search(wanted).total == ROWS + 600
