"""The table's app: on a real table, and as the package that is deployed, with its own libraries."""

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient
from deltalake import DeltaTable
from isal import isal_zlib

from harness.azurite import Azurite
from infra.scripts.package import pack
from shared.adapters.delta_table import storage_options
from shared.core.errors import FeedBroken, SettingsError
from shared.core.state.layout import SCAN_LIST, SCAN_LIST_KEPT, manifest_name
from shared.table_app import run_on_timer, run_table
from simulator import IdentityEndpoint, Simulator
from tests.conftest import unused_storage
from tests.contracts.proxies import first_line, through
from tests.contracts.test_table import in_folder, row
from tests.integration.test_package import (
    AID,
    LIBRARIES,
    Deployed,
    installed,
    only,
    python,  # noqa: F401 - a fixture
)
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, settings, stored
from tests.once import made_once
from tests.tables import query

ROOT = Path(__file__).parents[2]

SCHEDULE = {"TABLE_SCHEDULE": "0 */15 * * * *"}

LARGEST_ZIP = 96 * 1024 * 1024
"""Bytes of what is uploaded, with its libraries; 56 MiB when this was set."""

LARGEST_LIBRARIES = 256 * 1024 * 1024
"""Bytes of the libraries, unpacked; 170 MiB when this was set. A cold start reads them."""


def scanned(storage: dict[str, str]) -> dict[str, str]:
    """Let a scan store what a tenant has, make the table's container, and return the settings."""
    with Simulator(history(600), switches=OPEN) as api:
        environ = settings(api, storage)
        run_until_idle(environ)
    table = environ["STORAGE_DATA_CONTAINER"].replace("-data", "-table")
    service(environ).create_container(table)
    return environ | {"TABLE_CONTAINER": table}


def service(environ: dict[str, str]) -> BlobServiceClient:
    """Return a client for the account."""
    return BlobServiceClient.from_connection_string(environ["STORAGE_CONNECTION_STRING"])


def ids(environ: dict[str, str]) -> Counter[str]:
    """Return the ids in the table."""
    name = environ["TABLE_CONTAINER"]
    options = storage_options(service(environ).get_container_client(name))
    table = DeltaTable(f"az://{name}/activities", storage_options=options)
    return Counter(it["id"] for it in query(table, "SELECT id FROM activities"))


def wanted(environ: dict[str, str]) -> Counter[str]:
    """Return the ids that the scan has stored."""
    return Counter(it[0] for it in stored(environ))


def test_a_run_appends_what_the_table_lacks(
    storage_settings: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """And reports with one line."""
    environ = scanned(storage_settings)
    caplog.set_level("INFO")
    caplog.clear()

    tally = run_table(environ, past_due=True)

    assert ids(environ) == wanted(environ)
    (line,) = [it.message for it in caplog.records if it.name == "activity_scan"]
    said = json.loads(line)
    assert (said["outcome"], said["past_due"], said["run"]) == ("idle", True, tally.run)
    assert (said["rows"], said["behind_seconds"]) == (600, 0)


def test_a_run_follows_the_scans_of_the_list_in_use(storage_settings: dict[str, str]) -> None:
    """The collector has checked that version; the newest one may be wrong."""
    environ = scanned(storage_settings)
    state = service(environ).get_container_client(environ["STORAGE_STATE_CONTAINER"])
    state.upload_blob(SCAN_LIST, b"[{")
    state.upload_blob(SCAN_LIST_KEPT, b'[{"name": "all"}, {"name": "new", "limit": 500}]')

    tally = run_table(environ)

    assert [(it.scan, it.rows) for it in tally.progress] == [("all", 600), ("new", 0)]


def test_scans_of_the_settings_take_the_place_of_a_list(storage_settings: dict[str, str]) -> None:
    """The collector would say that one of the two is too many; the table asks for one only."""
    environ = scanned(storage_settings)
    state = service(environ).get_container_client(environ["STORAGE_STATE_CONTAINER"])
    state.upload_blob(SCAN_LIST_KEPT, b'[{"name": "new"}]')

    tally = run_table(environ | {"SCANS": '[{"name": "all"}]'})

    assert [(it.scan, it.rows) for it in tally.progress] == [("all", 600)]


def test_the_table_asks_no_more_of_readers_than_its_page_says(tmp_path: Path) -> None:
    """Services that know the first version of Delta's protocol read it, also after upkeep."""
    table = in_folder(tmp_path)
    for number in (1, 2):
        table.open().append([[row(f"a-{number}")]], first=number, through=number)
    table.compact(row("a").date)

    protocol = DeltaTable(str(tmp_path)).protocol()

    assert (protocol.min_reader_version, protocol.reader_features) == (1, None)


def requests_of_a_run(environ: dict[str, str]) -> Counter[str]:
    """Do a run, and count its requests as storage charges them."""
    found: Counter[str] = Counter()

    def seen(request: bytes, answer: bytes) -> bytes:
        line = first_line(request)
        kind = "read" if line.startswith(("GET", "HEAD")) else "write"
        found["list" if "comp=list" in line else kind] += 1
        return answer

    with through(environ, change=seen) as proxied:
        assert run_table(proxied).outcome == "idle"
    return found


def test_a_run_costs_as_many_requests_as_its_page_says(storage_settings: dict[str, str]) -> None:
    """The page multiplies them by the runs of a month. Days add a write each."""
    environ = scanned(storage_settings)
    run_table(environ)

    idle = requests_of_a_run(environ)

    page = (ROOT / "docs/table.md").read_text("utf-8")
    told = re.search(r"a run that finds nothing takes (\d+) reads and (\d+) listings", page)
    assert told
    assert (idle["read"], idle["list"], idle["write"]) == (int(told[1]), int(told[2]), 0)


def test_a_run_that_cannot_begin_is_reported_and_fails(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is the one that the line names."""
    monkeypatch.delenv("STORAGE_ACCOUNT_URL", raising=False)
    monkeypatch.setenv("STORAGE_CONNECTION_STRING", "copied in part")

    with pytest.raises(SettingsError, match="STORAGE_CONNECTION_STRING is malformed"):
        run_on_timer()

    (line,) = [it.message for it in caplog.records if it.name == "activity_scan"]
    said = json.loads(line)
    assert (said["outcome"], said["error"], said["scans"]) == ("failed", "SettingsError", [])
    assert said["help"] == "docs/settings.md"


def test_several_scans_that_cannot_be_followed_are_one_failure(
    storage_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the error of each."""
    environ = scanned(storage_settings)
    manifests = service(environ).get_container_client(environ["STORAGE_MANIFEST_CONTAINER"])
    for name in ("a", "b"):
        manifests.upload_blob(manifest_name(name, 1), b"no manifest")
    environ["SCANS"] = json.dumps([{"name": it} for it in ("all", "a", "b")])
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ExceptionGroup) as failed:
        run_on_timer()

    assert [type(it) for it in failed.value.exceptions] == [FeedBroken, FeedBroken]
    assert ids(environ) == wanted(environ)


@pytest.fixture(scope="module")
def deployed(
    python: Path,  # noqa: F811 - the fixture
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Deployed:
    """Return the package in a clean folder, with only the libraries that it includes.

    The libraries are large: they are linked to, and the archive is without them.
    """
    folder = tmp_path_factory.mktemp("deployed")
    archive, app = folder / "released-package.zip", folder / "app"
    cache: Path = request.config.cache.mkdir("package")
    required = ROOT / "table/requirements.txt"
    arguments = ("--requirement", str(required))
    libraries = installed(cache, python, required.read_text("utf-8"), *arguments)
    pack(ROOT, archive, app="table")
    with zipfile.ZipFile(archive) as package:
        package.extractall(app)
    shutil.copytree(libraries, app / LIBRARIES, copy_function=os.symlink)
    named = re.findall(AID, (ROOT / "requirements-dev.txt").read_text("utf-8"), re.MULTILINE)
    aid = [f"{name}=={version}" for name, version in named]
    platform = installed(cache, python, f"{aid}", "--no-deps", "--ignore-requires-python", *aid)
    return Deployed(python=python, app=app, platform=platform, archive=archive)


@pytest.fixture
def environ_of_identity(
    azurite_https: Azurite, container_name: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Provide settings by which the app signs in to storage with its identity."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azurite_https.ca_file))
    monkeypatch.setenv("SSL_CERT_FILE", str(azurite_https.ca_file))
    storage = unused_storage(azurite_https.connection_string, container_name)
    with IdentityEndpoint() as identity:
        yield {
            **scanned(storage),
            **SCHEDULE,
            **identity.environment,
            "REQUESTS_CA_BUNDLE": str(azurite_https.ca_file),
            "SSL_CERT_FILE": str(azurite_https.ca_file),
            "STORAGE_ACCOUNT_URL": azurite_https.blob_url,
        }


def test_the_package_has_exactly_its_function(deployed: Deployed) -> None:
    """The platform reports success without any function, so the set of names is asserted."""
    index = only("index", deployed.drive(SCHEDULE))

    assert (index["exception"], index["success"]) == (None, True)
    assert [function["name"] for function in index["functions"]] == ["write_table"]


def test_the_package_writes_the_table_with_its_identity(
    deployed: Deployed, environ_of_identity: dict[str, str]
) -> None:
    """It has all that this takes, and nothing of this machine."""
    given = environ_of_identity
    without_key = {name: it for name, it in given.items() if name != "STORAGE_CONNECTION_STRING"}

    ended = only("result", deployed.drive(without_key, "--invoke", "write_table"))

    assert (ended["exception"], ended["success"]) == (None, True)
    assert ids(given) == wanted(given)


def test_without_its_libraries_the_package_does_not_load(deployed: Deployed) -> None:
    """This machine's libraries do not replace them, so the tests above are meaningful."""
    ran = subprocess.run(
        [deployed.python, "-S", "-c", "import function_app"],
        cwd=deployed.app,
        env={"PYTHONPATH": str(deployed.platform)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1
    assert "ModuleNotFoundError: No module named 'azure" in ran.stderr


def packed_at_most(libraries: Path) -> int:
    """Return more bytes than libraries have in a package, whose compression takes far longer.

    The number is kept, since even this takes a second.
    """

    def measure(file: Path) -> None:
        contents = (it.read_bytes() for it in libraries.rglob("*") if it.is_file())
        file.write_text(str(sum(len(isal_zlib.compress(it, 2)) for it in contents)))

    return int(made_once(libraries.with_suffix(".packed"), measure).read_text())


def test_the_package_is_of_bounded_size(deployed: Deployed) -> None:
    """The limits cover the upload and what a cold start reads."""
    files = {path.resolve() for path in (deployed.app / LIBRARIES).rglob("*") if path.is_symlink()}
    libraries = (deployed.app / LIBRARIES / "deltalake/__init__.py").resolve().parents[1]

    assert deployed.archive.stat().st_size + packed_at_most(libraries) < LARGEST_ZIP
    assert 0 < sum(path.stat().st_size for path in files) < LARGEST_LIBRARIES
