"""Where the table's function app is put together: settings, adapters, the run. It only builds."""

import logging
import os
import uuid
from collections.abc import Mapping
from functools import partial

from azure.storage.blob import BlobServiceClient

from shared.adapters.blob_feed import BlobFeedStore
from shared.adapters.blob_scan_list import BlobScanList
from shared.adapters.blob_storage import containers_of, open_account
from shared.adapters.credentials import storage_credential
from shared.adapters.delta_table import DeltaActivities, storage_options
from shared.adapters.system_clock import SystemClock
from shared.core.errors import SettingsError
from shared.settings import LIST, read_storage, sets_scans
from shared.table.feed import Feed
from shared.table.following import Follower
from shared.table.report import Tally
from shared.table.running import Job, report, run
from shared.table_app.settings import TableSettings, read_table_settings


def run_on_timer(*, past_due: bool = False) -> None:
    """Let the table follow the feed of every configured scan once, for the timer.

    Raises:
        ScanError: something went wrong; the report line says what. The platform marks the
            invocation as failed.
    """
    errors = run_table(os.environ, past_due=past_due).errors
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("the table could not follow several scans", errors)


def run_table(environ: Mapping[str, str], *, past_due: bool = False) -> Tally:
    """Let the table follow the feeds once, and report with one log line; nothing is raised.

    Args:
        environ: the settings.
        past_due: whether the platform started the run late.
    """
    # The SDK's request logging would hide the report lines.
    logging.getLogger("azure").setLevel(logging.WARNING)
    clock, tally, behind_alert = SystemClock(), Tally(run=uuid.uuid4().hex), 0
    started = clock.elapsed()
    try:
        account = _account(environ)
        settings = read_table_settings(_with_list(environ, account))
        behind_alert = settings.behind_alert
        job = _job(settings, account)
    except Exception as error:  # noqa: BLE001 - reported here, raised again by `run_on_timer`
        tally.error = error
    else:
        run(job, tally)
    report(tally, clock, started=started, past_due=past_due, behind_alert=behind_alert)
    return tally


def _with_list(environ: Mapping[str, str], account: BlobServiceClient) -> Mapping[str, str]:
    """Return the settings with the list of scans that the collector uses, if there is a file.

    The collector keeps a list once it has found it valid.
    """
    if sets_scans(environ):
        return environ
    state = account.get_container_client(read_storage(environ).state)
    kept = BlobScanList(state).kept()
    return environ if kept is None else {**environ, LIST: kept.decode("utf-8-sig")}


def _account(environ: Mapping[str, str]) -> BlobServiceClient:
    """Return the storage account of feed and table; nothing is requested yet."""
    settings = read_table_settings(environ)
    in_azure, identity = bool(environ.get("IDENTITY_ENDPOINT")), settings.identity_client_id
    try:
        return open_account(
            settings.storage,
            lambda: storage_credential(identity, SystemClock(), in_azure=in_azure),
        )
    except ValueError:  # Its text may repeat the value, which may hold a key.
        problem = "STORAGE_ACCOUNT_URL or STORAGE_CONNECTION_STRING is malformed: copy it again"
        raise SettingsError([problem]) from None


def _job(settings: TableSettings, account: BlobServiceClient) -> Job:
    container = account.get_container_client(settings.container)
    options = partial(storage_options, container)
    followers, tables = [], []
    for scan, storage in settings.scans:
        places = containers_of(account, storage)
        table = DeltaActivities(f"az://{settings.container}/activities", scan, options)
        feed = Feed(BlobFeedStore(places.data, places.manifests, scan), scan)
        followers.append(Follower(feed, table))
        tables.append(table)
    return Job(
        followers=followers,
        upkeep=tables[0],
        clock=SystemClock(),
        budget=settings.time_budget,
        delete_after=settings.delete_after,
    )
