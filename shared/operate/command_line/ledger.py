"""The commands about the ledger as a whole: `ledger show`, `history`, `restore`, `rebuild`."""

import sys
from typing import Annotated

import typer

from shared.adapters.system_clock import SystemClock
from shared.core.errors import LeverRefused
from shared.core.state import ledger as ledgers
from shared.operate import versions
from shared.operate.command_line.deciding import ask, scan_of, tell
from shared.operate.command_line.options import (
    AsJson,
    EnvFile,
    FromApp,
    OneScan,
    Reason,
    TakeOver,
    Yes,
)
from shared.operate.command_line.session import app_of, archive_of, failures, write_json
from shared.operate.display import display, standard_error
from shared.operate.levers import who
from shared.operate.rebuild import rebuild, write
from shared.operate.showing import lines_of
from shared.operate.versions import read_versions

ledger_app = typer.Typer(
    help="Show the ledger of a scan, and repair it when it is lost or damaged.",
    no_args_is_help=True,
)


@ledger_app.command("rebuild")
def rebuild_ledger(
    *,
    scan: OneScan = None,
    write_it: Annotated[
        bool, typer.Option("--write", help="Write the ledger instead of only showing it.")
    ] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Rebuild a lost ledger from the manifests, and show it.

    It is written only with --write, and only if there is no ledger.
    """
    console = standard_error()
    with failures(console, as_json=as_json):
        place = archive_of(app_of(env_file, from_app), scan)
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
        said = "written" if write_it else "nothing was written: add --write if this is right"
        console.print(said, soft_wrap=True)
        if as_json:
            write_json({"written": write_it, "adopted": made.adopted, "ledger": made.ledger})


@ledger_app.command("show")
def show_ledger(
    *,
    scan: OneScan = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write the ledger to standard output as it is stored.")
    ] = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Show the ledger of a scan: what is covered, what is open, what was decided."""
    console = standard_error()
    with failures(console, as_json=as_json):
        place = archive_of(app_of(env_file, from_app), scan)
        content = place.ledgers.load().content
        if content is None:
            raise LeverRefused(
                f"scan {place.policy.scan!r} has no ledger: there is nothing to show"
            )
        if as_json:
            sys.stdout.write(content.decode("utf-8", "backslashreplace"))
            return
        lines = lines_of(ledgers.decode(content), SystemClock().now())
        sys.stdout.write("\n".join(lines) + "\n")


@ledger_app.command("history")
def ledger_history(
    *,
    most: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Versions to show, the newest first.")
    ] = 20,
    scan: OneScan = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Show the earlier versions of the ledger that the account keeps, and which fit the chain."""
    console = standard_error()
    with failures(console, as_json=as_json):
        place = archive_of(app_of(env_file, from_app), scan)
        found = read_versions(place.state, place.results, most)
        if as_json:
            for it in found:
                write_json(it)
            return
        sys.stdout.write("\n".join(versions.lines_of(found)) + "\n")


@ledger_app.command("restore")
def restore_ledger(  # noqa: PLR0913 - each is an option
    *,
    version: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Which version, as `ledger history` shows it.",
            show_default="the newest that fits",
        ),
    ] = None,
    reason: Reason = "",
    scan: OneScan = None,
    take_over: TakeOver = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Put an earlier version of the ledger back, if it fits the chain of manifests."""
    console = standard_error()
    with failures(console, as_json=as_json):
        place = archive_of(app_of(env_file, from_app), scan)
        chosen = versions.choose(place.state, place.results, version)
        for line in versions.lines_of([chosen]):
            console.print(line, soft_wrap=True)
        ask(console, yes=yes)
        with display(console, live=True) as shown:
            decision = versions.restore(
                scan_of(place),
                place.state,
                chosen.version,
                shown,
                by=who(),
                reason=reason,
                take_over=take_over,
            )
        tell(console, place.policy.scan, decision, as_json=as_json)
