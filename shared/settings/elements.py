"""The elements of SCANS or scans.json: what each sets for its scan in place of the app."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.access import Secret
from shared.settings import table
from shared.settings.parsers import scan_name
from shared.settings.reader import Reader
from shared.settings.table import Setting

LISTED = replace(
    table.SCANS,
    name="scans.json",
    hint='write a JSON array such as [{"name": "contoso"}]',
)
"""The content of the file that replaces SCANS. The settings hold it under the name of the file."""

SEVERAL = "docs/settings.md#several-scans"


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """Where one scan's settings are read.

    Attributes:
        reader: of the scan's own settings and, for all others, of the app's.
        own: names of the settings that the scan has of its own.
        client_secret: the setting with its client secret.
        api_token: the setting with its legacy token.
    """

    reader: Reader
    own: frozenset[str] = frozenset()
    client_secret: Setting[Secret] = table.MDA_CLIENT_SECRET
    api_token: Setting[Secret] = table.MDA_API_TOKEN

    def sets(self, *settings: Setting[Any]) -> bool:
        """Say whether the scan has at least one of these settings of its own."""
        return not self.own.isdisjoint(it.name for it in settings)


def elements(reader: Reader) -> Sequence[Element]:
    """Return the elements of the list; without one, the one scan that the app's settings describe.

    The list is the text of scans.json if the settings have it, and otherwise SCANS.
    """
    before = len(reader.problems)
    given: list[dict[str, Any]] = reader.value(list_of(reader))
    if LISTED.name in reader.source and len(reader.problems) == before:
        _check_listed(reader, given)
    found = [_element(reader, place, it) for place, it in enumerate(given)]
    return found or [Element(reader=reader)]


def list_of(reader: Reader) -> Setting[list[dict[str, Any]]]:
    """Return where the scans are listed: in scans.json, or in SCANS."""
    return LISTED if LISTED.name in reader.source else table.SCANS


def _check_listed(reader: Reader, given: list[dict[str, Any]]) -> None:
    """Refuse a file without a scan, and one beside another list."""
    if not given:
        reader.problem(LISTED.name, f"lists no scan: {LISTED.hint}")
    if reader.value(table.SCANS):
        reader.problem(
            table.SCANS.name,
            "is set although the state container has a scans.json: keep one of them. Remove SCANS "
            f"(`scans` of the deployment), or delete the file and its copy ({SEVERAL})",
        )


def _element(shared: Reader, place: int, element: dict[str, Any]) -> Element:
    given = {key.lower(): value for key, value in element.items()}
    own = {
        setting.name: _as_text(given[key])
        for key, setting in table.PER_SCAN.items()
        if key in given
    }
    reader = Reader(
        source={**shared.source, **own},
        place=f"{list_of(shared).name}[{place}]{_named(given)}: ",
        problems=shared.problems,
    )
    for key in sorted(set(given) - {*table.PER_SCAN, *table.SECRETS}):
        _refuse(reader, key)
    named = {key: given[key] for key in table.SECRETS if key in given}
    return Element(
        reader=reader,
        own=frozenset([*own, *(table.SECRETS[key].name for key in named)]),
        client_secret=_secret(reader, named, "client_secret_setting"),
        api_token=_secret(reader, named, "api_token_setting"),
    )


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _named(given: dict[str, Any]) -> str:
    """Return the name of a scan as problems show it beside its place; nothing for a wrong one."""
    try:
        return f" ({scan_name(str(given['name']))})"
    except (KeyError, ValueError):
        return ""


def _refuse(reader: Reader, key: str) -> None:
    """Refuse a key. Its value is not shown, since it may be a secret."""
    if (instead := f"{key}_setting") in table.SECRETS:
        example = f"{table.SECRETS[instead].name}_CONTOSO"
        hint = f"set {instead} to the name of a setting that holds it, such as {example}"
        name = list_of(reader).name
        reader.problem(key, f"would be a secret in {name}: {hint} ({SEVERAL})")
    else:
        reader.problem(key, f"cannot be set for one scan ({SEVERAL})")


def _secret(reader: Reader, named: dict[str, Any], key: str) -> Setting[Secret]:
    """Return the setting that a scan names for its secret, or else the app's."""
    setting = table.SECRETS[key]
    name = named.get(key, "")
    if table.is_secret_of_a_scan(str(name), setting):
        return replace(setting, name=name)
    if key in named:
        # What is here instead of a name may be the secret itself.
        hint = f"write the name of a setting, such as {setting.name}_CONTOSO, and put it there"
        reader.problem(key, f"is not the name of a setting that holds a secret: {hint}")
    return setting
