"""The command `announce`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TextIO

import typer

from shared.bootstrap import App
from shared.core.audit.announcing import EVENT_SCHEMAS
from shared.core.errors import SettingsError
from shared.operate.announcing import Announcer, Send, Wanted
from shared.operate.building import announced_place, message_queue
from shared.operate.command_line.options import AsJson, EnvFile, FromApp, OneScan
from shared.operate.command_line.session import TWICE, app_of, archive_of, failures, write_json
from shared.operate.display import display, standard_error
from shared.operate.environment import read_time
from shared.operate.output import STANDARD_OUTPUT


def announce(  # noqa: PLR0913 - each is an option
    *,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="TIME", help="Only parts with time from this on (ISO 8601)."
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--until", "--to", metavar="TIME", help="Only parts with time before then."),
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(metavar="NAME|URL", help="The queue: a URL, or a name in the parts' account."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-", help="Append the messages to this file instead, one a line."
        ),
    ] = None,
    schema: Annotated[
        str,
        typer.Option(
            metavar="NAME", help=f"{' or '.join(EVENT_SCHEMAS)}: the schema of the subscription."
        ),
    ] = EVENT_SCHEMAS[0],
    topic: Annotated[
        str, typer.Option(metavar="ID", help="Resource id of the storage account.")
    ] = "",
    after: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="Continue after this manifest.")
    ] = 0,
    most: Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Messages at most.")] = 100_000,
    scan: OneScan = None,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Send the notifications of existing parts again, for a reader that was connected late.

    It only reads manifests and sends messages. It needs the right to read the manifest container
    and to send to the queue.
    """
    console = standard_error()
    with failures(console, as_json=as_json):
        if as_json and output == STANDARD_OUTPUT:
            raise SettingsError([TWICE])
        app = app_of(env_file, from_app)
        wanted = Wanted(
            start=read_time("--from", start), end=read_time("--until", end), after=after, most=most
        )
        place = archive_of(app, scan)
        parts = announced_place(app, place.policy.scan, schema=schema, topic=topic)
        with _sink(app, queue, output) as send, display(console, live=True) as shown:
            done = Announcer(place.results, parts, send, shown).announce(wanted)
    console.print(str(done), soft_wrap=True)
    if as_json:
        write_json(asdict(done))


@contextmanager
def _sink(app: App, queue: str | None, output: str | None) -> Iterator[Send]:
    """Yield what takes the messages: a queue, a file or standard output."""
    if (queue is None) == (output is None):
        raise SettingsError(["give either --queue or --output: where the messages go"])
    if queue is not None:
        yield message_queue(app, queue).send
    elif output == STANDARD_OUTPUT:
        yield lambda text: _write_line(text, sys.stdout)
    else:
        with Path(output or "").open("a", encoding="utf-8") as file:
            yield lambda text: _write_line(text, file)


def _write_line(text: str, file: TextIO) -> None:
    file.write(text + "\n")
