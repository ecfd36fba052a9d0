"""The commands about answers that made no sense: `quarantine list` and `quarantine show`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from shared.core.errors import LeverRefused
from shared.operate import quarantine
from shared.operate.command_line.options import AsJson, EnvFile, FromApp, OneScan
from shared.operate.command_line.session import app_of, archive_of, failures, write_json
from shared.operate.display import standard_error

quarantine_app = typer.Typer(
    help="Show answers of the API that made no sense.", no_args_is_help=True
)


@quarantine_app.command("list")
def list_answers(
    *,
    scan: OneScan = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """List the answers that are kept, the newest first: when, for which slice, and why."""
    console = standard_error()
    with failures(console, as_json=as_json):
        found = archive_of(app_of(env_file, from_app), scan).state.kept_answers()
        if as_json:
            for it in found:
                write_json(quarantine.as_json(it))
            return
        sys.stdout.write("\n".join(quarantine.lines_of(found)) + "\n")


@quarantine_app.command("show")
def show_answer(  # noqa: PLR0913 - each is an option
    number: Annotated[
        int, typer.Argument(min=0, max=99, help="Which answer, as `quarantine list` numbers them.")
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the bytes to a file instead, as they came."),
    ] = None,
    scan: OneScan = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Show a kept answer. What could change the terminal is shown as an escape sequence."""
    console = standard_error()
    with failures(console, as_json=as_json):
        state = archive_of(app_of(env_file, from_app), scan).state
        content = state.kept_answer(number)
        kept = next((it for it in state.kept_answers() if it.slot == number), None)
        if content is None or kept is None:
            raise LeverRefused(f"no answer is kept as number {number:02}: see `quarantine list`")
        for line in quarantine.lines_of([kept]):
            console.print(line, soft_wrap=True)
        if output is not None:
            output.write_bytes(content)
        if as_json:
            write_json(quarantine.as_json(kept, content))
        elif output is None:
            sys.stdout.write(quarantine.printable(content) + "\n")
