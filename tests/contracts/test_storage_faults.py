"""Both blob adapters when storage refuses, is unreachable, or loses an answer."""

import base64
import re
import socket
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from shared.adapters.blob_ledger import BlobLedgerStore
from shared.adapters.blob_results import BlobResultStore
from shared.adapters.blob_storage import Containers
from shared.core.errors import StoreUnavailable
from shared.core.state.layout import ledger_name, manifest_name, runs_name
from shared.operate.rebuild import rebuild
from shared.ports import LedgerStore, ResultStore
from tests.contracts.proxies import (
    CONNECTION,
    Losing,
    at_port,
    first_line,
    refusal_of,
    through,
)
from tests.contracts.storage import PART, SCAN, block, commit, contents, opened, stage
from tests.displays import Silent
from tests.fakes import HOUR, NOW, policy

Operation = Callable[[LedgerStore, ResultStore], object]

OPERATIONS: dict[str, Operation] = {
    "load the ledger": lambda ledger, _: ledger.load(),
    "create the ledger": lambda ledger, _: ledger.save(b"one", etag=None),
    "save the ledger": lambda ledger, _: ledger.save(b"two", etag='"0x1"'),
    "append a report line": lambda ledger, _: ledger.append_run("line", now=NOW),
    "look whether the scan is empty": lambda _, results: results.is_empty(),
    "stage a block": lambda _, results: stage(results, b"page"),
    "look for staged blocks": lambda _, results: results.has_staged(PART, [block(b"page")]),
    "commit a part": lambda _, results: commit(results, [block(b"page")]),
    "put a manifest": lambda _, results: results.put_manifest(1, b"{}"),
    "read a manifest": lambda _, results: results.manifest(1),
}

OTHER_KEY = base64.b64encode(b"a key that opens nothing, 64 bytes of it in all".ljust(64)).decode()


def stores(containers: Containers) -> tuple[BlobLedgerStore, BlobResultStore]:
    """Return both adapters on these containers."""
    return (
        BlobLedgerStore(containers.state, SCAN),
        BlobResultStore(containers.data, containers.manifests, SCAN),
    )


def refusal(environ: dict[str, str], what: str) -> StoreUnavailable:
    """Return the error of one operation on unusable storage."""
    with pytest.raises(StoreUnavailable) as caught:
        OPERATIONS[what](*stores(opened(environ, make=False)))
    return caught.value


def everything(error: BaseException) -> str:
    """Return all that a log could show of an error, its causes included."""
    return "".join(traceback.format_exception(error)) + repr(error)


def with_key(environ: dict[str, str], key: str) -> dict[str, str]:
    """Return the settings with another account key."""
    connection = re.sub("AccountKey=[^;]+", f"AccountKey={key}", environ[CONNECTION])
    return {**environ, CONNECTION: connection}


def key_of(environ: dict[str, str]) -> str:
    """Return the account key in the settings."""
    return environ[CONNECTION].partition("AccountKey=")[2].partition(";")[0]


@pytest.mark.parametrize("what", OPERATIONS)
def test_a_missing_container_is_named(storage_settings: dict[str, str], what: str) -> None:
    """The message says which container, and which settings to check."""
    error = refusal(storage_settings, what)

    assert "HTTP 404 ContainerNotFound" in str(error)
    assert "/test-" in str(error)
    assert "STORAGE_*_CONTAINER" in str(error)
    assert key_of(storage_settings) not in everything(error)


@pytest.mark.parametrize("what", OPERATIONS)
def test_the_error_of_a_refused_identity_names_the_missing_role(
    storage_settings: dict[str, str], what: str
) -> None:
    """The error of a 403 shows neither key."""
    opened(storage_settings)

    error = refusal(with_key(storage_settings, OTHER_KEY), what)

    assert "HTTP 403" in str(error)
    assert "StorageErrorCode" not in str(error)
    assert "Storage Blob Data Contributor" in str(error)
    assert OTHER_KEY not in everything(error)
    assert key_of(storage_settings) not in everything(error)


def test_storage_that_cannot_be_reached_is_given_up_on(storage_settings: dict[str, str]) -> None:
    """No operation waits long, and each error names the address; they run concurrently."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        away = at_port(storage_settings, listener.getsockname()[1])

    with ThreadPoolExecutor(len(OPERATIONS)) as callers:
        errors = list(callers.map(lambda what: refusal(away, what), OPERATIONS, timeout=60))

    for error in errors:
        assert "127.0.0.1" in str(error)
        assert "Check STORAGE_ACCOUNT_URL and the network" in str(error)
        assert key_of(storage_settings) not in everything(error)


@pytest.mark.parametrize("what", OPERATIONS)
def test_an_error_of_storage_is_one_line(storage_settings: dict[str, str], what: str) -> None:
    """It goes into the report line, without the service's XML."""
    error = refusal(storage_settings, what)

    assert "\n" not in str(error)
    assert "<?xml" not in str(error)
    assert "?" not in str(error)


def test_parts_are_gzip_files_and_not_encoded(containers: Containers) -> None:
    """With a content encoding the SDK would unpack what readers want as it is."""
    _, results = stores(containers)
    commit(results, stage(results, b"page"))

    settings = containers.data.get_blob_client(PART).get_blob_properties().content_settings

    assert (settings.content_type, settings.content_encoding) == ("application/x-gzip", None)


def test_manifest_ledger_and_run_log_have_their_content_type(containers: Containers) -> None:
    """A browser or a pipeline opens each correctly."""
    ledger, results = stores(containers)
    ledger.save(b"{}", etag=None)
    ledger.append_run("{}", now=NOW)
    results.put_manifest(412, b"{}")

    types = [
        container.get_blob_client(name).get_blob_properties().content_settings.content_type
        for container, name in (
            (containers.state, ledger_name(SCAN)),
            (containers.state, runs_name(SCAN, NOW)),
            (containers.manifests, manifest_name(SCAN, 412)),
        )
    ]

    assert types == ["application/json", "application/x-ndjson", "application/json"]


def test_names_are_those_of_the_formats(containers: Containers) -> None:
    """Readers find blobs by these names."""
    ledger, results = stores(containers)
    ledger.save(b"{}", etag=None)
    ledger.append_run("{}", now=NOW)
    results.put_manifest(412, b"{}")

    assert sorted(contents(containers.state)) == [
        "scan=all/ledger.json",
        "scan=all/runs/2026-11-23.jsonl",
    ]
    assert list(contents(containers.manifests)) == ["scan=all/00000000412.json"]


def test_every_day_has_a_run_log_of_its_own(containers: Containers) -> None:
    """Logs expire one day at a time."""
    ledger, _ = stores(containers)
    midnight = NOW - NOW % 86_400_000

    ledger.append_run("before", now=midnight - 1)
    ledger.append_run("after", now=midnight)

    assert contents(containers.state, "scan=all/runs/") == {
        "scan=all/runs/2026-11-22.jsonl": b"before\n",
        "scan=all/runs/2026-11-23.jsonl": b"after\n",
    }


@contextmanager
def losing(environ: dict[str, str], lose: str) -> Iterator[tuple[Containers, Losing]]:
    """Open the containers through a proxy that loses the first answer to such a request."""
    opened(environ)
    proxy = Losing(lose)
    with through(environ, change=proxy) as there:
        yield opened(there, make=False), proxy


def test_a_ledger_save_whose_answer_is_lost_on_the_way_succeeds(
    storage_settings: dict[str, str],
) -> None:
    """The SDK repeats it, is refused, and the adapter recognises its own save."""
    with losing(storage_settings, "PUT .*ledger.json") as (containers, proxy):
        ledger, _ = stores(containers)

        etag = ledger.save(b"one", etag=None)

        saved = ledger.load()

    assert len(proxy.lost) == 1
    assert (saved.content, saved.etag) == (b"one", etag)


def test_a_ledger_whose_answer_is_lost_on_the_way_is_read_with_the_time(
    storage_settings: dict[str, str],
) -> None:
    """The SDK repeats the request, and does not show its answer."""
    with losing(storage_settings, "GET .*ledger.json") as (containers, proxy):
        ledger, _ = stores(containers)
        etag = ledger.save(b"one", etag=None)

        saved = ledger.load()

    assert len(proxy.lost) == 1
    assert (saved.content, saved.etag) == (b"one", etag)
    assert saved.date is not None


def test_a_commit_whose_answer_is_lost_on_the_way_succeeds(
    storage_settings: dict[str, str],
) -> None:
    """The part exists with exactly these blocks."""
    with losing(storage_settings, "PUT .*comp=blocklist") as (containers, proxy):
        _, results = stores(containers)

        commit(results, stage(results, b"one", b"two"))

        parts = contents(containers.data)

    assert len(proxy.lost) == 1
    assert parts == {PART: b"onetwo"}


def test_a_block_whose_answer_is_lost_on_the_way_is_staged_once(
    storage_settings: dict[str, str],
) -> None:
    """Staging it again changes nothing."""
    with losing(storage_settings, "PUT .*comp=block&") as (containers, proxy):
        _, results = stores(containers)

        blocks = stage(results, b"one", b"two")
        commit(results, blocks)

        parts = contents(containers.data)

    assert len(proxy.lost) == 1
    assert parts == {PART: b"onetwo"}


def test_a_manifest_whose_answer_is_lost_on_the_way_is_written(
    storage_settings: dict[str, str],
) -> None:
    """The manifest exists with these bytes."""
    with losing(storage_settings, "PUT .*00000000001.json") as (containers, proxy):
        _, results = stores(containers)

        results.put_manifest(1, b"{}")

        stored = results.manifest(1)

    assert len(proxy.lost) == 1
    assert stored == b"{}"


@pytest.mark.parametrize("lost", ["comp=appendblock", "PUT .*runs/[^?]* ", "HEAD .*runs/"])
@pytest.mark.usefixtures("retried_at_once")
def test_a_report_line_whose_answer_is_lost_on_the_way_is_appended_once(
    storage_settings: dict[str, str], lost: str
) -> None:
    """The lost answer may also concern creating the run log or asking for its end."""
    with losing(storage_settings, lost) as (containers, proxy):
        ledger, _ = stores(containers)

        ledger.append_run("one", now=NOW)
        ledger.append_run("one", now=NOW)
        ledger.append_run("two", now=NOW)

        logs = contents(containers.state, "scan=all/runs/")

    assert len(proxy.lost) == 1
    assert logs == {"scan=all/runs/2026-11-23.jsonl": b"one\none\ntwo\n"}


def test_a_line_that_another_run_appended_first_does_not_replace_this_one(
    storage_settings: dict[str, str],
) -> None:
    """The end moved after it was read, so this line follows the other's."""
    opened(storage_settings)
    meanwhile = ["another"]

    def interrupt(request: bytes, answer: bytes) -> bytes:
        if request.startswith(b"HEAD") and meanwhile:
            line = meanwhile.pop()
            stores(opened(storage_settings, make=False))[0].append_run(line, now=NOW)
        return answer

    stores(opened(storage_settings, make=False))[0].append_run("first", now=NOW)
    with through(storage_settings, change=interrupt) as there:
        containers = opened(there, make=False)
        stores(containers)[0].append_run("this", now=NOW)

        logs = contents(containers.state, "scan=all/runs/")

    assert logs == {"scan=all/runs/2026-11-23.jsonl": b"first\nanother\nthis\n"}


def test_a_run_log_that_is_full_is_followed_by_the_next(storage_settings: dict[str, str]) -> None:
    """An append blob holds 50,000 blocks; the names keep the day's lines in order."""
    opened(storage_settings)
    full = {"day": False}

    def refuse(request: bytes) -> bytes | None:
        line = first_line(request)
        appends = "comp=appendblock" in line and "more-" not in line
        return (
            refusal_of("409 Conflict", "BlockCountExceedsLimit")
            if appends and full["day"]
            else None
        )

    with through(storage_settings, refuse=refuse) as there:
        containers = opened(there, make=False)
        ledger, _ = stores(containers)
        ledger.append_run("one", now=NOW)
        full["day"] = True
        ledger.append_run("two", now=NOW)
        ledger.append_run("three", now=NOW)

        logs = contents(containers.state, "scan=all/runs/")

    named = [f"scan=all/runs/2026-11-23{more}.jsonl" for more in ("", ".more-02")]
    assert list(logs) == named
    assert list(logs.values()) == [b"one\n", b"two\nthree\n"]


def test_a_ledger_is_rebuilt_from_a_run_log_of_many_blobs(containers: Containers) -> None:
    """The oldest line states the scan's origin; the tenth blob is read after the second."""
    ledger, results = stores(containers)
    for volume in (10, 2, 1):
        log = containers.state.get_blob_client(runs_name("all", NOW, volume))
        log.create_append_blob()
        log.append_block(b'{"covered_until":%d}\n' % (NOW - (20 - volume) * HOUR))

    lines = list(ledger.report_lines())
    made = rebuild(results, policy(lookback=HOUR), NOW, Silent(), report_lines=lines)

    assert lines == [f'{{"covered_until":{NOW - it * HOUR}}}' for it in (19, 18, 10)]
    assert made.ledger.origin == NOW - 19 * HOUR


def test_a_report_line_with_half_a_character_is_kept(containers: Containers) -> None:
    """It comes from text that another program wrote."""
    ledger, _ = stores(containers)

    ledger.append_run("\ud800", now=NOW)

    assert contents(containers.state, "scan=all/runs/").popitem()[1] == b"\\ud800\n"
