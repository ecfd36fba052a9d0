"""The cost of a month: the program yields its counts, and they yield its tables."""

import json

from azure.storage.blob import ContainerClient

from bench import contestants, cost
from bench.cost import Count
from shared.adapters.blob_budget import BlobBudgetStore
from shared.adapters.system_clock import SystemClock
from shared.bootstrap import App, show_overview, storage
from shared.scan.host_claim import HostClaim, SharedHost, claim_host, release_host
from shared.settings import read_settings
from tests.unit.settings.given import GOOD


def test_the_counts_are_those_of_the_program() -> None:
    """The smallest tenant is counted again; counts are the same on every machine."""
    assert cost.counted(10_000) == cost.kept()["10000"]


def test_the_document_has_the_tables_of_the_counts() -> None:
    """Changing a price or a count requires rewriting the document."""
    document = cost.DOCUMENT.read_text("utf-8")

    assert document == cost.written(document, cost.kept())


def test_an_overview_takes_the_operations_that_the_program_sends(
    storage_settings: dict[str, str],
) -> None:
    """The first call writes a page; for the second, none is due yet."""
    scans = json.dumps([{"name": f"tenant-{number}"} for number in range(3)])
    app = App(environ={"MDA_API_URL": GOOD["MDA_API_URL"], **storage_settings, "SCANS": scans})
    state = storage(read_settings(app.environ), app)["tenant-0"].state
    state.create_container()
    contestants.count_operations()

    show_overview(app)
    first = Count(**contestants.operations)
    contestants.count_operations()
    show_overview(app)

    assert first == cost.overview(3)
    assert Count(**contestants.operations) == Count(read=1)


def test_a_claim_takes_the_operations_that_the_program_sends(
    storage_settings: dict[str, str],
) -> None:
    """The page of the deployment says what a month of them costs."""
    state = ContainerClient.from_connection_string(
        storage_settings["STORAGE_CONNECTION_STRING"], "claims"
    )
    state.create_container()
    clock = SystemClock()
    host = SharedHost(name="api:443", per_minute=25, store=BlobBudgetStore(state, "api:443"))
    contestants.count_operations()

    claim = claim_host(host, clock, owner="r", length=60_000, scans=["a"])
    assert isinstance(claim, HostClaim)
    release_host(claim, clock, short_of_time=())

    assert Count(**contestants.operations) == cost.claim()
    month = cost.dollars(cost.claim().times(cost.RUNS))["operations"]
    assert f"that is ${month:.2f} a month" in " ".join(cost.DOCUMENT.read_text("utf-8").split())


def test_a_month_is_its_hours_and_their_sweeps() -> None:
    """A sweep counts what it adds to a run that would have happened without it."""
    told = {
        "an hour of runs": Count(requests=12, write=84),
        "a sweep": Count(requests=1, write=5),
        "a run without work": Count(write=2),
    }

    taken = cost.month(told)

    assert taken == Count(requests=720 * 12 + 2160, write=720 * 84 + 2160 * 3)


def test_the_monthly_free_grant_is_deducted() -> None:
    """A small tenant's runs are within what the platform grants every month."""
    assert cost.dollars(Count(requests=10_000))["running"] == 0
    assert cost.dollars(Count(requests=400_000))["running"] > 0
