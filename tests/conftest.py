"""Fixtures for tests of several kinds: the storage emulator, unique names, hypothesis."""

import gc
import os
import uuid
from collections.abc import Iterator

import pytest
from azure.core.pipeline.transport import HttpTransport
from hypothesis import settings

from harness.azurite import Azurite
from harness.azurite import azurite as run_azurite
from tests.compiling import ROOT, compile_together
from tests.quick import Quick

# A busy machine must not fail a test, so no example has a deadline. CI repeats itself
# exactly; elsewhere every run tries other examples.
settings.register_profile("everywhere", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "everywhere")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make quick-list`."""
    parser.addoption("--write-slow", action="store_true", help="write tests/slow.txt again")


def pytest_configure(config: pytest.Config) -> None:
    """Let quick tests be marked."""
    config.pluginmanager.register(Quick(writes=config.getoption("--write-slow")))


def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are processors, since many tests wait for another one."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Let the test processes compile what is new before they collect."""
    compile_together(ROOT / it for it in session.config.args)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with long tests, and those that need compiler or browser; their order stays random.

    The first tests of the list go to one process. So only that one makes the predictions and the
    stores that those tests share, which take most of their time. A long test that began last would
    let the other processes wait for it.
    """
    early = ("compiler", "browser", "long")
    items.sort(key=lambda item: not any(map(item.get_closest_marker, early)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Exclude modules and tests, which live as long as the process, from garbage collection.

    Scanning them repeatedly would take a tenth of the whole run.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Provide the real storage emulator over http, started once."""
    with run_azurite() as running:
        yield running


@pytest.fixture(scope="session")
def azurite_https() -> Iterator[Azurite]:
    """Provide the real storage emulator over https, for sign-in with an identity; started once."""
    with run_azurite(https=True) as running:
        yield running


@pytest.fixture
def container_name() -> str:
    """Return the name of a container that no other test uses."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def storage_settings(azurite: Azurite, container_name: str) -> dict[str, str]:
    """Return the settings of unused storage, whose containers do not exist yet."""
    return unused_storage(azurite.connection_string, container_name)


@pytest.fixture
def retried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pauses pass at once that the storage library makes before it asks again."""
    monkeypatch.setattr(HttpTransport, "sleep", lambda _transport, _seconds: None)


def unused_storage(connection_string: str, name: str) -> dict[str, str]:
    """Return the settings of containers that are named like this."""
    return {
        "STORAGE_CONNECTION_STRING": connection_string,
        "STORAGE_DATA_CONTAINER": f"{name}-data",
        "STORAGE_MANIFEST_CONTAINER": f"{name}-manifests",
        "STORAGE_STATE_CONTAINER": f"{name}-state",
    }
