"""The platform's identity endpoint fails occasionally: real azure-identity, real HTTP."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from harness.azurite import Azurite
from shared import bootstrap
from shared.adapters import credentials
from shared.adapters.credentials import EntraToken, default_credential, managed_identity
from shared.adapters.patience import PatientCredential
from shared.bootstrap import run_scans
from shared.core.errors import SourceRefused, StoreUnavailable
from shared.ports import SignInUnavailable
from shared.scan import reporting
from simulator import IdentityEndpoint, Simulator, Tenant
from simulator.listening import Delivery, Reply
from tests.fakes import FakeClock
from tests.integration.test_authentication import (
    Environ,
    in_azure,
    nobody_is_signed_in,
    settings,
)
from tests.integration.test_scan_over_http import OPEN, history, stored

__all__ = ["nobody_is_signed_in"]

HTML = Reply(status=200, body=b"<html>starting</html>", content_type="text/html")

PASSING = {
    "an empty body": Reply(status=200),
    "an empty body of no type": Reply(status=200, content_type=""),
    "HTML": HTML,
    "HTML that claims to be JSON": Reply(status=200, body=b"<html>"),
    "JSON without a token": Reply(status=200, body=b"{}"),
    "a list": Reply(status=200, body=b"[]"),
    "a number for an object": Reply(status=200, body=b"7"),
    "a token without an end": Reply(status=200, body=b'{"access_token": "x"}'),
    "a token that ends with text": Reply(
        status=200, body=b'{"access_token": "x", "expires_on": "soon"}'
    ),
    "bytes": Reply(status=200, body=b"\xff\xfe\x00"),
    "400 with HTML": Reply(status=400, body=b"<html>", content_type="text/html"),
    "403 with an empty body": Reply(status=403),
    "404 while it starts": Reply(status=404, body=b'{"message": "not yet"}'),
    "408": Reply(status=408),
    "410 while it starts": Reply(status=410, body=b'{"message": "upgrading"}'),
    "429": Reply(status=429, body=b'{"message": "slower"}', headers={"Retry-After": "1"}),
    "429 for an hour": Reply(status=429, headers={"Retry-After": "3600"}),
    "500 with JSON": Reply(status=500, body=b'{"statusCode": 500, "message": "oops"}'),
    "502 with HTML": Reply(status=502, body=b"<html>", content_type="text/html"),
    "503": Reply(status=503),
    "504": Reply(status=504),
    "a reset": Reply(status=200, delivery=Delivery(reset=True)),
    "an answer that is cut": Reply(
        status=200, body=b'{"access_token": "x", "exp', delivery=Delivery(cut_after=0.5)
    ),
}

REFUSALS = {
    "another identity": Reply(
        status=400, body=b'{"statusCode": 400, "message": "No User Assigned Identity found"}'
    ),
    "a wrong header": Reply(status=401, body=b'{"statusCode": 401, "message": "wrong header"}'),
    "forbidden": Reply(status=403, body=b'{"error": "access_denied"}'),
}


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    """Provide the endpoint of an app with an identity."""
    with IdentityEndpoint() as endpoint:
        in_azure(endpoint, monkeypatch)
        yield endpoint


@pytest.fixture
def clock() -> FakeClock:
    """Provide a clock on which waiting takes no time."""
    return FakeClock()


def entra(clock: FakeClock) -> EntraToken:
    """Return the authorization with the managed identity."""
    return EntraToken(lambda: managed_identity(None, clock), "managed-identity")


@pytest.mark.parametrize("kind", PASSING)
def test_a_temporary_failure_is_waited_out(
    identity: IdentityEndpoint, clock: FakeClock, kind: str
) -> None:
    """It fails twice, and the third time there is a token."""
    identity.instead = lambda number: PASSING[kind] if number <= 2 else None

    header = entra(clock).header()

    assert header.startswith("Bearer ")
    assert identity.asked == 3
    assert sum(clock.slept) <= 6_000
    assert clock.slept == sorted(clock.slept)


@pytest.mark.parametrize("kind", PASSING)
def test_a_lasting_failure_is_unavailable_but_not_a_refusal(
    identity: IdentityEndpoint, clock: FakeClock, kind: str
) -> None:
    """It takes a few seconds; the next caller gets the result at once."""
    identity.instead = lambda _: PASSING[kind]
    signing = entra(clock)

    with pytest.raises(SignInUnavailable):
        signing.header()
    waited, asked = sum(clock.slept), identity.asked
    with pytest.raises(SignInUnavailable):
        signing.header()

    assert 2_000 < waited <= 6_000
    assert identity.asked == asked
    clock.advance(10_000)
    identity.instead = lambda _: None
    assert signing.header().startswith("Bearer ")


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_clear_refusal_is_final_after_one_request(
    identity: IdentityEndpoint, clock: FakeClock, kind: str
) -> None:
    """A retry cannot help."""
    identity.instead = lambda _: REFUSALS[kind]

    with pytest.raises(SourceRefused, match="MDA_AUTH=managed-identity"):
        entra(clock).header()

    assert identity.asked == 1
    assert clock.slept == []


def test_a_hang_ends_after_a_few_seconds(
    identity: IdentityEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt takes five seconds (on the fake clock only), so there are two."""
    monkeypatch.setitem(credentials.ONCE, "read_timeout", 0.2)
    identity.instead = lambda _: Reply(status=200, delivery=Delivery(silent=True))

    class Passing(FakeClock):
        def elapsed(self) -> int:
            return super().elapsed() + identity.asked * 5_000

    with pytest.raises(SignInUnavailable):
        entra(Passing()).header()

    assert identity.asked == 2


def test_the_default_chain_waits_a_failure_out(
    identity: IdentityEndpoint, clock: FakeClock
) -> None:
    """MDA_AUTH=default uses the same endpoint."""
    identity.instead = lambda number: HTML if number <= 1 else None

    signing = EntraToken(lambda: default_credential(None, clock), "default")

    assert signing.header().startswith("Bearer ")


@pytest.fixture
def tenant() -> Tenant:
    """Provide a small tenant."""
    return history(600)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for a failure to pass."""
    monkeypatch.setattr("shared.adapters.patience.PATIENCE_MS", 0)


def reports(environ: Environ, caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Run every scan once and return the report lines in the log."""
    caplog.clear()
    with caplog.at_level(logging.INFO, "activity_scan"):
        run_scans(environ)
    lines = [it.getMessage() for it in caplog.records if it.name == "activity_scan"]
    return [json.loads(line) for line in lines if line.startswith('{"event":"scan"')]


SCANS = {"SCANS": '[{"name": "one"}, {"name": "two"}]', "SCAN_REQUESTS_PER_MINUTE": "1000"}


@pytest.mark.usefixtures("impatient")
def test_a_scan_without_a_token_waits_and_does_not_fail(
    storage_settings: Environ,
    tenant: Tenant,
    identity: IdentityEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each of several has its report line, and the next run resumes."""
    identity.instead = lambda _: HTML
    with Simulator(tenant, switches=OPEN) as api:
        how = settings(api, storage_settings, **SCANS, **in_azure(identity, monkeypatch))

        failing = reports(how, caplog)

    assert [it["scan"] for it in failing] == ["one", "two"]
    assert all("error" not in it and it["faults"] for it in failing)
    assert all("HTTP 200 without a token" in it["last_fault"] for it in failing)


@pytest.mark.usefixtures("impatient")
@pytest.mark.usefixtures("retried_at_once")
def test_storage_that_cannot_sign_in_says_so_for_each_scan(
    azurite_https: Azurite,
    tenant: Tenant,
    identity: IdentityEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Storage has refused nothing, so the error suggests no role."""
    identity.instead = lambda _: Reply(status=503)
    storage = {"STORAGE_ACCOUNT_URL": azurite_https.blob_url}
    with Simulator(tenant, switches=OPEN) as api:
        how = settings(api, storage, **SCANS, **in_azure(identity, monkeypatch))

        failing = reports(how, caplog)

    assert [it["scan"] for it in failing] == ["one", "two"]
    for report in failing:
        assert report["error"] == StoreUnavailable.__name__
        assert "the identity endpoint answered HTTP 503 without a token" in report["message"]
        assert "Storage Blob Data Contributor" not in report["message"]


def test_a_scan_whose_container_is_missing_does_not_keep_another_from_its_report(
    azurite_https: Azurite,
    tenant: Tenant,
    identity: IdentityEndpoint,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody created the containers at the account URL."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite_https.ca_file))
    storage = {
        "STORAGE_ACCOUNT_URL": azurite_https.blob_url,
        "STORAGE_STATE_CONTAINER": "nobody-made-it",
    }
    with Simulator(tenant, switches=OPEN) as api:
        how = settings(api, storage, **SCANS, **in_azure(identity, monkeypatch))

        failing = reports(how, caplog)

    assert [it["scan"] for it in failing] == ["one", "two"]
    assert all("ContainerNotFound" in it["message"] for it in failing)


@pytest.mark.parametrize(
    "broken",
    ["storage", "api_source", "scan_once", "make_missing", "report_fields", "encode"],
)
def test_no_exception_escapes_without_a_report(
    storage_settings: Environ,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    broken: str,
) -> None:
    """Any part of the program may fail, in any way."""
    calls = []
    module = bootstrap if hasattr(bootstrap, broken) else reporting
    real = getattr(module, broken)

    def fail_first(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - in the place of anything
        calls.append(broken)
        if len(calls) == 1:
            raise RuntimeError("a defect")
        return real(*given, **named)

    monkeypatch.setattr(module, broken, fail_first)
    with Simulator(tenant, switches=OPEN) as api:
        how = settings(api, storage_settings, MDA_AUTH="api-token", MDA_API_TOKEN="0" * 32, **SCANS)

        found = reports(how, caplog)

    assert found[0]["outcome"] == "failed"
    assert "a defect" in json.dumps(found[0])
    assert len(found) == (1 if broken in {"storage", "api_source"} else 2)


def test_a_report_that_cannot_be_kept_is_still_in_the_log(
    storage_settings: Environ,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The answer of the run log's storage does not matter."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("shared.adapters.blob_ledger.BlobLedgerStore.append_run", fail)
    with Simulator(tenant, switches=OPEN) as api:
        token = api.credentials.header["Authorization"].removeprefix("Token ")
        how = settings(api, storage_settings, MDA_AUTH="api-token", MDA_API_TOKEN=token)

        (report,) = reports(how, caplog)

    assert report["records"] == 600
    assert len(stored(storage_settings)) == 600
    assert any("run log could not be written" in it.getMessage() for it in caplog.records)


def test_a_credential_is_asked_by_one_thread_at_a_time(clock: FakeClock) -> None:
    """Otherwise each lane would wait for an endpoint that hangs."""

    class Absent:
        asked = 0

        def get_token(self, *_: str, **__: Any) -> AccessToken:
            Absent.asked += 1
            raise OSError("no route")

    credential = PatientCredential(lambda _: Absent(), clock)

    for _ in range(16):
        with pytest.raises(Exception, match="no route"):
            credential.get_token("scope")

    assert Absent.asked == 4
