"""The commands about the ledger as a whole: `ledger rebuild`."""

from typing import Annotated

import typer

from shared.adapters.system_clock import SystemClock
from shared.operate.command_line.options import EnvFile, FromApp, OneScan
from shared.operate.command_line.session import archive_of, environ_of, failures
from shared.operate.display import display, standard_error
from shared.operate.rebuild import rebuild, write

ledger_app = typer.Typer(help="What to do when a ledger is lost.", no_args_is_help=True)


@ledger_app.command("rebuild")
def rebuild_ledger(
    *,
    scan: OneScan = None,
    write_it: Annotated[
        bool, typer.Option("--write", help="Write the ledger instead of only showing it.")
    ] = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Rebuild a lost ledger from the manifests, and show it.

    It is written only with --write, and only if there is no ledger.
    """
    console = standard_error()
    with failures(console):
        place = archive_of(environ_of(env_file, from_app), scan)
        with display(console, live=True) as shown:
            clock, lines = SystemClock(), place.ledgers.report_lines()
            made = rebuild(
                place.results,
                place.policy,
                clock.now(),
                shown,
                clock=clock,
                report_lines=lines,
            )
        console.print(str(made), soft_wrap=True)
        if write_it:
            write(place.ledgers, made)
        said = "written" if write_it else "nothing is written: add --write when this is right"
        console.print(said, soft_wrap=True)
