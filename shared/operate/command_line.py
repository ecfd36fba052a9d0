"""The commands `run` and `query`: options, exit codes, and what is said on standard error.

Exit codes: 0 done, 1 failed, 2 wrong settings or options.
"""

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import msgspec
import typer
from rich.console import Console

from shared.adapters.system_clock import SystemClock
from shared.bootstrap import (
    Archive,
    announced_place,
    api_source,
    archives,
    message_queue,
    quiet_azure,
    run_scans,
)
from shared.core.audit.announcing import EVENT_SCHEMAS
from shared.core.errors import ScanError, SettingsError
from shared.operate.announcing import Announcer, Send, Wanted
from shared.operate.display import display, standard_error
from shared.operate.environment import read_file, read_filters, read_question, read_time
from shared.operate.following import Query
from shared.operate.output import STANDARD_OUTPUT, opened, partial
from shared.operate.querying import Asker, Found, follow
from shared.operate.rebuild import rebuild, write
from shared.operate.running import run_once, run_until_idle
from shared.operate.status import lines_of, read_status
from shared.operate.verify import Verifier
from shared.scan.reporting import RunResult, logger
from shared.settings import QuerySettings

FAILED = 1
WRONG_SETTINGS = 2

app = typer.Typer(
    help="Collect activities of Microsoft Defender for Cloud Apps: RUN the scan that the function "
    "app runs, QUERY the API once, VERIFY what is stored.\n\nSettings are environment variables "
    "(docs/settings.md). An --env-file overrides them, and an option overrides both.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong settings or options. More: docs/command-line.md",
    no_args_is_help=True,
    add_completion=False,
    # The library's own tracebacks show local variables, and with them secrets.
    pretty_exceptions_enable=False,
)

EnvFile = Annotated[
    Path | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="Settings that override the environment: lines of KEY=VALUE, or a "
        "local.settings.json.",
    ),
]


@app.command()
def run(
    *,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="Repeat until nothing is due any more.")
    ] = False,
    env_file: EnvFile = None,
) -> None:
    """Do one run of every scan, as the timer does, with the same settings.

    Progress is written to standard error. The report lines (JSON, docs/formats.md) are written to
    standard output, unless that is a terminal.
    """
    console = standard_error()
    with _failures(console), _log_without_reports():
        environ = _environ(env_file)
        with display(console, live=True) as shown:
            if until_idle:
                clock = SystemClock()
                results = run_until_idle(lambda: run_scans(environ), clock, shown, _report)
            else:
                results = run_once(lambda: run_scans(environ), shown, _report)
    _exit_for(console, results)


@app.command()
def query(  # noqa: PLR0913 - each is an option
    *,
    filters: Annotated[
        str | None,
        typer.Option(
            metavar="JSON|@FILE",
            help="What to look for, as the API documents it: any filters. [SCAN_FILTERS, {}]",
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
        typer.Option(metavar="500-5000", help="Activities on a page. [SCAN_LIMIT, 5000]"),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            metavar="FILE|-",
            help="Where the activities go, one JSON object a line: a file, compressed when its "
            "name ends with .gz, or standard output (-).",
        ),
    ] = STANDARD_OUTPUT,
    env_file: EnvFile = None,
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
    with _failures(console, output):
        if filters is not None:
            options["SCAN_FILTERS"] = read_filters(filters)
        given = {name: value for name, value in options.items() if value is not None}
        found = _ask(read_question({**_environ(env_file), **given}), output, console)
    console.print(f"done: {found}", soft_wrap=True)


@app.command()
def verify(
    *,
    scan: Annotated[
        str | None, typer.Option(metavar="NAME", help="The scan; all that are configured.")
    ] = None,
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
) -> None:
    """Check what is stored: the chain of manifests, every part, the ledger.

    It only reads from storage, and may run beside the scan.
    """
    console = standard_error()
    with _failures(console):
        places = _archives(_environ(env_file), scan)
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


@app.command()
def status(
    *,
    scan: Annotated[
        str | None, typer.Option(metavar="NAME", help="The scan; all that are configured.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write a JSON object for each scan instead.")
    ] = False,
    env_file: EnvFile = None,
) -> None:
    """Show how the scans are: a verdict in words, what needs a person, and the last 30 days.

    Only storage is asked, and nothing is written. It may run beside the scan.
    """
    console = standard_error()
    with _failures(console):
        places = _archives(_environ(env_file), scan)
        now = SystemClock().now()
        found = [read_status(it.ledgers, it.derived, it.policy, now=now) for it in places]
    for it in found:
        text = msgspec.json.encode(it).decode() if as_json else "\n".join(lines_of(it))
        sys.stdout.write(text + "\n")


@app.command()
def announce(  # noqa: PLR0913 - each is an option
    *,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="Parts with activities from then on."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Parts of activities before then.")
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(metavar="NAME|URL", help="The reader's queue: of the account with the parts."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Write the messages there instead, one a line."),
    ] = None,
    schema: Annotated[
        str,
        typer.Option(metavar="NAME", help=f"{' or '.join(EVENT_SCHEMAS)}: as the subscription's."),
    ] = EVENT_SCHEMAS[0],
    topic: Annotated[
        str, typer.Option(metavar="ID", help="Resource id of the storage account.")
    ] = "",
    after: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="Continue after this manifest.")
    ] = 0,
    most: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Messages to send.")] = 100_000,
    scan: Annotated[
        str | None, typer.Option(metavar="NAME", help="The scan, if several are configured.")
    ] = None,
    env_file: EnvFile = None,
) -> None:
    """Send the notifications of existing parts again, for a reader that was connected late.

    It only reads manifests and sends messages. It needs the right to read the manifest container
    and to send to the queue.
    """
    console = standard_error()
    with _failures(console):
        environ = _environ(env_file)
        wanted = Wanted(
            start=read_time("--from", start), end=read_time("--to", end), after=after, most=most
        )
        (place,) = _single(_archives(environ, scan))
        parts = announced_place(environ, schema=schema, topic=topic)
        with _sink(environ, queue, output) as send, display(console, live=True) as shown:
            done = Announcer(place.results, parts, send, shown).announce(wanted)
    console.print(str(done), soft_wrap=True)


@contextmanager
def _sink(environ: dict[str, str], queue: str | None, output: str | None) -> Iterator[Send]:
    """Yield what takes the messages: a queue, a file or standard output."""
    if (queue is None) == (output is None):
        raise SettingsError(["give either --queue or --output: where the messages go"])
    if queue is not None:
        yield message_queue(environ, queue).send
    elif output == STANDARD_OUTPUT:
        yield lambda text: _write_line(text, sys.stdout)
    else:
        with Path(output or "").open("a", encoding="utf-8") as file:
            yield lambda text: _write_line(text, file)


def _write_line(text: str, file: TextIO) -> None:
    file.write(text + "\n")


ledger_app = typer.Typer(help="What to do when a ledger is lost.", no_args_is_help=True)
app.add_typer(ledger_app, name="ledger")


@ledger_app.command("rebuild")
def rebuild_ledger(
    *,
    scan: Annotated[
        str | None, typer.Option(metavar="NAME", help="The scan, if several are configured.")
    ] = None,
    write_it: Annotated[
        bool, typer.Option("--write", help="Write the ledger instead of only showing it.")
    ] = False,
    env_file: EnvFile = None,
) -> None:
    """Rebuild a lost ledger from the manifests, and show it.

    It is written only with --write, and only if there is no ledger.
    """
    console = standard_error()
    with _failures(console):
        (place,) = _single(_archives(_environ(env_file), scan))
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
        said = "written" if write_it else "nothing is written: add --write when this is right"
        console.print(said, soft_wrap=True)


def _single(places: list[Archive]) -> list[Archive]:
    if len(places) > 1:
        names = ", ".join(it.policy.scan for it in places)
        raise SettingsError([f"--scan is needed: several scans are configured ({names})"])
    return places


def _archives(environ: dict[str, str], scan: str | None) -> list[Archive]:
    quiet_azure()
    found = [it for it in archives(environ) if scan in {None, it.policy.scan}]
    if not found:
        raise SettingsError([f"--scan {scan!r} is not configured: see SCAN_NAME and SCANS"])
    return found


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


def _environ(env_file: Path | None) -> dict[str, str]:
    return {**os.environ, **(read_file(env_file) if env_file else {})}


@contextmanager
def _failures(console: Console, output: str = STANDARD_OUTPUT) -> Iterator[None]:
    """End the program with what failed, what to do and the right exit code."""
    try:
        yield
    except BrokenPipeError:
        # The reader has gone, as `head` does; Python must not complain again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except (ScanError, OSError) as error:
        _explain(console, error)
        if _code(error) == FAILED and output != STANDARD_OUTPUT and partial(output).exists():
            kept = f"What had been written until then is in {partial(output)}; it is not complete."
            console.print(kept, soft_wrap=True)
        raise typer.Exit(_code(error)) from None


def _exit_for(console: Console, results: list[RunResult]) -> None:
    errors = [(result.scan, result.error) for result in results if result.error]
    for scan, error in errors:
        _explain(console, error, scan)
    if errors:
        raise typer.Exit(max(_code(error) for _, error in errors))


def _explain(console: Console, error: Exception, scan: str = "") -> None:
    if not isinstance(error, ScanError | OSError):
        console.print("".join(traceback.format_exception(error)), soft_wrap=True)
    place = f" {scan}" if scan else ""
    console.print(f"failed{place}: {type(error).__name__}: {error}", style="red", soft_wrap=True)
    section = error.help if isinstance(error, ScanError) else "docs/runbook.md#unexpected"
    console.print(f"See {section}", soft_wrap=True)


def _code(error: Exception) -> int:
    return WRONG_SETTINGS if isinstance(error, SettingsError) else FAILED


def _report(line: str) -> None:
    """Hand a report line to whatever reads standard output; a person reads the summary."""
    if not sys.stdout.isatty():
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
