"""Where everything is put together: settings, adapters and the use case. It only builds."""

import logging
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial

from azure.storage.blob import BlobServiceClient, ContainerClient

from shared.access import ApiSettings, StorageSettings
from shared.adapters.activities_api import HttpActivitySource
from shared.adapters.blob_budget import BlobBudgetStore
from shared.adapters.blob_derived import BlobDerivedStore
from shared.adapters.blob_ledger import BlobLedgerStore
from shared.adapters.blob_results import BlobResultStore
from shared.adapters.blob_scan_list import BlobScanList
from shared.adapters.blob_storage import (
    Containers,
    containers_of,
    make_container,
    make_missing,
    open_account,
)
from shared.adapters.credentials import authorization, storage_credential
from shared.adapters.system_clock import SystemClock
from shared.core.audit.attention import WrongList
from shared.core.audit.status import Status
from shared.core.errors import SettingsError, StoreUnavailable, UnreadableMessage
from shared.core.model import Policy
from shared.core.quoting import quoted
from shared.core.state.layout import overview_name, status_name
from shared.core.state.report import Tally
from shared.drawing import draw, draw_overview
from shared.due import QUEUE, decode, lateness, messages, tick_of
from shared.ports import LedgerStore, Ports
from shared.scan.host_claim import SharedHost
from shared.scan.invocation import run_all
from shared.scan.overview import Place, write_overview
from shared.scan.reporting import Job, RunResult, logger, report_expired, report_unbuilt
from shared.scan_list import Adapt, Known, ListReader
from shared.settings import ScanSettings, Settings, fans_out, read_settings, read_storage
from shared.settings.table import IDENTITY_CLIENT_ID


def run_on_timer(*, past_due: bool = False) -> None:
    """Do one run of every configured scan, for the timer.

    Raises:
        ScanError: at least one scan failed; the others have run nevertheless. The platform
            marks the invocation as failed.
    """
    _raise_failures(run_scans(os.environ, past_due=past_due))


def due_queue() -> str | None:
    """Return the queue through which the timer hands scans to workers; None if it runs them."""
    return QUEUE if fans_out(os.environ) else None


def hand_out(status: Mapping[str, str] | None, *, past_due: bool = False) -> list[str]:
    """Return the messages that hand the scans to workers, for the timer of several scans.

    The scans of a single API host are run at once, as by `run_on_timer`. So are the scans of the
    settings if storage cannot say which scans there are: the report lines then say what is wrong
    with it.

    Args:
        status: when the timer was due and when it had fired before, see `tick_of`.
        past_due: whether the platform started the timer late.

    Raises:
        ScanError: the settings are invalid, or a scan that was run at once failed.
    """
    app = _opened(os.environ, past_due=past_due)
    if isinstance(app, RunResult):
        _raise_failures([app])
        return []
    try:
        scans = [(it.policy.scan, it.api.host) for it in read_settings(app.environ).scans]
    except SettingsError:
        scans = []  # The run reports it.
    if app.unread or len({host for _, host in scans}) <= 1:
        _raise_failures(run_app(app, past_due=past_due))
        return []
    handed = messages(scans, tick_of(status, SystemClock().now(), past_due=past_due))
    show_overview(app)
    logger.info("handed %d scans to workers in %d messages", len(scans), len(handed))
    return handed


def run_on_message(message: bytes) -> None:
    """Do one run of each scan that a message names, for a worker.

    A scan that is no longer configured is left out. A message that has expired is reported, and
    nothing is done. A scan that fails is reported and not raised: the platform would deliver the
    message again at once, and the timer's next message does the same later.

    Raises:
        UnreadableMessage: the message cannot be read. The platform puts it aside in the end.
    """
    try:
        due = decode(message)
    except UnreadableMessage as error:
        report_unbuilt(_run_id(), error)
        raise
    if due.expires <= SystemClock().now():
        for scan in due.scans:
            report_expired(scan, _run_id(), lateness(due))
        return
    run_scans(os.environ, past_due=due.past_due, only=frozenset(due.scans))


def _raise_failures(results: Iterable[RunResult]) -> None:
    failed = [result.error for result in results if result.error]
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ExceptionGroup("several scans failed", failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The settings of an app with its list of scans.

    Attributes:
        environ: the settings, and among them the list in use.
        wrong_list: why the newest list is not in use; None if it is.
        account: connection to the storage account, if the list was looked for.
        unread: why nothing is known about the list; None if it is known.
    """

    environ: Mapping[str, str]
    wrong_list: WrongList | None = None
    account: BlobServiceClient | None = None
    unread: StoreUnavailable | None = None


def open_app(environ: Mapping[str, str], *, keeps: bool = False, adapt: Adapt | None = None) -> App:
    """Return an app with its list of scans, which is read from storage.

    Whoever runs scans reads the list here.

    Args:
        environ: the settings.
        keeps: whether a valid list becomes the one that stays in use when a later one is wrong.
        adapt: changes the text of the list before it is used.

    Raises:
        SettingsError: the list is wrong, and there is no earlier one that is valid.
        StoreUnavailable: storage cannot be reached or refuses, and nothing says which scans there
            are.
    """
    try:
        settings = read_storage(environ)
    except SettingsError:
        return App(environ=environ)  # Whoever needs storage says what is wrong.
    account = _account(settings, environ)
    state = account.get_container_client(settings.state)
    known = _lists.setdefault(state.url.partition("?")[0], Known())
    found = ListReader(BlobScanList(state), known, adapt=adapt).read(environ, keeps=keeps)
    return App(environ=found.environ, wrong_list=found.wrong, account=account)


_lists: dict[str, Known] = {}
"""What this process knows of the list of scans, by the address of the state container."""


Watch = Callable[[LedgerStore, Tally, Policy], LedgerStore]
"""Returns a scan's ledger store in a form that shows how its run comes along."""

Scans = AbstractSet[str]
"""Names of scans."""


def run_scans(
    environ: Mapping[str, str],
    *,
    past_due: bool = False,
    watch: Watch | None = None,
    only: Scans | None = None,
) -> list[RunResult]:
    """Do one run of every configured scan; report each with one log line.

    Whatever goes wrong is in a report line: in that of its scan, or in a single one if the settings
    are invalid. Nothing is raised.

    Args:
        environ: the settings.
        past_due: whether the platform started the runs late.
        watch: shows how each run comes along; None where nobody looks.
        only: names of the scans to run; None for all.
    """
    app = _opened(environ, past_due=past_due, keeps=only is None)
    if isinstance(app, RunResult):
        return [app]
    if app.unread and only:
        return [
            report_unbuilt(_run_id(), app.unread, scan=it, past_due=past_due) for it in sorted(only)
        ]
    results = run_app(app, past_due=past_due, watch=watch, only=only)
    if only is None:
        show_overview(app)
    return results


def _opened(environ: Mapping[str, str], *, past_due: bool, keeps: bool = True) -> App | RunResult:
    """Return the app whose scans are to be run, or the report of what is wrong with its list."""
    quiet_azure()
    try:
        return open_app(environ, keeps=keeps)
    except StoreUnavailable as error:
        # The scans of the settings fail, but doctor may still examine what is wrong with storage.
        return App(environ=environ, unread=error)
    except Exception as error:  # noqa: BLE001 - reported here, raised again by the entry points
        return report_unbuilt(_run_id(), error, past_due=past_due)


def show_overview(app: App) -> None:
    """Write the overview of several scans into the app's state container, for the timer.

    It reads what the runs have stored, whoever did them. Whatever goes wrong is a warning.
    """
    if app.unread:
        return  # Storage does not answer.
    try:
        settings = read_settings(app.environ)
        if len(settings.scans) == 1:
            return
        account = app.account or _account(settings.storage, app.environ)
        own = BlobDerivedStore(state_container(settings, app), "")
        places = (
            _place(settings, it, account.get_container_client(it.storage.state))
            for it in settings.scans
        )
        write_overview(places, own, draw_overview, SystemClock())
    except SettingsError:
        return  # The run has reported what is wrong with them.
    except Exception as error:  # noqa: BLE001 - the runs are done; the next timer writes it again
        logger.warning("the overview could not be written: %s", error)


def _place(settings: Settings, scan: ScanSettings, state: ContainerClient) -> Place:
    """Return where the status of a scan is, and its page as seen from the overview."""
    name, container = scan.policy.scan, scan.storage.state
    away = "" if container == settings.storage.state else f"../{container}/"
    return Place(
        scan=name,
        api=scan.policy.api,
        derived=BlobDerivedStore(state, name),
        page=f"{away}{status_name(name, 'html')}",
    )


def _page_maker(settings: Settings, scan: ScanSettings) -> Callable[[Status], bytes]:
    """Return what draws the page of a scan.

    It leads back to the overview, unless the scan has a state container of its own: a customer
    may read that container, and not the app's.
    """
    leads_back = len(settings.scans) > 1 and scan.storage.state == settings.storage.state
    return partial(draw, overview=f"../{overview_name('html')}" if leads_back else None)


def run_app(
    app: App, *, past_due: bool = False, watch: Watch | None = None, only: Scans | None = None
) -> list[RunResult]:
    """Do one run of every scan of an app, as `run_scans` does."""
    clock = SystemClock()
    try:
        settings = read_settings(app.environ)
        scans = [it for it in settings.scans if only is None or it.policy.scan in only]
        containers = storage(settings, app)
        sources = {api: api_source(api) for api in {it.api for it in scans}}
    except Exception as error:  # noqa: BLE001 - reported here, raised again by the entry points
        return [report_unbuilt(_run_id(), app.unread or error, past_due=past_due)]
    hosts = _shared_hosts(app, settings)
    jobs = [
        replace(
            _job(app, it, containers[it.policy.scan], sources[it.api]),
            draw=_page_maker(settings, it),
            host=hosts.get(it.api.host),
        )
        for it in scans
    ]
    jobs = [_watched(job, watch) for job in jobs] if watch else jobs
    before = None
    if jobs and scans[0] is settings.scans[0]:
        # One scan speaks for all: an alert for each of them would say the same.
        jobs = [replace(jobs[0], wrong_list=app.wrong_list), *jobs[1:]]
        before = partial(_examined, settings, containers, app.environ)
    try:
        return run_all(jobs, clock, past_due=past_due, before=before)
    finally:
        _close(sources.values())


def _job(
    app: App,
    scan: ScanSettings,
    containers: Containers,
    source: HttpActivitySource,
) -> Job:
    """Return what one run of a scan needs; nothing is requested yet."""
    policy = scan.policy
    ports = Ports(
        source=source,
        ledgers=BlobLedgerStore(containers.state, policy.scan),
        results=BlobResultStore(containers.data, containers.manifests, policy.scan),
        clock=SystemClock(),
    )
    return Job(
        policy=policy,
        ports=ports,
        derived=BlobDerivedStore(containers.state, policy.scan),
        draw=draw,
        tally=Tally(scan=policy.scan, run=_run_id()),
        prepare=lambda: _prepare(app, scan, containers),
    )


def _prepare(app: App, scan: ScanSettings, containers: Containers) -> None:
    if app.unread:
        raise app.unread
    make_local_containers(scan, containers)


def _watched(job: Job, watch: Watch) -> Job:
    """Return the same job with a ledger store that shows how it comes along."""
    store = watch(job.ports.ledgers, job.tally, job.policy)
    return replace(job, ports=replace(job.ports, ledgers=store))


def _examined(
    settings: Settings,
    containers: Mapping[str, Containers],
    environ: Mapping[str, str],
    jobs: list[Job],
) -> list[Job]:
    """Let doctor examine the first scan's API and storage, if its label is new.

    Return the runs that follow.
    """
    if settings.doctor is None:
        return jobs
    # Doctor is half as large as the scan, and a cold start rarely needs it.
    from shared.adapters.blob_trials import BlobTrials  # noqa: PLC0415
    from shared.scan.doctor import Doctor, examine_once  # noqa: PLC0415

    first = settings.scans[0]
    doctor = Doctor(
        label=quoted(settings.doctor, LABEL_MOST),
        authorization=authorization(first.api, SystemClock()),
        storage=BlobTrials(containers[first.policy.scan]),
        accepted=lambda proposed: accepted(environ, proposed),
    )
    return examine_once(doctor, jobs)


def accepted(environ: Mapping[str, str], proposed: Mapping[str, str]) -> dict[str, str]:
    """Return those of the proposed settings that the program accepts beside the present ones."""
    kept: dict[str, str] = {}
    for name, value in proposed.items():
        try:
            read_settings({**environ, **kept, name: value})
        except SettingsError:
            continue
        kept[name] = value
    return kept


def make_local_containers(scan: ScanSettings, containers: Containers) -> None:
    """Make a scan's missing containers where there is no deployment that makes them."""
    if scan.storage.connection_string:
        make_missing(containers)


def _close(sources: Iterable[HttpActivitySource]) -> None:
    for source in sources:
        try:
            source.close()
        except Exception as error:  # noqa: BLE001 - every scan has its report by now
            logger.warning("the connection to the API could not be closed: %s", error)


LABEL_MOST = 40
"""Characters of a label that are kept."""


def _shared_hosts(app: App, settings: Settings) -> dict[str, SharedHost]:
    """Return each API host that several scans ask; nothing is requested yet.

    The only scan of a host has its ledger to count its requests.
    """
    counts = Counter(it.api.host for it in settings.scans)
    if max(counts.values()) == 1:
        return {}
    state = state_container(settings, app)
    return {
        host: SharedHost(
            name=host,
            per_minute=settings.requests_per_minute,
            store=BlobBudgetStore(state, host),
            prepare=lambda: _prepare_state(app, settings, state),
        )
        for host, scans in counts.items()
        if scans > 1
    }


def _prepare_state(app: App, settings: Settings, state: ContainerClient) -> None:
    if app.unread:
        raise app.unread
    if settings.storage.connection_string:
        make_container(state)


def quiet_azure() -> None:
    """Keep the SDKs' request logging out of the log, which is for the report lines."""
    logging.getLogger("azure").setLevel(logging.WARNING)


def api_source(api: ApiSettings) -> HttpActivitySource:
    """Return the API as configured; nothing is requested yet."""
    try:
        return HttpActivitySource(api.url, authorization(api, SystemClock()))
    except ValueError as error:  # The identity library judges the tenant itself.
        raise SettingsError([f"MDA_TENANT_ID or MDA_CLIENT_ID is refused: {error}"]) from error


def storage(settings: Settings, app: App) -> dict[str, Containers]:
    """Return the containers of each scan, by its name; nothing is requested yet."""
    account = app.account or _account(settings.storage, app.environ)
    return {it.policy.scan: containers_of(account, it.storage) for it in settings.scans}


def state_container(settings: Settings, app: App) -> ContainerClient:
    """Return the app's own state container; nothing is requested yet."""
    account = app.account or _account(settings.storage, app.environ)
    return account.get_container_client(settings.storage.state)


def _account(settings: StorageSettings, environ: Mapping[str, str]) -> BlobServiceClient:
    in_azure = bool(environ.get("IDENTITY_ENDPOINT"))
    identity = environ.get(IDENTITY_CLIENT_ID.name, "").strip() or None
    try:
        return open_account(
            settings, lambda: storage_credential(identity, SystemClock(), in_azure=in_azure)
        )
    except ValueError:  # Its text may repeat the value, which may hold a key.
        problem = "STORAGE_ACCOUNT_URL or STORAGE_CONNECTION_STRING is malformed: copy it again"
        raise SettingsError([problem]) from None


def _run_id() -> str:
    return uuid.uuid4().hex
