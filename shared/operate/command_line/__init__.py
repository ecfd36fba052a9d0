"""The command line: every command of `python -m shared`, in modules by what they do.

Exit codes: 0 done, 1 failed or found something, 2 invalid settings or options.
"""

import typer

from shared.operate.command_line.announcing import announce
from shared.operate.command_line.checking import status, verify
from shared.operate.command_line.examining import doctor
from shared.operate.command_line.ledger import ledger_app
from shared.operate.command_line.levers import (
    accept_filters,
    backfill,
    pause,
    rescan,
    resume,
    retry,
)
from shared.operate.command_line.planning import plan
from shared.operate.command_line.quarantine import quarantine_app
from shared.operate.command_line.scanning import query, run
from shared.operate.command_line.scans import scans_app
from shared.operate.command_line.table import table

app = typer.Typer(
    help="Collect activities of Microsoft Defender for Cloud Apps: RUN the scan that the function "
    "app runs, QUERY the API once, VERIFY what is stored.\n\nSettings are environment variables "
    "(docs/settings.md). An --env-file overrides them, and an option overrides both.",
    epilog="Exit codes: 0 done, 1 failed, 2 invalid settings or options. "
    "More: docs/command-line.md",
    no_args_is_help=True,
    add_completion=False,
    # The library's own tracebacks show local variables, and with them secrets.
    pretty_exceptions_enable=False,
)
for command in (run, query, verify, status, plan, announce, doctor, table):
    app.command()(command)
for lever in (pause, resume, rescan, backfill, accept_filters, retry):
    app.command()(lever)
app.add_typer(ledger_app, name="ledger")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(scans_app, name="scans")
