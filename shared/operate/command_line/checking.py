"""The commands that show how scans and their stores are: `verify` and `status`."""

from typing import Annotated

import typer
from rich.console import Console

from shared.adapters.system_clock import SystemClock
from shared.core.audit.status import Status
from shared.core.model import Policy
from shared.operate.building import Archive
from shared.operate.command_line.options import AnyScan, AsJson, EnvFile, FromApp
from shared.operate.command_line.session import (
    FAILED,
    app_of,
    archives_of,
    explain,
    failures,
    write_json,
)
from shared.operate.display import display, standard_error
from shared.operate.environment import read_time
from shared.operate.reading import Progress
from shared.operate.status import FEW, Reading, read_all, read_status
from shared.operate.verify import Verifier
from shared.operate.watching import (
    Read,
    Target,
    open_in_browser,
    patient,
    repeat,
    standard_output,
    target_of,
    written,
)


def verify(  # noqa: PLR0913 - each is an option
    *,
    scan: AnyScan = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Read only parts of hours from this time on (ISO 8601)."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Read only parts of hours before this time (ISO 8601)."),
    ] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Check what is stored: the chain of manifests, every part, the ledger.

    It only reads from storage, and may run while the scan runs.
    """
    console = standard_error()
    with failures(console, as_json=as_json):
        places = archives_of(app_of(env_file, from_app), scan)
        bounds = read_time("--from", start), read_time("--until", until)
        with display(console, live=True) as shown:
            checked = [
                Verifier(it.results, it.ledgers, it.policy.scan, shown, SystemClock()).check(
                    *bounds
                )
                for it in places
            ]
    for found in checked:
        console.print(str(found), soft_wrap=True)
        if as_json:
            write_json(found)
    if not all(found.is_sound for found in checked):
        raise typer.Exit(FAILED)


def status(  # noqa: PLR0913 - each is an option
    *,
    scan: AnyScan = None,
    as_json: AsJson = False,
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="FILE|FOLDER/",
            help="Write the status page to this file; or an overview and a page of each scan to "
            "this folder.",
        ),
    ] = None,
    opens: Annotated[
        bool, typer.Option("--open", help="Open the status page in a browser.")
    ] = False,
    every: Annotated[
        int | None,
        typer.Option(
            "--watch",
            metavar="SECONDS",
            min=1,
            help="Repeat at this interval, until you interrupt it.",
        ),
    ] = None,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Show how the scans are: a verdict in words, what needs a person, and the last 30 days.

    Several scans begin with an overview, the worst first. It only reads from storage, and may run
    while the scans run.
    """
    console = standard_error()
    with failures(console, as_json=as_json):
        places = archives_of(app_of(env_file, from_app), scan)
        target = target_of(html, len(places), opens=opens, refresh=every)
        told = console if every is None and len(places) > FEW else None
        read = patient(lambda: _read(places, told), console)
        reading = _show(read, console, target, as_json=as_json, opens=opens, every=every)
    for name, error in reading.errors().items():
        explain(console, error, name)
    if reading.errors():
        raise typer.Exit(FAILED)


def _read(places: list[Archive], told: Console | None) -> Reading:
    """Read how the scans are, and tell meanwhile how many have been read."""
    now = SystemClock().now()
    by_scan = {it.policy.scan: it for it in places}

    def read(policy: Policy) -> Status:
        it = by_scan[policy.scan]
        return read_status(it.ledgers, it.derived, policy, now=now, wrong_list=it.wrong_list)

    policies = [it.policy for it in places]
    if told is None:
        return read_all(policies, read, now=now)
    with display(told, live=True) as shown:
        progress = Progress(shown, SystemClock(), len(places), ("scan", "scans"))
        return read_all(policies, read, now=now, step=progress.step)


def _show(  # noqa: PLR0913 - the options, by name
    read: Read,
    console: Console,
    target: Target | None,
    *,
    as_json: bool,
    opens: bool,
    every: int | None,
) -> Reading:
    """Show what is read, once or until the user interrupts it; return what was read first."""
    redraw = every is not None and not as_json
    with standard_output(redraw=redraw and target is None) as write:

        def show() -> Reading:
            reading = read()
            if target:
                target.write(reading)
            if as_json or not target:
                write(written(reading, as_json=as_json))
            return reading

        first = show()
        if target:
            console.print(target.address, soft_wrap=True)
        if target and opens:
            open_in_browser(target, console)
        if every is not None:
            repeat(show, SystemClock(), every)
        return first
