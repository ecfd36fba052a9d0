"""The order of the scans of one app, and the budgets that those of one API host share."""

from collections.abc import Callable
from functools import partial

from shared.core.errors import StoreUnavailable
from shared.core.model import Policy
from shared.core.state.report import Tally
from shared.ports import Ports
from shared.scan.invocation import run_all
from shared.scan.reporting import Job
from shared.sharing import SharedBudget
from tests.fakes import (
    HOUR,
    MINUTE,
    NOW,
    FakeApi,
    FakeClock,
    InMemoryDerived,
    InMemoryLedger,
    InMemoryResults,
    policy,
)


def job(
    how: Policy,
    clock: FakeClock,
    budget: SharedBudget | None,
    *,
    prepare: Callable[[], None] = lambda: None,
    sends: Callable[[], None] = lambda: None,
) -> Job:
    """Return a run on fakes that tells when it begins and when it has sent a request."""
    api = FakeApi([], clock=clock)
    api.latency = 1_000
    api.always = lambda _: sends()
    ports = Ports(
        source=api,
        ledgers=InMemoryLedger(),
        results=InMemoryResults(),
        clock=clock,
        budget=budget,
    )
    return Job(
        policy=how,
        ports=ports,
        derived=InMemoryDerived(),
        draw=lambda _: b"",
        tally=Tally(scan=how.scan, run="run"),
        prepare=prepare,
    )


def order(hosts: dict[str, SharedBudget | None], now: int) -> list[str]:
    """Return the order in which scans begin that share these budgets."""
    begun: list[str] = []

    def begin(name: str) -> None:
        begun.append(name)
        raise StoreUnavailable("not today")

    clock = FakeClock(now)
    jobs = [
        job(policy(scan=name), clock, budget, prepare=partial(begin, name))
        for name, budget in hosts.items()
    ]

    results = run_all(jobs, clock)

    assert [it.scan for it in results] == list(hosts)
    return begun


def test_scans_that_share_a_budget_take_turns_only_among_themselves() -> None:
    """A tenant with more scans than requests does not move the scan of another tenant."""
    shared = SharedBudget(1)
    hosts = {"a": shared, "alone": None, "b": shared, "c": shared}

    seen = [order(hosts, NOW + minute * MINUTE) for minute in range(20)]

    assert {it[1] for it in seen} == {"alone"}
    assert {it[0] for it in seen} == {"a", "b", "c"}
    assert {"".join(it) for it in seen} == {"aalonebc", "baloneca", "caloneab"}


def test_a_run_that_fails_leaves_the_others_to_run() -> None:
    """Each scan begins, although the one before it could not."""
    assert order({"a": None, "b": None}, NOW) == ["a", "b"]


def test_scans_of_different_hosts_do_not_use_each_other_s_requests() -> None:
    """Each host has its limit in every minute, however many its scans would send."""
    clock, sent = FakeClock(NOW), list[tuple[str, int]]()

    def note(host: str) -> None:
        sent.append((host, clock.now()))

    budgets = {"contoso": SharedBudget(5), "fabrikam": SharedBudget(5)}
    scans = {"a": "contoso", "b": "contoso", "c": "fabrikam"}
    jobs = [
        job(
            policy(
                scan=name,
                budget=20_000,
                lookback=24 * HOUR,
                requests_per_minute=1000,
                concurrency=1,
            ),
            clock,
            budgets[host],
            sends=partial(note, host),
        )
        for name, host in scans.items()
    ]

    run_all(jobs, clock)

    times = {host: [at for it, at in sent if it == host] for host in budgets}
    for mine in times.values():
        assert max(sum(at <= it < at + MINUTE for it in mine) for at in mine) == 5
    assert min(times["fabrikam"]) - max(times["contoso"]) < MINUTE
