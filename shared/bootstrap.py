"""Where everything is put together: settings, adapters, the use case, and the report line."""

import logging
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.access import ApiSettings
from shared.adapters.activities_api import HttpActivitySource
from shared.adapters.blob_derived import BlobDerivedStore
from shared.adapters.blob_ledger import BlobLedgerStore
from shared.adapters.blob_results import BlobResultStore
from shared.adapters.blob_storage import Containers, make_missing, open_containers
from shared.adapters.credentials import authorization, storage_credential
from shared.adapters.system_clock import SystemClock
from shared.core.audit.announcing import EVENT_SCHEMAS, Place
from shared.core.audit.history import History
from shared.core.errors import ScanError, SettingsError, StoreError
from shared.core.model import Policy
from shared.core.state.report import Outcome, Tally, encode, report_fields
from shared.ports import DerivedStore, LedgerStore, Ports, ResultArchive
from shared.scan import scan_once
from shared.scan.history import take_in
from shared.settings import Settings, read_settings
from shared.sharing import SharedBudget, in_turn

if TYPE_CHECKING:
    from shared.adapters.storage_queue import StorageQueue

logger = logging.getLogger("activity_scan")
"""Everything this program says; one line per scan and run is the report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How one run of one scan ended.

    Attributes:
        scan: the scan's name.
        outcome: why it ended.
        line: its report, as logged.
        error: what ended it, when it failed.
    """

    scan: str
    outcome: Outcome
    line: str
    error: Exception | None


def run(*, past_due: bool = False) -> None:
    """Do one run of every configured scan, as the timer does.

    Raises:
        ScanError: at least one scan failed; the others have run all the same. The platform
            marks the run as failed.
    """
    results = run_scans(os.environ, past_due=past_due)
    failed = [result.error for result in results if result.error]
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise ExceptionGroup("several scans failed", failed)


def run_scans(environ: Mapping[str, str], *, past_due: bool = False) -> list[RunResult]:
    """Do one run of every configured scan; report each with one log line.

    Whatever goes wrong is in a report line: of its scan, or of all scans when the settings are
    wrong. Nothing is raised.
    """
    quiet_azure()
    clock = SystemClock()
    try:
        settings = read_settings(environ)
        containers = storage(settings, environ)
        source = api_source(settings.api)
    except Exception as error:  # noqa: BLE001 - reported here, raised again by `run`
        return [_report(Tally(scan="", run=_run_id()), None, "failed", 0, error, past_due)]
    budget = _shared_budget(settings)
    results: dict[str, RunResult] = {}
    started = clock.elapsed()
    scans = in_turn(settings.scans, settings.requests_per_minute, clock.now())
    try:
        for place, policy in enumerate(scans):
            if budget:
                spent = clock.elapsed() - started
                clock.sleep(budget.pause_before(scans, place, clock.elapsed(), spent))
            results[policy.scan] = _run_one(
                policy, settings, containers, source, clock, budget=budget, past_due=past_due
            )
    finally:
        _close(source)
    return [results[policy.scan] for policy in settings.scans]


def _close(source: HttpActivitySource) -> None:
    try:
        source.close()
    except Exception as error:  # noqa: BLE001 - every scan has its report by now
        logger.warning("the connection to the API could not be closed: %s", error)


_budgets: dict[tuple[str, int], SharedBudget] = {}
"""By address and limit; kept, since an invocation may begin less than 60 s after the last one."""


def _shared_budget(settings: Settings) -> SharedBudget | None:
    """Return what the scans of this app share; a single one has its ledger for that."""
    if len(settings.scans) == 1:
        return None
    key = (settings.api.url, settings.requests_per_minute)
    return _budgets.setdefault(key, SharedBudget(settings.requests_per_minute))


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What one scan has stored, for checking and rebuilding."""

    policy: Policy
    ledgers: LedgerStore
    results: ResultArchive


def archives(environ: Mapping[str, str]) -> list[Archive]:
    """Return what every configured scan has stored; nothing is requested yet.

    Raises:
        SettingsError: at least one setting is wrong.
    """
    settings = read_settings(environ)
    containers = storage(settings, environ)
    return [
        Archive(
            policy=policy,
            ledgers=BlobLedgerStore(containers.state, policy.scan),
            results=BlobResultStore(containers.data, containers.manifests, policy.scan),
        )
        for policy in settings.scans
    ]


def announced_place(environ: Mapping[str, str], *, schema: str, topic: str) -> Place:
    """Return where parts are, as messages about them name it; nothing is requested.

    Raises:
        SettingsError: at least one setting or option is wrong.
    """
    settings = read_settings(environ)
    data = storage(settings, environ).data
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


def message_queue(environ: Mapping[str, str], name: str) -> "StorageQueue":
    """Return the queue of this name or address; nothing is requested yet.

    Raises:
        SettingsError: at least one setting is wrong, or the queue's package is missing.
    """
    settings = read_settings(environ)
    identity, in_azure = settings.api.identity_client_id, bool(environ.get("IDENTITY_ENDPOINT"))
    try:
        # The deployed function sends nothing, and its package does not have this.
        from shared.adapters.storage_queue import open_queue  # noqa: PLC0415
    except ImportError as error:
        problem = "azure-storage-queue is not installed: install requirements-cli.txt"
        raise SettingsError([problem]) from error
    return open_queue(
        settings.storage,
        name,
        lambda: storage_credential(identity, SystemClock(), in_azure=in_azure),
    )


def quiet_azure() -> None:
    """Keep the SDKs' request logging out of the log; the report line is what counts."""
    logging.getLogger("azure").setLevel(logging.WARNING)


def api_source(api: ApiSettings) -> HttpActivitySource:
    """Return the API as configured; nothing is requested yet."""
    try:
        return HttpActivitySource(api.url, authorization(api, SystemClock()))
    except ValueError as error:  # The identity library judges the tenant itself.
        raise SettingsError([f"MDA_TENANT_ID or MDA_CLIENT_ID is refused: {error}"]) from error


def storage(settings: Settings, environ: Mapping[str, str]) -> Containers:
    """Return the containers as configured; nothing is requested yet."""
    in_azure = bool(environ.get("IDENTITY_ENDPOINT"))
    identity = settings.api.identity_client_id
    try:
        return open_containers(
            settings.storage,
            lambda: storage_credential(identity, SystemClock(), in_azure=in_azure),
        )
    except ValueError:  # Its text may repeat the value, which may hold a key.
        problem = "STORAGE_ACCOUNT_URL or STORAGE_CONNECTION_STRING is malformed: copy it again"
        raise SettingsError([problem]) from None


def _run_one(  # noqa: PLR0913 - the composition root hands over what it made
    policy: Policy,
    settings: Settings,
    containers: Containers,
    source: HttpActivitySource,
    clock: SystemClock,
    *,
    budget: SharedBudget | None,
    past_due: bool,
) -> RunResult:
    ports = Ports(
        source=source,
        ledgers=BlobLedgerStore(containers.state, policy.scan),
        results=BlobResultStore(containers.data, containers.manifests, policy.scan),
        clock=clock,
        budget=budget,
    )
    tally = Tally(scan=policy.scan, run=_run_id())
    started = clock.elapsed()
    outcome: Outcome = "failed"
    failure: Exception | None = None
    try:
        if settings.storage.connection_string:
            make_missing(containers)
        outcome = scan_once(ports, policy, tally)
    except Exception as error:  # noqa: BLE001 - reported here, raised again by `run`
        failure = error
    duration = clock.elapsed() - started
    derived = BlobDerivedStore(containers.state, policy.scan)
    _remember(ports, derived, tally)
    result = _report(tally, policy, outcome, duration, failure, past_due)
    if not isinstance(failure, StoreError):
        _keep(ports.ledgers, result.line, clock.now())
    return result


def _remember(ports: Ports, derived: DerivedStore, tally: Tally) -> History | None:
    """Take new manifests into the history; what goes wrong is worth a warning, not the run."""
    if tally.ledger is None:
        return None
    try:
        return take_in(tally.ledger, ports.results, derived, ports.clock)
    except Exception as error:  # noqa: BLE001 - history is derived, and the next run makes it
        logger.warning("the history could not be written: %s", error)
        return None


def _report(  # noqa: PLR0913, PLR0917 - private, the report's own fields
    tally: Tally,
    policy: Policy | None,
    outcome: Outcome,
    duration: int,
    error: Exception | None,
    past_due: bool,  # noqa: FBT001 - private
) -> RunResult:
    try:
        fields = report_fields(
            tally, policy, outcome, duration=duration, error=error, past_due=past_due
        )
        line = encode(fields)
    except Exception as broken:  # noqa: BLE001 - a ledger that no report expects; say at least that
        error = error or broken
        bare = Tally(scan=tally.scan, run=tally.run, warnings=[f"the report failed: {broken!r}"])
        outcome = "failed"
        fields = report_fields(bare, None, outcome, duration=duration, error=error)
        line = encode(fields)
    if error is None:
        logger.log(logging.WARNING if fields["warnings"] else logging.INFO, line)
    elif isinstance(error, ScanError):
        logger.error(line)
    else:
        logger.error(line, exc_info=error)
    return RunResult(scan=tally.scan, outcome=outcome, line=line, error=error)


def _keep(ledgers: LedgerStore, line: str, now: int) -> None:
    """Append the report to the run log; its loss is worth a warning, not the run."""
    try:
        ledgers.append_run(line, now=now)
    except Exception as error:  # noqa: BLE001 - the line is in the log already
        logger.warning("the run log could not be written: %s", error)


def _run_id() -> str:
    return uuid.uuid4().hex
