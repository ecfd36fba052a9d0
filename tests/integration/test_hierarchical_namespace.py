"""A whole scan, its check and a rebuild on storage that lists folders among the blobs."""

from collections.abc import Iterator

import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.bootstrap import App
from shared.core.state.ledger import decode
from shared.operate.building import archives
from shared.operate.rebuild import rebuild, write
from shared.operate.verify import Verifier
from simulator import Simulator, Tenant
from tests.contracts.proxies import CONNECTION, ListingFolders, through
from tests.displays import Silent
from tests.integration.test_scan_over_http import OPEN, history, run_until_idle, settings, stored


@pytest.fixture
def tenant() -> Tenant:
    """Provide a small tenant."""
    return history(1200)


@pytest.fixture
def environ(tenant: Tenant, storage_settings: dict[str, str]) -> Iterator[dict[str, str]]:
    """Provide the settings of a scan that has stored everything on such storage."""
    with (
        through(storage_settings, change=ListingFolders()) as there,
        Simulator(tenant, switches=OPEN) as api,
    ):
        scanned = settings(api, there)
        run_until_idle(scanned)
        yield scanned


def container(environ: dict[str, str], kind: str) -> ContainerClient:
    """Return one of the scan's containers."""
    service = BlobServiceClient.from_connection_string(environ[CONNECTION])
    return service.get_container_client(environ[f"STORAGE_{kind}_CONTAINER"])


def test_a_store_that_lists_folders_is_sound(environ: dict[str, str]) -> None:
    """Its listing has the folders, and no finding names them."""
    (archive,) = archives(App(environ=environ))

    checked = Verifier(archive.results, archive.ledgers, "all", Silent()).check()

    listed = list(container(environ, "DATA").list_blob_names())
    assert any(name.rpartition("/")[2].startswith("hour=") for name in listed)
    assert checked.findings == []
    assert checked.records == 1200


def test_a_ledger_is_rebuilt_on_a_store_that_lists_folders(
    environ: dict[str, str], tenant: Tenant
) -> None:
    """The scan resumes from it without loss or duplicate."""
    (archive,) = archives(App(environ=environ))
    lost = decode(archive.ledgers.load().content or b"")
    container(environ, "STATE").delete_blob("scan=all/ledger.json")

    write(archive.ledgers, rebuild(archive.results, archive.policy, lost.made, Silent()))

    assert decode(archive.ledgers.load().content or b"").coverage == lost.coverage
    run_until_idle(environ)
    assert sorted(stored(environ)) == tenant.truth()


def test_a_scan_of_which_only_folders_are_left_begins_again(
    environ: dict[str, str], tenant: Tenant
) -> None:
    """Deleting every blob leaves the folders, which do not mean that a ledger is missing."""
    for kind in ("DATA", "MANIFEST", "STATE"):
        place = container(environ, kind)
        for blob in list(place.list_blobs(include=["metadata"])):
            if not (blob.metadata or {}).get("hdi_isfolder"):
                place.delete_blob(blob.name)

    run_until_idle(environ)

    assert sorted(stored(environ)) == tenant.truth()
