"""The commands that change a scan: `pause`, `resume`, `rescan`, `backfill` and so on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Signature, signature
from typing import Annotated, Any

import typer

from shared.core.model import Policy
from shared.core.state import levers
from shared.operate.command_line.deciding import ask, scan_of, tell
from shared.operate.command_line.options import (
    AsJson,
    EnvFile,
    FromApp,
    OneScan,
    Reason,
    TakeOver,
    Yes,
)
from shared.operate.command_line.session import app_of, archive_of, failures
from shared.operate.display import display, standard_error
from shared.operate.environment import parse_time, read_time
from shared.operate.levers import Lever, propose, pull, who


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How a lever is pulled: the options that all of them have."""

    reason: Reason = ""
    scan: OneScan = None
    take_over: TakeOver = False
    yes: Yes = False
    as_json: AsJson = False
    env_file: EnvFile = None
    from_app: FromApp = None


LeverFor = Callable[[Policy], Lever]
"""Returns the lever to pull on a scan with this policy."""


def _command(lever_of: Callable[..., LeverFor]) -> Callable[..., None]:
    """Make a command that pulls a lever.

    Args:
        lever_of: returns the lever; its parameters are the command's own options.
    """
    own, common = signature(lever_of), signature(_How)

    @wraps(lever_of)
    def command(**options: Any) -> None:
        chosen = {name: options.pop(name) for name in own.parameters}
        _pull(lever_of(**chosen), _How(**options))

    # The command-line library reads the options of a command from its signature.
    options = [*own.parameters.values(), *common.parameters.values()]
    command.__signature__ = Signature(options)  # type: ignore[attr-defined]  # every function may have one
    return command


@_command
def pause(
    *,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="When the pause ends by itself (ISO 8601).", show_default="never"
        ),
    ] = None,
) -> LeverFor:
    """Pause a scan: its runs send no requests, until a time or until it is resumed."""

    def lever(_: Policy) -> Lever:
        at = read_time("--until", until)
        return lambda ledger, order: levers.paused(ledger, order, until=at)

    return lever


@_command
def resume() -> LeverFor:
    """End the pause of a scan."""
    return lambda _: levers.resumed


@_command
def rescan(
    *,
    start: Annotated[
        str,
        typer.Option("--from", metavar="TIME", help="Start of the time to scan again (ISO 8601)."),
    ],
    end: Annotated[
        str,
        typer.Option(
            "--until", "--to", metavar="TIME", help="End of that time (ISO 8601), exclusive."
        ),
    ],
) -> LeverFor:
    """Scan time again, and store only what is missing."""

    def lever(policy: Policy) -> Lever:
        bounds = parse_time("--from", start), parse_time("--until", end)
        return lambda ledger, order: levers.rescanned(ledger, order, policy, bounds=bounds)

    return lever


@_command
def backfill(
    *,
    start: Annotated[
        str,
        typer.Option(
            "--from", "--to", metavar="TIME", help="The new, earlier start of the scan (ISO 8601)."
        ),
    ],
) -> LeverFor:
    """Make a scan begin earlier, as far back as the API answers."""

    def lever(policy: Policy) -> Lever:
        at = parse_time("--from", start)
        return lambda ledger, order: levers.backfilled(ledger, order, policy, to=at)

    return lever


@_command
def accept_filters() -> LeverFor:
    """Accept the changed filters in the settings: time already covered counts for them, too."""
    return lambda policy: lambda ledger, order: levers.filters_accepted(ledger, order, policy)


@_command
def retry() -> LeverFor:
    """Make waiting and blocked slices due in the next run. A throttle stays."""
    return lambda _: levers.retried


def _pull(lever_for: LeverFor, how: _How) -> None:
    """Say what a lever does, ask, and pull it."""
    console = standard_error()
    with failures(console, as_json=how.as_json):
        place = archive_of(app_of(how.env_file, how.from_app), how.scan)
        scan = scan_of(place)
        lever, by = lever_for(place.policy), who()
        proposed = propose(scan, lever, by=by, reason=how.reason)
        console.print(f"{place.policy.scan}: {proposed.what}", soft_wrap=True)
        ask(console, yes=how.yes)
        with display(console, live=True) as shown:
            decision = pull(scan, lever, shown, by=by, reason=how.reason, take_over=how.take_over)
    tell(console, place.policy.scan, decision, as_json=how.as_json)
