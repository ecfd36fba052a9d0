"""The command `table`."""

from typing import Annotated

import typer

from shared.adapters.system_clock import SystemClock
from shared.operate.building import followers
from shared.operate.command_line.options import AnyScan, AsJson, EnvFile, FromApp
from shared.operate.command_line.session import environ_of, failures, write_json
from shared.operate.display import display, standard_error
from shared.operate.table import follow_shown
from shared.operate.watching import repeat

ADDRESS = "az://table/activities"


def table(  # noqa: PLR0913 - each is an option
    *,
    address: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="ADDRESS",
            help="Where the table is: az://CONTAINER/FOLDER in the scan's storage account, or a "
            "folder of this machine.",
        ),
    ] = ADDRESS,
    scan: AnyScan = None,
    every: Annotated[
        int | None,
        typer.Option("--watch", metavar="SECONDS", min=1, help="Repeat until interrupted."),
    ] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Append new activities to a Delta table, each of them once (docs/table.md).

    It reads manifests and parts, and writes nothing but the table. It may be interrupted at any
    moment, and run beside the scan or beside another one like it.
    """
    console = standard_error()
    with failures(console, as_json=as_json):
        environ = environ_of(env_file, from_app)

        def catch_up() -> None:
            for feed, followed_by in followers(environ, scan, address):
                with display(console, live=True) as shown:
                    done = follow_shown(feed, followed_by, shown)
                console.print(str(done), soft_wrap=True)
                if as_json:
                    write_json(done)

        catch_up()
        if every is not None:
            repeat(catch_up, SystemClock(), every)
