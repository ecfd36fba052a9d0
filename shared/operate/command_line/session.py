"""What every command does: find its settings and its scan, and end with the right exit code."""

import functools
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import typer
from rich.console import Console

from shared.access import AUTHORITY
from shared.adapters.app_settings import AppSettings
from shared.bootstrap import App, open_app, quiet_azure
from shared.core.errors import ScanError, SettingsError
from shared.core.quoting import listed
from shared.operate.building import Archive, Deployed, app_settings, archives
from shared.operate.deployed_app import (
    as_deployed,
    beside_an_app,
    for_the_caller,
    read_app_name,
    scans_of_the_caller,
)
from shared.operate.display import standard_error
from shared.operate.environment import read_file
from shared.operate.output import STANDARD_OUTPUT, partial

FAILED = 1
WRONG_SETTINGS = 2

TWICE = "--json needs --output FILE: standard output cannot hold the result as well"


def app_of(
    env_file: Path | None,
    from_app: str | None = None,
    *,
    asks_api: bool = False,
    keeps: bool = False,
) -> App:
    """Return the settings with the list of scans, and warn of a list that is not in use.

    A file that sets SCANS replaces scans.json, too.

    Args:
        env_file: a file of settings.
        from_app: the app whose settings replace those of the environment.
        asks_api: whether the command sends requests to the API.
        keeps: whether the command runs the scans, as the timer does.

    Raises:
        SettingsError: the file, the name of the app or the list is wrong, or a secret cannot be
            read.
        AppUnreadable: the app's settings cannot be read.
        StoreUnavailable: the list cannot be read.
    """
    file = read_file(env_file) if env_file else {}
    environ = settings_of(file, from_app, asks_api=asks_api)
    return _opened(environ, file, from_app, asks_api=asks_api, keeps=keeps)


def deployed_of(env_file: Path | None, from_app: str | None) -> Deployed:
    """Return the settings for a comparison: as a command uses them, and as the app has them.

    Raises:
        SettingsError: the file or the name of the app is wrong.
        AppUnreadable: the app's settings cannot be read.
        StoreUnavailable: the list in use cannot be read.
    """
    file = read_file(env_file) if env_file else {}
    if from_app is None:
        environ = settings = {**os.environ, **file}
    else:
        vaults, found = _settings_of_app(from_app)
        environ = _used(found, file, vaults, asks_api=False)
        settings = as_deployed(found, file)
    try:
        app = _opened(environ, file, from_app)
    except SettingsError:
        app = None  # Nobody can say what a list changes that replaces a wrong one.
    return Deployed(environ=environ, settings=settings, app=app)


def _opened(
    environ: dict[str, str],
    file: dict[str, str],
    from_app: str | None,
    *,
    asks_api: bool = False,
    keeps: bool = False,
) -> App:
    if "SCANS" in file:
        return App(environ=environ)
    quiet_azure()
    adapt = (
        functools.partial(scans_of_the_caller, overridden=file, asks_api=asks_api)
        if from_app
        else None
    )
    app = open_app(environ, keeps=keeps, adapt=adapt)
    if app.wrong_list:
        problems = "".join(f"\n- {it}" for it in app.wrong_list.problems)
        said = f"warning: the newest list of scans is not in use, the last valid one is:{problems}"
        standard_error().print(said, soft_wrap=True)
    return app


def environ_of(
    env_file: Path | None, from_app: str | None = None, *, asks_api: bool = False
) -> dict[str, str]:
    """Return the settings without the list of scans, for a command that needs no scan.

    Raises:
        SettingsError: the file or the name of the app is wrong, or a secret cannot be read.
        AppUnreadable: the app's settings cannot be read.
    """
    file = read_file(env_file) if env_file else {}
    return settings_of(file, from_app, asks_api=asks_api)


def settings_of(file: dict[str, str], from_app: str | None, *, asks_api: bool) -> dict[str, str]:
    """Return the environment's settings, or a deployed app's, and what a file overrides."""
    if from_app is None:
        return {**os.environ, **file}
    vaults, settings = _settings_of_app(from_app)
    return _used(settings, file, vaults, asks_api=asks_api)


def _settings_of_app(from_app: str) -> tuple[AppSettings, dict[str, str]]:
    quiet_azure()
    name = read_app_name(from_app)
    return app_settings(name.subscription, name.group, name.app, os.environ)


def _used(
    settings: dict[str, str], file: dict[str, str], vaults: AppSettings, *, asks_api: bool
) -> dict[str, str]:
    """Return the settings of an app as its caller can use them."""
    used = for_the_caller(settings, file, vaults, asks_api=asks_api)
    if AUTHORITY in used:
        # The library that signs an app registration in reads it from the environment only.
        os.environ.setdefault(AUTHORITY, used[AUTHORITY])
    return {**beside_an_app(os.environ), **used}


def archives_of(app: App, scan: str | None) -> list[Archive]:
    """Return what the scans have stored: of all that are configured, or of one.

    Raises:
        SettingsError: the settings are wrong, or the scan is not among them.
    """
    quiet_azure()
    return archives(app, scan)


def archive_of(app: App, scan: str | None) -> Archive:
    """Return what one scan has stored, which must be named if several are configured.

    Raises:
        SettingsError: the settings are wrong, or do not say which scan.
    """
    places = archives_of(app, scan)
    if len(places) > 1:
        names = listed([it.policy.scan for it in places])
        raise SettingsError([f"--scan is needed: several scans are configured ({names})"])
    return places[0]


@contextmanager
def failures(
    console: Console, output: str = STANDARD_OUTPUT, *, as_json: bool = False
) -> Iterator[None]:
    """End the program with what failed, what to do and the right exit code.

    Args:
        console: standard error.
        output: a file that may have been written in part.
        as_json: whether standard output gets the error as JSON, too.
    """
    try:
        yield
    except BrokenPipeError:
        # The reader has gone, as `head` does; Python must not complain again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except (ScanError, OSError) as error:
        explain(console, error)
        if as_json:
            told = {"error": type(error).__name__, "message": str(error), "help": help_for(error)}
            write_json(told)
        if code_of(error) == FAILED and output != STANDARD_OUTPUT and partial(output).exists():
            kept = f"What was written until then is in {partial(output)}, which is incomplete."
            console.print(kept, soft_wrap=True)
        raise typer.Exit(code_of(error)) from None


def explain(console: Console, error: Exception, scan: str = "") -> None:
    """Say what failed, and which section of the documentation helps."""
    if not isinstance(error, ScanError | OSError):
        console.print("".join(traceback.format_exception(error)), soft_wrap=True)
    place = f" {scan}" if scan else ""
    console.print(f"failed{place}: {type(error).__name__}: {error}", style="red", soft_wrap=True)
    console.print(f"See {help_for(error)}", soft_wrap=True)


def help_for(error: Exception) -> str:
    """Return the section of the documentation that helps with an error."""
    return error.help if isinstance(error, ScanError) else "docs/runbook.md#unexpected"


def write_json(value: object) -> None:
    """Write a value to standard output as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def code_of(error: Exception) -> int:
    """Return the exit code of a program that an error ended."""
    return WRONG_SETTINGS if isinstance(error, SettingsError) else FAILED
