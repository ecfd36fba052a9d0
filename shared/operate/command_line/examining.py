"""The command `doctor`, which asks the API, storage and the identity how they really are."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from shared import __version__
from shared.bootstrap import accepted, quiet_azure
from shared.core.audit.doctor import transcripts
from shared.operate.building import patient
from shared.operate.command_line.options import AsJson, EnvFile, FromApp
from shared.operate.command_line.session import FAILED, app_of, failures, write_json
from shared.operate.display import display, standard_error
from shared.operate.doctor import examine, lines_of


def doctor(
    *,
    as_json: AsJson = False,
    transcript: Annotated[
        Path | None,
        typer.Option(
            "--transcript",
            metavar="FILE",
            help="Write an anonymised account of what was asked and answered: no identifier, name, "
            "address or text of an activity is in it.",
        ),
    ] = None,
    scan: Annotated[
        str | None,
        typer.Option(
            "--scan",
            metavar="NAME",
            help="Judge the settings of this scan.",
            show_default="the first",
        ),
    ] = None,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Check settings, sign-in, storage and clocks, and measure what the API leaves undocumented.

    It sends at most 20 requests, at a pace that leaves a running scan its share. No run,
    reader or check ever sees what it writes to storage.
    """
    console = standard_error()
    with failures(console, as_json=as_json):
        quiet_azure()
        app = app_of(env_file, from_app, asks_api=True)
        with patient(app, scan) as examined, display(console, live=True) as shown:
            result, probing = examine(examined, shown, lambda it: accepted(app.environ, it))
        if transcript is not None:
            account = transcripts.transcript(probing, __version__)
            transcript.write_bytes(transcripts.encode(account))
    if as_json:
        write_json(result)
    else:
        sys.stdout.write("\n".join(lines_of(result)) + "\n")
    if not result.is_sound:
        raise typer.Exit(FAILED)
