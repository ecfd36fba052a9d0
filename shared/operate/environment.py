"""The settings of a command: a file overrides the environment, and options override both."""

import codecs
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from shared.core.errors import SettingsError
from shared.settings import QuerySettings, read_query


def read_file(path: Path) -> dict[str, str]:
    """Return the settings in a file: lines of KEY=VALUE, or a local.settings.json.

    Raises:
        SettingsError: it cannot be read, or a line is neither a setting nor a comment.
    """
    text = read_text(f"--env-file {path}", path)
    return _json_values(path, text) if text.lstrip().startswith("{") else _lines(path, text)


def read_text(named: str, path: Path) -> str:
    """Return a file's text, which must be UTF-8.

    Args:
        named: what errors call the file.
        path: where it is.

    Raises:
        SettingsError: it cannot be read, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError([f"{named} cannot be read: {error}"]) from error
    if _is_utf_16(content):
        raise SettingsError([f"{named} is a UTF-16 file: save it as UTF-8"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "save it as UTF-8"
        raise SettingsError([f"{named} is not UTF-8 ({error.reason}): {hint}"]) from None


def _is_utf_16(content: bytes) -> bool:
    """Say whether a file is UTF-16, which Windows tools call Unicode, with or without its mark.

    Settings are mostly ASCII, and every other byte of ASCII in UTF-16 is zero.
    """
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    beginning = content[:256]
    return marked or beginning.count(0) * 4 > len(beginning)


def _json_values(path: Path, text: str) -> dict[str, str]:
    try:
        content = json.loads(text)
    except ValueError as error:
        raise SettingsError([f"--env-file {path} is not JSON: {error}"]) from error
    values = content.get("Values")
    if content.get("IsEncrypted"):
        hint = "decrypt it with `func settings decrypt`"
        raise SettingsError([f"--env-file {path} is encrypted: {hint}"])
    if not isinstance(values, dict) or not all(isinstance(it, str) for it in values.values()):
        shape = '{"Values": {"MDA_API_URL": "https://..."}}'
        raise SettingsError(
            [f"--env-file {path} needs an object Values that holds only text, such as {shape}"]
        )
    return values


_SETTING = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)", re.ASCII)


def _lines(path: Path, text: str) -> dict[str, str]:
    settings: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        found = _SETTING.fullmatch(line)
        if found:
            settings[found[1]] = _unquoted(found[2])
        elif line and not line.startswith("#"):
            # The line itself may hold a secret, so it is not shown.
            problems.append(
                f"--env-file {path}, line {number} is neither KEY=VALUE nor a # comment"
            )
    if problems:
        raise SettingsError(problems)
    return settings


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in {'"', "'"}
    return value[1:-1] if quoted else value


def read_filters(given: str) -> str:
    """Return the JSON of `--filters`: the value itself, or the content of the file in `@file`.

    Raises:
        SettingsError: the file cannot be read.
    """
    if not given.startswith("@"):
        return given
    return read_text(f"--filters {given}", Path(given[1:]))


def read_time(option: str, given: str | None) -> int | None:
    """Return an ISO 8601 time (UTC unless it says otherwise) in epoch ms; None if it is not given.

    Raises:
        SettingsError: it is not a time.
    """
    return None if given is None else parse_time(option, given)


def parse_time(option: str, given: str) -> int:
    """Return an ISO 8601 time (UTC unless it says otherwise) in epoch ms.

    Raises:
        SettingsError: it is not a time.
    """
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        hint = "write it as 2026-11-23 or 2026-11-23T05:00"
        raise SettingsError([f"{option} is {given!r}: it is not a time; {hint}"]) from error
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1000)


def read_question(environ: Mapping[str, str], scan: str | None = None) -> QuerySettings:
    """Return the settings that `query` needs; errors also name the option of a setting.

    Args:
        environ: the settings.
        scan: the scan whose API is asked; None for the app's.

    Raises:
        SettingsError: at least one setting is invalid; it has all problems.
    """
    try:
        return read_query(environ, scan)
    except SettingsError as error:
        raise SettingsError([_with_option(problem) for problem in error.problems]) from None


_OPTIONS = {
    "SCAN_FILTERS": "--filters",
    "SCAN_SORT_FIELD": "--sort-field",
    "SCAN_SORT_DIRECTION": "--sort-direction",
    "SCAN_LIMIT": "--limit",
}


def _with_option(problem: str) -> str:
    name, _, rest = problem.partition(" ")
    return f"{name} ({_OPTIONS[name]}) {rest}" if name in _OPTIONS else problem
