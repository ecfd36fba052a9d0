"""The server: start and stop, headers, encodings, and the control path."""

from __future__ import annotations

import json
import socket
import threading
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import trustme

from simulator import Identity, Simulator, Switches, Tenant, TlsFiles
from simulator.tenant import arrivals_as_lines
from tests.simulator.client import LIST, NOW, T0, Client, serving, times


def test_the_server_leaves_no_thread_and_no_socket_behind() -> None:
    """This holds even with a client that keeps its connection."""
    before = threading.active_count()
    with requests.Session() as session:
        with serving([T0]) as client:
            address = urlsplit(client.api.url)
            session.get(client.api.url + LIST, timeout=9)
        after = threading.active_count()

    assert after == before
    with socket.socket() as probe:
        assert probe.connect_ex((address.hostname or "", address.port or 0)) != 0


def test_the_server_stops_while_an_answer_is_pending() -> None:
    """Neither a delay nor a silence keeps it from stopping."""
    with serving([T0], latency_seconds=60) as client:
        thread = threading.Thread(target=_get_in_vain, args=(client,))
        thread.start()
        while not client.api.requests:
            pass
    thread.join()

    assert len(client.api.requests) == 1


def _get_in_vain(client: Client) -> None:
    with pytest.raises(requests.ConnectionError):
        client.get()


def test_a_connection_is_kept() -> None:
    """Two requests of a session share it."""
    with serving([T0]) as client, requests.Session() as session:
        ports = set()
        for _ in range(3):
            answer = session.get(client.api.url + LIST, stream=True, timeout=9)
            ports.add(_own_port(answer))
            assert answer.content

    assert len(ports) == 1


def _own_port(answer: requests.Response) -> int:
    connection: Any = answer.raw.connection
    port: int = connection.sock.getsockname()[1]
    return port


def test_many_clients_are_served_at_once() -> None:
    """Each request gets its own number."""
    with serving([T0]) as client:
        threads = [threading.Thread(target=client.get) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        numbers = [received.number for received in client.api.requests]

    assert numbers == list(range(1, 17))


def test_the_date_header_is_the_servers_own_time() -> None:
    """It is the simulator's clock plus the skew."""
    with serving([T0], skew_ms=5_000) as client:
        answer = client.get()

        (received,) = client.api.requests

    assert parsedate_to_datetime(answer.headers["Date"]).timestamp() * 1000 == NOW + 5_000
    assert received.at_ms == NOW


def test_a_skewed_server_shows_what_is_in_its_past() -> None:
    """Visibility and rolling filters follow its own clock."""
    tenant = Tenant.of([(NOW + 3_000, NOW + 4_000)])

    with serving(tenant, skew_ms=5_000) as client:
        assert client.times() == [NOW + 3_000]


def test_answers_can_be_compressed() -> None:
    """Clients that accept it get gzip."""
    with serving([T0], gzip_response=True) as client:
        compressed = client.get()
        headers = {**client.api.credentials.header, "Accept-Encoding": "identity"}
        plain = client.get(headers=headers)

    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert compressed.json()["data"] == plain.json()["data"]


def test_json_can_be_indented_without_changing_a_token() -> None:
    """Numbers and strings keep their bytes."""
    tenant = Tenant.generate(seed=1, count=40, until_ms=T0)

    with serving(tenant, pretty=True) as client:
        text = client.post({"isScan": True}).text

    lines = text.splitlines()
    assert lines[:2] == ["{", '    "total": 40,']
    assert "        {" in lines
    assert "52.30905000" in text
    assert len(json.loads(text)["data"]) == 40
    compact = "".join(line.strip() for line in lines).replace('": ', '":')
    assert tenant.record(tenant.truth()[0]).decode().replace('": ', '":') in compact


def test_empty_containers_stay_closed_when_indented() -> None:
    """Every pretty printer writes them like this."""
    with serving([], pretty=True) as client:
        text = client.post({"isScan": True}).text

    assert '"data": []' in text


def test_the_order_of_the_envelope_is_not_fixed() -> None:
    """`data` comes last or first."""
    with serving([T0]) as client:
        firsts = {next(iter(client.page())) for _ in range(2)}

    assert firsts == {"data", "total"}


def test_latency_can_depend_on_the_request() -> None:
    """The callable gets the request's number."""
    seen: list[int] = []

    def latency(number: int) -> float:
        seen.append(number)
        return 0.0

    with serving([T0], latency_seconds=latency) as client:
        client.get()
        client.get()

    assert seen == [1, 2]


def test_switches_can_be_replaced_while_serving() -> None:
    """The next request sees the new ones."""
    with serving([T0, T0 + 1, T0 + 2]) as client:
        before = len(client.page()["data"])
        client.api.switches = Switches(page_cap=2)
        after = len(client.page()["data"])

    assert (before, after) == (3, 1)


def test_other_processes_can_ask_for_the_truth() -> None:
    """One JSON line for each activity, without authentication."""
    with serving([T0, T0 + 1]) as client:
        answer = client.get("/simulator/truth", headers={})

        truth = client.api.tenant.truth()
        arrivals = client.api.tenant.arrivals()

    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [Identity(row["_id"], row["timestamp"], row["created"]) for row in rows] == truth
    assert answer.text == arrivals_as_lines(arrivals)


def test_other_processes_can_ask_for_the_requests() -> None:
    """Requests to the control path are not included."""
    with serving([T0]) as client:
        client.page({"date": {"gte": 5}})
        client.get("/simulator/truth")
        answer = client.get("/simulator/requests", headers={})

    (row,) = (json.loads(line) for line in answer.text.splitlines())
    assert row["filters"] == {"date": {"gte": 5}}
    assert row["number"] == 1


def test_an_unknown_control_path_is_not_found() -> None:
    """It does not count as a request to the API either."""
    with serving([T0]) as client:
        assert client.get("/simulator/other").status_code == 404
        assert client.api.requests == []


def test_a_failure_of_the_simulator_is_not_swallowed(capsys: pytest.CaptureFixture[str]) -> None:
    """A test without faults must not mistake the simulator's bug for one."""
    api = Simulator(Tenant.of([T0]), switches=Switches(latency_seconds=lambda _: 1 / 0))
    api.start()
    with pytest.raises(requests.ConnectionError):
        Client(api).get()

    with pytest.raises(RuntimeError, match="failed to answer 1 requests"):
        api.stop()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_server_can_use_https(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It accepts any certificate."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    tls = TlsFiles(str(folder / "server.pem"), str(folder / "server.pem"))

    with Simulator(Tenant.of([T0]), clock=lambda: NOW, tls=tls) as api:
        answer = Client(api).get(verify=str(folder / "ca.pem"))

    assert api.url.startswith("https://")
    assert times(answer.json()) == [T0]


def test_a_large_page_is_whole() -> None:
    """It has five thousand records of four kilobytes."""
    tenant = Tenant.generate(seed=1, count=5_000, per_second=50, until_ms=T0)

    with serving(tenant) as client:
        answer = client.post({"isScan": True, "limit": 5_000})

    assert len(answer.content) > 17_000_000
    assert len(answer.json()["data"]) == 5_000


@pytest.mark.parametrize("body", [b"\xff\xfe", b"{", b"null"])
def test_a_body_that_is_not_a_json_object_is_refused(body: bytes) -> None:
    """The request is recorded without filters."""
    with serving([T0]) as client:
        answer = requests.post(
            client.api.url + LIST, data=body, headers=client.api.credentials.header, timeout=9
        )

        (received,) = client.api.requests

    assert answer.status_code == 400
    assert received.filters == {}
