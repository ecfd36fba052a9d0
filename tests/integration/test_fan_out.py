"""Several scans handed to workers through a queue: what the timer sends, and what workers do."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueClient

from harness.azurite import Azurite, azurite_queues
from harness.functions_host import Invocation, invoke
from harness.queue_listener import QueueListener
from shared.adapters.system_clock import SystemClock
from shared.bootstrap import hand_out, run_on_message
from shared.core.errors import (
    SettingsError,
    StoreUnavailable,
    UnreadableMessage,
)
from shared.core.model import MINUTE_MS
from shared.due import QUEUE
from tests.fakes import NOW
from tests.integration.test_function_runs import ROOT
from tests.integration.test_many_tenants import Customer, Environ, customers, settings
from tests.integration.test_scan_over_http import stored
from tests.integration.test_timer import deploy

__all__ = ["customers"]

FOREVER = 2**52


@pytest.fixture(scope="module")
def queue(azurite: Azurite) -> Iterator[QueueClient]:
    """Provide the queue that the functions name, in an account that only this module uses."""
    with azurite_queues(azurite) as connection:
        yield QueueClient.from_connection_string(connection, QUEUE)


@pytest.fixture
def environ(customers: list[Customer], storage_settings: Environ) -> Environ:
    """Provide the settings of an app that hands its scans to workers."""
    schedule = {"SCAN_FAN_OUT": "true", "SCAN_SCHEDULE": "0 */5 * * * *"}
    return settings(customers, storage_settings, **schedule)


@pytest.fixture
def listener(environ: Environ, queue: QueueClient) -> QueueListener:
    """Provide what the host does with the queue of the worker."""
    return QueueListener(ROOT, environ, "scan_worker", queue)


def due(*scans: str, expires: int = FOREVER) -> bytes:
    """Return a message that names scans."""
    return json.dumps({"scans": scans, "slot": NOW, "expires": expires}).encode()


def outcomes(invocation: Invocation) -> dict[str, str]:
    """Return the outcomes in an invocation's report lines, by scan."""
    texts = [it.message for it in invocation.logs if it.category == "activity_scan"]
    lines: list[dict[str, Any]] = [json.loads(it) for it in texts if it.startswith("{")]
    return {it["scan"]: it["outcome"] for it in lines}


def reports(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the report lines that were logged in this process."""
    return [json.loads(it) for it in caplog.messages if it.startswith('{"event":"scan"')]


def claim(environ: Environ, scan: str, container: str) -> None:
    """Change a ledger as if another run were at work."""
    service = BlobServiceClient.from_connection_string(environ["STORAGE_CONNECTION_STRING"])
    ledger = service.get_blob_client(container, f"scan={scan}/ledger.json")
    value = json.loads(ledger.download_blob().readall())
    value["claimed_until"] = SystemClock().now() + MINUTE_MS
    ledger.upload_blob(json.dumps(value, separators=(",", ":")), overwrite=True)


def test_the_timer_hands_each_tenant_to_a_worker(
    customers: list[Customer], environ: Environ, listener: QueueListener
) -> None:
    """Both functions run in the worker's real library; only the workers ask the APIs."""
    tick = invoke(ROOT, environ, "scan_activities")
    asked_by_the_timer = [it.api.requests for it in customers]
    listener.send(tick.sent)
    ended = listener.drain()

    assert (tick.success, asked_by_the_timer) == (True, [[], []])
    assert sorted(map(str, map(outcomes, ended))) == [
        "{'contoso': 'idle'}",
        "{'fabrikam': 'idle'}",
    ]
    for mine in customers:
        assert sorted(stored(mine.places(environ), mine.name)) == mine.tenant.truth()


def test_a_message_that_fails_five_times_is_poison(
    listener: QueueListener, queue: QueueClient
) -> None:
    """The host shows it again after the fourth failure, and moves it away after the fifth."""
    listener.send(["{}"])
    for _ in range(3):
        received = queue.receive_message()
        assert received is not None
        queue.update_message(received, visibility_timeout=0)

    ended = listener.drain()

    assert ["UnreadableMessage" in str(it.exception) for it in ended] == [True, True]
    assert listener.poisoned() == ["{}"]


def test_a_scan_that_fails_ends_its_message(environ: Environ, queue: QueueClient) -> None:
    """The next tick tries again, nothing is put aside, and the report line raises the alert."""
    refused = {**environ, "MDA_API_TOKEN_CONTOSO": "0" * 64}
    listener = QueueListener(ROOT, refused, "scan_worker", queue)
    listener.send([due("contoso").decode()])

    (ended,) = listener.drain()

    assert (ended.success, outcomes(ended)) == (True, {"contoso": "failed"})
    assert listener.poisoned() == []


def test_a_worker_that_finds_the_scan_claimed_ends_well(
    customers: list[Customer],
    environ: Environ,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A message may be delivered twice."""
    deploy(monkeypatch, environ)
    run_on_message(due("contoso"))
    asked = len(customers[0].api.requests)
    claim(environ, "contoso", container=customers[0].containers["state_container"])

    with caplog.at_level(logging.INFO, "activity_scan"):
        run_on_message(due("contoso"))

    assert [it["outcome"] for it in reports(caplog)] == ["busy"]
    assert len(customers[0].api.requests) == asked


def test_scans_of_one_host_are_in_one_message(
    customers: list[Customer], environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their requests are counted together, which several instances could not do."""
    contoso, fabrikam = (it.element() for it in customers)
    elements = [contoso, fabrikam, {**contoso, "name": "more"}]
    deploy(monkeypatch, {**environ, "SCANS": json.dumps(elements)})

    found = [json.loads(it)["scans"] for it in hand_out(None)]

    assert found == [["contoso", "more"], ["fabrikam"]]


def test_scans_of_one_message_share_the_host_s_budget(
    customers: list[Customer], environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request a minute is sent for both of them."""
    element = customers[0].element()
    deploy(
        monkeypatch,
        {
            **environ,
            "SCANS": json.dumps([element, {**element, "name": "more"}]),
            "SCAN_REQUESTS_PER_MINUTE": "1",
            "SCAN_TIME_BUDGET": "15s",
        },
    )

    run_on_message(due("contoso", "more"))

    assert len(customers[0].api.requests) == 1


@pytest.mark.parametrize("more", [[], ["more"]])
def test_the_scans_of_a_single_host_stay_in_the_timer(
    customers: list[Customer], environ: Environ, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    """A single worker would run them, so no message and no second instance are needed."""
    mine = customers[0]
    elements = [{**mine.element(), "name": name} for name in (mine.name, *more)]
    deploy(monkeypatch, {**environ, "SCANS": json.dumps(elements)})

    assert hand_out(None) == []
    for name in (mine.name, *more):
        assert sorted(stored(mine.places(environ), name)) == mine.tenant.truth()


def test_a_worker_leaves_other_scans_alone(
    customers: list[Customer], environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It also leaves out a scan that was removed since the message was sent."""
    deploy(monkeypatch, environ)

    run_on_message(due("fabrikam", "gone"))

    assert customers[0].api.requests == []
    assert sorted(stored(customers[1].places(environ), "fabrikam")) == customers[1].tenant.truth()


def test_an_expired_message_is_reported_and_does_nothing(
    customers: list[Customer],
    environ: Environ,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Newer messages stand for it. Alerts count the line as a run that did not do its work."""
    deploy(monkeypatch, environ)

    with caplog.at_level(logging.INFO, "activity_scan"):
        run_on_message(due("contoso", expires=NOW))

    (line,) = reports(caplog)
    assert (line["scan"], line["outcome"]) == ("contoso", "expired")
    assert "docs/runbook.md#expired-messages" in line["warnings"][0]
    assert customers[0].api.requests == []


def test_a_worker_reports_invalid_settings(
    environ: Environ, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Delivering the message again would not make them valid."""
    deploy(monkeypatch, {**environ, "SCAN_LIMIT": "9"})

    run_on_message(due("contoso"))

    assert [it["error"] for it in reports(caplog)] == ["SettingsError"]


def test_invalid_settings_are_raised_by_the_timer(
    environ: Environ, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing says which scans there are, so nothing is handed out."""
    deploy(monkeypatch, {**environ, "SCANS": "[{"})

    with pytest.raises(SettingsError, match="SCANS"):
        hand_out(None)

    assert [it["error"] for it in reports(caplog)] == ["SettingsError"]


def test_an_unreadable_message_fails_and_is_reported(
    environ: Environ, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The platform then makes it poison."""
    deploy(monkeypatch, environ)

    with pytest.raises(UnreadableMessage):
        run_on_message(b"{}")

    assert [it["help"] for it in reports(caplog)] == ["docs/runbook.md#poison-messages"]


def test_a_scan_whose_filters_changed_fails_alone(
    customers: list[Customer],
    environ: Environ,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next scan of its message is run."""
    mine = customers[0]
    one, two = ({**mine.element(), "name": name} for name in ("one", "two"))
    deploy(monkeypatch, {**environ, "SCANS": json.dumps([one, two])})
    run_on_message(due("one"))
    changed = {**one, "filters": {"service": {"eq": [1]}}}
    deploy(monkeypatch, {**environ, "SCANS": json.dumps([changed, two])})

    run_on_message(due("one", "two"))

    assert [it["error"] for it in reports(caplog)] == ["ScopeChanged"]
    assert sorted(stored(mine.places(environ), "two")) == mine.tenant.truth()


def without_storage(environ: Environ) -> Environ:
    """Return settings whose list of scans is in storage that refuses the app."""
    connection = environ["STORAGE_CONNECTION_STRING"].split(";")
    broken = ["AccountKey=c2VjcmV0" if it.startswith("AccountKey=") else it for it in connection]
    return {
        **environ,
        "SCANS": "",
        "STORAGE_STATE_CONTAINER": "unknown-to-this-process",
        "STORAGE_CONNECTION_STRING": ";".join(broken),
    }


def test_an_unreadable_list_fails_the_scans_of_the_message(
    environ: Environ, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each has its line, because alerts are sent for each scan."""
    deploy(monkeypatch, without_storage(environ))

    run_on_message(due("contoso", "fabrikam"))

    assert [(it["scan"], it["error"]) for it in reports(caplog)] == [
        ("contoso", "StoreUnavailable"),
        ("fabrikam", "StoreUnavailable"),
    ]


def test_an_unreadable_list_fails_the_timer(
    environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs the scan of the settings, whose report says what is wrong with storage."""
    deploy(monkeypatch, without_storage(environ))

    with pytest.raises(StoreUnavailable):
        hand_out(None)


def test_the_doctor_is_left_to_the_worker_of_the_first_scan(
    customers: list[Customer], environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It examines once, and no other worker asks that tenant's API."""
    deploy(monkeypatch, {**environ, "SCAN_DOCTOR": "first-look"})

    run_on_message(due("fabrikam"))

    assert customers[0].api.requests == []


def test_messages_expire_after_two_ticks(environ: Environ, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host says when the timer fired before."""
    deploy(monkeypatch, environ)
    told = {"Last": "2026-11-26T11:55:00+00:00", "Next": "2026-11-26T12:00:00+00:00"}

    first, second = (json.loads(it) for it in hand_out(told, past_due=True))

    assert first["slot"] == second["slot"]
    assert (first["past_due"], first["expires"]) == (True, second["expires"])
    assert first["expires"] > first["slot"] + 10 * MINUTE_MS


def test_the_timer_writes_the_overview_and_no_worker_does(
    environ: Environ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows what the workers have stored, whichever instances they ran on."""
    deploy(monkeypatch, environ)
    service = BlobServiceClient.from_connection_string(environ["STORAGE_CONNECTION_STRING"])
    state = service.get_container_client(environ["STORAGE_STATE_CONTAINER"])
    state.create_container()

    run_on_message(due("contoso"))
    before = state.get_blob_client("overview.json").exists()
    hand_out(None)

    overview = json.loads(state.download_blob("overview.json").readall())
    delays = {it["scan"]: it["delay"] for it in overview["scans"]}
    assert (before, set(delays)) == (False, {"contoso", "fabrikam"})
    assert [name for name, delay in delays.items() if delay is not None] == ["contoso"]
