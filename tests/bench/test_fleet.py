"""A provider's fleet in small: the short-cut is exact, and the model counts as the program does."""

from dataclasses import replace

from bench import cost, fleet
from bench.fleet import Tenant, simulated, tenants
from bench.instances import TICK_MS, Cluster, Platform, Used
from bench.lives import Scan, Tally
from bench.traffic import BEGIN, PAGE, Traffic, pages
from shared.core.model import DAY_MS, HOUR_MS

HURT = Platform(most=3, lost=0.2, late=0.8, missed=0.02)
"""So few instances and so much trouble that messages wait, expire and are lost."""

MIX = [
    Tenant(name="small", per_day=10_000),
    Tenant(name="large", per_day=5_000_000, latency=2_500, offset=6),
    Tenant(name="several", per_day=900_000, scans=3, latency=4_000),
    Tenant(name="overloaded", per_day=5_000_000, scans=3, per_minute=1),
]


def lived(*, whole: bool) -> tuple[list[Tally], list[object], Used]:
    """Return what each scan of the mix did, every request of it, and what the platform did."""
    provider = fleet.Provider(MIX, whole=whole)
    for scan in provider.scans.values():
        scan.log = []
    cluster = Cluster(HURT, provider.names, provider.work, seed=3)
    used = cluster.run(BEGIN + TICK_MS, BEGIN + 5 * HOUR_MS)
    scans: list[Scan] = list(provider.scans.values())
    return [it.tally for it in scans], [it.log for it in scans], used


def test_remembered_answers_change_no_request_and_no_commit() -> None:
    """The same requests are sent at the same times as if the product had been asked each time."""
    tallies, requests, used = lived(whole=False)

    assert (tallies, requests, used) == lived(whole=True)
    assert min(used.lost, used.expired, sum(it.busy for it in tallies)) > 0


def test_calm_tenants_need_few_answers_of_the_product() -> None:
    """That is why a month of a thousand tenants takes minutes."""
    calm = [Tenant(name=f"t{number}", per_day=50_000) for number in range(8)]
    provider = fleet.Provider(calm)
    cluster = Cluster(Platform(most=8, lost=0), provider.names, provider.work)

    cluster.run(BEGIN + TICK_MS, BEGIN + 6 * HOUR_MS)

    requests = sum(it.tally.requests for it in provider.scans.values())
    assert provider.memory.computed < requests / 2


def test_pages_and_storage_operations_are_those_that_the_program_was_counted_with() -> None:
    """The first run of the counted hour has one read less."""
    counted = cost.kept()
    for rate, sweep in (("10000", 1), ("1000000", 9)):
        hour = Tally(runs=12, requests=12, pages=12, parts=12)
        again = Tally(runs=1, requests=sweep, sweeps=1)
        stored = counted[rate]["an hour of runs"].records
        assert (pages(stored // 12), pages(stored)) == (1, sweep)
        for name, tally in (("an hour of runs", hour), ("a sweep", again)):
            expected = counted[rate][name]
            found = fleet.operations(tally)
            assert (found.write, found.list) == (expected.write, expected.list)
            assert 0 <= found.read - expected.read <= 1


def test_an_activity_waits_for_the_end_of_its_slice_and_for_the_commit() -> None:
    """Those of a slice of 300 s that is committed 600 s later wait for 600 to 900 s."""
    tally = Tally()
    tally.delays[300, 600] = 4

    assert fleet.percentiles([tally], [0.5, 1.0]) == [749, 899]


def test_a_day_has_the_activities_of_an_average_day() -> None:
    """A week has seven times as many, wherever the tenant is."""
    for offset in (0, 9):
        traffic = Traffic.of(PAGE, offset=offset)
        week = traffic.between(BEGIN - 3 * DAY_MS, BEGIN + 4 * DAY_MS)
        assert abs(week - 7 * PAGE) < 100


def test_every_tenant_is_simulated_and_an_overloaded_one_stores_less() -> None:
    """The bill counts all of them."""
    some = [*tenants(20), replace(MIX[3], per_minute=1)]
    came = simulated(some, Platform(most=10), days=0.1)

    assert {tenant.name for tenant, tally in came.tallies if tally.requests} == {
        it.name for it in some
    }
    assert fleet.covered(came, "overloaded") < fleet.covered(came, "one scan")
    assert sum(fleet.bill(came).values()) > 0
