"""The commands that show how scans and their stores are: `verify` and `status`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shared.adapters.system_clock import SystemClock
from shared.core.audit.status import Status
from shared.operate.building import Archive
from shared.operate.command_line.options import AnyScan, AsJson, EnvFile, FromApp
from shared.operate.command_line.session import (
    FAILED,
    app_of,
    archives_of,
    failures,
    write_json,
)
from shared.operate.display import display, standard_error
from shared.operate.environment import read_time
from shared.operate.status import read_status
from shared.operate.verify import Verifier
from shared.operate.watching import (
    Page,
    Read,
    open_in_browser,
    own_file,
    patient,
    repeat,
    standard_output,
    text_of,
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
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the status page to this file."),
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

    It only reads from storage, and may run while the scan runs.
    """
    console = standard_error()
    with failures(console, as_json=as_json):
        places = archives_of(app_of(env_file, from_app), scan)
        path = html or (own_file() if opens else None)
        page = Page(path=path, refresh=every) if path else None
        _show(lambda: _read(places), console, page, as_json=as_json, opens=opens, every=every)


def _read(places: list[Archive]) -> list[Status]:
    now = SystemClock().now()
    return [
        read_status(it.ledgers, it.derived, it.policy, now=now, wrong_list=it.wrong_list)
        for it in places
    ]


def _show(  # noqa: PLR0913 - the options, by name
    read: Read,
    console: Console,
    page: Page | None,
    *,
    as_json: bool,
    opens: bool,
    every: int | None,
) -> None:
    """Show the statuses once, or until the user interrupts it."""
    read_again = patient(read, console)
    redraw = every is not None and not as_json
    with standard_output(redraw=redraw and page is None) as write:

        def show() -> None:
            statuses = read_again()
            if page:
                page.write(statuses)
            if as_json or not page:
                write(text_of(statuses, as_json=as_json))

        show()
        if page:
            console.print(page.address, soft_wrap=True)
        if page and opens:
            open_in_browser(page, console)
        if every is not None:
            repeat(show, SystemClock(), every)
