"""The command `plan`."""

import sys
from typing import Annotated

import typer

from shared.adapters.system_clock import SystemClock
from shared.operate.command_line.options import AnyScan, AsJson, EnvFile, FromApp
from shared.operate.command_line.session import app_of, archives_of, failures, write_json
from shared.operate.display import standard_error
from shared.operate.planning import lines_of, read_plan


def plan(
    *,
    most: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="How many requests to show for each scan.")
    ] = 10,
    scan: AnyScan = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Show what the next run would do and why, without doing it.

    It only reads from storage, and may run while the scan runs.
    """
    console = standard_error()
    with failures(console, as_json=as_json):
        places = archives_of(app_of(env_file, from_app), scan)
        now = SystemClock().now()
        found = [read_plan(it.ledgers, it.derived, it.policy, now=now) for it in places]
    for it in found:
        if as_json:
            write_json(it)
        else:
            sys.stdout.write("\n".join(lines_of(it, most)) + "\n")
