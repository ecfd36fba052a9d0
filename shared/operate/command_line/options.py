"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="Settings that override the environment: lines of KEY=VALUE, or a "
        "local.settings.json.",
    ),
]

AnyScan = Annotated[
    str | None,
    typer.Option(
        "--scan",
        metavar="NAME",
        help="The scan to choose, by its name.",
        show_default="all that are configured",
    ),
]

OneScan = Annotated[
    str | None,
    typer.Option("--scan", metavar="NAME", help="The scan; required if several are configured."),
]

AskedScan = Annotated[
    str | None,
    typer.Option(
        "--scan",
        metavar="NAME",
        help="Ask the API of this scan; filters and sorting are not taken from it.",
        show_default="the API of the app's settings",
    ),
]

FromApp = Annotated[
    str | None,
    typer.Option(
        "--from-app",
        metavar="GROUP/APP",
        help="Read the settings of this deployed app, with your own Azure sign-in, instead of the "
        "environment's. RESOURCE_GROUP/APP or SUBSCRIPTION_ID/RESOURCE_GROUP/APP.",
    ),
]

AsJson = Annotated[
    bool,
    typer.Option("--json", help="Write only JSON to standard output, one object a line."),
]

Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Why, for the record of decisions and the report.")
]

Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]

TakeOver = Annotated[
    bool,
    typer.Option("--now", help="Do not wait for a run that is at work: take the scan over."),
]
