"""The command `table`."""

from typing import Annotated

import typer
from rich.console import Console

from shared.adapters.system_clock import SystemClock
from shared.core.errors import SettingsError
from shared.core.state.manifest import Manifest
from shared.operate.building import feeds_and_tables
from shared.operate.command_line.options import AnyScan, AsJson, EnvFile, FromApp
from shared.operate.command_line.session import app_of, failures, write_json
from shared.operate.display import display, standard_error
from shared.operate.table import described, follow_shown, keep_shown
from shared.operate.watching import repeat
from shared.table.following import Follower, last_manifests
from shared.table.keeping import Kept
from shared.table.ports import TableUpkeep

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
    no_upkeep: Annotated[
        bool,
        typer.Option("--no-upkeep", help="Neither merge small files nor remove old ones."),
    ] = False,
    delete_after: Annotated[
        int | None,
        typer.Option(
            metavar="DAYS", min=1, help="Let days older than this leave the table, with their rows."
        ),
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
        if delete_after is not None and no_upkeep:
            raise SettingsError(["--delete-after needs upkeep: leave --no-upkeep out"])
        app = app_of(env_file, from_app)

        def catch_up() -> None:
            places = feeds_and_tables(app, scan, address)
            followers = [Follower(feed, it) for feed, it in places]
            for follower in followers:
                _follow(follower, console, as_json=as_json)
            if not no_upkeep:
                # The scans share one table.
                newest = last_manifests(followers)
                _keep(places[0][1], newest, console, delete_after, as_json=as_json)

        catch_up()
        if every is not None:
            repeat(catch_up, SystemClock(), every)


def _follow(follower: Follower, console: Console, *, as_json: bool) -> None:
    with display(console, live=True) as shown:
        done = follow_shown(follower, shown)
    console.print(str(done), soft_wrap=True)
    if as_json:
        write_json(done)


def _keep(
    table: TableUpkeep,
    newest: list[Manifest],
    console: Console,
    delete_after: int | None,
    *,
    as_json: bool,
) -> None:
    with display(console, live=True) as shown:
        kept = keep_shown(table, newest, shown, SystemClock(), delete_after)
    if kept == Kept():
        return
    console.print(described(kept), soft_wrap=True)
    if as_json:
        write_json(kept)
