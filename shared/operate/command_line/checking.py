"""The commands that only ask storage: `verify` and `status`."""

import sys
from typing import Annotated

import msgspec
import typer

from shared.adapters.system_clock import SystemClock
from shared.operate.command_line.options import AnyScan, EnvFile, FromApp
from shared.operate.command_line.session import FAILED, archives_of, environ_of, failures
from shared.operate.display import display, standard_error
from shared.operate.environment import read_time
from shared.operate.status import lines_of, read_status
from shared.operate.verify import Verifier


def verify(  # noqa: PLR0913 - each is an option
    *,
    scan: AnyScan = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Read parts of hours from then on (ISO 8601)."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Read parts of hours before then.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write the result to standard output as JSON.")
    ] = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Check what is stored: the chain of manifests, every part, the ledger.

    It only reads from storage, and may run beside the scan.
    """
    console = standard_error()
    with failures(console):
        places = archives_of(environ_of(env_file, from_app), scan)
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
            sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    if not all(found.is_sound for found in checked):
        raise typer.Exit(FAILED)


def status(
    *,
    scan: AnyScan = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write a JSON object for each scan instead.")
    ] = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Show how the scans are: a verdict in words, what needs a person, and the last 30 days.

    Only storage is asked, and nothing is written. It may run beside the scan.
    """
    console = standard_error()
    with failures(console):
        places = archives_of(environ_of(env_file, from_app), scan)
        now = SystemClock().now()
        found = [read_status(it.ledgers, it.derived, it.policy, now=now) for it in places]
    for it in found:
        text = msgspec.json.encode(it).decode() if as_json else "\n".join(lines_of(it))
        sys.stdout.write(text + "\n")
