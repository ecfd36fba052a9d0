"""What commands work on, built from settings; a deployed function loads none of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from shared.access import AUTHORITY
from shared.adapters.app_settings import CLOUDS, AppSettings, cli_account
from shared.adapters.blob_derived import BlobDerivedStore
from shared.adapters.blob_feed import BlobFeedStore
from shared.adapters.blob_ledger import BlobLedgerStore
from shared.adapters.blob_results import BlobResultStore
from shared.adapters.blob_state import BlobStateArchive
from shared.adapters.blob_storage import Containers, exists
from shared.adapters.blob_trials import BlobTrials
from shared.adapters.credentials import authorization, default_credential, storage_credential
from shared.adapters.system_clock import SystemClock
from shared.bootstrap import App, api_source, make_local_containers, storage
from shared.core.audit.announcing import EVENT_SCHEMAS, Place
from shared.core.audit.attention import WrongList
from shared.core.errors import AppUnreadable, ScanError, SettingsError
from shared.core.model import Policy
from shared.core.quoting import listed
from shared.operate.comparing import (
    Comparison,
    Entry,
    changes,
    containers_of,
    elements_of,
    refusals,
)
from shared.ports import DerivedStore, LedgerStore, ResultArchive, StateArchive
from shared.scan.doctor import Patient
from shared.settings import LIST, ScanSettings, Settings, read_settings, sets_scans
from shared.table.feed import Feed

if TYPE_CHECKING:
    from shared.adapters.delta_table import DeltaActivities
    from shared.adapters.storage_queue import StorageQueue


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What one scan has stored, for checking, rebuilding and showing.

    The first scan of an app also says what is wrong with the list of scans.
    """

    policy: Policy
    ledgers: LedgerStore
    results: ResultArchive
    derived: DerivedStore
    state: StateArchive
    wrong_list: WrongList | None = None


FeedsAndTables = list[tuple[Feed, "DeltaActivities"]]
"""Feeds, each with the table that follows it."""


def archives(app: App, scan: str | None = None) -> list[Archive]:
    """Return what every configured scan has stored, or only this one; nothing is requested yet.

    Raises:
        SettingsError: at least one setting is invalid, or they do not have the scan.
    """
    settings = read_settings(app.environ)
    containers, first = storage(settings, app), settings.scans[0]
    return [
        archive(it.policy, containers[it.policy.scan], app.wrong_list if it is first else None)
        for it in _named(settings, scan)
    ]


def archive(policy: Policy, containers: Containers, wrong_list: WrongList | None = None) -> Archive:
    """Return what one scan has stored in these containers; nothing is requested yet."""
    return Archive(
        policy=policy,
        ledgers=BlobLedgerStore(containers.state, policy.scan),
        results=BlobResultStore(containers.data, containers.manifests, policy.scan),
        derived=BlobDerivedStore(containers.state, policy.scan),
        state=BlobStateArchive(containers.state, policy.scan),
        wrong_list=wrong_list,
    )


def _named(settings: Settings, scan: str | None) -> list[ScanSettings]:
    found = [it for it in settings.scans if scan in {None, it.policy.scan}]
    if not found:
        names = listed([it.policy.scan for it in settings.scans])
        raise SettingsError([f"--scan {scan!r} is not configured; there is: {names}"])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """The settings beside which a list of scans is judged.

    Attributes:
        environ: the settings as the command uses them, without the list.
        settings: the same as the app has them.
        app: the scans in use; None if the list in use is wrong.
    """

    environ: Mapping[str, str]
    settings: Mapping[str, str]
    app: App | None


def compare(deployed: Deployed, text: str, containers: Sequence[Entry]) -> Comparison:
    """Return what a list of scans changes.

    Args:
        deployed: the settings, and the scans in use.
        text: the list.
        containers: the value of `scanContainers` that was deployed last.

    Raises:
        SettingsError: the list is wrong.
        StoreUnavailable: storage cannot be reached or refuses.
    """
    after = read_settings({**deployed.settings, "SCANS": "", LIST: text})
    now = deployed.app
    old = elements_of(now.environ) if now else {}
    new = elements_of({LIST: text})
    places = storage(after, now or App(environ=deployed.environ))
    refused = []
    if now:
        before = read_settings(now.environ)
        stored = storage(before, now)
        refused = list(refusals(before, after, lambda it: _has_data(it.policy, stored)))
    return Comparison(
        added=tuple(it for it in new if it not in old),
        removed=tuple(it for it in old if it not in new),
        changed=tuple(changes(old, new)),
        refused=tuple(refused),
        missing=_missing(places.values()),
        containers=containers_of(after, containers),
        replaces_scans=sets_scans(deployed.settings),
    )


def _has_data(policy: Policy, stored: Mapping[str, Containers]) -> bool:
    """Say whether a scan has a ledger, a manifest or a part."""
    places = stored[policy.scan]
    if exists(places.state) and archive(policy, places).ledgers.load().content is not None:
        return True
    whole = exists(places.data) and exists(places.manifests)
    return whole and not archive(policy, places).results.is_empty()


def _missing(places: Iterable[Containers]) -> tuple[str, ...]:
    """Return the names of the containers that do not exist, each once."""
    named = {it.container_name: it for one in places for it in (one.data, one.manifests, one.state)}
    return tuple(name for name, it in named.items() if not exists(it))


def announced_place(app: App, scan: str, *, schema: str, topic: str) -> Place:
    """Return where a scan's parts are, as messages about them name it; nothing is requested.

    Raises:
        SettingsError: at least one setting or option is invalid.
    """
    settings = read_settings(app.environ)
    data = storage(settings, app)[scan].data
    chosen = next((it for it in EVENT_SCHEMAS if it == schema), None)
    if chosen is None:
        raise SettingsError([f"--schema {schema!r} is neither of {' and '.join(EVENT_SCHEMAS)}"])
    unknown = "/subscriptions/-/resourceGroups/-/providers/Microsoft.Storage/storageAccounts/"
    return Place(
        topic=topic or f"{unknown}{data.account_name}",
        container=data.container_name,
        url=data.url.partition("?")[0].rstrip("/"),
        schema=chosen,
    )


def message_queue(app: App, name: str) -> "StorageQueue":
    """Return the queue of this name or address; nothing is requested yet.

    Raises:
        SettingsError: at least one setting is invalid, or the queue's package is missing.
    """
    settings = read_settings(app.environ)
    identity, in_azure = settings.identity_client_id, bool(app.environ.get("IDENTITY_ENDPOINT"))
    try:
        from shared.adapters.storage_queue import open_queue  # noqa: PLC0415
    except ImportError as error:
        problem = "azure-storage-queue is not installed: install requirements-cli.txt"
        raise SettingsError([problem]) from error
    return open_queue(
        settings.storage,
        name,
        lambda: storage_credential(identity, SystemClock(), in_azure=in_azure),
    )


def feeds_and_tables(app: App, scan: str | None, address: str) -> FeedsAndTables:
    """Return the feed of every configured scan, or only of this one, each with the table for it.

    Args:
        app: the settings.
        scan: the scan; None for all.
        address: where the table is: `az://CONTAINER/FOLDER`, or a folder of this machine.

    Raises:
        SettingsError: at least one setting is invalid, or the table's packages are missing.
    """
    settings = read_settings(app.environ)
    containers = storage(settings, app)
    try:
        from shared.adapters.delta_table import DeltaActivities, storage_options  # noqa: PLC0415
    except ImportError as error:
        problem = "deltalake is not installed: install requirements-table.txt"
        raise SettingsError([problem]) from error
    found: FeedsAndTables = []
    for name in (it.policy.scan for it in _named(settings, scan)):
        data, manifests = containers[name].data, containers[name].manifests
        options = partial(storage_options, data) if "://" in address else dict
        feed = Feed(BlobFeedStore(data, manifests, name), name)
        found.append((feed, DeltaActivities(address, name, options)))
    return found


def app_settings(
    subscription: str | None, group: str, app: str, environ: Mapping[str, str]
) -> tuple[AppSettings, dict[str, str]]:
    """Return what reads a deployed app's settings with the caller's sign-in, and these settings.

    Args:
        subscription: the id of the app's subscription; None for AZURE_SUBSCRIPTION_ID, or else the
            current one of the Azure CLI.
        group: the app's resource group.
        app: its name.
        environ: of the caller.

    Raises:
        AppUnreadable: nothing says which subscription, nobody is signed in, the sign-in lacks a
            right, or there is no such app.
    """
    subscription = subscription or environ.get("AZURE_SUBSCRIPTION_ID")
    authority = environ.get(AUTHORITY, "")
    account = None if subscription and authority else cli_account()
    if not subscription and account is None:
        raise AppUnreadable(
            "no subscription is named, and the Azure CLI is not signed in: run `az login`, set "
            "AZURE_SUBSCRIPTION_ID, or write --from-app SUBSCRIPTION_ID/RESOURCE_GROUP/APP"
        )
    host = authority.removeprefix("https://").strip("/")
    named = account.cloud if account and not authority else ""
    cloud = next((it for it in CLOUDS if host == it.authority or named == it.name), CLOUDS[0])
    reader = AppSettings(cloud, default_credential(None, SystemClock()))
    chosen = subscription or (account.subscription if account else "")
    return reader, reader.read(chosen, group, app)


@contextmanager
def patient(app: App, scan: str | None) -> Iterator[Patient]:
    """Provide what doctor examines on a command line; nothing is requested yet.

    Raises:
        SettingsError: at least one setting is invalid, or they do not have the scan.
    """
    settings = read_settings(app.environ)
    containers = storage(settings, app)
    chosen = _named(settings, scan)[0]
    own = containers[chosen.policy.scan]
    beside = [it.policy.scan for it in settings.scans if it.api.host == chosen.api.host]
    with closing(api_source(chosen.api)) as source:
        with suppress(ScanError):  # The trials of storage say what is wrong.
            make_local_containers(chosen, own)
        yield Patient(
            policy=chosen.policy,
            source=source,
            authorization=authorization(chosen.api, SystemClock()),
            storage=BlobTrials(own),
            ledgers=tuple(BlobLedgerStore(containers[it].state, it) for it in beside),
            per_minute=settings.requests_per_minute,
            clock=SystemClock(),
        )
