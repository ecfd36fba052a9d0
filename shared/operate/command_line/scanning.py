"""The commands that ask the API: `run` and `query`."""

import logging
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shared.adapters.system_clock import SystemClock
from shared.bootstrap import api_source, quiet_azure, run_app
from shared.core.errors import SettingsError
from shared.operate.command_line.options import AsJson, AskedScan, EnvFile, FromApp
from shared.operate.command_line.session import (
    TWICE,
    app_of,
    code_of,
    environ_of,
    explain,
    failures,
    write_json,
)
from shared.operate.display import display, standard_error
from shared.operate.environment import read_filters, read_question
from shared.operate.following import Query
from shared.operate.gauging import RunGauge
from shared.operate.output import STANDARD_OUTPUT, opened
from shared.operate.querying import Asker, Found, follow
from shared.operate.running import run_once, run_until_idle
from shared.scan.reporting import RunResult, logger
from shared.settings import QuerySettings


def run(
    *,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Repeat until nothing is due any more.")
    ] = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Do one run of every scan, as the timer does, with the same settings.

    Progress is written to standard error. The report lines (JSON, docs/formats.md) are written to
    standard output, unless that is a terminal.
    """
    console = standard_error()

    def show(line: str) -> None:
        _report(line, as_json=as_json)

    with failures(console, as_json=as_json), _log_without_reports():
        app = app_of(env_file, from_app, asks_api=True, keeps=True)
        with display(console, live=True) as shown:
            clock = SystemClock()
            watch = RunGauge(shown, clock).watched
            if until_idle:
                results = run_until_idle(lambda: run_app(app, watch=watch), clock, shown, show)
            else:
                results = run_once(lambda: run_app(app, watch=watch), shown, show)
    _exit_for(console, results)


def query(  # noqa: PLR0913 - each is an option
    *,
    filters: Annotated[
        str | None,
        typer.Option(
            metavar="JSON|@FILE",
            help="The filters, as the API documents them. [SCAN_FILTERS, {}]",
        ),
    ] = None,
    sort_field: Annotated[
        str | None,
        typer.Option(metavar="date|created", help="Time to sort by. [SCAN_SORT_FIELD, date]"),
    ] = None,
    sort_direction: Annotated[
        str | None,
        typer.Option(metavar="asc|desc", help="Oldest or newest first. [SCAN_SORT_DIRECTION, asc]"),
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(metavar="500-5000", help="Activities per page. [SCAN_LIMIT, 5000]"),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            metavar="FILE|-",
            help="Where the activities go, one JSON object a line: a file, compressed when its "
            "name ends with .gz, or standard output (-).",
        ),
    ] = STANDARD_OUTPUT,
    scan: AskedScan = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Send one query to the API in scan mode, and follow it to the last page.

    Only the settings of the API are needed. The output file is called FILE.partial until it is
    complete, and keeps that name after a failure.
    """
    console = standard_error()
    options = {
        "SCAN_FILTERS": filters,
        "SCAN_SORT_FIELD": sort_field,
        "SCAN_SORT_DIRECTION": sort_direction,
        "SCAN_LIMIT": limit,
    }
    with failures(console, output, as_json=as_json):
        if as_json and output == STANDARD_OUTPUT:
            raise SettingsError([TWICE])
        if filters is not None:
            options["SCAN_FILTERS"] = read_filters(filters)
        given = {name: value for name, value in options.items() if value is not None}
        environ = _environ_for(scan, env_file, from_app) | given
        found = _ask(read_question(environ, scan), output, console)
    console.print(f"done: {found}", soft_wrap=True)
    if as_json:
        write_json({"output": output, **asdict(found)})


def _environ_for(scan: str | None, env_file: Path | None, from_app: str | None) -> dict[str, str]:
    """Return the settings of a query; storage is needed only to find a scan in scans.json."""
    if scan is None:
        return environ_of(env_file, from_app, asks_api=True)
    return dict(app_of(env_file, from_app, asks_api=True).environ)


def _ask(question: QuerySettings, output: str, console: Console) -> Found:
    quiet_azure()
    request = Query(
        filters=question.filters,
        axis=question.axis,
        direction=question.direction,
        limit=question.limit,
    )
    live = output != STANDARD_OUTPUT or not sys.stdout.isatty()
    with (
        closing(api_source(question.api)) as source,
        opened(output) as write,
        display(console, live=live) as shown,
    ):
        asker = Asker(source, SystemClock(), shown, per_minute=question.requests_per_minute)
        return follow(request, asker, write, shown)


def _exit_for(console: Console, results: list[RunResult]) -> None:
    errors = [(result.scan, result.error) for result in results if result.error]
    for scan, error in errors:
        explain(console, error, scan)
    if errors:
        raise typer.Exit(max(code_of(error) for _, error in errors))


def _report(line: str, *, as_json: bool) -> None:
    """Hand a report line to whatever reads standard output; a person reads the summary."""
    if as_json or not sys.stdout.isatty():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


@contextmanager
def _log_without_reports() -> Iterator[None]:
    """Show what the log says, but for the report lines: those are for standard output."""
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: not record.getMessage().startswith('{"event":'))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
