"""A whole scan over real HTTP between the simulator and the storage emulator."""

import gzip
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from shared.access import Secret
from shared.adapters.activities_api import HttpActivitySource
from shared.adapters.credentials import FixedToken
from shared.adapters.system_clock import SystemClock
from shared.bootstrap import run_scans
from shared.core.model import Direction
from shared.scan.reporting import RunResult
from simulator import FOREVER, Fault, Identity, Simulator, Switches, Tenant
from tests.fakes import MINUTE, NOW, policy
from tests.world import World

OPEN = Switches(page_cap=500, throttle_per_minute=None)


def settings(api: Simulator, storage: dict[str, str], **more: str) -> dict[str, str]:
    """Return the settings of a scan of three hours, in few slices, against this simulator."""
    return {
        "MDA_API_URL": api.url,
        "MDA_ALLOW_ANY_HOST": "true",
        "MDA_AUTH": "api-token",
        "MDA_API_TOKEN": api.credentials.header["Authorization"].removeprefix("Token "),
        "SCAN_LOOKBACK": "3h",
        "SCAN_SLICE": "15m",
        "SCAN_TIME_BUDGET": "60s",
        "SCAN_REQUESTS_PER_MINUTE": "1000",
        **storage,
        **more,
    }


def run_until_idle(environ: dict[str, str], most: int = 20) -> list[RunResult]:
    """Repeat runs until nothing is due, and raise any failure."""
    results: list[RunResult] = []
    for _ in range(most):
        results += run_scans(environ)
        if results[-1].error:
            raise results[-1].error
        if results[-1].outcome == "idle":
            return results
    raise AssertionError(results[-1].line)


def stored(storage: dict[str, str], scan: str = "all") -> list[Identity]:
    """Return the identities that a reader of the feed sees, in its order."""
    service = BlobServiceClient.from_connection_string(storage["STORAGE_CONNECTION_STRING"])
    data = service.get_container_client(storage["STORAGE_DATA_CONTAINER"])
    manifests = service.get_container_client(storage["STORAGE_MANIFEST_CONTAINER"])
    found: list[Identity] = []
    for name in manifests.list_blob_names(name_starts_with=f"scan={scan}/"):
        part = json.loads(manifests.download_blob(name).readall())["part"]
        if part:
            lines = gzip.decompress(data.download_blob(part["name"]).readall()).splitlines()
            found += [_identity(json.loads(line)) for line in lines]
    return found


def _identity(record: dict[str, Any]) -> Identity:
    return Identity(record["_id"], record["timestamp"], record["created"])


def history(count: int, seed: int = 7, per_second: float = 0.8) -> Tenant:
    """Return a tenant whose last activity is half an hour old, so all of it has settled."""
    until = SystemClock().now() - 30 * MINUTE
    return Tenant.generate(seed=seed, count=count, per_second=per_second, until_ms=until)


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("lanes", ["1", "3"])
def test_parts_equal_the_truth(
    storage_settings: dict[str, str], direction: str, lanes: str
) -> None:
    """Every activity that the simulator holds is in the feed, once."""
    tenant = history(1000, per_second=0.2)
    small = replace(OPEN, page_cap=125, minimum_limit=1)
    with Simulator(tenant, switches=small) as api:
        environ = settings(api, storage_settings, SCAN_CONCURRENCY=lanes)

        run_until_idle({**environ, "SCAN_SORT_DIRECTION": direction})

    assert tenant.truth() == sorted(stored(storage_settings))


def test_records_are_stored_byte_for_byte(storage_settings: dict[str, str]) -> None:
    """Readers get escapes, number forms, key order and colliding keys as the API sent them."""
    tenant = history(300)
    with Simulator(tenant, switches=OPEN) as api:
        run_until_idle(settings(api, storage_settings))

    service = BlobServiceClient.from_connection_string(
        storage_settings["STORAGE_CONNECTION_STRING"]
    )
    data = service.get_container_client(storage_settings["STORAGE_DATA_CONTAINER"])
    lines: list[bytes] = []
    for name in data.list_blob_names():
        lines += gzip.decompress(data.download_blob(name).readall()).splitlines()
    assert sorted(tenant.record(identity) for identity in tenant.truth()) == sorted(lines)


KINDS = [
    ("status", 500),
    ("status", 503),
    ("status", 408),
    ("reset", None),
    ("cut", None),
    ("truncate", None),
    ("html", None),
    ("empty-object", None),
    ("data-null", None),
    ("no-data", None),
    ("null-item", None),
    ("no-has-next", None),
    ("bad-byte", 0.9999),
    ("deep", None),
    ("hints", 2),
]


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_faults_of_every_kind_cost_no_activity(direction: Direction) -> None:
    """More than a third of the answers is broken at random, and the rest is enough.

    The requests are real, the time is not: back-offs pass at once.
    """
    end = NOW - 20 * MINUTE
    tenant = Tenant.generate(seed=3, count=1500, per_second=0.175, until_ms=end)
    faults = [
        Fault(kind, 1, FOREVER, probability=0.04, seed=place, value=value)
        for place, (kind, value) in enumerate(KINDS)
    ]
    world = World([])
    clock = world.clock
    small = replace(OPEN, page_cap=125, minimum_limit=1)
    with Simulator(tenant, switches=small, faults=faults, clock=lambda: clock.wall) as api:
        token = api.credentials.header["Authorization"].removeprefix("Token ")
        url = f"{api.url}/api/v1/activities/"
        world.source = source = HttpActivitySource(url, FixedToken(Secret(token)))

        world.run_until_idle(policy(direction=direction, limit=500), most=400)

        source.close()
    assert tenant.truth() == sorted(_identity(record) for record in world.followed())
    assert len(api.requests) > 40


@pytest.mark.parametrize("refused", ["limit", "sortField"])
def test_an_api_that_refuses_what_is_undocumented_is_scanned_all_the_same(refused: str) -> None:
    """This is first contact over real HTTP: refused, asked for less, and stored whole."""
    tenant = Tenant.generate(seed=5, count=900, per_second=0.5, until_ms=NOW - 20 * MINUTE)
    switches = replace(OPEN, refuses=frozenset({refused}))
    world = World([])
    clock = world.clock
    with Simulator(tenant, switches=switches, clock=lambda: clock.wall) as api:
        token = api.credentials.header["Authorization"].removeprefix("Token ")
        url = f"{api.url}/api/v1/activities/"
        world.source = source = HttpActivitySource(url, FixedToken(Secret(token)))

        world.run_until_idle(policy())

        source.close()
    assert tenant.truth() == sorted(_identity(record) for record in world.followed())
    refusals = [it for it in api.requests if it.status == 400]
    assert len(refusals) == (1 if refused == "limit" else 2)


def test_scans_of_one_app_keep_to_one_request_budget(storage_settings: dict[str, str]) -> None:
    """Three scans share two requests a minute: the second is due half a minute after the first."""
    scans = json.dumps([{"name": name} for name in ("one", "two", "three")])
    with Simulator(history(1), switches=OPEN) as api:
        more = {"SCAN_REQUESTS_PER_MINUTE": "2", "SCAN_TIME_BUDGET": "15s", "SCANS": scans}
        results = run_scans({**settings(api, storage_settings), **more})

        assert [result.scan for result in results] == ["one", "two", "three"]
        assert [result.outcome for result in results] == ["waiting"] * 3
        assert len(api.requests) == 1


def test_several_scans_share_one_app(storage_settings: dict[str, str]) -> None:
    """Each has its own ledger, chain and filters."""
    tenant = history(1500)
    scans = json.dumps(
        [{"name": "all"}, {"name": "exchange", "filters": {"service": {"eq": [20893]}}}]
    )
    with Simulator(tenant, switches=OPEN) as api:
        run_until_idle(settings(api, storage_settings, SCANS=scans))

    assert tenant.truth() == sorted(stored(storage_settings))
    exchange = stored(storage_settings, "exchange")
    assert exchange
    assert set(exchange) < set(tenant.truth())
    assert all(_service(tenant, identity) == 20893 for identity in exchange)


def _service(tenant: Tenant, identity: Identity) -> int:
    service: int = json.loads(tenant.record(identity))["appId"]
    return service


def test_a_throttled_run_ends_and_says_until_when(storage_settings: dict[str, str]) -> None:
    """It does not sleep through the throttle, as the platform bills waiting."""
    tenant = history(4000)
    with Simulator(tenant, switches=Switches(page_cap=500, throttle_per_minute=3)) as api:
        (result,) = run_scans(settings(api, storage_settings, SCAN_CONCURRENCY="1"))

    report = json.loads(result.line)
    assert (report["outcome"], report["throttled"]) == ("waiting", 1)
    assert report["waiting_until"] > SystemClock().now()


def test_invalid_settings_are_reported_before_any_request(storage_settings: dict[str, str]) -> None:
    """The run's one report line has all of them."""
    with Simulator(history(10), switches=OPEN) as api:
        environ = settings(api, storage_settings, SCAN_LIMIT="9", SCAN_SLICE="7m")

        (result,) = run_scans(environ)

        report = json.loads(result.line)
        assert api.requests == []
    assert (report["outcome"], report["error"]) == ("failed", "SettingsError")
    assert "SCAN_LIMIT" in report["message"]
    assert "SCAN_SLICE" in report["message"]
    assert report["help"] == "docs/settings.md"


def test_a_report_that_warns_is_logged_as_a_warning(
    storage_settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Log rules need no field for it; a report without warnings is information."""
    with Simulator(history(10), switches=OPEN) as api, caplog.at_level(logging.INFO):
        run_scans(settings(api, storage_settings))
        run_scans(settings(api, storage_settings, SCAN_LOOKBACK="2h"))

    levels = [it.levelname for it in caplog.records if it.name == "activity_scan"]
    assert levels == ["INFO", "WARNING"]
    assert "SCAN_LOOKBACK has changed" in json.loads(caplog.records[-1].getMessage())["warnings"][0]


def test_the_run_log_keeps_every_report(storage_settings: dict[str, str]) -> None:
    """It has one line per run and is beside the ledger."""
    with Simulator(history(10), switches=OPEN) as api:
        lines = [result.line for result in run_until_idle(settings(api, storage_settings))]

    service = BlobServiceClient.from_connection_string(
        storage_settings["STORAGE_CONNECTION_STRING"]
    )
    state = service.get_container_client(storage_settings["STORAGE_STATE_CONTAINER"])
    logs = [name for name in state.list_blob_names() if "/runs/" in name]
    kept = b"".join(state.download_blob(name).readall() for name in sorted(logs))
    assert lines == kept.decode().splitlines()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STORAGE_CONNECTION_STRING", "geheimnis"),
        ("MDA_TENANT_ID", "not a tenant/"),
    ],
)
def test_settings_that_only_a_library_can_judge_are_reported_too(
    storage_settings: dict[str, str], name: str, value: str
) -> None:
    """The report line calls them invalid, without what may be a secret."""
    with Simulator(history(10), switches=OPEN) as api:
        own = {"MDA_AUTH": "client-secret", "MDA_CLIENT_ID": "c", "MDA_CLIENT_SECRET": "s"}
        environ = {**settings(api, storage_settings, MDA_TENANT_ID="t"), **own, name: value}

        (result,) = run_scans(environ)

    report = json.loads(result.line)
    assert (report["outcome"], report["error"]) == ("failed", "SettingsError")
    assert name in report["message"]
    assert "geheimnis" not in result.line
