"""The effect on a scan when storage loses a container, or throttles or refuses a request."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from azure.storage.blob import BlobServiceClient

from shared.bootstrap import App, run_scans
from shared.operate.building import archives
from shared.operate.verify import Verifier
from simulator import Simulator, Switches, Tenant
from tests.contracts.proxies import CONNECTION, at_port
from tests.contracts.test_storage_faults import OPERATIONS, refusal
from tests.displays import Silent
from tests.integration.test_scan_over_http import history, run_until_idle, settings

OPEN = Switches(throttle_per_minute=None)


@pytest.fixture(scope="module")
def tenant() -> Tenant:
    """Provide a small tenant."""
    return history(600)


@pytest.fixture
def environ(tenant: Tenant, storage_settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """Provide the settings of a scan that has stored everything."""
    with Simulator(tenant, switches=OPEN) as api:
        environ = settings(api, storage_settings)
        run_until_idle(environ)
        yield environ


def delete(environ: dict[str, str], kind: str) -> None:
    """Delete one of the scan's containers, as a person might."""
    service = BlobServiceClient.from_connection_string(environ[CONNECTION])
    service.delete_container(environ[f"STORAGE_{kind}_CONTAINER"])


def failure(environ: dict[str, str]) -> str:
    """Run once and return the error that the run reports."""
    (result,) = run_scans(environ)
    return str(result.error)


def test_a_deleted_state_container_stops_the_run(environ: dict[str, str]) -> None:
    """A scan never begins again by itself; the error says how to rebuild the ledger."""
    delete(environ, "STATE")

    said = failure(environ)

    assert "ledger rebuild" in said
    service = BlobServiceClient.from_connection_string(environ[CONNECTION])
    state = service.get_container_client(environ["STORAGE_STATE_CONTAINER"])
    assert "scan=all/ledger.json" not in list(state.list_blob_names())


def test_a_deleted_manifest_container_stops_the_run(environ: dict[str, str]) -> None:
    """The head of the chain is missing, and nothing is written over the gap."""
    delete(environ, "MANIFEST")

    said = failure(environ)

    assert "manifest" in said
    service = BlobServiceClient.from_connection_string(environ[CONNECTION])
    manifests = service.get_container_client(environ["STORAGE_MANIFEST_CONTAINER"])
    assert list(manifests.list_blob_names()) == []


def test_a_deleted_data_container_is_found_by_verify(environ: dict[str, str]) -> None:
    """The scan continues, and `verify` names every missing part."""
    service = BlobServiceClient.from_connection_string(environ[CONNECTION])
    data = service.get_container_client(environ["STORAGE_DATA_CONTAINER"])
    gone = set(data.list_blob_names())
    delete(environ, "DATA")

    (result,) = run_scans(environ)

    assert result.error is None
    (archive,) = archives(App(environ=environ))
    checked = Verifier(archive.results, archive.ledgers, "all", Silent()).check()
    assert not checked.is_sound
    found = json.dumps([str(finding) for finding in checked.findings])
    assert gone
    assert all(name in found for name in gone)


@contextmanager
def answering(status: str, code: str) -> Iterator[int]:
    """Serve one answer to every request; yield the port."""
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>"
    head = f"HTTP/1.1 {status}\r\nx-ms-error-code: {code}\r\nContent-Type: application/xml\r\n"
    answer = f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=_serve, args=[listener, answer])
        server.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        server.join()


def _serve(listener: socket.socket, answer: bytes) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, suppress(OSError):
                client.settimeout(1)
                client.recv(65536)
                client.sendall(answer)


@pytest.mark.parametrize(
    ("status", "code"),
    [("503 Service Unavailable", "ServerBusy"), ("403 Forbidden", "AuthorizationFailure")],
)
@pytest.mark.parametrize("what", ["save the ledger", "commit a part", "put a manifest"])
@pytest.mark.usefixtures("retried_at_once")
def test_the_error_of_a_refused_storage_request_has_its_code(
    storage_settings: dict[str, str], what: str, status: str, code: str
) -> None:
    """A throttle and a refusal are distinguished, and neither is mistaken for a conflict."""
    with answering(status, code) as port:
        error = refusal(at_port(storage_settings, port), what)

    assert f"HTTP {status[:3]} {code}" in str(error)
    assert what in OPERATIONS
