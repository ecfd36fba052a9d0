"""The command about the list of scans: `scans check`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from shared.operate.building import compare
from shared.operate.command_line.options import AsJson, EnvFile, FromApp
from shared.operate.command_line.session import FAILED, deployed_of, failures, write_json
from shared.operate.comparing import lines_of, read_containers
from shared.operate.display import standard_error
from shared.operate.environment import read_text

scans_app = typer.Typer(help="Work on the list of scans.", no_args_is_help=True)


@scans_app.callback()
def _group() -> None:
    """Make a group of the only command, whose name would otherwise be dropped."""


@scans_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The list: what scans.json is to contain.")],
    *,
    containers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The value of scanContainers that was deployed last: its readers, and its "
            "entries of removed scans, are kept.",
        ),
    ] = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Check a list of scans, and show what it changes.

    Standard output gets the value of the deployment's parameter scanContainers. It only reads from
    storage.
    """
    console = standard_error()
    with failures(console, as_json=as_json):
        text = read_text(str(file), file)
        kept = (
            read_containers(read_text(f"--containers {containers}", containers))
            if containers
            else []
        )
        deployed = deployed_of(env_file, from_app)
        found = compare(deployed, text, kept)
    for line in lines_of(found):
        console.print(line, soft_wrap=True)
    if as_json:
        write_json(found)
    else:
        sys.stdout.write(json.dumps(found.containers, indent=2) + "\n")
    if found.refused:
        raise typer.Exit(FAILED)
