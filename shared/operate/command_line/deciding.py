"""What the commands have in common that change a scan: they ask first, and tell what they did."""

import sys

import msgspec
import typer
from rich.console import Console

from shared.adapters.system_clock import SystemClock
from shared.core.errors import SettingsError
from shared.core.model import Decision
from shared.operate.building import Archive
from shared.operate.command_line.session import FAILED, write_json
from shared.operate.levers import Scan, outlook


def scan_of(place: Archive) -> Scan:
    """Return the scan of this place, whose levers may be pulled."""
    return Scan(
        policy=place.policy, ledgers=place.ledgers, results=place.results, clock=SystemClock()
    )


def ask(console: Console, *, yes: bool) -> None:
    """Ask whether to go on, unless that was answered before.

    Raises:
        SettingsError: there is nobody to ask.
        typer.Exit: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise SettingsError(["--yes is needed: there is no terminal to ask on"])
    if not typer.confirm("Do this?", err=True):
        console.print("nothing was changed")
        raise typer.Exit(FAILED)


def tell(console: Console, scan: str, decision: Decision, *, as_json: bool) -> None:
    """Say what was decided, and when it shows."""
    console.print(f"done: {decision.what}; {outlook(decision)}", soft_wrap=True)
    if as_json:
        write_json({"scan": scan, **msgspec.to_builtins(decision)})
