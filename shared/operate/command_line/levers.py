"""The commands that change a scan: `pause`, `resume`, `rescan`, `backfill` and so on."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from shared.adapters.system_clock import SystemClock
from shared.core.model import Policy
from shared.core.state import levers
from shared.operate.command_line.deciding import ask, tell
from shared.operate.command_line.options import (
    AsJson,
    EnvFile,
    FromApp,
    OneScan,
    Reason,
    TakeOver,
    Yes,
)
from shared.operate.command_line.session import archive_of, environ_of, failures
from shared.operate.display import display, standard_error
from shared.operate.environment import parse_time, read_time
from shared.operate.levers import Lever, Scan, propose, pull, who


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How a lever is pulled, by the options that all of them have."""

    reason: str
    scan: str | None
    take_over: bool
    yes: bool
    as_json: bool
    env_file: Path | None
    from_app: str | None


def pause(  # noqa: PLR0913 - each is an option
    *,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When the pause ends by itself (ISO 8601). [never]"),
    ] = None,
    reason: Reason = "",
    scan: OneScan = None,
    take_over: TakeOver = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Let the runs of a scan send no request, until a time or until the scan is resumed."""

    def lever(_: Policy) -> Lever:
        at = read_time("--until", until)
        return lambda ledger, order: levers.paused(ledger, order, until=at)

    how = _How(
        reason=reason,
        scan=scan,
        take_over=take_over,
        yes=yes,
        as_json=as_json,
        env_file=env_file,
        from_app=from_app,
    )
    _pull(lever, how)


def resume(  # noqa: PLR0913 - each is an option
    *,
    reason: Reason = "",
    scan: OneScan = None,
    take_over: TakeOver = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """End the pause of a scan."""
    how = _How(
        reason=reason,
        scan=scan,
        take_over=take_over,
        yes=yes,
        as_json=as_json,
        env_file=env_file,
        from_app=from_app,
    )
    _pull(lambda _: levers.resumed, how)


def rescan(  # noqa: PLR0913 - each is an option
    *,
    start: Annotated[
        str, typer.Option("--from", metavar="TIME", help="The first instant (ISO 8601).")
    ],
    end: Annotated[
        str, typer.Option("--to", metavar="TIME", help="The first instant after it (ISO 8601).")
    ],
    reason: Reason = "",
    scan: OneScan = None,
    take_over: TakeOver = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Scan time again, and store only what is missing."""

    def lever(policy: Policy) -> Lever:
        bounds = parse_time("--from", start), parse_time("--to", end)
        return lambda ledger, order: levers.rescanned(ledger, order, policy, bounds=bounds)

    how = _How(
        reason=reason,
        scan=scan,
        take_over=take_over,
        yes=yes,
        as_json=as_json,
        env_file=env_file,
        from_app=from_app,
    )
    _pull(lever, how)


def backfill(  # noqa: PLR0913 - each is an option
    *,
    to: Annotated[
        str,
        typer.Option("--to", metavar="TIME", help="Where the scan begins from now on (ISO 8601)."),
    ],
    reason: Reason = "",
    scan: OneScan = None,
    take_over: TakeOver = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Let a scan begin earlier than it did, as far back as the API answers."""

    def lever(policy: Policy) -> Lever:
        at = parse_time("--to", to)
        return lambda ledger, order: levers.backfilled(ledger, order, policy, to=at)

    how = _How(
        reason=reason,
        scan=scan,
        take_over=take_over,
        yes=yes,
        as_json=as_json,
        env_file=env_file,
        from_app=from_app,
    )
    _pull(lever, how)


def accept_filters(  # noqa: PLR0913 - each is an option
    *,
    reason: Reason = "",
    scan: OneScan = None,
    take_over: TakeOver = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Accept the changed filters of the settings: what is covered counts for them, too."""

    def lever(policy: Policy) -> Lever:
        return lambda ledger, order: levers.filters_accepted(ledger, order, policy)

    how = _How(
        reason=reason,
        scan=scan,
        take_over=take_over,
        yes=yes,
        as_json=as_json,
        env_file=env_file,
        from_app=from_app,
    )
    _pull(lever, how)


def retry(  # noqa: PLR0913 - each is an option
    *,
    reason: Reason = "",
    scan: OneScan = None,
    take_over: TakeOver = False,
    yes: Yes = False,
    as_json: AsJson = False,
    env_file: EnvFile = None,
    from_app: FromApp = None,
) -> None:
    """Ask for the slices that wait, or are blocked, in the next run. A throttle stays."""
    how = _How(
        reason=reason,
        scan=scan,
        take_over=take_over,
        yes=yes,
        as_json=as_json,
        env_file=env_file,
        from_app=from_app,
    )
    _pull(lambda _: levers.retried, how)


def _pull(lever_for: Callable[[Policy], Lever], how: _How) -> None:
    """Say what a lever does, ask, and pull it."""
    console = standard_error()
    with failures(console, as_json=how.as_json):
        place = archive_of(environ_of(how.env_file, how.from_app), how.scan)
        scan = Scan(
            policy=place.policy, ledgers=place.ledgers, results=place.results, clock=SystemClock()
        )
        lever, by = lever_for(place.policy), who()
        proposed = propose(scan, lever, by=by, reason=how.reason)
        console.print(f"{place.policy.scan}: {proposed.what}", soft_wrap=True)
        ask(console, yes=how.yes)
        with display(console, live=True) as shown:
            decision = pull(scan, lever, shown, by=by, reason=how.reason, take_over=how.take_over)
    tell(console, place.policy.scan, decision, as_json=how.as_json)
